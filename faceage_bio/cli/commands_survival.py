"""Steps for survival: who is followed for how long, Cox models, curves, clinical scores, the reader study."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from faceage_bio.cli.terminal import Commands, counted
from faceage_bio.core.columns import FOLLOW_UP_REASON
from faceage_bio.core.config import Config
from faceage_bio.core.errors import Problems
from faceage_bio.core.steps import PLAN, Cohort, SharedPhotos, Tables, Units, in_section, step

app = Commands()

Participants = Annotated[
    Path,
    "A table (.parquet, .tsv, .csv) with face_age, chronological_age and followup_years (years), event (1 = died), "
    "and covariates.",
]
MODELS = in_section("survival", "sequential_adjustment covariates groups strata cluster per_years")
WhenAbsent = Annotated[
    Literal["stop", "tell"],
    "What happens where the table lacks columns of a score: an error, or a row that says so.",
]


def read_followed(path: Path, covariates: Sequence[str] = (), units: Sequence[str] = ()):
    """The checked table, and of it those with usable follow-up; what models will not be able to tell goes to the log."""
    from faceage_bio.analyses.survival.follow_up import constant_acceleration, hints, prepare, read_people
    from faceage_bio.intake.observation import parse_units

    table = read_people(path, parse_units(units))
    usable, _ = prepare(table)
    for hint in [*constant_acceleration(table, str(path)), *hints(table, usable, covariates, str(path))]:
        print(f"note: {hint}")
    return table, usable


def _modelled(participants: Path, settings: Config, cohort: str, unit: Sequence[str]):
    """Participants with follow-up, their covariates grouped, the choices of all models, and the cohort's name."""
    from faceage_bio.analyses.survival.cox_models import Choices, grouped
    from faceage_bio.core.tables import cohort_of

    choices = Choices.of(settings.survival)
    table, usable = read_followed(participants, choices.full, unit)
    return grouped(usable, choices.groups), choices, cohort or cohort_of(table, participants.stem)


