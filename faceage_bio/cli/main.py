"""The command line: one command per step of the workflow, and those that a user starts with."""

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Annotated

import typer
from typer.models import CommandInfo

import faceage_bio
from faceage_bio.cli import (
    commands_acceleration,
    commands_associations,
    commands_cohort,
    commands_expression,
    commands_faceage,
    commands_models,
    commands_plan,
    commands_release,
    commands_report,
    commands_study,
    commands_survival,
)
from faceage_bio.cli.terminal import VerbatimCommand, VerbatimGroup, speak_utf8
from faceage_bio.core.errors import FaceAgeBioError, refusal_of
from faceage_bio.core.steps import STEPS

# in the order of `faceage-bio --help`: stage, command, and title of the step while it runs; "" where it is no step of the workflow
STAGES: dict[str, dict[str, str]] = {
    "Start here": {
        "init": "", "check": "", "run": "", "publish": "Release", "weights": "",
    },
    "Planning": {
        "plan": "", "freeze": "", "randomise": "",
    },
    "Input tables": {
        "read-manifest": "Photos of the manifest", "check-cohort": "Input tables", "check-analyses": "Covariates and samples", "gather-ledger": "Participant flow",
        "pseudonymise": "", "check-privacy": "",
    },
    "Photos and face age": {
        "predict-face-age": "Face ages", "gather-face-ages": "Duplicate photos and exclusions", "read-face-ages": "Face ages given",
        "summarise-photos": "Photo quality", "compare-models": "Agreement of age models", "make-review-sheet": "Review sheet of photos",
        "read-review": "", "store": "", "summarise-review": "Manual review of photos",
    },
    "Age models of one's own": {
        "train": "",
    },
    "Age acceleration": {
        "compute-acceleration": "Age acceleration", "tabulate-definitions": "Definitions of age acceleration", "define-acceleration": "", "measure-repeats": "Reliability of one photo, face ageing rate",
    },
    "Associations and fairness": {
        "test-phenotypes": "Table 1, smoking, BMI, ECOG", "compare-groups": "Group comparisons",
        "fit-association-sensitivity": "Dose-response, subgroups, matched pairs, adjustment sets",
        "assess-fairness": "Fairness", "stress-photos": "Robustness to image degradation",
    },
    "Genes": {
        "aggregate-cells": "Pseudobulk of single cells", "compare-composition": "Cell composition",
        "check-expression": "Quality of RNA samples, normalised expression",
        "fit-expression": "Differential expression", "fit-expression-sensitivity": "Sensitivity of prespecified genes",
        "score-gene-sets": "Gene sets", "list-gene-sets": "", "fit-gene-survival": "Genes and survival", "fit-variants": "DNA variants",
    },
    "Survival": {
        "prepare-follow-up": "Follow-up", "fit-survival": "Cox models", "fit-survival-sensitivity": "Sensitivity of the hazard ratio",
        "estimate-curves": "Kaplan-Meier curves and competing risks",
    },
    "Clinical scores and readers": {
        "compute-scores": "Clinical scores", "show-score": "",
        "compare-readers": "Reader study",
    },
    "Meta-analysis": {
        "pool-cohorts": "Meta-analysis over cohorts", "pool-genes": "Meta-analysis of genes", "fit-one-stage": "One-stage Cox models",
    },
    "Verification": {
        "verify-results": "Independent software",
    },
    "Reports": {
        "render-report": "Pages, figures and tables for a paper", "draw-figures": "",
    },
    "Several hospitals": {
        "site": "",
    },
    "Demo": {
        "make-demo-cohorts": "Simulated participants", "fit-demo-model": "Demo model", "make-demo-photos": "",
    },
}  # fmt: skip
_TITLES = {command: title for of_stage in STAGES.values() for command, title in of_stage.items()}


def title_of(rule: str) -> str:
    """What a rule of the workflow is called while it runs; rules are named as their commands."""
    return _TITLES.get(rule.replace("_", "-"), "") or rule.replace("_", " ")


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


# of what they read and write the hash can be tried out: seed and allocation list of a trial, key and identifiers behind pseudonyms
OF_SECRETS = {"pseudonymise", "randomise"}


def _recorded(name: str, step: Callable[..., None]) -> Callable[..., None]:
    """The same command, which leaves a record next to what it wrote, unless it tells of secrets, and names its tables where it fails."""

    @wraps(step)
    def run(**parameters: object) -> None:
        from faceage_bio.core.records import recorded  # pandas, which the command needs anyway
        from faceage_bio.core.tables import naming_tables

        with nullcontext() if name in OF_SECRETS else recorded(name, parameters), naming_tables():
            step(**parameters)

    return run


APPS = [  # of commands that are no steps; the other modules declare steps alone
    module.app
    for module in (
        commands_study, commands_cohort, commands_faceage, commands_acceleration, commands_associations, commands_expression,
        commands_survival, commands_report, commands_plan, commands_release,
    ) if hasattr(module, "app")
]  # fmt: skip
GROUPS = {
    "weights": (commands_models.weights_app, "Import, check and show the published FaceAge weights."),
    "train": (commands_models.train_app, "Train an age model on your own photos: prepare, fit, evaluate."),
    "site": (
        commands_release.site_app,
        "Hospitals that share no rows: bundles to pool, or one Cox model by rounds.",
    ),
    "plan": (commands_plan.plan_app, "Participants that a cohort study or a trial with face age needs."),
    "store": (
        commands_faceage.store_app,
        "Check and tidy up the results of photos that were computed before.",
    ),
}


def commands() -> dict[str, CommandInfo]:
    """Every command by its name: those declared as steps, and those that have options of their own."""
    return {name: CommandInfo(name, callback=one.command()) for name, one in STEPS.items()} | {
        info.name or info.callback.__name__.replace("_", "-"): info
        for one in APPS
        for info in one.registered_commands
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
    os.umask(os.umask(0o002) | 0o002)  # others change nothing in the folders of a study
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
