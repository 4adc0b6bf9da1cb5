"""A cohort's photos: status by group and ledger, image measures, face ages with their uncertainty, and speed of computation.

The numbers are exact, so these tables are their owner's; the page on photo quality leaves small ones out.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.core.columns import COHORT, FACE_AGE_SD, MODEL_ID, PHOTO, PRECISION_ERROR, SUBJECT
from faceage_bio.core.results.row import columns_of, each_once, result_rows
from faceage_bio.core.tables import ledger_rows

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


def summarise_face_ages(face_ages: pd.DataFrame) -> pd.DataFrame:
    """Result rows, question "face_age": photos by status (``level``), uncertainty, and the error of bfloat16.

    Parameters
    ----------
    face_ages : DataFrame, one row per photo of one cohort, ``columns.FACE_AGE_COLUMNS``
    """
    photos = {"term": "photos", "measure": "photos", "n": len(face_ages)}
    counts = {status: int((face_ages["status"] == status).sum()) for status in ("ok", "flagged", "excluded")}
    rows = [photos | {"level": status, "estimate": count} for status, count in counts.items()]
    spread = face_ages[FACE_AGE_SD].dropna()
    if len(spread):
        of_spread = {"term": "standard deviation of a face age", "n": len(spread), "unit": "years"}
        found = {"median": spread.median(), "95th percentile": spread.quantile(0.95)}
        rows += [of_spread | {"measure": name, "estimate": value} for name, value in found.items()]
    error = precision_errors(face_ages)
    if len(error):
        of_error = {"term": "bfloat16 against float32", "n": len(error)}
        found = {"mean absolute difference": error.mean(), "largest absolute difference": error.max()}
        rows += [of_error | {"measure": name, "estimate": value} for name, value in found.items()]
    shared = {"question": "face_age", "outcome": "face age"} | _of_cohort(face_ages)
    return result_rows([shared | row for row in rows], "faceage/summary")


def precision_errors(face_ages: pd.DataFrame) -> pd.Series:
    """By how many years bfloat16 moved the age of each photo that was aged in float32 too."""
    errors = face_ages.get(PRECISION_ERROR, pd.Series(dtype="float64"))
    return errors.dropna().abs()


def precision_sentence(face_ages: pd.DataFrame) -> str:
    """How far a short precision moved the face ages of a run."""
    errors = precision_errors(face_ages)
    if errors.empty:
        return "bfloat16: no photo of this shard was aged in float32 too, so its error is not known here."
    return (
        f"bfloat16 instead of float32 moved the face age by up to {errors.max():.2f} years "
        f"({errors.mean():.2f} on average), measured on {len(errors)} of these photos."
    )


def model_of(face_ages: pd.DataFrame) -> str:
    """What gave a table's face ages: the SHA-256 of the weights, or the declared name of given ones; of several all."""
    return each_once(face_ages[MODEL_ID]) if MODEL_ID in face_ages else ""


def _of_cohort(face_ages: pd.DataFrame) -> dict[str, str]:
    return {COHORT: each_once(face_ages[COHORT]), MODEL_ID: model_of(face_ages)}


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
        Further columns factor ("all" first), group, photo_status ("ok", "flagged", "excluded"), photo_reason
        (the first that caught the photo); ``estimate`` photos of the ``n`` of the group. A measure "duplicate
        photos" stands once.
    """
    known = people.drop_duplicates(SUBJECT).set_index(SUBJECT)
    groups = {ALL: ""}
    for name in by:
        if name in known:
            levels = known[name].reindex(face_ages[SUBJECT]).set_axis(face_ages.index)
            given = levels.astype(object).where(levels.notna(), NOT_KNOWN).astype(str)
            order = levels.cat.categories if levels.dtype == "category" else sorted(set(given) - {NOT_KNOWN})
            groups[name] = pd.Categorical(given, [*order, NOT_KNOWN])
    tables = []
    keys = {"group": "group", "status": "photo_status", "reason": "photo_reason"}
    for factor, group in groups.items():
        photos = face_ages.assign(group=group).groupby(list(keys), observed=True)
        counted = photos.size().rename_axis(index=keys).reset_index(name="estimate")
        n = counted.groupby("group", observed=True)["estimate"].transform("sum")
        tables.append(counted.astype({"group": str}).assign(measure="photos", factor=factor, n=n))
    again = int(face_ages["flags"].str.contains("same_photo").sum())
    duplicates = {
        "measure": "duplicate photos",
        "factor": ALL,
        "group": "",
        "estimate": again,
        "n": len(face_ages),
    }
    rows = pd.concat([*tables, pd.DataFrame([duplicates])], ignore_index=True)
    return result_rows(
        rows.assign(term="photos", question="photos", **_of_cohort(face_ages)), "faceage/photo_counts"
    )


def bin_measures(face_ages: pd.DataFrame) -> pd.DataFrame:
    """How the photos with a face measure: cohort, measure, lower, upper, n; bins that hold nothing are there too.

    ``upper`` of the last bin is empty: it has no end.
    """
    short_side = face_ages[["width", "height"]].min(axis=1)
    yaw, roll = face_ages["yaw"].abs(), face_ages["roll"].abs()
    measures = face_ages.assign(photo_short_side=short_side, abs_yaw=yaw, abs_roll=roll)
    bins = []
    for name, edges in EDGES.items():
        counts = np.histogram(measures[name].astype("float64").dropna(), bins=edges)[0]
        bins.append(pd.DataFrame({"measure": name, "lower": edges[:-1], "upper": edges[1:], "n": counts}))
    table = pd.concat(bins, ignore_index=True).assign(**_of_cohort(face_ages))
    return table.replace({"upper": {np.inf: np.nan}})[columns_of("faceage/photo_measures")]


def summarise_speed(runs: Sequence[dict], cohort: str) -> pd.DataFrame:
    """How fast the photos of a cohort were computed, by device: cohort, device, workers, photos, seconds.

    Parameters
    ----------
    runs : list of dict
        Written by ``predict-face-age``, one per shard: device, workers, photos, seconds (None where part of
        the work was an earlier run's).
    """
    table = pd.DataFrame(runs, columns=["device", "workers", "photos", "seconds"]).dropna(subset=["seconds"])
    sums = table.groupby(["device", "workers"], as_index=False).sum()
    sums.insert(0, COHORT, cohort)
    return sums


def ledger_of(face_ages: pd.DataFrame) -> pd.DataFrame:
    """What became of each photo on its way to an age."""
    rows = face_ages[[COHORT, SUBJECT, PHOTO, "status", "reason"]].copy()
    rows["detail"] = face_ages["flags"].where(face_ages["flags"] != face_ages["reason"], "")
    rows["stage"] = "face_age"
    rows["status"] = rows["status"].map({"ok": "included", "flagged": "flagged", "excluded": "excluded"})
    return ledger_rows(rows)
