"""An attacker who knows the rule and the software, and has every number of a release: on small studies he finds no exact count.

He tries each set of counts that could be the exact one and keeps those that agree with all that was released: counts, their sums and
differences, how large tertiles are, and events and censorings until each time. What remains possible is counted.
"""

import itertools
from functools import cache

import numpy as np
import pandas as pd
import pytest

from faceage_bio.phenotype.people import gather
from faceage_bio.phenotype.table_one import table_one
from faceage_bio.release.rounding import midpoint
from faceage_bio.release.rule import release
from faceage_bio.survival.curve_summary import Reading, summarise
from faceage_bio.survival.curves import curves_by_group, risk_by_group
from faceage_bio.survival.groupings import TERTILES, THIRDS, part

K = 6
STUDIES = (0, 1, 2, 5, 9, 14, 18, 19, 23, 28, 33, 36, 37, 41)
LEVELS = {"sex": ("female", "male"), "stage": ("I", "II"), "tissue": ("lung",)}


@cache
def exact(seed: int) -> dict[str, pd.DataFrame]:
    """Tables of 19 to 60 participants with rare levels, a level that all have, missing values, and little or much follow-up."""
    chance = np.random.default_rng(seed)
    n = 19 + seed
    people = pd.DataFrame({
        "cohort": "c", "subject_id": [f"P{k:03}" for k in range(n)], "chronological_age": chance.uniform(40, 80, n), "tissue": "lung",
        "sex": chance.choice(["female", "male", None], n, p=[0.6, 0.3, 0.1]), "stage": chance.choice(["I", "II", None], n, p=[0.2, 0.1, 0.7]),
        "followup_years": chance.exponential(3, n) + 0.01, "event": chance.binomial(1, chance.uniform(0.1, 0.9), n).astype(float),
        "age_acceleration": chance.normal(0, 6, n),
    })  # fmt: skip
    people["face_age"] = people["chronological_age"] + people["age_acceleration"]
    groupings = [part(people, "age_acceleration", TERTILES)]
    return {
        "c/phenotype/table_one": table_one(gather([people], ["c"]), ["chronological_age", *LEVELS], [], TERTILES, "c"),
        "c/survival/kaplan_meier": curves_by_group(people, groupings, "log-log", "c"),
        "c/survival/at_risk": risk_by_group(people, groupings, "c"),
        "c/survival/summary": summarise(people, groupings, Reading(), "c"),
    }  # fmt: skip


def preimage(released: float) -> np.ndarray:
    """The counts that are released as this one."""
    counts = np.arange(80)
    return counts[midpoint(counts, K) == released]


@cache
def sizes_of_tertiles(n: int) -> tuple[int, ...]:
    """As the software parts n participants without ties."""
    groups = part(pd.DataFrame({"x": np.arange(n, dtype=float)}), "x", TERTILES).groups
    return tuple(int((groups == name).sum()) for name in THIRDS)


def counts_of(table: pd.DataFrame, **wanted: str) -> dict[str, float]:
    """n by group."""
    for name, value in wanted.items():
        table = table[table[name] == value]
    return dict(zip(table["group"], table["n"], strict=True))


@cache
def triples(told: tuple[float, ...], of_all: float) -> np.ndarray:
    """Counts of the three tertiles that are released so, groups of equal size by their mean; their sum is that of all."""
    near = [np.arange(max(0, one - K), one + K + 1) for one in told]
    ways = np.array(list(itertools.product(*near)))
    alike = np.ptp(ways, axis=1, keepdims=True) <= 1
    released = midpoint(np.where(alike, ways.mean(axis=1, keepdims=True), ways), K)
    return ways[(released == told).all(axis=1) & np.isin(ways.sum(axis=1), preimage(of_all))].astype(int)


def possible_tables(table: pd.DataFrame, variable: str) -> list[np.ndarray]:
    """Of each size of the study that agrees with the release, all counts of levels and of missing values in the three tertiles.

    Returns
    -------
    list of arrays, shape (tables, levels + 1, 3)
    """
    heads = counts_of(table, measure="participants")
    told = [counts_of(table, variable=variable, measure="share", level=level) for level in LEVELS[variable]]
    told += [counts_of(table, variable=variable, measure="missing")]
    *ways, last_ways = [triples(tuple(one[group] for group in THIRDS), one["all"]) for one in told]
    code = np.array([10_000, 100, 1])
    first = np.array(list(itertools.product(*ways)))
    found = []
    for n in preimage(heads["all"]):
        sizes = np.array(sizes_of_tertiles(int(n)))
        if midpoint(sizes.mean(), K) == heads[THIRDS[0]]:
            last = sizes - first.sum(axis=1)  # the last column follows from the sizes
            fits = (last >= 0).all(axis=1) & np.isin(last @ code, last_ways @ code)
            found.append(np.concatenate([first, last[:, None, :]], axis=1)[fits])
    return [one for one in found if len(one)]


