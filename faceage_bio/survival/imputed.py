"""The full model with missing covariates filled in, beside the people who have them all."""

import numpy as np
import pandas as pd

from faceage_bio.columns import AGE, COHORT, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.errors import FitError
from faceage_bio.observation import entry_of
from faceage_bio.stats.cumulative_hazard import nelson_aalen
from faceage_bio.stats.imputation import impute, pool
from faceage_bio.survival.models import (
    Choices,
    counts,
    model_frame,
    model_rows,
    name_of,
    not_estimated,
    unit_of,
)  # fmt: skip
from faceage_bio.tables import result_rows

COMPLETE, IMPUTED = "complete cases", "multiple imputation"
HAZARD = "cumulative_hazard"


def impute_full_model(
    usable: pd.DataFrame, choices: Choices, cohort: str, *, m: int, iterations: int, seed: int
) -> pd.DataFrame:
    """The last model of the ladder twice: complete cases, and multiple imputation pooled by Rubin's rules.

    Covariates (and columns of strata) are imputed from each other, both ages, the event and the Nelson-Aalen estimate of the
    cumulative hazard at the end of observation (White and Royston 2009, doi:10.1002/sim.3618). Degrees of freedom of a
    complete table: deaths minus terms (Barnard and Rubin 1999, as ``mice::pool``).

    Returns
    -------
    DataFrame, result rows, analysis "missing covariates"
        ``missing``: "complete cases" or "multiple imputation"; ``n_gaps``: people whose gaps were filled;
        ``missing_information``: share of it that gaps took.
    """
    columns = [FACE_AGE, AGE, *choices.full]
    rows = [row | {"missing": COMPLETE} for row in model_rows(usable, columns, choices)]
    base = {
        "missing": IMPUTED, "model": name_of(columns), "measure": "hazard ratio", "n": len(usable),
        "n_events": int(usable[EVENT].sum()), "adjustment": rows[0]["adjustment"],
    }  # fmt: skip
    try:
        rows += [base | row for row in _pooled(usable, columns, choices, m, iterations, seed)]
    except FitError as error:
        about = {
            "term": FACE_AGE,
            "per": unit_of(FACE_AGE, choices.per_years)[1],
            "note": not_estimated(error),
        }
        rows.append(base | about)
    table = pd.DataFrame(rows).assign(**{COHORT: cohort, "analysis": "missing covariates"})
    for column in ("n_gaps", "missing_information"):
        if column not in table:
            table[column] = np.nan
    return result_rows(table)


def _pooled(
    usable: pd.DataFrame, columns: list[str], choices: Choices, m: int, iterations: int, seed: int
) -> list[dict]:
    gappy = [
        name for name in dict.fromkeys([*columns, *choices.strata])
        if name in usable and name not in (FACE_AGE, AGE) and usable[name].notna().any()
    ]  # fmt: skip
    missing = int(usable[gappy].isna().any(axis=1).sum())
    if not missing:
        raise FitError("nobody lacks a covariate; the complete cases are everybody")
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
        raise FitError("a group is empty in one of the completed tables")
    notes = [fits[0].note]
    base = counts(frame) | {
        "n_gaps": missing,        "method": f"Cox, Efron ties, Rubin pooling of {m}", "note": "; ".join(note for note in notes if note),
    }  # fmt: skip
    rows = []
    for term in terms:
        found = pool(
            [fit.terms.loc[term, "log_hazard_ratio"] for fit in fits],
            [fit.terms.loc[term, "standard_error"] for fit in fits],
            df_complete=max(1, fits[0].n_events - len(terms)),
        )
        rows.append(base | {
            "term": term, "per": unit_of(term, choices.per_years)[1], "estimate": np.exp(found.estimate),
            "ci_lower": np.exp(found.ci_lower), "ci_upper": np.exp(found.ci_upper), "p_value": found.p_value,
            "missing_information": found.missing_information,
        })  # fmt: skip
    return rows
