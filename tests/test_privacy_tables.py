"""Tables leave without small numbers, and nobody can compute one from what is told."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.privacy.suppress import suppress
from faceage_bio.privacy.suppressed import MARK
from faceage_bio.privacy.tables import NEVER, TABLES, declared, key_of
from faceage_bio.report.formats import beside, without_folders
from faceage_bio.stats.small_cells import hidden_in_chain, hidden_in_marked_line
from tests.leaving import SMALL, as_text, bounds

counts_of_line = st.lists(st.integers(0, 40), min_size=2, max_size=7)


@given(counts_of_line)
@settings(max_examples=80, deadline=None)
def test_no_small_number_of_a_line_can_be_computed_although_marks_tell_why(counts):
    counts = np.array(counts)
    hidden = hidden_in_marked_line(counts, SMALL)
    small = (counts > 0) & (counts < SMALL)
    assert hidden[small].all()
    assert not hidden[(counts == 0)].any() or hidden.all() or counts.sum() < 2 * SMALL
    places = np.flatnonzero(hidden)
    if not small.any() or len(places) == len(counts) or (counts[~hidden] == 0).all():
        return  # everything is left out: the sum alone tells nothing of one of several
    limits = [(1, SMALL - 1) if small[place] else (SMALL, None) for place in places]
    for k, place in enumerate(places):
        if small[place]:
            low, high = bounds(np.ones((1, len(places))), np.array([counts[hidden].sum()]), limits, k)
            assert high - low >= 1


def test_marks_give_no_sum_away():
    assert hidden_in_marked_line([4, 4, 30, 9], SMALL).tolist() == [
        True,
        True,
        False,
        True,
    ]  # 4 + 4 = 8 fits nothing else
    assert hidden_in_marked_line([1, 5, 30], SMALL).all()  # 1 + 5 = 6 neither
    assert hidden_in_marked_line([3, 60, 20], SMALL).tolist() == [True, False, True]
    assert not hidden_in_marked_line([9, 60, 7], SMALL).any()


@given(st.lists(st.integers(0, 8), min_size=1, max_size=15))
def test_told_numbers_of_a_chain_never_differ_by_few(steps):
    counts = np.cumsum(steps)
    told = counts[~hidden_in_chain(counts, SMALL)]
    differences = np.diff(told)
    assert ((differences == 0) | (differences >= SMALL)).all()
    assert ((told == 0) | (told >= SMALL)).all()


def rows(**columns) -> pd.DataFrame:
    return pd.DataFrame({"cohort": "north", "analysis": "x", **columns})


def test_what_few_people_give_is_left_out_with_their_number():
    table = rows(
        age_band=["30-39", "40-49", "50-59"],
        age_lower=[30, 40, 50],
        n=[3, 20, 7],
        face_age_mean=[41.3, 50.0, 60.1],
    )
    told = as_text("acceleration/age_bands", table)
    assert told["n"].tolist() == [MARK, 20, MARK]
    assert told["face_age_mean"].tolist() == [MARK, 50.0, 60.1]
    assert told["age_lower"].tolist() == [30, 40, 50]
    assert suppress({"acceleration/age_bands": table}, 1)["acceleration/age_bands"].as_text().equals(table)
    page = suppress({"acceleration/age_bands": table}, SMALL)["acceleration/age_bands"].as_numbers(SMALL)
    assert page["n"].tolist()[:2] == [1.0, 20.0]  # printed as "< 5", and not as 3
    assert np.isnan(page["n"][2])


def test_quantiles_of_few_people_are_left_out():
    table = rows(
        age_band=["a", "b"], n=[19, 20], face_age_q25=40.0, face_age_median=50.0, face_age_q75=60.0, q10=30.0
    )
    told = as_text("acceleration/age_bands", table)
    assert told["face_age_q25"].tolist() == [MARK, 40.0]
    assert told["face_age_median"].tolist() == [50.0, 50.0]
    assert told["q10"].tolist() == [MARK, MARK]


def test_groups_of_a_contrast_are_left_out_together():
    table = rows(
        term=["a vs b", "c vs b"], factor="f", n=[60, 60], n_exposed=[3, 30], n_reference=[27, 27], estimate=[2.0, 1.0], p_value=[0.1, 0.2], note=""
    )  # fmt: skip
    told = as_text("phenotype/pairs", table)
    assert told.loc[0, ["n_exposed", "estimate", "p_value"]].tolist() == [MARK] * 3
    assert told.loc[0, "note"].startswith("not shown, because fewer than 5 people")
    assert told.loc[1, "n_reference"] == MARK  # 27 was left out above
    assert told.loc[1, "estimate"] == 1.0


def test_no_interval_tells_the_number_that_is_left_out():
    table = rows(
        measure=["mean error, years"] * 3 + ["share of photos without a face"] * 3, population="all", factor="race", within="", group=["a", "b", "c"] * 2,
        n=[3, 20, 50] * 2, estimate=[1.0, 2.0, 3.0, 0.0, 0.5, 0.5], ci_lower=0.1, ci_upper=0.9, n_events=np.nan, note="",
    )  # fmt: skip
    told = as_text("fairness/fairness", table)
    assert told["n"].tolist() == [MARK, MARK, 50] * 2
    assert told["estimate"].tolist() == [MARK, 2.0, 3.0, MARK, MARK, 0.5]
    assert told["ci_lower"].tolist() == [MARK, MARK, 0.1] * 2


def test_the_size_of_a_group_is_left_out_wherever_it_stands():
    means = rows(factor="site", level=["a", "b", "c"], measure="mean", n=[3, 20, 50], estimate=1.0, note="")
    pairs = rows(
        factor="site", term="b vs c", n=[73], n_exposed=[20], n_reference=[50], estimate=1.0, note=""
    )
    other = rows(
        term=["site: b vs c", "sex: male vs female"],
        n=73,
        n_exposed=20,
        n_reference=50,
        estimate=1.0,
        note="",
    )
    parts = rows(
        exposure="smoking", modifier=["site", "sex"], n=20, n_exposed=20, n_reference=8, estimate=1.0, note=""
    )
    tables = {
        "phenotype/means": means,
        "phenotype/pairs": pairs,
        "phenotype/phenotypes": other,
        "phenotype/subgroups": parts,
    }
    told = {key: one.as_text() for key, one in suppress(tables, SMALL).items()}
    assert told["phenotype/means"]["n"].tolist() == [MARK, MARK, 50]
    assert told["phenotype/pairs"]["n_exposed"].tolist() == [MARK]
    assert told["phenotype/phenotypes"]["n_exposed"].tolist() == [MARK, 20]
    assert told["phenotype/subgroups"]["n"].tolist() == [MARK, 20]
    assert told["phenotype/subgroups"]["n_exposed"].tolist() == [20, 20]


def test_few_deaths_leave_the_hazard_ratio_and_nothing_that_counts_them():
    table = rows(measure="hazard ratio", estimate=[1.5], n=[40], n_events=[4], events_per_term=[2.0], note="")
    told = as_text("survival/cox", table).loc[0]
    assert (told["estimate"], told["n"], told["n_events"], told["events_per_term"]) == (1.5, 40, MARK, MARK)
    survivors = rows(measure="hazard ratio", estimate=[1.5], n=[40], n_events=[38], note="")
    assert as_text("survival/cox", survivors)["n_events"].tolist() == [MARK]


def test_few_who_are_left_out_are_not_the_difference_of_two_numbers():
    table = rows(
        measure="hazard ratio",
        people=["all", "without a year"],
        left_out=[0, 3],
        estimate=[1.5, 1.6],
        n=[114, 111],
        n_events=[79, 78],
        note="",
    )
    told = as_text("survival/sensitivity", table)
    assert told.loc[0, ["left_out", "n", "n_events"]].tolist() == [0, 114, 79]
    assert told.loc[1, ["left_out", "n", "n_events"]].tolist() == [MARK] * 3
    assert told.loc[1, "estimate"] == 1.6


def test_numbers_of_people_as_estimates_and_those_who_lack_it():
    table = rows(
        term=["a", "b", "c"],
        measure="people who have the points",
        estimate=[3.0, 117.0, 60.0],
        n=[120, 120, 120],
    )
    assert as_text("scores/scored", table)["estimate"].tolist() == [MARK, MARK, 60.0]


def test_few_whose_score_lacks_a_value_are_not_the_difference_of_two_numbers():
    table = rows(
        definition="d", measure=["people who have the points"] * 3 + ["people"] * 2, estimate=[60.0, 50.0, 40.0, 90.0, 25.0], n=[120, 117, 118, 115, 115]
    ).assign(analysis=["items"] * 3 + ["groups"] * 2)  # fmt: skip
    assert as_text("scores/scored", table)["n"].tolist() == [120, MARK, MARK, 115, 115]


@pytest.mark.parametrize(("share", "told"), [(1 / 70, MARK), (69 / 70, MARK), (0.0, 0.0), (0.5, 0.5)])
def test_shares_that_are_few_people_are_left_out(share, told):
    table = rows(
        measure=["share of photos without a face"], estimate=[share], n=[70], n_events=[np.nan], note=""
    )
    assert as_text("fairness/fairness", table)["estimate"].tolist() == [told]


def test_carriers_and_those_who_are_none():
    table = rows(
        term=["A", "B", "C"],
        n=[114, 114, 114],
        n_carriers=[3, 111, 12],
        n_alleles=[3, 120, 12],
        estimate=[1.0, 2.0, 3.0],
        note="",
    )
    told = as_text("variants/genes", table)
    assert told["estimate"].tolist() == [MARK, MARK, 3.0]
    assert told["n_carriers"].tolist() == [MARK, MARK, 12]
    assert told["n"].tolist() == [114, 114, 114]


def test_cells_of_few_donors_are_not_the_difference_of_the_others():
    measures = ["cells", "cells kept", "cells dropped: too_few_genes", "cells dropped: doublet", "donors", "profiles kept", "profiles dropped: too_few_cells", "profiles dropped: no_cells_left"]  # fmt: skip
    table = rows(
        term="T",
        measure=measures,
        estimate=[1000, 900, 60, 40, 20, 15, 3, 2],
        n=[20, 20, 3, 18, 20, 15, 3, 2],
        note="",
    )
    told = as_text("expression/cell_quality", table).set_index("measure")["estimate"]
    assert (
        told[
            [
                "cells dropped: too_few_genes",
                "profiles dropped: too_few_cells",
                "profiles dropped: no_cells_left",
            ]
        ]
        == MARK
    ).all()
    assert (told[["cells kept", "cells dropped: too_few_genes", "cells dropped: doublet"]] == MARK).sum() == 2


def test_variants_quality_is_a_line():
    table = rows(
        term=["with genotypes", "call rate too low", "analysed"],
        measure="people",
        estimate=[120, 3, 117],
        n=117,
        note="",
    )
    told = as_text("variants/quality", table)["estimate"].astype(str).tolist()
    assert told[1] == MARK
    assert MARK in (told[0], told[2])


@given(st.lists(st.lists(st.integers(0, 7), min_size=3, max_size=3), min_size=3, max_size=4))
@settings(max_examples=40, deadline=None)
def test_deaths_of_risk_groups_are_no_difference_of_groups_or_times(steps):
    """Deaths until each time in groups of predicted risk: neither two times nor the other groups tell few."""
    until = np.cumsum(np.array(steps), axis=0) + 6
    lines = [
        {"question": "q", "model": "m", "kind": "group", "measure": "observed risk", "group": g, "at_years": float(t), "n": 90, "estimate": 0.5, "n_events": until[t, g], "note": ""}
        for t in range(len(steps)) for g in range(3)
    ]  # fmt: skip
    told = as_text("survival/calibration", pd.DataFrame(lines).assign(cohort="north"))
    hidden = (told["n_events"].astype(str) == MARK).to_numpy().reshape(len(steps), 3)
    assert (told["estimate"].astype(str) == MARK).to_numpy().reshape(len(steps), 3)[hidden].all()
    assert not (hidden.sum(axis=1) == 1).any()
    for g in range(3):
        differences = np.diff(until[~hidden[:, g], g])
        assert ((differences == 0) | (differences >= SMALL)).all()


def test_movers_leave_as_the_page_tells_them():
    groups = ["A", "B"]
    n = {("A", "A"): 16, ("A", "B"): 3, ("B", "A"): 3, ("B", "B"): 78}
    moves = [
        {"analysis": "movers", "term": f"{a} to {b}", "measure": "median survival, months", "estimate": 9.0, "n": k, "n_events": k // 2,
         "version": "face age, fixed cut", "from_group": a, "to_group": b, "note": ""}
        for (a, b), k in n.items()
    ]  # fmt: skip
    points = {"points both ways": 62, "points neither way": 17, "gained points": 12, "lost points": 9}
    moves += [
        {
            "analysis": "points",
            "term": term,
            "measure": "x",
            "n": k,
            "n_events": 6,
            "version": "face age, fixed cut",
            "note": "",
        }
        for term, k in points.items()
    ]
    moves += [
        {"analysis": "groups", "term": one, "measure": "x", "n": 19 if one == "A" else 81, "n_events": 9, "version": version, "note": ""}
        for version in ("age", "face age, fixed cut") for one in groups
    ]  # fmt: skip
    table = pd.DataFrame(moves).assign(cohort="north", definition="d")
    told = as_text("scores/comparison", table)
    moved = told[told["analysis"] == "movers"]
    assert (moved["n"] == MARK).all()  # with the sums told, 3 would be 19 - 16
    assert (moved["n_events"] == MARK).all()
    assert told.loc[told["analysis"] == "points", "n"].astype(int).tolist() == [62, 17, 12, 9]


def test_the_list_of_tables_is_closed():
    assert key_of("tables/north/survival/cox.tsv") == "survival/cox"
    assert key_of("north/flow.tsv") == "flow"
    assert declared("north/survival/ledger.tsv") is NEVER
    assert declared("north/ledger.tsv") is NEVER
    assert declared("north/survival/something_new.tsv") is None
    assert all(rule.words for rule in TABLES.values())


def test_every_table_that_a_rule_writes_is_declared():
    """So that a new table is thought about before anybody publishes it."""
    root = Path(__file__).parent.parent
    text = "\n".join(path.read_text() for path in (root / "workflow" / "rules").glob("*.smk"))
    written = set(re.findall(r"<results>/(?:\{cohort\}|pooled)/([\w/]+)\.tsv", text))
    assert len(written) > 40
    assert written - set(TABLES) - {"ledger", *(name for name in written if name.endswith("ledger"))} == set()
    for name in written:
        assert declared(f"north/{name}.tsv") is NEVER or not name.endswith("ledger"), name


def test_settings_on_a_page_name_files_without_folders():
    given = {
        "readings": "/srv/study/readings.tsv",
        "own": ["C:\\x\\score.yaml", "teachh_publication"],
        "per": "5 kg/m2",
        "n": 3,
    }
    told = {"readings": "readings.tsv", "own": ["score.yaml", "teachh_publication"], "per": "5 kg/m2", "n": 3}
    assert without_folders(given) == told
    assert (
        without_folders("https://doi.org/10.1016/j.landig.2025.03.002")
        == "https://doi.org/10.1016/j.landig.2025.03.002"
    )


def test_a_group_whose_number_is_not_told_is_named_without_one():
    assert beside(52.0, "people") == " (52 people)"
    assert beside(7.0) == " (7)"
    assert beside(float("nan"), "people") == ""


def test_people_with_two_rare_alleles_are_not_alleles_less_carriers():
    table = rows(
        n=[114, 114],
        n_alleles=[44, 60],
        n_carriers=[41, 50],
        frequency=[44 / 226, 60 / 228],
        hardy_weinberg_p=[0.3, 0.4],
    )
    told = as_text("variants/common", table)
    assert told["n_alleles"].astype(str).tolist() == [MARK, "60"]
    assert told["hardy_weinberg_p"].astype(str).tolist()[0] == MARK
    # what is left of the frequency fits more than one number of people who were genotyped, whatever the alleles not told are
    assert (
        len(
            {
                n
                for n in range(100, 115)
                for alleles in range(42, 46)
                if round(alleles / (2 * n), 2) == told["frequency"].iloc[0]
            }
        )
        > 4
    )


def test_few_flagged_photos_are_not_those_used_less_those_without_a_flag():
    table = rows(term="photos", measure=["ok", "flagged", "excluded"], estimate=[137.0, 1.0, 6.0], n=144)
    told = as_text("faceage/summary", table)["estimate"].astype(str)
    assert told.tolist()[:2] == [MARK, MARK]
    many = as_text("faceage/summary", table.assign(estimate=[118.0, 20.0, 6.0]))["estimate"]
    assert many.astype(float).tolist() == [118.0, 20.0, 6.0]


def test_what_is_left_out_has_one_note_whether_small_or_for_the_others_sake():
    table = rows(
        factor="ecog",
        level=["0", "1", "3"],
        n=[40, 8, 2],
        estimate=1.0,
        note=["", "", "a group has fewer than 2 people"],
    )
    told = as_text("phenotype/means", table.assign(model="mean", measure="mean years", adjustment="none"))
    assert told["n"].astype(str).tolist() == ["40", MARK, MARK]
    assert told["note"].iloc[1] == told["note"].iloc[2]


def test_deaths_left_out_together_have_many_survivors():
    """Two groups of whom 20 and 21 of 22 died: their deaths together, 41, are what the third leaves of all."""
    summary = pd.DataFrame(
        {"cohort": "north", "grouping": ["all", *["arm"] * 3], "group": ["all", "a", "b", "c"], "measure": "median survival, years",
         "estimate": 1.0, "n": [104, 22, 22, 60], "n_events": [71, 20, 21, 30], "note": ""}
    )  # fmt: skip
    told = suppress({"survival/summary": summary}, SMALL)["survival/summary"].as_text()
    assert told["n_events"].astype(str).tolist()[1:] == [MARK, MARK, MARK]


def test_no_share_is_written_with_all_its_digits():
    table = rows(measure="died of cancer within 1 year", estimate=[24 / 111], n=[111], n_events=[57])
    assert as_text("survival/competing_risks", table)["estimate"].tolist() == [0.216]
    assert suppress({"survival/competing_risks": table}, 1)["survival/competing_risks"].as_text()[
        "estimate"
    ].tolist() == [24 / 111]
