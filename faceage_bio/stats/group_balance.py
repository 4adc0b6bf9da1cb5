"""How far two groups lie apart on a number or on a factor of any number of levels, in standard deviations."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np


def difference_of_numbers(a: np.ndarray, b: np.ndarray) -> float:
    """Absolute difference of means over the root of the mean variance (Austin 2009, doi:10.1002/sim.3697).

    Parameters
    ----------
    a, b : float arrays, nothing missing

    Returns
    -------
    float
        0 or more; NaN where a group has fewer than 2 participants, or where no participant varies.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if min(len(a), len(b)) < 2:
        return float("nan")
    spread = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    return float(abs(a.mean() - b.mean()) / spread) if spread > 0 else float("nan")


def difference_of_shares(a: np.ndarray, b: np.ndarray) -> float:
    """Mahalanobis distance of the shares of all levels but the first (Yang and Dalton 2012, SAS Global Forum 335).

    For two levels it is the absolute difference of the shares over the root of their mean variance.

    Parameters
    ----------
    a, b : arrays, shape (n_levels,)
        Participants at each level. Levels that no participant has are left out; a covariance without an inverse, such as that of two groups
        who share no level, gets its generalised one.

    Returns
    -------
    float
        0 or more; NaN where a group is empty or all participants have one level.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    seen = (a + b) > 0
    if not a.sum() or not b.sum() or seen.sum() < 2:
        return float("nan")
    p, q = (counts[seen][1:] / counts.sum() for counts in (a, b))
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    if not np.abs(covariance).max() > 0:
        return float("nan")
    gap = p - q
    return float(np.sqrt(gap @ np.linalg.pinv(covariance, hermitian=True) @ gap))


def all_pairs(
    groups: Sequence[np.ndarray], difference: Callable[[np.ndarray, np.ndarray], float]
) -> np.ndarray:
    """``difference`` of each pair of groups, in the order (0, 1), (0, 2), ..., (1, 2), ...; shape (n_pairs,)."""
    return np.array([difference(one, other) for one, other in combinations(groups, 2)])
