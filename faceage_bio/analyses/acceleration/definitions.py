"""Every definition of age acceleration, as columns of one table: residuals of face age expected at an age,
and where a face age lies among participants of the same age and sex; its correlation with age, and its hazard
ratio for death.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import norm

from faceage_bio.analyses.age_residual import fit_line, years_above
from faceage_bio.core.columns import (
    AGE,
    AGE_ACCELERATION,
    AGE_GAP,
    COHORT,
    EVENT,
    FACE_AGE,
    FOLLOW_UP_REASON,
    FOLLOWUP,
    LEVELS,
    PER_SD,
    SEX_LEVELS,
    SUBJECT,
)
from faceage_bio.core.errors import CohortError, FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import columns_of, counted, result_rows
from faceage_bio.core.settings.settings_acceleration import Acceleration
from faceage_bio.intake.observation import entry_of, is_followed
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import numbers
from faceage_bio.stats.design import build_design
from faceage_bio.stats.linear import correlation, mean_interval, spread
from faceage_bio.stats.minimum_sizes import FOR_CURVE, OF_A_SEX, check_events
from faceage_bio.stats.smoothing import fit_location_scale, loess, natural_spline, place_knots

Z, CENTILE = "age_z", "age_centile"
SEX_SD = "acceleration_sex_sd"
KINDS = ("linear", "linear_cross_fitted", "spline", "loess", "adjusted")  # residuals, in years
PLACES = ("cohort", "reference")
SPLINE_DF = 3
BAND = 10  # years
ALONE, WITH_AGE = "unadjusted", "age"  # adjustments of the hazard ratios
MODEL = "Cox, Efron ties, Wald interval"
# people -> years of face age, NaN where the curve says nothing
Expected = Callable[[pd.DataFrame], np.ndarray]
Fit = Callable[[pd.DataFrame], Expected]  # people with both ages -> their curve


def normative_scores(people: pd.DataFrame, fitted_in: pd.Series) -> tuple[pd.DataFrame, tuple[Reason, ...]]:
    """Normative scores from a mean (natural spline) and a standard deviation (log-linear) by age, for each
    sex on its own.

    Parameters
    ----------
    people : DataFrame, with both ages and sex
    fitted_in : Series of bool
        The participants who are the norm.

    Returns
    -------
    DataFrame with ``age_z`` and ``age_centile`` (0 to 100); NaN outside the ages of the norm or without a
    sex. And why a sex has none.
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


# Face age expected at an age: line, spline, loess, or a line with covariates; and judging no participant by a
# curve fitted on himself.


def line(people: pd.DataFrame) -> Expected:
    """Least-squares line of face age on age."""
    fitted = fit_line(people[FACE_AGE], people[AGE])
    return lambda others: fitted.expected(others[AGE]).to_numpy()


def spline(people: pd.DataFrame) -> Expected:
    """Natural cubic spline of 3 degrees of freedom, knots as R's ``ns(age, 3)``; straight beyond the ages
    seen.
    """
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
    """Least squares of face age on age and covariates; nothing for participants without a value, or with a
    word unseen in the fit.
    """

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
        if len(x) < max(FOR_CURVE, 2 * x.shape[1]):
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
        Those in whom it is fitted are then judged by the others of them only, one fold at a time. Without it,
        by all.

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
    """A fold for each subject: shuffled with a fixed seed from their sorted names, so that the order of rows
    does not matter.
    """
    order = subjects.astype(str).sort_values(kind="stable").index
    shuffled = np.random.default_rng(0).permutation(len(order)) % folds
    return pd.Series(shuffled, index=order).reindex(subjects.index)


def _enough(people: pd.DataFrame) -> None:
    if len(people) < FOR_CURVE:
        raise FitError("too_few_for_curve", n=len(people), needed=FOR_CURVE)


@dataclass(frozen=True)
class Definition:
    """One definition: what it is, its unit, and in whom it was fitted."""

    column: str
    title: str
    per: str
    fitted_in: str
    cross_fitted: bool


