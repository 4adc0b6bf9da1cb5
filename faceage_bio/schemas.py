"""What columns must hold, in pandera, whoever gives them: a study's tables and plain ones. The index is the line in the user's file."""

import numpy as np
import pandas as pd
import pandera.pandas as pa

from faceage_bio.columns import AGE, ENTRY, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.problems import DOUBLED, NAMELESS, Problems

OLDEST_FACE = 130.0  # years
UNKNOWN = "Correct it, or leave the cell empty if it is not known."
# whole numbers that stand for "not known" where they lie far from all others
CODES = {-9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0}
FAR = 2.0  # times the largest of the other values


def _between(low: float, high: float, unit: str) -> pa.Column:
    return _numbers(pa.Check.in_range(low, high, error=f"Expected {low:g} to {high:g} {unit}. {UNKNOWN}"))


def _numbers(check: pa.Check) -> pa.Column:
    return pa.Column(float, check, nullable=True, required=False)


_ID = pa.Column(
    str,
    [
        pa.Check.str_matches(r"^\S(.*\S)?$", error=NAMELESS),
        pa.Check(
            lambda ids: ~ids.duplicated(keep=False),
            error=DOUBLED,
        ),
    ],
)
# follow-up and events: observation.check_follow_up and age_reached.check_years
COLUMNS = {
    AGE: _between(0, 120, "years"),
    FACE_AGE: _numbers(pa.Check.in_range(0, OLDEST_FACE, include_min=False, error=f"Expected years above 0, up to {OLDEST_FACE:g}. {UNKNOWN}")),
    "bmi": _between(8, 100, "kg/m2"),
    "pack_years": _between(0, 300, "pack-years"),
    "ecog": _numbers(pa.Check.isin([0, 1, 2, 3, 4], error=f"Expected 0, 1, 2, 3 or 4. {UNKNOWN}")),
    ENTRY: _between(-120, 120, "years after the photo"),
}  # fmt: skip
PEOPLE = pa.DataFrameSchema(COLUMNS)
SUBJECTS = pa.DataFrameSchema({"subject_id": _ID})
PHOTOS = pa.DataFrameSchema({"photo_id": _ID, AGE: COLUMNS[AGE]})
SAMPLES = pa.DataFrameSchema({"sample_id": _ID})


def check(table: pd.DataFrame, schema: pa.DataFrameSchema, file: str, problems: Problems) -> None:
    """Add each failure of a table, whose index is the line in ``file``, to the problems."""
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as errors:
        for failure in errors.failure_cases.itertuples():
            column = failure.column or "the table"
            if failure.index is None or pd.isna(failure.index):
                problems.other(f"{file}: column '{column}': expected {failure.check}. Correct the column.")
            else:
                problems.cell(file, int(failure.index), column, failure.failure_case, str(failure.check))


def check_numbers(table: pd.DataFrame, file: str, problems: Problems) -> None:
    """Add numbers out of the range of their column, and in other columns codes such as 999 for what is not known."""
    numbers = table.select_dtypes("number").astype("float64").replace([np.inf, -np.inf], np.nan)
    check(numbers, PEOPLE, file, problems)
    for name in numbers.columns.difference([*COLUMNS, FOLLOWUP, EVENT], sort=False):
        for line in numbers.index[_stands_for_nothing(numbers[name])]:
            problems.cell(
                file, line, str(name), float(numbers.at[line, name]),
                "It lies far from all other values and is a usual code for an unknown one. Expected a measured value. Leave the cell "
                "empty, or correct it.",
            )  # fmt: skip


def _stands_for_nothing(values: pd.Series) -> pd.Series:
    """Cells with one of `CODES` that is negative where no other value is, or more than `FAR` times all others."""
    coded = values.isin(CODES)
    others = values[~coded & values.notna()]
    if not coded.any() or others.empty:
        return coded & False
    return coded & (((values < 0) & (others.min() >= 0)) | (values > FAR * others.abs().max()))
