"""Steps for associations with age acceleration, whether they depend on a choice, and whether face ages are as good for each group."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.terminal import check_alongside, counted
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COVARIATES, FACE_AGE, OUTCOMES, POOLED, SUBJECT
from faceage_bio.core.config import Config
from faceage_bio.core.steps import PLAN, Cohort, SharedPhotos, Tables, Units, in_section, section_of, step

Participants = Annotated[
    list[Path],
    "A cohort's table (.parquet, .tsv, .csv) with face_age, chronological_age (years) and what is compared; repeat.",
]
GROUPS = ("fairness.by", "fairness.age_cut_points", "fairness.min_n")
FACES = in_section(
    "faceage", "device batch_size precision detection face_choice min_probability box_mode resize quality"
)


def _gathered(paths: Sequence[Path], unit: Sequence[str], *needed: str, cohort: str = ""):
    """The tables below each other; a plain table is called by its file's name, or as ``cohort`` says."""
    from faceage_bio.analyses.phenotype.comparison_frame import gather
    from faceage_bio.intake.observation import parse_units
    from faceage_bio.intake.plain import read_plain

    units = parse_units(unit)
    tables = [read_plain(path, (FACE_AGE, AGE, *needed), units=units) for path in paths]
    people = gather(tables, [cohort or path.stem for path in paths])
    # patients or controls, if the table says
    return people if "group" in people else people.assign(group=None)


@step(
    uses=["phenotype.exposures", "phenotype.adjust_for", "phenotype.factors", "phenotype.table_one", *PLAN],
    writes={
        "table_one.tsv": "Table 1 by age acceleration",
        "distributions.tsv": "age acceleration in each group, as quantiles",
        "age_histogram.tsv": "participants by age and face age (2-D histogram)",
        "phenotypes.tsv": "years associated with each exposure",
    },
)
def test_phenotypes(
    participants: Annotated[
        Path, "A cohort's table (.parquet, .tsv, .csv) with both ages and age_acceleration."
    ],
    settings: Config,
    cohort: Cohort = "",  # noqa: PT028
    unit: Units = [],  # noqa: PT028
) -> Tables:
    """Table 1 by age acceleration, its distribution in each group, and the years associated with smoking, BMI, ECOG ...

    Years are unadjusted, and adjusted for age and the minimal set.

    Example: faceage-bio test-phenotypes --participants participants.tsv --set phenotype.exposures=smoking,bmi --output phenotype
    """
    from faceage_bio.analyses.phenotype import table_one as spread
    from faceage_bio.analyses.phenotype.contrasts import contrast_exposures
    from faceage_bio.analyses.phenotype.table_one import table_one

    phenotype, name = settings.phenotype, cohort or participants.stem
    factors, shown = [*phenotype.factors, "group"], phenotype.table_one
    people = _gathered([participants], unit, AGE_ACCELERATION, cohort=name)
    return {
        "table_one": table_one(people, shown.columns, factors, shown.groups, name),
        "distributions": spread.distributions(people, factors, name),
        "age_histogram": spread.age_histogram(people, name),
        "phenotypes": contrast_exposures(people, phenotype.exposures, phenotype.adjust_for),
    }


test_phenotypes.__test__ = False  # a step, where a test imports it


@step(
    uses=["phenotype.factors", "phenotype.adjust_for", *PLAN],
    writes={
        "groups.tsv": "patients with cancer against controls",
        "means.tsv": "means of the groups",
        "pairs.tsv": "all pairs of groups",
        "tests.tsv": "whether the groups differ, and trends",
    },
)
def compare_groups(participants: Participants, settings: Config, unit: Units = []) -> Tables:
    """Groups against each other: cancer against controls over all cohorts; means, pairs (Holm, BH), effect sizes, trends of each factor.

    Example: faceage-bio compare-groups --participants cases.tsv --participants controls.tsv --set phenotype.factors=smoking,ecog
    --output pooled
    """
    from faceage_bio.analyses.phenotype.contrasts import compare_groups
    from faceage_bio.analyses.phenotype.group_means import compare_levels

    phenotype, people = settings.phenotype, _gathered(participants, unit)
    levels = compare_levels(people, [*phenotype.factors, "group"], phenotype.adjust_for)
    return {
        "groups": compare_groups(people, phenotype.adjust_for),
        "means": levels.means,
        "pairs": levels.pairs,
        "tests": levels.tests,
    }


