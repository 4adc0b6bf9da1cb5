"""Whose number a row of a table is, and numbers that are nearly each other."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.privacy.tables import SAMPLES, Rule

COUNTED = ("n", "n_events")  # people, deaths
EVERYBODY = {"", "all", "everybody"}
AGE_BAND = re.compile(r"^age band: (?:under (?P<under>\d+)|(?P<lower>\d+)\b.*)$")
UNITS = {"subject": "", "sample": SAMPLES.subset}  # of the flow: with whom tables share their numbers
Told = dict[tuple[str, str, str], list[int]]  # cohort, column, group: numbers that are told as they are


def who_is_counted(rule: Rule, table: pd.DataFrame, column: str = "n") -> pd.Series:
    """Of each row, the group whose people are counted, and of deaths of one cause the cause; "" for everybody."""
    names = [name for name in rule.who if name in table]
    whom = pd.Series(rule.subset, index=table.index)
    if names:
        words = pd.DataFrame(
            {"kind": rule.kind} | {name: _words(table[name]) for name in names}, index=table.index
        )
        whom = words.agg(lambda row: ": ".join(word for word in row if word.lower() not in EVERYBODY), axis=1)
        whom = whom.str.replace(AGE_BAND, _band, regex=True).mask(
            words[names[-1]].str.lower().isin(EVERYBODY), ""
        )
    if column == "n_events" and "cause" in table:
        cause = table["cause"].fillna("").astype(str)
        whom = whom + ("; " + cause).where(cause != "", "")
    return whom


def _words(column: pd.Series) -> pd.Series:
    """A column as words, numbers alike whether or not they were read as whole ones."""
    if pd.api.types.is_numeric_dtype(column):
        return column.map(lambda value: "" if pd.isna(value) else f"{value:g}").astype(str)
    return column.fillna("").astype(str)


def _band(found: re.Match) -> str:
    """Bands of ten years by where they begin; "under 50" and "80 and over" by the band inside of them that is nearest to the others."""
    lower = int(found["under"]) - 10 if found["under"] else int(found["lower"])
    return f"age band: {lower}"


def nearest(value: int, others: Sequence[int], min_cell: int) -> int | None:
    """The nearest other number from which it differs by few."""
    near = [other for other in others if 0 < abs(other - value) < min_cell]
    return min(near, key=lambda other: (abs(other - value), -other), default=None)


def rounded(numbers: np.ndarray | float, min_cell: int) -> np.ndarray:
    """To the nearest multiple of ``min_cell``; the true number is fewer than that away."""
    return min_cell * np.round(np.asarray(numbers, dtype=float) / min_cell)
