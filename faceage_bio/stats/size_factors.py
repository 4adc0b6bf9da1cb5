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
    means = np.zeros(int(in_all.sum()))
    for one in counts:  # by sample, to hold no second table of counts
        means += np.log(one[in_all])
    means /= len(counts)
    return np.exp([np.median(np.log(one[in_all]) - means) for one in counts])


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
    if empty := sum(not one.any() for one in counts):
        raise FitError("samples_without_counts", n_samples=empty)
    means = np.zeros(counts.shape[1])
    for one in counts:  # by sample, to hold no second table of counts
        means += np.log(np.maximum(one, 1))
    means /= len(counts)
    logs = np.array([np.median(np.log(one[one > 0]) - means[one > 0]) for one in counts])
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
    present = counts.any(axis=0)

    def row(sample: int) -> np.ndarray:
        return counts[sample, present].astype(np.float64)  # one by one, to hold no second table of counts

    samples = range(len(counts))
    sizes = np.array([row(k).sum() for k in samples])
    upper = np.array([np.quantile(row(k), 0.75) for k in samples]) / sizes
    if np.median(upper) < 1e-20:
        reference = int(np.argmax([np.sqrt(row(k)).sum() for k in samples]))
    else:
        reference = int(np.argmin(np.abs(upper - upper.mean())))
    base, size = row(reference), sizes[reference]
    factors = np.array([_factor(row(k), sizes[k], base, size, ratio_trim, sum_trim) for k in samples])
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
