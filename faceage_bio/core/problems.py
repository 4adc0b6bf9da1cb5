"""What is wrong in a user's tables, collected over all of them and told together."""

from collections import defaultdict
from dataclasses import dataclass, field

from faceage_bio.core.errors import CohortError, examples

EXAMPLES = 5
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

    def cell(
        self, file: str, line: int, column: str, value: object, advice: str, *, declare: str = ""
    ) -> None:
        """A cell that is not what its column needs; cells with the same advice are told in one sentence.

        ``declare``: how the advice ends where the table has a config, such as ", or declare your codes under codings".
        """
        self.marked.add((str(file), column, line))
        self.cells[file, column, self._advice(advice, declare)].append(
            f"line {line}: {value!r}" if value is not None else f"line {line}"
        )

    def other(self, message: str, *, declare: str = "") -> None:
        """Anything else; the message names file, what was found and what to do."""
        self.others.append(self._advice(message, declare))

    def _advice(self, advice: str, declare: str) -> str:
        return f"{advice.removesuffix('.')}{declare}." if declare and not self.plain else advice

    def lines(self) -> list[str]:
        """Each problem in a line."""
        return [
            *self.others,
            *(
                f"{file}: column '{column}': {len(found)} row(s), {examples(found, EXAMPLES)}. {advice}"
                for (file, column, advice), found in self.cells.items()
            ),
        ]

    def stop_if_any(self) -> None:
        """Raise one `CohortError` with every problem."""
        if lines := self.lines():
            noun = "problem" if len(lines) == 1 else "problems"
            raise CohortError(
                f"{len(lines)} {noun} in the study's tables; nothing was written.\n"
                + "\n".join(f"  - {line}" for line in lines)
            )
