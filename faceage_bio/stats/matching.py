"""Pairs of alike participants, and how alike two groups are."""

from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import combinations

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import constant


def match_nearest(
    exposed: pd.Series, distance: pd.Series, exact: pd.DataFrame, caliper: float
) -> pd.DataFrame:
    """Pairs one exposed and one unexposed person, the nearest pair of all first, no participant twice.

    MatchIt calls this order "closest". Nothing is random: pairs equally near are taken in the order of their
    values, then of the table.

    Parameters
    ----------
    exposed : Series of bool, shape (n,)
    distance : Series of float, shape (n,)
        What pairs are to be near on, such as age.
    exact : DataFrame, shape (n, any)
        Columns on which the two must be the same.
    caliper : float
        The largest difference of ``distance`` within a pair.

    Returns
    -------
    DataFrame, one row per pair
        ``exposed`` and ``unexposed``, labels of the index.
    """
    keys = exact.astype(str).agg("|".join, axis=1) if exact.shape[1] else pd.Series("", index=exposed.index)
    pairs = []
    for _, stratum in pd.DataFrame({"exposed": exposed, "value": distance}).groupby(keys, sort=True):
        ordered = stratum.sort_values("value", kind="stable")
        pairs += _match_stratum(ordered[ordered.exposed], ordered[~ordered.exposed], caliper)
    return pd.DataFrame(pairs, columns=["exposed", "unexposed"])


def _match_stratum(exposed: pd.DataFrame, unexposed: pd.DataFrame, caliper: float) -> list[tuple]:
    """Pairs of one stratum in n log n: on a line, the nearest pair of all are neighbours.

    Participants of one value are a node. Once those of equal values are paired, a node holds one kind, and a
    heap the gaps of neighbours.
    """
    groups = exposed["value"].to_numpy(), unexposed["value"].to_numpy()
    values = np.unique(np.concatenate(groups))
    nodes: list[tuple[deque[int], deque[int]]] = [(deque(), deque()) for _ in values]
    for kind, group in enumerate(groups):
        for place, node in enumerate(np.searchsorted(values, group)):
            nodes[node][kind].append(place)
    pairs = []
    for mine, other in nodes:
        while mine and other:
            pairs.append((mine.popleft(), other.popleft()))
    left = [place for place, both in enumerate(nodes) if any(both)]
    values, nodes = values[left], [nodes[place] for place in left]
    before, after = [*range(-1, len(nodes) - 1)], [*range(1, len(nodes)), -1]
    heap: list[tuple] = []

    def offer(a: int, b: int) -> None:
        """Put neighbours of different kinds within the caliper on the heap, as gap, exposed, unexposed."""
        if a >= 0 and b >= 0 and bool(nodes[a][0]) != bool(nodes[b][0]) and values[b] - values[a] <= caliper:
            mine, other = (a, b) if nodes[a][0] else (b, a)
            heappush(heap, (values[b] - values[a], nodes[mine][0][0], nodes[other][1][0], a, b))

    for a in range(len(nodes) - 1):
        offer(a, a + 1)
    while heap:
        _, i, j, a, b = heappop(heap)
        mine, other = (nodes[a][0], nodes[b][1]) if nodes[a][0] else (nodes[b][0], nodes[a][1])
        if after[a] != b or not mine or not other or (mine[0], other[0]) != (i, j):
            continue  # one of them is taken
        pairs.append((mine.popleft(), other.popleft()))
        low, high = a if any(nodes[a]) else before[a], b if any(nodes[b]) else after[b]
        if low >= 0:
            after[low] = high
        if high >= 0:
            before[high] = low
        offer(low, high)
        if low == a:
            offer(before[a], a)
        if high == b:
            offer(b, after[b])
    return [(exposed.index[i], unexposed.index[j]) for i, j in pairs]


def standardised_difference(values: pd.Series, exposed: pd.Series, spread: float) -> float:
    """Mean of the exposed minus mean of the others, in units of ``spread`` (Austin 2009, doi:10.1002/sim.3697).

    Give the `common_spread` before matching, before and after it: a smaller spread in the pairs is not imbalance.

    Parameters
    ----------
    values : Series of float; for a level of a factor 0 and 1
        Missing values are left out.
    exposed : Series of bool, same index

    Raises
    ------
    FitError
        A group without a value, or no spread.
    """
    one, other = values[exposed].dropna(), values[~exposed].dropna()
    if len(one) == 0 or len(other) == 0:
        raise FitError("group_without_value")
    if constant(np.append(one, other)):
        return 0.0
    difference = float(one.mean() - other.mean())
    if difference == 0:
        return 0.0
    if not spread > 0:
        raise FitError("constant_within_groups")
    return difference / spread


def common_spread(values: pd.Series, exposed: pd.Series) -> float:
    """Root of the mean of both groups' variances; of p (1 - p) where the values are 0 and 1; 0 where it is rounding."""
    groups = [values[exposed].dropna(), values[~exposed].dropna()]
    if all(len(one) and constant(one) for one in groups):
        return 0.0
    binary = set(values.dropna().unique()) <= {0.0, 1.0}
    variances = [one.mean() * (1 - one.mean()) if binary else one.var() for one in groups]
    return float(np.sqrt(np.mean(variances)))


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
    if min(len(a), len(b)) < 2 or (constant(a) and constant(b)):
        return float("nan")
    spread = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    return float(abs(a.mean() - b.mean()) / spread)


def difference_of_shares(a: np.ndarray, b: np.ndarray) -> float:
    """Mahalanobis distance of the shares of all levels but the first (Yang and Dalton 2012, SAS Global Forum 335).

    For two levels it is the absolute difference of the shares over the root of their mean variance.

    Parameters
    ----------
    a, b : arrays, shape (n_levels,)
        Participants at each level. Levels that no participant has are left out; a covariance without an
        inverse, such as that of two groups who share no level, gets its generalised one.

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
