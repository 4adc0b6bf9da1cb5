"""What the system refuses is told in words, without a traceback; bugs keep theirs."""

import errno
import os
import resource
import subprocess
import sys

import pandas as pd
import pytest

from faceage_bio.cli import main as command_line
from faceage_bio.core import tables
from faceage_bio.core.errors import TableError
from faceage_bio.core.tables import read_table, write_table

PEOPLE = pd.DataFrame(
    {"cohort": "a", "subject_id": [f"s{k}" for k in range(3000)], "chronological_age": range(3000)}
)


def call(monkeypatch, capsys, *arguments):
    """Exit status and standard error of a command."""
    monkeypatch.setattr(sys, "argv", ["faceage-bio", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        command_line.main()
    return left.value.code, capsys.readouterr().err


@pytest.mark.parametrize("name", ["people.parquet", "people.tsv"])
def test_a_table_that_is_cut_off_is_told_by_name(tmp_path, monkeypatch, capsys, name):
    write_table(PEOPLE, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2] + b"\0\xff" * 20)
    message = rf"{name}: damaged or cut off .*Expected a whole table. Delete it and run the"
    with pytest.raises(TableError, match=message):
        read_table(tmp_path / name)
    status, told = call(
        monkeypatch,
        capsys,
        "pseudonymise",
        tmp_path / name,
        "--output",
        tmp_path / "out" / "o.tsv",
        "--key",
        tmp_path / "k" / "key",
    )
    assert status == 2
    assert told.startswith("error: ")
    assert "Traceback" not in told


def test_a_file_beyond_the_limit_of_the_system_leaves_nothing(tmp_path):
    write_table(PEOPLE, tmp_path / "people.parquet")
    command = [
        sys.executable,
        "-m",
        "faceage_bio",
        "pseudonymise",
        "people.parquet",
        "--output",
        "out/o.tsv",
        "--key",
        "k/key",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "error: out/o.tsv: the system allows no file of this size (ulimit -f)" in done.stderr
    assert "Make room there, or set results_dir to a larger disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results/a.parquet"), "results/a.parquet: the disk is full. Expected room"),
        (OSError(f"[Errno 28] Error writing bytes to file: {os.strerror(errno.ENOSPC)}"), "what was to be written: the disk is full"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "clinic.tsv"), "clinic.tsv: no permission. Expected a file and a folder"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "results"), "results: the disk cannot be written to"),
        (NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), "clinic.tsv/a"), "clinic.tsv/a: a file, where a folder is needed"),
        (MemoryError(), "memory ran out. Expected enough for this step"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["read_table", "write_table"])
def test_what_the_system_refuses_is_told(tmp_path, monkeypatch, capsys, fault, words, where):
    def refuse(*_, **__):
        raise fault

    write_table(PEOPLE, tmp_path / "people.parquet")
    monkeypatch.setattr(tables, where, refuse)
    arguments = [
        "pseudonymise",
        tmp_path / "people.parquet",
        "--output",
        tmp_path / "out" / "o.tsv",
        "--key",
        tmp_path / "k" / "key",
    ]
    status, told = call(monkeypatch, capsys, *arguments)
    assert status == 2
    assert told.startswith(f"error: {words}")


@pytest.mark.parametrize(
    "fault", [ValueError("bug"), FileNotFoundError(errno.ENOENT, "bug", "x"), OSError("bug"), KeyError("bug")]
)
def test_bugs_keep_their_traceback(tmp_path, monkeypatch, fault):
    def fail(*_, **__):
        raise fault

    write_table(PEOPLE, tmp_path / "people.parquet")
    monkeypatch.setattr(tables, "write_table", fail)
    arguments = [
        "pseudonymise",
        tmp_path / "people.parquet",
        "--output",
        tmp_path / "out" / "o.tsv",
        "--key",
        tmp_path / "k" / "key",
    ]
    monkeypatch.setattr(sys, "argv", ["faceage-bio", *map(str, arguments)])
    with pytest.raises(type(fault)):
        command_line.main()


def test_a_table_of_somebody_else_is_told(tmp_path, monkeypatch, capsys):
    """Root may read everything, so that root's test asks the kernel as another user."""
    write_table(PEOPLE, tmp_path / "people.parquet")
    (tmp_path / "people.parquet").chmod(0)
    arguments = [
        "pseudonymise",
        tmp_path / "people.parquet",
        "--output",
        tmp_path / "out" / "o.tsv",
        "--key",
        tmp_path / "k" / "key",
    ]
    root = os.geteuid() == 0
    if root:
        for folder in tmp_path.parents[:2]:
            folder.chmod(folder.stat().st_mode | 0o055)
        os.seteuid(65534)
    try:
        status, told = call(monkeypatch, capsys, *arguments)
    finally:
        if root:
            os.seteuid(0)
    assert status == 2
    assert "people.parquet: no permission. Expected a file and a folder that you may read and write" in told


def test_results_in_the_place_of_a_file(tmp_path, monkeypatch, capsys):
    write_table(PEOPLE, tmp_path / "people.parquet")
    (tmp_path / "out").write_text("a file")
    arguments = [
        "pseudonymise",
        tmp_path / "people.parquet",
        "--output",
        tmp_path / "out" / "o.tsv",
        "--key",
        tmp_path / "k" / "key",
    ]
    status, told = call(monkeypatch, capsys, *arguments)
    assert status == 2
    assert "out: a file, where a folder is needed. Choose another path" in told
