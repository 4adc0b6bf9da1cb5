"""The summary page, the participant flow and Table 1: what they say, what is grey, what is marked."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from faceage_bio.core.columns import LEDGER_COLUMNS
from faceage_bio.core.results.reasons import encode, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.intake.cohort.ledger import flow, with_totals
from faceage_bio.release.rule import midpoint, release
from faceage_bio.report import history
from faceage_bio.report.checks import (
    CAUTION,
    CHECKS,
    FOLLOWS_AGE,
    NOT_RUN,
    OK,
    PROBLEM,
    RELEASED_SLOPE,
    RELEASED_SPREAD,
    Check,
    all_checks,
    correlations,
    ranked,
    tally,
    weakest_point,
)
from faceage_bio.report.flow import as_list, chains, cohort_flow, draw
from faceage_bio.report.key_results import key_results, not_answered
from faceage_bio.report.pages import association_page, index_page
from faceage_bio.report.sections_participants import table_one
from faceage_bio.report.summary import OF_COHORTS, _hazards, change_sentence, describe_cohorts, strip
from faceage_bio.report.table_rows import is_sparse
from faceage_bio.report.tables_by_place import ReportTables
from tests.report_studies import CARD, EVIL, HAZARD, config_of
from tests.rows import worded

ORDER = [
    FOLLOWS_AGE, "Origin of the weights", "Age dependence", "Proportional hazards", "Events per variable", "Missing data", "Site and camera",
    "Fairness", "Validity range", "Independent software agrees",
]  # fmt: skip


def flow_table(*rows, cohort="one"):
    table = pd.DataFrame(rows, columns=["unit", "stage", "status", "reason", "n"])
    return with_totals(table.assign(cohort=cohort))


def subjects(*rows):
    """The flow of subjects: stage, reason ("" is included) and n."""
    return flow_table(
        *(("subject", stage, "excluded" if why else "included", why, n) for stage, why, n in rows)
    )


FLOW = flow_table(
    ("photo", "intake", "included", "", 144), ("photo", "face_age", "excluded", "no_face", 3),
    ("photo", "face_age", "excluded", "damaged_image", 1), ("photo", "face_age", "included", "", 140),
    ("subject", "intake", "included", "", 120), ("subject", "acceleration", "excluded", "no_face_age", 6),
    ("subject", "acceleration", "included", "", 114),
    ("subject", "survival", "excluded", "missing_smoking", 1), ("subject", "survival", "included", "", 113),
)  # fmt: skip


def rows(table, *more, cohort="one"):
    return worded(result_rows([{"cohort": cohort, "n": 90} | row for row in more], table))


def study(**tables):
    """Result tables by place, such as ``survival__cox``."""
    return ReportTables({tuple(place.split("__")): table for place, table in tables.items()})


def test_the_flow_of_given_face_ages_names_no_photos():
    boxes = cohort_flow(study(ledger__flow=FLOW), "one", given=True)
    assert [box.title for box in boxes["photo"]] == ["Face ages given", "Face ages known"]


def test_the_flow_shows_every_number_of_the_ledger():
    boxes = cohort_flow(study(ledger__flow=FLOW), "one")
    numbers = {(unit, box.stage): box.n for unit, chain in boxes.items() for box in chain}
    assert numbers == {
        ("photo", "intake"): 144, ("photo", "face_age"): 140, ("subject", "intake"): 120,
        ("subject", "acceleration"): 114, ("subject", "survival"): 114, ("subject", "full model"): 113,
    }  # fmt: skip
    text = str(draw(boxes, "one"))
    for line in ("3 no face found", "1 damaged image", "6 no face age", "1 smoking not known"):
        assert f">{line}<" in text
    assert ("Participants in the full Cox model", "113", ["1 smoking not known"]) in as_list(boxes)
    assert "RNA samples analysed: not run" in text
    assert text.count("<svg") == 1
    assert "<script" not in draw(boxes, EVIL).svg
    assert 'role="img"' in text


def test_a_flow_with_missing_numbers_has_dashes():
    small = FLOW.assign(n=FLOW["n"].astype(float).where(FLOW["n"] > 5))
    lines = as_list(cohort_flow(study(ledger__flow=small), "one"))
    assert lines[1] == ("Photos with a face age", "140", ["– damaged image", "– no face found"])
    hollow = as_list(cohort_flow(study(ledger__flow=FLOW.assign(n=np.nan)), "one"))
    assert {n for _, n, _ in hollow} == {"–"}


def ledger_of(stages):
    """A ledger of subjects: stage, then how many of P0, P1, ... have each reason ("" is included)."""
    rows = [
        ("one", f"P{who}", "", "", stage, "excluded" if reason else "included", reason, "")
        for stage, runs in stages.items()
        for who, reason in enumerate(reason for reason, n in runs for _ in range(n))
    ]
    return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ({"intake": [("", 100)], "acceleration": [("", 80), ("no_age", 20)], "survival": [("", 70), ("no_follow_up", 18), ("no_acceleration", 12)]},
         [(100, {}), (80, {"no_age": 20}), (70, {"no_follow_up": 10})]),
        # the intake excludes 9 without a photo; the ledger names them again without a face age, and then without an age acceleration
        ({"intake": [("no_photo", 9), ("", 91)], "acceleration": [("no_face_age", 12), ("", 88)], "survival": [("no_acceleration", 12), ("", 88)]},
         [(100, {}), (91, {"no_photo": 9}), (88, {"no_face_age": 3}), (88, {})]),
    ],
)  # fmt: skip
def test_participants_who_lack_two_things_leave_the_chain_once(stages, expected):
    steps = chains(flow(ledger_of(stages)))["subject"]
    assert [(step.n, step.reasons) for step in steps] == expected


def one_table(counts, missing):
    """Table 1 rows of one factor: counts is levels x groups."""
    levels, groups = [f"l{k}" for k in range(len(counts))], ["g1", "g2", "g3"][: counts.shape[1]]
    sizes = counts.sum(axis=0) + missing
    made = [
        {"term": "participants", "measure": "participants", "variable": "", "group": g, "n": n}
        for g, n in zip(["all", *groups], [sizes.sum(), *sizes], strict=True)
    ]
    for level, line in zip(levels, counts, strict=True):
        made += [
            {"term": f"x: {level}", "variable": "x", "level": level, "measure": "share", "group": g, "n": n, "estimate": n / known}
            for g, n, known in zip(["all", *groups], [line.sum(), *line], [counts.sum(), *counts.sum(axis=0)], strict=True)
        ]  # fmt: skip
    base = {"term": "x", "variable": "x", "measure": "missing", "group": "all", "estimate": 0.1}
    return rows("phenotype/table_one", *made, base | {"n": missing.sum()})


def test_table_one_shows_every_number_and_dashes_for_missing_ones():
    table = one_table(np.array([[2, 9, 90], [1, 9, 9]]), np.array([0, 1, 0]))
    shown = table_one(table)
    assert shown["groups"] == [("all", "121"), ("g1", "3"), ("g2", "19"), ("g3", "99")]
    variable = shown["variables"][0]
    assert variable["rows"] == [
        ("l0", ["101 (84%)", "2 (67%)", "9 (50%)", "90 (91%)"]),
        ("l1", ["19 (16%)", "1 (33%)", "9 (50%)", "9 (9%)"]),
    ]
    assert variable["missing"] == "1"
    hollow = table_one(table.assign(n=table["n"].astype(float).where(table["n"] > 5)))
    assert hollow["groups"][1] == ("g1", "–")
    assert hollow["variables"][0]["rows"][1] == ("l1", ["19 (16%)", "–", "9 (50%)", "9 (9%)"])
    assert hollow["variables"][0]["missing"] == "–"


def test_table_one_says_why_a_difference_is_not_known():
    table = one_table(np.array([[2, 9, 90], [1, 9, 9]]), np.array([0, 1, 0]))
    assert table_one(table)["undefined"] == ""
    base = {"term": "x", "variable": "x", "measure": "standardised difference of shares"}
    unknown = base | {"group": "mean of all pairs", "n": 1, "reason": reason("undefined_difference")}
    shown = table_one(pd.concat([table, rows("phenotype/table_one", unknown)], ignore_index=True))
    assert (
        shown["undefined"]
        == "not estimated, because a group has too few participants with a value, or none differs"
    )
    assert shown["variables"][0]["average"] == "–"


def test_table_one_shows_numbers_of_few():
    base = {"term": "bmi", "variable": "bmi", "group": "all", "n": 2}
    quartiles = {"lower_quartile": 23.9, "upper_quartile": np.nan}
    table = rows(
        "phenotype/table_one",
        {"term": "participants", "measure": "participants", "group": "all", "n": 3, "variable": ""},
        base | {"measure": "mean", "estimate": 24.26, "standard_deviation": 1.04},
        base | {"measure": "median", "estimate": 24.3} | quartiles,
        base | {"measure": "missing", "n": 1, "estimate": 1 / 3},
    )
    expected = [("mean (SD)", ["24.3 (1.0)"]), ("median (IQR)", ["24.3 (23.9 to –)"])]
    assert table_one(table)["variables"][0]["rows"] == expected


def test_what_did_not_run_is_grey_and_there():
    checks = all_checks(study(), config_of(["one"]))
    assert [check.name for check in checks] == ORDER
    assert {check.state for check in checks} == {NOT_RUN}
    assert key_results(study(), config_of(["one"])) == []
    assert strip(study(), config_of(["one"])) == []


def test_the_strip_adds_the_cohorts_and_leads_to_the_flow():
    config = config_of(["one", "two"])
    config.cohorts["one"] = Cohort(photos="photos", manifest="manifest.tsv")
    both = pd.concat([FLOW, FLOW.assign(cohort="two")])
    cells = strip(study(ledger__flow=both), config)
    assert [n for n, _, _ in cells] == ["288", "280", "240", "228", "228"]
    assert cells[0] == ("288", "photos received", "association.html#participant-flow")
    assert cells[1][1] == "with a face age (8 excluded)"
    assert cells[-1] == ("228", "participants with follow-up", "association.html#participant-flow")


def test_words_follow_the_data_where_face_ages_were_given():
    cells = strip(study(ledger__flow=FLOW), config_of(["one"]))
    assert cells[0][1] == "face ages given"
    assert not any("photos" in what for _, what, _ in cells)


def checked(name, config=None, cards=(), **tables):
    checks = all_checks(study(**tables), config or config_of(["one"]), list(cards))
    return next(one for one in checks if one.name == name)


@pytest.mark.parametrize(("r", "state"), [(0.01, OK), (-0.2, CAUTION), (0.6, PROBLEM)])
def test_age_dependence(r, state):
    row = {"term": "age_acceleration", "measure": "correlation", "estimate": r}
    check = checked("Age dependence", acceleration__summary=rows("acceleration/summary", row))
    assert check.state == state


@pytest.mark.parametrize(
    ("why", "marked"),
    [
        (reason("few_clusters", n_clusters=3, needed=20), True), (reason("few_events_per_variable", n_events=8, terms=2, needed=10), True),
        (reason("sparse_cohorts", cohorts=["a"]), True), (reason("complete_cases"), False),
    ],
)  # fmt: skip
def test_results_of_few_events_or_clusters_are_marked(why, marked):
    assert is_sparse({"reason": encode([why])}) == marked


LOG_TIME, YEARS_LIVED = "changing with log time", "years lived"


@pytest.mark.parametrize(
    ("p", "fitted", "state", "said"),
    [
        (0.4, {}, OK, "no test of face age or of a whole model with p < 0.05"),
        (0.01, {LOG_TIME: 1.0, YEARS_LIVED: 0.2}, CAUTION, "p = 0.010); shown instead: changing with log time, years lived"),
        (0.01, {YEARS_LIVED: 0.2}, CAUTION, "shown instead: years lived"),
        (0.01, {LOG_TIME: np.nan, YEARS_LIVED: 0.2}, PROBLEM, "no time-varying model could be fitted"),
        (0.01, {YEARS_LIVED: np.nan}, PROBLEM, "no time-varying model could be fitted"),
    ],
)  # fmt: skip
def test_proportional_hazards(p, fitted, state, said):
    test = {"term": "face_age", "model": "face age + age", "p_value": p}
    tests = rows("survival/proportional_hazards", test)
    remedies = rows(
        "survival/remedies",
        *({"term": "face_age", "remedy": one, "estimate": value} for one, value in fitted.items()),
    )
    check = checked("Proportional hazards", survival__proportional_hazards=tests, survival__remedies=remedies)
    assert check.state == state
    assert said in check.words
    assert check.link == "survival.html#hazards-one"


AGE_ADJUSTED = {"term": "face_age", "step": "+ age", "adjustment": "age"}


@pytest.mark.parametrize(
    ("per_term", "deaths", "state"), [(20, 40, OK), (8, 16, CAUTION), (3, 6, PROBLEM), (0.5, 1, PROBLEM)]
)
def test_events_per_variable(per_term, deaths, state):
    row = AGE_ADJUSTED | {"n_events": deaths, "estimate": 1.5, "events_per_term": per_term}
    check = checked("Events per variable", survival__cox=rows("survival/cox", row))
    assert check.state == state
    assert f"lowest: {per_term:.1f} (" in check.words


def test_models_that_were_not_estimated_have_no_events_per_variable():
    why = reason("few_events", n_events=4, needed=5)
    few = rows("survival/cox", AGE_ADJUSTED | {"n_events": 4, "events_per_term": 2, "reason": why})
    check = checked("Events per variable", survival__cox=few)
    assert (check.state, check.words) == (NOT_RUN, "not estimated: one (4 events)")
    check = checked("Events per variable", survival__cox=few.assign(n_events=1))
    assert check.words == "not estimated: one (1 event)"
    many = rows("survival/cox", AGE_ADJUSTED | {"n_events": 40, "events_per_term": 20, "estimate": 1.5})
    both = pd.concat([many, few.assign(cohort="two")])
    check = checked("Events per variable", config_of(["one", "two"]), survival__cox=both)
    words = "lowest: 20.0 (the age-adjusted model, one); not estimated: two (4 events)"
    assert (check.state, check.words) == (OK, words)


def test_the_weakest_point_stands_first():
    places = {
        "Age dependence": (OK, 0.9), "Missing data": (OK, 0.2), "Fairness": (CAUTION, 0.6), "Validity range": (PROBLEM, 1.1),
        "Events per variable": (PROBLEM, 7.0), "Site and camera": (NOT_RUN, 0.0),
    }  # fmt: skip
    checks = [Check(name, state, "", "", reached) for name, (state, reached) in places.items()]
    found = ranked(checks)
    assert [one.name for one in found] == [list(places)[k] for k in (4, 3, 2, 0, 1, 5)]
    assert tally(found) == "2 problems, 1 caution, 2 passed, 1 not run"
    assert weakest_point(found)[0].name == "Events per variable"
    assert weakest_point(ranked([checks[-1]])) is None


def test_how_far_a_limit_is_reached_follows_the_values():
    for per in (4.0, 2.0):
        cox = rows("survival/cox", AGE_ADJUSTED | {"events_per_term": per})
        assert checked("Events per variable", survival__cox=cox).reached == pytest.approx(5 / per)
    assert 0 < checked(FOLLOWS_AGE, **ages(0.71)).reached < 1 < checked(FOLLOWS_AGE, **ages(0.07)).reached


def test_every_check_says_why_it_matters():
    names = {one.name for one in all_checks(study(), config_of(["one"]))}
    assert names == set(CHECKS)


def test_cohorts_are_described_from_table_one_and_follow_up():
    whole = {"group": "all", "n": 114}
    share = whole | {"measure": "share"}
    table = rows(
        "phenotype/table_one",
        whole | {"term": "participants", "measure": "participants", "estimate": 114},
        whole | {"variable": "chronological_age", "measure": "mean", "estimate": 63.05, "standard_deviation": 10.23},
        share | {"variable": "sex", "level": "female", "estimate": 0.49, "n": 56},
        share | {"variable": "group", "level": "cancer", "estimate": 1.0},
        *(share | {"variable": "site", "level": level, "estimate": n} for level, n in {"lung": 0.25, "breast": 0.45, "head": 0.2, "skin": 0.1}.items()),
    )  # fmt: skip
    median = {
        "measure": "median follow-up",
        "estimate": 4.99,
        "ci_lower": 3.6,
        "ci_upper": 5.8,
        "n_events": 79,
    }
    summary = rows("survival/summary", {"grouping": "all", "group": "all"} | median)
    config = config_of(["one", "two"], report={"cohorts": {"one": "photos before treatment"}})
    assert describe_cohorts(study(phenotype__table_one=table, survival__summary=summary), config) == [{
        "name": "one", "link": "association.html#table-one-one", "n": "114", "age": "63.0 (10.2)", "face_age": "–", "women": "49%",
        "who": "Patients with cancer: breast 45%, lung 25%, head 20%; photos before treatment", "follow_up": "5.0 (3.6–5.8)", "deaths": "79",
    }]  # fmt: skip


def test_a_cohort_of_men_has_no_women():
    whole = {"group": "all", "n": 90}
    sex = whole | {"variable": "sex", "measure": "share"}
    table = rows(
        "phenotype/table_one", whole | {"term": "participants", "measure": "participants", "estimate": 90}, sex | {"level": "male", "estimate": 1.0}
    )  # fmt: skip
    (men,) = describe_cohorts(study(phenotype__table_one=table), config_of(["one"]))
    assert men["women"] == "0%"
    redacted = rows("phenotype/table_one", sex | {"level": "female", "reason": reason("redacted", k=6)})
    (few,) = describe_cohorts(study(phenotype__table_one=pd.concat([table, redacted])), config_of(["one"]))
    assert few["women"] == "–"


def test_photos_that_are_all_used_are_not_said_to_be_excluded():
    flow = flow_table(("photo", "intake", "included", "", 12), ("photo", "face_age", "included", "", 12))
    assert [what for _, what, _ in strip(study(ledger__flow=flow), config_of(["one"]))] == [
        "face ages given",
        "with a face age",
    ]


def test_each_cell_of_the_table_of_cohorts_is_named_where_its_head_is_not_seen():
    """On telephones the cohorts stand below each other, without a head."""
    table = rows(
        "phenotype/table_one", {"cohort": "one", "group": "all", "measure": "participants", "n": 114}
    )
    page = index_page(study(phenotype__table_one=table), config_of(["one"]), [CARD])
    (body,) = re.findall(r'<table class="cohorts".*?</table>', page, flags=re.DOTALL)
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", body)[1:]
    assert re.findall(r'<td[^>]*data-head="([^"]*)"', body) == heads[: len(OF_COHORTS)]
    assert body.count("<td") == len(OF_COHORTS)


def ages(r, n=114, spread=10.2, cohort="one"):
    """A correlation of face age with age, and the spread of age."""
    whole = {"group": "all", "n": n}
    found = {
        "term": "face_age",
        "measure": "correlation",
        "exposure": "chronological_age",
        "estimate": r,
        "n": n,
    }
    age = whole | {"term": "chronological_age", "variable": "chronological_age", "measure": "mean"}
    age |= {"estimate": 63.0, "standard_deviation": spread}
    return {
        "acceleration__summary": rows("acceleration/summary", found, cohort=cohort),
        "phenotype__table_one": rows("phenotype/table_one", age, cohort=cohort),
    }


@pytest.mark.parametrize(("r", "state"), [(0.71, OK), (0.07, PROBLEM), (0.95, OK), (-0.6, PROBLEM)])
def test_face_age_follows_chronological_age(r, state):
    check = checked(FOLLOWS_AGE, **ages(r))
    assert check.state == state
    assert "expected 0.72" in check.words
    assert check.link == "association.html#ages-one"


def test_the_expected_correlation_is_that_of_the_released_line_at_the_cohorts_spread():
    # simulated from the line itself: large cohorts of a narrow and of a wide range of ages
    chance = np.random.default_rng(4)
    for spread in (3.0, 12.0):
        age = chance.normal(65, spread, 400_000)
        face_age = RELEASED_SLOPE * age + chance.normal(0, RELEASED_SPREAD, age.size)
        r = np.corrcoef(age, face_age)[0, 1]
        (found,) = correlations(study(**ages(r, age.size, spread)), config_of(["one"]))
        assert found.expected == pytest.approx(r, abs=0.005)
        assert found.lower < r < found.upper


def test_the_interval_of_the_correlation_is_fishers():
    # R 4.2.2: tanh(atanh(0.5) + c(-1, 1) * qnorm(0.995) / sqrt(50 - 3))
    (found,) = correlations(study(**ages(0.5, 50)), config_of(["one"]))
    assert (found.lower, found.upper) == pytest.approx((0.171860176083, 0.728268043233), rel=1e-9)


def test_key_results_of_a_cohort_whose_face_ages_do_not_follow_age_are_marked():
    cox = pd.concat([
        rows("survival/cox", HAZARD | {"estimate": 1.5, "n_events": 40, "per": "10 years"}, cohort=name)
        for name in ("one", "two")
    ])  # fmt: skip
    off, right = ages(0.07), ages(0.71, cohort="two")
    tables = {key: pd.concat([off[key], right[key]]) for key in off} | {"survival__cox": cox}
    page = index_page(study(**tables), config_of(["one", "two"]), [CARD])
    assert "Face age does not follow chronological age as expected" in page
    marked = re.findall(r'<th scope="row"><a[^>]*>(\w+)</a>( <span class="mark" title="face age)?', page)
    assert [bool(mark) for name, mark in marked] == [name == "one" for name, _ in marked]


def test_weights_are_unverified_until_reference_ages_were_matched():
    config = config_of(["one"])
    config.cohorts["one"] = Cohort(photos="photos", manifest="manifest.tsv")
    matched = CARD | {"verified": {"n": 40, "largest": 2.1e-05, "reference_sha256": "cd" * 32}}
    layout = f"FaceAge layout, origin not verified (SHA-256 {CARD['sha256'][:8]})"
    for card, state, words in ((CARD, CAUTION, layout), (matched, OK, "40 crops matched within 2e-05 years")):
        check = checked("Origin of the weights", config, [card])
        assert check.state == state
        assert words in check.words


def unfair(*more):
    base = {
        "question": "differences", "measure": "difference in mean error", "factor": "sex", "group": "male vs female", "within": "",
        "population": "all",
    }  # fmt: skip
    return rows("fairness/fairness", *(base | row for row in more))


@pytest.mark.parametrize(
    ("estimate", "q", "measure", "state"),
    [
        (2.0, 0.2, "difference in mean error", OK),
        (2.0, 0.04, "difference in mean error", CAUTION),
        (-6.0, 0.04, "difference in mean error", PROBLEM),
        (6.0, 0.04, "difference in mean absolute error", PROBLEM),
        (1.8, 0.04, "ratio of standard deviations", CAUTION),
    ],
)
def test_fairness_goes_by_q_and_names_the_largest_difference(estimate, q, measure, state):
    small = {"estimate": 0.1, "p_value": 0.9, "q_value": 0.9, "group": "small vs large"}
    large = {"estimate": estimate, "p_value": 0.01, "q_value": q, "measure": measure}
    check = checked("Fairness", fairness__fairness=unfair(small, large))
    assert check.state == state
    assert "male vs female" in check.words
    shown = re.search(r"\d+\.\d+", check.words.split("(")[0].replace("0.05", ""))[0]
    assert abs(estimate) == pytest.approx(float(shown))


@pytest.mark.parametrize(("share", "n", "state"), [(0.02, 2, OK), (0.1, 9, CAUTION), (0.3, 27, PROBLEM)])
def test_missing_data_shows_how_many(share, n, state):
    row = {"term": "bmi", "variable": "bmi", "measure": "missing", "group": "all", "n": n, "estimate": share}
    check = checked("Missing data", phenotype__table_one=rows("phenotype/table_one", row))
    assert check.state == state
    assert f"BMI, one: {n} missing" in check.words


def test_missing_data_of_exposures_and_covariates_are_counted():
    base = {"term": "site", "variable": "site", "measure": "missing", "group": "all", "n": 0, "estimate": 0.0}
    table = rows("phenotype/table_one", base)
    words = "nothing is missing of the variables of Table 1"
    assert checked("Missing data", phenotype__table_one=table).words == words
    survival = (("survival", "missing_smoking", 14), ("survival", "", 26))
    cells = subjects(("intake", "", 40), ("acceleration", "", 40), *survival)
    check = checked("Missing data", phenotype__table_one=table, ledger__flow=cells)
    words = "at most 35% (covariates of the full Cox model, one: 14 missing)"
    assert (check.state, check.words) == (PROBLEM, words)
    exposed = {"exposure": "crp", "term": "crp", "adjustment": "unadjusted", "n": 20}
    tables = {"ledger__flow": cells, "phenotype__phenotypes": rows("phenotype/phenotypes", exposed)}
    check = checked("Missing data", phenotype__table_one=table, **tables)
    assert check.words == "at most 50% (crp or covariates of its model, one: 20 missing)"
    unrecorded = rows("phenotype/phenotypes", exposed, exposed | {"exposure": "ecog", "term": "ecog", "n": 0})
    check = checked(
        "Missing data", phenotype__table_one=table, **tables | {"phenotype__phenotypes": unrecorded}
    )
    assert check.words == "at most 50% (crp or covariates of its model, one: 20 missing)"


def test_a_comparison_without_controls_is_planned_without_a_result():
    base = {
        "cohort": "pooled", "exposure": "group", "term": "group", "measure": "mean difference", "outcome": "face age", "question": "groups",
        "per": "", "reason": reason("one_level", n=40),
    }  # fmt: skip
    made = [base | {"adjustment": word} for word in ("unadjusted", "minimal")]
    tables = study(phenotype__groups=worded(result_rows(made, "phenotype/groups")))
    assert key_results(tables, config_of(["one"])) == []
    assert "face age, Cancer vs controls (secondary)" in not_answered(tables, config_of(["one"]))


def test_missing_data_are_counted_among_all_participants():
    base = {"term": "site", "variable": "site", "measure": "missing"}
    table = rows(
        "phenotype/table_one",
        base | {"group": "all", "n": 2, "estimate": 2 / 12},
        base | {"group": "highest tertile", "n": 2, "estimate": 2 / 4},
    )
    assert checked("Missing data", phenotype__table_one=table).words == "at most 17% (site, one: 2 missing)"


@pytest.mark.parametrize(("n", "shown"), [(2, ["unadjusted", "+ age"]), (20, [f"c{k}" for k in range(20)])])
def test_the_figure_of_hazard_ratios_stays_readable_with_many_cohorts(n, shown):
    names = [f"c{k}" for k in range(n)]
    steps = {"unadjusted": "unadjusted", "+ age": "age"}
    base = HAZARD | {"estimate": 1.5, "per": "10 years"}
    models = [base | {"step": step, "adjustment": adjustment} for step, adjustment in steps.items()]
    cox = pd.concat([rows("survival/cox", *models, cohort=name) for name in names])
    figure = _hazards(study(survival__cox=cox), config_of(names))
    labels = re.findall(r">([^<]+)</text>", figure["svg"])
    assert set(shown) <= set(labels)
    assert ("unadjusted" in labels) == (n == 2)
    assert ("adjusted for age;" in figure["caption"]) == (n == 20)


def test_what_models_are_adjusted_for_is_that_of_the_models_and_not_of_the_settings():
    """One cohort has no ECOG; no cohort has a site."""
    base = HAZARD | {"estimate": 1.5, "per": "10 years", "p_value": 0.1, "exposure": "face_age"}
    steps = {"unadjusted": "", "+ age": "age", "+ site": "age, site", "full": "age, site, smoking, ecog"}
    words = {"unadjusted": "unadjusted", "+ age": "age", "+ site": "stepwise", "full": "full"}

    def cox(name, *absent):
        without = [reason("without_missing", columns=[*absent])]
        models = [
            base | {"step": step, "adjustment": words[step], "covariates": held, "reason": without if any(one in held for one in absent) else None}
            for step, held in steps.items()
        ]  # fmt: skip
        return rows("survival/cox", *models, cohort=name)

    tables = study(survival__cox=pd.concat([cox("one", "site"), cox("two", "site", "ecog")]))
    config = config_of(
        ["one", "two"],
        study={"primary": {"question": "overall survival", "exposure": "face_age", "adjustment": "full"}},
    )
    assert "(full: age, smoking, ECOG or age, smoking)" in _hazards(tables, config)["caption"]
    page = index_page(tables, config, [CARD])
    assert "unadjusted and sequentially adjusted for age, then all covariates." in page
    first = key_results(tables, config)[0]
    assert first.measure.endswith("adjusted for age, smoking and ECOG in one; age and smoking in two")


def test_checks_of_redacted_rows_say_no_more_than_is_released():
    shown = AGE_ADJUSTED | {"n_events": 63, "events_per_term": 31.5}
    table = rows("survival/cox", shown, AGE_ADJUSTED | {"n_events": 3, "reason": reason("redacted", k=6)})
    check = checked("Events per variable", survival__cox=table)
    words = "31.5 (the age-adjusted model, one); redacted for models of few events"
    assert (check.state, check.words) == (CAUTION, words)
    check = checked("Fairness", fairness__fairness=unfair({"estimate": 2.0}))
    words = "differences are shown without q; largest: bias +2.0 y at the same age (sex: male vs female, one)"
    assert (check.state, check.words) == (NOT_RUN, words)
    sites = {"term": "site", "adjustment": "age", "measure": "partial omega squared", "estimate": 0.1}
    tests = [{"term": "face_age", "p_value": 0.4}, {"term": "face_age", "reason": reason("redacted", k=6)}]
    check = checked(
        "Proportional hazards", survival__proportional_hazards=rows("survival/proportional_hazards", *tests)
    )
    words = (
        "no test of face age or of a whole model with p < 0.05 (smallest p 0.400); redacted for some models"
    )
    assert (check.state, check.words) == (OK, words)
    words = "no difference (smallest p 0.180); redacted for some tests; camera: not recorded"
    kept = [sites | {"p_value": 0.18}, sites]
    for other in (sites | {"reason": reason("redacted", k=6)}, sites):  # the row, or its p alone
        tables = replace(study(phenotype__tests=rows("phenotype/tests", kept[0], other)), released=True)
        check = next(one for one in all_checks(tables, config_of(["one"])) if one.name == "Site and camera")
        assert (check.state, check.words) == (CAUTION, words)
    check = checked("Site and camera", phenotype__tests=rows("phenotype/tests", kept[0]))
    assert (check.state, check.words) == (OK, words.replace("redacted for some tests; ", ""))


@pytest.mark.parametrize(("inside", "state"), [(90, OK), (60, CAUTION), (20, PROBLEM)])
def test_validity_range(inside, state):
    base = {"term": "age_gap", "measure": "mean", "estimate": 1.0}
    of_ages = base | {"excluded": "ages", "n": inside}
    table = rows("acceleration/sensitivity", base | {"excluded": "none"}, of_ages)
    assert checked("Validity range", acceleration__sensitivity=table).state == state


def test_the_validity_range_of_rounded_counts_is_the_worst_that_they_may_be():
    # 25 of 54 participants, of which a release with midpoints of 6 shows 27 of 51
    base = {"term": "age_gap", "measure": "mean", "estimate": 1.0}
    table = rows(
        "acceleration/sensitivity", base | {"excluded": "none", "n": 51}, base | {"excluded": "ages", "n": 27}
    )
    tables = replace(study(acceleration__sensitivity=table), released=True)
    found = {one.name: one for one in all_checks(tables, config_of(["one"], release={"rounding": 6}))}
    check = found["Validity range"]
    words = (
        "53% of participants within the ages tested (60–120 years); at least 44%, since counts are rounded"
    )
    assert (check.state, check.words) == (PROBLEM, words)


def record(estimate=1.5, n=120, config=None, data="a"):
    found = HAZARD | {"estimate": estimate, "ci_lower": 1.1, "ci_upper": 2.0, "n_events": 40}
    cox = rows("survival/cox", found)
    tables = ReportTables({("survival", "cox"): cox, ("ledger", "flow"): subjects(("intake", "", n))}, data)
    return history.record(tables, config or config_of(["one"]))


def test_the_first_run_says_so_and_the_same_run_again_adds_nothing(tmp_path):
    first = history.keep(record(), tmp_path)
    assert change_sentence(first["changes"]) == "First run: nothing to compare with."
    assert history.keep(record(), tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == ["run-0001.json"]


def test_what_moved_since_the_last_run_is_told_and_stays_told(tmp_path):
    history.keep(record(), tmp_path)
    new = record(1.7, 160, config_of(["one"], report={"title": "Another"}), data="b")
    told = history.keep(new, tmp_path)
    changes = told["changes"]
    assert changes["estimates"] == [
        ("one: hazard ratio for death of face age, adjusted for age", "1.50 (1.10–2.00)", "1.70 (1.10–2.00)")
    ]
    assert changes["counts"] == [("one: Participants", "120", "160")]
    assert changes["settings"] == [("report.title", '"FaceAge study"', '"Another"')]
    assert "1 key estimate changed, 1 count changed, 1 setting changed" in change_sentence(changes)
    assert history.keep(new, tmp_path) == told  # rendered again with the same data


def test_a_count_that_one_participant_changed_is_shown(tmp_path):
    history.keep(record(), tmp_path)
    changes = history.keep(record(n=121, data="b"), tmp_path)["changes"]
    assert changes["counts"] == [("one: Participants", "120", "121")]


def test_a_damaged_record_is_no_run_and_is_not_overwritten(tmp_path):
    (tmp_path / "run-0007.json").write_text("{half")
    assert history.keep(record(), tmp_path)["changes"]["first"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-0007.json", "run-0008.json"]


def test_the_record_holds_no_path():
    config = config_of(["one"], report={"governance": EVIL})
    config.cohorts["one"].face_ages = "/home/anna/patients/faces.tsv"
    text = str(record(config=config))
    assert "anna" not in text
    assert "faces.tsv" not in text


def test_the_pages_escape_levels_and_every_check_leads_somewhere(tmp_path):
    table = one_table(np.array([[20, 20, 20], [30, 30, 30]]), np.array([0, 0, 0]))
    table["level"] = table["level"].replace({"l0": f"Löwe {EVIL}"})
    hostile = FLOW.assign(reason=FLOW["reason"].replace({"no_face": EVIL}))
    tables = study(ledger__flow=hostile, phenotype__table_one=table)
    config = config_of(["one"])
    assert "<script>alert" not in (page := association_page(tables, config, [CARD]))
    assert "Löwe &lt;script&gt;" in page
    config.cohorts["one"] = Cohort(photos="photos", manifest="manifest.tsv")
    text = index_page(tables, config, [CARD], run=history.keep(record(), tmp_path))
    assert "<script>alert" not in text
    assert "First run: nothing to compare with." in text
    assert "trained mainly on photographs of public figures" in text
    assert text.count('<li class="is-notrun">') == 8  # all checks but missing data and the weights
    for check in re.findall(r'<li class="is-(?:passed|caution|problem|notrun)"><a href="([^"]+)"', text):
        assert re.fullmatch(r"(association|survival|photos)\.html#[\w-]+|index\.html#verification", check)


def test_released_numbers_of_a_cohort_are_rounded_once():
    cells = subjects(
        ("intake", "", 114), ("intake", "no_photo", 2), ("acceleration", "no_face_age", 2), ("acceleration", "", 112),
        ("survival", "missing_smoking", 2), ("survival", "missing_bmi", 2), ("survival", "", 108),
    )  # fmt: skip
    released = release({"one/flow": cells}, 6)["one/flow"]
    shown = [box.n for box in chains(released)["subject"]]
    assert shown == midpoint(pd.Series([116, 114, 112, 112, 108]), 6).tolist()
