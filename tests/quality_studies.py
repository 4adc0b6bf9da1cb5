"""RNA samples with planted sex and batches, and their checks."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.quality import (
    Limits,
    check_samples,
    quality_tables,
)

Y = ["RPS4Y1", "DDX3Y"]


def study(n=60, seed=1, genes=300, batch=0.0, linked=False):
    """Counts with XIST and Y genes that follow sex, and two batches; ``linked``: the batch follows age acceleration."""
    random = np.random.default_rng(seed)
    names = ["XIST", *Y, *(f"G{k}" for k in range(genes - 3))]
    excess, sex = random.normal(0, 8, n), random.choice(["female", "male"], n)
    plate = (excess > 0) if linked else random.random(n) < 0.5
    mean = np.exp(random.normal(5, 1, genes))[:, None] * np.ones(n)
    mean *= np.exp(random.normal(0, batch, genes))[:, None] ** plate
    mean[0] = np.where(sex == "female", 300, 0.2)
    mean[1:3] = np.where(sex == "male", 300, 0.2)
    mean *= random.uniform(0.7, 1.4, n)
    counts = pd.DataFrame(
        random.negative_binomial(10, 10 / (10 + mean)), index=names, columns=[f"r{k}" for k in range(n)]
    )
    ids = [f"s{k}" for k in range(n)]
    table = pd.DataFrame({
        "cohort": "c", "subject_id": ids, "age_acceleration": excess, "chronological_age": random.normal(64, 9, n), "sex": sex,
        "smoking": random.choice(["never", "current"], n),
    })  # fmt: skip
    samples = pd.DataFrame({
        "cohort": "c", "sample_id": counts.columns, "subject_id": ids, "batch": np.where(plate, "p1", "p2"), "sample_date": None,
    })  # fmt: skip
    return table, counts, samples


def check(table, counts, samples, **limits):
    return check_samples(counts, samples, table, Limits(**limits), 10, 10)


def tables_of(table, counts, samples, **limits):
    checked = check(table, counts, samples, **limits)
    return quality_tables(checked, samples, table, ["sex", "smoking"], "c", "expression")
