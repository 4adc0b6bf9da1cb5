"""Does looking older predict death? A ladder of Cox models, from face age alone to all covariates."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.columns import (
    AGE,
    AGE_ACCELERATION,
    COHORT,
    ENTRY,
    EVENT,
    FACE_AGE,
    FOLLOWUP,
    LEVELS,
    SUBJECT,
    UNITS,
)  # fmt: skip
from faceage_bio.errors import FitError
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.design import build_design
from faceage_bio.tables import ledger_rows, result_rows

IN_YEARS = (FACE_AGE, AGE, AGE_ACCELERATION)
METHOD = "Cox, Efron ties, Wald interval"


def prepare(table: pd.DataFrame, horizon_years: float | None = None) -> tuple[pd.DataFrame, pd.Series]:
    """Subjects with usable follow-up, and for the others the reason why not.

    Parameters
    ----------
    table : DataFrame
        The cohort's analysis table.
    horizon_years : float, optional
        Everybody still followed then is censored then: time and event are cut, so that risk tables hold too.

    Returns
    -------
    DataFrame of the usable rows, Series of str with the reasons of the others, by the table's index
    """
    reason = pd.Series("", index=table.index)
    ended = table.get("ended_before_photo", pd.Series(False, index=table.index)).fillna(False).astype(bool)
    reason[table[AGE_ACCELERATION].isna()] = "no_acceleration"
    reason[table[FOLLOWUP].isna() | table[EVENT].isna()] = "no_follow_up"
    reason[(reason == "") & (ended | (table[FOLLOWUP] <= 0))] = "followed_not_beyond_the_photo"
    usable = table[reason == ""].copy()
    if horizon_years is not None:
        later = usable[FOLLOWUP] > horizon_years
        usable.loc[later, EVENT] = 0.0
        usable.loc[later, FOLLOWUP] = horizon_years
        too_late = usable[ENTRY].notna() & (usable[ENTRY] >= usable[FOLLOWUP])
        reason[usable.index[too_late]] = "entered_after_the_horizon"
        usable = usable[~too_late]
    return usable, reason[reason != ""]


def cox_ladder(
    usable: pd.DataFrame, covariates: Sequence[str], per_years: float, cohort: str
) -> pd.DataFrame:
    """Hazard ratios of every model on the ladder.

    In a model with chronological age, face age, age gap and age acceleration have the same coefficient, since they
    differ by a multiple of age; both forms are printed so that nobody has to believe it.

    Returns
    -------
    DataFrame, result rows, analysis "cox"
        A model that cannot be fitted keeps a row with the reason.
    """
    covariates = [name for name in covariates if name not in IN_YEARS]
    adjusted = [name for name in ("sex",) if name in covariates]
    models = [("univariable", [name]) for name in (*IN_YEARS, *covariates)]
    models += [("face age + age", [FACE_AGE, AGE]), ("age acceleration + age", [AGE_ACCELERATION, AGE])]
    if adjusted and len(covariates) > 1:
        models.append(("face age + age + sex", [FACE_AGE, AGE, *adjusted]))
    if covariates:
        models.append((full_model(covariates), [FACE_AGE, AGE, *covariates]))
    rows = [row for name, columns in models for row in _fit(usable, name, columns, per_years)]
    return result_rows(pd.DataFrame(rows).assign(**{COHORT: cohort, "analysis": "cox"}))


def full_model(covariates: Sequence[str]) -> str:
    """Name of the model with all covariates."""
    return " + ".join(["face age", "age", *covariates])


def _fit(usable: pd.DataFrame, name: str, columns: list[str], per_years: float) -> list[dict]:
    design = build_design(usable, columns, LEVELS)
    rows = usable.loc[usable.index.difference(design.missing.index, sort=False)]
    matrix = design.matrix.reindex(rows.index)
    words = {FACE_AGE: "face age", AGE: "age", AGE_ACCELERATION: "age acceleration"}
    adjustment = ", ".join(words.get(column, column) for column in columns[1:]) or "none"
    base = {
        "measure": "hazard ratio",
        "model": name,
        "method": METHOD,
        "adjustment": adjustment,
        "n": len(rows),
        "n_events": int(rows[EVENT].sum()),
    }
    unit = {**UNITS, **dict.fromkeys(IN_YEARS, (per_years, f"{per_years:g} years"))}
    for column in matrix:
        matrix[column] = matrix[column] / unit.get(column, (1.0, ""))[0]
    missing = len(design.missing)
    dropped = f"without {', '.join(design.constant)}, which does not vary" if design.constant else ""
    try:
        if not len(rows):
            raise FitError("nobody has follow-up and all covariates")
        if columns[0] in design.constant or matrix.shape[1] == 0:
            raise FitError(f"{columns[0]} does not vary")
        entry = rows[ENTRY].fillna(0.0) if rows[ENTRY].notna().any() else None
        fit = fit_cox(rows[FOLLOWUP], rows[EVENT], matrix, entry)
    except FitError as error:
        return [
            base
            | {
                "term": columns[0],
                "per": unit.get(columns[0], (1.0, ""))[1],
                "note": f"not estimated, because {error}",
            }
        ]
    notes = [fit.note, dropped, "complete cases only" if missing else ""]
    shared = base | {
        "note": "; ".join(note for note in notes if note),
        "concordance": fit.concordance,
        "log_likelihood": fit.log_likelihood,
    }
    return [
        shared | {
            "term": term, "per": unit.get(term, (1.0, "1 unit" if ": " not in term else ""))[1], "estimate": row.hazard_ratio,
            "ci_lower": row.ci_lower, "ci_upper": row.ci_upper, "p_value": row.p_value,
        }
        for term, row in fit.terms.iterrows()
    ]  # fmt: skip


def survival_ledger(
    table: pd.DataFrame, usable: pd.DataFrame, reasons: pd.Series, covariates: Sequence[str]
) -> pd.DataFrame:
    """One row per subject: in the full model, or why not."""
    names = [name for name in covariates if name not in IN_YEARS]
    missing = build_design(usable, names, LEVELS).missing if names else pd.Series(dtype=str)
    why = pd.Series("", index=table.index)
    why[reasons.index] = reasons
    why[missing.index] = "missing_" + missing
    rows = table[[COHORT, SUBJECT]].assign(
        stage="survival", status=np.where(why == "", "included", "excluded"), reason=why
    )
    return ledger_rows(rows)
