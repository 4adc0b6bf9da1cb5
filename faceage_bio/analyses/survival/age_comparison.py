"""Does face age tell more of death than chronological age does? Both per decade, in the same participants, and their difference."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    ModelFrame,
    adjusted_for,
    counts,
    model_frame,
    of_question,
)
from faceage_bio.analyses.survival.sequential_models import adjustment_steps
from faceage_bio.core.columns import AGE, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import NORMAL_975, CoxFit, few_per_term, numbers
from faceage_bio.stats.fewest_events import check_events

SEPARATE, JOINT = "two models", "one model with both"
RATIO = "face age against age"
SAME = 1e-6  # share of its parts' error below which a difference has none but rounding


def compare_ages(usable: pd.DataFrame, choices: Choices, cohort: str) -> pd.DataFrame:
    """Hazard ratios of face age and of chronological age per decade, and the ratio of the two with its test.

    Two ways, at each step of the sequentially adjusted models without age: "two models", one with either age, compared by stacking them (each
    person in both, robust errors by person or declared cluster: Wei, Lin and Weissfeld 1989,
    doi:10.1080/01621459.1989.10478873); and "one model with both", by Wald's test of the difference.

    Returns
    -------
    DataFrame, result rows, question "age comparison"
        Three rows a way and step: face_age, chronological_age, and "face age against age" (ratio of the hazard ratios, with
        the p-value of their difference).
    """
    rows = []
    for step, held in adjustment_steps(choices):
        if step == "+ age":
            continue
        covariates = [name for name in held if name != AGE]
        base = of_question(cohort, "age comparison") | adjusted_for(covariates, choices) | {
            "exposure": FACE_AGE, "measure": "hazard ratio", "per": f"{choices.per_years:g} years", "step": step,
            "n": len(usable), "n_events": int(usable[EVENT].sum()),
        }  # fmt: skip
        try:
            frame = model_frame(usable, [FACE_AGE, AGE, *covariates], choices)
            base |= counts(frame)
            if AGE not in frame.design:
                raise FitError("constant", column=AGE)
            ways = [(SEPARATE, two_models), (JOINT, one_model)]
        except FitError as error:
            rows.append(base | {"term": RATIO, "model": SEPARATE, "reason": error.reason})
            continue
        for name, fit in ways:
            try:
                found, reasons = fit(frame)
                rows += [base | {"model": name, "reason": [*reasons, *frame.reasons]} | row for row in found]
            except FitError as error:
                rows.append(base | {"term": RATIO, "model": name, "reason": error.reason})
    return result_rows(rows, "survival/age_comparison")


def two_models(frame: ModelFrame) -> tuple[list[dict], Sequence[Reason]]:
    """Separate models of either age, fitted as one: all participants twice, a stratum for each copy, errors by person."""
    check_events(frame.people[EVENT])
    design = frame.design
    deaths, terms = int(frame.people[EVENT].sum()), design.shape[1] - 1
    if deaths < max(2, terms):
        raise FitError("few_events_for_terms", n_events=deaths, terms=terms)
    others = [name for name in design if name not in (FACE_AGE, AGE)]
    copies = []
    for age in (FACE_AGE, AGE):
        copy = pd.DataFrame(
            0.0, index=design.index, columns=pd.MultiIndex.from_product([(FACE_AGE, AGE), ("age", *others)])
        )
        copy[age, "age"] = design[age]
        for name in others:
            copy[age, name] = design[name]
        copies.append(copy.set_axis([f"{age} / {name}" for age, name in copy.columns], axis=1))
    stacked = pd.concat(copies, ignore_index=True)

    def twice(values: pd.Series | None) -> pd.Series | None:
        return None if values is None else pd.concat([values, values], ignore_index=True)

    copy = pd.Series(np.repeat(["a", "b"], len(design)))
    strata = copy if frame.strata is None else copy + twice(frame.strata)
    person = pd.Series(np.tile(np.arange(len(design)), 2)) if frame.cluster is None else twice(frame.cluster)
    fit = fit_cox(
        twice(frame.people[FOLLOWUP]),
        twice(frame.people[EVENT]),
        stacked,
        twice(frame.entry),
        strata=strata,
        cluster=person,
    )
    by = "person" if frame.cluster is None else str(frame.cluster.name)
    rows = _rows(fit, f"{FACE_AGE} / age", f"{AGE} / age", f"two Cox models, stacked, errors robust by {by}")
    return rows, few_per_term(deaths, terms)


def one_model(frame: ModelFrame) -> tuple[list[dict], Sequence[Reason]]:
    """Both ages in one model."""
    fit = frame.fit()
    return _rows(fit, FACE_AGE, AGE, "one Cox model, Wald test of the difference"), fit.reasons


def _rows(fit: CoxFit, face: str, age: str, method: str) -> list[dict]:
    beta, covariance = fit.terms["log_hazard_ratio"], fit.covariance
    difference = beta[face] - beta[age]
    variance = covariance.loc[face, face] + covariance.loc[age, age] - 2 * covariance.loc[face, age]
    error = np.sqrt(max(variance, 0.0))  # rounding makes it negative where both ages are the same
    if error < SAME * np.sqrt(covariance.loc[face, face] + covariance.loc[age, age]):
        raise FitError("same_ages")
    return [
        {"term": FACE_AGE, "method": method} | numbers(fit.terms.loc[face]),
        {"term": AGE, "exposure": AGE, "method": method} | numbers(fit.terms.loc[age]),
        {
            "term": RATIO, "measure": "ratio of hazard ratios", "method": method, "estimate": np.exp(difference),
            "ci_lower": np.exp(difference - NORMAL_975 * error), "ci_upper": np.exp(difference + NORMAL_975 * error),
            "standard_error": error, "statistic": difference / error, "p_value": 2 * norm.sf(abs(difference / error)),
        },
    ]  # fmt: skip
