"""Steps that hold the study's headline against other software."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.core.config import Config
from faceage_bio.core.steps import Tables, step


@step(
    uses=[
        *(
            f"survival.{name}"
            for name in (
                "sequential_adjustment", "covariates", "groups", "strata", "cluster", "per_years", "curves", "log_rank_strata",
            )
        ),
        "phenotype.adjust_for",
        *(
            f"expression.{name}"
            for name in ("covariates", "per_years", "min_count", "min_samples", "tissue", "repeated_samples", "seed")
        ),
    ],
    writes={
        "agreement.tsv": "what each comparison comes to",
        "numbers.tsv": "both numbers of each comparison",
    },
    files={
        "scripts/reproduce.R": "the headline by survival, sandwich and DESeq2",
        "scripts/reproduce.py": "the headline by lifelines and pydeseq2",
        "scripts/headline.tsv": "the study's own numbers",
        "scripts/*": "rows that the scripts read (private)",
    },
)  # fmt: skip
def verify_results(
    tables: Annotated[
        list[Path],
        typer.Argument(
            help="Tables by their place {cohort}/{folder}/{table}: of participants, samples and counts, and the results made of them."
        ),
    ],
    settings: Config,
    scripts: Annotated[
        Path | None,
        typer.Option(
            help="Folder of reproduce.R and reproduce.py, with the rows that they read. Exact rows: internal."
        ),
    ] = None,
) -> Tables:
    """The headline again by lifelines, statsmodels and pydeseq2; scripts by which a reader computes it with R and Python.

    Cox models, curves, log-rank tests, adjusted contrasts, prespecified and 1,000 further genes; their pooled estimates.

    Example: faceage-bio verify-results --output verification --scripts reproduce results/north/*/*.parquet results/north/*/*.tsv
    """
    import pandas as pd

    from faceage_bio.analyses.verification import compared
    from faceage_bio.analyses.verification.headline_models import headline_of
    from faceage_bio.analyses.verification.reproduction import write_scripts
    from faceage_bio.core.records import check_unchanged

    check_unchanged(tables)
    headline = headline_of(tables, settings)
    rows = compared.compare_cox(headline.cox) + compared.compare_curves(headline.curves)
    rows += compared.compare_contrasts(headline.contrasts) + compared.compare_pools(headline.pools)
    for genes in headline.genes:
        rows += compared.compare_genes(genes, settings.expression.seed)
    if scripts is not None:
        write_scripts(headline, scripts)
    told = pd.Series([row["software"] for row in rows]).value_counts()
    print(", ".join(f"{name}: {count} numbers" for name, count in told.items()) or "nothing to compare")
    numbers = compared.numbers_table(rows)
    return {"agreement": compared.agreement_table(numbers), "numbers": numbers}
