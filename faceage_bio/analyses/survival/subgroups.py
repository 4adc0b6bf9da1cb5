"""Is the hazard of an older face the same for women and men, young and old, one disease and another?
Subgroups and interactions.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    WORDS,
    Choices,
    ModelFrame,
    declared,
    model_frame,
    model_rows,
    name_of,
    of_model,
    of_question,
    ratio_of_terms,
)
from faceage_bio.analyses.survival.follow_up import IN_YEARS
from faceage_bio.analyses.survival.proportional import main_steps
from faceage_bio.analyses.survival.sequential_models import UNADJUSTED, adjustment_steps
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COHORT, EVENT, FACE_AGE, POOLED
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import counted, result_rows, tested
from faceage_bio.stats.cox_fit import CoxFit, likelihood_ratio_test, numbers
from faceage_bio.stats.design import MAX_LEVELS, require_columns
from faceage_bio.stats.minimum_sizes import EVENTS_OF_SUBGROUP, FEWEST_EVENTS
from faceage_bio.stats.multiplicity import benjamini_hochberg

BAND = "age_band"
INTERACTION, COHORTS_DIFFER = "interaction chi-square", "cohort interaction chi-square"
RATIO = "ratio of hazard ratios"
NO_TEST_OF_IT = {"p_value": np.nan, "statistic": np.nan}  # subgroups are compared, not tested each


def compare_sites(usable: pd.DataFrame, by: str, choices: Choices, cohort: str) -> pd.DataFrame:
    """Face age within each level of a column, alone, with age, and with age and the sequentially adjusted
    models's other columns.

    The test of interaction asks of the same models whether they could share one hazard ratio of face age: a
    likelihood-ratio test of one for all against one for each level, both in one model in which each level has
    a baseline hazard and coefficients of the covariates of its own. (Were these common, age could take up
    what differs in face age, since the two are alike.) Levels of fewer than 5 deaths are left out of it.

    Returns
    -------
    DataFrame, result rows, question "sites"
        ``by``, ``subgroup``, ``step``; q-values (Benjamini and Hochberg) over the levels of a step. One row
        of the interaction a step.

    Raises
    ------
    CohortError
        The table has no such column.
    """
    others = [name for name in choices.steps if name not in (by, AGE)]
    steps = [(UNADJUSTED, []), ("+ age", [AGE])]
    steps += [("+ age, " + ", ".join(others), [AGE, *others])] if others else []
    require_columns(usable, [by])
    known = usable[usable[by].notna()]
    levels = ordered_levels(known, by, choices)
    rows: list[dict] = []
    for step, held in steps:
        columns = [FACE_AGE, *held]
        base = of_model(known, columns, choices) | {"step": step}
        if len(levels) < 2:
            why = reason("constant", column=by) if levels else _no_value(usable, by)
            rows.append(base | {"measure": INTERACTION, "reason": why})
            continue
        found = [
            model_rows(known[known[by].astype(str) == level], columns, choices, step=step, subgroup=level)[0]
            for level in levels
        ]
        q_values = benjamini_hochberg(np.array([row.get("p_value", np.nan) for row in found]))
        rows += [
            row | {"q_value": q, "family": "levels within a model"}
            for row, q in zip(found, q_values, strict=True)
        ]
        rows.append(base | _interaction(known, by, levels, columns, choices))
    head = of_question(cohort, "sites") | {"by": by}
    return result_rows([head | row for row in rows], "survival/sites")


def ordered_levels(known: pd.DataFrame, by: str, choices: Choices) -> list[str]:
    """The declared order, or the largest first."""
    sizes = known[by].astype(str).value_counts(sort=True)
    declared = [level for level in choices.levels.get(by, ()) if level in sizes.index]
    return [*declared, *(level for level in sizes.index if level not in declared)]


def _interaction(
    known: pd.DataFrame, by: str, levels: list[str], columns: list[str], choices: Choices
) -> dict:
    labels = known[by].astype(str)
    try:
        complete = model_frame(known, columns, choices).people
        used, left_out = _with_deaths(levels, complete[EVENT].groupby(labels[complete.index]).sum())
        if len(used) < 2:
            raise FitError("few_levels", needed=FEWEST_EVENTS)
        frame = model_frame(known[labels.isin(used)], columns, _within(by, choices))
        test, _ = _tested(INTERACTION, frame, *_one_and_each(frame, by))
    except FitError as error:
        return _no_test(error.reason)
    return test | counted(frame.people) | {"reason": [*_without(left_out), *test["reason"]]}


def _with_deaths(levels: Sequence[str], deaths: pd.Series) -> tuple[list[str], list[str]]:
    """The levels that have deaths enough for a hazard ratio, and the others."""
    used = [level for level in levels if deaths.get(level, 0) >= FEWEST_EVENTS]
    return used, [level for level in levels if level not in used]


def _without(levels: list[str]) -> list[Reason]:
    return [reason("without_levels", levels=levels, needed=FEWEST_EVENTS)] if levels else []


def _no_test(why: Reason) -> dict:
    return {"measure": INTERACTION, "reason": why}


def _within(by: str, choices: Choices) -> Choices:
    """The choices with a baseline hazard for each level of a column."""
    return replace(choices, strata=list(dict.fromkeys([by, *choices.strata])), firth=False)


def _one_and_each(frame: ModelFrame, by: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Designs with one hazard ratio for all and with one for each level, both with coefficients of the
    level's own.
    """
    exposure, level = frame.columns[0], frame.people[by].astype(str)
    covariates = by_level(frame.design.drop(columns=exposure), level)
    hazard_ratio = frame.design[[exposure]]
    return hazard_ratio.join(covariates), by_level(hazard_ratio, level).join(covariates)


