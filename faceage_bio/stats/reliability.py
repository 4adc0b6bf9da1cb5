"""How far repeated measurements of the same person agree: intraclass correlation, error of one measurement."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import Estimate

MIN_PEOPLE = 5


@dataclass(frozen=True)
class Reliability:
    """Of ``n`` participants measured ``k`` times each.

    ``icc_one_way`` is ICC(1,1), ``icc_agreement`` ICC(A,1) of McGraw and Wong; ``error_sd`` the standard error of a single
    measurement (SD within participants), in the unit of the measurement, with ``error_df`` degrees of freedom;
    ``smallest_change`` is what 95 of 100 unchanged participants stay below.
    """

    n: int
    k: int
    icc_one_way: Estimate
    icc_agreement: Estimate
    error_sd: Estimate
    error_df: int
    smallest_change: Estimate


def repeat_reliability(values: np.ndarray, level: float = 0.95) -> Reliability:
    """Intraclass correlations of single measurements, with F intervals.

    McGraw and Wong 1996, doi:10.1037/1082-989X.1.1.30; equals R's ``psych::ICC(lmer = FALSE)`` (ICC1, ICC2). The interval of
    the error is chi-square's.

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
    if n < MIN_PEOPLE:
        raise FitError("too_few_repeats", n=n, times=k, needed=MIN_PEOPLE)
    if np.isnan(values).any():
        raise FitError("missing_measurement")
    people, occasions = values.mean(axis=1), values.mean(axis=0)
    between = k * people.var(ddof=1)
    within = ((values - people[:, None]) ** 2).sum() / (n * (k - 1))
    columns = n * occasions.var(ddof=1)
    rest = ((values - people[:, None] - occasions + values.mean()) ** 2).sum() / ((n - 1) * (k - 1))
    if between <= 0 or within <= 0 or rest <= 0:
        raise FitError("constant_measurements")
    tail = (1 - level) / 2
    df = n * (k - 1)
    error = np.sqrt(within)
    ends = np.sqrt(df * within / stats.chi2.ppf([1 - tail, tail], df))
    sem = Estimate(float(error), float(ends[0]), float(ends[1]), np.nan)
    factor = stats.norm.ppf(1 - tail) * np.sqrt(2)
    return Reliability(
        n=n, k=k, icc_one_way=_one_way(between, within, n, k, tail),
        icc_agreement=_agreement(between, columns, rest, n, k, tail), error_sd=sem, error_df=df,
        smallest_change=Estimate(factor * sem.estimate, factor * sem.ci_lower, factor * sem.ci_upper, np.nan),
    )  # fmt: skip


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
