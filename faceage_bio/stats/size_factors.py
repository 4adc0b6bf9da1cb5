"""How deeply each sample was sequenced: factors that make counts of different samples comparable."""

import numpy as np
from scipy.stats import rankdata

from faceage_bio.core.errors import FitError


def median_of_ratios(counts: np.ndarray) -> np.ndarray:
    """Size factors of Anders and Huber 2010 (doi:10.1186/gb-2010-11-10-r106), as DESeq2's ``estimateSizeFactors``.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)

    Returns
    -------
    float array, shape (n_samples,)
        Median over genes of the sample's count divided by the gene's geometric mean.

    Raises
    ------
    FitError
        Every gene has a sample without counts, so that no geometric mean exists (see `positive_counts`).
    """
    in_all = (counts > 0).all(axis=0)
    if not in_all.any():
        raise FitError("each_gene_has_a_zero")
    logs = np.log(counts[:, in_all])
    return np.exp(np.median(logs - logs.mean(axis=0), axis=1))


def positive_counts(counts: np.ndarray) -> np.ndarray:
    """The same for sparse counts, as DESeq2's ``type = "poscounts"``: samples without counts enter the mean as log 1.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)

    Returns
    -------
    float array, shape (n_samples,)
        Of geometric mean 1.

    Raises
    ------
    FitError
        A sample without any count.
    """
    if (empty := (counts > 0).sum(axis=1) == 0).any():
        raise FitError("samples_without_counts", n_samples=int(empty.sum()))
    present = counts > 0
    logs = np.log(np.maximum(counts, 1))
    ratios = np.where(present, logs - logs.mean(axis=0), np.nan)
    logs = np.nanmedian(ratios, axis=1)
    return np.exp(logs - logs.mean())


def trimmed_mean_of_m(counts: np.ndarray, ratio_trim: float = 0.3, sum_trim: float = 0.05) -> np.ndarray:
    """TMM factors of Robinson and Oshlack 2010 (doi:10.1186/gb-2010-11-3-r25), as edgeR's ``calcNormFactors``.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)
    ratio_trim, sum_trim : share cut off at each end, by log ratio and by mean log abundance

    Returns
    -------
    float array, shape (n_samples,)
        Factors of geometric mean 1, to be multiplied by the library sizes (the sums of ``counts``).
    """
    counts = counts[:, counts.any(axis=0)].astype(np.float64)
    sizes = counts.sum(axis=1)
    upper = np.quantile(counts, 0.75, axis=1) / sizes
    if np.median(upper) < 1e-20:
        reference = int(np.argmax(np.sqrt(counts).sum(axis=1)))
    else:
        reference = int(np.argmin(np.abs(upper - upper.mean())))
    base, size = counts[reference], sizes[reference]
    factors = np.array([
        _factor(one, total, base, size, ratio_trim, sum_trim) for one, total in zip(counts, sizes, strict=True)
    ])  # fmt: skip
    return factors / np.exp(np.log(factors).mean())


def _factor(
    one: np.ndarray, total: float, base: np.ndarray, size: float, ratio_trim: float, sum_trim: float
) -> float:
    both = (one > 0) & (base > 0)
    one, base = one[both], base[both]
    # in this order, because rounding decides between equal ratios of small counts
    ratio = np.log2((one / total) / (base / size))
    if not len(ratio) or np.abs(ratio).max() < 1e-6:
        return 1.0
    abundance = (np.log2(one / total) + np.log2(base / size)) / 2
    variance = (total - one) / total / one + (size - base) / size / base
    keep = _middle(ratio, ratio_trim) & _middle(abundance, sum_trim)
    mean = np.sum(ratio[keep] / variance[keep]) / np.sum(1 / variance[keep]) if keep.any() else 0.0
    return float(2**mean)


def _middle(values: np.ndarray, trim: float) -> np.ndarray:
    ranks, low = rankdata(values), np.floor(len(values) * trim) + 1
    return (ranks >= low) & (ranks <= len(values) + 1 - low)
