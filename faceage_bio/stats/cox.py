"""Cox's proportional hazards by Newton's method on Efron's partial likelihood, equal to R's ``coxph``.

What a fit cannot tell honestly is an error: a Newton step that does not settle, or a hazard ratio without end.

Cox's model with Firth's penalty: finite hazard ratios where a group has only deaths or none, less bias with
few deaths.

Heinze and Schemper 2001 (doi:10.1111/j.0006-341X.2001.00114.x): half the log determinant of the information
is added to the partial likelihood. Intervals are where the profile of that likelihood has fallen by half a
chi-square quantile, p-values compare it with the term held at 0; the penalty stays that of the whole model,
as in R's ``coxphf``.
"""

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import chi2

from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.stats.cox_fit import CoxFit, FittedRows, few_per_term, hazard_ratios, wald_table
from faceage_bio.stats.cox_likelihood import (
    EfronPass,
    RiskSets,
    efron_pass,
    information,
    log_likelihood,
    risk_sets,
    score,
    score_residuals,
)

FIRTH_STEPS = 500  # steps shrink by a factor each, not by squares
FIRTH_SETTLED = 1e-10
FARTHEST = 300.0  # standard deviations of a term, for the search of an interval's end
SETTLED = 1e-7  # in standard deviations of a term; the error left is about its square
MOST_STEPS = 40
LONGEST_STEP = 4.0  # standard deviations; keeps exp() within range
DETERMINED = 1e-9  # share of a term's standard deviation that others leave, rounding
# R's toler.chol: share of the information below which a term has no coefficient
SINGULAR = np.finfo(float).eps ** 0.75
NO_END = 50.0  # a standard error of so many, grown tenfold on the way, is separation


def fit_firth(
    sets: RiskSets, x: np.ndarray, center: np.ndarray, spread: np.ndarray, names: list[str], robust: bool
) -> CoxFit:
    """Fit on sorted, standardised columns; ``fit_cox(..., penalty="firth")`` checks and prepares them.

    Raises
    ------
    FitError
        Robust errors were asked for, or the penalised likelihood has no top.
    """
    if robust:
        raise FitError("firth_not_robust")
    everything = np.ones(len(x), dtype=bool)
    null = _value(sets, x, np.zeros(len(x)))[0]
    if not np.isfinite(null):
        raise FitError("constant_at_risk", column=", ".join(names))
    beta, top = _climb(sets, x, np.zeros(len(x)), everything, names)
    curvature = information(sets, x, efron_pass(sets, x, beta @ x))
    covariance = np.linalg.inv(curvature)
    error = np.sqrt(np.diag(covariance))
    found = []
    for j in range(len(x)):
        ends = [_end(sets, x, beta, top, j, side * error[j], names) for side in (-1, 1)]
        held = _profile(sets, x, beta, j, 0.0, names)
        found.append([*ends, chi2.sf(max(0.0, 2 * (top - held)), 1)])
    lower, upper, p_value = np.array(found).T
    table = hazard_ratios(beta / spread, error / spread, pd.Index(names))
    table = table.assign(ci_lower=np.exp(lower / spread), ci_upper=np.exp(upper / spread), p_value=p_value)
    units = np.log(spread).sum()  # the determinant is that of the terms' own units
    return CoxFit(
        terms=table,
        covariance=pd.DataFrame(covariance / np.outer(spread, spread), index=names, columns=names),
        n=x.shape[1],
        n_events=len(sets.deaths),
        log_likelihood=top + units,
        log_likelihood_null=null + units,
        reasons=(reason("firth"),),
        penalty="firth",
        rows=FittedRows(sets, x, center, np.diag(spread), beta, curvature),
    )


def _value(sets: RiskSets, x: np.ndarray, beta: np.ndarray) -> tuple[float, EfronPass, np.ndarray]:
    at = efron_pass(sets, x, beta @ x)
    curvature = information(sets, x, at)
    sign, log_determinant = np.linalg.slogdet(curvature) if np.isfinite(curvature).all() else (0.0, -np.inf)
    value = at.log_likelihood + log_determinant / 2
    return float(value) if sign > 0 and np.isfinite(value) else -np.inf, at, curvature


def _slope(sets: RiskSets, x: np.ndarray, at: EfronPass, curvature: np.ndarray) -> np.ndarray:
    """Slope of the penalised likelihood: half the third moments of x at each step, contracted with the covariance."""
    whitening = np.linalg.cholesky(np.linalg.inv(curvature)).T
    white, means = whitening @ x, whitening @ at.means
    squared = (white**2).sum(axis=0)
    weight, total = sets.step_weight, sets.step_weight / at.inverse
    squared_mean = sets.at_steps(squared * at.risk) / total
    pulled = (white * sets.of_rows(at.inverse * means)).sum(axis=0)
    third = x @ (at.risk * (at.hazard * squared - 2 * pulled))
    third += at.means @ (weight * (2 * (means**2).sum(axis=0) - squared_mean))
    return score(sets, x, at) + third / 2


