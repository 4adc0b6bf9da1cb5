"""Our DESeq2 chain equals DESeq2 1.38.3: script, data and versions in tests/golden/deseq2."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.core.errors import FitError
from faceage_bio.stats import dispersion
from faceage_bio.stats.deseq import coefficient, difference, fit_deseq
from faceage_bio.stats.dispersion import fit_trend, gamma_regression
from faceage_bio.stats.multiplicity import benjamini_hochberg, filtered_discovery_rate
from faceage_bio.stats.negative_binomial import fit_means, median_of_ratios, positive_counts
from faceage_bio.stats.pydeseq2_fit import deseq_by_pydeseq2, fit_pydeseq2, wald_by_pydeseq2
from tests.golden.deseq2 import data

FOLDER = Path(__file__).parents[1] / "golden" / "deseq2"
SAMPLES = pd.read_csv(FOLDER / "samples.tsv", sep="\t")
NAMES = list(data.MAKERS)


@cache
def golden(name):
    return pd.read_csv(FOLDER / f"{name}.tsv", sep="\t", index_col="gene")


@cache
def fitted(name):
    counts, people = data.MAKERS[name]()
    counts, design = counts.to_numpy().T.copy(), data.matrix(people)
    return fit_deseq(counts, design, median_of_ratios(counts))


def unit(fit, *columns):
    """A contrast: the first column minus the second, if there is one."""
    contrast = np.zeros(fit.design.shape[1])
    for column, sign in zip(columns, (1, -1), strict=False):
        contrast[column] = sign
    return contrast


def apart(ours, theirs):
    """Relative distance of each gene; both lack the same ones."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    known = ~np.isnan(ours)
    return np.abs(ours - theirs)[known] / np.maximum(np.abs(theirs[known]), 1e-300)


def decades(p):
    """Log10 of p-values, of which some are too small for a number."""
    return np.log10(np.maximum(np.asarray(p, dtype=float), 1e-300))


