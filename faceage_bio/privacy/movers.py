"""People by group of a score with age and with face age, without small numbers and what gives them away."""

import numpy as np
import pandas as pd

from faceage_bio.privacy.suppressed import ESTIMATES, Suppressed, groups_of_rows
from faceage_bio.stats.small_cells import hidden_counts, hidden_in_line

AGE = "age"
BOTH, NEITHER, GAINED, LOST = "points both ways", "points neither way", "gained points", "lost points"
POINTS = {BOTH: (0, 0), LOST: (0, 1), GAINED: (1, 0), NEITHER: (1, 1)}  # places in `points`


def hidden_moves(rows: pd.DataFrame, min_cell: int) -> tuple[dict, dict]:
    """What to leave out of the movers and of the points for age of one score; each by version: cells, sums of rows, of columns.

    Sums of rows (the groups by age) are common to all versions, so what one leaves out, all do.
    """
    moves = rows[rows["analysis"] == "movers"]
    others = list(dict.fromkeys(moves["version"]))
    matrices = {version: matrix(rows, version, "n").astype(int) for version in others}
    possible = {
        version: ~matrix(rows, version, "note").map(lambda note: str(note).endswith("this move"))
        for version in others
    }
    tables = {version: points(rows, version) for version in others}
    return _hidden_in_all(matrices, possible, min_cell), _hidden_in_all(tables, {}, min_cell)


def matrix(rows: pd.DataFrame, version: str, value: str) -> pd.DataFrame:
    """A field of the movers by group with age (rows) and with face age (columns)."""
    moves = rows[(rows["analysis"] == "movers") & (rows["version"] == version)]
    order = list(dict.fromkeys(moves["from_group"]))
    return moves.pivot(index="from_group", columns="to_group", values=value).loc[order, order]


def points(rows: pd.DataFrame, version: str) -> pd.DataFrame:
    """People by points for age with age (rows: yes, no) and with face age (columns: yes, no)."""
    n = rows[(rows["analysis"] == "points") & (rows["version"] == version)].set_index("term")["n"].astype(int)
    return pd.DataFrame([[n[BOTH], n[LOST]], [n[GAINED], n[NEITHER]]])


def _hidden_in_all(tables: dict[str, pd.DataFrame], possible: dict[str, pd.DataFrame], min_cell: int) -> dict:
    """What `hidden_counts` leaves out of each of some tables with the same sums of rows."""
    sums, masks = None, {}
    for _ in range(len(tables) + 1):  # as often as one may leave out a sum for the others
        for name, table in tables.items():
            can = possible[name].to_numpy() if possible else None
            masks[name] = hidden_counts(table.to_numpy(), min_cell, possible=can, hidden_sums=sums)
            sums = masks[name][1]
    return masks


def hidden_deaths(rows: pd.DataFrame, by_points: dict, min_cell: int) -> bool:
    """Whether the deaths of those who keep, gain or lose points for age are left out: of all versions, if of any.

    The deaths of those with the points for age are the same in each version, so one tells what another leaves out.

    Parameters
    ----------
    by_points : the second part of `hidden_moves`
    """
    for version, (cells, _, _) in by_points.items():
        at = rows[(rows["analysis"] == "points") & (rows["version"] == version)]
        lost = np.array([cells[POINTS[term]] for term in at["term"]])
        if _few_deaths(at, lost, min_cell).any():
            return True
    return False


def hide_movers(one: Suppressed, min_cell: int) -> None:
    """The same in the result table: groups, moves, points for age and what the cuts say of them."""
    table = one.table
    for _, rows in groups_of_rows(table, ("cohort", "definition")):
        mine = table.loc[rows]
        if not (mine["analysis"] == "movers").any():
            continue
        moves, by_points = hidden_moves(mine, min_cell)
        for version, (cells, row_sums, column_sums) in moves.items():
            order = list(matrix(mine, version, "n").index)
            at = mine[(mine["analysis"] == "movers") & (mine["version"] == version)]
            lost = [cells[order.index(row.from_group), order.index(row.to_group)] for row in at.itertuples()]
            _hide_rows(one, at.index, np.array(lost), deaths=np.ones(len(at), dtype=bool))
            for by, sums in ((AGE, row_sums), (version, column_sums)):
                groups = mine[(mine["analysis"] == "groups") & (mine["version"] == by)]
                _hide_rows(one, groups.index, sums, _few_deaths(groups, sums, min_cell))
        for version, (cells, of_age, of_face) in by_points.items():
            at = mine[(mine["analysis"] == "points") & (mine["version"] == version)]
            lost = np.array([cells[POINTS[term]] for term in at["term"]])
            few_deaths = hidden_deaths(mine, by_points, min_cell)
            _hide_rows(one, at.index, lost, np.full(len(at), few_deaths))
            if cells.any() or of_age.any() or of_face.any():
                cuts = mine[
                    (mine["analysis"] == "cut")
                    & mine["measure"].str.startswith("people")
                    & mine["version"].isin([AGE, version])
                ]
                one.hide(table.index.isin(cuts.index), ["estimate"])


def _few_deaths(rows: pd.DataFrame, hidden: np.ndarray, min_cell: int) -> np.ndarray:
    return hidden_in_line(rows["n_events"].fillna(0).to_numpy().astype(int), min_cell, hidden.copy())


def _hide_rows(one: Suppressed, rows: pd.Index, people: np.ndarray, deaths: np.ndarray) -> None:
    def whole(mask: np.ndarray) -> np.ndarray:
        return pd.Series(mask, index=rows).reindex(one.table.index, fill_value=False).to_numpy()

    one.hide(whole(people), ["n", "n_events", *ESTIMATES])
    one.hide(whole(deaths), ["n_events"])
