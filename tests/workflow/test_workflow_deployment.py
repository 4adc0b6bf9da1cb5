"""The workflow as others take it: as a module of theirs, with the profile of their cluster, by the catalog of workflows."""

import importlib.util
import os
import re
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pandas as pd
import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tests.conftest import ROOT, jobs_planned, snakemake, write_config
from tests.started_steps import asking

pytestmark = pytest.mark.workflow
PROFILES = sorted(path.parent.name for path in (ROOT / "workflow" / "profiles").glob("*/config.yaml"))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """12 participants whose face ages are given."""
    folder = tmp_path_factory.mktemp("study")
    people = pd.DataFrame({"subject_id": [f"s{k}" for k in range(12)], "chronological_age": range(50, 62)})
    people.to_csv(folder / "clinical.tsv", sep="\t", index=False)
    people.assign(face_age=61)[["subject_id", "face_age"]].to_csv(folder / "ages.tsv", sep="\t", index=False)
    cohorts = {"mine": {"face_ages": "ages.tsv", "clinical": "clinical.tsv"}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"cohorts": cohorts}))
    return folder


def plan(folder: Path, *arguments: str, snakefile: Path = ROOT / "Snakefile") -> str:
    command = [*asking(), "snakemake", "--snakefile", str(snakefile), "--dry-run", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_two_studies_are_modules_of_one_workflow_under_prefixes(study):
    content = yaml.safe_load((study / "config.yaml").read_text())
    whole = {name: content | {"results_dir": f"results/{name}"} for name in ("first", "second")}
    (study / "both.yaml").write_text(yaml.safe_dump(whole))
    modules = "\n".join(
        f'module {name}:\n    snakefile: "{ROOT}/workflow/Snakefile"\n    config: config["{name}"]\n\n\n'
        f"use rule * from {name} as {name}_*\n\n"
        for name in whole
    )
    (study / "both.smk").write_text(
        f"{modules}\nrule both:\n    default_target: True\n    input:\n        rules.first_all.input,\n        rules.second_all.input,\n"
    )
    told = plan(study, "--configfile", "both.yaml", "--cores", "1", snakefile=study / "both.smk")
    jobs = jobs_planned(told)
    alone = jobs_planned(plan(study, "--configfile", "config.yaml", "--cores", "1"))
    for name in whole:
        own = {rule.removeprefix(f"{name}_"): n for rule, n in jobs.items() if rule.startswith(f"{name}_")}
        assert own == {rule: n for rule, n in alone.items() if rule not in ("total", "default", "all")}
        assert f"results/{name}/mine/survival/cox.tsv" in told
    # each takes its own config
    assert len({path.name for path in (study / ".snakemake").glob("config_*.json")}) >= 3


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_plans_the_same_jobs(study, profile):
    folder = ROOT / "workflow" / "profiles" / profile
    executor = yaml.safe_load((folder / "config.yaml").read_text()).get("executor")
    if executor and not importlib.util.find_spec(f"snakemake_executor_plugin_{executor.replace('-', '_')}"):
        pytest.skip(f"the package snakemake-executor-plugin-{executor} is not installed")
    options = [] if executor else ["--cores", "1"]
    told = plan(study, "--configfile", "config.yaml", "--workflow-profile", str(folder), *options)
    jobs = jobs_planned(told)
    assert jobs["check_cohort"] == jobs["compute_acceleration"] == jobs["fit_survival"] == 1
    # what the rule of check_cohort asks for, and no default of the profile
    assert re.search(r"mem_mb=10\d\d\b", told)


@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {"default"}))
def test_what_a_profile_of_a_cluster_says_fits_its_rules(profile):
    text = (ROOT / "workflow" / "profiles" / profile / "config.yaml").read_text()
    content = yaml.safe_load(text)
    rules = " ".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    for rule in [*content["set-resources"], *content.get("groups", {})]:
        assert f"rule {rule}:" in rules
    assert "rerun-incomplete" not in content  # it would submit jobs that are still running a second time
    assert content["retries"] > 0
    assert profile == "slurm" or "NOT RUN by us" in text


