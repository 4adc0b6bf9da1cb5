"""A hidden folder in which a bundle is built, gone however the command ends, and the moment in which the bundle takes its place."""

import fcntl
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

EARLIER = "earlier"


@contextmanager
def building_folder(target: Path) -> Iterator[Path]:
    """A new private folder beside the target, removed at the end, also by Ctrl-C, SIGTERM or a closed terminal.

    What a killed run left there is removed first. An earlier bundle that was set aside for one that did not come is put back.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".publish-{target.name}-"
    for left in target.parent.glob(f"{prefix}*"):
        with suppress(OSError), _locked(left):  # or another run is building there
            _clear(left, target)
    building = Path(mkdtemp(prefix=prefix, dir=target.parent))  # mode 0700
    in_main = threading.current_thread() is threading.main_thread()  # others get no signals
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP) if in_main}
    with _locked(building):
        try:
            yield building
        finally:
            _clear(building, target)
            for number, handler in before.items():
                signal.signal(number, handler)


def take_place(made: Path, target: Path, building: Path) -> None:
    """Put what was made in its place; an earlier bundle goes only when the new one is there."""
    if target.is_dir():
        os.replace(target, building / EARLIER)
    os.replace(made, target)


def _clear(building: Path, target: Path) -> None:
    if (building / EARLIER).exists() and not target.exists():
        os.replace(building / EARLIER, target)
    shutil.rmtree(building, ignore_errors=True)


def _end(number: int, _: object) -> None:
    """A signal as an exception, so that what is temporary is removed."""
    sys.exit(128 + number)


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
