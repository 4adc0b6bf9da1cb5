"""Who was left out and why, without small numbers and what gives them away."""

import numpy as np

from faceage_bio.privacy.suppressed import Suppressed, groups_of_rows
from faceage_bio.stats.small_cells import hidden_in_marked_line

# of people: those whom the stage before has left out already, so their number is told there
CARRIED = {"no_acceleration"}


def hide_flow(one: Suppressed, min_cell: int) -> None:
    """Of one unit at one stage, those used (some flagged) and those left out (for each reason) add up to those who came in.

    People who were left out at the stage before are told by it, so the others at a stage add up to those whom it let pass. Both
    parts are told as sums, unless one of them is small: one person left out of 114 hides the 113 who go on. As the page and the
    models tell those who go on, a small number left out hides those who came in too.
    """
    table, numbers = one.table, one.numbers("n").to_numpy().astype(int)
    reasons, hidden = table["reason"].isin(CARRIED).to_numpy(), one.hidden["n"].copy()
    excluded = table["status"].eq("excluded").to_numpy()
    came: dict[tuple, np.ndarray] = {}  # of a unit: rows of those whom the stage before let pass
    for (cohort, unit, _), rows in groups_of_rows(table, ("cohort", "unit", "stage")):
        carried = reasons[rows] & (unit == "subject")
        lost, used = rows[excluded[rows] & ~carried], rows[~excluded[rows]]
        for part in (lost, used, rows[carried]):
            hidden[part] = hidden_in_marked_line(numbers[part], min_cell, hidden[part])
        sums = np.array([numbers[lost].sum(), numbers[used].sum()])
        if ((sums > 0) & (sums < min_cell)).any():
            hidden[lost] |= numbers[lost] > 0
            hidden[used] |= numbers[used] > 0
            before = came.get((cohort, unit), rows[:0])
            hidden[before] |= numbers[before] > 0
        if hidden[rows[carried]].any():  # then nobody can take it away from those who came in
            hidden[rows] |= numbers[rows] > 0
        came[cohort, unit] = used
    one.hidden["n"] = hidden
