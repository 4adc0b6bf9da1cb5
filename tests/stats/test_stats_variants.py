"""Sums of chi-squares, burden and SKAT: R's numbers, what must not change them, planted and permuted effects."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import fit_linear
from faceage_bio.stats.rare_variants import (
    allele_frequency,
    beta_weights,
    burden_score,
    chi_square_mixture_tail,
    filled_with_mean,
    hardy_weinberg,
    skat,
)
from tests.golden.variants.data import people

GOLDEN = Path(__file__).parents[1] / "golden" / "variants" / "golden.tsv"
WEIGHTS = np.array([1.0, 0.6, 0.3, 0.1])
UNEVEN = np.array([3.0, 2.0, 1.5, 1.0, 0.7, 0.4, 0.2])


@cache
def table():
    return pd.read_csv(GOLDEN, sep="\t")


def golden(name):
    return table().loc[table().quantity == name, "value"].to_numpy()


def heights(kind):
    return [float(name.split(" ")[1]) for name in table().quantity.unique() if name.split(" ")[0] == kind]


@pytest.mark.parametrize("height", heights("pairs"))
def test_tail_of_paired_weights_equals_its_closed_form(height):
    found = chi_square_mixture_tail(height, np.repeat(WEIGHTS, 2))
    assert found == pytest.approx(golden(f"pairs {height:g}")[0], rel=1e-10)


@pytest.mark.parametrize("height", heights("folded"))
def test_tail_equals_folded_densities_down_to_1e_21(height):
    found = chi_square_mixture_tail(height, np.append(0.8, np.repeat(WEIGHTS, 2)))
    assert found == pytest.approx(golden(f"folded {height:g}")[0], rel=1e-8)


@pytest.mark.parametrize("height", heights("equal"))
def test_tail_of_equal_weights_is_chi_square(height):
    assert chi_square_mixture_tail(height, np.full(6, 2.5)) == pytest.approx(
        golden(f"equal {height:g}")[0], rel=1e-10
    )
    nearly = np.full(6, 2.5) * np.linspace(1 - 1e-9, 1 + 1e-9, 6)
    assert chi_square_mixture_tail(height, nearly) == pytest.approx(golden(f"equal {height:g}")[0], rel=1e-6)


@pytest.mark.parametrize("height", heights("imhof"))
def test_tail_equals_imhofs_integral_and_is_near_surveys_saddlepoint(height):
    found = chi_square_mixture_tail(height, UNEVEN)
    # R's integral of an oscillating function is good to about 1e-9 absolute
    assert found == pytest.approx(golden(f"imhof {height:g}")[0], rel=1e-6)
    assert found == pytest.approx(golden(f"saddlepoint {height:g}")[0], rel=0.05)


@pytest.mark.parametrize(
    "weights",
    [
        [1.0, 1e-9],
        [1.0, *[1e-4] * 100],
        [1.0, *[0.01] * 1000],
        [1.0] * 30 + [1e-3] * 500,
        list(np.linspace(0.01, 1, 50)),
    ],
    ids=["nearly one", "many tiny", "many small", "two kinds", "spread"],
)
def test_tail_of_awkward_weights_falls_and_is_between_bounds(weights):
    weights = np.array(weights)
    centre = weights.sum()
    heights = np.array([1e-8, 0.01, 0.3, 1, 1.5, 4, 20, 100]) * centre
    tails = [chi_square_mixture_tail(height, weights) for height in heights]
    assert (np.diff(tails) <= 1e-12).all()
    assert 0 < tails[-1] < 1e-15
    largest = stats.chi2.sf(heights, 1)  # the sum is at least its largest part
    assert (np.array(tails) >= largest - 1e-12).all()


def test_a_tail_whose_integral_is_not_known_is_an_error(monkeypatch):
    monkeypatch.setattr("scipy.integrate.quad", lambda *_, **__: (1.0, 1.0))
    with pytest.raises(FitError, match="the integral of a sum of chi-squares did not converge"):
        chi_square_mixture_tail(10.0, WEIGHTS)


def test_tail_is_never_zero_and_refuses_what_is_no_sum():
    assert 0 < chi_square_mixture_tail(1e7, WEIGHTS) < 1e-300
    assert chi_square_mixture_tail(0.0, WEIGHTS) == 1.0
    for bad in ([0.0, 0.0], [], [1.0, np.nan]):
        with pytest.raises(FitError, match="finite weights, one of them positive"):
            chi_square_mixture_tail(1.0, np.array(bad))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=12), st.floats(0.05, 80), st.floats(1e-3, 1e3))
def test_tail_does_not_change_with_order_or_unit(weights, height, unit):
    weights = np.array(weights)
    one = chi_square_mixture_tail(height, weights)
    assert chi_square_mixture_tail(height, weights[::-1]) == pytest.approx(one, rel=1e-8)
    assert chi_square_mixture_tail(height * unit, weights * unit) == pytest.approx(one, rel=1e-8)


def study():
    data = people()
    return data, data[["age", "sex"]], data.filter(regex="^v").to_numpy()


def test_frequencies_weights_and_hardy_weinberg_equal_r():
    _, _, genotypes = study()
    np.testing.assert_allclose(allele_frequency(genotypes), golden("frequency"), rtol=1e-12)
    np.testing.assert_allclose(beta_weights(allele_frequency(genotypes)), golden("weights"), rtol=1e-10)
    exact = np.concatenate([golden(f"hardy-weinberg {k}") for k in range(genotypes.shape[1])])
    np.testing.assert_allclose(hardy_weinberg(genotypes), exact, rtol=1e-8)
    for counts in ((60, 30, 20), (100, 5, 3), (30, 60, 30)):
        column = np.repeat([0.0, 1.0, 2.0], counts)[:, None]
        name = "hardy-weinberg " + " ".join(map(str, counts))
        assert hardy_weinberg(column)[0] == pytest.approx(golden(name)[0], rel=1e-8)
    assert np.isnan(hardy_weinberg(np.full((4, 1), np.nan))[0])


@pytest.mark.parametrize("kind", ["alleles", "carriers", "weighted"])
def test_burden_equals_lm_with_sandwich(kind):
    data, design, genotypes = study()
    rare = allele_frequency(genotypes) <= 0.05
    terms = fit_linear(data.y, design.assign(x=burden_score(genotypes[:, rare], kind))).terms.loc["x"]
    order = ["estimate", "standard_error", "p_value", "ci_lower", "ci_upper"]
    np.testing.assert_allclose(terms[order].astype(float), golden(kind), rtol=1e-8)


@pytest.mark.parametrize("name", ["rare", "all"])
def test_skat_equals_its_matrix_formula(name):
    data, design, genotypes = study()
    columns = allele_frequency(genotypes) <= (0.05 if name == "rare" else 1)
    found = skat(data.y, design, genotypes[:, columns])
    statistic, p_value, *roots = golden(f"skat {name}")
    assert found.statistic == pytest.approx(statistic, rel=1e-8)
    assert found.p_value == pytest.approx(p_value, rel=1e-6)
    np.testing.assert_allclose(np.sort(found.weights)[::-1], roots, rtol=1e-6)
    assert found.p_value == pytest.approx(golden(f"skat saddlepoint {name}")[0], rel=0.05)


def test_skat_does_not_change_with_order_scale_or_constant_variants():
    data, design, genotypes = study()
    one = skat(data.y, design, genotypes)
    weights = beta_weights(allele_frequency(genotypes))
    random = np.random.default_rng(1)
    rows, columns = random.permutation(len(data)), random.permutation(genotypes.shape[1])
    turned = skat(data.y.iloc[rows], design.iloc[rows], genotypes[rows][:, columns])
    assert turned.statistic == pytest.approx(one.statistic, rel=1e-10)
    assert turned.p_value == pytest.approx(one.p_value, rel=1e-9)
    assert skat(data.y, design, genotypes, 2 * weights).p_value == pytest.approx(one.p_value, rel=1e-9)
    assert skat(3 * data.y - 7, design, genotypes).p_value == pytest.approx(one.p_value, rel=1e-9)
    constant = np.column_stack([genotypes, np.zeros(len(data)), np.full(len(data), 2.0)])
    assert skat(data.y, design, constant).p_value == pytest.approx(one.p_value, rel=1e-9)
    filled = filled_with_mean(genotypes)
    assert not np.isnan(filled).any()


def test_skat_of_one_variant_is_the_score_test():
    data, design, genotypes = study()
    single = filled_with_mean(genotypes[:, [7]])
    found = skat(data.y, design, single)
    basis = np.linalg.qr(np.column_stack([np.ones(len(data)), design]))[0]
    beside = single[:, 0] - basis @ (basis.T @ single[:, 0])
    residuals = data.y - basis @ (basis.T @ data.y)
    chi2 = (beside @ residuals) ** 2 / (beside @ beside) / (residuals @ residuals / (len(data) - 3))
    assert found.p_value == pytest.approx(stats.chi2.sf(chi2, 1), rel=1e-9)


def test_what_cannot_be_tested_says_why():
    data, design, genotypes = study()
    with pytest.raises(FitError, match="no variant varies given the other terms"):
        skat(data.y, design, np.zeros((len(data), 2)))
    with pytest.raises(FitError, match="too few for 3 terms"):
        skat(data.y[:4], design[:4], genotypes[:4])
    with pytest.raises(FitError, match="the outcome follows exactly from the terms, or does not vary"):
        skat(2 * design["age"], design, genotypes)
    with pytest.raises(FitError, match="follows from the others"):
        skat(data.y, design.assign(twice=2 * design["age"]), genotypes)


def drawn(n, random, m=8, frequency=0.01):
    return random.binomial(2, frequency, (n, m)).astype("float64")


def test_opposite_effects_are_found_by_skat_and_missed_by_the_burden():
    random = np.random.default_rng(5)
    genotypes = drawn(2000, random)
    signs = np.array([1, -1] * 4)
    y = pd.Series(random.normal(0, 1, 2000) + 1.2 * genotypes @ signs)
    design = pd.DataFrame({"age": random.normal(60, 10, 2000)})
    assert skat(y, design, genotypes).p_value < 1e-10
    burden = fit_linear(y, design.assign(x=burden_score(genotypes, "alleles"))).terms.loc["x"]
    assert burden.p_value > 0.001


def test_permuted_genotypes_give_uniform_p():
    random = np.random.default_rng(3)
    genotypes = drawn(300, random, frequency=0.03)
    y = pd.Series(random.normal(0, 5, 300) + 0.1 * np.arange(300))
    design = pd.DataFrame({"age": np.arange(300.0)})
    found = [skat(y, design, genotypes[random.permutation(300)]).p_value for _ in range(300)]
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09
    burden = [
        fit_linear(y, design.assign(x=burden_score(genotypes[random.permutation(300)], "carriers"))).terms.loc["x", "p_value"]
        for _ in range(200)
    ]  # fmt: skip
    assert stats.kstest(burden, "uniform").pvalue > 0.01
