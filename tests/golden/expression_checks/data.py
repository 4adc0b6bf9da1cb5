"""The data on which components, leave-one-out and mediation are held to R: they ship with statsmodels.

``python -m tests.golden.expression_checks.data`` writes them as CSV for golden.R, which writes golden.tsv and versions.txt.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels import datasets

OUTCOMES = ["income", "liking_clinton", "liking_dole", "own_place", "news"]


def voters() -> pd.DataFrame:
    """300 voters of 1996: five outcomes, age, schooling, party (three levels), vote (two)."""
    table = datasets.anes96.load_pandas().data.head(300)
    party = pd.cut(table["PID"], [-1, 1, 4, 6], labels=["democrat", "independent", "republican"]).astype(str)
    return pd.DataFrame({
        "income": table["income"], "liking_clinton": table["ClinLR"], "liking_dole": table["DoleLR"],
        "own_place": table["selfLR"], "news": table["TVnews"], "age": table["age"], "schooling": table["educ"], "party": party,
        "vote": np.where(table["vote"] > 0, "dole", "clinton"),
    }).reset_index(drop=True)  # fmt: skip


if __name__ == "__main__":
    voters().to_csv(Path(__file__).with_name("voters.csv"), index=False)
