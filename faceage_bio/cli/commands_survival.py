"""Steps for survival: who is followed for how long, Cox models, curves."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.core.config import Config
from faceage_bio.core.steps import PLAN, Cohort, SharedPhotos, Tables, Units, step

Participants = Annotated[
    Path,
    typer.Option(
        help="A table (.parquet, .tsv, .csv) with face_age, chronological_age and followup_years (years), event (1 = died), "
        "and covariates.",
    ),
]
MODELS = tuple(
    f"survival.{name}"
    for name in ("sequential_adjustment", "covariates", "groups", "strata", "cluster", "per_years")
)
GROUPS = ("survival.curves", "survival.times_years", "survival.interval")


def read_followed(path: Path, covariates: Sequence[str] = (), units: Sequence[str] = ()):
    """The checked table, and of it those with usable follow-up; what models will not be able to tell goes to the log."""
    from faceage_bio.analyses.survival.check import hints, read_people
    from faceage_bio.analyses.survival.follow_up import prepare
    from faceage_bio.intake.age_reached import parse_units

    table = read_people(path, parse_units(units))
    usable, _ = prepare(table)
    for hint in hints(table, usable, covariates, str(path)):
        print(f"note: {hint}")
    return table, usable


def name_of(table, path: Path) -> str:
    """The cohort's name."""
    return str(table["cohort"].iloc[0]) if len(table) else path.stem


def _modelled(participants: Path, settings: Config, cohort: str, unit: Sequence[str]):
    """Participants with follow-up, their covariates grouped, the choices of all models, and the cohort's name."""
    from faceage_bio.analyses.survival.cox_models import Choices, grouped

    survival = settings.survival
    choices = Choices(
        survival.per_years, survival.sequential_adjustment, survival.covariates, survival.groups, survival.strata, survival.cluster
    )  # fmt: skip
    table, usable = read_followed(participants, choices.full, unit)
    return grouped(usable, choices.groups), choices, cohort or name_of(table, participants)


@step(
    uses=[
        f"survival.{name}"
        for name in (
            "time_zero",
            "landmark_years",
            "horizon_years",
            "end_date",
            "year_days",
            "sequential_adjustment",
            "covariates",
        )
    ],
    writes={
        "follow_up.parquet": "participants on the chosen time",
        "ledger.tsv": "who is in the full model, and why not",
    },
)
def prepare_follow_up(
    participants: Participants, settings: Config, cohort: Cohort = "", unit: Units = []
) -> Tables:
    """Time zero, delayed entry, landmark, end of observation: the participants and times that all survival steps use.

    Example: faceage-bio prepare-follow-up --participants participants.tsv --set survival.time_zero=diagnosis_date
    --set survival.horizon_years=5 --output survival
    """
    from faceage_bio.analyses.survival.check import read_people
    from faceage_bio.analyses.survival.follow_up import REASON, Time, mark, survival_ledger
    from faceage_bio.intake.age_reached import parse_units

    survival = settings.survival
    table = read_people(participants, parse_units(unit))
    time = Time(
        survival.time_zero, survival.landmark_years, survival.horizon_years, survival.end_date, survival.year_days
    )  # fmt: skip
    marked = mark(table, time)
    followed = marked[marked[REASON] == ""]
    print(
        f"{cohort or name_of(table, participants)}: {len(followed)} of {len(table)} subjects with follow-up, {int(followed['event'].sum())} deaths"
    )
    return {
        "follow_up": marked,
        "ledger": survival_ledger(marked, [*survival.sequential_adjustment, *survival.covariates]),
    }


