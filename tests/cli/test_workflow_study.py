"""What the rules ask of a study: cohorts by their files, shards, settings of a cohort, memory by size and attempt."""

from types import SimpleNamespace

import pytest

from faceage_bio.cli.workflow_study import MEMORY, Study, each_given, inference_memory, memory_of
from faceage_bio.core.config import check_config
from tests.conftest import ROOT

NORTH, SOUTH = SimpleNamespace(cohort="north"), SimpleNamespace(cohort="south")


def study(**settings) -> Study:
    files = {"photos": "p", "manifest": "m.tsv", "clinical": "c.tsv", "counts": "n.tsv"}
    cohorts = {"north": files, "south": {"face_ages": "a.tsv"}}
    return Study(check_config({"cohorts": cohorts, "models": ["model"]} | settings))


def test_cohorts_are_chosen_by_their_files():
    one = study(pooling={"reference_cohorts": ["south"]})
    assert one.having("photos") == one.having("clinical", "counts") == ["north"]
    assert one.having("clinical", among=["south"]) == []
    assert one.pooled == ["north"]
    assert one.file("counts")(NORTH) == "n.tsv"
    assert one.file("counts")(SOUTH) == []
    # no folder of photos, which the manifest stands for
    assert one.files(NORTH) == ["m.tsv", "c.tsv", "n.tsv"]
    assert one.rna(NORTH)["counts"] == "<results>/north/cohort/counts.parquet"
    assert [path.split("/")[2] for path in one.ledgers(NORTH)] == [
        "cohort",
        "faceage",
        "acceleration",
        "expression",
        "survival",
    ]
    assert len(one.ledgers(SOUTH)) == 3


def test_an_edit_of_one_cohort_runs_no_step_of_another():
    before, after = study(), study()
    after.settings.cohorts["north"].clinical = "other.tsv"
    of = {name: one.uses("check_cohort") for name, one in (("before", before), ("after", after))}
    assert of["before"](SOUTH) == of["after"](SOUTH)
    assert of["before"](NORTH) != of["after"](NORTH)
    together = [one.uses("check_analyses")(SimpleNamespace()) for one in (before, after)]
    assert together[0] != together[1]


@pytest.mark.parametrize(("duplicates", "shards"), [("flag", ["east"]), ("exclude", ["north", "east"])])
def test_shards_that_a_cohort_waits_for(tmp_path, duplicates, shards):
    cohorts = {}
    for name in ("north", "east"):
        (tmp_path / f"{name}.tsv").write_text("photo_id\n" + "x\n" * 3)
        cohorts[name] = {"photos": "p", "manifest": str(tmp_path / f"{name}.tsv")}
    one = study(cohorts=cohorts, faceage={"duplicates": duplicates, "shard_size": 2})
    found = one.shards_to_gather(SimpleNamespace(cohort="east"))
    assert found == [f"<results>/{name}/faceage/shards/{k}-of-2.parquet" for name in shards for k in (1, 2)]


def test_memory_grows_with_the_input_and_doubles_after_a_kill():
    ask = memory_of("fit_expression")
    base, per_mb = MEMORY["fit_expression"]
    small, large = SimpleNamespace(size_mb=1), SimpleNamespace(size_mb=100)
    assert ask(NORTH, small, 1) == base + per_mb
    assert ask(NORTH, large, 1) - ask(NORTH, small, 1) == 99 * per_mb
    assert ask(NORTH, small, 2) == 2 * ask(NORTH, small, 1)
    assert inference_memory(NORTH, 8, 2) == 2 * inference_memory(NORTH, 8, 1)


def test_memory_is_told_for_rules_that_exist():
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    assert [name for name in MEMORY if f"rule {name}:" not in rules] == []


def test_options_are_those_of_the_inputs_that_there_are():
    expected = ["--pseudobulk", "p.parquet"]
    assert each_given("counts", "pseudobulk")(NORTH, {"pseudobulk": "p.parquet", "other": "x"}) == expected


def test_the_rules_hold_targets_and_the_package_holds_logic():
    lines = (ROOT / "workflow" / "rules" / "common.smk").read_text().splitlines()
    assert len(lines) < 80
    assert not [line for line in lines if line.startswith("def ")]
