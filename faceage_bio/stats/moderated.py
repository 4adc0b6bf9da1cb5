"""Weighted least squares of many genes with variances that borrow from each other: limma's moderated t.

Smyth 2004 (doi:10.2202/1544-6115.1027); samples of one person may be correlated (Smyth et al. 2005,
doi:10.1093/bioinformatics/bti270).
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import digamma, polygamma

from faceage_bio.stats.blocks import in_blocks
from faceage_bio.stats.negative_binomial import Pairs


@dataclass(frozen=True)
class ModeratedFit:
    """``coefficients`` (n_genes, p), ``unscaled`` covariance (n_genes, p, p), ``variance`` after moderation (n_genes,), ``df``."""

    coefficients: np.ndarray
    unscaled: np.ndarray
    variance: np.ndarray
    df: float

    def test(self, contrast: np.ndarray) -> np.ndarray:
        """Estimate, standard error, moderated t and two-sided p of a weighted sum, shape (4, n_genes)."""
        estimate = self.coefficients @ contrast
        error = np.sqrt((contrast @ self.unscaled @ contrast) * self.variance)
        t = estimate / error
        return np.stack([estimate, error, t, 2 * stats.t.sf(np.abs(t), self.df)])


def fit_moderated(
    y: np.ndarray,
    design: np.ndarray,
    weights: np.ndarray,
    persons: np.ndarray | None = None,
    correlation: float = 0.0,
    workers: int = 1,
) -> ModeratedFit:
    """As limma's ``eBayes(lmFit(y, design, weights = , block = persons, correlation = ))``.

    Parameters
    ----------
    y, weights : float arrays, shape (n_samples, n_genes)
    design : float array, shape (n_samples, p), of full rank, with its intercept
    persons : int array, shape (n_samples,)
        Number of the person of each sample, 0, 1, ...; samples of one person have the same ``correlation`` in every gene.
    """
    n, p = design.shape
    pairs = Pairs.of(design)
    sums = None if persons is None else BlockSums(design, persons)

    def compute(genes: np.ndarray) -> tuple[np.ndarray, ...]:
        values, weight = y[:, genes].T, weights[:, genes].T
        information, score = pairs.information(weight), (weight * values) @ design
        total = (weight * values**2).sum(axis=1)
        if sums is not None:
            by_design, by_value = sums.of(values, np.sqrt(weight))
            share = correlation / (1 + (sums.sizes - 1) * correlation)
            information = information - np.einsum("gbi,b,gbj->gij", by_design, share, by_design)
            score = score - np.einsum("gbi,b,gb->gi", by_design, share, by_value)
            total = total - by_value**2 @ share
            information, score, total = (part / (1 - correlation) for part in (information, score, total))
        unscaled = np.linalg.inv(information)
        beta = np.einsum("gij,gj->gi", unscaled, score)
        return beta, unscaled, np.maximum(total - np.einsum("gi,gi->g", beta, score), 0) / (n - p)

    beta, unscaled, variance = in_blocks(compute, np.arange(y.shape[1]), n * p, workers)
    prior, prior_df = variance_prior(variance, n - p)
    if np.isinf(prior_df):
        moderated = np.full_like(variance, prior)
    else:
        moderated = (prior_df * prior + (n - p) * variance) / (prior_df + n - p)
    return ModeratedFit(beta, unscaled, moderated, min(n - p + prior_df, (n - p) * len(variance)))


def variance_prior(variance: np.ndarray, df: int) -> tuple[float, float]:
    """Prior variance and its degrees of freedom (infinite where genes vary no more than by chance), as ``fitFDist``."""
    middle = np.median(variance)
    logs = np.log(np.maximum(variance, 1e-5 * (middle if middle > 0 else 1.0)))
    logs = logs - digamma(df / 2) + np.log(df / 2)
    excess = logs.var(ddof=1) - polygamma(1, df / 2)
    if excess <= 0:
        return float(np.mean(variance)), np.inf
    prior_df = 2 * _trigamma_inverse(float(excess))
    return float(np.exp(logs.mean() + digamma(prior_df / 2) - np.log(prior_df / 2))), prior_df


def _trigamma_inverse(value: float) -> float:
    if value > 1e7:
        return 1 / np.sqrt(value)
    if value < 1e-6:
        return 1 / value
    found = 0.5 + 1 / value
    for _ in range(50):
        now = float(polygamma(1, found))
        step = now * (1 - now / value) / float(polygamma(2, found))
        found += step
        if -step / found < 1e-8:
            break
    return found


class BlockSums:
    """Sums over the samples of each person, of genes with weights of their own."""

    def __init__(self, design: np.ndarray, persons: np.ndarray) -> None:
        self.order = np.argsort(persons, kind="stable")
        self.starts = np.flatnonzero(np.diff(persons[self.order], prepend=-1))
        self.sizes = np.bincount(persons)
        self.design = design[self.order]

    def of(self, values: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of factor x design (n_genes, n_persons, p), and of factor x value (n_genes, n_persons)."""
        values, factors = values[:, self.order], factors[:, self.order]
        return (
            np.add.reduceat(factors[:, :, None] * self.design, self.starts, axis=1),
            np.add.reduceat(factors * values, self.starts, axis=1),
        )
