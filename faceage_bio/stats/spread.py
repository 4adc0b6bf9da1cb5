"""How widely values scatter, and how two groups differ in that and in their correlations."""

from collections.abc import Callable

import numpy as np
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import Estimate, correlation

RESAMPLES = 2000
SEED = 2025  # fixed, so that an interval does not change from run to run
BLOCK = 4_000_000  # resampled numbers held at a time


def root_mean_square(values: np.ndarray) -> Estimate:
    """Root of the mean square with a percentile bootstrap interval of fixed seed (it has no simple formula).

    Raises
    ------
    FitError
        Fewer than 3 values, or none that differs from the others.
    """
    return _bootstrap(values, lambda drawn: np.sqrt(np.mean(drawn**2, axis=-1)))


def standard_deviation(values: np.ndarray) -> Estimate:
    """Standard deviation (n - 1) with a percentile bootstrap interval of fixed seed, so that no shape is assumed.

    Raises
    ------
    FitError
        Fewer than 3 values, or none that differs from the others.
    """
    return _bootstrap(values, lambda drawn: np.std(drawn, axis=-1, ddof=1))


def _bootstrap(values: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> Estimate:
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 3 or np.ptp(values) == 0:
        raise FitError("too_few_varying", needed=3)
    random = np.random.default_rng(SEED)
    at_once = max(1, BLOCK // len(values))
    drawn = [
        statistic(values[random.integers(0, len(values), (min(at_once, RESAMPLES - done), len(values)))])
        for done in range(0, RESAMPLES, at_once)
    ]
    low, high = np.quantile(np.concatenate(drawn), [0.025, 0.975])
    return Estimate(float(statistic(values)), float(low), float(high), np.nan)


def sd_ratio(
    a: np.ndarray, b: np.ndarray, age_a: np.ndarray | None = None, age_b: np.ndarray | None = None
) -> Estimate:
    """Standard deviation of a over that of b, F interval and test, as the roots of R's ``var.test(a, b)``.

    With ages it is the spread about each group's own line on age, as ``var.test(lm(a ~ age_a), lm(b ~ age_b))``.

    Raises
    ------
    FitError
        A group of fewer than 4, or without spread.
    """
    one, df_one = _variance(a, age_a)
    other, df_other = _variance(b, age_b)
    ratio = one / other
    below, above = stats.f.ppf([0.975, 0.025], df_one, df_other)
    p_value = 2 * min(stats.f.cdf(ratio, df_one, df_other), stats.f.sf(ratio, df_one, df_other))
    return Estimate(
        float(np.sqrt(ratio)), float(np.sqrt(ratio / below)), float(np.sqrt(ratio / above)), float(p_value), statistic=float(ratio)
    )  # fmt: skip


def _variance(values: np.ndarray, age: np.ndarray | None) -> tuple[float, int]:
    values = np.asarray(values, dtype=np.float64)
    columns = [np.ones(len(values))]
    if age is not None and np.ptp(np.asarray(age, dtype=np.float64)) > 0:
        columns.append(np.asarray(age, dtype=np.float64) - np.mean(age))
    if len(values) < 4:
        raise FitError("small_group", needed=4)
    design = np.column_stack(columns)
    residuals = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    df = len(values) - design.shape[1]
    variance = float(residuals @ residuals) / df
    if variance <= 1e-20 * max(1.0, float(values @ values)):
        raise FitError("constant_group")
    return variance, df


def correlation_difference(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> Estimate:
    """Pearson's r of one group minus that of another: Zou's interval from both Fisher intervals, and Fisher's z test.

    Zou 2007, doi:10.1037/1082-989X.12.4.399.

    Raises
    ------
    FitError
        See `stats.linear.correlation`; or a correlation of exactly 1 or -1.
    """
    one, other = correlation(*a), correlation(*b)
    if max(abs(one.estimate), abs(other.estimate)) > 1 - 1e-12:
        raise FitError("perfect_correlation")
    difference = one.estimate - other.estimate
    below = np.hypot(one.estimate - one.ci_lower, other.ci_upper - other.estimate)
    above = np.hypot(one.ci_upper - one.estimate, other.estimate - other.ci_lower)
    z = (np.arctanh(one.estimate) - np.arctanh(other.estimate)) / np.sqrt(
        1 / (len(a[0]) - 3) + 1 / (len(b[0]) - 3)
    )
    p_value = float(2 * stats.norm.sf(abs(z)))
    return Estimate(
        difference, float(difference - below), float(difference + above), p_value, statistic=float(z)
    )
