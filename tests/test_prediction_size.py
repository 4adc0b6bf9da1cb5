"""Sample sizes of prediction models and of sequencing equal published values."""

import numpy as np
import pytest

from faceage_bio.stats.sample_size import prediction_model_size, samples_for_exposure, samples_per_group


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