def by_level(design: pd.DataFrame, level: pd.Series) -> pd.DataFrame:
    """Each column once per level, 0 in all others; not where it is the same for all participants of the
    level.
    """
    return pd.DataFrame(
        {
            f"{name} in {one}": design[name] * (level == one)
            for name in design
            for one in dict.fromkeys(level)
            if design.loc[level == one, name].nunique() > 1
        },
        index=design.index,
    )


def subgroup_hazards(
    usable: pd.DataFrame, modifiers: Sequence[str], choices: Choices, cohort: str, *, split_age: float
) -> pd.DataFrame:
    """Hazard ratio of age acceleration in each subgroup, and the test that subgroups differ.

    Of each modifier one Cox model of all participants, with the modifier and a hazard ratio of age
    acceleration for each of its groups, once with age and once with all columns of the sequentially adjusted
    models's last step adjusted for. The test is a likelihood-ratio test against the same model with one
    hazard ratio for all.

    Parameters
    ----------
    usable : DataFrame
        Participants with follow-up, covariates grouped (`grouped`).
    modifiers : names of columns
        Words are subgroups, whose hazard ratios are also given over that of the first. Numbers enter as such,
        a row with the change of the hazard ratio per unit; age does so too, and is shown in two groups
        beside.
    choices : Choices
    cohort : str
    split_age : float
        Age that divides the two groups, fixed beforehand.

    Returns
    -------
    DataFrame, result rows, question "subgroups"
        ``step``, ``modifier``, ``subgroup`` (both "" in the row of all participants). Rows of subgroups have
        no p-value of their own, which would be no test of the difference between them, but ``p_interaction``
        and ``q_interaction``; q-values are Benjamini and Hochberg's over the ``n_tests`` interactions of a
        step. A subgroup of fewer than 5 deaths keeps a row and is in no model.

    Raises
    ------
    CohortError
        The table lacks a modifier.
    """
    require_columns(usable, modifiers)
    rows: list[dict] = []
    for step, held in main_steps(choices):
        columns = [AGE_ACCELERATION, *held]
        whole = model_rows(usable, columns, choices, step=step)[0]
        rows.append(whole | NO_TEST_OF_IT | {"modifier": ""})
        found = [part for name in modifiers for part in _of_one(usable, name, columns, choices, split_age)]
        p_values = np.array([part[-1].get("p_value", np.nan) for part in found])
        n_tests = int(np.count_nonzero(~np.isnan(p_values)))
        for part, q in zip(found, benjamini_hochberg(p_values), strict=True):
            *groups, test = part
            both = {"p_interaction": test.get("p_value", np.nan), "q_interaction": q}
            rows += [row | both | {"step": step} for row in groups]
            family = {"family": "interactions of a model", "n_tests": n_tests}
            rows.append(test | family | {"q_value": q, "step": step})
    head = of_question(cohort, "subgroups")
    return result_rows([head | row for row in declared(rows, "survival/subgroups")], "survival/subgroups")


def _no_value(usable: pd.DataFrame, column: str) -> Reason:
    """Why no participant has a value: none is left, or those who are lack it."""
    return reason("no_value_of", column=column) if len(usable) else reason("no_usable_follow_up")


def _of_one(
    usable: pd.DataFrame, modifier: str, columns: list[str], choices: Choices, split_age: float
) -> list[list[dict]]:
    """Rows of a modifier's interactions, each the rows of its subgroups and at last that of its test."""
    known = usable[modifier].notna()
    if not known.any():
        why = _no_test(_no_value(usable, modifier))
        return [[_base(usable, modifier, columns, choices) | why]]
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
    shown = WORDS.get(modifier, modifier.replace("_", " "))
    model = f"{WORDS[AGE_ACCELERATION]} x {shown} + {name_of(held).replace(BAND, shown)}"
    about = {"modifier": modifier, "method": choices.method, "model": model}
    return of_model(people, columns, choices) | about


