"""Commands from face age to age acceleration, and for several photos of the same person."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.steps import Units

app = typer.Typer()


class RepeatPhotos(StrEnum):
    first = "first"
    last = "last"
    mean = "mean"
    nearest = "nearest"


class FitIn(StrEnum):
    cohort = "cohort"
    reference = "reference"


class Kind(StrEnum):
    linear = "linear"
    linear_cross_fitted = "linear_cross_fitted"
    spline = "spline"
    loess = "loess"
    adjusted = "adjusted"


DEFINITION = Annotated[Kind, typer.Option(help="What age acceleration is; all definitions are written.")]
FIT_IN = Annotated[FitIn, typer.Option(help="In whom face age is fitted on age.")]
FOLDS = Annotated[int, typer.Option(min=2, help="Folds of the cross-fitted definitions.")]
ADJUST_FOR = Annotated[list[str], typer.Option(help="A column of the definition `adjusted`; repeat.")]
VALID_AGES = Annotated[tuple[float, float], typer.Option(help="Ages in which the model was tested.")]
LOW_RESOLUTION = Annotated[
    float, typer.Option(help="Faces of fewer pixels (shorter side) are of low resolution.")
]
DATED = Annotated[
    Path | None, typer.Option(help="Its photos.parquet, if dates do not stand among the face ages.")
]


@app.command()
def compute_acceleration(
    subjects: Annotated[
        list[Path], typer.Option(help="A cohort's subjects.parquet; repeat for each cohort.")
    ],
    photos: Annotated[list[Path], typer.Option(help="Its photos.parquet, in the same order.")],
    face_ages: Annotated[list[Path], typer.Option(help="Its face_age.parquet, in the same order.")],
    results: Annotated[Path, typer.Option(help="Results folder.")],
    repeat_photos: Annotated[
        RepeatPhotos, typer.Option(help="Which photo of a subject counts.")
    ] = RepeatPhotos.first,
    nearest_to: Annotated[
        str | None, typer.Option(help="For nearest: a column of the subjects with dates.")
    ] = None,
    definition: DEFINITION = Kind.linear,
    fit_in: FIT_IN = FitIn.cohort,
    folds: FOLDS = 10,
    adjust_for: ADJUST_FOR = ["sex", "smoking", "bmi"],
    valid_ages: VALID_AGES = (60.0, 120.0),
    low_resolution: LOW_RESOLUTION = 112.0,
) -> None:
    """Age gap and age acceleration of every cohort.

    Example: faceage-bio compute-acceleration --subjects subjects.parquet --photos photos.parquet
    --face-ages face_age.parquet --results results
    """
    from faceage_bio.acceleration.definitions import Settings
    from faceage_bio.acceleration.stage import Choices, Validity, compute
    from faceage_bio.errors import RunError
    from faceage_bio.tables import read_table, write_table

    if not len(subjects) == len(photos) == len(face_ages):
        raise RunError(
            f"--subjects, --photos and --face-ages: expected once for each cohort, in the same order; found {len(subjects)}, {len(photos)} "
            f"and {len(face_ages)}. Give as many of each."
        )
    names = [path.parts[-3] if len(path.parts) > 2 else path.stem for path in map(Path.absolute, subjects)]
    tables = [[read_table(path) for path in paths] for paths in (subjects, photos, face_ages)]
    settings = Settings(definition.value, fit_in.value, folds, tuple(adjust_for))
    choices = Choices(settings, Validity(valid_ages, low_resolution), nearest_to)
    for name, cohort in compute(*tables, names, repeat_photos.value, fit_in.value, choices).items():
        folder = results / name / "acceleration"
        write_table(cohort.table, folder / "acceleration.parquet")
        write_table(cohort.ledger, folder / "ledger.tsv")
        for part in ("summary", "age_bands", "definitions", "definition_bands", "sensitivity"):
            write_table(getattr(cohort, part), folder / f"{part}.tsv")
        print(
            f"{name}: age acceleration of {cohort.table['age_acceleration'].notna().sum()} of {len(cohort.table)} subjects"
        )


@app.command()
def define_acceleration(
    table: Annotated[
        Path,
        typer.Option(help="One row per person: subject_id, face_age, chronological_age; sex, group, cohort."),
    ],
    definitions: Annotated[
        Path, typer.Option(help="Result table: every definition and how it depends on age.")
    ],
    sensitivity: Annotated[
        Path | None, typer.Option(help="Result table: without ages and faces outside of the test.")
    ] = None,
    participants: Annotated[
        Path | None, typer.Option(help="The table with a column per definition, for its owner only.")
    ] = None,
    definition: DEFINITION = Kind.linear,
    fit_in: FIT_IN = FitIn.cohort,
    folds: FOLDS = 10,
    adjust_for: ADJUST_FOR = ["sex", "smoking", "bmi"],
    valid_ages: VALID_AGES = (60.0, 120.0),
    low_resolution: LOW_RESOLUTION = 112.0,
) -> None:
    """Every definition of age acceleration side by side, from a plain table of participants with both ages.

    Example: faceage-bio define-acceleration --table participants.tsv --definitions definitions.tsv --participants accelerated.tsv
    """
    import pandas as pd

    from faceage_bio.acceleration.definitions import Settings
    from faceage_bio.acceleration.stage import Validity, describe, plain_people
    from faceage_bio.plain import read_plain
    from faceage_bio.tables import write_table

    settings = Settings(definition.value, fit_in.value, folds, tuple(adjust_for))
    found = describe(plain_people(read_plain(table)), settings, Validity(valid_ages, low_resolution))
    for part, path in (("definitions", definitions), ("sensitivity", sensitivity), ("table", participants)):
        if path:
            parts = [getattr(cohort, part) for cohort in found.values()]
            write_table(pd.concat(parts, ignore_index=True), path)


@app.command()
def measure_reliability(
    face_ages: Annotated[
        Path,
        typer.Option(
            help="One row per photo: subject_id, face_age; photo_date and chronological_age there or in --photos."
        ),
    ],
    reliability: Annotated[Path, typer.Option(help="Result table: how far two photos of a person agree.")],
    photos: DATED = None,
    subjects: Annotated[Path | None, typer.Option(help="One row per person: age at the first photo.")] = None,
    within_days: Annotated[int | None, typer.Option(help="Most days between two photos.")] = 730,
    acceleration: Annotated[
        Path | None, typer.Option(help="The analysis table, for slopes corrected for the error of a photo.")
    ] = None,
    attenuation: Annotated[Path | None, typer.Option(help="Result table of corrected slopes.")] = None,
    outcome: Annotated[list[str], typer.Option(help="A column of numbers to correct; repeat.")] = [],
    covariate: Annotated[list[str], typer.Option(help="A column adjusted for besides age; repeat.")] = [],
    per_years: Annotated[float, typer.Option(help="Slopes are per this many years of acceleration.")] = 10.0,
    averaged: Annotated[bool, typer.Option(help="Acceleration is of the mean of n_photos photos.")] = False,
    cohort: Annotated[str, typer.Option(help="Its name in the tables.")] = "",
) -> None:
    """Reliability of one photo from participants with several, and slopes corrected for its error.

    Example: faceage-bio measure-reliability --face-ages photos.tsv --reliability reliability.tsv
    --acceleration participants.tsv --outcome bmi --covariate sex --attenuation attenuation.tsv
    """
    import pandas as pd

    from faceage_bio.acceleration.repeats import (
        attenuation_table,
        measured_error,
        reliability_table,
    )  # fmt: skip
    from faceage_bio.columns import AGE, AGE_ACCELERATION
    from faceage_bio.errors import RunError
    from faceage_bio.plain import read_plain
    from faceage_bio.tables import write_table

    if (acceleration is None) != (attenuation is None):
        raise RunError(
            "--acceleration and --attenuation: expected both or neither, found one. Give the table to read and the one to write, or leave out both."
        )
    dated = _dated(face_ages, photos, subjects)
    table = reliability_table(dated, within_days, cohort)
    write_table(table, reliability)
    if acceleration and attenuation:
        error_sd, error_df = measured_error(table)
        people = read_plain(acceleration, (AGE_ACCELERATION, AGE))
        rows = attenuation_table(people, error_sd, error_df, outcome, covariate, per_years, averaged)
        write_table(rows.assign(cohort=cohort) if cohort else pd.DataFrame(rows), attenuation)


@app.command()
def fit_ageing_rate(
    face_ages: Annotated[
        Path,
        typer.Option(help="One row per photo: subject_id, face_age; photo_date there or in --photos."),
    ],
    subjects: Annotated[
        Path,
        typer.Option(
            help="One row per person: chronological_age and followup_years from the first photo, event."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Result table.")],
    photos: DATED = None,
    days: Annotated[tuple[int, int], typer.Option(help="Least and most days between the photos.")] = (
        10,
        1460,
    ),
    covariate: Annotated[list[str], typer.Option(help="A further column of the full model; repeat.")] = [],
    per_years: Annotated[float, typer.Option(help="Hazard ratios of ages are per this many years.")] = 10.0,
    cohort: Annotated[str, typer.Option(help="Its name in the table.")] = "",
    unit: Units = [],
) -> None:
    """How fast faces age between two dated photos, and whether that predicts death.

    Example: faceage-bio fit-ageing-rate --face-ages photos.tsv --subjects clinical.tsv --covariate sex --output rate.tsv
    """
    from faceage_bio.acceleration.repeats import ageing_rate_table, ageing_rates
    from faceage_bio.age_reached import parse_units
    from faceage_bio.columns import SUBJECT
    from faceage_bio.plain import read_plain
    from faceage_bio.tables import write_table

    people = read_plain(subjects, (SUBJECT,), units=parse_units(unit))
    rates = ageing_rates(_dated(face_ages, photos, subjects), people, days)
    write_table(ageing_rate_table(rates, covariate, per_years, cohort), output)


@app.command()
def compare_definitions(
    acceleration: Annotated[
        Path,
        typer.Option(
            help="One row per person: the table written by define-acceleration --participants, with followup_years and event."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Result table.")],
    per_years: Annotated[float, typer.Option(help="Hazard ratios of years are per this many.")] = 10.0,
    unit: Units = [],
) -> None:
    """Hazard ratio of every definition of age acceleration, without and with chronological age in the model.

    Example: faceage-bio compare-definitions --acceleration accelerated.tsv --output definition_hazards.tsv
    """
    from faceage_bio.acceleration.hazards import definition_hazards
    from faceage_bio.age_reached import parse_units
    from faceage_bio.plain import read_plain
    from faceage_bio.tables import write_table

    write_table(definition_hazards(read_plain(acceleration, units=parse_units(unit)), per_years), output)


def _dated(face_ages: Path, photos: Path | None, subjects: Path | None):
    """Usable photos with dates and ages, from tables of the workflow or plain ones."""
    import pandas as pd

    from faceage_bio.acceleration.repeats import dated_photos
    from faceage_bio.columns import FACE_AGE, PHOTO, SUBJECT
    from faceage_bio.plain import read_plain

    none = pd.DataFrame()
    return dated_photos(
        read_plain(face_ages, (SUBJECT, FACE_AGE), PHOTO),
        read_plain(photos, (PHOTO,), PHOTO) if photos else none,
        read_plain(subjects, (SUBJECT,)) if subjects else none,
    )
