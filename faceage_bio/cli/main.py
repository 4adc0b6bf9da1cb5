"""The command line: one command per step of the workflow, and those that a user starts with."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated

import typer
from typer.models import CommandInfo

import faceage_bio
from faceage_bio.cli import (
    commands_acceleration,
    commands_cohort,
    commands_demo,
    commands_expression,
    commands_faceage,
    commands_fairness,
    commands_phenotype,
    commands_plan,
    commands_pooling,
    commands_randomise,
    commands_readers,
    commands_release,
    commands_report,
    commands_review,
    commands_scores,
    commands_site,
    commands_store,
    commands_study,
    commands_survival,
    commands_train,
    commands_verification,
    commands_weights,
)
from faceage_bio.cli.stages import STAGES
from faceage_bio.cli.terminal import VerbatimCommand, VerbatimGroup, speak_utf8
from faceage_bio.core.errors import FaceAgeBioError, refusal_of
from faceage_bio.core.steps import STEPS

app = typer.Typer(
    name="faceage-bio",
    cls=VerbatimGroup,
    help="Facial age acceleration, gene expression and survival?\n\n"
    "Start with `faceage-bio init my-study`, edit my-study/config.yaml, then\n"
    "`faceage-bio check --configfile my-study/config.yaml` and\n"
    "`faceage-bio run --configfile my-study/config.yaml`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a bug shows its plain traceback, a user's error none
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"faceage-bio {faceage_bio.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


def _recorded(name: str, step: Callable[..., None]) -> Callable[..., None]:
    """The same command, which leaves a record next to what it wrote and names its tables where it fails."""

    @wraps(step)
    def run(**parameters: object) -> None:
        from faceage_bio.core.records import recorded  # pandas, which the command needs anyway
        from faceage_bio.core.tables import naming_tables

        with recorded(name, parameters), naming_tables():
            step(**parameters)

    return run


MODULES = (
    commands_study,
    commands_cohort,
    commands_faceage,
    commands_review,
    commands_acceleration,
    commands_phenotype,
    commands_fairness,
    commands_expression,
    commands_survival,
    commands_readers,
    commands_scores,
    commands_pooling,
    commands_randomise,
    commands_verification,
    commands_report,
    commands_release,
    commands_demo,
)


GROUPS = {
    "weights": (commands_weights.app, "Import, check and show the published FaceAge weights."),
    "train": (commands_train.app, "Train an age model on your own photos: prepare, fit, evaluate."),
    "site": (commands_site.app, "Hospitals that share no rows: bundles to pool, or one Cox model by rounds."),
    "plan": (commands_plan.app, "Participants that a cohort study or a trial with face age needs."),
    "store": (commands_store.app, "Check and tidy up the results of photos that were computed before."),
}


def commands() -> dict[str, CommandInfo]:
    """Every command by its name: those declared as steps, and those that have options of their own."""
    return {name: CommandInfo(name, callback=one.command()) for name, one in STEPS.items()} | {
        info.name or info.callback.__name__.replace("_", "-"): info
        for module in MODULES
        if hasattr(module, "app")
        for info in module.app.registered_commands
    }


def _add_commands() -> None:
    """Add every command under its stage; steps leave a record, the commands that a user starts with do not."""
    found = commands()
    for stage, names in STAGES.items():
        for name in names:
            if name in GROUPS:
                group, words = GROUPS[name]
                app.add_typer(group, name=name, cls=VerbatimGroup, help=words, rich_help_panel=stage)
            else:
                app.add_typer(_one(name, found.pop(name), stage))
    for name, info in found.items():
        app.add_typer(_one(name, info, "Further steps"))
    for group, _ in GROUPS.values():
        for info in group.registered_commands:
            info.cls = VerbatimCommand


def _one(name: str, info: CommandInfo, stage: str) -> typer.Typer:
    """A command alone, since only what is added in turn is listed in turn."""
    info.cls, info.rich_help_panel = VerbatimCommand, stage
    if name not in STEPS and info not in commands_study.app.registered_commands:
        info.callback = _recorded(name, info.callback)
    alone = typer.Typer()
    alone.registered_commands.append(info)
    return alone


_add_commands()


def main() -> None:
    """Run a command; what the user can correct is reported with exit status 2, a bug keeps its traceback."""
    speak_utf8()
    try:
        app()
    except FaceAgeBioError as error:
        told = str(error)
    except (OSError, MemoryError) as error:
        told = refusal_of(error)
        if not told:
            raise
    else:
        return
    print(f"error: {told}", file=sys.stderr)
    sys.exit(2)
