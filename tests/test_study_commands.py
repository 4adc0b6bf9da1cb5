"""init, check and run, as a user calls them."""

import subprocess
import sys

import pytest
import torch
import yaml
from PIL import Image

from faceage_bio.core.errors import RunError
from faceage_bio.demo.simulated_cohorts import draw_noise
from faceage_bio.intake.cohort.example import write_example
from tests.commands import faceage_bio, output_of


def call(*arguments, cwd):
    done = faceage_bio(cwd, *arguments)
    return done.status, done.output


def start(*arguments, cwd):
    """As its user does, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "faceage_bio", *arguments], cwd=cwd, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_init_writes_a_study_that_check_reads(tmp_path):
    status, output = call("init", "my-study", cwd=tmp_path)
    assert status == 0
    assert "faceage-bio check --configfile my-study/config.yaml" in output
    status, output = call("check", "--configfile", "my-study/config.yaml", cwd=tmp_path)
    assert status == 2
    assert "Traceback" not in output
    assert "my-study/model: found no card.json" in output
    assert "my-study/photos: the photo folder is empty" in output


def test_an_example_study_with_photos_and_model_passes(tmp_path):
    from tests.golden.keras import recipe

    call("init", "my-study", cwd=tmp_path)
    for name in ("A001_first.jpg", "A001_second.jpg", "A002.jpg"):
        Image.new("RGB", (60, 80)).save(tmp_path / "my-study" / "photos" / name)
    recipe.write_h5(tmp_path / "faceage_model.h5")
    status, output = call("weights", "import", "faceage_model.h5", "--output", "my-study/model", cwd=tmp_path)
    assert status == 0, output
    status, output = call("check", "--configfile", "my-study/config.yaml", cwd=tmp_path)
    assert status == 0, output
    assert "Everything fits" in output
    assert "Will it run here?" in output
    assert "SHA-256 as in its card" in " ".join(output.replace("│", " ").split())
    if torch.cuda.is_available():
        return
    path = tmp_path / "my-study" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["faceage"] = (config.get("faceage") or {}) | {"device": "cuda"}
    path.write_text(yaml.safe_dump(config))
    status, output = call("check", "--configfile", "my-study/config.yaml", cwd=tmp_path)
    words = " ".join(output.replace("│", " ").split())
    assert status == 2, output
    assert "the study fits together, but will not run here. Expected no line that says missing" in words


def test_check_times_the_studys_own_photos_without_weights(tmp_path):
    call("init", "my-study", cwd=tmp_path)
    draw_noise(tmp_path / "my-study" / "photos", 3, 0.05)
    (tmp_path / "my-study" / "photos" / "notes.txt").write_text("no photo")
    before = sorted(tmp_path.rglob("*"))
    status, output = start(
        "check", "--configfile", "my-study/config.yaml", "--time-photos", "2", cwd=tmp_path
    )
    words = " ".join(output.replace("│", " ").split())
    assert "Timing 2 of the study's photos in each of 1 process(es)" in words
    assert "Measured here" in words
    assert status == 2  # weights are still missing
    assert "my-study/model: found no card.json" in words
    assert sorted(tmp_path.rglob("*")) == before


def test_init_overwrites_nothing(tmp_path):
    write_example(tmp_path / "study")
    (tmp_path / "study" / "config.yaml").write_text("mine")
    with pytest.raises(RunError, match="nothing was written"):
        write_example(tmp_path / "study")
    assert (tmp_path / "study" / "config.yaml").read_text() == "mine"


def test_check_tells_a_misspelt_key_without_a_traceback(tmp_path):
    (tmp_path / "config.yaml").write_text("cohorts: {a: {face_ages: f.tsv}}\nreportt: {}\n")
    status, output = call("check", "--configfile", "config.yaml", cwd=tmp_path)
    assert status == 2
    assert "reportt: unknown key; did you mean 'report'?" in output
    assert "Traceback" not in output


def test_check_reads_given_face_ages_too(tmp_path):
    (tmp_path / "config.yaml").write_text("cohorts: {a: {face_ages: f.csv}}\n")
    (tmp_path / "f.csv").write_text("subject_id,face_age\na,sixty\n")
    status, output = call("check", "--configfile", "config.yaml", cwd=tmp_path)
    assert status == 2
    assert "line 2: 'sixty'" in output
    (tmp_path / "f.csv").write_text("subject_id,face_age\na,60\n")
    assert call("check", "--configfile", "config.yaml", cwd=tmp_path)[0] == 0


def test_run_passes_options_on_to_snakemake(tmp_path):
    call("init", "s", cwd=tmp_path)
    status, output = start(
        "run", "--configfile", "s/config.yaml", "--dry-run", "--quiet", "rules", cwd=tmp_path
    )
    assert status != 0  # no photos and no model yet, which snakemake says
    assert "MissingInputException" in output
    assert "s/model" in output


@pytest.mark.parametrize(
    "command",
    [
        "init",
        "check",
        "run",
        "read-manifest",
        "check-cohort",
        "predict-face-age",
        "compute-acceleration",
        "test-phenotypes",
        "compare-groups",
        "fit-expression",
        "aggregate-cells",
        "prepare-follow-up",
        "fit-survival",
        "estimate-curves",
        "fit-survival-sensitivity",
        "compare-readers",
        "show-score",
        "compute-scores",
        "gather-ledger",
        "render-report",
        "draw-figures",
        "make-demo-cohorts",
        "fit-demo-model",
        "read-face-ages",
    ],
)
def test_every_command_has_help_with_an_example(command):
    said = output_of(f"{command} --help")
    assert f"Example: faceage-bio {command}" in " ".join(said.replace("│", " ").split())
