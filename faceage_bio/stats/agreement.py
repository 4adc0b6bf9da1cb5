"""How far two methods that measure the same thing in the same units agree."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import Estimate, mean_interval

LIMIT = 1.96  # standard deviations on either side of the bias


@dataclass(frozen=True)
class Agreement:
    """Bias (mean of second minus first), the limits of agreement around it, and how the difference goes with the mean.

    ``slope`` is the difference per unit of the mean of both: away from 0 where the bias grows with what is measured.
    """

    n: int
    bias: Estimate
    standard_deviation: float
    lower_limit: Estimate
    upper_limit: Estimate
    slope: Estimate


def bland_altman(first: np.ndarray, second: np.ndarray) -> Agreement:
    """Bland and Altman's limits of agreement with approximate t intervals (1999, doi:10.1177/096228029900800204).

    Parameters
    ----------
    first, second : float arrays, shape (n,)
        One pair for each person; pairs must not depend on each other.

    Raises
    ------
    FitError
        Fewer than 4 pairs, or the differences or the means do not vary.
    """
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    n = len(first)
    difference, mean = second - first, (first + second) / 2
    if n < 4 or np.ptp(difference) == 0 or np.ptp(mean) == 0:
        raise FitError("too_few_pairs_to_agree", needed=4)
    deviation = float(difference.std(ddof=1))
    bias = mean_interval(difference)
    error = float(deviation * np.sqrt(1 / n + LIMIT**2 / (2 * (n - 1))))
    half = stats.t.ppf(0.975, n - 1) * error
    lower, upper = (
        Estimate(limit, limit - half, limit + half, np.nan, error)
        for limit in (bias.estimate - LIMIT * deviation, bias.estimate + LIMIT * deviation)
    )
    line = stats.linregress(mean, difference)
    reach = stats.t.ppf(0.975, n - 2) * line.stderr
    slope = Estimate(
        float(line.slope), float(line.slope - reach), float(line.slope + reach), float(line.pvalue),
        float(line.stderr), float(line.slope / line.stderr) if line.stderr > 0 else np.nan,
    )  # fmt: skip
    return Agreement(n, bias, deviation, lower, upper, slope)
