"""`faceage-bio run` as its user meets it: in a pipe, on a terminal, when a step fails, when it is stopped and when it is killed."""

import json
import logging
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from faceage_bio.cli.workflow_run import MARK, RunLock, WorkflowProgress, duration, steps_of
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import RunError
from faceage_bio.core.results.reasons import Reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.tables import write_table
from faceage_bio.report.summary import key_result_lines, pages
from tests.conftest import ROOT, snakemake
from tests.sized_studies import write_study

CHECKED = "results/twelve/cohort/photos.parquet"  # a step of some seconds
LOCKS = ".snakemake/locks"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "faceage_bio", "run", "--configfile", "config.yaml", *arguments]


def started(folder: Path, *arguments: str) -> subprocess.Popen:
    """A run in a process group of its own, as a shell starts it."""
    return subprocess.Popen(
        command(*arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def finished(folder: Path, *arguments: str) -> tuple[int, str]:
    run = started(folder, *arguments)
    output, _ = run.communicate(timeout=300)
    return run.returncode, output


def until_locked(folder: Path) -> str:
    """Wait until the run has snakemake's lock and has noted it; returns its mark."""
    record = folder / ".snakemake" / "faceage_bio_run.json"
    for _ in range(600):
        if record.is_file() and '"0.output.lock"' in record.read_text():
            return json.loads(record.read_text())["mark"]
        time.sleep(0.1)
    raise AssertionError("no lock after a minute")


@pytest.fixture
def study(tmp_path) -> Path:
    write_study(tmp_path)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config | {"results_dir": "results"}))
    return tmp_path


# ------------------------------------------------------------------ whole runs


@pytest.mark.workflow
def test_a_failed_step_is_named_with_the_last_lines_of_its_log(study):
    ages = study / "two_ages.tsv"
    ages.write_text(ages.read_text().replace("face_age", "age_of_face"))
    status, output = finished(study, "results/two/faceage/face_age.parquet")
    assert status == 1
    assert "FAILED: Input tables, two, after 0:0" in output
    assert "last lines of results/logs/cohort/check_cohort_two.log:" in output
    assert "two_ages.tsv: line 1 lacks the column(s) face_age" in output
    assert "1 of 2 steps failed: Input tables, two. Correct what the lines above say" in output
    assert "[0/2]" in output
    for noise in ("Traceback", "CalledProcessError", "rule ", "\x1b", "Key results"):
        assert noise not in output
    log = Path(output.partition("Log of snakemake: ")[2].splitlines()[0])
    assert "Error in rule check_cohort" in log.read_text()


@pytest.mark.workflow
def test_ctrl_c_stops_the_run_and_leaves_no_lock(study):
    run = started(study)  # the whole study, which outlasts the other command
    until_locked(study)
    other_status, other = finished(study, CHECKED)
    assert other_status == 2
    assert f"another run is at work there (process {run.pid}). Expected none. Leave it to its end" in other
    os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 130
    assert output.endswith("Stopped. What is finished is kept; the same command goes on from there.\n")
    assert "FAILED" not in output
    assert "Traceback" not in output
    assert not list((study / LOCKS).glob("*"))
    assert finished(study, CHECKED)[0] == 0


@pytest.mark.workflow
def test_the_lock_of_a_killed_run_is_recognised_and_that_of_others_is_not(study):
    run = started(study, CHECKED)
    mark = until_locked(study)
    for _ in range(600):
        if steps_of(mark):
            break
        time.sleep(0.1)
    orphans = steps_of(mark)
    for step in orphans:
        os.kill(step, signal.SIGSTOP)  # so that it does not end before its run is killed
    run.kill()  # and not its steps
    run.wait()
    run.stdout.close()
    assert orphans
    for step in orphans:
        os.kill(step, signal.SIGCONT)
    assert len(list((study / LOCKS).glob("*.lock"))) == 2
    plain = snakemake(study, "--rerun-incomplete", CHECKED, configfile=study / "config.yaml")
    assert "Directory cannot be locked" in plain.output
    status, output = finished(study, CHECKED)
    assert status == 0, output
    assert "The run before was killed. Its lock is removed" in output
    assert not set(orphans) & set(steps_of(mark))
    # a lock that no run of ours made may be that of a snakemake at work
    (study / LOCKS).mkdir(exist_ok=True)
    (study / LOCKS / "0.output.lock").write_text(f"{CHECKED}\n")
    status, output = finished(study, "--force", CHECKED)
    assert status == 1
    assert "Another run of snakemake works in this folder, or one was killed. If none runs:" in output
    assert (study / LOCKS / "0.output.lock").exists()
    status, output = finished(study, "--unlock")
    assert status == 0
    assert "Unlocked working directory." in output
    assert not (study / LOCKS).exists()


