"""People of the lung table that ships with lifelines, with drawn genotypes of a gene beside them.

``python -m tests.golden.variants.data`` writes them as CSV for golden.R, which writes golden.tsv and versions.txt.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.golden.r.data import lung

FREQUENCIES = (0.004, 0.01, 0.02, 0.03, 0.04, 0.045, 0.12, 0.35)


def people() -> pd.DataFrame:
    """y, age and sex of 228 people; v0 ... v7 copies of alleles (integers, from a linear congruence, so that any numpy draws
    the same), the first with two missing genotypes."""
    table = lung()
    n, m = len(table), len(FREQUENCIES)
    uniform = np.empty(2 * n * m)
    state = 20251
    for place in range(len(uniform)):
        state = (1103515245 * state + 12345) % 2**31
        uniform[place] = state / 2**31
    copies = (uniform.reshape(2, n, m) < np.array(FREQUENCIES)).sum(axis=0).astype("float64")
    copies[[3, 50], 0] = np.nan
    genotypes = pd.DataFrame(copies, columns=[f"v{k}" for k in range(m)])
    return pd.DataFrame({"y": table.time / 30, "age": table.age, "sex": table.sex}).join(genotypes)


if __name__ == "__main__":
    people().to_csv(Path(__file__).with_name("people.csv"), index=False)
