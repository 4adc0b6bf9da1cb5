"""Sequentially adjusted Cox models of overall survival, from each age alone to all covariates."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    ModelFrame,
    adjusted_for,
    counts,
    model_frame,
    model_rows,
    of_model,
    of_question,
    ratio_of_terms,
    term_rows,
)
from faceage_bio.analyses.survival.follow_up import IN_YEARS
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGES_COMPARED, EVENT, FACE_AGE, FOLLOWUP, PER_SD
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason
from faceage_bio.core.results.row import counted, result_rows
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import CoxFit, few_per_term, numbers
from faceage_bio.stats.minimum_sizes import check_events

UNADJUSTED, FULL = "unadjusted", "full"
SEPARATE, JOINT = "two models", "one model with both"


def adjustment_steps(choices: Choices) -> list[tuple[str, list[str]]]:
    """(step, what is adjusted for): unadjusted, + age, then one column more at a time, and the full model."""
    steps: list[tuple[str, list[str]]] = [(UNADJUSTED, []), ("+ age", [AGE])]
    held = []
    for name in dict.fromkeys(choices.steps):
        if name not in IN_YEARS:
            held.append(name)
            steps.append((f"+ {name}", [AGE, *held]))
    if len(choices.full) > len(held):
        steps.append((FULL, [AGE, *choices.full]))
    return steps


def sequential_cox_models(usable: pd.DataFrame, choices: Choices, cohort: str) -> pd.DataFrame:
    """Hazard ratios of sequentially adjusted models.

    Face age, age acceleration and chronological age stand in one model after another, in the same
    participants at each step. In a model with age, face age and the plain residual have the same coefficient,
    since they differ by a multiple of age; both are printed so that no participant has to believe it.

    Returns
    -------
    DataFrame, result rows, question "cox"
        ``exposure`` and ``step`` say which model a row is of. Age acceleration stands per ``per_years`` and
        per standard deviation. A model that cannot be fitted keeps a row with the reason.
    """
    rows: list[dict] = []
    for step, held in adjustment_steps(choices):
        for exposure in IN_YEARS:
            if exposure == AGE and step == "+ age":
                continue  # age is its own first step
            columns = [exposure, *(name for name in held if name != exposure)]
            about = {"step": step} | ({} if held else {"model": "univariable"})
            rows += (found := _with_firth(usable, columns, choices, about))
            if exposure == AGE_ACCELERATION and "estimate" in found[0]:
                rows.append(_per_sd(found[0], usable, choices))
    about = {"step": UNADJUSTED, "model": "univariable"}
    for name in choices.full:
        if name not in choices.strata:
            rows += _with_firth(usable, [name], choices, about)
    head = of_question(cohort, "cox")
    return result_rows([head | row for row in rows], "survival/cox")


def _with_firth(usable: pd.DataFrame, columns: Sequence[str], choices: Choices, about: dict) -> list[dict]:
    """The rows of a model, and if wished the penalised estimates as well."""
    rows = model_rows(usable, columns, choices, global_tests=True, **about)
    return rows + firth_rows(usable, columns, choices, **about) if choices.firth else rows


def firth_rows(
    usable: pd.DataFrame, columns: Sequence[str], choices: Choices, step: str, **about
) -> list[dict]:
    """The penalised estimate of what a model is about (Heinze and Schemper 2001, doi:10.1111/j.0006-341X.2001.00114.x)."""
    per = choices.per(columns[0]) if pd.api.types.is_numeric_dtype(usable[columns[0]]) else ""
    base = of_model(usable, columns, choices) | {"measure": "hazard ratio", "per": per} | about
    base |= {"model": f"{base['model']}, Firth", "step": f"{step}, Firth"}
    base["method"] = "Cox, Firth's penalised likelihood, profile interval"
    try:
        frame = model_frame(usable, columns, choices)
        base |= counts(frame)
        terms = frame.fit(penalty="firth", cluster=None).terms
    except FitError as error:
        return [base | {"reason": error.reason}]
    own = [term for term in terms.index if term == columns[0] or term.startswith(f"{columns[0]}: ")]
    fitted = term_rows(frame, terms.loc[own], choices)
    return [base | row | {"statistic": None, "reason": frame.reasons} for row in fitted]


def _per_sd(row: dict, usable: pd.DataFrame, choices: Choices) -> dict:
    """The row of age acceleration for one standard deviation of it among all participants with follow-up."""
    spread = float(usable[AGE_ACCELERATION].std())
    power = spread / choices.per_years
    ratios = ("estimate", "ci_lower", "ci_upper", "robust_lower", "robust_upper")
    scaled = {name: row[name] ** power for name in ratios} | {"standard_error": row["standard_error"] * power}
    return row | scaled | {"per": PER_SD, "exposure_sd": spread}


def compare_ages(usable: pd.DataFrame, choices: Choices, cohort: str) -> pd.DataFrame:
    """Hazard ratios of face age and of chronological age per decade, and the ratio of the two with its test.

    Two ways, at each step of the sequentially adjusted models without age: "two models", one with either age,
    compared by stacking them (each person in both, robust errors by person or declared cluster: Wei, Lin and
    Weissfeld 1989, doi:10.1080/01621459.1989.10478873); and "one model with both", by Wald's test of the
    difference.

    Returns
    -------
    DataFrame, result rows, question "age comparison"
        Three rows a way and step: face_age, chronological_age, and "face age against age" (ratio of the
        hazard ratios, with the p-value of their difference).
    """
    rows = []
    for step, held in adjustment_steps(choices):
        if step == "+ age":
            continue
        covariates = [name for name in held if name != AGE]
        base = of_question(cohort, "age comparison") | adjusted_for(covariates, choices) | counted(usable)
        base |= {"exposure": FACE_AGE, "term": AGES_COMPARED, "step": step}
        base |= {"measure": "hazard ratio", "per": choices.per(FACE_AGE)}
        try:
            frame = model_frame(usable, [FACE_AGE, AGE, *covariates], choices)
            base |= counts(frame)
            if AGE not in frame.design:
                raise FitError("constant", column=AGE)
        except FitError as error:
            rows.append(base | {"model": SEPARATE, "reason": error.reason})
            continue
        for name, fit in ((SEPARATE, two_models), (JOINT, one_model)):
            try:
                found, reasons = fit(frame)
                rows += [base | {"model": name, "reason": [*reasons, *frame.reasons]} | row for row in found]
            except FitError as error:
                rows.append(base | {"model": name, "reason": error.reason})
    return result_rows(rows, "survival/age_comparison")


def two_models(frame: ModelFrame) -> tuple[list[dict], Sequence[Reason]]:
    """Separate models of either age, fitted as one: all participants twice, a stratum for each copy, errors
    by person.
    """
    check_events(frame.people[EVENT])
    design = frame.design
    deaths, terms = int(frame.people[EVENT].sum()), design.shape[1] - 1
    if deaths < max(2, terms):
        raise FitError("few_events_for_terms", n_events=deaths, terms=terms)
    others = [name for name in design if name not in (FACE_AGE, AGE)]
    copies = [
        design[[age, *others]].rename(columns={age: "age"}).add_prefix(f"{age} / ") for age in (FACE_AGE, AGE)
    ]
    stacked = pd.concat(copies, ignore_index=True).fillna(0.0)

    def twice(values: pd.Series | None) -> pd.Series | None:
        return None if values is None else pd.concat([values, values], ignore_index=True)

    copy = pd.Series(np.repeat(["a", "b"], len(design)))
    strata = copy if frame.strata is None else copy + twice(frame.strata)
    person = pd.Series(np.tile(np.arange(len(design)), 2)) if frame.cluster is None else twice(frame.cluster)
    outcome = (twice(frame.people[FOLLOWUP]), twice(frame.people[EVENT]))
    fit = fit_cox(*outcome, stacked, twice(frame.entry), strata=strata, cluster=person)
    by = "person" if frame.cluster is None else str(frame.cluster.name)
    rows = _rows(fit, f"{FACE_AGE} / age", f"{AGE} / age", f"two Cox models, stacked, errors robust by {by}")
    return rows, few_per_term(deaths, terms)


def one_model(frame: ModelFrame) -> tuple[list[dict], Sequence[Reason]]:
    """Both ages in one model."""
    fit = frame.fit()
    return _rows(fit, FACE_AGE, AGE, "one Cox model, Wald test of the difference"), fit.reasons


def _rows(fit: CoxFit, face: str, age: str, method: str) -> list[dict]:
    rows = [
        {"term": FACE_AGE} | numbers(fit.terms.loc[face]),
        {"term": AGE, "exposure": AGE} | numbers(fit.terms.loc[age]),
        {"measure": "ratio of hazard ratios"} | ratio_of_terms(fit, face, age),
    ]
    return [{"method": method} | row for row in rows]
