"""How much is done, per second, and time left: a bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 10


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function to be told how many more of ``total`` are done."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            BarColumn(), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total)
            yield lambda n: bar.advance(task, n)
        return
    begin = last = time.monotonic()
    done = 0

    def line(n: int) -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES or done == total:
            last = now
            speed = done / max(now - begin, 1e-9)
            left = (total - done) / speed
            print(
                f"{done} of {total} {what}, {speed:.1f} per second, {max(left, 0):.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    yield line
