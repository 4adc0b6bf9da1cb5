"""The clinical table: who the subjects are, how old at the photo, and what became of them after it.

Differences of dates keep their sign. The study's scripts took absolute values, which hides a death before the photo.
"""

import pandas as pd

from faceage_bio.core.columns import (
    AGE,
    CAUSE,
    COHORT,
    ENTRY,
    EVENT,
    FOLLOWUP,
    PHOTO,
    SUBJECT,
    SUBJECT_COLUMNS,
)
from faceage_bio.core.errors import Problems
from faceage_bio.core.parse import DAYS_PER_YEAR
from faceage_bio.core.settings.settings_cohort import Cohort, form_of
from faceage_bio.intake.observation import OLDEST, check_follow_up, check_years
from faceage_bio.intake.schemas import CLINICAL, DATE, complete, read_user_table

AGE_TOLERANCE = 1.0  # years by which a given age may differ from the dates
DATES = [name for name, column in CLINICAL.columns.items() if column.metadata["kind"] == DATE]


def read_clinical(
    cohort: str, settings: Cohort, photos: pd.DataFrame, year_days: float, problems: Problems
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The checked subjects of a cohort, and the photos with the age that birth and photo date give.

    Returns
    -------
    DataFrame with ``columns.SUBJECT_COLUMNS`` and its further columns, indexed by line; DataFrame of photos
    """
    if not settings.clinical:
        return _without_clinical(cohort, photos), photos
    file = settings.clinical
    read = read_user_table(file, CLINICAL, problems, form_of(settings, "clinical"), year_days)
    if read is None:
        return pd.DataFrame(columns=list(SUBJECT_COLUMNS)), photos
    for sentence in read.said:
        print(f"{file}: {sentence}")
    table = complete(read.values, CLINICAL)
    photos = _ages_from_dates(table, photos, file, problems)
    photo_file = str(settings.manifest or settings.face_ages)
    unread = [line for line in photos.index if (photo_file, "photo_date", line) in problems.marked]
    dated = table[SUBJECT].isin(set(photos[SUBJECT]) - set(photos.loc[unread, SUBJECT]))
    _followup_from_dates(table, photos, dated, file, year_days, problems)
    check_follow_up(table, file, problems, read.cells)
    _check_causes(table, file, problems)
    check_years(table, file, problems)
    known = {*SUBJECT_COLUMNS, *DATES, "path", PHOTO, "photo_date", COHORT}
    further = [name for name in table if name not in known]
    return table.assign(**{COHORT: cohort})[[*SUBJECT_COLUMNS, *further]], photos


def _without_clinical(cohort: str, photos: pd.DataFrame) -> pd.DataFrame:
    first = photos.sort_values("photo_date", na_position="last", kind="stable").drop_duplicates(SUBJECT)
    table = pd.DataFrame({COHORT: cohort, SUBJECT: first[SUBJECT], AGE: first[AGE]}, index=first.index)
    return table.reindex(columns=list(SUBJECT_COLUMNS))


def _first_photo_dates(table: pd.DataFrame, photos: pd.DataFrame) -> pd.Series:
    """Date of each subject's first photo, time zero of follow-up."""
    first = photos.dropna(subset=["photo_date"]).groupby(SUBJECT)["photo_date"].min()
    return pd.to_datetime(table[SUBJECT].map(first)).dt.normalize()


def _ages_from_dates(
    table: pd.DataFrame, photos: pd.DataFrame, file: str, problems: Problems
) -> pd.DataFrame:
    first = _first_photo_dates(table, photos)
    from_dates = (first - table["birth_date"]).dt.days / DAYS_PER_YEAR
    advice = "The birth lies after the photo. Expected it before. Correct one of the dates."
    problems.where(file, _days(table["birth_date"]), from_dates < 0, advice)
    advice = (
        f"The age at the photo would be 0, or above {OLDEST:g} years. Expected a day of birth. Correct it, or leave the cell empty if it is "
        "not known."
    )
    problems.where(file, _days(table["birth_date"]), (from_dates == 0) | (from_dates > OLDEST), advice)
    given = table[AGE]
    apart = (given - from_dates).abs() > AGE_TOLERANCE
    advice = "It differs by more than a year from the age that birth_date and photo_date give. Expected the age at the photo. Correct one of them."
    problems.where(file, given, apart, advice)
    table[AGE] = given.where(given.notna(), from_dates)
    birth = photos[SUBJECT].map(table.drop_duplicates(SUBJECT).set_index(SUBJECT)["birth_date"])
    since = pd.to_datetime(photos["photo_date"]).dt.normalize() - pd.to_datetime(birth)
    age = since.dt.days / DAYS_PER_YEAR
    return photos.assign(**{AGE: photos[AGE].where(photos[AGE].notna(), age)})


def _days(dates: pd.Series) -> pd.Series:
    """As YYYY-MM-DD."""
    return dates.dt.strftime("%Y-%m-%d")


def _followup_from_dates(
    table: pd.DataFrame,
    photos: pd.DataFrame,
    with_photo: pd.Series,
    file: str,
    year_days: float,
    problems: Problems,
) -> None:
    """Years from dates; who has a photo needs its date, whose follow-up without a photo is not known, and one
    that cannot be read is told.
    """
    first = _first_photo_dates(table, photos)
    for years, date in ((FOLLOWUP, "followup_date"), (ENTRY, "entry_date")):
        undated = table[date].notna() & first.isna() & with_photo
        advice = f"It needs the subject's photo_date; give that, or {years} instead."
        problems.where(file, _days(table[date]), undated, advice)
        from_dates = (table[date] - first).dt.days / year_days
        if years == FOLLOWUP:
            before = from_dates < 0
            advice = (
                "Follow-up ends before the photo. Expected its end after the photo. Correct one of the dates."
            )
            problems.where(
                file, (_days(table[date]) + ", photo " + _days(first)).rename(date), before, advice
            )
            from_dates = from_dates.where(~before)
        table[years] = table[years].where(table[years].notna(), from_dates)


def _check_causes(table: pd.DataFrame, file: str, problems: Problems) -> None:
    advice = "A cause of death is given, but the subject is not said to have died. Expected a cause only where event is 1. Correct the cause or the event."
    problems.where(file, table[CAUSE], table[CAUSE].notna() & (table[EVENT] != 1), advice)
