"""Commands for sets of genes."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.expression import CountsKind, CountsStrand, GeneIds, RepeatedSamples

app = typer.Typer()


@app.command()
def list_gene_sets() -> None:
    """The sets that ship: size, source, licence, version, hash.

    Example: faceage-bio list-gene-sets
    """
    from faceage_bio.rna.gene_sets import shipped_sets, sources

    sets = shipped_sets()
    for row in sources().itertuples():
        print(f"{row.gene_set}: {len(sets[row.gene_set].directions)} genes. {row.title}.")
        print(
            f"  {row.publication}, doi:{row.doi}; {row.licence}; version {row.version}; SHA-256 {row.sha256}"
        )


@app.command()
def score_gene_sets(
    acceleration: Annotated[Path, typer.Option(help="A cohort's analysis table (.parquet or .tsv).")],
    genes: Annotated[Path, typer.Option(help="Genome-wide table written by fit-expression.")],
    samples: Annotated[Path, typer.Option(help="samples.parquet, or a .tsv with sample_id, subject_id.")],
    output: Annotated[
        Path, typer.Option(help="Folder for set_associations.tsv, set_coverage.tsv, gsea.tsv, ora.tsv.")
    ],
    scores: Annotated[Path, typer.Option(help="Score of each sample, set and method (.parquet, private).")],
    counts: Annotated[Path | None, typer.Option(help="Raw counts, as for fit-expression.")] = None,
    pseudobulk: Annotated[
        Path | None, typer.Option(help="Instead of counts: written by aggregate-cells.")
    ] = None,
    gene_set: Annotated[list[str], typer.Option(help="A set that ships (list-gene-sets); repeat.")] = [
        "SenMayo"
    ],
    gmt: Annotated[list[Path], typer.Option(help="A GMT file of your own; repeat.")] = [],
    covariate: Annotated[list[str], typer.Option(help="A covariate beside both ages; repeat.")] = [
        "chronological_age"
    ],
    headline: Annotated[str, typer.Option(help="The gene whose membership is told.")] = "CDK6",
    per_years: Annotated[float, typer.Option(help="Years that scores are given for.")] = 10.0,
    min_coverage: Annotated[
        float, typer.Option(help="Least share of a set that must have enough counts.", min=0, max=1)
    ] = 0.5,
    min_count: Annotated[int, typer.Option(help="A gene has enough counts with this count ...")] = 10,
    min_samples: Annotated[int, typer.Option(help="... in this many samples.")] = 10,
    tissue: Annotated[
        str | None, typer.Option(help="The tissue (column of samples) that is analysed.")
    ] = None,
    repeated_samples: RepeatedSamples = "first",
    seed: Annotated[int, typer.Option(help="Of the permutations.")] = 1,
    quality: Annotated[
        Path | None, typer.Option(help="Written by check-expression: samples excluded or flagged.")
    ] = None,
    counts_kind: CountsKind = "counts",
    counts_strand: CountsStrand = None,
    gene_ids: GeneIds = None,
) -> None:
    """Sets of genes against age acceleration: a score per person, GSEA and over-representation.

    Example: faceage-bio score-gene-sets --acceleration acceleration.parquet --counts counts.tsv --samples samples.tsv
    --genes genes.tsv --gene-set SenMayo --gmt mine.gmt --output sets --scores scores.parquet
    """
    import pandas as pd

    from faceage_bio.columns import AGE, AGE_ACCELERATION, COHORT, SUBJECT
    from faceage_bio.errors import TableError
    from faceage_bio.expression.counts import choose_samples
    from faceage_bio.expression.inputs import read_inputs
    from faceage_bio.expression.quality import verdicts_of
    from faceage_bio.expression.sets import set_tables
    from faceage_bio.plain import read_plain
    from faceage_bio.rna.gene_sets import choose_sets
    from faceage_bio.tables import read_table, write_table

    sets = choose_sets(gene_set, gmt)
    judged = read_table(quality) if quality else None
    table, found = read_plain(acceleration, (SUBJECT, AGE, AGE_ACCELERATION)), read_table(genes)
    needed = ("question", "term", "exposure", "estimate", "standard_error", "p_value", "q_value")
    if lacking := [name for name in needed if name not in found]:
        raise TableError(
            f"{genes}: lacks the column(s) {', '.join(lacking)}; found {', '.join(map(str, found.columns))}. Expected {', '.join(needed)}. "
            "Give the table of all genes that faceage-bio fit-expression writes."
        )
    cohort = str(table[COHORT].iloc[0]) if COHORT in table and len(table) else ""
    inputs, *_ = read_inputs(
        cohort, samples, counts, pseudobulk, kind=counts_kind, strand=counts_strand, gene_ids=gene_ids
    )
    # a person's several samples cannot all be in a model without errors of their own, so the first stands for them
    repeated = "first" if repeated_samples == "block" else repeated_samples
    parts: dict[str, list[pd.DataFrame]] = {}
    for analysis, (matrix, mine) in inputs.items():
        data = choose_samples(table, matrix, mine, covariate, repeated, tissue, verdicts_of(judged, analysis))
        tables = set_tables(
            data, found[found["question"] == analysis] if len(found) else found, sets, cohort=cohort, question=analysis,
            covariates=covariate, headline=headline, per_years=per_years, min_coverage=min_coverage, min_count=min_count,
            min_samples=min_samples, seed=seed,
        )  # fmt: skip
        for name, one in tables.items():
            parts.setdefault(name, []).append(one)
        print(f"{cohort}, {analysis}: {len(data.people)} participants, {len(sets)} sets")
    names = {"coverage": "set_coverage", "associations": "set_associations", "gsea": "gsea", "ora": "ora"}
    for name, file in names.items():
        write_table(pd.concat(parts[name], ignore_index=True), output / f"{file}.tsv")
    write_table(pd.concat(parts["scores"], ignore_index=True), scores)
