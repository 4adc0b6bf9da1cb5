"""Measures of predictions equal R's (tests/golden/added_value), and what holds of any right answer."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.calibration import (
    calibration_curve,
    calibration_groups,
    calibration_in_the_large,
    calibration_slope,
    draws,
    net_benefit,
    observed_risk,
    optimism,
)
from faceage_bio.stats.concordance import concordance, uno_concordance
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import (
    likelihood_ratio_test,
    linear_predictor,
    survival_at,
    survival_interval_at,
)
from faceage_bio.stats.prediction_accuracy import against, brier, censored_auc, integrated
from tests.golden.added_value.data import (
    BASE,
    CASES,
    GRID,
    HORIZONS,
    MORE,
    REPEATS,
    SEED,
    THRESHOLDS,
    risks,
    small,
)
from tests.golden.cox.data import read
from tests.rows import golden, numbers

r = golden("added_value")
BOTH = pytest.mark.parametrize("name", ["pbc", "rotterdam"])
RISKS = [(name, k) for name in ("pbc", "rotterdam") for k in range(len(HORIZONS))]


def close(ours, *quantity, rtol=1e-8, atol=0.0):
    np.testing.assert_allclose(np.ravel(ours), r(*quantity), rtol=rtol, atol=atol)


@cache
def data(name, horizon):
    return read(name), risks(name).filter(like=f"h{horizon}").to_numpy()


def measured(case, weight="n"):
    table = read(case.data)
    columns = (case.entry, case.strata, case.cluster)
    entry, strata, cluster = (table[name] if name else None for name in columns)
    until = case.until or np.inf
    args = (table.time, table.event, table[list(case.scores)].to_numpy())
    if weight == "n":
        found = concordance(*args, entry, strata=strata, until=until)
    else:
        found = uno_concordance(*args, strata=strata, until=until)
    return found if cluster is None else found.clustered(cluster)


CONCORDANCES = [
    (name, weight) for name in CASES for weight in ("n", "n/G2") if weight == "n" or not CASES[name].entry
]


@pytest.mark.parametrize(("name", "weight"), CONCORDANCES)
def test_concordance_error_and_covariance_equal_r(name, weight):
    found = measured(CASES[name], weight)
    for place, score in enumerate(CASES[name].scores):
        close([found.value[place], found.error(place)], "concordance", name, weight, score, rtol=1e-9)
    largest = r("concordance covariance", name, weight).max()
    close(found.covariance, "concordance covariance", name, weight, atol=1e-8 * largest)


@pytest.mark.parametrize(("name", "weight"), CONCORDANCES)
def test_paired_difference_of_concordances_equals_r(name, weight):
    found = measured(CASES[name], weight).difference(0, 1)
    close(numbers(found), "concordance difference", name, weight)


def test_concordance_equals_rs_comparison_of_fits():
    found = measured(CASES["pbc"])
    close([*found.value, *found.covariance.ravel()], "concordance of fits", rtol=1e-9)


@pytest.mark.parametrize(("name", "k"), RISKS)
def test_auc_over_time_equals_risk_regression(name, k):
    table, risk = data(name, k)
    found = censored_auc(risk, table.time, table.event, HORIZONS[k])
    rows = [[found.of(m).estimate, found.error(m), *numbers(found.of(m))[1:3]] for m in (0, 1)]
    close(rows, "auc", name, k)
    close(numbers(found.difference(1, 0)), "auc difference", name, k, rtol=1e-7)


@pytest.mark.parametrize(("name", "k"), RISKS)
def test_brier_scores_equal_risk_regression(name, k):
    table, risk = data(name, k)
    nothing = observed_risk(table.time, table.event, HORIZONS[k]).estimate
    found = brier(np.column_stack([np.full(len(table), nothing), risk]), table.time, table.event, HORIZONS[k])
    rows = [[found.of(m).estimate, found.error(m), *numbers(found.of(m))[1:3]] for m in range(3)]
    close(rows, "brier", name, k)
    close(numbers(found.difference(2, 1)), "brier difference", name, k, rtol=1e-7)
    close(against(found, 0).value, "scaled brier", name, k, atol=1e-12)


@BOTH
def test_integrated_brier_score_equals_that_of_risk_regressions_scores(name):
    table, risk = data(name, 0)
    found = integrated([brier(risk, table.time, table.event, time) for time in GRID], GRID)
    close(found.value, "integrated brier", name)


@pytest.mark.parametrize(("name", "k"), RISKS)
def test_calibration_equals_r(name, k):
    table, risk = data(name, k)
    args = (risk[:, 0], table.time, table.event, HORIZONS[k])
    close(numbers(calibration_in_the_large(*args))[:3], "large", name, k)
    groups = calibration_groups(*args)
    for row in groups.itertuples():
        ours = [row.predicted, row.observed, row.ci_lower, row.ci_upper, row.n]
        close(ours, "group", name, k, row.group - 1)
    assert groups.n.sum() == len(table)
    found = calibration_curve(*args, grid=np.quantile(risk[:, 0], [0.1, 0.5, 0.9]))
    close(found.curve[["observed", "ci_lower", "ci_upper"]].to_numpy().T, "curve", name, k, rtol=1e-6)
    distances = [found.mean_distance, found.median_distance, found.distance_90]
    close(distances, "distance", name, k, rtol=1e-6)


@pytest.mark.parametrize("row", [0, 6])
def test_interval_of_predicted_survival_equals_survfit_of_a_stratified_model(row):
    table, terms = read("pbc"), ["age", "log_bili"]
    fit = fit_cox(table.time, table.event, table[terms], strata=table.sex)
    one = table.iloc[[row]]
    found = survival_interval_at(fit, one, np.array(HORIZONS), one.sex)
    close(found, "predicted", row, rtol=1e-7)


@BOTH
def test_calibration_slope_equals_r(name):
    table, risk = data(name, 0)
    found = calibration_slope(np.log(risk[:, 0] / (1 - risk[:, 0])), table.time, table.event)
    close(numbers(found), "slope", name)


@pytest.mark.parametrize(("name", "k"), RISKS)
def test_net_benefit_equals_its_formula_in_r(name, k):
    table, risk = data(name, k)
    found = net_benefit(risk[:, 0], table.time, table.event, HORIZONS[k], THRESHOLDS)
    for row in found.itertuples():
        close([row.net_benefit, row.everybody, row.n_high], "benefit", name, k, f"{row.threshold:g}")


@pytest.mark.parametrize("terms", [BASE, MORE])
def test_optimism_equals_r(terms):
    table, horizon = small(), 1500.5

    def measures(fit, rows):
        risk = 1 - survival_at(fit, rows, np.array([horizon]))
        line = linear_predictor(fit, rows)
        seen = (rows.time.to_numpy(), rows.event.to_numpy())
        return np.array([
            concordance(*seen, line).value[0], calibration_slope(line, *seen).estimate,
            censored_auc(risk, *seen, horizon).value[0], brier(risk, *seen, horizon).value[0],
        ])  # fmt: skip

    def measure(rows):
        sample = table.iloc[rows].reset_index(drop=True)
        fit = fit_cox(sample.time, sample.event, sample[terms])
        return measures(fit, sample), measures(fit, table)

    apparent = measures(fit_cox(table.time, table.event, table[terms]), table)
    close(apparent, "apparent", " + ".join(terms), rtol=1e-6)
    found = optimism(draws(len(table), REPEATS, SEED), measure)
    close(found.mean, "optimism", " + ".join(terms), rtol=1e-6, atol=1e-8)
    assert (found.failed, found.repeats) == (0, REPEATS)


# what holds of any right answer

rows = st.lists(
    st.tuples(st.integers(1, 8), st.booleans(), st.integers(0, 5), st.integers(0, 7), st.integers(0, 1)),
    min_size=3,
    max_size=90,
)


def counted(years, event, score, entry, strata):
    """Concordant and comparable pairs, one by one."""
    concordant = comparable = 0.0
    for i in range(len(years)):
        for j in range(len(years)):
            later = years[j] > years[i] or (years[j] == years[i] and not event[j])
            if event[i] and i != j and later and entry[j] < years[i] and strata[i] == strata[j]:
                comparable += 1
                concordant += (score[i] > score[j]) + 0.5 * (score[i] == score[j])
    return concordant, comparable


@settings(max_examples=60, deadline=None)
@given(rows)
def test_concordance_counts_pairs(drawn):
    years, event, score, entry, strata = (np.array(part) for part in zip(*drawn, strict=True))
    entry = np.minimum(entry, years - 1)
    concordant, comparable = counted(years, event, score, entry, strata)
    if not comparable:
        with pytest.raises(FitError, match="no pair can be compared"):
            concordance(years, event, score, entry, strata=strata)
        return
    found = concordance(years, event, score, entry, strata=strata)
    assert found.value[0] == pytest.approx(concordant / comparable, abs=1e-12)
    # only the order of the scores matters, and the reverse of a score is right where it is wrong
    other = concordance(years, event, np.column_stack([np.exp(score / 3.0), -score]), entry, strata=strata)
    np.testing.assert_allclose(other.value, [found.value[0], 1 - found.value[0]], atol=1e-12)
    np.testing.assert_allclose(other.influence, found.influence * [1, -1], atol=1e-12)


def test_concordance_of_many_rows_counts_pairs():
    """Enough rows for several halvings."""
    generator = np.random.default_rng(3)
    n = 700
    years, event = generator.integers(1, 60, n), generator.random(n) < 0.6
    score = generator.integers(0, 90, n)
    entry, strata = years * generator.random(n), generator.integers(0, 3, n)
    concordant, comparable = counted(years, event, score, entry, strata)
    found = concordance(years, event, score, entry, strata=strata)
    assert found.value[0] == pytest.approx(concordant / comparable, abs=1e-12)


def test_errors_are_those_of_leaving_each_row_out():
    table, risk = data("pbc", 1)
    table, risk, horizon = table.iloc[:120], risk[:120], HORIZONS[1]
    curve = [700.5, 1400.5]

    def all_measures(keep):
        years, event, score = table.time[keep], table.event[keep], risk[keep]
        scores = brier(score, years, event, horizon)
        return [
            concordance(years, event, score), censored_auc(score, years, event, horizon), scores, against(scores, 1),
            integrated([brier(score, years, event, time) for time in curve], curve),
        ]  # fmt: skip

    rows = np.arange(len(table))
    found = all_measures(rows)
    left = np.array([[one.value[0] for one in all_measures(np.delete(rows, i))] for i in rows])
    jackknife = np.sqrt((len(table) - 1) / len(table) * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose([one.error(0) for one in found], jackknife, rtol=0.05)


def simulated(seed, n=300, effect=0.0, known=0.6):
    """Years, event, a score that matters, and one that adds ``effect`` to it."""
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(2, n))
    death = generator.exponential(size=n) * np.exp(-known * first - effect * second)
    lost = generator.exponential(1.5, n)
    return np.minimum(death, lost), (death <= lost).astype(float), first, second


def test_an_effect_that_was_planted_is_found_and_a_permuted_one_is_not():
    years, event, first, second = simulated(1, n=800, effect=0.7)
    shuffled = np.random.default_rng(2).permutation(second)
    scores = np.column_stack([first, first * 0.6 + second * 0.7, first + 0.05 * shuffled])
    uno = uno_concordance(years, event, scores, until=1.0)
    for found in (concordance(years, event, scores), uno, censored_auc(scores, years, event, 0.5)):
        planted, permuted = found.difference(1, 0), found.difference(2, 0)
        assert planted.ci_lower > 0
        assert permuted.ci_lower < 0 < permuted.ci_upper


def test_the_likelihood_ratio_of_an_idle_term_is_uniform():
    p_values = []
    for seed in range(300):
        years, event, first, second = simulated(seed, n=80)
        design = pd.DataFrame({"a": first, "b": second})
        smaller, larger = fit_cox(years, event, design[["a"]]), fit_cox(years, event, design)
        p_values.append(likelihood_ratio_test(smaller, larger)[2])
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09


def test_intervals_of_differences_cover_no_difference():
    """Two equally good scores: about 95 of 100 intervals hold 0."""
    covered = []
    for seed in range(200):
        years, event, first, second = simulated(seed, n=120, effect=0.6)
        scores = np.column_stack([first, second])
        covered.append([
            abs(found.difference(0, 1).estimate) < 1.96 * np.sqrt(np.sum(np.diff(found.influence) ** 2))
            for found in (concordance(years, event, scores), censored_auc(scores, years, event, 0.5))
        ])  # fmt: skip
    assert ((np.mean(covered, axis=0) > 0.91) & (np.mean(covered, axis=0) < 0.985)).all()


def test_risks_that_are_true_are_calibrated_and_doubled_ones_are_not():
    generator = np.random.default_rng(5)
    n, horizon = 4000, 1.0
    rate = np.exp(generator.normal(-1, 0.7, n))
    death, lost = generator.exponential(1 / rate), generator.exponential(3, n)
    years, event = np.minimum(death, lost), (death <= lost) * 1.0
    true = 1 - np.exp(-rate * horizon)
    found = calibration_in_the_large(true, years, event, horizon)
    assert found.ci_lower < 1 < found.ci_upper
    expected = 2 * found.estimate
    assert calibration_in_the_large(true / 2, years, event, horizon).estimate == pytest.approx(expected)
    slope = calibration_slope(np.log(rate), years, event)
    assert slope.ci_lower < 1 < slope.ci_upper
    assert calibration_slope(2 * np.log(rate), years, event).estimate == pytest.approx(slope.estimate / 2)
    assert calibration_curve(true, years, event, horizon, grid=np.array([0.3])).mean_distance < 0.02
    benefit = net_benefit(true, years, event, horizon, [0.2, 0.4])
    assert (benefit.net_benefit > np.maximum(benefit.everybody, 0)).all()


def test_net_benefit_with_delayed_entry_is_that_of_each_groups_curve():
    generator = np.random.default_rng(6)
    n, horizon = 150, 4.0
    years, event = generator.integers(1, 12, n).astype(float), generator.random(n) < 0.5
    entry, risk = np.floor(years * generator.random(n)), generator.random(n)
    found = net_benefit(risk, years, event, horizon, [0.3, 0.7, 0.99], entry)
    for row in found.itertuples():
        high = risk >= row.threshold
        died = observed_risk(years[high], event[high], horizon, entry[high]).estimate
        odds = row.threshold / (1 - row.threshold)
        assert row.net_benefit == pytest.approx(high.mean() * (died - (1 - died) * odds), abs=1e-12)


def test_without_censoring_brier_is_the_mean_squared_distance():
    generator = np.random.default_rng(1)
    years, risk = generator.exponential(size=50), generator.random(50)
    found = brier(risk, years, np.ones(50), 0.7)
    assert found.value[0] == pytest.approx(np.mean(((years <= 0.7) - risk) ** 2))


def test_draws_take_whole_clusters():
    sizes = pd.Series([2, 3, 1, 4], index=list("abcd"))
    labels = np.repeat(sizes.index, sizes)
    for rows in draws(10, 20, 1, labels):
        counts = pd.Series(labels[rows]).value_counts()
        assert (counts % sizes[counts.index] == 0).all()
    assert [list(rows) for rows in draws(9, 3, 1)] == [list(rows) for rows in draws(9, 3, 1)]


YEARS, EVENT, SCORE = np.array([1.0, 2, 3]), np.array([0, 0, 1]), np.array([1.0, 2, 3])
NO_DEATH = np.zeros(3)


@pytest.mark.parametrize(
    ("message", "measure"),
    [
        ("no pair can be compared", lambda: concordance(YEARS, EVENT, SCORE)),
        ("score of a participant is missing", lambda: concordance(YEARS, EVENT, np.array([1, np.nan, 2]))),
        ("stratum of a participant is missing", lambda: concordance(YEARS, EVENT, SCORE, strata=pd.Series(["a", None, "b"]))),
        ("not between 0 and 1", lambda: brier(np.array([0.1, 1.2, 0.3]), YEARS, EVENT, 1.0)),
        ("no participant is followed so long", lambda: brier(SCORE / 10, np.array([1.0, 1, 2]), NO_DEATH, 5.0)),
        ("no participant is followed so long", lambda: calibration_in_the_large(SCORE / 10, YEARS, NO_DEATH, 5.0)),
        ("no death is predicted", lambda: calibration_in_the_large(np.zeros(3), YEARS, EVENT, 2.0)),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_an_error(message, measure):
    with pytest.raises(FitError, match=message):
        measure()


def test_samples_that_have_no_model_leave_no_optimism():
    def never(rows):
        raise FitError("no_events")

    with pytest.raises(FitError, match="5 of 5 bootstrap samples have no model"):
        optimism(draws(3, 5, 1), never)


def test_the_error_of_optimism_is_that_of_a_mean():
    values = np.random.default_rng(1).normal(size=(50, 3))
    values[:, 2] = np.inf
    values[3, 1] = np.nan
    found = optimism(iter(values), lambda row: (row, np.zeros(3)))
    known = values[~np.isnan(values[:, 1]), 1]
    assert found.mean == pytest.approx([values[:, 0].mean(), known.mean(), np.nan], nan_ok=True)
    assert found.error == pytest.approx([stats.sem(values[:, 0]), stats.sem(known), np.nan], nan_ok=True)
