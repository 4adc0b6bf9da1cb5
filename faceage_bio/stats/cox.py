"""Cox's proportional hazards by Newton's method on Efron's partial likelihood, equal to R's ``coxph``.

What a fit cannot tell honestly is an error: a Newton step that does not settle, or a hazard ratio without end.
"""

import numpy as np
import pandas as pd

from faceage_bio.errors import FitError
from faceage_bio.stats.cox_firth import fit_firth
from faceage_bio.stats.cox_fit import CoxFit, FittedRows, few_per_term, wald_table
from faceage_bio.stats.cox_likelihood import (
    EfronPass,
    efron_pass,
    information,
    log_likelihood,
    score,
    score_residuals,
)  # fmt: skip
from faceage_bio.stats.design import independent_columns
from faceage_bio.stats.risk_sets import RiskSets, risk_sets

SETTLED = 1e-7  # in standard deviations of a term; the error left is about its square
MOST_STEPS = 40
LONGEST_STEP = 4.0  # standard deviations; keeps exp() within range
NO_END = 50.0  # a standard error of so many, grown tenfold on the way, is separation


def fit_cox(
    years: pd.Series,
    event: pd.Series,
    design: pd.DataFrame,
    entry: pd.Series | None = None,
    *,
    strata: pd.Series | None = None,
    cluster: pd.Series | None = None,
    robust: bool = False,
    weights: pd.Series | None = None,
    penalty: str = "none",
) -> CoxFit:
    """Fit by partial likelihood with Efron's ties; Wald intervals, as R's ``coxph``.

    Parameters
    ----------
    years : Series of float, shape (n,)
        End of observation, after 0.
    event : Series, shape (n,)
        1 = died, 0 = censored.
    design : DataFrame of float, shape (n, p)
        No columns give the null model.
    entry : Series of float, shape (n,), optional
        Start of observation (delayed entry), before ``years``. Who enters at the time of a death is not yet at risk.
    strata : Series, shape (n,), optional
        Labels; each stratum has its own baseline hazard.
    cluster : Series, shape (n,), optional
        Labels of rows that belong together: errors are robust against their dependence (Lin and Wei 1989).
    robust : bool
        Robust errors without clusters: each row by itself.
    weights : Series of float, shape (n,), optional
        Above 0.
    penalty : "none" or "firth"
        Firth's penalised likelihood (Heinze and Schemper 2001, doi:10.1111/j.0006-341X.2001.00114.x) with profile
        intervals and likelihood-ratio p-values: for few deaths and for groups in which everybody or nobody died.

    Raises
    ------
    FitError
        Times that are not positive, values missing, fewer than 2 events or fewer events than terms, a term that does
        not vary or that others determine, no convergence, or separation: the text names the term.
    """
    if penalty not in ("none", "firth"):
        raise FitError("unknown_option", option="penalty", value=penalty, known="none, firth")
    n_events, n_terms = _checked(years, event, design, entry, weights, penalty)
    x = np.ascontiguousarray(design.to_numpy(dtype=np.float64).T)
    center = x.mean(axis=1)
    spread = x.std(axis=1)
    _check_determined(design, x, center, spread)
    sets = risk_sets(
        years, event, *(None if part is None else np.asarray(part) for part in (entry, strata, weights))
    )
    x = (x[:, sets.order] - center[:, None]) / spread[:, None]
    names = list(design.columns)
    if penalty == "firth":
        return fit_firth(sets, x, center, spread, names, cluster is not None or robust)
    beta, at, curvature = _newton(sets, x, names)
    rows = FittedRows(sets, x, center, spread, beta, curvature)
    naive = np.linalg.inv(curvature) if n_terms else np.zeros((0, 0))
    scaled = naive if cluster is None and not robust else robust_covariance(rows, at, naive, cluster)
    covariance = pd.DataFrame(scaled / np.outer(spread, spread), index=names, columns=names)
    table = wald_table(beta / spread, covariance)
    if scaled is not naive:
        table["naive_error"] = np.sqrt(np.diag(naive)) / spread
    return CoxFit(
        terms=table,
        covariance=covariance,
        n=len(design),
        n_events=n_events,
        log_likelihood=float(at.log_likelihood),
        log_likelihood_null=float(log_likelihood(sets, np.zeros(len(design)))),
        reasons=few_per_term(n_events, n_terms),
        rows=rows,
    )


def robust_covariance(
    rows: FittedRows, at: EfronPass, naive: np.ndarray, cluster: pd.Series | None
) -> np.ndarray:
    """Sum over rows, or clusters, of the squared change that leaving each out would make, to first order.

    Raises
    ------
    FitError
        A cluster's label is missing, or there are no more clusters than terms.
    """
    changes = naive @ score_residuals(rows.sets, rows.x, at) * rows.sets.weights
    if cluster is not None:
        codes, levels = pd.factorize(pd.Series(np.asarray(cluster)[rows.sets.order]))
        if (codes < 0).any():
            raise FitError("missing_label", label="cluster")
        if len(levels) <= len(changes):
            raise FitError("few_clusters_for_terms", n_clusters=len(levels), terms=len(changes))
        changes = np.array([np.bincount(codes, weights=change, minlength=len(levels)) for change in changes])
    return changes @ changes.T


