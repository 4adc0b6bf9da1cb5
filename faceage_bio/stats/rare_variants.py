"""Rare variants of a gene taken together: burden scores, the variance-component test SKAT, and tails of sums of chi-squares."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import integrate, optimize, stats
from scipy.special import gammaln

from faceage_bio.core.errors import FitError
from faceage_bio.stats.design import independent

NEGLIGIBLE = 1e-10  # of the largest weight: a smaller one is rounding of a zero
SMALLEST = float(np.finfo(np.float64).tiny)  # the least that is told; no p-value is zero
Burden = Literal["carriers", "alleles", "weighted"]
BETA = (1.0, 25.0)  # Wu 2011: a variant that no other participant has weighs 25, one of 5 % weighs 7


def chi_square_mixture_tail(value: float, weights: np.ndarray) -> float:
    """P(sum of w_i X_i >= value), where the X_i are independent chi-squares with 1 degree of freedom.

    Inversion of the moment generating function as Imhof (1961, doi:10.1093/biomet/48.3-4.419) and Davies
    (1980, doi:10.2307/2346911) do it, but along a parabola through the saddlepoint (Kuonen 1999,
    doi:10.1093/biomet/86.4.929, stops there) that opens to where the integrand falls off, instead of along
    the imaginary axis. Nothing oscillates or cancels, so the relative error is about 1e-12 in the far tail
    too, where theirs is absolute, and no other method has to step in.

    Parameters
    ----------
    value : float
    weights : float array, shape (m,)
        Not negative; those below 1e-10 of the largest are taken for zero.

    Returns
    -------
    float
        From the smallest normal double (about 2e-308) to 1, never 0.

    Raises
    ------
    FitError
        No positive weight, or something is not a finite number.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(weights).all() or not np.isfinite(value) or not (weights > 0).any():
        raise FitError("bad_weights")
    if value <= 0:
        return 1.0
    weights = weights[weights > NEGLIGIBLE * weights.max()]
    value, weights = value / weights.max(), weights / weights.max()
    # no part alone is that small, so neither is the sum
    if stats.chi2.logcdf(value / weights, 1).sum() < np.log(1e-17):
        return 1.0
    if np.ptp(weights) < 1e-14:
        return max(float(stats.chi2.sf(value, len(weights))), SMALLEST)
    return float(np.clip(_along_the_parabola(value, weights), SMALLEST, 1.0))


def _along_the_parabola(value: float, weights: np.ndarray) -> float:
    """The integral of exp(K(s) - s value) / s over s = c + a y^2 + i y, divided by 2 pi i; the largest weight is 1."""

    def slope(s: float) -> float:
        return float((weights / (1 - 2 * weights * s)).sum() - value - 1 / s)

    centre = optimize.brentq(slope, 1e-300, 0.5 * (1 - 1e-15), xtol=1e-14)
    scaled = weights / (1 - 2 * weights * centre)
    second, third = 2 * (scaled**2).sum() + centre**-2, 8 * (scaled**3).sum() - 2 * centre**-3
    height, width = _log_integrand(centre, value, weights).real, second**-0.5
    bend = max(third / (6 * second), 0.5)  # steepest descent, but to the right
    # straight up the integrand only falls; bent too far it has a second hill beside the poles of small weights
    while (ends := _reach(bend, value)) and _rises(centre, bend, width, ends, height, value, weights):
        bend /= 4

    def integrand(t: float) -> float:
        s = complex(centre + bend * (t * width) ** 2, t * width)
        direction = complex(1, -2 * bend * t * width) * width
        return (np.exp(_log_integrand(s, value, weights) - height) * direction).real

    end = _reach(bend, value) / width
    breaks = [point for point in (1.0, 3.0, 10.0, 100.0) if point < end]
    # full_output keeps quad from warning of roundoff, which is harmless where the probability is near 1; the error is looked at
    found, error = integrate.quad(
        integrand, 0, end, points=breaks, epsabs=0, epsrel=1e-11, limit=500, full_output=1
    )[:2]
    if not error < 1e-7 * found:
        raise FitError("integral_not_converged")
    return found * np.exp(height) / np.pi


def _reach(bend: float, value: float) -> float:
    """The height beyond which exp(-s value) alone is below 1e-20 of what it is at the centre."""
    return (46 / (bend * value)) ** 0.5


def _rises(
    centre: float, bend: float, width: float, end: float, height: float, value: float, weights: np.ndarray
) -> bool:
    """Whether the integrand, as far as it counts, has a second hill, which the integration might overlook."""
    y = np.geomspace(0.1 * width, max(end, width), 200)
    found = np.array([_log_integrand(complex(centre + bend * k * k, k), value, weights).real for k in y])
    hill = found > np.minimum.accumulate(np.append(height, found))[:-1] + 0.1
    return bool((hill & (found > height - 40)).any())


def _log_integrand(s: complex, value: float, weights: np.ndarray) -> complex:
    return -0.5 * np.log(1 - 2 * weights * complex(s)).sum() - s * value - np.log(complex(s))


def allele_frequency(genotypes: np.ndarray) -> np.ndarray:
    """Frequency of the counted allele among known genotypes.

    Parameters
    ----------
    genotypes : float array, shape (n, m)
        Copies of the counted allele, 0 to 2; NaN where missing.

    Returns
    -------
    float array, shape (m,); NaN where nothing is known
    """
    known = ~np.isnan(genotypes)
    copies = np.where(known, genotypes, 0).sum(axis=0)
    nothing = np.full(copies.shape, np.nan)
    return np.divide(copies, 2 * known.sum(axis=0), out=nothing, where=known.any(axis=0))


