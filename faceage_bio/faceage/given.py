"""Face ages computed elsewhere, as the same table that inference writes."""

from pathlib import Path

import pandas as pd

from faceage_bio import parse
from faceage_bio.columns import COHORT, FACE_AGE, FACE_AGE_COLUMNS, PHOTO, SUBJECT
from faceage_bio.errors import CohortError, examples
from faceage_bio.schemas import OLDEST_FACE
from faceage_bio.tables import read_text_table


def read_face_ages(path: Path | str, cohort: str) -> pd.DataFrame:
    """One row per face age, status "ok" and reason "given"; an empty cell is excluded as missing.

    Parameters
    ----------
    path : path
        TSV or CSV with ``subject_id`` and ``face_age`` in years; ``photo_id`` if a subject has several.
    cohort : str

    Raises
    ------
    CohortError
        A column lacks, ages that are no numbers above 0 and up to 130, doubled photos or subjects; all lines at once.
    """
    table = read_text_table(path)
    lacking = [name for name in (SUBJECT, FACE_AGE) if name not in table]
    if lacking:
        raise CohortError(
            f"{path}: line 1 lacks the column(s) {', '.join(lacking)}; found {', '.join(table.columns)}. Expected subject_id and "
            "face_age (years). Name the columns so."
        )
    given = list(table.columns)
    if PHOTO not in table:
        table[PHOTO] = table[SUBJECT]
    years = parse.to_numbers(table[FACE_AGE].replace("", None))
    wrong = (table[FACE_AGE] != "") & ~((years > 0) & (years <= OLDEST_FACE))
    unnamed = (table[SUBJECT] == "") | (table[PHOTO] == "")
    doubled = table[PHOTO].duplicated(keep=False) & ~unnamed
    problems = []
    if wrong.any():
        lines = [f"line {line}: {value!r}" for line, value in table.loc[wrong, FACE_AGE].items()]
        problems.append(
            f"column 'face_age' needs years above 0, up to {OLDEST_FACE:g}, but {examples(lines)}. Write numbers such as 66.2."
        )
    if unnamed.any():
        column = SUBJECT if (table[SUBJECT] == "").any() else PHOTO
        lines = [f"line {line}: ''" for line in table.index[unnamed]]
        problems.append(
            f"column '{column}' needs a name in every row, but {examples(lines)}. Fill it in, or leave the row out."
        )
    if doubled.any():
        lines = [f"line {line}: {value!r}" for line, value in table.loc[doubled, PHOTO].items()]
        column = PHOTO if PHOTO in given else SUBJECT
        problems.append(
            f"column '{column}' needs a name of its own in every row, but {examples(lines)} stand more than once. Give each photo its "
            "own photo_id, or keep one row of each subject."
        )
    if problems:
        raise CohortError(
            f"{path}: {len(problems)} problem(s):\n" + "\n".join(f"  - {problem}" for problem in problems)
        )
    missing = years.isna()
    table = table[[SUBJECT, PHOTO]].assign(
        **{COHORT: cohort, FACE_AGE: years, "model": "given"},
        status=missing.map({True: "excluded", False: "ok"}),
        reason=missing.map({True: "no_value", False: "given"}),
        flags="",
    )
    return table.reindex(columns=list(FACE_AGE_COLUMNS)).reset_index(drop=True)
