"""From one row per photo to one row per subject: which photo counts, and time zero moved to it."""

from collections.abc import Iterable, Sequence

import pandas as pd

from faceage_bio.core.columns import AGE, COHORT, ENTRY, FACE_AGE, FOLLOWUP, PHOTO, SUBJECT
from faceage_bio.core.errors import CohortError
from faceage_bio.core.parse import DAYS_PER_YEAR, dates_of
from faceage_bio.core.settings.settings_acceleration import Acceleration

SHORT_SIDE = "face_short_side"


def one_per_subject(
    face_ages: pd.DataFrame, photos: pd.DataFrame, subjects: pd.DataFrame, settings: Acceleration
) -> pd.DataFrame:
    """Subjects with the face age, the age and the follow-up that belong to the photo that counts.

    Follow-up is given from a subject's first photo. If another photo counts (the first is unusable, or the
    rule says so), follow-up and entry are shortened by the time between them, so that no participant is
    followed before the photo; with "mean" and "median" time starts at the last photo that enters it.

    Parameters
    ----------
    face_ages : DataFrame, one row per photo, ``columns.FACE_AGE_COLUMNS``
    photos : DataFrame, one row per photo, ``columns.PHOTO_COLUMNS``; empty if face ages were given
    subjects : DataFrame, one row per subject
    settings : Acceleration
        Of repeat_photos, "median": photos without a date, or with minutes a time of day, cannot be told to be
        of one session, so the first one counts; "nearest": of two equally near photos the earlier, and a
        single photo counts without any date.

    Returns
    -------
    DataFrame
        ``subjects`` with face_age, n_photos, face_short_side (pixels, of several photos the least),
        ``photo_date`` (YYYY-MM-DD, None where not known), ``flags`` of the photo (of several, of all of
        them), ``ended_before_photo`` and ``no_nearest_photo``; face_age NaN without a usable photo, or if
        none of several can be told to be nearest.

    Raises
    ------
    CohortError
        "nearest" without such a column, or with cells in it that are no dates; see `check_sessions`.
    """
    rule = settings.repeat_photos
    if rule == "median" and settings.session_minutes is not None:
        check_sessions(photos)
    known = photos[[PHOTO, "photo_date", AGE]].drop_duplicates(PHOTO)
    table = face_ages.reindex(columns=[PHOTO, SUBJECT, FACE_AGE, SHORT_SIDE, "flags"])
    table = table.merge(known, on=PHOTO, how="left")
    table["flags"] = table["flags"].fillna("").astype(str)
    table["taken"] = dates_of(table, "photo_date", "acceleration.repeat_photos", clock=True)
    table["photo_date"] = table["taken"].dt.normalize()
    first_date = table.groupby(SUBJECT)["photo_date"].min()
    usable = table[table[FACE_AGE].notna()].sort_values(["taken", PHOTO], na_position="last", kind="stable")
    grouped = usable.groupby(SUBJECT)
    if rule in ("mean", "median"):
        joined = usable if rule == "mean" else _first_session(usable, settings)
        of_several = {FACE_AGE: rule, AGE: "mean" if rule == "mean" else "max", "photo_date": "max"}
        of_several |= {SHORT_SIDE: "min", "flags": _all_flags}
        chosen = joined.groupby(SUBJECT).agg(of_several)
    else:
        if rule == "nearest":
            dates = dates_of(subjects.set_index(SUBJECT), str(settings.nearest_to), "acceleration.nearest_to")
            one = _nearest(usable, dates)
        else:
            dated_last = usable.sort_values("taken", na_position="first", kind="stable").groupby(SUBJECT)
            one = grouped.head(1) if rule == "first" else dated_last.tail(1)
        chosen = one.set_index(SUBJECT)[[FACE_AGE, AGE, "photo_date", SHORT_SIDE, "flags"]]
    chosen = chosen.rename(columns={AGE: "photo_age"})
    chosen["n_photos"] = grouped.size()
    later = chosen["photo_date"] - first_date.reindex(chosen.index)
    chosen["later_years"] = (later.dt.days / DAYS_PER_YEAR).fillna(0.0)
    chosen["older_years"] = chosen["later_years"]  # than at the first photo
    if rule == "mean":  # not known where some photos have a date and others have none
        days = (usable["photo_date"] - usable[SUBJECT].map(first_date)).dt.days / DAYS_PER_YEAR
        by = days.groupby(usable[SUBJECT])
        chosen["older_years"] = by.mean().where(by.count() == by.size()).where(by.count() > 0, 0.0)
    dates = chosen["photo_date"].dt.strftime("%Y-%m-%d")
    chosen["photo_date"] = dates.astype(object).where(dates.notna(), None)
    result = subjects.merge(chosen, left_on=SUBJECT, right_index=True, how="left", validate="1:1")
    later, older = result.pop("later_years").fillna(0.0), result.pop("older_years")
    photo_age = result.pop("photo_age")
    # an age that came with the subject is the age at the first photo
    result[AGE] = photo_age.where(
        photo_age.notna(), result[AGE] + older.where(result["n_photos"].notna(), 0.0)
    )
    result["n_photos"] = result["n_photos"].fillna(0).astype("int64")
    result[FOLLOWUP] = result[FOLLOWUP] - later
    result[ENTRY] = result[ENTRY] - later
    result["ended_before_photo"] = result[FOLLOWUP] < 0
    result["no_nearest_photo"] = result[SUBJECT].isin(usable[SUBJECT]) & result[FACE_AGE].isna()
    return result


