"""What leaves is whole and checked, or nothing leaves; pseudonyms need a key that stays."""

import ast
import json
import os
import socket
import sys
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from faceage_bio.cli.main import app
from faceage_bio.errors import PrivacyError
from faceage_bio.privacy.known import Known, known_of_results
from faceage_bio.privacy.pseudonyms import load_key, pseudonym, pseudonymise
from faceage_bio.privacy.publish import ABOUT, MANIFEST, mark_local, publish
from faceage_bio.privacy.suppressed import MARK
from faceage_bio.privacy.tables import NEVER, TABLES, key_of
from faceage_bio.tables import read_text_table, sha256_of
from tests.conftest import jobs_planned, snakemake

PEOPLE = Known(identifiers={"N0912"})
COX = "cohort\tterm\testimate\tn\tn_events\nnorth\tface_age\t1.5\t114\t79\nnorth\tage\t1.2\t40\t4\n"


@pytest.fixture
def results(tmp_path) -> Path:
    """The smallest folder of a finished run."""
    folder = tmp_path / "results"
    files = {
        "reports/association.html": "<html><p>114 people</p></html>",
        "reports/figures/survival/forest.svg": "<svg/>",
        "north/survival/cox.tsv": COX,
        "north/survival/ledger.tsv": "cohort\tsubject_id\nnorth\tN0912\n",
        "north/ledger.tsv": "cohort\tsubject_id\nnorth\tN0912\n",
        "logs/a.tsv": "subject_id\nN0912\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_bundle_that_keeps_nothing_back_is_refused(results, tmp_path):
    with pytest.raises(PrivacyError, match=r"told is 1, so nothing would be kept back; expected 2 or more"):
        publish(results, tmp_path / "share", PEOPLE, 1)
    assert not (tmp_path / "share").exists()


def test_the_bundle_is_pages_tables_figures_and_a_manifest(results, tmp_path):
    done = publish(results, tmp_path / "share", PEOPLE, 5)
    assert done.files == sorted(
        [ABOUT, "association.html", "figures/survival/forest.svg", MANIFEST, "tables/north/survival/cox.tsv"]
    )
    manifest = json.loads((tmp_path / "share" / MANIFEST).read_text())
    assert manifest["files"]["association.html"] == sha256_of(tmp_path / "share/association.html")
    assert set(manifest["files"]) == set(done.files) - {MANIFEST}
    assert "small numbers" in manifest["tables"]["tables/north/survival/cox.tsv"]
    table = read_text_table(tmp_path / "share/tables/north/survival/cox.tsv")
    assert table["n_events"].tolist() == ["79", MARK]
    again = publish(results, tmp_path / "share", PEOPLE, 2)  # an earlier bundle is replaced
    assert read_text_table(again.target / "tables/north/survival/cox.tsv")["n_events"].tolist() == ["79", "4"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".publish")] == []


def test_a_zip_is_the_same_every_time(results, tmp_path):
    publish(results, tmp_path / "a.zip", PEOPLE, 5)
    publish(results, tmp_path / "b.zip", PEOPLE, 5)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as bundle:
        assert MANIFEST in bundle.namelist()
    publish(results, tmp_path / "a.zip", PEOPLE, 5)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("reports/association.html", "<html><p title='N0912'>a</p></html>"),
        ("reports/figures/survival/forest.svg", "<svg><text>N0912</text></svg>"),
        ("reports/association.html", '<html><script type="application/json">{"v": "N0912"}</script></html>'),
        ("north/survival/cox.tsv", COX.replace("face_age", "N0912")),
    ],
)
def test_nothing_is_written_where_anything_is_found(results, tmp_path, name, text):
    publish(results, tmp_path / "share", PEOPLE, 5)
    before = (tmp_path / "share/association.html").read_text()
    (results / name).write_text(text)
    with pytest.raises(
        PrivacyError, match=r"nothing was published, because \d+ things? may not leave(.|\n)*identifier"
    ):
        publish(results, tmp_path / "share", PEOPLE, 5)
    assert (tmp_path / "share/association.html").read_text() == before  # the earlier bundle is untouched
    with pytest.raises(PrivacyError, match=r"Expected none. Take out what is listed"):
        publish(results, tmp_path / "new", PEOPLE, 5)
    assert not (tmp_path / "new").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".publish")]


