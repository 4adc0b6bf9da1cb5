"""The people of the survival study (lung), written for golden.R: ``python -m tests.golden.subgroup_hazards.data``."""

from pathlib import Path

from tests.golden.sequential_models.data import people

if __name__ == "__main__":
    people().to_csv(Path(__file__).parent / "people.csv", index=False)
