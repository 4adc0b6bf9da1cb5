"""Groups of people: none is told by what the others, other tables or all cohorts together leave of it."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from faceage_bio.columns import POOLED
from faceage_bio.privacy.suppressed import Suppressed, groups_of_rows
from faceage_bio.privacy.tables import Rule
from faceage_bio.privacy.who import COUNTED, EVERYBODY, Told, nearest, rounded, who_is_counted

SIZES = ("n", "n_exposed", "n_reference", "n_level")
KINDS = ("factor", "exposure", "modifier", "by", "grouping")  # name what parts people into groups
LEFT_OUT = "phenotype/distributions"  # leaves out the size of one group where few people are of no group that is known
ROUNDS = (
    4  # a group that one table does not tell exactly is not told by another, whose lines then need one more
)
Size = tuple[str, str, int]  # cohort, kind, people


def open_groups(
    tables: Sequence[tuple[str, Suppressed]],
    found: Sequence[tuple[Rule, Suppressed]],
    told: Told,
    min_cell: int,
) -> None:
    """Tell sizes of groups by a multiple of ``min_cell``, or leave them out, where exact ones would tell a few people.

    Parameters
    ----------
    found : those of ``tables`` that take part, with their rules
    told : numbers that are told as they are
    """
    mine = [one for _, one in found]
    sizes = _secret_sizes(tables, found)
    _tell_sizes(mine, sizes, min_cell)
    _open_sums_of_cohorts(found, min_cell)
    for _ in range(ROUNDS):
        opened = {size for rule, one in found for size in _open_lines(rule, one, told, min_cell)} - sizes
        _tell_sizes(mine, opened, min_cell)
        sizes |= opened
        if not opened:
            break
    _open_subgroups(mine, sizes, min_cell)
    _hide_squares(tables, min_cell)


def hide_known_elsewhere(found: Sequence[tuple[Rule, Suppressed]], min_cell: int) -> None:
    """The number of people of a group that one table leaves out is left out wherever it, or nearly it, is told."""
    lost: dict[tuple[str, str], set[int]] = {}
    for rule, one in found:
        if "n" not in one.hidden:
            continue
        cells = one.hidden["n"] & (one.numbers("n") > 0).to_numpy()
        groups = zip(
            one.table["cohort"].astype(str),
            who_is_counted(rule, one.table),
            one.numbers("n"),
            cells,
            strict=True,
        )
        for cohort, whom, n, hidden in groups:
            if hidden and whom not in {"", rule.subset}:
                lost.setdefault((cohort, whom), set()).add(int(n))
    for rule, one in found if lost else ():
        groups = zip(
            one.table["cohort"].astype(str), who_is_counted(rule, one.table), one.exact("n"), strict=True
        )
        near = [
            any(abs(n - other) < min_cell for other in lost.get((cohort, whom), ()))
            for cohort, whom, n in groups
        ]
        one.hide(np.array(near, dtype=bool), ["n"])


def _parted_by(table: pd.DataFrame) -> list[pd.Series]:
    """What parts the people of each row into groups: columns that name it, and the first word of the term."""
    kinds = [table[name].fillna("").astype(str) for name in KINDS if name in table]
    return [
        *kinds,
        *([table["term"].fillna("").astype(str).str.split(":").str[0]] if "term" in table else []),
    ]


def _secret_sizes(
    tables: Sequence[tuple[str, Suppressed]], found: Sequence[tuple[Rule, Suppressed]]
) -> set[Size]:
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
            one.table["cohort"].astype(str), who_is_counted(rule, one.table), one.exact("n"), strict=True
        ):
            if (cohort, whom) in kinds and not np.isnan(n):
                sizes.add((cohort, kinds[cohort, whom], int(n)))
    return sizes


def _tell_sizes(tables: Iterable[Suppressed], sizes: set[Size], min_cell: int) -> None:
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
            one.hide(
                rows & (numbers < 2 * min_cell), [column]
            )  # about 5 would be 5 or more, as fewer are left out
            one.tell_about(rows, column, rounded(numbers, min_cell))


def _open_sums_of_cohorts(found: Sequence[tuple[Rule, Suppressed]], min_cell: int) -> None:
    """A group of all cohorts together is not told exactly where that of one cohort is not."""
    for column in COUNTED:
        lost = set()
        for rule, one in found:
            cells = (
                np.isnan(one.exact(column))
                & (one.numbers(column) > 0).to_numpy()
                & (one.table["cohort"] != POOLED).to_numpy()
            )
            if cells.any():
                lost |= set(who_is_counted(rule, one.table, column)[cells])
        for rule, one in found if lost - {""} else ():
            together = (one.table["cohort"] == POOLED).to_numpy()
            if together.any():
                numbers = one.exact(column)
                rows = together & who_is_counted(rule, one.table, column).isin(lost - {""}).to_numpy()
                one.hide(rows & (numbers > 0) & (numbers < 2 * min_cell), [column])
                one.tell_about(rows & (numbers >= min_cell), column, rounded(numbers, min_cell))


def _open_lines(rule: Rule, one: Suppressed, told: Told, min_cell: int) -> Iterator[Size]:
    """Groups add up to those who have a value: where these are few fewer than a number that is told, one group is not told exactly.

    Yields
    ------
    cohort, kind and size of these groups
    """
    for column in COUNTED:
        numbers, whole = one.exact(column), one.numbers(column).to_numpy(float)
        for rows in (rows for keys in rule.lines for _, rows in groups_of_rows(one.table, keys)):
            there = rows[~np.isnan(whole[rows])]
            known = ~np.isnan(numbers[there])
            if len(there) < 2 or one.hidden[column][there].any() or known.sum() < max(len(there) - 1, 1):
                continue
            people, place = int(whole[there].sum()), there[np.nanargmax(numbers[there])]
            cohort, largest = str(one.table["cohort"].iloc[place]), numbers[place]
            others = told.get((cohort, column, rule.subset), [])
            # of a sum that is told, a single group that is not would be what the others leave
            if (
                known.all()
                if people in others
                else not known.all() or nearest(people, others, min_cell) is None
            ):
                continue
            one.tell_about(np.arange(len(numbers)) == place, column, rounded(largest, min_cell))
            numbers[place] = np.nan
            if column == "n":
                kinds = {kind.iloc[0] for kind in _parted_by(one.table.iloc[[place]])} - EVERYBODY
                yield from ((cohort, kind, int(largest)) for kind in kinds)


def _open_subgroups(tables: Iterable[Suppressed], sizes: set[Size], min_cell: int) -> None:
    """People of one level in all subgroups add up to the size of the level, which may not be told exactly."""
    names = ("cohort", "exposure", "modifier", "term", "adjustment", "model", "step")
    for one in tables if sizes else ():
        if not {"exposure", "modifier", "subgroup"} <= set(one.table):
            continue
        for column in ("n_exposed", "n_reference"):
            numbers = one.exact(column)
            for _, rows in groups_of_rows(one.table, names):
                first, people = one.table.iloc[rows[0]], numbers[rows].sum()
                if (
                    np.isnan(people)
                    or (str(first["cohort"]), str(first["exposure"]), int(people)) not in sizes
                ):
                    continue
                place = rows[np.argmax(numbers[rows])]
                one.tell_about(np.arange(len(numbers)) == place, column, rounded(numbers[place], min_cell))


def _hide_squares(tables: Sequence[tuple[str, Suppressed]], min_cell: int) -> None:
    """One more square of a band of ages, where those that are told lack only a few people of the band."""
    bands = {
        (str(cohort), float(lower)): n
        for key, one in tables
        if key == "acceleration/age_bands" and {"cohort", "age_lower"} <= set(one.table)
        for cohort, lower, n in zip(one.table["cohort"], one.table["age_lower"], one.exact("n"), strict=True)
    }
    for key, one in tables:
        if (
            key != "phenotype/age_squares"
            or not {"cohort", "age_lower"} <= set(one.table)
            or not len(one.table)
        ):
            continue
        for _, rows in groups_of_rows(one.table, ("cohort", "age_lower")):
            first = one.table.iloc[rows[0]]
            people = bands.get((str(first["cohort"]), float(first["age_lower"])), np.nan)
            told = np.where(one.exact("n") >= min_cell, one.exact("n"), np.nan)[rows]
            while 0 < people - np.nansum(told) < min_cell and not np.isnan(told).all():
                smallest = int(np.nanargmin(told))
                one.hide(np.arange(len(one.table)) == rows[smallest], ["n"])
                told[smallest] = np.nan
