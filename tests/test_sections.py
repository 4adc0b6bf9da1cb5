"""`report.sections`: core runs and shows what a paper's main text needs, full everything; both by snakemake's own plan."""

import itertools
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from faceage_bio.core.config import check_config
from faceage_bio.core.results.result_tables import TABLES
from faceage_bio.core.tables import write_table
from faceage_bio.release.bundle import result_tables
from faceage_bio.report.pages import association_page, survival_page
from faceage_bio.report.places import ASSOCIATION, FULL_ONLY, PHOTOS, SURVIVAL, not_in_core, runs
from faceage_bio.report.tables_by_place import ReportTables
from tests.conftest import DEMO_CONFIG, ROOT, jobs_planned, snakemake

CORE = {  # of the issue: each analysis and the step that makes it
    "age acceleration": "compute_acceleration", "smoking, BMI, ECOG": "test_phenotypes", "site": "compare_groups",
    "site, hazard ratio": "fit_survival", "cancer against controls": "compare_groups", "CDK6 and the panel": "fit_expression",
    "CDK6, survival": "fit_gene_survival", "gene sets": "score_gene_sets", "Cox models": "fit_survival",
    "proportional hazards": "fit_survival", "Kaplan-Meier": "estimate_curves", "competing risks": "estimate_curves",
    "added value": "fit_survival", "scores": "compute_scores", "readers": "compare_readers",
}  # fmt: skip
LEFT_OUT = {
    "measure_repeats", "fit_association_sensitivity", "stress_photos", "fit_expression_sensitivity", "compare_composition", "fit_variants",
    "fit_survival_sensitivity",
}  # fmt: skip


def config_of(sections: str) -> dict:
    content = {"cohorts": {"a": {"face_ages": "f.tsv"}}, "report": {"sections": sections}}
    return check_config(content).model_dump(mode="json")


def test_the_default_is_core_in_a_study_and_in_the_demo():
    assert yaml.safe_load(DEMO_CONFIG.read_text())["report"]["sections"] == "core"
    assert check_config({"cohorts": {"a": {"face_ages": "f.tsv"}}}).report.sections == "core"


@pytest.mark.workflow
def test_steps_that_only_full_needs_do_not_run_in_core(tmp_path):
    core, full = (
        jobs_planned(snakemake(tmp_path, "--dry-run", "--quiet", "rules", sections=sections).output)
        for sections in ("core", "full")
    )
    assert set(full) - set(core) == LEFT_OUT
    assert {name: count for name, count in core.items() if name != "total"} == {
        name: count for name, count in full.items() if name not in LEFT_OUT | {"total"}
    }
    assert set(CORE.values()) <= set(core)
    assert core["total"] == full["total"] - sum(full[name] for name in LEFT_OUT)


def test_each_table_of_full_is_a_result_that_a_rule_makes():
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    for table in (table for tables in FULL_ONLY.values() for table in tables):
        assert table in TABLES
        assert f"/{table}.tsv" in rules, table
        assert runs(table, "full")
        assert not runs(table, "core")
    assert runs("survival/cox", "core")


NOT_OF_CORE = {
    association_page: (
        "DNA variants of the prespecified genes",
        "Cancer and matched controls",
        "Adjustment sets",
    ),
    survival_page: ("Subgroup analyses", "Non-linearity of the hazard", "Sensitivity analyses"),
}


@pytest.mark.parametrize("page", NOT_OF_CORE)
def test_a_page_names_once_what_the_setting_left_out(page):
    tables = ReportTables({})
    shown = {sections: page(tables, config_of(sections), []) for sections in ("core", "full")}
    line = "Only with <code>report.sections: full</code>: "
    assert shown["core"].count(line) == 1
    assert line not in shown["full"]
    named = re.search(re.escape(line) + r"(.*?)\.</p>", shown["core"])[1]
    pages = {association_page: ASSOCIATION, survival_page: SURVIVAL}
    assert named.split("; ") == not_in_core(pages[page], config_of("core"))
    assert "All sections of this page were run" not in shown["core"]
    # and gives no other reason for it
    for heading in NOT_OF_CORE[page]:
        assert f"<li><strong>{heading}</strong>: no " in shown["full"]
        assert f"<strong>{heading}</strong>" not in shown["core"]


def test_each_heading_that_the_setting_leaves_out_is_on_one_page():
    left_out = {page: not_in_core(page, config_of("core")) for page in (ASSOCIATION, SURVIVAL, PHOTOS)}
    assert sorted(itertools.chain(*left_out.values())) == sorted(FULL_ONLY)
    assert left_out[PHOTOS] == ["Robustness to image degradation"]
    assert {"Face ageing rate", "Hazard curve"} <= set(left_out[SURVIVAL])
    assert not_in_core(SURVIVAL, config_of("full")) == []


def test_publishing_leaves_the_tables_of_an_earlier_full_run_where_they_are(tmp_path):
    for place in ("a/survival/cox", "a/survival/subgroups"):
        path = Path(tmp_path / f"{place}.tsv")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(pd.DataFrame({"cohort": ["a"], "n": [12]}), path)
    assert set(result_tables(tmp_path, "core")) == {"a/survival/cox"}
    assert set(result_tables(tmp_path, "full")) == {"a/survival/cox", "a/survival/subgroups"}
