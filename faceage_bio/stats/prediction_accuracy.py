"""Accuracy of predicted risks where follow-up is censored: areas under ROC curves and Brier scores, with
their paired differences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.kaplan_meier import DIGITS
from faceage_bio.stats.linear import Estimate

CHANCE = 0.5


@dataclass(frozen=True)
class Areas:
    """Areas of k raters of the same cases, with their covariance.

    ``area``: shape (k,); ``covariance``: shape (k, k), of the estimates; ``n_positive`` and ``n_negative``
    cases, and ``n_unknown`` whose kind no participant knows, who tell how many are lost (censored areas).
    """

    area: np.ndarray
    covariance: np.ndarray
    n_positive: int
    n_negative: int
    n_unknown: int = 0

    def of(self, rater: int) -> Estimate:
        """One area with its normal interval, cut at 0 and 1 as pROC does, and the p-value of the test against 0.5.

        Interval and p-value are NaN where the variance is zero: every case of one kind is rated above all of
        the other.
        """
        error = np.sqrt(self.covariance[rater, rater])
        return normal_estimate(self.area[rater], error, null=CHANCE, low=0.0, high=1.0)

    def difference(self, first: int, second: int) -> Estimate:
        """First area minus second, paired (DeLong et al. 1988); NaN beside the estimate where both never differ."""
        c = self.covariance
        variance = c[first, first] + c[second, second] - 2 * c[first, second]
        return normal_estimate(self.area[first] - self.area[second], np.sqrt(max(variance, 0.0)))


def delong(ratings: np.ndarray, positive: np.ndarray) -> Areas:
    """Areas and their covariance (DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595).

    A positive and a negative case with the same rating count one half. Equal to R's pROC ``auc``, ``var`` and
    ``cov``.

    Parameters
    ----------
    ratings : float array, shape (n_cases, k)
        Higher means more likely positive; nothing missing.
    positive : bool array, shape (n_cases,)

    Raises
    ------
    FitError
        Fewer than two cases of a kind.
    """
    above, below = placements(ratings, positive)
    covariance = np.atleast_2d(np.cov(above, rowvar=False)) / len(above)
    covariance = covariance + np.atleast_2d(np.cov(below, rowvar=False)) / len(below)
    return Areas(above.mean(axis=0), covariance, len(above), len(below))


def placements(ratings: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each positive case the share of negatives below it, for each negative the share of positives above it.

    Returns
    -------
    float arrays, shapes (n_positive, k) and (n_negative, k); ties count one half

    Raises
    ------
    FitError
        Fewer than two cases of a kind.
    """
    ratings, positive = np.asarray(ratings, dtype=np.float64), np.asarray(positive, dtype=bool)
    ratings = ratings.reshape(len(positive), -1)
    high, low = ratings[positive], ratings[~positive]
    check_kinds(len(high), len(low))
    ranks = stats.rankdata(ratings, axis=0)
    above = (ranks[positive] - stats.rankdata(high, axis=0)) / len(low)
    below = 1 - (ranks[~positive] - stats.rankdata(low, axis=0)) / len(high)
    return above, below


def check_kinds(n_positive: int, n_negative: int) -> None:
    """Raise a `FitError` unless there are two cases of each kind."""
    if min(n_positive, n_negative) < 2:
        raise FitError("few_cases_or_controls", n_positive=n_positive, n_negative=n_negative)


def normal_estimate(
    value: float, error: float, null: float = 0.0, low: float = -np.inf, high: float = np.inf
) -> Estimate:
    """A normal interval, cut at ``low`` and ``high``, and a two-sided test; NaN where the error is zero."""
    if not error > 1e-12:
        return Estimate(float(value), np.nan, np.nan, np.nan)
    found = Estimate.by_t(value, error, null=null)
    return replace(found, ci_lower=max(found.ci_lower, low), ci_upper=min(found.ci_upper, high))


