"""Who was left out and why, without small numbers and what gives them away."""

from faceage_bio.privacy.suppressed import Suppressed, groups_of_rows
from faceage_bio.stats.small_cells import hidden_in_marked_line

CARRIED = {
    "no_acceleration"
}  # of people: those whom the stage before has left out already, so their number is told there


def hide_flow(one: Suppressed, min_cell: int) -> None:
    """Numbers of one unit at one stage add up to those who came in.

    People who were left out at the stage before are told by it, so the others at a stage add up to those whom it let pass. Then one
    person left out of 114 hides the 113 who go on.
    """
    table, numbers = one.table, one.numbers("n").to_numpy().astype(int)
    reasons, hidden = table["reason"].isin(CARRIED).to_numpy(), one.hidden["n"].copy()
    for (_, unit, _), rows in groups_of_rows(table, ("cohort", "unit", "stage")):
        carried = reasons[rows] & (unit == "subject")
        for part in (rows[~carried], rows[carried]):
            hidden[part] = hidden_in_marked_line(numbers[part], min_cell, hidden[part])
        if hidden[rows[carried]].any():  # then nobody can take it away from those who came in
            hidden[rows] = hidden_in_marked_line(numbers[rows], min_cell, hidden[rows])
    one.hidden["n"] = hidden
