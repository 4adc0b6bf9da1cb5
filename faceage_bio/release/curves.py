"""Survival curves for release: every number from rounded cumulative counts, as OpenSAFELY's Kaplan-Meier action.

Per curve, cumulative entries, events and censorings are rounded, then differenced. Numbers at risk, survival, its standard error and
interval, and cumulative incidence follow from the rounded numbers, at the times at which a rounded number changes.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from faceage_bio.release.rounding import midpoint, significant
from faceage_bio.stats.competing_risks import cumulative_incidence
from faceage_bio.stats.kaplan_meier import NORMAL_975

SURVIVAL_TABLES = {
    "survival/kaplan_meier", "survival/at_risk", "survival/cumulative_incidence", "survival/incidence_at_risk",
}  # fmt: skip
GRID = 0.1  # years: at the exact time of a change the exact count would be the first of its step
MEDIAN = "median survival"
AT_A_TIME = {"survival", "cumulative incidence", MEDIAN}  # measures that are read off a curve
CURVE = ("cohort", "grouping", "group", "cause")


def release_survival(tables: Mapping[str, pd.DataFrame], k: int) -> dict[str, pd.DataFrame]:
    """Kaplan-Meier, cumulative incidence and numbers at risk of one cohort from rounded counts.

    Parameters
    ----------
    tables : by name in `SURVIVAL_TABLES`; some may be absent or empty
    k : rounding of counts, 2 or more
    """
    steps = {"survival/kaplan_meier": _kaplan_meier, "survival/cumulative_incidence": _incidence}
    made = {}
    for name, table in tables.items():
        made[name] = (
            _each_curve(table, steps[name], k) if name in steps else _each_curve(table, _numbers_at_risk, k)
        )
    return made


def release_probabilities(
    released: pd.DataFrame, exact: pd.DataFrame, curves: pd.DataFrame, value: str
) -> pd.DataFrame:
    """Survival or incidence at a time, read off the released curve, with its interval where the curve has one.

    Parameters
    ----------
    released, exact : survival/summary or survival/competing_risks after and before the rule
    curves : the released curves
    value : column of ``curves``: survival, incidence
    """
    made = released.copy()
    names = [name for name in CURVE if name in curves and name in exact]
    by_group = dict(list(curves.groupby(names, dropna=False))) if len(curves) else {}
    for row in exact.index:
        curve = by_group.get(tuple(exact.at[row, name] for name in names))
        if exact.at[row, "measure"] not in AT_A_TIME or curve is None or pd.isna(exact.at[row, "estimate"]):
            continue
        if exact.at[row, "measure"] == MEDIAN:
            for column, told in (("estimate", value), ("ci_lower", "ci_lower"), ("ci_upper", "ci_upper")):
                reached = curve.loc[curve[told] <= 0.5, "years"]
                made.at[row, column] = reached.iloc[0] if len(reached) else np.nan
            continue
        last = curve[curve["years"] <= exact.at[row, "horizon"]].iloc[-1]
        for column, told in (("estimate", value), ("ci_lower", "ci_lower"), ("ci_upper", "ci_upper")):
            made.at[row, column] = significant([last[told]])[0]
    return made


def _each_curve(table: pd.DataFrame, make: Callable, k: int) -> pd.DataFrame:
    if not len(table):
        return table.copy()
    names = [name for name in CURVE if name in table]
    parts = [
        make(curve.sort_values("years", kind="stable"), k) for _, curve in table.groupby(names, sort=False)
    ]
    parts = [part for part in parts if len(part)]
    if not parts:
        return table.iloc[:0].copy()
    return pd.concat(parts, ignore_index=True)[list(table.columns)]


def _rounded(curve: pd.DataFrame, column: str, k: int) -> np.ndarray:
    """Cumulative counts at the curve's times, rounded."""
    return midpoint(curve[column].fillna(0).cumsum().to_numpy(dtype=float), k)


def _differences(cumulative: np.ndarray) -> np.ndarray:
    return np.diff(cumulative, prepend=0.0)


