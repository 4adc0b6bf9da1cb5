"""Simulated counts on which pydeseq2 is held to DESeq2. ``python -m tests.golden.deseq2.data`` writes them for golden.R."""

from pathlib import Path

import numpy as np
import pandas as pd

N_GENES, N_SAMPLES = 400, 60


def simulated() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts (genes x samples) and the design's columns per sample; 40 genes follow the exposure."""
    random = np.random.default_rng(20251)
    people = pd.DataFrame({
        "exposure": random.normal(0, 1, N_SAMPLES).round(6), "age": random.normal(0, 1, N_SAMPLES).round(6),
        "male": random.integers(0, 2, N_SAMPLES).astype(float),
    }, index=[f"s{k}" for k in range(N_SAMPLES)])  # fmt: skip
    effect = np.zeros(N_GENES)
    effect[:40] = random.normal(0, 0.5, 40)
    log_mean = (
        random.normal(np.log(200), 1.2, N_GENES)[:, None]
        + np.log(2) * effect[:, None] * people.exposure.to_numpy()
    )
    log_mean += random.normal(0, 0.25, N_SAMPLES)
    size = 1 / random.uniform(0.05, 0.4, N_GENES)[:, None]
    counts = random.negative_binomial(size, size / (size + np.exp(log_mean)))
    return pd.DataFrame(counts, index=[f"g{k}" for k in range(N_GENES)], columns=people.index), people


if __name__ == "__main__":
    folder = Path(__file__).parent
    counts, people = simulated()
    counts.to_csv(folder / "counts.csv")
    people.to_csv(folder / "people.csv")
