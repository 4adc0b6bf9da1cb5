"""Small numbers of people are not told, and neither is what would let a reader compute them from sums."""

import numpy as np


def hidden_counts(
    counts: np.ndarray,
    min_cell: int,
    *,
    possible: np.ndarray | None = None,
    hidden_sums: np.ndarray | None = None,
    hidden: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which counts of a table to leave out where its sums are told beside it.

    Counts from 1 to ``min_cell`` - 1 are left out. Where what a row or a column (its sum included) lacks is a single number, or
    numbers that together are small, further ones are left out, and the sum if no other can be. The sum of all stays.

    Parameters
    ----------
    counts : int array, shape (r, c)
    possible : bool array, shape (r, c), optional
        False where a reader knows that there is nobody, so that leaving out the zero would protect nothing.
    hidden_sums : bool array, shape (r,), optional
        Sums of rows that are left out elsewhere already.
    hidden : bool array, shape (r, c), optional
        Counts that are left out in any case.

    Returns
    -------
    bool arrays
        Shape (r, c) of the counts, (r,) of the sums of rows, (c,) of the sums of columns.
    """
    counts = np.asarray(counts)
    possible = np.ones(counts.shape, dtype=bool) if possible is None else possible
    full = np.block(
        [[counts, counts.sum(axis=1)[:, None]], [counts.sum(axis=0)[None, :], counts.sum(keepdims=True)]]
    )
    usable = np.pad(possible, (0, 1), constant_values=True)
    usable[-1, -1] = False
    before = hidden
    hidden = (full > 0) & (full < min_cell)
    if before is not None:
        hidden[:-1, :-1] |= before
    if hidden_sums is not None:
        hidden[:-1, -1] |= hidden_sums
    views = ((full, usable, hidden), (full.T, usable.T, hidden.T))
    changed = True
    while changed:
        changed = False
        for values, can, mask in (line for view in views for line in zip(*view, strict=True)):
            changed |= _hide_further(values, can, mask, min_cell)
        if not changed and (told := _determined(hidden)):
            changed = _hide_beside(told[0], full, usable, hidden)
    return hidden[:-1, :-1], hidden[:-1, -1], hidden[-1, :-1]


def hidden_in_line(counts: np.ndarray, min_cell: int, already: np.ndarray) -> np.ndarray:
    """The same for some counts whose sum is told, such as deaths by group; ``already`` are left out in any case."""
    counts = np.asarray(counts)
    values, can = np.append(counts, counts.sum()), np.append(np.ones(len(counts), dtype=bool), False)
    hidden = np.append(already | ((counts > 0) & (counts < min_cell)), False)
    while _hide_further(values, can, hidden, min_cell):
        pass
    return hidden[:-1]


def _hide_further(values: np.ndarray, can: np.ndarray, hidden: np.ndarray, min_cell: int) -> bool:
    """Leave out one more number of a line, whose last one is the sum of the others, if it gives one away; whether one was."""
    lacking = values[hidden].sum() - (values[-1] if hidden[-1] else 0)
    if not hidden.any() or (hidden.sum() > 1 and (lacking >= min_cell or hidden[-1])):
        return False
    free = np.flatnonzero(can & ~hidden)
    inner = free[free < len(values) - 1]
    enough = inner[values[inner] + lacking >= min_cell]
    if len(enough):
        hidden[enough[np.argmin(values[enough])]] = True
    elif len(free):
        hidden[free[np.argmax(values[free] * (free < len(values) - 1))] if len(inner) else free[0]] = True
    return bool(len(free))


def _determined(hidden: np.ndarray) -> list[tuple[int, int]]:
    """Numbers left out that the others give away: those that are the same in every solution of the sums' equations."""
    places = np.argwhere(hidden)
    lines = hidden.shape[0] + hidden.shape[1]
    equations = np.zeros((lines, len(places)))
    for k, (row, column) in enumerate(places):
        equations[row, k] = -1.0 if column == hidden.shape[1] - 1 else 1.0
        equations[hidden.shape[0] + column, k] = -1.0 if row == hidden.shape[0] - 1 else 1.0
    _, sizes, directions = np.linalg.svd(equations)
    free = directions[int((sizes > 1e-9).sum()) :]
    return [
        tuple(map(int, place)) for k, place in enumerate(places) if np.abs(free[:, k]).max(initial=0.0) < 1e-9
    ]


def _hide_beside(place: tuple[int, int], full: np.ndarray, usable: np.ndarray, hidden: np.ndarray) -> bool:
    """Leave out the smallest number in the row or column of one that is given away."""
    row, column = place
    beside = [(row, k) for k in range(full.shape[1])] + [(k, column) for k in range(full.shape[0])]
    free = [cell for cell in beside if usable[cell] and not hidden[cell]]
    if free:
        hidden[min(free, key=lambda cell: full[cell])] = True
    return bool(free)


def hidden_in_marked_line(counts: np.ndarray, min_cell: int, already: np.ndarray | None = None) -> np.ndarray:
    """The same where a reader sees which numbers are left out for being small, and which for the others' sake.

    Then two times 4 under a threshold of 5 are given away by their sum of 8, and 1 beside 5 by their sum of 6; so that every
    small number has at least two values that fit, one more is left out.
    """
    counts = np.asarray(counts)
    nothing = np.zeros(len(counts), dtype=bool)
    hidden = hidden_in_line(counts, min_cell, nothing if already is None else already)
    while not _open(counts, hidden, min_cell):
        free = np.flatnonzero(~hidden & (counts > 0))
        if not len(free):
            break
        hidden = hidden_in_line(
            counts, min_cell, hidden | (np.arange(len(counts)) == free[np.argmin(counts[free])])
        )
    return hidden


def _open(counts: np.ndarray, hidden: np.ndarray, min_cell: int) -> bool:
    """Whether each small number that is left out has two values that fit the sum of all that are."""
    small = hidden & (counts > 0) & (counts < min_cell)
    k, others, lacking = int(small.sum()), int((hidden & ~small).sum()), int(counts[hidden].sum())
    if not k:
        return True
    most = min(min_cell - 1, lacking - (k - 1) - others * min_cell)
    least = 1 if others else max(1, lacking - (k - 1) * (min_cell - 1))
    return most > least


def hidden_in_chain(counts: np.ndarray, min_cell: int) -> np.ndarray:
    """Which of some numbers that only grow, or only fall, to leave out so that no two that are told differ by a small number.

    Parameters
    ----------
    counts : int array, such as deaths until each of some times, ascending or descending

    Returns
    -------
    bool array
        A small number itself is left out too; the first that is not small is told.
    """
    counts = np.asarray(counts)
    hidden = (counts > 0) & (counts < min_cell)
    told: int | None = None
    for place, count in enumerate(counts):
        if hidden[place]:
            continue
        if told is not None and 0 < abs(int(count) - told) < min_cell:
            hidden[place] = True
        else:
            told = int(count)
    return hidden
