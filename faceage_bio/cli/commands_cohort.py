"""Commands that check the study's tables and keep its ledger, and those that simulate the demo's."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.terminal import Commands, counted
from faceage_bio.core.config import ANALYSIS_SETTINGS, COLUMN_SETTINGS, Config, analysis_settings
from faceage_bio.core.errors import Problems
from faceage_bio.core.steps import step

app = Commands()


@step(uses=["cohorts"])
def read_manifest(
    cohort: Annotated[str, "Name of the cohort in the config."],
    output: Annotated[Path, "Its photos (private)."],
    unlisted: Annotated[Path, "Files in the folder that the manifest does not name."],
    whole: Config,
) -> None:
    """Check a cohort's manifest against its photo folder. Face ages depend on what this writes, and on no clinical data.

    Example: faceage-bio read-manifest --config my-study/config.yaml --cohort mine --output manifest.parquet --unlisted unlisted.parquet
    """
    import pandas as pd

    from faceage_bio.core.records import note_input
    from faceage_bio.core.tables import write_table
    from faceage_bio.intake.cohort.photos import read_manifest as read

    files, problems = whole.cohorts[cohort], Problems()
    note_input(f"manifest of {cohort}", files.manifest)
    photos, others = read(cohort, files, problems)
    problems.stop_if_any()
    write_table(photos.rename_axis("line").reset_index(), output)
    write_table(pd.DataFrame({"path": others}, dtype=str), unlisted)
    print(f"{cohort}: {len(photos)} photos, {len(others)} further files")


@step(
    uses=["cohorts", "survival.year_days"],
    files={
        "results/{cohort}/cohort/photos.parquet": "photos (private, as all of these)",
        "results/{cohort}/cohort/subjects.parquet": "participants",
        "results/{cohort}/cohort/samples.parquet": "RNA samples",
        "results/{cohort}/cohort/counts.parquet": "counts",
        "results/{cohort}/cohort/variant_participants.parquet": "participants with genotypes",
        "results/{cohort}/cohort/face_ages.parquet": "face ages that were given",
        "results/{cohort}/cohort/ledger.tsv": "who was excluded, and why (private)",
    },
)
def check_cohort(
    cohort: Annotated[str, "Name of the cohort in the config."],
    results: Annotated[Path, "Results folder."],
    whole: Config,
    manifest: Annotated[
        Path | None, "Its photos, written by read-manifest; otherwise they are read here."
    ] = None,
    unlisted: Annotated[Path | None, "Written by read-manifest."] = None,
) -> None:
    """Check a cohort's tables and write them in one form.

    Example: faceage-bio check-cohort --config my-study/config.yaml --cohort mine --results results
    """
    from faceage_bio.core.records import note_input
    from faceage_bio.core.tables import mark_local, read_table
    from faceage_bio.intake.cohort.intake import KEPT, read_cohort, write_cohort

    files, photos = whole.cohorts[cohort], None
    for key, path in files:
        if isinstance(path, str):
            note_input(f"{key} of {cohort}", path)
    if manifest and unlisted:
        photos = (read_table(manifest).set_index("line"), read_table(unlisted)["path"].tolist())
    tables = read_cohort(cohort, files, whole.survival.year_days, results / KEPT, photos)
    mark_local(results)
    write_cohort(tables, results / cohort / "cohort")
    print(
        f"{cohort}: {len(tables.photos)} photos, {len(tables.subjects)} subjects, {len(tables.samples)} RNA samples"
    )


@step(
    uses=["cohorts", *dict.fromkeys((*ANALYSIS_SETTINGS, *COLUMN_SETTINGS))],
    files={"results/{cohort}/cohort/covariates.tsv": "columns that the analyses of a cohort use"},
)
def check_analyses(
    results: Annotated[Path, "Results folder, into which check-cohort has written."], whole: Config
) -> None:
    """Check all cohorts together: subjects of two of them, names in the config that no table has, and what the analyses ask of the tables.

    Example: faceage-bio check-analyses --config my-study/config.yaml --results results
    """
    from faceage_bio.core.tables import write_table
    from faceage_bio.intake.cohort.config_checks import check_names, check_tables
    from faceage_bio.intake.cohort.intake import check_no_subject_twice, read_written

    problems, settings = Problems(), analysis_settings(whole)
    tables = {name: read_written(results / name / "cohort") for name in whole.cohorts}
    check_no_subject_twice({name: one.subjects for name, one in tables.items()}, problems)
    for line in check_names(whole.cohorts, tables, settings, problems):
        print(line)
    problems.stop_if_any()
    for name, found in check_tables(whole.cohorts, tables, settings).items():
        write_table(found, results / name / "cohort" / "covariates.tsv")


@app.command()
def gather_ledger(
    ledger: Annotated[list[Path], "A stage's ledger; repeat in the order of the stages."],
    output: Annotated[Path, "The whole ledger (private)."],
    flow: Annotated[Path, "The same as counts."],
) -> None:
    """Join the ledgers of all stages and make sure that nothing disappeared.

    Example: faceage-bio gather-ledger --ledger cohort/ledger.tsv --ledger faceage/ledger.tsv --output ledger.tsv --flow flow.tsv
    """
    from faceage_bio.core.tables import read_ledger, write_table
    from faceage_bio.intake.cohort.ledger import flow as count
    from faceage_bio.intake.cohort.ledger import gather

    whole = gather([read_ledger(path) for path in ledger])
    write_table(whole, output)
    write_table(count(whole), flow)


@step(uses=["demo.seed"])
def make_demo_cohorts(
    output: Annotated[Path, "Folder for the cohorts north, south and healthy."], settings: Config
) -> None:
    """Draw three cohorts (photos, manifest, clinical data, samples and counts, or single cells) and the readings of a reader study.

    Example: faceage-bio make-demo-cohorts --output my-demo
    """
    from faceage_bio.demo.plans import PLANS
    from faceage_bio.demo.simulated_cohorts import make_cohort, make_readings

    seed = settings.demo.seed
    with counted("photos simulated", sum(plan.n for plan in PLANS)) as progress:
        for plan in PLANS:
            make_cohort(plan, seed, output / plan.name, progress)
    make_readings(PLANS[0], seed, output / "readings.tsv")


@step(uses=["demo.seed"])
def fit_demo_model(
    output: Annotated[Path, "Folder for model.safetensors and card.json."], settings: Config
) -> None:
    """Fit the demo's age model on other simulated participants. It is not FaceAge.

    Example: faceage-bio fit-demo-model --output my-demo/model
    """
    from faceage_bio.demo.model import N_PEOPLE
    from faceage_bio.demo.model import fit_demo_model as fit

    with counted("faces simulated and detected", N_PEOPLE) as progress:
        card = fit(settings.demo.seed, output, progress=progress)
    print(f"{card['name']}: leave-one-out error {card['leave_one_out_rmse_years']} years")


@step(uses=["demo.seed"])
def make_demo_photos(
    output: Annotated[Path, "Folder for photos, labels.tsv, followed.tsv and train.yaml."],
    settings: Config,
    persons: Annotated[int, typer.Option(help="With two photos each, to train on.", min=10)] = 200,
    followed: Annotated[int, typer.Option(help="Others, with follow-up.", min=10)] = 100,
) -> None:
    """Draw labelled portraits of simulated participants, and the settings to train an age model on them.

    Example: faceage-bio make-demo-photos --output my-demo/training
    """
    from faceage_bio.demo.simulated_cohorts import make_labelled_photos

    with counted("photos simulated", 2 * persons + followed) as progress:
        make_labelled_photos(output, persons, followed, settings.demo.seed, progress)
