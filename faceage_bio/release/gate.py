"""The gate: reads every file that is to leave and collects what may not.

A result table says nothing but numbers in its declared columns, rounded counts and words of the vocabulary. Everything else is searched
for pictures, identifiers, dates, paths and vectors.
"""

import io
import math
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd

from faceage_bio.errors import PrivacyError, TableError
from faceage_bio.release import content
from faceage_bio.release.findings import Finding, listed, masked
from faceage_bio.release.known import Known, told_by
from faceage_bio.release.rounding import midpoint
from faceage_bio.report.exclusions import PREFIX
from faceage_bio.results.measures import MEASURES
from faceage_bio.results.reasons import COLUMNS as REASONS
from faceage_bio.results.reasons import STATUSES, decode
from faceage_bio.results.row import ADJUSTMENTS, ROLES, columns_of, number_columns
from faceage_bio.results.tables import (
    TABLES,
    count_columns,
    is_count,
    is_declared,
    is_paper_table,
    key_of,
    never_released,
)
from faceage_bio.tables import parse_text_table

TEXTS = {
    ".html", ".htm", ".svg", ".json", ".md", ".txt", ".bib", ".css", ".tsv", ".csv", ".rst", ".yaml", ".yml", ".tex", ".xml", ".rels",
}  # fmt: skip
MARKUP = {".html", ".htm", ".svg", ".xml", ".rels"}
WORD_PARTS = {".xml", ".rels"}
VECTORS = {
    ".npy", ".npz", ".pkl", ".pickle", ".pt", ".pth", ".h5", ".h5ad", ".hdf5", ".safetensors", ".parquet", ".feather", ".arrow", ".zarr",
}  # fmt: skip
HEADS = re.compile(
    r"(?:patient|participant|subject|case|sample|photo|donor)[ _]?(?:id|number|no\.?)|mrn", re.IGNORECASE
)
INDIVIDUAL = {  # columns that only a table with a row per person, photo or sample has
    "followup_years", "entry_years", "event", "perceptual_hash", "pixel_hash", "box_x", "box_y", "path",
    "photo_date", "birth_date", "sample_date", "followup_date", "entry_date",
}  # fmt: skip
COUNT_OF_PAPER = re.compile(
    r"\bn = ([\d,]+)$|^([\d,]+)(?: \(\d+%\))?$"
)  # of a table for authors: n = 113, 38 or 38 (33%)
NO_WORD, NO_NUMBER = ("undeclared", "a word of no list"), ("undeclared", "no number")


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
    folder = Path(folder)
    if not folder.exists():
        raise PrivacyError(
            f"{folder}: no such folder or file, so there is nothing to check. Expected what is to leave. Check the path."
        )
    findings: set[Finding] = set()
    for path in [folder] if folder.is_file() else folder.rglob("*"):
        name = path.name if folder.is_file() else path.relative_to(folder).as_posix()
        if path.is_symlink():
            findings.add(Finding(name, "", "kind of file", "a link, which leads out of the folder"))
        elif path.is_file():
            findings |= set(check_file(name, path.read_bytes(), known, k))
    return sorted(findings)


def stop_if_any(findings: list[Finding], what: str) -> None:
    """Refuse.

    Raises
    ------
    PrivacyError
        Anything was found; the message lists it.
    """
    if findings:
        noun = "thing" if len(findings) == 1 else "things"
        raise PrivacyError(
            f"{what} may not leave: {len(findings)} {noun} found. Expected none. Take out what is listed.\n{listed(findings)}"
        )


def check_file(name: str, raw: bytes, known: Known, k: int) -> list[Finding]:
    """What may not leave in one file, given its name in the folder and its bytes: each thing once, where it stands first."""
    first: dict[tuple[str, str], str] = {}
    for place, kind, what in _in_file(name, raw, known, k):
        first.setdefault((kind, masked(what) if kind in {"identifier", "file name"} else what), place)
    inner = _in_zip(name, raw, known, k) if raw[:4] == b"PK\x03\x04" else []
    return [*(Finding(name, place, kind, what) for (kind, what), place in first.items()), *inner]


def _in_zip(name: str, raw: bytes, known: Known, k: int) -> list[Finding]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
            parts = [
                (f"{name}:{one.filename}", bundle.read(one)) for one in bundle.infolist() if not one.is_dir()
            ]
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        return [Finding(name, "", "kind of file", f"a zip that cannot be read ({error})")]
    return [finding for part, content_ in parts for finding in check_file(part, content_, known, k)]


def _in_file(name: str, raw: bytes, known: Known, k: int) -> Iterator[tuple[str, str, str]]:
    """Place, kind and what."""
    ending = re.search(r"(?:\.\w+)?$", name)[0].lower()  # of ".rels" too
    yield from (("its name", kind, what) for _, kind, what in known.in_text(name))
    if PurePosixPath(name).name.startswith(PREFIX):
        yield "its name", "internal", "a table of exact numbers"
    yield from (("", kind, what) for kind, what in content.in_bytes(raw))
    if raw[:4] == b"PK\x03\x04":
        return
    if ending in VECTORS:
        yield "", "embedding", f"a file of arrays or single people ({ending})"
    elif ending not in TEXTS:
        yield "", "kind of file", f"not one that is read here ({ending or 'no ending'})"
    else:
        try:
            yield from _in_text(raw.decode("utf-8-sig"), ending, known)
            if ending in {".tsv", ".csv"}:
                yield from _in_table(name, raw.decode("utf-8-sig"), known, k)
        except UnicodeDecodeError:
            yield "", "kind of file", "not UTF-8 text, whatever its name says"
        except TableError:
            yield "", "kind of file", "no table: lines of unequal length, or nothing in it"


