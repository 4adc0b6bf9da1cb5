"""Pairs of alike participants, and how alike two groups are."""

import numpy as np
import pandas as pd

from faceage_bio.errors import FitError


def match_nearest(
    exposed: pd.Series, distance: pd.Series, exact: pd.DataFrame, caliper: float
) -> pd.DataFrame:
    """Pairs one exposed and one unexposed person, the nearest pair of all first, no participant twice.

    MatchIt calls this order "closest". Nothing is random: pairs equally near are taken in the order of their values, then of
    the table.

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
    ours, theirs = exposed["value"].to_numpy(), unexposed["value"].to_numpy()
    first = np.searchsorted(theirs, ours - caliper, side="left")
    last = np.searchsorted(theirs, ours + caliper, side="right")
    mine = np.repeat(np.arange(len(ours)), last - first)
    other = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)] or [np.arange(0)])
    gap = np.abs(ours[mine] - theirs[other])
    free_mine, free_other = np.ones(len(ours), dtype=bool), np.ones(len(theirs), dtype=bool)
    pairs = []
    for place in np.lexsort((other, mine, gap)):
        i, j = mine[place], other[place]
        if gap[place] <= caliper and free_mine[i] and free_other[j]:
            free_mine[i] = free_other[j] = False
            pairs.append((exposed.index[i], unexposed.index[j]))
    return pairs


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
    difference = float(one.mean() - other.mean())
    if difference == 0:
        return 0.0
    if not spread > 0:
        raise FitError("constant_within_groups")
    return difference / spread


def common_spread(values: pd.Series, exposed: pd.Series) -> float:
    """Root of the mean of both groups' variances; of p (1 - p) where the values are 0 and 1."""
    groups = [values[exposed].dropna(), values[~exposed].dropna()]
    binary = set(values.dropna().unique()) <= {0.0, 1.0}
    variances = [one.mean() * (1 - one.mean()) if binary else one.var() for one in groups]
    return float(np.sqrt(np.mean(variances)))
