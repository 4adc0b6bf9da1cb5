"""Cells and donors of each cell type, without small numbers of donors and what gives them away."""

import numpy as np

from faceage_bio.privacy.suppressed import Suppressed, groups_of_rows
from faceage_bio.stats.small_cells import hidden_in_line, hidden_in_marked_line


def hide_cells(one: Suppressed, min_cell: int) -> None:
    """Cells of a type are those kept and those dropped, for each reason; so are its donors' profiles."""
    table = one.table
    measure = table["measure"].astype(str)
    donors = measure.eq("donors") | measure.str.startswith("profiles")
    one.hide(donors & one.numbers("estimate").between(1, min_cell - 1), ["estimate", "n"])
    numbers = one.numbers("estimate").fillna(0).to_numpy()
    for _, rows in groups_of_rows(table, ("cohort", "analysis", "term")):
        for head, whole, rule in (
            ("cells ", "cells", hidden_in_line),
            ("profiles ", "donors", hidden_in_marked_line),
        ):
            parts = rows[[name.startswith(head) for name in measure.to_numpy()[rows]]]
            total = rows[measure.to_numpy()[rows] == whole]
            counts = numbers[parts].astype(int)
            before = (one.hidden["estimate"] | one.hidden["n"])[parts]
            if one.hidden["estimate"][total].any():
                before = before | (counts > 0)
            lost = np.zeros(len(table), dtype=bool)
            lost[parts] = rule(counts, min_cell, before)
            one.hide(lost, ["estimate", "n"])
