"""`faceage-bio` called in the process of the tests, whose libraries are loaded once."""

import contextlib
import io
import shlex
import sys
from pathlib import Path
from unittest import mock

from typer.testing import CliRunner, Result

from faceage_bio.cli.main import app, main
from tests.conftest import Run


def faceage_bio(folder: Path, *arguments: object) -> Run:
    """Exit status, and what was printed, of a command called in a folder."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        mock.patch.object(sys, "argv", ["faceage-bio", *map(str, arguments)]),
    ):
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = ended.code or 0
    return Run(status, printed.buffer.getvalue().decode())


def invoked(line: str, *more: object, folder: Path = Path(), raises: bool = False) -> Result:
    """A command as it is typed in a folder, and further words of it; what it raises, and `main` would print, is in ``exception``."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, [*shlex.split(line), *map(str, more)], catch_exceptions=not raises)


def output_of(line: str, *more: object, folder: Path = Path()) -> str:
    """What a command printed, which must end well."""
    done = invoked(line, *more, folder=folder, raises=True)
    assert done.exit_code == 0, done.output
    return done.output
