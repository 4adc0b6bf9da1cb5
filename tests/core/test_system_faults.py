"""What the system refuses is told in words, without a traceback; bugs keep theirs."""

import errno
import os
import resource
import subprocess
import sys

import pandas as pd
import pytest

from faceage_bio.cli.main import main
from faceage_bio.core import tables
from faceage_bio.core.errors import TableError
from faceage_bio.core.tables import read_table, write_table
from tests.commands import faceage_bio

PEOPLE = pd.DataFrame(
    {"cohort": "a", "subject_id": [f"s{k}" for k in range(3000)], "chronological_age": range(3000)}
)
PSEUDONYMISE = ["pseudonymise", "people.parquet", "--output", "out/o.tsv", "--key", "k/key"]


@pytest.fixture
def folder(tmp_path):
    """A folder with a table of participants."""
    write_table(PEOPLE, tmp_path / "people.parquet")
    return tmp_path


def refused(folder, *arguments):
    """What a refused command printed, which begins with the error."""
    done = faceage_bio(folder, *(arguments or PSEUDONYMISE))
    assert done.status == 2
    assert done.output.startswith("error: ")
    assert "Traceback" not in done.output
    return done.output


@pytest.mark.parametrize("name", ["people.parquet", "people.tsv"])
def test_a_table_that_is_cut_off_is_told_by_name(tmp_path, name):
    write_table(PEOPLE, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2] + b"\0\xff" * 20)
    message = rf"{name}: damaged or cut off .*Expected a whole table. Delete it and run the"
    with pytest.raises(TableError, match=message):
        read_table(tmp_path / name)
    assert refused(tmp_path, "pseudonymise", name, *PSEUDONYMISE[2:])


def test_a_file_beyond_the_limit_of_the_system_leaves_nothing(folder):
    done = subprocess.run(
        [sys.executable, "-m", "faceage_bio", *PSEUDONYMISE], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "error: out/o.tsv: the system allows no file of this size (ulimit -f)" in done.stderr
    assert "Make room there, or set results_dir to a larger disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((folder / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results/a.parquet"), "results/a.parquet: the disk is full. Expected room"),
        (OSError(f"[Errno 28] Error writing bytes to file: {os.strerror(errno.ENOSPC)}"), "what was to be read or written: the disk is full"),
        (PermissionError(f"[Errno 13] Failed to open local file 'results/a.parquet'. Detail: {os.strerror(errno.EACCES)}"), "results/a.parquet: no permission"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "clinic.tsv"), "clinic.tsv: no permission. Expected a file and a folder"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "results"), "results: the disk cannot be written to"),
        (NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), "clinic.tsv/a"), "clinic.tsv/a: a file, where a folder is needed"),
        (MemoryError(), "memory ran out. Expected enough for this step"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["read_table", "write_table"])
def test_what_the_system_refuses_is_told(folder, monkeypatch, fault, words, where):
    def refuse(*_, **__):
        raise fault

    monkeypatch.setattr(tables, where, refuse)
    assert refused(folder).startswith(f"error: {words}")


@pytest.mark.parametrize(
    "fault", [ValueError("bug"), FileNotFoundError(errno.ENOENT, "bug", "x"), OSError("bug"), KeyError("bug")]
)
def test_bugs_keep_their_traceback(folder, monkeypatch, fault):
    def fail(*_, **__):
        raise fault

    monkeypatch.setattr(tables, "write_table", fail)
    with pytest.raises(type(fault)):
        faceage_bio(folder, *PSEUDONYMISE)


def test_a_table_of_another_user_is_told(folder, monkeypatch, capsys):
    """Root may read everything, so that root's test asks the kernel as another user."""
    (folder / "people.parquet").chmod(0)
    root = os.geteuid() == 0
    if root:
        for parent in folder.parents[:2]:
            parent.chmod(parent.stat().st_mode | 0o055)
        os.seteuid(65534)
    table = str(folder / "people.parquet")
    monkeypatch.setattr(sys, "argv", ["faceage-bio", "pseudonymise", table, *PSEUDONYMISE[2:]])
    try:
        with pytest.raises(SystemExit, match="2"):
            main()
    finally:
        if root:
            os.seteuid(0)
    told = "people.parquet: no permission. Expected a file and a folder that you may read and write"
    assert told in capsys.readouterr().err


def test_results_in_the_place_of_a_file(folder):
    (folder / "out").write_text("a file")
    assert "out: a file, where a folder is needed. Choose another path" in refused(folder)
