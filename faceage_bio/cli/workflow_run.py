"""`faceage-bio run`: snakemake in this process, what it does in plain words, and the key results at the end."""

import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from faceage_bio.cli.workflow_lock import RunLock
from faceage_bio.cli.workflow_progress import WorkflowProgress, duration, plugin, steps
from faceage_bio.core.config import Config, check_config, read_yaml
from faceage_bio.core.errors import RunError

INTERRUPTED = 130  # exit status of what Ctrl-C stopped
PLUGIN = "faceage-bio"


def run_workflow(arguments: Sequence[str]) -> int:
    """Run snakemake with these arguments; its exit status, or 130 after Ctrl-C."""
    from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

    parser, given, told = _parse(arguments)
    config = _config_of(given)
    if given.dryrun or given.quiet or given.verbose or given.logger:
        print(told, end="", file=sys.stderr)
        return _status(given, parser)
    folder = Path(given.directory or ".")
    lock = RunLock(folder)
    # jobs on a cluster outlive the run that submitted them: its lock is for its owner to remove
    progress = WorkflowProgress(seen=lock.note if given.executor in (None, "local") else lambda: None)
    registry = LoggerPluginRegistry()
    registry.plugins.pop(PLUGIN, None)
    registry.register_plugin(f"{registry.module_prefix}{PLUGIN}", plugin(progress))
    given.logger = [PLUGIN]
    with lock.held():
        if lock.removed:
            progress.say(
                "The run before was killed. Its lock is removed, steps that it left running are ended, and what it had finished is kept."
            )
        status = _interruptible(given, parser, progress)
    _tell_end(status, progress, given, config, folder / config.results_dir)
    return status


def _parse(arguments: Sequence[str]) -> tuple[ArgumentParser, Namespace, str]:
    """Snakemake's parser, the arguments with those of a profile, and what it says of the profile."""
    from snakemake.cli import parse_args

    told = StringIO()
    try:
        with redirect_stderr(told):
            parser, given = parse_args(list(arguments))
    except SystemExit:
        said = told.getvalue().rpartition("error: ")[2].strip()
        raise RunError(
            f"{said}. Expected options of `faceage-bio run --help` or of `snakemake --help`. Correct the command."
        ) from None
    return parser, given, told.getvalue()


def _status(given: Namespace, parser: ArgumentParser) -> int:
    """As snakemake's own command does."""
    from snakemake.cli import args_to_api
    from snakemake.exceptions import print_exception

    try:
        return 0 if args_to_api(given, parser) else 1
    except Exception as error:
        print_exception(error)
        return 1


def _interruptible(given: Namespace, parser: ArgumentParser, progress: WorkflowProgress) -> int:
    """The exit status; what Ctrl-C stopped did not fail."""

    def stop(*_: object) -> None:
        progress.interrupted = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        status = _status(given, parser)
    except KeyboardInterrupt:
        status = INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, before)
        progress.end()
    return INTERRUPTED if progress.interrupted else status


def _config_of(given: Namespace) -> Config:
    """The config that snakemake will make of its arguments."""
    from snakemake.cli import parse_config
    from snakemake.utils import update_config

    path = Path(given.configfile[0])
    content = read_yaml(path)
    update_config(content, parse_config(given.config))
    return check_config(content, str(path), path.parent, given.directory or ".")


def _tell_end(
    status: int, progress: WorkflowProgress, given: Namespace, config: Config, results: Path
) -> None:
    if progress.failed:
        names = "; ".join(progress.failed.values())
        progress.say(
            f"{len(progress.failed)} of {steps(progress.total)} failed: {names}. Correct what the lines above say and give the "
            "same command again; what is finished is kept."
        )
    elif status and not progress.errors:
        progress.say("Stopped. What is finished is kept; the same command goes on from there.")
    elif status == 0 and (progress.started or progress.up_to_date):
        done = (
            f"{steps(progress.done)} in {duration(progress.elapsed)}."
            if progress.started
            else "All results are up to date."
        )
        progress.say(done)
        if not given.targets:
            _print_results(results, config)


def _print_results(results: Path, config: Config) -> None:
    from faceage_bio.report.run_summary import key_result_lines, pages

    print("\nKey results", *(key_result_lines(results, config) or ["none estimated"]), sep="\n  ")
    print("\nPages (internal, exact numbers; `faceage-bio publish` writes those for others)", *pages(results), sep="\n  ", flush=True)  # fmt: skip
