"""Restricted mean survival: the area under the Kaplan-Meier curve up to a horizon (Royston and Parmar 2013).

A difference of areas needs no proportional hazards. The variance is that of the estimate, sum of A^2 d / (n (n - d)) with A the
area from a death to the horizon, as R's ``print(survfit, rmean=)``; lifelines gives that of min(T, horizon) instead.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.kaplan_meier import DIGITS, NORMAL_975, hazard_variance


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
        No participant was followed that long while some still lived, so that the curve is not known up to there; no participant died before, so
        that the estimate has no known error.
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
    return RestrictedMean(float(areas.sum()), float(np.sqrt(variance)))


def difference(one: RestrictedMean, reference: RestrictedMean) -> Contrast:
    """Years lived more within the horizon than in the reference group.

    Raises
    ------
    FitError
        Neither area has an error: in both groups all die at one time.
    """
    return _wald(one.estimate - reference.estimate, np.hypot(one.standard_error, reference.standard_error))


def ratio(one: RestrictedMean, reference: RestrictedMean) -> Contrast:
    """Areas' ratio, its error by the delta method on the logarithm.

    Raises
    ------
    FitError
        All participants of a group died at time 0, so that its area is 0; neither area has an error.
    """
    if one.estimate <= 0 or reference.estimate <= 0:
        raise FitError("no_time_lived")
    error = np.hypot(one.standard_error / one.estimate, reference.standard_error / reference.estimate)
    found = _wald(np.log(one.estimate / reference.estimate), error)
    estimate, lower, upper = np.exp([found.estimate, found.ci_lower, found.ci_upper]).tolist()
    return Contrast(estimate, lower, upper, found.p_value, float(error))


def _wald(estimate: float, error: float) -> Contrast:
    if not error > 0:
        raise FitError("no_error_of_means")
    half = NORMAL_975 * error
    return Contrast(
        float(estimate),
        float(estimate - half),
        float(estimate + half),
        float(2 * stats.norm.sf(abs(estimate) / error)),
        float(error),
    )
