"""The data on which the Cox core is held to R's survival package.

lung and heart ship with lifelines. veteran, pbc, rotterdam, colon and nafld are in no Python package: golden.R writes
the few rows and columns used here from R's survival package as veteran.tsv and so on, with their source on top.
``python -m tests.golden.cox.data`` writes all of them as CSV for golden.R (which makes the five TSV when they lack).
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from lifelines import datasets

from tests.golden.r import data as shared

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One model: where its rows come from, and which columns mean what."""

    data: str
    terms: list[str]
    entry: str | None = None
    strata: str | None = None
    cluster: str | None = None
    weights: str | None = None
    groups: dict[str, list[str]] = field(default_factory=dict)


CASES = {
    "lung": Case("lung", ["age", "sex", "ecog"]),
    "lung_strata": Case("lung", ["age", "ecog"], strata="sex"),
    "veteran": Case("veteran", ["trt", "squamous", "smallcell", "adeno", "karno"],
                    groups={"trt": ["trt"], "celltype": ["squamous", "smallcell", "adeno"], "karno": ["karno"]}),
    "pbc": Case("pbc", ["age", "edema", "log_bili", "albumin", "log_protime"]),
    "pbc_weights": Case("pbc", ["age", "edema", "log_bili"], weights="weight"),
    "pbc_strata": Case("pbc", ["edema", "age", "log_bili"], strata="sex", weights="weight"),
    "rotterdam": Case("rotterdam", ["age", "meno", "nodes", "er", "hormon"]),
    "colon": Case("colon", ["age", "sex", "node4", "lev5fu"], cluster="id", strata="etype"),
    "colon_robust": Case("colon", ["age", "node4", "lev5fu"], cluster="row"),
    "heart": Case("heart", ["age", "year", "surgery", "transplant"], entry="start"),
    "heart_strata": Case("heart", ["age", "year"], entry="start", strata="surgery", cluster="id", weights="weight"),
    "nafld": Case("nafld", ["male", "nafld", "bmi"], entry="age_in"),  # time is attained age
    "attained": Case("attained", ["sex", "ecog"], entry="age_in"),  # its ties differ in the last digits
}  # fmt: skip


def lung() -> pd.DataFrame:
    return shared.lung().rename(columns={"status": "event"})


def heart() -> pd.DataFrame:
    table = datasets.load_stanford_heart_transplants()
    table = table[["start", "stop", "event", "age", "year", "surgery", "transplant", "id"]].astype("float64")
    weight = 1 + (table.index % 4) / 2
    return table.rename(columns={"stop": "time"}).assign(weight=weight)


def attained() -> pd.DataFrame:
    """lung twice on the scale of attained age; the second time the same ages come of another order of the sums."""
    table = lung()
    first = table.assign(age_in=table.age, time=table.age + table.time / 365.25)
    again = table.assign(
        age_in=table.age, time=(table.age * 365.25 + table.time) / 365.25, ecog=(table.ecog + 1) % 3
    )
    return pd.concat([first, again], ignore_index=True)


def separated() -> pd.DataFrame:
    """Thirty people with ties; nobody of the group died, so that plain Cox has no end."""
    place = pd.Series(range(30))
    died = place % 3 != 0
    time = 1 + place * 7 % 11
    table = pd.DataFrame({
        "time": time, "event": died * 1, "group": (place % 6 == 0) * 1, "x": (place * 13 % 17) / 5 - died * 0.4,
        "start": (time - 1) * (place % 4) / 4,
    })  # fmt: skip
    return table.astype("float64")


def few() -> pd.DataFrame:
    """Every fourth of the veterans: few deaths for three terms, two strata."""
    table = read("veteran").iloc[::4].reset_index(drop=True)
    return table.assign(event=table.event.where(table.index % 3 == 0, 0.0))


def read(name: str) -> pd.DataFrame:
    """The rows of a data set: time, event and what the cases name."""
    if name in MADE:
        return MADE[name]()
    return pd.read_csv(HERE / f"{name}.tsv", sep="\t", comment="#").astype("float64")


def genes() -> pd.DataFrame:
    """120 people, 40 made-up genes and two covariates; tied times, late entries, two strata."""
    place = np.arange(120)
    level = {
        f"g{k}": np.round(5 + 2 * np.sin(place * (1.3 + 0.37 * k) + k) + np.cos(place**2 * 0.11), 4)
        for k in range(40)
    }
    table = pd.DataFrame({"age": 50 + place * 29 % 31, "sex": place % 2, "stratum": place // 3 % 2, **level})
    hazard = np.exp(0.03 * (table.age - 65) + 0.25 * (table.g0 - 5) - 0.2 * (table.g1 - 5))
    time = np.ceil(-np.log((place * 37 % 120 + 0.5) / 120) / hazard * 40) / 10
    leave = 1 + place * 53 % 90 / 10
    event = (time <= leave) * 1
    time = np.minimum(time, leave)
    return table.assign(time=time, event=event, start=np.floor(time * (place % 3) * 2.5) / 10).astype(
        "float64"
    )


MADE = {
    "attained": attained,
    "genes": genes,
    "lung": lung,
    "heart": heart,
    "separated": separated,
    "few": few,
}

if __name__ == "__main__":
    for dataset in MADE:
        read(dataset).to_csv(HERE / f"{dataset}.csv", index=False)
    pd.DataFrame(
        [
            {"case": name, "data": case.data, "terms": " ".join(case.terms), "entry": case.entry, "strata": case.strata,
             "cluster": case.cluster, "weights": case.weights,
             "groups": ";".join(f"{term}={' '.join(columns)}" for term, columns in case.groups.items())}
            for name, case in CASES.items()
        ]
    ).to_csv(HERE / "cases.csv", index=False)  # fmt: skip
