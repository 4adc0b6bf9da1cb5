"""Many tests at once."""

import numpy as np


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """False discovery rate of Benjamini and Hochberg (1995), as R's ``p.adjust(method = "BH")``.

    Parameters
    ----------
    p_values : float array, shape (n,)
        NaN where nothing was tested; those neither count nor get a value.

    Returns
    -------
    float array, shape (n,)
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    if len(tested) == 0:
        return adjusted
    order = tested[np.argsort(-p_values[tested], kind="stable")]
    ranks = np.arange(len(tested), 0, -1)
    adjusted[order] = np.minimum(1, np.minimum.accumulate(p_values[order] * len(tested) / ranks))
    return adjusted


def bonferroni(p_values: np.ndarray) -> np.ndarray:
    """P-values times the number of tests, at most 1, as R's ``p.adjust(method = "bonferroni")``.

    Parameters
    ----------
    p_values : float array, shape (n,)
        NaN where nothing was tested; those neither count nor get a value.

    Returns
    -------
    float array, shape (n,)
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    return np.minimum(1, p_values * np.count_nonzero(~np.isnan(p_values)))


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values that hold the familywise error rate (Holm 1979), as R's ``p.adjust(method = "holm")``.

    Parameters
    ----------
    p_values : float array, shape (n,)
        NaN where nothing was tested; those neither count nor get a value.

    Returns
    -------
    float array, shape (n,)
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(tested), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * factors))
    return adjusted