def test_an_undeclared_table_is_refused(results, tmp_path):
    (results / "north/survival/novel.tsv").write_text("cohort\testimate\nnorth\t1.5\n")
    with pytest.raises(PrivacyError, match=r"not declared: north/survival/novel\.tsv"):
        publish(results, tmp_path / "share", PEOPLE, 5)


def test_what_is_no_bundle_is_not_replaced(results, tmp_path):
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(PrivacyError, match="something else"):
        publish(results, other, PEOPLE, 5)
    with pytest.raises(PrivacyError, match="Run the workflow first"):
        publish(tmp_path / "empty", tmp_path / "share", PEOPLE, 5)
    assert (other / "thesis.txt").read_text() == "mine"


def test_results_without_a_page_are_not_published(results, tmp_path):
    (results / "reports/association.html").unlink()
    with pytest.raises(
        PrivacyError, match=r"reports: no page there. Expected at least one. Run the workflow to its end"
    ):
        publish(results, tmp_path / "share", PEOPLE, 5)


def test_two_people_do_not_share_a_pseudonym(monkeypatch):
    monkeypatch.setattr("faceage_bio.privacy.pseudonyms.pseudonym", lambda *_: "same")
    with pytest.raises(PrivacyError, match="column 'subject_id': two identifiers got the same pseudonym"):
        pseudonymise(pd.DataFrame({"subject_id": ["N1", "N2"]}), bytes(32))


def test_the_command_publishes_and_marks_the_results(results):
    done = CliRunner().invoke(app, ["publish", "--results", str(results)])
    assert done.exit_code == 0, done.output
    assert "5 files may leave; looked for 1 identifiers" in done.output
    assert (results / "share" / MANIFEST).is_file()
    assert "stays on this machine" in (results / "LOCAL_ONLY.txt").read_text()
    assert CliRunner().invoke(app, ["publish", "--results", str(results)]).exit_code == 0


