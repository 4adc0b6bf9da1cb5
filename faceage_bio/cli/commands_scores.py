"""Commands for clinical scores: calculate them, compare age with face age in them, show how they are written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from faceage_bio.core.config import Config
from faceage_bio.core.steps import Cohort, Tables, Units, step

app = typer.Typer()
WhenAbsent = Annotated[
    Literal["stop", "tell"],
    typer.Option(
        help="What happens where the table lacks columns of a score: an error, or a row that says so."
    ),
]


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
        "scores.parquet": "points, totals and groups, one row per person and score",
        "scored.tsv": "how many have each point and group, and no score, and why",
        "comparison.tsv": "groups, hazard ratios, discrimination, movers, cuts; where --participants is given",
    },
)
def compute_scores(
    clinical: Annotated[
        Path,
        typer.Option(
            help="A table (.tsv, .csv, .xlsx, .parquet); for TEACHH: primary_cancer, chronological_age, ecog, chemotherapy_courses, "
            "hospitalisations_3_months, liver_metastases, and subject_id."
        ),
    ],
    settings: Config,
    participants: Annotated[
        Path | None,
        typer.Option(
            help="A table (.parquet, .tsv, .csv) with the columns of the scores and face_age, chronological_age, "
            "followup_years (years), event (1 = died)."
        ),
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
    from faceage_bio.core.problems import Problems
    from faceage_bio.core.tables import read_table
    from faceage_bio.intake.schemas import PEOPLE, read_user_table

    if ours := clinical.suffix == ".parquet":
        table = read_table(clinical)
    else:
        problems = Problems(plain=True)
        read = read_user_table(clinical, PEOPLE, problems)
        problems.stop_if_any()
        table = read.cells
    table = calculate.renamed(table, column, str(clinical))
    lines = [row + 1 for row in range(len(table))] if ours else list(table.index)
    cohort = cohort or (str(table["cohort"].iloc[0]) if "cohort" in table and len(table) else clinical.stem)
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
        print(
            f"{cohort}: {score.title}: {scored['group'].notna().sum()} of {len(scored)} participants have a score"
        )
    empty = pd.DataFrame(columns=["subject_id", "definition", "total", "group", "reason"])
    return {"scores": people or [empty], "scored": summaries}


def _compared(participants: Path, scores: dict, settings: Config, cohort: str, unit: Sequence[str]) -> list:
    """A table of each score with chronological age and with face age."""
    from faceage_bio.analyses.scores.compare import Choices, compare_score
    from faceage_bio.cli.commands_survival import name_of, read_followed

    table, followed = read_followed(participants, units=unit)
    first_line = 1 if participants.suffix == ".parquet" else 2
    lines = [row + first_line for row in followed.index]
    chosen = settings.scores
    choices = Choices(
        chosen.reference_group,
        chosen.horizons_months,
        chosen.bootstraps,
        chosen.seed,
        settings.survival.per_years,
    )
    name = cohort or name_of(table, participants)
    return [
        compare_score(followed, score, title, choices, name, str(participants), lines)
        for title, score in scores.items()
    ]
