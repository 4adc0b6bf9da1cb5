"""Tests on permuted exposures: what they do where there is no association decides which of them is believed."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.expression_stage import result_tables, with_both_q
from faceage_bio.analyses.expression.gene_models import DESEQ2, VOOM
from faceage_bio.analyses.expression.permuted_acceleration import (
    BAD,
    DECLARED,
    FEW,
    GOOD,
    METHODS,
    SEVERAL,
    UNKNOWN,
    calibrate_tests,
    choose_headline,
    headline_of,
)
from faceage_bio.analyses.survival.cox_models import Choices, model_frame
from faceage_bio.analyses.survival.survival_sensitivity import permuted_hazards, permuted_p_values
from faceage_bio.core.errors import RunError, TableError
from faceage_bio.core.results.reasons import in_words
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.stats.deseq import difference, weighted_coefficient
from faceage_bio.stats.resampling import (
    OverPermutations,
    inflation,
    permuted_exposures,
    type_one_error,
    weighted_permutation_p,
)
from tests.gene_studies import expression_study
from tests.headline_study import late, people

COVARIATES = ["chronological_age", "sex"]


def noise(n, outlying, genes=400):
    """A study without any association; a share of the counts may be ten times what it would be."""
    table, counts, samples = expression_study(n=n, effect=0, genes=genes)
    random = np.random.default_rng(5)
    hit = random.random(counts.shape) < outlying
    return table, counts.where(~hit, 10 * (counts + 1)), samples


def tried(table, counts, samples, headline="auto", permutations=10):
    data = choose_samples(table, counts, samples, COVARIATES)
    settings = {"covariates": COVARIATES, "panel": ["CDK6"], "permutations": permutations}
    return calibrate_tests(data, "c", "expression", Expression(**settings, headline=headline))


def errors(rows):
    return rows[rows["measure"] == "type I error"].set_index("term")["estimate"]


def test_deseq2_leads_where_it_is_calibrated():
    rows = tried(*noise(n=100, outlying=0))
    assert set(rows["headline"]) == {DESEQ2}
    assert set(rows["rule"]) == {GOOD}
    assert errors(rows).between(0.03, 0.07).all()
    assert rows[rows["measure"] == "inflation factor"]["estimate"].between(0.85, 1.15).all()
    assert (rows["standard_error"] < 0.1).all()


def test_limma_voom_leads_where_deseq2_is_not_calibrated():
    rows = tried(*noise(n=100, outlying=0.02))
    assert set(rows["headline"]) == {VOOM}
    assert set(rows["rule"]) == {BAD}
    assert errors(rows)[METHODS[0]] > 0.15
    assert 0.03 < errors(rows)[VOOM] < 0.07


def test_a_declared_method_leads_whatever_its_type_one_error():
    rows = tried(*noise(n=60, outlying=0.02, genes=100), headline=DESEQ2, permutations=2)
    assert set(rows["headline"]) == {DESEQ2}
    assert set(rows["rule"]) == {DECLARED}
    assert errors(rows)[METHODS[0]] > 0.1


def interval(lower, upper):
    return [{"term": METHODS[0], "estimate": 0.05, "ci_lower": lower, "ci_upper": upper}]


@pytest.mark.parametrize(
    ("wanted", "n", "repeated", "rows", "found"),
    [
        ("auto", 49, False, interval(0.10, 0.12), (DESEQ2, FEW)), ("auto", 50, False, interval(0.10, 0.12), (VOOM, BAD)),
        ("auto", 50, False, interval(0.041, 0.059), (DESEQ2, GOOD)), ("auto", 50, False, interval(0.039, 0.05), (VOOM, BAD)),
        ("auto", 500, False, [{"term": METHODS[0]}], (VOOM, UNKNOWN)), (DESEQ2, 500, False, interval(0.1, 0.2), (DESEQ2, DECLARED)),
        (DESEQ2, 500, True, [], (VOOM, SEVERAL)),
    ],
)  # fmt: skip
def test_the_rule_of_the_leading_method(wanted, n, repeated, rows, found):
    assert choose_headline(wanted, n, repeated, rows) == found


def test_without_a_calibration_the_setting_leads():
    rows = pd.DataFrame({"question": ["expression"], "headline": [VOOM]})
    many, few = (pd.DataFrame({"subject_id": range(n)}) for n in (50, 49))
    assert headline_of(rows, "expression", "auto", many) == VOOM
    assert headline_of(rows, "expression in T cell", "auto", few) == DESEQ2
    assert headline_of(None, "expression", VOOM, many) == VOOM
    # several samples of a participant
    assert headline_of(None, "expression", "auto", pd.concat([few, few])) == VOOM
    for table in (None, rows):
        message = r"no row of expression in T cell, and expression\.headline is auto with 50 participants"
        with pytest.raises(RunError, match=message):
            headline_of(table, "expression in T cell", "auto", many)
    with pytest.raises(TableError, match="no column headline; found question"):
        headline_of(rows[["question"]], "expression", "auto", many)


def test_too_few_samples_are_said_and_stop_nothing():
    rows = tried(*expression_study(n=6, genes=20))
    assert set(rows["status"]) == {"not_estimated"}
    assert set(rows["headline"]) == {DESEQ2}


@pytest.mark.parametrize(("headline", "other"), [(DESEQ2, "voom"), (VOOM, "deseq2")])
def test_both_methods_stand_in_the_tables_whichever_leads(headline, other):
    table, counts, samples = expression_study(genes=30)
    data = choose_samples(table, counts, samples, COVARIATES)
    settings = Expression(covariates=COVARIATES, panel=["CDK6"])
    genes, panel = result_tables(data, "c", "expression", settings, headline=headline)
    lead = {"voom": "deseq2", "deseq2": "voom"}[other]
    for rows in (genes, panel):
        pd.testing.assert_series_equal(rows["estimate"], rows[f"{lead}_estimate"], check_names=False)
        pd.testing.assert_series_equal(rows["p_value"], rows[f"{lead}_p_value"], check_names=False)
        assert rows[f"{other}_estimate"].notna().all()
        assert rows["method"].str.startswith(headline).all()
    found = panel[panel["permutation_p_value"].notna()]
    assert list(zip(found["exposure"], found["model"], strict=True)) == [("age_acceleration", "together")]
    assert found["permutation_p_value"].iloc[0] == 1 / 10_000


def test_methods_that_disagree_are_flagged():
    table = pd.DataFrame({
        "deseq2_p_value": [1e-6, 1e-6, 0.5, 1e-6, np.nan], "voom_p_value": [1e-6, 0.5, 0.5, 1e-6, 1e-6],
        "deseq2_estimate": [1.0, 1.0, 1.0, 1.0, np.nan], "voom_estimate": [1.0, 1.0, -1.0, -1.0, 1.0], "reason": ["", "x", "", "", ""],
    })  # fmt: skip
    assert list(with_both_q(table)["reason"]) == ["", "x; methods_disagree", "", "methods_disagree", ""]


def test_a_permuted_exposure_keeps_its_relation_to_the_covariates():
    random = np.random.default_rng(1)
    covariates = np.column_stack([np.ones(50), random.normal(size=50)])
    exposure = covariates @ [3, 2] + random.normal(size=50)
    slope = np.linalg.lstsq(covariates, exposure, rcond=None)[0]
    first, second = permuted_exposures(exposure, covariates, 2, seed=1)
    assert not np.allclose(first, second)
    for drawn in (first, second):
        np.testing.assert_allclose(
            np.sort(drawn - covariates @ slope), np.sort(exposure - covariates @ slope)
        )


def test_permutation_p_values_are_those_of_one_fit_after_the_other():
    """The t of statsmodels' weighted least squares exceeds the observed one as often as the matrix products say."""
    random = np.random.default_rng(2)
    n, genes, k = 40, 4, 99
    covariates = np.column_stack([np.ones(n), random.normal(size=n)])
    exposure, y = random.normal(size=n), random.normal(size=(n, genes))
    y[:, 0] += exposure
    weights = random.uniform(0.2, 3, size=(n, genes))
    found = weighted_permutation_p(y, weights, exposure, covariates, k, seed=4)

    def t(one):
        design = np.column_stack([covariates, one])
        fits = [sm.WLS(y[:, k], design, weights=weights[:, k]).fit() for k in range(genes)]
        return np.abs([fit.tvalues[2] for fit in fits])

    observed = t(exposure)
    exceeded = sum(t(drawn) >= observed for drawn in permuted_exposures(exposure, covariates, k, seed=4))
    np.testing.assert_allclose(found, (exceeded + 1) / (k + 1))
    assert found[0] == 1 / (k + 1)


