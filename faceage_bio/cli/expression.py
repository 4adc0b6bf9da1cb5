"""Commands for gene expression."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer()
CountsKind = Annotated[
    Literal["counts", "estimated"], typer.Option(help="estimated: of salmon, RSEM, tximport.")
]
CountsStrand = Annotated[
    Literal["unstranded", "forward", "reverse"] | None, typer.Option(help="Which of STAR's three counts.")
]
RepeatedSamples = Annotated[
    Literal["first", "last", "sum", "block"],
    typer.Option(
        help="Several samples of a person; block (all of them) is for fit-expression, first elsewhere."
    ),
]
GeneIds = Annotated[Path | None, typer.Option(help="GTF, or a table gene_id, symbol.")]


@app.command()
def fit_expression(
    acceleration: Annotated[Path, typer.Option(help="A cohort's analysis table (.parquet or .tsv).")],
    genes: Annotated[Path, typer.Option(help="Result table of all genes.")],
    panel_table: Annotated[Path, typer.Option(help="Result table of the panel.")],
    ledger: Annotated[Path, typer.Option(help="Ledger of this stage.")],
    counts: Annotated[
        Path | None,
        typer.Option(
            help="Raw counts: a table, featureCounts, h5ad, or a folder of STAR, HTSeq, RSEM, salmon."
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="samples.parquet, or a .tsv with sample_id, subject_id; beside --counts."),
    ] = None,
    pseudobulk: Annotated[
        Path | None, typer.Option(help="Instead of counts: written by aggregate-cells.")
    ] = None,
    covariate: Annotated[
        list[str], typer.Option(help="A covariate, or an interaction such as sex:smoking; repeat.")
    ] = ["chronological_age"],
    panel: Annotated[list[str], typer.Option(help="A gene declared beforehand; repeat.")] = ["CDK6"],
    per_years: Annotated[float, typer.Option(help="Years that fold changes are given for.")] = 10.0,
    min_count: Annotated[int, typer.Option(help="A gene is tested with this count ...")] = 10,
    min_samples: Annotated[int, typer.Option(help="... in this many samples.")] = 10,
    workers: Annotated[int, typer.Option(help="Processor cores.", min=1)] = 2,
    tissue: Annotated[
        str | None, typer.Option(help="The tissue (column of samples) that is analysed.")
    ] = None,
    repeated_samples: RepeatedSamples = "first",
    counts_kind: CountsKind = "counts",
    counts_strand: CountsStrand = None,
    gene_ids: GeneIds = None,
    quality: Annotated[
        Path | None, typer.Option(help="Written by check-expression: samples excluded or flagged.")
    ] = None,
) -> None:
    """Genes against age acceleration by DESeq2's method, with chronological age as comparison; limma-voom as second opinion.

    Example: faceage-bio fit-expression --acceleration acceleration.parquet --counts counts.tsv --samples samples.tsv
    --covariate chronological_age --covariate sex --panel CDK6 --genes genes.tsv --panel-table panel.tsv --ledger ledger.tsv
    """
    import pandas as pd

    from faceage_bio.columns import AGE, AGE_ACCELERATION, COHORT, SUBJECT
    from faceage_bio.expression.cells import donors_left_out
    from faceage_bio.expression.counts import choose_samples, one_row_per_sample
    from faceage_bio.expression.inputs import read_inputs, read_profiles
    from faceage_bio.expression.quality import verdicts_of
    from faceage_bio.expression.stage import result_tables, with_identifiers
    from faceage_bio.plain import read_plain
    from faceage_bio.tables import read_table, write_table

    table = read_plain(acceleration, (SUBJECT, AGE, AGE_ACCELERATION))
    judged = read_table(quality) if quality else None
    cohort = str(table[COHORT].iloc[0]) if COHORT in table and len(table) else ""
    inputs, sheet, identifiers = read_inputs(
        cohort, samples, counts, pseudobulk, kind=counts_kind, strand=counts_strand, gene_ids=gene_ids
    )
    outputs = []
    for analysis, (matrix, mine) in inputs.items():
        data = choose_samples(
            table, matrix, mine, covariate, repeated_samples, tissue, verdicts_of(judged, analysis)
        )
        print(f"{cohort}, {analysis}: {len(data.people)} of {len(mine)} samples")
        tested, declared = result_tables(
            data, cohort, analysis, covariate, panel, per_years, min_count, min_samples, workers
        )
        outputs.append((with_identifiers(tested, identifiers), declared, data.ledger))
        print(
            f"tests of age acceleration: {int((tested['exposure'] == 'age_acceleration').sum())} genes, "
            f"and {int(declared['n_tests'].max()) if declared['n_tests'].notna().any() else 0} of the {len(panel)} declared"
        )
    write_table(pd.concat([one for one, _, _ in outputs], ignore_index=True), genes)
    write_table(pd.concat([one for _, one, _ in outputs], ignore_index=True), panel_table)
    left_out = donors_left_out(read_profiles(pseudobulk)) if pseudobulk else None
    write_table(one_row_per_sample(sheet, [one for _, _, one in outputs], left_out), ledger)
