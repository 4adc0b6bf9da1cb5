"""A table of participants as a user gives it: everything that is wrong with it, reported at once, and what will not work."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.analyses.age_residual import age_acceleration
from faceage_bio.analyses.survival.follow_up import IN_YEARS, why_none
from faceage_bio.core.columns import (
    AGE,
    AGE_ACCELERATION,
    AGE_GAP,
    COHORT,
    ENTRY,
    EVENT,
    FACE_AGE,
    FOLLOWUP,
    SUBJECT,
)  # fmt: skip
from faceage_bio.core.errors import NAMELESS, FitError, Problems, examples
from faceage_bio.intake.plain import read_plain

NEEDED = (FACE_AGE, AGE, FOLLOWUP, EVENT)
MOST_LEVELS = 20  # of a column whose levels are looked at


def read_people(path: Path | str, units: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A cohort's analysis table, or a plain table with the same columns, checked.

    A plain table may lack cohort (the file's name is taken), subject_id (the line), entry_years, and age_acceleration
    (the residual of the least-squares line of face age on age within the table). ``units`` as `plain.read_plain`.

    Raises
    ------
    TableError
        It cannot be read.
    CohortError
        All its problems: file, column, line, value and what to write.
    """
    path = Path(path)
    return complete(read_plain(path, NEEDED, check=_check_times, units=units), path.stem)


def _check_times(table: pd.DataFrame, source: str, problems: Problems) -> None:
    """Times and events that no analysis can take; the index is the line."""

    def tell(column: str, bad: pd.Series, advice: str) -> None:
        for line in table.index[bad]:
            value = table.at[line, column]
            problems.cell(source, line, column, None if pd.isna(value) else _plain(value), advice)

    if COHORT in table and table[COHORT].nunique() > 1:
        names = ", ".join(map(str, table[COHORT].unique()))
        problems.other(
            f"{source}: column 'cohort' holds {names}. Expected one name. Give one cohort at a time."
        )
    if SUBJECT in table:
        tell(SUBJECT, table[SUBJECT].isna(), NAMELESS)


def _plain(value: object) -> object:
    """A cell without its numpy type."""
    return value.item() if isinstance(value, np.generic) else value


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else repr(value)


def complete(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """With what a table of participants may lack: entry, identifiers, cohort, age gap, age acceleration (the residual within the table)."""
    table = table.copy()
    if ENTRY not in table:
        table[ENTRY] = np.nan
    if SUBJECT not in table:
        table[SUBJECT] = [str(number) for number in range(1, len(table) + 1)]
    if COHORT not in table:
        table[COHORT] = name
    if AGE_GAP not in table:
        table[AGE_GAP] = table[FACE_AGE] - table[AGE]
    if AGE_ACCELERATION not in table:
        known = table.loc[table[AGE_GAP].notna(), [FACE_AGE, AGE]]
        table[AGE_ACCELERATION] = np.nan
        with suppress(FitError):  # too few for a line; the models say so
            table.loc[known.index, AGE_ACCELERATION] = age_acceleration(known[FACE_AGE], known[AGE])
    return table


def hints(table: pd.DataFrame, usable: pd.DataFrame, covariates: Sequence[str], source: str) -> list[str]:
    """What the models will not be able to tell, before they say so themselves: what was found and what to do.

    Parameters
    ----------
    table, usable : all participants, and those with follow-up
    covariates : columns of the models
    source : file that the table came from
    """
    found = []
    names = [name for name in dict.fromkeys(covariates) if name in usable and name not in IN_YEARS]
    deaths = int(usable[EVENT].sum())
    if not len(usable) and len(table):
        found.append(f"{source}: no model can be fitted, because {why_none(usable)}.")
    if len(usable) and not deaths:
        found.append(
            f"{source}: column '{EVENT}': all {len(usable)} participants with follow-up are censored (0), so no hazard can be "
            "estimated. Check what codes a death; if no participant died yet, come back with more follow-up."
        )
    for name in names:
        values = usable[name].dropna()
        if len(usable) and not len(values):
            found.append(
                f"{source}: column '{name}' is empty for all {len(usable)} participants with follow-up; the models go without it."
            )
        elif len(values) and values.nunique() == 1:
            found.append(
                f"{source}: column '{name}': all {len(values)} participants have {_shown(_plain(values.iloc[0]))}; a constant tells nothing "
                "and the models go without it. Take it out of the covariates, or look for a mistake."
            )
    for name in names:
        values = usable[name]
        words = not pd.api.types.is_numeric_dtype(values)
        if not deaths or not words or not 1 < values.nunique() <= MOST_LEVELS:
            continue
        died = usable[EVENT].groupby(values.astype(object)).agg(["sum", "size"])
        for level, size in died.loc[died["sum"] == 0, "size"].items():
            lines = [f"row {place + 1}" for place in np.flatnonzero((table[name] == level).to_numpy())]
            found.append(
                f"{source}: column '{name}': no death among the {int(size)} participants with '{level}' ({examples(lines)}); a "
                "hazard ratio of this group has no end. Merge it with another (codings, groups), or ask for Firth's penalised "
                "estimate (survival.firth: true)."
            )
    return found
