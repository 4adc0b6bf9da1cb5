"""Models of genes: planted effects found, permuted ones not, face age and age distinguished. The methods' numbers: test_stats_deseq.py."""

from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from faceage_bio.analyses.expression.counts import Expression, choose_samples
from faceage_bio.analyses.expression.expression_stage import result_tables
from faceage_bio.analyses.expression.formula import design_of
from faceage_bio.analyses.expression.gene_models import TESTS, VOOM, contrast_of, fit_models
from faceage_bio.core.errors import CohortError, FitError
from faceage_bio.core.results.reasons import in_words
from faceage_bio.core.settings.settings_genes import Expression as ExpressionSettings
from tests.gene_studies import expression_study
from tests.rows import worded

PANEL = ["CDK6", "AGES", "BOTH", "LOW", "ZERO", "ABSENT"]
AGES = ("age_acceleration", "chronological_age")


def fit(table, counts, samples, covariates=("chronological_age", "sex"), per_years=10.0, panel=PANEL):
    chosen = choose_samples(table, counts, samples, covariates)
    settings = ExpressionSettings(covariates=list(covariates), panel=list(panel), per_years=per_years)
    genes, declared = result_tables(chosen, "c", "expression", settings)
    return genes, worded(declared)


@pytest.fixture(scope="module")
def tables():
    return fit(*expression_study())


def rows(panel, gene, model="together"):
    return panel[(panel.term == gene) & (panel.model == model)].set_index("exposure")


def test_planted_gene_is_found_and_not_for_age(tables):
    genes, panel = tables
    found = rows(panel, "CDK6")
    assert found.ci_lower["age_acceleration"] < 0.8 < found.ci_upper["age_acceleration"]
    assert found.q_value["age_acceleration"] < 1e-4
    assert found.p_lrt["age_acceleration"] < 1e-4
    assert found.p_value["chronological_age"] > 0.001
    assert found.covariates.to_dict() == {
        "age_acceleration": "age, sex",
        "chronological_age": "age_acceleration, sex",
        "difference": "sex",
    }
    expected = {"age_acceleration": "minimal", "chronological_age": "reciprocal", "difference": "full"}
    assert found.adjustment.to_dict() == expected
    assert rows(panel, "CDK6", "alone").adjustment.unique().tolist() == ["without age"]
    assert set(panel.role) == set(genes.role) == {"exploratory"}  # until the plan gives roles
    np.testing.assert_allclose(found.statistic, found.estimate / found.standard_error)
    assert set(genes.per) == {"10 years"}
    assert set(genes.model) == {"together"}
    assert set(genes.method) == {"DESeq2's method, Wald test"}
    assert "LOW" not in set(genes.term)


def test_the_difference_of_the_two_ages_is_tested_and_not_inferred(tables):
    panel = tables[1]
    for model in ("together", "face age and age"):
        assert rows(panel, "CDK6", model).loc["difference", "p_value"] < 1e-3
        assert rows(panel, "CDK6", model).estimate["difference"] > 0.3
        assert rows(panel, "AGES", model).estimate["difference"] < -0.3
        assert rows(panel, "AGES", model).loc["difference", "p_value"] < 1e-3
    # both ages are significant here, and do not differ
    both = rows(panel, "BOTH")
    assert both.p_value["age_acceleration"] < 1e-4
    assert both.p_value["chronological_age"] < 1e-4
    assert both.p_value["difference"] > 0.05
    for model in ("together", "face age and age", "alone"):
        found = rows(panel, "CDK6", model)
        first = next(test for test in TESTS if test.model == model)
        ages = found.estimate[first.exposure] - found.estimate["chronological_age"]
        assert found.estimate["difference"] == pytest.approx(ages, abs=1e-4)


