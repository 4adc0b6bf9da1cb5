"""Commands for what goes with looking older."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
AdjustFor = Annotated[list[str], typer.Option(help="A column held constant beside age; repeat.")]


@app.command("test-phenotypes")
def contrast(
    acceleration: Annotated[Path, typer.Option(help="A cohort's analysis table (.parquet or .tsv).")],
    exposure: Annotated[list[str], typer.Option(help="A column to test; repeat.")],
    output: Annotated[Path, typer.Option(help="Result table.")],
    adjust_for: AdjustFor = [],
) -> None:
    """Years of face age that go with smoking, BMI, ECOG ...: raw, and with age held constant.

    Example: faceage-bio test-phenotypes --acceleration acceleration.parquet --exposure smoking --exposure bmi
    --adjust-for sex --output phenotypes.tsv
    """
    from faceage_bio.cli.associations import read_people
    from faceage_bio.phenotype.contrasts import contrast_exposures
    from faceage_bio.tables import write_table

    write_table(contrast_exposures(read_people([acceleration]), exposure, adjust_for), output)


@app.command()
def compare_groups(
    acceleration: Annotated[
        list[Path], typer.Option(help="A cohort's analysis table; repeat for each cohort.")
    ],
    output: Annotated[Path, typer.Option(help="Result table.")],
    adjust_for: AdjustFor = [],
) -> None:
    """Years by which people with cancer look older than reference people, over all cohorts.

    Example: faceage-bio compare-groups --acceleration a/acceleration.parquet --acceleration b/acceleration.parquet
    --adjust-for sex --output groups.tsv
    """
    from faceage_bio.cli.associations import read_people
    from faceage_bio.phenotype.contrasts import compare_groups as compare
    from faceage_bio.tables import write_table

    write_table(compare(read_people(acceleration), adjust_for), output)
