"""A fitted Cox model: its terms and tests, predicted survival, cumulative hazards and residuals."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.linalg import solve_triangular
from scipy.special import ndtr  # norm.sf without its costly checks of arguments
from scipy.stats import chi2

from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.stats.concordance import concordance
from faceage_bio.stats.cox_likelihood import EfronPass, RiskSets, efron_pass, information, risk_sets, score
from faceage_bio.stats.linear import NORMAL_975
from faceage_bio.stats.minimum_sizes import EVENTS_PER_TERM


@dataclass(frozen=True, eq=False)
class FittedRows:
    """The rows of a fit and its state, for what is computed after it, on columns ``x`` that the terms are combinations of.

    Terms less ``center`` are ``scale @ x``; the columns are those of a QR decomposition, so that terms that
    are nearly combinations of each other, such as curves of one variable, lose no digits.
    """

    sets: RiskSets
    x: np.ndarray  # (p, n)
    center: np.ndarray  # (p,)
    scale: np.ndarray  # (p, p) lower triangular
    beta: np.ndarray  # (p,) of the columns
    information: np.ndarray  # (p, p)

    def in_terms(self, coefficients: np.ndarray) -> np.ndarray:
        """Coefficients of the columns, (p,) or (p, k), as coefficients of the terms."""
        if not len(self.scale):
            return coefficients
        return solve_triangular(self.scale, coefficients, trans="T", lower=True)

    def columns_of(self, terms: np.ndarray) -> np.ndarray:
        """The columns, (p, n), of other rows' terms, (n, p)."""
        centred = (terms - self.center).T
        return solve_triangular(self.scale, centred, lower=True) if len(self.scale) else centred

    @cached_property
    def at(self) -> EfronPass:
        """The sums at the fitted coefficients."""
        return efron_pass(self.sets, self.x, self.beta @ self.x)


@dataclass(frozen=True, eq=False)
class CoxFit:
    """A fitted model.

    ``terms``: one row per term with log_hazard_ratio, standard_error, hazard_ratio, ci_lower, ci_upper,
    p_value; with robust errors all of these are robust and ``naive_error`` stands beside. ``covariance`` is
    that of the log hazard ratios (robust where the errors are). ``rows`` is private to the functions that
    take a fit.
    """

    terms: pd.DataFrame
    covariance: pd.DataFrame
    n: int
    n_events: int
    log_likelihood: float
    log_likelihood_null: float
    reasons: tuple[Reason, ...]
    rows: FittedRows = field(repr=False)
    penalty: str = "none"

    @cached_property
    def concordance(self) -> float:
        """Harrell's C of the fitted hazards, within strata; NaN without terms or pairs."""
        sets = self.rows.sets
        if not len(self.terms):
            return np.nan
        hazard = np.round(self.rows.beta @ self.rows.x, 10)  # equal rows are ties
        try:
            found = concordance(sets.times, sets.event, hazard, sets.entry, strata=sets.stratum)
        except FitError:
            return np.nan
        return float(found.value[0])

    @cached_property
    def global_tests(self) -> dict[str, tuple[float, int, float]]:
        """Of all terms together, as R's ``summary(coxph)``: chi-square, degrees of freedom and p-value of three tests.

        "likelihood_ratio", "wald" (robust where the errors are) and "score" (of no differences, the log-rank
        test's kin).
        """
        rows, degrees = self.rows, len(self.terms)
        null = efron_pass(rows.sets, rows.x, np.zeros(rows.x.shape[1]))
        slope = score(rows.sets, rows.x, null)
        covariance = rows.scale.T @ self.covariance.to_numpy() @ rows.scale
        found: dict[str, float] = {
            "likelihood_ratio": 2 * (self.log_likelihood - self.log_likelihood_null),
            "wald": float(rows.beta @ np.linalg.solve(covariance, rows.beta)),
            "score": float(slope @ np.linalg.solve(information(rows.sets, rows.x, null), slope)),
        }
        return {name: (value, degrees, float(chi2.sf(value, degrees))) for name, value in found.items()}


def few_per_term(n_events: int, terms: int) -> tuple[Reason, ...]:
    """What a reader must know of a model of few events per variable."""
    if n_events >= EVENTS_PER_TERM * terms:
        return ()
    return (reason("few_events_per_variable", n_events=n_events, terms=terms, needed=EVENTS_PER_TERM),)


