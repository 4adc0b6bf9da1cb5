"""Counts as weighted log counts: limma's voom (Law et al. 2014, doi:10.1186/gb-2014-15-2-r29)."""

import numpy as np


def voom(counts: np.ndarray, design: np.ndarray, library_sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log2 counts per million and their precision weights, as limma's ``voom`` with its defaults.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)
    design : float array, shape (n_samples, p), of full rank
    library_sizes : float array, shape (n_samples,)
        Sums of counts times TMM factors (`size_factors.trimmed_mean_of_m`).

    Returns
    -------
    two float arrays, shape (n_samples, n_genes)
    """
    n, p = design.shape
    log_cpm = log_counts_per_million(counts, library_sizes)
    q, _ = np.linalg.qr(design)
    fitted = q @ (q.T @ log_cpm)
    squares = np.zeros(counts.shape[1])
    for one, other in zip(
        log_cpm, fitted, strict=True
    ):  # by sample, since arrays of all are as large as the counts
        squares += (one - other) ** 2
    sigma = np.sqrt(squares / (n - p))
    depth = np.log2(library_sizes + 1) - np.log2(1e6)
    present = counts.any(axis=0)
    level, root = (log_cpm.mean(axis=0) + depth.mean())[present], np.sqrt(sigma)[present]
    places, heights = _smooth(level, root)
    fitted += depth[:, None]
    for one in fitted:
        one[:] = 1 / np.interp(one, places, heights) ** 4
    return log_cpm, fitted


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
