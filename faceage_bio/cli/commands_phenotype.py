"""Steps for associations with age acceleration: within a cohort, over all cohorts, and whether they depend on a choice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.core.config import Config
from faceage_bio.core.steps import PLAN, Cohort, SharedPhotos, Tables, Units, step

Participants = Annotated[
    list[Path],
    typer.Option(
        help="A cohort's table (.parquet, .tsv, .csv) with face_age, chronological_age (years) and what is compared; repeat.",
    ),
]


def _gathered(paths: Sequence[Path], unit: Sequence[str]):
    """The tables below each other; a plain table is called by its file's name."""
    from faceage_bio.analyses.phenotype.people import gather
    from faceage_bio.intake.age_reached import parse_units
    from faceage_bio.intake.plain import read_plain

    units = parse_units(unit)
    people = gather([read_plain(path, units=units) for path in paths], [path.stem for path in paths])
    return (
        people if "group" in people else people.assign(group=None)
    )  # patients or controls, if the table says


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
        Path,
        typer.Option(help="A cohort's table (.parquet, .tsv, .csv) with both ages and age_acceleration."),
    ],
    settings: Config,
    cohort: Cohort = "",  # noqa: PT028
    unit: Units = [],  # noqa: PT028
) -> Tables:
    """Table 1 by age acceleration, its distribution in each group, and the years associated with smoking, BMI, ECOG ...

    Years are unadjusted, and adjusted for age and the minimal set.

    Example: faceage-bio test-phenotypes --participants participants.tsv --set phenotype.exposures=smoking,bmi --output phenotype
    """
    from faceage_bio.analyses.phenotype import distributions as spread
    from faceage_bio.analyses.phenotype.contrasts import contrast_exposures
    from faceage_bio.analyses.phenotype.people import gather
    from faceage_bio.analyses.phenotype.table_one import table_one
    from faceage_bio.core.columns import AGE, AGE_ACCELERATION, FACE_AGE
    from faceage_bio.intake.age_reached import parse_units
    from faceage_bio.intake.plain import read_plain

    phenotype, name = settings.phenotype, cohort or participants.stem
    factors = [*phenotype.factors, "group"]
    table = read_plain(participants, (FACE_AGE, AGE, AGE_ACCELERATION), units=parse_units(unit))
    people = gather([table], [name])
    people = people if "group" in people else people.assign(group=None)
    return {
        "table_one": table_one(
            people, phenotype.table_one.columns, factors, phenotype.table_one.groups, name
        ),
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
        *(f"phenotype.{name}" for name in ("exposures", "adjust_for", "dose_response", "modifiers", "split_age", "full_adjustment")),
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
    from faceage_bio.analyses.phenotype.adjustment import Covariate, Plan, compare_adjustments
    from faceage_bio.analyses.phenotype.dose import fit_dose_response
    from faceage_bio.analyses.phenotype.matched import match_groups
    from faceage_bio.analyses.phenotype.phenotype_subgroups import compare_subgroups
    from faceage_bio.analyses.phenotype.specifications import vary_specifications
    from faceage_bio.core.tables import read_table

    phenotype, people = settings.phenotype, _gathered(participants, unit)
    people = flag_shared(people, [read_table(path) for path in shared_photos])
    matching = phenotype.matching
    exposures, adjust_for = [*phenotype.exposures, "group"], phenotype.adjust_for
    covariates = {
        name: Covariate(one.role, one.reason, one.exceptions) for name, one in phenotype.covariates.items()
    }
    plan = Plan(covariates, adjust_for, phenotype.full_adjustment)
    doses = fit_dose_response(people, phenotype.dose_response, adjust_for)
    subgroups = compare_subgroups(people, exposures, phenotype.modifiers, adjust_for, phenotype.split_age)
    matched = match_groups(
        people, "group", matching.exact, matching.caliper_years, matching.balance_covariates
    )
    adjusted = compare_adjustments(
        people, exposures, plan, m=phenotype.imputation.m, iterations=phenotype.imputation.iterations, seed=phenotype.imputation.seed
    )  # fmt: skip
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
