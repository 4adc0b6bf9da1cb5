"""Where a face age lies among participants of the same age and sex: z-score and centile."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from faceage_bio.core.columns import AGE, FACE_AGE, SEX_LEVELS
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.stats.smoothing import fit_location_scale

Z, CENTILE = "age_z", "age_centile"


def normative_scores(people: pd.DataFrame, fitted_in: pd.Series) -> tuple[pd.DataFrame, tuple[Reason, ...]]:
    """Normative scores from a mean (natural spline) and a standard deviation (log-linear) by age, for each sex on its own.

    Parameters
    ----------
    people : DataFrame, with both ages and sex
    fitted_in : Series of bool
        The participants who are the norm.

    Returns
    -------
    DataFrame with ``age_z`` and ``age_centile`` (0 to 100); NaN outside the ages of the norm or without a sex. And why a sex
    has none.
    """
    scores = pd.DataFrame({Z: np.nan, CENTILE: np.nan}, index=people.index)
    why: list[Reason] = []
    if "sex" not in people or not people["sex"].isin(SEX_LEVELS).any():
        return scores, (reason("no_recorded_sex_of_participants"),)
    for sex in SEX_LEVELS:
        mine = people["sex"] == sex
        norm_people = people[mine & fitted_in]
        try:
            model = fit_location_scale(norm_people[AGE], norm_people[FACE_AGE])
        except FitError as error:
            why += [reason("no_norm_of_sex", sex=sex), error.reason] if mine.any() else []
            continue
        mean, sd = model.at(people.loc[mine, AGE])
        scores.loc[mine, Z] = (people.loc[mine, FACE_AGE] - mean) / sd
    scores[CENTILE] = 100 * norm.cdf(scores[Z])
    return scores, tuple(why)