def test_face_age_at_equal_age_is_age_acceleration_at_equal_age(tables):
    panel = tables[1]
    for gene in ("CDK6", "AGES", "BOTH"):
        one, other = rows(panel, gene), rows(panel, gene, "face age and age")
        assert other.estimate["face_age"] == pytest.approx(one.estimate["age_acceleration"], abs=1e-4)
        assert other.p_value["face_age"] == pytest.approx(one.p_value["age_acceleration"], rel=1e-2)


def test_every_panel_gene_is_there_in_every_model_with_a_reason_if_it_was_not_tested(tables):
    panel = tables[1]
    assert len(panel) == len(PANEL) * len(TESTS)
    for _, mine in panel.groupby(["model", "exposure"]):
        notes = mine.set_index("term").note
        assert list(notes.index) == PANEL
        assert notes["LOW"] == "not estimated, because its counts are too low"
        assert notes["ZERO"] == "not estimated, because no sample has a count of it"
        assert notes["ABSENT"] == "not estimated, because the counts do not have it"
        assert set(mine.n_tests) == {3}
        known = mine[mine.p_value.notna()]
        np.testing.assert_allclose(known.p_bonferroni, np.minimum(1, 3 * known.p_value))
        # equal for the smallest, but for rounding
        assert (known.q_value <= known.p_bonferroni * (1 + 1e-12)).all()


def test_the_second_opinions_agree(tables):
    genes, panel = tables
    found = rows(panel, "CDK6").loc["age_acceleration"]
    assert found.voom_ci_lower < 0.8 < found.voom_ci_upper
    assert max(found.voom_p_value, found.hc3_p_value) < 1e-4
    mine = genes[genes.exposure == "age_acceleration"]
    assert mine.estimate.corr(mine.voom_estimate) > 0.95
    assert mine.p_value.corr(mine.p_lrt) > 0.99


@pytest.mark.parametrize("exposure", AGES)
def test_permuted_ages_give_uniform_p(exposure):
    table, counts, samples = expression_study(n=100, effect=0, genes=400)
    order = np.random.default_rng(9).permutation(len(table))
    ages = ["age_acceleration", "chronological_age", "face_age", "age_gap"]
    table[ages] = table[ages].to_numpy()[order]
    panel = [f"G{k}" for k in range(394)]
    genes, declared = fit(table, counts, samples, panel=panel)
    mine = genes[genes.exposure == exposure]
    for column in ("p_value", "p_lrt", "voom_p_value", "hc3_p_value"):
        assert kstest(mine[column].dropna(), "uniform").pvalue > 0.001, column
        assert (mine[column] < 0.05).mean() < 0.09, column
    for name, rest in declared.groupby(["model", "exposure"]):
        assert (rest.p_value < 0.05).mean() < 0.09, name


@settings(max_examples=4)
@given(st.floats(1, 30))
def test_the_unit_of_age_changes_numbers_but_no_test(years):
    table, counts, samples = expression_study(genes=20)
    one, other = fit(table, counts, samples)[1], fit(table, counts, samples, per_years=years)[1]
    known = one.estimate.notna()
    np.testing.assert_allclose(one.estimate[known] / 10, other.estimate[known] / years, atol=1e-5)
    np.testing.assert_allclose(one.p_value[known], other.p_value[known], rtol=2e-2, atol=1e-6)


def test_an_interaction_is_found_and_named():
    table, counts, samples = expression_study(n=120)
    men = table.sex.eq("male").to_numpy()
    grown = counts.loc["TP53", men] * 2 ** (0.12 * table.age_acceleration[men].to_numpy())
    counts.loc["TP53", men] = grown.round().astype(int)
    genes, panel = fit(table, counts, samples, ["chronological_age", "sex", "age_acceleration:sex"])
    crossed = genes[genes.exposure == "age_acceleration x sex: male"].set_index("term")
    assert crossed.q_value["TP53"] < 1e-3
    assert crossed.estimate["TP53"] == pytest.approx(1.2, abs=0.5)
    assert crossed.q_value["CDK6"] > 0.01
    assert crossed.covariates["TP53"] == "age_acceleration, age, sex, age_acceleration x sex"
    # a model without age acceleration has no interaction with it
    assert rows(panel, "CDK6", "alone").covariates["chronological_age"] == "sex"


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        (["sex", "sex:bmi"], "'sex:bmi' cannot be fitted; also name bmi"),
        (["sex", "bmi", "sex:bmi:sex"], "'sex:bmi:sex' cannot be fitted; name two columns"),
    ],
)
def test_an_interaction_without_its_columns_is_told(covariates, message):
    with pytest.raises(CohortError, match=message):
        fit(*expression_study(), covariates)


