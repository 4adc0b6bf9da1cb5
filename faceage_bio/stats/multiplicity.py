"""Many tests at once, as R's ``p.adjust``, where some may be missing: neither counted nor given a value."""

import numpy as np
from scipy.stats import false_discovery_control


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """False discovery rate of Benjamini and Hochberg (1995), as R's ``p.adjust(method = "BH")``."""
    adjusted, tested = _of_tested(p_values)
    if tested.any():
        adjusted[tested] = false_discovery_control(adjusted[tested])
    return adjusted


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
