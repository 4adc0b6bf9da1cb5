"""The analysis plan: what may be planned, which rows answer it, and what a freeze shows."""

import json

import pandas as pd
import pytest
import yaml

from faceage_bio.core.config import check_config
from faceage_bio.core.errors import ConfigError, RunError, TableError
from faceage_bio.core.results.row import result_rows, with_roles
from faceage_bio.core.settings.settings_study import planned
from faceage_bio.report.history import freeze, read_frozen, since_freeze
from faceage_bio.report.key_results import key_results, not_answered
from faceage_bio.report.tables_by_place import ReportTables
from tests.commands import output_of
from tests.rows import collected

AGE_ADJUSTED = {"question": "overall survival", "exposure": "face_age", "adjustment": "age"}
GENES = {"question": "gene expression", "exposure": "age_acceleration", "adjustment": "full"}
COX = result_rows(
    [
        {
            "cohort": cohort, "question": "cox", "exposure": exposure, "term": term, "adjustment": adjustment, "per": per, "model": model,
            "measure": "hazard ratio", "estimate": 1.5, "ci_lower": 1.2, "ci_upper": 1.9, "p_value": 0.001, "n": 100, "n_events": 40,
        }
        for cohort in ("a", "b")
        for exposure, term, adjustment, per, model in (
            ("face_age", "face_age", "unadjusted", "10 years", ""),
            ("face_age", "face_age", "age", "10 years", "plain"),
            ("face_age", "chronological_age", "age", "10 years", "plain"),
            ("face_age", "face_age", "age", "10 years", "Firth"),
            ("age_acceleration", "age_acceleration", "full", "10 years", "plain"),
            ("age_acceleration", "age_acceleration", "full", "1 SD", "plain"),
        )
    ],
    "survival/cox",
)  # fmt: skip


def study(**plan):
    cohorts = {name: {"face_ages": "f.tsv"} for name in "ab"}
    return check_config({"cohorts": cohorts, "study": plan})


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"primary": AGE_ADJUSTED | {"question": "overal survival"}}, "question 'overal survival': expected one of overall survival, .*did you mean 'overall survival'"),
        ({"primary": AGE_ADJUSTED | {"exposure": "faceage"}}, "exposure 'faceage' of overall survival: .*did you mean 'face_age'"),
        ({"primary": AGE_ADJUSTED | {"adjustment": "minimal"}}, "adjustment 'minimal' of overall survival: expected one of unadjusted, age, full"),
        ({"secondary": [GENES, GENES]}, "gene expression by age_acceleration, full, is planned twice"),
        ({"secondary": [{"question": "face age", "exposure": "smokin", "adjustment": "minimal"}]}, "exposure 'smokin' of face age: .*did you mean 'smoking'"),
        ({"primry": AGE_ADJUSTED}, "study.primry: unknown key; did you mean 'primary'"),
    ],
)  # fmt: skip
def test_plans_that_no_result_can_answer_are_refused(plan, message):
    with pytest.raises(ConfigError, match=message):
        study(**plan)


def roles(config):
    marked = with_roles(COX, "cox", config)
    return marked[marked["role"] != "exploratory"][
        ["cohort", "role", "exposure", "adjustment", "per", "model"]
    ].values.tolist()


def test_one_row_of_each_cohort_answers_the_primary_question():
    assert set(COX["role"]) == {"exploratory"}
    assert roles(study()) == [[cohort, "primary", "face_age", "age", "10 years", "plain"] for cohort in "ab"]
    other = {"question": "overall survival", "exposure": "age_acceleration", "adjustment": "full"}
    assert roles(study(primary=GENES, secondary=[other])) == [
        [cohort, "secondary", "age_acceleration", "full", "10 years", "plain"] for cohort in "ab"
    ]


@pytest.mark.parametrize(
    ("name", "plan", "rows", "expected"),
    [
        ("panel", GENES, [("age_acceleration", "together", "full", "", ""), ("chronological_age", "together", "full", "", ""), ("age_acceleration", "alone", "full", "", "")], [0]),
        ("phenotypes", {"question": "face age", "exposure": "bmi", "adjustment": "minimal"}, [("bmi", "", "unadjusted", "", ""), ("bmi", "", "minimal", "", ""), ("ecog", "", "minimal", "", "")], [1]),
        ("groups", {"question": "face age", "exposure": "group", "adjustment": "unadjusted"}, [("group", "", "unadjusted", "", ""), ("group", "", "age", "", "")], [0]),
        ("added_value", {"question": "added prognostic value", "exposure": "face_age", "adjustment": "full"}, [("face_age", "", "minimal", "difference of Harrell's C", "one"), ("face_age", "", "full", "difference of AUC", "two"), ("face_age", "", "full", "difference of Harrell's C", "two")], [2]),
        ("added_value", {"question": "added prognostic value", "exposure": "face_age", "adjustment": "minimal"}, [("face_age", "", "age", "difference of Harrell's C", "one"), ("face_age", "", "full", "difference of Harrell's C", "two")], [0]),
    ],
)  # fmt: skip
def test_rows_that_answer_secondary_questions(name, plan, rows, expected):
    table = pd.DataFrame(rows, columns=["exposure", "model", "adjustment", "measure", "comparison"])
    marked = with_roles(table.assign(cohort="a", role="exploratory"), name, study(secondary=[plan]))
    assert marked.index[marked["role"] == "secondary"].tolist() == expected


