"""The full model with missing covariates filled in, beside the participants who have them all."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
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
from faceage_bio.core.results.row import result_rows
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.cox_fit import nelson_aalen
from faceage_bio.stats.imputation import impute, pool

COMPLETE, IMPUTED = "complete cases", "multiple imputation"
HAZARD = "cumulative_hazard"


def impute_full_model(
    usable: pd.DataFrame, choices: Choices, cohort: str, *, m: int, iterations: int, seed: int
) -> pd.DataFrame:
    """The last model of the sequentially adjusted models twice: complete cases, and multiple imputation pooled by Rubin's rules.

    Covariates (and columns of strata) are imputed from each other, both ages, the event and the Nelson-Aalen estimate of the
    cumulative hazard at the end of observation (White and Royston 2009, doi:10.1002/sim.3618). Degrees of freedom of a
    complete table: deaths minus terms (Barnard and Rubin 1999, as ``mice::pool``).

    Returns
    -------
    DataFrame, result rows, question "missing covariates"
        ``missing``: "complete cases" or "multiple imputation"; ``n_gaps``: participants whose gaps were filled;
        ``missing_information``: share of it that gaps took.
    """
    columns = [FACE_AGE, AGE, *choices.full]
    rows = [row | {"missing": COMPLETE} for row in model_rows(usable, columns, choices)]
    base = adjusted_for(columns[1:], choices) | {
        "missing": IMPUTED, "exposure": FACE_AGE, "model": name_of(columns), "measure": "hazard ratio", "n": len(usable),
        "n_events": int(usable[EVENT].sum()),
    }  # fmt: skip
    try:
        rows += [base | row for row in _pooled(usable, columns, choices, m, iterations, seed)]
    except FitError as error:
        per = unit_of(FACE_AGE, choices.per_years)[1]
        rows.append(base | {"term": FACE_AGE, "per": per, "reason": error.reason})
    head = of_question(cohort, "missing covariates")
    return result_rows([head | row for row in rows], "survival/imputed")


def _pooled(
    usable: pd.DataFrame, columns: list[str], choices: Choices, m: int, iterations: int, seed: int
) -> list[dict]:
    gappy = [
        name for name in dict.fromkeys([*columns, *choices.strata])
        if name in usable and name not in (FACE_AGE, AGE) and usable[name].notna().any()
    ]  # fmt: skip
    missing = int(usable[gappy].isna().any(axis=1).sum())
    if not missing:
        raise FitError("no_missing")
    known = usable[[FACE_AGE, AGE, *gappy]].copy()
    for name in gappy:
        if not pd.api.types.is_numeric_dtype(known[name]):
            known[name] = known[name].astype(object).where(known[name].notna(), None)
    known[EVENT] = usable[EVENT]
    known[HAZARD] = nelson_aalen(usable[FOLLOWUP], usable[EVENT], entry_of(usable))
    fits = []
    for filled in impute(known, m, iterations, seed):
        frame = model_frame(usable.assign(**{name: filled[name] for name in gappy}), columns, choices)
        fits.append(frame.fit())
    terms = list(fits[0].terms.index)
    if any(list(fit.terms.index) != terms for fit in fits):
        raise FitError("empty_level_imputed")
    base = counts(frame) | {
        "n_gaps": missing,
        "method": f"Cox, Efron ties, Rubin pooling of {m}",
        "reason": fits[0].reasons,
    }
    rows = []
    for term in terms:
        found = pool(
            [fit.terms.loc[term, "log_hazard_ratio"] for fit in fits],
            [fit.terms.loc[term, "standard_error"] for fit in fits],
            df_complete=max(1, fits[0].n_events - len(terms)),
        )
        rows.append(base | frame.contrast(term) | {
            "term": term, "per": unit_of(term, choices.per_years)[1], "estimate": np.exp(found.estimate),
            "ci_lower": np.exp(found.ci_lower), "ci_upper": np.exp(found.ci_upper), "p_value": found.p_value,
            "missing_information": found.missing_information,
        })  # fmt: skip
    return rows