def test_key_is_private_outside_of_results_and_lasts(tmp_path):
    path = tmp_path / "config" / "pseudonyms.key"
    key = load_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path) == key
    with pytest.raises(PrivacyError, match="lies inside"):
        load_key(tmp_path / "results/a.key", [tmp_path / "results"])
    mark_local(tmp_path / "other")
    with pytest.raises(PrivacyError, match="inside a folder of results"):
        load_key(tmp_path / "other/deep/a.key")
    path.chmod(0o644)
    with pytest.raises(
        PrivacyError, match=r"others than its owner can read the key. Expected mode 0600. Run: chmod 600"
    ):
        load_key(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(PrivacyError, match=r"expected a key of 64 hexadecimal letters. Restore it"):
        load_key(path)
    with pytest.raises(PrivacyError, match="no such key"):
        load_key(tmp_path / "absent", create=False)


def test_pseudonyms_are_stable_with_a_key_and_others_with_another():
    one, other = bytes(32), bytes(31) + b"1"
    assert pseudonym("N091", one) == pseudonym("N091", one)
    assert pseudonym("N091", one) != pseudonym("N091", other)
    assert pseudonym("N091", one) != pseudonym("N091", one, "photo_id")
    many = {pseudonym(str(k), one) for k in range(5000)}
    assert len(many) == 5000
    table = pd.DataFrame({
        "cohort": "north", "subject_id": ["N2", "N1", "N2"], "photo_id": ["P1", "P2", None], "path": "a.jpg",
        "photo_date": "2020-01-01", "perceptual_hash": "ff", "face_age": [50.0, 60.0, 70.0],
    })  # fmt: skip
    made = pseudonymise(table, one)
    assert list(made) == ["cohort", "subject_id", "photo_id", "face_age"]
    assert made["subject_id"].nunique() == 2
    assert made.groupby("subject_id")["face_age"].sum().sort_values().tolist() == [60.0, 120.0]
    assert not made.to_csv().count("N1")
    with pytest.raises(PrivacyError, match="no column holds identifiers"):
        pseudonymise(table[["face_age"]], one)


def test_pseudonymise_is_private_and_refuses_a_key_beside_the_table(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "in.tsv").write_text("subject_id\tface_age\nN1\t50\n")
    output = tmp_path / "out" / "people.tsv"
    command = ["pseudonymise", str(tmp_path / "in.tsv"), "--output", str(output)]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert output.stat().st_mode & 0o777 == 0o600
    first = output.read_text()
    assert CliRunner().invoke(app, command).exit_code == 0
    assert output.read_text() == first
    beside = CliRunner().invoke(app, [*command, "--key", str(tmp_path / "out" / "a.key")])
    assert isinstance(beside.exception, PrivacyError)


@pytest.fixture(scope="module")
def published(demo, tmp_path_factory) -> Path:
    """The demo's bundle, written with every way to a network closed."""
    target = tmp_path_factory.mktemp("published") / "share"
    plug, socket.socket.connect = socket.socket.connect, refuse
    try:
        publish(demo / "results", target, known_of_results(demo / "results"), 5)
    finally:
        socket.socket.connect = plug
    return target


def refuse(*_):
    raise AssertionError("a step asked for the network")


@pytest.mark.workflow
def test_the_demo_may_leave(published, demo):
    people = known_of_results(demo / "results")
    assert {"N001", "S001"} <= people.identifiers
    assert len(people.births) > 50
    assert {path.name for path in published.iterdir()} >= {
        "association.html",
        "survival.html",
        "tables",
        MANIFEST,
        ABOUT,
    }


@pytest.mark.workflow
def test_publishing_is_a_deliberate_act(demo, tmp_path):
    assert not (demo / "results" / "share").exists()  # no part of a run
    run = snakemake(tmp_path, "publish", "--dry-run", "--quiet", "host")
    assert run.status == 0, run.output
    assert jobs_planned(run.output)["publish"] == 1


@pytest.mark.workflow
def test_every_table_of_the_demo_is_declared_and_rows_of_people_are_private(demo, published):
    for path in (demo / "results").glob("*/**/*.tsv"):
        name = path.relative_to(demo / "results")
        if name.parts[0] in {"demo", "logs", "model", "reports", "share"}:
            continue
        assert key_of(name.as_posix()) in TABLES, name
        alone = TABLES[key_of(name.as_posix())] is NEVER
        assert (path.stat().st_mode & 0o077 == 0) == alone, name
        assert (published / "tables" / name).is_file() == (not alone), name
    for path in (demo / "results").rglob("*.parquet"):
        if "model" not in path.relative_to(demo / "results").parts:
            assert path.stat().st_mode & 0o077 == 0, path
    assert (demo / "results" / "LOCAL_ONLY.txt").is_file()


def test_no_module_that_holds_faces_writes_a_picture():
    """Crops stay in memory: nothing of these rooms writes a picture to a file, so no metadata of a photo is copied either."""
    package = Path(__file__).parent.parent / "faceage_bio"
    for room in ("vision", "faceage", "fairness", "acceleration", "cohort"):
        for path in (package / room).glob("*.py"):
            calls = [
                node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
            ]
            names = {call.attr for call in calls if isinstance(call, ast.Attribute)}
            assert not names & {"imwrite", "mkdtemp", "TemporaryDirectory", "imsave"}, path
            saved = [call for call in calls if isinstance(call, ast.Attribute) and call.attr == "save"]
            assert not saved or "BytesIO()" in path.read_text(), path


def test_commands_need_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    rng = np.random.default_rng(0)
    people = pd.DataFrame({
        "subject_id": [f"X{k:03d}" for k in range(80)], "chronological_age": rng.uniform(40, 80, 80).round(1),
        "sex": rng.choice(["female", "male"], 80), "smoking": rng.choice(["never", "current"], 80),
        "followup_years": rng.exponential(3, 80).round(3) + 0.01, "event": rng.integers(0, 2, 80),
    })  # fmt: skip
    people["face_age"] = people["chronological_age"] + rng.normal(0, 5, 80).round(1)
    people["age_acceleration"] = people["face_age"] - people["chronological_age"]
    people.to_csv(tmp_path / "people.tsv", sep="\t", index=False)

    def run(*command: str) -> None:
        done = CliRunner().invoke(app, [str(part) for part in command])
        assert done.exit_code == 0, (done.output, done.exception)

    table = tmp_path / "people.tsv"
    run(
        "fit-survival",
        "--acceleration",
        table,
        "--cox",
        tmp_path / "cox.tsv",
        "--comparison",
        tmp_path / "ages.tsv",
    )
    run(
        "estimate-curves", "--acceleration", table, "--by", "sex=levels", "--kaplan-meier", tmp_path / "km.tsv",
        "--at-risk", tmp_path / "risk.tsv", "--summary", tmp_path / "summary.tsv",
    )  # fmt: skip
    run("assess-fairness", "--people", table, "--by", "sex", "--output", tmp_path / "fairness.tsv")


@pytest.mark.workflow
def test_a_photo_is_aged_without_any_file_but_the_table(demo, tmp_path, monkeypatch):
    """Crops stay in memory: every file that is opened for writing is the table's, or its record."""
    monkeypatch.setattr(socket.socket, "connect", refuse)
    photos = pd.read_parquet(demo / "results/healthy/cohort/photos.parquet").head(2)
    photos.to_parquet(tmp_path / "photos.parquet")
    written = []

    def watch(event: str, given: tuple) -> None:
        if watching and event == "open" and isinstance(given[0], (str, bytes, os.PathLike)):
            mode, flags = given[1] or "", given[2] or 0
            if set(mode) & set("wax+") or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                written.append(Path(os.fsdecode(given[0])))

    watching = True
    sys.addaudithook(watch)
    try:
        done = CliRunner().invoke(app, [
            "predict-face-age", "--photos", str(tmp_path / "photos.parquet"), "--photo-folder", str(demo / "results/demo/healthy/photos"),
            "--model", str(demo / "results/model/demo"), "--output", str(tmp_path / "out" / "face_age.parquet"), "--device", "cpu", "--workers", "1",
        ])  # fmt: skip
    finally:
        watching = False
    assert done.exit_code == 0, (done.output, done.exception)
    assert any(path.is_relative_to(tmp_path / "out") for path in written)
    others = [
        path for path in written if not path.is_relative_to(tmp_path / "out") and path != Path(os.devnull)
    ]
    assert not [
        path for path in others if path.suffix.lower() not in {".pyc"} and "__pycache__" not in path.parts
    ], others


@pytest.mark.workflow
def test_no_crop_and_no_metadata_of_a_photo_is_left_by_the_demo(demo):
    """Pictures are the demo's own portraits and nothing else; crops stay in memory."""
    for folder, _, files in os.walk(demo):
        for name in files:
            path = Path(folder) / name
            if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".heic", ".npy", ".npz"}:
                assert "photos" in path.parts, path


