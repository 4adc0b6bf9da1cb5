"""A drawn study of counts: CDK6 follows age acceleration, AGES follows age, BOTH both alike, LOW hardly occurs, ZERO never."""

import numpy as np
import pandas as pd

NAMED = ["CDK6", "AGES", "BOTH", "TP53", "LOW", "ZERO"]


def study(n=60, seed=1, effect=0.8, genes=60):
    """Analysis table, counts (genes x samples), samples; effects are log2 per 10 years."""
    random = np.random.default_rng(seed)
    ids = [f"s{k}" for k in range(n)]
    excess, age = random.normal(0, 8, n), random.normal(64, 9, n)
    table = pd.DataFrame({
        "cohort": "c", "subject_id": ids, "age_acceleration": excess, "chronological_age": age,
        "sex": random.choice(["female", "male"], n), "bmi": random.normal(27, 4, n),
    })  # fmt: skip
    table["face_age"] = 8 + 0.85 * age + excess
    table["age_gap"] = table.face_age - age
    names = [*NAMED, *(f"G{k}" for k in range(genes - len(NAMED)))]
    mean = np.full((genes, n), 300.0)
    mean[0] *= 2 ** (effect * excess / 10)
    mean[1] *= 2 ** (effect * (age - 64) / 10)
    mean[2] *= 2 ** (effect * (excess + age - 64) / 10)
    mean[4] = 0.05
    mean[5] = 0
    counts = pd.DataFrame(
        random.negative_binomial(8, 8 / (8 + mean)), index=names, columns=[f"r{k}" for k in range(n)]
    )
    samples = pd.DataFrame(
        {"cohort": "c", "sample_id": counts.columns, "subject_id": ids, "batch": None, "sample_date": None}
    )
    return table, counts, samples
