"""What a user starts with: init, check, run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from faceage_bio.config import Config
    from faceage_bio.machine import Answer

app = typer.Typer()
ConfigFile = Annotated[Path, typer.Option("--configfile", help="The study's config.yaml.")]


@app.command()
def init(
    folder: Annotated[Path | None, typer.Argument(help="A new folder for the study.")] = None,
    update: Annotated[
        Path | None,
        typer.Option(help="Instead: a config of an earlier version, whose keys get their new names."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Instead: a table (.csv, .tsv, .xlsx); prints what to declare of it, and what is unsure.",
        ),
    ] = None,
    redcap: Annotated[
        Path | None,
        typer.Option(help="Instead, or with --from: REDCap's data dictionary (.csv), which becomes codings."),
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of the workbook.")] = None,
) -> None:
    """Write a commented config and example tables for a study of your own, or bring an old config up to date.

    With --update the old text stays beside the config as config.yaml.old. With --from or --redcap nothing is written: the keys
    for a table of yours (columns, codings, units, dates, words for missing) are printed, to be put under a cohort.

    Example: faceage-bio init my-study
    """
    from faceage_bio.cohort.example import write_example
    from faceage_bio.errors import RunError

    if sum(one is not None for one in (folder, update, table or redcap)) != 1:
        raise RunError(
            "init: found none or several of a folder, --update, and --from or --redcap. Expected one. Give `faceage-bio init my-study`, "
            "`faceage-bio init --update my-study/config.yaml` or `faceage-bio init --from clinical.csv`."
        )
    if table or redcap:
        from faceage_bio.cohort.proposal import propose

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
    from faceage_bio.config import rename_keys

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
    import pandas as pd
    from rich.table import Table

    from faceage_bio.cli import terminal
    from faceage_bio.cohort.analyses import check_tables
    from faceage_bio.cohort.intake import overview, read_cohorts
    from faceage_bio.cohort.names import check_names
    from faceage_bio.columns import SUBJECT
    from faceage_bio.config import analysis_settings, load_config
    from faceage_bio.errors import CohortError, FaceAgeBioError, RunError, TableError, WeightsError
    from faceage_bio.faceage.review_tables import read_review
    from faceage_bio.machine import MISSING, OK, Answer
    from faceage_bio.problems import Problems
    from faceage_bio.readers.stage import check_study
    from faceage_bio.vision.card import read_card

    config = load_config(configfile)
    console = terminal.console()
    if config.demo is not None:
        console.print(
            "The cohorts of this config are the demo's: they will be simulated, so there is nothing to check."
        )
        _tell_computer(config, console, [], time_photos)
        return
    problems: list[FaceAgeBioError] = []
    weights = []
    if any(cohort.photos for cohort in config.cohorts.values()):
        for folder in config.models:
            try:
                weights.append(Answer("Weights", OK, f"{read_card(folder)['name']}, SHA-256 as in its card"))
            except WeightsError as error:
                weights.append(Answer("Weights", MISSING, folder, "See the problem below."))
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
        settings = analysis_settings(config.model_dump())
        try:
            named = Problems()
            for line in check_names(cohorts, tables, settings, named):
                console.print(line, markup=False, highlight=False)
            named.stop_if_any()
            check_tables(cohorts, tables, settings)
        except CohortError as error:
            problems.append(error)
        if config.readers.readings:
            people = [subject for cohort in tables.values() for subject in cohort.subjects[SUBJECT]]
            try:
                console.print(f"Reader study: {check_study(config.readers, people)} readings")
            except (CohortError, TableError) as error:
                problems.append(error)
        if config.review.decisions:
            try:
                known = pd.concat([cohort.photos for cohort in tables.values()])
                console.print(
                    f"Review of photos: {len(read_review(config.review.decisions, known))} decisions"
                )
            except CohortError as error:
                problems.append(error)
    ready = _tell_computer(config, console, weights, time_photos)
    if problems:
        raise CohortError("\n".join(str(problem) for problem in problems))
    if not ready:
        raise RunError(
            "the study fits together, but will not run here. Expected no line that says missing in the table above. Add what it names, and check again."
        )
    console.print(f"Everything fits. Start with: faceage-bio run --configfile {configfile}")


def _tell_computer(config: "Config", console: "Console", weights: list["Answer"], time_photos: int) -> bool:
    """Print whether the study will run on this computer; False if something that it needs is missing."""
    import sys

    from rich.table import Table

    from faceage_bio import machine
    from faceage_bio.demo.plans import PLANS
    from faceage_bio.faceage.shards import count_photos

    cohorts = list(config.cohorts.values())
    files = [file for one in cohorts for file in (one.counts, one.single_cell, one.variants) if file]
    photos = sum(count_photos(one.manifest) for one in cohorts if one.manifest)
    if config.demo is not None:
        photos = sum(plan.n for plan in PLANS)
    folders = [Path(one.photos) for one in cohorts if one.photos and Path(one.photos).is_dir()]
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    megapixels = machine.usual_megapixels(paths)
    rate = None
    if time_photos and photos:
        megapixels = megapixels if megapixels == megapixels else machine.PIXELS
        rate = _time_photos(config, paths, time_photos, photos, megapixels)
    answers = [
        machine.Answer("Python", machine.OK, sys.version.split()[0]),
        *weights,
        *machine.answers(
            machine.look(Path(config.results_dir).resolve()), photos=photos, table_bytes=sum(_bytes_of(Path(file)) for file in files),
            device=config.faceage.device, detection=config.faceage.detection, jitters=config.faceage.jitters, megapixels=megapixels, photos_per_second=rate,
        ),
    ]  # fmt: skip
    table = Table("What", "", "Found", "What to do", title="Will it run here?")
    for answer in answers:
        table.add_row(answer.what, answer.state, answer.found, answer.advice)
    console.print(table)
    return not any(answer.state == machine.MISSING for answer in answers)


def _time_photos(config: "Config", paths: list[Path], n: int, photos: int, megapixels: float) -> float | None:
    """Photos per second of as many processes as a run would have; None where the GPU that is asked for is not there."""
    import tempfile

    import torch

    from faceage_bio import machine
    from faceage_bio.demo.noise import draw_noise
    from faceage_bio.faceage.predict import choose_device, count_workers
    from faceage_bio.faceage.settings import settings_of
    from faceage_bio.faceage.timing import photos_per_second

    if config.faceage.device == "cuda" and not torch.cuda.is_available():
        return None
    device = choose_device(config.faceage.device)
    shard = min(photos, config.faceage.shard_size)
    workers = min(machine.MOST_WORKERS, count_workers(None, device, shard))
    with tempfile.TemporaryDirectory() as folder:
        own = list(machine.sizes_of(paths, n))
        timed = own or draw_noise(Path(folder), n, megapixels)
        what = "of the study's photos" if own else "pictures of noise"
        print(f"Timing {len(timed)} {what} in each of {workers} process(es) on {device} ...", flush=True)
        return photos_per_second(timed, device, settings_of(config.faceage), workers)


def _bytes_of(path: Path) -> int:
    """Of a file, or of all files in a folder; 0 if there is none."""
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size if path.is_file() else 0


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    configfile: ConfigFile,
    cores: Annotated[str, typer.Option(help="Processor cores, or all.")] = "all",
) -> None:
    """Run the whole workflow; anything else on the line is passed on to snakemake.

    Shows each finished step with the time that it took, and the last lines of the log of a step that failed; ends with the key
    results and the pages. Ctrl-C stops it, and the same command goes on from there. With --dry-run, --quiet or --verbose it
    prints what snakemake prints.

    Example: faceage-bio run --configfile my-study/config.yaml --dry-run
    """
    from faceage_bio.cli.workflow_run import run_workflow

    snakefile = workflow_folder() / "Snakefile"
    command = [
        "--snakefile",
        str(snakefile),
        "--configfile",
        str(configfile),
        "--cores",
        cores,
        *context.args,
    ]
    raise typer.Exit(run_workflow(command))


def workflow_folder() -> Path:
    """The workflow inside the installed package, or beside it in the repository."""
    import faceage_bio
    from faceage_bio.errors import RunError

    package = Path(faceage_bio.__file__).parent
    for folder in (package / "_workflow", package.parent / "workflow"):
        if (folder / "Snakefile").is_file():
            return folder
    raise RunError(
        f"no workflow beside {package}. Expected the file Snakefile in a folder workflow there. Install faceage_bio from its repository."
    )
