"""What a test does where there is no association: the exposure's residuals on the covariates permuted, outcome and covariates untouched.

Residuals of the exposure are permuted and added to its fitted values, so that the exposure keeps its relation to the covariates and
has none to the outcome given them (Dekker, Krackhardt and Snijders 2007, doi:10.1007/s11336-007-9016-1; "Smith" in Winkler et al.
2014, doi:10.1016/j.neuroimage.2014.01.060).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, t

ALPHA = 0.05
MEDIAN_CHI_SQUARE = float(chi2.median(1))
BLOCK = 1000  # permutations whose products are in memory at a time


def permuted_exposures(
    exposure: np.ndarray, covariates: np.ndarray, n_permutations: int, seed: int
) -> Iterator[np.ndarray]:
    """One exposure after the other, each shape (n,).

    Parameters
    ----------
    exposure : float array, shape (n,)
    covariates : float array, shape (n, p), with the intercept
    """
    fitted = covariates @ np.linalg.lstsq(covariates, exposure, rcond=None)[0]
    residuals, random = exposure - fitted, np.random.default_rng(seed)
    for _ in range(n_permutations):
        yield fitted + random.permutation(residuals)


@dataclass(frozen=True)
class OverPermutations:
    """A mean over permutations; ``standard_error``: Monte Carlo, from the spread between them; the interval is 95%, by t."""

    estimate: float
    standard_error: float
    ci_lower: float
    ci_upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "OverPermutations":
        """Of one value per permutation; fewer than 2 have no error."""
        k, mean = len(values), float(np.mean(values))
        error = float(np.std(values, ddof=1) / np.sqrt(k)) if k > 1 else np.nan
        half = float(t.ppf(0.975, k - 1)) * error if k > 1 else np.nan
        return cls(mean, error, max(0.0, mean - half), mean + half)


def type_one_error(p_values: np.ndarray, alpha: float = ALPHA) -> OverPermutations:
    """Share of p below ``alpha`` of p-values (n_permutations, n_tests) without association; NaN is left out."""
    known = np.isfinite(p_values)
    return OverPermutations.of(((p_values < alpha) & known).sum(axis=1) / known.sum(axis=1))


def inflation(p_values: np.ndarray) -> OverPermutations:
    """Median chi-square of p-values (n_permutations, n_tests), divided by its value under the null (genomic inflation factor)."""
    with np.errstate(divide="ignore"):
        chi_squares = chi2.isf(np.clip(p_values, 1e-300, 1), 1)
    return OverPermutations.of(np.nanmedian(chi_squares, axis=1) / MEDIAN_CHI_SQUARE)


def weighted_permutation_p(
    y: np.ndarray, weights: np.ndarray, exposure: np.ndarray, covariates: np.ndarray, n_permutations: int, seed: int
) -> np.ndarray:  # fmt: skip
    """Permutation p-values of a weighted least-squares t of the exposure, two-sided, shape (n_outcomes,).

    The t, its variance moderated towards a prior that is fixed or not at all, rises with what the exposure explains of the weighted
    residual sum of squares that the covariates leave; so that alone is compared, and all permutations are matrix products. Weights
    are those of a model without the exposure. p is (exceedances + 1) / (permutations + 1) (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).

    Parameters
    ----------
    y, weights : float arrays, shape (n, n_outcomes)
    exposure : float array, shape (n,)
    covariates : float array, shape (n, p), with the intercept
    """
    n_outcomes = y.shape[1]
    left, inner = np.empty_like(y), []
    for k in range(n_outcomes):
        weighted = weights[:, k, None] * covariates
        inner.append(np.linalg.solve(covariates.T @ weighted, weighted.T))
        left[:, k] = weights[:, k] * (y[:, k] - covariates @ (inner[k] @ y[:, k]))

    def explained(exposures: np.ndarray) -> np.ndarray:
        """Of exposures (n, m): shape (n_outcomes, m)."""
        moment = left.T @ exposures
        own = weights.T @ exposures**2
        for k in range(n_outcomes):
            weighted = (weights[:, k, None] * covariates).T @ exposures
            own[k] -= (weighted * (inner[k] @ exposures)).sum(axis=0)
        return moment**2 / own

    observed = explained(exposure[:, None])
    exceeded, batch = np.zeros(n_outcomes), []
    for drawn in permuted_exposures(exposure, covariates, n_permutations, seed):
        batch.append(drawn)
        if len(batch) == BLOCK:
            exceeded += (explained(np.array(batch).T) >= observed * (1 - 1e-12)).sum(axis=1)
            batch = []
    if batch:
        exceeded += (explained(np.array(batch).T) >= observed * (1 - 1e-12)).sum(axis=1)
    return (exceeded + 1) / (n_permutations + 1)
