"""One Cox model of the participants of all cohorts, alongside the meta-analysis of the cohorts' own models."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    ModelFrame,
    adjusted_for,
    model_frame,
    name_of,
    of_question,
    unit_of,
)
from faceage_bio.analyses.survival.follow_up import IN_YEARS
from faceage_bio.analyses.survival.sequential_models import adjustment_steps
from faceage_bio.analyses.survival.sites import by_level
from faceage_bio.core.columns import AGE, COHORT, EVENT, POOLED
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows, tested
from faceage_bio.stats.cox_fit import likelihood_ratio_test, numbers
from faceage_bio.stats.fewest_events import FEWEST_EVENTS

ONE_STAGE = "survival/one_stage"
TEST = "cohort interaction chi-square"


def fit_one_stage(cohorts: Sequence[pd.DataFrame], choices: Choices) -> pd.DataFrame:
    """Hazard ratios of both ages and of age acceleration, one for all cohorts, and the test that the cohorts differ.

    Strata of cohort: each has its own baseline hazard, which takes up its mean exposure, and own coefficients of the covariates, so
    that differences between cohorts do not enter (Riley et al. 2008, doi:10.1002/sim.3165). The likelihood-ratio test is of one
    hazard ratio for all against one for each cohort.

    Parameters
    ----------
    cohorts : participants with follow-up of each cohort, with the column cohort
    choices : steps and covariates; an own ``cluster`` is not used

    Returns
    -------
    DataFrame, result rows, question "one stage"
        Two rows a step and exposure: the hazard ratio, and ``cohort interaction chi-square``. Cohorts of fewer than 5 deaths, or
        without a covariate of the step, are left out and named in the reason.
    """
    people = pd.concat([table.astype({COHORT: str}) for table in cohorts], ignore_index=True)
    within = replace(
        choices, strata=list(dict.fromkeys([COHORT, *choices.strata])), cluster=None, firth=False
    )
    rows = []
    for step, held in adjustment_steps(choices):
        for exposure in IN_YEARS:
            if exposure == AGE and step == "+ age":
                continue
            columns = [exposure, *(name for name in held if name != exposure)]
            rows += _one_step(people, columns, within, step)
    head = of_question(POOLED, "one stage")
    return result_rows([head | row for row in rows], ONE_STAGE)


def _one_step(people: pd.DataFrame, columns: list[str], choices: Choices, step: str) -> list[dict]:
    exposure = columns[0]
    base = adjusted_for(columns[1:], choices) | {
        "term": exposure, "exposure": exposure, "step": step, "model": name_of(columns), "method": choices.method,
        "n": len(people), "n_events": int(people[EVENT].sum()), "measure": "hazard ratio", "per": unit_of(exposure, choices.per_years)[1],
    }  # fmt: skip
    try:
        frame, left_out = _frame(people, columns, choices)
        own = frame.people[COHORT]
        covariates = by_level(frame.design.drop(columns=exposure), own)
        terms = covariates.shape[1] + 1
        base |= {
            "n": len(frame.people), "n_events": int(frame.people[EVENT].sum()), "cohorts": own.nunique(),
            "events_per_term": frame.people[EVENT].sum() / terms, "n_smallest": own.value_counts().min(),
            "n_events_smallest": int(frame.people[EVENT].groupby(own).sum().min()),
        }  # fmt: skip
        fit = frame.fit(frame.design[[exposure]].join(covariates))
        larger = frame.fit(by_level(frame.design[[exposure]], own).join(covariates))
        test = tested(TEST, likelihood_ratio_test(fit, larger))
    except FitError as error:
        return [base | {"reason": error.reason}, base | {"measure": TEST, "per": "", "reason": error.reason}]
    why: list[Reason] = [reason("without_cohorts", cohorts=left_out)] if left_out else []
    shared = base | {"reason": [*why, *fit.reasons, *frame.reasons]}
    return [shared | numbers(fit.terms.loc[exposure]), shared | {"per": ""} | test]


def _frame(people: pd.DataFrame, columns: list[str], choices: Choices) -> tuple[ModelFrame, list[str]]:
    """The model of the cohorts that have deaths enough among their complete rows, and the names of the others."""
    complete = people.dropna(subset=[name for name in columns if name in people])
    deaths = complete[EVENT].groupby(complete[COHORT]).sum()
    names = list(dict.fromkeys(people[COHORT]))
    used = [name for name in names if deaths.get(name, 0) >= FEWEST_EVENTS]
    if len(used) < 2:
        raise FitError("few_levels", needed=FEWEST_EVENTS)
    frame = model_frame(people[people[COHORT].isin(used)], columns, choices)
    return frame, [name for name in names if name not in used]
