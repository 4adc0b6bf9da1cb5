"""An attacker who knows the rule and the software, and has every number of a release: on small studies he finds no exact count.

He tries each set of counts that could be the exact one and keeps those that agree with all that was released: counts, their sums and
differences, how large tertiles are, and events and censorings until each time. What remains possible is counted.
"""

import itertools
import math
from functools import cache

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.phenotype.comparison_frame import gather
from faceage_bio.analyses.phenotype.table_one import table_one
from faceage_bio.analyses.survival.cox_models import Choices
from faceage_bio.analyses.survival.curves import TERTILES, curves_by_group, part, risk_by_group, summarise
from faceage_bio.analyses.survival.sequential_models import sequential_cox_models
from faceage_bio.core.columns import THIRDS
from faceage_bio.core.results.result_tables import TABLES
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.release.rule import midpoint, release

pytestmark = pytest.mark.slow

K = 6
STUDIES = (0, 1, 2, 5, 9, 14, 18, 19, 23, 28, 33, 36, 37, 41)
FACTORS = ("sex", "stage", "tissue")
TABLE_1, CURVES, AT_RISK, SUMMARY = (
    "c/phenotype/table_one",
    "c/survival/kaplan_meier",
    "c/survival/at_risk",
    "c/survival/summary",
)


@cache
def exact(seed: int) -> dict[str, pd.DataFrame]:
    """Tables of 19 participants and more with rare levels, a level that all have, missing values, and few or many deaths."""
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
        TABLE_1: table_one(gather([people], ["c"]), ["chronological_age", *FACTORS], [], TERTILES, "c"),
        CURVES: curves_by_group(people, groupings, "log-log", "c"),
        AT_RISK: risk_by_group(people, groupings, "c"),
        SUMMARY: summarise(people, groupings, Survival(), "c"),
    }


@cache
def preimage(released: float) -> frozenset[int]:
    """The counts that are released as this one."""
    return frozenset(count for count in range(80) if midpoint(count, K) == released)


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


def sizes(table: pd.DataFrame) -> list[int]:
    """How large the study can be, by Table 1."""
    heads = counts_of(table, measure="participants")
    return [
        n
        for n in preimage(heads["all"])
        if all(midpoint(np.mean(sizes_of_tertiles(n)), K) == heads[group] for group in THIRDS)
    ]


def told(remaining: list[int], where: str) -> None:
    print(
        f"{where}: values that remain for a count: minimum {min(remaining)}, median {np.median(remaining):g}"
    )
    assert min(remaining) > 1


def test_counts_of_table_1_stay_unknown():
    remaining = []
    for seed in STUDIES:
        truth, released = exact(seed)[TABLE_1], release(exact(seed), K)[TABLE_1]
        in_tertiles = released["group"].isin(THIRDS) & released["measure"].isin(["share", "missing"])
        # their sum is known to a third of k
        assert released.loc[in_tertiles, ["n", "estimate"]].isna().all(axis=None)
        assert (
            released.loc[released["measure"] == "standardised difference of shares", "estimate"].isna().all()
        )
        assert 19 + seed in sizes(released)
        remaining.append(len(sizes(released)))
        for variable in FACTORS:
            counted = (truth["variable"] == variable) & (truth["group"] == "all") & truth["measure"].isin(["share", "missing"])  # fmt: skip
            true = truth.loc[counted, "n"].astype(int).tolist()
            ways = np.array(list(itertools.product(*map(preimage, released.loc[counted, "n"]))))
            possible = ways[np.isin(ways.sum(axis=1), sizes(released))]
            assert true in possible.tolist()
            remaining += [
                len(np.unique(column)) for column, count in zip(possible.T, true, strict=True) if count
            ]
    told(remaining, "Table 1")


def until(curve: pd.DataFrame, column: str, times: np.ndarray) -> list[int]:
    """Cumulative counts of a curve at times."""
    reached = np.searchsorted(curve["years"].to_numpy() - 1e-9, times, side="right")
    return np.concatenate([[0], curve[column].cumsum()])[reached].astype(int).tolist()


