"""Summary of a cohort's face ages: photos, uncertainty, and the error of reduced precision."""

import pandas as pd

from faceage_bio.core.columns import COHORT, FACE_AGE_SD, MODEL_ID, PRECISION_ERROR
from faceage_bio.core.results.row import each_once, result_rows


def summarise_face_ages(face_ages: pd.DataFrame) -> pd.DataFrame:
    """Result rows, question "face_age": photos by status (``level``), uncertainty, and the error of bfloat16.

    Parameters
    ----------
    face_ages : DataFrame, one row per photo of one cohort, ``columns.FACE_AGE_COLUMNS``
    """
    n = len(face_ages)
    rows = [
        _row("photos", "photos", int((face_ages["status"] == status).sum()), n) | {"level": status}
        for status in ("ok", "flagged", "excluded")
    ]
    spread = face_ages[FACE_AGE_SD].dropna()
    if len(spread):
        rows += [
            _row("standard deviation of a face age", name, value, len(spread)) | {"unit": "years"}
            for name, value in (("median", spread.median()), ("95th percentile", spread.quantile(0.95)))
        ]
    if PRECISION_ERROR in face_ages:
        error = face_ages[PRECISION_ERROR].dropna().abs()
        if len(error):
            rows += [
                _row("bfloat16 against float32", f"{name} absolute difference", value, len(error))
                for name, value in (("mean", error.mean()), ("largest", error.max()))
            ]
    shared = {
        COHORT: str(face_ages[COHORT].iloc[0]) if n else "", "question": "face_age", "outcome": "face age",
        "model_id": model_of(face_ages),
    }  # fmt: skip
    return result_rows([shared | row for row in rows], "faceage/summary")


def model_of(face_ages: pd.DataFrame) -> str:
    """What gave a table's face ages: the SHA-256 of the weights, or the declared name of given ones; of several all."""
    return each_once(face_ages[MODEL_ID]) if MODEL_ID in face_ages else ""


def _row(term: str, measure: str, estimate: float, n: int) -> dict:
    return {"term": term, "measure": measure, "estimate": estimate, "n": n}
