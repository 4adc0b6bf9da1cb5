"""README and docs as tests read them: their pages, code blocks, tables, and the commands that they explain."""

import re
from pathlib import Path

import typer

from faceage_bio.cli.main import app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """Title (or "") and text of each code block of a language."""
    found = re.findall(
        rf'^```{language}(?: title="([^"]*)")?\n(.*?)^```', page.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    return [(title, text) for title, text in found]


def commands(page: Path) -> list[str]:
    """The lines of the page's shell blocks, continued ones joined."""
    lines = []
    for _, text in blocks(page, "sh"):
        joined = text.replace("\\\n", " ")
        lines += [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return lines


def section(page: Path, heading: str) -> str:
    """What stands below a heading of the second level."""
    found = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    assert found, f"{page.name}: no heading {heading!r}"
    return found[1]


def first_cells(text: str) -> list[str]:
    """The words in code type of the first column of the tables in a text."""
    rows = re.findall(r"^\| (`[^|]*) \|", text, flags=re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def each_command():
    def walk(group, before):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, [*before, name])
            else:
                yield [*before, name], command

    yield from walk(typer.main.get_command(app), [])


EACH = {" ".join(names): (names, command) for names, command in each_command()}