def _counts(curve: pd.DataFrame, events: list[str], k: int) -> pd.DataFrame | None:
    """At risk and changes from the rounded cumulative counts; None for a curve of 1 to k participants."""
    curve = _on_grid(curve, [*events, "censored", *(["entered"] if "entered" in curve else [])])
    all_participants = curve["entered"].sum() if "entered" in curve else curve["at_risk"].iloc[0]
    if all_participants <= k:
        return None
    left = {name: _rounded(curve, name, k) for name in (*events, "censored")}
    came = (
        _rounded(curve, "entered", k)
        if "entered" in curve
        else np.full(len(curve), midpoint(float(all_participants), k))
    )
    gone = sum(left.values())
    before = np.concatenate([[0.0], gone[:-1]])
    made = curve.assign(
        at_risk=np.maximum(came - before, 0.0), **{name: _differences(one) for name, one in left.items()}
    )
    if "entered" in curve:
        made["entered"] = _differences(came)
    for name in events:  # more events than participants at risk would make survival negative
        made[name] = np.minimum(made[name], made["at_risk"])
    changes = np.zeros(len(made), dtype=bool)
    changes[0] = True
    for name in (*events, "censored", *(["entered"] if "entered" in curve else [])):
        changes |= made[name].to_numpy() != 0
    return made[changes]


def _on_grid(curve: pd.DataFrame, counted: list[str]) -> pd.DataFrame:
    """What happened within each step of `GRID`, at its end."""
    ends = (np.ceil((curve["years"] / GRID).round(6)) * GRID).round(6)
    joined = {name: "sum" if name in counted else "first" for name in curve if name != "years"}
    return curve.assign(years=ends).groupby("years", sort=True).agg(joined).reset_index()[list(curve)]


def _kaplan_meier(curve: pd.DataFrame, k: int) -> pd.DataFrame:
    made = _counts(curve, ["events"], k)
    if made is None:
        return curve.iloc[:0]
    at_risk, events = made["at_risk"].to_numpy(), made["events"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(np.where(at_risk > 0, 1 - events / at_risk, 1.0))
        terms = np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0)
        greenwood = np.sqrt(np.cumsum(terms))
        error = survival * greenwood
    made["survival"] = survival
    made["standard_error"] = np.where(np.isfinite(error), error, np.nan)
    if {"ci_lower", "ci_upper"} <= set(made):
        kind = str(made["interval"].iloc[0]) if "interval" in made else "log-log"
        made["ci_lower"], made["ci_upper"] = _interval(survival, greenwood, kind)
    return made


def _interval(survival: np.ndarray, greenwood: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """95% interval of a survival probability from the standard error of its logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "log":
            low, high = survival * np.exp(-NORMAL_975 * greenwood), survival * np.exp(NORMAL_975 * greenwood)
        elif kind == "plain":
            low, high = survival * (1 - NORMAL_975 * greenwood), survival * (1 + NORMAL_975 * greenwood)
        else:
            spread = NORMAL_975 * greenwood / np.log(survival)
            low, high = survival ** np.exp(-spread), survival ** np.exp(spread)
    edge = survival == 1
    low, high = np.where(edge, 1.0, low), np.where(edge, 1.0, high)
    return np.clip(np.minimum(low, high), 0, 1), np.clip(np.maximum(low, high), 0, 1)


def _incidence(curve: pd.DataFrame, k: int) -> pd.DataFrame:
    """Aalen-Johansen of participants who leave as the rounded counts say; who is left is censored at the end."""
    made = _counts(curve, ["events", "other_events"], k)
    if made is None:
        return curve.iloc[:0]
    left = made[["events", "other_events", "censored"]].to_numpy(dtype=int)
    rest = int(made["at_risk"].iloc[0]) - left.sum()
    years = np.repeat(np.repeat(made["years"].to_numpy(), 3), left.ravel())
    cause = np.repeat(np.tile([1, 2, 0], len(made)), left.ravel())
    ends = np.full(max(rest, 0), made["years"].iloc[-1])
    if not len(years) + len(ends):
        return curve.iloc[:0]
    found = cumulative_incidence(
        np.concatenate([years, ends]),
        np.concatenate([cause, np.zeros(len(ends))]),
        1,
        interval=str(curve["interval"].iloc[0]),
    )
    names = {name: curve[name].iloc[0] for name in CURVE if name in curve}
    return found.assign(**names)


def _numbers_at_risk(table: pd.DataFrame, k: int) -> pd.DataFrame:
    """Numbers at risk at round times, whose entries, events and censorings are cumulative: each rounded, at risk their difference."""
    if table["entered"].max() <= k:
        return table.iloc[:0]
    made = table.copy()
    for name in ("entered", "events", "censored"):
        made[name] = midpoint(made[name].astype(float), k)
    made["at_risk"] = np.maximum(made["entered"] - made["events"] - made["censored"], 0.0)
    return made