def test_what_the_plan_does_not_name_is_exploratory():
    plan = planned(study(primary=GENES, secondary=[]))
    assert [one.role for one in plan] == ["primary", *["exploratory"] * 5]
    assert ("exploratory", "overall survival", "face_age", "age") in plan
    assert [one.role for one in planned(study())] == ["primary", *["secondary"] * 5]


def test_key_results_show_role_family_and_participants(tmp_path):
    flow = {"unit": "subject", "stage": "intake", "status": "remaining", "reason": "", "n": 112}
    placed = {f"{cohort}/flow": pd.DataFrame([{"cohort": cohort} | flow]) for cohort in "ab"}
    placed |= {f"{cohort}/survival/cox": COX[COX.cohort == cohort] for cohort in "ab"}
    config = study(primary=GENES, secondary=[])
    (question,) = key_results(collected(tmp_path, placed), config)
    assert (question.role, question.family) == ("exploratory", "one test")
    assert [(row.cohort, row.row["n"], row.n_of) for row in question.rows] == [("a", 100, 112), ("b", 100, 112)]  # fmt: skip
    assert not_answered(ReportTables({}), config) == ["gene expression, CDK6 (primary)"]
    plain = study(primary=AGE_ADJUSTED | {"adjustment": "unadjusted"}, secondary=[])
    question, *_ = key_results(collected(tmp_path, placed), plain)
    assert question.measure == "HR for death per 10-year increase in face age, unadjusted"
    none = COX.assign(family="models", n_tests=None, estimate=None, p_value=None, note="too few")
    placed |= {f"{cohort}/survival/cox": none[none.cohort == cohort] for cohort in "ab"}
    (question,) = key_results(collected(tmp_path / "none", placed), config)
    assert question.family == "models"  # no number of tests where none ran


def test_freeze_says_whether_outcomes_were_read_and_lists_what_changed(tmp_path):
    content = {
        "cohorts": {"a": {"face_ages": "f.tsv"}},
        "results_dir": "results",
        "study": {"frozen": "plan.json"},
    }
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(content))
    said = output_of(f"freeze --configfile {config}")
    assert "primary: overall survival, exposure face_age, adjustment age" in said
    assert "already" not in said
    frozen = read_frozen(tmp_path / "plan.json")
    assert frozen["outcomes_read"] == []

    now = check_config(content, folder=tmp_path)
    assert since_freeze(now)["sentence"].endswith(f"SHA-256 {frozen['sha256']}; no setting changed since.")
    assert freeze(now) == frozen  # again, with the same plan
    changed = check_config(
        content | {"survival": {"horizon_years": 5.0}, "report": {"title": "T"}}, folder=tmp_path
    )
    assert since_freeze(changed)["changes"] == [("survival.horizon_years", "null", "5.0")]
    with pytest.raises(
        RunError, match=r"1 setting\(s\) differ from it, first survival.horizon_years: null then, 5.0 now"
    ):
        freeze(changed)

    (tmp_path / "plan.json").unlink()
    record = tmp_path / "results/a/survival/records/cox.tsv.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"sha256": "0", "command": "fit-survival"}))
    assert freeze(now)["outcomes_read"] == ["a/survival"]
    assert "after outcomes had been analysed (survival)" in since_freeze(now)["sentence"]


def test_a_frozen_plan_that_was_edited_is_refused(tmp_path):
    config = study(frozen=str(tmp_path / "plan.json"))
    freeze(config)
    text = (tmp_path / "plan.json").read_text()
    (tmp_path / "plan.json").write_text(text.replace('"survival.alpha": "0.05"', '"survival.alpha": "0.5"'))
    with pytest.raises(
        TableError, match="not the plan that `faceage-bio freeze` wrote, since its SHA-256 differs"
    ):
        since_freeze(config)
    assert since_freeze(study(frozen=str(tmp_path / "none.json")))["sentence"].startswith(
        "Analysis plan: not frozen"
    )
