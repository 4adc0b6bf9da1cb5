"""The gate: reads every file that is to leave and collects what may not."""

import contextlib
import io
import zipfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from faceage_bio.errors import PrivacyError, TableError
from faceage_bio.privacy import content, counts
from faceage_bio.privacy.alike import too_near
from faceage_bio.privacy.findings import Finding, listed, masked
from faceage_bio.privacy.known import Known, holds_dates, holds_identifiers
from faceage_bio.privacy.notes import says_small_number
from faceage_bio.privacy.suppressed import Suppressed
from faceage_bio.privacy.tables import NEVER, PLAIN, declared
from faceage_bio.tables import parse_text_table

TEXTS = {
    ".html",
    ".htm",
    ".svg",
    ".json",
    ".md",
    ".txt",
    ".bib",
    ".css",
    ".tsv",
    ".csv",
    ".rst",
    ".yaml",
    ".yml",
}
DATA = "data"  # a table inside of a page
PAGES = {".html", ".htm", ".svg"}
VECTORS = {
    ".npy",
    ".npz",
    ".pkl",
    ".pickle",
    ".pt",
    ".pth",
    ".h5",
    ".h5ad",
    ".hdf5",
    ".safetensors",
    ".parquet",
    ".feather",
    ".arrow",
    ".zarr",
}
UNREADABLE = (zipfile.BadZipFile, RuntimeError, NotImplementedError)
MOST = 200  # findings of one kind in one file; more of the same say nothing new


def check_folder(folder: Path, known: Known, min_cell: int) -> list[Finding]:
    """What may not leave in a folder, a zip or a single file.

    Parameters
    ----------
    known : whose identifiers, file names and dates are looked for
    min_cell : numbers of people from 1 to one less are small

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
            findings += check_file(name, path.read_bytes(), known, min_cell)
    findings += _across_tables(paths, folder, min_cell)
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


def check_file(name: str, raw: bytes, known: Known, min_cell: int) -> list[Finding]:
    """What may not leave in one file, given its name in the folder and its bytes."""
    ending = PurePosixPath(name).suffix.lower()
    found = [
        Finding(name, "its name", kind, what if kind == "date" else masked(what))
        for _, kind, what in known.in_text(name)
    ]
    found += [Finding(name, "", kind, what) for _, kind, what in content.in_bytes(raw)]
    if raw[:4] == b"PK\x03\x04" or ending == ".zip":
        return found + _in_zip(name, raw, known, min_cell)
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
    return found + _limited(_in_text(name, text, ending, known, min_cell))


def _across_tables(paths: Sequence[Path], folder: Path, min_cell: int) -> Iterator[Finding]:
    """Numbers of the same people in the tables of a folder or a zip that differ by few."""
    found: list[tuple[str, bytes]] = []
    for path in paths:
        if path.is_symlink() or not path.is_file():
            continue
        if path.suffix.lower() == ".zip":
            with contextlib.suppress(*UNREADABLE), zipfile.ZipFile(path) as bundle:
                found += [
                    (f"{path.name}:{name}", bundle.read(name))
                    for name in bundle.namelist()
                    if name.endswith(".tsv")
                ]
        elif path.suffix.lower() == ".tsv":
            found.append(
                (path.relative_to(folder).as_posix() if path != folder else path.name, path.read_bytes())
            )
    tables = []
    for name, raw in found:
        if declared(name) not in {None, NEVER}:
            with contextlib.suppress(TableError, UnicodeDecodeError):
                tables.append((name, Suppressed.of(parse_text_table(raw.decode("utf-8-sig"), Path(name)))))
    for name, column, what in too_near(tables, min_cell):
        yield Finding(name, f"column '{column}'", "small difference", what)


def _in_zip(name: str, raw: bytes, known: Known, min_cell: int) -> list[Finding]:
    found: list[Finding] = []
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
            for member in bundle.infolist():
                if not member.is_dir():
                    found += check_file(f"{name}:{member.filename}", bundle.read(member), known, min_cell)
    except UNREADABLE as error:
        return [Finding(name, "", "kind of file", f"a zip that cannot be read ({error})")]
    return found


def _in_text(name: str, text: str, ending: str, known: Known, min_cell: int) -> Iterator[Finding]:
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
            for one in _in_text(name, shown, kind, known, min_cell):
                yield Finding(name, f"line {line_of(where)}, embedded", one.kind, one.what)
    for where, key, what in counts.small_in_json(text, min_cell):
        yield Finding(name, f"line {line_of(where)}, key '{key}'", "small count", what)
    if ending in PAGES:
        yield from _in_page(name, text, known, min_cell)
    if ending in {".tsv", ".csv", DATA}:
        yield from _in_table(name, text, known, min_cell, listed=ending != DATA)


def _in_page(name: str, text: str, known: Known, min_cell: int) -> Iterator[Finding]:
    pieces = counts.texts_of_page(text)
    for line, head, piece in pieces:
        if known.is_whole(piece, of_identifiers=holds_identifiers(head.replace(" ", "_"))):
            yield Finding(name, f"line {line}", "identifier", masked(piece))
        if says_small_number(piece, min_cell):
            yield Finding(name, f"line {line}", "small count", "said in words")
    for line, head, what in counts.small_in_page(pieces, min_cell):
        yield Finding(name, f"line {line}, column '{head}'", "small count", what)


def _in_table(name: str, text: str, known: Known, min_cell: int, *, listed: bool) -> Iterator[Finding]:
    try:
        table = parse_text_table(text, Path(name))
    except TableError:
        yield Finding(name, "", "kind of file", "no table: lines of unequal length, or nothing in it")
        return
    rule = declared(name) if listed else PLAIN  # the lines of a figure, inside of a page, need not be listed
    if rule is None:
        yield Finding(name, "", "unknown table", "not in the list of tables that may leave")
    elif rule is NEVER:
        yield Finding(name, "", "individual rows", "a table that never leaves")
    for column in table.columns:
        identifiers = holds_identifiers(column)
        if identifiers or holds_dates(column) or column.lower() in counts.INDIVIDUAL:
            yield Finding(
                name, f"column '{column}'", "individual rows", "a column of a table with a row per person"
            )
        words = [word for word in table[column].unique() if word]
        whole = {word for word in words if known.is_whole(word, of_identifiers=identifiers)}
        told = {word for word in words if says_small_number(word, min_cell)}
        for line, cell in table[column][table[column].isin(whole | told)].items():
            if cell in whole:
                yield Finding(name, f"line {line}, column '{column}'", "identifier", masked(cell))
            if cell in told:
                yield Finding(name, f"line {line}, column '{column}'", "small count", "said in words")
    for line, column, what in counts.small_in_table(table, min_cell):
        yield Finding(name, f"line {line}, column '{column}'", "small count", what)


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
