"""People with an age, a sex, an error and failed photos, made of the lung table that ships with lifelines.

``python -m tests.golden.fairness.data`` writes them as CSV for golden.R, which writes golden.tsv and versions.txt.
"""

from pathlib import Path

import pandas as pd

from tests.golden.r.data import lung


def people() -> pd.DataFrame:
    """Sex 1 and 2, age, and as the error some years made of survival time; failed where ECOG is 2 and more."""
    table = lung()
    return pd.DataFrame({
        "age": table.age, "sex": table.sex, "error": (table.time - 300) / 30, "failed": (table.ecog >= 2).astype("float64"),
    })  # fmt: skip


if __name__ == "__main__":
    people().to_csv(Path(__file__).with_name("people.csv"), index=False)
