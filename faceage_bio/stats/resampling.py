"""Resamples and permutations of the same participants at once: concordance, areas under ROC curves, permuted exposures.

A resample is a row of counts: how often each person was drawn. Comparing every two participants once serves
all resamples, so that a thousand of them cost a matrix product. `concordance` and `censored_auc` give one
sample's values with their errors in n log n steps, for hundreds of thousands of participants; here the values
alone of many samples of hundreds of participants are wanted.

What a test does where there is no association: the exposure's residuals on the covariates permuted, outcome
and covariates untouched.

Residuals of the exposure are permuted and added to its fitted values, so that the exposure keeps its relation
to the covariates and has none to the outcome given them (Dekker, Krackhardt and Snijders 2007,
doi:10.1007/s11336-007-9016-1; "Smith" in Winkler et al. 2014, doi:10.1016/j.neuroimage.2014.01.060).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy.stats import chi2, t

from faceage_bio.stats.kaplan_meier import DIGITS

BLOCK = 2048  # people compared at a time with all others
ALPHA = 0.05
MEDIAN_CHI_SQUARE = float(chi2.median(1))
PERMUTED_AT_ONCE = 1000  # permutations whose products are in memory at a time


def draw_counts(n: int, resamples: int, seed: int) -> np.ndarray:
    """How often each of ``n`` participants is drawn in each bootstrap resample; float array, shape (resamples, n)."""
    random = np.random.default_rng(seed)
    return random.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)


def concordances(
    years: np.ndarray,
    event: np.ndarray,
    risk: np.ndarray,
    counts: np.ndarray,
    entry: np.ndarray | None = None,
) -> np.ndarray:
    """Harrell's concordance of a risk with survival in each resample, as R's ``concordance``.

    Of pairs in which one is known to have died first, the share in which that one had the higher risk; equal
    risks count one half, equal times of death not at all.

    Parameters
    ----------
    years, event, risk : float arrays, shape (n,)
    counts : float array, shape (resamples, n)
        Ones give the participants themselves.
    entry : float array, shape (n,), optional
        Start of observation; a pair is compared if the other was under observation before the first one's death.

    Returns
    -------
    float array, shape (resamples,); NaN where no pair can be compared
    """
    years, event, risk = _arrays(years, event, risk)
    begun = -np.inf if entry is None else np.round(np.asarray(entry, dtype=np.float64), DIGITS)
    died = np.flatnonzero(event == 1)
    won, compared = np.zeros(len(counts)), np.zeros(len(counts))
    for start in range(0, len(died), BLOCK):
        first = died[start : start + BLOCK]
        time = years[first, None]
        later = ((years > time) | ((years == time) & (event == 0))) & (begun < time)
        wins = (risk[first, None] > risk) + 0.5 * (risk[first, None] == risk)
        drawn = counts[:, first]
        won += (drawn * (counts @ (later * wins).T)).sum(axis=1)
        compared += (drawn * (counts @ later.T.astype(np.float64))).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return won / compared


def areas(
    years: np.ndarray, event: np.ndarray, risk: np.ndarray, horizon: float, counts: np.ndarray
) -> np.ndarray:
    """Area under the ROC curve for death by a horizon in each resample, weighted for censoring; see `censored_areas`.

    Cases are weighted by one over the Kaplan-Meier curve of censoring just before their death, which is
    estimated anew in each resample. Who is censored at the horizon itself is alive at it.

    Returns
    -------
    float array, shape (resamples,); NaN where a resample has no death by the horizon or no participant alive at it
    """
    years, event, risk = _arrays(years, event, risk)
    case = (event == 1) & (years <= horizon)
    control = ~case & (years >= horizon)
    weight = counts[:, case] / _uncensored(years, event, years[case], horizon, counts)
    alive = counts[:, control]
    won = np.zeros(len(counts))
    for start in range(0, int(case.sum()), BLOCK):
        part = slice(start, start + BLOCK)
        mine = risk[case][part, None]
        wins = (mine > risk[control]) + 0.5 * (mine == risk[control])
        won += ((weight[:, part] @ wins) * alive).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return won / (weight.sum(axis=1) * alive.sum(axis=1))


def _uncensored(
    years: np.ndarray, event: np.ndarray, at: np.ndarray, horizon: float, counts: np.ndarray
) -> np.ndarray:
    """The curve of censoring just before each time of ``at``, shape (resamples, len(at)); deaths come before losses."""
    times = np.unique(years[(event == 0) & (years < horizon)])
    leaves = (years[:, None] == times) & (event[:, None] == 0)
    lost, at_risk = (counts @ one.astype(np.float64) for one in (leaves, leaves | (years[:, None] > times)))
    free = np.cumprod(1 - lost / np.maximum(at_risk, 1.0), axis=1)
    free = np.column_stack([np.ones(len(counts)), free])
    curve = free[:, np.searchsorted(times, at, side="left")]
    return np.maximum(curve, np.finfo(float).tiny)  # nobody drawn is beyond it, so its weight counts nobody


def _arrays(
    years: np.ndarray, event: np.ndarray, risk: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    years = np.round(np.asarray(years, dtype=np.float64), DIGITS)
    return years, np.asarray(event, dtype=np.float64), np.asarray(risk, dtype=np.float64)


def percentile_interval(values: np.ndarray) -> tuple[float, float]:
    """The 2.5 and 97.5% points of a bootstrap distribution; NaN values are left out."""
    known = values[np.isfinite(values)]
    lower, upper = np.quantile(known, [0.025, 0.975]).tolist() if len(known) else (np.nan, np.nan)
    return lower, upper


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


def type_one_error(p_values: np.ndarray) -> OverPermutations:
    """Share of p below `ALPHA` of p-values (n_permutations, n_tests) without association; NaN is left out."""
    known = np.isfinite(p_values)
    return OverPermutations.of(((p_values < ALPHA) & known).sum(axis=1) / known.sum(axis=1))


def inflation(p_values: np.ndarray) -> OverPermutations:
    """Median chi-square of p-values (n_permutations, n_tests), divided by its value under the null (genomic inflation factor)."""
    with np.errstate(divide="ignore"):
        chi_squares = chi2.isf(np.clip(p_values, 1e-300, 1), 1)
    return OverPermutations.of(np.nanmedian(chi_squares, axis=1) / MEDIAN_CHI_SQUARE)


def weighted_permutation_p(
    y: np.ndarray,
    weights: np.ndarray,
    exposure: np.ndarray,
    covariates: np.ndarray,
    n_permutations: int,
    seed: int,
) -> np.ndarray:
    """Permutation p-values of a weighted least-squares t of the exposure, two-sided, shape (n_outcomes,).

    The t, its variance moderated towards a prior that is fixed or not at all, rises with what the exposure
    explains of the weighted residual sum of squares that the covariates leave; so that alone is compared, and
    all permutations are matrix products. Weights are those of a model without the exposure. p is (exceedances
    + 1) / (permutations + 1) (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).

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
    exceeded, drawn = np.zeros(n_outcomes), permuted_exposures(exposure, covariates, n_permutations, seed)
    while batch := list(islice(drawn, PERMUTED_AT_ONCE)):
        exceeded += (explained(np.array(batch).T) >= observed * (1 - 1e-12)).sum(axis=1)
    return (exceeded + 1) / (n_permutations + 1)
