"""Pilot rows: participants whose follow-up is known, checked before anything is planned on them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.core.columns import ENTRY, EVENT, FOLLOWUP
from faceage_bio.core.errors import RunError

FEWEST_EVENTS = 10
AGE_ECOG_STAGE = ("chronological_age", "ecog", "stage")  # what a trial knows of its patients anyway


def usable_rows(pilot: pd.DataFrame, columns: Sequence[str], source: str) -> pd.DataFrame:
    """The rows in which follow-up and these columns are known.

    Raises
    ------
    RunError
        A column lacks, delayed entry, or fewer than 10 events.
    """
    filled = [name for name in pilot if pilot[name].notna().any()]
    if missing := [name for name in columns if name not in filled]:
        raise RunError(
            f"{source}: no value in {', '.join(missing)}. Expected the columns of the score; it has {', '.join(map(str, filled))}. Name others."
        )
    if ENTRY in pilot and (pilot[ENTRY].fillna(0) > 0).any():
        raise RunError(
            f"{source}: {ENTRY} is above 0 in {int((pilot[ENTRY] > 0).sum())} rows. Expected follow-up from the photo. Use survival.time_zero: photo."
        )
    rows = pilot[[FOLLOWUP, EVENT, *dict.fromkeys(columns)]].dropna().reset_index(drop=True)
    rows = rows[rows[FOLLOWUP] > 0].reset_index(drop=True)
    if (events := int(rows[EVENT].sum())) < FEWEST_EVENTS:
        raise RunError(
            f"{source}: {events} events in {len(rows)} complete rows of {len(pilot)}. Expected {FEWEST_EVENTS} or more, since fewer say next to nothing. "
            "Use published values in place of the pilot."
        )
    return rows


def design_matrix(rows: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Numbers as they are and words as indicators of their levels, shape (n, p), without an intercept and without what does not vary."""
    parts = [pd.get_dummies(rows[name], drop_first=True) if rows[name].dtype == object else rows[[name]] for name in columns]  # fmt: skip
    matrix = pd.concat(parts, axis=1).to_numpy(dtype=float) if parts else np.empty((len(rows), 0))
    return matrix[:, matrix.std(axis=0) > 0]
