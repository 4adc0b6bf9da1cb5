"""Error of face age against chronological age, and share of photos that fail, in each group of participants.

In patients the error holds biology: disease makes faces older. It tells of the model alone in controls.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from faceage_bio.analyses.age_residual import years_above
from faceage_bio.analyses.fairness.differences import (
    ALL,
    JACKKNIFE,
    Factor,
    adjusted_mean,
    age_bands,
    all_of,
    attempt,
    compare,
    crossed,
    crossings,
    difference_of_correlations,
    difference_of_means,
    difference_of_shares,
    factor_of,
    known_age,
    noted,
    populations,
    ratio_of_spreads,
    shares,
    term_of,
    too_small,
    uncompared,
    with_q,
)
from faceage_bio.core.columns import AGE, COHORT, FACE_AGE, SUBJECT
from faceage_bio.core.errors import FitError, TableError
from faceage_bio.core.results.row import result_rows
from faceage_bio.faces.vision.decode import MEANINGS
from faceage_bio.stats.group_differences import root_mean_square, standard_deviation
from faceage_bio.stats.linear import Estimate, correlation, least_squares, mean_interval

NO_FACE = ("no_face", "low_probability")
# why a photo is excluded that says nothing of the face in it
NOT_JUDGED = (*MEANINGS, "outside_folder", "given", "no_value")
SAME_PHOTO = "same_photo"
MEAN, ABSOLUTE, SQUARED = "mean error", "mean absolute error", "root mean squared error"
ERROR, FACE = "error of face age", "face age"
LOST = {
    "without_face": "photo without a face",
    "low_quality": "photo of low quality",
    "failed": "photo without an age",
}
COMPARISONS = (
    difference_of_means("error", "difference in mean error", ERROR),
    difference_of_means("absolute", "difference in mean absolute error", ERROR),
    ratio_of_spreads("error", "ratio of standard deviations", ERROR),
    difference_of_correlations("face", "age", "difference of correlations", FACE),
)
FAILURES = difference_of_shares("failed", "difference of shares", LOST["failed"])


def assess_fairness(
    people: pd.DataFrame,
    by: Sequence[str],
    age_cut_points: Sequence[float],
    min_n: int,
    photos: pd.DataFrame | None = None,
    cohort: str | None = None,
) -> pd.DataFrame:
    """Error, spread, correlation and failures by group and by crossing of groups, and how groups differ.

    Parameters
    ----------
    people : DataFrame, one row per participant
        chronological_age, face_age (missing where there is none), the columns of ``by`` and, where known,
        group.
    by : names of columns with groups of participants; one that is not there keeps a row that says so
    age_cut_points : years at which a new band of age starts
    min_n : groups of fewer participants are sparse
    photos : DataFrame, one row per photo, optional
        subject_id, status and reason (``columns.FACE_AGE_COLUMNS``) of the people's photos, for the shares
        that failed.
    cohort : str
        Stands in the rows; otherwise the people's own.

    Returns
    -------
    DataFrame, result rows
        Question "groups": one row per population, group and measure. Question "differences": the first group
        of a factor against each other one, age-adjusted (estimate ...) and raw (raw_estimate ...) in the same
        row; in crossings within each group of the second factor. n counts participants, or photos for shares;
        n_events the photos that failed.

    Raises
    ------
    TableError
        No column with the age or the face age.
    """
    lacking = [name for name in (AGE, FACE_AGE) if name not in people]
    if lacking:
        raise TableError(
            f"the table of participants needs the column(s) {', '.join(lacking)}; found {', '.join(map(str, people.columns))}. "
            "Give the table that compute-acceleration writes."
        )
    people = people.reset_index(drop=True)
    if cohort is None:
        cohort = str(people[COHORT].iloc[0]) if COHORT in people and len(people) else ""
    parts = []
    for population, members in populations(people).items():
        table = _errors_of(members)
        judged = None if photos is None else judge_photos(members, photos)
        bands = age_bands(known_age(members), age_cut_points)
        factors = [*(factor_of(members, column) for column in by), bands]
        groups = _group_rows(table, judged, members, factors, min_n)
        differences = _difference_rows(table, judged, factors, min_n)
        shared = {COHORT: cohort, "population": population}
        for question, rows in (("groups", groups), ("differences", with_q(differences))):
            parts += [shared | {"question": question} | row for row in rows]
    return result_rows(parts, "fairness/fairness")


def _errors_of(members: pd.DataFrame) -> pd.DataFrame:
    """Those with both ages: age, face, error and its absolute value."""
    table = pd.DataFrame({"age": known_age(members), "face": members[FACE_AGE].astype("float64")})
    table["error"] = years_above(table["face"], table["age"])
    return table.assign(absolute=table["error"].abs()).dropna()


def judge_photos(people: pd.DataFrame, photos: pd.DataFrame) -> pd.DataFrame:
    """The photos of these participants that could be read, and whether each failed.

    Left out are files that are no photos, photos that stand twice, and face ages that were given.

    Returns
    -------
    DataFrame
        person (row of ``people``), age, without_face, low_quality, failed (either).
    """
    lacking = [name for name in (SUBJECT, "status", "reason") if name not in photos]
    if SUBJECT not in people or lacking:
        raise TableError(
            f"participants and photos are joined by subject_id, and photos need status and reason; lacking: {', '.join(lacking) or 'subject_id'}. "
            "Give the tables that compute-acceleration and predict-face-age write."
        )
    reason = photos["reason"].fillna("").astype(str)
    excluded = photos["status"] == "excluded"
    read = photos[~reason.isin(NOT_JUDGED) & ~(reason.str.contains(SAME_PHOTO) & excluded)]
    reason, excluded = reason[read.index], excluded[read.index]
    owner = pd.Series(people.index, index=people[SUBJECT].astype(str))
    person = read[SUBJECT].astype(str).map(owner[~owner.index.duplicated()])
    table = pd.DataFrame({"person": person, "failed": excluded})
    table["without_face"] = excluded & reason.isin(NO_FACE)
    table["low_quality"] = excluded & ~reason.isin(NO_FACE)
    table = table[table["person"].notna()].astype({"person": "int64"}).reset_index(drop=True)
    return table.assign(age=known_age(people).reindex(table["person"]).to_numpy())


def _group_rows(
    table: pd.DataFrame,
    judged: pd.DataFrame | None,
    members: pd.DataFrame,
    factors: Sequence[Factor],
    min_n: int,
) -> list[dict]:
    rows = []
    for factor in [all_of(members), *factors, *(crossed(*pair) for pair in crossings(factors))]:
        for level in factor.levels:
            rows += _one_group(table, judged, factor, level, min_n)
    return rows


def _one_group(
    table: pd.DataFrame, judged: pd.DataFrame | None, factor: Factor, level: str, min_n: int
) -> list[dict]:
    known = table.assign(group=factor.groups.reindex(table.index))
    group = known[known["group"] == level]
    error, face, age = group["error"], group["face"], group["age"]
    base = {"factor": factor.name, "crossed": factor.crossed, "group": level, "level": level, "within": ""}
    base |= {"term": term_of(factor, level), "outcome": ERROR, "adjustment": "unadjusted", "n": len(group)}
    of_face = {"exposure": AGE, "outcome": FACE}
    slope = {"exposure": AGE, "per": "10 years"}
    rows = [
        attempt(base | more | {"measure": measure, "model": model}, compute)
        for measure, more, model, compute in (
            (MEAN, {}, "t interval", lambda: mean_interval(error)),
            (ABSOLUTE, {}, "t interval", lambda: _untested(mean_interval(group["absolute"]))),
            (SQUARED, {}, JACKKNIFE, lambda: root_mean_square(error)),
            ("standard deviation", {}, JACKKNIFE, lambda: standard_deviation(error)),
            ("correlation", of_face, "Fisher's interval", lambda: correlation(face, age)),
            ("slope", slope, "least squares, HC3 (t)", lambda: _slope(group)),
        )
    ]
    if not factor.is_age and factor.name != ALL:
        row = base | {"measure": MEAN, "adjustment": "age", "covariates": "age"}
        row["model"] = "least squares with age, HC3 (t)"
        rows.insert(1, attempt(row, adjusted_mean, "error", known[known["group"].notna()], factor, level))
    rows = [noted(row, too_small(len(group), min_n)) for row in rows]
    if judged is not None:
        photos = judged[judged["person"].map(factor.groups) == level]
        rows += [shares(base | {"outcome": what}, photos[column], min_n) for column, what in LOST.items()]
    return rows


def _untested(found: Estimate) -> Estimate:
    """Without the test against zero, which answers no question."""
    return replace(found, p_value=np.nan, statistic=np.nan)


def _slope(group: pd.DataFrame) -> Estimate:
    if group["age"].nunique() < 2 or group["error"].nunique() < 2:
        raise FitError("age_or_error_constant")
    return Estimate.of(least_squares(group["error"], group[["age"]] / 10).loc["age"])


def _difference_rows(
    table: pd.DataFrame, judged: pd.DataFrame | None, factors: Sequence[Factor], min_n: int
) -> list[dict]:
    rows = []
    for factor in factors:
        found = _differences(table, judged, factor, min_n)
        rows += found or [uncompared(factor, len(table), COMPARISONS[0])]
    for factor, other in crossings(factors):
        for level in other.levels:
            inside = other.groups == level
            where = f"{other.name} {level}" if not other.is_age else f"age {level}"
            people = table[inside.reindex(table.index)]
            photos = None if judged is None else judged[judged["person"].map(inside)]
            rows += _differences(people, photos, factor, min_n, where)
    return rows


def _differences(
    table: pd.DataFrame, judged: pd.DataFrame | None, factor: Factor, min_n: int, within: str = ""
) -> list[dict]:
    rows = [row for comparison in COMPARISONS for row in compare(table, factor, comparison, min_n, within)]
    if judged is not None:
        by_photo = replace(factor, groups=judged["person"].map(factor.groups))
        rows += compare(judged, by_photo, FAILURES, min_n, within)
    return rows