def _climb(
    sets: RiskSets, x: np.ndarray, beta: np.ndarray, free: np.ndarray, names: list[str]
) -> tuple[np.ndarray, float]:
    """The top over the free coefficients, the others held."""
    value, at, curvature = _value(sets, x, beta)
    for _ in range(FIRTH_STEPS):
        if not free.any() or not np.isfinite(value):
            return beta, value
        step = np.zeros(len(beta))
        slope = _slope(sets, x, at, curvature)[free]
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], slope)
        step *= min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))
        for halvings in range(40):
            trial = beta + step / 2**halvings
            then = _value(sets, x, trial)
            if then[0] >= value - 1e-12 * (1 + abs(value)):
                break
        beta, (value, at, curvature) = trial, then
        if np.abs(step).max() < FIRTH_SETTLED:
            return beta, value
    raise FitError("firth_not_converged", columns=", ".join(names))


def _profile(sets: RiskSets, x: np.ndarray, beta: np.ndarray, j: int, held: float, names: list[str]) -> float:
    start = beta.copy()
    start[j] = held
    return _climb(sets, x, start, np.arange(len(beta)) != j, names)[1]


def _end(
    sets: RiskSets, x: np.ndarray, beta: np.ndarray, top: float, j: int, step: float, names: list[str]
) -> float:
    """Where the profile has fallen by half the 95% quantile; infinite where it never does."""
    target = top - chi2.ppf(0.95, 1) / 2

    def above(held: float) -> float:
        return max(_profile(sets, x, beta, j, held, names) - target, -1e6)

    near, far = beta[j], beta[j] + 2 * step
    while above(far) > 0:
        near, far = far, beta[j] + 2 * (far - beta[j])
        if abs(far) > FARTHEST:
            return np.sign(step) * np.inf
    return float(brentq(above, near, far, xtol=1e-11))


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
        End of observation, 0 or later.
    event : Series, shape (n,)
        1 = died, 0 = censored.
    design : DataFrame of float, shape (n, p)
        No columns give the null model.
    entry : Series of float, shape (n,), optional
        Start of observation (delayed entry), before ``years``. Who enters at the time of a death is not yet
        at risk.
    strata : Series, shape (n,), optional
        Labels; each stratum has its own baseline hazard.
    cluster : Series, shape (n,), optional
        Labels of rows that belong together: errors are robust against their dependence (Lin and Wei 1989).
    robust : bool
        Robust errors without clusters: each row by itself.
    weights : Series of float, shape (n,), optional
        Above 0.
    penalty : "none" or "firth"
        Firth's penalised likelihood (Heinze and Schemper 2001, doi:10.1111/j.0006-341X.2001.00114.x) with
        profile intervals and likelihood-ratio p-values: for few deaths and for groups in which all
        participants or no participant died.

    Raises
    ------
    FitError
        Negative times, values missing, fewer than 2 events or fewer events than terms, nobody who outlives
        another (Efron's ties would make a hazard ratio of 1, with an interval, of it), a term that does not
        vary or that others determine, no convergence, or separation: the text names the term.
    """
    if penalty not in ("none", "firth"):
        raise FitError("unknown_option", option="penalty", value=penalty, known="none, firth")
    n_events, n_terms = _checked(years, event, design, entry, weights, penalty)
    names = list(design.columns)
    x, center, scale = _orthonormal(np.ascontiguousarray(design.to_numpy(dtype=np.float64).T), names)
    further = (None if part is None else np.asarray(part) for part in (entry, strata, weights))
    sets = risk_sets(years, event, *further)
    if (sets.at_risk(np.ones(len(design))) == np.bincount(sets.group)).all():
        raise FitError("no_pairs")
    x = x[:, sets.order]
    if penalty == "firth":
        spread = np.linalg.norm(scale, axis=1)
        x = scale @ x / spread[:, None]
        return fit_firth(sets, x, center, spread, names, cluster is not None or robust)
    beta, at, curvature = _newton(sets, x, scale, names)
    rows = FittedRows(sets, x, center, scale, beta, curvature)
    naive = np.linalg.inv(curvature) if n_terms else np.zeros((0, 0))
    scaled = naive if cluster is None and not robust else robust_covariance(rows, at, naive, cluster)
    covariance = pd.DataFrame(rows.in_terms(rows.in_terms(scaled).T), index=names, columns=names)
    table = wald_table(rows.in_terms(beta), covariance)
    if scaled is not naive:
        table["naive_error"] = np.sqrt(np.diag(rows.in_terms(rows.in_terms(naive).T)))
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
    covariance = changes @ changes.T
    if (np.diag(covariance) <= SINGULAR * np.diag(naive)).any():
        raise FitError("few_rows_for_robust_errors", n=len(rows.sets.times))
    return covariance


def _newton(
    sets: RiskSets, x: np.ndarray, scale: np.ndarray, names: list[str]
) -> tuple[np.ndarray, EfronPass, np.ndarray]:
    beta = np.zeros(len(x))
    at = efron_pass(sets, x, beta @ x)
    curvature = information(sets, x, at)
    if not len(x):
        return beta, at, curvature
    _check_informative(curvature, x, scale, names)
    # per standard deviation of each
    to_terms = np.linalg.norm(scale, axis=1)[:, None] * np.linalg.inv(scale).T
    start = _errors(curvature, to_terms)
    for _ in range(MOST_STEPS):
        if not np.isfinite(curvature).all():
            break
        error = _errors(curvature, to_terms)
        # what is left of a curvature that vanished gives no direction
        step = np.linalg.lstsq(curvature, score(sets, x, at), rcond=None)[0]
        # a step that went too far comes back; one without end goes on
        endless = (error > NO_END) & (error > 10 * start) & ((to_terms @ step) * (to_terms @ beta) > 0)
        if endless.any():
            raise FitError("separated", columns=_named(names, endless))
        step *= min(1.0, LONGEST_STEP / max(np.abs(step).max(), 1e-300))
        beta, at = _uphill(sets, x, beta, step, at)
        curvature = information(sets, x, at)
        if np.abs(step).max() < SETTLED:
            _check_informative(curvature, x, scale, names)
            return beta, at, curvature
    moving = np.abs(to_terms @ step) > 0.1 * np.abs(to_terms @ step).max()
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


def _checked(
    years: pd.Series,
    event: pd.Series,
    design: pd.DataFrame,
    entry: pd.Series | None,
    weights: pd.Series | None,
    penalty: str,
) -> tuple[int, int]:
    given = {"event": event, "entry": entry, "weights": weights}
    for name, part in {"years": years, **given}.items():
        if part is None:
            continue
        if len(part) != len(design):
            raise FitError("unequal_rows", part=name, n=len(part), n_design=len(design))
        if isinstance(part, pd.Series) and not part.index.equals(design.index):
            raise FitError("other_rows", part=name, whole="the design")
    years = np.asarray(years, dtype=np.float64)
    if not (years >= 0).all() or not np.isfinite(years).all():
        raise FitError("bad_time", limit="negative")
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


def _orthonormal(x: np.ndarray, names: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns of variance 1 without correlation, shape (p, n), the terms' means, and ``scale``: terms less means = scale @ columns.

    ``scale`` is lower triangular, so each column is what a term adds to those before it.
    """
    center = x.mean(axis=1)
    x = x - center[:, None]
    spread = x.std(axis=1)
    # the mean of one value may differ from it in the last digit
    if (flat := ~(spread > 1e-12 * np.abs(center))).any():
        raise FitError("constant", column=_named(names, flat))
    if not len(x):
        return x, center, np.zeros((0, 0))
    q, r = np.linalg.qr((x / spread[:, None]).T / np.sqrt(x.shape[1]))
    r = np.pad(r, ((0, len(x) - len(r)), (0, 0)))  # fewer rows than terms
    if (determined := np.abs(np.diag(r)) < DETERMINED).any():
        place = int(determined.argmax())
        raise FitError("combination_of", column=names[place], others=_sources(r, place, names))
    return q.T * np.sqrt(x.shape[1]), center, r.T * spread[:, None]


def _sources(r: np.ndarray, place: int, names: list[str]) -> str:
    """Terms before one of which it is a combination."""
    share = np.linalg.lstsq(r[:place, :place], r[:place, place], rcond=1e-12)[0]
    return _named(names[:place], np.abs(share) > 1e-6 * np.abs(share).max()) or "the other terms"


def _check_informative(curvature: np.ndarray, x: np.ndarray, scale: np.ndarray, names: list[str]) -> None:
    """Refuse terms that R's ``coxph`` gives no coefficient: what they add to those before them is nothing among those at risk.

    As R, by the pivots of the information on terms of mean absolute deviation 1.
    """
    deviation = np.abs(scale @ x).mean(axis=1)
    held = np.einsum("ij,jk,ik->i", scale, curvature, scale) / deviation**2
    added = (np.diag(scale) / deviation) ** 2
    least, left = SINGULAR * held.max(), curvature.copy()
    for place, name in enumerate(names):
        pivot = left[place, place]
        if not pivot * added[place] > least:
            raise FitError("determined_at_risk" if held[place] > least else "constant_at_risk", column=name)
        left -= np.outer(left[:, place], left[place]) / pivot


def _errors(curvature: np.ndarray, to_terms: np.ndarray) -> np.ndarray:
    """Standard errors of the terms; the pseudo-inverse stands for a curvature that vanished on the way."""
    return np.sqrt(np.abs(np.einsum("ij,jk,ik->i", to_terms, np.linalg.pinv(curvature), to_terms)))


def _named(names: list[str], chosen: np.ndarray) -> str:
    return ", ".join(name for name, is_chosen in zip(names, chosen, strict=True) if is_chosen)
