"""Numbers that would give a small one away: those of the same sum, of the next step, of the same group elsewhere."""

import re

import numpy as np

from faceage_bio.privacy.counts import counted_measures, is_count
from faceage_bio.privacy.suppressed import ESTIMATES, Suppressed, groups_of_rows
from faceage_bio.stats.small_cells import hidden_in_chain, hidden_in_marked_line

SHARES = re.compile(r"share (?!of the set)|accuracy|specificity|sensitivity")
TELL_DEATHS = (
    "observed risk",
    "survival at",
    "died of",
    "sensitivity",
)  # measures that give the number of deaths away
SIZES = "phenotype/means"  # tells how large the groups of each factor are
COMPARE = (
    "phenotype/pairs",
    "phenotype/phenotypes",
    "phenotype/specifications",
    "phenotype/subgroups",
)  # compare these groups


def hide_lines(one: Suppressed, keys: tuple[str, ...], min_cell: int) -> None:
    """Numbers of rows that add up to one that is told."""
    counted = counted_measures(one.table["measure"]).to_numpy() if "measure" in one.table else None
    for name in ("n", "n_events", "estimate"):
        if name not in one.hidden or not one.hidden[name].any() or (name == "estimate" and counted is None):
            continue
        numbers, hidden = one.numbers(name).to_numpy(float), one.hidden[name].copy()
        for _, rows in groups_of_rows(one.table, keys):
            mine = rows[counted[rows]] if name == "estimate" else rows
            counts = np.nan_to_num(numbers[mine])
            if len(mine) > 1 and hidden[mine].any() and not (counts % 1).any():
                hidden[mine] = hidden_in_marked_line(counts.astype(int), min_cell, hidden[mine])
        one.hidden[name] = hidden


def hide_chains(one: Suppressed, keys: tuple[str, ...], order: str, number: str, min_cell: int) -> None:
    """Numbers that grow or fall along ``order`` are told where they differ enough from the last told."""
    if number not in one.table:
        return
    numbers, places = one.numbers(number).to_numpy(float), one.numbers(order).to_numpy(float)
    skip = np.zeros(len(numbers), dtype=bool)
    for _, rows in groups_of_rows(one.table, keys):
        known = rows[~np.isnan(numbers[rows]) & ~np.isnan(places[rows])]
        known = known[np.argsort(places[known], kind="stable")]
        skip[known] = hidden_in_chain(numbers[known].astype(int), min_cell)
    one.hide(skip, [number, *ESTIMATES])


def hide_nested(one: Suppressed, keys: tuple[str, ...], min_cell: int) -> None:
    """Numbers of people that are only a little larger than one that is told."""
    numbers, hidden = one.numbers("n").to_numpy(float), one.hidden["n"].copy()
    for _, rows in groups_of_rows(one.table, keys):
        hidden[rows] |= nearly_told(numbers[rows], min_cell)
    one.hidden["n"] = hidden


def nearly_told(numbers: np.ndarray, min_cell: int) -> np.ndarray:
    """Which of some numbers of people to leave out so that no two that are told differ by few; the smallest is told."""
    different = np.unique(numbers[~np.isnan(numbers)])
    return np.isin(numbers, different[hidden_in_chain(different, min_cell)])


def hide_linked(one: Suppressed, keys: tuple[str, ...]) -> None:
    """A number of people that is left out in one row is left out in all rows about the same kind of groups."""
    names = [name for name in one.table if is_count(name)]
    numbers = np.column_stack([one.numbers(name).to_numpy(float) for name in names])
    hidden = np.column_stack([one.hidden[name] for name in names])
    for _, rows in groups_of_rows(one.table, keys):
        lost = np.unique(numbers[rows][hidden[rows]])
        hidden[rows] |= np.isin(numbers[rows], lost[~np.isnan(lost)])
    one.hidden |= {name: hidden[:, place] for place, name in enumerate(names)}


def hide_elsewhere(found: dict[str, Suppressed]) -> None:
    """The size of a group that one table leaves out for another group's sake is left out where groups are compared."""
    if SIZES not in found or "factor" not in found[SIZES].table:
        return
    sizes = found[SIZES]
    lost = set(
        zip(*(sizes.table[name][sizes.hidden["n"]] for name in ("cohort", "factor", "n")), strict=True)
    )
    for key in COMPARE:
        if not lost or key not in found:
            continue
        one = found[key]
        terms = one.table["term"].astype(str).str.split(":").str[0] if "term" in one.table else None
        kinds = [one.table[name] for name in ("factor", "exposure") if name in one.table] or [terms]
        columns = [("n_exposed", kind) for kind in kinds] + [("n_reference", kind) for kind in kinds]
        columns += [("n", one.table["modifier"])] if "modifier" in one.table else []
        for name, kind in columns:
            if name in one.table and kind is not None:
                one.hide(
                    [place in lost for place in zip(one.table["cohort"], kind, one.table[name], strict=True)],
                    [name],
                )


def hide_intervals(one: Suppressed) -> None:
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
