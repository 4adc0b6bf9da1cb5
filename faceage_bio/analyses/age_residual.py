"""Age acceleration: face age that chronological age does not explain."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from faceage_bio.core.errors import CohortError, FitError
from faceage_bio.stats.minimum_sizes import AGES_FOR_LINE, FOR_LINE

Ages = TypeVar("Ages", pd.Series, np.ndarray)
ROUNDING = 1e-9  # years; residuals that are nowhere larger are none


@dataclass(frozen=True)
class Line:
    """Face age expected at a chronological age: intercept + slope * age."""

    slope: float
    intercept: float

    def expected(self, chronological_age: pd.Series) -> pd.Series:
        """Years of face age expected at these ages."""
        return self.intercept + self.slope * chronological_age


def fit_line(face_age: pd.Series, chronological_age: pd.Series) -> Line:
    """Least-squares line of face age on chronological age.

    Parameters
    ----------
    face_age, chronological_age : Series of float, shape (n_subjects,)
        Years, the same index, nothing missing.

    Raises
    ------
    CohortError
        They are no columns of a table.
    FitError
        Indexes differ, values are missing, fewer than 10 subjects or fewer than 3 distinct ages.
    """
    for ages in (face_age, chronological_age):
        if not isinstance(ages, pd.Series):
            raise CohortError(
                f"ages: found a {type(ages).__name__}. Expected two columns of one table (pandas Series), so that their participants are known "
                "to be the same. Give them as participants.face_age and participants.chronological_age."
            )
    if not face_age.index.equals(chronological_age.index):
        raise FitError("other_participants")
    if face_age.isna().any() or chronological_age.isna().any():
        raise FitError("missing_age")
    if len(face_age) < FOR_LINE:
        raise FitError("too_few_for_line", n=len(face_age), needed=FOR_LINE)
    if chronological_age.nunique() < AGES_FOR_LINE:
        raise FitError("too_few_ages", needed=AGES_FOR_LINE)
    slope, intercept = np.polyfit(chronological_age, face_age, deg=1)
    return Line(float(slope), float(intercept))


def age_acceleration(face_age: pd.Series, chronological_age: pd.Series) -> pd.Series:
    """Years of face age that chronological age does not explain.

    Residual of the least-squares line within one cohort, the age adjustment of AgeAccelGrim (Lu et al. 2019,
    doi:10.18632/aging.101684).

    Parameters
    ----------
    face_age, chronological_age : Series of float, shape (n_subjects,)
        Years, indexed by subject, nothing missing.

    Returns
    -------
    Series of float, shape (n_subjects,)
        Years, mean zero; positive means an older face than others of that age.

    Raises
    ------
    FitError
        See `fit_line`.
    """
    return years_above(face_age, fit_line(face_age, chronological_age).expected(chronological_age))


def years_above(face_age: Ages, expected: pd.Series | np.ndarray) -> Ages:
    """Face age above that expected, or above age; zero for all if it is rounding of floating-point numbers for all."""
    years = face_age - expected
    size = np.nan_to_num(np.abs(np.asarray(years, dtype=np.float64)))
    return years if size.max(initial=0.0) > ROUNDING else years * 0.0
