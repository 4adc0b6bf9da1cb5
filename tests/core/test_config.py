"""The config: wrong keys, types and combinations are told with the key and what to write."""

import os
from pathlib import Path

import pytest
import yaml

from faceage_bio.core.config import (
    Config,
    check_config,
    commented_yaml,
    demo_config,
    json_schema,
    load_config,
)
from faceage_bio.core.errors import ConfigError
from faceage_bio.core.settings.closed import Closed, meanings
from faceage_bio.core.settings.settings_photos import Quality

MINE = {"cohorts": {"mine": {"face_ages": "ages.tsv"}}}


def test_defaults_fill_a_short_config():
    config = check_config(MINE)
    assert config.acceleration.fit_in == "cohort"
    assert config.expression.panel[0] == "CDK6"


def test_commented_yaml_reads_back_as_the_same_config():
    config = demo_config()
    assert check_config(yaml.safe_load(commented_yaml(config))) == config


def test_every_setting_has_a_comment():
    config = demo_config()
    text = commented_yaml(config)
    for section in (Config, Quality, *(type(value) for _, value in config if isinstance(value, Closed))):
        for name, field in section.model_fields.items():
            if not (isinstance(field.annotation, type) and issubclass(field.annotation, Closed)):
                assert meanings(section)[name].splitlines()[0] in text, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"survivl": {}}, r"survivl: unknown key; did you mean 'survival'\?"),
        ({"faceage": {"batchsize": 8}}, r"faceage\.batchsize: unknown key; did you mean 'batch_size'\?"),
        (
            {"cohorts": {"a": {"photo": "x", "manifest": "m"}}},
            r"cohorts\.a\.photo: unknown key; did you mean 'photos'\?",
        ),
        ({"zzz": 1}, "zzz: unknown key; valid keys are: results_dir, cohorts"),
        (
            {"faceage": {"batch_size": "many"}},
            r'faceage\.batch_size: found "many" \(str\), expected a valid integer',
        ),
        (
            {"report": {"min_cell": 5}},
            r"report\.min_cell: this key is no longer used; write 'release\.rounding' instead: .*default 6; 1 = no rounding",
        ),
        ({"release": {"rounding": 0}}, r"release\.rounding: .*greater than or equal to 1"),
        ({"release": {"roundng": 6}}, r"release\.roundng: unknown key; did you mean 'rounding'\?"),
        ({"faceage": {"min_probability": 1.5}}, "less than or equal to 1"),
        ({"faceage": {"device": "gpu"}}, "expected 'auto', 'cpu' or 'cuda'"),
        ({"cohorts": {"a": {"photos": "p"}}}, "photos and manifest go together, but 'manifest' is missing"),
        ({"cohorts": {"a": {}}}, "give either photos with a manifest, or face_ages"),
        (
            {"cohorts": {"a": {"face_ages": "f", "counts": "c", "single_cell": "h"}}},
            "give counts .* or single_cell, not both",
        ),
        ({"cohorts": {"a": {"face_ages": "f", "samples": "s"}}}, "no counts are given"),
        ({"cohorts": {"2nd": {"face_ages": "f"}}}, "a cohort name needs letters"),
        ({"cohorts": {"pooled": {"face_ages": "f"}}}, "the cohort name 'pooled' is taken"),
        (
            {"cohorts": {"a": {"photos": "p", "manifest": "m"}}},
            r"  - models: the demo model is fitted on simulated faces",
        ),
        ({"survival": {"end_date": "1.5.2023"}}, "survival.end_date: '1.5.2023' is no day; write YYYY-MM-DD"),
        (
            {"survival": {"gap_classes": [10.0, -5.0]}},
            r"survival\.gap_classes: give the lower gap and then the higher",
        ),
        ({"survival": {"landmark_years": 0.0}}, "survival.landmark_years: .* greater than 0"),
        ({"cohorts": {}}, r"cohorts: found 0 entries, expected at least 1\."),
    ],
)
def test_a_wrong_config_names_the_key_and_what_to_write(change, message):
    with pytest.raises(ConfigError, match=message):
        check_config(MINE | change)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError, match="3 problems") as error:
        check_config(MINE | {"a": 1, "b": 2, "survival": {"per_years": -1}})
    assert str(error.value).count("\n  - ") == 3


