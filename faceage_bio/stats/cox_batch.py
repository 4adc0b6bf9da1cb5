"""One Cox model per exposure beside common covariates: thousands of genes in seconds, each equal to R's ``coxph``.

All models share their risk sets, and Newton's steps are taken for a batch of exposures at once. They start
from the model of the covariates alone, which is near most of the answers.
"""

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError
from faceage_bio.stats.cox import LONGEST_STEP, MOST_STEPS, NO_END, fit_cox
from faceage_bio.stats.cox_fit import hazard_ratios
from faceage_bio.stats.cox_likelihood import RiskSets, efron_pass, information, score

SETTLED = 1e-8  # the last step is taken without another look at the curvature
BATCH = 16  # exposures at once; of 500 to 17,000 participants their arrays stay in the processor's cache
DETERMINED = 1e-9  # share of an exposure's information that the covariates leave


def fit_cox_per_column(
    years: pd.Series,
    event: pd.Series,
    exposures: pd.DataFrame,
    covariates: pd.DataFrame,
    entry: pd.Series | None = None,
    *,
    strata: pd.Series | None = None,
    rows: np.ndarray | None = None,
) -> pd.DataFrame:
    """Hazard ratio per unit of each exposure, adjusted for the covariates.

    Parameters
    ----------
    years, event, entry, strata
        As ``fit_cox``.
    exposures : DataFrame of float, shape (n, g)
        One column per gene.
    rows : int array, shape (n,), optional
        Places of the participants in ``exposures``, where that has others too, or another order; a copy would
        be as large.
    covariates : DataFrame of float, shape (n, p)
        The same in every model; no columns for none.

    Returns
    -------
    DataFrame, shape (g, 9)
        By exposure: log_hazard_ratio, standard_error, hazard_ratio, ci_lower, ci_upper, p_value, n, n_events,
        reason. An exposure without an answer has NaN and the code of its reason.

    Raises
    ------
    FitError
        The model of the covariates alone cannot be fitted, or there are fewer deaths than terms.
    """
    if rows is None and not exposures.index.equals(covariates.index):
        raise FitError("rows_differ")
    alone = fit_cox(years, event, covariates, entry, strata=strata)
    if alone.n_events < len(alone.terms) + 1:
        raise FitError("too_few_events_for_terms", n_events=alone.n_events, terms=len(alone.terms) + 1)
    fitted = alone.rows
    order = fitted.sets.order if rows is None else rows[fitted.sets.order]
    beta, error = np.full((2, exposures.shape[1]), np.nan)
    reason = np.full(exposures.shape[1], "", dtype=object)
    for first in range(0, exposures.shape[1], BATCH):
        part = slice(first, first + BATCH)
        values = exposures.iloc[:, part].to_numpy(dtype=np.float64).T[:, order]
        center, spread = values.mean(axis=1), values.std(axis=1)
        holes, flat = ~np.isfinite(values).all(axis=1), spread <= 1e-12 * np.abs(center)
        reason[part] = np.select([holes, flat], ["gene_missing_values", "no_variation"], "")
        usable = np.flatnonzero(~holes & ~flat)
        if not len(usable):
            continue
        standard = (values[usable] - center[usable, None]) / spread[usable, None]
        found, its_error, why = _newton(fitted.sets, standard, fitted.x, fitted.beta)
        beta[first + usable], error[first + usable] = found / spread[usable], its_error / spread[usable]
        reason[first + usable] = why
    table = hazard_ratios(beta, error, exposures.columns)
    return table.assign(n=alone.n, n_events=alone.n_events, reason=reason)


def _newton(
    sets: RiskSets, exposures: np.ndarray, common: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Newton's method for g exposures at once: estimates, standard errors and reasons, each (g,)."""
    g, terms = len(exposures), len(common) + 1
    estimate, error = np.full((2, g), np.nan)
    reason = np.full(g, "gene_not_converged", dtype=object)
    x = np.empty((g, terms, exposures.shape[1]))
    x[:, 0], x[:, 1:] = exposures, common
    going = np.arange(g)  # exposures not finished; all arrays below are theirs
    beta, step = np.tile(np.concatenate([[0.0], start]), (g, 1)), np.zeros((g, terms))
    reached, first_error = np.full(g, -np.inf), np.zeros(g)
    for turn in range(MOST_STEPS):
        trial = beta + step
        at = efron_pass(sets, x, (trial[:, None, :] @ x)[:, 0])
        uphill = at.log_likelihood >= reached - 1e-10 * (1 + np.abs(at.log_likelihood))
        curvature = information(sets, x, at)
        inverse, regular = _inverse(curvature)
        now = np.sqrt(np.where(inverse[:, 0, 0] > 0, inverse[:, 0, 0], np.nan))
        if turn == 0:
            first_error = now
        beta = np.where(uphill[:, None], trial, beta)
        reached = np.where(uphill, at.log_likelihood, reached)
        ahead = (inverse @ score(sets, x, at)[..., None])[..., 0]
        ahead *= np.minimum(1.0, LONGEST_STEP / np.maximum(np.abs(ahead).max(axis=1), 1e-300))[:, None]
        step = np.where(uphill[:, None], ahead, step / 2)
        settled = uphill & regular & (np.abs(step).max(axis=1) < SETTLED)
        estimate[going[settled]] = (beta + step)[settled, 0]
        error[going[settled]] = now[settled]
        # a step that went too far comes back; one without end goes on
        outwards = uphill & regular & (ahead[:, 0] * beta[:, 0] > 0)
        endless = outwards & ~settled & (now > NO_END) & (now > 10 * first_error)
        lost = uphill & ~regular
        reason[going[settled]] = ""
        reason[going[endless]] = "separates_events"
        reason[going[lost]] = "not_determined"
        stay = ~(settled | endless | lost)
        if not stay.any():
            break
        if not stay.all():
            going, x, beta, step = going[stay], x[stay], beta[stay], step[stay]
            reached, first_error = reached[stay], first_error[stay]
    return estimate, error, reason


def _inverse(curvature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses (g, p, p), and which of them can be trusted."""
    diagonal = np.diagonal(curvature, axis1=1, axis2=2)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    alike = curvature / (scale[:, :, None] * scale[:, None, :])
    regular = np.isfinite(alike).all(axis=(1, 2)) & (diagonal > 0).all(axis=1)
    alike[~regular] = np.eye(curvature.shape[1])
    regular[regular] = np.linalg.det(alike[regular]) > 0
    alike[~regular] = np.eye(curvature.shape[1])
    inverse = np.linalg.inv(alike)
    regular &= inverse[:, 0, 0] < 1 / DETERMINED  # one over the share of its information that is its own
    return inverse / (scale[:, :, None] * scale[:, None, :]), regular
