"""Agreement and error of measurements: limits of agreement, kappa, reliability, slopes corrected for error.

Slopes on an exposure that is measured with error: regression calibration and SIMEX.

Error that does not depend on the truth flattens a slope. Both corrections need the size of the error from
elsewhere, such as repeated measurements, and both assume that it is the same for all participants and tells
nothing about the outcome.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import Estimate, least_squares, mean_interval
from faceage_bio.stats.minimum_sizes import PAIRS_OF_METHODS, REPEATED
from faceage_bio.stats.prediction_accuracy import normal_estimate

STEPS = (0.5, 1.0, 1.5, 2.0)  # error variances added, in multiples of its own; R's simex takes the same
DRAWS, SEED = 200, 0
LEAST_RELIABLE = 0.2  # below it a correction is mostly noise
ROUNDING = 1e-12  # of the largest value; measurements that differ by less are the same
LIMIT = 1.96  # standard deviations on either side of the bias


@dataclass(frozen=True)
class Corrected:
    """The slope as it is, and corrected; ``reliability`` of the exposure given the covariates."""

    naive: Estimate
    calibrated: Estimate
    simex: Estimate
    reliability: float


def correct_slope(
    y: pd.Series,
    exposure: pd.Series,
    covariates: pd.DataFrame,
    error_sd: float,
    error_df: float = np.inf,
) -> Corrected:
    """Slope of ``y`` on an exposure with error of a known size, covariates adjusted for.

    Parameters
    ----------
    y, exposure : Series of float, shape (n,), one index
    covariates : DataFrame of float, shape (n, p), measured without error; may have no column
    error_sd : float
        Standard deviation of the error of the exposure, in its unit.
    error_df : float
        Degrees of freedom with which it is known; infinite if it is given.

    Raises
    ------
    FitError
        No least-squares fit, or an error that leaves less than a fifth of the exposure's variance.
    """
    design = pd.concat([exposure.rename("exposure"), covariates], axis=1)
    row = least_squares(y, design).loc["exposure"]
    others = np.column_stack([np.ones(len(y)), covariates.to_numpy(dtype=np.float64)])
    rest = _residual(others, exposure.to_numpy(dtype=np.float64))
    df = len(y) - others.shape[1]
    variance = float(rest @ rest) / df
    reliability = 1 - error_sd**2 / variance
    if reliability < LEAST_RELIABLE:
        raise FitError("unreliable", reliability=f"{reliability:.2f}", needed=LEAST_RELIABLE)
    # the variances of two variance estimates, as of normal values
    noise = (error_sd**2 / variance) ** 2 * (2 / error_df + 2 / df)
    slope = row["estimate"] / reliability
    error = np.sqrt((row["standard_error"] / reliability) ** 2 + slope**2 * noise / reliability**2)
    # each draw with its opposite, so that chance hardly moves the slope
    half = np.random.default_rng(SEED).standard_normal((len(STEPS), DRAWS // 2, len(y)))
    draws = np.concatenate([half, -half], axis=1)
    df = len(y) - design.shape[1] - 1
    outcome, seen = y.to_numpy(dtype=np.float64), exposure.to_numpy(dtype=np.float64)
    simex = Estimate.by_t(*simex_slope(outcome, seen, others, error_sd, draws), df)
    return Corrected(Estimate.of(row), Estimate.by_t(slope, error, df), simex, reliability)


def simex_slope(
    y: np.ndarray, exposure: np.ndarray, others: np.ndarray, error_sd: float, draws: np.ndarray
) -> tuple[float, float]:
    """Simulation extrapolation: more error is added in steps, and its effect is followed back to none.

    Quadratic extrapolation and the variance of Stefanski and Cook 1995 (doi:10.1080/01621459.1995.10476629),
    which R's simex calls jackknife; Cook and Stefanski 1994, doi:10.1080/01621459.1994.10476871.

    Parameters
    ----------
    y, exposure : float arrays, shape (n,)
    others : float array, shape (n, p), intercept included
    error_sd : float
    draws : float array, shape (4, n_draws, n), standard normal, one block for each of the steps 0.5, 1, 1.5 and 2

    Returns
    -------
    slope, its standard error

    Raises
    ------
    FitError
        The extrapolated variance is not positive.
    """
    slopes, variances = [], []
    clean_y = _residual(others, y)
    df = len(y) - others.shape[1] - 1
    for step, block in zip((0.0, *STEPS), (np.zeros((1, len(y))), *draws), strict=True):
        noisy = _residual(others, exposure[:, None] + np.sqrt(step) * error_sd * block.T)
        sums = (noisy**2).sum(axis=0)
        found = clean_y @ noisy / sums
        residual = ((clean_y[:, None] - noisy * found) ** 2).sum(axis=0) / df
        slopes.append(found.mean())
        variances.append((residual / sums).mean() - (found.var(ddof=1) if step else 0.0))
    curve = np.vander((0.0, *STEPS), 3)
    at_none = np.vander([-1.0], 3)[0]
    slope, variance = (
        float(at_none @ np.linalg.lstsq(curve, np.array(values), rcond=None)[0])
        for values in (slopes, variances)
    )
    if variance <= 0:
        raise FitError("simex_variance")
    return slope, float(np.sqrt(variance))


def _residual(others: np.ndarray, values: np.ndarray) -> np.ndarray:
    basis = np.linalg.qr(others)[0]
    return values - basis @ (basis.T @ values)


@dataclass(frozen=True)
class Agreement:
    """Bias (mean of second minus first), the limits of agreement around it, and how the difference goes with the mean.

    ``slope`` is the difference per unit of the mean of both: away from 0 where the bias grows with what is measured; without an
    interval where all pairs lie on the line.
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
    rounding = ROUNDING * np.abs([first, second]).max(initial=0.0)
    if n < PAIRS_OF_METHODS or np.ptp(difference) <= rounding or np.ptp(mean) <= rounding:
        raise FitError("too_few_pairs_to_agree", needed=PAIRS_OF_METHODS)
    deviation = float(difference.std(ddof=1))
    bias = mean_interval(difference)
    error = float(deviation * np.sqrt(1 / n + LIMIT**2 / (2 * (n - 1))))
    half = stats.t.ppf(0.975, n - 1) * error
    lower, upper = (
        Estimate(limit, limit - half, limit + half, np.nan, error)
        for limit in (bias.estimate - LIMIT * deviation, bias.estimate + LIMIT * deviation)
    )
    line = stats.linregress(mean, difference)
    exact = np.ptp(difference - line.slope * mean) <= rounding
    slope = Estimate.by_t(line.slope, np.nan if exact else line.stderr, n - 2)
    return Agreement(n, bias, deviation, lower, upper, slope)


