"""Is the hazard of an older face the same for women and men, young and old, one disease and another? Subgroups and interactions."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    WORDS,
    Choices,
    ModelFrame,
    adjusted_for,
    declared,
    model_frame,
    model_rows,
    name_of,
    of_question,
    unit_of,
)  # fmt: skip
from faceage_bio.analyses.survival.hazard_curve import main_steps
from faceage_bio.analyses.survival.sites import by_level, ordered_levels
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, EVENT
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows, tested
from faceage_bio.stats.cox_fit import NORMAL_975, CoxFit, likelihood_ratio_test, numbers
from faceage_bio.stats.design import build_design
from faceage_bio.stats.fewest_events import FEWEST_EVENTS
from faceage_bio.stats.multiplicity import benjamini_hochberg

FEW_DEATHS = 10  # of a subgroup whose hazard ratio is flagged
MAX_LEVELS = 12
BAND = "age_band"
INTERACTION = "interaction chi-square"
RATIO = "ratio of hazard ratios"


def subgroup_hazards(
    usable: pd.DataFrame, modifiers: Sequence[str], choices: Choices, cohort: str, *, split_age: float = 65.0
) -> pd.DataFrame:
    """Hazard ratio of age acceleration in each subgroup, and the test that subgroups differ.

    Of each modifier one Cox model of all participants, with the modifier and a hazard ratio of age acceleration for each of its
    groups, once with age and once with all columns of the sequentially adjusted models's last step adjusted for. The test is a likelihood-ratio
    test against the same model with one hazard ratio for all.

    Parameters
    ----------
    usable : DataFrame
        Participants with follow-up, covariates grouped (`grouped`).
    modifiers : names of columns
        Words are subgroups, whose hazard ratios are also given over that of the first. Numbers enter as such, a row with the change of the hazard ratio per unit; age does so too, and
        is shown in two groups beside.
    choices : Choices
    cohort : str
    split_age : float
        Age that divides the two groups, fixed beforehand.

    Returns
    -------
    DataFrame, result rows, question "subgroups"
        ``step``, ``modifier``, ``subgroup`` (both "" in the row of all participants). Rows of subgroups have no p-value of their own, which would be no test of the
        difference between them, but ``p_interaction`` and ``q_interaction``; q-values are Benjamini and Hochberg's over
        the ``n_tests`` interactions of a step. A subgroup of fewer than 5 deaths keeps a row and is in no model.

    Raises
    ------
    CohortError
        The table lacks a modifier.
    """
    build_design(usable.head(0), modifiers)  # a column that is not there is told
    rows: list[dict] = []
    for step, held in main_steps(choices):
        columns = [AGE_ACCELERATION, *held]
        whole = model_rows(usable, columns, choices, step=step)
        rows.append(
            next(row for row in whole if row["term"] == AGE_ACCELERATION)
            | {"modifier": "", "p_value": np.nan, "statistic": np.nan}
        )
        found = [part for name in modifiers for part in _of_one(usable, name, columns, choices, split_age)]
        p_values = np.array([part[-1].get("p_value", np.nan) for part in found])
        n_tests = int(np.count_nonzero(~np.isnan(p_values)))
        for part, q in zip(found, benjamini_hochberg(p_values), strict=True):
            *groups, test = part
            both = {"p_interaction": test.get("p_value", np.nan), "q_interaction": q}
            rows += [row | both | {"step": step} for row in groups]
            rows.append(
                test | {"q_value": q, "family": "interactions of a model", "n_tests": n_tests, "step": step}
            )
    head = of_question(cohort, "subgroups")
    return result_rows([head | row for row in declared(rows, "survival/subgroups")], "survival/subgroups")


def _of_one(
    usable: pd.DataFrame, modifier: str, columns: list[str], choices: Choices, split_age: float
) -> list[list[dict]]:
    """Rows of a modifier's interactions, each the rows of its subgroups and at last that of its test."""
    known = usable[modifier].notna()
    if not known.any():
        return [
            [_base(usable, modifier, columns, choices) | _no_test(reason("no_value_of", column=modifier))]
        ]
    if modifier == AGE:
        words = [f"under {split_age:g}", f"{split_age:g} and over"]
        banded = usable.assign(**{BAND: np.where(usable[AGE] < split_age, *words)})
        with_bands = replace(choices, further_levels={**choices.further_levels, BAND: words})
        named = {"modifier": AGE}
        groups = [row | named for row in _groups(banded[known], BAND, columns, with_bands)]
        return [groups, [_as_number(usable, AGE, columns, choices)]]
    if pd.api.types.is_numeric_dtype(usable[modifier]):
        return [[_as_number(usable, modifier, columns, choices)]]
    return [_groups(usable[known], modifier, columns, choices)]