def told_exactly(table: pd.DataFrame, column: str = "n") -> list[int]:
    """Numbers that are told as they are."""
    return [int(float(word)) for word in table[column] if word.replace(".", "").isdigit()]


@pytest.mark.workflow
def test_the_bundle_of_the_demo_tells_no_difference_of_few(published):
    """Read again without the rules: tables whose rows are about everybody, and levels of the factors of the means."""
    whole = {"survival/cox", "survival/age_comparison", "survival/proportional_hazards", "survival/imputed", "survival/added_value",
             "phenotype/phenotypes", "phenotype/tests", "phenotype/adjustments", "phenotype/dose_response", "acceleration/definitions"}  # fmt: skip
    numbers: dict[tuple[str, str], set[int]] = {}
    hidden = 0
    for path in (published / "tables").rglob("*.tsv"):
        if key_of(path.relative_to(published).as_posix()) in whole:
            table = read_text_table(path)
            for column in ("n", "n_events"):
                hidden += int(table[column].str.startswith("~").sum())
                for cohort, rows in table.groupby("cohort"):
                    numbers.setdefault((cohort, column), set()).update(
                        n for n in told_exactly(rows, column) if n
                    )
    assert hidden > 50  # the demo has people without a smoking status
    assert len(numbers) > 5
    assert all(second - first >= 5 for found in numbers.values() for first, second in pairwise(sorted(found)))
    means = read_text_table(published / "tables" / "pooled" / "phenotype" / "means.tsv")
    for (cohort, _), levels in means[means["model"] == "mean (t)"].groupby(["cohort", "factor"]):
        everybody = max(numbers[cohort, "n"], default=0)
        if len(told_exactly(levels)) == len(levels):
            lacking = everybody - sum(told_exactly(levels))
            assert lacking == 0 or abs(lacking) >= 5
