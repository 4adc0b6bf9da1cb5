"""From when to when participants are observed, in which units, and whether the age reached is possible.

Time 0, the day of the photo, counts, as in R's survival package and in lifelines. No participant is 130, so
days or months that stand where years are expected give themselves away.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.columns import AGE, ENTRY, EVENT, FOLLOWUP
from faceage_bio.core.errors import ConfigError, Problems, examples

BEFORE_ZERO = -1.0  # entry of those observed from time 0 on, who are at risk at a death on that day too
# ages that more than this share of the participants, and at least so many of them, do not reach
LIVED = ((100.0, 0.1, 2), (110.0, 0.01, 1), (120.0, 0.0, 1))
OLDEST = 120.0  # that a human has reached
LONG = 15.0  # years of follow-up; shorter ones may be those of centenarians
WIDESPREAD = 0.05  # share of the participants from which on it is the unit and not a cell
UNITS = {"months": 12.0, "days": parse.DAYS_PER_YEAR}
TIMES = {"followup": FOLLOWUP, "entry": ENTRY, "age": AGE}  # names in `units`


def is_followed(people: pd.DataFrame) -> pd.Series:
    """Whose follow-up is known and does not end before the photo; a death or censoring on its day counts."""
    return (people[FOLLOWUP] >= 0) & people[EVENT].notna()


def has_no_time(people: pd.DataFrame) -> pd.Series:
    """Who enters at or after the end of follow-up, and so is never at risk."""
    return people[ENTRY].gt(0) & (people[ENTRY] >= people[FOLLOWUP])


def entry_of(people: pd.DataFrame) -> pd.Series | None:
    """Start of observation where a participant enters after time 0, otherwise None."""
    if ENTRY not in people:
        return None
    late = people[ENTRY].astype("float64")
    return late.where(late > 0, BEFORE_ZERO) if late.gt(0).any() else None


def check_follow_up(
    table: pd.DataFrame, source: str, problems: Problems, typed: pd.DataFrame | None = None
) -> None:
    """Add what no analysis can take: deaths without time, follow-up without outcome, entries that are not before the exit.

    Parameters
    ----------
    table : DataFrame, indexed by the line in ``source``
        followup_years, event, entry_years, followup_date; a column may lack.
    typed : DataFrame of str
        The cells as typed, "" where there is nothing: one that could not be read is told already, and is no
        missing one.
    """
    typed = table.notna() if typed is None else typed.ne("")
    years, event, entry = (_numbers(table, name) for name in (FOLLOWUP, EVENT, ENTRY))
    # a later photo may count than the first, from which the clinical follow-up starts; the ledger says so
    known = table.get("ended_before_photo", pd.Series(False, index=table.index)).fillna(False).astype(bool)
    advice = (
        "Follow-up ends before the photo. Expected its end after the photo. Look at the dates it comes from."
    )
    problems.where(source, years, (years < 0) & ~known, advice)
    advice = "Expected 1 (died) or 0 (alive when last seen). Write one of them."
    problems.where(source, event, event.notna() & ~event.isin([0, 1]), advice)
    nothing = pd.Series(False, index=table.index)
    timeless = ~(typed.get(FOLLOWUP, nothing) | typed.get("followup_date", nothing))
    advice = (
        "The participant died, but the time is missing, and excluding a death would mislead. Expected when. Give followup_years or "
        "followup_date, or clear the event."
    )
    no_value = pd.Series([None] * len(table), index=table.index, dtype=object)
    problems.where(source, no_value.rename(FOLLOWUP), timeless & event.eq(1), advice)
    advice = (
        "Follow-up is given, but not whether the participant died. Expected 1 (died) or 0. Write one of them."
    )
    if EVENT in typed:
        problems.where(source, no_value.rename(EVENT), years.notna() & ~typed[EVENT], advice)
    elif years.notna().any():
        problems.other(
            f"{source}: follow-up is given, but no column '{EVENT}' says who died; found {', '.join(typed)}. Expected 1 (died) or 0 (alive when "
            "last seen). Add it.",
            declare=f", or declare yours in the config, such as columns: {{{EVENT}: vital_status}}",
        )
    advice = (
        "Observation starts at or after its end. Expected entry before exit. Correct one of them, or leave the entry empty if "
        "observation started at the photo."
    )
    late = (entry >= years) & (years >= 0)
    for line in table.index[late]:
        problems.cell(source, line, ENTRY, f"{entry[line]:.4g}, exit {years[line]:.4g}", advice)


def _numbers(table: pd.DataFrame, name: str) -> pd.Series:
    """A column as numbers, NaN where the table lacks it."""
    given = table.get(name, pd.Series(float("nan"), index=table.index, name=name))
    return parse.to_numbers(given).astype("float64")


def parse_units(words: Sequence[str]) -> dict[str, str]:
    """Units as the command line gives them: "followup=days".

    Raises
    ------
    ConfigError
        Not of this form.
    """
    units = dict(word.partition("=")[::2] for word in words)
    if wrong := [name for name, unit in units.items() if name not in TIMES or unit not in ("years", *UNITS)]:
        raise ConfigError(
            f"--unit {', '.join(f'{name}={units[name]}' for name in wrong)}: expected followup, entry or age, = and years, months or days, "
            "such as followup=days. Write it so."
        )
    return units


def in_years(table: pd.DataFrame, units: Mapping[str, str], year_days: float) -> pd.DataFrame:
    """Follow-up, entry and age in years, from the declared units ("followup", "entry", "age": "months", "days")."""
    table = table.copy()
    for name, unit in units.items():
        column = TIMES[name]
        if column in table and unit != "years":
            per_year = year_days if unit == "days" and column != AGE else UNITS[unit]
            table[column] = parse.to_numbers(table[column]) / per_year
    return table


def check_years(table: pd.DataFrame, source: str, problems: Problems) -> None:
    """Add a problem if follow-up in days or months was taken for years.

    Parameters
    ----------
    table : DataFrame, indexed by the line in ``source``
        followup_years and chronological_age; entry_years if observation started later, since only the time
        after it was lived after that age. A column may lack, and then nothing is said.
    """
    if FOLLOWUP not in table:
        return
    age, entry, years = (_numbers(table, name) for name in (AGE, ENTRY, FOLLOWUP))
    observed = years - entry.fillna(0.0).clip(lower=0.0)
    age = age.where(age.between(0, OLDEST))  # others are told by their own check
    limit, beyond = _beyond(age, observed)
    if not beyond.any():
        return
    n = int(observed.notna().sum())
    found = [
        f"line {line}: {'' if pd.isna(age[line]) else f'age {age[line]:g}, '}followed for {years[line]:g}"
        for line in table.index[beyond]
    ]
    fits = fitting_units(age, observed) if beyond.sum() >= WIDESPREAD * n else []
    looks = f", and this looks like {' or '.join(fits)}" if fits else ""
    problems.other(
        f"{source}: column '{FOLLOWUP}': {beyond.sum()} of {n} participants would be older than {limit:g} years at the end of "
        f"follow-up ({examples(found, 3)}); its median is {years.median():.3g}, its maximum {years.max():.4g}. Expected years after the "
        f"photo{looks}. Write years (months divided by 12, days by 365.25), give followup_date in the clinical table, or name the unit "
        "(in the cohort's settings units: {followup: days}, for a command --unit followup=days); if only these rows are wrong, correct them."
    )


def fitting_units(age: pd.Series, observed: pd.Series) -> list[str]:
    """Units other than years in which follow-up would leave all participants alive at no impossible age."""
    return [unit for unit, per_year in UNITS.items() if not _beyond(age, observed / per_year)[1].any()]


def _beyond(age: pd.Series, observed: pd.Series) -> tuple[float, pd.Series]:
    """The first age of `LIVED` that too many would have reached, and who would have; no participant if all is well."""
    reached, n = age.fillna(0.0) + observed, observed.notna().sum()
    for limit, share, least in LIVED:
        beyond = (reached > limit) & ((observed > LONG) | (limit == OLDEST))
        if beyond.sum() >= least and beyond.sum() > share * n:
            return limit, beyond
    return OLDEST, pd.Series(False, index=age.index)