def _base(people: pd.DataFrame, modifier: str, columns: list[str], choices: Choices) -> dict:
    held = list(dict.fromkeys([*columns[1:], modifier]))
    own = WORDS.get(modifier, modifier.replace("_", " "))
    return adjusted_for(columns[1:], choices) | {
        "term": AGE_ACCELERATION, "exposure": AGE_ACCELERATION, "modifier": modifier, "method": choices.method,
        "model": f"{WORDS[AGE_ACCELERATION]} x {own} + {name_of(held).replace(BAND, own)}",
        "n": len(people), "n_events": int(people[EVENT].sum()),
    }  # fmt: skip


def _no_test(why: Reason) -> dict:
    return {"measure": INTERACTION, "reason": why}


def _groups(known: pd.DataFrame, modifier: str, columns: list[str], choices: Choices) -> list[dict]:
    """One row per subgroup, their ratios, and the test that they differ."""
    base = _base(known, modifier, columns, choices)
    levels = ordered_levels(known, modifier, choices)
    if len(levels) > MAX_LEVELS:
        return [base | _no_test(reason("many_levels", column=modifier, levels=len(levels), most=MAX_LEVELS))]
    shared = {"measure": "hazard ratio", "per": unit_of(AGE_ACCELERATION, choices.per_years)[1]}
    rows = {
        level: base | shared | _counted(known[known[modifier].astype(str) == level]) | {"subgroup": level}
        for level in levels
    }
    try:
        frame, left_out = _with_deaths(known, modifier, columns, choices)
        for level, row in rows.items():
            rows[level] = row | _counted(frame.people[frame.people[modifier].astype(str) == level])
        own = frame.people[modifier].astype(str)
        others = frame.design.drop(columns=AGE_ACCELERATION)
        larger = by_level(frame.design[[AGE_ACCELERATION]], own).join(others)
        if flat := [level for level in own.unique() if f"{AGE_ACCELERATION} in {level}" not in larger]:
            raise FitError("constant_in", column="age acceleration", level=flat[0])
        test, fit = _tested(frame, frame.design, larger)
    except FitError as error:
        why = {"reason": error.reason}
        return [*(row | why for row in rows.values()), base | _no_test(error.reason)]
    for level, row in rows.items():
        if level in left_out:
            of_all = _counted(known[known[modifier].astype(str) == level])
            rows[level] = row | of_all | {"reason": reason("few_events_in_group", needed=FEWEST_EVENTS)}
        else:
            few = row["n_events"] < FEW_DEATHS
            found = numbers(fit.terms.loc[f"{AGE_ACCELERATION} in {level}"])
            sparse = reason("sparse_subgroup", needed=FEW_DEATHS) if few else None
            rows[level] = row | found | {"p_value": np.nan, "statistic": np.nan, "reason": sparse}
    reasons = [reason("without_levels", levels=left_out, needed=FEWEST_EVENTS)] if left_out else []
    test["reason"] = [*reasons, *fit.reasons, *frame.reasons]
    used = [level for level in levels if level not in left_out]
    if modifier not in choices.levels:
        used.sort()  # cohorts that are pooled need one reference
    whole = base | shared | _counted(frame.people) | {"reason": test["reason"]}
    ratios = [] if modifier == BAND else _ratios(fit, used, whole)
    return [*rows.values(), *ratios, base | test | _counted(frame.people)]


