"""Ages, covariates and interactions -> a design matrix whose ages are in one unit and whose numbers are
centred.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, FACE_AGE, LEVELS
from faceage_bio.core.errors import CohortError, FitError, examples
from faceage_bio.stats.deseq import SPARE_SAMPLES
from faceage_bio.stats.design import build_design, independent, independent_columns
from faceage_bio.stats.linear import leverages

AGES = (AGE_ACCELERATION, FACE_AGE, AGE_GAP, AGE)
SPOKEN = {AGE_ACCELERATION: "age acceleration", FACE_AGE: "face age", AGE_GAP: "age gap", AGE: "age"}
INTERCEPT = "intercept"


def columns_of(covariates: Sequence[str]) -> list[str]:
    """The columns that covariates name; an interaction ``a:b`` names two."""
    return list(dict.fromkeys(part for name in covariates for part in name.split(":")))


def plain(covariates: Sequence[str]) -> list[str]:
    """Covariates that are neither an age nor an interaction."""
    return [name for name in covariates if ":" not in name and name not in AGES]


def interactions_of(covariates: Sequence[str], ages: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of interacting columns in a model of these ages; those with another age do not belong to it.

    Raises
    ------
    CohortError
        An interaction of more than two columns, or of a column that is not itself in the model.
    """
    known, pairs = set(plain(covariates)) | set(AGES), []
    for name in covariates:
        parts = name.split(":")
        if len(parts) == 1:
            continue
        alone = [part for part in parts if part not in known]
        two = len(parts) == 2 and parts[0] != parts[1]
        if alone or not two:
            why = f"also name {', '.join(alone)}" if two else "name two columns"
            raise CohortError(
                f"expression.covariates: the interaction '{name}' cannot be fitted; {why}. Expected two columns of the analysis table with a colon between them. Write for example "
                "[sex, smoking, 'sex:smoking']."
            )
        if not set(parts) & set(AGES) - set(ages):
            pairs.append((parts[0], parts[1]))
    return pairs


def design_of(
    people: pd.DataFrame, ages: Sequence[str], covariates: Sequence[str], per_years: float
) -> pd.DataFrame:
    """Intercept, ages in units of ``per_years``, covariates, interactions (products of centred columns, so
    that the coefficients of their parts hold for average participants).

    Parameters
    ----------
    people : DataFrame, one row per sample; no age and no covariate missing
    ages : of `AGES`, those in the model
    covariates : columns, and interactions as ``a:b``; ages among them are passed over

    Returns
    -------
    DataFrame of float, shape (n_samples, p)

    Raises
    ------
    FitError
        No or too few samples, an age that does not vary or is not in the table, or what cannot be told apart.
    CohortError
        See `interactions_of`.
    """
    pairs = interactions_of(covariates, ages)
    if lacking := [SPOKEN[name] for name in ages if name not in people]:
        raise FitError("no_age_column", column=lacking)
    if not len(people):
        raise FitError("no_sample")
    design = build_design(people, [*ages, *plain(covariates)], LEVELS)
    if still := [SPOKEN[name] for name in ages if name in design.constant]:
        raise FitError("constant_or_missing", column=still)
    matrix = design.matrix - design.matrix.mean()
    matrix[list(ages)] = matrix[list(ages)] / per_years
    for one, other in pairs:
        for a in terms_of(matrix, one):
            for b in terms_of(matrix, other):
                matrix[f"{a} x {b}"] = matrix[a] * matrix[b]
    n, p = len(matrix), matrix.shape[1] + 1
    if n < p + SPARE_SAMPLES:
        raise FitError("too_few_samples_for_model", n=n, parameters=p, needed=p + SPARE_SAMPLES)
    if determined := [name for name in matrix if name not in independent_columns(matrix)]:
        raise _confounding(matrix, determined[0])
    matrix.insert(0, INTERCEPT, 1.0)
    return matrix


def why_no_model(people: pd.DataFrame, covariates: Sequence[str]) -> str:
    """What stands against models of genes, in words, before face ages are known; "" if nothing does.

    Parameters
    ----------
    people : DataFrame, one row per sample, with chronological age
    covariates : as of `design_of`
    """
    columns = columns_of([AGE, *covariates])
    if any(name not in people or people[name].isna().all() for name in columns):
        return ""  # told by the check of names
    known = people.dropna(subset=columns)
    unrelated = np.random.default_rng(0).normal(size=len(known))
    try:
        design = design_of(
            known.assign(**{AGE_ACCELERATION: unrelated}), (AGE_ACCELERATION, AGE), covariates, 1
        )
        leverages(np.linalg.qr(design)[0])
    except FitError as error:
        numbers = {name: known[name].value_counts() for name in columns if known[name].dtype == object}
        alone = [f"{name} {level!r}" for name, n in numbers.items() for level in n.index[n == 1]]
        told = f"; one sample alone has {examples(alone)}" if alone else ""
        return f"{error} ({len(known)} RNA samples of participants with known {', '.join(columns)}{told})"
    return ""


def terms_of(matrix: pd.DataFrame, name: str) -> list[str]:
    """The columns of a design that a number, or the levels of words, have."""
    return [column for column in matrix if column == name or column.startswith(f"{name}: ")]


def _confounding(matrix: pd.DataFrame, column: str) -> FitError:
    """What a column that follows from the others follows from, if it is one covariate."""
    own = column.split(": ")[0]
    for other in dict.fromkeys(name.split(": ")[0] for name in matrix):
        if other != own and not independent(matrix[[*terms_of(matrix, other), column]]):
            return FitError("follows_from", column=column, other=other, own=own)
    return FitError("follows_from_covariates", column=column)


def reduced(matrix: pd.DataFrame, contrast: np.ndarray) -> np.ndarray:
    """The nested design in which a coefficient is zero, or two coefficients are equal (contrast 1 and -1)."""
    columns = np.flatnonzero(contrast)
    values = matrix.to_numpy()
    smaller = np.delete(values, columns, axis=1)
    return smaller if len(columns) == 1 else np.column_stack([smaller, values[:, columns].sum(axis=1)])
