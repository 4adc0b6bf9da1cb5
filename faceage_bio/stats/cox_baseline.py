"""Survival that a Cox model predicts: Efron's baseline hazard, as R's ``survfit`` of a ``coxph`` fit."""

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError
from faceage_bio.stats.cox_fit import NORMAL_975, CoxFit
from faceage_bio.stats.risk_sets import RiskSets


def baseline_hazard(fit: CoxFit) -> pd.DataFrame:
    """Hazard at each time of death for a participant whose terms are all 0, as R's ``basehaz(centered = FALSE)``.

    Returns
    -------
    DataFrame
        stratum, years, hazard (the step at that time), cumulative_hazard.
    """
    sets = fit.rows.sets
    steps = sets.over_ties(fit.rows.at.inverse) * np.exp(-_shift(fit))
    stratum = sets.stratum[sets.deaths[sets.starts]]
    table = pd.DataFrame({
        "stratum": [sets.levels[number] for number in stratum], "years": sets.event_times, "hazard": steps,
    })  # fmt: skip
    return table.assign(cumulative_hazard=table.groupby("stratum", sort=False).hazard.cumsum())


def cumulative_hazard_at(
    fit: CoxFit, design: pd.DataFrame, times: np.ndarray, strata: pd.Series | None = None
) -> np.ndarray:
    """Cumulative hazard of each row of ``design`` at each time.

    Parameters
    ----------
    fit : CoxFit
    design : DataFrame, shape (n, any)
        Holds the columns that the model was fitted with.
    times : array of float, shape (t,)
        Years, in any order.
    strata : Series, shape (n,), optional
        Needed when the fit has strata.

    Returns
    -------
    array, shape (n, t)
        NaN after the last time at which anybody of the fitted stratum was observed: nothing is known of it.

    Raises
    ------
    FitError
        A column lacks, or a stratum was not in the fit.
    """
    sets, times = fit.rows.sets, np.asarray(times, dtype=np.float64)
    # to the centre of the fitted rows, so that no exponential leaves its range
    eta = linear_predictor(fit, design)
    steps = np.concatenate([[0.0], np.cumsum(sets.over_ties(fit.rows.at.inverse))])
    found = np.empty((len(design), len(times)))
    for number, mine in _strata_of(sets, design, strata):
        first, place = _steps_until(sets, number, times)
        hazard = steps[place] - steps[first]
        known = sets.times[np.searchsorted(sets.stratum, number, "right") - 1]
        hazard[times > known + _rounding(times)] = np.nan
        found[mine] = np.exp(eta[mine])[:, None] * hazard
    return found


def linear_predictor(fit: CoxFit, design: pd.DataFrame) -> np.ndarray:
    """Log hazard ratio of each row of ``design`` against the mean of the fitted rows, shape (n,).

    Rounded to ten digits, so that rows with the same values are ties wherever they stand.

    Raises
    ------
    FitError
        A column lacks.
    """
    names = list(fit.terms.index)
    if lacking := [name for name in names if name not in design]:
        raise FitError("lacks_terms", columns=", ".join(lacking))
    design = design if list(design.columns) == names else design[names]
    return np.round(fit.rows.beta @ fit.rows.columns_of(design.to_numpy(dtype=np.float64)), 10)


def survival_at(
    fit: CoxFit, design: pd.DataFrame, times: np.ndarray, strata: pd.Series | None = None
) -> np.ndarray:
    """Predicted survival, exp of minus the cumulative hazard; see ``cumulative_hazard_at``."""
    return np.exp(-cumulative_hazard_at(fit, design, times, strata))


def survival_interval_at(
    fit: CoxFit, design: pd.DataFrame, times: np.ndarray, strata: pd.Series | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted survival with the ends of its 95% interval, each of shape (n, t); arguments as ``cumulative_hazard_at``.

    The interval is symmetric in the log of the cumulative hazard, as R's ``survfit(fit, newdata, conf.type = "log-log")``; NaN
    before the first death.
    """
    hazard = cumulative_hazard_at(fit, design, times, strata)
    sets, at, names = fit.rows.sets, fit.rows.at, list(fit.terms.index)
    x = fit.rows.columns_of(design[names].to_numpy(dtype=np.float64)).T
    relative = np.exp(x @ fit.rows.beta)
    covariance = fit.rows.scale.T @ fit.covariance.to_numpy() @ fit.rows.scale
    # the baseline's own error, and how the hazard moves with the coefficients
    parts = np.vstack([at.inverse**2 / sets.step_weight, at.inverse, at.means * at.inverse])
    running = np.zeros((len(parts), len(sets.starts) + 1))
    np.cumsum(sets.over_ties(parts), axis=1, out=running[:, 1:])
    error = np.empty_like(hazard)
    for number, mine in _strata_of(sets, design, strata):
        first, place = _steps_until(sets, number, times)
        own, steps, means = np.split(running[:, place] - running[:, [first]], [1, 2])
        slope = x[mine][:, :, None] * steps - means  # (n, p, t)
        spread = np.einsum("npt,pq,nqt->nt", slope, covariance, slope)
        error[mine] = relative[mine][:, None] * np.sqrt(own + spread)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.exp(NORMAL_975 * error / hazard)
    return np.exp(-hazard), np.exp(-hazard * factor), np.exp(-hazard / factor)


def _strata_of(
    sets: RiskSets, design: pd.DataFrame, strata: pd.Series | None
) -> list[tuple[int, np.ndarray]]:
    """Each stratum's number and its rows of ``design``."""
    if len(sets.levels) == 1:
        return [(0, np.ones(len(design), dtype=bool))]
    if strata is None:
        raise FitError("needs_strata")
    labels = np.asarray(strata)
    if unknown := sorted(set(map(str, labels)) - set(map(str, sets.levels))):
        raise FitError("unknown_stratum", strata=", ".join(unknown))
    return [(number, labels == level) for number, level in enumerate(sets.levels)]


def _steps_until(sets: RiskSets, number: int, times: np.ndarray) -> tuple[int, np.ndarray]:
    """Of a stratum: its first time of death, and how many of all times of death come before or at each of ``times``."""
    of_step = sets.stratum[sets.deaths[sets.starts]]
    first, last = np.searchsorted(of_step, [number, number + 1])
    times = np.asarray(times, dtype=np.float64)
    return first, first + np.searchsorted(sets.event_times[first:last], times + _rounding(times), "right")


def _shift(fit: CoxFit) -> float:
    return float(fit.rows.center @ fit.terms.log_hazard_ratio.to_numpy())


def _rounding(times: np.ndarray) -> np.ndarray:
    return 1e-8 * np.maximum(
        1.0, np.abs(times)
    )  # a time of death asked for by its rounded number is that time
