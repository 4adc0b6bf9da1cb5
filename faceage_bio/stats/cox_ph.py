"""Proportional hazards: the score test of Grambsch and Therneau, and the hazard ratio over time.

As R's ``cox.zph`` (3.0 and later). Each term is tested by the score of a further coefficient for x times g(time), at the fitted model; the
information is that of the whole extended model, so that correlated terms are not mistaken for each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2, rankdata

from faceage_bio.core.errors import FitError
from faceage_bio.stats.cox_fit import CoxFit
from faceage_bio.stats.cox_likelihood import RiskSets, information, risk_sets, schoenfeld_residuals
from faceage_bio.stats.linear import NORMAL_975
from faceage_bio.stats.smoothing import natural_spline, place_knots

TRANSFORMS = ("km", "identity", "log", "rank")
GLOBAL = "GLOBAL"
ROUNDING = 1e-10  # share of the information on a change over time that is rounding
DF = 3  # beside the intercept; R's df = 4 counts it
PLACES = 40


def proportional_hazards_test(
    fit: CoxFit, transform: str = "km", terms: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """Test each term and all of them together.

    Parameters
    ----------
    fit : CoxFit
    transform : "km", "identity", "log" or "rank"
        The g of time that a hazard ratio is tried against; km is one minus the survival just before.
    terms : mapping of str to columns, optional
        Columns tested together, such as the levels of a factor or a spline's; by default each column by itself.

    Returns
    -------
    DataFrame
        term, chi_square, df, p_value; the last row is ``GLOBAL``.

    Raises
    ------
    FitError
        An unknown transform or column, a model without terms, or deaths too few to tell a term's change over time.
    """
    groups = _groups(fit, terms)
    rows = fit.rows
    g = _time_scale(rows.sets, transform)[rows.sets.deaths]
    g = g - g.mean()
    residuals = schoenfeld_residuals(rows.sets, rows.x, rows.at)
    slope = rows.scale @ residuals @ (rows.sets.weights[rows.sets.deaths] * g)
    once = information(rows.sets, rows.x, rows.at, g)
    twice = information(rows.sets, rows.x, rows.at, g**2)
    # what the fitted coefficients leave of the information on the further ones
    left = rows.scale @ (twice - once.T @ np.linalg.solve(rows.information, once)) @ rows.scale.T
    known = np.diag(rows.scale @ rows.information @ rows.scale.T)
    unchanged = np.diag(left) <= ROUNDING * known * max(float(g @ g), 1e-300) / len(g)
    if unchanged.any():
        raise FitError("few_event_times", columns=", ".join(fit.terms.index[unchanged]))
    found = []
    for name, places in {**groups, GLOBAL: list(range(len(slope)))}.items():
        u = slope[places]
        chi_square = float(u @ np.linalg.solve(left[np.ix_(places, places)], u))
        found.append((name, chi_square, len(places), float(chi2.sf(chi_square, len(places)))))
    return pd.DataFrame(found, columns=["term", "chi_square", "df", "p_value"])


@dataclass(frozen=True, eq=False)
class HazardOverTime:
    """One point per death for the plot of a test: its time, g of it, and the coefficient that it suggests.

    ``points``: stratum, years, g, then one column per term (log hazard ratio; for a term of several columns,
    in multiples of the fitted one).
    """

    points: pd.DataFrame
    transform: str


def hazard_over_time(
    fit: CoxFit, transform: str = "km", terms: Mapping[str, Sequence[str]] | None = None
) -> HazardOverTime:
    """Scaled Schoenfeld residuals plus the coefficient, as ``cox.zph(...)$y``: what the test's plot shows.

    Raises
    ------
    FitError
        As ``proportional_hazards_test``.
    """
    groups, rows = _groups(fit, terms), fit.rows
    sets = rows.sets
    beta, names = fit.terms.log_hazard_ratio.to_numpy(), list(groups)
    mixed = np.zeros((len(beta), len(groups)))
    for number, places in enumerate(groups.values()):
        mixed[places, number] = 1.0 if len(places) == 1 else beta[places]
    residuals = (rows.scale @ schoenfeld_residuals(sets, rows.x, rows.at)).T @ mixed
    deaths, of_death = _informative_deaths(sets, rows.scale @ rows.x), sets.stratum[sets.deaths]
    shared = np.minimum(deaths[:, :, None], deaths[:, None, :]).sum(axis=0)
    variance = rows.scale @ rows.information @ rows.scale.T / np.maximum(shared, 1)
    variance = mixed.T @ variance @ mixed
    used = np.array([[deaths[k, places].max() for places in groups.values()] for k in range(len(deaths))]) > 0
    points = np.full((len(of_death), len(groups)), np.nan)
    for number, varies in enumerate(used):
        mine = np.ix_(of_death == number, varies)
        if varies.any():
            points[mine] = np.linalg.solve(variance[np.ix_(varies, varies)], residuals[mine].T).T
    points += [beta[places[0]] if len(places) == 1 else 1.0 for places in groups.values()]
    table = pd.DataFrame(points, columns=names)
    table.insert(0, "stratum", [sets.levels[number] for number in of_death])
    table.insert(1, "years", sets.times[sets.deaths])
    table.insert(2, "g", _time_scale(sets, transform)[sets.deaths])
    return HazardOverTime(table, transform)


def _groups(fit: CoxFit, terms: Mapping[str, Sequence[str]] | None) -> dict[str, list[int]]:
    names = list(fit.terms.index)
    if not names:
        raise FitError("no_terms")
    terms = {name: [name] for name in names} if terms is None else terms
    if unknown := sorted({column for columns in terms.values() for column in columns} - set(names)):
        raise FitError("unknown_term", columns=", ".join(unknown), known=", ".join(names))
    return {
        name: [names.index(column) for column in columns] for name, columns in terms.items() if len(columns)
    }


def _time_scale(sets: RiskSets, transform: str) -> np.ndarray:
    """g of each row's end of observation; as in R, all rows count for ranks and survival, whatever their stratum."""
    if transform == "identity":
        return sets.times
    if transform == "log":
        if sets.times.min() <= 0:
            raise FitError("no_logarithm_of_zero")
        return np.log(sets.times)
    if transform == "rank":
        return rankdata(sets.times)
    if transform != "km":
        raise FitError("unknown_option", option="transform", value=transform, known=", ".join(TRANSFORMS))
    whole = risk_sets(sets.times, sets.event, sets.entry)
    died = whole.over_ties(np.ones(len(whole.deaths)))
    survival = np.concatenate([[1.0], np.cumprod(1 - died / whole.at_risk(np.ones(len(sets.times))))])
    return 1 - survival[np.searchsorted(whole.event_times, sets.times, "left")]