def cohens_kappa(counts: np.ndarray) -> Estimate:
    """Cohen's kappa with the large-sample interval of Fleiss, Cohen and Everitt (1969, doi:10.1037/h0028106).

    Equal to ``psych::cohen.kappa`` of R.

    Parameters
    ----------
    counts : int array, shape (k, k)
        Row: the first judge's answer; column: the second's. Where they agree in everything or in nothing the
        interval is NaN: its variance is estimated as zero.

    Raises
    ------
    FitError
        Nothing was judged, or a judge gave one answer throughout, so that kappa is 0 or unknown whatever the
        other's answers.
    """
    from statsmodels.stats.inter_rater import cohens_kappa as kappa

    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum()
    if total == 0:
        raise FitError("nothing_in_common")
    if max(counts.sum(axis=0).max(), counts.sum(axis=1).max()) == total:
        raise FitError("one_answer")
    found = kappa(counts)
    return replace(normal_estimate(float(found.kappa), float(found.std_kappa)), p_value=np.nan)


@dataclass(frozen=True)
class Reliability:
    """Of ``n`` participants measured ``k`` times each.

    ``icc_one_way`` is ICC(1,1), ``icc_agreement`` ICC(A,1) of McGraw and Wong; ``error_sd`` the standard
    error of a single measurement (SD within participants), in the unit of the measurement, with ``error_df``
    degrees of freedom; ``smallest_change`` is what 95 of 100 unchanged participants stay below.
    """

    n: int
    k: int
    icc_one_way: Estimate
    icc_agreement: Estimate
    error_sd: Estimate
    error_df: int
    smallest_change: Estimate


