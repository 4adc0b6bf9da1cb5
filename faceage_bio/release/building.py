"""A hidden folder in which a bundle is built, gone however the command ends, and the moment in which the bundle takes its place."""

import fcntl
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

EARLIER = "earlier"


@contextmanager
def building_folder(target: Path) -> Iterator[Path]:
    """A new private folder beside the target, removed at the end, also by Ctrl-C, SIGTERM or a closed terminal.

    What a killed run left there is removed first, and an earlier bundle that it had set aside is put back.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".publish-{target.name}-"
    for left in target.parent.glob(f"{prefix}*"):
        _clear(left, target)
    building = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))  # mode 0700
    with _locked(building), _ended_by_exception():
        try:
            yield building
        finally:
            shutil.rmtree(building, ignore_errors=True)


def take_place(made: Path, target: Path, building: Path) -> None:
    """Put what was made in its place; an earlier bundle goes only when the new one is there, and no signal comes between."""
    with _signals_wait():
        if target.is_dir():
            os.replace(target, building / EARLIER)
        try:
            os.replace(made, target)
        except OSError:
            if (building / EARLIER).exists():
                os.replace(building / EARLIER, target)
            raise


def _clear(left: Path, target: Path) -> None:
    try:
        with _locked(left):
            if (left / EARLIER).exists() and not target.exists():
                os.replace(left / EARLIER, target)
            shutil.rmtree(left, ignore_errors=True)
    except OSError:  # another run is building there, or it is gone by now
        return


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The kernel's lock, which ends with its process.

    Raises
    ------
    OSError
        Another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


@contextmanager
def _ended_by_exception() -> Iterator[None]:
    """SIGTERM and SIGHUP as an exception, so that what is temporary is removed."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    with _handled_by(end, (signal.SIGTERM, signal.SIGHUP)):
        yield


@contextmanager
def _signals_wait() -> Iterator[None]:
    """What comes within the block is heeded after it. (A mask holds for one thread, and libraries have more.)"""
    came: list[int] = []
    with _handled_by(lambda number, _: came.append(number), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
        yield
    for number in came:
        signal.raise_signal(number)


@contextmanager
def _handled_by(handler: Callable[[int, object], None], numbers: Sequence[int]) -> Iterator[None]:
    """A handler of signals within the block; threads beside the main one get none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)
