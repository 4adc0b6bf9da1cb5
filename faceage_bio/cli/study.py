"""What a user starts with: init, check, run."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
ConfigFile = Annotated[Path, typer.Option("--configfile", help="The study's config.yaml.")]


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="A new folder for the study.")]) -> None:
    """Write a commented config and example tables for a study of your own.

    Example: faceage-bio init my-study
    """
    from faceage_bio.cohort.example import write_example

    for path in write_example(folder):
        print(f"  {path}")
    print(f"Next: put your photos and tables there, edit {folder}/config.yaml, then")
    print("  faceage-bio weights fetch                  (it prints where the file faceage_model.h5 lies)")
    print(f"  faceage-bio weights import faceage_model.h5 --output {folder}/model")
    print(f"  faceage-bio check --configfile {folder}/config.yaml")


@app.command()
def check(configfile: ConfigFile) -> None:
    """Tell whether config, photos, clinic, counts and weights fit together, before anything is computed.

    Example: faceage-bio check --configfile my-study/config.yaml
    """
    from rich.console import Console
    from rich.table import Table

    from faceage_bio.cohort.intake import overview, read_cohorts
    from faceage_bio.columns import SUBJECT
    from faceage_bio.config import load_config
    from faceage_bio.errors import CohortError, FaceAgeBioError, TableError, WeightsError
    from faceage_bio.faceage.given import read_face_ages
    from faceage_bio.readers.stage import check_study
    from faceage_bio.vision.card import read_card

    config = load_config(configfile)
    console = Console()
    if config.demo is not None:
        console.print(
            "The cohorts of this config are the demo's: they will be drawn, so there is nothing to check."
        )
        return
    problems: list[FaceAgeBioError] = []
    if any(cohort.photos for cohort in config.cohorts.values()):
        for folder in config.models:
            try:
                console.print(f"Model: {read_card(folder)['name']}")
            except WeightsError as error:
                problems.append(error)
    for name, cohort in config.cohorts.items():
        if cohort.face_ages:
            try:
                read_face_ages(cohort.face_ages, name)
            except (CohortError, TableError) as error:
                problems.append(error)
    cohorts = {name: cohort.model_dump() for name, cohort in config.cohorts.items()}
    try:
        tables = read_cohorts(cohorts, config.survival.year_days)
    except CohortError as error:
        problems.append(error)
    else:
        rows = overview(tables)
        shown = Table(*rows[0], title="What will be analysed")
        for row in rows:
            shown.add_row(*map(str, row.values()))
        console.print(shown)
        if config.readers.readings:
            people = [subject for cohort in tables.values() for subject in cohort.subjects[SUBJECT]]
            try:
                console.print(f"Reader study: {check_study(config.readers, people)} readings")
            except (CohortError, TableError) as error:
                problems.append(error)
    if problems:
        raise CohortError("\n".join(str(problem) for problem in problems))
    console.print(f"Everything fits. Start with: faceage-bio run --configfile {configfile}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    configfile: ConfigFile,
    cores: Annotated[str, typer.Option(help="Processor cores, or all.")] = "all",
) -> None:
    """Run the whole workflow; anything else on the line is passed on to snakemake.

    Example: faceage-bio run --configfile my-study/config.yaml --dry-run
    """
    import subprocess
    import sys

    snakefile = workflow_folder() / "Snakefile"
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--configfile", str(configfile), "--cores", cores, *context.args,
    ]  # fmt: skip
    raise typer.Exit(subprocess.run(command).returncode)


def workflow_folder() -> Path:
    """The workflow inside the installed package, or beside it in the repository."""
    import faceage_bio
    from faceage_bio.errors import RunError

    package = Path(faceage_bio.__file__).parent
    for folder in (package / "_workflow", package.parent / "workflow"):
        if (folder / "Snakefile").is_file():
            return folder
    raise RunError(f"no workflow beside {package}. Install faceage_bio from its repository.")