@pytest.mark.workflow
def test_on_a_terminal_there_is_a_bar(study):
    """The same command with a pseudo-terminal: a bar that is redrawn, and the cursor is given back."""
    main, other = pty.openpty()
    run = subprocess.Popen(
        command(CHECKED), cwd=study, stdout=other, stderr=other, env=os.environ | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    )  # fmt: skip
    os.close(other)
    shown = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(main)
    assert run.wait() == 0
    text = shown.decode()
    assert "0/1" in text
    assert "Input tables" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0  # cursor hidden, then shown


@pytest.mark.workflow
def test_what_needs_no_progress_is_shown_as_snakemake_shows_it(study):
    status, output = finished(study, "--dry-run", CHECKED)
    assert status == 0
    assert "rule check_cohort:" in output
    status, output = finished(study, "--no-such-option")
    assert status == 2
    assert "unrecognized arguments: --no-such-option. Expected options of `faceage-bio run --help`" in output
    status, output = finished(study, "no_such_target")
    assert status == 1
    assert "No rule to produce no_such_target" in output
    status, output = finished(study, "--config", "report={sections: most}")
    assert status == 2
    assert "report.sections: found \"most\" (str), expected 'core' or 'full'" in output


# ------------------------------------------------------------------ parts


def record_of(event: str | None, message: str = "", level: int = logging.INFO, **more) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "x.py", 1, message, (), None)
    made.__dict__.update(more, event=event)
    return made


def reported(capsys, *records: logging.LogRecord) -> tuple[WorkflowProgress, str]:
    progress = WorkflowProgress()
    for one in records:
        progress.report(one, one.getMessage)
    progress.end()
    return progress, capsys.readouterr().err


def job(event: str, number: int, rule: str = "fit_survival", **more) -> logging.LogRecord:
    about = {"jobid": number, "job_id": number, "rule_name": rule, "wildcards": {"cohort": "north"}}
    return record_of(event, **about, **more)


RUN = record_of("run_info", stats={"fit_survival": 1, "all": 1, "total": 2})


def test_finished_steps_are_counted_without_the_target(capsys):
    progress, said = reported(
        capsys, RUN, job("job_info", 1), job("job_finished", 1), job("job_info", 2, "all"), job("job_finished", 2, "all")
    )  # fmt: skip
    assert (progress.done, progress.total) == (1, 1)
    assert said.splitlines()[0].startswith("1 step. Log of snakemake: ")
    assert said.splitlines()[1:] == ["[1/1]    0:00  Cox models, north (0 s)"]


def test_a_step_that_succeeds_when_tried_again_has_not_failed(capsys, tmp_path):
    (tmp_path / "step.log").write_text("".join(f"line {k}\n" for k in range(40)))
    failed = job("job_error", 1, log=[str(tmp_path / "step.log")])
    progress, said = reported(capsys, RUN, job("job_info", 1), failed)
    assert list(progress.failed.values()) == ["Cox models, north"]
    assert "    line 25\n" in said
    assert "line 24" not in said
    again = (job("job_info", 1), job("job_finished", 1))
    assert not reported(capsys, RUN, job("job_info", 1), failed, *again)[0].failed


def test_a_group_of_steps_on_a_cluster_names_each(capsys, tmp_path):
    (tmp_path / "slurm.log").write_text("out of memory\n")
    rules = ["fit_survival", "estimate_curves"]
    steps = [{"jobid": k, "rule_name": rule, "log": []} for k, rule in enumerate(rules)]
    group = record_of("group_error", job_error_info=steps, aux_logs=[str(tmp_path / "slurm.log")])
    progress, said = reported(capsys, RUN, group)
    assert list(progress.failed.values()) == ["Cox models", "Kaplan-Meier curves and competing risks"]
    assert said.count("out of memory") == 2


def test_warnings_and_errors_of_snakemake_are_shown_and_what_was_told_is_not(capsys):
    progress, said = reported(
        capsys, RUN, record_of("error", "MissingInputException: no photos", logging.ERROR),
        record_of("error", "CalledProcessError in rule", logging.ERROR), record_of(None, "a warning", logging.WARNING),
        record_of(None, "Assuming unrestricted shared filesystem usage."),
    )  # fmt: skip
    assert progress.errors == ["MissingInputException: no photos", "a warning"]
    assert "CalledProcessError" not in said
    assert "Assuming" not in said


