"""Commands for single cells."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def aggregate_cells(
    single_cell: Annotated[
        Path,
        typer.Option(help="h5ad: raw counts in layers['counts'] or X; obs with subject_id and cell_type."),
    ],
    cohort: Annotated[str, typer.Option(help="Name of the cohort.")],
    output: Annotated[Path, typer.Option(help="Profiles per person and cell type (.parquet, private).")],
    ledger: Annotated[
        Path, typer.Option(help="What became of the cells of each person and cell type (private).")
    ],
    quality: Annotated[Path, typer.Option(help="The same in numbers for each cell type (shared).")],
    gene_ids: Annotated[Path | None, typer.Option(help="GTF, or a table gene_id, symbol.")] = None,
    min_genes: Annotated[int, typer.Option(help="Cells with fewer genes are dropped.", min=0)] = 200,
    max_mitochondrial: Annotated[
        float, typer.Option(help="Cells with a greater share of MT- counts are dropped.", min=0, max=1)
    ] = 0.2,
    min_cells: Annotated[int, typer.Option(help="Profiles of fewer cells are dropped.", min=1)] = 10,
    min_counts: Annotated[int, typer.Option(help="Profiles of fewer counts are dropped.", min=0)] = 10_000,
) -> None:
    """Drop bad cells, and sum the others of each person and cell type. The file is read in blocks.

    Example: faceage-bio aggregate-cells --cohort mine --single-cell cells.h5ad --output pseudobulk.parquet
    --ledger cells_ledger.tsv --quality cell_quality.tsv
    """
    from faceage_bio.expression.cells import Limits, cells_ledger, quality_table
    from faceage_bio.expression.cells import aggregate_cells as aggregate
    from faceage_bio.rna.cells import open_cells
    from faceage_bio.tables import write_table

    cells = open_cells(single_cell, gene_ids)
    result = aggregate(cells, Limits(min_genes, max_mitochondrial, min_cells, min_counts))
    for sentence in [*cells.said, *result.said]:
        print(f"{single_cell}: {sentence}")
    told = cells_ledger(result, cohort)
    write_table(told, ledger)
    write_table(quality_table(told, cohort), quality)
    write_table(result.profiles, output)
    kept = result.profiles["reason"] == ""
    print(
        f"{told.n_cells.sum():,} of {told.cells.sum():,} cells kept; {kept.sum()} of {len(kept)} profiles of "
        f"{result.profiles['cell_type'].nunique()} cell types kept"
    )


@app.command()
def compare_composition(
    acceleration: Annotated[Path, typer.Option(help="A cohort's analysis table (.parquet or .tsv).")],
    pseudobulk: Annotated[Path, typer.Option(help="Written by aggregate-cells.")],
    output: Annotated[Path, typer.Option(help="Result table, one row per cell type and exposure.")],
    covariate: Annotated[list[str], typer.Option(help="A covariate beside both ages; repeat.")] = [
        "chronological_age"
    ],
    per_years: Annotated[float, typer.Option(help="Years that changes are given for.")] = 10.0,
    min_cells: Annotated[int, typer.Option(help="Donors with fewer cells are left out.", min=1)] = 10,
    min_donors: Annotated[
        int, typer.Option(help="Cell types that fewer donors have are left out.", min=2)
    ] = 10,
) -> None:
    """Share of each cell type (centred log-ratio) against age acceleration beside age, and against the raw age gap.

    Example: faceage-bio compare-composition --acceleration acceleration.tsv --pseudobulk pseudobulk.parquet
    --covariate sex --output composition.tsv
    """
    from faceage_bio.columns import AGE, AGE_ACCELERATION, COHORT, SUBJECT
    from faceage_bio.expression.composition import composition_table
    from faceage_bio.expression.inputs import read_profiles
    from faceage_bio.plain import read_plain
    from faceage_bio.tables import write_table

    people = read_plain(acceleration, (SUBJECT, AGE, AGE_ACCELERATION))
    cohort = str(people[COHORT].iloc[0]) if COHORT in people and len(people) else ""
    table = composition_table(
        read_profiles(pseudobulk), people, cohort, covariate, per_years, min_cells, min_donors
    )
    write_table(table, output)
    print(
        f"{cohort}: {int(table['n'].max()) if len(table) else 0} donors, {table['term'].nunique()} cell types"
    )
