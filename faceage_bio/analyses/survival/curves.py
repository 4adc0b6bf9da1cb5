"""Kaplan-Meier curves by groups declared beforehand: the curves themselves, and who is at risk when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.groupings import Grouping
from faceage_bio.core.columns import COHORT, EVENT, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.kaplan_meier import Interval, kaplan_meier, risk_table

ALL = "all"
FEW_AT_RISK = 5  # at a death while others have not come yet: one such death moves the whole curve


@dataclass(frozen=True)
class Group:
    """Participants of one curve; ``term`` is their name in words. All participants is the group "all" of the grouping "all"."""

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
    """Years at which observation starts; None if it starts at 0 for all participants."""
    entry = entry_of(people)
    return None if entry is None else entry.to_numpy()


def each_group(usable: pd.DataFrame, groupings: Sequence[Grouping]) -> Iterator[Group]:
    """All participants, then the groups of each grouping in their order; empty ones too."""
    yield Group(ALL, ALL, "all", usable)
    for grouping in groupings:
        groups = grouping.groups.reindex(usable.index)
        for level in grouping.levels:
            yield Group(grouping.column, level, grouping.term(level), usable[groups == level])


def curve_of(group: Group, interval: Interval) -> tuple[pd.DataFrame, list[Reason]]:
    """A group's curve, and what its reader must know of it.

    Raises
    ------
    FitError
        The group is empty, or all who were at risk died before others entered: the curve falls to 0 and stays there.
    """
    if not len(group.people):
        raise FitError("empty_group")
    curve = kaplan_meier(group.years, group.event, group.entry, interval=interval)
    if group.entry is None:
        return curve, []
    ended = curve.loc[curve["survival"] == 0, "years"]
    if len(ended) and ended.iloc[0] < curve["years"].iloc[-1]:
        raise FitError("all_died_before_entry")
    reasons = []
    if group.entry.min() > 0:
        reasons.append(reason("observed_late"))
    deaths = curve[(curve["events"] > 0) & (curve["years"] <= group.entry.max())]
    if len(deaths) and deaths["at_risk"].min() < FEW_AT_RISK:
        reasons.append(reason("few_at_risk_early", needed=FEW_AT_RISK))
    return curve, reasons


def curves_by_group(
    usable: pd.DataFrame, groupings: Sequence[Grouping], interval: Interval, cohort: str
) -> pd.DataFrame:
    """One curve for all participants and one per group that has participants (survival/kaplan_meier)."""
    parts = []
    for group in each_group(usable, groupings):
        try:
            curve, _ = curve_of(group, interval)
        except FitError:
            continue  # the summary says why
        parts.append(curve.assign(grouping=group.grouping, group=group.name))
    return stacked(parts, cohort, "survival/kaplan_meier")


def risk_by_group(
    usable: pd.DataFrame, groupings: Sequence[Grouping], cohort: str, table: str = "survival/at_risk"
) -> pd.DataFrame:
    """Who is at risk, and who died or left until then, at `whole_years` (survival/at_risk)."""
    times = whole_years(usable)
    parts = [
        risk_table(times, group.years, group.event, group.entry).assign(
            grouping=group.grouping, group=group.name
        )
        for group in each_group(usable, groupings)
        if len(group.people)
    ]
    return stacked(parts, cohort, table)


def whole_years(usable: pd.DataFrame) -> np.ndarray:
    """0, 1, 2 ... while anybody is followed; quarters of a year where all follow-up ends within two years."""
    last = usable[FOLLOWUP].max() if len(usable) else 0.0
    step = 1.0 if last >= 2 else 0.25
    return np.arange(0, last + 1e-9, step)


def stacked(parts: list[pd.DataFrame], cohort: str, table: str) -> pd.DataFrame:
    """Points of several curves as one table."""
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return result_rows(rows.assign(**{COHORT: cohort}), table)