@dataclass(frozen=True, eq=False)
class Measured:
    """One measure of k scores.

    ``value``: shape (k,); ``influence``: shape (n, k), scaled so that the sum of squares of a column is the
    variance of its value (the infinitesimal jackknife); ``low`` and ``high``: ends of what the measure can
    be; ``null``: its value by chance.
    """

    value: np.ndarray
    influence: np.ndarray
    low: float = 0.0
    high: float = 1.0
    null: float = np.nan

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the values, shape (k, k)."""
        return self.influence.T @ self.influence

    def error(self, score: int) -> float:
        """Standard error of one value."""
        return float(np.sqrt(self.influence[:, score] @ self.influence[:, score]))

    def of(self, score: int) -> Estimate:
        """One value with its normal interval, cut where the measure ends, and the test against chance (NaN if it has none)."""
        return normal_estimate(self.value[score], self.error(score), self.null, self.low, self.high)

    def difference(self, first: int, second: int) -> Estimate:
        """First minus second, paired, with the test against no difference; NaN beside it where the two never differ."""
        apart = self.value[first] - self.value[second]
        return normal_estimate(apart, self.error_of_difference(first, second))

    def error_of_difference(self, first: int, second: int) -> float:
        """Standard error of first minus second, paired."""
        moved = self.influence[:, first] - self.influence[:, second]
        return float(np.sqrt(moved @ moved))

    def clustered(self, labels: np.ndarray) -> "Measured":
        """The same, with rows of one label taken together: they need not be independent."""
        codes, levels = pd.factorize(pd.Series(np.asarray(labels)))
        sums = np.zeros((len(levels), self.influence.shape[1]))
        np.add.at(sums, codes, self.influence)
        return Measured(self.value, sums, self.low, self.high, self.null)


def scaled(influence: np.ndarray) -> np.ndarray:
    """Influence functions (mean over rows = the measure's error) -> the scale of `Measured`, with n - 1 as for a variance."""
    n = len(influence)
    return (influence - influence.mean(axis=0)) / np.sqrt(n * (n - 1))


@dataclass(frozen=True, eq=False)
class Censoring:
    """Weights of one horizon.

    ``case``: died by the horizon; ``control``: seen alive at it; all participants else was lost before and
    weighs nothing. ``free``: the Kaplan-Meier curve G of censoring just before each row's time, and just
    before the horizon for those who reach it.
    """

    case: np.ndarray
    control: np.ndarray
    free: np.ndarray
    _years: np.ndarray
    _losses: np.ndarray  # distinct times before the horizon at which anybody was lost
    _share: np.ndarray  # under observation at each of them
    _hazard: np.ndarray  # lost over share
    _lost_at: np.ndarray  # which of them is the row's own, -1 if none

    def moved(self, parts: np.ndarray) -> np.ndarray:
        """What each row adds, through G, to the sums of ``parts``, which were made with weights 1 / G: shape (n, k), as the parts.

        A part would be larger had a participant been lost before it (martingale of censoring over the number
        under observation, Blanche, Dartigues and Jacqmin-Gadda 2013, doi:10.1002/sim.5958).
        """
        parts = parts.reshape(len(self._years), -1)
        order = np.argsort(self._years, kind="stable")
        none = np.zeros((1, parts.shape[1]))
        running = np.concatenate([none, np.cumsum(parts[order], axis=0)])
        beyond = running[-1] - running[np.searchsorted(self._years, self._losses, "right", sorter=order)]
        beyond = beyond / self._share[:, None]
        passed = np.concatenate([none, np.cumsum(beyond * self._hazard[:, None], axis=0)])
        own = np.concatenate([beyond, none])[self._lost_at]  # the last, nothing, where a row was not lost
        return own - passed[np.searchsorted(self._losses, self._years, "right")]


def censoring(years: np.ndarray, event: np.ndarray, horizon: float) -> Censoring:
    """Who counts at a horizon, and the weights of those who do.

    Parameters
    ----------
    years, event : arrays, shape (n,)
        End of observation, all from time 0 on, and 1 where it is a death.
    horizon : float
        Who is censored exactly then was alive then, and is a control; riskRegression leaves such participants out.
    """
    years, event = np.round(np.asarray(years, dtype=np.float64), DIGITS), np.asarray(event).astype(bool)
    case = event & (years <= horizon)
    lost = ~event & (years < horizon)
    losses, which, n_lost = np.unique(years[lost], return_inverse=True, return_counts=True)
    ordered, deaths = np.sort(years), np.sort(years[event])
    share = len(years) - np.searchsorted(ordered, losses, "left")
    # who dies at a time is no longer at risk of being censored at it; the variance, as riskRegression's, ignores such ties
    dying = np.searchsorted(deaths, losses, "right") - np.searchsorted(deaths, losses, "left")
    with np.errstate(divide="ignore"):
        curve = np.concatenate([[1.0], np.cumprod(1 - n_lost / (share - dying))])
    free = curve[np.searchsorted(losses, years, "left")]
    lost_at = np.full(len(years), -1)
    lost_at[lost] = which
    return Censoring(case, (years >= horizon) & ~case, free, years, losses, share, n_lost / share, lost_at)


def status_at(years: np.ndarray, event: np.ndarray, horizon: float) -> np.ndarray:
    """1.0 died by the horizon, 0.0 seen alive at it, NaN lost before: no participant knows."""
    known = censoring(years, event, horizon)
    return np.where(known.case, 1.0, np.where(known.control, 0.0, np.nan))


def censored_areas(ratings: np.ndarray, years: np.ndarray, event: np.ndarray, horizon: float) -> Areas:
    """The same as `censored_auc`, in the form that inference over readers takes."""
    found, known = censored_auc(ratings, years, event, horizon), censoring(years, event, horizon)
    case, control = int(known.case.sum()), int(known.control.sum())
    return Areas(found.value, found.covariance, case, control, len(known.case) - case - control)


def censored_auc(ratings: np.ndarray, years: np.ndarray, event: np.ndarray, horizon: float) -> Measured:
    """Areas for death by the horizon (cumulative/dynamic AUC), weighted by the inverse probability of being uncensored.

    Cases are those who died by the horizon, each weighted by 1 / G(t-) at its own death, where G is the
    Kaplan-Meier curve of censoring; controls those alive at the horizon, whose common weight cancels (Uno et
    al. 2007, doi:10.1198/016214507000000149; Hung and Chiang 2010, doi:10.1002/cjs.10046). The errors come
    from influence functions that include the estimation of G (Blanche, Dartigues and Jacqmin-Gadda 2013,
    doi:10.1002/sim.5958), and equal riskRegression's. Unlike leaving out whoever was lost, this is right if
    participants are lost sooner or later for reasons that the ratings do not know.

    Parameters
    ----------
    ratings : float array, shape (n, k)
        Higher means more likely to die; nothing missing.
    years, event : float arrays, shape (n,)
    horizon : float
        Years.

    Raises
    ------
    FitError
        Fewer than two deaths by the horizon, or fewer than two participants alive at it.
    """
    ratings = np.asarray(ratings, dtype=np.float64).reshape(len(years), -1)
    known, n = censoring(years, event, horizon), len(ratings)
    case, control = known.case, known.control
    check_kinds(int(case.sum()), int(control.sum()))
    weight = 1 / known.free[case]
    share = weight / weight.sum()
    area, influence = np.empty(ratings.shape[1]), np.zeros_like(ratings)
    for number, rating in enumerate(ratings.T):
        above, below = _wins(rating[case], rating[control], share)
        area[number] = share @ above
        influence[case, number] = n * share * (above - area[number])
        influence[control, number] = n * (below - area[number]) / len(below)
    parts = np.where(case[:, None], influence, 0.0)
    return Measured(area, scaled(influence + known.moved(parts)), null=CHANCE)


def _wins(high: np.ndarray, low: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of controls below each case, and of the cases' weights above each control; ties count one half."""
    above = _below(low, np.ones(len(low)), high) / len(low)
    return above, share.sum() - _below(high, share, low)


def _below(values: np.ndarray, weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weight of the ``values`` below each of ``at``, half of those equal to it."""
    order = np.argsort(values)
    running = np.concatenate([[0.0], np.cumsum(weights[order])])
    upto, under = (running[np.searchsorted(values[order], at, side)] for side in ("right", "left"))
    return (upto + under) / 2


def brier(risks: np.ndarray, years: np.ndarray, event: np.ndarray, horizon: float) -> Measured:
    """Mean squared distance of predicted risk and outcome at a horizon, weighted by the inverse probability of being uncensored.

    As riskRegression's ``Score``, errors from influence functions that include the estimation of the weights
    (Gerds and Schumacher 2006, doi:10.1002/bimj.200610301; Blanche et al. 2015, doi:10.1111/biom.12232).

    Parameters
    ----------
    risks : array, shape (n,) or (n, k)
        Predicted probability of having died by the horizon.
    years, event : arrays, shape (n,)
    horizon : float

    Raises
    ------
    FitError
        A risk is missing or no probability, or no participant is followed so long.
    """
    risks = np.asarray(risks, dtype=np.float64).reshape(len(years), -1)
    if not ((risks >= 0) & (risks <= 1)).all():
        raise FitError("bad_risk")
    known = censoring(years, event, horizon)
    if not (known.case.any() or known.control.any()):
        raise FitError("not_followed_so_long")
    weight = np.where(known.case | known.control, 1 / np.where(known.free > 0, known.free, 1.0), 0.0)
    distance = (known.case[:, None] - risks) ** 2 * weight[:, None]
    value = distance.mean(axis=0)
    return Measured(value, scaled(distance - value + known.moved(distance)))


def integrated(scores: Sequence[Measured], times: Sequence[float]) -> Measured:
    """Brier scores averaged over time from 0 (where there is no error yet) to the last of ``times``, by the trapezium rule."""
    times = np.concatenate([[0.0], np.asarray(times, dtype=np.float64)])
    steps = np.diff(times)
    shares = (steps + np.append(steps[1:], 0.0)) / 2 / times[-1]
    value = sum(share * score.value for share, score in zip(shares, scores, strict=True))
    influence = sum(share * score.influence for share, score in zip(shares, scores, strict=True))
    return Measured(value, influence)


def against(scores: Measured, reference: int) -> Measured:
    """Share of the reference's Brier score that each prediction saves (scaled Brier score, index of prediction accuracy).

    The reference usually is the same risk for all participants, that of the Kaplan-Meier curve. 1 is perfect,
    0 no better; it may be negative. Its own value is 0 without error.
    """
    base = scores.value[reference]
    ratio = scores.value / base
    moved = -scores.influence / base + np.outer(scores.influence[:, reference], ratio / base)
    return Measured(1 - ratio, moved, low=-np.inf, null=0.0)
