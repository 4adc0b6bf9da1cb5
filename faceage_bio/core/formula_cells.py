"""Text that a spreadsheet would run: written with an apostrophe before it, and read without (OWASP, "CSV Injection").

``=HYPERLINK(...)`` in a name of a participant becomes ``'=HYPERLINK(...)``. A number, also one in a column of text, and a lone plus
or minus stay. What begins with apostrophes before such a sign gets another one, so that each text comes back as it was.
"""

import re
from collections.abc import Callable

import pandas as pd

SIGNS = "=+\\-@\t\r\n＝＋－＠"
FIRST = frozenset("'=+-@\t\r\n＝＋－＠")  # of the cells that either function changes
RUN = re.compile(rf"'*[{SIGNS}]")
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?)?")


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
