"""The stage: all cohorts' subjects with their age gap and age acceleration, its ledger and its summaries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.acceleration import definitions as definitions_
from faceage_bio.analyses.acceleration.definitions import (
    BAND,
    PLACES,
    Defined,
    column_of,
    define,
    definition_bands,
    definition_of,
    in_reference,
)
from faceage_bio.analyses.acceleration.photo_that_counts import SHORT_SIDE, one_per_subject
from faceage_bio.analyses.age_residual import Line, fit_line
from faceage_bio.core.columns import (
    AGE,
    AGE_ACCELERATION,
    AGE_GAP,
    COHORT,
    DEFINITION,
    EVENT,
    FACE_AGE,
    FOLLOWUP,
    MODEL_ID,
    SUBJECT,
)
from faceage_bio.core.errors import CohortError, FitError, examples
from faceage_bio.core.results.reasons import Reason, reason, singular
from faceage_bio.core.results.row import columns_of, each_once, result_rows
from faceage_bio.core.settings.settings_acceleration import Acceleration
from faceage_bio.core.tables import ledger_rows
from faceage_bio.stats.linear import Estimate, correlation, mean_interval, spread
from faceage_bio.stats.minimum_sizes import AGES_FOR_LINE, FEWEST_EVENTS, FOR_LINE

VALID_AGE, LOW_RESOLUTION = "valid_age", "low_resolution"
WITH_AGE = {"exposure": AGE}
SLOPE = {"exposure": AGE, "outcome": "face age", "per": "1 year"}


def flag(people: pd.DataFrame, settings: Acceleration) -> pd.DataFrame:
    """``people`` with ``valid_age`` and ``low_resolution``: true, false, or missing where it is not known."""
    age = people[AGE].between(*settings.valid_ages).astype("boolean").mask(people[AGE].isna())
    side = people.get(SHORT_SIDE, pd.Series(float("nan"), index=people.index)).astype("float64")
    small = (side < settings.low_resolution).astype("boolean").mask(side.isna())
    return people.assign(**{VALID_AGE: age, LOW_RESOLUTION: small})


def sensitivity(people: pd.DataFrame, settings: Acceleration) -> pd.DataFrame:
    """Gap, acceleration and their correlation with age, among all participants and without those outside of
    the test.

    Returns
    -------
    DataFrame, result rows, question "validity"
        ``subgroup`` says who is counted, "" all; ``excluded`` what lies outside: none, ages, faces, ages and
        faces. Acceleration is as analysed, so its mean need not be zero in a part of the cohort.
    """
    cohort = str(people[COHORT].iloc[0]) if len(people) else ""
    people = people[people[AGE_GAP].notna()]
    ages = "ages {:g} to {:g}".format(*settings.valid_ages)
    pixels = f"faces of {settings.low_resolution:g} pixels and more"
    old_enough = people[VALID_AGE].fillna(False).astype(bool)
    sharp = ~people[LOW_RESOLUTION].fillna(True).astype(bool)
    known = bool(people[LOW_RESOLUTION].notna().any())
    parts = {
        "none": ("", people, True),
        "ages": (ages, people[old_enough], True),
        "faces": (pixels, people[sharp], known),
        "ages and faces": (f"{ages}, {pixels}", people[old_enough & sharp], known),
    }
    rows = []
    for excluded, (label, part, measured) in parts.items():
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
    known = part[part[AGE_ACCELERATION].notna()]
    acceleration = known[AGE_ACCELERATION]
    return [
        (AGE_GAP, "mean", {}, lambda: _mean(part[AGE_GAP])),
        (AGE_ACCELERATION, "mean", {}, lambda: _mean(acceleration)),
        (AGE_ACCELERATION, "standard deviation", {}, lambda: {"estimate": spread(acceleration)}),
        (AGE_GAP, "correlation", WITH_AGE, lambda: vars(correlation(part[AGE_GAP], part[AGE]))),
        (AGE_ACCELERATION, "correlation", WITH_AGE, lambda: vars(correlation(acceleration, known[AGE]))),
        ("line", "slope", SLOPE, lambda: {"estimate": fit_line(part[FACE_AGE], part[AGE]).slope}),
    ]


def _mean(values: pd.Series) -> dict:
    """Without a test against zero, which answers no question."""
    return vars(mean_interval(values)) | {"p_value": np.nan, "statistic": np.nan}


@dataclass(frozen=True)
class OfCohort:
    """What the stage gives for one cohort."""

    table: pd.DataFrame
    ledger: pd.DataFrame
    summary: pd.DataFrame
    age_bands: pd.DataFrame
    definitions: pd.DataFrame
    definition_bands: pd.DataFrame
    sensitivity: pd.DataFrame


def compute(
    subjects: list[pd.DataFrame],
    photos: list[pd.DataFrame],
    face_ages: list[pd.DataFrame],
    names: list[str],
    settings: Acceleration,
    places: Sequence[str] = PLACES,
) -> dict[str, OfCohort]:
    """Age gap and acceleration of every cohort.

    Parameters
    ----------
    subjects, photos, face_ages : lists of DataFrame, one per cohort
    names : the cohorts
    places : in whom definitions are fitted, see `define`; controls of all cohorts are needed for "reference"

    Raises
    ------
    CohortError
        Face ages of subjects whom the cohort does not have; "reference" without enough controls; "nearest"
        without dates.
    """
    tables = {}
    for name, people, pictures, ages in zip(names, subjects, photos, face_ages, strict=True):
        strangers = sorted(set(ages[SUBJECT]) - set(people[SUBJECT]))
        if strangers:
            raise CohortError(
                f"cohort '{name}': {len(strangers)} face age(s) are of subjects whom the clinical table does not have: "
                f"{examples(strangers)}. Expected subjects of the clinical table. Add them there, or look for another spelling."
            )
        model = each_once(ages[MODEL_ID]) if MODEL_ID in ages else ""
        one = one_per_subject(ages, pictures, people, settings)
        tables[name] = one.assign(**{COHORT: name, MODEL_ID: model})
    return describe(tables, settings, places)


def describe(
    tables: dict[str, pd.DataFrame], settings: Acceleration, places: Sequence[str] = PLACES
) -> dict[str, OfCohort]:
    """Every definition, flag and summary, from tables with one row per subject and both ages.

    Parameters
    ----------
    places : in whom definitions are fitted, see `define`
    tables : cohort -> DataFrame with cohort, subject_id, face_age, chronological_age; sex, group and
        covariates if there are any
    """
    filled = [table for table in tables.values() if len(table)] or tables.values()
    everyone = flag(pd.concat(filled, ignore_index=True), settings)
    defined = define(everyone, settings, places)
    return {name: _one_cohort(name, table, defined, settings) for name, table in tables.items()}


def plain_people(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A table given by hand as the cohorts that `describe` takes."""
    table = table.copy()
    if SUBJECT not in table:
        table[SUBJECT] = [str(number) for number in range(1, len(table) + 1)]
    if COHORT not in table:
        table[COHORT] = "all"
    cohorts = {str(name): people.reset_index(drop=True) for name, people in table.groupby(COHORT, sort=False)}
    return cohorts or {"all": table}