def _ratios(fit: CoxFit, levels: list[str], base: dict) -> list[dict]:
    """The hazard ratio of each level over that of the first, which cohorts can pool; the test of all is the interaction's."""
    names = [f"{AGE_ACCELERATION} in {level}" for level in levels]
    value, covariance = fit.terms.log_hazard_ratio, fit.covariance
    rows = []
    for level, name in zip(levels[1:], names[1:], strict=True):
        log_ratio = value[name] - value[names[0]]
        error = np.sqrt(
            covariance.at[name, name] + covariance.at[names[0], names[0]] - 2 * covariance.at[name, names[0]]
        )
        low, high = log_ratio - NORMAL_975 * error, log_ratio + NORMAL_975 * error
        numbers = {
            "estimate": np.exp(log_ratio),
            "ci_lower": np.exp(low),
            "ci_upper": np.exp(high),
            "standard_error": error,
        }
        rows.append(base | numbers | {"measure": RATIO, "level": level, "reference": levels[0]})
    return rows


def _with_deaths(
    known: pd.DataFrame, modifier: str, columns: list[str], choices: Choices
) -> tuple[ModelFrame, list[str]]:
    """The model of the subgroups that have deaths enough, and the names of the others."""
    every = ordered_levels(known, modifier, choices)
    if len(every) < 2:
        raise FitError("constant", column=modifier.replace("_", " "))
    wanted = list(dict.fromkeys([*columns, modifier]))
    people = model_frame(known, wanted, choices).people
    labels = known[modifier].astype(str)
    deaths = people[EVENT].groupby(labels[people.index]).sum()
    used = [level for level in every if deaths.get(level, 0) >= FEWEST_EVENTS]
    if len(used) < 2:
        raise FitError("few_levels", needed=FEWEST_EVENTS)
    left_out = [level for level in every if level not in used]
    return model_frame(known[labels.isin(used)], wanted, choices), left_out


def _tested(frame: ModelFrame, smaller: pd.DataFrame, larger: pd.DataFrame) -> tuple[dict, CoxFit]:
    """The likelihood-ratio test, and the larger model with the errors that the choices ask for."""
    # likelihoods do not know of clusters, so the test is of the models without
    fit = frame.fit(larger, cluster=None)
    test = tested(INTERACTION, likelihood_ratio_test(frame.fit(smaller, cluster=None), fit))
    return test, fit if frame.cluster is None else frame.fit(larger)


def _as_number(usable: pd.DataFrame, modifier: str, columns: list[str], choices: Choices) -> dict:
    """How the hazard ratio changes along a number, so that no participant needs a cut."""
    size, unit = unit_of(modifier, choices.per_years)
    years = unit_of(AGE_ACCELERATION, choices.per_years)[1]
    base = _base(usable, modifier, columns, choices) | {
        "measure": RATIO,
        "per": f"{years}, for each {unit}{f' of {WORDS[modifier]}' if modifier in WORDS else ''}",
    }
    product = f"{AGE_ACCELERATION} x {modifier}"
    try:
        frame = model_frame(usable, list(dict.fromkeys([*columns, modifier])), choices)
        if frame.people[modifier].nunique() < 2:
            raise FitError("constant", column=WORDS.get(modifier, modifier))
        along = (frame.people[modifier] - frame.people[modifier].mean()) / size
        larger = frame.design.assign(**{product: frame.design[AGE_ACCELERATION] * along})
        test, fit = _tested(frame, frame.design, larger)
    except FitError as error:
        return base | {"reason": error.reason}
    found = numbers(fit.terms.loc[product]) | {
        "statistic": np.nan, "p_value": test["p_value"], "reason": [*fit.reasons, *frame.reasons],
    }  # fmt: skip
    return base | found | _counted(frame.people) | {"method": f"{choices.method}, p by likelihood-ratio test"}


def _counted(people: pd.DataFrame) -> dict:
    return {"n": len(people), "n_events": int(people[EVENT].sum())}
