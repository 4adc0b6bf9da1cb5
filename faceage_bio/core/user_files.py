"""Files that users give: packed ones, workbooks, and cells that a spreadsheet would run as formulas.

Text that a spreadsheet would run: written with an apostrophe before it, and read without (OWASP, "CSV Injection").

``=HYPERLINK(...)`` in a name of a participant becomes ``'=HYPERLINK(...)``. A number, also one in a column of
text, and a lone plus or minus stay. What begins with apostrophes before such a sign gets another one, so that
each text comes back as it was.
"""

import datetime
import difflib
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import pandas as pd

from faceage_bio.core.errors import TableError, examples

# what a file begins with that is no text in UTF-8
BEGINNINGS = {
    b"\x1f\x8b": "it is packed by gzip, which a name ending in .gz says",
    b"BZh": "it is packed by bzip2",
    b"\xfd7zXZ": "it is packed by xz",
    b"PK\x03\x04": "it is a zip, as workbooks are whose name ends in .xlsx",
    b"\xd0\xcf\x11\xe0": "it is a workbook of the old kind, .xls",
    b"\xff\xfe": "it is UTF-16, which spreadsheets call Unicode text",
    b"\xfe\xff": "it is UTF-16, which spreadsheets call Unicode text",
    b"%PDF": "it is a PDF",
    b"\x89HDF": "it is HDF5, as files are whose name ends in .h5ad",
    b"PAR1": "it is Parquet",
    b"$FL2": "it is a file of SPSS (.sav)",
    b"<stata_d": "it is a file of Stata (.dta)",
    b"HEADER R": "it is a transport file of SAS (.xpt)",
    bytes(8): "it is binary, as files of SAS (.sas7bdat) are",
}
# a file that unpacks to more than real data do is refused, not unpacked
LARGEST_RATIO = 250  # a table of zeros alone packs by about 100, deflate by 1,032 at most
HARMLESS = 256 * 2**20  # bytes; what unpacks to less is no danger whatever its ratio
# what openpyxl raises of a workbook that is none, or damaged
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    SyntaxError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
)
SIGNS = "=+\\-@\t\r\n＝＋－＠"
FIRST = frozenset("'=+-@\t\r\n＝＋－＠")  # of the cells that either function changes
RUN = re.compile(rf"'*[{SIGNS}]")
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?)?")


