"""Face ages computed elsewhere, as the same table that inference writes."""

from pathlib import Path

import pandas as pd

from faceage_bio.core.columns import COHORT, FACE_AGE, FACE_AGE_COLUMNS, MODEL_ID, PHOTO, SUBJECT
from faceage_bio.core.errors import DOUBLED, Problems
from faceage_bio.core.settings.settings_cohort import SheetForm
from faceage_bio.core.tables import read_table
from faceage_bio.intake.schemas import FACE_AGES, complete, read_user_table

GIVEN = "given"  # the model of face ages that name none


def check_face_ages(path: Path | str, problems: Problems, form: SheetForm | None = None) -> pd.DataFrame:
    """The checked table, indexed by line: subject_id, photo_id (that of the subject where it has none), photo_date, face_age.

    Parameters
    ----------
    path : .tsv, .csv or .xlsx with ``subject_id`` and ``face_age`` in years; ``photo_id`` if a subject has several; ``model``, what gave them
    problems : what is wrong is added
    form : how the table is written
    """
    read = read_user_table(path, FACE_AGES, problems, form)
    if read is None:
        return complete(pd.DataFrame(), FACE_AGES)
    table = complete(read.values, FACE_AGES)
    if PHOTO not in read.values:
        table[PHOTO] = table[SUBJECT]
        for line in table.index[table[SUBJECT].duplicated(keep=False) & (table[SUBJECT] != "")]:
            problems.cell(str(path), line, SUBJECT, table.at[line, SUBJECT], DOUBLED)
    return table[list(FACE_AGES.columns)]


def read_face_ages(path: Path | str, cohort: str) -> pd.DataFrame:
    """One row per face age, status "ok" and reason "given"; a missing one is excluded.

    Parameters
    ----------
    path : what `check_face_ages` takes, or what the intake wrote of it (.parquet)
    cohort : its name

    Raises
    ------
    CohortError
        A column lacks, ages that are no numbers above 0 and up to 130, doubled photos or subjects; all lines at once.
    """
    problems = Problems()
    table = read_table(path) if Path(path).suffix == ".parquet" else check_face_ages(path, problems)
    problems.stop_if_any()
    missing = table[FACE_AGE].isna()
    model = table["model"].fillna("").replace("", GIVEN)
    table = table[[SUBJECT, PHOTO, FACE_AGE]].assign(
        **{COHORT: cohort, "model": model, MODEL_ID: model},
        status=missing.map({True: "excluded", False: "ok"}),
        reason=missing.map({True: "no_value", False: "given"}),
        flags="",
    )
    return table.reindex(columns=list(FACE_AGE_COLUMNS)).reset_index(drop=True)