def column_of(kind: str, place: str) -> str:
    """Name of a residual's column: ``acceleration_spline``, or ``acceleration_spline_reference``."""
    return f"acceleration_{kind}" if place == "cohort" else f"acceleration_{kind}_reference"


def definition_of(column: str) -> str:
    """The word for a definition in result rows: ``spline_reference``; "" for the age gap, which is no
    acceleration.
    """
    return "" if column == AGE_GAP else column.removeprefix("acceleration_").removeprefix("age_")


def definitions(settings: Acceleration, norm: str) -> list[Definition]:
    """All definitions in the order in which they are shown; ``norm`` is in whom the normative model was
    fitted.
    """
    titles = {
        "linear": "residual of a line",
        "linear_cross_fitted": "residual of a line, cross-fitted",
        "spline": "residual of a natural cubic spline (3 df)",
        "loess": "residual of loess (span 0.75)",
        "adjusted": f"residual of a line with {', '.join(settings.adjust_for) or 'no covariate'}",
    }
    same = "participants of the same age and sex"
    in_sd = "age acceleration in standard deviations of the own sex"
    return [
        Definition(AGE_GAP, "face age minus age", "years", "none", False),
        *(
            Definition(column_of(kind, place), titles[kind], "years", place, kind != "linear")
            for place in PLACES
            for kind in KINDS
        ),
        Definition(SEX_SD, in_sd, "SD", settings.fit_in, False),
        Definition(Z, f"z-score against {same}", "SD", norm, False),
        Definition(CENTILE, f"centile among {same}", "centiles", norm, False),
    ]


@dataclass(frozen=True)
class Defined:
    """``people`` with a column per definition; ``notes`` say why one is missing, by (cohort, column)."""

    people: pd.DataFrame
    notes: Mapping[tuple[str, str], tuple[Reason, ...]]
    norm: str


def define(people: pd.DataFrame, settings: Acceleration, places: Sequence[str] = PLACES) -> Defined:
    """Age gap, every residual, the normative scores, and ``age_acceleration``, the one that the config chose.

    Parameters
    ----------
    people : DataFrame
        All cohorts' subjects, one row each; face age and age may be missing.
    places : of `PLACES`
        In whom residuals are fitted; normative scores are left out unless controls are among them.

    Raises
    ------
    CohortError
        fit_in is "reference", and the controls do not suffice for the chosen definition.
    """
    people = people.reset_index(drop=True)
    people[AGE_GAP] = years_above(people[FACE_AGE], people[AGE])
    both = people[people[AGE_GAP].notna()]
    reference = in_reference(both)
    notes: dict[tuple[str, str], tuple[Reason, ...]] = {}
    for kind, place in product(KINDS, places):
        column = column_of(kind, place)
        people[column] = np.nan
        for name, group in both.groupby(COHORT) if place == "cohort" else [("", both)]:
            inside = reference[group.index] | (place == "cohort")
            try:
                expected = judge(group, inside, *_curve(kind, settings))
                people.loc[group.index, column] = years_above(group[FACE_AGE], expected)
            except FitError as error:
                if place == settings.fit_in == "reference" and kind == settings.definition:
                    raise CohortError(
                        f"acceleration.fit_in is 'reference', but nothing can be fitted in the controls: {error}. "
                        "Expected enough of them with both ages. Mark them with group = reference in the clinical table, or set fit_in: cohort."
                    ) from None
                cohorts = [name] if place == "cohort" else people[COHORT].unique()
                notes |= {(cohort, column): (error.reason,) for cohort in cohorts}
    people[AGE_ACCELERATION] = people[column_of(settings.definition, settings.fit_in)]
    norm = "reference" if reference.any() else "cohort"
    if scored := "reference" in places:
        people[[Z, CENTILE]] = np.nan
    for name, group in both.groupby(COHORT) if scored else ():
        norm_people = both if norm == "reference" else group
        judged = pd.concat([norm_people, group.drop(norm_people.index, errors="ignore")])
        inside = reference[judged.index] | (norm == "cohort")
        scores, why = normative_scores(judged, inside)
        people.loc[group.index, [Z, CENTILE]] = scores.loc[group.index]
        notes |= {(name, column): why for column in (Z, CENTILE) if why}
    people[SEX_SD] = np.nan
    for name, group in people.groupby(COHORT):
        values, why = _in_sex_sd(group, people if settings.fit_in == "reference" else group, settings.fit_in)
        people.loc[group.index, SEX_SD] = values
        notes |= {(name, SEX_SD): why} if why else {}
    return Defined(people, notes, norm)


