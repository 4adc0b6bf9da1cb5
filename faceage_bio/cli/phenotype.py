"""Commands for associations with age acceleration."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
AdjustFor = Annotated[list[str], typer.Option(help="A column adjusted for besides age; repeat.")]


@app.command("test-phenotypes")
def contrast(
    acceleration: Annotated[Path, typer.Option(help="A cohort's analysis table (.parquet or .tsv).")],
    exposure: Annotated[list[str], typer.Option(help="A column to test; repeat.")],
    output: Annotated[Path, typer.Option(help="Result table.")],
    adjust_for: AdjustFor = ["sex"],
) -> None:
    """Years of face age associated with smoking, BMI, ECOG ...: raw, and adjusted for age.

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
    adjust_for: AdjustFor = ["sex"],
) -> None:
    """Years by which patients with cancer have a higher face age than controls at the same age, over all cohorts.

    Example: faceage-bio compare-groups --acceleration a/acceleration.parquet --acceleration b/acceleration.parquet
    --adjust-for sex --output groups.tsv
    """
    from faceage_bio.cli.associations import read_people
    from faceage_bio.phenotype.contrasts import compare_groups as compare
    from faceage_bio.tables import write_table

    write_table(compare(read_people(acceleration), adjust_for), output)


@app.command()
def describe_groups(
    acceleration: Annotated[
        Path,
        typer.Option(help="A cohort's table (.parquet, .tsv, .csv) with both ages and age_acceleration."),
    ],
    table_one: Annotated[Path, typer.Option(help="Table 1 by age acceleration.")],
    column: Annotated[list[str], typer.Option(help="What Table 1 tells of participants; repeat.")],
    distributions: Annotated[
        Path | None, typer.Option(help="Age acceleration in each group, as quantiles.")
    ] = None,
    histogram: Annotated[
        Path | None, typer.Option(help="Numbers of participants by age and face age (2-D histogram).")
    ] = None,
    factor: Annotated[
        list[str],
        typer.Option(help="A column of groups (numbers such as ECOG too); bmi_class is made of bmi; repeat."),
    ] = [],
    groups: Annotated[
        str, typer.Option(help="tertiles, or cut-points in years of age acceleration such as -5,5.")
    ] = "tertiles",
    cohort: Annotated[str, typer.Option(help="Its name in the tables.")] = "",
) -> None:
    """Who the participants are: Table 1 by age acceleration, its distribution in each group, face age against age.

    Example: faceage-bio describe-groups --acceleration participants.tsv --column chronological_age --column sex --column bmi
    --factor sex --table-one table_one.tsv --distributions distributions.tsv --histogram age_histogram.tsv
    """
    from faceage_bio.columns import AGE, AGE_ACCELERATION, FACE_AGE
    from faceage_bio.phenotype import distributions as spread
    from faceage_bio.phenotype.people import gather
    from faceage_bio.phenotype.table_one import parse_rule
    from faceage_bio.phenotype.table_one import table_one as describe
    from faceage_bio.plain import read_plain
    from faceage_bio.tables import write_table

    rule = parse_rule(groups)
    name = cohort or acceleration.stem
    people = gather([read_plain(acceleration, (FACE_AGE, AGE, AGE_ACCELERATION))], [name])
    write_table(describe(people, column, factor, rule, name), table_one)
    if distributions:
        write_table(spread.distributions(people, factor, name), distributions)
    if histogram:
        write_table(spread.age_histogram(people, name), histogram)
