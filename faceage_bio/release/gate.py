"""The gate: reads every file that is to leave and collects what may not: where, what, and what to do about it.

A result table says nothing but numbers in its declared columns, rounded counts and words of the vocabulary. Everything else is searched
for pictures, identifiers, dates, paths and vectors.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from faceage_bio.core.errors import PrivacyError, TableError
from faceage_bio.core.results import measures, reasons, result_tables, row
from faceage_bio.core.tables import parse_text_table
from faceage_bio.release import content
from faceage_bio.release.known import Known, identifying_kind
from faceage_bio.release.rule import midpoint
from faceage_bio.report.table_files import PREFIX

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

TEXTS = {
    ".html", ".htm", ".svg", ".json", ".md", ".txt", ".bib", ".css", ".tsv", ".csv", ".rst", ".yaml", ".yml", ".tex", ".xml", ".rels",
}  # fmt: skip
MARKUP = {".html", ".htm", ".svg", ".xml", ".rels"}
VECTORS = {
    ".npy", ".npz", ".pkl", ".pickle", ".pt", ".pth", ".h5", ".h5ad", ".hdf5", ".safetensors", ".parquet", ".feather", ".arrow", ".zarr",
}  # fmt: skip
HEADS = re.compile(r"(?i)(?:patient|participant|subject|case|sample|photo|donor)[ _]?(?:id|number|no\.?)|mrn")
# further columns that only a table with a row per participant, photo or sample has
INDIVIDUAL = {"followup_years", "entry_years", "event", "perceptual_hash", "pixel_hash", "box_x", "box_y"}
# of a table for authors: n = 113, 38 or 38 (33%)
COUNT_OF_PAPER = re.compile(r"\bn = ([\d,]+)$|^([\d,]+)(?: \(\d+%\))?$")
NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?(?:e[-+]?\d+)?|inf)|True|False")
ZIP, EMPTY = b"PK\x03\x04", b"PK\x05\x06" + bytes(18)
# columns whose words are of a list
WORDS: dict[str, Collection[str]] = {
    "measure": measures.MEASURES, "adjustment": row.ADJUSTMENTS, "role": row.ROLES, "status": reasons.STATUSES,
}  # fmt: skip


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


def check_folder(folder: Path, known: Known, k: int) -> list[Finding]:
    """What may not leave in a folder, a zip or a single file.

    Parameters
    ----------
    known : whose identifiers, file names and dates are looked for; its vocabulary, if any, is all that a result table may say
    k : rounding of counts in the tables; 1 lets any whole number through

    Raises
    ------
    PrivacyError
        Nothing there to check.
    """
    if not folder.exists():
        raise PrivacyError(
            f"{folder}: no such folder or file, so there is nothing to check. Expected what is to leave. Check the path."
        )
    paths = [folder] if folder.is_file() else folder.rglob("*")
    names = {path: path.name if path == folder else path.relative_to(folder).as_posix() for path in paths}
    links = {path for path in names if path.is_symlink()}
    found = {Finding(names[path], "", "kind of file", "a link out of the folder") for path in links}
    for path in names.keys() - links:
        for name, raw in _parts(names[path], path.read_bytes()) if path.is_file() else ():
            found |= findings_in(name, raw, known, k)
    return sorted(found)


def _parts(name: str, raw: bytes) -> Iterator[tuple[str, bytes]]:
    """A file, and the files in it if it is a zip."""
    yield name, raw
    try:
        with zipfile.ZipFile(io.BytesIO(raw if raw[:4] == ZIP else EMPTY)) as bundle:
            for inner in bundle.infolist():
                if not inner.is_dir():
                    yield from _parts(f"{name}:{inner.filename}", bundle.read(inner))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error):
        yield f"{name}:unreadable", b""  # refused, since it has no ending


def findings_in(name: str, raw: bytes, known: Known, k: int) -> set[Finding]:
    """What may not leave in one file: each thing once, where it stands first."""
    first: dict[tuple[str, str], str] = {}
    for place, kind, what in _in_file(name, raw, known, k):
        first.setdefault((kind, masked(what) if kind in {"identifier", "file name"} else what), place)
    return {Finding(name, place, kind, what) for (kind, what), place in first.items()}


def _in_file(name: str, raw: bytes, known: Known, k: int) -> Iterator[tuple[str, str, str]]:
    """Place, kind and what."""
    ending = re.findall(r"(?:\.\w+)?$", name)[0].lower()  # of ".rels" too
    yield from (("its name", kind, what) for _, kind, what in known.in_text(name))
    if PurePosixPath(name).name.startswith(PREFIX):
        yield "its name", "internal", "a table of exact numbers"
    yield from (("", kind, what) for kind, what in content.in_bytes(raw))
    if raw[:4] == ZIP:
        return
    if ending in VECTORS:
        yield "", "embedding", f"a file of arrays or single participants ({ending})"
    elif ending not in TEXTS:
        yield "", "kind of file", f"not one that is read here ({ending or 'no ending'})"
    else:
        try:
            text = raw.decode("utf-8-sig")
            yield from _in_text(text, ending, known)
            if ending in {".tsv", ".csv"}:
                yield from _in_table(name, parse_text_table(text, Path(name)), known, k)
        except UnicodeDecodeError:
            yield "", "kind of file", "not UTF-8 text, whatever its name says"
        except TableError:
            yield "", "kind of file", "no table: lines of unequal length, or nothing in it"


def _in_text(text: str, ending: str, known: Known) -> Iterator[tuple[str, str, str]]:
    if ending in {".xml", ".rels"}:
        text = content.LAYOUT.sub("", text)
    for start, kind, what in content.in_text(text):
        yield _line(text, start), kind, what
    for reading in content.readings_of(content.blanked(content.SHAPES, text)):
        for start, kind, what in known.in_text(reading):
            yield _line(reading, start), kind, what
    for start, inner in content.embedded(text):
        shown = inner.decode("utf-8", errors="replace")
        inside = [("", *one) for one in content.in_bytes(inner)] or [*_in_text(shown, ".svg", known)]
        if "\t" in shown.split("\n", 1)[0]:
            inside += _of_people(parse_text_table(shown, Path()), known)
        yield from ((f"{_line(text, start)}, embedded", kind, what) for _, kind, what in inside)
    for piece in content.pieces_of(text) if ending in MARKUP else ():
        if HEADS.fullmatch(piece):
            yield "", "individual rows", "a column of identifiers"
        elif known.is_whole(piece):
            yield "", "identifier", piece


def _line(text: str, start: int) -> str:
    return f"line {1 + text.count(chr(10), 0, start)}"


def _in_table(name: str, table: pd.DataFrame, known: Known, k: int) -> Iterator[tuple[str, str, str]]:
    if result_tables.never_released(name):
        yield "", "individual rows", "a table that never leaves"
    elif result_tables.is_declared(name):
        for column in table:
            for line, cell in table[column].drop_duplicates().items():
                if cell and (fault := _fault(result_tables.key_of(name), column, cell, known, k)):
                    yield f"line {line}, column '{column}'", *fault
    elif result_tables.is_paper_table(name):
        cells = [*table.columns, *table.iloc[:, 1:].to_numpy().ravel()]
        counts = [count[1] or count[2] for cell in cells if (count := COUNT_OF_PAPER.search(cell))]
        if not all(_is_rounded(count.replace(",", ""), k) for count in counts):
            yield "", "exact count", f"not rounded to {k}"
    else:
        yield "", "unknown table", "not in the list of tables that may leave"
    yield from _of_people(table, known)


def _of_people(table: pd.DataFrame, known: Known) -> Iterator[tuple[str, str, str]]:
    """Columns and cells of a table with a row per participant."""
    for column, cells in table.items():
        told = identifying_kind(column)
        if told or column.lower() in INDIVIDUAL:
            yield f"column '{column}'", "individual rows", "a column of a table with a row per participant"
        for line, cell in cells.drop_duplicates().items():
            if known.is_whole(cell, of_identifiers=told in {"identifier", "file"}):
                yield f"line {line}, column '{column}'", "identifier", cell


def _fault(key: str, column: str, cell: str, known: Known, k: int) -> tuple[str, str] | None:
    """Why the declaration of a result table does not allow a cell: another column, text for a number, a word of no list, an exact count."""
    declared, exact = result_tables.TABLES[key], ("exact count", f"not rounded to {k}")
    if column not in row.columns_of(key):
        return "undeclared", "a column that the table has not"
    if column in result_tables.count_columns(key):
        return None if _is_rounded(cell, k, bool(declared.curve) and not declared.rows) else exact
    if column in row.number_columns(key):
        return None if NUMBER.fullmatch(cell) else ("undeclared", "no number")
    if column in reasons.COLUMNS and declared.rows:
        try:
            told = [one for reason in reasons.decode(cell) for one in reason.parameters.items()]
        except (KeyError, ValueError):
            return "undeclared", "no reason"
        counts = " ".join(said for name, said in told if result_tables.is_count(name))
        if not all(_is_rounded(count, k) for count in re.findall(r"\d+", counts)):
            return exact
    is_word = not declared.rows or cell in WORDS.get(column, {cell})
    return None if is_word and known.allows(cell) else ("undeclared", "a word of no list")


def _is_rounded(cell: str, k: int, is_curve: bool = False) -> bool:
    """Whether a cell of a count column is a midpoint; in curves, a sum or difference of up to four of them."""
    if not re.fullmatch(r"\d+(?:\.0+)?", cell):
        return False
    value = float(cell)
    offsets = {times * midpoint(1, k) % k for times in range(-4, 5)} if is_curve else set()
    return midpoint(value, k) == value or value % k in offsets