def _one_cohort(name: str, own: pd.DataFrame, defined: Defined, settings: Acceleration) -> OfCohort:
    new = [column for column in defined.people if column not in own]
    further = [column for column in own if column in defined.people]
    table = defined.people.loc[defined.people[COHORT] == name, [*further, *new]].reset_index(drop=True)
    both = table[AGE_GAP].notna()
    chosen = column_of(settings.definition, settings.fit_in)
    why = defined.notes.get((name, chosen), ())
    table[DEFINITION] = definition_of(chosen)
    code = pd.Series("", index=table.index)
    none = "too_few_for_a_line" if why or not both.any() else "outside_the_definition"
    code[table[AGE_ACCELERATION].isna()] = none
    code[table[AGE].isna()] = "no_age"
    code[table[FACE_AGE].isna()] = "no_face_age"
    if "no_nearest_photo" in table:
        code[table.pop("no_nearest_photo").astype(bool)] = "no_nearest_photo"
    ledger = table[[COHORT, SUBJECT]].assign(
        stage="acceleration", status=(code == "").map({True: "included", False: "excluded"}), reason=code
    )
    shown = [one for one in definitions_.definitions(settings, defined.norm) if one.column in table]
    in_whom = defined.people[in_reference(defined.people)] if settings.fit_in == "reference" else table
    in_whom = in_whom[in_whom[AGE_GAP].notna()]
    try:
        line = fit_line(in_whom[FACE_AGE], in_whom[AGE])
    except FitError:
        line = None
    title = next(one.title for one in shown if one.column == chosen)
    fitted = "controls" if settings.fit_in == "reference" else "the cohort"
    model = ("least-squares line" if settings.definition == "linear" else title) + f" fitted in {fitted}"
    return OfCohort(
        table,
        ledger_rows(ledger),
        summarise(name, table[both], line, model, definition_of(chosen), why),
        age_bands(name, table[both]),
        definitions_.definition_table(table, defined.notes, shown, chosen),
        definition_bands(table, shown),
        sensitivity(table, settings),
    )