def test_partition_account_and_gpus_stand_in_one_place_of_the_slurm_profile():
    lines = (ROOT / "workflow" / "profiles" / "slurm" / "config.yaml").read_text().split("\n")
    places = [number for number, line in enumerate(lines) if re.match(r"\s+# (slurm_|gpu|gres)\w*:", line)]
    assert len(places) == 6
    assert places[-1] - places[0] < 12


@pytest.mark.parametrize(
    ("settings", "cohorts"),
    [({}, 1), ({"faceage": {"duplicates": "exclude"}}, 3), ({"acceleration": {"fit_in": "reference"}}, 3)],
)
def test_the_analyses_of_a_cohort_wait_for_its_own_photos_alone(tmp_path, settings, cohorts):
    """A shard that fails stops its cohort; the others only where they need each other, as for photos that stand in two cohorts."""
    configfile = write_config(tmp_path / "config.yaml", **settings)
    own = [
        f"results/north/{table}.tsv" for table in ("survival/cox", "expression/genes", "phenotype/phenotypes")
    ]
    jobs = jobs_planned(snakemake(tmp_path, "--dry-run", *own, configfile=configfile).output)
    assert jobs["fit_survival"] == jobs["fit_expression"] == 1
    assert jobs["predict_face_age"] == cohorts
    assert jobs["check_cohort"] == 3  # all tables are checked before anything is computed
    for table in ("ledger", "survival/sensitivity"):  # these name photos of two cohorts
        target = f"results/north/{table}.tsv"
        jobs = jobs_planned(snakemake(tmp_path, "--dry-run", target, configfile=configfile).output)
        assert (jobs["summarise_photos"], jobs["predict_face_age"]) == (1, 3)


def test_no_shared_job_holds_photos_of_two_cohorts_or_what_waits_for_them():
    """Where a shard fails, the other cohorts are analysed: no group joins steps of single cohorts that do not follow each other."""
    profile = yaml.safe_load((ROOT / "workflow" / "profiles" / "slurm" / "config.yaml").read_text())
    of_all = {rule for rule, group in profile["groups"].items() if group in profile["group-components"]}
    for rule in of_all:
        text = next(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk") if f"rule {rule}:" in path.read_text())  # fmt: skip
        body = text.partition(f"rule {rule}:")[2].partition("\nrule ")[0]
        assert "{wildcards.cohort}" not in body
    # it waits for photos of all cohorts, so it cannot share a job with what these wait for
    assert "fit_survival_sensitivity" not in profile["groups"]


def test_the_style_of_the_workflow_is_clean(study):
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", "config.yaml", "--lint"]  # fmt: skip
    done = subprocess.run(
        command, cwd=study, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr


def test_the_catalog_of_workflows_finds_what_it_looks_for():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["report"] is True
    assert usage["mandatory-flags"]["flags"].startswith("--configfile ")
    assert (ROOT / "workflow" / "Snakefile").exists()
    assert list((ROOT / "workflow" / "rules").glob("*.smk"))
    words = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in words
    assert "workflow" in words


def test_the_tested_versions_install_with_the_first_python_3_11():
    """Debian 12 has 3.11.2: a package that wants a later one would end `make test` at its first step."""
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    wanted = {}
    for name in pinned:
        with suppress(PackageNotFoundError):  # of optional extras
            wanted[name] = metadata(name)["Requires-Python"] or ""
    assert len(wanted) > 100
    assert [name for name, rule in wanted.items() if "3.11.0" not in SpecifierSet(rule)] == []


def test_container_recipes_take_the_tested_versions():
    for name in ("Dockerfile", "faceage_bio.def"):
        text = (ROOT / "container" / name).read_text()
        assert "--constraint /opt/faceage_bio/constraints.txt" in text
        assert "Not built by us" in text
        for part in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "faceage_bio", "workflow"):
            assert (ROOT / part).exists()
            assert part in text
