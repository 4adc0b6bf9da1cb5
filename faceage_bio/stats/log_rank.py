"""Log-rank tests of k groups: with delayed entry, stratified, weighted (Fleming and Harrington), and for trend.

At each death those at risk are drawn from as from an urn: observed less expected deaths, and their hypergeometric variance, add
up over deaths and strata. Equal to R's ``survdiff``, and with delayed entry to the score test of ``coxph(ties = "exact")``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from faceage_bio.stats.kaplan_meier import checked_times, number_at_risk


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
        Deaths count S^p (1 - S)^q with S the stratum's survival just before: (0, 0) is the log-rank test, (1, 0) looks at early
        differences (R's ``rho = 1``), (0, 1) at late ones.
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
        died = np.array(
            [
                np.bincount(np.searchsorted(times, years[m & (event == 1)]), minlength=len(times))
                for m in members
            ]
        )
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
