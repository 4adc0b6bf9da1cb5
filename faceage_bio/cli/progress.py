"""How much is done, per second, and time left: a bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

SECONDS_BETWEEN_LINES = 10


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function that takes how many more of ``total`` are done."""
    if sys.stderr.isatty():
        with _bar(what) as bar:
            task = bar.add_task(what, total=total)
            yield lambda n: bar.advance(task, n)
    else:
        yield _lines(what, total)


@contextmanager
def counted_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """The same where the total is known only once the work has begun: a function of how many more are done, and of how many."""
    with ExitStack() as stack:
        known: list[Callable[[int], None]] = []

        def tell(n: int, total: int) -> None:
            if not known:
                known.append(stack.enter_context(counted(what, total)))
            known[0](n)

        yield tell


def _bar(what: str):
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft
    from rich.text import Text

    from faceage_bio.cli.terminal import console

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f} per second")

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(what, markup=False),
        Speed(),
        TimeLeft(),
        TextColumn("left"),
    )
    return Progress(*columns, console=console(stderr=True))


def _lines(what: str, total: int) -> Callable[[int], None]:
    begin = last = time.monotonic()
    done = 0

    def tell(n: int) -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES or done == total:
            last = now
            speed = done / max(now - begin, 1e-9)
            left = max(total - done, 0) / max(speed, 1e-9)
            print(
                f"{done} of {total} {what}, {speed:.1f} per second, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    return tell
