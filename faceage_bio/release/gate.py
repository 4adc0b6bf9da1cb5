"""The gate: reads every file that is to leave and collects what may not."""

import io
import math
import re
import zipfile
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pandas as pd

from faceage_bio.errors import PrivacyError, TableError
from faceage_bio.release import content
from faceage_bio.release.findings import Finding, listed, masked
from faceage_bio.release.known import Known, holds_dates, holds_identifiers
from faceage_bio.release.rounding import midpoint
from faceage_bio.release.word_text import PARTS, lines_of, without_layout
from faceage_bio.report.exclusions import PREFIX
from faceage_bio.results.measures import MEASURES
from faceage_bio.results.reasons import COLUMNS as REASONS
from faceage_bio.results.reasons import STATUSES, WORDS, decode
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
    ".html", ".htm", ".svg", ".json", ".md", ".txt", ".bib", ".css", ".tsv", ".csv", ".rst", ".yaml", ".yml", ".tex",
}  # fmt: skip
PIECE = re.compile(r">([^<>]+)<|(?<=\s)(?:title|alt|aria-label|content|value|id|name|href)=\"([^\"]*)\"")
HEADS = re.compile(
    r"^(?:patient|participant|subject|case|sample|photo|donor)[ _]?(?:id|number|no\.?)$|^mrn$", re.IGNORECASE
)
DATA = "data"  # a table inside of a page
PAGES = {".html", ".htm", ".svg"}
VECTORS = {
    ".npy", ".npz", ".pkl", ".pickle", ".pt", ".pth", ".h5", ".h5ad", ".hdf5", ".safetensors", ".parquet", ".feather", ".arrow", ".zarr",
}  # fmt: skip
INDIVIDUAL = {  # columns that only a table with a row per person, photo or sample has
    "followup_years", "entry_years", "event", "perceptual_hash", "pixel_hash", "box_x", "box_y", "path",
    "photo_date", "birth_date", "sample_date", "followup_date", "entry_date",
}  # fmt: skip
UNREADABLE = (zipfile.BadZipFile, RuntimeError, NotImplementedError)
COUNT_OF_PAPER = re.compile(r"([\d,]+)(?: \(\d+%\))?")  # a cell of a table for authors: 38, or 38 (33%)
SIZE_OF_GROUP = re.compile(r"\bn = ([\d,]+)$")  # in the head of a column
MOST = 200  # findings of one kind in one file; more of the same say nothing new


