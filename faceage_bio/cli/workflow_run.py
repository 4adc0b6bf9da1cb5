"""`faceage-bio run`: snakemake in this process, what it does in plain words, and the key results at the end."""

import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from faceage_bio.cli.main import title_of
from faceage_bio.cli.terminal import console
from faceage_bio.core.config import Config, check_config, read_yaml
from faceage_bio.core.errors import RunError

TARGETS = {"all", "default"}  # rules that only gather the others
LAST_LINES = 15
SECONDS_OF_SILENCE = 60  # in a log; on a terminal the clock is seen to go
# of snakemake: what it says where a step failed, and has been told already; and where another run holds the folder
SHOWN = (
    "CalledProcessError",
    "job did not complete successfully",
    "because a job execution failed",
    "SpawnedJobError",
)
UP_TO_DATE = "Nothing to be done"
MARK = "FACEAGE_BIO_RUN"  # in the environment of every step
SECONDS_TO_END = 10.0
INTERRUPTED = 130  # exit status of what Ctrl-C stopped
PLUGIN = "faceage-bio"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds as 1:02:03 or 2:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def steps(n: int) -> str:
    """The number with its noun."""
    return f"{n} step" if n == 1 else f"{n} steps"


class WorkflowProgress:
    """What snakemake reports of a run, in plain words: lines, and a bar below them on a terminal.

    Parameters
    ----------
    seen : callable
        Called at each report.
    """

    def __init__(self, seen: Callable[[], None] = lambda: None) -> None:
        self.console = console(stderr=True)
        self.seen = seen
        self.begin = self.last = time.monotonic()
        self.total = self.done = 0
        self.running: dict[int, tuple[str, float]] = {}
        self.failed: dict[int, str] = {}
        self.errors: list[str] = []
        self.started = self.up_to_date = self.interrupted = False
        self._said: list[str] = []
        self._bar = self._task = None
        self._ended = threading.Event()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.begin

    def report(self, record: logging.LogRecord, whole: Callable[[], str]) -> None:
        """Take one report; ``whole()`` is how snakemake itself would print it."""
        self.seen()
        event = str(getattr(record, "event", None) or "")
        if event in ("run_info", "job_info", "job_finished", "job_error", "group_error"):
            getattr(self, f"_{event}")(record.__dict__)
        elif event == "error" or record.levelno >= logging.WARNING:
            self._problem(whole())
        elif not event and not self.started:
            self._said.append(whole())
            self.up_to_date |= self._said[-1].startswith(UP_TO_DATE)

    def end(self) -> None:
        """Stop the bar; what snakemake said where it ran no step is all there is to tell."""
        self._ended.set()
        if self._bar is not None:
            self._bar.stop()
        if not (self.started or self.up_to_date or self.errors):
            for words in self._said:
                self.say(words)

    def _run_info(self, found: Mapping) -> None:
        counts = {rule: n for rule, n in found["stats"].items() if rule != "total"}
        self.total = sum(n for rule, n in counts.items() if rule not in TARGETS)
        self.started = True
        self.say(f"{steps(self.total)}. Log of snakemake: {_log_of_snakemake()}")
        if self.console.is_terminal:
            self._bar = _bar(self.console)
            self._task = self._bar.add_task("", total=self.total)
            self._bar.start()
        else:
            threading.Thread(target=self._keep_talking, daemon=True).start()

    def _job_info(self, found: Mapping) -> None:
        if found["rule_name"] not in TARGETS:
            which = ", ".join(dict(found["wildcards"] or {}).values())
            title = title_of(found["rule_name"])
            self.running[found["jobid"]] = (f"{title}, {which}" if which else title, time.monotonic())
            self._redraw()

    def _job_finished(self, found: Mapping) -> None:
        if (job := self.running.pop(found["job_id"], None)) is not None:
            title, since = job
            self.failed.pop(found["job_id"], None)  # on a cluster, a step that failed is tried again
            self.done += 1
            self.say(f"{self._place()}  {title} ({time.monotonic() - since:.0f} s)")
            self._redraw()

    def _job_error(self, found: Mapping) -> None:
        title, since = self.running.pop(found["jobid"], (title_of(found["rule_name"]), time.monotonic()))
        if not self.interrupted:
            self.failed[found["jobid"]] = title
            self.say(f"{self._place()}  FAILED: {title}, after {duration(time.monotonic() - since)}")
            for path in found["log"] or ["no log"]:
                self.say(_last_lines(Path(path)))
            self._redraw()

    def _group_error(self, found: Mapping) -> None:
        for job in found["job_error_info"]:
            self._job_error({**job, "log": [*job["log"], *found["aux_logs"]]})

    def _problem(self, words: str) -> None:
        if "Directory cannot be locked" in words:
            words = (
                "Another run of snakemake works in this folder, or one was killed. If none runs: the same command with "
                "--unlock, then again without."
            )
        if not self.interrupted and not any(told in words for told in SHOWN):
            self.errors.append(words)
            self.say(words)

    def _place(self) -> str:
        width = len(str(self.total))
        return f"[{self.done:{width}}/{self.total}] {duration(self.elapsed):>7}"

    def say(self, words: str) -> None:
        """Print a line, above the bar if there is one."""
        self.last = time.monotonic()
        self.console.print(words, soft_wrap=True)

    def _redraw(self) -> None:
        if self._bar is not None:
            titles = [title for title, _ in self.running.values()]
            shown = "; ".join(titles[:3]) + (f"; {len(titles) - 3} more" if len(titles) > 3 else "")
            self._bar.update(self._task, completed=self.done, description=shown)

    def _keep_talking(self) -> None:
        """In a log, that something still runs."""
        while not self._ended.wait(5):
            if self.running and time.monotonic() - self.last >= SECONDS_OF_SILENCE:
                now, running = time.monotonic(), self.running.copy().values()
                told = "; ".join(f"{title} ({duration(now - since)})" for title, since in running)
                self.say(f"{self._place()}  running: {told}")


