"""Kaplan-Meier curves and comparisons of groups with delayed entry: survival, restricted means, log-rank tests.

Kaplan-Meier curves with delayed entry, their intervals and quantiles, as R's ``survfit``.

Three intervals, each known by its name: "log-log" (Kalbfleisch and Prentice; ours by default, it stays within
0 and 1), "log" (R's default) and "plain". A number at risk at time t counts those who entered before t and
were still followed then.

Log-rank tests of k groups: with delayed entry, stratified, weighted (Fleming and Harrington), and for trend.

At each death those at risk are drawn from as from an urn: observed less expected deaths, and their
hypergeometric variance, add up over deaths and strata. Equal to R's ``survdiff``, and with delayed entry to
the score test of ``coxph(ties = "exact")``.

Restricted mean survival: the area under the Kaplan-Meier curve up to a horizon (Royston and Parmar 2013).

A difference of areas needs no proportional hazards. The variance is that of the estimate, sum of A^2 d / (n
(n - d)) with A the area from a death to the horizon, as R's ``print(survfit, rmean=)``; lifelines gives that
of min(T, horizon) instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import NORMAL_975

Interval = Literal["log-log", "log", "plain"]
COUNTS = ("at_risk", "entered", "events", "other_events", "censored")
DIGITS = 8  # times closer than this are ties, as R's timefix takes them
TOLERANCE = 2.0**-26  # R's: the square root of the machine precision


def kaplan_meier(
    years: np.ndarray,
    event: np.ndarray,
    entry: np.ndarray | None = None,
    *,
    interval: Interval = "log-log",
) -> pd.DataFrame:
    """Survival at each time at which a participant died or left, from time 0.

    Parameters
    ----------
    years : array of float, shape (n,)
        End of observation.
    event : array, shape (n,)
        1 = died then, 0 = censored.
    entry : array of float, shape (n,), optional
        Start of observation; NaN = from time 0. Somebody is at risk after it, not at it.
    interval : "log-log", "log" or "plain"

    Returns
    -------
    DataFrame
        years, at_risk (just before; at time 0 those observed from 0 on), entered (since the row before),
        events, censored, survival, standard_error (Greenwood), ci_lower, ci_upper (NaN where R gives none),
        interval.

    Raises
    ------
    FitError
        A time that is missing or negative, or an entry that is not before its exit.
    """
    years, event, entry = checked_times(years, event, entry)
    times, place = np.unique(years, return_inverse=True)
    died = np.bincount(place, weights=event, minlength=len(times))
    left = np.bincount(place, weights=1 - event, minlength=len(times))
    at_risk = number_at_risk(times, years, entry)
    survival = np.cumprod(1 - died / at_risk)
    spread = np.sqrt(np.cumsum(hazard_variance(died, at_risk)))  # of log survival
    with np.errstate(invalid="ignore"):
        error = np.where(survival > 0, survival * spread, np.nan)
    lower, upper = confidence_limits(survival, error, interval)
    started = np.searchsorted(np.sort(entry), np.concatenate([[0.0], times]), side="left")
    started[0] = np.sum(entry <= 0)
    entered = np.diff(started, prepend=0)
    return step_curve(
        interval,
        years=(0.0, times),
        at_risk=(started[0], at_risk),
        entered=(entered[0], entered[1:]),
        events=(0, died),
        censored=(0, left),
        survival=(1.0, survival),
        standard_error=(0.0, error),
        ci_lower=(1.0, lower),
        ci_upper=(1.0, upper),
    )


def step_curve(interval: Interval, **columns: tuple[float, np.ndarray]) -> pd.DataFrame:
    """A row at time 0 and one at each later time: of each column its first value and the others; counts are whole numbers."""
    curve = pd.DataFrame({name: np.append(first, later) for name, (first, later) in columns.items()})
    return curve.astype({name: "int64" for name in COUNTS if name in curve}).assign(interval=interval)


def checked_times(
    years: np.ndarray, event: np.ndarray, entry: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times as floats with near ties made ties, and an entry for all participants (0 = from the start)."""
    years = np.round(np.asarray(years, dtype=np.float64), DIGITS)
    event = np.asarray(event, dtype=np.float64)
    if not np.isfinite(years).all() or (years < 0).any():
        raise FitError("bad_time", limit="negative")
    if not np.isfinite(event).all():
        raise FitError("missing_event")
    if entry is None:
        return years, event, np.full(len(years), -np.inf)
    entry = np.round(np.asarray(entry, dtype=np.float64), DIGITS)
    entry = np.where(np.isnan(entry) | (entry <= 0), -np.inf, entry)  # before 0 nobody can leave
    if (entry >= years).any():
        raise FitError("late_start")
    return years, event, entry


