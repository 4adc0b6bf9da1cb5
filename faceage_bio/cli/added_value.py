"""The command that asks what face age adds."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.survival import (
    Cluster,
    Covariates,
    Groups,
    People,
    PerYears,
    Steps,
    Strata,
    Units,
    name_of,
    read_choices,
    read_followed,
)  # fmt: skip

app = typer.Typer()


@app.command()
def measure_added_value(
    acceleration: People,
    output: Annotated[Path, typer.Option(help="Measures of each model, and of their differences (.tsv).")],
    calibration: Annotated[Path, typer.Option(help="Predicted against observed risks (.tsv).")],
    decision_curve: Annotated[Path, typer.Option(help="Net benefit by threshold (.tsv).")],
    step: Steps = [],
    covariate: Covariates = [],
    group: Groups = [],
    stratum: Strata = [],
    cluster: Cluster = None,
    per_years: PerYears = 10.0,
    times_years: Annotated[list[float], typer.Option(help="Years of the predicted risks; repeat.")] = [
        0.5,
        1.0,
        2.0,
    ],
    bootstraps: Annotated[int, typer.Option(help="Samples for the optimism; 0: none.", min=0)] = 200,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.", min=0)] = 1,
    risk_groups: Annotated[int, typer.Option(help="Groups of predicted risk.", min=2)] = 5,
    unit: Units = [],
) -> None:
    """Models with and without face age on the same participants: likelihood ratio, C, AUC, Brier score, calibration, net benefit.

    Example: faceage-bio measure-added-value --acceleration participants.tsv --covariate sex --covariate ecog
    --output added_value.tsv --calibration calibration.tsv --decision-curve decision_curve.tsv
    """
    from faceage_bio.cli.progress import counted
    from faceage_bio.survival.added_value import added_value
    from faceage_bio.survival.models import grouped
    from faceage_bio.survival.questions import questions
    from faceage_bio.tables import write_table

    choices = read_choices(per_years, step, covariate, group, stratum, cluster)
    table, usable = read_followed(acceleration, choices.full, unit)
    people, name = grouped(usable, choices.groups), name_of(table, acceleration)
    total = bootstraps * len(questions(people, choices))
    with counted("bootstrap samples", total) as done:
        found = added_value(
            people, choices, name, times=times_years, bootstraps=bootstraps, seed=seed, groups=risk_groups, done=done
        )  # fmt: skip
    for rows, path in (
        (found.rows, output),
        (found.calibration, calibration),
        (found.decisions, decision_curve),
    ):
        write_table(rows, path)
    tests = found.rows[(found.rows.kind == "test") & found.rows.p_value.notna()]
    for row in tests.itertuples():
        print(
            f"{name}: {row.comparison}, {row.term}: p {row.p_value:.3g} ({row.n} participants, {row.n_events} deaths)"
        )
