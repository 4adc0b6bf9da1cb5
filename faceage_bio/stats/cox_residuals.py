"""Residuals of a Cox fit, one row per row of the data or per death, equal to R's ``residuals.coxph``."""

import numpy as np
import pandas as pd

from faceage_bio.stats.cox_fit import CoxFit
from faceage_bio.stats.cox_likelihood import schoenfeld_residuals, score_residuals


def martingale_residuals(fit: CoxFit) -> np.ndarray:
    """Deaths seen less deaths expected of each row, shape (n,), in the order of the data."""
    return _in_order(fit, _martingale(fit))


def deviance_residuals(fit: CoxFit) -> np.ndarray:
    """Martingale residuals made more symmetric about 0, shape (n,)."""
    martingale, event = _martingale(fit), fit.rows.sets.event
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = martingale + np.where(event, np.log(event - martingale), 0.0)
    return _in_order(fit, np.sign(martingale) * np.sqrt(np.maximum(0.0, -2 * surprise)))


def score_residuals_of(fit: CoxFit) -> pd.DataFrame:
    """Each row's part of the slope of the log-likelihood, (n, terms), without weights."""
    rows = fit.rows
    parts = rows.scale @ score_residuals(rows.sets, rows.x, rows.at)
    return pd.DataFrame(_in_order(fit, parts).T, columns=fit.terms.index)


def schoenfeld_residuals_of(fit: CoxFit, *, scaled: bool = False) -> pd.DataFrame:
    """Terms of each death less their expectation among those at risk, in order of stratum and time.

    Parameters
    ----------
    fit : CoxFit
    scaled : bool
        Times covariance and number of deaths, plus the coefficients, as R's ``scaledsch``: how the coefficient would
        have to look at that time.

    Returns
    -------
    DataFrame
        stratum, years, then one column per term.
    """
    rows, sets = fit.rows, fit.rows.sets
    parts = schoenfeld_residuals(sets, rows.x, rows.at)
    if scaled:
        parts = rows.in_terms(np.linalg.solve(rows.information, parts)) * len(sets.deaths)
        parts += fit.terms.log_hazard_ratio.to_numpy()[:, None]
    else:
        parts = rows.scale @ parts
    table = pd.DataFrame(parts.T, columns=fit.terms.index)
    table.insert(0, "stratum", [sets.levels[number] for number in sets.stratum[sets.deaths]])
    table.insert(1, "years", sets.times[sets.deaths])
    return table


def dfbeta(fit: CoxFit) -> pd.DataFrame:
    """Change of each log hazard ratio, to first order, that leaving a row out would make; (n, terms), weighted."""
    rows = fit.rows
    parts = score_residuals(rows.sets, rows.x, rows.at) * rows.sets.weights
    changes = rows.in_terms(np.linalg.solve(rows.information, parts))
    return pd.DataFrame(_in_order(fit, changes).T, columns=fit.terms.index)


def _martingale(fit: CoxFit) -> np.ndarray:
    rows = fit.rows
    return rows.sets.event - rows.at.risk / rows.sets.weights * rows.at.hazard


def _in_order(fit: CoxFit, values: np.ndarray) -> np.ndarray:
    found = np.empty_like(values)
    found[..., fit.rows.sets.order] = values
    return found