@pytest.mark.parametrize("name", NAMES)
def test_size_factors_equal_deseq2(name):
    counts = data.MAKERS[name]()[0].to_numpy().T
    theirs = SAMPLES[SAMPLES.data == name]
    np.testing.assert_allclose(median_of_ratios(counts), theirs.size_factor, rtol=1e-9)
    np.testing.assert_allclose(positive_counts(counts), theirs.poscounts, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_dispersions_equal_deseq2(name):
    fit, theirs = fitted(name), golden(name)
    facts = SAMPLES[SAMPLES.data == name].iloc[0]
    assert fit.trend_kind == facts.trend
    assert fit.prior_variance == pytest.approx(facts.prior_variance, rel=1e-6)
    assert apart(fit.base_mean, theirs.base_mean).max() < 1e-9
    assert np.quantile(apart(fit.gene_dispersion, theirs.gene_dispersion), 0.98) < 1e-6
    for ours, column in ((fit.trend, "trend"), (fit.dispersion, "dispersion")):
        # a dispersion far above the trend stays its own, whose search may end a digit elsewhere
        assert np.quantile(apart(ours, theirs[column]), 0.99) < 1e-6, column
        assert apart(ours, theirs[column]).max() < 1e-3, column


@pytest.mark.parametrize("name", NAMES)
def test_wald_tests_equal_deseq2(name):
    fit, theirs = fitted(name), golden(name)
    for contrast, columns in (
        (unit(fit, 1), ("estimate", "standard_error", "p_value")),
        (unit(fit, 1, 2), ("difference", "difference_error", "difference_p")),
    ):
        estimate, error, _, p = fit.wald(contrast)
        known = theirs[columns[1]].to_numpy() > 0
        assert np.abs((estimate - theirs[columns[0]]) / theirs[columns[1]])[known].max() < 2e-3
        assert np.quantile(apart(estimate, theirs[columns[0]]), 0.95) < 1e-4
        assert np.quantile(apart(error, theirs[columns[1]]), 0.99) < 1e-6
        logs = pd.Series(np.abs(decades(p) - decades(theirs[columns[2]])))
        assert logs.max() < 0.01
        assert logs.quantile(0.95) < 1e-5
        assert pd.Series(p).corr(theirs[columns[2]].reset_index(drop=True), method="spearman") > 0.999999


@pytest.mark.parametrize("name", NAMES)
def test_likelihood_ratio_tests_equal_deseq2(name):
    fit, theirs = fitted(name), golden(name)
    statistic, p = fit.likelihood_ratio(np.delete(fit.design, 1, axis=1))
    away = np.abs(statistic - theirs.lrt) / np.maximum(np.abs(theirs.lrt), 1)
    assert away.quantile(0.98) < 1e-5
    assert away.max() < 1e-2
    assert np.nanmax(np.abs(decades(p) - decades(theirs.lrt_p))) < 0.01
    null, _ = fit.likelihood_ratio(fit.design[:, :1])
    away = np.abs(null - theirs.lrt_null) / np.maximum(np.abs(theirs.lrt_null), 1)
    assert np.nanquantile(away, 0.98) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_filtered_and_plain_discovery_rates_equal_deseq2(name):
    fit, theirs = fitted(name), golden(name)
    p = fit.wald(unit(fit, 1))[3]
    for alpha, column in ((0.1, "padj"), (0.05, "padj_05")):
        ours, threshold = filtered_discovery_rate(p, fit.base_mean, alpha)
        assert np.quantile(apart(ours, theirs[column]), 0.95) < 1e-4
        assert threshold >= 0
    assert np.quantile(apart(benjamini_hochberg(p), theirs.padj_all), 0.95) < 1e-4


def test_outlying_counts_are_replaced_or_flagged_as_in_deseq2():
    fit, theirs = fitted("groups"), golden("groups")
    assert np.quantile(apart(fit.max_cooks, theirs.max_cooks), 0.98) < 1e-6
    assert fit.replaced.sum() > 10
    assert np.isnan(theirs.p_value).sum() == np.isnan(fit.wald(unit(fit, 1))[3]).sum()
    emptied = fit.wald(unit(fit, 1))[:, fit.emptied]
    assert emptied.shape[1] == 3
    np.testing.assert_array_equal(emptied[:, 0], [0, 0, 0, 1])


def test_a_continuous_design_judges_no_single_count():
    assert np.isnan(fitted("small").max_cooks).all()
    assert not fitted("small").replaced.any()


def test_difference_of_models_equals_the_stacked_fit_of_r():
    theirs = pd.read_csv(FOLDER / "alone.tsv", sep="\t", index_col="gene")
    counts, people = data.small()
    size_factors = median_of_ratios(counts.to_numpy().T)
    mine, dispersions = counts.loc[theirs.index].to_numpy().T, theirs.dispersion.to_numpy()
    one, other = (
        coefficient(mine, data.matrix(people.drop(columns=left_out)), size_factors, dispersions, 1)
        for left_out in ("age", "acceleration")
    )
    # DESeq2's iterations, and so ours, end where R's glm goes on a little
    for ours, column in ((one, "acceleration"), (other, "age")):
        assert np.abs((ours.estimate - theirs[column]) / theirs.difference_error).max() < 1e-3
    estimate, error, _, _ = difference(one, other)
    assert np.abs((estimate - theirs.difference) / theirs.difference_error).max() < 1e-3
    np.testing.assert_allclose(error, theirs.difference_error, rtol=1e-3)
    assert difference(one, one)[0].max() == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small", "large", "groups"])
def test_our_chain_agrees_with_pydeseq2(name):
    """Another implementation, of other authors; it fits dispersions a little differently."""
    counts, people = data.MAKERS[name]()
    given = counts.to_numpy().T.copy(), data.matrix(people), fitted(name).size_factors
    theirs = deseq_by_pydeseq2(*given)
    contrast = unit(fitted(name), 1)
    ours, other = fitted(name).wald(contrast), theirs.wald(contrast)
    assert np.nanquantile(np.abs(ours[0] - other[0]) / np.maximum(ours[1], 1e-9), 0.99) < 0.03
    assert np.nanquantile(np.abs(decades(ours[3]) - decades(other[3])), 0.95) < 0.03
    # the Wald test of its own class, from which ours has dispersions and coefficients
    own = wald_by_pydeseq2(fit_pydeseq2(*given), contrast)
    known = ~np.isnan(own[3]) & ~theirs.emptied
    np.testing.assert_allclose(other[:, known], own[:, known], rtol=1e-9)
    assert np.isnan(theirs.likelihood_ratio(given[1][:, :1])[1][known]).all()
    # means in another design, with its dispersions
    smaller, mine = (fit.refit(given[1][:, :2], np.arange(5)).beta for fit in (theirs, fitted(name)))
    np.testing.assert_allclose(smaller, mine, atol=0.02)


def test_workers_change_nothing():
    fit, counts = fitted("large"), data.large()[0].to_numpy().T.copy()
    other = fit_deseq(counts, fit.design, fit.size_factors, workers=2)
    np.testing.assert_array_equal(fit.dispersion, other.dispersion)
    np.testing.assert_array_equal(fit.fit.beta, other.fit.beta)


def test_blocks_change_nothing(monkeypatch):
    fit, counts = fitted("curved"), data.curved()[0].to_numpy().T.copy()
    monkeypatch.setattr("faceage_bio.stats.blocks.ELEMENTS", 1000)
    other = fit_deseq(counts, fit.design, fit.size_factors)
    np.testing.assert_allclose(fit.dispersion, other.dispersion, rtol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.2, 5))
