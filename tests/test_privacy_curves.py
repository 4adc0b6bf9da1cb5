"""Curves leave without steps of few deaths, and no sum of groups gives one away."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.privacy.suppress import suppress
from faceage_bio.privacy.suppressed import MARK
from faceage_bio.privacy.told_times import Told, told_times
from faceage_bio.stats.kaplan_meier import kaplan_meier, risk_table
from tests.leaving import SMALL


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20), st.booleans())
def test_told_times_leave_no_small_number_between_them_or_after(steps, secret):
    until = np.cumsum(np.array(steps), axis=0)
    total = until[-1]
    told = told_times(np.arange(len(steps)), until, total, SMALL, secret=secret)
    seen = np.vstack(
        [np.zeros((1, 2)), *(until[[place]] for place in told), *([] if secret else [total[None]])]
    )
    between = np.diff(seen, axis=0)
    if told:
        assert ((between == 0) | (between >= SMALL)).all()
        if secret:
            assert (total - until[told[-1]] >= SMALL).all()


def test_no_sum_of_groups_gives_one_away():
    told = Told({
        ("all", "all"): [1.0, 2.0, 3.0, 4.0], ("sex", "f"): [1.0, 2.0, 4.0], ("sex", "m"): [1.0, 4.0],
        ("arm", "a"): [1.0, 4.0], ("arm", "b"): [1.0], ("arm", "c"): [1.0],
    })  # fmt: skip
    told.settle()
    assert told.times["all", "all"] == [1.0, 3.0]  # at 2 and 4 some but not all groups of a grouping are told
    assert told.times["sex", "f"] == [1.0, 2.0, 4.0]
    assert told.times["arm", "a"] == [
        1.0
    ]  # sex tells everybody at 4, so that arm would tell b and c together


def survival_tables(rng: np.random.Generator, n: int) -> dict[str, pd.DataFrame]:
    """Curves, numbers at risk and readings of three groups and of everybody, as the survival stage writes them."""
    years, event = rng.exponential(3, n).round(3) + 0.001, rng.integers(0, 2, n)
    group = rng.integers(0, 3, n)
    curves, risks, readings = [], [], []
    for grouping, name, mine in [
        ("all", "all", group >= 0),
        *(("arm", f"g{k}", group == k) for k in range(3)),
    ]:
        if not mine.any():
            continue
        at = {"cohort": "north", "grouping": grouping, "group": name}
        curve = kaplan_meier(years[mine], event[mine].astype(float), None)
        curves.append(curve.assign(**at))
        risks.append(
            risk_table(np.arange(0.0, 7.0), years[mine], event[mine].astype(float), None).assign(**at)
        )
        for time in (0.5, 1, 2, 5):
            height = curve.loc[curve["years"] <= time, "survival"]
            readings.append(
                at | {"analysis": "survival", "measure": f"survival at {time:g} year{'' if time == 1 else 's'}", "note": "",
                "estimate": height.iloc[-1] if len(height) else 1.0, "n": mine.sum(), "n_events": event[mine].sum()}
            )  # fmt: skip
    return {
        "survival/kaplan_meier": pd.concat(curves, ignore_index=True), "survival/at_risk": pd.concat(risks, ignore_index=True),
        "survival/summary": pd.DataFrame(readings),
    }  # fmt: skip


@given(st.integers(0, 10_000), st.integers(6, 90))
@settings(max_examples=25, deadline=None)
def test_curves_tell_no_step_of_few_deaths(seed, n):
    raw = survival_tables(np.random.default_rng(seed), n)
    told = {key: one.as_text() for key, one in suppress(raw, SMALL).items()}
    km = raw["survival/kaplan_meier"]
    for (grouping, group), whole in km.groupby(["grouping", "group"]):
        whole = whole.sort_values("years")

        def deaths(time: float, whole=whole) -> int:
            return int(whole.loc[whole["years"] <= time + 1e-9, "events"].sum())

        mine = {
            key: table[(table["grouping"] == grouping) & (table["group"] == group)]
            for key, table in told.items()
        }
        curve, risk, read = (mine[f"survival/{name}"] for name in ("kaplan_meier", "at_risk", "summary"))
        shown = read[read["estimate"] != MARK]
        times = sorted({*curve["years"], *shown["measure"].str.extract(r"([\d.]+)")[0].astype(float)})
        steps = np.diff([deaths(time) for time in times], prepend=0)
        assert ((steps == 0) | (steps >= SMALL)).all()
        assert all(abs(time * 24 - round(time * 24)) < 1e-6 for time in curve["years"])
        if times and (read["n_events"] != MARK).any():
            after = deaths(np.inf) - deaths(times[-1])
            assert after == 0 or after >= SMALL
        numbers = risk.loc[risk["at_risk"].astype(str) != MARK, "at_risk"].astype(int)
        assert ((numbers == 0) | (numbers >= SMALL)).all()
        gaps = numbers.diff().abs().dropna()
        assert ((gaps == 0) | (gaps >= SMALL)).all()


@given(st.integers(0, 10_000), st.integers(20, 120))
@settings(max_examples=15, deadline=None)
def test_no_group_is_what_everybody_lacks(seed, n):
    raw = survival_tables(np.random.default_rng(seed), n)
    told = suppress(raw, SMALL)
    for key in ("survival/at_risk", "survival/kaplan_meier"):
        shown = told[key].as_text()
        column = "at_risk" if key.endswith("at_risk") else "survival"
        shown = shown[shown[column].astype(str) != MARK]
        groups = raw[key].loc[raw[key]["grouping"] == "arm", "group"].nunique()
        for _, at in shown.groupby("years"):
            n_told = (at["grouping"] == "arm").sum()
            assert not (at["grouping"] == "all").any() or n_told in (0, groups)


def test_curves_are_whole_where_everything_may_be_told():
    raw = survival_tables(np.random.default_rng(1), 40)
    told = suppress(raw, 1)
    assert all(told[key].as_text().equals(table) for key, table in raw.items())


def cause_tables(rng: np.random.Generator, n: int) -> dict[str, pd.DataFrame]:
    """The tables of `survival_tables` and those of deaths by cause, of the same people."""
    years, event, cause = rng.exponential(3, n).round(3) + 0.001, rng.integers(0, 2, n), rng.integers(0, 2, n)
    group = rng.integers(0, 3, n)
    parts: dict[str, list] = {
        name: [] for name in ("kaplan_meier", "at_risk", "cumulative_incidence", "competing_risks")
    }
    for grouping, name, mine in [
        ("all", "all", group >= 0),
        *(("arm", f"g{k}", group == k) for k in range(3)),
    ]:
        if not mine.any():
            continue
        at = {"cohort": "north", "grouping": grouping, "group": name}
        curve = kaplan_meier(years[mine], event[mine].astype(float), None)
        parts["kaplan_meier"].append(curve.assign(**at))
        parts["at_risk"].append(
            risk_table(np.arange(0.0, 7.0), years[mine], event[mine].astype(float), None).assign(**at)
        )
        for number, word in enumerate(("cancer", "other")):
            died = [
                int(((years == t) & mine & (event == 1) & (cause == number)).sum()) for t in curve["years"]
            ]
            rows = curve.assign(
                **at, cause=word, events=died, other_events=0, incidence=np.cumsum(died) / mine.sum()
            )
            parts["cumulative_incidence"].append(rows.drop(columns="survival"))
            parts["competing_risks"].append(pd.DataFrame([
                at | {"measure": f"died of {word} within {t} year{'' if t == 1 else 's'}", "cause": word, "estimate": 0.1, "n": mine.sum(), "n_events": sum(died), "note": ""}
                for t in (1, 2, 5)
            ]))  # fmt: skip
    return {f"survival/{key}": pd.concat(found, ignore_index=True) for key, found in parts.items()}


@given(st.integers(0, 10_000), st.integers(30, 150))
@settings(max_examples=12, deadline=None)
def test_curves_by_cause_tell_no_step_of_few_deaths(seed, n):
    raw = cause_tables(np.random.default_rng(seed), n)
    told = {key: one.as_text() for key, one in suppress(raw, SMALL).items()}
    whole, shown, read = (
        raw["survival/cumulative_incidence"],
        told["survival/cumulative_incidence"],
        told["survival/competing_risks"],
    )
    for keys, mine in whole.groupby(["grouping", "group", "cause"]):

        def deaths(time: float, mine=mine) -> int:
            return int(mine.loc[mine["years"] <= time + 1e-9, "events"].sum())

        def same(table: pd.DataFrame, keys=keys) -> pd.DataFrame:
            return table[(table[["grouping", "group", "cause"]] == list(keys)).all(axis=1)]

        rows = same(read)
        at = (
            rows.loc[rows["estimate"].astype(str) != MARK, "measure"]
            .str.extract(r"([\d.]+)")[0]
            .astype(float)
        )
        steps = np.diff([deaths(time) for time in sorted({*same(shown)["years"], *at})], prepend=0)
        assert ((steps == 0) | (steps >= SMALL)).all()
        total = rows["n_events"].iloc[0]
        assert str(total) == MARK or int(str(total).lstrip("~")) == 0 or int(str(total).lstrip("~")) >= SMALL
    causes = (
        read[read["grouping"] == "arm"]
        .drop_duplicates(["group", "cause"])
        .pivot(index="cause", columns="group", values="n_events")
    )
    assert not (
        (causes.astype(str) == MARK).sum(axis=1) == 1
    ).any()  # which everybody's number would give away
    for (_, _), rows in shown.groupby(["cause", "years"]):
        here = (rows["grouping"] == "arm").sum()
        assert not (rows["grouping"] == "all").any() or here in (
            0,
            whole.loc[whole["grouping"] == "arm", "group"].nunique(),
        )


@given(st.integers(0, 10_000), st.integers(30, 150))
@settings(max_examples=10, deadline=None)
def test_groups_together_and_everybody_tell_no_few_deaths_between_two_times(seed, n):
    """Where all groups of a grouping are told at a time, their deaths add up to everybody's at a time that may be another one."""
    raw = survival_tables(np.random.default_rng(seed), n)
    told = suppress(raw, SMALL)["survival/kaplan_meier"].as_text()
    whole = raw["survival/kaplan_meier"]
    everybody = whole[whole["grouping"] == "all"]
    times = set(told.loc[told["grouping"] == "all", "years"].astype(float))
    for grouping, groups in whole[whole["grouping"] != "all"].groupby("grouping")["group"].nunique().items():
        at = told[told["grouping"] == grouping].groupby("years")["group"].nunique()
        times |= set(at.index[at == groups].astype(float))
    died = [int(everybody.loc[everybody["years"] <= time + 1e-9, "events"].sum()) for time in sorted(times)]
    steps = np.diff(died)
    assert ((steps == 0) | (steps >= SMALL)).all()
