"""Commands that fit the declared genes' models otherwise."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.expression import CountsKind, CountsStrand, GeneIds, RepeatedSamples

app = typer.Typer()


@app.command()
def fit_expression_sensitivity(
    acceleration: Annotated[Path, typer.Option(help="A cohort's analysis table (.parquet or .tsv).")],
    samples: Annotated[Path, typer.Option(help="samples.parquet, or a .tsv with sample_id, subject_id.")],
    output: Annotated[
        Path, typer.Option(help="Result table: the coefficient of age acceleration in each variant.")
    ],
    residuals: Annotated[
        Path, typer.Option(help="Result table: partial residuals as means of groups of participants.")
    ],
    counts: Annotated[Path | None, typer.Option(help="Raw counts, as for fit-expression.")] = None,
    pseudobulk: Annotated[
        Path | None, typer.Option(help="Instead of counts: written by aggregate-cells.")
    ] = None,
    quality: Annotated[
        Path | None, typer.Option(help="Written by check-expression: samples excluded or flagged.")
    ] = None,
    covariate: Annotated[
        list[str], typer.Option(help="A covariate, or an interaction such as sex:smoking; repeat.")
    ] = ["chronological_age"],
    panel: Annotated[list[str], typer.Option(help="A gene declared beforehand; repeat.")] = ["CDK6"],
    hidden_components: Annotated[int, typer.Option(help="Up to so many hidden components.", min=0)] = 2,
    composition: Annotated[
        list[str], typer.Option(help="Column of samples with the share of a cell type; repeat.")
    ] = [],
    purity: Annotated[
        str | None, typer.Option(help="Column of samples with the tumour's share of the sample.")
    ] = None,
    mediator: Annotated[
        str | None, typer.Option(help="Column that may mediate, such as smoking.")
    ] = "smoking",
    bootstraps: Annotated[int, typer.Option(help="Resamples for the mediated part.", min=100)] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same resamples.")] = 1,
    per_years: Annotated[float, typer.Option(help="Years that fold changes are given for.")] = 10.0,
    min_count: Annotated[int, typer.Option(help="A gene is tested with this count ...")] = 10,
    min_samples: Annotated[int, typer.Option(help="... in this many samples.")] = 10,
    tissue: Annotated[
        str | None, typer.Option(help="The tissue (column of samples) that is analysed.")
    ] = None,
    repeated_samples: RepeatedSamples = "first",
    counts_kind: CountsKind = "counts",
    counts_strand: CountsStrand = None,
    gene_ids: GeneIds = None,
) -> None:
    """The declared genes with hidden components, cell composition, purity, each sample left out, a mediator; partial residuals.

    Example: faceage-bio fit-expression-sensitivity --acceleration acceleration.parquet --counts counts.tsv
    --samples samples.tsv --covariate sex --panel CDK6 --mediator smoking --output sensitivity.tsv --residuals residuals.tsv
    """
    import pandas as pd

    from faceage_bio.columns import AGE, AGE_ACCELERATION, COHORT, SUBJECT
    from faceage_bio.expression.counts import choose_samples
    from faceage_bio.expression.inputs import read_inputs
    from faceage_bio.expression.partial import partial_residuals
    from faceage_bio.expression.quality import verdicts_of
    from faceage_bio.expression.sensitivity import Choices, sensitivity_table
    from faceage_bio.plain import read_plain
    from faceage_bio.tables import read_table, write_table

    table = read_plain(acceleration, (SUBJECT, AGE, AGE_ACCELERATION))
    judged = read_table(quality) if quality else None
    cohort = str(table[COHORT].iloc[0]) if COHORT in table and len(table) else ""
    inputs, *_ = read_inputs(
        cohort, samples, counts, pseudobulk, kind=counts_kind, strand=counts_strand, gene_ids=gene_ids
    )
    # a sample is left out of a model at a time, so the first of a person stands for him
    repeated = "first" if repeated_samples == "block" else repeated_samples
    choices = Choices(hidden_components, tuple(composition), purity, mediator, bootstraps, seed)
    found, binned = [], []
    for analysis, (matrix, mine) in inputs.items():
        data = choose_samples(table, matrix, mine, covariate, repeated, tissue, verdicts_of(judged, analysis))
        shared = {
            "cohort": cohort, "question": analysis, "per_years": per_years, "min_count": min_count, "min_samples": min_samples,
        }  # fmt: skip
        found.append(sensitivity_table(data, panel, covariate, choices, **shared))
        binned.append(partial_residuals(data, panel, covariate, **shared))
        print(
            f"{cohort}, {analysis}: {len(data.people)} participants, {found[-1]['variant'].nunique()} variants"
        )
    write_table(pd.concat(found, ignore_index=True), output)
    write_table(pd.concat(binned, ignore_index=True), residuals)
