"""The data on which Python is held to R: they ship with lifelines and statsmodels, so the tests need no copy of them.

``python -m tests.golden.r.data`` writes them as CSV for golden.R, which writes golden.tsv and versions.txt.
"""

from pathlib import Path

import pandas as pd
from lifelines import datasets
from statsmodels.datasets import statecrime


def lung() -> pd.DataFrame:
    table = datasets.load_lung()[["time", "status", "age", "sex", "ph.ecog"]].dropna().reset_index(drop=True)
    return table.rename(columns={"ph.ecog": "ecog"}).astype("float64")


def rossi() -> pd.DataFrame:
    return datasets.load_rossi()[["week", "arrest", "fin", "age", "prio", "mar"]].astype("float64")


def heart() -> pd.DataFrame:
    table = datasets.load_stanford_heart_transplants()
    return table[["start", "stop", "event", "age", "year", "surgery"]].astype("float64")


def crime() -> pd.DataFrame:
    return statecrime.load_pandas().data[["murder", "hs_grad", "poverty", "urban"]].reset_index(drop=True)


def flat() -> pd.DataFrame:
    """Four small curves: at one half for a while (twice), at one half to the end, and never below it."""
    curves = [
        ([1, 2, 3, 4], [1, 1, 1, 1]),
        ([1, 2, 3, 4, 5, 6, 7, 8], [1, 1, 1, 1, 0, 0, 1, 1]),
        ([1, 2, 3, 4], [1, 1, 0, 0]),
        ([1, 2, 3, 4], [1, 0, 0, 0]),
    ]
    tables = [
        pd.DataFrame({"curve": number, "time": times, "event": events})
        for number, (times, events) in enumerate(curves, start=1)
    ]
    return pd.concat(tables, ignore_index=True).astype("float64")


if __name__ == "__main__":
    for make in (lung, rossi, heart, crime, flat):
        make().to_csv(Path(__file__).with_name(f"{make.__name__}.csv"), index=False)
