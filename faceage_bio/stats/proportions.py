"""Shares of a number of trials, and how two of them differ."""

import numpy as np
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import Estimate


def wilson(events: int, trials: int) -> Estimate:
    """A share with Wilson's score interval, as R's ``prop.test(events, trials, correct = FALSE)``.

    It stays within 0 and 1, and says something of none and of all (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Raises
    ------
    FitError
        No trials.
    """
    if trials < 1:
        raise FitError("nothing_to_count")
    interval = stats.binomtest(int(events), int(trials)).proportion_ci(method="wilson")
    return Estimate(events / trials, float(interval.low), float(interval.high), np.nan)


def share_difference(events: tuple[int, int], trials: tuple[int, int]) -> Estimate:
    """First share minus second: Newcombe's interval from both Wilson intervals, and Fisher's exact test.

    Newcombe 1998, method 10, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.

    Raises
    ------
    FitError
        A group without trials.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    if min(trials) < 1:
        raise FitError("nothing_to_count")
    (k, m), (n, total) = events, trials
    low, high = confint_proportions_2indep(k, n, m, total, method="newcomb", compare="diff")
    p_value = float(stats.fisher_exact([[k, n - k], [m, total - m]]).pvalue)
    return Estimate(k / n - m / total, float(low), float(high), p_value)
