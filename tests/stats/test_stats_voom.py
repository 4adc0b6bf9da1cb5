"""TMM, voom, moderated t, correlation within persons and HC3 equal edgeR, limma and sandwich: tests/golden/voom."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from faceage_bio.core.errors import FitError
from faceage_bio.stats.limma import (
    consensus_correlation,
    fit_moderated,
    log_counts_per_million,
    variance_prior,
    voom,
)
from faceage_bio.stats.linear import hc3, least_squares
from faceage_bio.stats.negative_binomial import trimmed_mean_of_m
from tests.golden.voom import data

FOLDER = Path(__file__).parents[1] / "golden" / "voom"
SAMPLES = pd.read_csv(FOLDER / "samples.tsv", sep="\t")
NAMES = list(data.MAKERS)


def golden(name):
    return pd.read_csv(FOLDER / f"{name}.tsv", sep="\t", index_col="gene")


@cache
def weighted(name):
    counts, people = data.MAKERS[name]()
    counts = counts.to_numpy().T
    design = np.column_stack([np.ones(len(people)), people.to_numpy(dtype=float)])
    return design, *voom(counts, design, counts.sum(axis=1) * trimmed_mean_of_m(counts))


def test_some_genes_have_the_weights_that_they_have_among_all():
    design, levels, weights = weighted(NAMES[0])
    counts = data.MAKERS[NAMES[0]]()[0].to_numpy().T
    genes = np.array([17, 3, 99])
    found = voom(counts, design, counts.sum(axis=1) * trimmed_mean_of_m(counts), genes)
    np.testing.assert_allclose(found, (levels[:, genes], weights[:, genes]), rtol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_tmm_equals_edger(name):
    counts = data.MAKERS[name]()[0].to_numpy().T
    np.testing.assert_allclose(trimmed_mean_of_m(counts), SAMPLES[SAMPLES.data == name].factor, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_voom_with_moderated_t_equals_limma(name):
    design, log_cpm, weights = weighted(name)
    theirs, facts = golden(name), SAMPLES[SAMPLES.data == name].iloc[0]
    np.testing.assert_allclose(weights[0], theirs.weight, rtol=1e-6)
    fit = fit_moderated(log_cpm, design, weights)
    first, second = np.eye(design.shape[1])[1:3]
    estimate, error, _, p = fit.test(first)
    np.testing.assert_allclose(estimate, theirs.estimate, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(error, theirs.standard_error, rtol=1e-6)
    np.testing.assert_allclose(p, theirs.p_value, rtol=1e-5)
    estimate, _, _, p = fit.test(first - second)
    np.testing.assert_allclose(estimate, theirs.difference, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(p, theirs.difference_p, rtol=1e-5)
    assert fit.df - (len(design) - design.shape[1]) == pytest.approx(facts.df_prior, rel=1e-6)


def test_samples_of_one_participant_equal_duplicate_correlation():
    design, log_cpm, weights = weighted("repeated")
    theirs = golden("repeated")
    persons = data.persons(data.repeated()[1])
    consensus = consensus_correlation(log_cpm, design, weights, persons)
    assert consensus == pytest.approx(SAMPLES[SAMPLES.data == "repeated"].consensus.iloc[0], rel=1e-5)
    fit = fit_moderated(log_cpm, design, weights, persons, consensus)
    first, second = np.eye(design.shape[1])[1:3]
    np.testing.assert_allclose(fit.test(second)[0], theirs.block_estimate, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(fit.test(second)[3], theirs.block_p, rtol=1e-4)
    np.testing.assert_allclose(fit.test(first)[3], theirs.block_first_p, rtol=1e-4)
    # what a person has in common says more about age within persons and less about acceleration between them
    alone = fit_moderated(log_cpm, design, weights)
    assert (fit.test(first)[1] > alone.test(first)[1]).mean() > 0.95
    assert (fit.test(second)[1] < alone.test(second)[1]).mean() > 0.95


def test_the_order_of_samples_does_not_matter():
    design, log_cpm, weights = weighted("repeated")
    persons = data.persons(data.repeated()[1])
    order = np.random.default_rng(0).permutation(len(design))
    plain = fit_moderated(log_cpm, design, weights, persons, 0.4).test(np.eye(7)[1])
    mixed = fit_moderated(log_cpm[order], design[order], weights[order], persons[order], 0.4).test(
        np.eye(7)[1]
    )
    np.testing.assert_allclose(plain, mixed, rtol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_hc3_of_all_genes_equals_sandwich(name):
    design, log_cpm, _ = weighted(name)
    theirs = golden(name)
    estimate, error, _, p = hc3(log_cpm, design, np.eye(design.shape[1])[[1]])[:, 0]
    np.testing.assert_allclose(estimate, theirs.hc3_estimate, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(error, theirs.hc3_error, rtol=1e-6)
    np.testing.assert_allclose(p, theirs.hc3_p, rtol=1e-6)


def test_hc3_of_all_genes_equals_the_single_fit():
    design, log_cpm, _ = weighted("cells")
    names = ["a", "b", "c"]
    table = pd.DataFrame(design[:, 1:], columns=names)
    for gene in (0, 7):
        single = least_squares(pd.Series(log_cpm[:, gene]), table)
        many = hc3(log_cpm, design, np.eye(4)[1:])[:, :, gene]
        np.testing.assert_allclose(many[0], single.loc[names, "estimate"], rtol=1e-8)
        np.testing.assert_allclose(many[3], single.loc[names, "p_value"], rtol=1e-6)


def test_variances_that_differ_by_chance_only_are_one():
    prior, df = variance_prior(np.linspace(0.99, 1.01, 50), 10)
    assert df == np.inf
    assert prior == pytest.approx(1, abs=0.01)
    fit = fit_moderated(np.tile(np.arange(8.0)[:, None] % 3, 5), np.ones((8, 1)), np.ones((8, 5)))
    assert fit.df == 7 * 5


def test_log_counts_ignore_depth():
    counts = np.array([[1000, 3000], [10000, 30000]])
    logs = log_counts_per_million(counts, counts.sum(axis=1))
    np.testing.assert_allclose(logs[0], logs[1], atol=1e-3)


def test_what_cannot_be_estimated_is_told():
    with pytest.raises(FitError, match="needs several of them, some with several samples"):
        consensus_correlation(np.ones((4, 2)), np.ones((4, 1)), np.ones((4, 2)), np.arange(4))
    lone = np.column_stack([np.ones(5), [1.0, 0, 0, 0, 0]])
    with pytest.raises(FitError, match="one sample alone determines a term"):
        hc3(np.ones((5, 1)), lone, np.eye(2))


def test_an_outcome_or_groups_that_do_not_vary_have_no_test():
    groups = np.column_stack([np.ones(9), np.repeat(np.eye(3), 3, axis=0)[:, 1:]])
    y = np.column_stack([np.full(9, 0.1), [0.3, 0.3, 0.1 + 0.2, 7.1, 7.1, 7.1, 5, 6, 8]])
    _, error, t, p = hc3(y, groups, np.eye(3)[1:])
    assert (error[[0, 1, 0], [0, 0, 1]] == 0).all()
    assert np.isnan([t, p])[:, [0, 1, 0], [0, 0, 1]].all()
    assert p[1, 1] < 0.05
