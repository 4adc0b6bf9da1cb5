"""Cox models, Kaplan-Meier curves and log-rank tests by lifelines (Davidson-Pilon 2019, doi:10.21105/joss.01317).

lifelines' default precision leaves 1e-5 in a coefficient; it is asked for more. Known differences from R, which ours equals: robust
errors, and C with delayed entry; it has log-log intervals alone, and no log-rank test with strata or delayed entry.
"""

import numpy as np
import pandas as pd

from faceage_bio.analyses.verification.headline_input import CLUSTER, ENTERED, GROUP, STRATUM, Curves, Model
from faceage_bio.core.columns import EVENT, FOLLOWUP

PRECISION = {"precision": 1e-12}


def cox_by_lifelines(model: Model) -> dict[str, float]:
    """The first coefficient of a Cox model times its unit: log hazard ratio, standard_error, p_value; concordance, log_likelihood."""
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
        "log hazard ratio": first.unit * row["coef"], "standard error": first.unit * row["se(coef)"], "p-value": row["p"],
        "Harrell's C": fit.concordance_index_, "log-likelihood": fit.log_likelihood_,
    }  # fmt: skip


def curve_by_lifelines(curves: Curves, group: str) -> tuple[pd.DataFrame, float]:
    """A group's curve, indexed by time: survival, ci_lower, ci_upper (log-log); and median survival."""
    from lifelines import KaplanMeierFitter

    own = curves.people[curves.people[GROUP] == group]
    fit = KaplanMeierFitter().fit(own[FOLLOWUP], own[EVENT], entry=own.get(ENTERED))
    table = pd.concat([fit.survival_function_, fit.confidence_interval_], axis=1)
    table.columns = ["survival", "ci_lower", "ci_upper"]
    return table, float(fit.median_survival_time_)


def log_rank_by_lifelines(curves: Curves) -> dict[str, float]:
    """Chi-square and p-value between all groups; the table has neither strata nor late entry."""
    from lifelines.statistics import multivariate_logrank_test

    people = curves.people
    test = multivariate_logrank_test(people[FOLLOWUP], people[GROUP], people[EVENT])
    return {"chi-square": float(test.test_statistic), "p-value": float(np.squeeze(test.p_value))}
