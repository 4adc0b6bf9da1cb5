"""Clinical scores: the published rule at each of its boundaries, the swap against R, users' own scores, everything told that is wrong."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.analyses.scores.calculate import (
    Version,
    absent_columns,
    matched_cut,
    not_scored,
    read_answers,
    renamed,
    score_people,
    summarise_scores,
    swap_ages,
)
from faceage_bio.analyses.scores.compare import compare_score, hazard_rows
from faceage_bio.analyses.scores.definition import SHIPPED, load_score, shipped
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import CohortError, ConfigError, FitError
from faceage_bio.core.settings.settings_survival import Scores
from faceage_bio.core.tables import read_table, read_text_table, write_table
from faceage_bio.report.pages import survival_page
from faceage_bio.report.sections_scores import scores_section
from faceage_bio.report.tables_by_place import collect
from faceage_bio.stats.concordance import concordance
from faceage_bio.stats.prediction_accuracy import censored_areas
from faceage_bio.stats.resampling import areas, concordances, draw_counts
from tests.browser import check_width
from tests.commands import invoked, output_of
from tests.golden.scores import data
from tests.report_studies import CARD, survival_tables
from tests.rows import golden, worded

r = golden("scores")
TEACHH, REPOSITORY = load_score("teachh_publication"), load_score("teachh_faceage_repository")
# no point: breast, 60 years, ECOG 1, one course, no stay, no metastasis
NO_POINT = {
    "subject_id": "a", "primary_cancer": "breast", "chronological_age": 60.0, "ecog": 1, "chemotherapy_courses": 1,
    "hospitalisations_3_months": 0, "liver_metastases": "no",
}  # fmt: skip


def scored(rows, score=TEACHH):
    table = pd.DataFrame([NO_POINT | row for row in rows])
    return score_people(table, score, "x", "clinical.tsv", range(2, len(table) + 2))


def compared(people=None, score=TEACHH, **choices):
    people = data.people() if people is None else people
    settings = Scores(**{"bootstraps": 100} | choices)
    people = people.assign(entry_years=people.get("entry_years", np.nan))
    return worded(
        compare_score(people, score, "t", settings, 10.0, "c", "people.tsv", range(2, len(people) + 2))
    )


# -- the rule, worked by hand from the publication's text ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "without", "point"),
    [
        ("primary_cancer", ["breast", "prostate", "Breast", "PROSTATE"], ["lung", "other", "Colorectal"]),
        (
            "chronological_age",
            [59.9, 60, "60", "60.0", 9],
            [60.1, "60.01", 61, 75.0, 99.9, 100, "100", 100.5, "103"],
        ),
        ("ecog", [0, 1, "1", "1.0"], [2, 3, 4, "2"]),
        ("chemotherapy_courses", [0, 1, "1"], [2, "2", 3, 9, 10, "10", "11", 25]),
        ("hospitalisations_3_months", [0, "0"], [1, "1", 2, 9, 10, "12"]),
        ("liver_metastases", ["no", 0, "0", "absent", False], ["yes", 1, "1", "present", "Yes", True]),
    ],
)
def test_each_item_at_its_boundary(item, without, point):
    for value, expected in [(value, 0.0) for value in without] + [(value, 1.0) for value in point]:
        assert scored([{item: value}]).total.tolist() == [expected], value


def test_the_two_published_rules_differ_in_chemotherapy_alone():
    courses = [{"chemotherapy_courses": number} for number in (0, 1, 2, 3, 10)]
    assert scored(courses, TEACHH).total.tolist() == [0, 0, 1, 1, 1]
    assert scored(courses, REPOSITORY).total.tolist() == [0, 0, 0, 1, 1]
    one, other = (score.model_dump()["items"] for score in (TEACHH, REPOSITORY))
    expected = ["chemotherapy_courses"]
    assert [item["column"] for item, twin in zip(one, other, strict=True) if item != twin] == expected


def test_totals_and_groups_of_whole_participants():
    points = {
        "primary_cancer": "lung", "chronological_age": 101, "ecog": 3, "chemotherapy_courses": 12,
        "hospitalisations_3_months": 10, "liver_metastases": "yes",
    }  # fmt: skip
    found = scored([dict(list(points.items())[:n]) for n in range(7)])
    assert found.total.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert "".join(found.group) == "AABBBCC"


def test_one_old_or_much_treated_participant_changes_no_other_points(tmp_path):
    # the study's program made text of the whole table once one age had three digits or one count two (trap T8)
    ages = [{"chronological_age": age, "chemotherapy_courses": 3} for age in (61, 75, 59)]
    alone = scored(ages).total.tolist()
    among = scored([*ages, {"chronological_age": 100.5, "chemotherapy_courses": 10}]).total.tolist()
    assert among == [*alone, 2.0] == [2.0, 2.0, 1.0, 2.0]
    path = tmp_path / "clinical.tsv"
    pd.DataFrame([NO_POINT | row for row in [*ages, {"chronological_age": 100.5}]]).to_csv(
        path, sep="\t", index=False
    )
    typed = read_text_table(path)
    assert score_people(typed, TEACHH, "x", "c", typed.index).total.tolist() == [2.0, 2.0, 1.0, 1.0]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12)
)
def test_text_and_numbers_give_the_same_points(rows):
    columns = ["chronological_age", "chemotherapy_courses", "hospitalisations_3_months"]
    rows = [dict(zip(columns, (age / 10, *more), strict=True)) for age, *more in rows]
    text = [{key: str(value) for key, value in row.items()} for row in rows]
    age, courses, stays = (np.array([row[column] for row in rows]) for column in columns)
    by_hand = (age > 60) + (courses >= 2).astype(int) + (stays >= 1)
    assert scored(rows).total.tolist() == scored(text).total.tolist() == by_hand.tolist()


def test_what_is_missing_is_no_zero_but_no_score_with_the_reason():
    found = scored([
        {}, {"ecog": ""}, {"ecog": "NA", "liver_metastases": None}, {"primary_cancer": "genitourinary"}, {"ecog": np.nan},
    ])  # fmt: skip
    assert found.total.isna().tolist() == found.group.isna().tolist() == [False, True, True, True, True]
    alone, both, unclear = (
        "ecog not known", "ecog not known; liver_metastases not known", "primary_cancer does not tell",
    )  # fmt: skip
    assert found.reason.tolist() == ["", alone, both, unclear, alone]
    summary = summarise_scores(found, TEACHH, "x", "c")
    without = summary[summary.question == "no score"].set_index("term").estimate
    assert without.to_dict() == {alone: 2, both: 1, unclear: 1}
    groups = summary[(summary.question == "groups")].set_index("term")
    assert groups.estimate.to_dict() == {"A": 1, "B": 0, "C": 0}
    assert (groups.n == 1).all()
    assert summary[summary.term == "ECOG 2 to 4"].n.tolist() == [2]


def test_every_bad_cell_is_told_with_file_line_column_value_and_expectation():
    rows = [
        {"ecog": 5}, {"ecog": "two"}, {"chemotherapy_courses": "2.5"}, {"chemotherapy_courses": "1,5"},
        {"hospitalisations_3_months": -1}, {"chronological_age": "640"}, {"primary_cancer": "prostata"}, {"liver_metastases": "maybe"},
        {"liver_metastases": 3}, {"ecog": "1e400"},
    ]  # fmt: skip
    with pytest.raises(CohortError) as error:
        scored(rows)
    text = str(error.value)
    for line in (
        "clinical.tsv: column 'ecog': 2 row(s), line 3: 'two'; line 11: '1e400'. Expected a number. Write a plain number",
        "'ecog': 1 row(s), line 2: '5'. Expected a whole number from 0 to 4 for \"ECOG 2 to 4\"",
        "'chemotherapy_courses': 1 row(s), line 4: '2.5'. Expected a whole number from 0 to 50 (courses before radiotherapy)",
        "'chemotherapy_courses': 1 row(s), line 5: '1,5'. Expected a number. Write a decimal point, not a comma",
        "'hospitalisations_3_months': 1 row(s), line 6: '-1'. Expected a whole number from 0 to 40",
        "'chronological_age': 1 row(s), line 7: '640'",
        "'primary_cancer': 1 row(s), line 8: 'prostata'. Expected one of breast, prostate, lung",
        "'liver_metastases': 1 row(s), line 9: 'maybe'. Expected yes, no, true, false, present, absent for",
        "'liver_metastases': 1 row(s), line 10: '3'. Expected a whole number from 0 to 1, or yes, no",
    ):
        assert line in text, (line, text)
    message = r"clinical.tsv: line 1 lacks the column.* 'ecog' of TEACHH \(publication\)"
    with pytest.raises(CohortError, match=message):
        score_people(pd.DataFrame([NO_POINT]).drop(columns="ecog"), TEACHH, "x", "clinical.tsv", [2])


# -- a score is data ----------------------------------------------------------------------------------------------------

MADE_UP = {
    "name": "Made-up", "citation": "nobody", "reference_group": "low", "more_points": "better",
    "items": [
        {"label": "CRP low", "column": "crp", "rule": "<=", "threshold": 10, "points": 2, "range": [0, 600]},
        {"label": "Stage", "column": "stage", "rule": "in", "values": ["I", "II"], "points": 1, "allowed": ["I", "II", "III", "IV"]},
        {"label": "Young", "column": "chronological_age", "rule": "<", "threshold": 70, "points": 0.5, "range": [0, 120]},
        {"label": "ECOG", "column": "ecog", "rule": "in", "values": [0.0, 1.0], "points": 1, "range": [0, 4], "whole": True},
    ],
    "groups": [{"name": "high", "points": [0, 1.5]}, {"name": "low", "points": [2, 4.5]}],
}  # fmt: skip


def write(path, **changes):
    path.write_text(yaml.safe_dump(MADE_UP | changes, sort_keys=False))
    return str(path)


def test_a_score_of_the_users_own_needs_no_code(tmp_path):
    score = load_score(write(tmp_path / "mine.yaml"))
    table = pd.DataFrame({
        "subject_id": list("abc"), "crp": [10, 10.1, "4"], "stage": ["II", "iii", "I"], "chronological_age": [69.9, 70, 102],
        "ecog": [1, 2, 0],
    })  # fmt: skip
    found = score_people(table, score, "mine", "t.tsv", range(2, 5))
    assert found.total.tolist() == [4.5, 0.0, 4.0]
    assert found.group.tolist() == ["low", "high", "low"]
    people = data.people().assign(crp=lambda d: 5 + 2 * d.chemotherapy_courses, stage="II")
    rows = compared(people, score)
    assert rows[rows.question == "groups"].term.unique().tolist() == ["high", "low"]
    assert (rows[(rows.question == "cox") & (rows.version == "age")]["reference"] == "low").all()
    # more points are better, so C is that of dying later
    assert rows[(rows.measure == "Harrell's C")].estimate.min() > 0.5


def items(change, place=0):
    return {"items": [item | (change if k == place else {}) for k, item in enumerate(MADE_UP["items"])]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (items({"treshold": 3}), r"item 1 \(CRP low\): items.0.treshold: unknown key; did you mean 'threshold'\?"),
        (items({"threshold": "10"}), r'item 1 \(CRP low\): items.0.threshold: found "10" \(str\), expected a valid number'),
        (items({"threshold": None}), r'item 1 \(CRP low\): items.0: the rule "<=" needs a threshold'),
        (items({"rule": "=<"}), r"item 1 \(CRP low\): items.0.rule: .*expected '>', '>=', '<', '<=', 'in' or 'not in'"),
        (items({"range": None}), "numbers need range"),
        (items({"range": [5, 5]}), "give the lower end and then the higher"),
        (items({"range": [5]}), "found 1 entry, expected at least 2"),
        (items({"points": True}), "items.0.points: found true"),
        (items({"words": {True: 1.0}}), "items.0.words"),
        (items({"allowed": ["a"]}), "allowed and unclear are for words"),
        (items({"allowed": None}, 1), r"item 2 \(Stage\): items.1: words need allowed"),
        (items({"values": ["V"]}, 1), "values holds V, which allowed does not"),
        (items({"threshold": 3}, 1), 'the rule "in" needs values'),
        (items({"whole": True}, 1), "range, whole and words are for numbers"),
        (items({"label": "Stage"}), "items: 'Stage' stands more than once"),
        ({"reference_group": "B"}, r"reference_group: 'B' is none of the groups \(high, low\)"),
        ({"groups": [{"name": "low", "points": [0, 4]}]}, "a total of 4.5 points can occur and falls into no group"),
        ({"groups": [{"name": "low", "points": [0, 4.5]}, {"name": "high", "points": [2, 9]}]},
         "a total of 2 points can occur and falls into the groups low and high"),
        ({"groups": [{"name": "low", "point": [0, 4.5]}]}, r"group 1 \(low\): groups.0.point: unknown key; did you mean 'points'\?"),
        ({"citation": None}, "citation: found null"),
    ],
)  # fmt: skip
def test_a_wrong_definition_names_file_item_key_and_what_to_write(tmp_path, change, message):
    path = tmp_path / "mine.yaml"
    with pytest.raises(ConfigError, match=message) as error:
        load_score(write(path, **change))
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("teach_publication", None, "did you mean 'teachh_publication'"),
        ("zzz", None, "not shipped; no other is like it. Expected one of teachh_faceage_repository, teachh_publication, or a file"),
        ("none.yaml", None, "cannot be read"),
        ("bad.yaml", "a: [", "not valid YAML"),
        ("bad.yaml", "- a", "expected keys and values"),
    ],
)  # fmt: skip
def test_a_score_that_is_no_file_or_no_shipped_one(tmp_path, name, content, message):
    if content:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_score(str(tmp_path / name) if name.endswith("yaml") else name)


def test_shipped_scores_say_where_they_come_from_and_invent_nothing():
    assert shipped() == ["teachh_faceage_repository", "teachh_publication"]
    assert TEACHH.doi == "10.1002/cncr.28408"
    for fact in ("862 patients", "19.9 months (95% CI 13.9–31.1)", "5.0 months (4.3–5.6)"):
        assert fact in TEACHH.published
    assert "group C: not in the text available to us" in TEACHH.published
    for path in SHIPPED.glob("*.yaml"):
        for item in yaml.safe_load(path.read_text())["items"]:
            assert not isinstance(item.get("threshold"), str)


# -- the swap against R ---------------------------------------------------------------------------------------------------

VERSIONS = {"age": "age", "fixed": "face age, fixed cut", "matched": "face age, matched cut"}


@pytest.fixture(scope="module", params=["publication", "repository"])
def swapped(request):
    score = {"publication": TEACHH, "repository": REPOSITORY}[request.param]
    return request.param, compared(score=score)


def equal(rows, *quantity, columns=("estimate", "ci_lower", "ci_upper")):
    np.testing.assert_allclose(
        rows[list(columns)].to_numpy(dtype=np.float64).ravel(), r(*quantity), rtol=1e-6
    )


WITH_P = ("estimate", "ci_lower", "ci_upper", "p_value")


@pytest.mark.parametrize("version", VERSIONS)
def test_groups_hazards_and_discrimination_equal_r(swapped, version):
    rule, rows = swapped
    mine = rows[rows.version == VERSIONS[version]]
    name = f"{rule} {version}"
    groups, cox = mine[mine.question == "groups"], mine[mine.question == "cox"]
    assert groups.n.tolist() == r(f"{name} n").tolist()
    assert groups.n_events.tolist() == r(f"{name} deaths").tolist()
    equal(groups, name, "median")
    equal(cox, name, "cox", columns=WITH_P)
    told = rows[(rows.question == "discrimination") & (rows.term == VERSIONS[version])]
    told = told.set_index(["measure", "horizon"]).estimate.sort_index()
    assert told["Harrell's C"].item() == pytest.approx(r(f"{name} C")[0], rel=1e-6)
    found = [told["AUC", months / 12] for months in (3, 6, 12)]
    np.testing.assert_allclose(found, r(f"{name} AUC"), rtol=1e-6)
    if version != "age":
        moves = mine[mine.question == "movers"]
        assert moves.n.tolist() == r(f"{name} moves").tolist()
        assert mine[mine.question == "points"].n.tolist() == r(f"{name} points").tolist()
        assert moves.n.sum() == len(data.people())


def test_totals_and_cuts_equal_r(swapped):
    rule, rows = swapped
    score = {"publication": TEACHH, "repository": REPOSITORY}[rule]
    people = data.people()
    found = score_people(people, score, "x", "p", range(len(people)))
    assert found.total.tolist() == r(f"{rule} age total").tolist()
    cut, by_age, matched, fixed = r("cut")
    cuts = rows[rows.question == "cut"].set_index(["version", "measure"]).sort_index().estimate
    assert cuts["face age, matched cut", "cut-point"] == pytest.approx(cut)
    assert cuts["face age, fixed cut", "cut-point"] == 60
    assert [cuts[VERSIONS[name], "participants"] for name in VERSIONS] == [by_age, fixed, matched]
    assert cuts["face age, fixed cut", "difference in participants"] == fixed - by_age
    assert cuts["face age, matched cut", "difference in participants"] == 0


def test_models_without_cuts_and_their_likelihood_ratio_tests_equal_r(swapped):
    rule, rows = swapped
    cox = rows[rows.version.isin(["age, continuous", "face age, continuous"])]
    equal(cox, rule, "continuous", columns=WITH_P)
    told = rows[rows.measure == "Harrell's C"].set_index("term")
    equal(told.loc[["age, continuous", "face age, continuous"]], rule, "continuous C", columns=["estimate"])
    tests = rows[rows.question == "likelihood ratio"]
    equal(tests.iloc[:2], rule, "LRT", columns=("estimate", "p_value"))
    # what is not nested has no likelihood-ratio test, and the row says so
    assert np.isnan(tests.estimate.iloc[2])
    assert tests.note.iloc[2] == (
        "not estimated, because neither model is part of the other, and a likelihood-ratio test compares no such models; see the paired "
        "differences of C and of the areas"
    )


def test_who_enters_late_is_compared_from_then_on_as_in_r():
    people = data.people()
    late = np.where(np.arange(len(people)) % 2 == 0, (people.followup_years / 3).round(2), np.nan)
    rows = compared(people.assign(entry_years=late))
    told = rows[(rows.measure == "Harrell's C") & (rows.term == "age")].estimate
    assert told.item() == pytest.approx(r("late C")[0], rel=1e-6)
    by_age = rows[rows.version == "age"]
    equal(by_age[by_age.question == "cox"], "late cox", columns=WITH_P)
    equal(by_age[by_age.question == "groups"], "late median")


# -- resampling -----------------------------------------------------------------------------------------------------------


def test_weights_are_resamples_written_shorter():
    people = data.people().iloc[:60]
    years, event = people.followup_years.to_numpy(), people.event.to_numpy()
    risk = np.round(people.face_age / 8).to_numpy()
    counts = draw_counts(60, 25, seed=3)
    assert (counts.sum(axis=1) == 60).all()
    c, area = concordances(years, event, risk, counts), areas(years, event, risk, 0.5, counts)
    for row, one, other in zip(counts.astype(int), c, area, strict=True):
        drawn = np.repeat(np.arange(60), row)
        assert one == pytest.approx(concordance(years[drawn], event[drawn], risk[drawn]).value[0], rel=1e-12)
        expected = censored_areas(risk[drawn], years[drawn], event[drawn], 0.5).area[0]
        assert other == pytest.approx(expected, rel=1e-12)


def test_the_same_seed_gives_the_same_interval_and_differences_are_paired():
    one, same, other = compared(seed=1), compared(seed=1), compared(seed=2)
    pd.testing.assert_frame_equal(one, same)
    told, again = (
        rows[rows.question == "discrimination"].set_index(["term", "measure"]).sort_index(kind="stable")
        for rows in (one, other)
    )
    method = "100 paired bootstrap resamples of participants, percentile interval, seed 1"
    assert told.method.str.fullmatch(method).all()
    assert (told.estimate == again.estimate).all()
    assert (told.ci_lower != again.ci_lower).any()
    c, width = told.estimate, told.ci_upper - told.ci_lower
    difference = ("face age, fixed cut minus age", "difference of Harrell's C")
    fixed, age = ("face age, fixed cut", "Harrell's C"), ("age", "Harrell's C")
    assert c[difference].item() == pytest.approx(c[fixed].item() - c[age].item())
    # two scores that share five of six items agree, so their difference is known better than either
    assert width[difference].item() < width[age].item()


def test_identical_ages_move_no_participant_and_differ_in_nothing():
    rows = compared(data.people().assign(face_age=lambda d: d.chronological_age))
    moved = rows[(rows.question == "movers") & (rows.from_group != rows.to_group)]
    assert (moved.n == 0).all()
    differences = rows[rows.measure.isin(["difference of Harrell's C", "difference of AUC"])]
    assert (differences[["estimate", "ci_lower", "ci_upper"]] == 0).all(axis=None)


def test_an_area_by_a_time_of_few_deaths_is_not_estimated():
    table = data.people().sort_values("followup_years")
    died = table.event == 1
    first = table.followup_years[died].iloc[0]
    rows = compared(table, horizons_months=[12 * first, 12.0])
    early, late = (rows[(rows.measure == "AUC") & np.isclose(rows.horizon, time)] for time in (first, 1.0))
    assert early.estimate.isna().all()
    assert set(early.note) == {"not estimated, because fewer than 10 had died by then"}
    assert (early.n_events < 10).all()
    assert late.estimate.notna().all()


def test_a_group_without_deaths_takes_no_ratio_from_the_others():
    random = np.random.default_rng(2)
    groups = pd.Series(["A"] * 8 + ["B"] * 50 + ["C"] * 32)
    people = pd.DataFrame({"followup_years": random.exponential(np.where(groups == "C", 0.5, 1.5)) + 0.01,
                           "event": np.where(groups == "A", 0, 1.0) * (random.random(90) < 0.8), "entry_years": 0.0})  # fmt: skip
    points = groups.map({"A": 0, "B": 3, "C": 6})
    all_of_them = hazard_rows(people, Version("age", points, groups, points, {}), TEACHH, "B")
    without, rest = groups != "A", people[groups != "A"]
    fewer = hazard_rows(
        rest, Version("age", points[without], groups[without], points[without], {}), TEACHH, "B"
    )
    by = [{row["term"]: row for row in rows} for rows in (all_of_them, fewer)]
    assert "estimate" not in by[0]["A"]
    assert by[0]["A"]["reason"].parameters["n_events"] == 0
    assert by[0]["C"]["estimate"] == by[1]["C"]["estimate"]
    assert round(by[0]["C"]["estimate"], 3) == 3.472  # R 4.2.2, coxph of all three groups


def planted(seed, n=400, shuffled=False):
    """Death follows face age; the clinical items say nothing."""
    random = np.random.default_rng(seed)
    age = random.normal(61, 8, n)
    face = age + random.normal(0, 9, n)
    death = random.exponential(1, n) / np.exp(0.09 * (face - 61))
    leave = random.uniform(0.5, 3, n)
    return pd.DataFrame({
        "chronological_age": age, "face_age": random.permutation(face) if shuffled else face,
        "primary_cancer": random.choice(["breast", "lung"], n), "ecog": random.integers(0, 5, n),
        "chemotherapy_courses": random.poisson(1.5, n), "hospitalisations_3_months": random.poisson(0.5, n),
        "liver_metastases": random.integers(0, 2, n), "followup_years": np.minimum(death, leave) + 0.001,
        "event": (death <= leave).astype(float),
    })  # fmt: skip


def test_a_planted_gain_is_found_and_shuffled_faces_have_none():
    gain, lost = (
        compared(planted(1, shuffled=shuffled)).set_index(["term", "measure"]).sort_index()
        for shuffled in (False, True)
    )
    pair = ("face age, continuous minus age, continuous", "difference of Harrell's C")
    assert gain.loc[pair, "ci_lower"].item() > 0
    assert lost.loc[pair, "ci_upper"].item() < 0
    added = ("face age, added to the other items and age", "likelihood-ratio chi-square")
    assert lost.loc[added, "p_value"].item() > 0.05


# -- the matched cut ------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(300, 900), st.integers(300, 900)),
        min_size=3,
        max_size=40,
        unique_by=lambda pair: pair[1],
    )
)
def test_as_many_are_above_the_matched_cut_as_above_sixty(pairs):
    ages, faces = (pd.Series([pair[k] / 10 for pair in pairs]) for k in (0, 1))
    item = TEACHH.items[1]
    above = int((ages > 60).sum())
    if above in (0, len(pairs)):
        with pytest.raises(FitError, match="no cut of face age is like it"):
            matched_cut(ages, faces, item)
    else:
        assert int((faces > matched_cut(ages, faces, item)).sum()) == above


@settings(deadline=None, max_examples=10)
@given(st.integers(-300, 300))
def test_the_same_years_on_every_face_move_the_fixed_cut_alone(tenths):
    people = data.people()
    older = people.assign(face_age=people.face_age + tenths / 10)
    answers = read_answers(people, TEACHH, "p", range(len(people)))
    one, other = (swap_ages(table, answers, TEACHH) for table in (people, older))
    by_age, fixed, matched = other.versions
    assert (by_age.totals == one.versions[0].totals).all()
    assert (matched.totals == one.versions[2].totals).all()
    change = fixed.totals - one.versions[1].totals
    assert (change >= 0).all() if tenths >= 0 else (change <= 0).all()


def test_tied_face_ages_give_the_nearest_share_and_say_so():
    people = data.people().assign(face_age=lambda d: np.where(d.face_age > 50, 70.0, 45.0))
    rows = compared(people)
    note = rows[(rows.question == "cut") & (rows.version == "face age, matched cut")].note
    assert (note == "tied face ages, so the shares are equal only nearly").all()


# -- what cannot be had ---------------------------------------------------------------------------------------------------


def test_a_cohort_without_the_columns_says_which():
    people = data.people().drop(columns="liver_metastases").assign(primary_cancer=None)
    assert absent_columns(people, TEACHH) == ["primary_cancer", "liver_metastases"]
    rows = compared(people)
    expected = ["not estimated, because the clinical table has no primary_cancer and no liver_metastases"]
    assert rows.note.tolist() == expected
    # a table of nobody lacks no column
    nobody = compared(data.people().iloc[:0])
    assert nobody.note.tolist() == [
        "not estimated, because no participant with age acceleration has follow-up"
    ]


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        ({"ecog": lambda d: np.where(np.arange(len(d)) < 1, 1, np.nan), "primary_cancer": "genitourinary"},
         ("groups", "all"), "none of 160 participants with follow-up has every item of the score"),
        ({"event": 0}, ("cox", "A"), "0 deaths are too few; a hazard ratio needs at least 5"),
        ({"primary_cancer": "breast", "ecog": 0, "chemotherapy_courses": 0}, ("cox", "C"), "the group is empty"),
        ({"ecog": 4, "chemotherapy_courses": 9, "chronological_age": 80.0}, ("cox", "B"), "no participant is in the reference group A"),
        ({"chronological_age": 55.0}, ("groups", "all"), "no participant fulfils > 60 by age, so no cut of face age is like it"),
        ({"face_age": 71.0}, ("groups", "all"), "all face ages are the same"),
        ({"entry_years": 0.001}, ("discrimination", "age"), "a participant enters late, which an area under the ROC curve at a time does not allow for"),
    ],
)  # fmt: skip
def test_what_cannot_be_estimated_keeps_its_row_and_says_why(change, where, message):
    rows = compared(data.people().assign(**change), reference_group="A" if where[1] == "B" else None)
    found = rows[(rows.question == where[0]) & (rows.term == where[1]) & rows.estimate.isna()]
    assert found.note.unique().tolist() == [f"not estimated, because {message}"]


def test_a_score_without_age_or_a_strange_reference_group(tmp_path):
    without = load_score(write(tmp_path / "mine.yaml", items=MADE_UP["items"][:2], groups=[
        {"name": "high", "points": [0, 1.5]}, {"name": "low", "points": [2, 3]}]))  # fmt: skip
    rows = compared(data.people().assign(crp=5, stage="I"), without)
    assert rows.note.tolist() == [
        "not estimated, because Made-up has no item on chronological_age, so no age can be swapped"
    ]
    message = r"scores.reference_group: 'D' is no group of TEACHH \(publication\). Expected one of A, B, C. Name one of them"
    with pytest.raises(ConfigError, match=message):
        compared(reference_group="D")
    rows = compared(reference_group="A")
    assert rows[rows.version == "age"]["reference"].dropna().unique().tolist() == ["A"]


# -- commands -------------------------------------------------------------------------------------------------------------


def test_the_step_runs_on_a_plain_table(tmp_path):
    path = tmp_path / "people.tsv"
    data.people().rename(columns={"ecog": "PS"}).to_csv(path, sep="\t", index=False)
    definitions = "--set scores.definitions=teachh_publication,teachh_faceage_repository"
    said = output_of(f"compute-scores --clinical {path} --column ecog=PS --output {tmp_path} {definitions}")
    assert "people: TEACHH (publication): 160 of 160 participants have a score" in said
    assert (tmp_path / "scores.parquet").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "comparison.tsv").exists()
    own = read_table(tmp_path / "scores.parquet")
    assert own[own.definition == "teachh_publication"].total.tolist() == r("publication age total").tolist()
    path = tmp_path / "full.tsv"
    data.people().to_csv(path, sep="\t", index=False)
    both = f"--clinical {path} --participants {path} --output {tmp_path}"
    output_of(f"compute-scores {both} --set scores.bootstraps=100")
    assert read_table(tmp_path / "comparison.tsv").question.nunique() == 7
    (tmp_path / "copy.yaml").write_text(output_of("show-score teachh_publication"))
    assert load_score(str(tmp_path / "copy.yaml")) == TEACHH


def test_a_table_without_the_columns_stops_the_command_and_is_told_in_the_workflow(tmp_path):
    path = tmp_path / "people.tsv"
    data.people().drop(columns="ecog").to_csv(path, sep="\t", index=False)
    given = f"compute-scores --clinical {path} --output {tmp_path}"
    refused = invoked(given).exception
    assert isinstance(refused, CohortError)
    assert "lacks the column(s) 'ecog'" in str(refused)
    note = "note: people: no TEACHH (publication), because the clinical table has no ecog"
    assert note in output_of(f"{given} --when-absent tell")
    assert read_table(tmp_path / "scores.parquet").empty
    told = worded(read_table(tmp_path / "scored.tsv")).note[1]
    assert told == "not estimated, because the clinical table has no ecog"
    with pytest.raises(CohortError, match="--column 'age=Alter': expected ours=yours"):
        renamed(data.people(), ["age=Alter"], "p.tsv")


# The scores section: sentences, figure, and the exact numbers of those who change group.


NAMES = ("teachh_publication", "teachh_faceage_repository")
CONFIG = check_config({"cohorts": {"one": {"face_ages": "f.tsv"}}, "scores": {"definitions": list(NAMES)}})


def write_tables(folder, people, names=NAMES):
    """The score tables of a cohort and the least that a survival page needs."""
    people = people.assign(entry_years=np.nan)
    scored, compared = [], []
    for name in names:
        score, every = load_score(name), range(len(people))
        compared.append(compare_score(people, score, name, Scores(bootstraps=100), 10.0, "one", "p", every))
        if "ecog" in people:
            scored.append(summarise_scores(score_people(people, score, name, "p", every), score, name, "one"))
        else:
            scored.append(not_scored(score, name, "one", ["ecog"]))
    tables = {"scores/scored.tsv": pd.concat(scored), "scores/comparison.tsv": pd.concat(compared)}
    for place, table in (tables | dict(survival_tables("one"))).items():
        write_table(table, folder / "one" / place)
    return collect(sorted((folder / "one").rglob("*.tsv")))


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return write_tables(tmp_path_factory.mktemp("scores"), data.people())


def section(tables):
    return scores_section(tables, "one", CONFIG)["scores"]


def test_the_fixed_cut_is_told_in_a_plain_sentence(tables):
    said = " ".join(section(tables)[0]["sentences"])
    assert (
        "Fixed cut-off of 60 years: 16 more participants than with chronological age have the age point (108 instead of 92 of 160; 27 gained "
        "it and 11 lost it). The replacement as such adds points."
    ) in said
    assert re.search(
        r"Matched cut-off: as many participants exceed a face age of 63.[12] years as exceed a chronological age of 60",
        said,
    )
    assert re.search(
        r"0.61 with chronological age, 0.62 with face age at the fixed cut \(difference [+−]0.0\d\d, 95% CI",
        said,
    )


def test_groups_hazards_and_publication_are_on_the_page(tables):
    page = survival_page(tables, CONFIG, [CARD])
    for words in (
        "Hazard ratio vs group B", "<strong>Published values, for comparison</strong>", "862 patients",
        "group C: not in the text available to us", "the two are not nested in each other", "<summary>TEACHH (FaceAge repository)",
        "100 paired bootstrap resamples of participants, percentile interval, seed 1",
    ):  # fmt: skip
        assert words in page
    assert ">nan<" not in page.lower()


def test_changes_of_group_are_the_table_s_own_numbers(tables):
    moves = section(tables)[0]["moves"]
    fixed = next(move for move in moves if move["version"] == "face age, fixed cut")
    assert fixed["matrix"] == [
        ("A", [15, 8, 0, 23]), ("B", [3, 120, 2, 125]), ("C", [0, 0, 12, 12]), ("All", [18, 128, 14, 160]),
    ]  # fmt: skip
    movers = {row["term"]: row["n"] for row in fixed["movers"]}
    assert movers == {"A to B": 8, "B to A": 3, "B to C": 2}


def test_a_score_whose_many_participants_change_group_is_shown(tmp_path):
    # five and more gain the points, and as many change group: each with its own number of deaths
    many = data.people().assign(face_age=lambda d: d.face_age + 8)
    tables = write_tables(tmp_path, many, NAMES[:1])
    page = survival_page(tables, CONFIG, [CARD])
    for move in section(tables)[0]["moves"]:
        for row in [*move["kinds"], *move["movers"]]:
            line = f"<td>{row['n']:,.0f}</td><td>{row['n_events']:,.0f}</td>"
            assert line in page


def test_small_groups_are_on_the_page(tmp_path):
    # two people in group C by age, and nobody leaves it
    people = data.people()
    few = load_score("teachh_publication")
    groups = score_people(people, few, "x", "p", range(len(people))).group
    people = people[(groups != "C") | (groups == "C").cumsum().le(2)]
    tables = write_tables(tmp_path, people.reset_index(drop=True), NAMES[:1])
    by_age = {line["group"]: line for line in section(tables)[0]["groups"] if line["version"] == "age"}
    assert by_age["C"]["median"]["n"] == 2
    page = survival_page(tables, CONFIG, [CARD])
    part = page[page.index('<h2 id="scores">') :]
    assert f">{by_age['C']['median']['estimate']:.1f} " in part


def test_missing_numbers_are_dashes(tables):
    hollow = tables.get("scores", "comparison").copy()
    for column in ("n", "n_events"):
        hollow[column] = hollow[column].mask(hollow[column].abs() < 5)
    hollow.loc[hollow["measure"].isin(["participants", "difference in participants"]), "estimate"] = np.nan
    released = replace(tables, by_name=tables.by_name | {("scores", "comparison"): hollow})
    page = survival_page(released, CONFIG, [CARD])
    assert "– instead of – of 160 participants have the age point (27 gained it and 11 lost it)" in page
    assert ">nan<" not in page.lower()


def test_the_page_of_a_cohort_without_the_columns_says_which(tmp_path):
    tables = write_tables(tmp_path, data.people().drop(columns="ecog"))
    page = survival_page(tables, CONFIG, [CARD])
    assert "TEACHH (publication): not run, because the clinical table has no ecog." in page
    assert scores_section(collect([]), "one", CONFIG) == {"scores": []}


def test_the_number_who_have_a_point_is_exact(tmp_path):
    people = data.people().assign(liver_metastases=lambda d: (np.arange(len(d)) > 2).astype(int))
    found = section(write_tables(tmp_path, people, NAMES[:1]))[0]["questions"]
    have = {row["term"]: row["estimate"] for row in found}
    assert (have["Hepatic metastases"], have["Older than 60"]) == (157, 92)


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_the_section_fits_and_its_figure_is_labelled(tables, tmp_path, width, browser):
    check_width(browser, survival_page(tables, CONFIG, [CARD]), tmp_path, width)
    figure = browser.find_element("css selector", "svg[aria-label^='Median survival of each group']")
    assert figure.is_displayed()


def test_moves_of_many_participants_are_on_the_page(tmp_path):
    people = pd.concat([data.people()] * 4, ignore_index=True)
    people["subject_id"] += "_" + people.index.astype(str)
    page = survival_page(write_tables(tmp_path, people, NAMES[:1]), CONFIG, [CARD])
    assert re.search(r"from B to A</th><td>12</td>", page)
