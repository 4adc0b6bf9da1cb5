"""What several test files share: the workflow started as a user starts it, and one finished demo run."""

import os
import re
import resource
import signal
import subprocess
import sys
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from hypothesis import settings

from tests import started_steps
from tests.started_steps import asking, forked

# test processes share the cores, and threads that wait for each other's keep theirs busy
os.environ.setdefault("OMP_NUM_THREADS", "1")
# hundreds of processes start, and each would compile the package anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# a run in the background may ignore Ctrl+C, and so would the commands that tests interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("shared machine", deadline=None)  # how long an example takes says nothing there
settings.load_profile("shared machine")

collect_ignore = (
    [] if find_spec("nvflare") else ["federated"]
)  # `make test-federated` has an environment for them

ROOT = Path(__file__).parent.parent
COSTLY = 25  # test files whose seconds are shown at the end
DEMO_CONFIG = ROOT / "config" / "config.yaml"


def pytest_make_parametrize_id(val, argname: str) -> str | None:
    """Bytes (a gzip header holds the second it was made) are no name: all workers must find the same tests."""
    return argname if isinstance(val, bytes) else None


@dataclass(frozen=True)
class Run:
    """A finished command."""

    status: int
    output: str


def snakemake(
    folder: Path, *arguments: str, configfile: Path = DEMO_CONFIG, sections: str = "full", forks: bool = False
) -> Run:
    """Start the workflow in ``folder`` with the interpreter of the tests, which need not be activated.

    With ``forks`` it and its steps are forked from a process that has imported what they need, as dry runs are.
    """
    command = [
        *(asking() if forks or "--dry-run" in arguments else [sys.executable, "-m"]), "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder),
        "--configfile", str(configfile), "--config", f"report={{sections: {sections}}}", "--cores", str(os.cpu_count()), "--show-failed-logs", *arguments,
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | (forked() if forks else {})
    )
    return Run(done.returncode, done.stdout + done.stderr)


def jobs_planned(output: str) -> dict[str, int]:
    """Rule names and counts from the table that a dry run prints."""
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", output, flags=re.MULTILINE)}


def write_config(path: Path, **changes) -> Path:
    """The demo's config with other top-level values; None takes a key out."""
    content = yaml.safe_load(DEMO_CONFIG.read_text()) | changes
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


