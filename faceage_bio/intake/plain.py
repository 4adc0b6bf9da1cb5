"""Plain tables of participants and photos, as the command line takes them: read as a study's tables are, all
problems told at once.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from faceage_bio.core.columns import (
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
from faceage_bio.core.errors import DOUBLED, Problems, examples
from faceage_bio.core.settings.settings_cohort import SheetForm
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.tables import KEYS, read_table
from faceage_bio.intake.observation import check_follow_up, check_years
from faceage_bio.intake.schemas import PARTICIPANTS, check_spelling, read_user_table

NUMBERS = (AGE, FACE_AGE, AGE_ACCELERATION, AGE_GAP, "bmi", "pack_years", FOLLOWUP, ENTRY, EVENT)


def read_plain(
    path: Path | str,
    needed: Sequence[str] = (FACE_AGE, AGE),
    one_row_per: str | None = SUBJECT,
    check: Callable[[pd.DataFrame, str, Problems], None] | None = None,
    units: Mapping[str, str] | None = None,
    schema: pa.DataFrameSchema = PARTICIPANTS,
    year_days: float = Survival().year_days,
) -> pd.DataFrame:
    """A table given by hand, checked as a study's clinical table is; or one of our own (.parquet), as it is.

    A table of participants (``needed`` names the age) that lacks one of the covariates that the defaults name
    has an empty one, so that models go without it and say so.

    Parameters
    ----------
    path : .tsv, .csv, .xlsx or .parquet
    needed : columns that must be there
    one_row_per : the column in which nothing may stand twice (within a cohort); if the table has no column of
        identifiers, no two
        rows may be the same
    check : what else must hold; takes the table (its index is the line), the file's name and the problems to
        add to
    units : of followup, entry and age where they are not years, such as {"followup": "days"}
    schema : what the table is checked against
    year_days : days in a year of follow-up

    Raises
    ------
    TableError
        Our own table cannot be read.
    CohortError
        A column lacks; a cell is not what its column holds; impossible follow-up, or follow-up that is not in
        years; a row that stands twice.
    """
    source, problems = str(path), Problems(plain=True)
    if Path(path).suffix == ".parquet":
        table = read_table(path)
    else:
        read = read_user_table(path, schema, problems, SheetForm(units=dict(units or {})), year_days)
        if read is None:
            problems.stop_if_any()
        table = read.values
        _check(table, read.cells, one_row_per, source, problems)
        if check:
            check(table, source, problems)
    if lacking := [name for name in needed if name not in table]:
        problems.other(
            f"{source}: the table has no column {', '.join(map(repr, lacking))}; it has {', '.join(map(str, table.columns))}. "
            f"Expected {', '.join(map(str, needed))}. Name the columns so; ages are in years."
        )
    problems.stop_if_any()
    for line in [line for lines in problems.cautions.values() for line in lines]:
        print(f"note: {line}")
    if AGE in needed and Path(path).suffix != ".parquet":
        table = with_covariates(table)
    return table.astype({name: "float64" for name in NUMBERS if name in table}).reset_index(drop=True)


def with_covariates(table: pd.DataFrame) -> pd.DataFrame:
    """With an empty column for each covariate of the defaults that lacks, so that models go without it and say so."""
    return table.assign(**{name: None for name in COVARIATES if name not in table})


def _check(
    table: pd.DataFrame, typed: pd.DataFrame, one_row_per: str | None, source: str, problems: Problems
) -> None:
    """What no column tells by itself."""
    for name in table:
        if name in KEYS:
            table[name] = table[name].where(table[name] != "", None)
        elif pd.api.types.is_datetime64_any_dtype(table[name]):  # days are text in our own tables
            table[name] = table[name].dt.strftime("%Y-%m-%d").astype(object).where(table[name].notna(), None)
        elif name not in PARTICIPANTS.columns:
            check_spelling(table[name], source, problems)
    if {FOLLOWUP, EVENT} <= set(table):
        check_follow_up(table, source, problems, typed)
    check_years(table, source, problems)
    _check_doubled(table, one_row_per, source, problems)


def _check_doubled(table: pd.DataFrame, one_row_per: str | None, source: str, problems: Problems) -> None:
    if one_row_per in table:
        keys = [name for name in (COHORT, one_row_per) if name in table]
        doubled = table.duplicated(keys, keep=False) & table[one_row_per].notna()
        problems.where(source, table[one_row_per], doubled, DOUBLED)
    elif one_row_per and not set(table) & set(KEYS) - {COHORT} and table.duplicated().any():
        again = [f"line {line}" for line in table.index[table.duplicated()]]
        problems.other(
            f"{source}: {len(again)} of {len(table)} rows are the same as another in every column: {examples(again)}. Expected one row per participant. "
            f"Take the repeated rows out, or add a column {one_row_per} if they are different participants."
        )
