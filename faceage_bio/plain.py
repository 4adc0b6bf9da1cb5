"""Plain tables of participants and photos, as the command line takes them: read as a study's tables are, all problems told at once."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio import parse, schemas
from faceage_bio.age_reached import check_years, in_years
from faceage_bio.columns import (
    AGE,
    AGE_ACCELERATION,
    AGE_GAP,
    COHORT,
    COVARIATES,
    ENTRY,
    EVENT,
    FACE_AGE,
    FOLLOWUP,
    SUBJECT,
)
from faceage_bio.observation import check_follow_up
from faceage_bio.problems import DOUBLED, Problems
from faceage_bio.tables import KEYS, read_table

NUMBERS = (
    AGE,
    FACE_AGE,
    AGE_ACCELERATION,
    AGE_GAP,
    "bmi",
    "pack_years",
    FOLLOWUP,
    ENTRY,
    EVENT,
)  # columns that words would make useless
WORDS = ("sex", "smoking", "group", EVENT)
YEARS = (
    "Expected years. Write plain numbers of years such as 57.4, and leave the cell empty if it is not known."
)


def read_plain(
    path: Path | str,
    needed: Sequence[str] = (FACE_AGE, AGE),
    one_row_per: str | None = SUBJECT,
    check: Callable[[pd.DataFrame, str, Problems], None] | None = None,
    units: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """A table given by hand, or one of our own, ready for analysis.

    As in a study's clinical table, empty cells and words such as NA are missing, and usual words for sex, smoking, group and
    event are understood (f, man, ex, case, died). A table of participants (``needed`` names the age) that lacks one of the covariates
    that the defaults name has an empty one, so that models go without it and say so.

    Parameters
    ----------
    path : .tsv, .csv or .parquet
    needed : columns that must be there
    one_row_per : the column, if there, in which nothing may stand twice (within a cohort)
    units : of followup and entry where they are not years, such as {"followup": "days"}
    check : what else must hold; takes the table (its index is the line), the file's name and the problems to add to

    Raises
    ------
    TableError
        It cannot be read.
    CohortError
        A column lacks; a number is none, infinite or out of its column's range; impossible follow-up, or follow-up that is not in years; a bare code for
        sex; a row that stands twice.
    """
    table = read_table(path)
    source, problems = str(path), Problems()
    first_line = 1 if Path(path).suffix == ".parquet" else 2
    table.index = pd.RangeIndex(first_line, first_line + len(table))
    if lacking := [name for name in needed if name not in table]:
        problems.other(
            f"{source}: the table has no column {', '.join(map(repr, lacking))}; it has {', '.join(map(str, table.columns))}. "
            f"Expected {', '.join(map(str, needed))}. Name the columns so; ages are in years."
        )
    if first_line == 2:  # our own tables have their types
        table = pd.DataFrame({name: _understood(table[name]) for name in table}, index=table.index)
        if AGE in needed:
            table = table.assign(**{name: None for name in COVARIATES if name not in table})
    for name in table:
        _check_numbers(table, name, source, problems)
    table = in_years(table, units or {})
    if first_line == 2:
        schemas.check_numbers(table, source, problems)
    if {FOLLOWUP, EVENT} <= set(table):
        check_follow_up(table, source, problems)
    check_years(table, source, problems)
    if "sex" in table and pd.api.types.is_numeric_dtype(table["sex"]) and table["sex"].notna().any():
        problems.other(f"{source}: column 'sex' holds bare numbers. Expected words. Write female or male.")
    if one_row_per in table:
        keys = [name for name in (COHORT, one_row_per) if name in table]
        for line in table.index[table.duplicated(keys, keep=False) & table[one_row_per].notna()]:
            problems.cell(
                source, line, str(one_row_per), table.at[line, one_row_per], DOUBLED
            )  # fmt: skip
    if check:
        check(table, source, problems)
    problems.stop_if_any()
    return table.astype({name: "float64" for name in NUMBERS if name in table}).reset_index(drop=True)


def _understood(cells: pd.Series) -> pd.Series:
    """Words for nothing become missing, known words ours, and columns of plain numbers numbers."""
    if cells.dtype != object:
        return cells
    text = cells.map(lambda cell: isinstance(cell, str))
    spoken = cells.where(text, "").str.strip().str.lower()
    cells = cells.mask(text & spoken.isin(parse.MISSING), None)
    known = parse.WORDS.get(str(cells.name), {}) if cells.name in WORDS else {}
    if known and spoken[cells.notna()].isin(known).all():
        cells = cells.where(cells.isna(), spoken.map(known))
    if cells.name in KEYS:
        return cells
    values = parse.to_numbers(cells)
    return (
        values
        if values.notna().sum() == cells.notna().sum() > 0 and not cells.map(_is_truth).any()
        else cells
    )


def _is_truth(cell: object) -> bool:
    return isinstance(cell, (bool, np.bool_))


def _check_numbers(table: pd.DataFrame, name: str, source: str, problems: Problems) -> None:
    cells = table[name]
    if name not in NUMBERS and not pd.api.types.is_numeric_dtype(cells):
        return
    values = parse.to_numbers(cells).astype("float64")
    odd = (values.isna() & cells.notna()) | np.isinf(values)
    advice = (
        YEARS
        if name in (AGE, FACE_AGE)
        else "Expected a number. Write a plain number such as 27.1, without a unit."
    )
    for line in table.index[odd]:
        problems.cell(
            source, line, name, cells[line] if isinstance(cells[line], str) else float(values[line]), advice
        )