def add_mean_model(folder: Path) -> None:
    """A second age model whose answer is known: the mean of the crop, as an age from 0 to 64."""
    import torch

    from faceage_bio.faces.vision.face_input import FaceInput
    from faceage_bio.faces.vision.other_models import add_model

    class Mean(torch.nn.Module):
        def forward(self, crops):
            return crops.mean(dim=(1, 2, 3)) * 64

    path = folder.with_suffix(".pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.trace(Mean(), torch.zeros(2, 3, 160, 160)).save(str(path))
    add_model(
        path,
        folder,
        name="Mean of the crop",
        face_input=FaceInput(standardisation="zero_to_one"),
        source="a test",
        trust=True,
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs first, so that no test process is left alone with them at the end; what needs the demo is one of them.

    SLURM and the file that makes the demo are the first of all; files that only read the demo come after the other runs, so that
    no process waits for it.
    """
    using: dict[Path, set[str]] = {}  # fixtures and marks by file, for a process takes whole files
    for item in items:
        needed = set(getattr(item, "fixturenames", ()))
        if {"demo", "drawn"} & needed:
            item.add_marker("workflow")
        if "browser" in needed:
            item.add_marker("browser")
        using.setdefault(item.path, set()).update(needed, (mark.name for mark in item.iter_markers()))
    makes_demo = next((path for path, used in using.items() if "demo" in used), None)

    def turn(item: pytest.Item) -> int:
        used = using[item.path]
        if "slurm" in used or item.path == makes_demo:
            return 0
        return 3 if "workflow" not in used else 2 if "drawn" in used else 1

    items.sort(key=turn)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """PyTorch computes on one core, whatever another library (Numba, imported by Scanpy) told OpenMP since."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def made_once(tmp_path_factory, name: str, *targets: str) -> Path:
    """The folder "demo", shared by all test processes, once the first of them has made these targets in it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with FileLock(folder / f"{name}.lock"):
        log = folder / f"{name}.log"
        if not log.exists():
            (folder / "demo").mkdir(exist_ok=True)
            run = snakemake(folder / "demo", *targets, forks=True)
            log.write_text(f"{run.status}\n{run.output}")
        status, _, output = log.read_text().partition("\n")
    assert status == "0", output[-8000:]
    return folder / "demo"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    """A folder in which the demo's people were drawn and its model was fitted once, for all test processes; read it, do not change it."""
    return made_once(tmp_path_factory, "drawn", "make_demo_cohorts", "fit_demo_model")


@pytest.fixture(scope="session")
def demo(drawn, tmp_path_factory) -> Path:
    """The same folder once the whole demo ran in it."""
    return made_once(tmp_path_factory, "demo")


@pytest.fixture(scope="session")
def detector():
    """The detector of faces, loaded once for all tests of a process."""
    from faceage_bio.faces.vision.detect import Detector

    return Detector()


@pytest.fixture(scope="session")
def chromium_of_process(tmp_path_factory):
    from tests.browser import chromium

    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def browser(chromium_of_process):
    """Chromium, started once for all tests of a process, as it is when it has just started."""
    from tests.browser import as_new

    as_new(chromium_of_process)
    return chromium_of_process


# of what is drawn again and again, as few as show that it is
IMPUTATION = {"imputation": {"m": 2, "iterations": 2}}
FEW_DRAWS = {
    "survival": {"added_value": {"bootstraps": 10}, "permutations": 100} | IMPUTATION,
    "phenotype": IMPUTATION, "expression": {"bootstraps": 100, "permutations": 2}, "scores": {"bootstraps": 100},
}  # fmt: skip


def cohorts_of(folder: Path, *names: str) -> dict:
    """What names the demo's cohorts (all, unless some are named) and its model in the config of a study elsewhere."""
    cohorts = yaml.safe_load(DEMO_CONFIG.read_text())["cohorts"]
    places = {
        name: {key: str(folder / path) for key, path in cohorts[name].items()} for name in names or cohorts
    }
    return {"cohorts": places, "demo": None, "models": [str(folder / "results/model/demo")]}


def cpu_seconds() -> float:
    """Of this process, of those that it started and that have ended, and of what was forked."""
    spent = [resource.getrusage(whom) for whom in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return started_steps.cpu_seconds() + sum(one.ru_utime + one.ru_stime for one in spent)


counted = [0.0]  # CPU seconds of this process until the last report


def pytest_collection_finish() -> None:
    counted[0] = cpu_seconds()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Each report says how many CPU seconds passed since the one before."""
    report = yield
    before, counted[0] = counted[0], cpu_seconds()
    report.user_properties.append(("cpu", counted[0] - before))
    return report


def pytest_terminal_summary(terminalreporter) -> None:
    """Seconds and CPU seconds of each test file, of those that cost most; a browser's count where it is closed, SLURM's jobs nowhere."""
    spent: dict[str, list[float]] = {}
    for reports in terminalreporter.stats.values():
        for one in reports:
            if isinstance(one, pytest.TestReport):
                both = spent.setdefault(one.nodeid.partition("::")[0], [0.0, 0.0])
                both[0] += one.duration
                both[1] += dict(one.user_properties).get("cpu", 0.0)
    costly = sorted(spent.items(), key=lambda item: -item[1][1])[:COSTLY]
    terminalreporter.section(
        f"seconds and CPU seconds per file, the {len(costly)} of {len(spent)} that cost most"
    )
    for file, (seconds, cpu) in costly:
        terminalreporter.write_line(f"{seconds:8.1f} {cpu:8.1f}  {file}")
    whole = [sum(one[place] for one in spent.values()) for place in (0, 1)]
    terminalreporter.write_line(f"{whole[0]:8.1f} {whole[1]:8.1f}  all files")