def filled_with_mean(genotypes: np.ndarray) -> np.ndarray:
    """Missing genotypes -> mean of the variant's known ones."""
    return np.where(np.isnan(genotypes), 2 * allele_frequency(genotypes), genotypes)


def beta_weights(frequency: np.ndarray) -> np.ndarray:
    """Density of Beta(1, 25) at the minor allele frequency: the rarer, the heavier (Wu 2011)."""
    return stats.beta.pdf(frequency, *BETA)


def burden_score(genotypes: np.ndarray, kind: Burden) -> np.ndarray:
    """One number per person for all rare variants of a gene.

    Parameters
    ----------
    genotypes : float array, shape (n, m)
        Copies of the minor allele; missing ones filled in or NaN (filled with the variant's mean).
    kind : "carriers", "alleles" or "weighted"
        1 for whoever has any (expected, where genotypes are missing: at most 1); the number of minor alleles;
        or their number weighted by `beta_weights` relative to that of an infinitely rare variant, so that a
        unit is one allele of the rarest.

    Returns
    -------
    float array, shape (n,)
    """
    filled = filled_with_mean(genotypes)
    if kind == "carriers":
        return np.minimum(filled.sum(axis=1), 1.0)
    if kind == "alleles":
        return filled.sum(axis=1)
    return filled @ (beta_weights(allele_frequency(genotypes)) / beta_weights(np.zeros(1)))


@dataclass(frozen=True)
class Skat:
    """The statistic and its p-value; ``weights`` of the chi-squares whose sum it is distributed as."""

    statistic: float
    p_value: float
    weights: np.ndarray


def skat(
    y: pd.Series, design: pd.DataFrame, genotypes: np.ndarray, weights: np.ndarray | None = None
) -> Skat:
    """Whether any variant of a set goes with the outcome, each in its own direction.

    SKAT with a weighted linear kernel (Wu et al. 2011, doi:10.1016/j.ajhg.2011.05.029): with the residuals r
    of the null linear model, s2 = r'r / (n - p) and Z = G diag(w), Q = r'Z Z'r / s2, which under the null is
    a sum of chi-squares weighted by the eigenvalues of Z'(I - H)Z. The R package SKAT prints half of this Q.
    s2 is taken for known, so p is a little too large in few participants.

    Parameters
    ----------
    y : Series of float, shape (n,)
    design : DataFrame of float, shape (n, p - 1), same index, without intercept
        The null model.
    genotypes : float array, shape (n, m)
        Copies of the minor allele; NaN is filled with the variant's mean.
    weights : float array, shape (m,), optional
        `beta_weights` of the observed frequencies unless given.

    Raises
    ------
    FitError
        Too few rows, terms that determine each other, no variant that varies beside the terms, or an outcome
        without residuals.
    """
    x = np.column_stack([np.ones(len(y)), design.to_numpy(dtype=np.float64)])
    if len(y) < x.shape[1] + 2:
        raise FitError("too_few_samples_for_terms", n=len(y), terms=x.shape[1])
    if not independent(design):
        raise FitError("term_follows")
    if weights is None:
        weights = beta_weights(allele_frequency(genotypes))
    basis = np.linalg.qr(x)[0]
    values = y.to_numpy(dtype=np.float64)
    residuals = values - basis @ (basis.T @ values)
    variance = residuals @ residuals / (len(y) - x.shape[1])
    if variance <= 1e-20 * max(values @ values, 1e-300):
        raise FitError("outcome_follows")
    weighted = filled_with_mean(genotypes) * weights
    beside = weighted - basis @ (basis.T @ weighted)
    varies = (beside**2).sum(axis=0) > 1e-20 * np.maximum((weighted**2).sum(axis=0), 1e-300)
    if not varies.any():
        raise FitError("no_variant_varies")
    beside = beside[:, varies]
    scores = beside.T @ residuals
    statistic = float(scores @ scores / variance)
    mixture = np.maximum(np.linalg.eigvalsh(beside.T @ beside), 0.0)
    return Skat(statistic, chi_square_mixture_tail(statistic, mixture), mixture)


def hardy_weinberg(genotypes: np.ndarray) -> np.ndarray:
    """Exact test of Hardy-Weinberg proportions for each variant (Wigginton 2005, doi:10.1086/429864).

    Parameters
    ----------
    genotypes : array, shape (n, m)
        0, 1, 2 or NaN.

    Returns
    -------
    float array, shape (m,)
        p-values; NaN where nothing is known, 1 where the variant does not vary.
    """
    counts = np.stack([(np.asarray(genotypes) == copies).sum(axis=0) for copies in (0, 1, 2)], axis=1)
    return np.array([_exact_p(*of_variant) for of_variant in counts])


def _exact_p(first: int, both: int, second: int) -> float:
    n, minor = first + both + second, 2 * min(first, second) + both
    if n == 0:
        return np.nan
    # probabilities of each possible number of heterozygotes, given the alleles: in logs, then scaled
    heterozygous = np.arange(minor % 2, minor + 1, 2)
    rare = (minor - heterozygous) // 2
    common = n - heterozygous - rare
    log_p = heterozygous * np.log(2) - gammaln(heterozygous + 1) - gammaln(rare + 1) - gammaln(common + 1)
    p = np.exp(log_p - log_p.max())
    observed = p[heterozygous == both][0]
    return float(min(1.0, p[p <= observed * (1 + 1e-10)].sum() / p.sum()))
