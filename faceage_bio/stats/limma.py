"""limma's methods for many genes at once.

voom: weights of log counts (Law et al. 2014, doi:10.1186/gb-2014-15-2-r29). Moderated t: least squares with
variances that borrow from each other (Smyth 2004, doi:10.2202/1544-6115.1027). Correlation of the samples of a
participant (Smyth et al. 2005, doi:10.1093/bioinformatics/bti270).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import digamma, polygamma
from scipy.stats import trim_mean

from faceage_bio.core.errors import FitError
from faceage_bio.stats.blocks import in_blocks, split
from faceage_bio.stats.negative_binomial import Pairs

MOST = 0.99
GRID = 25
GOLDEN_RATIO = (np.sqrt(5) - 1) / 2


def voom(
    counts: np.ndarray, design: np.ndarray, library_sizes: np.ndarray, genes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Log2 counts per million and their precision weights, as limma's ``voom`` with its defaults.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)
    design : float array, shape (n_samples, p), of full rank
    library_sizes : float array, shape (n_samples,)
        Sums of counts times TMM factors (`negative_binomial.trimmed_mean_of_m`).
    genes : int array, optional
        Positions of the genes that are wanted; the trend of their weights is that of all genes.

    Returns
    -------
    two float arrays, shape (n_samples, n_genes)
    """
    n, p = design.shape
    q, _ = np.linalg.qr(design)

    def fitted(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        levels = log_counts_per_million(counts[:, part], library_sizes)
        return levels, q @ (q.T @ levels)

    def moments(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        levels, expected = fitted(part)
        return levels.mean(axis=0), ((levels - expected) ** 2).sum(axis=0)

    mean, squares = in_blocks(moments, np.arange(counts.shape[1]), n)
    sigma = np.sqrt(squares / (n - p))
    depth = np.log2(library_sizes + 1) - np.log2(1e6)
    present = counts.any(axis=0)
    places, heights = _smooth((mean + depth.mean())[present], np.sqrt(sigma)[present])
    wanted = np.arange(counts.shape[1]) if genes is None else genes
    log_cpm, weights = np.empty((n, len(wanted))), np.empty((n, len(wanted)))
    for part in split(np.arange(len(wanted)), n):  # levels of all genes are twice as large as the counts
        log_cpm[:, part], expected = fitted(wanted[part])
        weights[:, part] = 1 / np.interp(expected + depth[:, None], places, heights) ** 4
    return log_cpm, weights


def log_counts_per_million(counts: np.ndarray, library_sizes: np.ndarray) -> np.ndarray:
    """Log2 of counts plus one half, per million."""
    levels = counts + 0.5
    levels /= library_sizes[:, None] + 1
    levels *= 1e6
    return np.log2(levels, out=levels)


def _smooth(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from statsmodels.nonparametric.smoothers_lowess import lowess

    curve = lowess(y, x, frac=0.5, it=3, delta=0.01 * np.ptp(x))
    places, where = np.unique(curve[:, 0], return_inverse=True)
    return places, np.bincount(where, curve[:, 1]) / np.bincount(where)


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
        Number of the person of each sample, 0, 1, ...; samples of one person have the same ``correlation`` in
        every gene.
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


def consensus_correlation(
    y: np.ndarray, design: np.ndarray, weights: np.ndarray, persons: np.ndarray, workers: int = 1
) -> float:
    """Correlation within persons by residual maximum likelihood of each gene; their trimmed mean on Fisher's scale.

    As limma's ``duplicateCorrelation(block = persons)$consensus`` (Smyth et al. 2005,
    doi:10.1093/bioinformatics/bti270).

    Parameters
    ----------
    y, weights : float arrays, shape (n_samples, n_genes)
    design : float array, shape (n_samples, p), of full rank, with its intercept
    persons : int array, shape (n_samples,), 0, 1, ...

    Raises
    ------
    FitError
        No participant has two samples, or fewer than two participants.
    """
    n, p = design.shape
    sizes = np.bincount(persons)
    if len(sizes) < 2 or sizes.max() < 2 or n <= p + 2:
        raise FitError("too_few_repeated_samples")
    pairs, sums = Pairs.of(design), BlockSums(design, persons)
    least = 1 / (1 - sizes.max()) + 0.01

    def compute(genes: np.ndarray) -> tuple[np.ndarray]:
        values, weight = y[:, genes].T, weights[:, genes].T
        score, total = (weight * values) @ design, (weight * values**2).sum(axis=1)
        parts = (pairs.information(weight), score, total, *sums.of(values, np.sqrt(weight)))
        return (_highest(lambda rho: _restricted(rho, parts, sizes, n - p), len(genes), least, MOST),)

    (rho,) = in_blocks(compute, np.arange(y.shape[1]), n * p, workers)
    return float(np.tanh(trim_mean(np.arctanh(rho), 0.15)))


def _restricted(rho: np.ndarray, parts: tuple[np.ndarray, ...], sizes: np.ndarray, df: int) -> np.ndarray:
    """Residual log likelihood (up to a constant) of each gene at its correlation between weighted residuals."""
    information, score, total, by_design, by_value = parts
    ratio = (rho / (1 - rho))[:, None]  # variance between persons over that within
    growth = 1 + ratio * sizes
    share = ratio / growth
    information = information - np.einsum(
        "gbi,gbj->gij", by_design * share[..., None], by_design, optimize=True
    )
    score = score - np.einsum("gbi,gb->gi", by_design, share * by_value)
    total = total - (share * by_value**2).sum(axis=1)
    residual = total - np.einsum("gi,gi->g", score, np.linalg.solve(information, score[..., None])[..., 0])
    return -0.5 * (np.log(growth).sum(axis=1) + np.linalg.slogdet(information)[1] + df * np.log(residual))


def _highest(
    function: Callable[[np.ndarray], np.ndarray], n_genes: int, low: float, high: float
) -> np.ndarray:
    """Where each gene's function is highest: a grid, and golden sections around its best."""
    grid = np.linspace(low, high, GRID)
    best = np.argmax(np.stack([function(np.full(n_genes, rho)) for rho in grid]), axis=0)
    left, right = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, GRID - 1)]
    a, b = right - GOLDEN_RATIO * (right - left), left + GOLDEN_RATIO * (right - left)
    at_a, at_b = function(a), function(b)
    for _ in range(30):
        lower = at_a > at_b
        left, right = np.where(lower, left, a), np.where(lower, b, right)
        new = np.where(lower, right - GOLDEN_RATIO * (right - left), left + GOLDEN_RATIO * (right - left))
        at_new = function(new)
        a, b = np.where(lower, new, b), np.where(lower, a, new)
        at_a, at_b = np.where(lower, at_new, at_b), np.where(lower, at_a, at_new)
    return (left + right) / 2
