"""Whatever ends `publish`, no half bundle is there, and an earlier one still is."""

import os
import signal
import subprocess
import sys
import time

import pytest

from faceage_bio.release.bundle import building_folder, take_place

pytestmark = pytest.mark.slow

BUILD = """
import sys, time
from pathlib import Path
from faceage_bio.release.bundle import building_folder, take_place
target = Path("share")
with building_folder(target) as building:
    (building / "bundle").mkdir()
    (building / "bundle" / "new.txt").write_text("new")
    if "swap" in sys.argv:  # between the two renames
        target.rename(building / "earlier")
    print("half", flush=True)
    time.sleep(60)
    take_place(building / "bundle", target, building)
"""


def interrupted(folder, number, *arguments):
    """Build in another process, which a signal ends half-way; its exit status."""
    with subprocess.Popen([sys.executable, "-c", BUILD, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # fmt: skip
        assert process.stdout.readline() == b"half\n"
        process.send_signal(number)
        return process.wait(timeout=20)


@pytest.fixture
def earlier(tmp_path):
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "old.txt").write_text("old")
    return tmp_path


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_what_was_there_before(earlier, number):
    assert interrupted(earlier, number) != 0
    assert names(earlier) == ["share", "share/old.txt"]


def test_an_exception_leaves_what_was_there_before(earlier):
    with pytest.raises(ZeroDivisionError), building_folder(earlier / "share"):
        raise ZeroDivisionError
    assert names(earlier) == ["share", "share/old.txt"]


def test_the_next_run_clears_what_a_killed_one_left(earlier):
    assert interrupted(earlier, signal.SIGKILL) == -signal.SIGKILL
    (left,) = (path for path in earlier.iterdir() if path.name != "share")
    assert left.name.startswith(".publish-share-")
    assert left.stat().st_mode & 0o777 == 0o700
    with building_folder(earlier / "share") as building:
        assert not left.exists()
        (building / "bundle").mkdir()
        (building / "bundle" / "new.txt").write_text("new")
        take_place(building / "bundle", earlier / "share", building)
    assert names(earlier) == ["share", "share/new.txt"]


def test_an_earlier_bundle_that_a_killed_run_set_aside_comes_back(earlier):
    interrupted(earlier, signal.SIGKILL, "swap")
    assert not (earlier / "share").exists()
    with pytest.raises(ZeroDivisionError), building_folder(earlier / "share"):
        raise ZeroDivisionError
    assert names(earlier) == ["share", "share/old.txt"]


def test_a_run_that_is_still_building_is_left_alone(earlier):
    with building_folder(earlier / "share") as one, building_folder(earlier / "share") as other:
        assert one.exists()
        assert other.exists()


@pytest.mark.parametrize("moment", [1, 2])
def test_a_signal_in_the_moment_of_the_exchange_leaves_a_whole_bundle(earlier, monkeypatch, moment):
    replace, moves = os.replace, []

    def interrupted_replace(*paths):
        moves.append(paths)
        replace(*paths)
        if len(moves) == moment:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)

    def publish():
        with building_folder(earlier / "share") as building:
            (building / "bundle").mkdir()
            (building / "bundle" / "new.txt").write_text("new")
            take_place(building / "bundle", earlier / "share", building)

    monkeypatch.setattr(os, "replace", interrupted_replace)
    with pytest.raises(SystemExit):
        publish()
    assert names(earlier) == ["share", "share/old.txt" if moment == 1 else "share/new.txt"]
