"""Counts on which our DESeq2 chain, voom and TMM are held to R's. ``python -m tests.golden.deseq2.data`` writes them for R.

Simulated ones come from their seed; the real ones are blood cells that ship with scanpy (10x Genomics, PBMC 68k, reduced).
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

FORMULAS = {
    "small": ["acceleration", "age", "batch2", "batch3", "male", "smoker"],
    "large": ["acceleration", "age", "batch2", "batch3", "male", "smoker"],
    "groups": ["cancer", "male"],
    "curved": ["acceleration", "age"],
    "cells": ["myeloid", "mitochondrial", "cycling"],
}
Data = tuple[pd.DataFrame, pd.DataFrame]


def simulated(n_genes: int, n_samples: int, seed: int) -> Data:
    """Counts (genes x samples) and the design per sample: two ages, batch, sex, smoking; some genes follow the ages.

    Some genes are far more variable than the trend, some vary only by chance, and many have low counts.
    """
    random = np.random.default_rng(seed)
    acceleration, age = random.normal(0, 0.8, n_samples), random.normal(0, 1, n_samples)
    batch = random.integers(0, 3, n_samples)
    people = pd.DataFrame({
        "acceleration": acceleration.round(6), "age": age.round(6), "batch2": (batch == 1) * 1.0, "batch3": (batch == 2) * 1.0,
        "male": random.integers(0, 2, n_samples) * 1.0, "smoker": random.integers(0, 2, n_samples) * 1.0,
    }, index=[f"s{k}" for k in range(n_samples)])  # fmt: skip
    some = n_genes // 8
    effects = np.zeros((n_genes, 6))
    effects[:some, 0] = random.normal(0, 0.4, some)
    effects[some // 2 : some + some // 2, 1] = random.normal(0, 0.4, some)
    effects[:, 2:] = random.normal(0, 0.2, (n_genes, 4))
    level = random.normal(4.2, 2.0, n_genes)
    dispersion = (0.05 + 2 / np.exp(level)) * np.exp(random.normal(0, 0.7, n_genes))
    dispersion[random.random(n_genes) < 0.05] *= 20
    dispersion[random.random(n_genes) < 0.05] = 1e-6
    log_mean = level[:, None] + effects @ people.to_numpy().T + random.normal(0, 0.3, n_samples)
    return _drawn(random, log_mean, dispersion, people)


def small() -> Data:
    return simulated(600, 60, 1)


def large() -> Data:
    return simulated(400, 200, 2)


def groups() -> Data:
    """Groups with 8 and with 4 replicates; some counts are outliers, and some genes have no other count."""
    counts, _ = simulated(400, 24, 7)
    number = np.arange(24)
    people = pd.DataFrame(
        {"cancer": number % 2 * 1.0, "male": (number // 2 % 2) * (number > 7) * 1.0}, index=counts.columns
    )
    random = np.random.default_rng(5)
    rows, columns = random.choice(400, 30, replace=False), random.integers(0, 24, 30)
    values = counts.to_numpy()
    values[rows, columns] *= random.choice([20, 100], 30)
    values[rows[:3]] = 0
    values[rows[:3], 0] = 900
    return pd.DataFrame(values, counts.index, counts.columns), people


def curved() -> Data:
    """Dispersion grows with the mean, so that no ``a / mean + b`` fits and DESeq2 takes a local curve."""
    random = np.random.default_rng(3)
    level = random.normal(5, 1.5, 400)
    dispersion = 0.02 * np.exp(0.35 * (level - 3) + random.normal(0, 0.4, 400))
    people = pd.DataFrame(
        {"acceleration": random.normal(0, 1, 40).round(6), "age": random.normal(0, 1, 40).round(6)},
        index=[f"s{k}" for k in range(40)],
    )
    return _drawn(random, level[:, None] + random.normal(0, 0.2, 40), dispersion, people)


def _drawn(
    random: np.random.Generator, log_mean: np.ndarray, dispersion: np.ndarray, people: pd.DataFrame
) -> Data:
    size = 1 / dispersion[:, None]
    counts = random.negative_binomial(size, size / (size + np.exp(log_mean)))
    return pd.DataFrame(counts, [f"g{k}" for k in range(len(counts))], people.index), people


def cells() -> Data:
    """Real counts: 700 blood cells summed 14 by 14, with shares and means of what is known of each cell."""
    import scanpy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = scanpy.datasets.pbmc68k_reduced()
    # the file has logarithms of counts per 10,000
    normalised = np.expm1(table.raw.X.toarray().astype(np.float64))
    counts = np.rint(normalised * table.obs["n_counts"].to_numpy(dtype=np.float64)[:, None] / 1e4).astype(int)
    sample = np.arange(len(counts)) // 14
    people = pd.DataFrame({
        "myeloid": table.obs["bulk_labels"].isin(["CD14+ Monocyte", "Dendritic"]).to_numpy(dtype=np.float64),
        "mitochondrial": 100 * table.obs["percent_mito"].to_numpy(dtype=np.float64),
        "cycling": table.obs["S_score"].to_numpy(dtype=np.float64),
    }).groupby(sample).mean().round(6)  # fmt: skip
    sums = pd.DataFrame(counts, columns=table.raw.var_names.astype(str)).groupby(sample).sum().T
    names = [f"s{k}" for k in people.index]
    return sums.set_axis(names, axis=1), people.set_axis(names, axis=0)


def matrix(people: pd.DataFrame) -> np.ndarray:
    """The design with its intercept."""
    return np.column_stack([np.ones(len(people)), people.to_numpy(dtype=np.float64)])


MAKERS = {"small": small, "large": large, "groups": groups, "curved": curved, "cells": cells}

if __name__ == "__main__":
    folder = Path(__file__).parent
    for name, make in MAKERS.items():
        counts, people = make()
        counts.to_csv(folder / f"{name}_counts.csv")
        people.to_csv(folder / f"{name}_people.csv")