def _in_text(text: str, ending: str, known: Known) -> Iterator[tuple[str, str, str]]:
    if ending in WORD_PARTS:
        text = content.LAYOUT.sub("", text)
    for start, kind, what in content.in_text(text):
        yield _line(text, start), kind, what
    for reading in content.readings_of(content.without_shapes(text)):
        for start, kind, what in known.in_text(reading):
            yield _line(reading, start), kind, what
    for start, inner in content.embedded(text):
        place = f"{_line(text, start)}, embedded"
        yield from ((place, kind, what) for kind, what in content.in_bytes(inner))
        shown = inner.decode("utf-8", errors="replace")
        if not content.PICTURE.match(inner):
            yield from (
                (place, kind, what)
                for _, kind, what in _in_text(shown, ".svg" if "<svg" in shown else ".txt", known)
            )
            if "\t" in shown.split("\n", 1)[0]:
                yield from (
                    (place, kind, what)
                    for _, kind, what in _of_people(parse_text_table(shown, Path()), known)
                )
    for piece in content.pieces_of(text) if ending in MARKUP else ():
        if HEADS.fullmatch(piece):
            yield "", "individual rows", "a column of identifiers"
        elif known.is_whole(piece):
            yield "", "identifier", piece


def _line(text: str, start: int) -> str:
    return f"line {1 + text.count(chr(10), 0, start)}"


def _in_table(name: str, text: str, known: Known, k: int) -> Iterator[tuple[str, str, str]]:
    table = parse_text_table(text, Path(name))
    exact = ("exact count", f"not rounded to {k}")
    if never_released(name):
        yield "", "individual rows", "a table that never leaves"
    elif is_declared(name):
        yield from _undeclared(name, table, known, k)
    elif is_paper_table(name):
        counts = [
            COUNT_OF_PAPER.search(cell) for cell in [*table.columns, *table.iloc[:, 1:].to_numpy().ravel()]
        ]
        if not all(_is_rounded((one[1] or one[2]).replace(",", ""), k) for one in counts if one):
            yield "", *exact
    else:
        yield "", "unknown table", "not in the list of tables that may leave"
    yield from _of_people(table, known)


def _of_people(table: pd.DataFrame, known: Known) -> Iterator[tuple[str, str, str]]:
    """Columns and cells of a table with a row per person."""
    for column, cells in table.items():
        identifiers = told_by(column) in {"identifier", "file"}
        if told_by(column) or column.lower() in INDIVIDUAL:
            yield f"column '{column}'", "individual rows", "a column of a table with a row per person"
        for line, cell in cells.drop_duplicates().items():
            if known.is_whole(cell, of_identifiers=identifiers):
                yield f"line {line}, column '{column}'", "identifier", cell


def _undeclared(name: str, table: pd.DataFrame, known: Known, k: int) -> Iterator[tuple[str, str, str]]:
    """Cells that the declaration of a result table does not allow: other columns, text for a number, words of no list, exact counts."""
    key = key_of(name)
    columns, counts, numbers = columns_of(key), count_columns(key), number_columns(key)
    is_curve = bool(TABLES[key].curve) and not TABLES[key].rows
    exact = ("exact count", f"not rounded to {k}")
    closed = {name: words.__contains__ for name, words in WORDS.items()} | dict.fromkeys(REASONS, _is_reason)
    checks = [
        *((column, lambda cell: _is_rounded(cell, k, is_curve), exact) for column in counts),
        *((column, _is_number, NO_NUMBER) for column in numbers if column not in counts),
        *((column, known.allows, NO_WORD) for column in columns if column not in {*counts, *numbers}),
        *((column, fits, NO_WORD) for column, fits in closed.items() if TABLES[key].rows),
        *(
            (column, lambda cell: _counts_are_rounded(cell, k), exact)
            for column in REASONS
            if TABLES[key].rows
        ),
    ]
    for column in table.columns.difference(columns, sort=False):
        yield f"column '{column}'", "undeclared", "a column that the table has not"
    for column, fits, (kind, what) in checks:
        for line, cell in table[column].drop_duplicates().items() if column in table else ():
            if cell and not fits(cell):
                yield f"line {line}, column '{column}'", kind, what


WORDS = {"measure": MEASURES, "adjustment": ADJUSTMENTS, "role": ROLES, "status": STATUSES}


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) or cell in {"inf", "-inf"}
    except ValueError:
        return cell in {"True", "False"}


def _is_reason(cell: str) -> bool:
    try:
        return bool(decode(cell))
    except (KeyError, ValueError):
        return False


def _counts_are_rounded(cell: str, k: int) -> bool:
    """Whether the counts of a cell of reasons are; what is no reason is found as such."""
    told = [one for one in decode(cell) for one in one.parameters.items()] if _is_reason(cell) else []
    return all(
        _is_rounded(count, k) for name, value in told if is_count(name) for count in re.findall(r"\d+", value)
    )


def _is_rounded(cell: str, k: int, is_curve: bool = False) -> bool:
    """Whether a cell of a count column is a midpoint; in curves, a sum or difference of up to four of them."""
    if not _is_number(cell) or not (value := float(cell)) >= 0:
        return False
    offset = float(midpoint(1, k)) % k
    return float(midpoint(value, k)) == value or (
        is_curve and value % k in {times * offset % k for times in range(-4, 5)}
    )
