"""Does face age tell anything that is not known without it? Models with and without it, on identical rows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import Choices, counts, of_question
from faceage_bio.analyses.survival.predictions import (
    AUC,
    BRIER,
    DIFFERENCES,
    HARRELL,
    INTEGRATED,
    SCALED,
    UNO,
    Asked,
    ask,
    calibration_rows,
    decision_rows,
    estimate_optimism,
    evaluable_times,
    measure,
    questions,
)
from faceage_bio.core.columns import AGES_COMPARED, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import counted, result_rows, tested
from faceage_bio.core.settings.settings_survival import AddedValue as Settings
from faceage_bio.stats.linear import Estimate
from faceage_bio.stats.prediction_accuracy import Measured

LIKELIHOOD = "likelihood-ratio chi-square"
METHODS = {
    HARRELL: "Harrell's C, infinitesimal jackknife",
    UNO: "Uno's C up to the last time, infinitesimal jackknife",
    AUC: "cumulative/dynamic AUC, weighted by the inverse probability of being uncensored",
    BRIER: "weighted by the inverse probability of being uncensored",
    SCALED: "1 less the Brier score over that of the Kaplan-Meier risk",
    INTEGRATED: "mean over time from 0 up to the last time, trapezium rule on 20 times",
}


@dataclass(frozen=True)
class AddedValue:
    """``rows``: measures of each model and of their differences; ``calibration``; ``decisions``: net benefit."""

    rows: pd.DataFrame
    calibration: pd.DataFrame
    decisions: pd.DataFrame


def added_value(
    usable: pd.DataFrame,
    choices: Choices,
    cohort: str,
    settings: Settings,
    done: Callable[[int], None] = lambda n: None,
) -> AddedValue:
    """Models with and without face age, and face age against age, each question on the complete rows of its
    models.

    The test of a nested pair is the likelihood ratio's. The intervals of differences are those of paired
    scores; where one model holds the other they are rather too wide, since a term that tells nothing leaves
    the order of the participants as it is (Demler, Pencina and D'Agostino 2012, doi:10.1002/sim.5328).

    Parameters
    ----------
    done : told of each bootstrap sample

    Returns
    -------
    AddedValue
        ``rows``, result rows: comparison, kind ("test", "model" or "difference"), horizon, optimism,
        corrected (apparent less optimism), method. ``calibration``: kind ("in the large", "slope", "group",
        "curve" or "distance"), horizon, group, predicted. ``decisions``: horizon, threshold, n_high. A time
        at which too few died or were followed keeps a row that says so.
    """
    rows, calibration, decisions = [], [], []
    for question, known in questions(usable, choices):
        about = of_question(cohort, "added value") | counted(usable)
        about |= {"exposure": FACE_AGE, "comparison": question}
        try:
            asked = ask(usable, choices, question, known, sorted(set(settings.times_years)))
        except FitError as error:
            untested = {"kind": "test", "term": FACE_AGE, "measure": LIKELIHOOD, "reason": error.reason}
            rows.append(about | untested)
            done(settings.bootstraps)
            continue
        about |= counts(asked.frame)
        flattery, failed = _flattery(asked, settings, done)
        remarks = [*asked.fits[1].reasons, *asked.frame.reasons, *failed]
        of_kinds = {
            "difference": [reason("nested_models")] if question != AGES_COMPARED else [],
            "test": [reason("test_without_clusters")] if asked.frame.cluster is not None else [],
        }
        for part, found in (
            (rows, [*_tests(asked), *_measures(asked, flattery)]),
            (calibration, calibration_rows(asked, flattery, settings.risk_groups)),
            (decisions, decision_rows(asked)),
        ):
            for row in found:
                of_kind = of_kinds.get(row.get("kind"), [])
                own = row.pop("reason", [])
                stands = pd.notna(row.get("estimate", np.nan)) or not own
                part.append(about | row | {"reason": [*own, *remarks, *of_kind] if stands else own})
    tables = {"added_value": rows, "calibration": calibration, "decision_curve": decisions}
    return AddedValue(*(result_rows(part, f"survival/{table}") for table, part in tables.items()))


def _flattery(
    asked: Asked, settings: Settings, done: Callable[[int], None]
) -> tuple[dict[tuple[str, float], np.ndarray], list[Reason]]:
    """Optimism by (measure, time), and what is to be said of it."""
    if not settings.bootstraps:
        return {}, []
    told = evaluable_times(asked.outcome, asked.times)
    try:
        found, samples = estimate_optimism(
            asked.designs, asked.outcome, told, repeats=settings.bootstraps, seed=settings.seed, done=done
        )
    except FitError as error:
        return {}, [reason("no_optimism", **error.reason.parameters)]
    if samples.failed:
        return found, [reason("optimism_without", failed=samples.failed, repeats=samples.repeats)]
    return found, []


def _tests(asked: Asked) -> list[dict]:
    about = asked.held | {"kind": "test", "method": "likelihood ratio of two Cox models"}
    return [about | tested(LIKELIHOOD, test) | {"term": words} for words, test in asked.tests]


def _measures(asked: Asked, flattery: dict[tuple[str, float], np.ndarray]) -> list[dict]:
    """A row of each model and of the second less the first, for every measure and time."""
    rows = []
    first, second = asked.names
    found = measure(asked.predictions, asked.outcome, asked.times, asked.fits, asked.designs)
    flattery = flattery | _of_scaled(found, flattery)
    for (name, time), value in found.items():
        base = asked.held | {"measure": name, "horizon": time, "method": METHODS[name]}
        apart = {"kind": "difference", "term": "difference", "measure": DIFFERENCES[name]}
        if isinstance(value, Reason):
            rows.append(base | apart | {"reason": [value]})
            continue
        excess = flattery.get((name, time), np.full(2, np.nan))
        for place, model in enumerate(asked.names):
            # whether a model is better than chance is not asked
            of_chance = {"kind": "model", "term": model, "model": model, "p_value": np.nan}
            numbers = _numbers(value.of(place), value.error(place), excess[place])
            rows.append(base | numbers | of_chance)
        numbers = _numbers(value.difference(1, 0), value.error_of_difference(1, 0), excess[1] - excess[0])
        rows.append(base | apart | {"model": f"{second} less {first}"} | numbers)
    return rows


def _of_scaled(
    found: dict[tuple[str, float], Measured | Reason], flattery: dict[tuple[str, float], np.ndarray]
) -> dict[tuple[str, float], np.ndarray]:
    """Optimism of the scaled Brier score, which follows from that of the score itself."""
    return {
        (SCALED, time): -flattery[BRIER, time] * (1 - found[SCALED, time].value) / found[BRIER, time].value
        for name, time in flattery
        if name == BRIER
    }


def _numbers(found: Estimate, error: float, excess: float) -> dict:
    same = {name: getattr(found, name) for name in ("estimate", "ci_lower", "ci_upper", "p_value")}
    return same | {"standard_error": error, "optimism": excess, "corrected": found.estimate - excess}
