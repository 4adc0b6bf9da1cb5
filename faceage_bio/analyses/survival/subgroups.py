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
)
from faceage_bio.analyses.survival.follow_up import IN_YEARS
from faceage_bio.analyses.survival.proportional import main_steps
from faceage_bio.analyses.survival.sequential_models import UNADJUSTED, adjustment_steps
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COHORT, EVENT, FACE_AGE, POOLED
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows, tested
from faceage_bio.stats.cox_fit import NORMAL_975, CoxFit, likelihood_ratio_test, numbers
from faceage_bio.stats.design import build_design
from faceage_bio.stats.minimum_sizes import EVENTS_OF_SUBGROUP, FEWEST_EVENTS
from faceage_bio.stats.multiplicity import benjamini_hochberg

# Is the hazard of an older face the same everywhere? Hazard ratios within each site (or another column), and their test.


def compare_sites(usable: pd.DataFrame, by: str, choices: Choices, cohort: str) -> pd.DataFrame:
    """Face age within each level of a column, alone, with age, and with age and the sequentially adjusted models's other columns.

    The test of interaction asks of the same models whether they could share one hazard ratio of face age: a likelihood-ratio test
    of one for all against one for each level, both in one model in which each level has a baseline hazard and coefficients of the
    covariates of its own. (Were these common, age could take up what differs in face age, since the two are alike.) Levels of
    fewer than 5 deaths are left out of it.

    Returns
    -------
    DataFrame, result rows, question "sites"
        ``by``, ``subgroup``, ``step``; q-values (Benjamini and Hochberg) over the levels of a step. One row of the interaction a step.

    Raises
    ------
    CohortError
        The table has no such column.
    """
    others = [name for name in choices.steps if name not in (by, AGE)]
    steps = [(UNADJUSTED, []), ("+ age", [AGE])]
    steps += [("+ age, " + ", ".join(others), [AGE, *others])] if others else []
    build_design(usable.head(0), [by])  # a column that is not there is told
    known = usable[usable[by].notna()]
    levels = ordered_levels(known, by, choices)
    rows: list[dict] = []
    for step, held in steps:
        base = adjusted_for(held, choices) | {
            "term": FACE_AGE, "exposure": FACE_AGE, "step": step, "n": len(known), "n_events": int(known[EVENT].sum()),
            "model": "face age" + "".join(f" + {WORDS.get(name, name)}" for name in held),
        }  # fmt: skip
        if len(levels) < 2:
            why = reason("constant" if levels else "no_value_of", column=by)
            rows.append(base | {"measure": INTERACTION, "reason": why})
            continue
        found = []
        for level in levels:
            part = known[known[by].astype(str) == level]
            about = {"step": step, "subgroup": level, "model": base["model"]}
            found += [
                row
                for row in model_rows(part, [FACE_AGE, *held], choices, **about)
                if row["term"] == FACE_AGE
            ]
        q_values = benjamini_hochberg(np.array([row.get("p_value", np.nan) for row in found]))
        rows += [
            row | {"q_value": q, "family": "levels within a model"}
            for row, q in zip(found, q_values, strict=True)
        ]
        rows.append(base | _interaction(known, by, levels, held, choices))
    head = of_question(cohort, "sites") | {"by": by}
    return result_rows([head | row for row in rows], "survival/sites")


def ordered_levels(known: pd.DataFrame, by: str, choices: Choices) -> list[str]:
    """The declared order, or the largest first."""
    sizes = known[by].astype(str).value_counts(sort=True)
    declared = [level for level in choices.levels.get(by, ()) if level in sizes.index]
    return [*declared, *(level for level in sizes.index if level not in declared)]


def _interaction(known: pd.DataFrame, by: str, levels: list[str], held: list[str], choices: Choices) -> dict:
    labels = known[by].astype(str)
    deaths = known[EVENT].groupby(labels).sum()
    used = [level for level in levels if deaths[level] >= FEWEST_EVENTS]
    left_out = [level for level in levels if level not in used]
    try:
        if len(used) < 2:
            raise FitError("few_levels", needed=FEWEST_EVENTS)
        people = known[labels.isin(used)]
        within = Choices(
            choices.per_years, choices.steps, choices.covariates, choices.groups,
            list(dict.fromkeys([by, *choices.strata])), None, False,
        )  # fmt: skip
        frame = model_frame(people, [FACE_AGE, *held], within)
        own = frame.people[by].astype(str)
        covariates = by_level(frame.design.drop(columns=FACE_AGE), own)
        smaller = frame.fit(frame.design[[FACE_AGE]].join(covariates))
        larger = frame.fit(by_level(frame.design[[FACE_AGE]], own).join(covariates))
        test = tested(INTERACTION, likelihood_ratio_test(smaller, larger))
    except FitError as error:
        return {"measure": INTERACTION, "reason": error.reason}
    reasons = [reason("without_levels", levels=left_out, needed=FEWEST_EVENTS)] if left_out else []
    return test | {
        "n": len(frame.people), "n_events": int(frame.people[EVENT].sum()),
        "reason": [*reasons, *larger.reasons, *frame.reasons],
    }  # fmt: skip


def by_level(design: pd.DataFrame, level: pd.Series) -> pd.DataFrame:
    """Each column once per level, 0 in all others; not where it is the same for all participants of the level."""
    return pd.DataFrame(
        {
            f"{name} in {one}": design[name] * (level == one)
            for name in design
            for one in dict.fromkeys(level)
            if design.loc[level == one, name].nunique() > 1
        },
        index=design.index,
    )


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
            few = row["n_events"] < EVENTS_OF_SUBGROUP
            found = numbers(fit.terms.loc[f"{AGE_ACCELERATION} in {level}"])
            sparse = reason("sparse_subgroup", needed=EVENTS_OF_SUBGROUP) if few else None
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


# One Cox model of the participants of all cohorts, alongside the meta-analysis of the cohorts' own models.


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
