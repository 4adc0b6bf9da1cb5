"""Single counts that carry a gene's result: Cook's distances, and DESeq2's replacement of such counts."""

import numpy as np
from scipy.stats import f

from faceage_bio.stats.negative_binomial import RIDGE, Pairs, means, weights_of

LEAST_ROBUST = 0.04  # a smaller dispersion would make every count beside an outlier look like one


def cutoff(n_samples: int, p: int) -> float:
    """Cook's distances above this are outliers: the 99% quantile of F(p, n - p)."""
    return float(f.ppf(0.99, p, n_samples - p))


def cells_of(design: np.ndarray) -> np.ndarray:
    """Number of the sample's cell (samples of equal design rows), shape (n_samples,)."""
    return np.unique(design, axis=0, return_inverse=True)[1].ravel()


def in_cells_of(design: np.ndarray, least: int) -> np.ndarray:
    """Whether at least ``least`` samples share the sample's design row, shape (n_samples,)."""
    cells = cells_of(design)
    return np.bincount(cells)[cells] >= least


def robust_dispersions(normalised: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Moment estimates from trimmed variances, within cells where a cell has 3 samples, shape (n_genes,).

    Parameters
    ----------
    normalised : counts divided by size factors, shape (n_genes, n_samples)
    """
    enough = in_cells_of(design, 3)
    if enough.any():
        variance = _cell_variance(normalised[:, enough], cells_of(design)[enough])
    else:
        centre = _trimmed(normalised, 1 / 8)
        variance = 1.51 * _trimmed((normalised - centre[:, None]) ** 2, 1 / 8)
    mean = normalised.mean(axis=1)
    return np.maximum((variance - mean) / mean**2, LEAST_ROBUST)


def _cell_variance(normalised: np.ndarray, cells: np.ndarray) -> np.ndarray:
    variances = []
    for cell in np.unique(cells):
        mine = normalised[:, cells == cell]
        size = int(mine.shape[1] > 3) + int(mine.shape[1] > 23)
        share, scale = (1 / 3, 1 / 4, 1 / 8)[size], (2.04, 1.86, 1.51)[size]
        centre = _trimmed(mine, share)
        variances.append(scale * _trimmed((mine - centre[:, None]) ** 2, share))
    return np.max(variances, axis=0)


def _trimmed(values: np.ndarray, share: float) -> np.ndarray:
    cut = int(np.floor(values.shape[1] * share))
    ordered = np.sort(values, axis=1)
    return ordered[:, cut : values.shape[1] - cut].mean(axis=1)


def cooks_distances(
    y: np.ndarray, beta: np.ndarray, design: np.ndarray, size_factors: np.ndarray, dispersions: np.ndarray
) -> np.ndarray:
    """How far each count moves its gene's fit, shape (n_genes, n_samples).

    Parameters
    ----------
    y : counts, shape (n_genes, n_samples)
    beta, dispersions : of the fit
    """
    pairs, p = Pairs.of(design), design.shape[1]
    mu = means(beta, design, size_factors)
    weights = weights_of(mu, dispersions)
    inverse = np.linalg.inv(pairs.information(weights) + RIDGE * np.eye(p))
    leverage = pairs.leverages(weights, inverse)
    robust = robust_dispersions(y / size_factors, design)[:, None]
    return (y - mu) ** 2 / (mu + robust * mu**2) / p * leverage / (1 - leverage) ** 2


def replace_outlying(
    y: np.ndarray, outlying: np.ndarray, replaceable: np.ndarray, size_factors: np.ndarray
) -> np.ndarray:
    """Counts with outlying ones of ``replaceable`` samples set to the gene's trimmed mean in that sample's depth."""
    centre = _trimmed(y / size_factors, 0.2)
    return np.where(outlying & replaceable, np.floor(centre[:, None] * size_factors), y)
