"""Planned power is the power of simulated studies; without an effect the test errs as often as it says."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.planning.cohort_study import CohortPlan, value_of
from faceage_bio.analyses.planning.simulation import score_statistics, simulated_power, survival_times
from faceage_bio.stats.sample_size import CoxDesign, LogRankTrial, PiecewiseSurvival, drop_out_hazard

SURVIVAL = PiecewiseSurvival((0, 1, 3), (0.3, 0.15, 0.1))
STUDY = {"accrual": 2, "follow_up": 3, "drop_out": drop_out_hazard(0.03, 1)}


def test_score_test_is_that_of_lifelines():
    from lifelines import CoxPHFitter

    random = np.random.default_rng(4)
    x, time, event = (
        random.normal(size=(3, 80)),
        random.exponential(size=(3, 80)),
        random.random((3, 80)) < 0.6,
    )
    found = score_statistics(x, time, event)
    for row in range(3):
        # the score and information at 0 by finite differences of the partial likelihood of lifelines
        table = pd.DataFrame({"x": x[row], "time": time[row], "event": event[row]})
        fitter = CoxPHFitter().fit(table, "time", "event")
        wald = fitter.params_["x"] / fitter.standard_errors_["x"]
        assert found[row] == pytest.approx(wald, abs=0.15)


@pytest.mark.parametrize(("log_hazard_ratio", "n"), [(0.25, 250), (0.15, 600)])
def test_planned_power_is_that_of_simulated_studies(log_hazard_ratio, n):
    events = n * SURVIVAL.event_share(**STUDY)
    planned = CoxDesign(1).power(np.exp(log_hazard_ratio), events)
    power, error = simulated_power(log_hazard_ratio, SURVIVAL, n, repeats=2000, **STUDY)
    assert 0.5 < planned < 0.98
    assert power == pytest.approx(planned, abs=4 * error + 0.01)  # the formula is that of small effects


@pytest.mark.parametrize(("ratio", "expected"), [(1.8, 0.8), (1.0, 0.05)])
def test_power_of_an_interaction_is_that_of_its_product_term(ratio, expected):
    plan = CohortPlan(1.8, 10, 8, SURVIVAL.event_share(**STUDY)).with_interaction(0.4)
    n = int(value_of(plan.table(), "participants"))
    effect = plan.log_hazard_ratio_per_sd if ratio != 1 else 0.0
    power, error = simulated_power(effect, SURVIVAL, n, modifier_share=0.4, repeats=300, **STUDY)
    assert power == pytest.approx(expected, abs=4 * error + 0.02)


@pytest.mark.parametrize("sides", [1, 2])
def test_type_i_error_is_nominal(sides):
    power, error = simulated_power(0, SURVIVAL, 300, repeats=4000, sides=sides, **STUDY)
    assert power == pytest.approx(0.05, abs=4 * error)


@pytest.mark.parametrize(("hazard_ratio", "expected"), [(0.7, 0.8), (1.0, 0.05)])
def test_planned_trials_have_their_power_and_their_type_i_error(hazard_ratio, expected):
    """The log-rank test is the score test of the arm; 2,000 trials of the planned size, with drop-out and unequal arms."""
    lost = STUDY["drop_out"]
    plan = LogRankTrial(SURVIVAL, 0.7, STUDY["accrual"], STUDY["follow_up"], 2.0, (lost, lost))
    n, repeats, random = round(plan.participants(0.8)), 2000, np.random.default_rng(7)
    treated = np.tile(np.arange(n) % 3 < 2, (repeats, 1)).astype(float)
    risk = random.exponential(size=(repeats, n)) / np.where(treated, hazard_ratio, 1)
    times = survival_times(SURVIVAL, risk)
    end = np.minimum(3 + 2 * random.random((repeats, n)), random.exponential(1 / lost, (repeats, n)))
    z = score_statistics(treated, np.minimum(times, end), times <= end)
    found = (np.abs(z) > 1.959964).mean()
    assert found == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / repeats))


def test_times_follow_the_curve():
    times = survival_times(SURVIVAL, np.random.default_rng(2).exponential(size=200_000))
    at = np.array([0.5, 1.0, 2.0, 4.0])
    assert (times[:, None] <= at).mean(axis=0) == pytest.approx(SURVIVAL.observed_events(at), abs=0.004)
    expected = [0.8, np.inf]
    assert survival_times(PiecewiseSurvival((0, 1), (0.5, 0.0)), np.array([0.4, 0.6])).tolist() == expected
