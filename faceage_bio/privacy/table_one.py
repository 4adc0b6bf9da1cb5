"""Table 1 without small numbers and what gives them away."""

import numpy as np
import pandas as pd

from faceage_bio.privacy.suppressed import Suppressed, groups_of_rows
from faceage_bio.stats.small_cells import hidden_counts, hidden_in_marked_line

ALL = "all"
TOGETHER = ("mean of all pairs", "largest of all pairs")  # standardised differences
SPREAD = ("standard_deviation", "lower_quartile", "upper_quartile")


def hide_table_one(one: Suppressed, min_cell: int) -> None:
    """Levels of a variable and its missing values add up to the people of each group, and groups to everybody."""
    table = one.table
    group, measure = table["group"].fillna("").astype(str).to_numpy(), table["measure"].astype(str).to_numpy()
    n = one.numbers("n").fillna(0).to_numpy().astype(int)
    variables = table["variable"].fillna("").astype(str)
    for _, rows in groups_of_rows(table, ("cohort",)):
        heads = {group[place]: n[place] for place in rows if measure[place] == "people"}
        parts = [name for name in heads if name != ALL] or [ALL]
        if any(0 < heads[name] < min_cell for name in parts):  # groups of a few: only everybody is told
            _hide(one, rows[group[rows] != ALL], ["n", "estimate", *SPREAD])
            parts = [ALL]
        for variable in dict.fromkeys(variables.iloc[rows]):
            mine = rows[(variables.iloc[rows] == variable).to_numpy()]
            if variable and (measure[mine] == "share").any():
                _hide_levels(one, mine, group, measure, n, {name: heads[name] for name in parts}, min_cell)
            elif variable:
                _hide_numbers(one, mine, group, measure, n, heads, parts, min_cell)


def _hide_levels(
    one: Suppressed,
    rows: np.ndarray,
    group: np.ndarray,
    measure: np.ndarray,
    n: np.ndarray,
    sizes: dict[str, int],
    min_cell: int,
) -> None:
    shares = rows[measure[rows] == "share"]
    counts = pd.DataFrame(
        {
            "level": one.table["level"].iloc[shares].astype(str).to_numpy(),
            "group": group[shares],
            "n": n[shares],
        }
    )
    wide = counts.pivot(index="level", columns="group", values="n").fillna(0).astype(int)
    wide = wide.loc[list(dict.fromkeys(counts["level"]))]  # as on the page, so that both leave out the same
    levels, parts = list(wide.index), list(sizes)
    matrix = wide[parts].to_numpy()
    matrix = np.vstack(
        [matrix, np.array(list(sizes.values())) - matrix.sum(axis=0)]
    )  # those whose value is missing
    cells, sums, columns = hidden_counts(matrix, min_cell)
    if columns.any():  # whatever is told of it would tell of a few
        cells, sums = np.ones_like(cells), np.ones_like(sums)
    for place, level, name in zip(shares, counts["level"], counts["group"], strict=True):
        line = levels.index(level)
        lost = (
            sums[line] or (parts == [ALL] and cells[line, 0])
            if name == ALL
            else cells[line, parts.index(name)]
            if name in parts
            else True
        )
        if lost:
            _hide(one, np.array([place]), ["n", "estimate"])
    if cells.any() or sums.any():  # with more digits, only one set of hidden numbers gives these
        differences = rows[measure[rows] == "standardised difference"]
        together = np.isin(group[differences], TOGETHER)
        _hide(one, differences[~together], ["estimate"])
        values = one.numbers("estimate").to_numpy(float).copy()
        values[differences[together]] = np.round(values[differences[together]], 1)
        one.table["estimate"] = values
    if (
        cells[-1].any()
        or ((matrix[-1] > 0) & (matrix[-1] < min_cell)).any()
        or 0 < matrix[-1].sum() < min_cell
    ):
        _hide(one, shares, ["estimate"])  # a share of those with a value tells how many have none
    if sums[-1] or (parts == [ALL] and cells[-1, 0]):
        _hide(one, rows[measure[rows] == "missing"], ["n", "estimate"])


def _hide_numbers(
    one: Suppressed,
    rows: np.ndarray,
    group: np.ndarray,
    measure: np.ndarray,
    n: np.ndarray,
    heads: dict[str, int],
    parts: list[str],
    min_cell: int,
) -> None:
    """Of a variable of numbers: how many have a value where few have none, and quartiles of few people."""
    described = rows[np.isin(measure[rows], ("mean", "median"))]
    known = {group[place]: n[place] for place in described}
    missing = np.array([heads[name] - known.get(name, 0) for name in parts], dtype=int)
    lost = {name for name, gone in zip(parts, hidden_in_marked_line(missing, min_cell), strict=True) if gone}
    if ALL in heads and 0 < heads[ALL] - known.get(ALL, heads[ALL]) < min_cell:
        lost |= {ALL, *(name for name, gone in zip(parts, missing, strict=True) if gone)}
    _hide(one, described[np.isin(group[described], list(lost))], ["n"])
    few = described[(n[described] < 4 * min_cell) & (measure[described] == "median")]
    _hide(one, few, ["lower_quartile", "upper_quartile"])


def _hide(one: Suppressed, places: np.ndarray, columns: list[str]) -> None:
    rows = np.zeros(len(one.table), dtype=bool)
    rows[places] = True
    one.hide(rows, columns)
