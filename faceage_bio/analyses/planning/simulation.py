"""Simulated studies: how often the test of a Cox model finds a planned hazard ratio."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from faceage_bio.core.errors import FitError
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.sample_size import PiecewiseSurvival


def simulated_power(
    log_hazard_ratio: float,
    survival: PiecewiseSurvival,
    n: int,
    *,
    accrual: float,
    follow_up: float,
    drop_out: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    modifier_share: float | None = None,
    repeats: int,
    seed: int = 1,
) -> tuple[float, float]:
    """Share of simulated studies in which the score test of a standard normal exposure is significant, with
    its Monte Carlo SE.

    Of an interaction the exposure acts in one of two subgroups alone, and the Wald test of its product with
    the subgroup counts, in a Cox model with both.

    Parameters
    ----------
    log_hazard_ratio : float
        Per SD of the exposure; of an interaction the difference between the subgroups.
    survival : PiecewiseSurvival
        Of participants with the mean exposure.
    n : int
        Participants of each study.
    accrual, follow_up, drop_out
        See `PiecewiseSurvival.event_share`.
    modifier_share : float, optional
        Share of participants in the subgroup in which the exposure acts.
    repeats : int
        Studies.
    """
    random = np.random.default_rng(seed)
    x = random.standard_normal((repeats, n))
    inside = np.ones((repeats, n)) if modifier_share is None else random.random((repeats, n)) < modifier_share
    cumulative = random.exponential(size=(repeats, n)) / np.exp(log_hazard_ratio * x * inside)
    event_times = survival_times(survival, cumulative)
    end = follow_up + accrual * random.random((repeats, n))
    if drop_out > 0:
        end = np.minimum(end, random.exponential(1 / drop_out, (repeats, n)))
    time, event = np.minimum(event_times, end), event_times <= end
    if modifier_share is None:
        z = score_statistics(x, time, event)
    else:
        z = np.array([_interaction_z(*one) for one in zip(x, inside, time, event, strict=True)])
    towards = np.abs(z) if sides == 2 else z * np.sign(log_hazard_ratio or 1)
    found = towards > norm.isf(alpha / sides)
    power = float(found.mean())
    return power, float(np.sqrt(power * (1 - power) / repeats))


def _interaction_z(x: np.ndarray, inside: np.ndarray, time: np.ndarray, event: np.ndarray) -> float:
    """Wald statistic of the product term; 0 where the model cannot be fitted."""
    design = pd.DataFrame({"exposure": x, "subgroup": inside.astype(float), "product": x * inside})
    try:
        terms = fit_cox(pd.Series(time), pd.Series(event.astype(int)), design).terms
    except FitError:
        return 0.0
    return float(terms.loc["product", "log_hazard_ratio"] / terms.loc["product", "standard_error"])


def survival_times(survival: PiecewiseSurvival, cumulative: np.ndarray) -> np.ndarray:
    """Times at which the cumulative hazard reaches these values; infinite where it never does."""
    starts, hazards = np.asarray(survival.starts, dtype=float), np.asarray(survival.hazards, dtype=float)
    reached = np.concatenate([[0], np.cumsum(np.diff(starts) * hazards[:-1])])
    piece = np.searchsorted(reached, cumulative, side="right") - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = (cumulative - reached[piece]) / hazards[piece]
    return starts[piece] + np.where(hazards[piece] > 0, beyond, np.inf)


def score_statistics(x: np.ndarray, time: np.ndarray, event: np.ndarray) -> np.ndarray:
    """z of the score test of a Cox model at a hazard ratio of 1, one for each row; times without ties.

    Parameters
    ----------
    x, time, event : arrays, shape (studies, n)
    """
    order = np.argsort(-time, axis=1)
    x, event = (np.take_along_axis(values, order, axis=1) for values in (x, event))
    at_risk = np.arange(1, x.shape[1] + 1)
    mean = x.cumsum(axis=1) / at_risk
    variance = (x**2).cumsum(axis=1) / at_risk - mean**2
    return ((x - mean) * event).sum(axis=1) / np.sqrt((variance * event).sum(axis=1))