def plugin(progress: WorkflowProgress) -> type:
    """A module of snakemake's logger plugins, as it looks for one, whose reports go to ``progress``."""
    from types import SimpleNamespace

    from snakemake_interface_logger_plugins.base import LogHandlerBase

    class LogHandler(LogHandlerBase):
        writes_to_stream = True
        writes_to_file = False
        has_filter = True
        has_formatter = False
        needs_rulegraph = False

        def emit(self, record: logging.LogRecord) -> None:
            try:
                progress.report(record, lambda: self.format(record) or "")
            except Exception:
                self.handleError(record)

    return SimpleNamespace(LogHandler=LogHandler)


def _bar(console):
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    title = TextColumn("{task.description}", markup=False)
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(), title)
    return Progress(*columns, console=console, transient=True, refresh_per_second=2)


def _log_of_snakemake() -> str:
    handlers = logging.getLogger("snakemake.logging").handlers
    return next((one.baseFilename for one in handlers if hasattr(one, "baseFilename")), "none")


def _last_lines(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"  no log at {path}"
    if not lines:
        return f"  its log {path} is empty"
    return "\n".join([f"  last lines of {path}:", *(f"    {line}" for line in lines[-LAST_LINES:])])


class RunLock:
    """What tells a later run that the lock which it finds is one of a run that is gone: snakemake's own stays behind, the kernel's does not."""

    def __init__(self, folder: Path) -> None:
        self.locks = folder / ".snakemake" / "locks"
        self.record = folder / ".snakemake" / "faceage_bio_run.json"
        self.removed = False
        """Whether the lock of a run that was killed was found and removed."""
        self._file: TextIO | None = None
        self._others: dict = {}
        self._noted = False
        self._mark = uuid4().hex

    @contextmanager
    def held(self) -> Iterator["RunLock"]:
        """Hold the lock as long as this process lives; where the file system has none, snakemake's own is all there is.

        Raises
        ------
        RunError
            Another run is at work in this folder.
        """
        import fcntl

        self.record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.record.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"{self.record.parent.parent.resolve()}: another run is at work there (process {_read(file).get('process', 'not known')}). "
                    "Expected none. Leave it to its end, or stop it with Ctrl-C where it was started."
                ) from None
            except OSError:
                yield self
                return
            self._take_away(_read(file))
            os.environ[MARK] = self._mark
            self._file, self._others = file, _identities(self.locks)
            self._write({})
            try:
                yield self
            finally:
                file.truncate(0)

    def note(self) -> None:
        """Remember snakemake's lock as ours, once it is there."""
        if self._file is not None and not self._noted:
            there = _identities(self.locks)
            if ours := {name: what for name, what in there.items() if self._others.get(name) != what}:
                self._write(ours)
                self._noted = True

    def _write(self, locks: dict) -> None:
        self._file.seek(0)
        self._file.truncate()
        json.dump({"process": os.getpid(), "mark": self._mark, "locks": locks}, self._file)
        self._file.flush()

    def _take_away(self, killed: dict) -> None:
        there = _identities(self.locks)
        if there and there == killed.get("locks"):
            _end_steps(killed["mark"])
            shutil.rmtree(self.locks)
            self.removed = True


def _identities(folder: Path) -> dict[str, list[int]]:
    """The lock files, each by what no later file of that name shares."""
    stats = {path.name: path.stat() for path in sorted(folder.glob("*.lock"))}
    return {name: [stat.st_ino, stat.st_mtime_ns] for name, stat in stats.items()}


def _end_steps(mark: str) -> None:
    """End the steps that outlived their run, since their successors write the same files."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + SECONDS_TO_END
        for process in steps_of(mark):
            with suppress(ProcessLookupError):
                os.kill(process, sign)
        while steps_of(mark) and time.monotonic() < until:
            time.sleep(0.1)


def steps_of(mark: str) -> list[int]:
    """Processes that a run with this mark started, on Linux; those of others cannot be read."""
    sought, found = f"{MARK}={mark}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if sought in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def _read(file: TextIO) -> dict:
    file.seek(0)
    try:
        return json.loads(file.read() or "{}")
    except ValueError:
        return {}


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
        took = f"{steps(progress.done)} in {duration(progress.elapsed)}."
        progress.say(took if progress.started else "All results are up to date.")
        if not given.targets:
            _print_results(results, config)


def _print_results(results: Path, config: Config) -> None:
    from faceage_bio.report.summary import key_result_lines, pages

    print("\nKey results", *(key_result_lines(results, config) or ["none estimated"]), sep="\n  ")
    title = "\nPages (internal, exact numbers; `faceage-bio publish` writes those for others)"
    print(title, *pages(results), sep="\n  ", flush=True)