def repeat_reliability(values: np.ndarray) -> Reliability:
    """Intraclass correlations of single measurements, with F intervals.

    McGraw and Wong 1996, doi:10.1037/1082-989X.1.1.30; equals R's ``psych::ICC(lmer = FALSE)`` (ICC1, ICC2).
    The interval of the error is chi-square's.

    Parameters
    ----------
    values : float array, shape (n, k)
        Participants by repeated measurements, nothing missing, at least 5 x 2.

    Raises
    ------
    FitError
        Fewer than 5 participants or 2 measurements, a value is missing, or participants or measurements do not vary.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise FitError("no_repeats")
    n, k = values.shape
    if n < REPEATED:
        raise FitError("too_few_repeats", n=n, times=k, needed=REPEATED)
    if np.isnan(values).any():
        raise FitError("missing_measurement")
    people, occasions = values.mean(axis=1), values.mean(axis=0)
    between = k * people.var(ddof=1)
    within = ((values - people[:, None]) ** 2).sum() / (n * (k - 1))
    columns = n * occasions.var(ddof=1)
    rest = ((values - people[:, None] - occasions + values.mean()) ** 2).sum() / ((n - 1) * (k - 1))
    if min(between, within, rest) <= (ROUNDING * np.abs(values).max()) ** 2:
        raise FitError("constant_measurements")
    tail = (1 - 0.95) / 2
    df = n * (k - 1)
    error = np.sqrt(within)
    ends = np.sqrt(df * within / stats.chi2.ppf([1 - tail, tail], df))
    sem = Estimate(float(error), float(ends[0]), float(ends[1]), np.nan)
    factor = stats.norm.ppf(1 - tail) * np.sqrt(2)
    change = Estimate(factor * sem.estimate, factor * sem.ci_lower, factor * sem.ci_upper, np.nan)
    one_way, agreement = _one_way(between, within, n, k, tail), _agreement(between, columns, rest, n, k, tail)
    return Reliability(n, k, one_way, agreement, sem, df, change)


def _one_way(between: float, within: float, n: int, k: int, tail: float) -> Estimate:
    ratio = between / within
    lower = ratio / stats.f.ppf(1 - tail, n - 1, n * (k - 1))
    upper = ratio * stats.f.ppf(1 - tail, n * (k - 1), n - 1)
    icc, low, high = ((f - 1) / (f + k - 1) for f in (ratio, lower, upper))
    return Estimate(float(icc), float(low), float(high), float(stats.f.sf(ratio, n - 1, n * (k - 1))))


def _agreement(between: float, columns: float, rest: float, n: int, k: int, tail: float) -> Estimate:
    icc = (between - rest) / (between + (k - 1) * rest + k * (columns - rest) / n)
    # Satterthwaite's degrees of freedom of the combination of mean squares below the interval
    ratio = columns / rest
    weight = n * (1 + (k - 1) * icc) - k * icc
    top = (k - 1) * (n - 1) * (k * icc * ratio + weight) ** 2
    df = top / ((n - 1) * k**2 * icc**2 * ratio**2 + weight**2)
    upper_f = stats.f.ppf(1 - tail, n - 1, df)
    lower_f = stats.f.ppf(1 - tail, df, n - 1)
    spread = k * columns + (k * n - k - n) * rest
    lower = n * (between - upper_f * rest) / (upper_f * spread + n * between)
    upper = n * (lower_f * between - rest) / (spread + n * lower_f * between)
    p_value = stats.f.sf(between / rest, n - 1, (n - 1) * (k - 1))
    return Estimate(float(icc), float(lower), float(upper), float(p_value))
