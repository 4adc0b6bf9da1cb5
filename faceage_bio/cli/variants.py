"""The command for DNA variants of the declared genes."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer()


@app.command()
def fit_variants(
    acceleration: Annotated[
        Path,
        typer.Option(
            help="A table subject_id, age_acceleration, chronological_age, covariates (.parquet, .tsv, .csv)."
        ),
    ],
    variants: Annotated[
        Path,
        typer.Option(
            help="VCF (.vcf, .vcf.gz), or a table variant_id, gene, one column per sample (0, 1, 2 or empty)."
        ),
    ],
    gene: Annotated[list[str], typer.Option(help="A gene declared beforehand; repeat.")],
    output: Annotated[Path, typer.Option(help="Folder for genes.tsv, common.tsv, quality.tsv.")],
    variants_table: Annotated[
        Path, typer.Option(help="One row per variant of these genes (.parquet or .tsv, private).")
    ],
    variant_genes: Annotated[
        Path | None,
        typer.Option(
            help="Gene of each variant: variant_id, gene; or chrom, pos, ref, alt, gene; or chrom, start, end, gene (BED)."
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="A table sample_id, subject_id, where samples are not named by subject_id."),
    ] = None,
    ancestry: Annotated[
        Path | None, typer.Option(help="A table subject_id, PC1, PC2 ...; all enter every model.")
    ] = None,
    covariate: Annotated[list[str], typer.Option(help="A covariate beside chronological age; repeat.")] = [
        "sex"
    ],
    max_maf: Annotated[
        float, typer.Option(help="Rare: minor allele frequency up to this.", min=0, max=0.5)
    ] = 0.01,
    min_call_rate: Annotated[
        float, typer.Option(help="Least share of known genotypes, per person and per variant.", min=0, max=1)
    ] = 0.95,
    burden: Annotated[
        Literal["carriers", "alleles", "weighted"],
        typer.Option(help="What of a gene's rare variants is counted."),
    ] = "carriers",
    min_carriers: Annotated[int, typer.Option(help="With fewer carriers nothing is estimated.", min=1)] = 5,
    common: Annotated[bool, typer.Option(help="Whether common variants are tested one by one.")] = True,
) -> None:
    """Rare variants of each declared gene against age acceleration, and against age as negative control: burden and SKAT.

    Example: faceage-bio fit-variants --acceleration acceleration.tsv --variants cohort.vcf.gz --variant-genes genes.bed
    --ancestry components.tsv --gene CDK6 --gene CDKN2A --output variants --variants-table variants/variants.parquet
    """
    from faceage_bio.columns import COHORT
    from faceage_bio.tables import write_table
    from faceage_bio.variants.inputs import read_inputs
    from faceage_bio.variants.stage import variant_tables

    people, genotypes, components = read_inputs(acceleration, variants, variant_genes, samples, ancestry)
    cohort = str(people[COHORT].iloc[0]) if COHORT in people and len(people) else ""
    tables = variant_tables(
        people, genotypes, components, cohort=cohort, panel=gene, covariates=covariate, max_maf=max_maf,
        min_call_rate=min_call_rate, burden=burden, min_carriers=min_carriers, common=common,
    )  # fmt: skip
    for row in tables["quality"].itertuples():
        print(f"{row.measure}: {row.term}: {int(row.estimate)}")
    write_table(tables.pop("variants"), variants_table)
    for name, table in tables.items():
        write_table(table, output / f"{name}.tsv")
