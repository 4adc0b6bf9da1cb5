"""Commands for the quality of RNA samples."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.expression import CountsKind, CountsStrand, GeneIds

app = typer.Typer()


class Action(StrEnum):
    """What becomes of samples that differ."""

    EXCLUDE = "exclude"
    FLAG = "flag"
    IGNORE = "ignore"


@app.command()
def check_expression(
    acceleration: Annotated[Path, typer.Option(help="A cohort's analysis table (.parquet or .tsv).")],
    samples: Annotated[Path, typer.Option(help="samples.parquet, or a .tsv with sample_id, subject_id.")],
    output: Annotated[
        Path, typer.Option(help="Folder for quality.tsv, components.tsv, confounding.tsv (shared).")
    ],
    quality: Annotated[
        Path, typer.Option(help="Measures and verdict of each sample (.parquet or .tsv, private).")
    ],
    counts: Annotated[Path | None, typer.Option(help="Raw counts, as for fit-expression.")] = None,
    pseudobulk: Annotated[
        Path | None, typer.Option(help="Instead of counts: written by aggregate-cells.")
    ] = None,
    covariate: Annotated[
        list[str], typer.Option(help="A covariate of the models, held against the components; repeat.")
    ] = ["chronological_age"],
    outliers: Annotated[Action, typer.Option(help="Samples unlike the others.")] = Action.FLAG,
    deviations: Annotated[
        float, typer.Option(help="They lie so many robust standard deviations from the median.", min=0)
    ] = 5.0,
    sex_mismatches: Annotated[
        Action, typer.Option(help="Samples whose RNA tells another sex.")
    ] = Action.FLAG,
    sex_difference: Annotated[
        float, typer.Option(help="XIST and Y genes differ by so many log2 units.", min=0)
    ] = 2.0,
    components: Annotated[int, typer.Option(help="Principal components.", min=1)] = 5,
    variable_genes: Annotated[int, typer.Option(help="Genes they are made of.", min=2)] = 500,
    min_count: Annotated[int, typer.Option(help="A gene has enough counts with this count ...")] = 10,
    min_samples: Annotated[int, typer.Option(help="... in this many samples.")] = 10,
    tissue: Annotated[
        str | None, typer.Option(help="The tissue (column of samples) that is analysed.")
    ] = None,
    counts_kind: CountsKind = "counts",
    counts_strand: CountsStrand = None,
    gene_ids: GeneIds = None,
) -> None:
    """Depth, sex told by the RNA, components, outliers; what loads on which component; batch against age acceleration.

    Example: faceage-bio check-expression --acceleration acceleration.parquet --counts counts.tsv --samples samples.tsv
    --covariate sex --covariate smoking --output quality --quality sample_quality.parquet
    """
    import pandas as pd

    from faceage_bio.columns import AGE_ACCELERATION, COHORT, SUBJECT
    from faceage_bio.expression.inputs import read_inputs
    from faceage_bio.expression.quality import PRIVATE_COLUMNS, Limits, check_samples
    from faceage_bio.expression.quality_tables import quality_tables
    from faceage_bio.plain import read_plain
    from faceage_bio.results.row import result_rows
    from faceage_bio.tables import write_table

    table = read_plain(acceleration, (SUBJECT, AGE_ACCELERATION))
    cohort = str(table[COHORT].iloc[0]) if COHORT in table and len(table) else ""
    inputs, *_ = read_inputs(
        cohort, samples, counts, pseudobulk, kind=counts_kind, strand=counts_strand, gene_ids=gene_ids
    )
    limits = Limits(outliers, deviations, sex_mismatches, sex_difference, components, variable_genes)
    private: list[pd.DataFrame] = []
    shared: dict[str, list[pd.DataFrame]] = {name: [] for name in ("quality", "components", "confounding")}
    for analysis, (matrix, mine) in inputs.items():
        if not len(mine):
            print(f"{cohort}, {analysis}: not checked, because no sample is left")
            continue
        checked = check_samples(matrix, mine, table, limits, min_count, min_samples, tissue)
        found = checked.samples.assign(analysis=analysis)
        components_of = checked.components.rename_axis("sample_id").reset_index()
        private.append(found[PRIVATE_COLUMNS].merge(components_of, on="sample_id", how="left"))
        for name, one in quality_tables(checked, mine, table, covariate, cohort, analysis).items():
            shared[name].append(one)
        states = found["status"].value_counts()
        print(
            f"{cohort}, {analysis}: {len(found)} samples, {states.get('flagged', 0)} flagged, {states.get('excluded', 0)} excluded"
        )
    for name, parts in shared.items():
        parts = parts or [result_rows([], f"expression/{name}")]
        write_table(pd.concat(parts, ignore_index=True), output / f"{name}.tsv")
    nobody = pd.DataFrame(columns=PRIVATE_COLUMNS)
    write_table(pd.concat(private or [nobody], ignore_index=True), quality)
