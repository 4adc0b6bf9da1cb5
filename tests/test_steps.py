"""A setting is defined once: steps by hand and in the workflow read the same settings, and a rule holds those that its step declares."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from faceage_bio.cli.main import STEPS, app
from faceage_bio.core.config import Config, check_config, described, with_values
from faceage_bio.core.errors import ConfigError
from faceage_bio.core.records import read_record, record_of
from faceage_bio.core.steps import Used
from tests.conftest import ROOT

RULES = {
    name: body
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    for name, body in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)+)", path.read_text(), flags=re.MULTILINE)
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_by_hand_has_the_defaults_of_the_workflow(name):
    step = STEPS[name]
    study = check_config({"cohorts": {"north": {"face_ages": "ages.tsv"}}})
    by_hand = step.settings(step.resolve(None, []))
    assert by_hand == step.settings(study) | {"cohorts": {}} if "cohorts" in by_hand else step.settings(study)
    assert list(by_hand) == [setting for used in step.uses for setting, *_ in described(used)]


@pytest.mark.parametrize("name", STEPS)
def test_the_rule_of_a_step_holds_its_settings_and_makes_its_tables(name):
    rule = name.replace("-", "_")
    if rule not in RULES:
        assert name in BY_HAND
        return
    body = RULES[rule]
    assert not STEPS[name].uses or f'settings=study.uses("{rule}")' in body
    assert f'"faceage-bio {name} ' in body
    output = body.partition("output:")[2].partition("log:")[0]
    made = set(re.findall(r"/([\w.]+\.(?:tsv|parquet|json))\"", output))
    assert not STEPS[name].writes or made == set(STEPS[name].writes)
    declared = {Path(file).name for file in STEPS[name].files}
    assert not declared or made <= declared | set(STEPS[name].writes)


BY_HAND = {"define-acceleration", "make-demo-photos", "read-review"}  # steps of no rule


def test_help_and_record_list_what_a_step_writes(tmp_path):
    table = tmp_path / "ages.tsv"
    rows = (f"p{k}\t{50 + k}\t{51 + k % 7 + k}\t{'fm'[k % 2]}\n" for k in range(40))
    table.write_text("subject_id\tchronological_age\tface_age\tsex\n" + "".join(rows))
    options = ["--participants", str(table), "--output", str(tmp_path / "results")]
    done = CliRunner().invoke(app, ["assess-fairness", *options])
    assert done.exit_code == 0, done.output
    written = tmp_path / "results" / "ages" / "fairness" / "fairness.tsv"
    declared = "output/{cohort}/fairness/fairness.tsv"
    assert read_record(record_of(written))["writes"] == [declared] == list(STEPS["assess-fairness"].files)
    assert (
        "--output {cohort}/fairness/fairness.tsv: errors and failures by group"
        in STEPS["assess-fairness"].help()
    )


def test_a_section_that_a_study_leaves_out_has_its_defaults():
    step = STEPS["make-demo-cohorts"]
    assert step.settings(step.resolve(None, [])) == {"demo.seed": 2025}
    assert step.settings(step.resolve(None, ["demo.seed=7"])) == {"demo.seed": 7}
    assert Used(Config(), step.uses).demo.seed == 2025


def test_a_step_sees_no_setting_that_it_does_not_declare():
    settings = Used(Config(), ["survival.per_years", "survival.added_value"])
    assert settings.survival.per_years == 10.0
    assert settings.survival.added_value.bootstraps == 200
    with pytest.raises(AttributeError, match="does not declare that it uses 'firth'"):
        _ = settings.survival.firth
    with pytest.raises(AttributeError, match="'expression'"):
        _ = settings.expression


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("survival.per_years=5", 5.0), ("survival.sequential_adjustment=sex", ["sex"]), ("survival.sequential_adjustment=sex,site", ["sex", "site"]), ("survival.sequential_adjustment=[]", []),
        ("survival.sequential_adjustment=", []), ("survival.groups.ecog=2", {"ecog": [2.0]}), ("survival.curves.face_age=65,75", {"face_age": [65.0, 75.0]}),
        ("survival.curves.sex=levels", {"sex": "levels"}), ("survival.fleming_harrington=0,1", [0.0, 1.0]),
        ("survival.fleming_harrington=null", None), ("survival.end_date=2024-12-31", "2024-12-31"), ("survival.firth=true", True),
        ("phenotype.table_one.groups=-5,5", [-5.0, 5.0]), ("phenotype.table_one.groups=tertiles", "tertiles"),
    ],
)  # fmt: skip
def test_a_setting_is_set_by_its_name(word, value):
    found = check_config(with_values({}, [word]), study=False)
    for part in word.partition("=")[0].split("."):
        if isinstance(found, dict):
            break
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("survival.per_year=5", r"fit-survival has no setting 'survival.per_year'. Expected one of .* Did you mean 'survival.per_years'\?"),
        ("survival.times_years=5", "fit-survival has no setting 'survival.times_years'"),
        ("survival.per_years", "expected section.setting=value, such as survival.per_years=5. Write it so"),
        ("survival.per_years=none", 'survival.per_years: found "none"'),
    ],
)  # fmt: skip
def test_a_setting_that_does_not_fit_is_told(word, message):
    with pytest.raises(ConfigError, match=message):
        STEPS["fit-survival"].resolve(None, [word])


def test_a_study_needs_cohorts_and_a_step_by_hand_does_not():
    with pytest.raises(ConfigError, match="cohorts: this key is needed"):
        check_config({})
    assert check_config({}, study=False).cohorts == {}
