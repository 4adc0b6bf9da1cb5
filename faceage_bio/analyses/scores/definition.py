"""A clinical score as data: items with rules, points and plausible values, and the groups that totals fall
into.

The shipped ones lie in ``definitions/``; a file of the user's own has the same keys (`Score`) and needs no
code.
"""

import difflib
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from faceage_bio.core.config import explain
from faceage_bio.core.errors import ConfigError
from faceage_bio.core.settings.closed import Closed

SHIPPED = Path(__file__).parent / "definitions"
ENDINGS = (".yaml", ".yml")
TINY = 1e-9  # totals closer than this are the same

Ends = Annotated[list[float], Field(min_length=2, max_length=2)]


class Item(Closed):
    """One question of the score: who fulfils the rule gets the points, whose value is missing gets no score."""

    label: str
    """What it asks, for people."""
    column: str
    """Column of the clinical table; chronological_age is the one that face age takes the place of."""
    rule: Literal[">", ">=", "<", "<=", "in", "not in"]
    threshold: float | None = None
    """For >, >=, <, <=: a number."""
    values: list[str] | list[float] | None = None
    """For in and not in: words, or numbers."""
    points: float
    unit: str = ""
    """Of the numbers, for messages."""
    range: Ends | None = None
    """Lowest and highest plausible number; needed for numbers."""
    whole: bool = False
    """Only whole numbers."""
    words: dict[str, float] = Field(default_factory=dict)
    """Words that stand for numbers: {"yes": 1, "no": 0}."""
    allowed: list[str] | None = None
    """All words that may occur; needed for words, so that no misspelt one falls into "not in"."""
    unclear: list[str] = Field(default_factory=list)
    """Words that do not tell whether the rule is fulfilled: no score."""

    @property
    def is_words(self) -> bool:
        """Whether the column holds words, not numbers."""
        return bool(self.values) and isinstance(self.values[0], str)

    @property
    def shown_rule(self) -> str:
        """The rule for people: ``> 60 years``."""
        if self.values is not None:
            return f"{self.rule} {', '.join(_plain(value) for value in self.values)}"
        return f"{self.rule} {self.threshold:g}{f' {self.unit}' if self.unit else ''}"

    @model_validator(mode="after")
    def _sensible_together(self) -> "Item":
        listed = self.rule in ("in", "not in")
        if listed and (not self.values or self.threshold is not None):
            raise ValueError(f'the rule "{self.rule}" needs values (a list), and no threshold')
        if not listed and (self.threshold is None or self.values is not None):
            raise ValueError(f'the rule "{self.rule}" needs a threshold (a number), and no values')
        if self.is_words:
            if not self.allowed:
                raise ValueError(
                    "words need allowed: the list of all that may occur, misspelt ones are then told"
                )
            if strange := sorted(set(self.values) - set(self.allowed)):
                raise ValueError(f"values holds {', '.join(strange)}, which allowed does not")
            if self.range or self.whole or self.words:
                raise ValueError("range, whole and words are for numbers; this item's values are words")
        else:
            if self.range is None:
                raise ValueError("numbers need range: the lowest and the highest plausible one")
            if self.range[0] >= self.range[1]:
                raise ValueError("range: give the lower end and then the higher")
            if self.allowed or self.unclear:
                raise ValueError("allowed and unclear are for words; this item compares numbers")
        return self


class Group(Closed):
    """A risk group: totals from the lowest to the highest, both included."""

    name: str
    points: Ends


