"""Participants outside of what the age model was tested on: ages, and faces of few pixels; results with and without them."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.age_residual import fit_line
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, COHORT, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.linear import correlation, mean_interval, spread

VALID_AGE, LOW_RESOLUTION = "valid_age", "low_resolution"
SHORT_SIDE = "face_short_side"
WITH_AGE = {"exposure": AGE}
SLOPE = {"exposure": AGE, "outcome": "face age", "per": "1 year"}


def flag(people: pd.DataFrame, valid_ages: tuple[float, float], low_resolution: float) -> pd.DataFrame:
    """``people`` with ``valid_age`` and ``low_resolution``: true, false, or missing where it is not known."""
    age = people[AGE].between(*valid_ages).astype("boolean").mask(people[AGE].isna())
    side = people.get(SHORT_SIDE, pd.Series(float("nan"), index=people.index)).astype("float64")
    small = (side < low_resolution).astype("boolean").mask(side.isna())
    return people.assign(**{VALID_AGE: age, LOW_RESOLUTION: small})


def sensitivity(people: pd.DataFrame, valid_ages: tuple[float, float], low_resolution: float) -> pd.DataFrame:
    """Gap, acceleration and their correlation with age, among all participants and without those outside of the test.

    Returns
    -------
    DataFrame, result rows, question "validity"
        ``subgroup`` says who is counted, "" all; ``excluded`` what lies outside: none, ages, faces, ages and faces. Acceleration is as analysed, so its mean need not be zero in a part of the cohort.
    """
    cohort = str(people[COHORT].iloc[0]) if len(people) else ""
    people = people[people[AGE_GAP].notna()]
    ages = f"ages {valid_ages[0]:g} to {valid_ages[1]:g}"
    pixels = f"faces of {low_resolution:g} pixels and more"
    old_enough = people[VALID_AGE].fillna(False).astype(bool)
    sharp = ~people[LOW_RESOLUTION].fillna(True).astype(bool)
    known = bool(people[LOW_RESOLUTION].notna().any())
    parts = [
        ("none", "", people, True), ("ages", ages, people[old_enough], True), ("faces", pixels, people[sharp], known),
        ("ages and faces", f"{ages}, {pixels}", people[old_enough & sharp], known),
    ]  # fmt: skip
    rows = []
    for excluded, label, part, measured in parts:
        base = {
            COHORT: cohort,
            "question": "validity",
            "subgroup": label,
            "excluded": excluded,
            "n": len(part),
        }
        for term, measure, more, compute in _quantities(part):
            row = base | {"term": term, "measure": measure} | more
            try:
                if not measured:
                    raise FitError("face_size_unknown")
                if not len(part):
                    raise FitError("none_left")
                row |= compute()
            except FitError as error:
                row |= {"reason": error.reason}
            rows.append(row)
    return result_rows(rows, "acceleration/sensitivity")


def _quantities(part: pd.DataFrame) -> list[tuple]:
    accelerated = part[part[AGE_ACCELERATION].notna()]
    return [
        (AGE_GAP, "mean", {}, lambda: _mean(part[AGE_GAP])),
        (AGE_ACCELERATION, "mean", {}, lambda: _mean(accelerated[AGE_ACCELERATION])),
        (AGE_ACCELERATION, "standard deviation", {}, lambda: {"estimate": spread(accelerated[AGE_ACCELERATION])}),
        (AGE_GAP, "correlation", WITH_AGE, lambda: vars(correlation(part[AGE_GAP], part[AGE]))),
        (AGE_ACCELERATION, "correlation", WITH_AGE, lambda: vars(correlation(accelerated[AGE_ACCELERATION], accelerated[AGE]))),
        ("line", "slope", SLOPE, lambda: {"estimate": fit_line(part[FACE_AGE], part[AGE]).slope}),
    ]  # fmt: skip


def _mean(values: pd.Series) -> dict:
    """Without a test against zero, which answers no question."""
    return vars(mean_interval(values)) | {"p_value": np.nan, "statistic": np.nan}
