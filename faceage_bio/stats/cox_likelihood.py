"""Cox's partial likelihood with Efron's ties: one pass over the deaths gives value, slopes, curvature and residuals.

Columns of ``x`` are rows here, (..., p, n), in the order of the risk sets; ``...`` may be a batch of models.
"""

from dataclasses import dataclass

import numpy as np

from faceage_bio.stats.risk_sets import RiskSets


@dataclass(frozen=True, eq=False)
class EfronPass:
    """What one value of the coefficients gives."""

    risk: np.ndarray  # (..., n) weight times exp(linear predictor)
    inverse: (
        np.ndarray
    )  # (..., d) hazard of each step: weight of the deaths over the risk of everybody at risk
    means: np.ndarray  # (..., p, d) mean of x at each step
    hazard: np.ndarray  # (..., n) cumulative baseline hazard that each row passed through
    log_likelihood: np.ndarray  # (...)


def efron_pass(sets: RiskSets, x: np.ndarray, eta: np.ndarray) -> EfronPass:
    """Sums over all participants at risk at each death.

    Parameters
    ----------
    sets : RiskSets
    x : array, shape (..., p, n)
        Centred, so that differences of sums keep their digits.
    eta : array, shape (..., n)
        Linear predictor.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        risk = sets.weights * np.exp(eta)
        total = sets.at_steps(risk)
        inverse = sets.step_weight / total
        value = eta[..., sets.deaths] @ sets.weights[sets.deaths] - np.log(total) @ sets.step_weight
        means = sets.at_steps(x * risk[..., None, :]) / total[..., None, :]
        return EfronPass(risk, inverse, means, sets.of_rows(inverse), value)


def log_likelihood(sets: RiskSets, eta: np.ndarray) -> float:
    """The partial likelihood alone."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        total = sets.at_steps(sets.weights * np.exp(eta))
        return eta[..., sets.deaths] @ sets.weights[sets.deaths] - np.log(total) @ sets.step_weight


def score(sets: RiskSets, x: np.ndarray, at: EfronPass) -> np.ndarray:
    """Slope of the log-likelihood, (..., p)."""
    observed = x[..., sets.deaths] @ sets.weights[sets.deaths]
    return observed - (x @ (at.risk * at.hazard)[..., None])[..., 0]


def information(
    sets: RiskSets, x: np.ndarray, at: EfronPass, multiplier: np.ndarray | None = None
) -> np.ndarray:
    """Minus the curvature, (..., p, p); with ``multiplier`` (d,) each step's share is multiplied by it."""
    hazard, weight = at.hazard, sets.step_weight
    if multiplier is not None:
        hazard, weight = sets.of_rows(at.inverse * multiplier), weight * multiplier
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (x * (at.risk * hazard)[..., None, :]) @ x.swapaxes(-1, -2)
        return squares - (at.means * weight) @ at.means.swapaxes(-1, -2)


def score_residuals(sets: RiskSets, x: np.ndarray, at: EfronPass) -> np.ndarray:
    """Each row's part of the slope, (p, n), for one model; weights are left out, as R's ``type = "score"``."""
    risk = at.risk / sets.weights
    parts = risk * (sets.of_rows(at.means * at.inverse) - x * at.hazard)
    parts[:, sets.deaths] += schoenfeld_residuals(sets, x, at)
    return parts


def schoenfeld_residuals(sets: RiskSets, x: np.ndarray, at: EfronPass) -> np.ndarray:
    """x of each death less its expectation among those at risk, (p, d), for one model."""
    mean = sets.over_ties(at.means)
    if sets.tied:
        mean = (mean / np.bincount(sets.group))[:, sets.group]
    return x[:, sets.deaths] - mean
