"""The first screen, the drawn flow and Table 1 on the pages: what they say, what is grey."""

import re

import numpy as np
import pandas as pd
import pytest

from faceage_bio.report import history
from faceage_bio.report.checks import LOOK, NOT_RUN, OK, PROBLEM, all_checks
from faceage_bio.report.first_screen import change_sentence, first_screen
from faceage_bio.report.flow import as_list, chains, cohort_flow, draw
from faceage_bio.report.pages import survival_page
from faceage_bio.report.people import table_one
from faceage_bio.report.tables import ReportTables
from faceage_bio.tables import result_rows
from tests.test_report import CARD, EVIL, config_of

CHECKS = [
    "Age dependence", "Proportional hazards", "Deaths per parameter", "Missing data", "Site and camera", "Fairness", "Validity range",
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


def test_the_flow_shows_every_number_of_the_ledger():
    boxes = cohort_flow(ReportTables({("ledger", "flow"): FLOW}), "one")
    numbers = {(unit, box.stage): box.n for unit, chain in boxes.items() for box in chain}
    assert numbers == {
        ("photo", "intake"): 144, ("photo", "face_age"): 140, ("subject", "intake"): 120,
        ("subject", "acceleration"): 114, ("subject", "survival"): 114, ("subject", "full model"): 113,
    }  # fmt: skip
    text = str(draw(boxes, "one"))
    for line in ("3 no face found", "1 damaged image", "6 no usable photo", "1 smoking not known"):
        assert f">{line}<" in text
    assert ("People in the full survival model", "113", ["1 smoking not known"]) in as_list(boxes)
    assert "RNA samples analysed: not run" in text
    assert text.count("<svg") == 1
    assert "<script" not in str(draw(boxes, EVIL))
    assert 'role="img"' in text


def test_a_flow_with_missing_numbers_has_dashes():
    flow = FLOW.assign(n=FLOW["n"].astype(float).where(FLOW["n"] > 5))
    lines = as_list(cohort_flow(ReportTables({("ledger", "flow"): flow}), "one"))
    assert lines[1] == ("Photos with a face age", "140", ["– no face found", "– damaged image"])
    everything = FLOW.assign(n=np.nan)
    assert {n for _, n, _ in as_list(cohort_flow(ReportTables({("ledger", "flow"): everything}), "one"))} == {
        "–"
    }


def test_people_who_lack_two_things_leave_the_chain_once():
    flow = flow_table(
        ("subject", "intake", "included", "", 100), ("subject", "acceleration", "excluded", "no_age", 20),
        ("subject", "acceleration", "included", "", 80), ("subject", "survival", "excluded", "no_acceleration", 12),
        ("subject", "survival", "excluded", "no_follow_up", 18), ("subject", "survival", "included", "", 70),
    )  # fmt: skip
    steps = chains(flow)["subject"]
    assert [step.n for step in steps] == [100, 80, 70]
    assert steps[-1].reasons == {"no follow-up": 10}


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


def test_table_one_shows_every_number():
    shown = table_one(one_table(np.array([[2, 9, 90], [1, 9, 9]]), np.array([0, 1, 0])))
    assert shown["groups"] == [("all", "121"), ("g1", "3"), ("g2", "19"), ("g3", "99")]
    variable = shown["variables"][0]
    assert variable["rows"] == [
        ("l0", ["101 (83%)", "2 (67%)", "9 (47%)", "90 (91%)"]), ("l1", ["19 (16%)", "1 (33%)", "9 (47%)", "9 (9%)"]),
    ]  # fmt: skip
    assert variable["missing"] == "1"


def test_table_one_with_missing_numbers_has_dashes():
    table = one_table(np.array([[2, 9, 90], [1, 9, 9]]), np.array([0, 1, 0]))
    shown = table_one(table.assign(n=table["n"].astype(float).where(table["n"] > 5)))
    assert shown["groups"][1] == ("g1", "–")
    assert shown["variables"][0]["rows"][1] == ("l1", ["19 (16%)", "–", "9 (47%)", "9 (9%)"])
    assert shown["variables"][0]["missing"] == "–"


def test_table_one_shows_numbers_of_few():
    base = {"term": "bmi", "variable": "bmi", "group": "all"}
    table = rows(
        {"term": "people", "measure": "people", "group": "all", "n": 3, "variable": ""},
        base | {"measure": "mean", "n": 2, "estimate": 24.26, "standard_deviation": 1.04},
        base
        | {"measure": "median", "n": 2, "estimate": 24.3, "lower_quartile": 23.9, "upper_quartile": np.nan},
        base | {"measure": "missing", "n": 1, "estimate": 1 / 3},
    )
    assert table_one(table)["variables"][0]["rows"] == [
        ("mean (SD)", ["24.3 (1.0)"]), ("median (IQR)", ["24.3 (23.9 to –)"]),
    ]  # fmt: skip


def test_what_did_not_run_is_grey_and_there():
    checks = all_checks(ReportTables({}), config_of(["one"]))
    assert [check.name for check in checks] == CHECKS
    assert {check.state for check in checks} == {NOT_RUN}
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
    ("per_term", "deaths", "state"), [(20, 40, OK), (8, 16, LOOK), (3, 6, PROBLEM), (0.5, 1, PROBLEM)]
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
    assert f"{per_term:.1f} deaths per term" in check.words


@pytest.mark.parametrize(("share", "n", "state"), [(0.02, 2, OK), (0.1, 9, LOOK), (0.3, 27, PROBLEM)])
def test_missing_data_shows_how_many(share, n, state):
    table = rows(
        {"term": "bmi", "variable": "bmi", "measure": "missing", "group": "all", "n": n, "estimate": share}
    )
    check = checked("Missing data", phenotype__table_one=table)
    assert check.state == state
    assert f"BMI, one: {n} missing" in check.words


@pytest.mark.parametrize(("inside", "state"), [(90, OK), (60, LOOK), (20, PROBLEM)])
def test_validity_range(inside, state):
    base = {"term": "age_gap", "measure": "mean years", "estimate": 1.0}
    table = rows(base | {"adjustment": "everybody"}, base | {"adjustment": "ages 60 to 120", "n": inside})
    assert checked("Validity range", acceleration__sensitivity=table).state == state


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
    first = history.keep(record(), tmp_path)
    assert change_sentence(first["changes"]) == "First run: there is nothing to compare with."
    assert history.keep(record(), tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == ["run-0001.json"]


def test_what_moved_since_the_last_run_is_told_and_stays_told(tmp_path):
    history.keep(record(), tmp_path)
    new = record(1.7, 160, config_of(["one"], report={"title": "Another"}), data="b")
    told = history.keep(new, tmp_path)
    changes = told["changes"]
    assert changes["estimates"] == [
        ("one: hazard ratio of face age, age held constant", "1.50 (1.10–2.00)", "1.70 (1.10–2.00)")
    ]
    assert changes["counts"] == [("one: People in the clinic table", "120", "160")]
    assert changes["settings"] == [("report.title", '"FaceAge study"', '"Another"')]
    assert "1 estimate moved, 1 count differs, 1 setting differs" in change_sentence(changes)
    assert history.keep(new, tmp_path) == told  # rendered again with the same data


def test_a_count_that_one_person_changed_is_shown(tmp_path):
    history.keep(record(), tmp_path)
    changes = history.keep(record(n=121, data="b"), tmp_path)["changes"]
    assert changes["counts"] == [("one: People in the clinic table", "120", "121")]


def test_a_damaged_record_is_no_run_and_is_not_overwritten(tmp_path):
    (tmp_path / "run-0007.json").write_text("{half")
    assert history.keep(record(), tmp_path)["changes"]["first"]
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
    text = survival_page(tables, config_of(["one"]), [CARD], run=history.keep(record(), tmp_path))
    assert "<script>alert" not in text
    assert "Löwe &lt;script&gt;" in text
    assert "First run: there is nothing to compare with." in text
    assert "trained mainly on photographs of public figures" in text
    assert text.count('<li class="notrun">') == 6  # all checks but missing data
    ids = set(re.findall(r'\sid="([^"]+)"', text))
    assert set(re.findall(r'<a href="#([^"]+)"', text)) <= ids


def test_rounded_numbers_never_rise_along_the_flow():
    rows = [
        ("acceleration", "included", "", 111),
        ("survival", "included", "", 111),
        ("survival", "excluded", "missing_smoking", 3),
    ]
    flow = pd.DataFrame(
        [("c", "subject", "intake", "included", "", 117), *(("c", "subject", *row) for row in rows)],
        columns=["cohort", "unit", "stage", "status", "reason", "n"],
    )
    assert [box.n for box in chains(flow)["subject"]] == [117, 111, 111, 111]
