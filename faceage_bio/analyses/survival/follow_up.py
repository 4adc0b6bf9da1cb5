"""Time: where it starts, where it ends, and who is followed within it; all other participants leave with a
reason.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.analyses.age_residual import age_acceleration, years_above
from faceage_bio.core.columns import (
    AGE,
    AGE_ACCELERATION,
    AGE_GAP,
    COHORT,
    ENTRY,
    EVENT,
    FACE_AGE,
    FOLLOW_UP_REASON,
    FOLLOWUP,
    SUBJECT,
)
from faceage_bio.core.errors import NAMELESS, FitError, Problems, examples
from faceage_bio.core.parse import MOST_LEVELS, dates_of
from faceage_bio.core.results.reasons import Reason
from faceage_bio.core.results.reasons import reason as code
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.tables import ledger_rows
from faceage_bio.intake.observation import has_no_time, is_followed
from faceage_bio.intake.plain import read_plain
from faceage_bio.stats.design import build_design
from faceage_bio.stats.minimum_sizes import CLUSTERS, FOR_LINE

PHOTO_DATE = "photo_date"
NO_ACCELERATION = "no_acceleration"  # reason, and how many have it, kept with the usable rows
NEEDED = (FACE_AGE, AGE, FOLLOWUP, EVENT)  # of a plain table
IN_YEARS = (FACE_AGE, AGE, AGE_ACCELERATION)
PHOTO_TO_END = Survival()  # time from the photo to the end of follow-up


def prepare(table: pd.DataFrame, time: Survival = PHOTO_TO_END) -> tuple[pd.DataFrame, pd.Series]:
    """Subjects with usable follow-up, and for the others the reason why not.

    Parameters
    ----------
    table : DataFrame
        The cohort's analysis table: age_acceleration, followup_years and event, entry_years if there is
        delayed entry, and the dates that ``time`` needs. Also one that `mark` has prepared; it is not
        prepared again.
    time : Survival
        time_zero: the photo, or a column of dates (YYYY-MM-DD). Then participants are at risk from the photo
        on only: no participant whose photo was taken later could have died before it (immortal time). A death
        or censoring at time 0 counts. landmark_years, horizon_years (from the start of time), end_date,
        year_days (days in a year where dates are subtracted).

    Returns
    -------
    DataFrame of the usable rows with entry_years, followup_years and event on this time; Series of str with
    the reasons of the others, by the table's index

    Raises
    ------
    CohortError
        A date that is none, or a column of dates that is not there.
    """
    reason = (
        table[FOLLOW_UP_REASON].fillna("").astype(str) if FOLLOW_UP_REASON in table else _first_reasons(table)
    )
    usable = table[reason == ""].copy()
    if ENTRY not in usable:
        usable[ENTRY] = np.nan
    for cut in (_end, _shift, _landmark, _horizon):
        why = cut(usable, time)
        reason[why.index[why != ""]] = why[why != ""]
        usable = usable[why == ""].copy()
    usable.attrs[NO_ACCELERATION] = int((reason == NO_ACCELERATION).sum())
    return usable, reason[reason != ""]


def why_none(usable: pd.DataFrame) -> Reason:
    """Why no participant of `prepare` is usable: follow-up is known of none, or age acceleration of none who
    has it.
    """
    if n := usable.attrs.get(NO_ACCELERATION, 0):
        return code("no_acceleration_of_followed", n=n, needed=FOR_LINE)
    return code("no_usable_follow_up")


def _first_reasons(table: pd.DataFrame) -> pd.Series:
    reason = pd.Series("", index=table.index)
    ended = table.get("ended_before_photo", pd.Series(False, index=table.index)).fillna(False).astype(bool)
    reason[table[AGE_ACCELERATION].isna()] = NO_ACCELERATION
    reason[table[FOLLOWUP].isna() | table[EVENT].isna()] = "no_follow_up"
    reason[(reason == "") & (ended | ~is_followed(table))] = "ended_before_the_photo"
    return reason


def _end(usable: pd.DataFrame, time: Survival) -> pd.Series:
    """Observation ends on a day: time and event are cut."""
    why = pd.Series("", index=usable.index)
    if time.end_date is None or usable.empty:
        return why
    photo = dates_of(usable, PHOTO_DATE, "survival.end_date")
    years = (pd.Timestamp(time.end_date) - photo).dt.days / time.year_days
    why[photo.isna()] = "no_photo_date"
    why[years < 0] = "photo_after_the_end_of_the_study"
    _cut(usable, years)
    why[(why == "") & has_no_time(usable)] = "entered_after_the_end_of_the_study"
    return why


def _shift(usable: pd.DataFrame, time: Survival) -> pd.Series:
    """Time runs from a date of the clinical table; participants enter at the photo, or at that date if it
    comes after the photo.
    """
    why = pd.Series("", index=usable.index)
    if time.time_zero == "photo" or usable.empty:
        return why
    setting = f"survival.time_zero: {time.time_zero}"
    before = (dates_of(usable, PHOTO_DATE, setting) - dates_of(usable, time.time_zero, setting)).dt.days
    years = before / time.year_days
    entry = usable[ENTRY].fillna(0.0).clip(lower=0.0)
    usable[FOLLOWUP] = usable[FOLLOWUP] + years
    usable[ENTRY] = (entry + years).where(entry + years > 0)
    why[years.isna()] = "no_time_zero"
    why[usable[FOLLOWUP] < 0] = "ended_before_time_zero"
    why[has_no_time(usable)] = "followed_not_beyond_the_photo"
    return why


def _landmark(usable: pd.DataFrame, time: Survival) -> pd.Series:
    why = pd.Series("", index=usable.index)
    if time.landmark_years is None:
        return why
    why[usable[FOLLOWUP] <= time.landmark_years] = "not_observed_at_the_landmark"
    usable[FOLLOWUP] = usable[FOLLOWUP] - time.landmark_years
    usable[ENTRY] = usable[ENTRY] - time.landmark_years
    return why


def _horizon(usable: pd.DataFrame, time: Survival) -> pd.Series:
    why = pd.Series("", index=usable.index)
    if time.horizon_years is None:
        return why
    _cut(usable, pd.Series(time.horizon_years, index=usable.index))
    why[has_no_time(usable)] = "entered_after_the_horizon"
    return why


def _cut(usable: pd.DataFrame, years: pd.Series) -> None:
    """End of observation at ``years`` at the latest; what happens later did not happen."""
    later = usable[FOLLOWUP] > years
    usable.loc[later, EVENT] = 0.0
    usable.loc[later, FOLLOWUP] = years[later]


def mark(table: pd.DataFrame, time: Survival = PHOTO_TO_END) -> pd.DataFrame:
    """All participants of ``table``: the usable on this time, the others as they were; ``follow_up_reason``
    tells them apart.
    """
    usable, reasons = prepare(table, time)
    marked = table.copy()
    for column in (ENTRY, FOLLOWUP, EVENT):
        values = marked[column] if column in marked else pd.Series(np.nan, index=marked.index)
        marked[column] = usable[column].reindex(marked.index).where(marked.index.isin(usable.index), values)
    return marked.assign(**{FOLLOW_UP_REASON: reasons.reindex(marked.index).fillna("")})


def survival_ledger(table: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    """One row per subject of a table from `mark`: in the full model, or why not.

    A covariate that no participant has is left out of the models, so it excludes no participant.
    """
    why = table[FOLLOW_UP_REASON].fillna("").astype(str)
    followed = table[why == ""]
    for name in reversed([name for name in covariates if name not in IN_YEARS]):
        lacks = followed[name].isna() if name in followed else pd.Series(False, index=followed.index)
        if not lacks.all():
            why[lacks.index[lacks]] = f"missing_{name}"
    rows = table[[COHORT, SUBJECT]].assign(
        stage="survival", status=np.where(why == "", "included", "excluded"), reason=why
    )
    return ledger_rows(rows)


# A table of participants as a user gives it: everything that is wrong with it, reported at once, and what
# will not work.


def read_people(
    path: Path | str, units: Mapping[str, str] | None = None, year_days: float = Survival().year_days
) -> pd.DataFrame:
    """A cohort's analysis table, or a plain table with the same columns, checked.

    A plain table may lack cohort (the file's name is taken), subject_id (the line), entry_years, and
    age_acceleration (the residual of the least-squares line of face age on age within the table). ``units``
    and ``year_days`` as `plain.read_plain`.

    Raises
    ------
    TableError
        It cannot be read.
    CohortError
        All its problems: file, column, line, value and what to write.
    """
    path = Path(path)
    return complete(read_plain(path, NEEDED, check=_check_names, units=units, year_days=year_days), path.stem)


def _check_names(table: pd.DataFrame, source: str, problems: Problems) -> None:
    """One cohort, and an identifier of each participant; the index is the line."""
    if COHORT in table and table[COHORT].nunique() > 1:
        names = ", ".join(map(str, table[COHORT].unique()))
        problems.other(
            f"{source}: column 'cohort' holds {names}. Expected one name. Give one cohort at a time."
        )
    if SUBJECT in table:
        for line in table.index[table[SUBJECT].isna()]:
            problems.cell(source, line, SUBJECT, None, NAMELESS)


def _shown(value: object) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    return f"{value:g}" if isinstance(value, (int, float)) else repr(value)


def complete(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """With what a table of participants may lack: entry, identifiers, cohort, age gap, age acceleration (the
    residual within the table).
    """
    table = table.copy()
    if ENTRY not in table:
        table[ENTRY] = np.nan
    if SUBJECT not in table:
        table[SUBJECT] = [str(number) for number in range(1, len(table) + 1)]
    if COHORT not in table:
        table[COHORT] = name
    if AGE_GAP not in table:
        table[AGE_GAP] = years_above(table[FACE_AGE], table[AGE])
    if AGE_ACCELERATION not in table:
        known = table.loc[table[AGE_GAP].notna(), [FACE_AGE, AGE]]
        table[AGE_ACCELERATION] = np.nan
        with suppress(FitError):  # too few for a line; the models say so
            table.loc[known.index, AGE_ACCELERATION] = age_acceleration(known[FACE_AGE], known[AGE])
    return table


def constant(
    people: pd.DataFrame, columns: Sequence[str], source: str, whom: str = "participants"
) -> dict[str, str]:
    """A sentence for each column that does not vary, so that the designs of models leave it out."""
    values = {name: people[name].dropna() for name in columns}
    flat = {
        name: one
        for name, one in values.items()
        if len(one) > 1 and build_design(one.to_frame(), [name]).constant
    }
    return {
        name: f"{source}: column '{name}': all {len(one)} {whom} have {_shown(one.iloc[0])}; a constant tells nothing "
        "and the models go without it. Take it out of the covariates, or look for a mistake."
        for name, one in flat.items()
    }


def constant_acceleration(people: pd.DataFrame, source: str) -> list[str]:
    """A sentence where age acceleration does not vary, so that no model of it can be fitted."""
    known = people[people[AGE_ACCELERATION].notna()]
    if known.empty or not build_design(known, [AGE_ACCELERATION]).constant:
        return []
    shown = [f"{face:g} at age {age:g}" for face, age in zip(known[FACE_AGE], known[AGE], strict=True)]
    return [
        f"{source}: column '{FACE_AGE}': all {len(known)} face ages follow from chronological age alone ({examples(shown, 3)}), so that age acceleration "
        "is zero and no model of it can be fitted. Expected ages predicted from photos. Look for a mistake in how they were made."
    ]


def few_clusters(people: pd.DataFrame, cluster: str | None, source: str) -> list[str]:
    """A sentence where all participants are of one cluster, against which no error can be robust, or of so few that errors are too small."""
    units = people[cluster].dropna().unique() if cluster else []
    if not 0 < len(units) < CLUSTERS:
        return []
    place = f"{source}: column '{cluster}' (survival.cluster): all participants with follow-up are of"
    if len(units) == 1:
        return [
            f"{place} one unit ({_shown(units[0])}), so that robust standard errors cannot be computed and no Cox model can be fitted. "
            "Expected many units. Name another column, or none (null)."
        ]
    return [
        f"{place} {len(units)} units; robust standard errors are too small, and intervals too short, with fewer than {CLUSTERS}. "
        "Expected many units. Name the column under survival.strata or survival.covariates in place of survival.cluster."
    ]


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
    if deaths and deaths == len(usable):
        found.append(
            f"{source}: column '{EVENT}': all {deaths} participants with follow-up died (1). Check what codes a death; if they did, "
            "nothing need be changed."
        )
    if len(usable) and not usable[FOLLOWUP].gt(0).any():
        found.append(
            f"{source}: column '{FOLLOWUP}': all {len(usable)} participants with follow-up have 0, so that no survival after the photo can be estimated. "
            "Expected years after the photo. Look for a mistake in the dates or units it comes from."
        )
    for name in names:
        values = usable[name].dropna()
        if len(usable) and not len(values):
            found.append(
                f"{source}: column '{name}' is empty for all {len(usable)} participants with follow-up; the models go without it."
            )
        found += constant(usable, [name], source).values()
    for name in names:
        values = usable[name]
        words = not pd.api.types.is_numeric_dtype(values)
        if not deaths or not words or not 1 < values.nunique() <= MOST_LEVELS:
            continue
        died = usable[EVENT].groupby(values.astype(object)).agg(["sum", "size"])
        for level, size in died.loc[died["sum"] == 0, "size"].items():
            lines = [f"row {place + 1}" for place in np.flatnonzero((table[name] == level).to_numpy())]
            found.append(
                f"{source}: column '{name}': no death among participants with '{level}' (n = {int(size)}: {examples(lines)}); a "
                "hazard ratio of this group has no end. Merge it with another (codings, groups), or ask for Firth's penalised "
                "estimate (survival.firth: true)."
            )
    return found
