"""Coefficients of separate models of the same samples held against each other.

Two models of one outcome are correlated, so the standard error of the difference of their coefficients comes from both fits'
influence of each sample (Weesie 1999, Stata Technical Bulletin 52: seemingly unrelated estimation), with HC3's correction.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from faceage_bio.stats.negative_binomial import LOG2_E, RIDGE, Pairs, fit_means, means, weights_of


@dataclass(frozen=True)
class Coefficient:
    """One coefficient of every gene on the log2 scale: ``estimate`` (n_genes,), ``influence`` of samples (n_genes, n_samples)."""

    estimate: np.ndarray
    influence: np.ndarray


def coefficient(
    counts: np.ndarray, design: np.ndarray, size_factors: np.ndarray, dispersions: np.ndarray, column: int
) -> Coefficient:
    """A negative binomial coefficient and what each sample does to it, dispersions given.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes); few genes, no gene without counts
    column : of the design
    """
    y, pairs = counts.T.astype(np.float64), Pairs.of(design)
    beta = fit_means(counts, design, size_factors, dispersions).beta
    mu = means(beta, design, size_factors)
    weights = weights_of(mu, dispersions)
    inverse = np.linalg.inv(pairs.information(weights) + RIDGE * np.eye(design.shape[1]))
    score = (y - mu) / (1 + dispersions[:, None] * mu) / (1 - pairs.leverages(weights, inverse))
    return Coefficient(LOG2_E * beta[:, column], LOG2_E * score * (inverse[:, column] @ design.T))


def weighted_coefficient(y: np.ndarray, weights: np.ndarray, design: np.ndarray, column: int) -> Coefficient:
    """A weighted least-squares coefficient of log2 levels and what each sample does to it.

    Parameters
    ----------
    y, weights : float arrays, shape (n_samples, n_genes)
    column : of the design
    """
    values, weight, pairs = y.T, weights.T, Pairs.of(design)
    inverse = np.linalg.inv(pairs.information(weight))
    beta = np.einsum("gij,gj->gi", inverse, (weight * values) @ design)
    score = weight * (values - beta @ design.T) / (1 - pairs.leverages(weight, inverse))
    return Coefficient(beta[:, column], score * (inverse[:, column] @ design.T))


def difference(one: Coefficient, other: Coefficient, df: float = np.inf) -> np.ndarray:
    """One minus other: estimate, standard error, statistic, two-sided p (t with ``df``; normal by default), shape (4, n_genes)."""
    estimate = one.estimate - other.estimate
    error = np.sqrt(((one.influence - other.influence) ** 2).sum(axis=1))
    statistic = np.divide(estimate, error, out=np.full_like(estimate, np.nan), where=error > 0)
    return np.stack([estimate, error, statistic, 2 * t.sf(np.abs(statistic), df)])
