"""Sequentially adjusted Cox models of overall survival, from each age alone to all covariates."""

from collections.abc import Sequence

import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    adjusted_for,
    counts,
    model_frame,
    model_rows,
    name_of,
    of_question,
)  # fmt: skip
from faceage_bio.analyses.survival.follow_up import IN_YEARS
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, EVENT, PER_SD
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.cox_fit import numbers

UNADJUSTED, FULL = "unadjusted", "full"


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

    Face age, age acceleration and chronological age stand in one model after another, in the same participants at each step. In a model with
    age, face age and the plain residual have the same coefficient, since they differ by a multiple of age; both are printed
    so that no participant has to believe it.

    Returns
    -------
    DataFrame, result rows, question "cox"
        ``exposure`` and ``step`` say which model a row is of. Age acceleration stands per ``per_years`` and per standard
        deviation. A model that cannot be fitted keeps a row with the reason.
    """
    rows: list[dict] = []
    for step, held in adjustment_steps(choices):
        for exposure in IN_YEARS:
            if exposure == AGE and step == "+ age":
                continue  # age is its own first step
            columns = [exposure, *(name for name in held if name != exposure)]
            about = {"exposure": exposure, "step": step} | ({} if held else {"model": "univariable"})
            rows += _with_firth(usable, columns, choices, about)
            if exposure == AGE_ACCELERATION:
                rows += _per_sd(rows, usable, choices, step)
    for name in (name for name in choices.full if name not in choices.strata):
        about = {"exposure": name, "step": UNADJUSTED, "model": "univariable"}
        rows += _with_firth(usable, [name], choices, about)
    head = of_question(cohort, "cox")
    return result_rows([head | row for row in rows], "survival/cox")


def _with_firth(usable: pd.DataFrame, columns: Sequence[str], choices: Choices, about: dict) -> list[dict]:
    """The rows of a model, and if wished the penalised estimates as well."""
    rows = model_rows(usable, columns, choices, global_tests=True, **about)
    return rows + firth_rows(usable, columns, choices, **about) if choices.firth else rows


def firth_rows(usable: pd.DataFrame, columns: Sequence[str], choices: Choices, **about) -> list[dict]:
    """The penalised estimate of what a model is about (Heinze and Schemper 2001, doi:10.1111/j.0006-341X.2001.00114.x)."""
    about = {"model": name_of(columns)} | about
    base = {
        "measure": "hazard ratio", "term": columns[0], "per": f"{choices.per_years:g} years" if columns[0] in IN_YEARS else "",
        "exposure": columns[0], "method": "Cox, Firth's penalised likelihood, profile interval",
        "n": len(usable), "n_events": int(usable[EVENT].sum()),
    } | adjusted_for(columns[1:], choices) | about | {"model": f"{about['model']}, Firth", "step": f"{about.get('step', '')}, Firth"}  # fmt: skip
    try:
        frame = model_frame(usable, columns, choices)
        base |= counts(frame)
        terms = frame.fit(penalty="firth", cluster=None).terms
    except FitError as error:
        return [base | {"reason": error.reason}]
    own = [term for term in terms.index if term == columns[0] or term.startswith(f"{columns[0]}: ")]
    return [
        base | numbers(terms.loc[term]) | frame.contrast(term) | {"term": term, "statistic": None, "reason": frame.reasons}
        for term in own
    ]  # fmt: skip


def _per_sd(rows: list[dict], usable: pd.DataFrame, choices: Choices, step: str) -> list[dict]:
    """The same model's acceleration for one standard deviation of it among all participants with follow-up."""
    spread = float(usable[AGE_ACCELERATION].std())
    found = [row for row in rows if row["term"] == AGE_ACCELERATION and row.get("step") == step]
    if not found or "estimate" not in found[0]:
        return []
    power = spread / choices.per_years
    scaled = {
        name: found[0][name] ** power
        for name in ("estimate", "ci_lower", "ci_upper", "robust_lower", "robust_upper")
    } | {"standard_error": found[0]["standard_error"] * power}
    return [found[0] | scaled | {"per": PER_SD, "exposure_sd": spread}]