@step(
    uses=[
        *MODELS, "survival.firth", "survival.alpha", "survival.split_years", "survival.rmst_years", "survival.heterogeneity_by",
        "survival.added_value", "survival.permutations", "survival.seed", *PLAN,
    ],
    writes={
        "type_one_error.tsv": "the test of face age adjusted for age on permuted face ages",
        "cox.tsv": "Cox models",
        "age_comparison.tsv": "face age against chronological age",
        "proportional_hazards.tsv": "tests of proportional hazards",
        "proportional_hazards_curve.tsv": "hazard ratios over time, smooth and binned",
        "remedies.tsv": "what is fitted where hazards are not proportional",
        "sites.tsv": "hazard ratio within each site, and the test that they differ",
        "added_value.tsv": "measures of models with and without face age, and their differences",
        "calibration.tsv": "predicted against observed risks",
        "decision_curve.tsv": "net benefit by threshold",
    },
)  # fmt: skip
def fit_survival(
    participants: Participants, settings: Config, cohort: Cohort = "", unit: Units = []
) -> Tables:
    """Cox models from each age alone to all covariates, proportional hazards, sites, and what face age adds.

    Proportional hazards are tested as in R's cox.zph. The added value is measured by models with and without face age on the same
    participants: likelihood ratio, C, AUC, Brier score, calibration, net benefit.

    Example: faceage-bio fit-survival --participants participants.tsv --set survival.sequential_adjustment=sex --set survival.covariates=sex,ecog --output survival
    """
    from faceage_bio.analyses.survival.added_value import added_value
    from faceage_bio.analyses.survival.age_comparison import compare_ages
    from faceage_bio.analyses.survival.permuted_face_age import permuted_hazards
    from faceage_bio.analyses.survival.proportional import proportional_hazards
    from faceage_bio.analyses.survival.questions import questions
    from faceage_bio.analyses.survival.sequential_models import sequential_cox_models
    from faceage_bio.analyses.survival.sites import compare_sites
    from faceage_bio.cli.progress import counted

    survival, value = settings.survival, settings.survival.added_value
    frame, choices, name = _modelled(participants, settings, cohort, unit)
    with_firth = replace(choices, firth=survival.firth)
    hazards = proportional_hazards(
        frame, choices, name, alpha=survival.alpha, split_years=survival.split_years, rmst_years=survival.rmst_years
    )  # fmt: skip
    with counted("bootstrap samples", value.bootstraps * len(questions(frame, choices))) as done:
        added = added_value(
            frame, choices, name, times=value.times_years, bootstraps=value.bootstraps, seed=value.seed, groups=value.risk_groups, done=done
        )  # fmt: skip
    tests = added.rows[(added.rows.kind == "test") & added.rows.p_value.notna()]
    for row in tests.itertuples():
        print(
            f"{name}: {row.comparison}, {row.term}: p {row.p_value:.3g} ({row.n} participants, {row.n_events} deaths)"
        )
    return {
        "type_one_error": permuted_hazards(frame, choices, name, survival.permutations, survival.seed),
        "cox": sequential_cox_models(frame, with_firth, name),
        "age_comparison": compare_ages(frame, with_firth, name),
        "proportional_hazards": hazards.tests,
        "proportional_hazards_curve": hazards.curve,
        "remedies": hazards.remedies,
        "sites": compare_sites(frame, survival.heterogeneity_by, replace(choices, covariates=[]), name),
        "added_value": added.rows,
        "calibration": added.calibration,
        "decision_curve": added.decisions,
    }


@step(
    uses=[
        *MODELS, "survival.modifiers", "survival.split_age", "survival.early_death_years", "survival.gap_classes", "survival.imputation",
    ],
    writes={
        "hazard_curve_tests.tsv": "tests that the hazard is a straight line",
        "hazard_curve.tsv": "hazard ratio by years of age acceleration",
        "hazard_curve_histogram.tsv": "participants by years of age acceleration",
        "subgroups.tsv": "hazard ratio in subgroups, and the tests that they differ",
        "sensitivity.tsv": "the headline among fewer participants and by gap classes",
        "imputed.tsv": "the full model, complete cases and multiple imputation",
    },
)  # fmt: skip
def fit_survival_sensitivity(
    participants: Participants,
    settings: Config,
    shared_photos: SharedPhotos = [],
    cohort: Cohort = "",
    unit: Units = [],
) -> Tables:
    """Whether the hazard ratio depends on a choice: spline, subgroups, fewer participants, gap classes, multiple imputation.

    Example: faceage-bio fit-survival-sensitivity --participants participants.tsv --set survival.modifiers=sex,chronological_age --output survival
    """
    from faceage_bio.analyses.acceleration.photo_that_counts import flag_shared
    from faceage_bio.analyses.survival.hazard_curve import hazard_curve
    from faceage_bio.analyses.survival.imputed import impute_full_model
    from faceage_bio.analyses.survival.subgroups import subgroup_hazards
    from faceage_bio.analyses.survival.survival_sensitivity import sensitivity
    from faceage_bio.core.tables import read_table

    survival, imputation = settings.survival, settings.survival.imputation
    frame, choices, name = _modelled(participants, settings, cohort, unit)
    frame = flag_shared(frame, [read_table(path) for path in shared_photos])
    curve = hazard_curve(frame, choices, name)
    return {
        "hazard_curve_tests": curve.rows,
        "hazard_curve": curve.curve,
        "hazard_curve_histogram": curve.histogram,
        "subgroups": subgroup_hazards(frame, survival.modifiers, choices, name, split_age=survival.split_age),
        "sensitivity": sensitivity(
            frame,
            choices,
            name,
            early_death_years=survival.early_death_years,
            gap_classes=survival.gap_classes,
        ),
        "imputed": impute_full_model(
            frame, choices, name, m=imputation.m, iterations=imputation.iterations, seed=imputation.seed
        ),
    }