def _groups(known: pd.DataFrame, modifier: str, columns: list[str], choices: Choices) -> list[dict]:
    """One row per subgroup, their ratios, and the test that they differ."""
    base = _base(known, modifier, columns, choices)
    levels = ordered_levels(known, modifier, choices)
    if len(levels) > MAX_LEVELS:
        return [base | _no_test(reason("many_levels", column=modifier, levels=len(levels), most=MAX_LEVELS))]
    shared = {"measure": "hazard ratio", "per": choices.per(AGE_ACCELERATION)}
    of_all = {level: counted(known[known[modifier].astype(str) == level]) for level in levels}
    rows = {level: base | shared | of_all[level] | {"subgroup": level} for level in levels}
    try:
        frame, left_out = _frame_of_levels(known, modifier, levels, columns, choices)
        labels = frame.people[modifier].astype(str)
        for level, row in rows.items():
            rows[level] = row | counted(frame.people[labels == level])
        others = frame.design.drop(columns=AGE_ACCELERATION)
        larger = by_level(frame.design[[AGE_ACCELERATION]], labels).join(others)
        if flat := [level for level in labels.unique() if f"{AGE_ACCELERATION} in {level}" not in larger]:
            raise FitError("constant_in", column="age acceleration", level=flat[0])
        test, (_, fit) = _tested(INTERACTION, frame, frame.design, larger)
        fit = fit if frame.cluster is None else frame.fit(larger)
    except FitError as error:
        why = {"reason": error.reason}
        return [*(row | why for row in rows.values()), base | _no_test(error.reason)]
    for level, row in rows.items():
        if level in left_out:
            rows[level] = (
                row | left_out[level] | {"reason": reason("few_events_in_group", needed=FEWEST_EVENTS)}
            )
        else:
            few = row["n_events"] < EVENTS_OF_SUBGROUP
            found = numbers(fit.terms.loc[f"{AGE_ACCELERATION} in {level}"])
            sparse = reason("sparse_subgroup", needed=EVENTS_OF_SUBGROUP) if few else None
            rows[level] = row | found | NO_TEST_OF_IT | {"reason": sparse}
    test |= counted(frame.people) | {"reason": [*_without(list(left_out)), *test["reason"]]}
    used = [level for level in levels if level not in left_out]
    if modifier not in choices.levels:
        used.sort()  # cohorts that are pooled need one reference
    first, *further = used if modifier != BAND else used[:1]  # the test of all is the interaction's
    ratios = [
        base | shared | counted(frame.people)
        | ratio_of_terms(fit, f"{AGE_ACCELERATION} in {level}", f"{AGE_ACCELERATION} in {first}")
        | {"measure": RATIO, "level": level, "reference": first, "reason": test["reason"], **NO_TEST_OF_IT}
        for level in further
    ]  # fmt: skip
    return [*rows.values(), *ratios, base | test]


def _frame_of_levels(
    known: pd.DataFrame, modifier: str, levels: list[str], columns: list[str], choices: Choices
) -> tuple[ModelFrame, dict[str, dict]]:
    """The model of the subgroups that have deaths enough, and the complete cases and deaths of the others."""
    if len(levels) < 2:
        raise FitError("constant", column=modifier.replace("_", " "))
    wanted = list(dict.fromkeys([*columns, modifier]))
    people = model_frame(known, wanted, choices).people
    labels = known[modifier].astype(str)
    own = labels[people.index]
    used, left_out = _with_deaths(levels, people[EVENT].groupby(own).sum())
    if len(used) < 2:
        raise FitError("few_levels", needed=FEWEST_EVENTS)
    return model_frame(known[labels.isin(used)], wanted, choices), {
        level: counted(people[own == level]) for level in left_out
    }


def _tested(
    measure: str, frame: ModelFrame, smaller: pd.DataFrame, larger: pd.DataFrame
) -> tuple[dict, list[CoxFit]]:
    """The likelihood-ratio test of two designs with what is to be said of it, and their fits without clusters, of which likelihoods do not know."""
    fits = [frame.fit(design, cluster=None) for design in (smaller, larger)]
    unclustered = [] if frame.cluster is None else [reason("test_without_clusters")]
    said = [*fits[1].reasons, *frame.reasons, *unclustered]
    return tested(measure, likelihood_ratio_test(*fits)) | {"reason": said}, fits


