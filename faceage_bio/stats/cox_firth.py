"""Cox's model with Firth's penalty: finite hazard ratios where a group has only deaths or none, less bias with few deaths.

Heinze and Schemper 2001 (doi:10.1111/j.0006-341X.2001.00114.x): half the log determinant of the information is added
to the partial likelihood. Intervals are where the profile of that likelihood has fallen by half a chi-square quantile,
p-values compare it with the term held at 0; the penalty stays that of the whole model, as in R's ``coxphf``.
"""

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import chi2

from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.stats.cox_fit import CoxFit, FittedRows
from faceage_bio.stats.cox_likelihood import EfronPass, efron_pass, information, score
from faceage_bio.stats.risk_sets import RiskSets

MOST_STEPS = 500  # steps shrink by a factor each, not by squares
SETTLED = 1e-10
FARTHEST = 300.0  # standard deviations of a term, for the search of an interval's end


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
    table = pd.DataFrame({
        "log_hazard_ratio": beta / spread, "standard_error": error / spread, "hazard_ratio": np.exp(beta / spread),
        "ci_lower": np.exp(lower / spread), "ci_upper": np.exp(upper / spread), "p_value": p_value,
    }, index=names)  # fmt: skip
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
    for _ in range(MOST_STEPS):
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
        if np.abs(step).max() < SETTLED:
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
