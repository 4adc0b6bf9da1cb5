"""The first screen, the drawn flow and Table 1 on the pages: what they say, what is grey, what nobody can compute back."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.report import history
from faceage_bio.report.checks import LOOK, NOT_RUN, OK, PROBLEM, all_checks
from faceage_bio.report.first_screen import change_sentence, first_screen
from faceage_bio.report.flow import Step, chains, cohort_flow, draw, lost_lines, number_text, protect
from faceage_bio.report.pages import survival_page
from faceage_bio.report.people import table_one
from faceage_bio.report.tables import ReportTables
from faceage_bio.tables import result_rows
from tests.test_report import CARD, EVIL, config_of

CHECKS = [
    "Age dependence", "Proportional hazards", "Deaths per parameter", "Missing data", "Site and camera", "Fairness", "Validity range",
    "Small cells",
]  # fmt: skip


def flow_table(*rows, cohort="one"):
    return pd.DataFrame(rows, columns=["unit", "stage", "status", "reason", "n"]).assign(cohort=cohort)


FLOW = flow_table(
    ("photo", "intake", "included", "", 144), ("photo", "face_age", "excluded", "no_face", 3),
    ("photo", "face_age", "excluded", "damaged_image", 1), ("photo", "face_age", "included", "", 140),
    ("subject", "intake", "included", "", 120), ("subject", "acceleration", "excluded", "no_face_age", 6),
    ("subject", "acceleration", "included", "", 114), ("subject", "survival", "excluded", "no_acceleration", 6),
    ("subject", "survival", "excluded", "missing_smoking", 1), ("subject", "survival", "included", "", 113),
)  # fmt: skip


def rows(*more, cohort="one", **same):
    return result_rows([{"cohort": cohort, "n": 90, "note": ""} | same | row for row in more])


def test_the_flow_is_a_chain_and_tells_nobody_apart():
    boxes = cohort_flow(ReportTables({("ledger", "flow"): FLOW}), "one", 5)
    told = {(unit, box.stage): number_text(box) for unit, chain in boxes.items() for box in chain}
    assert told == {
        ("photo", "intake"): "141 to 144", ("photo", "face_age"): "140", ("subject", "intake"): "120",
        ("subject", "acceleration"): "114", ("subject", "survival"): "114", ("subject", "full model"): "110 to 113",
    }  # fmt: skip
    text = str(draw(boxes, 5, "one"))
    assert "fewer than 5: damaged image, no face found" in text
    assert "6 no usable photo" in text
    assert "RNA samples analysed: not run" in text
    assert not re.search(r">(1|3|113) ", text)
    assert text.count("<svg") == 1
    assert "<script" not in str(draw(boxes, 5, EVIL))
    assert 'role="img"' in text


def test_people_who_lack_two_things_leave_the_chain_once():
    flow = flow_table(
        ("subject", "intake", "included", "", 100), ("subject", "acceleration", "excluded", "no_age", 20),
        ("subject", "acceleration", "included", "", 80), ("subject", "survival", "excluded", "no_acceleration", 12),
        ("subject", "survival", "excluded", "no_follow_up", 18), ("subject", "survival", "included", "", 70),
    )  # fmt: skip
    steps = chains(flow)["subject"]
    assert [step.n for step in steps] == [100, 80, 70]
    assert steps[-1].reasons == {"no follow-up": 10}


def possible(boxes, min_cell, most):
    """All numbers of the reasons that a reader must think possible at each arrow, from what is printed."""
    for above, box in itertools.pairwise(boxes):
        if not box.together:
            continue
        sums = {
            lost
            for before in range(above.low, above.high + 1)
            for after in range(box.low, box.high + 1)
            if (lost := before - after - sum(n for _, n in box.told)) > 0
            and (lost == box.together_n if box.together_n is not None else lost < min_cell)
        }
        yield box, sums


@given(
    st.lists(st.dictionaries(st.sampled_from(["no_face", "dark", "blurred", "bright"]), st.integers(1, 12), max_size=4), min_size=1, max_size=3),
    st.integers(2, 6),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_no_small_number_is_printed_or_left_over(arrows, min_cell):
    n = 200
    steps = [Step("intake", "in", n)]
    for place, reasons in enumerate(arrows):
        n -= sum(reasons.values())
        steps.append(Step(f"stage {place}", "box", n, reasons))
    boxes = protect(steps, "stage 0", min_cell)
    for box, step in zip(boxes, steps, strict=True):
        assert box.low <= step.n <= box.high
        assert all(number >= min_cell for _, number in box.told)
        assert box.together_n in (None, 0) or box.together_n >= min_cell
        for line in lost_lines(box, min_cell):
            number = re.match(r"(\d+)", line)
            assert number is None or int(number[1]) >= min_cell
    for box, sums in possible(boxes, min_cell, 12):
        if box.together_n is None and min_cell > 2:
            assert len(sums) > 1  # how many were left out cannot be had by subtraction
        named = len(box.together) if "several" not in box.together[0] else 0
        if named > 1:  # and no sum gives every reason's number
            assert box.together_n not in (named, named * (min_cell - 1))


def one_table(counts, missing):
    """Table 1 rows of one factor: counts is levels x groups."""
    levels, groups = [f"l{k}" for k in range(len(counts))], ["g1", "g2", "g3"][: counts.shape[1]]
    sizes = counts.sum(axis=0) + missing
    made = [
        {"term": "people", "measure": "people", "variable": "", "group": g, "n": n}
        for g, n in zip(["all", *groups], [sizes.sum(), *sizes], strict=True)
    ]
    for level, line in zip(levels, counts, strict=True):
        made += [
            {"term": f"x: {level}", "variable": "x", "level": level, "measure": "share", "group": g, "n": n, "estimate": 0.1}
            for g, n in zip(["all", *groups], [line.sum(), *line], strict=True)
        ]  # fmt: skip
    made.append(
        {
            "term": "x",
            "variable": "x",
            "measure": "missing",
            "group": "all",
            "n": missing.sum(),
            "estimate": 0.1,
        }
    )
    return rows(*made)


@given(
    st.lists(st.integers(0, 14), min_size=6, max_size=6), st.lists(st.integers(0, 3), min_size=3, max_size=3)
)
@settings(max_examples=80, deadline=None)
def test_table_one_tells_no_small_number_and_none_can_be_subtracted(cells, missing):
    counts, missing = np.array(cells).reshape(2, 3), np.array(missing)
    told = table_one(one_table(counts, missing), 5)
    sizes = counts.sum(axis=0) + missing
    for variable in told["variables"]:
        printed = [[re.match(r"[\d,]+", cell) for cell in line] for _, line in variable["rows"]]
        numbers = [[int(cell[0]) if cell else None for cell in line] for line in printed]
        assert all(n is None or n == 0 or n >= 5 for line in numbers for n in line)
        if variable["note"] or len(told["groups"]) == 1 or not sizes.all():
            continue
        for column in range(3):  # what a group lacks in print is nobody, or no few people
            mine = [line[column + 1] for line in numbers]
            lacking = sizes[column] - sum(n for n in mine if n is not None)
            assert lacking == 0 or lacking >= 5 or mine.count(None) + 1 > 1
        for line in numbers:
            if None not in line[:1] and line[1:].count(None) == 1:
                pytest.fail("a single number left out of a row whose sum is told")


def test_groups_of_a_few_are_told_together():
    told = table_one(one_table(np.array([[2, 9, 9], [1, 9, 9]]), np.array([0, 0, 0])), 5)
    assert told["groups"] == [("all", "39")]
    assert "would have fewer than 5 people" in told["note"]


def test_what_did_not_run_is_grey_and_there():
    checks = all_checks(ReportTables({}), config_of(["one"]))
    assert [check.name for check in checks] == CHECKS
    assert {check.state for check in checks[:-1]} == {NOT_RUN}
    screen = first_screen(ReportTables({}), config_of(["one"]), "association", None)
    assert [answer.sentence.split(":")[0][:7] for answer in screen["answers"]][1:] == [
        "Not run",
        "CDK6",
        "Not run",
    ]


def checked(name, config=None, **tables):
    known = {tuple(key.split("__")): table for key, table in tables.items()}
    return next(
        one for one in all_checks(ReportTables(known), config or config_of(["one"])) if one.name == name
    )


@pytest.mark.parametrize(("r", "state"), [(0.01, OK), (-0.2, LOOK), (0.6, PROBLEM)])
def test_age_dependence(r, state):
    table = rows({"term": "age_acceleration", "measure": "correlation with age", "estimate": r})
    assert checked("Age dependence", acceleration__summary=table).state == state


@pytest.mark.parametrize(
    ("p", "remedy", "state"), [(0.4, False, OK), (0.01, True, LOOK), (0.01, False, PROBLEM)]
)
def test_proportional_hazards(p, remedy, state):
    tests = rows({"term": "face_age", "model": "face age + age", "p_value": p})
    remedies = rows({"term": "face_age", "estimate": 1.0 if remedy else np.nan})
    check = checked("Proportional hazards", survival__proportional_hazards=tests, survival__remedies=remedies)
    assert check.state == state
    assert check.link == "hazards-one"


@pytest.mark.parametrize(
    ("per_term", "deaths", "state"), [(20, 40, OK), (8, 16, LOOK), (3, 6, PROBLEM), (np.nan, 1, PROBLEM)]
)
def test_deaths_per_parameter(per_term, deaths, state):
    row = {
        "term": "face_age",
        "model": "face age + age",
        "n_events": deaths,
        "estimate": 1.5,
        "events_per_term": per_term,
    }
    check = checked("Deaths per parameter", survival__cox=rows(row))
    assert check.state == state
    assert deaths != 1 or "fewer than 5 deaths" in check.words


@pytest.mark.parametrize(("share", "n", "state"), [(0.02, 2, OK), (0.1, 9, LOOK), (0.3, 27, PROBLEM)])
def test_missing_data_tells_no_few(share, n, state):
    table = rows(
        {"term": "bmi", "variable": "bmi", "measure": "missing", "group": "all", "n": n, "estimate": share}
    )
    check = checked("Missing data", phenotype__table_one=table)
    assert check.state == state
    assert ("fewer than 5 people" in check.words) == (n < 5)


@pytest.mark.parametrize(("inside", "state"), [(90, OK), (60, LOOK), (20, PROBLEM)])
def test_validity_range(inside, state):
    base = {"term": "age_gap", "measure": "mean years", "estimate": 1.0}
    table = rows(base | {"adjustment": "everybody"}, base | {"adjustment": "ages 60 to 120", "n": inside})
    assert checked("Validity range", acceleration__sensitivity=table).state == state


@pytest.mark.parametrize(("min_cell", "state"), [(5, OK), (3, LOOK), (1, PROBLEM)])
def test_small_cells(min_cell, state):
    assert checked("Small cells", config_of(["one"], report={"min_cell": min_cell})).state == state


def record(estimate=1.5, n=120, config=None, data="a"):
    cox = rows(
        {
            "term": "face_age",
            "model": "face age + age",
            "estimate": estimate,
            "ci_lower": 1.1,
            "ci_upper": 2.0,
            "n_events": 40,
        }
    )
    flow = flow_table(("subject", "intake", "included", "", n))
    tables = ReportTables({("survival", "cox"): cox, ("ledger", "flow"): flow}, data)
    return history.record(tables, config or config_of(["one"]))


def test_the_first_run_says_so_and_the_same_run_again_adds_nothing(tmp_path):
    first = history.keep(record(), tmp_path, 5)
    assert change_sentence(first["changes"]) == "First run: there is nothing to compare with."
    assert history.keep(record(), tmp_path, 5) == first
    assert [path.name for path in tmp_path.iterdir()] == ["run-0001.json"]


def test_what_moved_since_the_last_run_is_told_and_stays_told(tmp_path):
    history.keep(record(), tmp_path, 5)
    new = record(1.7, 160, config_of(["one"], report={"title": "Another"}), data="b")
    told = history.keep(new, tmp_path, 5)
    changes = told["changes"]
    assert changes["estimates"] == [
        ("one: hazard ratio of face age, age held constant", "1.50 (1.10 to 2.00)", "1.70 (1.10 to 2.00)")
    ]
    assert changes["counts"] == [("one: People in the clinic table", "120", "160")]
    assert changes["settings"] == [("report.title", '"FaceAge study"', '"Another"')]
    assert "1 estimate moved, 1 count differs, 1 setting differs" in change_sentence(changes)
    assert history.keep(new, tmp_path, 5) == told  # rendered again with the same data


def test_a_count_that_a_few_people_changed_has_no_before(tmp_path):
    history.keep(record(), tmp_path, 5)
    changes = history.keep(record(n=121, data="b"), tmp_path, 5)["changes"]
    assert changes["counts"] == [("one: People in the clinic table", "changed by fewer than 5", "121")]


def test_a_damaged_record_is_no_run_and_is_not_overwritten(tmp_path):
    (tmp_path / "run-0007.json").write_text("{half")
    assert history.keep(record(), tmp_path, 5)["changes"]["first"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-0007.json", "run-0008.json"]


def test_the_record_holds_no_path():
    config = config_of(["one"], report={"governance": EVIL})
    config["cohorts"]["one"]["face_ages"] = "/home/anna/patients/faces.tsv"
    text = str(record(config=config))
    assert "anna" not in text
    assert "faces.tsv" not in text


def test_the_page_escapes_levels_and_opens_with_checks_that_lead_somewhere(tmp_path):
    table = one_table(np.array([[20, 20, 20], [30, 30, 30]]), np.array([0, 0, 0])).replace(
        {"level": {"l0": f"Löwe {EVIL}"}}
    )
    flow = FLOW.assign(reason=FLOW["reason"].replace({"no_face": EVIL}))
    tables = ReportTables({("ledger", "flow"): flow, ("phenotype", "table_one"): table})
    text = survival_page(tables, config_of(["one"]), [CARD], run=history.keep(record(), tmp_path, 5))
    assert "<script>alert" not in text
    assert "Löwe &lt;script&gt;" in text
    assert "First run: there is nothing to compare with." in text
    assert "trained mainly on photographs of public figures" in text
    assert text.count('<li class="notrun">') == 6  # all checks but missing data and small cells
    ids = set(re.findall(r'\sid="([^"]+)"', text))
    assert set(re.findall(r'<a href="#([^"]+)"', text)) <= ids
