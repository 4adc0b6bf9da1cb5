"""Survival that a Cox model predicts: Efron's baseline hazard, as R's ``survfit`` of a ``coxph`` fit."""

import numpy as np
import pandas as pd

from faceage_bio.errors import FitError
from faceage_bio.stats.cox import CoxFit


def baseline_hazard(fit: CoxFit) -> pd.DataFrame:
    """Hazard at each time of death for somebody whose terms are all 0, as R's ``basehaz(centered = FALSE)``.

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
    names = list(fit.terms.index)
    if lacking := [name for name in names if name not in design]:
        raise FitError(f"the table has no column {', '.join(lacking)} of the model")
    sets, times = fit.rows.sets, np.asarray(times, dtype=np.float64)
    stratified = len(sets.levels) > 1
    if stratified and strata is None:
        raise FitError("the model has strata, so the stratum of everybody is needed")
    labels = np.asarray(strata) if stratified else np.full(len(design), sets.levels[0])
    if unknown := sorted(set(map(str, labels)) - set(map(str, sets.levels))):
        raise FitError(f"the model has no stratum {', '.join(unknown)}")
    # to the centre of the fitted rows, so that no exponential leaves its range
    eta = (design[names].to_numpy(dtype=np.float64) - fit.rows.center) @ fit.terms.log_hazard_ratio.to_numpy()
    steps = np.concatenate([[0.0], np.cumsum(sets.over_ties(fit.rows.at.inverse))])
    of_step = sets.stratum[sets.deaths[sets.starts]]
    found = np.empty((len(design), len(times)))
    for number, level in enumerate(sets.levels):
        mine = labels == level
        first, last = np.searchsorted(of_step, [number, number + 1])
        place = first + np.searchsorted(sets.event_times[first:last], times + _rounding(times), "right")
        hazard = steps[place] - steps[first]
        known = sets.times[np.searchsorted(sets.stratum, number, "right") - 1]
        hazard[times > known + _rounding(times)] = np.nan
        found[mine] = np.exp(eta[mine])[:, None] * hazard
    return found


def survival_at(
    fit: CoxFit, design: pd.DataFrame, times: np.ndarray, strata: pd.Series | None = None
) -> np.ndarray:
    """Predicted survival, exp of minus the cumulative hazard; see ``cumulative_hazard_at``."""
    return np.exp(-cumulative_hazard_at(fit, design, times, strata))


def _shift(fit: CoxFit) -> float:
    return float(fit.rows.center @ fit.terms.log_hazard_ratio.to_numpy())


def _rounding(times: np.ndarray) -> np.ndarray:
    return 1e-8 * np.maximum(
        1.0, np.abs(times)
    )  # a time of death asked for by its rounded number is that time
