"""Wilcoxon's signed-rank test, exact also with ties."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from faceage_bio.core.errors import FitError


@dataclass(frozen=True)
class SignedRank:
    """Sum of the positive ranks, exact two-sided p-value, and the smallest p-value that so many pairs can give."""

    statistic: float
    p_value: float
    smallest_p: float
    n: int


def signed_rank(differences: np.ndarray) -> SignedRank:
    """Whether differences scatter about zero, over all 2^n signs; differences of zero are left out, ties share ranks.

    Without ties equal to R's ``wilcox.test(x, y, paired = TRUE, exact = TRUE)``; with ties R leaves the exact way.

    Raises
    ------
    FitError
        No difference other than zero.
    """
    differences = np.asarray(differences, dtype=np.float64)
    # differences of shares that are equal may differ in the last digit, which would break their tie
    differences = np.round(differences[np.abs(differences) > 1e-12], 12)
    n = len(differences)
    if not n:
        raise FitError("no_pair_differs")
    doubled = np.rint(2 * stats.rankdata(np.abs(differences))).astype(int)  # shared ranks are halves
    ways = np.zeros(doubled.sum() + 1)
    ways[0] = 1.0
    for rank in doubled:
        ways[rank:] = (ways[rank:] + ways[:-rank]) / 2
        ways[:rank] /= 2
    positive = int(doubled[differences > 0].sum())
    p_value = min(1.0, 2 * min(ways[: positive + 1].sum(), ways[positive:].sum()))
    return SignedRank(positive / 2, float(p_value), 2.0 / 2**n, n)
