"""Steps from face age to age acceleration, and for several photos of the same person."""

from pathlib import Path
from typing import Annotated

from faceage_bio.cli.terminal import check_of_each_cohort
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COHORT, FACE_AGE, PHOTO, SUBJECT
from faceage_bio.core.config import Config
from faceage_bio.core.steps import PHOTO_THAT_COUNTS, Cohort, Tables, Units, in_section, step

DEFINED = in_section("acceleration", "definition fit_in folds adjust_for valid_ages low_resolution")
SLOPES_PER_YEARS = 10.0  # slopes on age acceleration are corrected per so many


@step(
    uses=[*PHOTO_THAT_COUNTS, *DEFINED],
    files={
        "results/{cohort}/acceleration/acceleration.parquet": "participants with face age, age gap and age acceleration (private)",
        "results/{cohort}/acceleration/ledger.tsv": "who was excluded, and why (private)",
        "results/{cohort}/acceleration/summary.tsv": "age gap and age acceleration",
        "results/{cohort}/acceleration/age_bands.tsv": "the same by age band",
        "results/{cohort}/acceleration/sensitivity.tsv": "without ages and faces outside of the test",
    },
)
def compute_acceleration(
    subjects: Annotated[list[Path], "The cohort's subjects.parquet; repeat for each cohort."],
    photos: Annotated[list[Path], "Its photos.parquet, in the same order."],
    face_ages: Annotated[list[Path], "Its face_age.parquet, in the same order."],
    results: Annotated[Path, "Results folder."],
    settings: Config,
    cohort: Annotated[str, "Write the tables of this cohort alone."] = "",
) -> None:
    """Age gap and age acceleration of a cohort; with acceleration.fit_in=reference, from the controls of all cohorts that are given.

    Definitions that need the controls of all cohorts are compared by tabulate-definitions.

    Example: faceage-bio compute-acceleration --subjects subjects.parquet --photos photos.parquet
    --face-ages face_age.parquet --results results
    """
    from faceage_bio.analyses.acceleration.acceleration_stage import PLACES, compute
    from faceage_bio.core.results.row import identified
    from faceage_bio.core.tables import read_table, write_table

    check_of_each_cohort(subjects=subjects, photos=photos, face_ages=face_ages)
    names = [path.parts[-3] if len(path.parts) > 2 else path.stem for path in map(Path.absolute, subjects)]
    tables = [[read_table(path) for path in paths] for paths in (subjects, photos, face_ages)]
    chosen = settings.acceleration
    places = PLACES if chosen.fit_in == "reference" else PLACES[:1]
    for name, made in compute(*tables, names, chosen, places).items():
        if cohort not in ("", name):
            continue
        folder = results / name / "acceleration"
        write_table(made.table, folder / "acceleration.parquet")
        write_table(made.ledger, folder / "ledger.tsv")
        for part in ("summary", "age_bands", "sensitivity"):
            write_table(identified(getattr(made, part), made.table), folder / f"{part}.tsv")
        n = made.table[AGE_ACCELERATION].notna().sum()
        print(f"{name}: age acceleration of {n} of {len(made.table)} subjects")


@step(
    uses=[*DEFINED, "survival.per_years"],
    files={
        "results/{cohort}/acceleration/definitions.parquet": "participants with a column per definition (private)",
        "results/{cohort}/acceleration/definitions.tsv": "every definition and its dependence on age",
        "results/{cohort}/acceleration/definition_bands.tsv": "the same by age band",
        "results/{cohort}/acceleration/definition_hazards.tsv": "hazard ratio of each definition",
    },
)
def tabulate_definitions(
    participants: Annotated[list[Path], "A cohort's acceleration.parquet; repeat for each cohort."],
    results: Annotated[Path, "Results folder."],
    settings: Config,
    followed: Annotated[list[Path], "follow_up.parquet of each cohort that has one; repeat."] = [],
) -> None:
    """Every definition of age acceleration side by side, those fitted in the controls of all cohorts among them, and their hazard ratios.

    Example: faceage-bio tabulate-definitions --participants acceleration.parquet --followed follow_up.parquet --results results
    """
    from faceage_bio.analyses.acceleration.acceleration_stage import describe
    from faceage_bio.analyses.acceleration.definitions import definition_hazards
    from faceage_bio.core.results.row import identified
    from faceage_bio.core.tables import cohort_of, read_table, write_table

    tables = [read_table(path) for path in participants]
    own = {str(table[COHORT].iloc[0]): table for table in tables if len(table)}
    found = describe(own, settings.acceleration)
    for name, made in found.items():
        folder = results / name / "acceleration"
        write_table(made.table, folder / "definitions.parquet")
        for part in ("definitions", "definition_bands"):
            write_table(identified(getattr(made, part), made.table), folder / f"{part}.tsv")
    for people in map(read_table, followed):
        name = cohort_of(people)
        if name in found:
            new = [column for column in found[name].table if column not in people]
            whole = people.merge(found[name].table[[SUBJECT, *new]], on=SUBJECT, how="left")
            rows = definition_hazards(whole, settings.survival.per_years)
            write_table(identified(rows, people), results / name / "acceleration" / "definition_hazards.tsv")


