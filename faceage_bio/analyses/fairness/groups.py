"""Groups of participants, and which numbers are sparse."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from faceage_bio.core.columns import AGE, LEVELS
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.stats.group_differences import wilson
from faceage_bio.stats.linear import Estimate

AGE_BAND = "age band"
MOST_GROUPS = 20  # of one column; more are no groups but numbers or names
CONTROLS = "controls"
ALL_PARTICIPANTS = "all participants"
ALL = "all"


@dataclass(frozen=True)
class Factor:
    """A way to part people: its name, and each one's group in the order of ``levels`` (missing where not known)."""

    name: str
    groups: pd.Series
    levels: tuple[str, ...]
    is_age: bool = False
    crossed: str = ""  # with which other factor
    why_not: Reason | None = None  # why participants cannot be parted so


def age_bands(age: pd.Series, cut_points: Sequence[float]) -> Factor:
    """Bands between the cut points: "under 50", "50-59", ..., "80 and over" (whole years) for whole cut points."""
    edges = [-np.inf, *sorted(set(cut_points)), np.inf]
    names = [_band(low, high) for low, high in pairwise(edges)]
    groups = pd.cut(age, edges, right=False, labels=names)
    return Factor(AGE_BAND, groups.astype(object).where(groups.notna(), None), tuple(names), is_age=True)


def _band(low: float, high: float) -> str:
    if low == -np.inf:
        return "all ages" if high == np.inf else f"under {high:g}"
    if high == np.inf:
        return f"{low:g} and over"
    return f"{low:g}-{high - 1:g}" if low == int(low) and high == int(high) else f"{low:g} to below {high:g}"


def factor_of(table: pd.DataFrame, column: str) -> Factor:
    """The groups of a column: words, or a few whole numbers such as types of skin.

    The declared reference level comes first, otherwise the most frequent group.
    """
    nobody = pd.Series(None, index=table.index, dtype=object)
    if column not in table:
        return Factor(column, nobody, (), why_not=reason("no_column_of_groups", column=column))
    values = table[column]
    if not values.notna().any():
        return Factor(column, nobody, (), why_not=reason("no_value_of", column=column))
    words = values.map(_word, na_action="ignore").astype(object)
    counts = words.value_counts()
    if len(counts) > MOST_GROUPS:
        return Factor(
            column,
            nobody,
            (),
            why_not=reason("not_groups", column=column, values=len(counts)),
        )
    declared = [word for word in LEVELS.get(column, ()) if word in counts]
    others = sorted(set(counts.index) - set(declared), key=lambda word: (-counts[word], word))
    return Factor(column, words.where(words.notna(), None), tuple([*declared, *others]))


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def crossings(factors: Sequence[Factor]) -> Iterator[tuple[Factor, Factor]]:
    """Each pair of factors that part participants; bands of age come second."""
    known = [factor for factor in factors if factor.levels]
    yield from combinations(sorted(known, key=lambda factor: factor.is_age), 2)


def crossed(one: Factor, other: Factor) -> Factor:
    """Both factors at once: "female, 60-69"."""
    both = one.groups.notna() & other.groups.notna()
    groups = (one.groups.astype(str) + ", " + other.groups.astype(str)).where(both, None)
    levels = tuple(f"{a}, {b}" for a in one.levels for b in other.levels)
    return Factor(f"{one.name} × {other.name}", groups, levels, one.is_age or other.is_age, other.name)


def all_of(table: pd.DataFrame) -> Factor:
    """No parting: one group of all."""
    return Factor(ALL, pd.Series(ALL, index=table.index, dtype=object), (ALL,))


def term_of(factor: Factor, level: str) -> str:
    """The group's term in the result rows."""
    return ALL if factor.name == ALL else f"{factor.name}: {level}"


def populations(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """All participants, and the controls among them; only the latter if all are such."""
    if "group" not in table:
        return {ALL_PARTICIPANTS: table}
    controls = table[table["group"] == "reference"]
    if len(controls) == len(table) > 0:
        return {CONTROLS: table}
    return {ALL_PARTICIPANTS: table} | ({CONTROLS: controls} if len(controls) else {})


def too_small(n: int, min_n: int, what: str = "participants") -> Reason | None:
    """What marks a number as sparse, if it is."""
    return reason("few", needed=min_n, what=what) if n < min_n else None


def noted(row: dict, remark: Reason | None) -> dict:
    """The row with a remark on its numbers; a row without numbers needs none."""
    if all(np.isnan(row.get(name, np.nan)) for name in ("estimate", "raw_estimate")):
        return row
    return row | {"reason": [remark, row.get("reason")]}


def shares(row: dict, failed: pd.Series, min_n: int) -> dict:
    """The share of photos of which ``failed`` is true, with Wilson's interval; n counts photos, n_events those that failed."""
    events = int(failed.sum())
    row = row | {"measure": "share", "model": "Wilson interval", "n": len(failed), "n_events": events}
    return noted(attempt(row, wilson, events, len(failed)), too_small(len(failed), min_n, "photos"))


def attempt(row: dict, compute, *arguments) -> dict:
    """The row with the numbers that ``compute`` gives, or with the reason why there are none."""
    try:
        found = compute(*arguments)
    except FitError as error:
        return row | {"reason": error.reason}
    return row | (vars(found) if isinstance(found, Estimate) else found)


def known_age(table: pd.DataFrame) -> pd.Series:
    """Age as floats; a table without ages has none."""
    return table[AGE].astype("float64") if AGE in table else pd.Series(np.nan, index=table.index)
