"""Text as it was written on a terminal: rich takes [words in brackets] for markup unless told otherwise."""

import codecs
import locale
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

from faceage_bio.core.settings.renamed import COMMANDS, OPTIONS

if TYPE_CHECKING:
    from rich.console import Console


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
    """A command whose help is shown as it stands in its docstring and options; options of earlier versions and infinite numbers are refused."""

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
        return left

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with _escaped(self, *self.params):
            super().format_help(ctx, formatter)


class VerbatimGroup(TyperGroup):
    """The same for a list of commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in COMMANDS:
            ctx.fail(f"'{args[0]}' is no longer used; write '{COMMANDS[args[0]]}'.")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with _escaped(self, *self.params, *self.commands.values()):
            super().format_help(ctx, formatter)
