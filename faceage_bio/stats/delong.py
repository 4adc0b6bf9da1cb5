"""Areas under ROC curves that share their cases: Mann-Whitney areas with DeLong's covariance."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import Estimate

CHANCE = 0.5


@dataclass(frozen=True)
class Areas:
    """Areas of k raters of the same cases, with their covariance.

    ``area``: shape (k,); ``covariance``: shape (k, k), of the estimates; ``n_positive`` and ``n_negative`` cases, and
    ``n_unknown`` whose kind no participant knows, who tell how many are lost (censored areas).
    """

    area: np.ndarray
    covariance: np.ndarray
    n_positive: int
    n_negative: int
    n_unknown: int = 0

    def of(self, rater: int) -> Estimate:
        """One area with its normal interval, cut at 0 and 1 as pROC does, and the p-value of the test against 0.5.

        Interval and p-value are NaN where the variance is zero: every case of one kind is rated above all of the other.
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

    A positive and a negative case with the same rating count one half. Equal to R's pROC ``auc``, ``var`` and ``cov``.

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
    check_kinds(len(above), len(below))
    covariance = np.atleast_2d(np.cov(above, rowvar=False)) / len(above)
    covariance = covariance + np.atleast_2d(np.cov(below, rowvar=False)) / len(below)
    return Areas(above.mean(axis=0), covariance, len(above), len(below))


def jackknife(ratings: np.ndarray, positive: np.ndarray) -> Areas:
    """The same areas, with the covariance that leaving out each case in turn gives (Efron 1982).

    Raises
    ------
    FitError
        Fewer than two cases of a kind.
    """
    above, below = placements(ratings, positive)
    check_kinds(len(above), len(below))
    area, n = above.mean(axis=0), len(above) + len(below)
    # an area is a mean of placements, so that leaving a case out needs no new comparison of pairs
    left_out = np.concatenate(
        [(len(part) * area - part) / (len(part) - 1) for part in (above, below)]
    )  # shape (n, k)
    centred = left_out - left_out.mean(axis=0)
    return Areas(area, (n - 1) / n * centred.T @ centred, len(above), len(below))


def placements(ratings: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each positive case the share of negatives below it, for each negative the share of positives above it.

    Returns
    -------
    float arrays, shapes (n_positive, k) and (n_negative, k); ties count one half
    """
    ratings, positive = np.asarray(ratings, dtype=np.float64), np.asarray(positive, dtype=bool)
    ratings = ratings.reshape(len(positive), -1)
    high, low = ratings[positive], ratings[~positive]
    ranks = stats.rankdata(ratings, axis=0)
    above = (ranks[positive] - stats.rankdata(high, axis=0)) / max(len(low), 1)
    below = 1 - (ranks[~positive] - stats.rankdata(low, axis=0)) / max(len(high), 1)
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
    half = stats.norm.ppf(0.975) * error
    p_value = 2 * stats.norm.sf(abs(value - null) / error)
    return Estimate(
        float(value),
        float(np.clip(value - half, low, high)),
        float(np.clip(value + half, low, high)),
        float(p_value),
        float(error),
        float((value - null) / error),
    )
