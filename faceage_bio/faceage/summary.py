"""What can be said of a cohort's face ages as a whole: how many, how uncertain, how far off where precision was given up."""

import pandas as pd

from faceage_bio.columns import COHORT, FACE_AGE, FACE_AGE_SD, PRECISION_ERROR
from faceage_bio.tables import result_rows


def summarise_face_ages(face_ages: pd.DataFrame) -> pd.DataFrame:
    """Result rows, analysis "face_age": photos by what became of them, uncertainty, and the error of bfloat16.

    Parameters
    ----------
    face_ages : DataFrame, one row per photo of one cohort, ``columns.FACE_AGE_COLUMNS``
    """
    n = len(face_ages)
    rows = [
        _row("photos", status, int((face_ages["status"] == status).sum()), n)
        for status in ("ok", "flagged", "excluded")
    ]
    spread = face_ages[FACE_AGE_SD].dropna()
    if len(spread):
        rows += [
            _row("uncertainty of a face age", f"{name} standard deviation, years", value, len(spread))
            for name, value in (("median", spread.median()), ("95th percentile", spread.quantile(0.95)))
        ]
    if PRECISION_ERROR in face_ages:
        error = face_ages[PRECISION_ERROR].dropna().abs()
        if len(error):
            rows += [
                _row("bfloat16 against float32", f"{name} difference, years", value, len(error))
                for name, value in (("mean", error.mean()), ("largest", error.max()))
            ]
    cohort = str(face_ages[COHORT].iloc[0]) if n else ""
    return result_rows(
        pd.DataFrame(rows).assign(**{COHORT: cohort, "analysis": "face_age", "model": FACE_AGE})
    )


def _row(term: str, measure: str, estimate: float, n: int) -> dict:
    return {"term": term, "measure": measure, "estimate": estimate, "n": n}