def test_units_of_a_covariate_change_only_its_own_number(seed, scale):
    random = np.random.default_rng(seed)
    design = np.column_stack([np.ones(20), random.normal(size=(20, 2))])
    counts = random.negative_binomial(5, 5 / (5 + np.exp(random.normal(4, 0.3, (20, 12)))))
    counts[0] += 1
    dispersions, sizes = np.full(12, 0.2), np.exp(random.normal(0, 0.2, 20))
    first = fit_means(counts, design, sizes, dispersions)
    second = fit_means(counts, design * [1, 1, scale], sizes, dispersions)
    np.testing.assert_allclose(first.beta[:, 1], second.beta[:, 1], atol=1e-5)
    np.testing.assert_allclose(first.beta[:, 2], second.beta[:, 2] * scale, atol=1e-5)
    np.testing.assert_allclose(first.log_likelihood, second.log_likelihood, rtol=1e-6)


def test_p_values_are_uniform_where_nothing_is():
    random = np.random.default_rng(11)
    n, genes = 80, 1500
    dispersion = np.exp(random.normal(-2, 0.5, genes))
    share = 1 / (1 + dispersion * np.exp(random.normal(5, 1, genes)))
    counts = random.negative_binomial(1 / dispersion, share, (n, genes))
    design = np.column_stack([np.ones(n), random.normal(size=n), random.integers(0, 2, n)])
    p = fit_deseq(counts, design, median_of_ratios(counts)).wald(np.array([0, 1, 0]))[3]
    for level in (0.01, 0.05, 0.2):
        # a band of four standard deviations, and a tenth for the normal reference of few samples
        assert abs((p < level).mean() - level) < 4 * np.sqrt(level * (1 - level) / genes) + 0.1 * level


def test_fewer_samples_than_the_method_needs_are_refused():
    counts = np.ones((7, 3), int)
    with pytest.raises(FitError, match="7 samples are too few for 4 parameters; there must be at least 8"):
        fit_deseq(counts, np.ones((7, 4)), np.ones(7))
    with pytest.raises(FitError, match="no gene has any counts"):
        fit_deseq(np.zeros((9, 3), int), np.ones((9, 1)), np.ones(9))


def test_size_factors_that_do_not_exist_are_told():
    with pytest.raises(FitError, match="every gene has a sample without counts"):
        median_of_ratios(np.array([[0, 1], [1, 0]]))
    with pytest.raises(FitError, match="counts are zero in 1 sample"):
        positive_counts(np.array([[0, 0], [1, 0]]))


def test_a_trend_that_does_not_settle_is_none(monkeypatch):
    with pytest.raises(FitError, match="too few genes for a trend"):
        gamma_regression(np.ones((1, 2)), np.ones(1), np.ones(2))
    with pytest.raises(FitError, match="fitted dispersions are not positive"):
        gamma_regression(np.ones((3, 1)), np.ones(3), -np.ones(1))
    monkeypatch.setattr(dispersion, "gamma_regression", lambda x, y, start: (start * 2, False))
    with pytest.raises(FitError, match="the parametric trend did not converge"):
        dispersion._parametric(np.arange(1.0, 9), np.full(8, 0.1))


def test_a_trend_needs_dispersion_and_falls_back_to_one_number():
    with pytest.raises(FitError, match="no gene varies more than counts do by chance"):
        fit_trend(np.ones(5), np.full(5, 1e-8))
    trend = fit_trend(np.array([10.0, 100.0]), np.array([0.1, 0.4]))
    assert trend.kind == "mean"
    np.testing.assert_allclose(trend.at(np.array([1.0, 9.0])), 0.25)


def test_no_discovery_means_no_filter():
    p = np.linspace(0.2, 1, 100)
    ours, threshold = filtered_discovery_rate(p, np.arange(1.0, 101.0))
    assert threshold == 1
    np.testing.assert_allclose(ours, benjamini_hochberg(p))
