"""Cumulative hazard of each person at the end of his observation."""

import numpy as np

from faceage_bio.stats.risk_sets import risk_sets


def nelson_aalen(years: np.ndarray, event: np.ndarray, entry: np.ndarray | None = None) -> np.ndarray:
    """Nelson-Aalen estimate at each person's own time, counted from the start of time, as ``cumhaz`` of R's ``survfit``.

    Parameters
    ----------
    years, event : arrays of shape (n,)
    entry : array of shape (n,), optional
        Delayed entry.

    Returns
    -------
    float array, shape (n,); zeros where no participant dies
    """
    if not np.asarray(event).any():
        return np.zeros(len(years))
    sets = risk_sets(years, event, None if entry is None else np.asarray(entry, dtype=np.float64))
    died = sets.over_ties(np.ones(len(sets.deaths)))
    rising = np.concatenate([[0.0], np.cumsum(died / sets.at_risk(np.ones(len(sets.times))))])
    found = np.empty(len(sets.times))
    found[sets.order] = rising[np.searchsorted(sets.event_times, sets.times, "right")]
    return found
