"""Numbers of the same people that differ by few: 113 people in one model and 114 in another give away the one who lacks a value.

Such numbers are told as one of them, marked ("~114" in a table, "≈ 114" on a page): the true one is fewer than ``min_cell`` away.
Numbers of the exclusion diagram are told as they are, then those that most tables have. Who is counted tells `tables.Rule.who`:
everybody with the values that an analysis needs, or the people of a named group; numbers of everybody, and those of the same group,
are held against each other wherever they stand. So pages and bundles must be made of the same tables.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

from faceage_bio.privacy.counts import counted_measures
from faceage_bio.privacy.notes import with_about, without_quotient
from faceage_bio.privacy.suppressed import Suppressed, groups_of_rows
from faceage_bio.privacy.tables import SAMPLES, TABLES, Rule, key_of

COUNTED = ("n", "n_events")  # people, deaths
EVERYBODY = {"", "all", "everybody"}
SIZES = ("n", "n_exposed", "n_reference", "n_level")
KINDS = ("factor", "exposure", "modifier", "by", "grouping")  # name what parts people into groups
IN_THE_FLOW = 1000  # tables would have to tell another number, for that to be told rather than one of the exclusion diagram
OWN_RULES = {"flow", "movers", "table one"}  # tables that are made fit in their own way
LEFT_OUT = "phenotype/distributions"  # leaves out the size of one group where few people are of no group that is known
UNITS = {"subject": "", "sample": SAMPLES.subset}  # of the flow: with whom tables share their numbers
GIVEN_AWAY = ("df_residual", "error_df")  # people less what was estimated
Told = dict[tuple[str, str, str], list[int]]  # cohort, column, group: numbers that are told as they are


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
            if (other := _near(value, [*told, *further], min_cell)) is None:
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
    told = _pooled(found, [one.table for key, one in tables if key == "flow" and len(one.table)], min_cell)
    _tell_sizes([one for _, one in found], _secret_sizes(tables, found), min_cell)
    opened = {size for rule, one in found for size in _open_lines(rule, one, told, min_cell)}
    _tell_sizes([one for _, one in found], opened, min_cell)
    _tell_at_risk(tables, min_cell)
    for _, one in found:
        _tell_with(one, told, min_cell)
    for key, one in tables:
        if key == "flow" and len(one.table):
            _hide_stages(one, told, min_cell)
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
                        & (_whom(rule, one.table, column) == group)
                    ).any()
                )
                yield place, column, f"{first:,} people beside {second:,} of the same in another table or row"


def _takes_part(key: str, one: Suppressed) -> bool:
    rule = TABLES[key]
    counts = any(one.numbers(column).notna().any() for column in COUNTED)
    return rule.special not in OWN_RULES and not rule.nested and "cohort" in one.table and counts


def _near(value: int, others: Sequence[int], min_cell: int) -> int | None:
    """The nearest other number from which it differs by few."""
    near = [other for other in others if 0 < abs(other - value) < min_cell]
    return min(near, key=lambda other: (abs(other - value), -other), default=None)


def _whom(rule: Rule, table: pd.DataFrame, column: str = "n") -> pd.Series:
    """Of each row, the group whose people are counted, and of deaths of one cause the cause; "" for everybody."""
    names = [name for name in rule.who if name in table]
    whom = pd.Series(rule.subset, index=table.index)
    if names:
        words = table[names].astype(object).where(table[names].notna(), "").astype(str)
        whom = words.agg(": ".join, axis=1).mask(words[names[-1]].str.lower().isin(EVERYBODY), "")
    if column == "n_events" and "cause" in table:
        cause = table["cause"].fillna("").astype(str)
        whom = whom + ("; " + cause).where(cause != "", "")
    return whom


def _pools(found: Sequence[tuple[Rule, Suppressed]], min_cell: int) -> dict[tuple[str, str, str], _Pool]:
    """By cohort, column and group: the numbers that are told as they are so far."""
    pools: dict[tuple[str, str, str], _Pool] = {}
    for rule, one in found:
        for column in COUNTED:
            whom, numbers = _whom(rule, one.table, column), one.exact(column)
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
            whom, numbers = _whom(rule, one.table, column), one.exact(column)
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


def _parted_by(table: pd.DataFrame) -> list[pd.Series]:
    """What parts the people of each row into groups: columns that name it, and the first word of the term."""
    kinds = [table[name].fillna("").astype(str) for name in KINDS if name in table]
    return [
        *kinds,
        *([table["term"].fillna("").astype(str).str.split(":").str[0]] if "term" in table else []),
    ]


def _secret_sizes(
    tables: Sequence[tuple[str, Suppressed]], found: Sequence[tuple[Rule, Suppressed]]
) -> set[tuple[str, str, int]]:
    """Cohort, kind and size of groups that are left out where few people are of no group that is known."""
    secret = set()
    for key, one in tables:
        if key == LEFT_OUT and {"cohort", "factor", "group", "n"} <= set(one.table):
            lost = one.hidden["n"] | one.numbers("n").isna().to_numpy()
            rows = one.table.loc[lost, ["cohort", "factor", "group"]].astype(str)
            secret |= {(row.cohort, row.factor, f"{row.factor}: {row.group}") for row in rows.itertuples()}
    kinds = {(cohort, whom): kind for cohort, kind, whom in secret}
    sizes = set()
    for rule, one in found:
        for cohort, whom, n in zip(
            one.table["cohort"].astype(str), _whom(rule, one.table), one.exact("n"), strict=True
        ):
            if (cohort, whom) in kinds and not np.isnan(n):
                sizes.add((cohort, kinds[cohort, whom], int(n)))
    return sizes


def _tell_sizes(tables: Iterable[Suppressed], sizes: set[tuple[str, str, int]], min_cell: int) -> None:
    """Tell the sizes of some groups by a multiple of ``min_cell``, wherever groups of that kind stand."""
    values = [size for *_, size in sizes]
    for one in tables:
        for column in SIZES:
            numbers = one.exact(column)
            rows = np.isin(numbers, values)
            if not rows.any():
                continue
            mine = one.table[rows]
            cohort, found = mine["cohort"].astype(str), np.zeros(len(mine), dtype=bool)
            for kind in _parted_by(mine):
                found |= [place in sizes for place in zip(cohort, kind, numbers[rows], strict=True)]
            rows[rows] = found
            one.tell_about(rows, column, _rounded(numbers, min_cell))


def _open_lines(rule: Rule, one: Suppressed, told: Told, min_cell: int) -> Iterator[tuple[str, str, int]]:
    """Groups add up to those who have a value: where these are few fewer than a number that is told, one group is not told exactly.

    Yields
    ------
    cohort, kind and size of these groups
    """
    for column in COUNTED:
        numbers = one.exact(column)
        for rows in (rows for keys in rule.lines for _, rows in groups_of_rows(one.table, keys)):
            if len(rows) < 2 or np.isnan(numbers[rows]).any():
                continue
            people, place = int(numbers[rows].sum()), rows[np.argmax(numbers[rows])]
            cohort, largest = str(one.table["cohort"].iloc[place]), numbers[place]
            others = told.get((cohort, column, ""), [])
            if people in others or _near(people, others, min_cell) is None:
                continue
            one.tell_about(np.arange(len(numbers)) == place, column, _rounded(largest, min_cell))
            numbers[place] = np.nan
            if column == "n":
                kinds = {kind.iloc[0] for kind in _parted_by(one.table.iloc[[place]])} - EVERYBODY
                yield from ((cohort, kind, int(largest)) for kind in kinds)


def _tell_at_risk(tables: Sequence[tuple[str, Suppressed]], min_cell: int) -> None:
    """People at risk whose cause of death is known beside all people at risk at the same time."""
    place = ["cohort", "grouping", "group", "years"]
    parts = [
        one for key, one in tables if key == "survival/at_risk" and {*place, "at_risk"} <= set(one.table)
    ]
    everybody = {
        tuple(at): n
        for one in parts
        for *at, n in zip(*(one.table[name] for name in place), one.exact("at_risk"), strict=True)
    }
    near = {
        tuple(group)
        for key, one in tables
        if key == "survival/competing_risks" and one.is_about("n").any()
        for group in one.table.loc[one.is_about("n"), place[:3]].itertuples(index=False)
    }
    for key, one in tables:
        if key in {"survival/incidence_at_risk", "survival/cumulative_incidence"} and set(place) <= set(
            one.table
        ):
            few = np.array(
                [tuple(group) in near for group in one.table[place[:3]].itertuples(index=False)], dtype=bool
            )
            one.hide(few, ["events", "other_events", "censored", "entered"])
            if key == "survival/incidence_at_risk":
                all_people = np.array(
                    [everybody.get(tuple(at), np.nan) for at in one.table[place].itertuples(index=False)]
                )
                apart = np.abs(all_people - one.exact("at_risk"))
                one.tell_about((apart > 0) & (apart < min_cell), "at_risk", all_people)


def _tell_with(one: Suppressed, told: Told, min_cell: int) -> None:
    """What stands beside a number of people that is not exact, and would tell it."""
    people, n = one.is_about("n"), one.numbers("n").to_numpy(float)
    deaths = one.exact("n_events")
    rows = people & (deaths >= min_cell)
    instead = np.full(len(rows), np.nan)
    instead[rows] = [
        next(
            (other for other in told.get((str(cohort), "n_events", ""), ()) if abs(other - died) < min_cell),
            _rounded(died, min_cell),
        )
        for cohort, died in zip(one.table["cohort"][rows], deaths[rows], strict=True)
    ]
    one.tell_about(rows, "n_events", instead)
    lost = one.exact("left_out")
    if people.any():
        one.tell_about(people & (lost >= min_cell), "left_out", lost + n - one.about["n"])
        if "measure" in one.table:  # a measure that counts all of them
            one.tell_about(
                people & (one.exact("estimate") == n) & _counts_people(one.table), "estimate", one.about["n"]
            )
    not_exact = one.is_about("n_events")
    if not_exact.any() and "events_per_term" in one.table:
        share = np.where(not_exact, one.about["n_events"] / one.numbers("n_events").to_numpy(float), 1.0)
        per_term = one.numbers("events_per_term").to_numpy(float)
        # rows about some of the people tell the deaths per term of all
        one.hide(~not_exact & np.isin(per_term, per_term[not_exact]), ["events_per_term"])
        one.table["events_per_term"] = per_term * share
    one.hide(people | not_exact, GIVEN_AWAY)
    if "note" in one.table and "n_events" in one.table:
        quotients = np.where(np.isnan(deaths) | not_exact, np.nan, one.exact("events_per_term"))
        one.table["note"] = [
            without_quotient(note, f"{quotient:.1f}")
            for note, quotient in zip(one.table["note"], quotients, strict=True)
        ]


def _counts_people(table: pd.DataFrame) -> np.ndarray:
    return (
        counted_measures(table["measure"]) | table["measure"].astype(str).str.startswith("profiles")
    ).to_numpy()


def _hide_stages(one: Suppressed, told: Told, min_cell: int) -> None:
    """In the flow, who goes on to a stage of which another table tells about; and so who is left out there, and at the next."""
    numbers, excluded = (
        one.numbers("n").fillna(0).to_numpy().astype(int),
        one.table["status"].eq("excluded").to_numpy(),
    )
    came: dict[tuple, bool] = {}  # of a unit, whether those whom the stage before let pass are left out
    for (cohort, unit, _), rows in groups_of_rows(one.table, ("cohort", "unit", "stage")):
        if unit not in UNITS:
            continue
        others, used = (
            told.get((str(cohort), "n", UNITS[unit]), []),
            int(numbers[rows][~excluded[rows]].sum()),
        )
        lost = used not in others and _near(used, others, min_cell) is not None
        gone = rows if lost else rows[excluded[rows]] if came.get((cohort, unit)) else rows[:0]
        one.hide(np.isin(np.arange(len(numbers)), gone) & (numbers > 0), ["n"])
        came[cohort, unit] = lost


def _rounded(numbers: np.ndarray | float, min_cell: int) -> np.ndarray:
    return min_cell * np.round(np.asarray(numbers, dtype=float) / min_cell)
