"""What the gate finds: where, what, and what to do about it. Nothing that it found is repeated in full."""

from collections.abc import Iterable
from dataclasses import dataclass

ADVICE = {
    "image": "Take the image out: no photo, and nothing drawn from one pixel by pixel, leaves. Figures are drawn as SVG.",
    "metadata": "Take the EXIF or XMP block out; it tells where and with what a photo was taken.",
    "embedding": "Take it out: a vector per face is the face. Share estimates on groups.",
    "identifier": "Take the identifier out. If rows about single people are to be shared, use `faceage-bio pseudonymise` and a contract.",
    "file name": "Take the name of the photo out.",
    "path": "Write file names without folders, or none; a path tells user, machine and project.",
    "user or host": "Take the name of the user or machine out.",
    "date": "Take the date out, or write years of age or of follow-up.",
    "individual rows": "Share a table of groups instead; rows about single people stay in results/.",
    "internal": "Take the table that `faceage-bio publish` writes, from its released tables.",
    "exact count": "Let `faceage-bio publish` write the table: it rounds counts.",
    "other page": "Let `faceage-bio publish` render the pages from the released tables, and change neither.",
    "kind of file": "Share .html, .tsv, .docx, .tex, .svg, .json, .md, .txt or .bib; leave everything else in results/.",
    "undeclared": "Declare the column in faceage_bio/results/tables.py, or the word in its list in faceage_bio/results/.",
    "unknown table": "Declare the table in faceage_bio/results/tables.py, as a result table or as one that never leaves.",
}


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that may not leave. ``place`` is a line, a column or a part of the file; ``what`` is masked."""

    file: str
    place: str
    kind: str
    what: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.kind]

    def __str__(self) -> str:
        where = f"{self.file}, {self.place}" if self.place else self.file
        return f"{where}: {self.kind}: {self.what}. {self.advice}"


def masked(text: str) -> str:
    """Enough of it for its owner to know it: ``N0…`` of ``N0912``, and ``…`` of what is shorter than four letters."""
    return f"{text[:2]}…" if len(text) >= 4 else "…"


def listed(findings: Iterable[Finding], limit: int = 40) -> str:
    """Findings as lines, alike ones in one file together."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in sorted(findings):
        groups.setdefault((finding.file, finding.kind), []).append(finding)
    lines = []
    for (file, kind), found in groups.items():
        shown = "; ".join(f"{one.place}: {one.what}" if one.place else one.what for one in found[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        lines.append(f"  - {file}: {kind}: {shown}{more}. {ADVICE[kind]}")
    rest = [f"  - and {len(lines) - limit} more"] if len(lines) > limit else []
    return "\n".join([*lines[:limit], *rest])
