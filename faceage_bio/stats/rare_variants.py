"""Rare variants of a gene taken together: burden scores, and the variance-component test SKAT."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import gammaln

from faceage_bio.core.errors import FitError
from faceage_bio.stats.design import independent
from faceage_bio.stats.quadratic_forms import chi_square_mixture_tail

Burden = Literal["carriers", "alleles", "weighted"]
BETA = (1.0, 25.0)  # Wu 2011: a variant that nobody else has weighs 25, one of 5 % weighs 7


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
    return np.divide(copies, 2 * known.sum(axis=0), out=np.full(copies.shape, np.nan), where=known.any(axis=0))  # fmt: skip


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
        1 for whoever has any (expected, where genotypes are missing: at most 1); the number of minor alleles; or their number
        weighted by `beta_weights` relative to that of an infinitely rare variant, so that a unit is one allele of the rarest.

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


def skat(y: pd.Series, design: pd.DataFrame, genotypes: np.ndarray, weights: np.ndarray | None = None) -> Skat:  # fmt: skip
    """Whether any variant of a set goes with the outcome, each in its own direction.

    SKAT with a weighted linear kernel (Wu et al. 2011, doi:10.1016/j.ajhg.2011.05.029): with the residuals r of the null linear
    model, s2 = r'r / (n - p) and Z = G diag(w), Q = r'Z Z'r / s2, which under the null is a sum of chi-squares weighted by the
    eigenvalues of Z'(I - H)Z. The R package SKAT prints half of this Q. s2 is taken for known, so p is a little too large in few
    participants.

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
        Too few rows, terms that determine each other, no variant that varies beside the terms, or an outcome without residuals.
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
    return np.array([_exact_p(*((column == k).sum() for k in (0, 1, 2))) for column in np.asarray(genotypes).T])  # fmt: skip


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
