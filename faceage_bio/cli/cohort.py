"""Commands that check the study's tables and keep its ledger."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def check_cohorts(
    cohorts: Annotated[str, typer.Option(help="The config's `cohorts`, as JSON.")],
    results: Annotated[Path, typer.Option(help="Results folder.")],
    year_days: Annotated[float, typer.Option(help="Days in a year of follow-up.")] = 365.25,
    settings: Annotated[
        str | None,
        typer.Option(help="What check-analyses takes, to check that too before anything is written."),
    ] = None,
) -> None:
    """Check all tables of all cohorts together and write them in one form.

    Example: faceage-bio check-cohorts --results results
    --cohorts '{"mine": {"photos": "photos", "manifest": "manifest.tsv", "clinical": "clinical.tsv"}}'
    """
    import json

    from faceage_bio.cohort.analyses import check_tables
    from faceage_bio.cohort.intake import read_cohorts, write_cohorts
    from faceage_bio.cohort.names import check_names
    from faceage_bio.problems import Problems
    from faceage_bio.records import note_input
    from faceage_bio.release.marker import mark_local

    for name, files in json.loads(cohorts).items():
        for key, path in files.items():
            if isinstance(path, str):
                note_input(f"{key} of {name}", path)
    tables = read_cohorts(json.loads(cohorts), year_days)
    if settings:
        problems = Problems()
        for line in check_names(json.loads(cohorts), tables, json.loads(settings), problems):
            print(line)
        problems.stop_if_any()
        check_tables(json.loads(cohorts), tables, json.loads(settings))
    mark_local(results)
    write_cohorts(tables, results)
    for name, cohort in tables.items():
        print(
            f"{name}: {len(cohort.photos)} photos, {len(cohort.subjects)} subjects, {len(cohort.samples)} RNA samples"
        )


@app.command()
def check_analyses(
    cohorts: Annotated[str, typer.Option(help="The config's `cohorts`, as JSON.")],
    settings: Annotated[str, typer.Option(help="Settings of the analyses by dotted name, as JSON.")],
    results: Annotated[Path, typer.Option(help="Results folder, into which check-cohorts has written.")],
) -> None:
    """Check that the tables hold what the analyses ask of them: covariates, and one tissue per participant.

    Example: faceage-bio check-analyses --results results --cohorts '{"mine": {"clinical": "clinical.tsv", "counts": "counts.tsv"}}'
    --settings '{"expression.covariates": ["sex", "bmi"], "expression.tissue": null, "expression.repeated_samples": "first",
    "survival.gene_covariates": ["sex"], "survival.strata": [], "variants.covariates": ["sex"], "acceleration.definition": "linear",
    "acceleration.adjust_for": []}'
    """
    import json

    from faceage_bio.cohort.analyses import Tables, check_tables
    from faceage_bio.tables import read_table, write_table

    tables = {}
    for name, files in json.loads(cohorts).items():
        folder = results / name / "cohort"
        variants = read_table(folder / "variant_participants.parquet") if files.get("variants") else None
        tables[name] = Tables(
            read_table(folder / "subjects.parquet"), read_table(folder / "samples.parquet"), variants
        )
    for name, found in check_tables(json.loads(cohorts), tables, json.loads(settings)).items():
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
