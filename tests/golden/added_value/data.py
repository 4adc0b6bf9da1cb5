"""The data on which measures of predictions are held to R: those of tests/golden/cox, with scores and risks of a formula.

``python -m tests.golden.added_value.data`` writes them as CSV for golden.R, which writes golden.tsv and versions.txt.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from faceage_bio.stats.calibration import draws
from tests.golden.cox.data import read

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """Two scores of the rows of a data set, and what their concordance minds."""

    data: str
    scores: tuple[str, str]
    entry: str | None = None
    strata: str | None = None
    cluster: str | None = None
    until: float | None = None  # deaths after it do not count


CASES = {
    "lung": Case("lung", ("ecog", "age")),
    "pbc": Case("pbc", ("log_bili", "age")),
    "pbc_until": Case("pbc", ("log_bili", "log_protime"), strata="sex", until=2000),
    "rotterdam": Case("rotterdam", ("nodes", "age"), until=1500),
    "colon": Case("colon", ("node4", "age"), strata="etype", cluster="id"),
    "heart": Case("heart", ("age", "transplant"), entry="start"),
    "heart_strata": Case("heart", ("age", "year"), entry="start", strata="surgery"),
    "nafld": Case("nafld", ("bmi", "male"), entry="age_in"),  # attained age: near-ties
}
HORIZONS = (500.5, 1000.5, 2000.5)  # days; nobody's time ends then
GRID = tuple(np.arange(200.5, 2001, 200).tolist())  # of the integrated score
THRESHOLDS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.9)
REPEATS, SEED = 12, 7
BASE, MORE = ["age"], ["age", "nodes"]  # models of the bootstrap


def risks(name: str) -> pd.DataFrame:
    """Two predicted risks per horizon: column h{number}m{number}."""
    table = read(name)
    if name == "pbc":
        score = [table.log_bili * 0.9 - 2.4, table.age / 25 - 3.4]
    else:
        score = [table.nodes / 6 - 2.2, table.age / 20 - 4.2]
    columns = {f"h{k}m{m}": expit(score[m] + 0.8 * k) for k in range(len(HORIZONS)) for m in range(2)}
    return pd.DataFrame(columns)


def resampled() -> pd.DataFrame:
    """The rows of rotterdam that bootstrap the models, and their samples (from 0) as columns b0, b1 ..."""
    table = small()
    return pd.DataFrame({f"b{k}": rows for k, rows in enumerate(draws(len(table), REPEATS, SEED))})


def small() -> pd.DataFrame:
    return read("rotterdam").iloc[::5].reset_index(drop=True)


if __name__ == "__main__":
    for dataset in sorted({case.data for case in CASES.values()}):
        read(dataset).to_csv(HERE / f"{dataset}.csv", index=False)
    for dataset in ("pbc", "rotterdam"):
        risks(dataset).to_csv(HERE / f"{dataset}_risks.csv", index=False, float_format="%.17g")
    small().to_csv(HERE / "small.csv", index=False)
    resampled().to_csv(HERE / "resampled.csv", index=False)
    pd.DataFrame(
        [{"case": name} | case.__dict__ | {"scores": " ".join(case.scores)} for name, case in CASES.items()]
    ).to_csv(HERE / "cases.csv", index=False)
