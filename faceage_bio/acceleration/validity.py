"""Who lies outside of what the age model was tested on: ages, and faces of few pixels; results with and without them."""

import pandas as pd

from faceage_bio.acceleration.residual import fit_line
from faceage_bio.columns import AGE, AGE_ACCELERATION, AGE_GAP, COHORT, FACE_AGE
from faceage_bio.errors import CohortError, FitError
from faceage_bio.stats.linear import correlation, mean_interval, spread
from faceage_bio.tables import result_rows

VALID_AGE, LOW_RESOLUTION = "valid_age", "low_resolution"
SHORT_SIDE = "face_short_side"


def flag(people: pd.DataFrame, valid_ages: tuple[float, float], low_resolution: float) -> pd.DataFrame:
    """``people`` with ``valid_age`` and ``low_resolution``: true, false, or missing where it is not known."""
    age = people[AGE].between(*valid_ages).astype("boolean").mask(people[AGE].isna())
    side = people.get(SHORT_SIDE, pd.Series(float("nan"), index=people.index)).astype("float64")
    small = (side < low_resolution).astype("boolean").mask(side.isna())
    return people.assign(**{VALID_AGE: age, LOW_RESOLUTION: small})


def sensitivity(people: pd.DataFrame, valid_ages: tuple[float, float], low_resolution: float) -> pd.DataFrame:
    """Gap, acceleration and their correlation with age, among everybody and without those outside of the test.

    Returns
    -------
    DataFrame, result rows, analysis "validity"
        ``adjustment`` says who is counted. Acceleration is as analysed, so its mean need not be zero in a part of the cohort.
    """
    cohort = str(people[COHORT].iloc[0]) if len(people) else ""
    people = people[people[AGE_GAP].notna()]
    ages = f"ages {valid_ages[0]:g} to {valid_ages[1]:g}"
    pixels = f"faces of {low_resolution:g} pixels and more"
    old_enough = people[VALID_AGE].fillna(False).astype(bool)
    sharp = ~people[LOW_RESOLUTION].fillna(True).astype(bool)
    known = bool(people[LOW_RESOLUTION].notna().any())
    parts = [("everybody", people, True), (ages, people[old_enough], True), (pixels, people[sharp], known),
             (f"{ages}, {pixels}", people[old_enough & sharp], known)]  # fmt: skip
    rows = []
    for label, part, measured in parts:
        base = {COHORT: cohort, "analysis": "validity", "adjustment": label, "n": len(part), "per": ""}
        for term, measure, compute in _quantities(part):
            row = base | {"term": term, "measure": measure}
            try:
                if not measured:
                    raise FitError("the size of the faces is not known")
                if not len(part):
                    raise FitError("nobody is left")
                row |= compute()
            except (FitError, CohortError) as error:
                row |= {"note": f"not estimated, because {error}"}
            rows.append(row)
    return result_rows(rows)


def _quantities(part: pd.DataFrame) -> list[tuple]:
    accelerated = part[part[AGE_ACCELERATION].notna()]
    return [
        (AGE_GAP, "mean years", lambda: _mean(part[AGE_GAP])),
        (AGE_ACCELERATION, "mean years", lambda: _mean(accelerated[AGE_ACCELERATION])),
        (AGE_ACCELERATION, "standard deviation, years", lambda: {"estimate": spread(accelerated[AGE_ACCELERATION])}),
        (AGE_GAP, "correlation with age", lambda: correlation(part[AGE_GAP], part[AGE]).__dict__),
        (AGE_ACCELERATION, "correlation with age", lambda: correlation(accelerated[AGE_ACCELERATION], accelerated[AGE]).__dict__),
        ("line", "slope, face years per year", lambda: {"estimate": fit_line(part[FACE_AGE], part[AGE]).slope}),
    ]  # fmt: skip


def _mean(values: pd.Series) -> dict:
    """Without a test against zero, which nobody asked for."""
    found = mean_interval(values)
    return {"estimate": found.estimate, "ci_lower": found.ci_lower, "ci_upper": found.ci_upper}
