"""The command line as a reader meets it: commands by stage, and texts in brackets shown as they were written."""

import io
import re

import pytest
import typer
from rich.table import Table
from typer.testing import CliRunner

from faceage_bio.cli import terminal
from faceage_bio.cli.main import GROUPS, STAGES, app, commands, title_of
from tests.conftest import ROOT

WIDE = {"COLUMNS": "200"}


def screen(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--help"], env=WIDE)
    assert done.exit_code == 0, done.output
    return done.output


def panels(text: str) -> dict[str, list[str]]:
    """Titles of the boxes of a help text, and the first words of their lines."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if head := re.match(r"╭─ (.+?) ─+╮", line):
            found[head[1]] = []
        elif found and (entry := re.match(r"│ ([\w-]+)  ", line)):
            found[list(found)[-1]].append(entry[1])
    return found


def test_commands_are_grouped_by_stage_and_the_five_of_a_user_come_first():
    shown = panels(screen())
    shown.pop("Options")
    assert list(shown) == list(STAGES)
    assert shown["Start here"] == ["init", "check", "run", "publish", "weights"]
    for stage, names in STAGES.items():
        assert shown[stage] == list(names)


def test_every_command_is_in_one_stage():
    declared = set(commands())
    named = [name for names in STAGES.values() for name in names]
    assert sorted(named) == sorted(declared | set(GROUPS))
    assert set(typer.main.get_command(app).commands) == set(named)


def test_every_rule_has_a_title():
    rules = re.findall(
        r"^rule (\w+):", "\n".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk")), re.M
    )
    assert len(rules) > 30
    bare = [rule for rule in rules if title_of(rule) == rule.replace("_", " ")]
    assert bare == []
    assert title_of("fit_survival") == "Cox models"
    assert title_of("of_somebody_else") == "of somebody else"


EXTRA = "pip install 'faceage-bio[slurm]' :smile: [red]as written[/red]"


@pytest.mark.parametrize("cls", [terminal.VerbatimCommand, terminal.VerbatimGroup])
def test_brackets_in_help_are_shown(cls):
    trial = typer.Typer(cls=terminal.VerbatimGroup)

    @trial.callback()
    def main(option: str = typer.Option("", help=EXTRA)) -> None:
        """Own."""

    @trial.command(cls=terminal.VerbatimCommand, help=EXTRA)
    def one(option: str = typer.Option("", help=EXTRA)) -> None: ...

    arguments = ["one", "--help"] if cls is terminal.VerbatimCommand else ["--help"]
    done = CliRunner().invoke(trial, arguments, env=WIDE)
    assert done.output.count("'faceage-bio[slurm]'") == 2
    assert done.output.count("[red]as written[/red]") == 2
    assert typer.main.get_command(trial).commands["one"].help == EXTRA  # unescaped for everybody else


def test_brackets_in_tables_are_shown():
    out = io.StringIO()
    table = Table("What", title=EXTRA)
    table.add_row(EXTRA)
    terminal.console(file=out, width=120).print(table, EXTRA)
    assert out.getvalue().count(EXTRA) == 3


def test_no_other_console_is_made():
    made = [
        path.name
        for path in (ROOT / "faceage_bio").rglob("*.py")
        if re.search(r"\bConsole\(", path.read_text())
    ]
    assert made == ["terminal.py"]


def test_each_help_text_stands_on_its_screen_word_by_word():
    """A group's list shows the first paragraph, a command's own page all of it; nothing in between is lost."""
    commands = typer.main.get_command(app).commands
    for name, command in commands.items():
        if hasattr(command, "commands"):
            continue
        shown = re.sub(r"\s+", "", screen(name).replace("│", ""))
        for text in (command.help, *(part.help for part in command.params if getattr(part, "help", None))):
            for word in text.split():
                assert word in shown, (name, word)
