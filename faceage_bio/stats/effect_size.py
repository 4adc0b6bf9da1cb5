"""How large a difference is, beside its p-value: standardised differences and shares of variance."""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import LinearFit


@dataclass(frozen=True)
class StandardisedDifference:
    """A difference in standard deviations with its 95% interval."""

    estimate: float
    ci_lower: float
    ci_upper: float


def hedges_g(a: np.ndarray, b: np.ndarray) -> StandardisedDifference:
    """Difference of means a - b in pooled standard deviations, without small-sample bias (Hedges 1981, doi:10.3102/10769986006002107).

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
    if pooled == 0:
        raise FitError("values_constant")
    correction = np.exp(special.gammaln(df / 2) - np.log(np.sqrt(df / 2)) - special.gammaln((df - 1) / 2))
    g = float(correction * (a.mean() - b.mean()) / pooled)
    half = 1.959963984540054 * np.sqrt(1 / len(a) + 1 / len(b) + g**2 / (2 * (len(a) + len(b))))
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

    Omega is eta without its bias upwards (Olejnik and Algina 2003, doi:10.1037/1082-989X.8.4.434); below 0 it is cut there.
    """
    df_terms = without.df - full.df
    f = (without.rss - full.rss) / df_terms / (full.rss / full.df)
    eta = (without.rss - full.rss) / without.rss
    omega = df_terms * (f - 1) / (df_terms * (f - 1) + full.n)
    return VarianceShare(float(eta), float(max(omega, 0.0)))
