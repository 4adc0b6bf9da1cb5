"""Survival curves for release: every number from rounded cumulative counts, as OpenSAFELY's Kaplan-Meier action.

Per curve, cumulative entries, events and censorings are rounded. They stand for as many participants, and what the analysis made of the
exact ones is made of these again: survival, cumulative incidence, their intervals, numbers at risk, and what is read off a curve.

The size of tertiles is known to a third of k, and what they are parted into could add up to it in one way alone. So their censorings are told as
far as they leave it open, and events of two kinds are not told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import astuple

import numpy as np
import pandas as pd

from faceage_bio.core.columns import THIRDS
from faceage_bio.core.results.result_tables import TABLES, key_of
from faceage_bio.release.rounding import evened, midpoint, significant
from faceage_bio.stats.competing_risks import cumulative_incidence
from faceage_bio.stats.kaplan_meier import kaplan_meier, median, risk_table

GRID = 0.1  # years: at the exact time of a change the exact count would be the first of its step
CAUSES = {"events": 1, "other_events": 2, "censored": 0}
CURVE = ("cohort", "grouping", "group", "cause")
# measures at a time: the column of the curve
VALUES = {"survival": "survival", "cumulative incidence": "incidence"}


def release_curves(
    shared: Mapping[str, pd.DataFrame], made: Mapping[str, pd.DataFrame], k: int
) -> dict[str, pd.DataFrame]:
    """The tables of curves and of numbers at risk, and those with numbers read off them.

    Parameters
    ----------
    shared, made : result tables by place, exact and as far as they are released
    k : rounding of counts, 2 or more
    """
    found = {}
    for place, table in shared.items():
        declared = TABLES[key_of(place)]
        curves = shared.get(place.removesuffix(key_of(place)) + declared.curve)
        if declared.curve and curves is not None and len(curves) and len(table):
            told = table[~table["group"].isin(THIRDS)] if "other_events" in curves else table
            groups = _each_group(told, curves, k)
            of_told = made[place].loc[told.index]
            found[place] = _read_off(of_told, groups) if declared.rows else _drawn(told, groups)
    return found


def _each_group(table: pd.DataFrame, curves: pd.DataFrame, k: int) -> Iterator[tuple[pd.DataFrame, ...]]:
    """Rows of a table, the exact curve of their participants, and as many as its rounded counts say; no group of 1 to k."""
    names = [name for name in CURVE if name in table and name in curves]
    of_group = dict(list(curves.drop_duplicates([*names, "years"]).groupby(names)))
    n = pd.Series({group: _came(curve).sum() for group, curve in of_group.items()})
    n = evened(n, [n.index.get_level_values(level) for level in (0, 1)])
    for group, rows in table.groupby(names, sort=False):
        if group in of_group:
            most = np.ceil(3 * n[group] / k) * k // 3 if {*group} & {*THIRDS} else np.inf
            if len(people := _participants(of_group[group], n[group], most, k)):
                yield rows, of_group[group], people


def _came(curve: pd.DataFrame) -> pd.Series:
    """How many entered since the row before."""
    gone = curve[[name for name in CAUSES if name in curve]].fillna(0).sum(axis=1)
    return (curve["at_risk"] + gone.cumsum() - gone).diff().fillna(curve["at_risk"].iloc[0])


def _participants(curve: pd.DataFrame, n: float, most: float, k: int) -> pd.DataFrame:
    """Entry, years and cause of as many participants as the rounded counts say; who never left is censored at the end.

    ``most``: as many as there can be, as far as is known elsewhere.
    """
    came, years = _came(curve), _grid(curve["years"])
    left = curve[[name for name in CAUSES if name in curve]].fillna(0).groupby(years).sum().cumsum()
    until = left.apply(midpoint, k=k)
    least = (until - midpoint(1, k) + 1).clip(lower=0)
    left_open = least["censored"] + least.drop(columns="censored").iloc[-1].sum() < most
    until["censored"] = until["censored"].where(left_open).ffill().fillna(0)
    entered = (came * n / came.sum()).groupby(years).sum().cumsum().round(6)
    entry = _times(pd.Series(midpoint(entered, k), entered.index)) if n > k else np.array([])
    exits = [(time, CAUSES[name]) for name in until for time in _times(until[name])]
    exits = sorted(exits, key=lambda one: one[0])[: len(entry)]
    exits += [(years.max(), 0)] * (len(entry) - len(exits))
    people = pd.DataFrame(exits, columns=["years", "cause"]).assign(entry=entry - GRID)
    # rounded, more may have left than have entered: they leave when others have
    return people.assign(years=np.maximum(people["years"], entry))


def _grid(years: pd.Series) -> pd.Series:
    """The ends of the steps of `GRID` in which times lie."""
    return (np.ceil((years / GRID).round(6)) * GRID).round(6)


def _times(until: pd.Series) -> np.ndarray:
    """The time of each participant, from cumulative numbers by time."""
    return np.repeat(until.index.to_numpy(), np.diff(until, prepend=0).astype(int))


def _estimated(curve: pd.DataFrame, people: pd.DataFrame, times: np.ndarray | None = None) -> pd.DataFrame:
    """The curve again, of the participants that the rounded counts stand for, or how many of them are at risk at these times."""
    years, cause, entry = (people[name].to_numpy() for name in ("years", "cause", "entry"))
    if times is not None:
        return risk_table(times, years, cause > 0, entry)
    interval = curve["interval"].iloc[0]
    if "incidence" in curve:
        return cumulative_incidence(years, cause, 1, entry, interval=interval)
    return kaplan_meier(years, cause > 0, entry, interval=interval)


def _drawn(table: pd.DataFrame, groups: Iterator[tuple[pd.DataFrame, ...]]) -> pd.DataFrame:
    """The points of each curve, or its numbers at risk at the table's times."""
    parts = [table.iloc[:0]]
    for rows, curve, people in groups:
        points = _estimated(curve, people, None if "interval" in table else rows["years"].to_numpy())
        parts.append(points.assign(**{name: rows[name].iloc[0] for name in CURVE if name in rows}))
    return pd.concat(parts[1:] or parts, ignore_index=True)[list(table)]


def _read_off(made: pd.DataFrame, groups: Iterator[tuple[pd.DataFrame, ...]]) -> pd.DataFrame:
    """Survival or incidence at a time and the median, read off the released curve."""
    made = made.copy()
    for rows, curve, people in groups:
        released = _estimated(curve, people)
        for row in rows[rows["estimate"].notna()].itertuples():
            told = ["estimate", "ci_lower", "ci_upper"]
            if row.measure == "median survival":
                made.loc[row.Index, told] = astuple(median(released))
            elif row.measure in VALUES:
                at = released[released["years"] <= row.horizon].iloc[-1]
                made.loc[row.Index, told] = significant(at[[VALUES[row.measure], *told[1:]]])
    return made
