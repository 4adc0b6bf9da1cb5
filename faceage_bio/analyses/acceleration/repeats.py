"""Several photos of the same participant: reliability of one photo, and the face ageing rate."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.age_residual import fit_line, years_above
from faceage_bio.core.columns import (
    AGE,
    AGE_ACCELERATION,
    AMOUNTS,
    COHORT,
    ENTRY,
    EVENT,
    FACE_AGE,
    FOLLOWUP,
    LEVELS,
    PHOTO,
    SUBJECT,
    UNITS,
)
from faceage_bio.core.errors import CohortError, FitError
from faceage_bio.core.parse import DAYS_PER_YEAR, dates_of
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import counted, result_rows
from faceage_bio.intake.observation import entry_of, is_followed
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import numbers
from faceage_bio.stats.design import build_design
from faceage_bio.stats.linear import mean_interval
from faceage_bio.stats.measurement_error import correct_slope, repeat_reliability
from faceage_bio.stats.minimum_sizes import check_events

RATE, INTERVAL = "face_ageing_rate", "interval_years"
PUBLISHED = ("sex", "race", "site")  # beside the interval, what the published rate is adjusted for
ERROR = "standard error of measurement"
COPY = "same_photo_twice"  # flag of a photo that a subject has twice, exactly or nearly
PER_YEAR = "1 year per year"
WORDS = {FACE_AGE: "earlier face age", AGE: "age", INTERVAL: "interval"}


def dated_photos(face_ages: pd.DataFrame, photos: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """One row per usable photo, in order of time within its subject, with the age at that photo.

    Copies of a photo are left out, since they would look like perfect reliability.

    Parameters
    ----------
    face_ages : DataFrame, one row per photo, subject_id and face_age; photo_date and chronological_age if
        they stand here
    photos : DataFrame, one row per photo, ``columns.PHOTO_COLUMNS``; empty if dates stand in ``face_ages``
    subjects : DataFrame, one row per subject, with the age at the first photo; may be empty

    Returns
    -------
    DataFrame
        subject_id, photo_id, photo_date, chronological_age, face_age and ``years``, since the subject's first
        photo.

    Raises
    ------
    CohortError
        A column lacks, or a date is none.
    """
    lacking = [name for name in (SUBJECT, FACE_AGE) if name not in face_ages]
    if lacking:
        raise CohortError(
            f"the table of photos lacks the column(s) {', '.join(lacking)}; found {', '.join(map(str, face_ages.columns))}. Expected "
            "what predict-face-age or read-face-ages writes. Give that table."
        )
    table = face_ages.copy()
    if PHOTO not in table:
        table[PHOTO] = [str(number) for number in range(len(table))]
    if len(photos):
        known = photos[[PHOTO, "photo_date", AGE]].drop_duplicates(PHOTO)
        table = table.drop(columns=["photo_date", AGE], errors="ignore").merge(known, on=PHOTO, how="left")
    for column in ("photo_date", AGE, "flags"):
        table[column] = table.get(column, np.nan)
    table["photo_date"] = dates_of(table, "photo_date", "photos of a person")
    first = table.groupby(SUBJECT)["photo_date"].transform("min")
    table["years"] = (table["photo_date"] - first).dt.days / DAYS_PER_YEAR
    if AGE in subjects:
        first_ages = subjects.drop_duplicates(SUBJECT).set_index(SUBJECT)[AGE]
        start = table[SUBJECT].map(first_ages).astype("float64")
        table[AGE] = table[AGE].astype("float64").fillna(start + table["years"])
    table = table[table[FACE_AGE].notna()].sort_values(["photo_date", PHOTO], kind="stable")
    copied = table["flags"].fillna("").astype(str).str.contains(COPY)
    mine = table[copied]  # of photos that are one photo the first: they have one face age, or one day
    again = mine.duplicated([SUBJECT, FACE_AGE]) | mine.duplicated([SUBJECT, "photo_date"])
    table = table[~again.reindex(table.index, fill_value=False)]
    return table[[SUBJECT, PHOTO, "photo_date", AGE, FACE_AGE, "years"]].reset_index(drop=True)


def closest_pairs(photos: pd.DataFrame, within_days: int | None) -> pd.DataFrame:
    """The two successive photos of each subject that lie closest in time, of two equally close the earlier.

    Returns
    -------
    DataFrame
        Columns of the photos with ``_1`` and ``_2``, and ``days`` between them; undated pairs only if any
        time may lie between.
    """
    later = photos.groupby(SUBJECT).shift(-1)
    pairs = photos.join(later, lsuffix="_1", rsuffix="_2")
    pairs = pairs[later[FACE_AGE].notna()]
    pairs = pairs.assign(days=(pairs["photo_date_2"] - pairs["photo_date_1"]).dt.days)
    if within_days is not None:
        pairs = pairs[pairs["days"] <= within_days]
    return pairs.sort_values("days", kind="stable").drop_duplicates(SUBJECT)


def reliability_table(photos: pd.DataFrame, within_days: int | None, cohort: str) -> pd.DataFrame:
    """Reliability of one photo's face age and age acceleration.

    Acceleration is that of each photo at its own age, against the line of all subjects' first photos: what
    ageing between the photos adds to face age is so taken out.

    Returns
    -------
    DataFrame, result rows, question "reliability"
        ``error_df``: degrees of freedom of the standard error of measurement. What cannot be estimated keeps
        its rows.
    """
    pairs = closest_pairs(photos, within_days)
    when = "" if within_days is None else f", at most {within_days} days apart"
    base = {COHORT: cohort, "question": "reliability", "n": len(pairs)}
    base["model"] = f"two photos of each participant{when}"
    rows = [base | {"term": INTERVAL, "measure": "median", "unit": "days"} | _median_days(pairs)]
    values = {FACE_AGE: pairs[[f"{FACE_AGE}_1", f"{FACE_AGE}_2"]].to_numpy(dtype=np.float64)}
    why = None
    try:
        first = photos[photos[AGE].notna()].drop_duplicates(SUBJECT)
        line = fit_line(first[FACE_AGE], first[AGE])
        expected = line.expected(pairs[[f"{AGE}_1", f"{AGE}_2"]]).to_numpy()
        acceleration = years_above(values[FACE_AGE], expected)
        values[AGE_ACCELERATION] = acceleration[~np.isnan(acceleration).any(axis=1)]
    except FitError as error:
        why = error
    for term in (FACE_AGE, AGE_ACCELERATION):
        rows += _reliability_rows(base | {"term": term}, values.get(term), why)
    return result_rows(rows, "acceleration/reliability")


def measured_error(reliability: pd.DataFrame) -> tuple[float, float]:
    """Standard error of measurement of age acceleration and its degrees of freedom, from a reliability table;
    NaN if not known.
    """
    row = reliability[(reliability["term"] == AGE_ACCELERATION) & (reliability["measure"] == ERROR)].iloc[0]
    return float(row["estimate"]), float(row["error_df"])


def _median_days(pairs: pd.DataFrame) -> dict:
    if not pairs["days"].notna().any():
        return {"reason": reason("no_two_dated_photos")}
    return {"estimate": float(pairs["days"].median())}


def _reliability_rows(base: dict, values: np.ndarray | None, why: FitError | None) -> list[dict]:
    names = ("ICC(1,1)", "ICC(A,1)", ERROR, "smallest detectable change")
    mean = base | {"measure": "mean change"}
    try:
        if why:
            raise why
        found = repeat_reliability(values)
    except FitError as error:
        return [base | {"measure": name, "reason": error.reason} for name in (*names, mean["measure"])]
    estimates = (found.icc_one_way, found.icc_agreement, found.error_sd, found.smallest_change)
    rows = [
        base | {"measure": name, "n": found.n, "error_df": found.error_df} | vars(estimate)
        for name, estimate in zip(names, estimates, strict=True)
    ]
    return [*rows, mean | {"n": found.n} | _mean(values[:, 1] - values[:, 0])]


def attenuation_table(
    people: pd.DataFrame,
    error_sd: float,
    error_df: float,
    outcomes: Sequence[str],
    covariates: Sequence[str],
    per_years: float,
    averaged: bool,
) -> pd.DataFrame:
    """Differences of each outcome per years of age acceleration, as they are and corrected for the error of
    the face age.

    Always adjusted for chronological age.

    Parameters
    ----------
    people : DataFrame, one row per subject, with age_acceleration, chronological_age, outcomes and covariates
    error_sd, error_df : float
        Standard error of measurement of one photo, in years, and its degrees of freedom; NaN if it is not
        known.
    outcomes : columns of numbers
    per_years : float
        Slopes are given per this many years of age acceleration.
    averaged : bool
        Acceleration is of the mean of ``n_photos`` photos, which have less error.

    Returns
    -------
    DataFrame, result rows, question "attenuation"
        Three rows per outcome: ``model`` "least squares", "regression calibration" and "SIMEX"; and their
        ``reliability``.
    """
    cohort = str(people[COHORT].iloc[0]) if len(people) and COHORT in people else ""
    shared = {COHORT: cohort, "question": "attenuation", "exposure": AGE_ACCELERATION}
    shared |= {"measure": "mean difference", "per": f"{per_years:g} years"}
    models = ("least squares, HC3 (t)", "regression calibration", "SIMEX, quadratic")
    rows = []
    for outcome in outcomes:
        others, without = _with_values(people, [name for name in covariates if name not in (outcome, AGE)])
        base = shared | {"outcome": outcome, "term": outcome, "unit": AMOUNTS.get(outcome, ""), "n": 0}
        base |= {"adjustment": "minimal" if others else "age", "covariates": ", ".join(["age", *others])}
        try:
            if outcome not in people or not pd.api.types.is_numeric_dtype(people[outcome]):
                raise FitError("not_numeric" if outcome in people else "absent_column", column=outcome)
            known = people[people[[AGE_ACCELERATION, outcome]].notna().all(axis=1)]
            design = build_design(known, [AGE_ACCELERATION, AGE, *others], LEVELS).matrix
            known = known.loc[design.index]
            base["n"] = len(known)
            _check_slope(known, design, outcome, error_sd, averaged)
            share = np.sqrt((1 / known["n_photos"]).mean()) if averaged else 1.0
            exposure, rest = known[AGE_ACCELERATION] / per_years, design.drop(columns=AGE_ACCELERATION)
            found = correct_slope(known[outcome], exposure, rest, error_sd * share / per_years, error_df)
        except FitError as error:
            rows += [base | {"model": model, "reason": error.reason} for model in models]
            continue
        base |= {"reliability": found.reliability, "reason": without}
        for model, estimate in zip(models, (found.naive, found.calibrated, found.simex), strict=True):
            rows.append(base | {"model": model} | vars(estimate))
    return result_rows(rows, "acceleration/attenuation")


def _check_slope(
    known: pd.DataFrame, design: pd.DataFrame, outcome: str, error_sd: float, averaged: bool
) -> None:
    """Refuse a slope that cannot be fitted or corrected."""
    if not len(known):
        raise FitError("no_complete_values")
    if AGE_ACCELERATION not in design or known[outcome].nunique() < 2:
        raise FitError("outcome_or_exposure_constant", column=outcome)
    if np.isnan(error_sd):
        raise FitError("reliability_unknown")
    if averaged and "n_photos" not in known:
        raise FitError("no_column", column="n_photos")


def _with_values(people: pd.DataFrame, covariates: Sequence[str]) -> tuple[list[str], list[Reason]]:
    """Covariates without those that are known of none, which would exclude all participants, and a remark on
    the latter.
    """
    absent = [name for name in covariates if len(people) and name in people and people[name].isna().all()]
    remarks = [reason("without_missing", columns=absent)] if absent else []
    return [name for name in covariates if name not in absent], remarks


def ageing_rates(photos: pd.DataFrame, subjects: pd.DataFrame, days: tuple[int, int]) -> pd.DataFrame:
    """Change of face age per calendar year between the first and the last dated photo of each subject who has
    both.

    Parameters
    ----------
    photos : DataFrame of ``dated_photos``
    subjects : DataFrame, one row per subject
        followup_years and entry_years from the first photo, event, covariates.
    days : (int, int)
        Least and most time between the photos: close photos give mostly noise.

    Returns
    -------
    DataFrame, one row per subject
        ``subjects`` with face_ageing_rate (years per year), interval_years, face_age and chronological_age at
        the earlier photo; follow-up and entry from the later one, which is time zero.
    """
    dated = photos[photos["photo_date"].notna()]
    first = dated.drop_duplicates(SUBJECT).set_index(SUBJECT)
    last = dated.drop_duplicates(SUBJECT, keep="last").set_index(SUBJECT)
    apart = (last["photo_date"] - first["photo_date"]).dt.days
    kept = apart.index[apart.between(max(1, days[0]), days[1])]
    first, last = first.loc[kept], last.loc[kept]
    years = apart[kept] / DAYS_PER_YEAR
    found = first[[FACE_AGE, AGE]].assign(
        **{RATE: (last[FACE_AGE] - first[FACE_AGE]) / years, INTERVAL: years, "later": last["years"]}
    )
    rest = subjects.drop(columns=[FACE_AGE, AGE], errors="ignore")
    table = rest.merge(found, left_on=SUBJECT, right_index=True, how="inner")
    for column in (FOLLOWUP, ENTRY, EVENT):
        table[column] = table.get(column, np.nan)
    later = table.pop("later")
    table[FOLLOWUP] = table[FOLLOWUP] - later
    table[ENTRY] = table[ENTRY] - later
    return table.reset_index(drop=True)


def strata_of(days: Sequence[int], cuts: Sequence[int]) -> list[tuple[int, int]]:
    """First and last day of each stratum of the interval: [10, 1460] cut at 365 and 730 gives 10-365,
    366-730, 731-1460; none without a cut between.
    """
    inner = [cut for cut in cuts if days[0] <= cut < days[1]]
    if not inner:
        return []
    return list(zip([days[0], *(cut + 1 for cut in inner)], [*inner, days[1]], strict=True))


def ageing_rate_table(
    rates: pd.DataFrame,
    covariates: Sequence[str],
    per_years: float,
    cohort: str,
    strata: Sequence[tuple[int, int]] = (),
) -> pd.DataFrame:
    """The face ageing rate and whether it predicts death, unadjusted and adjusted for the earlier face age,
    age and interval.

    In each stratum of the interval (first and last day) it is adjusted as published: for interval, sex, race
    and diagnosis (``site``), of those that the table has.

    The published Face Aging Rate: change of face age over the interval. Time zero is the later photo, since
    no participant could have died before it. The rate and the earlier face age share its error, so interpret
    the unadjusted rate with caution.

    Returns
    -------
    DataFrame, result rows, question "face_ageing_rate"
    """
    base = {COHORT: cohort, "question": RATE, "n": len(rates)}
    rate = base | {"term": RATE, "unit": "years per year", "model": "first and last photo"}
    summary = [
        rate | {"measure": "mean"} | _mean(rates[RATE]),
        rate | {"measure": "standard deviation"} | _value(rates[RATE].std()),
        rate | {"term": INTERVAL, "measure": "median", "unit": "years"} | _value(rates[INTERVAL].median()),
    ]
    usable = rates[is_followed(rates)]
    others = [name for name in covariates if name not in (FACE_AGE, AGE)]
    both = "ageing rate + face age + age"
    models = {
        "ageing rate alone": ("unadjusted", []),
        both: ("age", [FACE_AGE, AGE]),
        " + ".join([f"{both} + interval", *others]): ("full", [FACE_AGE, AGE, INTERVAL, *others]),
    }
    rows = []
    for name, (adjustment, columns) in models.items():
        rows += _cox_rows(base | {"adjustment": adjustment, "model": name}, usable, columns, per_years)
    published = [name for name in PUBLISHED if name in usable]
    name = " + ".join(["ageing rate + interval", *published])
    days = (usable[INTERVAL] * DAYS_PER_YEAR).round()
    for low, high in strata:
        own = {"subgroup": f"{low}-{high} days", "model": f"{name}, {low} to {high} days"}
        own["adjustment"] = "without age"
        rows += _cox_rows(base | own, usable[days.between(low, high)], [INTERVAL, *published], per_years)
    return result_rows([*summary, *rows], "acceleration/ageing_rate")


def _mean(values: pd.Series | np.ndarray) -> dict:
    try:
        return vars(mean_interval(values))
    except FitError as error:
        return {"reason": error.reason}


def _value(value: float) -> dict:
    return {"estimate": value} if np.isfinite(value) else {"reason": reason("too_few_dated_photos")}


def _cox_rows(base: dict, usable: pd.DataFrame, covariates: list[str], per_years: float) -> list[dict]:
    units = UNITS | dict.fromkeys((FACE_AGE, AGE), (per_years, f"{per_years:g} years"))
    units |= {RATE: (1.0, PER_YEAR), INTERVAL: (1.0, "1 year")}
    columns, remarks = _with_values(usable, [RATE, *covariates])
    design = build_design(usable, columns, LEVELS)
    rows = usable.drop(index=design.missing.index)
    base = base | counted(rows) | {"outcome": "death", "measure": "hazard ratio"}
    base["covariates"] = ", ".join(WORDS.get(column, column) for column in columns[1:])
    matrix = design.matrix.copy()
    for column in matrix:
        matrix[column] = matrix[column] / units.get(column, (1.0, ""))[0]
    try:
        if not len(rows):
            raise FitError("no_follow_up_after_second_photo")
        if RATE in design.constant:
            raise FitError("constant_rate")
        check_events(rows[EVENT])
        fit = fit_cox(rows[FOLLOWUP], rows[EVENT], matrix, entry_of(rows))
    except FitError as error:
        return [base | {"term": RATE, "exposure": RATE, "per": PER_YEAR, "reason": error.reason}]
    if design.constant:
        remarks.append(reason("without_constant", columns=design.constant))
    base["reason"] = [*remarks, *fit.reasons]
    found = []
    for term, row in fit.terms.iterrows():
        about = {"term": term, "exposure": term.partition(": ")[0], "per": units.get(term, (1.0, ""))[1]}
        found.append(base | about | numbers(row))
    return found
