"""Many tests at once, as R's ``p.adjust``, where some may be missing: neither counted nor given a value. Independent filtering."""

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

THRESHOLDS = 50


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """False discovery rate of Benjamini and Hochberg (1995), as R's ``p.adjust(method = "BH")``."""
    adjusted, tested = _of_tested(p_values)
    if tested.any():
        within = np.clip(adjusted, 0, 1)
        # what is further outside is no p-value, and scipy says so
        rounded = np.isclose(adjusted, within, rtol=0, atol=1e-12)
        adjusted[tested] = false_discovery_control(np.where(rounded, within, adjusted)[tested])
    return adjusted


def q_values(table: pd.DataFrame, *families: str) -> pd.Series:
    """Those of the column ``p_value`` within the groups of some columns; NaN where the table has no such column."""
    p_values = table.get("p_value", pd.Series(np.nan, table.index)).astype("float64")
    groups = p_values.groupby([table[name] for name in families])
    return groups.transform(lambda values: benjamini_hochberg(values.to_numpy()))


def bonferroni(p_values: np.ndarray) -> np.ndarray:
    """P-values times the number of tests, at most 1, as R's ``p.adjust(method = "bonferroni")``."""
    adjusted, tested = _of_tested(p_values)
    return np.minimum(adjusted * tested.sum(), 1.0)


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values that hold the familywise error rate (Holm 1979), as R's ``p.adjust(method = "holm")``."""
    adjusted, tested = _of_tested(p_values)
    ascending = np.argsort(adjusted)[: tested.sum()]  # NaN last
    multiples = adjusted[ascending] * np.arange(len(ascending), 0, -1)
    adjusted[ascending] = np.minimum(np.maximum.accumulate(multiples), 1.0)
    return adjusted


def _of_tested(p_values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A copy as floats, and which of them are tests."""
    values = np.array(p_values, dtype=np.float64)
    return values, ~np.isnan(values)


def filtered_discovery_rate(
    p_values: np.ndarray, means: np.ndarray, alpha: float = 0.1
) -> tuple[np.ndarray, float]:
    """As DESeq2's ``results(alpha = alpha)``: the threshold on the mean comes near the most rejections at ``alpha``.

    Of 50 quantiles of the mean the first is taken whose number of rejections comes within one root mean
    square of the peak of a smooth curve through them; none is left out where there are 10 rejections at most.
    Bourgon et al. 2010 (doi:10.1073/pnas.0914005107), Love et al. 2014.

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