def flag_shared(people: pd.DataFrame, shared: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Participants with the flags of their photos that stand in another cohort too, be it the photo that
    counts or another.

    Parameters
    ----------
    people : DataFrame with subject_id and, where they are known, cohort and flags
    shared : tables with cohort, subject_id, photo_id and flags
    """
    if not any(len(table) for table in shared):
        return people
    keys = [name for name in (COHORT, SUBJECT) if name in people]
    told = pd.concat(shared).groupby(keys)["flags"].agg(_all_flags).rename("_shared")
    own = people["flags"].fillna("").astype(str) if "flags" in people else pd.Series("", people.index)
    both = zip(own, people[keys].join(told, on=keys)["_shared"].fillna(""), strict=True)
    return people.assign(flags=[_all_flags(flags) for flags in both])


def _all_flags(flags: Iterable[str]) -> str:
    """The flags of several photos, each once."""
    return ";".join(dict.fromkeys(flag for cell in flags for flag in cell.split(";") if flag))


def check_sessions(photos: pd.DataFrame) -> None:
    """Compare the photos' dates with acceleration.session_minutes.

    Raises
    ------
    CohortError
        A subject has several dated photos, and no photo has a time of day.
    """
    taken = dates_of(photos, "photo_date", "acceleration.session_minutes", clock=True)
    several = photos[taken.notna()].duplicated(SUBJECT).any()
    if several and not _has_clock(taken).any():
        raise CohortError(
            f"acceleration.session_minutes needs times of day, and 'photo_date' has dates alone in {taken.notna().sum()} of {len(photos)} photos. Expected "
            "such as 2021-03-04 10:15. Write the time behind the date, or declare session_days."
        )


def _has_clock(taken: pd.Series) -> pd.Series:
    return taken.notna() & taken.ne(taken.dt.normalize())


def _first_session(usable: pd.DataFrame, settings: Acceleration) -> pd.DataFrame:
    """The photos of each subject's first session; rows are sorted by time."""
    minutes = settings.session_minutes
    measure = "photo_date" if minutes is None else "taken"
    since = usable[measure] - usable.groupby(SUBJECT)[measure].transform("first")
    if minutes is None:
        within = since <= pd.Timedelta(days=settings.session_days)
    else:
        within = (since <= pd.Timedelta(minutes=minutes)) & _has_clock(usable["taken"])
        within &= within.groupby(usable[SUBJECT]).transform("first")
    return usable[within | ~usable.duplicated(SUBJECT)]


def _nearest(usable: pd.DataFrame, dates: pd.Series) -> pd.DataFrame:
    """The one photo of each subject, or the nearest of several; rows are sorted by date."""
    apart = (usable["photo_date"] - pd.to_datetime(usable[SUBJECT].map(dates))).abs()
    single = ~usable[SUBJECT].duplicated(keep=False)
    dated = usable[apart.notna()].loc[apart[apart.notna()].sort_values(kind="stable").index]
    nearest = dated[~dated[SUBJECT].isin(usable.loc[single, SUBJECT])].drop_duplicates(SUBJECT)
    return pd.concat([usable[single], nearest])
