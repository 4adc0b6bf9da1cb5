"""Reasons of result rows in words, as the pages print them."""

import pandas as pd

from faceage_bio.results.reasons import Reason, encode, in_words


def with_notes(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with their reasons in words as ``note``."""
    return table.assign(note=[_said(value) for value in table["reason"]])


def _said(value: object) -> str:
    if isinstance(value, Reason | list):
        return in_words(encode(value if isinstance(value, list) else [value]))
    return in_words(value)
