"""What the checked tables must hold, in pandera; the index is the line in the user's file, so that failures name it."""

import pandas as pd
import pandera.pandas as pa

from faceage_bio.problems import DOUBLED, NAMELESS, Problems


def _between(low: float, high: float, unit: str) -> pa.Column:
    check = pa.Check.in_range(
        low,
        high,
        error=f"Expected {low:g} to {high:g} {unit}. Correct it, or leave the cell empty if it is not known.",
    )
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
SUBJECTS = pa.DataFrameSchema({
    "subject_id": _ID,
    "chronological_age": _between(0, 120, "years"),
    "bmi": _between(8, 100, "kg/m2"),
    "pack_years": _between(0, 300, "pack-years"),
    "ecog": pa.Column(float, pa.Check.isin([0, 1, 2, 3, 4], error="Expected 0, 1, 2, 3 or 4. Correct it, or leave the cell empty if it is not known."), nullable=True, required=False),
    # age_reached.check_years looks for the other end
    "followup_years": pa.Column(float, pa.Check.ge(0, error="Expected 0 or more years after the photo; a death or last visit before the photo is an error in the dates. Correct it, or leave the cell empty if it is not known."), nullable=True, required=False),
    "entry_years": _between(-120, 120, "years after the photo"),
})  # fmt: skip
PHOTOS = pa.DataFrameSchema({"photo_id": _ID, "chronological_age": _between(0, 120, "years")})
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
