"""The lock of a run: snakemake's stays behind when a run is killed, the kernel's does not."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from faceage_bio.core.errors import RunError

MARK = "FACEAGE_BIO_RUN"  # in the environment of every step
SECONDS_TO_END = 10.0


class RunLock:
    """What tells a later run that the lock which it finds is one of a run that is gone."""

    def __init__(self, folder: Path) -> None:
        self.locks = folder / ".snakemake" / "locks"
        self.record = folder / ".snakemake" / "faceage_bio_run.json"
        self.removed = False
        """Whether the lock of a run that was killed was found and removed."""
        self._file: TextIO | None = None
        self._others: dict = {}
        self._noted = False
        self._mark = uuid4().hex

    @contextmanager
    def held(self) -> Iterator["RunLock"]:
        """Hold the lock as long as this process lives; where the file system has none, snakemake's own is all there is.

        Raises
        ------
        RunError
            Another run is at work in this folder.
        """
        import fcntl

        self.record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.record.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"{self.record.parent.parent.resolve()}: another run is at work there (process {_read(file).get('process', 'not known')}). "
                    "Expected none. Leave it to its end, or stop it with Ctrl-C where it was started."
                ) from None
            except OSError:
                yield self
                return
            self._take_away(_read(file))
            os.environ[MARK] = self._mark
            self._file, self._others = file, _identities(self.locks)
            self._write({})
            try:
                yield self
            finally:
                file.truncate(0)

    def note(self) -> None:
        """Remember snakemake's lock as ours, once it is there."""
        if self._file is not None and not self._noted:
            there = _identities(self.locks)
            if ours := {name: what for name, what in there.items() if self._others.get(name) != what}:
                self._write(ours)
                self._noted = True

    def _write(self, locks: dict) -> None:
        self._file.seek(0)
        self._file.truncate()
        json.dump({"process": os.getpid(), "mark": self._mark, "locks": locks}, self._file)
        self._file.flush()

    def _take_away(self, killed: dict) -> None:
        there = _identities(self.locks)
        if there and there == killed.get("locks"):
            _end_steps(killed["mark"])
            shutil.rmtree(self.locks)
            self.removed = True


def _identities(folder: Path) -> dict[str, list[int]]:
    """The lock files, each by what no later file of that name shares."""
    stats = {path.name: path.stat() for path in sorted(folder.glob("*.lock"))}
    return {name: [stat.st_ino, stat.st_mtime_ns] for name, stat in stats.items()}


def _end_steps(mark: str) -> None:
    """End the steps that outlived their run, since their successors write the same files."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + SECONDS_TO_END
        for process in steps_of(mark):
            with suppress(ProcessLookupError):
                os.kill(process, sign)
        while steps_of(mark) and time.monotonic() < until:
            time.sleep(0.1)


def steps_of(mark: str) -> list[int]:
    """Processes that a run with this mark started, on Linux; those of others cannot be read."""
    sought, found = f"{MARK}={mark}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if sought in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def _read(file: TextIO) -> dict:
    file.seek(0)
    try:
        return json.loads(file.read() or "{}")
    except ValueError:
        return {}