@step(uses=[*DEFINED, "survival.per_years"])
def define_acceleration(
    table: Annotated[
        Path,
        "One row per participant: subject_id, face_age, chronological_age; sex, group, cohort; for --hazards followup_years, event.",
    ],
    definitions: Annotated[Path, "Result table: every definition and how it depends on age."],
    settings: Config,
    sensitivity: Annotated[Path | None, "Result table: without ages and faces outside of the test."] = None,
    participants: Annotated[
        Path | None, "The table with a column per definition, for its owner only."
    ] = None,
    hazards: Annotated[Path | None, "Result table: hazard ratio of each definition."] = None,
    unit: Units = [],
) -> None:
    """Every definition of age acceleration side by side, from a plain table of participants with both ages.

    Example: faceage-bio define-acceleration --table participants.tsv --definitions definitions.tsv --participants accelerated.tsv
    """
    import pandas as pd

    from faceage_bio.analyses.acceleration.acceleration_stage import describe, plain_people
    from faceage_bio.analyses.acceleration.definitions import definition_hazards
    from faceage_bio.core.tables import write_table
    from faceage_bio.intake.observation import parse_units
    from faceage_bio.intake.plain import read_plain

    people = read_plain(table, units=parse_units(unit))
    found = describe(plain_people(people), settings.acceleration)
    if hazards:
        rows = [definition_hazards(cohort.table, settings.survival.per_years) for cohort in found.values()]
        write_table(pd.concat(rows, ignore_index=True), hazards)
    for part, path in (("definitions", definitions), ("sensitivity", sensitivity), ("table", participants)):
        if path:
            parts = [getattr(cohort, part) for cohort in found.values()]
            write_table(pd.concat(parts, ignore_index=True), path)


@step(
    uses=[
        *in_section("acceleration", "repeats_within_days outcomes repeat_photos ageing_rate_days ageing_rate_strata"),
        "phenotype.adjust_for", "survival.per_years", "survival.covariates",
    ],
    writes={
        "reliability.tsv": "how far two photos of a person agree",
        "attenuation.tsv": "slopes corrected for the error of a photo; with --participants",
        "ageing_rate.tsv": "how fast faces age, and whether that predicts death; with --subjects",
    },
)  # fmt: skip
def measure_repeats(
    face_ages: Annotated[
        Path,
        "One row per photo: subject_id, face_age; photo_date and chronological_age there or in --photos.",
    ],
    settings: Config,
    photos: Annotated[Path | None, "Its photos.parquet, if dates do not stand among the face ages."] = None,
    subjects: Annotated[
        Path | None,
        "One row per participant: chronological_age and followup_years from the first photo, event.",
    ] = None,
    participants: Annotated[
        Path | None, "The table with age acceleration, for slopes corrected for the error of a photo."
    ] = None,
    cohort: Cohort = "",
    unit: Units = [],
) -> Tables:
    """Participants with several photos: reliability of one, slopes corrected for its error, ageing rate.

    Ageing rates are of two dated photos.

    Example: faceage-bio measure-repeats --face-ages photos.tsv --participants participants.tsv --subjects clinical.tsv
    --set acceleration.outcomes=bmi --output acceleration
    """
    import pandas as pd

    from faceage_bio.analyses.acceleration.repeats import (
        ageing_rate_table,
        ageing_rates,
        attenuation_table,
        dated_photos,
        measured_error,
        reliability_table,
        strata_of,
    )
    from faceage_bio.intake.observation import parse_units
    from faceage_bio.intake.plain import read_plain

    chosen, units = settings.acceleration, parse_units(unit)
    known = read_plain(subjects, (SUBJECT,), units=units) if subjects else pd.DataFrame()
    dated = dated_photos(
        read_plain(face_ages, (SUBJECT, FACE_AGE), PHOTO),
        read_plain(photos, (PHOTO,), PHOTO) if photos else pd.DataFrame(),
        known,
    )
    made = {"reliability": reliability_table(dated, chosen.repeats_within_days, cohort)}
    if participants:
        error_sd, error_df = measured_error(made["reliability"])
        people = read_plain(participants, (AGE_ACCELERATION, AGE))
        rows = attenuation_table(
            people, error_sd, error_df, chosen.outcomes, settings.phenotype.adjust_for, SLOPES_PER_YEARS, chosen.repeat_photos == "mean"
        )  # fmt: skip
        made["attenuation"] = rows.assign(cohort=cohort) if cohort else pd.DataFrame(rows)
    if subjects:
        rates = ageing_rates(dated, known, tuple(chosen.ageing_rate_days))
        covariates = [name for name in settings.survival.covariates if name == "sex" and name in known]
        strata = strata_of(chosen.ageing_rate_days, chosen.ageing_rate_strata)
        made["ageing_rate"] = ageing_rate_table(
            rates, covariates, settings.survival.per_years, cohort, strata
        )
    return made
