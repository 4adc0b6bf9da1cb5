"""Command for survival."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def fit_survival(
    acceleration: Annotated[Path, typer.Option(help="A cohort's analysis table (.parquet or .tsv).")],
    cox: Annotated[Path, typer.Option(help="Cox models.")],
    kaplan_meier: Annotated[Path, typer.Option(help="Curves with numbers at risk.")],
    summary: Annotated[Path, typer.Option(help="Follow-up, medians, log-rank.")],
    ledger: Annotated[Path, typer.Option(help="Ledger of this stage.")],
    covariate: Annotated[list[str], typer.Option(help="A column of the full model; repeat.")] = [],
    per_years: Annotated[float, typer.Option(help="Years that hazard ratios are given for.")] = 10.0,
    cut_point: Annotated[list[float], typer.Option(help="Face age dividing the curves; repeat.")] = [
        65.0,
        75.0,
        85.0,
    ],
    horizon_years: Annotated[float | None, typer.Option(help="Censor everybody then.")] = None,
) -> None:
    """Cox models from face age alone to all covariates, and Kaplan-Meier curves by face age.

    Example: faceage-bio fit-survival --acceleration acceleration.parquet --covariate sex --covariate ecog
    --cox cox.tsv --kaplan-meier km.tsv --summary summary.tsv --ledger ledger.tsv
    """
    from faceage_bio.survival.curves import curves_by_group, summarise
    from faceage_bio.survival.ladder import cox_ladder, prepare, survival_ledger
    from faceage_bio.tables import read_table, write_table

    table = read_table(acceleration)
    name = str(table["cohort"].iloc[0]) if len(table) else ""
    usable, reasons = prepare(table, horizon_years)
    write_table(cox_ladder(usable, covariate, per_years, name), cox)
    write_table(curves_by_group(usable, cut_point, name), kaplan_meier)
    write_table(summarise(usable, len(table), cut_point, name), summary)
    write_table(survival_ledger(table, usable, reasons, covariate), ledger, private=True)
    print(
        f"{name}: {len(usable)} of {len(table)} subjects with follow-up, {int(usable['event'].sum())} deaths"
    )