def test_summaries_of_permutations():
    uniform = np.random.default_rng(1).random((200, 500))
    error = type_one_error(uniform)
    assert error.ci_lower < 0.05 < error.ci_upper
    # of independent tests the spread between permutations is binomial
    assert error.standard_error == pytest.approx(np.sqrt(0.05 * 0.95 / uniform.size), rel=0.2)
    assert inflation(uniform).ci_lower < 1 < inflation(uniform).ci_upper
    assert inflation(uniform**2).estimate > 1.5
    assert type_one_error(np.array([[0.01, np.nan], [0.2, 0.3]])).estimate == 0.5
    assert np.isnan(OverPermutations.of([0.05]).standard_error)


def test_a_weighted_coefficient_and_its_error_are_those_of_statsmodels():
    random = np.random.default_rng(7)
    n = 30
    design = np.column_stack([np.ones(n), random.normal(size=(n, 2))])
    y, weights = random.normal(size=(n, 3)), random.uniform(0.1, 4, size=(n, 3))
    one = weighted_coefficient(y, weights, design, 1)
    zero = weighted_coefficient(y * 0, weights, design, 1)
    estimate, error, _, p = difference(one, zero, df=n - 3)
    for k in range(3):
        fit = sm.WLS(y[:, k], design, weights=weights[:, k]).fit(cov_type="HC3", use_t=True)
        expected = (fit.params[1], fit.bse[1], fit.pvalues[1])
        assert (estimate[k], error[k], p[k]) == pytest.approx(expected, rel=1e-9)


