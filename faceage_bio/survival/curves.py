"""Kaplan-Meier curves by groups declared beforehand: the curves themselves, and who is at risk when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.columns import COHORT, EVENT, FOLLOWUP
from faceage_bio.errors import FitError
from faceage_bio.observation import entry_of
from faceage_bio.stats.kaplan_meier import Interval, kaplan_meier, risk_table
from faceage_bio.survival.groupings import Grouping

ALL = "all"
FEW_AT_RISK = 5  # at a death while others have not come yet: one such death moves the whole curve
CURVE_COLUMNS = (
    COHORT, "grouping", "group", "years", "at_risk", "entered", "events", "censored", "survival", "standard_error",
    "ci_lower", "ci_upper", "interval",
)  # fmt: skip
RISK_COLUMNS = (COHORT, "grouping", "group", "years", "at_risk", "entered", "events", "censored")


@dataclass(frozen=True)
class Group:
    """People of one curve; ``term`` is their name in words. Everybody is the group "all" of the grouping "all"."""

    grouping: str
    name: str
    term: str
    people: pd.DataFrame

    @property
    def years(self) -> np.ndarray:
        return self.people[FOLLOWUP].to_numpy(dtype=np.float64)

    @property
    def event(self) -> np.ndarray:
        return self.people[EVENT].to_numpy(dtype=np.float64)

    @property
    def entry(self) -> np.ndarray | None:
        """Start of observation, where anybody enters late."""
        return late_entry(self.people)


def late_entry(people: pd.DataFrame) -> np.ndarray | None:
    """Years at which observation starts; None if it starts at 0 for everybody."""
    entry = entry_of(people)
    return None if entry is None else entry.to_numpy()


def each_group(usable: pd.DataFrame, groupings: Sequence[Grouping]) -> Iterator[Group]:
    """Everybody, then the groups of each grouping in their order; empty ones too."""
    yield Group(ALL, ALL, "all", usable)
    for grouping in groupings:
        groups = grouping.groups.reindex(usable.index)
        for level in grouping.levels:
            yield Group(grouping.column, level, grouping.term(level), usable[groups == level])


def curve_of(group: Group, interval: Interval) -> tuple[pd.DataFrame, str]:
    """A group's curve, and what its reader must know of it.

    Raises
    ------
    FitError
        The group is empty, or all who were at risk died before others entered: the curve falls to 0 and stays there.
    """
    if not len(group.people):
        raise FitError("the group is empty")
    curve = kaplan_meier(group.years, group.event, group.entry, interval=interval)
    if group.entry is None:
        return curve, ""
    ended = curve.loc[curve["survival"] == 0, "years"]
    if len(ended) and ended.iloc[0] < curve["years"].iloc[-1]:
        raise FitError(
            f"all who were at risk at {ended.iloc[0]:.3g} years died then and others entered later, to whom the curve would "
            "give no chance"
        )
    notes = []
    if (first := group.entry.min()) > 0:
        notes.append(f"nobody is observed before {first:.2g} years: survival of those alive then")
    deaths = curve[(curve["events"] > 0) & (curve["years"] <= group.entry.max())]
    if len(deaths) and deaths["at_risk"].min() < FEW_AT_RISK:
        notes.append(
            f"fewer than {FEW_AT_RISK} people at risk at an early death, which moves the whole curve"
        )
    return curve, "; ".join(notes)


def curves_by_group(
    usable: pd.DataFrame, groupings: Sequence[Grouping], interval: Interval, cohort: str
) -> pd.DataFrame:
    """One curve for everybody and one per group that has people; columns ``CURVE_COLUMNS``."""
    parts = []
    for group in each_group(usable, groupings):
        try:
            curve, _ = curve_of(group, interval)
        except FitError:
            continue  # the summary says why
        parts.append(curve.assign(grouping=group.grouping, group=group.name))
    return _stack(parts, cohort, CURVE_COLUMNS)


def risk_by_group(usable: pd.DataFrame, groupings: Sequence[Grouping], cohort: str) -> pd.DataFrame:
    """Who is at risk, and who died or left until then, at `whole_years`; columns ``RISK_COLUMNS``."""
    times = whole_years(usable)
    parts = [
        risk_table(times, group.years, group.event, group.entry).assign(
            grouping=group.grouping, group=group.name
        )
        for group in each_group(usable, groupings)
        if len(group.people)
    ]
    return _stack(parts, cohort, RISK_COLUMNS)


def whole_years(usable: pd.DataFrame) -> np.ndarray:
    """0, 1, 2 ... while anybody is followed; quarters of a year where all follow-up ends within two years."""
    last = usable[FOLLOWUP].max() if len(usable) else 0.0
    step = 1.0 if last >= 2 else 0.25
    return np.arange(0, last + 1e-9, step)


def _stack(parts: list[pd.DataFrame], cohort: str, columns: Sequence[str]) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return table.assign(**{COHORT: cohort}).reindex(columns=list(columns))