@step(
    uses=in_section(
        "survival",
        "time_zero landmark_years horizon_years end_date year_days sequential_adjustment covariates",
    ),
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
    from faceage_bio.analyses.survival.follow_up import mark, read_people, survival_ledger
    from faceage_bio.core.tables import cohort_of
    from faceage_bio.intake.observation import parse_units

    survival = settings.survival
    table = read_people(participants, parse_units(unit), survival.year_days)
    marked = mark(table, survival)
    followed, name = marked[marked[FOLLOW_UP_REASON] == ""], cohort or cohort_of(table, participants.stem)
    deaths = int(followed["event"].sum())
    print(f"{name}: {len(followed)} of {len(table)} subjects with follow-up, {deaths} deaths")
    return {
        "follow_up": marked,
        "ledger": survival_ledger(marked, [*survival.sequential_adjustment, *survival.covariates]),
    }


@step(
    uses=[
        *MODELS,
        *in_section(
            "survival", "firth alpha split_years rmst_years heterogeneity_by added_value permutations seed"
        ),
        *PLAN,
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
)
def fit_survival(
    participants: Participants, settings: Config, cohort: Cohort = "", unit: Units = []
) -> Tables:
    """Cox models from each age alone to all covariates, proportional hazards, sites, and what face age adds.

    Proportional hazards are tested as in R's cox.zph. The added value is measured by models with and without face age on the same
    participants: likelihood ratio, C, AUC, Brier score, calibration, net benefit.

    Example: faceage-bio fit-survival --participants participants.tsv --set survival.sequential_adjustment=sex --set survival.covariates=sex,ecog --output survival
    """
    from faceage_bio.analyses.survival.added_value import added_value
    from faceage_bio.analyses.survival.predictions import questions
    from faceage_bio.analyses.survival.proportional import proportional_hazards
    from faceage_bio.analyses.survival.sequential_models import compare_ages, sequential_cox_models
    from faceage_bio.analyses.survival.subgroups import compare_sites
    from faceage_bio.analyses.survival.survival_sensitivity import permuted_hazards
    from faceage_bio.report.words import p_equals

    survival, value = settings.survival, settings.survival.added_value
    frame, choices, name = _modelled(participants, settings, cohort, unit)
    with_firth = replace(choices, firth=survival.firth)
    hazards = proportional_hazards(frame, choices, name, survival)
    with counted("bootstrap samples", value.bootstraps * len(questions(frame, choices))) as done:
        added = added_value(frame, choices, name, value, done)
    tests = added.rows[(added.rows.kind == "test") & added.rows.p_value.notna()]
    for row in tests.itertuples():
        whose = f"{row.n} participants, {row.n_events} deaths"
        print(f"{name}: {row.comparison}, {row.term}: p {p_equals(row.p_value)} ({whose})")
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
    uses=[*MODELS, *in_section("survival", "modifiers split_age early_death_years gap_classes imputation")],
    writes={
        "hazard_curve_tests.tsv": "tests that the hazard is a straight line",
        "hazard_curve.tsv": "hazard ratio by years of age acceleration",
        "hazard_curve_histogram.tsv": "participants by years of age acceleration",
        "subgroups.tsv": "hazard ratio in subgroups, and the tests that they differ",
        "sensitivity.tsv": "the headline among fewer participants and by gap classes",
        "imputed.tsv": "the full model, complete cases and multiple imputation",
    },
)
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
    from faceage_bio.analyses.survival.proportional import hazard_curve
    from faceage_bio.analyses.survival.subgroups import subgroup_hazards
    from faceage_bio.analyses.survival.survival_sensitivity import impute_full_model, sensitivity
    from faceage_bio.core.tables import read_table

    survival = settings.survival
    frame, choices, name = _modelled(participants, settings, cohort, unit)
    frame = flag_shared(frame, [read_table(path) for path in shared_photos])
    curve = hazard_curve(frame, choices, name)
    fewer = {"early_death_years": survival.early_death_years, "gap_classes": survival.gap_classes}
    return {
        "hazard_curve_tests": curve.rows,
        "hazard_curve": curve.curve,
        "hazard_curve_histogram": curve.histogram,
        "subgroups": subgroup_hazards(frame, survival.modifiers, choices, name, split_age=survival.split_age),
        "sensitivity": sensitivity(frame, choices, name, **fewer),
        "imputed": impute_full_model(frame, choices, name, survival.imputation),
    }


@step(
    uses=in_section(
        "survival",
        "curves times_years interval rmst_years log_rank_strata fleming_harrington cause_of_interest per_years",
    ),
    writes={
        "kaplan_meier.tsv": "curves with intervals and numbers at risk",
        "at_risk.tsv": "who is at risk at whole years",
        "summary.tsv": "follow-up, medians, survival, restricted means, tests",
        "competing_risks.tsv": "incidence at fixed times, Gray's tests, hazard ratios",
        "cumulative_incidence.tsv": "curves of cumulative incidence",
        "incidence_at_risk.tsv": "who is at risk in them at whole years",
    },
)
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
        incidence_curves,
        why_not,
        with_codes,
    )
    from faceage_bio.analyses.survival.curves import curves_by_group, part, risk_by_group, summarise
    from faceage_bio.core.tables import cohort_of

    survival = settings.survival
    cause, interval = survival.cause_of_interest, survival.interval
    table, usable = read_followed(participants, units=unit)
    check_causes(table, str(participants), 1 if participants.suffix == ".parquet" else 2)
    name = cohort or cohort_of(table, participants.stem)
    groups = [part(usable, column, rule) for column, rule in survival.curves.items()]
    why = why_not(usable, cause)
    died = usable.head(0).assign(cause_code=[]) if why else with_codes(usable, cause)[0]
    print(f"{name}: {len(usable)} of {len(table)} participants by {', '.join(survival.curves)}")
    if why:
        print(f"{name}: competing risks not run, because {why}")
    return {
        "kaplan_meier": curves_by_group(usable, groups, interval, name),
        "at_risk": risk_by_group(usable, groups, name),
        "summary": summarise(usable, groups, survival, name),
        "competing_risks": competing_rows(
            usable, groups, cause, survival.times_years, interval, survival.per_years, name
        ),
        "cumulative_incidence": incidence_curves(died, groups, cause, interval, name),
        "incidence_at_risk": risk_by_group(died, groups, name, "survival/incidence_at_risk"),
    }


@app.command()
def show_score(
    name: Annotated[str, typer.Argument(help="teachh_publication, teachh_faceage_repository.")],
) -> None:
    """Print how a shipped score is written; change it, save it as a file, and name that in --definition or in the config.

    Example: faceage-bio show-score teachh_publication > my_score.yaml
    """
    from faceage_bio.analyses.scores.definition import load_score, path_of

    load_score(name)
    print(path_of(name).read_text(encoding="utf-8"), end="")


