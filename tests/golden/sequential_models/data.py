"""A study made of lifelines' lung data, on which the survival stage is held to R; a FaceAge study has the same columns.

Face age is age plus what performance and weight loss would add to a face, by a fixed rule. ``python -m
tests.golden.sequential_models.data`` writes people.csv and completed.csv (tables with their gaps filled) for golden.R.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from lifelines import datasets

SITES = {
    1: "lung",
    3: "lung",
    12: "breast",
    13: "breast",
    6: "breast",
    16: "throat",
    11: "throat",
    22: "throat",
}


def people() -> pd.DataFrame:
    """213 people: years, event, both ages, sex, site, ecog (with gaps), hospital."""
    table = datasets.load_lung()
    table = table[table["wt.loss"].notna() & table["inst"].notna() & table["ph.karno"].notna()].reset_index(
        drop=True
    )
    face = table["age"] + (90 - table["ph.karno"]) / 3 + table["wt.loss"] / 4 + (table.index % 7) - 3
    slope, intercept = np.polyfit(table["age"], face, deg=1)
    gaps = table.index % 9 == 4
    return pd.DataFrame({
        "cohort": "lung", "subject_id": [f"s{number}" for number in table.index], "chronological_age": table["age"].astype(float),
        "face_age": face, "age_gap": face - table["age"], "age_acceleration": face - intercept - slope * table["age"],
        "sex": np.where(table["sex"] == 1, "male", "female"),
        "site": table["inst"].map(SITES).fillna("other"), "ecog": table["ph.ecog"].where(~gaps),
        "hospital": table["inst"], "entry_years": np.nan, "followup_years": table["time"] / 365.25,
        "event": table["status"].astype(float),
    })  # fmt: skip


def completed() -> list[pd.DataFrame]:
    """Five tables with the gaps filled by a fixed rule, so that R and we pool the same."""
    table = people()
    gap = table["ecog"].isna()
    return [
        table.assign(ecog=table["ecog"].where(~gap, (table.index * (1 + number)) % 3)) for number in range(5)
    ]


if __name__ == "__main__":
    here = Path(__file__).parent
    people().to_csv(here / "people.csv", index=False)
    tables = [table.assign(table=number) for number, table in enumerate(completed())]
    pd.concat(tables).to_csv(here / "completed.csv", index=False)
