"""Counts as weighted log counts: limma's voom (Law et al. 2014, doi:10.1186/gb-2014-15-2-r29)."""

import numpy as np

from faceage_bio.stats.blocks import in_blocks, split


def voom(
    counts: np.ndarray, design: np.ndarray, library_sizes: np.ndarray, genes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Log2 counts per million and their precision weights, as limma's ``voom`` with its defaults.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)
    design : float array, shape (n_samples, p), of full rank
    library_sizes : float array, shape (n_samples,)
        Sums of counts times TMM factors (`size_factors.trimmed_mean_of_m`).
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
