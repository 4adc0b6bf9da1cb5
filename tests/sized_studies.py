"""Studies of two, twelve and thirty participants."""

import numpy as np
import pandas as pd
import yaml

from tests.conftest import FEW_DRAWS

RESULTS = "résultats [1] d'une étude (b)"
SIZES = {"two": 2, "twelve": 12, "thirty": 30}


def write_study(folder, sizes=SIZES) -> None:
    """A config with a cohort of each size: face ages and a clinical table of age, sex and, but for "unfollowed", follow-up."""
    chance = np.random.default_rng(3)
    for name, n in sizes.items():
        subjects = [f"{name}-{k:03}" for k in range(n)]
        age = chance.uniform(45, 80, n).round(1)
        pd.DataFrame({"subject_id": subjects, "face_age": age + chance.normal(0, 6, n).round(1)}).to_csv(
            folder / f"{name}_ages.tsv", sep="\t", index=False
        )
        clinical = pd.DataFrame({
            "subject_id": subjects, "chronological_age": age, "sex": chance.choice(["female", "male"], n),
            "BMI {kg}": chance.uniform(19, 33, n).round(1), "followup_years": chance.uniform(0.2, 6, n).round(2), "event": chance.integers(0, 2, n),
        })  # fmt: skip
        if name == "unfollowed":
            clinical = clinical.drop(columns=["followup_years", "event"])
        clinical.to_csv(folder / f"{name}_clinical.tsv", sep="\t", index=False)
    cohorts = {
        name: {
            "face_ages": f"{name}_ages.tsv",
            "clinical": f"{name}_clinical.tsv",
            "columns": {"bmi": "BMI {kg}"},
        }
        for name in sizes
    }
    study = FEW_DRAWS | {"cohorts": cohorts, "results_dir": RESULTS, "report": {"title": "{sex} and {x}"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(study))
