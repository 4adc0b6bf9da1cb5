"""The voters of tests.golden.associations, written for golden.R: ``python -m tests.golden.table_one.data``."""

from pathlib import Path

import pandas as pd

from tests.golden.associations import data


def voters() -> pd.DataFrame:
    """400 people in three groups (party), with two numbers and two factors; some of each are missing."""
    table = data.voters()[["party", "age", "income", "vote", "news"]]
    table["news"] = pd.cut(table["news"], [-1, 2, 5, 7], labels=["few", "some", "daily"]).astype(object)
    table.loc[::17, "income"] = None
    table.loc[::23, "news"] = None
    return table


if __name__ == "__main__":
    voters().to_csv(Path(__file__).with_name("voters.csv"), index=False)