@pytest.mark.parametrize(
    ("change", "covariates", "message"),
    [
        (lambda t: t.head(6), ["sex"], "6 samples are too few for 4 parameters; there must be at least 8"),
        (lambda t: t.assign(age_acceleration=1.0), ["sex"], "age acceleration does not vary"),
        (lambda t: t.drop(columns="chronological_age"), ["sex"], "the analysis table has no age"),
        (lambda t: t.assign(double=t.bmi * 2), ["bmi", "double"], "double follows from bmi: the samples do not separate"),
        (lambda t: t.assign(group=np.where(t.sex == "male", "cancer", "reference"), plate=np.where(t.sex == "male", "p1", "p2")), ["group", "plate"], "such as one plate for each group"),
        (lambda t: t.assign(one=t.bmi**2, all=t.bmi + t.bmi**2), ["bmi", "one", "all"], "all follows from the other covariates"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_said_in_the_panel(change, covariates, message):
    table, counts, samples = expression_study()
    genes, panel = fit(change(table), counts, samples, covariates)
    assert len(genes) == 0
    assert len(panel) == len(PANEL) * len(TESTS)
    assert panel.note.str.contains(message, regex=False).all()
    assert panel.estimate.isna().all()


def test_a_table_without_face_age_keeps_the_rows_of_its_models():
    table, counts, samples = expression_study()
    _, panel = fit(table.drop(columns=["face_age", "age_gap"]), counts, samples)
    assert rows(panel, "CDK6").p_value["age_acceleration"] < 1e-4
    lost = panel[panel.exposure.isin(["face_age", "age_gap"]) & panel.term.eq("CDK6")]
    assert lost.note.str.startswith("not estimated, because the analysis table has no").all()
    assert len(lost) == 3


def repeated_samples(n=40):
    """Two samples of each person, alike in every gene."""
    table, _, _ = expression_study(n=n)
    random = np.random.default_rng(3)
    person = np.repeat(np.arange(n), 2)
    people = table.iloc[person].set_axis([f"r{k}" for k in range(2 * n)], axis=0)
    mean = 300 * np.exp(random.normal(0, 0.5, (80, n)))[:, person]
    mean[0] *= 2 ** (1.2 * people.age_acceleration / 10)
    names = ["CDK6", *(f"G{k}" for k in range(79))]
    counts = pd.DataFrame(random.negative_binomial(20, 20 / (20 + mean)).T, people.index, names)
    return Expression(counts, people, pd.DataFrame())


def test_samples_of_one_participant_count_as_alike():
    data = repeated_samples()
    genes, panel = result_tables(
        data, "c", "expression", ExpressionSettings(covariates=["sex"], panel=["CDK6"])
    )
    said = r"limma-voom, 80 samples, those of one person correlated by 0\.[6-9]\d"
    assert genes.method.str.fullmatch(said).all()
    assert set(genes.n) == {40}
    mine = genes[genes.exposure == "age_acceleration"].set_index("term")
    assert mine.p_value["CDK6"] < 1e-3
    assert (mine.drop("CDK6").p_value < 0.05).mean() < 0.13
    assert mine.p_lrt.isna().all()
    assert mine.hc3_p_value.isna().all()
    np.testing.assert_allclose(mine.p_value, mine.voom_p_value)
    assert rows(panel, "CDK6").p_value["difference"] < 0.05
    note = rows(worded(panel), "CDK6", "alone").note["difference"]
    assert note.endswith("where participants have several samples")
    # as if they were different people, more would be found where nothing is
    data.people["subject_id"] = [f"p{k}" for k in range(len(data.people))]
    genes, _ = result_tables(data, "c", "expression", ExpressionSettings(covariates=["sex"], panel=["CDK6"]))
    naive = genes[(genes.exposure == "age_acceleration") & (genes.term != "CDK6")]
    assert (naive.p_value < 0.05).mean() > 1.5 * (mine.drop("CDK6").p_value < 0.05).mean()


def joint_models(counts, table, covariates=("sex",)):
    people = table.set_index(counts.columns)
    matrix = design_of(people, AGES, covariates, 10.0)
    return fit_models(counts.drop(index=["LOW", "ZERO"]).T, people, matrix, 1)


def test_a_fit_that_did_not_converge_and_an_outlier_give_no_number():
    table, counts, _ = expression_study()
    models = joint_models(counts, table)
    contrast = contrast_of(models.joint, ["age_acceleration"])
    lost = models.deseq.fit.converged.copy()
    lost[0] = False
    cooks = np.where(np.arange(len(lost)) == 1, 99.0, 0.0)
    broken = replace(models.deseq, fit=replace(models.deseq.fit, converged=lost), max_cooks=cooks)
    table = worded(replace(models, deseq=broken).test(models.joint, contrast))
    assert np.isnan(table.estimate["CDK6"])
    assert table.note["CDK6"] == "not estimated, because its fit did not converge"
    assert np.isfinite(table.estimate["AGES"])
    assert np.isnan(table.p_value["AGES"])
    assert table.note["AGES"] == "no p-value, because a single outlying count decides its result"


def test_another_trend_and_other_size_factors_are_told():
    table, counts, _ = expression_study()
    models = joint_models(counts, table)
    assert models.reason == ""
    curved = replace(models, deseq=replace(models.deseq, trend_kind="local"))
    assert in_words(curved.reason) == "dispersions by a local trend, because the parametric one did not fit"
    for place, gene in enumerate(counts.index):
        counts.loc[gene, f"r{place % 60}"] = 0
    assert joint_models(counts, table).method.endswith("size factors of positive counts")


def test_counts_that_vary_only_by_chance_are_told():
    table, counts, _ = expression_study()
    counts[:] = 50
    with pytest.raises(FitError, match="no gene varies more than counts do by chance"):
        joint_models(counts, table)


def test_pydeseq2_as_engine_gives_every_table():
    table, counts, samples = expression_study(genes=60)
    chosen = choose_samples(table, counts, samples, ["sex"])
    settings = ExpressionSettings(covariates=["sex"], panel=PANEL, engine="pydeseq2")
    genes, panel = result_tables(chosen, "c", "expression", settings)
    builtin, _ = result_tables(chosen, "c", "expression", settings.model_copy(update={"engine": "builtin"}))
    assert set(genes["method"]) == {f"DESeq2's method by pydeseq2 {version('pydeseq2')}, Wald test"}
    assert genes["p_lrt"].isna().all()
    apart = (np.log10(genes["p_value"]) - np.log10(builtin["p_value"])).abs()
    assert (apart < 0.05 * np.maximum(1, -np.log10(builtin["p_value"]) / 5)).mean() > 0.97
    pd.testing.assert_series_equal(genes["voom_p_value"], builtin["voom_p_value"])
    tested = panel[panel["term"] == "CDK6"]
    assert len(tested) == len(TESTS)
    assert tested["p_value"].notna().all()
    said = f"limma-voom, moderated t, alongside DESeq2's method by pydeseq2 {version('pydeseq2')}"
    for table in result_tables(
        chosen, "c", "expression", settings, headline=VOOM
    ):  # the columns deseq2_... are that package's
        assert set(table["method"]) == {said}
