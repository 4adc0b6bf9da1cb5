"""Result tables in tests."""

import pandas as pd

from faceage_bio.core.results.reasons import Reason, encode, in_words


def worded(table: pd.DataFrame) -> pd.DataFrame:
    """A result table with its reasons in words as ``note``, as pages have them."""
    return table.assign(note=table["reason"].map(_said))


def told(found: pd.DataFrame | pd.Series) -> pd.Series | str:
    """The reasons of a table's rows, or of one row, in words."""
    return found["reason"].map(_said) if isinstance(found, pd.DataFrame) else _said(found["reason"])


def _said(value: object) -> str:
    if isinstance(value, Reason | list):  # of rows that are no table yet
        return in_words(encode(value if isinstance(value, list) else [value]))
    return in_words(value)