@step(
    uses=["scores", "survival.per_years"],
    writes={
        "scores.parquet": "points, totals and groups, one row per participant and score",
        "scored.tsv": "how many have each point and group, and no score, and why",
        "comparison.tsv": "groups, hazard ratios, discrimination, movers, cuts; where --participants is given",
    },
)
def compute_scores(
    clinical: Annotated[
        Path,
        "A table (.tsv, .csv, .xlsx, .parquet); for TEACHH: primary_cancer, chronological_age, ecog, chemotherapy_courses, "
        "hospitalisations_3_months, liver_metastases, and subject_id.",
    ],
    settings: Config,
    participants: Annotated[
        Path | None,
        "A table (.parquet, .tsv, .csv) with the columns of the scores and face_age, chronological_age, "
        "followup_years (years), event (1 = died).",
    ] = None,
    column: Annotated[
        list[str], typer.Option("--column", help="ours=yours, where a column has another name; repeat.")
    ] = [],
    when_absent: WhenAbsent = "stop",
    cohort: Cohort = "",
    unit: Units = [],
) -> Tables:
    """Clinical scores: each value checked, none where one is missing; with chronological age, and with face age in its place.

    The scores are compared in the same participants, at several cuts and without, where their follow-up is given.

    Example: faceage-bio compute-scores --clinical clinical.tsv --column chronological_age=age --participants participants.tsv
    --set scores.definitions=teachh_publication --output scores
    """
    import pandas as pd

    from faceage_bio.analyses.scores.definition import load_score

    scores = {name: load_score(name) for name in settings.scores.definitions}
    made = _computed(clinical, scores, column, when_absent, cohort)
    if participants:
        made["comparison"] = _compared(participants, scores, settings, cohort, unit)
    return {name: pd.concat(tables, ignore_index=True) for name, tables in made.items()}


def _computed(
    clinical: Path, scores: dict, column: Sequence[str], when_absent: str, cohort: str
) -> dict[str, list]:
    """Tables of each score: participants, and how many have what."""
    import pandas as pd

    from faceage_bio.analyses.scores import calculate
    from faceage_bio.core.tables import cohort_of, read_table
    from faceage_bio.intake.schemas import PARTICIPANTS, read_user_table

    if ours := clinical.suffix == ".parquet":
        table = read_table(clinical)
    else:
        problems = Problems(plain=True)
        read = read_user_table(clinical, PARTICIPANTS, problems)
        problems.stop_if_any()
        table = read.cells
    table = calculate.renamed(table, column, str(clinical))
    lines = [row + 1 for row in range(len(table))] if ours else list(table.index)
    cohort = cohort or cohort_of(table, clinical.stem)
    people, summaries = [], []
    for name, score in scores.items():
        missing = calculate.absent_columns(table, score) if when_absent == "tell" else []
        if missing:
            print(f"note: {cohort}: no {score.title}, because {calculate.lacking(missing)}")
            summaries.append(calculate.not_scored(score, name, cohort, missing))
            continue
        scored = calculate.score_people(table, score, name, str(clinical), lines)
        people.append(scored)
        summaries.append(calculate.summarise_scores(scored, score, name, cohort))
        n = scored["group"].notna().sum()
        print(f"{cohort}: {score.title}: {n} of {len(scored)} participants have a score")
    empty = pd.DataFrame(columns=["subject_id", "definition", "total", "group", "reason"])
    return {"scores": people or [empty], "scored": summaries}


def _compared(participants: Path, scores: dict, settings: Config, cohort: str, unit: Sequence[str]) -> list:
    """A table of each score with chronological age and with face age."""
    from faceage_bio.analyses.scores.compare import compare_score
    from faceage_bio.core.tables import cohort_of

    table, followed = read_followed(participants, units=unit)
    first_line = 1 if participants.suffix == ".parquet" else 2
    lines = [row + first_line for row in followed.index]
    chosen = (settings.scores, settings.survival.per_years)
    name = cohort or cohort_of(table, participants.stem)
    return [
        compare_score(followed, score, title, *chosen, name, str(participants), lines)
        for title, score in scores.items()
    ]


@step(
    uses=in_section("readers", "conditions types groups rating_of horizon_years model_column tables"),
    writes={"readers.tsv": "areas, contrasts, decisions, ages; names no case and no reader"},
)
def compare_readers(
    readings: Annotated[Path, "Table with one row per reader, case and condition."],
    cases: Annotated[list[Path], "Table of the cases, or a cohort's analysis table; repeat to join several."],
    settings: Config,
) -> Tables:
    """Discrimination of readers: areas under the curve per reader, and conditions compared over readers and cases.

    Example: faceage-bio compare-readers --readings readings.csv --cases cases.csv --output readers

    readings.csv:

    reader_id,reader_type,case_id,condition,predicted_alive,predicted_age_decade

    anna,staff,A001,photo,yes,6

    anna,staff,A001,chart,no,

    cases.csv:

    case_id,followup_years,event,chronological_age,face_age

    A001,0.31,died,63,71.5

    predicted_alive: yes = alive at the horizon, no = dead by then. A column rating (0 to 1) may be given in addition or instead; then
    readers.rating_of says what 1 means.
    """
    from faceage_bio.analyses.readers import readers_stage
    from faceage_bio.core.results.reasons import singular

    chosen = settings.readers
    read, known = readers_stage.read_study(
        readings, cases, chosen.conditions, chosen.types, chosen.rating_of, chosen.model_column, chosen.tables
    )
    table = readers_stage.compare_readers(
        read, known, chosen.conditions, chosen.groups, chosen.horizon_years, chosen.model_column
    )
    print(singular(f"{len(read)} readings of {len(known)} cases by {read['reader'].nunique()} readers"))
    return {"readers": table}
