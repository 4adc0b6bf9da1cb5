"""The data on which group comparisons are held to R: they ship with statsmodels, so the tests need no copy of them.

``python -m tests.golden.associations.data`` writes them as CSV for golden.R, which writes golden.tsv and versions.txt.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels import datasets

PARTIES = ["democrat", "independent", "republican"]


def voters() -> pd.DataFrame:
    """400 voters of 1996: income, age, schooling, party (three levels), vote (two), and sets that no one shares."""
    table = datasets.anes96.load_pandas().data.head(400)
    party = pd.cut(table["PID"], [-1, 1, 4, 6], labels=PARTIES).astype(str)
    return pd.DataFrame({
        "income": table["income"], "age": table["age"], "schooling": table["educ"], "party": party,
        "vote": np.where(table["vote"] > 0, "dole", "clinton"), "news": table["TVnews"],
    }).reset_index(drop=True)  # fmt: skip


# estimates and standard errors of ten completed tables, of a fit with 96 degrees of freedom
ESTIMATES = [2.31, 1.98, 2.75, 2.02, 2.44, 2.61, 1.87, 2.29, 2.50, 2.16]
ERRORS = [0.81, 0.79, 0.84, 0.80, 0.83, 0.78, 0.82, 0.80, 0.85, 0.79]

if __name__ == "__main__":
    voters().to_csv(Path(__file__).with_name("voters.csv"), index=False)
    pd.DataFrame({"estimate": ESTIMATES, "error": ERRORS}).to_csv(
        Path(__file__).with_name("completed.csv"), index=False
    )
