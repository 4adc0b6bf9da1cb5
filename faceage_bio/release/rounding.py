"""Midpoint rounding of counts, and rounding of statistics to significant digits."""

from collections.abc import Sequence

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


def evened(counts: pd.DataFrame | pd.Series, by: Sequence) -> pd.DataFrame | pd.Series:
    """Counts of groups that differ by one at most (tertiles, tenths) as their mean: on either side of a step they would tell their sum."""
    groups = counts.groupby(by, dropna=False)
    return counts.mask(groups.transform("max") - groups.transform("min") <= 1, groups.transform("mean"))