def test_events_and_censorings_of_curves_stay_unknown():
    # of a tertile: deaths and censorings until a time, with the deaths in all, are no more than its size
    remaining = []
    grid = np.arange(0, 20, 0.5)
    for seed in STUDIES:
        released = release(exact(seed), K)
        largest = dict(
            zip(THIRDS, np.max([sizes_of_tertiles(n) for n in sizes(released[TABLE_1])], axis=0), strict=True)
        )
        largest["all"] = max(sizes(released[TABLE_1]))
        deaths = released[SUMMARY].drop_duplicates("group").set_index("group")["n_events"]
        true = {group: curve for group, curve in exact(seed)[CURVES].groupby("group")}
        possible: dict[str, list[set[int]]] = {}
        for group, curve in released[CURVES].groupby("group"):
            before_end = grid[
                grid < curve["years"].iloc[-1]
            ]  # who has not left is censored at the end, which tells nothing
            died, left = until(curve, "events", before_end), until(curve, "censored", before_end)
            ways = [
                [
                    (events, censored)
                    for events, censored, total in itertools.product(
                        preimage(died[k]), preimage(left[k]), preimage(deaths[group])
                    )
                    if events <= total and total + censored <= largest[group]
                ]
                for k in range(len(before_end))
            ]
            possible[group] = [{events for events, _ in way} for way in ways]
            for k, own in enumerate(until(true[group], "censored", before_end)):
                values = {censored for _, censored in ways[k]}
                remaining += [len(values)] * (own > 0 and own in values)
        for k in range(min(map(len, possible.values()))):  # the deaths of all are those of the tertiles
            at_once = {group: one[k] for group, one in possible.items()}
            for group in at_once:
                own = until(true[group], "events", grid[k : k + 1])[0]
                values = narrowed(at_once, group) if set(THIRDS) < set(at_once) else at_once[group]
                remaining += [len(values)] * (own > 0 and own in values)
    told(remaining, "curves")


def narrowed(possible: dict[str, set[int]], group: str) -> set[int]:
    """The counts of a group that agree with those of the others: the sum of the tertiles is that of all."""
    sums = {sum(way) for way in itertools.product(*(possible[one] for one in THIRDS if one != group))}
    if group == "all":
        return possible["all"] & sums
    return {one for one in possible[group] if any(one + rest in possible["all"] for rest in sums)}


def test_events_of_groups_stay_unknown():
    remaining = []
    for seed in STUDIES:
        released, true = (one[SUMMARY].drop_duplicates("group").set_index("group")["n_events"] for one in (release(exact(seed), K), exact(seed)))  # fmt: skip
        largest = max(sizes_of_tertiles(max(sizes(release(exact(seed), K)[TABLE_1]))))
        possible = {
            group: {one for one in preimage(released[group]) if group == "all" or one <= largest}
            for group in ("all", *THIRDS)
        }
        remaining += [len(narrowed(possible, group)) for group in possible if true[group] > 0]
    told(remaining, "deaths")


def test_likelihoods_do_not_tell_n():
    # the log-likelihood of no effect is, where all died and no two at once, minus log n!: that of the model less half the chi-square
    remaining = []
    for n in range(19, 46):
        chance = np.random.default_rng(n)
        age, face_age = chance.uniform(40, 80, n), chance.uniform(40, 80, n)
        people = pd.DataFrame({"chronological_age": age, "face_age": face_age, "age_acceleration": face_age - age, "followup_years": chance.exponential(2, n) + 0.05, "event": 1.0})  # fmt: skip
        cox = release(
            {"c/survival/cox": sequential_cox_models(people, Choices(steps=(), covariates=()), "c")}, K
        )["c/survival/cox"]
        assert cox["likelihood_ratio"].notna().any()
        possible = {size for size in range(n - K, n + K + 1) if midpoint(size, K) == cox["n"].iloc[0]}
        for row in cox.dropna(subset=["log_likelihood", "likelihood_ratio"]).itertuples():
            null, rounding = row.log_likelihood - row.likelihood_ratio / 2, 0.01 * abs(row.log_likelihood)
            possible = {size for size in possible if abs(null + math.lgamma(size + 1)) < rounding}
        remaining.append(len(possible))
    told(remaining, "Cox models")
    assert all("log_likelihood" in one.closed for one in TABLES.values() if "log_likelihood" in one.further)


@pytest.mark.parametrize("seed", [0, 1, 18, 19, 36, 37])
def test_tertiles_on_either_side_of_a_step_do_not_tell_n(seed):
    # 19 participants are 7, 6 and 6: rounded one by one (9, 3, 3) no other number of participants would give them
    released = release(exact(seed), K)
    heads = counts_of(released[TABLE_1], measure="participants")
    assert len({heads[group] for group in THIRDS}) == 1
    entered = released[AT_RISK].drop_duplicates("group").set_index("group")["entered"]
    assert entered.reindex(THIRDS).nunique(dropna=False) == 1


def test_released_curves_are_near_the_exact_ones_and_as_long():
    for seed in (181, 221):
        places = exact(seed), release(exact(seed), K)
        for group in ("all", *THIRDS):
            whole, shown = (one[CURVES][one[CURVES]["group"] == group] for one in places)
            times = np.arange(0, whole.loc[whole["at_risk"] >= 3 * K, "years"].max(), 0.5)
            heights = [
                one["survival"].to_numpy()[np.searchsorted(one["years"].to_numpy(), times, side="right") - 1]
                for one in (whole, shown)
            ]
            assert np.abs(heights[0] - heights[1]).max() < (0.04 if group == "all" else 0.12)
            assert shown["years"].max() > 0.9 * whole["years"].max()
