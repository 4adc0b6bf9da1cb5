"""What several test files use of docs commands."""

import typer

from faceage_bio.cli.main import app


def each_command():
    def walk(group, before):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, [*before, name])
            else:
                yield [*before, name], command

    yield from walk(typer.main.get_command(app), [])


EACH = {" ".join(names): (names, command) for names, command in each_command()}
