"""A run as its user follows it: plain titles, how many are done, how long it takes, and why a step failed."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from faceage_bio.cli.stages import title_of

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


def duration(seconds: float) -> str:
    """Hours, minutes and seconds as 1:02:03 or 2:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def steps(n: int) -> str:
    """The number with its noun."""
    return f"{n} step" if n == 1 else f"{n} steps"


class WorkflowProgress:
    """What snakemake reports of a run, as lines; and as a bar below them on a terminal.

    Parameters
    ----------
    seen : callable
        Called at each report.
    """

    def __init__(self, seen: Callable[[], None] = lambda: None) -> None:
        from faceage_bio.cli.terminal import console

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
        take = {
            "run_info": self._run_info, "job_info": self._job_info, "job_finished": self._job_finished,
            "job_error": self._job_error, "group_error": self._group_error,
        }.get(event)  # fmt: skip
        if take is not None:
            take(record.__dict__)
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
                told = [f"{title} ({duration(time.monotonic() - since)})" for title, since in self.running.copy().values()]  # fmt: skip
                self.say(f"{self._place()}  running: {'; '.join(told)}")


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

    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
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