def test_titles_with_brackets_stay(capsys):
    _, said = reported(capsys, RUN, record_of("error", "install 'faceage-bio[slurm]'", logging.ERROR))
    assert "install 'faceage-bio[slurm]'" in said


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0:00"), (75, "1:15"), (3723, "1:02:03")])
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_a_lock_made_anew_is_not_that_of_the_killed_run(tmp_path):
    locks = tmp_path / LOCKS

    def lock(text: str) -> None:
        locks.mkdir(parents=True, exist_ok=True)
        (locks / "0.output.lock").unlink(missing_ok=True)
        (locks / "0.output.lock").write_text(text)

    killed = RunLock(tmp_path)
    with killed.held():
        lock("a")
        killed.note()
        kept = killed.record.read_text()
    killed.record.write_text(kept)  # as if the process had not come to its end, and a step of it were left
    step = subprocess.Popen(["sleep", "600"], env={MARK: json.loads(kept)["mark"]})
    other = subprocess.Popen(["sleep", "600"], env={MARK: "of another run"})
    with RunLock(tmp_path).held() as later:
        assert later.removed
        assert not locks.exists()
    assert step.wait(timeout=30) == -signal.SIGTERM
    assert other.poll() is None
    other.kill()
    other.wait()
    killed.record.write_text(kept)
    lock("of another")
    with RunLock(tmp_path).held() as later:
        later.note()
        assert not later.removed
        assert locks.exists()
        assert '"locks": {}' in later.record.read_text()  # what was there before is not ours
        with pytest.raises(RunError, match="another run is at work there"), RunLock(tmp_path).held():
            pass


CONFIG = check_config({"cohorts": {"north": {"face_ages": "f.tsv"}, "south": {"face_ages": "g.tsv"}}})


def test_key_results_are_those_of_the_tables(tmp_path):
    hazard = {
        "question": "cox",
        "term": "face_age",
        "exposure": "face_age",
        "measure": "hazard ratio",
        "per": "10 years",
    }
    age = {"adjustment": "age", "covariates": "age"}
    few = Reason("few_events", {"n_events": 4, "needed": 5})
    change = {
        "question": "expression", "term": "CDK6", "measure": "log2 fold change", "per": "10 years", "model": "together",
        "exposure": "age_acceleration", "estimate": 0.1, "ci_lower": -0.21, "ci_upper": 0.41, "p_value": 0.2, "n": 103,
    }  # fmt: skip
    for place, rows in {
        "north/survival/cox": [
            hazard | {"adjustment": "unadjusted", "estimate": 9.0, "ci_lower": 8.0, "ci_upper": 10.0, "p_value": 0.5, "n": 9, "n_events": 9},
            hazard | age | {"estimate": 1.6512, "ci_lower": 1.302, "ci_upper": 2.081, "p_value": 0.00001, "n": 1150, "n_events": 801},
        ],
        "north/expression/panel": [change | {"q_value": 0.25}, change | {"question": "expression in T cell", "q_value": 3.5e-45}, change | {"term": "IL6", "q_value": 0.01}],
        "south/survival/cox": [hazard | age | {"n": 55, "n_events": 4, "reason": few}],
    }.items():  # fmt: skip
        cohort, _, table = place.partition("/")
        write_table(result_rows([row | {"cohort": cohort} for row in rows], table), tmp_path / f"{place}.tsv")
    said = key_result_lines(tmp_path, CONFIG)
    survival = (
        "Overall survival: HR for death per 10-year increase in face age, adjusted for age; estimate (95% CI)"
    )
    assert said[0] == survival
    assert said[1] == "  north          1.65 (1.30–2.08), p < 0.001, n = 1,150, 801 events"
    assert said[2].startswith("  south          ")
    assert said[2].endswith(", n = 55, 4 events")
    assert "4 deaths are too few" in said[2]
    assert said[3].startswith("CDK6 expression: log2 fold change per 10-year increase in age acceleration")
    assert said[4:] == [
        "  north          0.10 (−0.21 to 0.41), q = 0.250, n = 103",
        "  north, T cell  0.10 (−0.21 to 0.41), q = 3.5e-45, n = 103",
    ]
    assert key_result_lines(tmp_path / "nowhere", CONFIG) == []


def test_pages_are_named_in_the_order_of_reading(tmp_path):
    (tmp_path / "reports").mkdir()
    for name in ("photos", "survival", "index"):
        (tmp_path / "reports" / f"{name}.html").write_text("")
    assert [path.stem for path in pages(tmp_path)] == ["index", "survival", "photos"]
    assert all(path.is_absolute() for path in pages(tmp_path))


def test_make_demo_is_the_same_command():
    makefile = (ROOT / "Makefile").read_text()
    assert "$(BIN)/faceage-bio run --configfile config/config.yaml\n" in makefile
    full = makefile.partition("demo-full:")[2].splitlines()[1]
    assert yaml.safe_load(full.partition("report=")[2].rstrip("'")) == {"sections": "full"}
