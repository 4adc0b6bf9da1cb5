"""A fitted Cox model, and two of them against each other."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.linalg import solve_triangular
from scipy.stats import chi2, norm

from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.stats.concordance import concordance
from faceage_bio.stats.cox_likelihood import EfronPass, efron_pass, information, score
from faceage_bio.stats.risk_sets import RiskSets

EVENTS_PER_TERM = 10  # below it a fit is flagged
NORMAL_975 = float(norm.ppf(0.975))


@dataclass(frozen=True, eq=False)
class FittedRows:
    """The rows of a fit and its state, for what is computed after it, on columns ``x`` that the terms are combinations of.

    Terms less ``center`` are ``scale @ x``; the columns are those of a QR decomposition, so that terms that are nearly
    combinations of each other, such as curves of one variable, lose no digits.
    """

    sets: RiskSets
    x: np.ndarray  # (p, n)
    center: np.ndarray  # (p,)
    scale: np.ndarray  # (p, p) lower triangular
    beta: np.ndarray  # (p,) of the columns
    information: np.ndarray  # (p, p)

    def in_terms(self, coefficients: np.ndarray) -> np.ndarray:
        """Coefficients of the columns, (p,) or (p, k), as coefficients of the terms."""
        return (
            solve_triangular(self.scale, coefficients, trans="T", lower=True)
            if len(self.scale)
            else coefficients
        )

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

    ``terms``: one row per term with log_hazard_ratio, standard_error, hazard_ratio, ci_lower, ci_upper, p_value; with
    robust errors all of these are robust and ``naive_error`` stands beside. ``covariance`` is that of the log hazard
    ratios (robust where the errors are). ``rows`` is private to the functions that take a fit.
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

        "likelihood_ratio", "wald" (robust where the errors are) and "score" (of no differences, the log-rank test's kin).
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
    thin = n_events < EVENTS_PER_TERM * terms
    return (
        (reason("few_events_per_variable", n_events=n_events, terms=terms, needed=EVENTS_PER_TERM),)
        if thin
        else ()
    )


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
    same = len(one.order) == len(other.order) and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        if getattr(one, name) is not None and getattr(other, name) is not None
        else getattr(one, name) is getattr(other, name)
        for name in ("order", "times", "event", "entry", "weights", "stratum")
    )
    if not same:
        raise FitError("different_rows")
    degrees = len(larger.terms) - len(smaller.terms)
    inner, outer = smaller.rows.x.T, larger.rows.x.T
    left = inner - outer @ np.linalg.lstsq(outer, inner, rcond=None)[0] if outer.size else inner
    if degrees < 1 or np.abs(left).max(initial=0.0) > 1e-6:
        raise FitError(
            "not_nested", smaller=", ".join(smaller.terms.index) or "no terms", larger=", ".join(larger.terms.index) or "no terms"
        )  # fmt: skip
    chi_square = max(0.0, 2 * (larger.log_likelihood - smaller.log_likelihood))
    return chi_square, degrees, float(chi2.sf(chi_square, degrees))


def numbers(term: pd.Series) -> dict:
    """A fitted term as an estimate with its interval, its error and statistic on the log scale, and its p-value."""
    return {
        "estimate": term["hazard_ratio"], "ci_lower": term["ci_lower"], "ci_upper": term["ci_upper"],
        "standard_error": term["standard_error"], "statistic": term["log_hazard_ratio"] / term["standard_error"],
        "p_value": term["p_value"],
    }  # fmt: skip


def wald_table(beta: np.ndarray, covariance: pd.DataFrame) -> pd.DataFrame:
    """Hazard ratios with Wald intervals and p-values."""
    error = np.sqrt(np.diag(covariance))
    with np.errstate(over="ignore"):  # of terms that are nearly combinations of others, as in R
        table = {
            "log_hazard_ratio": beta,
            "standard_error": error,
            "hazard_ratio": np.exp(beta),
            "ci_lower": np.exp(beta - NORMAL_975 * error),
            "ci_upper": np.exp(beta + NORMAL_975 * error),
            "p_value": 2 * norm.sf(np.abs(beta / error)),
        }
    return pd.DataFrame(table, index=covariance.index)
