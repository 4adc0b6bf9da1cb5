"""Simulated participants whose face age follows age by a line or a curve."""

import numpy as np
import pandas as pd


def people(n=240, seed=1, group="cancer", shift=0.0, curve=0.0, sex_effect=0.0, cohort=None):
    """Faces that follow age by a line of slope 0.8, or bent by ``curve``; spread 5 years."""
    random = np.random.default_rng(seed)
    age = random.uniform(40, 85, n)
    sex = random.choice(["female", "male"], n)
    face = 12 + 0.8 * age + shift + curve * ((age - 62) / 10) ** 2 + sex_effect * (sex == "male")
    return pd.DataFrame({
        "cohort": cohort or group, "subject_id": [f"{cohort or group}{k:03d}" for k in range(n)], "chronological_age": age,
        "face_age": face + random.normal(0, 5, n), "sex": sex, "smoking": random.choice(["never", "former", "current"], n),
        "bmi": random.normal(27, 4, n), "group": group,
    })  # fmt: skip
