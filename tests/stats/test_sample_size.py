"""Sample sizes equal R's rpact, published examples and simulated studies."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.core.errors import RunError
from faceage_bio.stats.sample_size import (
    CoxDesign,
    LogRankTrial,
    PiecewiseSurvival,
    drop_out_hazard,
    prediction_model_size,
    samples_for_exposure,
    samples_per_group,
    spearman_brown,
)

GOLDEN = pd.read_csv(Path(__file__).parents[1] / "golden/sample_size/golden.tsv", sep="\t").set_index(
    "design"
)
MEDIAN_18 = PiecewiseSurvival.with_median(18)
TRIALS = {
    "exponential": (LogRankTrial(MEDIAN_18, 0.7, 24, 12), 0.8),
    "drop_out": (
        LogRankTrial(MEDIAN_18, 0.7, 24, 12, 2, (drop_out_hazard(0.1, 12), drop_out_hazard(0.05, 12))), 0.9,
    ),
    "piecewise": (
        LogRankTrial(PiecewiseSurvival((0, 6, 12), (0.05, 0.03, 0.02)), 0.75, 18, 24, alpha=0.025, sides=1), 0.8,
    ),
    "harm": (
        LogRankTrial(PiecewiseSurvival((0,), (0.02,)), 1.6, 36, 6, 0.5, (drop_out_hazard(0.2, 12),) * 2), 0.85,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRIALS)
def test_trials_match_rpact(name):
    trial, power = TRIALS[name]
    assert trial.events(power) == pytest.approx(GOLDEN.events[name], rel=1e-9)
    assert trial.participants(power) == pytest.approx(GOLDEN.participants[name], rel=1e-9)
    assert trial.power(trial.events(power)) == pytest.approx(power)


def test_hazard_ratio_per_decade_of_the_study_takes_628_events():
    # Hsieh and Lavori's formula by hand: (1.959964 + 0.841621)^2 / (log(1.15)^2 * 0.8^2) = 627.84
    design = CoxDesign(sd=0.8)
    assert design.events(1.15, 0.8) == pytest.approx(627.84, abs=0.01)
    assert design.power(1.15, 628) == pytest.approx(0.8, abs=2e-4)
    shown = [design.detectable(events, 0.8) for events in (50, 100, 200, 400)]
    assert shown == pytest.approx([1.64, 1.42, 1.28, 1.19], abs=0.005)


@pytest.mark.parametrize(
    ("sides", "power", "participants"), [(1, 0.806, 107), (1, 0.8, 105.02), (2, 0.8, 133.33)]
)
def test_myeloma_example_of_hsieh_and_lavori(sides, power, participants):
    # their table 1: log hazard ratio 1, SD 0.3126, R squared 0.1837, 73.8 % with an event; one-sided 107 participants
    design = CoxDesign(sd=0.3126, r_squared=0.1837, sides=sides)
    assert design.events(np.e, power) / 0.738 == pytest.approx(participants, abs=0.3)


def test_share_of_events_is_the_mean_over_accrual():
    # exponential survival, closed form: 1 - (exp(-hF) - exp(-h(A + F))) / (hA)
    h, accrual, follow_up = 0.1, 3.0, 2.0
    expected = 1 - (np.exp(-h * follow_up) - np.exp(-h * (accrual + follow_up))) / (h * accrual)
    assert PiecewiseSurvival((0,), (h,)).event_share(accrual, follow_up) == pytest.approx(expected, rel=1e-12)
    by_hand = 1 - np.exp(-h * follow_up)
    assert PiecewiseSurvival((0,), (h,)).event_share(0, follow_up) == pytest.approx(by_hand)


def test_drop_out_leaves_the_share_of_competing_exponentials():
    seen = PiecewiseSurvival((0,), (0.2,)).observed_events(np.array([1.0, np.inf]), drop_out=0.3)
    assert seen == pytest.approx([0.4 * (1 - np.exp(-0.5)), 0.4])


@given(st.lists(st.tuples(st.floats(0.1, 5), st.floats(0.05, 1)), min_size=1, max_size=6), st.floats(0.1, 20))
def test_curve_goes_through_its_points(steps, until):
    times = np.cumsum([gap for gap, _ in steps])
    survival = np.cumprod([share for _, share in steps])
    if survival[-1] == 1:
        return
    curve = PiecewiseSurvival.through(times, survival)
    assert 1 - curve.observed_events(times) == pytest.approx(survival)
    assert (np.diff(curve.observed_events(np.array([0, until / 2, until]))) >= 0).all()


@given(st.floats(0.05, 0.95), st.floats(1, 20))
def test_more_photos_are_more_reliable(reliability, photos):
    assert reliability <= spearman_brown(reliability, photos) < 1
    assert spearman_brown(reliability, 1) == pytest.approx(reliability)


def test_published_reliability_of_two_photos():
    assert spearman_brown(0.8, 2) == pytest.approx(1.6 / 1.8)


@pytest.mark.parametrize(
    ("starts", "hazards"),
    [((1,), (0.1,)), ((0, 0), (0.1, 0.1)), ((0,), (0.1, 0.2)), ((0,), (-0.1,)), ((0,), (0.0,)), ((), ())],
)
def test_pieces_that_are_no_survival(starts, hazards):
    with pytest.raises(RunError, match="Expected starts that rise from 0"):
        PiecewiseSurvival(starts, hazards)


@pytest.mark.parametrize(
    ("times", "survival"),
    [([1, 1], [0.9, 0.8]), ([1, 2], [0.8, 0.9]), ([0, 1], [1, 0.9]), ([1], [0.0]), ([], [])],
)
def test_points_that_are_no_curve(times, survival):
    with pytest.raises(RunError, match="expected times that rise"):
        PiecewiseSurvival.through(times, survival)


# Sample sizes of prediction models and of sequencing equal published values.


def test_survival_example_of_pmsampsize():
    # pmsampsize's documentation, recurrence of venous thrombosis: 5,143 participants with 692 events
    found = prediction_model_size(0.051, 30, event_rate=0.065, mean_follow_up=2.07, horizon=2)
    assert found["shrinkage"] == found["participants"] == 5143
    assert found["events"] == 692


def test_more_parameters_take_more_participants_and_a_better_model_fewer():
    options = {"event_rate": 0.1, "mean_follow_up": 3, "horizon": 3}
    sizes = [
        prediction_model_size(r, p, **options)["participants"] for r, p in ((0.05, 10), (0.05, 20), (0.2, 20))
    ]
    assert sizes[1] > sizes[0]
    assert sizes[2] < sizes[1]


@pytest.mark.parametrize("r_squared", [0, 0.99])
def test_r_squared_that_no_model_has(r_squared):
    with pytest.raises(ValueError, match="expected more than 0 and less than"):
        prediction_model_size(r_squared, 5, event_rate=0.05, mean_follow_up=2, horizon=2)


@pytest.mark.parametrize(
    ("fold_change", "power", "expected"),
    # the table of RNASeqPower's vignette: depth 20, CV 0.4, alpha 0.05
    [(1.25, 0.8, 66.204618), (1.25, 0.9, 88.629200), (1.5, 0.8, 20.051644), (1.75, 0.9, 14.091771), (2, 0.8, 6.861294), (2, 0.9, 9.185326)],
)  # fmt: skip
def test_genes_match_the_vignette_of_rnaseqpower(fold_change, power, expected):
    assert samples_per_group(fold_change, 20, 0.4, power=power) == pytest.approx(expected, rel=1e-6)


def test_two_even_groups_are_an_exposure_with_half_a_unit_of_spread():
    assert samples_for_exposure(2, 0.5, 20, 0.4) == pytest.approx(2 * samples_per_group(2, 20, 0.4))


def test_planned_samples_show_the_gene_as_often_as_planned():
    """Counts are simulated as negative binomial and log counts compared by a t-test."""
    from scipy.stats import ttest_ind

    n = round(samples_per_group(1.1, 500, 0.2))
    random = np.random.default_rng(3)
    shape = 1 / 0.2**2
    counts = [random.negative_binomial(shape, shape / (shape + mean), (4000, n)) for mean in (500, 550)]
    power = (ttest_ind(*(np.log(group + 0.5) for group in counts), axis=1).pvalue < 0.05).mean()
    assert power == pytest.approx(0.8, abs=0.03)
