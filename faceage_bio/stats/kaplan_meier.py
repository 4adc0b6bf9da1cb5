"""Kaplan-Meier curves with delayed entry, their intervals and quantiles, as R's ``survfit``.

Three intervals, each known by its name: "log-log" (Kalbfleisch and Prentice; ours by default, it stays within 0 and 1), "log"
(R's default) and "plain". A number at risk at time t counts those who entered before t and were still followed then.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import stats

from faceage_bio.core.errors import FitError

Interval = Literal["log-log", "log", "plain"]
NORMAL_975 = float(stats.norm.ppf(0.975))
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
        years, at_risk (just before; at time 0 those observed from 0 on), entered (since the row before), events, censored,
        survival, standard_error (Greenwood), ci_lower, ci_upper (NaN where R gives none), interval.

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
    curve = pd.DataFrame({
        "years": np.concatenate([[0.0], times]), "at_risk": np.concatenate([[started[0]], at_risk]),
        "entered": np.diff(started, prepend=0), "events": np.concatenate([[0], died]), "censored": np.concatenate([[0], left]),
        "survival": np.concatenate([[1.0], survival]), "standard_error": np.concatenate([[0.0], error]),
        "ci_lower": np.concatenate([[1.0], lower]), "ci_upper": np.concatenate([[1.0], upper]), "interval": interval,
    })  # fmt: skip
    return curve.astype(dict.fromkeys(("at_risk", "entered", "events", "censored"), "int64"))


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
            lower, upper = (
                estimate * np.exp(-half / estimate),
                np.minimum(estimate * np.exp(half / estimate), 1),
            )
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
    """The time by which ``share`` has died, and the times at which the interval's ends cross that height, as R's ``quantile``.

    A curve that stays at that height for a while gives the middle of the stretch, and so do the interval's ends. The interval
    is of the type of the curve's own.
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
        years, survival (or "incidence", a cumulative incidence), standard_error, ci_lower, ci_upper, events (until then).
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
        years, at_risk (at time 0 those observed from 0 on), entered, events, censored (all until then, the time itself
        included).
    """
    years, event, entry = checked_times(years, event, entry)
    times = np.round(np.asarray(times, dtype=np.float64), DIGITS)

    def until(values: np.ndarray) -> np.ndarray:
        return np.searchsorted(np.sort(values), times, side="right")

    start = np.sum(entry <= 0)
    at_risk = np.where(times == 0, start, number_at_risk(times, years, entry))
    return pd.DataFrame({
        "years": times, "at_risk": at_risk, "entered": until(entry), "events": until(years[event == 1]),
        "censored": until(years[event == 0]),
    })  # fmt: skip
