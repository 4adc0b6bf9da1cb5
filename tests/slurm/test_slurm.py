"""The workflow on a real SLURM with the profile that users copy: all the way, and with all that goes wrong on the way.

The GPUs are pretended, so the studies keep `device: auto` and the calls ask for a GPU as `device: cuda` would.
"""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.conftest import (
    DEMO_CONFIG,
    FEW_DRAWS,
    ROOT,
    Run,
    cohorts_of,
    jobs_planned,
    snakemake,
    write_config,
)
from tests.slurm.cluster import PACKAGES, Cluster, Job, missing_programs, running_slurm, wait_until
from tests.started_steps import NOT_ON_SLURM

pytestmark = pytest.mark.slurm

PROFILE = ROOT / "workflow" / "profiles" / "slurm"
FACE_AGES = "results/mine/faceage/face_age.parquet"
SUMMARY = "results/mine/acceleration/summary.tsv"
# snakemake whose plugin asks for the state of its jobs each second; by itself it waits 10 seconds longer after each answer without news
ASKS_EACH_SECOND = """
from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor
Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
main()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """A SLURM of this machine alone, for this file."""
    if missing := missing_programs():
        pytest.skip(f"{', '.join(missing)} not installed (Debian: {PACKAGES})")
    if not find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("the package snakemake-executor-plugin-slurm is not installed")
    with running_slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


class Study:
    """A folder with a config in it, run on the cluster as often as a test likes."""

    def __init__(self, folder: Path, cluster: Cluster):
        self.folder = folder
        self.cluster = cluster
        self.held = folder / "held"  # as long as this file is there, face ages are not read
        self.reached = folder / "reached"

    def start(self, *arguments: str, bash: str = "") -> subprocess.Popen:
        """The main process; each bash that it or a job starts reads the lines ``bash`` first."""
        (self.folder / "bash.sh").write_text(bash)
        command = [
            sys.executable, "-c", ASKS_EACH_SECOND, "--snakefile", str(ROOT / "Snakefile"), "--configfile", "config.yaml",
            "--workflow-profile", str(PROFILE), "--latency-wait", "10", *arguments,
        ]  # fmt: skip
        with (self.folder / "output.txt").open("wb") as output:
            return subprocess.Popen(
                command, cwd=self.folder, stdout=output, stderr=output,
                env=self.cluster.environment | {"BASH_ENV": str(self.folder / "bash.sh")},
            )  # fmt: skip

    def finish(self, main: subprocess.Popen, seconds: float = 180) -> Run:
        """Wait for the main process; one that never ends is ended, and the test with it."""
        try:
            main.wait(seconds)
        finally:
            main.kill()
            main.wait()
        return Run(main.returncode, (self.folder / "output.txt").read_text())

    def run(self, *arguments: str, bash: str = "", seconds: float = 180) -> Run:
        return self.finish(self.start(*arguments, bash=bash), seconds)

    def start_and_hold(self, *arguments: str) -> tuple[subprocess.Popen, Job]:
        """Start, and come back once the job that reads the face ages runs; it goes on when ``held`` is removed."""
        self.held.touch()
        main = self.start(
            *arguments,
            bash=step(
                "read-face-ages", f"touch {self.reached}; while [ -e {self.held} ]; do sleep 0.2; done"
            ),
        )
        try:
            wait_until(self.reached.exists, "face ages are being read", 90)
        except TimeoutError:
            main.kill()
            main.wait()
            raise
        return main, self.jobs("read_face_ages")[-1]

    def jobs(self, rule: str = "", cohort: str = "") -> list[Job]:
        """What was submitted from this folder, oldest first."""
        jobs = [job for job in self.cluster.jobs() if job.fields["WorkDir"] == str(self.folder)]
        return [job for job in jobs if rule in ("", job.rule) and cohort in job.fields["Comment"]]

    def state(self, job: Job) -> str:
        return next(each.state for each in self.jobs() if each.number == job.number)


COHORTS = ("north", "healthy")
LOCAL = {"all", "default", "total"}


def run_plan(folder: Path) -> str:
    """What a dry run of everything prints, on this machine alone."""
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", "config.yaml", "--dry-run", "--forceall",
    ]  # fmt: skip
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def step(name: str, before: str) -> str:
    """Bash that does something before one step of the workflow, or before ``*``, all of them."""
    return f'faceage-bio() {{ case "$1" in {name}) {before};; esac; command faceage-bio "$@"; }}\n'


def write_study(cluster: Cluster, folder: Path, *names: str) -> Study:
    """Cohorts of twelve people whose face ages are given: few small jobs to a table of their age acceleration."""
    people = pd.DataFrame(
        {
            "chronological_age": [41, 45, 50, 52, 55, 58, 60, 63, 66, 70, 74, 79],
            "face_age": [43.5, 44, 53, 50.5, 59, 57, 66, 62, 64, 75.5, 73, 84],
        }
    )
    cohorts = {name: {key: f"{name}_{key}.tsv" for key in ("face_ages", "clinical")} for name in names}
    for name in names:
        people["subject_id"] = [f"{name}-subject{number}" for number in range(12)]
        for key, column in (("face_ages", "face_age"), ("clinical", "chronological_age")):
            people[["subject_id", column]].to_csv(folder / f"{name}_{key}.tsv", sep="\t", index=False)
    (folder / "config.yaml").write_text(yaml.safe_dump({"cohorts": cohorts}))
    return Study(folder, cluster)


def with_donors(cells: str, clinical: str, path: Path) -> Path:
    """The same cells as of subjects of another clinical table."""
    import anndata

    data = anndata.read_h5ad(cells)
    donors, subjects = (
        data.obs["subject_id"].unique(),
        pd.read_csv(clinical, sep="\t", dtype=str)["subject_id"],
    )
    data.obs["subject_id"] = data.obs["subject_id"].astype(str).map(dict(zip(donors, subjects, strict=False)))
    data.write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def study_on_slurm(cluster, drawn, tmp_path_factory) -> Study:
    """Every step of the demo, most of them once: one cohort of the demo with all kinds of data, and the photos of another.

    ``journal`` has a line for each step: its name, SLURM job and GPU.
    """
    folder = tmp_path_factory.mktemp("study_on_slurm")
    places = cohorts_of(drawn, *COHORTS)
    north, healthy = places["cohorts"].values()
    del north["counts"], north["samples"]
    north["single_cell"] = str(with_donors(healthy["single_cell"], north["clinical"], folder / "cells.h5ad"))
    places["cohorts"]["healthy"] = {key: healthy[key] for key in ("photos", "manifest")}
    config = yaml.safe_load(DEMO_CONFIG.read_text())
    config["faceage"]["shard_size"] = 80
    config["fairness"]["stress_photos"] = 1
    config["report"] = {"sections": "full"}
    config["expression"] |= {
        "composition": [],
        "purity": None,
    }  # columns of the samples, which this study has not
    config["readers"]["readings"] = str(drawn / config["readers"]["readings"])
    for section, few in FEW_DRAWS.items():
        config[section] |= few
    write_config(folder / "config.yaml", **config | places)
    study = Study(folder, cluster)
    journal = f'echo "$1 ${{SLURM_JOB_ID:-none}} ${{CUDA_VISIBLE_DEVICES:-none}}" >> {folder}/journal'
    run = study.run(
        "--set-resources", "predict_face_age:gpu=1", "predict_face_age:slurm_partition=gpu",
        "--set-threads", "predict_face_age=2", "stress_photos=2", bash=step("*", journal), seconds=2400,
    )  # fmt: skip
    assert run.status == 0, run.output[-8000:]
    return study


@pytest.fixture(scope="module")
def journal(study_on_slurm) -> pd.DataFrame:
    return pd.read_csv(
        study_on_slurm.folder / "journal",
        sep=" ",
        names=["step", "job", "gpu"],
        dtype=str,
        keep_default_na=False,
    )


def test_a_study_goes_through_sbatch_to_both_reports(study_on_slurm, journal):
    jobs = study_on_slurm.jobs()
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert set(journal.job) == {job.number for job in jobs}
    # every step of the plan ran once, under the name of its rule
    plan = jobs_planned(run_plan(study_on_slurm.folder))
    assert plan["predict_face_age"] == 3
    assert Counter(journal.step.str.replace("-", "_")) == {
        rule: n for rule, n in plan.items() if rule not in LOCAL
    }
    reports = study_on_slurm.folder / "results" / "reports"
    titles = {
        "association": ("Smoking, pack-years, BMI, ECOG", "Gene expression", "Methods"),
        "photos": ("Robustness to image degradation",),
        "survival": ("Cox models, sequentially adjusted",),
    }
    for page, named in titles.items():
        text = (reports / f"{page}.html").read_text()
        assert [title for title in named if f">{title}</h2>" not in text] == []
    assert "Nothing to be done" in study_on_slurm.run().output


def test_light_steps_share_jobs(journal, tmp_path):
    groups = yaml.safe_load((PROFILE / "config.yaml").read_text())["groups"]
    steps = journal.step.str.replace("-", "_")
    shared = steps.map(groups)
    # all light steps of a cohort that follow each other are one job
    assert journal.job[shared == "statistics"].nunique() == len(COHORTS)
    assert journal.job[shared == "reports"].nunique() == 1
    assert journal.job.nunique() < 0.6 * len(journal)
    alone = {
        "read_manifest", "check_cohort", "check_analyses", "predict_face_age", "fit_expression", "stress_photos",
        "fit_gene_survival", "fit_survival_sensitivity", "fit_variants", "pool_cohorts", "pool_genes", "fit_one_stage", "verify_results",
    }  # fmt: skip
    assert set(steps[shared.isna()]) <= alone
    # the demo has no further step but those that draw its people and fit its model, which share no job either
    demo = set(jobs_planned(snakemake(tmp_path, "--dry-run").output)) - LOCAL
    # the study here has one cohort with follow-up and counts, so that nothing is pooled
    assert demo - set(steps) == {name.replace("-", "_") for name in NOT_ON_SLURM}
    assert not {"make_demo_cohorts", "fit_demo_model"} & set(groups)


def test_shards_are_an_array(study_on_slurm):
    shards = [job for job in study_on_slurm.jobs() if "ArrayJobId" in job.fields]
    assert {job.rule for job in shards} == {"predict_face_age"}
    assert len(shards) >= 2


def test_each_shard_has_a_gpu_of_its_own_and_nothing_else_has_one(study_on_slurm, journal):
    for job in study_on_slurm.jobs():
        shard = job.rule == "predict_face_age"
        assert job.fields["JOB_GRES"] == ("gpu:pretended:1" if shard else "(null)")
        assert job.fields["Partition"] == ("gpu" if shard else "cpu")
    seen = journal.groupby("step").gpu.agg(set)
    assert seen.pop("predict-face-age") <= {"0", "1"}
    assert set.union(*seen) == {"none"}


def test_slurm_is_told_no_name_of_a_participant(study_on_slurm, drawn):
    told = study_on_slurm.cluster.call("scontrol", "--details", "show", "job")
    assert "predict_face_age" in told
    for cohort in COHORTS:
        manifest = pd.read_csv(drawn / "results" / "demo" / cohort / "manifest.tsv", sep="\t", dtype=str)
        names = [*manifest.subject_id, *manifest.photo_id, *manifest.path]
        assert not [name for name in names if name in told]


@pytest.fixture(scope="module")
def faults(cluster, tmp_path_factory) -> tuple[Study, Run]:
    """Two cohorts: the job of "mine" that reads the face ages fails once, that of "other" takes more memory than it asked for."""
    study = write_study(cluster, tmp_path_factory.mktemp("faults"), "mine", "other")
    takes = (
        "import time; held = b'x' * (1000 << 20); time.sleep(6)"  # MB, of 700 that the rule asks for at first
    )
    faults = f"""case "$*" in
        *mine*) if mkdir {study.folder}/failed 2> /dev/null; then echo subject7 broke >&2; return 1; fi;;
        *other*) {sys.executable} -c "{takes}" || return 1;;
    esac"""
    run = study.run(
        FACE_AGES, FACE_AGES.replace("mine", "other"), "--slurm-array-jobs", "check_cohort",
        bash=step("read-face-ages", faults), seconds=300,
    )  # fmt: skip
    assert run.status == 0, run.output[-8000:]
    return study, run


def test_a_job_that_fails_once_is_submitted_again(faults):
    study, run = faults
    first, second = study.jobs("read_face_ages", "mine")
    assert (first.state, second.state) == ("FAILED", "COMPLETED")
    assert len(pd.read_parquet(study.folder / FACE_AGES)) == 12
    # what the failed job printed is told, and kept where only its owner can look
    assert "subject7 broke" in run.output
    own_folder = study.folder / ".snakemake"
    assert own_folder.stat().st_mode & 0o077 == 0
    assert Path(first.fields["StdOut"]).is_relative_to(own_folder)


def test_a_job_killed_for_memory_is_submitted_again_with_twice_as_much(faults):
    first, second = faults[0].jobs("read_face_ages", "other")
    assert first.state in ("FAILED", "OUT_OF_MEMORY", "CANCELLED")
    assert second.state == "COMPLETED"
    asked = [int(re.search(r"mem=(\d+)M", job.fields["TRES"])[1]) for job in (first, second)]
    assert asked[0] < 1000
    assert asked[1] == pytest.approx(2 * asked[0], rel=0.01)


def test_jobs_of_a_rule_that_are_ready_are_one_array(faults):
    study, _ = faults
    checked = [job for job in study.jobs() if "ArrayJobId" in job.fields]
    assert len(checked) == 2
    assert len({job.fields["ArrayJobId"] for job in checked}) == 1
    assert [job.state for job in checked] == ["COMPLETED"] * 2
    for name in ("mine", "other"):
        assert len(pd.read_parquet(study.folder / "results" / name / "cohort" / "subjects.parquet")) == 12


def test_after_a_cancelled_job_and_a_killed_main_process_the_same_command_goes_on(cluster, tmp_path):
    study = write_study(cluster, tmp_path, "mine")
    main, job = study.start_and_hold(SUMMARY, "--retries", "0")
    checked = study.folder / "results/mine/cohort/photos.parquet"
    before = checked.stat().st_mtime_ns
    study.cluster.call("scancel", job.number)
    run = study.finish(main)
    assert run.status == 1
    assert f"SLURM-job '{job.number}' failed, SLURM status is: 'CANCELLED'" in run.output
    assert not (study.folder / FACE_AGES).exists()

    study.reached.unlink()
    main, job = study.start_and_hold(SUMMARY)
    os.kill(main.pid, signal.SIGKILL)
    assert study.finish(main).status == -signal.SIGKILL
    # its job runs on, and nobody starts a second main process unawares
    assert "Directory cannot be locked" in study.run(SUMMARY).output
    assert study.state(job) == "RUNNING"

    study.held.unlink()
    wait_until(lambda: study.state(job) == "COMPLETED", "the job left behind has ended")
    assert study.run("--unlock").status == 0
    run = study.run(SUMMARY)
    assert run.status == 0, run.output[-8000:]
    assert [job.state for job in study.jobs("read_face_ages")] == ["CANCELLED", "COMPLETED"]
    rules = [job.rule for job in study.jobs()]
    assert sorted(rules[:4]) == ["check_analyses", "check_cohort", "read_face_ages", "read_face_ages"]
    assert len(rules) == 5
    assert rules[4].endswith("compute_acceleration")
    assert checked.stat().st_mtime_ns == before
    assert (study.folder / SUMMARY).exists()
