"""From a result table to one that may leave: small numbers of people are left out, and what would give them away."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.privacy.counts import counted_measures, is_count
from faceage_bio.privacy.notes import without_small_numbers
from faceage_bio.privacy.tables import TABLES, Rule
from faceage_bio.stats.small_cells import hidden_in_chain, hidden_in_marked_line

MARK = "[c]"  # confidential; what official statistics write for it
EVENTS = {
    "n_events",
    "n_events_exposed",
    "n_events_reference",
    "events",
    "other_events",
    "censored",
    "entered",
    "n_gaps",
    "left_out",
    "n_alleles",
}
PLACES = {  # numbers that say where a row stands, not what was found there
    "age_lower", "lower", "upper", "at_years", "threshold", "years", "value", "bin", "step", "component", "df", "df_terms", "df_residual",
    "n_tests", "n_readers", "n_variants", "n_genes", "n_specifications", "genes", "in_counts", "tested", "reference", "group",
}  # fmt: skip
PARTS = {
    "n_carriers": "n",
    "n_level": "n",
    "n_high": "n",
    "n_with_cells": "n",
}  # a part of the people beside it
NOTES = {"note", "raw_note"}
TELL_DEATHS = (
    "observed risk",
    "survival at",
    "died of",
    "sensitivity",
)  # measures that give the number of deaths away
OF_DEATHS = (  # measures that tell about the people who died, if those are few
    "restricted mean", "median survival", "difference of restricted", "ratio of restricted",
)  # fmt: skip
SHARES = re.compile(r"share (?!of the set)|accuracy|specificity|sensitivity")
ESTIMATES = ("estimate", "ci_lower", "ci_upper", "standard_error", "p_value", "corrected", "optimism")


@dataclass
class Suppressed:
    """A table and which of its cells are not told, by column; ``table`` still holds them, so it does not leave the process."""

    table: pd.DataFrame
    hidden: dict[str, np.ndarray]

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Suppressed":
        """Nothing hidden yet."""
        table = table.reset_index(drop=True)
        return cls(table, {name: np.zeros(len(table), dtype=bool) for name in table})

    def hide(self, rows: pd.Series | np.ndarray, columns: Iterable[str]) -> None:
        """Leave out cells of some rows."""
        rows = np.asarray(rows, dtype=bool)
        for column in columns:
            if column in self.hidden:
                self.hidden[column] = self.hidden[column] | rows

    def numbers(self, column: str) -> pd.Series:
        """A column as numbers; NaN if there is no such column."""
        if column not in self.table:
            return pd.Series(np.nan, index=self.table.index)
        return pd.to_numeric(self.table[column], errors="coerce")

    def values(self) -> list[str]:
        """Columns of numbers that say something about people, as opposed to where a row stands."""
        return [
            name for name in self.table
            if name not in PLACES and pd.api.types.is_numeric_dtype(self.table[name]) and self.table[name].dtype != bool
        ]  # fmt: skip

    def as_text(self) -> pd.DataFrame:
        """The table to be written: what is not told is ``[c]``."""
        out = self.table.copy()
        for column in [name for name, mask in self.hidden.items() if mask.any()]:
            known = out[column].dropna()
            whole = (
                pd.api.types.is_numeric_dtype(out[column])
                and is_count(column)
                and bool((known % 1 == 0).all())
            )
            text = pd.Series([_text(value, whole) for value in out[column]], index=out.index, dtype=object)
            out[column] = text.mask(self.hidden[column] & out[column].notna(), MARK)
        return out

    def as_numbers(self, min_cell: int) -> pd.DataFrame:
        """The table for a page: small numbers are 1 (printed as "< 5"), whatever else is not told is missing."""
        out = self.table.copy()
        for column in [name for name, mask in self.hidden.items() if mask.any()]:
            if not pd.api.types.is_numeric_dtype(out[column]):
                continue
            counted = self._counted(column)
            small = counted & out[column].between(1, min_cell - 1)
            mask = self.hidden[column]
            out[column] = out[column].astype(float).mask(mask & ~small).mask(mask & small, 1.0)
        return out

    def _counted(self, column: str) -> pd.Series:
        if is_count(column):
            return pd.Series(True, index=self.table.index)
        if column == "estimate" and "measure" in self.table:
            return counted_measures(self.table["measure"])
        return pd.Series(False, index=self.table.index)


def suppress(tables: Mapping[str, pd.DataFrame], min_cell: int) -> dict[str, Suppressed]:
    """The tables of a run made fit to leave.

    Counts of people, samples, photos and deaths from 1 to ``min_cell`` - 1 are left out on the raw counts. So is whatever was
    computed from so few people, and shares, survival and risks from which so few can be computed. Where numbers add up to one
    that is told, further ones are left out, so that no small number is given away (`tables.TABLES` says which add up).
    Curves are told at times between which at least ``min_cell`` people died.

    Parameters
    ----------
    tables : by their key in `tables.TABLES`; rows of several cohorts may be in one table
    min_cell : the smallest number that is told; 1 tells everything
    """
    from faceage_bio.privacy.cells import hide_cells
    from faceage_bio.privacy.curves import CURVES, suppress_curves
    from faceage_bio.privacy.flow import hide_flow
    from faceage_bio.privacy.movers import hide_movers
    from faceage_bio.privacy.table_one import hide_table_one

    found = {key: Suppressed.of(table) for key, table in tables.items()}
    if min_cell <= 1:
        return found
    further = {"flow": hide_flow, "movers": hide_movers, "cells": hide_cells, "table one": hide_table_one}
    for key, one in found.items():
        if not len(one.table):
            continue
        for column in NOTES & set(one.table):
            one.table[column] = [without_small_numbers(note, min_cell) for note in one.table[column]]
        rule = TABLES[key]
        _hide_in(one, rule, min_cell)
        if rule.special in further:
            further[rule.special](one, min_cell)
    return found | suppress_curves({key: found[key] for key in CURVES if key in found}, min_cell)


def _hide_in(one: Suppressed, rule: Rule, min_cell: int) -> None:
    """What holds for every table."""
    table, values = one.table, one.values()
    people = [name for name in values if is_count(name) and name not in EVENTS and name not in PARTS]
    few = pd.Series(False, index=table.index)
    for name in people:
        few |= one.numbers(name).between(1, min_cell - 1)
    one.hide(few, values)
    rest = pd.Series(False, index=table.index)
    for part, whole in PARTS.items():
        few_of_it = one.numbers(part).between(1, min_cell - 1)
        rest |= few_of_it | (one.numbers(whole) - one.numbers(part)).between(1, min_cell - 1)
    one.hide(rest, [name for name in values if name not in {"n", "n_events", "events_per_term"}])
    _say(one, (few | rest) & one.numbers("estimate").notna(), min_cell)
    for name in filter(is_count, values):
        one.hide(one.numbers(name).between(1, min_cell - 1), [name])
    one.hide((one.numbers("n") - one.numbers("n_events")).between(1, min_cell - 1), ["n_events"])
    one.hide(
        one.numbers("left_out").between(1, min_cell - 1), ["n", "n_events"]
    )  # which all others would give away
    _hide_counted(one, min_cell)
    if rule.special != "decisions":
        _hide_shares(one, min_cell)
    for keys in rule.lines:
        _hide_lines(one, keys, min_cell)
    for keys, order, number in rule.chains:
        _hide_chains(one, keys, order, number, min_cell)
    if rule.nested:
        _hide_nested(one, rule.nested, min_cell)
    if rule.linked:
        _hide_linked(one, rule.linked)
    if rule.spread:
        _hide_intervals(one)
    if "n_events" in one.hidden:
        measures = table["measure"].astype(str) if "measure" in table else pd.Series("", index=table.index)
        lost, few = one.hidden["n_events"], one.numbers("n_events").between(1, min_cell - 1)
        one.hide(lost, ["events_per_term"])
        if rule.special not in {"curves", "decisions"}:
            one.hide(lost & measures.str.startswith(TELL_DEATHS), ESTIMATES)
        one.hide(few & measures.str.startswith(OF_DEATHS), ESTIMATES)


def _hide_counted(one: Suppressed, min_cell: int) -> None:
    """Estimates that are themselves numbers of people."""
    if "measure" in one.table:
        counted, number = counted_measures(one.table["measure"]), one.numbers("estimate")
        rest = one.numbers("n") - number  # few have not what all others have
        one.hide(counted & (number.between(1, min_cell - 1) | rest.between(1, min_cell - 1)), ESTIMATES)


def _hide_shares(one: Suppressed, min_cell: int) -> None:
    """Shares of people that are a small number of them, or all but a small number."""
    if "measure" in one.table:
        shares = one.table["measure"].astype(str).str.match(SHARES)
        one.hide(shares & _small_share(one.numbers("estimate"), one.numbers("n"), min_cell), ESTIMATES)
    for name in ("exposed_mean", "reference_mean"):  # of a level; the smaller group is not told here
        if "n_level" in one.table:
            rare = np.minimum(one.numbers(name), 1 - one.numbers(name)).between(1e-9, 0.1)
            one.hide(one.numbers("n_level").notna() & rare, ["exposed_mean", "reference_mean", "estimate"])


def _small_share(share: pd.Series, n: pd.Series, min_cell: int) -> pd.Series:
    number = share * n
    edge = 0.5
    return number.between(edge, min_cell - edge) | (n - number).between(edge, min_cell - edge)


def _hide_lines(one: Suppressed, keys: tuple[str, ...], min_cell: int) -> None:
    """Numbers of rows that add up to one that is told."""
    counted = counted_measures(one.table["measure"]).to_numpy() if "measure" in one.table else None
    for name in ("n", "n_events", "estimate"):
        if name not in one.hidden or not one.hidden[name].any() or (name == "estimate" and counted is None):
            continue
        numbers, hidden = one.numbers(name).to_numpy(float), one.hidden[name].copy()
        for _, rows in _groups(one.table, keys):
            mine = rows[counted[rows]] if name == "estimate" else rows
            counts = np.nan_to_num(numbers[mine])
            if len(mine) > 1 and hidden[mine].any() and not (counts % 1).any():
                hidden[mine] = hidden_in_marked_line(counts.astype(int), min_cell, hidden[mine])
        one.hidden[name] = hidden


def _hide_chains(one: Suppressed, keys: tuple[str, ...], order: str, number: str, min_cell: int) -> None:
    """Numbers that grow or fall along ``order`` are told where they differ enough from the last told."""
    if number not in one.table:
        return
    numbers, places = one.numbers(number).to_numpy(float), one.numbers(order).to_numpy(float)
    skip = np.zeros(len(numbers), dtype=bool)
    for _, rows in _groups(one.table, keys):
        known = rows[~np.isnan(numbers[rows]) & ~np.isnan(places[rows])]
        known = known[np.argsort(places[known], kind="stable")]
        skip[known] = hidden_in_chain(numbers[known].astype(int), min_cell)
    one.hide(skip, [number, *ESTIMATES])


def _hide_intervals(one: Suppressed) -> None:
    """Intervals, p-values and shares of rows whose number of people is not told."""
    lost = np.zeros(len(one.table), dtype=bool)
    for name in ("n", "n_exposed", "n_reference"):
        if name in one.hidden:
            lost |= one.hidden[name] & one.numbers(name).notna().to_numpy()
    one.hide(
        lost,
        [name for name in one.values() if not is_count(name) and name not in ("estimate", "raw_estimate")],
    )
    if "measure" in one.table:
        one.hide(lost & one.table["measure"].astype(str).str.match(SHARES).to_numpy(), ESTIMATES)


def _hide_nested(one: Suppressed, keys: tuple[str, ...], min_cell: int) -> None:
    """Numbers of people that are only a little larger than one that is told."""
    numbers, hidden = one.numbers("n").to_numpy(float), one.hidden["n"].copy()
    for _, rows in _groups(one.table, keys):
        hidden[rows] |= nearly_told(numbers[rows], min_cell)
    one.hidden["n"] = hidden


def nearly_told(numbers: np.ndarray, min_cell: int) -> np.ndarray:
    """Which of some numbers of people to leave out so that no two that are told differ by few; the smallest is told."""
    different = np.unique(numbers[~np.isnan(numbers)])
    return np.isin(numbers, different[hidden_in_chain(different, min_cell)])


def _hide_linked(one: Suppressed, keys: tuple[str, ...]) -> None:
    """A number of people that is left out in one row is left out in all rows about the same kind of groups."""
    names = [name for name in one.table if is_count(name)]
    numbers = np.column_stack([one.numbers(name).to_numpy(float) for name in names])
    hidden = np.column_stack([one.hidden[name] for name in names])
    for _, rows in _groups(one.table, keys):
        lost = np.unique(numbers[rows][hidden[rows]])
        hidden[rows] |= np.isin(numbers[rows], lost[~np.isnan(lost)])
    one.hidden |= {name: hidden[:, place] for place, name in enumerate(names)}


def _groups(table: pd.DataFrame, keys: tuple[str, ...]) -> Iterator[tuple[object, np.ndarray]]:
    """Places of rows that are alike in those of the columns that the table has."""
    names = [name for name in keys if name in table]
    if not names:
        return iter([((), np.arange(len(table)))])
    words = table[names].astype(object).where(table[names].notna(), "")
    return iter(words.groupby(names, sort=False).indices.items())


def _say(one: Suppressed, rows: pd.Series, min_cell: int) -> None:
    if "note" in one.table and rows.any():
        why = f"not shown, because fewer than {min_cell} people, or all but fewer than {min_cell}"
        one.table["note"] = one.table["note"].astype(object).mask(rows, why)


def _text(value: object, whole: bool) -> object:
    if isinstance(value, float) and whole and not np.isnan(value):
        return str(int(value))
    return value
