"""Commands that hold the study's headline against other software."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def verify_results(
    tables: Annotated[
        list[Path],
        typer.Argument(
            help="Tables by their place {cohort}/{folder}/{table}: of participants, samples and counts, and the results made of them."
        ),
    ],
    config: Annotated[
        str, typer.Option(help="The config's sections survival, phenotype and expression as JSON.")
    ],
    agreement: Annotated[Path, typer.Option(help="Result table: what each comparison comes to.")],
    numbers: Annotated[Path, typer.Option(help="Result table: both numbers of each comparison.")],
    scripts: Annotated[
        Path | None,
        typer.Option(
            help="Folder of reproduce.R and reproduce.py, with the rows that they read. Exact rows: internal."
        ),
    ] = None,
) -> None:
    """The headline numbers again by lifelines, statsmodels and pydeseq2; scripts by which a reader computes them with R and Python.

    Cox models, curves, log-rank tests, adjusted contrasts, prespecified and 1,000 further genes.

    Example: faceage-bio verify-results --config "$(cat config.json)" --agreement agreement.tsv --numbers numbers.tsv
    --scripts reproduce results/north/*/*.parquet results/north/*/*.tsv
    """
    import json

    import pandas as pd

    from faceage_bio.records import check_unchanged
    from faceage_bio.tables import write_table
    from faceage_bio.verification import compared
    from faceage_bio.verification.reproduction import write_scripts
    from faceage_bio.verification.study import headline_of

    check_unchanged(tables)
    settings = json.loads(config)
    headline = headline_of(tables, settings)
    rows = compared.compare_cox(headline.cox) + compared.compare_curves(headline.curves)
    rows += compared.compare_contrasts(headline.contrasts)
    for genes in headline.genes:
        rows += compared.compare_genes(genes, settings["expression"]["seed"])
    every = compared.numbers_table(rows)
    write_table(compared.agreement_table(every), agreement)
    write_table(every, numbers)
    if scripts is not None:
        write_scripts(headline, scripts)
    told = pd.Series([row["software"] for row in rows]).value_counts()
    print(", ".join(f"{name}: {count} numbers" for name, count in told.items()) or "nothing to compare")
