"""Into which groups participants fall for curves: by rules declared beforehand, never by looking for the cut-point that parts them best.

A cut-point chosen because its p-value is small finds a difference where there is none (Altman et al. 1994).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import WORDS
from faceage_bio.core.columns import LEVELS, THIRDS
from faceage_bio.core.results.reasons import Reason, reason

TERTILES, LEVELS_RULE = "tertiles", "levels"
ORDERED = ("smoking",)  # columns of words with an order, beside numbers
MOST_GROUPS = 8

Rule = Sequence[float] | str


@dataclass(frozen=True)
class Grouping:
    """A way to part participants.

    ``groups``: each one's group, None where it is not known; ``levels``: all groups in order, the first is the reference, those
    without participants too; ``ordered``: from low to high, so that a trend has a meaning; ``detail``: where it cuts; ``reason``: why
    participants cannot be parted so.
    """

    column: str
    groups: pd.Series
    levels: tuple[str, ...]
    ordered: bool = False
    detail: str = ""
    reason: Reason | None = None

    @property
    def title(self) -> str:
        """The column in words."""
        return WORDS.get(self.column, self.column.replace("_", " "))

    def term(self, level: str) -> str:
        """A group in words: "face age 65-75"."""
        return f"{self.title} {level}" if self.detail else f"{self.title}: {level}"


def part(people: pd.DataFrame, column: str, rule: Rule) -> Grouping:
    """Groups of a column by cut-points (a value at a cut-point belongs to the lower group), tertiles or its own words."""
    nobody = pd.Series(None, index=people.index, dtype=object)
    if column not in people:
        return Grouping(column, nobody, (), reason=reason("no_column", column=column))
    values = people[column]
    if not values.notna().any():
        return Grouping(column, nobody, (), reason=reason("no_value_of", column=column))
    if rule == LEVELS_RULE:
        return _levels(column, values)
    if not pd.api.types.is_numeric_dtype(values):
        return Grouping(column, nobody, (), reason=reason("words_not_cut", column=column))
    if rule == TERTILES:
        edges = np.quantile(values.dropna(), [1 / 3, 2 / 3]).tolist()
        if values.min() > edges[0] or edges[0] >= edges[1] or values.max() <= edges[1]:
            return Grouping(column, nobody, (), reason=reason("shared_values", column=column))
        return _cut(column, values, edges, list(THIRDS))
    return _cut(column, values, sorted(rule), None)


def _cut(column: str, values: pd.Series, edges: list[float], names: list[str] | None) -> Grouping:
    if names is None:
        to = " to " if edges[0] < 0 else "-"
        middle = [f"{low:g}{to}{high:g}" for low, high in pairwise(edges)]
        names = [f"<= {edges[0]:g}", *middle, f"> {edges[-1]:g}"]
    labels = pd.cut(values.astype("float64"), [-np.inf, *edges, np.inf], labels=names).astype(object)
    detail = "cut at " + ", ".join(f"{edge:.3g}" for edge in edges)
    return Grouping(column, labels.where(values.notna(), None), tuple(names), ordered=True, detail=detail)


def _levels(column: str, values: pd.Series) -> Grouping:
    number = pd.api.types.is_numeric_dtype(values)
    words = values.map(
        lambda value: f"{value:g}" if isinstance(value, float) else str(value), na_action="ignore"
    )
    words = words.astype(object).where(values.notna(), None)
    counts = words.value_counts()
    if len(counts) > MOST_GROUPS:
        why = reason("too_many_values", column=column, levels=len(counts), most=MOST_GROUPS)
        return Grouping(column, pd.Series(None, index=values.index, dtype=object), (), reason=why)
    declared = list(LEVELS.get(column, ()))
    others = set(counts.index) - set(declared)
    found = sorted(others, key=float) if number else sorted(others, key=lambda word: (-counts[word], word))
    return Grouping(column, words, (*declared, *found), ordered=number or column in ORDERED)
