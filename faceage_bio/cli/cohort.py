"""Commands that check the study's tables and keep its ledger."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.config import ANALYSIS_SETTINGS, COLUMN_SETTINGS, Config, analysis_settings
from faceage_bio.steps import step

app = typer.Typer()


@step(uses=["cohorts", "survival.year_days"])
def check_cohorts(
    results: Annotated[Path, typer.Option(help="Results folder.")],
    whole: Config,
) -> None:
    """Check all tables of all cohorts together, and what check-analyses checks, and write them in one form.

    Example: faceage-bio check-cohorts --config my-study/config.yaml --results results
    """
    from faceage_bio.cohort.analyses import check_tables
    from faceage_bio.cohort.intake import KEPT, read_cohorts, write_cohorts
    from faceage_bio.cohort.names import check_names
    from faceage_bio.problems import Problems
    from faceage_bio.records import note_input
    from faceage_bio.release.marker import mark_local

    content, problems = whole.model_dump(mode="json"), Problems()
    cohorts, settings = content["cohorts"], analysis_settings(content)
    for name, files in cohorts.items():
        for key, path in files.items():
            if isinstance(path, str):
                note_input(f"{key} of {name}", path)
    tables = read_cohorts(cohorts, whole.survival.year_days, named=settings["names"], kept=results / KEPT)
    for line in check_names(cohorts, tables, settings, problems):
        print(line)
    problems.stop_if_any()
    check_tables(cohorts, tables, settings)
    mark_local(results)
    write_cohorts(tables, results)
    for name, cohort in tables.items():
        print(
            f"{name}: {len(cohort.photos)} photos, {len(cohort.subjects)} subjects, {len(cohort.samples)} RNA samples"
        )


@step(uses=["cohorts", *dict.fromkeys((*ANALYSIS_SETTINGS, *COLUMN_SETTINGS))])
def check_analyses(
    results: Annotated[Path, typer.Option(help="Results folder, into which check-cohorts has written.")],
    whole: Config,
) -> None:
    """Check that the tables hold what the analyses ask of them: covariates, and one tissue per participant.

    Example: faceage-bio check-analyses --config my-study/config.yaml --results results
    """
    from faceage_bio.cohort.analyses import Tables, check_tables
    from faceage_bio.tables import read_table, write_table

    content, tables = whole.model_dump(mode="json"), {}
    for name, cohort in whole.cohorts.items():
        folder = results / name / "cohort"
        variants = read_table(folder / "variant_participants.parquet") if cohort.variants else None
        tables[name] = Tables(
            read_table(folder / "subjects.parquet"), read_table(folder / "samples.parquet"), variants
        )
    for name, found in check_tables(content["cohorts"], tables, analysis_settings(content)).items():
        write_table(found, results / name / "cohort" / "covariates.tsv")


@app.command()
def gather_ledger(
    ledger: Annotated[list[Path], typer.Option(help="A stage's ledger; repeat in the order of the stages.")],
    output: Annotated[Path, typer.Option(help="The whole ledger (private).")],
    flow: Annotated[Path, typer.Option(help="The same as counts.")],
) -> None:
    """Join the ledgers of all stages and make sure that nothing disappeared.

    Example: faceage-bio gather-ledger --ledger cohort/ledger.tsv --ledger faceage/ledger.tsv --output ledger.tsv --flow flow.tsv
    """
    from faceage_bio.cohort.ledger import flow as count
    from faceage_bio.cohort.ledger import gather
    from faceage_bio.tables import read_ledger, write_table

    whole = gather([read_ledger(path) for path in ledger])
    write_table(whole, output)
    write_table(count(whole), flow)
