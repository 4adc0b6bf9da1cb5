"""Many tests at once: p-values adjusted by statsmodels, which equals R's ``p.adjust``, where some may be missing."""

import numpy as np
from statsmodels.stats.multitest import multipletests


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """False discovery rate of Benjamini and Hochberg (1995), as R's ``p.adjust(method = "BH")``."""
    return _adjusted(p_values, "fdr_bh")


def bonferroni(p_values: np.ndarray) -> np.ndarray:
    """P-values times the number of tests, at most 1, as R's ``p.adjust(method = "bonferroni")``."""
    return _adjusted(p_values, "bonferroni")


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values that hold the familywise error rate (Holm 1979), as R's ``p.adjust(method = "holm")``."""
    return _adjusted(p_values, "holm")


def _adjusted(p_values: np.ndarray, method: str) -> np.ndarray:
    """Of shape (n,), as the p-values; NaN where nothing was tested, which neither counts nor gets a value."""
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        adjusted[tested] = multipletests(p_values[tested], method=method)[1]
    return adjusted
