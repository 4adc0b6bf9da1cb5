"""`faceage-bio` called in the process of the tests, whose libraries are loaded once."""

import contextlib
import io
import sys
from pathlib import Path
from unittest import mock

from faceage_bio.cli.main import main
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
