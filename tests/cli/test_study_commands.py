"""init, check and run, as a user calls them."""

import os
import subprocess
import sys

import pytest
import torch
import yaml
from PIL import Image
from typer.main import get_command

from faceage_bio.cli.main import app
from faceage_bio.core.errors import RunError
from faceage_bio.demo.simulated_cohorts import draw_noise
from faceage_bio.intake.cohort.example import write_example
from tests.commands import faceage_bio, output_of
from tests.conftest import Run


def start(line, cwd):
    """As its user does, in a process of its own."""
    command = [sys.executable, "-m", "faceage_bio", *line.split()]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    return Run(done.returncode, done.stdout + done.stderr)


def call(line, cwd):
    return faceage_bio(cwd, *line.split())


CHECK = "check --configfile my-study/config.yaml"


def test_others_cannot_change_a_study_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        assert call("init my-study", tmp_path).status == 0
        assert os.umask(0) == 0o002
        os.umask(0o077)  # as the workflow's steps are started: it stays
        assert call("--version", tmp_path).status == 0
        assert os.umask(0) == 0o077
    finally:
        os.umask(before)
    made = [tmp_path / "my-study", *(tmp_path / "my-study").rglob("*")]
    assert len(made) > 5
    assert not any(path.stat().st_mode & 0o002 for path in made)


@pytest.fixture
def study(tmp_path):
    """A folder in which `faceage-bio init my-study` wrote."""
    done = call("init my-study", tmp_path)
    assert done.status == 0
    assert f"faceage-bio {CHECK}" in done.output
    return tmp_path


def test_init_writes_a_study_that_check_reads(study):
    done = call(CHECK, study)
    assert done.status == 2
    assert "Traceback" not in done.output
    assert "my-study/model: found no card.json" in done.output
    assert "my-study/photos: the photo folder is empty" in done.output


def words_of(output):
    return " ".join(output.replace("│", " ").split())


def test_an_example_study_with_photos_and_model_passes(study):
    from tests.golden.keras import recipe

    for name in ("A001_first.jpg", "A001_second.jpg", "A002.jpg"):
        Image.new("RGB", (60, 80)).save(study / "my-study" / "photos" / name)
    recipe.write_h5(study / "faceage_model.h5")
    output_of("weights import faceage_model.h5 --output my-study/model", folder=study)
    words = words_of(output_of(CHECK, folder=study))
    few = "caution: mine: too small for any model"  # the example has three rows for its reader
    for said in (few, "Everything else fits; 1 caution above", "Will it run here?", "SHA-256 as in its card"):
        assert said in words
    if torch.cuda.is_available():
        return
    path = study / "my-study" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["faceage"] = (config.get("faceage") or {}) | {"device": "cuda"}
    path.write_text(yaml.safe_dump(config))
    done = call(CHECK, study)
    assert done.status == 2, done.output
    said = "the study fits together, but will not run here. Expected no line that says missing"
    assert said in words_of(done.output)


@pytest.mark.slow
def test_check_times_the_studys_own_photos_without_weights(study):
    draw_noise(study / "my-study" / "photos", 3, 0.05)
    (study / "my-study" / "photos" / "notes.txt").write_text("no photo")
    before = sorted(study.rglob("*"))
    done = start(f"{CHECK} --time-photos 2", study)
    words = words_of(done.output)
    assert "Timing 2 of the study's photos in each of 1 process(es)" in words
    assert "Measured here" in words
    assert done.status == 2  # weights are still missing
    assert "my-study/model: found no card.json" in words
    assert sorted(study.rglob("*")) == before


def test_init_overwrites_nothing(tmp_path):
    write_example(tmp_path / "study")
    (tmp_path / "study" / "config.yaml").write_text("mine")
    with pytest.raises(RunError, match="nothing was written"):
        write_example(tmp_path / "study")
    assert (tmp_path / "study" / "config.yaml").read_text() == "mine"


def test_check_tells_a_misspelt_key_without_a_traceback(tmp_path):
    (tmp_path / "config.yaml").write_text("cohorts: {a: {face_ages: f.tsv}}\nreportt: {}\n")
    done = call("check --configfile config.yaml", tmp_path)
    assert done.status == 2
    assert "reportt: unknown key; did you mean 'report'?" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(("age", "status"), [("sixty", 2), ("60", 0)])
def test_check_reads_given_face_ages_too(tmp_path, age, status):
    (tmp_path / "config.yaml").write_text("cohorts: {a: {face_ages: f.csv}}\n")
    (tmp_path / "f.csv").write_text(f"subject_id,face_age\na,{age}\n")
    done = call("check --configfile config.yaml", tmp_path)
    assert done.status == status
    assert ("line 2: 'sixty'" in done.output) == bool(status)


def test_run_passes_options_on_to_snakemake(study):
    done = start("run --configfile my-study/config.yaml --dry-run --quiet rules", study)
    assert done.status != 0  # no photos and no model yet, which snakemake says
    assert "MissingInputException" in done.output
    assert "my-study/model" in done.output


def commands_of(group, before=""):
    """Every command of the program, as it is typed."""
    for name, command in group.commands.items():
        yield from (
            commands_of(command, f"{before}{name} ") if hasattr(command, "commands") else [before + name]
        )


@pytest.mark.parametrize("command", list(commands_of(get_command(app))))
def test_every_command_has_help_with_an_example(command):
    assert f"Example: faceage-bio {command}" in words_of(output_of(f"{command} --help"))
