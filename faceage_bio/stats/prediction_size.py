"""Participants for a prediction model of survival (Riley et al. 2020, doi:10.1136/bmj.m441), and samples for RNA sequencing."""

from math import ceil

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

SHRINKAGE, OPTIMISM, MARGIN = (
    0.9,
    0.05,
    0.05,
)  # the authors' targets: shrinkage, optimism of R squared, error of the mean risk


def prediction_model_size(
    r_squared: float, parameters: int, *, event_rate: float, mean_follow_up: float, horizon: float
) -> dict[str, int]:
    """Riley's three criteria for a model of survival, as pmsampsize counts.

    Parameters
    ----------
    r_squared : float
        Cox-Snell R squared expected of the model.
    parameters : int
        Of the model.
    event_rate : float
        Events per participant and year.
    mean_follow_up, horizon : float
        Years; risk is predicted at ``horizon``.

    Returns
    -------
    dict
        Participants by "shrinkage", "optimism" and "overall risk"; "participants" is the largest, "events" go with it.
    """
    share = event_rate * mean_follow_up
    largest = 1 - np.exp(2 * (share * np.log(event_rate) - share))  # of a model that knows everything
    if not 0 < r_squared < largest:
        raise ValueError(
            f"R squared {r_squared}: expected more than 0 and less than {largest:.3f} at this event rate"
        )

    def off(n: float) -> float:
        spread = norm.isf(0.025) * np.sqrt(event_rate / (mean_follow_up * n))
        risks = [
            1 - np.exp(-max(rate, 0) * horizon)
            for rate in (event_rate - spread, event_rate, event_rate + spread)
        ]
        return max(risks[2] - risks[1], risks[1] - risks[0]) - MARGIN

    criteria = {
        "shrinkage": _for_shrinkage(SHRINKAGE, r_squared, parameters),
        "optimism": _for_shrinkage(r_squared / (r_squared + OPTIMISM * largest), r_squared, parameters),
        "overall risk": 1 if off(1) <= 0 else ceil(brentq(off, 1, 1e9)),
    }
    n = max(criteria.values())
    return criteria | {"participants": n, "events": ceil(n * share)}


def _for_shrinkage(factor: float, r_squared: float, parameters: int) -> int:
    return ceil(parameters / ((factor - 1) * np.log(1 - r_squared / factor)))


def size_for_fitted_model(
    likelihood_ratio: float, log_likelihood: float, parameters: int, n: int
) -> dict[str, float] | None:
    """Riley's criteria of shrinkage and optimism for a Cox model as it was fitted.

    Parameters
    ----------
    likelihood_ratio : float
        Chi-square of all terms together.
    log_likelihood : float
        Partial log likelihood of the model, from which the largest Cox-Snell R squared is taken.

    Returns
    -------
    dict or None
        ``r_squared`` (Cox-Snell), ``shrinkage`` (van Houwelingen and le Cessie's heuristic factor), and ``participants`` that a model with
        R squared times this factor needs. None where the chi-square is not above the number of parameters: no shrinkage leaves anything.
    """
    if not likelihood_ratio > parameters:
        return None
    shrinkage = 1 - parameters / likelihood_ratio
    r_squared = 1 - np.exp(-likelihood_ratio / n)
    largest = 1 - np.exp((2 * log_likelihood - likelihood_ratio) / n)
    expected = r_squared * shrinkage
    needed = max(
        _for_shrinkage(factor, expected, parameters)
        for factor in (SHRINKAGE, expected / (expected + OPTIMISM * largest))
    )
    return {"r_squared": float(r_squared), "shrinkage": float(shrinkage), "participants": needed}


def samples_per_group(
    fold_change: float, depth: float, cv: float, *, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Samples in each of two groups for a gene (Hart et al. 2013, doi:10.1089/cmb.2012.0283; R's RNASeqPower).

    Parameters
    ----------
    fold_change : float
    depth : float
        Mean count of the gene.
    cv : float
        Biological coefficient of variation, the root of the dispersion.
    """
    z = norm.isf(alpha / 2) + norm.ppf(power)
    return float(2 * z**2 * (1 / depth + cv**2) / np.log(fold_change) ** 2)


def samples_for_exposure(
    fold_change: float, sd: float, depth: float, cv: float, *, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Samples for the fold change of a gene per unit of a continuous exposure with this SD."""
    z = norm.isf(alpha / 2) + norm.ppf(power)
    return float(z**2 * (1 / depth + cv**2) / (np.log(fold_change) * sd) ** 2)
