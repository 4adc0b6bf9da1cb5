"""Age reached at the end of follow-up: no participant's is 130, so days or months that stand where years are expected give themselves away."""

from collections.abc import Mapping, Sequence

import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.columns import AGE, ENTRY, FOLLOWUP
from faceage_bio.core.errors import ConfigError, Problems, examples

# ages that more than this share of the participants, and at least so many of them, do not reach
LIVED = ((100.0, 0.1, 2), (110.0, 0.01, 1), (120.0, 0.0, 1))
OLDEST = 120.0  # that anybody has reached
LONG = 15.0  # years of follow-up; shorter ones may be those of centenarians
WIDESPREAD = 0.05  # share of the participants from which on it is the unit and not a cell
UNITS = {"months": 12.0, "days": 365.25}
TIMES = {"followup": FOLLOWUP, "entry": ENTRY, "age": AGE}  # names in `units`


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


def in_years(table: pd.DataFrame, units: Mapping[str, str], year_days: float = 365.25) -> pd.DataFrame:
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
        followup_years and chronological_age; entry_years if observation started later, since only the time after it was lived
        after that age. A column may lack, and then nothing is said.
    """
    if FOLLOWUP not in table:
        return
    numbers = {
        name: parse.to_numbers(table[name]).astype("float64")
        for name in (AGE, ENTRY, FOLLOWUP) if name in table
    }  # fmt: skip
    observed = numbers[FOLLOWUP]
    if ENTRY in numbers:
        observed = observed - numbers[ENTRY].fillna(0.0).clip(lower=0.0)
    age = numbers[AGE] if AGE in numbers else pd.Series(float("nan"), index=table.index)
    age = age.where(age.between(0, OLDEST))  # others are told by their own check
    limit, beyond = _beyond(age, observed)
    if not beyond.any():
        return
    years, n = numbers[FOLLOWUP], int(observed.notna().sum())
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