def test_a_file_that_is_no_config(tmp_path):
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError, match=r"cannot be read .*Expected the study's config. Check the path"):
        load_config(path)
    path.write_text("cohorts: [unclosed")
    with pytest.raises(
        ConfigError, match=r"not valid YAML: (?s:.*)cohorts: \[unclosed\n +\^"
    ):  # the line, and the place in it
        load_config(path)
    path.write_text("just words")
    with pytest.raises(ConfigError, match="expected keys and values"):
        load_config(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("    missing: [012]", r"config.yaml: line 4: YAML reads 012 as 10, to base 8 or 60. Expected a number without zeros in front and without colons. Write it so, or in quotes"),
        ("    missing: [12:30]", "line 4: YAML reads 12:30 as 750, to base 8 or 60"),
        ("survival: {end_date: 2020-02-30}", r"line 4: 2020-02-30 cannot be read \(day is out of range for month\). Expected a number or a date. Correct it, or write it in quotes"),
        ("survival: {seed: " + 5000 * "9" + "}", r"line 4: 9{40} cannot be read \(Exceeds the limit"),
        ("    codings: {smoking: {no: never}}", r"found false \(bool\), expected a valid string; YAML takes words such as no, on, 12 and 2020-01-31 for something else, so write them in quotes"),
        ("survival: {end_date: 2020-02-03}", r'survival.end_date: found "2020-02-03" \(date\), expected a valid string; YAML takes words'),
        ("survival: {per_years: .inf}", r"survival.per_years: found Infinity \(float\), expected a finite number"),
    ],
    ids=["base 8", "base 60", "no day", "thousands of digits", "no", "date", "infinite"],
)  # fmt: skip
def test_what_yaml_takes_for_something_else_is_refused(tmp_path, line, message):
    path = tmp_path / "config.yaml"
    path.write_text(f"cohorts:\n  mine:\n    face_ages: ages.tsv\n{line}\n")
    with pytest.raises(ConfigError, match=message):
        load_config(path)
    path.write_text("\ufeffcohorts:\n  mine: {face_ages: ages.tsv, missing: [-9, '012', 0.5, 0]}\n")
    assert load_config(path).cohorts["mine"].missing == [-9, "012", 0.5, 0]


def test_schema_is_closed_everywhere():
    schema = json_schema()
    assert schema["additionalProperties"] is False
    for name, section in schema["$defs"].items():
        assert section["additionalProperties"] is False, name


def test_paths_start_at_the_folder_of_the_config(tmp_path, monkeypatch):
    study = {
        "face_ages": "data/ages.tsv",
        "clinical": str(tmp_path / "elsewhere.tsv"),
        "counts": "../shared/counts.tsv",
    }
    scores = {"definitions": ["teachh_publication", "mine.yaml"]}
    content = {
        "cohorts": {"mine": study},
        "models": ["model"],
        "expression": {"gmt": ["sets.gmt"]},
        "scores": scores,
    }
    path = tmp_path / "study" / "config.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(content))
    for start, shown in ((tmp_path, "study"), (path.parent, ".")):
        monkeypatch.chdir(start)
        config = load_config(path)
        cohort = config.cohorts["mine"]
        found = [
            config.results_dir,
            cohort.face_ages,
            config.models[0],
            config.expression.gmt[0],
            config.scores.definitions[1],
        ]
        expected = ("results", "data/ages.tsv", "model", "sets.gmt", "mine.yaml")
        assert found == [os.path.normpath(f"{shown}/{name}") for name in expected]
        assert Path(cohort.clinical).resolve() == tmp_path / "elsewhere.tsv"
        assert Path(cohort.counts).resolve() == tmp_path / "shared/counts.tsv"
        assert config.scores.definitions[0] == "teachh_publication"
        assert check_config(config.model_dump()) == config  # as steps take it
    monkeypatch.chdir(tmp_path)
    # it is made where one runs
    assert check_config(demo_config().model_dump(), folder="study").results_dir == "results"
