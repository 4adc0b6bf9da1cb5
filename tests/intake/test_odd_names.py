"""Blanks, brackets, braces, accents and other encodings in names of files, folders and columns, and on the terminal."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import yaml

from faceage_bio.core.config import load_config
from faceage_bio.core.errors import CohortError, ConfigError
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.intake.cohort.intake import read_cohorts, write_cohort
from tests.commands import invoked
from tests.conftest import ROOT

NFC, NFD = (unicodedata.normalize(form, "Zoë Müller.jpg") for form in ("NFC", "NFD"))


def manifest(folder: Path, *paths: str, files: tuple[str | bytes, ...] = ()):
    """The photos of a manifest with these paths, in a folder with these files."""
    photos = os.fsencode(folder / "photos (1) [a]")
    os.makedirs(photos, exist_ok=True)
    for name in files or paths:
        with open(os.path.join(photos, os.fsencode(name)), "w") as file:
            file.write("x")
    rows = [f"p{k}\ta{k}\t{path}" for k, path in enumerate(paths)]
    (folder / "manifest.tsv").write_text("\n".join(["photo_id\tsubject_id\tpath", *rows]) + "\n")
    return read_cohorts(
        {"c": Cohort(photos=os.fsdecode(photos), manifest=str(folder / "manifest.tsv"))}, 365.25
    )["c"]


@pytest.mark.parametrize(
    ("written", "found"), [(NFC, NFD), (NFD, NFC), (f"./{NFC}", NFC), ("a//b.jpg", "a/b.jpg")]
)
def test_one_name_may_be_spelt_in_several_ways(tmp_path, written, found):
    (tmp_path / "photos (1) [a]" / "a").mkdir(parents=True)
    tables = manifest(tmp_path, written, files=(found,))
    assert tables.photos.path.tolist() == [found]
    assert (tmp_path / "photos (1) [a]" / tables.photos.path[0]).is_file()
    assert set(tables.ledger.reason) == {""}


@pytest.mark.parametrize("paths", [("a.jpg", "./a.jpg"), (NFC, NFD)])
def test_one_photo_in_two_spellings_is_found(tmp_path, paths):
    with pytest.raises(CohortError, match=r"'path': 2 row.*Expected one row of each photo"):
        manifest(tmp_path, *paths, files=paths[:1])


def test_a_photo_whose_name_is_not_utf8_is_told_or_listed(tmp_path):
    latin = "José.jpg".encode("latin-1")
    tables = manifest(tmp_path, "a.jpg", files=("a.jpg", latin))
    stray = tables.ledger[tables.ledger.reason == "not_in_manifest"]
    assert stray.photo_id.tolist() == [r"Jos\xe9.jpg"]
    write_cohort(tables, tmp_path / "results")
    message = r"It has 'Jos.+xe9.jpg', a name that is not UTF-8: rename that file"
    with pytest.raises(CohortError, match=message):
        manifest(tmp_path, "José.jpg", files=("a.jpg",))
    with pytest.raises(CohortError, match=r"none has that name. It has 'a.jpg'. Correct the name"):
        manifest(tmp_path, "A.JPG", files=("a.jpg",))


def test_braces_in_a_path_are_told_before_snakemake_stumbles_over_them(tmp_path):
    for place, content in {
        "cohorts.mine.face_ages": {"cohorts": {"mine": {"face_ages": "ages {a}.tsv"}}},
        "results_dir": {"cohorts": {"mine": {"face_ages": "ages.tsv"}}, "results_dir": "of {sex}"},
    }.items():
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
        message = f"{place}: .* holds braces, which snakemake takes for a placeholder; rename"
        with pytest.raises(ConfigError, match=message):
            load_config(tmp_path / "config.yaml")


def test_pipes_and_devices_are_refused_before_they_are_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.tsv")
    for place, content in {
        "cohorts.mine.face_ages": {"cohorts": {"mine": {"face_ages": "pipe.tsv"}}},
        "cohorts.mine.counts": {"cohorts": {"mine": {"face_ages": "ages.tsv", "counts": "/dev/zero"}}},
        "readers.readings": {
            "cohorts": {"mine": {"face_ages": "ages.tsv"}},
            "readers": {"readings": "pipe.tsv"},
        },
    }.items():
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
        message = f"{place}: .* is a pipe, socket or device, and no file; save what it gives as a file, and name that"
        with pytest.raises(ConfigError, match=message):
            load_config(tmp_path / "config.yaml")
    for line in (
        "check --configfile",
        "fit-survival --output out --participants",
        "site pool --output out",
        "plan report --output out",
    ):
        done = invoked(f"{line} pipe.tsv", folder=tmp_path)
        assert done.exit_code == 2
        words = (
            "pipe.tsv: a pipe, socket or device, and no file. Save what it gives as a file, and name that."
        )
        assert words in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize(
    "terminal", [{"PYTHONIOENCODING": "latin-1"}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}], ids=["Latin-1", "ASCII"],
)  # fmt: skip
def test_a_terminal_without_utf8_is_spoken_to(tmp_path, terminal):
    (tmp_path / "é.tsv").write_text("subject_id\tface_age\n基\t60\n", encoding="utf-8")
    (tmp_path / "clinical.tsv").write_text("subject_id\tsex\n基\t≥1\n", encoding="utf-8")
    study = {"cohorts": {"mine": {"face_ages": "é.tsv", "clinical": "clinical.tsv"}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(study, allow_unicode=True), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "faceage_bio", "check", "--configfile", "config.yaml"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)} | terminal, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert rb"'\u22651'. Expected female or male" in done.stderr
    assert b"Traceback" not in done.stderr
