"""The test of the headline hazard ratio on permuted face ages: times, events and chronological age are those of the study."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    ModelFrame,
    adjusted_for,
    counts,
    model_frame,
    model_rows,
    name_of,
    of_question,
    unit_of,
)  # fmt: skip
from faceage_bio.core.columns import AGE, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.cox_batch import fit_cox_per_column
from faceage_bio.stats.resampling import inflation, permuted_exposures, type_one_error

BATCHES = 20  # of permutations, between which the Monte Carlo error is seen
CELLS = 5_000_000  # of permuted exposures in memory at a time


def permuted_hazards(
    usable: pd.DataFrame, choices: Choices, cohort: str, n_permutations: int, seed: int
) -> pd.DataFrame:
    """Type I error at 0.05 and inflation of Wald's test of face age adjusted for age, and its permutation p-value.

    The residuals of face age on age (and strata) are permuted and added to its fitted values, so that it keeps its relation to age.

    Returns
    -------
    DataFrame, result rows (survival/type_one_error)
        Two of calibration, with Monte Carlo standard errors, and the hazard ratio with ``p_value`` (Wald) and ``permutation_p_value``.
    """
    columns = [FACE_AGE, AGE]
    base = of_question(cohort, "cox") | adjusted_for(columns[1:], choices) | {
        "exposure": FACE_AGE, "term": FACE_AGE, "per": unit_of(FACE_AGE, choices.per_years)[1], "model": name_of(columns),
        "n": len(usable), "n_events": int(usable[EVENT].sum()), "permutations": n_permutations,
    }  # fmt: skip
    headline = model_rows(usable, columns, choices)[0]
    if "p_value" not in headline:
        row = base | {"measure": "type I error", "reason": headline["reason"]}
        return result_rows([row], "survival/type_one_error")
    try:
        frame = model_frame(usable, columns, choices)
        base |= {key: value for key, value in counts(frame).items() if key != "events_per_term"}
        if frame.cluster is not None:
            raise FitError("clusters_not_permuted")
        if frame.columns != columns:
            raise FitError("constant", column=AGE)
        p_values = permuted_p_values(frame, n_permutations, seed)
    except FitError as error:
        row = base | {"measure": "type I error", "reason": error.reason}
        return result_rows([row], "survival/type_one_error")
    batches = p_values[: len(p_values) // BATCHES * BATCHES].reshape(BATCHES, -1)
    rows = [
        base | {"measure": measure, **vars(summary(batches))}
        for measure, summary in (("type I error", type_one_error), ("inflation factor", inflation))
    ]
    numbers = ("measure", "estimate", "ci_lower", "ci_upper", "standard_error", "statistic", "p_value")
    exceeded = (p_values <= headline["p_value"] * (1 + 1e-9)).sum()
    permuted = {"permutation_p_value": (exceeded + 1) / (len(p_values) + 1)}
    rows.append(base | {key: headline[key] for key in numbers} | permuted)
    lost = n_permutations - len(p_values)
    why = [reason("permutations_lost", lost=lost)] if lost else []
    return result_rows([row | {"reason": why} for row in rows], "survival/type_one_error")


def permuted_p_values(frame: ModelFrame, n_permutations: int, seed: int) -> np.ndarray:
    """Wald p of face age in the model with each permuted face age; without those that could not be fitted.

    Raises
    ------
    FitError
        Fewer than `BATCHES` permutations could be fitted, or what `fit_cox_per_column` refuses.
    """
    covariates = frame.design.drop(columns=FACE_AGE)
    given = [np.ones(len(covariates)), covariates.to_numpy()]
    if frame.strata is not None:
        given.append(pd.get_dummies(frame.strata, drop_first=True, dtype=float).to_numpy())
    drawn = permuted_exposures(
        frame.design[FACE_AGE].to_numpy(), np.column_stack(given), n_permutations, seed
    )
    found = []
    for block in _blocks(drawn, max(BATCHES, CELLS // len(covariates))):
        exposures = pd.DataFrame(np.column_stack(block), index=covariates.index)
        fitted = fit_cox_per_column(
            frame.people[FOLLOWUP], frame.people[EVENT], exposures, covariates, frame.entry, strata=frame.strata
        )  # fmt: skip
        found.append(fitted["p_value"].to_numpy())
    p_values = np.concatenate(found)
    p_values = p_values[np.isfinite(p_values)]
    if len(p_values) < BATCHES:
        raise FitError("few_permutations", permutations=len(p_values), needed=BATCHES)
    return p_values


def _blocks(values: Iterator[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    while block := list(islice(values, size)):
        yield block
