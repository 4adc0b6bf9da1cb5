"""The data on which composition is held to R: pupils of 100 school districts by origin, with some that nobody is of.

They ship with statsmodels (star98). ``python -m tests.golden.composition.data`` writes them as CSV for golden.R, which writes
golden.tsv and versions.txt.
"""

from pathlib import Path

import pandas as pd
from statsmodels import datasets

FOLDER = Path(__file__).parent
ORIGINS = ["PERASIAN", "PERBLACK", "PERHISP"]


def districts() -> pd.DataFrame:
    """Every third district."""
    return datasets.star98.load_pandas().data.iloc[::3].head(100).reset_index(drop=True)


def numbers() -> pd.DataFrame:
    """Pupils of each origin in whole percent, and the others: as cells of types, districts x types."""
    table = districts()[ORIGINS].round().astype(int)
    table["OTHERS"] = 100 - table.sum(axis=1)
    return table.set_index(people()["subject_id"])


def people() -> pd.DataFrame:
    """Districts as people: whatever is measured of them takes the place of the ages."""
    table = districts()
    return pd.DataFrame({
        "subject_id": [f"d{k}" for k in range(len(table))], "age_acceleration": table["LOWINC"],
        "chronological_age": table["AVYRSEXP"], "age_gap": table["AVSALK"], "bmi": table["PTRATIO"],
    })  # fmt: skip


if __name__ == "__main__":
    people().join(numbers().reset_index(drop=True)).to_csv(FOLDER / "districts.csv", index=False)
