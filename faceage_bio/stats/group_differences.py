"""How two groups differ: shares, spread, correlations, ranks of pairs, standardised differences."""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import NORMAL_975, Estimate, LinearFit, constant, correlation


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


def root_mean_square(values: np.ndarray) -> Estimate:
    """Root of the mean square, with the interval of `_jackknifed`.

    Raises
    ------
    FitError
        Fewer than 3 values, or none that differs from the others.
    """
    squares = _varying(values) ** 2
    return _jackknifed(squares.mean(), (squares.sum() - squares) / (len(squares) - 1))


def standard_deviation(values: np.ndarray) -> Estimate:
    """Standard deviation (n - 1), with the interval of `_jackknifed`.

    Raises
    ------
    FitError
        Fewer than 3 values, or at most one that differs from the others.
    """
    squares = (_varying(values) - np.mean(values)) ** 2
    n, total = len(squares), squares.sum()
    return _jackknifed(total / (n - 1), (total - squares * n / (n - 1)) / (n - 2))


def _varying(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 3 or constant(values):
        raise FitError("too_few_varying", needed=3)
    return values


def _jackknifed(square: float, without: np.ndarray) -> Estimate:
    """A root with the t interval that the jackknife gives its logarithm (Miller 1968, doi:10.1214/aoms/1177698418).

    It assumes no shape; a percentile bootstrap's is too short (0.80 of normal samples of 10 in place of 0.95).

    Parameters
    ----------
    square : float
    without : float array, shape (n,): the square without each of the values
    """
    if not without.min() > 1e-12 * square:
        raise FitError("too_few_varying", needed=3)
    n, root = len(without), float(np.sqrt(square))
    half = stats.t.ppf(0.975, n - 1) * np.sqrt((n - 1) * (np.log(without) / 2).var())
    return Estimate(root, float(root * np.exp(-half)), float(root * np.exp(half)), np.nan)


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
    estimate, lower, upper = np.sqrt([ratio, ratio / below, ratio / above]).tolist()
    return Estimate(estimate, lower, upper, float(p_value), statistic=float(ratio))


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
    z_error = np.sqrt(1 / (len(a[0]) - 3) + 1 / (len(b[0]) - 3))
    z = (np.arctanh(one.estimate) - np.arctanh(other.estimate)) / z_error
    ends, p_value = (float(difference - below), float(difference + above)), float(2 * stats.norm.sf(abs(z)))
    return Estimate(difference, *ends, p_value, statistic=float(z))


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


@dataclass(frozen=True)
class StandardisedDifference:
    """A difference in standard deviations with its 95% interval."""

    estimate: float
    ci_lower: float
    ci_upper: float


def hedges_g(a: np.ndarray, b: np.ndarray) -> StandardisedDifference:
    """Difference of means a - b in pooled standard deviations, without small-sample bias (Hedges 1981,
    doi:10.3102/10769986006002107).

    Exact correction factor and large-sample variance, as ``metafor::escalc(measure = "SMD")``; normal interval.

    Raises
    ------
    FitError
        A group of fewer than 2, or no spread at all.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if min(len(a), len(b)) < 2:
        raise FitError("small_group", needed=2)
    df = len(a) + len(b) - 2
    pooled = np.sqrt(((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / df)
    if constant(a) and constant(b):
        raise FitError("values_constant")
    correction = np.exp(special.gammaln(df / 2) - np.log(np.sqrt(df / 2)) - special.gammaln((df - 1) / 2))
    g = float(correction * (a.mean() - b.mean()) / pooled)
    half = NORMAL_975 * np.sqrt(1 / len(a) + 1 / len(b) + g**2 / (2 * (len(a) + len(b))))
    return StandardisedDifference(g, g - half, g + half)


def adjusted_difference(
    estimate: float, standard_error: float, sigma: float, df: int
) -> StandardisedDifference:
    """An adjusted difference in residual standard deviations, as ``emmeans::eff_size(sigma, edf)``.

    The interval holds the uncertainty of the residual standard deviation too.
    """
    d = estimate / sigma
    error = np.sqrt((standard_error / sigma) ** 2 + d**2 / (2 * df))
    half = stats.t.ppf(0.975, df) * error
    return StandardisedDifference(float(d), float(d - half), float(d + half))


@dataclass(frozen=True)
class VarianceShare:
    """Partial eta squared and partial omega squared of some terms of a model."""

    eta_squared: float
    omega_squared: float


def variance_share(without: LinearFit, full: LinearFit) -> VarianceShare:
    """Share of the variance left by the other terms that a factor takes, by the two nested fits' residual sums of squares.

    Omega is eta without its bias upwards (Olejnik and Algina 2003, doi:10.1037/1082-989X.8.4.434); below 0 it
    is cut there.
    """
    df_terms = without.df - full.df
    f = (without.rss - full.rss) / df_terms / (full.rss / full.df)
    eta = (without.rss - full.rss) / without.rss
    omega = df_terms * (f - 1) / (df_terms * (f - 1) + full.n)
    return VarianceShare(float(eta), float(max(omega, 0.0)))
