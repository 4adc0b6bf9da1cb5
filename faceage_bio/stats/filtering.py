"""False discovery rates after leaving out genes whose counts are too low to find anything: independent filtering."""

import numpy as np

from faceage_bio.stats.multiplicity import benjamini_hochberg

THRESHOLDS = 50


def filtered_discovery_rate(
    p_values: np.ndarray, means: np.ndarray, alpha: float = 0.1
) -> tuple[np.ndarray, float]:
    """As DESeq2's ``results(alpha = alpha)``: the threshold on the mean comes near the most rejections at ``alpha``.

    Of 50 quantiles of the mean the first is taken whose number of rejections comes within one root mean square of the peak of
    a smooth curve through them; none is left out where there are 10 rejections at most. Bourgon et al. 2010
    (doi:10.1073/pnas.0914005107), Love et al. 2014.

    Parameters
    ----------
    p_values : float array, shape (n_genes,); NaN where nothing was tested
    means : float array, shape (n_genes,)
        Mean of normalised counts, of every gene measured.
    alpha : the false discovery rate aimed at

    Returns
    -------
    float array, shape (n_genes,), NaN below the threshold; and the threshold
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess

    low = float(np.mean(means == 0))
    quantiles = np.linspace(low, 0.95 if low < 0.95 else 1.0, THRESHOLDS)
    thresholds = np.quantile(means, quantiles)
    adjusted = np.stack([
        benjamini_hochberg(np.where(means >= threshold, p_values, np.nan)) for threshold in thresholds
    ])  # fmt: skip
    rejections = (adjusted < alpha).sum(axis=1).astype(np.float64)
    chosen = 0
    if rejections.max() > 10:
        curve = lowess(
            rejections, quantiles, frac=0.2, it=3, delta=0.01 * np.ptp(quantiles), return_sorted=False
        )
        some = rejections > 0
        spread = np.sqrt(np.mean((rejections[some] - curve[some]) ** 2))
        above = np.flatnonzero(rejections > curve.max() - spread)
        chosen = int(above[0]) if len(above) else 0
    return adjusted[chosen], float(thresholds[chosen])
