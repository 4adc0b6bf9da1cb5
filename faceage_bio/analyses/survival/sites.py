"""Is the hazard of an older face the same everywhere? Hazard ratios within each site (or another column), and their test."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    WORDS,
    Choices,
    adjusted_for,
    model_frame,
    model_rows,
    of_question,
)
from faceage_bio.analyses.survival.sequential_models import UNADJUSTED
from faceage_bio.core.columns import AGE, EVENT, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows, tested
from faceage_bio.stats.cox_fit import likelihood_ratio_test
from faceage_bio.stats.design import build_design
from faceage_bio.stats.fewest_events import FEWEST_EVENTS
from faceage_bio.stats.multiplicity import benjamini_hochberg

INTERACTION = "interaction chi-square"


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
