"""A cohort's photos: status by group, image measures, face ages with their uncertainty, and speed of computation.

The numbers are exact, so these tables are their owner's; the page on photo quality leaves small ones out.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.core.columns import COHORT, FACE_AGE_SD, MODEL_ID, PRECISION_ERROR, SUBJECT
from faceage_bio.core.results.row import columns_of, each_once, result_rows

# Summary of a cohort's face ages: photos, uncertainty, and the error of reduced precision.


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


ALL = "all"
NOT_KNOWN = "not known"
SKIN_TYPE = "skin_type"  # photos are counted by it wherever the clinical table has it
# measure: edges of its bins; the thresholds of the rules as delivered are among them
EDGES = {
    "photo_short_side": [0, 160, 320, 640, 1000, 2000, 4000, np.inf],
    "face_short_side": [0, 60, 80, 112, 160, 240, 320, 480, 640, np.inf],
    "face_share": [0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, np.inf],
    "outside_share": [0, 0.01, 0.05, 0.1, 0.2, np.inf],
    "probability": [0, 0.9, 0.95, 0.99, 0.995, 0.999, np.inf],
    "sharpness": [0, 25, 50, 100, 200, 400, 800, 1500, np.inf],
    "brightness": [0, 45, 75, 105, 135, 165, 195, 215, np.inf],
    "contrast": [0, 15, 25, 35, 45, 55, 65, np.inf],
    "abs_yaw": [0, 5, 10, 20, 35, 50, np.inf],
    "abs_roll": [0, 5, 10, 20, 30, 45, np.inf],
}


def count_photos(face_ages: pd.DataFrame, people: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Photos by status and reason: result rows, question "photos", of all participants and of each group.

    Parameters
    ----------
    face_ages : DataFrame of one cohort, ``columns.FACE_AGE_COLUMNS``
    people : DataFrame
        subject_id and the columns of ``by``, which a table may lack; groups of a categorical column keep its order.

    Returns
    -------
    DataFrame
        Further columns factor ("all" first), group, photo_status ("ok", "flagged", "excluded"), photo_reason (the first that caught
        the photo); ``estimate`` photos of the ``n`` of the group. A measure "duplicate photos" stands once.
    """
    known = people.drop_duplicates(SUBJECT).set_index(SUBJECT)
    groups = {ALL: ""}
    for name in by:
        if name in known:
            levels = known[name].reindex(face_ages[SUBJECT]).set_axis(face_ages.index)
            order = (
                list(levels.cat.categories)
                if levels.dtype == "category"
                else sorted(levels.dropna().astype(str).unique())
            )
            groups[name] = pd.Categorical(
                levels.astype(object).where(levels.notna(), NOT_KNOWN).astype(str), [*order, NOT_KNOWN]
            )
    rows = []
    for factor, group in groups.items():
        counted = face_ages.assign(group=group).groupby(["group", "status", "reason"], observed=True).size()
        sizes = counted.groupby("group", observed=True).sum()
        rows += [
            {
                "term": "photos", "measure": "photos", "factor": factor, "group": level, "photo_status": status, "photo_reason": reason,
                "estimate": n, "n": sizes[level],
            }
            for (level, status, reason), n in counted.items()
        ]  # fmt: skip
    again = int(face_ages["flags"].str.contains("same_photo").sum())
    rows.append(
        {"term": "photos", "measure": "duplicate photos", "factor": ALL, "group": "", "estimate": again, "n": len(face_ages)}
    )  # fmt: skip
    shared = {
        COHORT: _cohort(face_ages), "question": "photos", "model_id": model_of(face_ages),
    }  # fmt: skip
    return result_rows([shared | row for row in rows], "faceage/photo_counts")


def bin_measures(face_ages: pd.DataFrame) -> pd.DataFrame:
    """How the photos with a face measure: cohort, measure, lower, upper, n; bins that hold nothing are there too.

    ``upper`` of the last bin is empty: it has no end.
    """
    measures = face_ages.assign(
        photo_short_side=face_ages[["width", "height"]].min(axis=1), abs_yaw=face_ages["yaw"].abs(), abs_roll=face_ages["roll"].abs()
    )  # fmt: skip
    rows = []
    for name, edges in EDGES.items():
        values = measures[name].astype("float64").dropna()
        counts = np.histogram(values, bins=edges)[0]
        rows += [
            {"measure": name, "lower": low, "upper": high if np.isfinite(high) else np.nan, "n": int(n)}
            for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
    return pd.DataFrame(rows).assign(**{COHORT: _cohort(face_ages)})[columns_of("faceage/photo_measures")]


def summarise_speed(runs: Sequence[dict], cohort: str) -> pd.DataFrame:
    """How fast the photos of a cohort were computed, by device: cohort, device, workers, photos, seconds.

    Parameters
    ----------
    runs : list of dict
        Written by ``predict-face-age``, one per shard: device, workers, photos, seconds (None where part of the work was an
        earlier run's).
    """
    table = pd.DataFrame(runs, columns=["device", "workers", "photos", "seconds"]).dropna(subset=["seconds"])
    told = table.groupby(["device", "workers"], as_index=False)[["photos", "seconds"]].sum()
    return told.assign(**{COHORT: cohort})[[COHORT, "device", "workers", "photos", "seconds"]]


def _cohort(face_ages: pd.DataFrame) -> str:
    return str(face_ages[COHORT].iloc[0]) if len(face_ages) else ""