def _newton(sets: RiskSets, x: np.ndarray, names: list[str]) -> tuple[np.ndarray, EfronPass, np.ndarray]:
    beta = np.zeros(len(x))
    at = efron_pass(sets, x, beta @ x)
    curvature = information(sets, x, at)
    if not len(x):
        return beta, at, curvature
    _check_informative(curvature, names)
    start = np.sqrt(np.diag(np.linalg.inv(curvature)))
    for _ in range(MOST_STEPS):
        step = np.linalg.solve(curvature, score(sets, x, at))
        error = np.sqrt(np.abs(np.diag(np.linalg.pinv(curvature))))
        # a step that went too far comes back; one without end goes on
        endless = (error > NO_END) & (error > 10 * start) & (step * beta > 0)
        if endless.any():
            raise FitError("separated", columns=_named(names, endless))
        step *= min(1.0, LONGEST_STEP / max(np.abs(step).max(), 1e-300))
        beta, at = _uphill(sets, x, beta, step, at)
        curvature = information(sets, x, at)
        if np.abs(step).max() < SETTLED:
            return beta, at, curvature
    moving = np.abs(step) > 0.1 * np.abs(step).max()
    raise FitError("not_converged", columns=_named(names, moving))


def _uphill(
    sets: RiskSets, x: np.ndarray, beta: np.ndarray, step: np.ndarray, at: EfronPass
) -> tuple[np.ndarray, EfronPass]:
    slack = 1e-10 * (1 + abs(at.log_likelihood))  # rounding near the top is no descent
    for halvings in range(30):
        trial = beta + step / 2**halvings
        then = efron_pass(sets, x, trial @ x)
        if then.log_likelihood >= at.log_likelihood - slack:
            return trial, then
    return beta, at


def _checked(years, event, design, entry, weights, penalty) -> tuple[int, int]:
    given = {"event": event, "entry": entry, "weights": weights}
    for name, part in {"years": years, **given}.items():
        if part is None:
            continue
        if len(part) != len(design):
            raise FitError("unequal_rows", part=name, n=len(part), n_design=len(design))
        if isinstance(part, pd.Series) and not part.index.equals(design.index):
            raise FitError("other_rows", part=name, whole="the design")
    years = np.asarray(years, dtype=np.float64)
    if not (years > 0).all() or not np.isfinite(years).all():
        raise FitError("bad_time", limit="not positive")
    if entry is not None and not (np.asarray(entry, dtype=np.float64) < years).all():
        raise FitError("late_start")
    event = np.asarray(event, dtype=np.float64)
    if not np.isin(event, (0.0, 1.0)).all():
        raise FitError("bad_event")
    if weights is not None and not (np.asarray(weights, dtype=np.float64) > 0).all():
        raise FitError("bad_weight")
    if holes := list(design.columns[~np.isfinite(design.to_numpy(dtype=np.float64)).all(axis=0)]):
        raise FitError("missing_values", columns=", ".join(map(str, holes)))
    n_events, n_terms = int(event.sum()), design.shape[1]
    needed = max(2, n_terms) if penalty == "none" else 2
    if n_events < needed:
        raise FitError("few_events_for_terms", n_events=n_events, terms=n_terms)
    return n_events, n_terms


def _check_determined(design: pd.DataFrame, x: np.ndarray, center: np.ndarray, spread: np.ndarray) -> None:
    if not len(x):
        return
    with np.errstate(invalid="ignore", divide="ignore"):
        standard = (x - center[:, None]) / spread[:, None]
    alike = standard @ standard.T / x.shape[1]
    varies = (
        spread > 1e-12 * np.abs(center)
    ).all()  # the mean of one value may differ from it in the last digit
    if varies and np.isfinite(alike).all() and np.linalg.eigvalsh(alike)[0] > 1e-6:
        return  # the slow search below would find nothing
    if determined := sorted(set(design.columns) - set(independent_columns(design))):
        raise FitError("determined", columns=", ".join(determined))


def _check_informative(curvature: np.ndarray, names: list[str]) -> None:
    """Constant among those at risk, though not among all: within each stratum, or up to the last death."""
    scale = np.sqrt(np.abs(np.diag(curvature)))
    empty = scale < 1e-7 * max(scale.max(), 1e-300)
    if not empty.any():
        values, vectors = np.linalg.eigh(curvature / np.outer(scale, scale))
        empty = np.abs(vectors[:, 0]) > 0.1 if values[0] < 1e-11 else empty
    if empty.any() or not scale.max() > 0:
        raise FitError("constant_at_risk", columns=_named(names, empty if empty.any() else empty | True))


def _named(names: list[str], chosen: np.ndarray) -> str:
    return ", ".join(name for name, is_chosen in zip(names, chosen, strict=True) if is_chosen)
