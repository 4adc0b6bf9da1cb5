"""Cells as typed -> values: numbers, ISO dates and the words of categorical columns."""

import re

import pandas as pd

from faceage_bio.columns import CAUSE_LEVELS, GROUP_LEVELS, SEX_LEVELS, SMOKING_LEVELS
from faceage_bio.problems import Problems

HUGE_EXPONENT = re.compile(r"[eE][+-]?\d{4,}")
MISSING = {"", "na", "n/a", "nan", "null", "none", ".", "-", "unknown", "missing"}
WORDS = {
    "sex": {
        "female": "female", "f": "female", "woman": "female", "w": "female",
        "male": "male", "m": "male", "man": "male",
    },
    "smoking": {
        "never": "never", "no": "never", "former": "former", "ex": "former", "quit": "former", "current": "current",
        "yes": "current",
    },
    "group": {"cancer": "cancer", "patient": "cancer", "case": "cancer", "reference": "reference", "control": "reference", "healthy": "reference"},
    "event": {
        "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0, "died": 1.0, "dead": 1.0, "death": 1.0, "alive": 0.0, "censored": 0.0,
        "yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0,
    },
    "cause": {
        "cancer": "cancer", "tumour": "cancer", "tumor": "cancer", "cardiovascular": "cardiovascular", "cardiac": "cardiovascular",
        "other": "other",
    },
}  # fmt: skip
ADVICE = {
    "sex": f'Expected {" or ".join(SEX_LEVELS)}. Write one of them, or declare what your codes mean in the config: codings: {{sex: {{"1": male, "2": female}}}}.',
    "smoking": f"Expected {', '.join(SMOKING_LEVELS)}. Write one of them, or declare your codes under codings.",
    "group": f"Expected {' or '.join(GROUP_LEVELS)}. Write one of them, or declare your codes under codings.",
    "cause": f"Expected {', '.join(CAUSE_LEVELS)} or nothing. Write one of them, or declare what your codes mean in the config: codings: {{cause: {{C34: cancer}}}}.",
    "event": "Expected 1 (died) or 0 (alive when last seen). Write one of them, or declare your codes under codings.",
}


def is_missing(cells: pd.Series) -> pd.Series:
    """Empty cells and the usual words for nothing."""
    return cells.str.lower().isin(MISSING)


def words(cells: pd.Series, column: str, coding: dict[str, str], file: str, problems: Problems) -> pd.Series:
    """Values of a categorical column; codes are understood only if declared."""
    known = WORDS[column]
    recoded = cells.map(lambda cell: coding.get(cell, cell))
    values = recoded.str.lower().map(known)
    for line in cells.index[values.isna() & ~is_missing(recoded)]:
        problems.cell(file, line, column, cells[line], ADVICE[column])
    return (
        values.astype("float64") if column == "event" else values.astype(object).where(values.notna(), None)
    )


def to_numbers(cells: pd.Series) -> pd.Series:
    """Cells as numbers, NaN where they are none.

    pandas' own conversion breaks down (a segmentation fault) on exponents such as that of 12e45678901234567890, which a hash or
    an identifier may look like; those are no numbers here.
    """
    if cells.dtype != object:
        return pd.to_numeric(cells, errors="coerce")
    huge = cells.map(lambda cell: isinstance(cell, str) and HUGE_EXPONENT.search(cell) is not None)
    return pd.to_numeric(cells.mask(huge.astype(bool), None), errors="coerce")


def numbers(cells: pd.Series, column: str, file: str, problems: Problems) -> pd.Series:
    """Numbers with a decimal point; NaN where missing."""
    values = to_numbers(cells.where(~is_missing(cells), None))
    for line in cells.index[(values.isna() & ~is_missing(cells)) | values.abs().eq(float("inf"))]:
        comma = re.fullmatch(r"-?\d+,\d+", cells[line])
        advice = (
            "Expected a number. Write a decimal point, not a comma."
            if comma
            else "Expected a number. Write a plain number such as 57.4, without a unit."
        )
        problems.cell(file, line, column, cells[line], advice)
    return values.astype("float64")


def dates(cells: pd.Series, column: str, file: str, problems: Problems) -> pd.Series:
    """Dates written YYYY-MM-DD; NaT where missing."""
    iso = cells.str.fullmatch(r"\d{4}-\d{2}-\d{2}")
    values = pd.to_datetime(cells.where(iso, None), format="%Y-%m-%d", errors="coerce")
    for line in cells.index[values.isna() & ~is_missing(cells)]:
        problems.cell(
            file,
            line,
            column,
            cells[line],
            "Expected a date. Write it as YYYY-MM-DD; day and month cannot be told apart otherwise.",
        )
    return values
