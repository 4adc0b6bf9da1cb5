"""What a user starts with: init, check, run."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.terminal import Commands
from faceage_bio.core.config import load_config, rename_keys
from faceage_bio.core.errors import RunError

app = Commands()

ConfigFile = Annotated[Path, typer.Option("--configfile", help="The study's config.yaml.")]


@app.command()
def init(
    folder: Annotated[Path | None, typer.Argument(help="A new folder for the study.")] = None,
    update: Annotated[
        Path | None, "Instead: a config of an earlier version, whose keys get their new names."
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Instead: a table (.csv, .tsv, .xlsx); prints what to declare of it, and what is unsure.",
        ),
    ] = None,
    redcap: Annotated[
        Path | None, "Instead, or with --from: REDCap's data dictionary (.csv), which becomes codings."
    ] = None,
    sheet: Annotated[str | None, "Sheet of the workbook."] = None,
) -> None:
    """Write a commented config and example tables for a study of your own, or bring an old config up to date.

    With --update the old text stays next to the config as config.yaml.old. With --from or --redcap nothing is written: the keys
    for a table of yours (columns, codings, units, dates, words for missing) are printed, to be put under a cohort.

    Example: faceage-bio init my-study
    """
    from faceage_bio.intake.cohort.example import write_example

    if sum(one is not None for one in (folder, update, table or redcap)) != 1:
        raise RunError(
            "init: found none or several of a folder, --update, and --from or --redcap. Expected one. Give `faceage-bio init my-study`, "
            "`faceage-bio init --update my-study/config.yaml` or `faceage-bio init --from clinical.csv`."
        )
    if table or redcap:
        from faceage_bio.intake.cohort.proposal import propose

        print(propose(table, redcap, sheet).to_yaml(table), end="")
        return
    if update is not None:
        _update(update)
        return
    for path in write_example(folder):
        print(f"  {path}")
    print(f"Next: put your photos and tables there, edit {folder}/config.yaml, then")
    print("  faceage-bio weights fetch                  (it prints where the file faceage_model.h5 lies)")
    print(f"  faceage-bio weights import faceage_model.h5 --output {folder}/model")
    print(f"  faceage-bio check --configfile {folder}/config.yaml")


def _update(path: Path) -> None:
    changes, kept = rename_keys(path)
    if not changes:
        print(f"{path}: up to date, left as it is")
        return
    print(f"{path}: {len(changes)} key(s) renamed; the old text is in {path}.old")
    print(*(f"  {change}" for change in changes), sep="\n")
    if not kept:
        print("Comments are lost, since keys stand several to a line; they are in the old text.")


@app.command()
def check(
    configfile: ConfigFile,
    time_photos: Annotated[
        int,
        typer.Option(
            help="Time the way from photo to age here, on so many photos per process.", min=0, max=10_000
        ),
    ] = 0,
) -> None:
    """Tell whether config, photos, clinical data, counts and weights fit together, and whether they will run here.

    Nothing is computed, unless --time-photos asks how long the study will take on this computer: then a few of its photos
    (or noise, where there are none) go through detector and network with random weights, and their ages are thrown away.
    Exit status 2 if anything is wrong or missing.

    Example: faceage-bio check --configfile my-study/config.yaml
    """
    from faceage_bio.cli.study_check import check_study

    check_study(configfile, time_photos)


@app.command()
def freeze(configfile: ConfigFile) -> None:
    """Record the analysis plan: `study` and all settings of the analyses, with date and SHA-256, before outcomes are read.

    Says if outcomes were read already, which it sees by the result tables in results_dir. The summary page lists what is changed
    afterwards. To prove the date to others, register the SHA-256 where they can look it up.

    Example: faceage-bio freeze --configfile my-study/config.yaml
    """
    from faceage_bio.core.settings.settings_study import EXPLORATORY, planned
    from faceage_bio.report.history import SHA
    from faceage_bio.report.history import freeze as freeze_plan

    config = load_config(configfile)
    frozen = freeze_plan(config)
    for one in planned(config):
        if one.role != EXPLORATORY:
            print(f"  {one.role}: {one.question}, exposure {one.exposure}, adjustment {one.adjustment}")
    print(f"Frozen on {frozen['date']}: {config.study.frozen}, SHA-256 {frozen[SHA]}")
    if read := frozen["outcomes_read"]:
        print(f"Outcomes had been read already: {', '.join(read)}. The summary page says so.")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context, configfile: ConfigFile, cores: Annotated[str, "Processor cores, or all."] = "all"
) -> None:
    """Run the whole workflow; anything else on the line is passed on to snakemake.

    Shows each finished step with the time that it took, and the last lines of the log of a step that failed; ends with the key
    results and the pages. Ctrl-C stops it, and the same command goes on from there. With --dry-run, --quiet or --verbose it
    prints what snakemake prints.

    Example: faceage-bio run --configfile my-study/config.yaml --dry-run
    """
    from faceage_bio.cli.workflow_run import run_workflow

    files = {"--snakefile": workflow_folder() / "Snakefile", "--configfile": configfile}
    given = [part for option, path in files.items() for part in (option, str(path))]
    raise typer.Exit(run_workflow([*given, "--cores", cores, *context.args]))


def workflow_folder() -> Path:
    """The workflow inside the installed package, or next to it in the repository."""
    import faceage_bio

    package = Path(faceage_bio.__file__).parent
    for folder in (package / "_workflow", package.parent / "workflow"):
        if (folder / "Snakefile").is_file():
            return folder
    raise RunError(
        f"no workflow next to {package}. Expected the file Snakefile in a folder workflow there. Install faceage_bio from its repository."
    )
