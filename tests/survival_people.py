"""What several test files use of survival."""

import numpy as np
import pandas as pd


def people(n=300, seed=1, hazard=0.06):
    random = np.random.default_rng(seed)
    age = random.normal(64, 9, n)
    excess = random.normal(0, 8, n)
    death = random.exponential(1, n) / (0.25 * np.exp(hazard * (age + excess - 64)))
    leave = random.uniform(1, 6, n)
    return pd.DataFrame({
        "cohort": "c", "subject_id": [f"s{k}" for k in range(n)], "chronological_age": age, "face_age": age + excess,
        "age_acceleration": excess, "sex": random.choice(["female", "male"], n), "ecog": random.integers(0, 3, n).astype(float),
        "entry_years": np.nan, "followup_years": np.minimum(death, leave), "event": (death <= leave).astype(float),
    })  # fmt: skip