def in_reference(people: pd.DataFrame) -> pd.Series:
    """Who is a control."""
    return people.get("group", pd.Series("", index=people.index)) == "reference"


def _curve(kind: str, settings: Acceleration) -> tuple[Fit, int | None]:
    """How a kind of residual is fitted, and in how many folds."""
    curves = {"spline": spline, "loess": local, "adjusted": line_with(settings.adjust_for)}
    return curves.get(kind, line), None if kind == "linear" else settings.folds


def _in_sex_sd(
    group: pd.DataFrame, all_people: pd.DataFrame, fit_in: str
) -> tuple[pd.Series, tuple[Reason, ...]]:
    """Age acceleration over its standard deviation among participants of the same sex."""
    result, why = pd.Series(np.nan, index=group.index), []
    # there are controls here: without them age acceleration would have failed before
    norm = all_people[in_reference(all_people)] if fit_in == "reference" else all_people
    for sex in SEX_LEVELS:
        mine = group.get("sex", pd.Series("", index=group.index)) == sex
        values = norm.loc[norm["sex"] == sex, AGE_ACCELERATION].dropna() if mine.any() else pd.Series()
        if len(values) >= OF_A_SEX and values.std() > 0:
            result[mine] = group.loc[mine, AGE_ACCELERATION] / values.std()
        elif mine.any():
            few = len(values) < OF_A_SEX
            why.append(reason("too_few_of_sex", sex=sex, n=len(values)) if few else reason("no_variation"))
    if not why and not result.notna().any():
        why.append(reason("no_recorded_sex_of_participants"))
    return result, tuple(why)


def definition_table(
    people: pd.DataFrame,
    notes: Mapping[tuple[str, str], tuple[Reason, ...]],
    shown: list[Definition],
    chosen: str,
) -> pd.DataFrame:
    """Mean, standard deviation and correlation with age of every definition, in one cohort.

    Returns
    -------
    DataFrame, result rows, question "definitions"
        ``term`` the column, ``unit`` its unit, ``model`` what it is; fitted_in, cross_fitted and ``chosen``
        for the definition that ``age_acceleration`` is. What was not estimated keeps its rows.
    """
    cohort = str(people[COHORT].iloc[0]) if len(people) else ""
    rows = []
    for one in shown:
        known = people[people[one.column].notna() & people[AGE].notna()]
        base = {COHORT: cohort, "question": "definitions", "term": one.column, "n": len(known)}
        base |= {"definition": definition_of(one.column), "model": one.title, "chosen": one.column == chosen}
        base |= {"fitted_in": one.fitted_in, "cross_fitted": one.cross_fitted}
        why, unit = notes.get((cohort, one.column), ()), {"unit": one.per}
        measures = {"mean": unit, "standard deviation": unit, "correlation": {"exposure": AGE}}
        for measure, more in measures.items():
            rows.append(base | {"measure": measure} | more | _measure(measure, known, one.column, why))
    return result_rows(rows, "acceleration/definitions")


def _measure(measure: str, known: pd.DataFrame, column: str, why: tuple[Reason, ...]) -> dict:
    if not len(known):
        return {"reason": why or reason("no_ages")}
    sexes = [one.parameters["sex"] for one in why if "sex" in one.parameters]
    partly = {"reason": [reason("without_sex", sex=sex) for sex in sexes]}
    if measure == "mean":
        return partly | {"estimate": known[column].mean()}
    try:
        if measure == "standard deviation":
            return partly | {"estimate": spread(known[column])}
        return partly | vars(correlation(known[column], known[AGE]))
    except FitError as error:
        return {"reason": error.reason}


