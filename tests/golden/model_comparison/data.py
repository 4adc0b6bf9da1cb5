"""Two face ages of the people of tests/golden/sequential_models. ``python -m tests.golden.model_comparison.data`` writes people.csv for golden.R."""

from pathlib import Path

import pandas as pd

from tests.golden.sequential_models.data import people as lung


def people() -> pd.DataFrame:
    """213 people; the second face age is nearer to age and has a rule of its own."""
    table = lung()
    second = 0.8 * table["chronological_age"] + 0.2 * table["face_age"] + 11 + (table.index * 5 % 11) * 0.9
    return table.assign(face_age_2=second)


if __name__ == "__main__":
    people().to_csv(Path(__file__).parent / "people.csv", index=False)