def check_folder(folder: Path, known: Known, k: int) -> list[Finding]:
    """What may not leave in a folder, a zip or a single file.

    Parameters
    ----------
    known : whose identifiers, file names and dates are looked for
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
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    findings: list[Finding] = []
    for path in paths:
        name = path.name if folder.is_file() else path.relative_to(folder).as_posix()
        if path.is_symlink():
            findings.append(Finding(name, "", "kind of file", "a link, which leads out of the folder"))
        elif path.is_file():
            findings += check_file(name, path.read_bytes(), known, k)
    return sorted(set(findings))


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
    """What may not leave in one file, given its name in the folder and its bytes."""
    ending = PurePosixPath(name).suffix.lower()
    found = [
        Finding(name, "its name", kind, what if kind == "date" else masked(what))
        for _, kind, what in known.in_text(name)
    ]
    if PurePosixPath(name).name.startswith(PREFIX):
        found.append(Finding(name, "its name", "internal", "a table of exact numbers"))
    found += [Finding(name, "", kind, what) for _, kind, what in content.in_bytes(raw)]
    if raw[:4] == b"PK\x03\x04" or ending in {".zip", ".docx"}:
        return found + _in_zip(name, raw, known, k)
    if ending in VECTORS:
        return [*found, Finding(name, "", "embedding", f"a file of arrays or single people ({ending})")]
    if ending not in TEXTS:
        return [
            *found,
            Finding(name, "", "kind of file", f"not one that is read here ({ending or 'no ending'})"),
        ]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [*found, Finding(name, "", "kind of file", "not UTF-8 text, whatever its name says")]
    return found + _limited(_in_text(name, text, ending, known, k))


def _in_zip(name: str, raw: bytes, known: Known, k: int) -> list[Finding]:
    found: list[Finding] = []
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
            for member in bundle.infolist():
                part = f"{name}:{member.filename}"
                if name.lower().endswith(".docx") and part.lower().endswith(PARTS):
                    found += _limited(_in_word(part, bundle.read(member), known))
                elif not member.is_dir():
                    found += check_file(part, bundle.read(member), known, k)
    except UNREADABLE as error:
        return [Finding(name, "", "kind of file", f"a zip that cannot be read ({error})")]
    return found


def _in_word(name: str, raw: bytes, known: Known) -> Iterator[Finding]:
    """A part of a Word file."""
    xml = raw.decode("utf-8", errors="replace")
    lines, markup = lines_of(xml), without_layout(xml)
    for _, kind, what in content.in_text(markup):
        yield Finding(name, "", kind, what)
    for text in (markup, *lines):
        for _, kind, what in known.in_text(text):
            yield Finding(name, "", kind, what if kind == "date" else masked(what))
        if known.is_whole(text):
            yield Finding(name, "", "identifier", masked(text))


def _in_text(name: str, text: str, ending: str, known: Known, k: int) -> Iterator[Finding]:
    line_of = _lines(text)
    for where, kind, what in content.in_text(text):
        yield Finding(name, f"line {line_of(where)}", kind, what)
    for reading in content.readings_of(content.without_shapes(text)):
        at = line_of if len(reading) == len(text) else _lines(reading)
        for where, kind, what in known.in_text(reading):
            yield Finding(name, f"line {at(where)}", kind, what if kind == "date" else masked(what))
    for where, inner in content.embedded(text):
        inner = content.unpacked(inner)
        if not content.kind_of_bytes(inner):
            shown = inner.decode("utf-8", errors="replace")
            kind = ".svg" if "<svg" in shown else DATA if "\t" in shown.split("\n", 1)[0] else ".txt"
            for one in _in_text(name, shown, kind, known, k):
                yield Finding(name, f"line {line_of(where)}, embedded", one.kind, one.what)
    if ending in PAGES:
        yield from _in_page(name, text, known, line_of)
    if ending in {".tsv", ".csv", DATA}:
        yield from _in_table(name, text, known, k, listed=ending != DATA)


def _in_page(name: str, text: str, known: Known, line_of: Callable[[int], int]) -> Iterator[Finding]:
    for piece in PIECE.finditer(content.without_scripts(text)):
        word = (piece[1] or piece[2] or "").strip()
        if HEADS.search(word):
            yield Finding(
                name, f"line {line_of(piece.start())}", "individual rows", "a column of identifiers"
            )
        elif known.is_whole(word):
            yield Finding(name, f"line {line_of(piece.start())}", "identifier", masked(word))


def _in_table(name: str, text: str, known: Known, k: int, *, listed: bool) -> Iterator[Finding]:
    try:
        table = parse_text_table(text, Path(name))
    except TableError:
        yield Finding(name, "", "kind of file", "no table: lines of unequal length, or nothing in it")
        return
    if listed and never_released(name):  # the lines of a figure, inside of a page, need not be listed
        yield Finding(name, "", "individual rows", "a table that never leaves")
    elif listed and is_declared(name):
        yield from _undeclared(name, table, k)
    elif listed and not is_paper_table(name):
        yield Finding(name, "", "unknown table", "not in the list of tables that may leave")
    for column in table.columns:
        identifiers = holds_identifiers(column)
        if identifiers or holds_dates(column) or column.lower() in INDIVIDUAL:
            yield Finding(
                name, f"column '{column}'", "individual rows", "a column of a table with a row per person"
            )
        words = [word for word in table[column].unique() if word]
        whole = {word for word in words if known.is_whole(word, of_identifiers=identifiers)}
        for line, cell in table[column][table[column].isin(whole)].items():
            yield Finding(name, f"line {line}, column '{column}'", "identifier", masked(cell))
        if listed and is_paper_table(name):
            yield from _counts_of_paper(name, column, table[column], k, first=column == table.columns[0])


def _undeclared(name: str, table: pd.DataFrame, k: int) -> Iterator[Finding]:
    """Cells that the declaration of a result table does not allow: other columns, text for a number, words of no list, exact counts."""
    key = key_of(name)
    counts, of_curve = count_columns(key), bool(TABLES[key].curve) and not TABLES[key].rows
    for column in table.columns.difference(columns_of(key), sort=False):
        yield Finding(name, f"column '{column}'", "undeclared", "a column that the table has not")
    exact = ("exact count", f"not rounded to {k}")
    allowed: list[tuple[str, Callable[[str], bool], str, str]] = [
        *((column, _is_number, "undeclared", "no number") for column in number_columns(key) if column not in counts),
        *((column, lambda cell: _is_rounded(cell, k, of_curve), *exact) for column in counts),
    ]  # fmt: skip
    if TABLES[key].rows:
        allowed += [(column, known, "undeclared", "a word of no list") for column, known in CLOSED.items()]
        allowed += [(column, lambda cell: _counts_are_rounded(cell, k), *exact) for column in REASONS]
    for column, fits, kind, what in allowed:
        for line, cell in table[column].items() if column in table else ():
            if cell and not fits(cell):
                yield Finding(name, f"line {line}, column '{column}'", kind, what)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell in {"True", "False"}
    return True


def _is_reason(cell: str) -> bool:
    try:
        return all(part.split(" ")[0] in WORDS for part in cell.split("; ")) and bool(decode(cell))
    except (KeyError, ValueError):
        return False


def _counts_are_rounded(cell: str, k: int) -> bool:
    """Whether the counts of a cell of reasons are; what is no reason is found as such."""
    if not _is_reason(cell):
        return True
    counts = [value for one in decode(cell) for name, value in one.parameters.items() if is_count(name)]
    return all(
        _is_rounded(number, k, of_curve=False) for count in counts for number in re.findall(r"\d+", count)
    )


CLOSED: dict[str, Callable[[str], bool]] = {
    "measure": MEASURES.__contains__, "adjustment": ADJUSTMENTS.__contains__, "role": ROLES.__contains__,
    "status": STATUSES.__contains__, **dict.fromkeys(REASONS, _is_reason),
}  # fmt: skip


def _counts_of_paper(name: str, column: str, cells: pd.Series, k: int, *, first: bool) -> Iterator[Finding]:
    """Counts of a table for authors that are not rounded: in heads, and in cells other than the names of rows."""
    size = SIZE_OF_GROUP.search(column)
    counts = [("its head", size[1])] if size else []
    if not first:
        found = ((line, COUNT_OF_PAPER.fullmatch(cell)) for line, cell in cells.items())
        counts += [(f"line {line}, column '{column}'", count[1]) for line, count in found if count]
    for place, count in counts:
        if not _is_rounded(count.replace(",", ""), k, of_curve=False):
            yield Finding(name, place, "exact count", f"not rounded to {k}")


def _is_rounded(cell: str, k: int, of_curve: bool) -> bool:
    """Whether a cell of a count column is a midpoint; in curves, a sum or difference of up to four of them."""
    try:
        value = float(cell)
    except ValueError:
        return False
    if not math.isfinite(value) or value < 0:
        return False
    offset = float(midpoint(1, k)) % k
    return float(midpoint(value, k)) == value or (
        of_curve and value % k in {times * offset % k for times in range(-4, 5)}
    )


def _limited(findings: Iterator[Finding]) -> list[Finding]:
    """Not more than `MOST` of a kind."""
    seen: dict[str, int] = {}
    kept = []
    for finding in findings:
        seen[finding.kind] = seen.get(finding.kind, 0) + 1
        if seen[finding.kind] <= MOST:
            kept.append(finding)
    return kept


def _lines(text: str) -> Callable[[int], int]:
    """A function from a place in a text to its line."""
    starts = [0]
    place = text.find("\n")
    while place >= 0:
        starts.append(place + 1)
        place = text.find("\n", place + 1)
    return lambda where: bisect_right(starts, where)