def _as_number(usable: pd.DataFrame, modifier: str, columns: list[str], choices: Choices) -> dict:
    """How the hazard ratio changes along a number, so that no participant needs a cut."""
    size, unit = choices.unit(modifier)
    years, of_what = choices.per(AGE_ACCELERATION), f" of {WORDS[modifier]}" if modifier in WORDS else ""
    about = {"measure": RATIO, "per": f"{years}, for each {unit}{of_what}"}
    base = _base(usable, modifier, columns, choices) | about
    product = f"{AGE_ACCELERATION} x {modifier}"
    try:
        frame = model_frame(usable, list(dict.fromkeys([*columns, modifier])), choices)
        if frame.people[modifier].nunique() < 2:
            raise FitError("constant", column=WORDS.get(modifier, modifier))
        along = (frame.people[modifier] - frame.people[modifier].mean()) / size
        larger = frame.design.assign(**{product: frame.design[AGE_ACCELERATION] * along})
        test, (_, fit) = _tested(INTERACTION, frame, frame.design, larger)
        fit = fit if frame.cluster is None else frame.fit(larger)
    except FitError as error:
        return base | {"reason": error.reason}
    found = numbers(fit.terms.loc[product]) | {"statistic": np.nan, "p_value": test["p_value"]}
    about = {"method": f"{choices.method}, p by likelihood-ratio test", "reason": test["reason"]}
    return base | found | counted(frame.people) | about


# One Cox model of the participants of all cohorts, alongside the meta-analysis of the cohorts' own models.


def fit_one_stage(cohorts: Sequence[pd.DataFrame], choices: Choices) -> pd.DataFrame:
    """Hazard ratios of both ages and of age acceleration, one for all cohorts, and the test that the cohorts
    differ.

    Strata of cohort: each has its own baseline hazard, which takes up its mean exposure, and own coefficients
    of the covariates, so that differences between cohorts do not enter (Riley et al. 2008,
    doi:10.1002/sim.3165). The likelihood-ratio test is of one hazard ratio for all against one for each
    cohort.

    Parameters
    ----------
    cohorts : participants with follow-up of each cohort, with the column cohort
    choices : steps and covariates

    Returns
    -------
    DataFrame, result rows, question "one stage"
        Two rows a step and exposure: the hazard ratio, and ``cohort interaction chi-square``. Cohorts of
        fewer than 5 deaths, or without a covariate of the step, are left out and named in the reason.
    """
    people = pd.concat([table.astype({COHORT: str}) for table in cohorts], ignore_index=True)
    within, rows = _within(COHORT, choices), []
    for step, held in adjustment_steps(choices):
        for exposure in IN_YEARS:
            if exposure == AGE and step == "+ age":
                continue
            columns = [exposure, *(name for name in held if name != exposure)]
            rows += _one_step(people, columns, within, step)
    head = of_question(POOLED, "one stage")
    return result_rows([head | row for row in rows], "survival/one_stage")


def _one_step(people: pd.DataFrame, columns: list[str], choices: Choices, step: str) -> list[dict]:
    exposure = columns[0]
    about = {"step": step, "method": choices.method, "measure": "hazard ratio", "per": choices.per(exposure)}
    base = of_model(people, columns, choices) | about
    try:
        frame, left_out = _frame_of_cohorts(people, columns, choices)
        smaller, larger = _one_and_each(frame, COHORT)
        cohort = frame.people.groupby(COHORT)[EVENT]
        base |= counted(frame.people) | {
            "cohorts": cohort.ngroups,
            "n_smallest": cohort.size().min(),
            "n_events_smallest": int(cohort.sum().min()),
            "events_per_term": frame.people[EVENT].sum() / smaller.shape[1],
        }
        test, (fit, _) = _tested(COHORTS_DIFFER, frame, smaller, larger)
    except FitError as error:
        base["reason"] = error.reason
        return [base, base | {"measure": COHORTS_DIFFER, "per": ""}]
    why = [reason("without_cohorts", cohorts=left_out)] if left_out else []
    try:
        fit = fit if frame.cluster is None else frame.fit(smaller)
        found = numbers(fit.terms.loc[exposure]) | {"reason": [*why, *fit.reasons, *frame.reasons]}
    except FitError as error:
        found = {"reason": [error.reason, *why]}
    return [base | found, base | test | {"per": "", "reason": [*why, *test["reason"]]}]


def _frame_of_cohorts(
    people: pd.DataFrame, columns: list[str], choices: Choices
) -> tuple[ModelFrame, list[str]]:
    """The model of the cohorts that have deaths enough among their complete rows, and the names of the
    others.
    """
    complete = people.dropna(subset=[name for name in columns if name in people])
    deaths = complete[EVENT].groupby(complete[COHORT]).sum()
    used, left_out = _with_deaths(list(dict.fromkeys(people[COHORT])), deaths)
    if len(used) < 2:
        raise FitError("few_levels", needed=FEWEST_EVENTS)
    return model_frame(people[people[COHORT].isin(used)], columns, choices), left_out
