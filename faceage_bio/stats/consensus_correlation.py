"""How alike samples of one person are, in one number for all genes: limma's ``duplicateCorrelation``."""

from collections.abc import Callable

import numpy as np
from scipy.stats import trim_mean

from faceage_bio.core.errors import FitError
from faceage_bio.stats.blocks import in_blocks
from faceage_bio.stats.moderated import BlockSums
from faceage_bio.stats.negative_binomial import Pairs

MOST = 0.99
GRID = 25
GOLDEN_RATIO = (np.sqrt(5) - 1) / 2


def consensus_correlation(
    y: np.ndarray, design: np.ndarray, weights: np.ndarray, persons: np.ndarray, workers: int = 1
) -> float:
    """Correlation within persons by residual maximum likelihood of each gene; their trimmed mean on Fisher's scale.

    As limma's ``duplicateCorrelation(block = persons)$consensus`` (Smyth et al. 2005, doi:10.1093/bioinformatics/bti270).

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
        parts = (
            pairs.information(weight), (weight * values) @ design, (weight * values**2).sum(axis=1),
            *sums.of(values, np.sqrt(weight)),
        )  # fmt: skip
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