# ------------------------------------------------------------------------------ Cox models


def hazards(table, **choices):
    rows = permuted_hazards(table, Choices(**choices), "north", 1000, seed=1)
    return rows.set_index("measure")


def test_the_cox_test_is_tried_on_permuted_face_ages():
    rows = hazards(people())
    assert rows.estimate["type I error"] == pytest.approx(0.05, abs=0.025)
    assert rows.estimate["inflation factor"] == pytest.approx(1, abs=0.25)
    found = rows.loc["hazard ratio"]
    assert found["permutation_p_value"] == pytest.approx(found["p_value"], abs=0.01)


def test_a_cox_test_that_is_not_calibrated_is_seen():
    """With two extreme face ages and 8 deaths Wald's test rejects too often."""
    table = people(n=40)
    table.loc[:1, "face_age"] += 60
    table["event"] = (table.index < 8).astype(float)
    rows = permuted_hazards(table, Choices(), "north", 3000, seed=1).set_index("measure")
    assert rows.ci_lower["type I error"] > 0.05
    assert rows.ci_lower["inflation factor"] > 1.1


def test_permutation_and_wald_agree_in_a_study_without_association():
    table = people(n=200)
    random = np.random.default_rng(3)
    table[["followup_years", "event"]] = table[["followup_years", "event"]].to_numpy()[
        random.permutation(200)
    ]
    row = hazards(table).loc["hazard ratio"]
    assert row["permutation_p_value"] == pytest.approx(row["p_value"], abs=0.05)


def test_strata_and_late_entry_are_those_of_the_model():
    frame = model_frame(late(people()), ["face_age", "chronological_age"], Choices(strata=["sex"]))
    assert len(permuted_p_values(frame, 100, seed=1)) == 100


def test_what_cannot_be_permuted_says_why():
    clusters = in_words(hazards(people(), cluster="ward").reason["type I error"])
    assert clusters.endswith(
        "errors are robust against clusters, within which exposures cannot be permuted freely"
    )
    few = people()
    few["event"] = (few.index < 3).astype(float)
    assert hazards(few).reason["type I error"].startswith("few_events")