class Score(Closed):
    """A clinical score."""

    name: str
    version: str = ""
    citation: str
    """Who published it, where."""
    doi: str = ""
    published: str = ""
    """What the publication found, for the reader to compare with; as the publication's."""
    reference_group: str
    """Group that the others' hazard ratios are given against."""
    more_points: Literal["worse", "better"] = "worse"
    """Whether people with more points die sooner (worse) or later (better)."""
    items: list[Item] = Field(min_length=1)
    groups: list[Group] = Field(min_length=1)

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} ({self.version})" if self.version else self.name

    @property
    def columns(self) -> list[str]:
        """Columns of the clinical table that it needs."""
        return list(dict.fromkeys(item.column for item in self.items))

    @property
    def group_names(self) -> list[str]:
        """In order."""
        return [group.name for group in self.groups]

    def group_of(self, total: float) -> str:
        """The group that a total falls into."""
        return self._groups_of(total)[0]

    def _groups_of(self, total: float) -> list[str]:
        return [g.name for g in self.groups if g.points[0] - TINY <= total <= g.points[1] + TINY]

    def moves_between(self, column: str) -> set[tuple[str, str]]:
        """Pairs of groups (from, to) between which participants can move if only the points for one column
        change.
        """
        own = _totals([item.points for item in self.items if item.column == column])
        others = _totals([item.points for item in self.items if item.column != column])
        changes = product(others, own, own)
        return {
            (self.group_of(other + before), self.group_of(other + after)) for other, before, after in changes
        }

    @model_validator(mode="after")
    def _complete(self) -> "Score":
        for what, names in (("items", [item.label for item in self.items]), ("groups", self.group_names)):
            if doubled := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(
                    f"{what}: {doubled[0]!r} stands more than once; each needs a name of its own"
                )
        if self.reference_group not in self.group_names:
            raise ValueError(
                f"reference_group: {self.reference_group!r} is none of the groups ({', '.join(self.group_names)})"
            )
        for total in _totals([item.points for item in self.items]):
            found = self._groups_of(total)
            if len(found) != 1:
                where = f"the groups {' and '.join(found)}" if found else "no group"
                raise ValueError(
                    f"groups: a total of {total:g} points can occur and falls into {where}; it needs exactly one"
                )
        return self


def _totals(points: Sequence[float]) -> list[float]:
    """All totals that can occur."""
    totals = {0.0}
    for one in points:
        totals |= {round(total + one, 9) for total in totals}
    return sorted(totals)


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def shipped() -> list[str]:
    """Names of the scores that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def path_of(name: str) -> Path:
    """The file of a shipped score, or one of the user's own.

    Raises
    ------
    ConfigError
        No file, and no shipped score of this name: the nearest is told.
    """
    if name.endswith(ENDINGS):
        return Path(name)
    if name in shipped():
        return SHIPPED / f"{name}.yaml"
    near = difflib.get_close_matches(name, shipped(), n=1, cutoff=0.5)
    advice = f"did you mean '{near[0]}'?" if near else "no other is like it."
    raise ConfigError(
        f"score {name!r}: not shipped; {advice} Expected one of {', '.join(shipped())}, or a file that ends in .yaml. "
        "Correct the name; a score of your own is named by its file."
    )


def load_score(name: str) -> Score:
    """A score by the name of a shipped one or by the path of a YAML file.

    Raises
    ------
    ConfigError
        All problems: file, item, key, what was found, and for a misspelt key the nearest valid one.
    """
    path = path_of(name)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}). Expected the file of a score. Check the path, and see a shipped one with `faceage-bio show-score {shipped()[0]}`."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: not valid YAML: {error}. Expected keys and values. Correct that place."
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: expected keys and values such as `name:`, found {type(content).__name__}. Write them as a shipped score does."
        )
    try:
        return Score.model_validate(content)
    except ValidationError as error:
        problems = [f"  - {_where(item, content)}{explain(item, Score)}" for item in error.errors()]
        problems = list(dict.fromkeys(problems))
        noun = "problem" if len(problems) == 1 else "problems"
        raise ConfigError(f"{path}: {len(problems)} {noun}:\n" + "\n".join(problems)) from None


def _where(problem: dict[str, Any], content: dict) -> str:
    """The item or group that a problem is in, by its name."""
    match problem["loc"]:
        case ("items" | "groups" as part, int(place), *_):
            entry = content[part][place]
            name = entry.get("label" if part == "items" else "name") if isinstance(entry, dict) else None
            return f"{part.removesuffix('s')} {place + 1}{f' ({name})' if name else ''}: "
    return ""
