"""What the gate finds: where, what, and what to do about it. Nothing that it found is repeated in full."""

from collections.abc import Sequence
from dataclasses import dataclass

from faceage_bio.core.errors import PrivacyError

MOST = 40  # findings that a message lists
ADVICE = {
    "image": "Take the image out: no photo, and nothing drawn from one pixel by pixel, leaves. Figures are drawn as SVG.",
    "metadata": "Take the EXIF or XMP block out; it tells where and with what a photo was taken.",
    "embedding": "Take it out: a vector per face is the face. Share estimates on groups.",
    "identifier": "Take the identifier out. If rows about single participants are to be shared, use `faceage-bio pseudonymise` and a contract.",
    "file name": "Take the name of the photo out.",
    "path": "Write file names without folders, or none; a path tells user, machine and project.",
    "user or host": "Take the name of the user or machine out.",
    "date": "Take the date out, or write years of age or of follow-up.",
    "individual rows": "Share a table of groups instead; rows about single participants stay in results/.",
    "internal": "Take the table that `faceage-bio publish` writes, from its released tables.",
    "exact count": "Let `faceage-bio publish` write the table: it rounds counts.",
    "other page": "Let `faceage-bio publish` render the pages from the released tables, and change neither.",
    "kind of file": "Share .html, .tsv, .docx, .tex, .svg, .json, .md, .txt or .bib; leave everything else in results/.",
    "undeclared": "Declare the column in faceage_bio/core/results/result_tables.py, or the word in its list in faceage_bio/core/results/.",
    "unknown table": "Declare the table in faceage_bio/core/results/result_tables.py, as a result table or as one that never leaves.",
}


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that may not leave. ``place`` is a line, a column or a part of the file; ``what`` is masked."""

    file: str
    place: str
    kind: str
    what: str

    def __str__(self) -> str:
        where = f"{self.file}, {self.place}" if self.place else self.file
        return f"{where}: {self.kind}: {self.what}. {ADVICE[self.kind]}"


def masked(text: str) -> str:
    """Enough of it for its owner to know it: ``N0…`` of ``N0912``, and ``…`` of what is shorter than four letters."""
    return f"{text[:2]}…" if len(text) >= 4 else "…"


def stop_if_any(findings: Sequence[Finding], said: str) -> None:
    """Refuse.

    Raises
    ------
    PrivacyError
        Anything was found; the message begins with ``said`` and lists it.
    """
    if findings:
        lines = [f"  - {finding}" for finding in findings[:MOST]]
        lines += [f"  - and {len(findings) - MOST} more"] if len(findings) > MOST else []
        raise PrivacyError(
            f"{said} {len(findings)} thing{'s' * (len(findings) > 1)} may not leave. Expected none. Take out what is listed.\n"
            + "\n".join(lines)
        )
