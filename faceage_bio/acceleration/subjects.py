"""From one row per photo to one row per subject: which photo counts, and time zero moved to it."""

import pandas as pd

from faceage_bio.columns import AGE, ENTRY, FACE_AGE, FOLLOWUP, PHOTO, SUBJECT

DAYS_PER_YEAR = 365.25


def one_per_subject(
    face_ages: pd.DataFrame, photos: pd.DataFrame, subjects: pd.DataFrame, rule: str
) -> pd.DataFrame:
    """Subjects with the face age, the age and the follow-up that belong to the photo that counts.

    Follow-up is given from a subject's first photo. If another photo counts (the first is unusable, or the rule says so),
    follow-up and entry are shortened by the time between them, so that nobody is followed before the photo; with "mean"
    time starts at the last photo that enters the mean.

    Parameters
    ----------
    face_ages : DataFrame, one row per photo, ``columns.FACE_AGE_COLUMNS``
    photos : DataFrame, one row per photo, ``columns.PHOTO_COLUMNS``; empty if face ages were given
    subjects : DataFrame, one row per subject
    rule : "first", "last" or "mean"

    Returns
    -------
    DataFrame
        ``subjects`` with face_age, n_photos and ``ended_before_photo``; face_age NaN without a usable photo.
    """
    known = photos[[PHOTO, "photo_date", AGE]].drop_duplicates(PHOTO)
    table = face_ages[[PHOTO, SUBJECT, FACE_AGE]].merge(known, on=PHOTO, how="left")
    table["photo_date"] = pd.to_datetime(table["photo_date"])
    first_date = table.groupby(SUBJECT)["photo_date"].min()
    usable = table[table[FACE_AGE].notna()].sort_values(
        ["photo_date", PHOTO], na_position="last", kind="stable"
    )
    grouped = usable.groupby(SUBJECT)
    if rule == "mean":
        chosen = grouped.agg(
            **{FACE_AGE: (FACE_AGE, "mean"), "photo_age": (AGE, "mean"), "photo_date": ("photo_date", "max")}
        )
    else:
        one = grouped.head(1) if rule == "first" else grouped.tail(1)
        chosen = one.rename(columns={AGE: "photo_age"}).set_index(SUBJECT)[
            [FACE_AGE, "photo_age", "photo_date"]
        ]
    chosen["n_photos"] = grouped.size()
    chosen["later_years"] = (
        (chosen["photo_date"] - first_date.reindex(chosen.index)).dt.days / DAYS_PER_YEAR
    ).fillna(0.0)
    result = subjects.merge(
        chosen.drop(columns="photo_date"), left_on=SUBJECT, right_index=True, how="left", validate="1:1"
    )
    later = result.pop("later_years").fillna(0.0)
    photo_age = result.pop("photo_age")
    # an age that came with the subject is the age at the first photo
    result[AGE] = photo_age.where(photo_age.notna(), result[AGE] + (later if rule != "mean" else 0.0))
    result["n_photos"] = result["n_photos"].fillna(0).astype("int64")
    result[FOLLOWUP] = result[FOLLOWUP] - later
    result[ENTRY] = result[ENTRY] - later
    result["ended_before_photo"] = result[FOLLOWUP] <= 0
    return result
