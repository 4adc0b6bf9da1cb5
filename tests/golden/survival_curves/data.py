"""The data on which curves and competing risks are held to R: lifelines' own tables, and people drawn by a fixed recipe.

``python -m tests.golden.survival_curves.data`` writes them as CSV for golden.R, which writes golden.tsv and versions.txt.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from lifelines import datasets


def lung() -> pd.DataFrame:
    """Lung cancer: days, death, ECOG (three groups), sex, the ward as a stratum."""
    table = datasets.load_lung()[["time", "status", "age", "sex", "ph.ecog"]].dropna().reset_index(drop=True)
    return table.rename(columns={"ph.ecog": "ecog"}).astype("float64")


def heart() -> pd.DataFrame:
    """Stanford heart transplants: start and stop, so that people come late into the group with a transplant."""
    table = datasets.load_stanford_heart_transplants()
    return table[["start", "stop", "event", "surgery", "transplant", "age"]].astype("float64")


def late() -> pd.DataFrame:
    """The lung cancer patients as if seen from a later day on, which is before the end of each; three groups of age."""
    table = lung()
    day = (np.arange(len(table)) * 37) % 90
    table["start"] = np.where(day < table.time, day, 0).astype("float64")
    table["band"] = pd.cut(table.age, [0, 58, 68, 120], labels=[1, 2, 3]).astype("float64")
    return table


def causes(ties: bool = True) -> pd.DataFrame:
    """300 drawn people with two causes of death, three groups, two numbers and two strata; in months, or finer without ties."""
    random = np.random.default_rng(20250)
    n = 300
    group, stratum = np.arange(n) % 3 + 1.0, (np.arange(n) // 7) % 2 + 1.0
    age, marker = random.normal(0, 1, n), random.normal(0, 1, n)
    first = random.exponential(1, n) / (0.25 * np.exp(0.5 * age + 0.2 * (group == 3)))
    second = random.exponential(1, n) / (0.15 * np.exp(0.3 * marker - 0.4 * age))
    leave = random.uniform(0.3, 6, n)
    time = np.minimum.reduce([first, second, leave])
    cause = np.select([time == first, time == second], [1, 2], 0)
    time = np.ceil(time * 12) / 12 if ties else np.round(time, 6)
    entry = np.where(np.arange(n) % 4 == 0, np.floor(time * 5) / 12, 0.0)
    return pd.DataFrame({
        "time": time, "cause": cause, "group": group, "stratum": stratum, "age": age, "marker": marker, "entry": entry,
    }).astype("float64")  # fmt: skip


def half() -> pd.DataFrame:
    """The first 20 with ECOG 2, as if all who outlived the 10th death were censored: the curve ends at one half."""
    first = lung().query("ecog == 2 and status == 1").head(20)[["time", "status"]]
    return first.assign(status=(first.time <= first.time.median()).astype("float64"))


def untied() -> pd.DataFrame:
    return causes(ties=False)


if __name__ == "__main__":
    for make in (lung, half, heart, late, causes, untied):
        make().to_csv(Path(__file__).with_name(f"{make.__name__}.csv"), index=False, float_format="%.17g")