def _informative_deaths(sets: RiskSets, x: np.ndarray) -> np.ndarray:
    """Deaths of each stratum for each column, 0 where the column is constant in the stratum; (strata, p)."""
    starts = np.searchsorted(sets.stratum, np.arange(len(sets.levels)))
    deaths = np.add.reduceat(sets.event.astype(np.int64), starts)
    spread = np.maximum.reduceat(x, starts, axis=1) - np.minimum.reduceat(x, starts, axis=1)
    varies = spread > 1e-9 * x.std(axis=1, keepdims=True)
    return deaths[:, None] * varies.T


def smooth_over_time(fit: CoxFit, over_time: HazardOverTime, term: str) -> pd.DataFrame:
    """Natural spline of a term's log hazard ratio in g(time), with the band that R draws.

    Parameters
    ----------
    fit : CoxFit
    over_time : of `hazard_over_time` for the same fit and a term of one column

    Returns
    -------
    DataFrame, shape (40, 5)
        years, g, log_hazard_ratio, ci_lower, ci_upper (95%, pointwise); evenly spaced in g.

    Raises
    ------
    FitError
        Too few deaths at distinct times.
    """
    points = over_time.points[over_time.points[term].notna()]
    g = points["g"].to_numpy()
    if len(np.unique(g)) <= DF + 1:
        raise FitError("few_times_for_a_curve", n_times=len(np.unique(g)))
    at = np.linspace(g.min(), g.max(), PLACES)
    knots = place_knots(np.concatenate([at, g]), DF)

    def basis(x: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(x)), natural_spline(x, knots, "g")])

    x, shown = basis(g), basis(at)
    inverse = np.linalg.inv(x.T @ x)
    value = shown @ inverse @ x.T @ points[term].to_numpy()
    variance = fit.n_events * fit.covariance.loc[term, term]
    error = np.sqrt(variance * np.einsum("ij,jk,ik->i", shown, inverse, shown))
    first = np.unique(g, return_index=True)[1]
    years = np.interp(at, g[first], points["years"].to_numpy()[first])
    ends = {"ci_lower": value - NORMAL_975 * error, "ci_upper": value + NORMAL_975 * error}
    return pd.DataFrame({"years": years, "g": at, "log_hazard_ratio": value, **ends})