def why_no_text(path: Path) -> str:
    """What a file is that is no text in UTF-8, by its first bytes; otherwise its first line that is none."""
    with path.open("rb") as stream:
        first = stream.read(8)
    if known := next((what for mark, what in BEGINNINGS.items() if first.startswith(mark)), ""):
        return known
    with open_packed(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                wrong = line[error.start : error.start + 1]
                letter = wrong.decode("cp1252", errors="replace")
                return f"line {number} holds the byte {wrong[0]:#04x}, {letter!r} in text of Windows"
    return "its end is missing"


@contextmanager
def open_text(path: Path, errors: str = "strict") -> Iterator[TextIO]:
    """A text file for reading, packed or not; what is no text in UTF-8 is told by name where it is read."""
    with io.TextIOWrapper(open_packed(path), encoding="utf-8-sig", errors=errors) as stream:
        try:
            yield stream
        except UnicodeDecodeError:
            raise TableError(
                f"{path}: not UTF-8 text ({why_no_text(path)}). Expected text, plain or packed by gzip. Save it as UTF-8."
            ) from None


def open_packed(path: Path) -> BinaryIO:
    """The bytes of a text file for reading, unpacked if its name ends in .gz or .bgz.

    Reading raises `TableError` where it is damaged or cut off, where it unpacks to more than ``HARMLESS`` bytes and
    ``LARGEST_RATIO`` times its size, and where it holds bytes of zero, unless it begins as a file that is no text in UTF-8.
    """
    packed = path.suffix in {".gz", ".bgz"}
    return io.BufferedReader(_Checked(gzip.open(path) if packed else path.open("rb"), path, packed), 1 << 20)


def zeros(path: Path | str, line: int) -> TableError:
    """What is said of a text with a byte of zero."""
    return TableError(
        f"{path}: holds bytes of zero (line {line}), as files do that are no text. Expected a text table or a "
        "workbook (.xlsx). Save it as CSV UTF-8."
    )


def check_zip(path: Path) -> None:
    """Refuse a zip (an xlsx, an npz) whose members unpack to too much, by its table of contents.

    Raises
    ------
    TableError
        As above; other faults are told by who unpacks it.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(member.file_size for member in packed.infolist())
    except (OSError, zipfile.BadZipFile):
        return
    check_ratio(unpacked, path.stat().st_size, path)


def check_ratio(unpacked: int, packed: int, path: Path) -> None:
    """Refuse a file of so many bytes that unpacks to so many.

    Raises
    ------
    TableError
        More than ``HARMLESS`` bytes, and more than ``LARGEST_RATIO`` times the packed ones.
    """
    if unpacked > max(HARMLESS, LARGEST_RATIO * packed):
        raise TableError(
            f"{path}: {packed:,} bytes unpack to {unpacked:,} or more. Expected at most {LARGEST_RATIO} times as many, as of any table of "
            "measurements. Make the file again, or give it unpacked."
        )


def check_hdf5(path: Path) -> None:
    """Refuse an HDF5 file (an h5ad) whose arrays are far larger than the file, by their declared shapes.

    Raises
    ------
    TableError
        As above; other faults are told by who reads it.
    """
    import h5py

    sizes = []
    try:
        with h5py.File(path) as file:
            file.visititems(
                lambda _, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None
            )
    except (OSError, RuntimeError, ValueError):
        return
    check_ratio(sum(sizes), path.stat().st_size, path)


class _Checked(io.RawIOBase):
    """What a text file holds, packed or not, checked while it is read."""

    def __init__(self, file: io.BufferedIOBase, path: Path, packed: bool) -> None:
        self._file, self._path, self._packed = file, path, packed
        self._size, self._done, self._lines, self._text = path.stat().st_size, 0, 1, True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            n = self._file.readinto(buffer)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise TableError(
                f"{self._path}: cannot be read to its end ({error}). Expected a whole file packed by gzip. Copy or download it again."
            ) from None
        read = bytes(buffer[:n])
        if not self._done:
            self._text = not read.startswith(tuple(BEGINNINGS))
        before, zero, _ = read.partition(b"\0")
        self._lines += before.count(b"\n")
        if zero and self._text:
            raise zeros(self._path, self._lines)
        self._done += n
        if self._packed:
            check_ratio(self._done, self._size, self._path)
        return n

    def close(self) -> None:
        self._file.close()
        super().close()


if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet


def read_sheet(path: Path, sheet: str | None, decimal: str) -> tuple[list[list[str]], list[int]]:
    """Rows with anything in them, and their numbers in the sheet.

    Parameters
    ----------
    path : .xlsx or .xlsm
    sheet : its name; None if one alone holds anything
    decimal : mark with which numbers are written

    Raises
    ------
    TableError
        No workbook, several sheets and none chosen, merged cells, formulas without a value.
    """
    import openpyxl

    check_zip(path)
    try:
        book = openpyxl.load_workbook(path, data_only=True)
        if not book.worksheets:
            raise ValueError("no sheet has cells")
    except DAMAGED as error:
        raise TableError(
            f"{path}: not a workbook that can be read ({error}). Expected .xlsx. Save it again as a workbook, without a password, or as CSV UTF-8."
        ) from None
    chosen = _chosen(path, {one.title: one for one in book.worksheets}, sheet)
    _check_merged(path, chosen)
    rows, lines, unsaved = [], [], set()
    for line, cells in enumerate(chosen.iter_rows(), start=1):
        row = [_typed(cell.value, cell.number_format, decimal) for cell in cells]
        if any(row):
            rows.append(row)
            lines.append(line)
            # a formula whose saved text is empty has the type of text
            unsaved |= {cell.coordinate for cell in cells if cell.value is None and cell.data_type != "str"}
    _check_formulas(path, chosen.title, unsaved)
    return rows, lines


def _chosen(path: Path, sheets: "dict[str, Worksheet]", wanted: str | None) -> "Worksheet":
    held = [
        name for name, one in sheets.items() if any(cell is not None for row in one.values for cell in row)
    ]
    if wanted is not None:
        if wanted not in sheets:
            near = difflib.get_close_matches(wanted, list(sheets), n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise TableError(
                f"{path}: no sheet {wanted!r}; it has {', '.join(map(repr, sheets))}. Expected one of them.{meant} Correct `sheet` in the config."
            )
        return sheets[wanted]
    if len(held) > 1:
        raise TableError(
            f"{path}: {len(held)} sheets hold something: {', '.join(map(repr, held))}. Expected one to be named. Declare it in the config or by --sheet, "
            f"such as tables: {{clinical: {{sheet: {held[0]}}}}}, or save that sheet alone."
        )
    return sheets[held[0] if held else next(iter(sheets))]


def _check_merged(path: Path, sheet: "Worksheet") -> None:
    """A merged cell has its value in its first cell, and none in the others."""
    if merged := sorted(str(one) for one in sheet.merged_cells.ranges):
        raise TableError(
            f"{path}: sheet {sheet.title!r} has merged cells: {examples(merged)}. Expected one value in each cell and one row of column names. "
            "Unmerge them and fill each cell, or take the rows above the column names out; save again."
        )


def _check_formulas(path: Path, title: str, unsaved: Collection[str]) -> None:
    """Formulas have the value that the spreadsheet program saved; without one the cell would be missing."""
    import openpyxl

    if not unsaved:
        return
    with closing(openpyxl.load_workbook(path, read_only=True)) as book:
        bare = [
            cell.coordinate
            for row in book[title].iter_rows()
            for cell in row
            if cell.data_type == "f" and cell.coordinate in unsaved
        ]
    if bare:
        raise TableError(
            f"{path}: sheet {title!r} has formulas without a saved value: {examples(bare)}. Expected values. Open it in the spreadsheet program "
            "and save it there, or paste values in their place."
        )


def _typed(value: Any, number_format: str, decimal: str) -> str:
    """A cell as it would be typed; zeros in front stay where the cell's format shows them."""
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        whole = float(value).is_integer() and abs(value) < 1e15
        text = str(int(value)) if whole else repr(value)
        padded = set(number_format) == {"0"} and whole and value >= 0
        return text.zfill(len(number_format)) if padded else text.replace(".", decimal)
    return str(value).strip()


def harmless(cell: str) -> str:
    """A cell that a spreadsheet shows as text, whatever it begins with."""
    return f"'{cell}" if RUN.match(cell) and not NUMBER.fullmatch(cell) else cell


def as_typed(cell: str) -> str:
    """What `harmless` was given."""
    return cell[1:] if cell.startswith("'") and RUN.match(cell) else cell


def harmless_table(table: pd.DataFrame) -> pd.DataFrame:
    """A table with `harmless` text in cells and head."""
    return _changed(table, harmless)


def table_as_typed(table: pd.DataFrame) -> pd.DataFrame:
    """What `harmless_table` was given."""
    return _changed(table, as_typed)


def _changed(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    changed = {}
    for place, (_, column) in enumerate(table.items()):
        if not (
            pd.api.types.is_object_dtype(column)
            or isinstance(column.dtype, (pd.StringDtype, pd.CategoricalDtype))
        ):
            continue
        new = {
            text: told
            for text in pd.unique(column)
            if isinstance(text, str) and text[:1] in FIRST and (told := change(text)) != text
        }
        if new:
            changed[place] = column.astype(object).map(
                lambda cell, new=new: new.get(cell, cell) if isinstance(cell, str) else cell
            )
    heads = [change(name) if isinstance(name, str) else name for name in table]
    if not changed and heads == list(table):
        return table
    table = table.copy()
    for place, column in changed.items():
        table.isetitem(place, column)
    return table.set_axis(heads, axis=1)
