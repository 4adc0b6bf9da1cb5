"""The stage: all cohorts' subjects with their age gap and age acceleration, its ledger and its summaries."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.acceleration.residual import Line, age_acceleration, fit_line
from faceage_bio.acceleration.subjects import one_per_subject
from faceage_bio.columns import AGE, AGE_ACCELERATION, AGE_GAP, COHORT, FACE_AGE, SUBJECT
from faceage_bio.errors import CohortError, FitError, examples
from faceage_bio.stats.linear import Estimate, correlation, mean_interval
from faceage_bio.tables import ledger_rows, result_rows

BAND = 10  # years


@dataclass(frozen=True)
class Acceleration:
    """What the stage gives for one cohort."""

    table: pd.DataFrame
    ledger: pd.DataFrame
    summary: pd.DataFrame
    age_bands: pd.DataFrame


def compute(
    subjects: list[pd.DataFrame],
    photos: list[pd.DataFrame],
    face_ages: list[pd.DataFrame],
    names: list[str],
    repeat_photos: str,
    fit_in: str,
) -> dict[str, Acceleration]:
    """Age gap and acceleration of every cohort.

    Parameters
    ----------
    subjects, photos, face_ages : lists of DataFrame, one per cohort
    names : the cohorts
    repeat_photos : "first", "last" or "mean"
    fit_in : "cohort" (each cohort's own line) or "reference" (one line, fitted in the reference people of all cohorts)

    Raises
    ------
    CohortError
        Face ages of subjects whom the cohort does not have; "reference" without enough reference people.
    """
    tables = {}
    for name, people, pictures, ages in zip(names, subjects, photos, face_ages, strict=True):
        strangers = sorted(set(ages[SUBJECT]) - set(people[SUBJECT]))
        if strangers:
            raise CohortError(
                f"cohort '{name}': {len(strangers)} face age(s) are of subjects whom the clinic table does not have: "
                f"{examples(strangers)}. Add them there, or look for another spelling."
            )
        tables[name] = one_per_subject(ages, pictures, people, repeat_photos)
    shared = _reference_line(list(tables.values())) if fit_in == "reference" else None
    return {name: _one_cohort(name, table, shared) for name, table in tables.items()}


def _reference_line(tables: list[pd.DataFrame]) -> Line:
    people = pd.concat(tables, ignore_index=True)
    people = people[(people["group"] == "reference") & people[FACE_AGE].notna() & people[AGE].notna()]
    try:
        return fit_line(people[FACE_AGE], people[AGE])
    except CohortError as error:
        raise CohortError(
            f"acceleration.fit_in is 'reference', but no line can be fitted in the reference people: {error}. Mark them with "
            "group = reference in the clinic table, or set fit_in: cohort."
        ) from None


def _one_cohort(name: str, table: pd.DataFrame, shared: Line | None) -> Acceleration:
    table[AGE_GAP] = table[FACE_AGE] - table[AGE]
    table[AGE_ACCELERATION] = np.nan
    both = table[AGE_GAP].notna()
    line, note = shared, ""
    try:
        line = line or fit_line(table.loc[both, FACE_AGE], table.loc[both, AGE])
        table.loc[both, AGE_ACCELERATION] = age_acceleration(
            table.loc[both, FACE_AGE], table.loc[both, AGE], line
        )
    except CohortError as error:
        note = f"not estimated, because {error}"
    reason = pd.Series("", index=table.index)
    reason[table[AGE_ACCELERATION].isna()] = "too_few_for_a_line"
    reason[table[AGE].isna()] = "no_age"
    reason[table[FACE_AGE].isna()] = "no_face_age"
    ledger = table[[COHORT, SUBJECT]].assign(
        stage="acceleration", status=(reason == "").map({True: "included", False: "excluded"}), reason=reason
    )
    fitted = "reference people" if shared else "the cohort"
    summary = summarise(name, table[both], line, fitted, note)
    return Acceleration(table, ledger_rows(ledger), summary, age_bands(name, table[both]))


def summarise(name: str, table: pd.DataFrame, line: Line | None, fitted_in: str, note: str) -> pd.DataFrame:
    """Means, spreads and the correlation with age of both definitions."""
    rows: list[dict] = []
    base = {COHORT: name, "analysis": "acceleration", "n": len(table)}

    def add(term: str, measure: str, value: Estimate | float | None, why: str = "") -> None:
        numbers = value.__dict__ if isinstance(value, Estimate) else {"estimate": value}
        rows.append(base | {"term": term, "measure": measure, "note": why} | numbers)

    def attempt(term: str, measure: str, compute, *arguments) -> None:
        try:
            add(term, measure, compute(*arguments))
        except FitError as error:
            add(term, measure, None, f"not estimated, because {error}")

    attempt(AGE_GAP, "mean years", mean_interval, table[AGE_GAP])
    add(AGE_GAP, "standard deviation, years", table[AGE_GAP].std())
    add(AGE_GAP, "mean absolute years", table[AGE_GAP].abs().mean())
    attempt(AGE_GAP, "correlation with age", correlation, table[AGE_GAP], table[AGE])
    attempt(FACE_AGE, "correlation with age", correlation, table[FACE_AGE], table[AGE])
    known = table[table[AGE_ACCELERATION].notna()]
    if note:
        add(AGE_ACCELERATION, "mean years", None, note)
    else:
        add(
            AGE_ACCELERATION, "mean years", known[AGE_ACCELERATION].mean()
        )  # zero by construction in its own cohort
        add(AGE_ACCELERATION, "standard deviation, years", known[AGE_ACCELERATION].std())
        attempt(AGE_ACCELERATION, "correlation with age", correlation, known[AGE_ACCELERATION], known[AGE])
    if line is not None:
        add("line", "slope, face years per year", line.slope)
        add("line", "intercept, years", line.intercept)
    return result_rows(rows).assign(model=f"least-squares line fitted in {fitted_in}")


def age_bands(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Face age, gap and acceleration by decade of age: aggregates for the figure."""
    lower = (table[AGE] // BAND * BAND).astype("int64")
    rows = [
        {
            COHORT: name, "age_band": f"{start}-{start + BAND - 1}", "age_lower": start, "n": len(band),
            "age_mean": band[AGE].mean(), "face_age_mean": band[FACE_AGE].mean(), "face_age_sd": band[FACE_AGE].std(),
            "face_age_q25": band[FACE_AGE].quantile(0.25), "face_age_median": band[FACE_AGE].median(),
            "face_age_q75": band[FACE_AGE].quantile(0.75), "age_gap_mean": band[AGE_GAP].mean(),
            "acceleration_mean": band[AGE_ACCELERATION].mean(),
        }
        for start, band in table.groupby(lower)
    ]  # fmt: skip
    columns = [
        "age_band",
        "age_lower",
        "n",
        "age_mean",
        "face_age_mean",
        "face_age_sd",
        "face_age_q25",
        "face_age_median",
        "face_age_q75",
        "age_gap_mean",
        "acceleration_mean",
    ]
    return pd.DataFrame(rows, columns=[COHORT, *columns])
