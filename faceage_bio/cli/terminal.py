"""Text as it was written on a terminal: rich takes [words in brackets] for markup unless it is told not to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from rich.console import Console


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
    """A command whose help is shown as it stands in its docstring and options."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with _escaped(self, *self.params):
            super().format_help(ctx, formatter)


class VerbatimGroup(TyperGroup):
    """The same for a list of commands."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with _escaped(self, *self.params, *self.commands.values()):
            super().format_help(ctx, formatter)
