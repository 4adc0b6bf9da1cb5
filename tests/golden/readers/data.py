"""Readers, cases and conditions made by a formula, with ties, and censored follow-up of the same cases.

``python -m tests.golden.readers.data`` writes them as CSV for golden.R, which writes golden.tsv and versions.txt.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.golden.acceleration.data import weyl

READERS, CONDITIONS, CASES = 5, 3, 70
HORIZON = 0.5  # years


def cases() -> pd.DataFrame:
    """Risk, followup_years (rounded, so that deaths and losses fall on one time), event, and a model's rating."""
    risk, luck, leave, noise = (weyl(CASES, start) for start in (0.13, 0.57, 0.29, 0.71))
    death = 0.55 * np.exp(-0.9 * risk - 0.6 * luck)
    lost = 0.75 * np.exp(0.8 * leave)
    return pd.DataFrame({
        "followup_years": np.round(np.minimum(death, lost) + 0.01, 2), "event": (death <= lost).astype(float),
        "model": np.round(risk + 1.2 * noise, 1), "risk": risk,
    })  # fmt: skip


def ratings() -> pd.DataFrame:
    """One row per case; column c{condition}r{reader}: 0 to 1 in steps of 0.1, better from condition to condition."""
    risk = cases()["risk"]
    columns = {}
    for condition in range(CONDITIONS):
        seen = weyl(CASES, 0.07 + 0.31 * condition)
        for reader in range(READERS):
            own = weyl(CASES, 0.011 + 0.173 * reader + 0.057 * condition)
            skill = 0.3 + 0.35 * condition + 0.1 * reader * (condition != 1)
            score = skill * risk + 0.5 * seen + 0.9 * own
            columns[f"c{condition}r{reader}"] = np.round(1 / (1 + np.exp(-score)), 1)
    return pd.DataFrame(columns)


if __name__ == "__main__":
    for make in (cases, ratings):
        make().to_csv(Path(__file__).with_name(f"{make.__name__}.csv"), index=False, float_format="%.17g")