@step(
    uses=[
        *in_section("phenotype", "exposures adjust_for dose_response modifiers split_age full_adjustment"),
        "phenotype.covariates", "phenotype.matching", "phenotype.imputation", "acceleration.adjust_for",
    ],
    writes={
        "dose_response.tsv": "slopes, tests of curvature, lowest points",
        "dose_curves.tsv": "dose-response curves with their bands",
        "interactions.tsv": "interaction tests",
        "subgroups.tsv": "estimates in subgroups",
        "matched.tsv": "difference of all participants and of matched pairs",
        "balance.tsv": "standardised differences before and after matching",
        "adjustments.tsv": "estimates under each adjustment set, complete cases and multiple imputation, with E-values",
        "roles.tsv": "which covariate is in which set, and why",
        "specifications.tsv": "one estimate per specification",
        "specification_summary.tsv": "how many specifications agree",
    },
)  # fmt: skip
def fit_association_sensitivity(
    participants: Participants, settings: Config, shared_photos: SharedPhotos = [], unit: Units = []
) -> Tables:
    """Whether associations depend on a choice: dose-response, subgroups, matched pairs, adjustment sets, specification curve.

    Cancer against controls are matched in pairs of nearly the same age. Specifications are all definitions of age acceleration,
    adjustment sets and exclusions.

    Example: faceage-bio fit-association-sensitivity --participants participants.tsv --set phenotype.exposures=smoking
    --set phenotype.full_adjustment=sex,bmi --output pooled
    """
    from faceage_bio.analyses.acceleration.photo_that_counts import flag_shared
    from faceage_bio.analyses.phenotype.adjustment import (
        Plan,
        compare_adjustments,
        vary_specifications,
    )
    from faceage_bio.analyses.phenotype.dose import fit_dose_response
    from faceage_bio.analyses.phenotype.matched import match_groups
    from faceage_bio.analyses.phenotype.phenotype_subgroups import compare_subgroups
    from faceage_bio.core.tables import read_table

    phenotype, people = settings.phenotype, _gathered(participants, unit)
    people = flag_shared(people, [read_table(path) for path in shared_photos])
    matching = phenotype.matching
    exposures, adjust_for = [*phenotype.exposures, "group"], phenotype.adjust_for
    plan = Plan(phenotype.covariates, adjust_for, phenotype.full_adjustment)
    doses = fit_dose_response(people, phenotype.dose_response, adjust_for)
    subgroups = compare_subgroups(people, exposures, phenotype.modifiers, adjust_for, phenotype.split_age)
    pairing = (matching.exact, matching.caliper_years, matching.balance_covariates)
    matched = match_groups(people, "group", *pairing)
    adjusted = compare_adjustments(people, exposures, plan, phenotype.imputation)
    varied = vary_specifications(people, exposures, plan, settings.acceleration.adjust_for)
    return {
        "dose_response": doses.rows,
        "dose_curves": doses.curves,
        "interactions": subgroups.interactions,
        "subgroups": subgroups.forest,
        "matched": matched.rows,
        "balance": matched.balance,
        "adjustments": adjusted.rows,
        "roles": adjusted.roles,
        "specifications": varied.rows,
        "specification_summary": varied.summary,
    }


