"""Sheets of a workbook (.xlsx) as the text that would be typed: dates YYYY-MM-DD, numbers with all their digits."""

import datetime
import difflib
import zipfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceage_bio.core.archives import check_zip
from faceage_bio.core.errors import TableError, examples

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
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise TableError(
            f"{path}: not a workbook that can be read ({error}). Expected .xlsx. Save it again as a workbook, without a password, or as CSV UTF-8."
        ) from None
    chosen = _chosen(path, {one.title: one for one in book.worksheets}, sheet)
    _check_merged(path, chosen)
    rows, lines = [], []
    for line, cells in enumerate(chosen.iter_rows(), start=1):
        row = [_typed(cell.value, cell.number_format, decimal) for cell in cells]
        if any(row):
            rows.append(row)
            lines.append(line)
    _check_formulas(path, chosen.title, rows, lines)
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


def _check_formulas(path: Path, title: str, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> None:
    """Formulas have the value that the spreadsheet program saved; without one the cell would be missing."""
    import openpyxl
    from openpyxl.utils import get_column_letter

    empty = {
        (line, k) for row, line in zip(rows, lines, strict=True) for k, cell in enumerate(row) if not cell
    }
    if not empty:
        return
    with closing(openpyxl.load_workbook(path, read_only=True)) as book:
        bare = [
            f"{get_column_letter(k + 1)}{line}"
            for line, row in enumerate(book[title].iter_rows(values_only=True), start=1)
            for k, cell in enumerate(row)
            if (line, k) in empty and isinstance(cell, str) and cell.startswith("=")
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
