"""Midpoint rounding of counts, and rounding of statistics to significant digits."""

import numpy as np
import pandas as pd

DIGITS = 3


def midpoint(counts: pd.Series | np.ndarray | float, k: int) -> np.ndarray:
    """Midpoint rounding of non-negative counts: 0 stays 0; 1 to k becomes the middle of 1 to k, and so on.

    ``ceil(x / k) * k - floor(k / 2) * [x != 0]`` (OpenSAFELY, "midpoint 6" for k = 6); k = 1 changes nothing. NaN stays NaN.
    """
    values = np.asarray(counts, dtype=float)
    return np.ceil(values / k) * k - np.floor(k / 2) * (values != 0)


def significant(values: pd.Series | np.ndarray, digits: int = DIGITS) -> np.ndarray:
    """Rounded to significant digits; zero, NaN and infinity stay."""
    return np.vectorize(lambda number: float(f"{number:.{digits}g}"), otypes=[float])(values)
