"""Commands for genes and survival: expression levels, and a Cox model per gene."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.expression import CountsKind, CountsStrand, GeneIds, RepeatedSamples
from faceage_bio.steps import Units

app = typer.Typer()


@app.command()
def normalise_expression(
    output: Annotated[Path, typer.Option(help="Levels, one row per sample (.parquet, private).")],
    samples: Annotated[Path, typer.Option(help="samples.parquet, or a .tsv with sample_id, subject_id.")],
    counts: Annotated[Path | None, typer.Option(help="Raw counts, genes x samples.")] = None,
    pseudobulk: Annotated[
        Path | None, typer.Option(help="Instead of counts: written by aggregate-cells.")
    ] = None,
    min_count: Annotated[int, typer.Option(help="A gene is kept with this count ...")] = 10,
    min_samples: Annotated[int, typer.Option(help="... in this many samples.")] = 10,
    tissue: Annotated[
        str | None, typer.Option(help="The tissue (column of samples) that is analysed.")
    ] = None,
    repeated_samples: RepeatedSamples = "first",
    quality: Annotated[
        Path | None, typer.Option(help="Written by check-expression: samples it excludes are left out.")
    ] = None,
    counts_kind: CountsKind = "counts",
    counts_strand: CountsStrand = None,
    gene_ids: GeneIds = None,
) -> None:
    """Log2 counts per million, one row per person.

    Example: faceage-bio normalise-expression --counts counts.tsv --samples samples.tsv --output log_cpm.parquet
    """
    from faceage_bio.expression.inputs import read_inputs
    from faceage_bio.expression.levels import levels_table
    from faceage_bio.expression.quality import without_excluded
    from faceage_bio.tables import read_table, write_table

    inputs, *_ = read_inputs(
        "", samples, counts, pseudobulk, kind=counts_kind, strand=counts_strand, gene_ids=gene_ids
    )
    inputs = without_excluded(inputs, read_table(quality) if quality else None)
    table = levels_table(inputs, min_count, min_samples, repeated_samples, tissue)
    write_table(table, output)
    print(f"levels of {table.shape[1] - 5} genes in {len(table)} samples")


@app.command()
def fit_gene_survival(
    followed: Annotated[
        Path,
        typer.Option(
            help="Participants: subject_id, followup_years, event (1 = died), covariates (.parquet or .tsv)."
        ),
    ],
    levels: Annotated[
        Path,
        typer.Option(
            help="Written by normalise-expression, or a table with subject_id and log2 levels per gene."
        ),
    ],
    genes: Annotated[Path, typer.Option(help="Result table of all genes.")],
    panel_table: Annotated[Path, typer.Option(help="Result table of the panel.")],
    covariate: Annotated[list[str], typer.Option(help="A column beside each gene; repeat.")] = [
        "chronological_age",
        "sex",
    ],
    stratum: Annotated[
        list[str], typer.Option(help="A column with baseline hazards of its own; repeat.")
    ] = [],
    panel: Annotated[list[str], typer.Option(help="A gene declared beforehand; repeat.")] = ["CDK6"],
    time_zero: Annotated[
        str, typer.Option(help="photo, or a column of dates from which time runs.")
    ] = "photo",
    landmark_years: Annotated[float | None, typer.Option(help="The landmark of the follow-up.")] = None,
    year_days: Annotated[float, typer.Option(help="Days in a year.")] = 365.25,
    unit: Units = [],
) -> None:
    """Hazard ratio of death per doubling of each gene: a Cox model per gene, participants at risk from their sample on.

    Example: faceage-bio fit-gene-survival --followed participants.tsv --levels log_cpm.parquet --covariate chronological_age
    --covariate sex --panel CDK6 --genes genes.tsv --panel-table panel.tsv
    """
    from faceage_bio.age_reached import parse_units
    from faceage_bio.survival.check import read_people
    from faceage_bio.survival.follow_up import prepare
    from faceage_bio.survival.genes import gene_survival, read_levels
    from faceage_bio.tables import write_table

    table = read_people(followed, parse_units(unit))
    usable, _ = prepare(table)
    name = str(table["cohort"].iloc[0]) if len(table) else followed.stem
    found, declared = gene_survival(
        usable, read_levels(levels), covariate, panel, name, strata=stratum,
        zero="photo_date" if time_zero == "photo" else time_zero, landmark_years=landmark_years, year_days=year_days,
    )  # fmt: skip
    write_table(found, genes)
    write_table(declared, panel_table)
    print(
        f"{name}: {found.estimate.notna().sum()} of {len(found)} genes, {(found.q_value < 0.05).sum()} with q below 0.05"
    )
