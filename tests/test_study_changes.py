"""What an edit computes again: photos by their bytes, genes by what they depend on; `check` says so beforehand."""

import os
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from faceage_bio.cli import study_check
from faceage_bio.cli.main import app
from faceage_bio.cli.study_check import check_study, time_of
from faceage_bio.faces.faceage.shards import count_photos, shard_names
from tests.conftest import add_mean_model

N = 7


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Photos of noise, a clinical table, counts, and a model; `run` makes face ages as the workflow does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        study_check.machine, "look", lambda folder, gpu: study_check.machine.Computer(2, 64, 500)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        add_mean_model(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    for k in range(N):
        photo(tmp_path, k)
    people = pd.DataFrame({
        "subject_id": [f"P{k}" for k in range(N)], "chronological_age": [50.0 + k for k in range(N)], "bmi": 25.0,
        "sex": ["male", "female"] * 3 + ["male"], "followup_years": 2.5, "event": 1,
    })  # fmt: skip
    people.to_csv(tmp_path / "clinical.tsv", sep="\t", index=False)
    pd.DataFrame({f"P{k}": [500 + k, 40, 8] for k in range(N)}, index=pd.Index(["CDK6", "TP53", "GDF15"], name="gene")).to_csv(
        tmp_path / "counts.tsv", sep="\t"
    )  # fmt: skip
    manifest(tmp_path, N)
    configure(tmp_path)
    return tmp_path


def photo(folder, k):
    pixels = np.random.default_rng(k).integers(0, 255, (200, 160, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photos" / f"{k}.png")


def manifest(folder, n):
    rows = pd.DataFrame(
        {"photo_id": [f"p{k}" for k in range(n)], "subject_id": [f"P{k % N}" for k in range(n)]}
    )
    rows.assign(path=[f"{k}.png" for k in range(n)]).to_csv(folder / "manifest.tsv", sep="\t", index=False)


def configure(folder, name="mine", shard_size=3):
    cohort = {
        "photos": "photos",
        "manifest": "manifest.tsv",
        "clinical": "clinical.tsv",
        "counts": "counts.tsv",
    }
    content = {
        "cohorts": {name: cohort}, "models": ["model"], "faceage": {"shard_size": shard_size, "device": "cpu"},
        "expression": {"covariates": ["chronological_age", "sex"]},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(content))


def call(*words):
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def run(folder, name="mine", shard_size=3) -> int:
    """How many photos are computed when manifest, shards and their gathering run."""
    cohort, faces = folder / "results" / name / "cohort", folder / "results" / name / "faceage"
    common = ("--config", "config.yaml", "--cohort", name)
    call(
        "read-manifest",
        *common,
        "--output",
        cohort / "manifest.parquet",
        "--unlisted",
        cohort / "unlisted.parquet",
    )
    call("check-cohort", *common, "--results", "results", "--manifest", cohort / "manifest.parquet", "--unlisted", cohort / "unlisted.parquet")  # fmt: skip
    shards = shard_names(count_photos(folder / "manifest.tsv"), shard_size)
    told = [
        call("predict-face-age", "--config", "config.yaml", "--photos", cohort / "manifest.parquet", "--photo-folder", "photos", "--model", "model",
             "--shard", shard, "--workers", 1, "--store", "results/faceage_store", "--output", faces / "shards" / f"{shard}.parquet",
             "--speed", faces / "shards" / f"{shard}.json")
        for shard in shards
    ]  # fmt: skip
    given = [part for shard in shards for part in ("--shard", faces / "shards" / f"{shard}.parquet")]
    call(
        "gather-face-ages",
        *common,
        *given,
        "--manifest",
        cohort / "manifest.parquet",
        "--model",
        "model",
        "--results",
        "results",
    )
    gathered = list(pd.read_parquet(faces / "face_age.parquet")["photo_id"])
    assert gathered == list(pd.read_csv("manifest.tsv", sep="\t")["photo_id"])
    return sum(int(re.search(r"computed before, (\d+) now", text)[1]) for text in told)


def checked(folder, capsys) -> str:
    capsys.readouterr()
    check_study(folder / "config.yaml")
    return capsys.readouterr().out


def test_only_new_photos_are_computed_and_check_says_so_beforehand(study, capsys):
    told = checked(study, capsys)
    assert f"mine: {N} of {N} photos will be computed: " in told
    assert "hours on the processor, 0 GPU-hours (an estimate; no run before)" in told
    assert "mine: genes are fitted for the first time" in told
    assert run(study) == N
    # one file of the store for each shard, and none for a photo
    assert len(list((study / "results" / "faceage_store").rglob("*.part"))) == 3

    people = pd.read_csv("clinical.tsv", sep="\t")  # one BMI
    people.assign(bmi=people.bmi + (people.index == 2)).to_csv("clinical.tsv", sep="\t", index=False)
    assert f"mine: 0 of {N} photos will be computed: 0 hours, 0 GPU-hours" in checked(study, capsys)
    assert run(study) == 0

    photo(study, N)  # one photo more
    manifest(study, N + 1)
    told = checked(study, capsys)
    assert f"mine: 1 of {N + 1} photos will be computed: " in told
    assert "0 GPU-hours (at" in told
    assert "photos a second on CPU, as before)" in told
    assert run(study) == 1

    configure(study, name="renamed")
    assert f"renamed: 0 of {N + 1} photos will be computed" in checked(study, capsys)
    assert run(study, name="renamed") == 0

    configure(study, shard_size=2)
    assert run(study, shard_size=2) == 0

    for path in study.rglob("*"):
        os.utime(path, (10**9, 10**9))
    assert f"0 of {N + 1} photos will be computed ({N + 1} were touched or moved, and are the same)" in checked(study, capsys)  # fmt: skip
    assert run(study) == 0


def test_check_says_whether_genes_are_fitted_again(study, capsys):
    run(study)
    people = pd.read_csv("clinical.tsv", sep="\t")
    ages = people.assign(age_acceleration=[1.0, -2, 3, -1, 0.5, -3, 1.5], face_age=people.chronological_age)
    ages.to_csv("accelerated.tsv", sep="\t", index=False)
    cohort = study / "results" / "mine" / "cohort"
    call(
        "fit-expression", "--config", "config.yaml", "--participants", "accelerated.tsv", "--counts", cohort / "counts.parquet", "--samples",
        cohort / "samples.parquet", "--cohort", "mine", "--output", "results/mine/expression",
    )  # fmt: skip
    said = "mine: genes are fitted again (changed: {})"
    files = ("clinical.tsv", "counts.tsv", "config.yaml")
    before = {name: (study / name).read_text() for name in files}
    edits = {
        "": ({}, "mine: genes are not fitted again"),
        "follow-up": ({"clinical.tsv": ("2.5", "3.5")}, "mine: genes are not fitted again"),
        "bmi": ({"clinical.tsv": ("25.0", "26.0")}, said.format("clinical data")),
        "counts": ({"counts.tsv": ("500", "501")}, said.format("counts")),
        "setting": ({"config.yaml": ("expression:", "expression:\n  per_years: 5")}, said.format("expression.per_years")),
    }  # fmt: skip
    for changes, words in edits.values():
        for name, text in before.items():
            (study / name).write_text(text.replace(*changes.get(name, ("\0", ""))))
        assert words in checked(study, capsys)
    for name, text in before.items():
        (study / name).write_text(text)
    photo(study, N)
    manifest(study, N + 1)
    assert said.format("face ages") in checked(study, capsys)


def test_the_time_of_a_gpu_is_told_in_gpu_hours():
    assert (
        time_of(72_000, (10.0, "NVIDIA H200"), 99)
        == "about 2 hours, 2 GPU-hours (at 10.0 photos a second on NVIDIA H200, as before)"
    )
    assert time_of(2, None, 5e-5).startswith("less than 0.1 hours on the processor")
    assert time_of(0, None, 0) == "0 hours, 0 GPU-hours"
