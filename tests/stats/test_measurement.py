"""Smooth curves, reliability and corrections for measurement error equal R's (tests/golden/acceleration) and find what is planted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceage_bio.core.errors import FitError
from faceage_bio.stats import measurement_error
from faceage_bio.stats.linear import least_squares
from faceage_bio.stats.measurement_error import correct_slope, repeat_reliability, simex_slope
from faceage_bio.stats.smoothing import fit_location_scale, loess, natural_spline, place_knots
from tests.golden.acceleration import data
from tests.rows import golden, numbers

r = golden("acceleration")
AT = np.array([400, 700, 1000, 1500, 3000, 4500.0])


@pytest.mark.parametrize("df", [2, 3, 4])
def test_natural_spline_fits_as_ns_within_and_beyond_its_knots(df):
    engel = data.engel()
    knots = place_knots(engel.income, df)
    basis = natural_spline(engel.income, knots)
    terms = np.linalg.lstsq(np.column_stack([np.ones(len(basis)), basis]), engel.foodexp, rcond=None)[0]
    places = np.array([300, *AT, 5500])
    np.testing.assert_allclose(
        terms[0] + natural_spline(places, knots).to_numpy() @ terms[1:], r(f"spline {df}"), rtol=1e-9
    )


@pytest.mark.parametrize("span", [0.5, 0.75])
def test_loess_equals_rs_direct_surface(span):
    engel = data.engel()
    np.testing.assert_allclose(loess(engel.income, engel.foodexp, AT, span), r(f"loess {span}"), rtol=1e-8)


def test_loess_residuals_equal_r():
    engel = data.engel()
    found = engel.foodexp - loess(engel.income, engel.foodexp, engel.income.to_numpy())
    np.testing.assert_allclose(found[:20], r("loess residuals"), rtol=1e-6)


def test_loess_on_a_grid_is_as_good_as_place_by_place_and_says_nothing_outside():
    random = np.random.default_rng(1)
    x = random.uniform(40, 85, 900)
    y = 10 + 0.8 * x + 3 * np.sin(x / 8) + random.normal(0, 4, 900)
    places = np.sort(random.choice(x, 150, replace=False))
    grid = pd.Series(loess(x, y, x), index=x)
    np.testing.assert_allclose(
        grid[places], loess(x, y, places), atol=0.01
    )  # years; which points are seen changes in jumps
    assert np.isnan(loess(x, y, np.array([20.0, 99.0]))).all()


def test_mean_and_spread_equal_gls_with_an_exponential_variance():
    engel = data.engel()
    model = fit_location_scale(engel.income, engel.foodexp)
    mean, sd = model.at(AT)
    # gls stops about 1e-6 away: its likelihood is not higher than ours
    np.testing.assert_allclose(mean, r("location"), rtol=1e-5)
    np.testing.assert_allclose(sd, r("scale"), rtol=1e-5)
    assert model.log_likelihood == pytest.approx(r("location scale log likelihood")[0], rel=1e-9)
    assert model.log_likelihood >= r("location scale log likelihood")[0] - 1e-9
    assert np.isnan(model.at(np.array([100.0, 9000.0]))).all()


@pytest.mark.parametrize("k", [2, 3])
def test_reliability_equals_psych(k):
    found = repeat_reliability(data.repeats().to_numpy()[:, :k])
    np.testing.assert_allclose(numbers(found.icc_one_way), r(f"icc one way {k}"), rtol=1e-6)
    np.testing.assert_allclose(numbers(found.icc_agreement), r(f"icc agreement {k}"), rtol=1e-6)
    np.testing.assert_allclose(numbers(found.error_sd)[:3], r(f"error {k}"), rtol=1e-9)
    assert found.smallest_change.estimate == pytest.approx(1.959964 * np.sqrt(2) * found.error_sd.estimate)


def test_reliability_equals_the_published_example():
    # Shrout and Fleiss 1979, doi:10.1037/0033-2909.86.2.420, table 4: six targets, four judges
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    found = repeat_reliability(np.array(ratings))
    assert round(found.icc_one_way.estimate, 2) == 0.17
    assert round(found.icc_agreement.estimate, 2) == 0.29


def test_planted_reliability_is_found():
    random = np.random.default_rng(2)
    truth = random.normal(0, 6, 3000)
    found = repeat_reliability(truth[:, None] + random.normal(0, 3, (3000, 2)))
    assert found.icc_one_way.estimate == pytest.approx(0.8, abs=0.02)
    assert found.error_sd.estimate == pytest.approx(3, abs=0.1)


@given(arrays(np.float64, (8, 2), elements=st.floats(20, 90)), st.floats(-30, 30), st.floats(0.1, 5))
def test_reliability_knows_no_unit(values, shift, factor):
    try:
        plain = repeat_reliability(values)
        other = repeat_reliability(values * factor + shift)
    except FitError:
        return
    if plain.error_sd.estimate < 1e-3 or abs(plain.icc_agreement.estimate) < 1e-6:
        return  # rounding of the shift is then as large as the error
    assert other.icc_one_way.estimate == pytest.approx(plain.icc_one_way.estimate, abs=1e-6)
    assert other.error_sd.estimate == pytest.approx(factor * plain.error_sd.estimate, rel=1e-6)
    assert -1 <= plain.icc_one_way.estimate <= 1


ONCE = np.repeat(np.linspace(41.3, 77.7, 30)[:, None], 2, axis=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((3, 2)), r"3 participants measured 2 times are too few .at least 5."),
        (np.ones((8, 1)), "no participant was measured twice"),
        (np.ones((8, 2)), "participants or their measurements do not vary"),
        (ONCE, "participants or their measurements do not vary"),
        (ONCE * [1, 1 + 3e-16], "participants or their measurements do not vary"),
        (ONCE + np.array([0, 0.1]), "participants or their measurements do not vary"),
        (np.arange(16.0).reshape(8, 2) * np.where(np.eye(8, 2) == 1, np.nan, 1), "a measurement is missing"),
    ],
)
def test_no_reliability_without_repeats(values, message):
    with pytest.raises(FitError, match=message):
        repeat_reliability(values)


def test_corrections_equal_their_formulas_in_r():
    table = data.exposed()
    found = correct_slope(table.outcome, table.exposure, table[["covariate"]], 2.5, 19)
    np.testing.assert_allclose(numbers(found.naive), r("naive"), rtol=1e-6)
    np.testing.assert_allclose(numbers(found.calibrated), r("calibrated"), rtol=1e-6)
    assert found.reliability == pytest.approx(r("reliability")[0], rel=1e-9)
    draws = data.draws().to_numpy().T.reshape(data.STEPS, data.DRAWS, len(table))
    others = np.column_stack([np.ones(len(table)), table.covariate])
    slope = simex_slope(table.outcome.to_numpy(), table.exposure.to_numpy(), others, 2.5, draws)
    np.testing.assert_allclose(slope, r("simex"), rtol=1e-8)


def simulated(random, n, slope, error_sd):
    z = random.normal(0, 1, n)
    truth = random.normal(0, 6, n) + 2 * z
    return pd.DataFrame(
        {"y": slope * truth + z + random.normal(0, 3, n), "x": truth + random.normal(0, error_sd, n), "z": z}
    )


def test_planted_slope_comes_back_from_under_the_error():
    table = simulated(np.random.default_rng(3), 6000, 0.5, 4.0)
    found = correct_slope(table.y, table.x, table[["z"]], 4.0)
    assert found.reliability == pytest.approx(36 / 52, abs=0.03)
    assert found.naive.estimate == pytest.approx(0.5 * 36 / 52, abs=0.03)
    assert found.calibrated.estimate == pytest.approx(0.5, abs=0.03)
    # the quadratic stops a little short of the truth, as is known of it
    assert found.naive.estimate < found.simex.estimate < 0.52
    assert found.simex.estimate == pytest.approx(0.48, abs=0.03)


def test_intervals_of_the_correction_hold_what_they_promise():
    random, inside, null = np.random.default_rng(4), 0, 0
    for _ in range(200):
        table = simulated(random, 150, 0.5, 3.0)
        error_sd = 3.0 * np.sqrt(random.chisquare(30) / 30)
        found = correct_slope(table.y, table.x, table[["z"]], error_sd, 30).calibrated
        inside += found.ci_lower <= 0.5 <= found.ci_upper
        table["x"] = random.permutation(table["x"])
        null += correct_slope(table.y, table.x, table[["z"]], error_sd, 30).calibrated.p_value < 0.05
    assert 0.90 <= inside / 200 <= 0.99
    assert null / 200 <= 0.10


def test_chance_hardly_moves_simex(monkeypatch):
    random = np.random.default_rng(8)
    truth = random.normal(0, 6, 300)
    exposure = pd.Series(truth + random.normal(0, 2.5, 300))
    outcome = pd.Series(0.05 * truth + random.normal(0, 4, 300))
    nothing = pd.DataFrame(index=outcome.index)
    found = []
    for seed in range(8):
        monkeypatch.setattr(measurement_error, "SEED", seed)
        found.append(correct_slope(outcome, exposure, nothing, 2.5, 100).simex)
    assert len({one.estimate for one in found}) == 8
    error = (found[0].ci_upper - found[0].ci_lower) / 4
    assert np.std([one.estimate for one in found]) < 0.02 * error


def test_without_error_nothing_is_corrected():
    table = data.exposed()
    found = correct_slope(table.outcome, table.exposure, table[["covariate"]], 0.0)
    assert found.calibrated.estimate == pytest.approx(found.naive.estimate)
    assert found.simex.estimate == pytest.approx(found.naive.estimate)


def test_an_error_as_large_as_the_exposure_is_not_corrected():
    table = data.exposed()
    message = r"measurement error leaves a reliability of .* a correction is mostly noise"
    with pytest.raises(FitError, match=message):
        correct_slope(table.outcome, table.exposure, table[["covariate"]], 6.0)


def test_naive_slope_is_least_squares_without_covariates_too():
    table = data.exposed()
    found = correct_slope(table.outcome, table.exposure, table[[]], 2.0)
    expected = least_squares(table.outcome, table[["exposure"]]).estimate["exposure"]
    assert found.naive.estimate == pytest.approx(expected)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            np.arange(10.0),
            np.arange(10.0),
            r"10 participants with both ages are too few for a curve .at least 20.",
        ),
        (np.ones(30), np.arange(30.0), "a spline needs more than 1 distinct values, spread over the range"),
        (np.arange(30.0), np.full(30, 5.0), "without any spread"),
    ],
)
def test_no_model_of_the_spread_without_participants(x, y, message):
    with pytest.raises(FitError, match=message):
        fit_location_scale(x, y)


@pytest.mark.parametrize(
    ("ages", "message"),
    [
        (np.repeat([50.0, 60.0], 10), "too few distinct values for a local curve"),
        (np.arange(3.0), "3 points are too few for a local curve"),
    ],
)
def test_no_local_curve_through_two_ages_or_few_points(ages, message):
    with pytest.raises(FitError, match=message):
        loess(ages, np.arange(len(ages)) * 1.0, ages[:1])


def test_no_slope_from_simulated_error_that_drowns_the_exposure():
    random = np.random.default_rng(1)
    exposure = random.normal(0, 0.1, 12)
    with pytest.raises(FitError, match="SIMEX gives no positive variance"):
        simex_slope(exposure, exposure, np.ones((12, 1)), 30.0, random.normal(0, 1, (4, 20, 12)))
