"""Follow-up cut into spells, so that a hazard ratio may differ between them (start-stop rows)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.stats.risk_sets import TIE


def split_follow_up(
    years: np.ndarray, event: np.ndarray, entry: np.ndarray | None, cuts: Sequence[float]
) -> pd.DataFrame:
    """Each row cut at the given times, as R's ``survSplit``; a death at a cut belongs to the spell that ends there.

    Parameters
    ----------
    years, event : arrays of shape (n,)
    entry : array of shape (n,), or None for 0 (with a follow-up of 0 for -1, so that this row too has a spell)
    cuts : times

    Returns
    -------
    DataFrame
        row (place in the input), start, stop, event, spell (0 before the first cut).
    """
    years, event = np.asarray(years, dtype=np.float64), np.asarray(event, dtype=np.float64)
    if entry is None:
        entry = np.full(len(years), 0.0 if years.min(initial=1.0) > 0 else -1.0)
    entry = np.asarray(entry, dtype=np.float64)
    cuts = np.unique(np.asarray(cuts, dtype=np.float64))
    margin = TIE * max(1.0, float(np.abs(years).max(initial=1.0)))  # a spell shorter than a tie is none
    first = np.searchsorted(cuts, entry + margin, "right")
    last = np.searchsorted(cuts, years - margin, "left")
    n_spells = np.maximum(last - first, 0) + 1
    row = np.repeat(np.arange(len(years)), n_spells)
    number = np.arange(len(row)) - np.repeat(np.cumsum(n_spells) - n_spells, n_spells)
    spell = first[row] + number
    edges = np.concatenate([[-np.inf], cuts, [np.inf]])
    final = number == n_spells[row] - 1
    start = np.where(number == 0, entry[row], edges[spell])
    stop = np.where(final, years[row], edges[spell + 1])
    return pd.DataFrame({
        "row": row, "start": start, "stop": stop, "event": np.where(final, event[row], 0.0), "spell": spell,
    })  # fmt: skip