def summarise(
    name: str, table: pd.DataFrame, line: Line | None, model: str, definition: str, why: tuple[Reason, ...]
) -> pd.DataFrame:
    """Means, spreads and the correlation with age of age gap, face age and age acceleration."""
    rows: list[dict] = []
    base = {COHORT: name, "question": "acceleration", "n": len(table), "model": model}
    gap, accelerated = table[AGE_GAP], table[table[AGE_ACCELERATION].notna()]

    def attempt(term: str, measure: str, compute, *values, **more) -> None:
        row = base | {"term": term, "measure": measure} | more
        try:
            found = compute(*values)
        except FitError as error:
            rows.append(row | {"reason": error.reason})
            return
        numbers = vars(found) if isinstance(found, Estimate) else {"estimate": found}
        rows.append(row | numbers | ({"reason": reason("no_ages")} if pd.isna(numbers["estimate"]) else {}))

    attempt(AGE_GAP, "mean", mean_interval, gap)
    attempt(AGE_GAP, "standard deviation", spread, gap)
    attempt(AGE_GAP, "mean absolute error", pd.Series.mean, gap.abs())
    attempt(AGE_GAP, "correlation", correlation, gap, table[AGE], **WITH_AGE)
    attempt(FACE_AGE, "correlation", correlation, table[FACE_AGE], table[AGE], **WITH_AGE)
    own = {"definition": definition, "n": len(accelerated)}
    if why:
        rows.append(base | own | {"term": AGE_ACCELERATION, "measure": "mean", "reason": why})
    else:
        values = accelerated[AGE_ACCELERATION]
        # zero by construction in its own cohort
        attempt(AGE_ACCELERATION, "mean", pd.Series.mean, values, **own)
        attempt(AGE_ACCELERATION, "standard deviation", spread, values, **own)
        attempt(AGE_ACCELERATION, "correlation", correlation, values, accelerated[AGE], **own, **WITH_AGE)
    if line is not None:
        base["term"] = "line"
        rows.append(base | SLOPE | {"measure": "slope", "estimate": line.slope})
        rows.append(base | {"measure": "intercept", "outcome": "face age", "estimate": line.intercept})
    return result_rows(rows, "acceleration/summary")


def age_bands(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Face age, gap and acceleration by decade of age: aggregates for the figure."""
    table = table.assign(age_lower=(table[AGE] // BAND * BAND).astype("int64"))
    bands = table.groupby("age_lower").agg(
        n=(AGE, "size"),
        age_mean=(AGE, "mean"),
        face_age_mean=(FACE_AGE, "mean"),
        face_age_sd=(FACE_AGE, "std"),
        face_age_q25=(FACE_AGE, lambda ages: ages.quantile(0.25)),
        face_age_median=(FACE_AGE, "median"),
        face_age_q75=(FACE_AGE, lambda ages: ages.quantile(0.75)),
        age_gap_mean=(AGE_GAP, "mean"),
        acceleration_mean=(AGE_ACCELERATION, "mean"),
    )
    bands = bands.reset_index().assign(**{COHORT: name})
    bands["age_band"] = [f"{start}-{start + BAND - 1}" for start in bands["age_lower"]]
    return bands[columns_of("acceleration/age_bands")]


def too_small(subjects: pd.DataFrame, photographed: Collection[str]) -> list[str]:
    """A sentence for each question that a cohort cannot answer by what its tables hold, before hours are
    spent on pages without results; one alone where it can answer none.

    Parameters
    ----------
    subjects : the cohort's checked table
    photographed : participants with a photo or a face age
    """
    aged = subjects[subjects[SUBJECT].isin(photographed) & subjects[AGE].notna()]
    if len(aged) < FOR_LINE or aged[AGE].nunique() < AGES_FOR_LINE:
        few = (
            f"too small for any model: {len(set(photographed))} participants have a photo or a face age, and {len(aged)} of them a known age "
            f"({aged[AGE].nunique()} different); age acceleration needs {FOR_LINE} (and {AGES_FOR_LINE} different ages)"
        )
        return [singular(few)]
    said = []
    followed = aged[aged[[FOLLOWUP, EVENT]].notna().all(axis=1)]
    if (deaths := int(followed[EVENT].sum())) < FEWEST_EVENTS:
        said.append(
            f"too small for any hazard ratio: follow-up is known of {len(followed)} participants with an age, of whom {deaths} died; needed are {FEWEST_EVENTS} deaths"
        )
    return [*map(singular, said)]