def definition_bands(people: pd.DataFrame, shown: list[Definition]) -> pd.DataFrame:
    """Mean of each definition in years by decade of age, with its interval: aggregates for the figure."""
    cohort = str(people[COHORT].iloc[0]) if len(people) else ""
    rows = []
    for one in (definition for definition in shown if definition.per == "years"):
        known = people[people[one.column].notna() & people[AGE].notna()]
        for start, band in known.groupby((known[AGE] // BAND * BAND).astype("int64")):
            row = {COHORT: cohort, "definition": one.column, "age_lower": start, "n": len(band)}
            row |= {"age_mean": band[AGE].mean(), "mean": band[one.column].mean()}
            with suppress(FitError):  # one person has a mean and no interval
                interval = mean_interval(band[one.column])
                row |= {"ci_lower": interval.ci_lower, "ci_upper": interval.ci_upper}
            rows.append(row)
    return pd.DataFrame(rows, columns=columns_of("acceleration/definition_bands"))


def definition_hazards(people: pd.DataFrame, per_years: float) -> pd.DataFrame:
    """Hazard ratio of face age and of each definition that the table has, alone and with chronological age in
    the model.

    With age in the model face age, age gap and the residual of a line that all participants share have one
    coefficient, since each is another plus a multiple of age; other definitions have one near it. Without it
    they differ by how much of age is in them.

    Parameters
    ----------
    people : DataFrame, one row per subject
        chronological_age, face_age, followup_years (from the photo), event, entry_years if there is delayed
        entry, and columns as `definitions.define` makes them.
    per_years : float
        Hazard ratios of years are given for this many; others per standard deviation, or per 10 centiles.

    Returns
    -------
    DataFrame, result rows, question "definition hazards"
        Two rows per definition, ``adjustment`` "unadjusted" and "age".

    Raises
    ------
    CohortError
        No follow-up, event or age.
    """
    if lacking := [name for name in (FACE_AGE, AGE, FOLLOWUP, EVENT) if name not in people]:
        raise CohortError(
            f"the table has no column {', '.join(map(repr, lacking))}; it has {', '.join(map(str, people.columns))}. Expected both ages, "
            "followup_years and event. Give the table that compute-acceleration writes."
        )
    cohort = str(people[COHORT].iloc[0]) if COHORT in people and len(people) else ""
    followed = people[is_followed(people) & people[AGE].notna()]
    if FOLLOW_UP_REASON in followed:
        followed = followed[followed[FOLLOW_UP_REASON].fillna("") == ""]
    years = (per_years, f"{per_years:g} years")
    units = {"years": years, "SD": (1.0, PER_SD), "centiles": (10.0, "10 centiles")}
    shown = {one.column: units[one.per] for one in definitions(Acceleration(), "") if one.column in people}
    label = {COHORT: cohort, "question": "definition hazards", "outcome": "death", "measure": "hazard ratio"}
    rows = []
    for column, (unit, per) in ({FACE_AGE: years} | shown).items():
        base = label | {"exposure": column, "term": column, "per": per}
        base["definition"] = "" if column == FACE_AGE else definition_of(column)
        rows += [base | row for row in _alone_and_with_age(followed, column, unit)]
    return result_rows(rows, "acceleration/definition_hazards")


def _alone_and_with_age(followed: pd.DataFrame, column: str, unit: float) -> list[dict]:
    """Both rows of a definition; there is no other way to make one of them."""
    known = followed[followed[column].notna()]
    design = pd.DataFrame({column: known[column] / unit, AGE: known[AGE] / 10})
    rows = []
    for adjustment, terms in ((ALONE, [column]), (WITH_AGE, [column, AGE])):
        row = {"adjustment": adjustment, "covariates": ", ".join(terms[1:]), "model": MODEL}
        row |= counted(known)
        try:
            if not len(known):
                raise FitError("no_value" if len(followed) else "no_usable_follow_up")
            check_events(known[EVENT])
            fit = fit_cox(known[FOLLOWUP], known[EVENT], design[terms], entry_of(known))
            row |= numbers(fit.terms.loc[column]) | {"reason": fit.reasons}
        except FitError as error:
            row["reason"] = error.reason
        rows.append(row)
    return rows
