"""What is wrong with the options of a command is told with what was expected and what to do, before any work."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import faceage_bio
from faceage_bio.analyses.expression.inputs import read_inputs
from faceage_bio.cli.commands_study import workflow_folder
from faceage_bio.cli.main import app
from faceage_bio.core.errors import FaceAgeBioError, RunError


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "compute-acceleration --subjects a.parquet --photos b.parquet --photos c.parquet --face-ages d.parquet --results x",
            "--subjects, --photos and --face-ages: expected once for each cohort, in the same order; found 1, 2 and 1. Give as many of each",
        ),
        (
            "assess-fairness --participants a.csv --participants b.csv --photos c.parquet --output d.tsv",
            r"--photos: expected once for each --participants \(2\), in the same order, or not at all; found 1. Give as many, or none",
        ),
        (
            "summarise-photos --face-ages a.parquet --participants b.parquet --participants c.parquet --results d",
            r"--participants: expected once for each --face-ages \(1\), in the same order; found 2. Give as many",
        ),
        (
            "stress-photos --photo-folder a --model b --output c.tsv --participants d.parquet --participants e.parquet",
            r"--participants: expected once for each --photo-folder \(1\), in the same order, or not at all; found 2. Give as many, or none",
        ),
        (
            "stress-photos --photo-folder a --model b --output c.tsv --photos d.parquet --photos e.parquet",
            r"--photos: expected once for each --photo-folder \(1\), in the same order",
        ),
        (
            "stress-photos --photo-folder a --model b --output c.tsv --face-ages d.parquet --face-ages e.parquet",
            r"--face-ages: expected once for each --photo-folder \(1\), in the same order",
        ),
        (
            "make-review-sheet --photo-folder a --photos b.parquet --photos c.parquet --face-ages d.parquet --output e.html --key f.tsv",
            "--photo-folder, --photos and --face-ages: expected once for each cohort, in the same order; found 1, 2 and 1. Give as many",
        ),
        ("check-privacy a.html --results nowhere", "nowhere: no such folder. Expected the results of a finished run, whose participants are looked for"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_told(command, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, command.split())
    assert isinstance(done.exception, FaceAgeBioError), done.output
    with pytest.raises(FaceAgeBioError, match=message):
        raise done.exception


def test_a_message_about_a_table_names_its_file(tmp_path):
    path = tmp_path / "people.tsv"
    path.write_text("face_age\tchronological_age\n" + "".join(f"{50 + k}\t{51 + k % 7}\n" for k in range(20)))
    command = [
        "compare-groups",
        "--participants",
        str(path),
        "--set",
        "phenotype.factors=smokng",
        "--output",
        str(tmp_path),
    ]
    done = CliRunner().invoke(app, command)
    with pytest.raises(
        FaceAgeBioError,
        match=rf"^{path}: the analysis table has no column 'smokng'; it has .*Expected each of them. Correct",
    ):
        raise done.exception
    path.write_text("chronological_age\n60\n")  # a message that names it is left as it is
    done = CliRunner().invoke(app, command)
    assert str(done.exception).count("people.tsv") == 1


def test_counts_come_from_one_place_and_with_their_samples():
    with pytest.raises(
        RunError, match=r"--counts and --pseudobulk: expected one of them, found both or none. Give either"
    ):
        read_inputs("north", None)
    with pytest.raises(
        RunError,
        match=r"--counts: expected --samples with it, which tells whose each sample is. Give --samples too",
    ):
        read_inputs("north", None, Path("counts.tsv"))


def test_a_package_without_its_workflow_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(faceage_bio, "__file__", str(tmp_path / "faceage_bio" / "__init__.py"))
    with pytest.raises(
        RunError,
        match=r"no workflow next to .*faceage_bio. Expected the file Snakefile in a folder workflow there",
    ):
        workflow_folder()
