"""The data on which definitions, reliability and corrections are held to R: from statsmodels, or made by a formula.

``python -m tests.golden.acceleration.data`` writes them as CSV for golden.R, which writes golden.tsv and versions.txt.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels import datasets

STEPS, DRAWS = 4, 30


def engel() -> pd.DataFrame:
    """Food expenditure on income: curved, and its spread grows."""
    return datasets.engel.load_pandas().data[["income", "foodexp"]].reset_index(drop=True)


def weyl(n: int, start: float) -> np.ndarray:
    """Numbers that look standard normal and are the same in every language."""
    return norm.ppf(np.mod(start + np.arange(1, n + 1) * (np.sqrt(5) - 1) / 2, 1.0))


def repeats() -> pd.DataFrame:
    """Twelve people, three occasions, the third higher."""
    people = 60 + 8 * weyl(12, 0.31)
    return pd.DataFrame(
        {f"occasion{k + 1}": people + 2.5 * (k == 2) + 4 * weyl(12, 0.1 + 0.37 * k) for k in range(3)}
    )


def exposed() -> pd.DataFrame:
    """An outcome, an exposure with error and a covariate, 80 people."""
    covariate, truth, error, rest = (weyl(80, start) for start in (0.05, 0.42, 0.77, 0.23))
    truth = 6 * truth + 2 * covariate
    outcome = 27 + 0.4 * truth - 1.1 * covariate + 3 * rest
    return pd.DataFrame({"outcome": outcome, "exposure": truth + 3 * error, "covariate": covariate})


def draws() -> pd.DataFrame:
    """Errors that SIMEX adds: one row per person, one column per step and draw."""
    return pd.DataFrame(
        {
            f"s{step}d{draw}": weyl(80, 0.013 * step + 0.0617 * draw)
            for step in range(STEPS)
            for draw in range(DRAWS)
        }
    )


if __name__ == "__main__":
    for make in (engel, repeats, exposed, draws):
        make().to_csv(Path(__file__).with_name(f"{make.__name__}.csv"), index=False, float_format="%.17g")
