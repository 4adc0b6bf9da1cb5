"""The gene section of the association page: both ages, their difference, the second opinion, numbers of tests."""

import pandas as pd
import pytest

from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.expression_stage import result_tables
from faceage_bio.analyses.expression.gene_models import VOOM
from faceage_bio.analyses.expression.permuted_acceleration import calibrate_tests
from faceage_bio.core.tables import write_table
from faceage_bio.report import words
from faceage_bio.report.key_results import key_results
from faceage_bio.report.pages import association_page, survival_page
from faceage_bio.report.sections_genes import gene_section
from faceage_bio.report.tables_by_place import ReportTables, collect
from tests import pages
from tests.expression_study import study
from tests.report_studies import CARD, config_of

PANEL = ["CDK6", "AGES", "ABSENT"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    paths = []
    for name, covariates in (("one", ["sex"]), ("few", ["sex", "bmi"])):
        table, counts, samples = study(effect=0.8)
        table = table.head(7) if name == "few" else table
        chosen = choose_samples(table, counts, samples, covariates)
        found = result_tables(chosen, name, "expression", covariates, PANEL, 10, 10, 10, 1)
        for kind, rows in zip(("genes", "panel"), found, strict=True):
            paths.append(folder / name / "expression" / f"{kind}.tsv")
            write_table(rows, paths[-1])
    return collect(paths)


def config(*names):
    return config_of(list(names), expression={"panel": PANEL})


def test_the_difference_stands_beside_both_ages(tables):
    section = gene_section(tables, "one", config("one"))
    (panel,) = section["panels"]
    row = panel["rows"][0]
    assert row["term"] == "CDK6"
    assert row["estimate"] - row["age"]["estimate"] == pytest.approx(row["difference"]["estimate"], abs=1e-4)
    assert panel["n_tests"] == 2
    assert "difference of both" in panel["figure"]
    assert len(panel["tests"]) == 33
    assert [test["term"] for test in panel["tests"][::11]] == PANEL
    sentence = section["gene_sentences"][0][1]
    assert "per 10-year increase in age acceleration" in sentence
    assert "; difference 0." in sentence


def test_the_page_shows_every_model_and_the_second_opinion(tables):
    page = association_page(tables, config("one"), [CARD])
    for text in (
        "families of 2 tests each", "limma-voom on age acceleration", "age gap alone, not adjusted for age", "face age − age",
        "p × 2 (Bonferroni)", "validated against DESeq2 1.38.3; no shrinkage", "after independent filtering",
        "not estimated, because the counts do not have it",
    ):  # fmt: skip
        assert text in page, text
    assert "pydeseq2" not in page
    method = "limma-voom, moderated t, alongside DESeq2's method by pydeseq2 0.5.4"
    engine = {
        name: tables.get(*name).assign(method=method)
        for name in (("expression", "genes"), ("expression", "panel"))
    }
    page = association_page(ReportTables(tables.by_name | engine), config("one"), [CARD])
    assert "Shown alongside: DESeq2's method by pydeseq2 " in page


def test_genes_and_age_acceleration_are_on_the_association_page_alone(tables):
    association, survival = (
        page(tables, config("one", "few"), [CARD]) for page in (association_page, survival_page)
    )
    pages.check_structure(survival)
    assert pages.section(association, "genes")
    for text in ("<i>CDK6</i>: log2 fold change", "validated against DESeq2 1.38.3"):
        assert text in association, text
        assert text not in survival, text


def test_a_cohort_of_too_few_samples_says_so(tables):
    page = association_page(tables, config("few"), [CARD])
    assert "<i>CDK6</i>: not estimated, because 7 samples are too few for 5 parameters" in page
    assert "The twin" not in page


def test_without_counts_nothing_is_said_of_genes():
    section = gene_section(collect([]), "one", config("one"))
    assert section["panels"] == section["all_genes"] == []
    assert section["gene_sentences"][0][1] == "CDK6: not run, because the cohort has no RNA counts."


def test_the_sentence_of_a_panel_without_a_twin():
    row = {"term": "CDK6", "model": "together", "exposure": "age_acceleration", "estimate": 0.5, "ci_lower": 0.1, "ci_upper": 0.9,
           "p_value": 0.01, "q_value": 0.02, "n": 50, "per": "10 years", "note": ""}  # fmt: skip
    assert words.gene_sentence(pd.DataFrame([row]), "CDK6").endswith("q in the panel = 0.020; n = 50).")


def test_the_leading_method_and_disagreements_are_said(tmp_path):
    table, counts, samples = study(n=60, effect=0.8)
    chosen = choose_samples(table, counts, samples, ["sex"])
    genes, panel = result_tables(chosen, "one", "expression", ["sex"], PANEL, 10, 10, 10, 1, VOOM)
    for rows in (genes, panel):
        rows.loc[rows["term"].isin(["CDK6", "G1"]), "reason"] = "methods_disagree"
    tried = calibrate_tests(chosen, "one", "expression", ["sex"], PANEL, 10, 10, 3, 1, VOOM)
    paths = []
    for name, rows in (("genes", genes), ("panel", panel), ("type_one_error", tried)):
        paths.append(tmp_path / "one" / "expression" / f"{name}.tsv")
        write_table(rows, paths[-1])
    tables = collect(paths)
    section = gene_section(tables, "one", config("one"))
    assert section["type_one_error"][0]["sentence"].endswith(
        "limma-voom gives the estimates and p-values (declared)."
    )
    sentence = section["gene_sentences"][0][1]
    assert "n = 60; limma-voom)" in sentence
    assert "; DESeq2 disagrees: +0." in sentence
    (everything,) = section["all_genes"]
    assert everything["n_disagree"] == 2
    assert "Methods disagree (n = 2)" in everything["svg"]
    assert [column.title for column in everything["columns"]][-3:-1] == ["DESeq2: q", "Mean count"]
    page = association_page(tables, config("one"), [CARD])
    for text in (
        "DESeq2 on age acceleration",
        'title="DESeq2 and limma-voom disagree">†',
        "p (permutation)",
        "least squares, HC3",
    ):
        assert text in page, text
    (question,) = key_results(tables, config("one"))
    assert question.measure.endswith("; limma-voom")