def number_at_risk(times: np.ndarray, years: np.ndarray, entry: np.ndarray) -> np.ndarray:
    """How many entered before each time and are followed until it or longer."""
    entered = np.searchsorted(np.sort(entry), times, side="left")
    return entered - np.searchsorted(np.sort(years), times, side="left")


def number_at(times: np.ndarray, years: Sequence[np.ndarray]) -> np.ndarray:
    """How many of each group's ``years`` are each of the ``times``, among which all of them are; shape (groups, times)."""
    return np.array([np.bincount(np.searchsorted(times, own), minlength=len(times)) for own in years])


def hazard_variance(died: np.ndarray, at_risk: np.ndarray) -> np.ndarray:
    """Greenwood's terms d / (n (n - d)); infinite where all at risk died."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(died > 0, died / (at_risk * (at_risk - died)), 0.0)


def confidence_limits(
    estimate: np.ndarray, error: np.ndarray, interval: Interval
) -> tuple[np.ndarray, np.ndarray]:
    """95% limits of probabilities with these standard errors; NaN where the scale has none (log of 0).

    A probability of exactly 1 without any error (no participant has died yet) has the limits 1 and 1.

    Raises
    ------
    FitError
        An interval of another name.
    """
    if interval not in get_args(Interval):
        raise FitError(
            "unknown_option", option="interval", value=interval, known=", ".join(get_args(Interval))
        )
    estimate, error = np.asarray(estimate, dtype=np.float64), np.asarray(error, dtype=np.float64)
    half = NORMAL_975 * error
    with np.errstate(divide="ignore", invalid="ignore"):
        if interval == "plain":
            lower, upper = np.maximum(estimate - half, 0), np.minimum(estimate + half, 1)
        elif interval == "log":
            factor = np.exp(half / estimate)
            lower, upper = estimate * np.exp(-half / estimate), np.minimum(estimate * factor, 1)
        else:
            power = np.exp(half / (estimate * np.log(estimate)))  # below 1, since the logarithm is negative
            lower, upper = estimate ** (1 / power), estimate**power
            inside = (estimate > 0) & (estimate < 1)
            lower, upper = (
                np.where(inside, end, np.where(estimate == 1, 1.0, np.nan)) for end in (lower, upper)
            )
    return lower, upper


@dataclass(frozen=True)
class Quantile:
    """Time by which a share has died, with its 95% interval; NaN where it is not reached."""

    estimate: float
    ci_lower: float
    ci_upper: float


def quantile(curve: pd.DataFrame, share: float) -> Quantile:
    """The time by which ``share`` has died, and the times at which the interval's ends cross that height, as R's ``print(survfit)``.

    A curve that stays at that height for a while gives the middle of the stretch, and so do the interval's
    ends; where it ends at that height, the first time (R's ``quantile`` the middle to the last time). The
    interval is of the type of the curve's own.
    """
    height = 1 - share

    def crossing(values: pd.Series) -> float:
        below = (values < height + TOLERANCE).to_numpy()
        low, heights = curve.loc[below, "years"].to_numpy(), values.to_numpy()[below]
        if not len(low):
            return np.nan
        further = np.flatnonzero(heights < heights[0])
        if abs(heights[0] - height) < TOLERANCE and len(further):
            return float((low[0] + low[further[0]]) / 2)
        return float(low[0])

    return Quantile(crossing(curve["survival"]), crossing(curve["ci_lower"]), crossing(curve["ci_upper"]))


def median(curve: pd.DataFrame) -> Quantile:
    """Median survival with its interval, as R's ``print(survfit)``."""
    return quantile(curve, 0.5)


def median_followup(
    years: np.ndarray,
    event: np.ndarray,
    entry: np.ndarray | None = None,
    *,
    interval: Interval = "log-log",
) -> Quantile:
    """Reverse Kaplan-Meier: the median time under observation if no participant had died (Schemper and Smith 1996)."""
    return median(kaplan_meier(years, 1 - np.asarray(event, dtype=np.float64), entry, interval=interval))


def height_at(curve: pd.DataFrame, times: np.ndarray, height: str = "survival") -> pd.DataFrame:
    """The curve's height at given times, as R's ``summary(survfit, times=)``; NaN beyond the last time anybody was followed.

    Returns
    -------
    DataFrame, one row per time
        years, survival (or "incidence", a cumulative incidence), standard_error, ci_lower, ci_upper, events
        (until then).
    """
    times = np.round(np.asarray(times, dtype=np.float64), DIGITS)
    ends = curve["years"].to_numpy()
    place = np.searchsorted(ends, times, side="right") - 1
    numbers = [height, "standard_error", "ci_lower", "ci_upper"]
    found = curve[numbers].iloc[place].reset_index(drop=True)
    found.loc[times > ends[-1], numbers] = np.nan
    found.insert(0, "years", times)
    return found.assign(events=curve["events"].cumsum().to_numpy()[place])


def risk_table(
    times: np.ndarray, years: np.ndarray, event: np.ndarray, entry: np.ndarray | None = None
) -> pd.DataFrame:
    """Who is at risk at given times, and who died or left until then.

    Returns
    -------
    DataFrame, one row per time
        years, at_risk (at time 0 those observed from 0 on), entered, events, censored (all until then, the
        time itself included).
    """
    years, event, entry = checked_times(years, event, entry)
    times = np.round(np.asarray(times, dtype=np.float64), DIGITS)

    def until(values: np.ndarray) -> np.ndarray:
        return np.searchsorted(np.sort(values), times, side="right")

    at_risk = np.where(times == 0, np.sum(entry <= 0), number_at_risk(times, years, entry))
    died, left = until(years[event == 1]), until(years[event == 0])
    columns = {"at_risk": at_risk, "entered": until(entry), "events": died, "censored": left}
    return pd.DataFrame({"years": times, **columns})


class Test(NamedTuple):
    """A chi-square statistic; NaN where there is nothing to compare."""

    chi_square: float
    df: int
    p_value: float


@dataclass(frozen=True)
class Scores:
    """Of each group its weighted deaths (observed), what they would be if all groups were alike, and the covariance."""

    groups: list
    observed: np.ndarray
    expected: np.ndarray
    covariance: np.ndarray


def log_rank_scores(
    years: np.ndarray,
    event: np.ndarray,
    group: np.ndarray,
    entry: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    weights: tuple[float, float] = (0.0, 0.0),
) -> Scores:
    """Observed and expected deaths of each group.

    Parameters
    ----------
    years, event, entry : as in `kaplan_meier`
    group : array, shape (n,)
        Any labels that can be sorted.
    strata : array, shape (n,), optional
        Groups are compared within each stratum only.
    weights : (p, q)
        Deaths count S^p (1 - S)^q with S the stratum's survival just before: (0, 0) is the log-rank test, (1,
        0) looks at early differences (R's ``rho = 1``), (0, 1) at late ones.
    """
    years, event, entry = checked_times(years, event, entry)
    names, code = np.unique(np.asarray(group), return_inverse=True)
    parts = np.zeros(len(years), dtype=int) if strata is None else pd.factorize(np.asarray(strata))[0]
    k = len(names)
    observed, expected, covariance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for part in np.unique(parts):
        mine = parts == part
        times = np.unique(years[mine & (event == 1)])
        members = [mine & (code == one) for one in range(k)]
        at_risk = np.array([number_at_risk(times, years[m], entry[m]) for m in members], dtype=np.float64)
        died = number_at(times, [years[m & (event == 1)] for m in members])
        n, d = at_risk.sum(axis=0), died.sum(axis=0)
        survival = np.concatenate([[1.0], np.cumprod(1 - d / n)[:-1]]) if len(times) else np.empty(0)
        weight = survival ** weights[0] * (1 - survival) ** weights[1]
        share = at_risk / n
        observed += died @ weight
        expected += share @ (weight * d)
        spread = weight**2 * d * (n - d) / np.maximum(n - 1, 1)
        covariance += np.diag(share @ spread) - (share * spread) @ share.T
    return Scores(names.tolist(), observed, expected, covariance)


def log_rank(
    years: np.ndarray,
    event: np.ndarray,
    group: np.ndarray,
    entry: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    weights: tuple[float, float] = (0.0, 0.0),
) -> Test:
    """Whether survival differs between k groups; a group that is never at risk at a death does not count, as in R.

    Parameters as in `log_rank_scores`; NaN with one group or without deaths.
    """
    scores = log_rank_scores(years, event, group, entry, strata, weights)
    known = scores.expected > 0
    if known.sum() < 2:
        return Test(np.nan, max(int(known.sum()) - 1, 0), np.nan)
    excess = (scores.observed - scores.expected)[known][1:]
    covariance = scores.covariance[np.ix_(known, known)][1:, 1:]
    if np.linalg.matrix_rank(covariance) < len(excess):
        return Test(np.nan, len(excess), np.nan)
    return chi_square(excess @ np.linalg.solve(covariance, excess), len(excess))


def log_rank_trend(
    years: np.ndarray,
    event: np.ndarray,
    score: np.ndarray,
    entry: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    weights: tuple[float, float] = (0.0, 0.0),
) -> Test:
    """Whether the hazard rises (or falls) over ordered groups, whose ``score`` is a number (Tarone 1975); 1 degree of freedom."""
    scores = log_rank_scores(years, event, np.asarray(score, dtype=np.float64), entry, strata, weights)
    places = np.asarray(scores.groups)
    variance = places @ scores.covariance @ places
    if not variance > 1e-12 * max(1.0, places @ places):
        return Test(np.nan, 1, np.nan)
    return chi_square((places @ (scores.observed - scores.expected)) ** 2 / variance, 1)


def chi_square(value: float, df: int) -> Test:
    """A statistic with its p-value."""
    return Test(float(value), df, float(stats.chi2.sf(value, df)))


def scores_of(ordered: Sequence[object], group: pd.Series) -> np.ndarray:
    """1 for the first of the ordered groups, 2 for the second ...: a group that no participant is in keeps its place."""
    return group.map({name: place for place, name in enumerate(ordered, start=1)}).to_numpy(dtype=np.float64)


@dataclass(frozen=True)
class RestrictedMean:
    """Years lived within the horizon, on average, and the estimate's standard error."""

    estimate: float
    standard_error: float

    @property
    def ci_lower(self) -> float:
        return self.estimate - NORMAL_975 * self.standard_error

    @property
    def ci_upper(self) -> float:
        return self.estimate + NORMAL_975 * self.standard_error


@dataclass(frozen=True)
class Contrast:
    """A difference or ratio of two areas with Wald's interval and p-value."""

    estimate: float
    ci_lower: float
    ci_upper: float
    p_value: float
    standard_error: float  # of a ratio's logarithm


def restricted_mean(curve: pd.DataFrame, horizon: float) -> RestrictedMean:
    """Area under a curve of `kaplan_meier` up to ``horizon`` years.

    Raises
    ------
    FitError
        No participant was followed that long while some still lived, so that the curve is not known up to
        there; no participant died before, or all at one time, so that the estimate has no known error.
    """
    horizon = round(horizon, DIGITS)
    times, survival = curve["years"].to_numpy(), curve["survival"].to_numpy()
    if horizon <= 0:
        raise FitError("horizon_before_start", years=horizon)
    if times[-1] < horizon and survival[-1] > 0:
        raise FitError("horizon_after_follow_up", years=horizon)
    inside = times < horizon
    widths = np.diff(np.append(times[inside], horizon))
    areas = survival[inside] * widths
    from_here = areas[::-1].cumsum()[::-1]  # from each time to the horizon
    died, at_risk = curve["events"].to_numpy()[inside], curve["at_risk"].to_numpy()[inside]
    if not died.any():
        raise FitError("no_events_within", years=horizon)
    terms = hazard_variance(died, at_risk)
    # where all at risk died the curve is 0 from there on, and so is the area
    variance = np.sum(from_here**2 * np.where(np.isfinite(terms), terms, 0.0))
    if not variance > 0:
        raise FitError("no_error_of_mean")
    return RestrictedMean(float(areas.sum()), float(np.sqrt(variance)))


def difference(one: RestrictedMean, reference: RestrictedMean) -> Contrast:
    """Years lived more within the horizon than in the reference group."""
    return _wald(one.estimate - reference.estimate, np.hypot(one.standard_error, reference.standard_error))


def ratio(one: RestrictedMean, reference: RestrictedMean) -> Contrast:
    """Areas' ratio, its error by the delta method on the logarithm."""
    error = np.hypot(one.standard_error / one.estimate, reference.standard_error / reference.estimate)
    found = _wald(np.log(one.estimate / reference.estimate), error)
    estimate, lower, upper = np.exp([found.estimate, found.ci_lower, found.ci_upper]).tolist()
    return Contrast(estimate, lower, upper, found.p_value, float(error))


def _wald(estimate: float, error: float) -> Contrast:
    half = NORMAL_975 * error
    p_value = 2 * stats.norm.sf(abs(estimate) / error)
    return Contrast(*map(float, (estimate, estimate - half, estimate + half, p_value, error)))