@step(
    uses=GROUPS,
    files={
        "output/{cohort}/fairness/fairness.tsv": "errors and failures by group; of several cohorts also in pooled/"
    },
)
def assess_fairness(
    participants: Annotated[
        list[Path],
        "A cohort's table with chronological_age, face_age and groups, one row per participant; repeat for each cohort.",
    ],
    output: Annotated[Path, "Folder of the result tables; a plain table is called by its file's name."],
    settings: Config,
    photos: Annotated[
        list[Path],
        "Their photos' face ages (subject_id, status, reason), for failures; repeat in the same order.",
    ] = [],
    unit: Units = [],
) -> None:
    """Error against chronological age, its spread, and failures, by sex, race, age band and their crossings.

    Example: faceage-bio assess-fairness --participants acceleration.parquet --photos face_age.parquet --set fairness.by=sex,race
    --output results

    A plain table does: faceage-bio assess-fairness --participants ages.csv --set fairness.by=sex --output results
    """
    import pandas as pd

    from faceage_bio.analyses.fairness.error import assess_fairness as assess
    from faceage_bio.core.results.row import identified
    from faceage_bio.core.tables import cohort_of, read_table, write_table
    from faceage_bio.intake.observation import parse_units
    from faceage_bio.intake.plain import read_plain

    check_alongside("--participants", len(participants), photos=photos)
    chosen = settings.fairness
    people = [read_plain(path, units=parse_units(unit)) for path in participants]
    judged = [read_table(path) for path in photos]
    parts = {
        cohort_of(table, path.stem): (table, judged[k] if judged else None, None)
        for k, (table, path) in enumerate(zip(people, participants, strict=True))
    }
    if len(people) > 1:

        def joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
            """Two tables may number their participants alike."""
            apart = [
                one.assign(**{SUBJECT: f"{k} " + one[SUBJECT].astype(str)}) if SUBJECT in one else one
                for k, one in enumerate(tables)
            ]
            return pd.concat([one.astype(object) for one in apart], ignore_index=True).infer_objects()

        parts[POOLED] = (joined(people), joined(judged) if judged else None, POOLED)
    for name, (table, of_photos, cohort) in parts.items():
        rows = assess(table, chosen.by, chosen.age_cut_points, chosen.min_n, of_photos, cohort)
        write_table(identified(rows, table), output / name / "fairness" / "fairness.tsv")
        print(f"{name}: {len(rows)} rows on {len(table)} participants")


@step(
    uses=["fairness", *FACES],
    writes={"stress.tsv": "changes of face ages; no row is about one photo"},
    hides=(*OUTCOMES, *COVARIATES, "group", "age_*", "acceleration_*", "flags"),
)
def stress_photos(
    photo_folder: Annotated[list[Path], "Folder with photos; repeat for each cohort."],
    model: Annotated[Path, "Folder written by `weights import`."],
    settings: Config,
    photos: Annotated[
        list[Path],
        "Photo table (path, subject_id) of each folder, in order; without it all pictures of the folder.",
    ] = [],
    face_ages: Annotated[list[Path], "The run's face ages, in order: only photos with one are drawn."] = [],
    participants: Annotated[
        list[Path], "Table with the groups (subject_id, sex, chronological_age), in order."
    ] = [],
    workers: Annotated[int, typer.Option(help="Processes side by side; 0: one per core.", min=0)] = 0,
) -> Tables:
    """Age a sample of photos again in worse light, blurred, compressed, shrunk, grey, noisy, turned: how far do ages move?

    All steps from photo to age are repeated in memory for each degree; only numbers on groups are written.

    Example: faceage-bio stress-photos --photo-folder photos --model my-study/model --output fairness

    With groups: add --photos photos.parquet --participants acceleration.parquet
    """
    from functools import partial

    from faceage_bio.analyses.fairness.image_degradation import summarise_cohorts
    from faceage_bio.core.tables import read_table
    from faceage_bio.faces.faceage.photo import load_tools
    from faceage_bio.faces.faceage.predict import choose_device, count_workers
    from faceage_bio.faces.faceage.stress import N_STEPS, gather_samples
    from faceage_bio.faces.faceage.stress import stress_photos as stress

    given = {"photos": photos, "face_ages": face_ages, "participants": participants}
    check_alongside("--photo-folder", len(photo_folder), **given)
    fairness, faces = settings.fairness, section_of(settings.faceage)
    tables = ([read_table(path) for path in paths] for paths in given.values())
    sample = gather_samples(photo_folder, *tables, fairness.stress_photos, fairness.by)
    chosen = choose_device(settings.faceage.device)
    processes = count_workers(workers or None, chosen, N_STEPS * len(sample))
    print(f"{len(sample)} photos on {chosen}, {processes} worker(s)", flush=True)
    load = partial(load_tools, [model], chosen, faces)
    with counted("photos", len(sample)) as progress:
        changes = stress(sample, load, workers=processes, one_owner=chosen == "cuda", progress=progress)
    table = summarise_cohorts(changes, fairness.by, fairness.age_cut_points, fairness.min_n)
    lost = changes["condition"].isna().sum()
    print(f"{len(table)} rows; {lost} of {len(sample)} photos had no age as they are")
    return {"stress": table}
