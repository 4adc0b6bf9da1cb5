"""Commands for clinical scores: calculate them, compare age with face age in them, show how they are written."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from faceage_bio.steps import Units

app = typer.Typer()
Definitions = Annotated[
    list[str],
    typer.Option(
        "--definition", help="A shipped score, or a YAML file of your own (see show-score); repeat."
    ),
]
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
    from faceage_bio.scores.definition import load_score, path_of

    load_score(name)
    print(path_of(name).read_text(encoding="utf-8"), end="")


@app.command()
def compute_scores(
    clinical: Annotated[
        Path,
        typer.Option(
            help="A table (.tsv, .csv, .parquet); for TEACHH: primary_cancer, chronological_age, ecog, chemotherapy_courses, "
            "hospitalisations_3_months, liver_metastases, and subject_id."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Points, totals and groups, one row per person and score.")],
    summary: Annotated[Path, typer.Option(help="How many have each point and group, and no score, and why.")],
    definition: Definitions = ["teachh_publication"],
    column: Annotated[
        list[str], typer.Option("--column", help="ours=yours, where a column has another name; repeat.")
    ] = [],
    when_absent: WhenAbsent = "stop",
) -> None:
    """Clinical scores of participants: each value checked, and no score where one is missing.

    Example: faceage-bio compute-scores --clinical clinical.tsv --column chronological_age=age --output scores.tsv
    --summary scored.tsv
    """
    import pandas as pd

    from faceage_bio.scores import calculate
    from faceage_bio.scores.definition import load_score
    from faceage_bio.tables import read_table, read_text_table, write_table

    scores = {name: load_score(name) for name in definition}
    ours = clinical.suffix == ".parquet"
    table = read_table(clinical) if ours else read_text_table(clinical)
    table = calculate.renamed(table, column, str(clinical))
    lines = [row + 1 for row in range(len(table))] if ours else list(table.index)
    cohort = str(table["cohort"].iloc[0]) if "cohort" in table and len(table) else clinical.stem
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
    write_table(pd.concat(people, ignore_index=True) if people else empty, output)
    write_table(pd.concat(summaries, ignore_index=True), summary)


@app.command()
def compare_scores(
    participants: Annotated[
        Path,
        typer.Option(
            help="A table (.parquet, .tsv, .csv) with the columns of the scores and face_age, chronological_age, "
            "followup_years (years), event (1 = died)."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Groups, hazard ratios, discrimination, movers, cuts.")],
    definition: Definitions = ["teachh_publication"],
    reference_group: Annotated[
        str | None, typer.Option(help="Of hazard ratios; without it the one that the score declares.")
    ] = None,
    horizon_months: Annotated[list[float], typer.Option(help="When areas are taken; repeat.")] = [
        3.0,
        6.0,
        12.0,
    ],
    bootstraps: Annotated[int, typer.Option(min=100, help="Resamples of participants.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same resamples.")] = 1,
    per_years: Annotated[float, typer.Option(help="Years that hazard ratios of ages are given for.")] = 10.0,
    unit: Units = [],
) -> None:
    """Each score with chronological age, and in the same participants with face age in its place, at several cuts and without.

    Example: faceage-bio compare-scores --participants participants.tsv --definition teachh_publication --output scores.tsv
    """
    import pandas as pd

    from faceage_bio.cli.survival import name_of, read_followed
    from faceage_bio.scores.compare import Choices, compare_score
    from faceage_bio.scores.definition import load_score
    from faceage_bio.tables import write_table

    scores = {name: load_score(name) for name in definition}
    table, followed = read_followed(participants, units=unit)
    first_line = 1 if participants.suffix == ".parquet" else 2
    lines = [row + first_line for row in followed.index]
    choices = Choices(reference_group, horizon_months, bootstraps, seed, per_years)
    cohort = name_of(table, participants)
    found = [
        compare_score(followed, score, name, choices, cohort, str(participants), lines)
        for name, score in scores.items()
    ]
    write_table(pd.concat(found, ignore_index=True), output)
