"""Why a result is missing, sparse or remarkable: codes with parameters in tables, words on pages and in messages.

In a table the column ``reason`` holds ``few_events n_events=3 needed=5; complete_cases``. Parameters whose names are those of counts
(`is_count`) are counts of participants, samples, photos or events, which the release rule rounds; others are settings and names.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

NOT_ESTIMATED, SPARSE, OK = "not_estimated", "sparse", "ok"
STATUSES = (NOT_ESTIMATED, SPARSE, OK)  # the first of those that a row's reasons give is the row's

# code: words with the parameters in braces; the prefix of a code is no part of its meaning, the section is
WHY_NOT = {  # no number is given
    "unspecified": "{text}",
    "few_events": "{n_events} deaths are too few; a hazard ratio needs at least {needed}",
    "no_follow_up": "nobody has follow-up",
    "no_complete_cases": "nobody has follow-up and all covariates",
    "no_value": "nobody has a value",
    "constant": "{column} does not vary",
    "makes_strata": "{column} makes the strata",
}
SPARSE_DATA = {  # a number that is to be interpreted with caution
    "few_events_per_variable": "only {ratio} deaths per term",
    "few_clusters": "only {n_clusters} clusters, so intervals may be too short",
}
REMARKS = {  # what a reader should know of a number
    "complete_cases": "complete cases only",
    "without_missing": "without {columns}, which nobody has",
    "without_constant": "without {columns}, which does not vary",
}
WORDS = WHY_NOT | SPARSE_DATA | REMARKS


@dataclass(frozen=True)
class Reason:
    """A code and its parameters; a list of names is one parameter."""

    code: str
    parameters: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        WORDS[self.code].format(
            **self.parameters
        )  # an unknown code or a missing parameter is a bug that shows at once

    def __str__(self) -> str:
        return WORDS[self.code].format(**{name: _said(value) for name, value in self.parameters.items()})

    @property
    def status(self) -> str:
        """What the reason makes of its row."""
        return NOT_ESTIMATED if self.code in WHY_NOT else SPARSE if self.code in SPARSE_DATA else OK

    @property
    def encoded(self) -> str:
        """The reason as a table holds it."""
        parts = (f"{name}={quote(_said(value), safe=SAFE)}" for name, value in self.parameters.items())
        return " ".join((self.code, *parts))


SAFE = ",.:+-_/()<>|*^[]{}"  # all that separates nothing
JOIN = "; "


def reason(code: str, **parameters: object) -> Reason:
    """A reason by its code.

    Raises
    ------
    KeyError
        No such code, or a parameter of its words is not given.
    """
    return Reason(code, parameters)


def encode(reasons: Iterable["Reason | None"]) -> str:
    """The cell of the column ``reason``; "" where there is nothing to say."""
    return JOIN.join(dict.fromkeys(one.encoded for one in reasons if one is not None))


def decode(cell: object) -> list[Reason]:
    """The reasons of a cell; parameters are text."""
    if not isinstance(cell, str) or not cell:
        return []
    found = []
    for part in cell.split(JOIN):
        code, *pairs = part.split(" ")
        parameters = dict(pair.split("=", 1) for pair in pairs)
        found.append(Reason(code, {name: unquote(value) for name, value in parameters.items()}))
    return found


def status_of(cell: object) -> str:
    """The status that a row's reasons give it."""
    given = {one.status for one in decode(cell)}
    return next((status for status in STATUSES if status in given), OK)


def in_words(cell: object) -> str:
    """A cell of ``reason`` in words: "not estimated, because ..." or the remarks."""
    reasons = decode(cell)
    missing = [str(one) for one in reasons if one.status == NOT_ESTIMATED]
    remarks = [str(one) for one in reasons if one.status != NOT_ESTIMATED]
    return "; ".join([*([f"not estimated, because {' and '.join(missing)}"] if missing else []), *remarks])


def _said(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
