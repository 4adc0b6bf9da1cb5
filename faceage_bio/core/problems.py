"""What is wrong in a user's tables, collected over all of them and told together."""

import re
from collections import defaultdict
from dataclasses import dataclass, field

from faceage_bio.core.errors import CohortError, examples

EXAMPLES = 5
DECLARED = re.compile(r"(?:, or|\. Or) declare .*$")  # advice for who has a config, at the end of a line
DOUBLED = "It stands more than once. Expected one row of each. Keep one, or give each a name of its own."
NAMELESS = "This row needs an identifier. Write it, or leave the row out."


@dataclass
class Problems:
    """Grows while tables are read; `stop_if_any` tells everything at once.

    ``plain``: the table has no config, so that nothing of it can be declared and only its cells corrected.
    """

    plain: bool = False
    cells: dict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    others: list[str] = field(default_factory=list)
    marked: set[tuple[str, str, int]] = field(default_factory=set)  # file, column, line of each cell

    def cell(self, file: str, line: int, column: str, value: object, advice: str) -> None:
        """A cell that is not what its column needs; cells with the same advice are told in one sentence."""
        self.marked.add((str(file), column, line))
        self.cells[file, column, advice].append(
            f"line {line}: {value!r}" if value is not None else f"line {line}"
        )

    def other(self, message: str) -> None:
        """Anything else; the message names file, what was found and what to do."""
        self.others.append(message)

    def lines(self) -> list[str]:
        """Each problem in a line."""
        lines = [
            *self.others,
            *(
                f"{file}: column '{column}': {len(found)} row(s), {examples(found, EXAMPLES)}. {advice}"
                for (file, column, advice), found in self.cells.items()
            ),
        ]
        return [DECLARED.sub(".", line) for line in lines] if self.plain else lines

    def stop_if_any(self) -> None:
        """Raise one `CohortError` with every problem."""
        if lines := self.lines():
            noun = "problem" if len(lines) == 1 else "problems"
            raise CohortError(
                f"{len(lines)} {noun} in the study's tables; nothing was written.\n"
                + "\n".join(f"  - {line}" for line in lines)
            )
