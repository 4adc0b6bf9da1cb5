"""Cells as typed -> values: numbers, ISO dates (read here and nowhere else) and the words of categorical columns."""

import re
from collections import defaultdict
from datetime import date

import pandas as pd

from faceage_bio.columns import CAUSE_LEVELS, GROUP_LEVELS, SEX_LEVELS, SMOKING_LEVELS
from faceage_bio.errors import CohortError, examples
from faceage_bio.problems import Problems

ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
UNKNOWN_DAYS = {"1900-01-01", "1899-12-30", "1899-12-31", "9999-12-31", "9999-12-30"}
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


def date_problem(cell: str) -> str:
    """What is wrong with a date as typed, and what to do; "" if nothing is."""
    if not ISO.fullmatch(cell):
        return "Expected a date. Write it as YYYY-MM-DD; day and month cannot be told apart otherwise."
    try:
        day = date.fromisoformat(cell)
    except ValueError:
        return "Expected a day of the calendar, which has none of this date. Correct it, or leave the cell empty if it is not known."
    if cell in UNKNOWN_DAYS:
        return "Expected a date; programs write this one where none is known. Leave the cell empty, or correct it."
    if day > date.today():
        return f"Expected a day that has been (today is {date.today()}). Correct the date."
    return ""


def dates(cells: pd.Series, column: str, file: str, problems: Problems) -> pd.Series:
    """Dates written YYYY-MM-DD, up to today; NaT where missing."""
    wrong = {cell: advice for cell in cells.unique() if (advice := date_problem(cell))}
    for line in cells.index[cells.isin(wrong) & ~is_missing(cells)]:
        problems.cell(file, line, column, cells[line], wrong[cells[line]])
    return pd.to_datetime(cells.where(~cells.isin(wrong), None), format="%Y-%m-%d")


def dates_of(table: pd.DataFrame, column: str, setting: str) -> pd.Series:
    """Dates of a column of a table of ours or of a plain one, by the same rules as `dates`.

    Raises
    ------
    CohortError
        The column is not there, or cells are no dates; ``setting`` says what needs them.
    """
    if column not in table:
        raise CohortError(
            f"{setting} needs the column '{column}' (dates YYYY-MM-DD), and the table has none; it has "
            f"{', '.join(map(str, table.columns))}. Expected it there. Add it, to the manifest (photo_date) or to the clinical table."
        )
    cells = table[column]
    if pd.api.types.is_datetime64_any_dtype(cells) or cells.isna().all():
        return pd.to_datetime(cells)
    cells = cells.astype(object).where(cells.notna(), "").astype(str).str.strip()
    wrong: dict[str, list[str]] = defaultdict(list)
    for cell in sorted(cells[~is_missing(cells)].unique()):
        if advice := date_problem(cell):
            wrong[advice].append(cell)
    if wrong:
        told = " ".join(f"It holds {examples(found)}. {advice}" for advice, found in wrong.items())
        raise CohortError(
            f"column '{column}' ({setting}) has cells that are no dates. Expected days YYYY-MM-DD up to today. Correct them, or leave "
            f"them empty. {told}"
        )
    return pd.to_datetime(cells.where(~is_missing(cells), None), format="%Y-%m-%d")
