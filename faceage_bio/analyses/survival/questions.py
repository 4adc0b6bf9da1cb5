"""The questions that two models of the same participants answer: what face age tells beyond what is known without it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    WORDS,
    Choices,
    ModelFrame,
    adjusted_for,
    model_frame,
    name_of,
)
from faceage_bio.analyses.survival.predictions import (
    FEWEST,
    Outcome,
    Predictions,
    fit_all,
    outcome_of,
    predict,
)
from faceage_bio.core.columns import AGE, EVENT, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.stats.cox_fit import CoxFit, likelihood_ratio_test

AGES = "face age against age"


@dataclass(frozen=True, eq=False)
class Asked:
    """Two models fitted to identical rows, the second with face age.

    ``names``, ``designs``, ``fits``: of either model; ``tests``: (words, (chi-square, degrees of freedom, p-value));
    ``predictions``: at ``times``; ``held``: what both models are adjusted for, as fields of a result row.
    """

    question: str
    frame: ModelFrame
    names: list[str]
    designs: list[pd.DataFrame]
    fits: list[CoxFit]
    tests: list[tuple[str, tuple[float, int, float]]]
    outcome: Outcome
    times: list[float]
    predictions: Predictions
    held: dict


def questions(usable: pd.DataFrame, choices: Choices) -> list[tuple[str, list[str]]]:
    """What is known without face age, by the question's name; in the last, face age takes the place of age."""
    known = [AGE, "sex"] if "sex" in usable and "sex" not in choices.strata else [AGE]
    asked = [(f"beyond {' and '.join(WORDS.get(name, name) for name in known)}", known)]
    clinical = list(dict.fromkeys([*known, *(name for name in choices.full if name not in choices.strata)]))
    if len(clinical) > len(known):
        asked.append(("beyond age and the clinical covariates", clinical))
    return [*asked, (AGES, [AGE])]


def ask(
    usable: pd.DataFrame, choices: Choices, question: str, known: list[str], times: Sequence[float]
) -> Asked:
    """Fit both models to the participants who have everything that either needs.

    Raises
    ------
    FitError
        Too few deaths, or a model that cannot be fitted.
    """
    frame = model_frame(usable, [FACE_AGE, *known], choices)
    if frame.people[EVENT].sum() < FEWEST:
        raise FitError("fewer_events", needed=FEWEST)
    if AGE not in frame.design:
        raise FitError("constant", column=AGE)
    held = [name for name in frame.columns if name != FACE_AGE]
    both, outcome = frame.design, outcome_of(frame)
    if question == AGES:
        designs, names = [both[[AGE]], both[[FACE_AGE]]], [WORDS[AGE], WORDS[FACE_AGE]]
    else:
        designs, names = [both.drop(columns=FACE_AGE), both], [name_of(held), name_of([*held, FACE_AGE])]
    designs = [design.reset_index(drop=True) for design in designs]
    fits = fit_all(designs, outcome)
    return Asked(
        question, frame, names, designs, fits, _tests(question, fits, both, outcome), outcome, list(times),
        predict(fits, designs, times, outcome), _held([] if question == AGES else held, choices),
    )  # fmt: skip


def _held(columns: list[str], choices: Choices) -> dict:
    minimal = {"adjustment": "minimal"} if set(columns) == {AGE, "sex"} else {}
    return adjusted_for(columns, choices) | minimal


def _tests(
    question: str, fits: list[CoxFit], both: pd.DataFrame, outcome: Outcome
) -> list[tuple[str, tuple[float, int, float]]]:
    if question != AGES:
        return [("face age added", likelihood_ratio_test(*fits))]
    whole = fit_all([both.reset_index(drop=True)], outcome)[0]
    return [
        ("face age added to age", likelihood_ratio_test(fits[0], whole)),
        ("age added to face age", likelihood_ratio_test(fits[1], whole)),
    ]
