"""Numbers of the same people that differ by few: 113 people in one model and 114 in another give away the one who lacks a value.

Such numbers are told as one of them, marked ("~114" in a table, "≈ 114" on a page): the true one is fewer than ``min_cell`` away.
Numbers of the exclusion diagram are told as they are, then those that most tables have. Who is counted tells `tables.Rule.who`:
everybody with the values that an analysis needs, or the people of a named group; numbers of everybody, and those of the same group,
are held against each other wherever they stand. So pages and bundles must be made of the same tables.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

from faceage_bio.privacy import alike_beside as beside
from faceage_bio.privacy import alike_groups as groups
from faceage_bio.privacy.notes import with_about
from faceage_bio.privacy.suppressed import Suppressed
from faceage_bio.privacy.tables import TABLES, Rule, key_of
from faceage_bio.privacy.who import COUNTED, UNITS, Told, nearest, who_is_counted

IN_THE_FLOW = 1000  # tables would have to tell another number, for that to be told rather than one of the exclusion diagram
WORDS = {"n": "people", "n_events": "deaths"}
OWN_RULES = {"flow", "movers", "table one"}  # tables that are made fit in their own way


@dataclass
class _Pool:
    """Numbers that count the same people, or some of them: how many tables tell each, and what is told of each instead."""

    tables: Counter = field(default_factory=Counter)
    about: dict[int, int] = field(default_factory=dict)
    exact: list[int] = field(default_factory=list)

    def settle(self, min_cell: int, least: Sequence[int] = ()) -> None:
        """No two numbers that are told as they are, nor one of them and one of ``least``, differ by few.

        Numbers of the exclusion diagram need not be far from ``least``: there it says who they are.
        """
        told: list[int] = []
        for value in self.usual_first():
            further = () if self.tables[value] >= IN_THE_FLOW else least
            if (other := nearest(value, [*told, *further], min_cell)) is None:
                told.append(value)
            else:
                self.about[value] = other
        self.exact = [value for value in self.tables if value not in self.about]

    def usual_first(self) -> list[int]:
        """The numbers, those of most tables first."""
        return sorted(self.tables, key=lambda value: (-self.tables[value], -value))


def tell_alike(tables: Sequence[tuple[str, Suppressed]], min_cell: int) -> Told:
    """Tell numbers of the same people as one where they differ by few, in all tables of a run.

    Parameters
    ----------
    tables : key in `tables.TABLES` and table; more than one table may have a key

    Returns
    -------
    dict
        By cohort, column (n, n_events) and group ("" for everybody), the numbers that are told as they are.
    """
    found = [(TABLES[key], one) for key, one in tables if _takes_part(key, one)]
    groups.hide_known_elsewhere(found, min_cell)
    told = _pooled(found, [one.table for key, one in tables if key == "flow" and len(one.table)], min_cell)
    groups.open_groups(tables, found, told, min_cell)
    beside.hide_nested(tables, told, min_cell)
    beside.tell_at_risk(tables, min_cell)
    for _, one in found:
        beside.tell_with(one, told, min_cell)
    for key, one in tables:
        if key == "flow" and len(one.table):
            beside.hide_stages(one, told, min_cell)
    return told


def too_near(tables: Sequence[tuple[str, Suppressed]], min_cell: int) -> Iterator[tuple[str, str, str]]:
    """Where numbers of the same people are told that differ by few.

    Parameters
    ----------
    tables : place of a table, such as ``north/survival/cox.tsv``, and what is told of it

    Yields
    ------
    place, column, what stands there and what elsewhere
    """
    parts = [(place, one, TABLES[key_of(place)]) for place, one in tables if _takes_part(key_of(place), one)]
    pools = _pools([(rule, one) for _, one, rule in parts], min_cell)
    for (cohort, column, group), pool in pools.items():
        for first, second in pairwise(sorted(pool.tables)):
            if second - first < min_cell:
                place = next(
                    place
                    for place, one, rule in parts
                    if (
                        (one.exact(column) == first)
                        & (one.table["cohort"].astype(str) == cohort)
                        & (who_is_counted(rule, one.table, column) == group)
                    ).any()
                )
                yield (
                    place,
                    column,
                    f"{first:,} {WORDS[column]} beside {second:,} of the same in another table or row",
                )


def _takes_part(key: str, one: Suppressed) -> bool:
    rule = TABLES[key]
    counts = any(one.numbers(column).notna().any() for column in COUNTED)
    return rule.special not in OWN_RULES and not rule.nested and "cohort" in one.table and counts


def _pools(found: Sequence[tuple[Rule, Suppressed]], min_cell: int) -> dict[tuple[str, str, str], _Pool]:
    """By cohort, column and group: the numbers that are told as they are so far."""
    pools: dict[tuple[str, str, str], _Pool] = {}
    for rule, one in found:
        for column in COUNTED:
            whom, numbers = who_is_counted(rule, one.table, column), one.exact(column)
            told = numbers >= min_cell
            places = pd.DataFrame({"cohort": one.table["cohort"].astype(str), "whom": whom, "n": numbers})[
                told
            ]
            for cohort, group, value in places.drop_duplicates().itertuples(index=False):
                pools.setdefault((cohort, column, group), _Pool()).tables[int(value)] += 1
    return pools


def _stages(flow: pd.DataFrame) -> Iterator[tuple[str, str, int]]:
    """Cohort, group and number of people or samples who came in or go on to a stage, with and without those whom only the full model lacks."""
    used = flow["status"].ne("excluded")
    for rows in (used, used | flow["reason"].fillna("").astype(str).str.startswith("missing_")):
        sums = flow[rows].groupby(["cohort", "unit", "stage"])["n"].sum()
        yield from (
            (str(cohort), UNITS[unit], int(n)) for (cohort, unit, _), n in sums.items() if unit in UNITS
        )


def _pooled(found: Sequence[tuple[Rule, Suppressed]], flows: Sequence[pd.DataFrame], min_cell: int) -> Told:
    """Tell numbers of everybody, then those of each group; the latter not just below the number of all people either."""
    pools = _pools(found, min_cell)
    for cohort, group, n in (stage for flow in flows for stage in _stages(flow)):
        if (pool := pools.get((cohort, "n", group))) and n >= min_cell:
            pool.tables[n] += IN_THE_FLOW
    for (_, _, group), pool in pools.items():
        if not group:
            pool.settle(min_cell)
    for (cohort, column, group), pool in pools.items():
        if group:
            everybody = pools.get((cohort, column, ""))
            pool.settle(min_cell, everybody.usual_first()[:1] if everybody else ())
    about = {(*place, value): other for place, pool in pools.items() for value, other in pool.about.items()}
    in_words: dict[str, dict[str, dict[int, int]]] = {}
    for (cohort, column, group), pool in pools.items():
        if group in UNITS.values():
            in_words.setdefault(cohort, {}).setdefault(column, {}).update(pool.about)
    for rule, one in found:
        cohort = one.table["cohort"].astype(str)
        for column in COUNTED if about else ():
            whom, numbers = who_is_counted(rule, one.table, column), one.exact(column)
            told = np.array(
                [
                    about.get((*place, n), np.nan)
                    for *place, n in zip(cohort, [column] * len(whom), whom, numbers, strict=True)
                ]
            )
            one.tell_about(~np.isnan(told), column, told)
        for name in ("note", "raw_note"):
            if name in one.table and one.table[name].notna().any():
                one.table[name] = [
                    with_about(note, in_words.get(place, {}))
                    for place, note in zip(cohort, one.table[name], strict=True)
                ]
    return {place: pool.exact for place, pool in pools.items()}