@step(
    uses=[
        *GROUPS, "survival.rmst_years", "survival.log_rank_strata", "survival.fleming_harrington", "survival.cause_of_interest",
        "survival.per_years",
    ],
    writes={
        "kaplan_meier.tsv": "curves with intervals and numbers at risk",
        "at_risk.tsv": "who is at risk at whole years",
        "summary.tsv": "follow-up, medians, survival, restricted means, tests",
        "competing_risks.tsv": "incidence at fixed times, Gray's tests, hazard ratios",
        "cumulative_incidence.tsv": "curves of cumulative incidence",
        "incidence_at_risk.tsv": "who is at risk in them at whole years",
    },
)  # fmt: skip
def estimate_curves(
    participants: Participants, settings: Config, cohort: Cohort = "", unit: Units = []
) -> Tables:
    """Kaplan-Meier curves and cumulative incidence by prespecified groups. No cut-point is searched for.

    Death of one cause while others compete: incidence, Gray's test, cause-specific and Fine-Gray hazard ratios; it needs
    a column `cause` (of the dead), and without it the result says that this was not run.

    Example: faceage-bio estimate-curves --participants participants.tsv --set survival.curves.face_age=65,75,85 --set survival.curves.smoking=levels
    --output survival
    """
    from faceage_bio.analyses.survival.causes_of_death import (
        check_causes,
        competing_rows,
        incidence_at_risk,
        incidence_curves,
        why_not,
        with_codes,
    )
    from faceage_bio.analyses.survival.curve_summary import Reading, summarise
    from faceage_bio.analyses.survival.curves import curves_by_group, risk_by_group
    from faceage_bio.analyses.survival.groupings import part

    survival, cause, interval = (
        settings.survival,
        settings.survival.cause_of_interest,
        settings.survival.interval,
    )
    table, usable = read_followed(participants, units=unit)
    check_causes(table, str(participants), 1 if participants.suffix == ".parquet" else 2)
    name = cohort or name_of(table, participants)
    groups = [part(usable, column, rule) for column, rule in survival.curves.items()]
    reading = Reading(
        survival.times_years, survival.rmst_years, interval, survival.log_rank_strata, survival.fleming_harrington
    )  # fmt: skip
    why = why_not(usable, cause)
    died = usable.head(0).assign(cause_code=[]) if why else with_codes(usable, cause)[0]
    print(f"{name}: {len(usable)} of {len(table)} participants by {', '.join(survival.curves)}")
    if why:
        print(f"{name}: competing risks not run, because {why}")
    return {
        "kaplan_meier": curves_by_group(usable, groups, interval, name),
        "at_risk": risk_by_group(usable, groups, name),
        "summary": summarise(usable, groups, reading, name),
        "competing_risks": competing_rows(
            usable, groups, cause, survival.times_years, interval, survival.per_years, name
        ),
        "cumulative_incidence": incidence_curves(died, groups, cause, interval, name),
        "incidence_at_risk": incidence_at_risk(died, groups, name),
    }
