"""Everything a user can do wrong: exceptions that the command line prints without a traceback, and problems
of tables, told together.
"""

import errno
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from faceage_bio.core.results.reasons import reason

if TYPE_CHECKING:
    import pandas as pd

INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
)
ROOM = "Make room there, or set results_dir to a larger disk, and call again; what is finished is kept."
RIGHTS = "Expected a file and a folder that you may read and write. Look at their rights with ls -l, or choose another path."
REFUSALS = {
    errno.ENOSPC: f"the disk is full. Expected room for what is written. {ROOM}",
    errno.EDQUOT: f"your share of the disk is used up. Expected room for what is written. {ROOM}",
    errno.EFBIG: f"the system allows no file of this size (ulimit -f). Expected room for what is written. {ROOM}",
    errno.EACCES: f"no permission. {RIGHTS}",
    errno.EPERM: f"no permission. {RIGHTS}",
    errno.EROFS: f"the disk cannot be written to. {RIGHTS}",
    errno.EIO: "the disk failed. Expected one that can be read and written. Look at the system's log, and copy the data to another disk.",
    errno.ENOTDIR: "a file, where a folder is needed. Choose another path, or give the file another name.",
    errno.EEXIST: "a file, where a folder is needed. Choose another path, or give the file another name.",
    errno.EISDIR: "a folder, where a file is needed. Name a file in it.",
    errno.ENAMETOOLONG: "the name is longer than the system allows. Expected a shorter path. Choose another folder, or a shorter name.",
}
STREAM = "a pipe, socket or device, and no file"
EXAMPLES = 5
DOUBLED = "It stands more than once. Expected one row of each. Keep one, or give each a name of its own."
NAMELESS = "This row needs an identifier. Write it, or leave the row out."


def visible(text: str) -> str:
    """Text whose tabs, no-break blanks, zero-width characters and marks of byte order or direction are written out: ``\\u200b``."""
    return INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class FaceAgeBioError(Exception):
    """Base of all errors whose message is written for the person who owns the data."""

    def __str__(self) -> str:
        return visible(super().__str__())


class ConfigError(FaceAgeBioError):
    """The configuration has a wrong key, type or value."""


class TableError(FaceAgeBioError):
    """A table cannot be read, or lacks a column."""


class CohortError(FaceAgeBioError):
    """Manifest, clinical data, samples or counts do not hold what the study needs."""


class CountsError(CohortError):
    """A file of RNA counts is not what the study needs; ``problems`` holds each on its own."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class WeightsError(FaceAgeBioError):
    """A weight file is wrong, damaged or of another network."""


class FitError(FaceAgeBioError):
    """A statistical model could not be fitted, so no number is given; ``reason``: its code and parameters."""

    def __init__(self, code: str, **parameters: object) -> None:
        self.reason = reason(code, **parameters)
        super().__init__(str(self.reason))

    def __reduce__(self) -> tuple:
        return _fit_error, (self.reason.code, self.reason.parameters)


def _fit_error(code: str, parameters: dict) -> FitError:
    return FitError(code, **parameters)


class PrivacyError(FaceAgeBioError):
    """Something that may not leave is in what is to be shared."""


class RunError(FaceAgeBioError):
    """A command cannot run here or with these inputs."""


def refusal_of(error: OSError | MemoryError) -> str:
    """What the system refused, for the person who can change it; "" if it is nothing of the kind, but a bug."""
    if isinstance(error, MemoryError):
        return "memory ran out. Expected enough for this step. Close other programs, use fewer --cores, or a larger computer."
    codes = [code for code in REFUSALS if os.strerror(code) in str(error)]  # libraries write the words alone
    code = error.errno if error.errno in REFUSALS else next(iter(codes), None)
    if code is None:
        return ""
    quoted = re.search(r"'([^'\s]+)'", str(error))
    named = error.filename or (quoted[1] if quoted else "what was to be read or written")
    return f"{named}: {REFUSALS[code]}"


def is_stream(path: Path | str) -> bool:
    """Whether it is a pipe, socket or device, which would wait for ever, never end, or be read once alone."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def no_file(path: Path | str) -> str:
    """What is there in place of a file; "" if it is one."""
    if os.path.isfile(path):
        return ""
    if os.path.isdir(path):
        return "a folder, and no file"
    return STREAM if is_stream(path) else "no such file"


def examples(values: Sequence[object], limit: int = 5) -> str:
    """Join the first ``limit`` values for a message and say how many more there are."""
    shown = "; ".join(str(value) for value in values[:limit])
    more = len(values) - limit
    return f"{shown}; and {more} more" if more > 0 else shown


@dataclass
class Problems:
    """Grows while tables are read; `stop_if_any` tells everything at once.

    ``plain``: the table has no config, so that nothing of it can be declared and only its cells corrected.
    """

    plain: bool = False
    cells: dict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    others: list[str] = field(default_factory=list)
    cautions: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # by column
    marked: set[tuple[str, str, int]] = field(default_factory=set)  # file, column, line of each cell

    def cell(
        self, file: str, line: int, column: str, value: object, advice: str, *, declare: str = ""
    ) -> None:
        """A cell that is not what its column needs; cells with the same advice are told in one sentence.

        ``declare``: how the advice ends where the table has a config, such as ", or declare your codes under
        codings".
        """
        self.marked.add((str(file), column, line))
        self.cells[file, column, self._advice(advice, declare)].append(
            f"line {line}: {value!r}" if value is not None else f"line {line}"
        )

    def where(
        self, file: str, values: "pd.Series", wrong: "pd.Series", advice: str, *, declare: str = ""
    ) -> None:
        """The cells of a column, indexed by line, in which something is wrong; as `cell`."""
        for line, value in values[wrong].items():
            self.cell(file, line, str(values.name), value, advice, declare=declare)

    def other(self, message: str, *, declare: str = "") -> None:
        """Anything else; the message names file, what was found and what to do."""
        self.others.append(self._advice(message, declare))

    def caution(self, column: str, message: str, *, declare: str = "") -> None:
        """What may be a mistake in a column and stops nothing; as `other`."""
        self.cautions[column].append(self._advice(message, declare))

    def _advice(self, advice: str, declare: str) -> str:
        return f"{advice.removesuffix('.')}{declare}." if declare and not self.plain else advice

    def lines(self) -> list[str]:
        """Each problem in a line; the same one of many columns, such as of many samples, is one."""
        alike: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(dict)
        for (file, column, advice), found in self.cells.items():
            alike[file, advice][column] = found
        lines = list(self.others)
        for (file, advice), columns in alike.items():
            if len(columns) > EXAMPLES:
                told = [f"column '{column}', {found[0]}" for column, found in columns.items()]
                n = sum(map(len, columns.values()))
                lines.append(
                    f"{file}: {n} cells in {len(columns)} columns, {examples(told, EXAMPLES)}. {advice}"
                )
                continue
            lines += [
                f"{file}: column '{column}': {len(found)} row(s), {examples(found, EXAMPLES)}. {advice}"
                for column, found in columns.items()
            ]
        return lines

    def stop_if_any(self) -> None:
        """Raise one `CohortError` with every problem."""
        if lines := self.lines():
            noun = "problem" if len(lines) == 1 else "problems"
            raise CohortError(
                f"{len(lines)} {noun} in the study's tables; nothing was written.\n"
                + "\n".join(f"  - {line}" for line in lines)
            )