def likelihood_ratio_test(smaller: CoxFit, larger: CoxFit) -> tuple[float, int, float]:
    """Do the further terms of the larger model tell anything? Chi-square, degrees of freedom and p-value.

    Raises
    ------
    FitError
        The models rest on different rows or strata, the smaller is not part of the larger, or one is penalised.
    """
    one, other = smaller.rows.sets, larger.rows.sets
    if "firth" in (smaller.penalty, larger.penalty):
        raise FitError("penalised_models")
    # where only one has entries None and an array are not equal
    rows = ("order", "times", "event", "entry", "weights", "stratum")
    if not all(np.array_equal(getattr(one, name), getattr(other, name)) for name in rows):
        raise FitError("different_rows")
    degrees = len(larger.terms) - len(smaller.terms)
    inner, outer = smaller.rows.x.T, larger.rows.x.T
    left = inner - outer @ np.linalg.lstsq(outer, inner, rcond=None)[0] if outer.size else inner
    if degrees < 1 or np.abs(left).max(initial=0.0) > 1e-6:
        names = {"smaller": smaller.terms.index, "larger": larger.terms.index}
        raise FitError(
            "not_nested", **{side: ", ".join(terms) or "no terms" for side, terms in names.items()}
        )
    chi_square = max(0.0, 2 * (larger.log_likelihood - smaller.log_likelihood))
    return chi_square, degrees, float(chi2.sf(chi_square, degrees))


def numbers(term: pd.Series) -> dict:
    """A fitted term as an estimate with its interval, its error and statistic on the log scale, and its p-value."""
    same = term[["ci_lower", "ci_upper", "standard_error", "p_value"]].to_dict()
    statistic = term["log_hazard_ratio"] / term["standard_error"]
    return {"estimate": term["hazard_ratio"], "statistic": statistic, **same}


def wald_table(beta: np.ndarray, covariance: pd.DataFrame) -> pd.DataFrame:
    """Hazard ratios with Wald intervals and p-values."""
    return hazard_ratios(beta, np.sqrt(np.diag(covariance)), covariance.index)


def hazard_ratios(beta: np.ndarray, error: np.ndarray, names: pd.Index) -> pd.DataFrame:
    """Of log hazard ratios with these standard errors: the same, hazard ratios, Wald intervals and p-values, by name."""
    with np.errstate(over="ignore"):  # of terms that are nearly combinations of others, as in R
        table = {
            "log_hazard_ratio": beta,
            "standard_error": error,
            "hazard_ratio": np.exp(beta),
            "ci_lower": np.exp(beta - NORMAL_975 * error),
            "ci_upper": np.exp(beta + NORMAL_975 * error),
            "p_value": 2 * ndtr(-np.abs(beta / error)),
        }
    return pd.DataFrame(table, index=names)


def baseline_hazard(fit: CoxFit) -> pd.DataFrame:
    """Hazard at each time of death for a participant whose terms are all 0, as R's ``basehaz(centered = FALSE)``.

    Returns
    -------
    DataFrame
        stratum, years, hazard (the step at that time), cumulative_hazard.
    """
    sets = fit.rows.sets
    shift = float(fit.rows.center @ fit.terms.log_hazard_ratio.to_numpy())
    steps = sets.over_ties(fit.rows.at.inverse) * np.exp(-shift)
    stratum = [sets.levels[number] for number in sets.stratum[sets.deaths[sets.starts]]]
    table = pd.DataFrame({"stratum": stratum, "years": sets.event_times, "hazard": steps})
    return table.assign(cumulative_hazard=table.groupby("stratum", sort=False).hazard.cumsum())


def cumulative_hazard_at(
    fit: CoxFit, design: pd.DataFrame, times: np.ndarray, strata: pd.Series | None
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

    The interval is symmetric in the log of the cumulative hazard, as R's ``survfit(fit, newdata, conf.type =
    "log-log")``; NaN before the first death.
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


def _rounding(times: np.ndarray) -> np.ndarray:
    # a time of death asked for by its rounded number is that time
    return 1e-8 * np.maximum(1.0, np.abs(times))


def nelson_aalen(years: np.ndarray, event: np.ndarray, entry: np.ndarray | None = None) -> np.ndarray:
    """Nelson-Aalen estimate at each person's own time, counted from the start of time, as ``cumhaz`` of R's ``survfit``.

    Parameters
    ----------
    years, event : arrays of shape (n,)
    entry : array of shape (n,), optional
        Delayed entry.

    Returns
    -------
    float array, shape (n,); zeros where no participant dies
    """
    if not np.asarray(event).any():
        return np.zeros(len(years))
    sets = risk_sets(years, event, None if entry is None else np.asarray(entry, dtype=np.float64))
    died = sets.over_ties(np.ones(len(sets.deaths)))
    rising = np.concatenate([[0.0], np.cumsum(died / sets.at_risk(np.ones(len(sets.times))))])
    found = np.empty(len(sets.times))
    found[sets.order] = rising[np.searchsorted(sets.event_times, sets.times, "right")]
    return found


def martingale_residuals(fit: CoxFit) -> np.ndarray:
    """Deaths seen less deaths expected of each row, shape (n,), in the order of the data."""
    rows = fit.rows
    found = np.empty(len(rows.sets.order))
    found[rows.sets.order] = rows.sets.event - rows.at.risk / rows.sets.weights * rows.at.hazard
    return found