def test_counts_of_table_1_stay_unknown():
    remaining = []
    for seed in STUDIES:
        truth = exact(seed)["c/phenotype/table_one"]
        told = release(exact(seed), K)["c/phenotype/table_one"]
        for variable in set(told["variable"].dropna()) & LEVELS.keys():
            levels = LEVELS[variable]
            possible = possible_tables(told, variable)
            true = [counts_of(truth, variable=variable, measure="share", level=level) for level in levels]
            true += [counts_of(truth, variable=variable, measure="missing")]
            own = np.array([[one[group] for group in THIRDS] for one in true])
            assert any((one == own).all(axis=(1, 2)).any() for one in possible), (
                "the truth is among what is possible"
            )
            cells = np.concatenate(possible)
            remaining += [len(np.unique(cells[:, row, group])) for row, group in np.argwhere(own > 0)]
            remaining += [
                len(np.unique(cells[:, row].sum(axis=1))) for row in np.flatnonzero(own.sum(axis=1))
            ]
            remaining.append(len({int(one[0].sum()) for one in possible}))
    print(
        f"Table 1: values that remain for a count: minimum {min(remaining)}, median {np.median(remaining):g}"
    )
    assert min(remaining) > 1


def until(curve: pd.DataFrame, column: str, times: np.ndarray) -> np.ndarray:
    """Cumulative counts of a released curve at times."""
    reached = np.searchsorted(curve["years"].to_numpy() - 1e-9, times, side="right")
    return np.concatenate([[0], curve[column].cumsum()])[reached]


def test_events_and_censorings_of_curves_stay_unknown():
    remaining = []
    for seed in STUDIES:
        told = release(exact(seed), K)["c/survival/kaplan_meier"]
        grid = np.arange(0, 40) / 2
        for column in ("events", "censored"):
            true, ends = {}, {}
            for group, curve in exact(seed)["c/survival/kaplan_meier"].groupby("group"):
                true[group] = until(curve, column, grid)
            for group, curve in told.groupby("group"):
                # those who have not left as the rounded counts say are censored at the end, which tells nothing
                known = until(curve, column, grid)
                ends[group] = [
                    preimage(one) if time < curve["years"].iloc[-1] else np.arange(80)
                    for one, time in zip(known, grid, strict=True)
                ]
            for step in range(len(grid)):
                possible = {group: ends[group][step] for group in ends}
                if "all" in possible and set(THIRDS) <= set(
                    possible
                ):  # in the whole cohort they are those of its tertiles
                    for group in ("all", *THIRDS):
                        possible[group] = narrowed(possible, group)
                remaining += [
                    len(possible[group])
                    for group in possible
                    if true[group][step] in possible[group] and true[group][step]
                ]
    print(
        f"curves: values that remain for a count: minimum {min(remaining)}, median {np.median(remaining):g}"
    )
    assert min(remaining) > 1


def narrowed(possible: dict[str, np.ndarray], group: str) -> np.ndarray:
    """The counts of a group that agree with those of the others: the sum of the tertiles is that of all."""
    others = [one for one in THIRDS if one != group]
    sums = {sum(ways) for ways in itertools.product(*(possible[one] for one in others))}
    if group == "all":
        return np.array([one for one in possible["all"] if one in sums])
    wholes = set(possible["all"].tolist())
    return np.array([one for one in possible[group] if any(one + rest in wholes for rest in sums)])


def test_sizes_and_events_of_groups_stay_unknown():
    remaining = []
    for seed in STUDIES:
        told = release(exact(seed), K)["c/survival/summary"]
        rows = told[told["measure"] == "median survival"].set_index("group")
        fits = [
            int(n) for n in preimage(rows.at["all", "n"])
            if all(midpoint(np.mean(sizes_of_tertiles(int(n))), K) == rows.at[group, "n"] for group in THIRDS)
        ]  # fmt: skip
        assert 19 + seed in fits
        remaining.append(len(fits))
        events = {group: preimage(rows.at[group, "n_events"]) for group in rows.index}
        true = exact(seed)["c/survival/summary"].drop_duplicates("group").set_index("group")["n_events"]
        remaining += [len(narrowed(events, group)) for group in events if true[group] > 0]
    print(
        f"survival: values that remain for a count: minimum {min(remaining)}, median {np.median(remaining):g}"
    )
    assert min(remaining) > 1


@pytest.mark.parametrize("seed", [0, 1, 18, 19, 36, 37])
def test_tertiles_on_either_side_of_a_step_do_not_tell_n(seed):
    # 19 participants are 7, 6 and 6: rounded one by one (9, 3, 3) no other number of participants would give them
    told = release(exact(seed), K)
    for place, column in (("c/phenotype/table_one", "n"), ("c/survival/at_risk", "entered")):
        table = told[place]
        heads = (
            table[table["measure"] == "participants"]
            if "measure" in table
            else table.drop_duplicates(["group"])
        )
        assert heads.loc[heads["group"].isin(THIRDS), column].nunique() == 1, place


def test_released_curves_are_near_the_exact_ones_and_as_long():
    for seed in (23, 33, 41):
        places = exact(seed), release(exact(seed), K)
        whole, told = (one["c/survival/kaplan_meier"].query("group == 'all'") for one in places)
        times = np.arange(0, whole["years"].max(), 0.5)
        heights = [
            one["survival"].to_numpy()[np.searchsorted(one["years"].to_numpy(), times, side="right") - 1]
            for one in (whole, told)
        ]
        assert np.abs(heights[0] - heights[1]).max() < 0.15
        assert told["years"].max() == pytest.approx(whole["years"].max(), abs=0.1001)
