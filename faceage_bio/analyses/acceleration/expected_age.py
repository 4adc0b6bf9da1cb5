"""Face age expected at an age: line, spline, loess, or a line with covariates; and judging no participant by a curve fitted on himself."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.age_residual import fit_line
from faceage_bio.core.columns import AGE, FACE_AGE, LEVELS, SUBJECT
from faceage_bio.core.errors import FitError
from faceage_bio.stats.design import build_design
from faceage_bio.stats.smoothing import loess, natural_spline, place_knots

MIN_PEOPLE = 30  # for a curve; a line has its own minimum
SPLINE_DF = 3
Expected = Callable[
    [pd.DataFrame], np.ndarray
]  # people -> years of face age, NaN where the curve says nothing
Fit = Callable[[pd.DataFrame], Expected]  # people with both ages -> their curve


def line(people: pd.DataFrame) -> Expected:
    """Least-squares line of face age on age."""
    fitted = fit_line(people[FACE_AGE], people[AGE])
    return lambda others: fitted.expected(others[AGE]).to_numpy()


def spline(people: pd.DataFrame) -> Expected:
    """Natural cubic spline of 3 degrees of freedom, knots as R's ``ns(age, 3)``; straight beyond the ages seen."""
    _enough(people)
    knots = place_knots(people[AGE], SPLINE_DF)

    def design(some: pd.DataFrame) -> np.ndarray:
        return np.column_stack([np.ones(len(some)), natural_spline(some[AGE], knots)])

    terms = np.linalg.lstsq(design(people), people[FACE_AGE].to_numpy(dtype=np.float64), rcond=None)[0]
    return lambda others: design(others) @ terms


def local(people: pd.DataFrame) -> Expected:
    """R's ``loess`` (span 0.75, degree 2, direct surface); nothing beyond the ages seen."""
    _enough(people)
    loess(people[AGE], people[FACE_AGE], people[AGE].quantile([0.0, 1.0]))  # too few ages are told at once
    return lambda others: loess(people[AGE], people[FACE_AGE], others[AGE])


def line_with(covariates: Sequence[str]) -> Fit:
    """Least squares of face age on age and covariates; nothing for participants without a value, or with a word unseen in the fit."""

    def fit(people: pd.DataFrame) -> Expected:
        if unknown := [name for name in covariates if name not in people]:
            raise FitError("no_column", column=", ".join(unknown))
        levels = {
            name: LEVELS.get(name) or sorted(people[name].dropna().astype(str).unique())
            for name in covariates
        }
        seen = build_design(people, [AGE, *covariates], levels)
        outcome = people.loc[seen.matrix.index, FACE_AGE].to_numpy(dtype=np.float64)
        x = np.column_stack([np.ones(len(seen.matrix)), seen.matrix])
        if len(x) < max(MIN_PEOPLE, 2 * x.shape[1]):
            raise FitError("too_few_for_terms", n=len(x), parameters=x.shape[1])
        terms = np.linalg.lstsq(x, outcome, rcond=None)[0]

        def expected(others: pd.DataFrame) -> np.ndarray:
            result = np.full(len(others), np.nan)
            known = others[[AGE, *covariates]].notna().all(axis=1)
            for name in covariates:
                if not pd.api.types.is_numeric_dtype(people[name]):
                    known &= others[name].isin(people.loc[seen.matrix.index, name])
            columns = [np.ones(int(known.sum()))]
            for term in seen.matrix:
                name, _, word = term.partition(": ")
                values = others.loc[known, name]
                columns.append((values == word).to_numpy(float) if word else values.to_numpy(float))
            result[known.to_numpy()] = np.column_stack(columns) @ terms
            return result

        return expected

    return fit


def judge(people: pd.DataFrame, fitted_in: pd.Series, fit: Fit, folds: int | None) -> pd.Series:
    """Face age expected of all participants, from those in whom the curve is fitted.

    Parameters
    ----------
    people : DataFrame, one row per subject, with both ages
    fitted_in : Series of bool
        In whom the curve is fitted; the others are judged by the curve of all of them.
    folds : int, optional
        Those in whom it is fitted are then judged by the others of them only, one fold at a time. Without it, by all.

    Returns
    -------
    Series of float, years

    Raises
    ------
    FitError
        Too few participants or ages, also without any one of the folds.
    """
    train = people[fitted_in]
    expected = pd.Series(fit(train)(people), index=people.index, dtype="float64")
    if folds:
        number = fold_of(train[SUBJECT], folds)
        for fold in range(min(folds, len(train))):
            left_out = train[number == fold]
            expected[left_out.index] = fit(train[number != fold])(left_out)
    return expected


def fold_of(subjects: pd.Series, folds: int) -> pd.Series:
    """A fold for each subject: shuffled with a fixed seed from their sorted names, so that the order of rows does not matter."""
    order = subjects.astype(str).sort_values(kind="stable").index
    shuffled = np.random.default_rng(0).permutation(len(order)) % folds
    return pd.Series(shuffled, index=order).reindex(subjects.index)


def _enough(people: pd.DataFrame) -> None:
    if len(people) < MIN_PEOPLE:
        raise FitError("too_few_for_curve", n=len(people), needed=MIN_PEOPLE)
