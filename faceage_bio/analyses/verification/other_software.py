"""The headline by other software: lifelines (Davidson-Pilon 2019, doi:10.21105/joss.01317), then statsmodels
(Seabold and Perktold 2010), models given as formulas, and scipy.

lifelines' default precision leaves 1e-5 in a coefficient; it is asked for more. Known differences from R,
which ours equals: robust errors, and C with delayed entry; it has log-log intervals alone, and no log-rank
test with strata or delayed entry.
"""

import numpy as np
import pandas as pd

from faceage_bio.analyses.verification.headline_input import (
    CLUSTER,
    ENTERED,
    GROUP,
    STRATUM,
    Curves,
    Model,
    Pool,
)
from faceage_bio.core.columns import EVENT, FACE_AGE, FOLLOWUP

PRECISION = {"precision": 1e-12}
# of pooled estimates by method; others are pooled again by reproduce.R alone
SOFTWARE = {"EE": "statsmodels", "REML": "scipy"}


def cox_by_lifelines(model: Model) -> dict[str, float]:
    """The first coefficient of a Cox model times its unit: log hazard ratio, standard_error, p_value;
    concordance, log_likelihood.
    """
    from lifelines import CoxPHFitter

    options = {
        "entry_col": ENTERED if model.has(ENTERED) else None,
        "strata": [STRATUM] if model.has(STRATUM) else None,
        "cluster_col": CLUSTER if model.has(CLUSTER) else None,
    }
    fit = CoxPHFitter().fit(
        model.people, FOLLOWUP, EVENT, formula=model.formula, fit_options=PRECISION, **options
    )
    first = model.coefficients[0]
    row = fit.summary.loc[first.term]
    return {
        "log hazard ratio": first.unit * row["coef"],
        "standard error": first.unit * row["se(coef)"],
        "p-value": row["p"],
        "Harrell's C": fit.concordance_index_,
        "log-likelihood": fit.log_likelihood_,
    }


def curve_by_lifelines(curves: Curves, group: str) -> tuple[pd.DataFrame, float]:
    """A group's curve, indexed by time: survival, ci_lower, ci_upper (log-log); and median survival."""
    from lifelines import KaplanMeierFitter
    from lifelines.utils import median_survival_times

    own = curves.people[curves.people[GROUP] == group]
    fit = KaplanMeierFitter().fit(own[FOLLOWUP], own[EVENT], entry=own.get(ENTERED))
    table = pd.concat([fit.survival_function_, fit.confidence_interval_], axis=1)
    table.columns = ["survival", "ci_lower", "ci_upper"]
    # rounding of a product may leave a height of one half a little above it
    return table, float(median_survival_times(fit.survival_function_.round(12)))


def log_rank_by_lifelines(curves: Curves) -> dict[str, float]:
    """Chi-square and p-value between all groups; the table has neither strata nor late entry."""
    from lifelines.statistics import multivariate_logrank_test

    people = curves.people
    test = multivariate_logrank_test(people[FOLLOWUP], people[GROUP], people[EVENT])
    return {"chi-square": float(test.test_statistic), "p-value": float(np.squeeze(test.p_value))}


def contrasts_by_statsmodels(model: Model) -> list[dict[str, float]]:
    """Of each coefficient times its unit: difference in face age, its HC3 standard_error, p_value (t)."""
    from statsmodels.formula.api import ols

    fit = ols(f"{FACE_AGE} ~ {model.formula}", model.people).fit(cov_type="HC3", use_t=True)
    return [
        {
            "difference": one.unit * fit.params[one.term],
            "standard error": one.unit * fit.bse[one.term],
            "p-value": fit.pvalues[one.term],
        }
        for one in model.coefficients
    ]


def log_rank_by_statsmodels(curves: Curves) -> dict[str, float]:
    """Chi-square and p-value between all groups within strata, without delayed entry."""
    from statsmodels.duration.survfunc import survdiff

    people = curves.people.dropna(subset=[STRATUM])
    years, event, group, strata = (people[name].to_numpy() for name in (FOLLOWUP, EVENT, GROUP, STRATUM))
    chi_square, p = survdiff(years, event, group, strata=strata)
    return {"chi-square": float(chi_square), "p-value": float(p)}


def pooled_by_statsmodels(pool: Pool) -> dict[str, float]:
    """Estimate on the pooling scale with its standard error and p-value: inverse variance, z."""
    from scipy.stats import norm
    from statsmodels.stats.meta_analysis import combine_effects

    found = combine_effects(pool.y, pool.se**2, method_re="chi2", use_t=False)
    estimate, error = found.mean_effect_fe, found.sd_eff_w_fe
    p_value = 2 * norm.sf(abs(estimate / error))
    return {"pooled estimate": estimate, "standard error": error, "p-value": p_value}


def pooled_by_scipy(pool: Pool) -> dict[str, float]:
    """The same with REML's between-cohort variance, the zero of its score (Viechtbauer 2005,
    doi:10.3102/10769986030003261), by z or (ad hoc) Hartung-Knapp.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm, t

    y, v = pool.y, pool.se**2

    def mean(tau2: float) -> tuple[np.ndarray, float]:
        w = 1 / (v + tau2)
        return w, float(w @ y / w.sum())

    def score(tau2: float) -> float:
        w, centre = mean(tau2)
        return float(w**2 @ (y - centre) ** 2 - w.sum() + (w @ w) / w.sum())

    tau2 = 0.0
    if score(0.0) > 0:
        upper = float(np.ptp(y) ** 2 + v.max())
        while score(upper) > 0:
            upper *= 2
        tau2 = brentq(score, 0.0, upper, xtol=1e-16)
    w, estimate = mean(tau2)
    error, df = float(w.sum() ** -0.5), len(y) - 1
    if pool.test != "z":
        factor = float(w @ (y - estimate) ** 2 / df)
        error *= (factor if pool.test == "knha" else max(1.0, factor)) ** 0.5
    size = abs(estimate / error)
    p = norm.sf(size) if pool.test == "z" else t.sf(size, df)
    return {"pooled estimate": estimate, "standard error": error, "p-value": 2 * float(p)}
