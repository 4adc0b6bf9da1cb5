"""From when to when participants are observed. Time 0, the day of the photo, counts, as in R's survival package and in lifelines."""

import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.columns import ENTRY, EVENT, FOLLOWUP
from faceage_bio.core.errors import Problems

BEFORE_ZERO = -1.0  # entry of those observed from time 0 on, who are at risk at a death on that day too


def is_followed(people: pd.DataFrame) -> pd.Series:
    """Whose follow-up is known and does not end before the photo; a death or censoring on its day counts."""
    return (people[FOLLOWUP] >= 0) & people[EVENT].notna()


def has_no_time(people: pd.DataFrame) -> pd.Series:
    """Who enters at or after the end of follow-up, and so is never at risk."""
    return people[ENTRY].gt(0) & (people[ENTRY] >= people[FOLLOWUP])


def entry_of(people: pd.DataFrame) -> pd.Series | None:
    """Start of observation where anybody enters after time 0, otherwise None."""
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
        The cells as typed, "" where there is nothing: one that could not be read is told already, and is no missing one.
    """
    typed = table.notna() if typed is None else typed.ne("")
    numbers = {
        name: parse.to_numbers(table[name]).astype("float64")
        for name in (FOLLOWUP, EVENT, ENTRY) if name in table
    }  # fmt: skip
    absent = pd.Series(float("nan"), index=table.index)
    years, event, entry = (numbers.get(name, absent) for name in (FOLLOWUP, EVENT, ENTRY))
    # a later photo may count than the first, from which the clinical follow-up starts; the ledger says so
    known = table.get("ended_before_photo", pd.Series(False, index=table.index)).fillna(False).astype(bool)
    for line in table.index[(years < 0) & ~known]:
        problems.cell(
            source, line, FOLLOWUP, float(years[line]),
            "Follow-up ends before the photo. Expected its end after the photo. Look at the dates it comes from.",
        )  # fmt: skip
    for line in table.index[event.notna() & ~event.isin([0, 1])]:
        problems.cell(
            source, line, EVENT, float(event[line]), "Expected 1 (died) or 0 (alive when last seen). Write one of them."
        )  # fmt: skip
    nothing = pd.Series(False, index=table.index)
    timeless = ~(typed.get(FOLLOWUP, nothing) | typed.get("followup_date", nothing))
    for line in table.index[timeless & event.eq(1)]:
        problems.cell(
            source, line, FOLLOWUP, None,
            "The participant died, but the time is missing, and a death left out would mislead. Expected when. Give followup_years or "
            "followup_date, or clear the event.",
        )  # fmt: skip
    for line in table.index[years.notna() & ~typed.get(EVENT, nothing)]:
        problems.cell(
            source, line, EVENT, None,
            "Follow-up is given, but not whether the participant died. Expected 1 (died) or 0. Write one of them.",
        )  # fmt: skip
    for line in table.index[(entry >= years) & (years >= 0)]:
        problems.cell(
            source, line, ENTRY, f"{entry[line]:.4g}, exit {years[line]:.4g}",
            "Observation starts at or after its end. Expected entry before exit. Correct one of them, or leave the entry empty if "
            "observation started at the photo.",
        )  # fmt: skip
