"""A step gives the tables of the run before where nothing that it uses has changed, and computes them where anything has."""

import os
import stat
from pathlib import Path
from typing import Annotated

import pandas as pd
import pytest
import typer

from faceage_bio.cli.main import STEPS
from faceage_bio.core import kept, tables
from faceage_bio.core.columns import OUTCOMES
from faceage_bio.core.config import Config
from faceage_bio.core.records import hash_of_folder, read_record, record_of
from faceage_bio.core.steps import Step
from faceage_bio.core.tables import read_table, sha256_of, write_table

PEOPLE = pd.DataFrame({
    "cohort": "c", "subject_id": [f"s{k}" for k in range(6)], "bmi": range(20, 26), "followup_years": [1.0, 2, 3, 4, 5, 6], "event": 1.0,
})  # fmt: skip


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Participants and counts, in a run of the workflow; `run` says what the step saw, None where it did not compute."""
    monkeypatch.setenv(tables.ACCESS, "owner")
    write_table(PEOPLE, tmp_path / "people.parquet")
    (tmp_path / "counts").mkdir()
    (tmp_path / "counts" / "s1.txt").write_text("CDK6\t7\n")
    return tmp_path


def run(folder: Path, *sets: str, workers: int = 1) -> list[str] | None:
    seen = []

    def fit_means(
        participants: Annotated[Path, typer.Option()], counts: Annotated[Path, typer.Option()], settings: Config, workers: int = 1
    ):  # fmt: skip
        table = read_table(participants)
        seen.append(list(table))
        return {"means": pd.DataFrame({"mean": [table["bmi"].mean() * settings.expression.per_years]})}

    step = Step(fit_means, ("expression.per_years", "expression.covariates"), {"means.tsv": "", "other.tsv": ""}, hides=OUTCOMES)  # fmt: skip
    step.command()(
        participants=folder / "people.parquet", counts=folder / "counts", workers=workers, output=folder / "out", set=sets
    )  # fmt: skip
    return seen[0] if seen else None


def test_a_change_of_follow_up_is_not_seen_and_costs_nothing(study):
    assert run(study) == ["cohort", "subject_id", "bmi"]
    made = study / "out" / "means.tsv"
    before, record = made.read_bytes(), read_record(record_of(made))
    made.unlink()  # as snakemake does
    write_table(PEOPLE.assign(followup_years=9.0, event=0.0), study / "people.parquet")
    assert run(study, workers=7) is None
    assert made.read_bytes() == before
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert made.stat().st_mtime_ns >= (study / "people.parquet").stat().st_mtime_ns
    again = read_record(record_of(made))
    assert again["software"] == record["software"]
    assert again["sha256"] == record["sha256"]
    # the record tells of the table that was read this time
    assert again["inputs"][0] == {"role": "participants", "sha256": sha256_of(study / "people.parquet")}
    assert again["inputs"][0] != record["inputs"][0]


@pytest.mark.parametrize("change", ["bmi", "counts", "setting", "code", "package"])
def test_a_change_of_what_is_used_is_computed(study, monkeypatch, change):
    run(study)
    if change == "bmi":
        write_table(PEOPLE.assign(bmi=PEOPLE.bmi + (PEOPLE.index == 3)), study / "people.parquet")
    elif change == "counts":
        (study / "counts" / "s1.txt").write_text("CDK6\t8\n")
    elif change == "code":
        monkeypatch.setattr(kept, "_code", lambda: "another version")
    elif change == "package":
        monkeypatch.setattr(kept, "_packages", lambda: {"numpy": "1.0"})
    assert run(study, *(["expression.per_years=3"] if change == "setting" else [])) is not None
    assert run(study, *(["expression.per_years=3"] if change == "setting" else [])) is None


def test_touched_files_cost_nothing(study):
    run(study)
    for path in study.rglob("*"):
        os.utime(path, (1, 1))
    assert run(study) is None


def test_follow_up_that_a_setting_names_is_seen(study):
    assert "event" in run(study, "expression.covariates=event,bmi")
    write_table(PEOPLE.assign(event=0.0), study / "people.parquet")
    assert run(study, "expression.covariates=event,bmi") is not None


@pytest.mark.parametrize("harm", ["edited", "gone", "no_json"])
def test_what_was_kept_and_harmed_is_computed_again(study, harm):
    run(study)
    place = study / "out" / kept.FOLDER / "fit-means"
    if harm == "edited":  # also the table in sight, which is the same file
        (study / "out" / "means.tsv").write_text("mean\n1000\n")
    elif harm == "gone":
        (place / "means.tsv").unlink()
    else:
        (place / kept.DESCRIPTION).write_text("{")
    assert run(study) is not None
    assert read_table(study / "out" / "means.tsv")["mean"].item() == pytest.approx(22.5 * 10)
    assert run(study) is None


def test_by_hand_every_step_computes(study, monkeypatch):
    monkeypatch.delenv(tables.ACCESS)
    run(study)
    assert run(study) is not None
    assert not (study / "out" / kept.FOLDER).exists()


def test_without_hard_links_nothing_is_kept_and_nothing_fails(study, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert run(study) is not None
    assert run(study) is not None
    assert (study / "out" / "means.tsv").exists()


def test_steps_that_share_a_folder_keep_their_own(study):
    def fit_other(participants: Annotated[Path, typer.Option()]):
        return {"other": read_table(participants)}

    run(study)
    Step(fit_other, (), {"other.tsv": ""}).command()(
        participants=study / "people.parquet", output=study / "out"
    )
    assert run(study) is None
    assert {path.name for path in (study / "out" / kept.FOLDER).iterdir()} == {"fit-means", "fit-other"}


def test_what_is_kept_takes_no_space(study):
    run(study)
    assert (study / "out" / kept.FOLDER / "fit-means" / "means.tsv").samefile(study / "out" / "means.tsv")


def test_no_step_of_genes_sees_what_became_of_participants():
    blind = {name for name, step in STEPS.items() if set(OUTCOMES) <= set(step.hides)}
    assert blind == {
        "compare-composition", "check-expression", "fit-expression", "fit-expression-sensitivity", "score-gene-sets",
        "fit-variants", "stress-photos",
    }  # fmt: skip


def test_a_folder_has_the_fingerprint_of_its_files(tmp_path):
    for name in ("a.txt", "b/c.txt", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    first = hash_of_folder(tmp_path)
    (tmp_path / ".hidden").write_text("x")
    os.utime(tmp_path / "a.txt", (1, 1))
    assert hash_of_folder(tmp_path) == first
    (tmp_path / "b/c.txt").rename(tmp_path / "b/d.txt")
    assert hash_of_folder(tmp_path) != first
