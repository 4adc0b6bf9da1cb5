"""The release rule: midpoint rounding, redaction, curves from rounded counts, and an attacker who knows the rule."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.core.results.measures import MEASURES, MODEL, TEST
from faceage_bio.core.results.reasons import decode, reason
from faceage_bio.core.results.result_tables import TABLES, is_declared, key_of, never_released
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.tables import write_table
from faceage_bio.release.gate import check_folder
from faceage_bio.release.known import Known
from faceage_bio.release.rule import changes, midpoint, release, significant
from faceage_bio.stats.competing_risks import cumulative_incidence

COX = result_rows(
    pd.DataFrame({
        "cohort": "north", "question": "cox", "term": "face_age", "measure": "hazard ratio",
        "estimate": [1.234567, 2.5], "ci_lower": [1.01234, 1.1], "ci_upper": [1.4567, 4.0], "p_value": [0.012345, 0.04],
        "n": [114, 40], "n_events": [79, 4], "adjustment": "age", "covariates": "age",
    }),
    "survival/cox",
)  # fmt: skip


def test_midpoint_6_is_that_of_opensafely():
    assert midpoint(np.arange(14), 6).tolist() == [0, 3, 3, 3, 3, 3, 3, 9, 9, 9, 9, 9, 9, 15]


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_a_non_zero_count_is_never_told_apart_from_others(count, k):
    near = range(max(0, count - 2 * k), count + 2 * k)
    alike = [one for one in near if midpoint(one, k) == midpoint(count, k)]
    assert len(alike) == (1 if count == 0 else k)
    assert midpoint(midpoint(count, k), k) == midpoint(count, k)
    assert midpoint(count, 1) == count


def test_counts_are_rounded_and_statistics_of_few_redacted():
    told = release({"north/survival/cox": COX}, 6)["north/survival/cox"]
    assert told["n"].tolist() == [111, 39]
    assert told["n_events"].tolist() == [81, 3]
    assert told["estimate"].tolist()[0] == 1.23
    assert told.loc[1, ["estimate", "ci_lower", "ci_upper", "p_value"]].isna().all()
    assert told["status"].tolist() == ["ok", "not_estimated"]
    assert [one.code for one in decode(told["reason"][1])] == ["redacted"]


def test_what_is_redacted_is_not_sparse_too():
    sparse = reason("few", needed=30, what="participants")
    told = released("fairness/fairness", measure="mean error", estimate=2.0, n=5, reason=sparse)
    assert [one.code for one in decode(told["reason"])] == ["redacted"]


def codes(row) -> list[str]:
    return [one.code for one in decode(row["reason"])]


def test_counts_in_reasons_are_rounded():
    few = reason("few_events", n_events=4, needed=5)
    told = released("survival/cox", measure="hazard ratio", estimate=1.2, n=114, n_events=79, reason=few)
    assert decode(told["reason"])[0].parameters == {"n_events": "3", "needed": "5"}


@pytest.mark.parametrize("measure", [name for name, one in MEASURES.items() if one.kind not in (MODEL, TEST)])
def test_nothing_released_of_a_closed_function_of_counts_gives_n(measure):
    # an interval of a correlation, of a share or of a mean with its standard deviation is solved for n in one line
    solved = {"ci_lower": 0.2, "ci_upper": 0.6, "p_value": 0.001, "standard_error": 0.1, "statistic": 4.1}
    solved["df"] = 51
    told = released("acceleration/summary", measure=measure, estimate=0.41, n=53, **solved)
    assert told[list(solved)].isna().all()
    assert told["n"] == 51


def released(table: str, **row) -> pd.Series:
    """One row of a table as it may leave."""
    exact = result_rows([{"cohort": "c", "question": "x", "term": "y"} | row], table)
    return release({f"c/{table}": exact}, 6)[f"c/{table}"].iloc[0]


def test_degrees_of_freedom_of_residuals_do_not_give_n():
    t_test = {"measure": "mean difference", "estimate": 2.0, "statistic": 2.1, "df": 48, "n": 50}
    assert np.isnan(released("phenotype/phenotypes", **t_test)["df"])
    f_test = {"measure": "interaction F", "estimate": 2.0, "statistic": 2.0, "df": 3, "df_residual": 46}
    told = released("phenotype/interactions", **f_test, n=50)
    assert (told["df"], told["statistic"]) == (3, 2.0)
    assert np.isnan(told["df_residual"])
    pairs = {"measure": "ICC(1,1)", "estimate": 0.9, "error_df": 23, "n": 23}
    assert np.isnan(released("acceleration/reliability", **pairs)["error_df"])


def test_effect_sizes_that_give_n_are_redacted():
    # eta squared and omega squared, or a standardised difference and its interval, are solved for n in one line
    groups = {"measure": "partial omega squared", "estimate": 0.1, "eta_squared": 0.12, "df": 2, "n": 50}
    told = released("phenotype/tests", **groups)
    assert told["estimate"] == 0.1
    assert told[["eta_squared", "df"]].isna().all()
    pair = {
        "measure": "mean difference", "estimate": 2.0, "n": 50, "n_exposed": 24, "n_reference": 26, "effect_size": 0.5,
        "effect_lower": 0.1, "effect_upper": 0.9,
    }  # fmt: skip
    told = released("phenotype/pairs", **pair)
    assert told["effect_size"] == 0.5
    assert told[["effect_lower", "effect_upper"]].isna().all()


def test_frequency_of_an_allele_comes_from_rounded_counts():
    variant = {
        "measure": "mean difference", "estimate": 2.0, "n": 50, "n_alleles": 23, "n_carriers": 20, "frequency": 0.23,
        "hardy_weinberg_p": 0.3,
    }  # fmt: skip
    told = released("variants/common", **variant)
    assert told["frequency"] == pytest.approx(21 / 102, abs=5e-4)
    assert np.isnan(told["hardy_weinberg_p"])


MEAN = {"measure": "mean", "estimate": 2.0, "ci_lower": 1.0, "ci_upper": 3.0}
RATIO = MEAN | {"measure": "hazard ratio", "n": 50, "covariates": "age"}


@pytest.mark.parametrize(
    ("table", "row", "counted"),
    [
        ("acceleration/summary", MEAN, "n"),
        # and an intercept
        ("fairness/fairness", MEAN | {"measure": "slope", "adjustment": "unadjusted"}, "n"),
        ("survival/cox", RATIO, "n_events"),
    ],
)
def test_models_of_fewer_than_10_residual_degrees_of_freedom_are_redacted(table, row, counted):
    # 7 to 12 are told as 9, so that no reader learns on which side of 10 they are
    assert np.isnan(released(table, **row | {counted: 12})["estimate"])
    assert released(table, **row | {counted: 13})["estimate"] == 2.0


def test_survival_at_a_time_is_of_all_participants():
    told = released("survival/summary", **MEAN | {"measure": "median survival"}, n=50, n_events=9)
    assert told["estimate"] == 2.0


def test_an_unadjusted_difference_of_shares_is_redacted():
    raw = {"raw_estimate": 0.05, "raw_p_value": 0.2, "n": 50, "n_exposed": 24, "n_reference": 26}
    told = released("fairness/fairness", measure="difference of shares", **raw)
    assert told[["raw_estimate", "raw_p_value"]].isna().all()
    told = released("fairness/fairness", measure="difference in mean error", **raw)
    assert told["raw_estimate"] == 0.05


def test_reasons_of_the_unadjusted_estimate_are_rounded_too():
    few = reason("too_few_repeats", n=11, times=2, needed=12).encoded
    told = released("fairness/fairness", measure="mean error", n=50, reason=few, raw_reason=few)
    for name in ("reason", "raw_reason"):
        assert decode(told[name])[0].parameters == {"n": "9", "times": "2", "needed": "12"}


def test_reasons_tell_of_no_single_participant():
    alone = reason("without_single", column="smoking", level="pipe")
    told = released("phenotype/phenotypes", measure="mean difference", estimate=2.0, n=50, reason=alone)
    assert (told["estimate"], told["status"], told["reason"]) == (2.0, "ok", "")
    told = released("phenotype/groups", measure="mean difference", n=50, reason=reason("one_value"))
    assert codes(told) == ["redacted"]
    edges = reason("vertex_outside", low="41.3", high="79.1")
    told = released("phenotype/dose_response", measure="turning point", n=50, reason=edges)
    assert "41" not in told["reason"]


def test_rounding_of_1_changes_nothing():
    pd.testing.assert_frame_equal(release({"north/survival/cox": COX}, 1)["north/survival/cox"], COX)


def test_every_table_that_a_rule_writes_is_declared():
    rules = (Path(__file__).parents[2] / "workflow" / "rules").glob("*.smk")
    text = "\n".join(path.read_text() for path in rules)
    written = set(re.findall(r"<results>/(?:\{cohort\}|pooled)/([\w/]+)\.tsv", text))
    assert len(written) > 40
    places = [f"north/{name}" for name in written]
    assert [place for place in places if not (is_declared(place) or never_released(place))] == []


def test_rows_about_participants_are_never_released():
    ledgers = ("north/ledger", "north/survival/ledger", "north/expression/cells_ledger")
    assert all(map(never_released, ledgers))
    assert [name for name in TABLES if never_released(name)] == ["verification/numbers"]
    assert key_of("north/survival/cox.tsv") == "survival/cox"
    assert release({"north/ledger": COX}, 6) == {}


def curve(times, events) -> pd.DataFrame:
    at_risk = len(times) - np.arange(len(times))
    rows = pd.DataFrame({
        "cohort": "c", "grouping": "all", "group": "all", "years": times, "at_risk": at_risk, "entered": 0, "events": events,
        "censored": 1 - np.asarray(events), "survival": 1.0, "standard_error": 0.0, "ci_lower": 1.0, "ci_upper": 1.0, "interval": "log-log",
    })  # fmt: skip
    start = rows.iloc[:1].assign(years=0.0, entered=len(times), events=0, censored=0)
    return pd.concat([start, rows], ignore_index=True)


@given(st.lists(st.integers(0, 1), min_size=8, max_size=60))
def test_curves_follow_from_rounded_counts(events):
    exact = curve(np.arange(1, len(events) + 1) / 10, events)
    told = release({"c/survival/kaplan_meier": exact}, 6)["c/survival/kaplan_meier"]
    assert told["events"].sum() <= midpoint(sum(events), 6)
    assert ((told["at_risk"] % 3) == 0).all()
    step = 1 - told["events"] / told["at_risk"].where(told["at_risk"] > 0)
    assert told["survival"].to_numpy() == pytest.approx(step.fillna(1).cumprod().to_numpy())
    assert told["survival"].between(0, 1).all()
    assert (told["ci_lower"].fillna(0) <= told["ci_upper"].fillna(1)).all()


def random_study(seed: int) -> pd.DataFrame:
    """20 to 60 participants in three groups, as rows of a Cox table: everybody and each group, with events."""
    chance = np.random.default_rng(seed)
    n = chance.multinomial(chance.integers(20, 61), chance.dirichlet([1.5, 1.5, 0.7]))
    events = chance.binomial(n, 0.5)
    counts = [(n.sum(), events.sum()), *zip(n, events, strict=True)]
    rows = {
        "cohort": "c", "question": "sites", "measure": "hazard ratio", "term": "face_age", "level": ["", "a", "b", "c"],
        "estimate": 1.5, "ci_lower": 1.0, "ci_upper": 2.0, "n": [one for one, _ in counts], "n_events": [one for _, one in counts],
        "adjustment": "age", "covariates": "age",
    }  # fmt: skip
    return result_rows(pd.DataFrame(rows), "survival/sites")


def test_an_attacker_with_every_margin_finds_no_count():
    # everything that could have given the same release: counts of each group, with their sums and events within participants
    remaining = []
    for seed in range(25):
        exact = random_study(seed)
        told = release({"c/survival/sites": exact}, 6)["c/survival/sites"]
        fits = {name: [range_of(value) for value in told[name]] for name in ("n", "n_events")}
        each = zip(fits["n"][1:], fits["n_events"][1:], strict=True)
        groups = [[(n, e) for n, e in itertools.product(*one) if e <= n] for one in each]
        n, events = fits["n"][0], fits["n_events"][0]
        sums = (
            (study, [sum(part) for part in zip(*study, strict=True)]) for study in itertools.product(*groups)
        )
        possible = [study for study, total in sums if total[0] in n and total[1] in events]
        truth = tuple(zip(exact["n"][1:], exact["n_events"][1:], strict=True))
        assert truth in possible
        for group, (n, events) in enumerate(truth):
            for which, value in enumerate((n, events)):
                if value:
                    remaining.append(len({study[group][which] for study in possible}))
        remaining.append(len({sum(n for n, _ in study) for study in possible}))
    print(f"values that remain for a count: minimum {min(remaining)}, median {np.median(remaining):g}")
    assert min(remaining) > 1


def range_of(released: float) -> list[int]:
    """The counts that are told as this one."""
    return [count for count in range(80) if midpoint(count, 6) == released]


def test_survival_at_a_time_is_that_of_the_released_curve():
    exact = curve(np.arange(1, 41) / 10, [1, 0] * 20)
    rows = {
        "cohort": "c", "question": "survival", "measure": "survival", "horizon": [1.0, 2.0], "estimate": [0.8, 0.6],
        "ci_lower": [0.7, 0.5], "ci_upper": [0.9, 0.7], "n": 40, "n_events": [20, 5], "grouping": "all", "group": "all",
    }  # fmt: skip
    summary = result_rows(pd.DataFrame(rows), "survival/summary")
    told = release({"c/survival/kaplan_meier": exact, "c/survival/summary": summary}, 6)
    steps, made = told["c/survival/kaplan_meier"], told["c/survival/summary"]
    for row, years in ((0, 1.0), (1, 2.0)):
        last = steps[steps["years"] <= years].iloc[-1]
        assert made["estimate"][row] == pytest.approx(last["survival"], rel=5e-3)
        assert made["ci_lower"][row] == pytest.approx(last["ci_lower"], rel=5e-3)
        assert (made["status"][row], made["reason"][row]) == ("ok", "")


def test_three_significant_digits():
    assert significant(np.array([123456.0, 0.00123456, 0.0, -1.5])).tolist() == [123000.0, 0.00123, 0.0, -1.5]


def test_shares_of_table_one_come_from_rounded_counts():
    rows = {
        "cohort": "c", "question": "table one", "measure": ["participants", "missing", "share", "share"], "group": "all",
        "variable": ["", "sex", "sex", "sex"], "estimate": [40.0, 2 / 40, 20 / 38, 18 / 38], "n": [40, 2, 20, 18],
    }  # fmt: skip
    exact = result_rows(pd.DataFrame(rows), "phenotype/table_one")
    told = release({"c/phenotype/table_one": exact}, 6)["c/phenotype/table_one"]
    assert told["n"].tolist() == [39, 3, 21, 15]
    assert told["estimate"].tolist() == [39, 0.0769, 0.583, 0.417]  # 3/39, 21/36, 15/36
    assert set(told["status"]) == {"ok"}


def test_incidence_of_a_release_is_that_of_its_rounded_counts():
    times = np.arange(1, 61) / 10
    names = {"cohort": "c", "grouping": "all", "group": "all", "cause": "cancer"}
    exact = cumulative_incidence(times, np.tile([1, 0, 2], 20), 1).assign(**names)
    told = release({"c/survival/cumulative_incidence": exact}, 6)["c/survival/cumulative_incidence"]
    assert list(told) == list(exact)
    assert set(told["events"].cumsum()) <= {0, 3, 9, 15, 21}
    assert told["incidence"].iloc[-1] == pytest.approx(exact["incidence"].iloc[-1], abs=0.1)
    later = told[told["incidence"] > 0]
    assert (later["ci_lower"] <= later["incidence"]).all()
    assert (later["incidence"] <= later["ci_upper"]).all()


@pytest.mark.parametrize("k", [5, 6, 7, 10])
def test_each_preset_passes_the_gate(k, tmp_path):
    exact = curve(np.arange(1, 41) / 10, [1, 0] * 20)
    told = release({"c/survival/kaplan_meier": exact, "c/survival/cox": COX}, k)
    for place, table in told.items():
        write_table(table, tmp_path / "tables" / f"{place}.tsv")
    assert check_folder(tmp_path, Known(identifiers={"N0912"}), k) == []


def test_what_is_shown_depends_on_rounded_counts_alone():
    # within a step of rounding every count gives the same released row: thresholds, reasons and status tell nothing more
    row = {"measure": "hazard ratio", "estimate": 1.5, "ci_lower": 1.1, "ci_upper": 2.0, "covariates": "age"}

    def told(events, why, **row):
        found = released("survival/cox", n=60, n_events=events, reason=why, **row)
        return tuple(map(str, found.drop("cohort")))

    for low in range(7, 40, 6):
        assert len({told(events, sparse_of(events), **row) for events in range(low, low + 6)}) == 1, low
    few = {told(n, reason("few_events", n_events=n, needed=5), measure="hazard ratio") for n in range(1, 7)}
    assert len(few) == 1


@pytest.mark.parametrize(
    ("why", "n_events", "kept"),
    [
        (reason("few_events_per_variable", n_events=14, terms=2, needed=10), 14, True),
        (
            reason("few_events_per_variable", n_events=19, terms=2, needed=10),
            19,
            False,
        ),  # 24 events round to the same
        (reason("few_clusters", n_clusters=3, needed=20), 79, True),
        (reason("few_clusters", n_clusters=19, needed=20), 79, False),
    ],
)
def test_a_caution_leaves_where_its_rounded_count_tells_as_much(why, n_events, kept):
    row = {"measure": "hazard ratio", "estimate": 1.5, "ci_lower": 1.1, "ci_upper": 2.0, "covariates": "age"}
    told = released("survival/cox", n=114, n_events=n_events, reason=why, **row)
    assert (told["status"] == "sparse") == kept
    assert [one.code for one in decode(told["reason"])] == ([decode(why.encoded)[0].code] if kept else [])


def sparse_of(events: int):
    return reason("few_events_per_variable", n_events=events, terms=2, needed=10) if events < 20 else ""


def test_the_log_tells_no_exact_count():
    tables = [{"c/survival/cox": COX.assign(n=n)} for n in ([114, 40], [111, 39])]
    told = [changes(exact, release(exact, 6))["counts_rounded"].tolist() for exact in tables]
    assert told[0] == told[1]


def test_a_released_curve_changes_on_a_grid_that_is_no_participants_time():
    times = np.sort(np.random.default_rng(1).uniform(0, 5, 60))
    told = release({"c/survival/kaplan_meier": curve(times, [1, 0] * 30)}, 6)["c/survival/kaplan_meier"]
    assert np.allclose(told["years"] * 10, np.round(told["years"] * 10))
