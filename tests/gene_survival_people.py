"""Simulated participants with follow-up and levels of genes, of which CDK6 raises the hazard."""

import numpy as np
import pandas as pd


def study(n=150, seed=1, effect=0.6, genes=40):
    """People with follow-up from a photo on, and levels of which CDK6 raises the hazard."""
    random = np.random.default_rng(seed)
    ids = [f"s{k:03d}" for k in range(n)]
    level = random.normal(6, 1, (n, genes))
    age = random.normal(64, 9, n)
    death = random.exponential(1, n) / (0.3 * np.exp(effect * (level[:, 0] - 6) + 0.03 * (age - 64)))
    leave = random.uniform(1, 6, n)
    people = pd.DataFrame({
        "cohort": "c", "subject_id": ids, "chronological_age": age, "sex": random.choice(["female", "male"], n),
        "entry_years": np.nan, "followup_years": np.minimum(death, leave), "event": (death <= leave).astype(float),
        "photo_date": "2020-01-01",
    })  # fmt: skip
    names = ["CDK6", "TP53", *(f"G{k}" for k in range(genes - 2))]
    levels = pd.DataFrame(level, columns=names)
    about = {
        "analysis": "expression",
        "sample_id": ids,
        "subject_id": ids,
        "sample_date": "2020-01-01",
        "batch": random.choice(["a", "b"], n),
    }
    return people, pd.concat([pd.DataFrame(about), levels], axis=1)
