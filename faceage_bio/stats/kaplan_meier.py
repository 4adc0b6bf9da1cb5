"""Kaplan-Meier curves with numbers at risk as data, medians, log-rank test and reverse Kaplan-Meier follow-up.

Intervals are log-log (Kalbfleisch and Prentice); R's default is ``log``, its ``conf.type = "log-log"`` equals these.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

NORMAL_975 = float(stats.norm.ppf(0.975))


def kaplan_meier(years: np.ndarray, event: np.ndarray) -> pd.DataFrame:
    """Survival at each time at which somebody died or left, from time 0.

    Returns
    -------
    DataFrame
        years, at_risk (just before), events, censored, survival, ci_lower, ci_upper (NaN where R gives none).
    """
    years, event = np.asarray(years, dtype=np.float64), np.asarray(event, dtype=np.float64)
    times, place = np.unique(np.round(years, 8), return_inverse=True)
    died = np.bincount(place, weights=event, minlength=len(times))
    left = np.bincount(place, weights=1 - event, minlength=len(times))
    at_risk = len(years) - np.concatenate([[0], np.cumsum(died + left)[:-1]])
    survival = np.cumprod(1 - died / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(died / (at_risk * (at_risk - died)))
        half = NORMAL_975 * np.sqrt(variance) / np.log(survival)
        lower, upper = survival ** np.exp(-half), survival ** np.exp(half)
    inside = (survival > 0) & (survival < 1)
    curve = pd.DataFrame({
        "years": times, "at_risk": at_risk, "events": died, "censored": left, "survival": survival,
        "ci_lower": np.where(inside, lower, np.where(survival == 1, 1.0, np.nan)),
        "ci_upper": np.where(inside, upper, np.where(survival == 1, 1.0, np.nan)),
    })  # fmt: skip
    start = pd.DataFrame(
        {
            "years": [0.0],
            "at_risk": [float(len(years))],
            "events": [0.0],
            "censored": [0.0],
            "survival": [1.0],
            "ci_lower": [1.0],
            "ci_upper": [1.0],
        }
    )
    curve = pd.concat([start, curve], ignore_index=True)
    return curve.astype({"at_risk": "int64", "events": "int64", "censored": "int64"})


@dataclass(frozen=True)
class Median:
    """Time at which half have died, with its 95 % interval; NaN where it is not reached."""

    estimate: float
    ci_lower: float
    ci_upper: float


HALF_TOLERANCE = 2.0**-26  # R's: the square root of the machine precision


def median(curve: pd.DataFrame) -> Median:
    """Median survival and the times at which the interval's ends cross one half, as R's ``print(survfit)``.

    A curve that stays at one half for a while gives the middle of that stretch, and so do the interval's ends.
    """

    def crossing(values: pd.Series) -> float:
        low = curve.loc[(values < 0.5 + HALF_TOLERANCE).to_numpy(), "years"].to_numpy()
        heights = values[values < 0.5 + HALF_TOLERANCE].to_numpy()
        if not len(low):
            return np.nan
        further = np.flatnonzero(heights < heights[0])
        if abs(heights[0] - 0.5) < HALF_TOLERANCE and len(further):
            return float((low[0] + low[further[0]]) / 2)
        return float(low[0])

    return Median(crossing(curve["survival"]), crossing(curve["ci_lower"]), crossing(curve["ci_upper"]))


def median_followup(years: np.ndarray, event: np.ndarray) -> Median:
    """Reverse Kaplan-Meier: the median time under observation if nobody had died (Schemper and Smith 1996)."""
    return median(kaplan_meier(years, 1 - np.asarray(event, dtype=np.float64)))


def log_rank(years: np.ndarray, event: np.ndarray, group: np.ndarray) -> tuple[float, int, float]:
    """Log-rank test of k groups, as R's ``survdiff``: chi-square, degrees of freedom, p-value (NaN with one group)."""
    from lifelines.statistics import multivariate_logrank_test

    if len(np.unique(group)) < 2:
        return np.nan, 0, np.nan
    test = multivariate_logrank_test(np.round(years, 8), group, event)
    return float(test.test_statistic), len(np.unique(group)) - 1, float(test.p_value)
