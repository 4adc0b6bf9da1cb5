"""Text as it was written on a terminal, where rich takes [words in brackets] for markup, and how much of a task is done."""

import codecs
import locale
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from faceage_bio.core.errors import STREAM, RunError, is_stream
from faceage_bio.core.settings.renamed import COMMANDS, OPTIONS
from faceage_bio.core.steps import with_help

if TYPE_CHECKING:
    from rich.console import Console
SECONDS_BETWEEN_LINES = 10


def speak_utf8() -> None:
    """Names of files and tables are UTF-8 whatever the locale says: start again so where it says otherwise, as in a Latin-1 terminal.

    What that terminal cannot show is written as \\u2013.
    """
    if sys.flags.utf8_mode or codecs.lookup(locale.getpreferredencoding(False)).name == "utf-8":
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        return
    shown = f"{sys.stdout.encoding}:backslashreplace"
    environment = {"PYTHONIOENCODING": shown} | os.environ | {"PYTHONUTF8": "1"}
    os.execve(sys.executable, [sys.executable, "-m", "faceage_bio", *sys.argv[1:]], environment)


def console(**options: Any) -> "Console":
    """A rich console for our texts, which hold no markup and no :emoji: codes."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, **options)


@contextmanager
def _escaped(*parts: Any) -> Iterator[None]:
    """Commands and options with their help escaped, as long as rich prints it."""
    from rich.markup import escape

    written = [(part, part.help) for part in parts if getattr(part, "help", None)]
    for part, text in written:
        part.help = escape(text)
    try:
        yield
    finally:
        for part, text in written:
            part.help = text


class VerbatimCommand(TyperCommand):
    """A command whose help is shown as it stands in its docstring and options; options of earlier versions, infinite numbers and paths of pipes and devices are refused."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = {name for one in self.params for name in one.opts}
        for name in (arg.partition("=")[0] for arg in args):
            new = OPTIONS.get(name) or OPTIONS.get(f"{self.name} {name}")
            if new and name not in known:
                ctx.fail(f"{name} is no longer used; write {new}.")
        left = super().parse_args(ctx, args)
        for one in self.params:
            given = ctx.params.get(one.name)
            for value in given if isinstance(given, list | tuple) else [given]:
                if isinstance(value, float) and not isfinite(value):
                    ctx.fail(f"{one.opts[0]} {value}: expected a finite number. Write it in digits.")
                if isinstance(value, Path) and is_stream(value):
                    ctx.fail(f"{one.opts[0]} {value}: {STREAM}. Save what it gives as a file, and name that.")
        return left

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with _escaped(self, *self.params):
            super().format_help(ctx, formatter)


class Commands(typer.Typer):
    """Commands whose options may be written ``Annotated[Path, "help"]``."""

    def command(self, *names: str, **settings: Any) -> Callable[[Callable], Callable]:
        register = super().command(*names, cls=VerbatimCommand, **settings)

        def add(function: Callable) -> Callable:
            function.__annotations__ |= {
                name: with_help(one) for name, one in function.__annotations__.items()
            }
            return register(function)

        return add


class VerbatimGroup(TyperGroup):
    """The same for a list of commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in COMMANDS:
            ctx.fail(f"'{args[0]}' is no longer used; write '{COMMANDS[args[0]]}'.")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with _escaped(self, *self.params, *self.commands.values()):
            super().format_help(ctx, formatter)


def check_of_each_cohort(**given: Sequence[object]) -> None:
    """Options that are given once for each cohort, in the same order.

    Raises
    ------
    RunError
        Some of them more often than others.
    """
    numbers = [str(len(values)) for values in given.values()]
    if len(set(numbers)) > 1:
        options, found = (
            f"{', '.join(words[:-1])} and {words[-1]}" for words in ([*map(_option, given)], numbers)
        )
        raise RunError(
            f"{options}: expected once for each cohort, in the same order; found {found}. Give as many of each."
        )


def check_alongside(first: str, n: int, **given: Sequence[object]) -> None:
    """Options that may be left out, and else are given as often as the option ``first``, ``n`` times.

    Raises
    ------
    RunError
        One of them is given more or less often.
    """
    for name, values in given.items():
        if values and len(values) != n:
            raise RunError(
                f"{_option(name)}: expected once for each {first} ({n}), in the same order, or not at all; found {len(values)}. Give as many, or none."
            )


def ask(question: str, yes: bool) -> None:
    """Go on if the user agrees, now or before by ``--yes``."""
    if not yes and not typer.confirm(question):
        raise typer.Abort


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


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

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f} per second")

    said = TextColumn(what, markup=False)
    columns = (BarColumn(), MofNCompleteColumn(), said, Speed(), TimeLeft(), TextColumn("left"))
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
            told = f"{done} of {total} {what}, {speed:.1f} per second, {left:.0f} s left"
            print(told, file=sys.stderr, flush=True)

    return tell
