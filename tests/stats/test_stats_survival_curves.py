"""Curves, restricted means, log-rank tests and competing risks equal R's: script and versions in tests/golden/survival_curves."""

from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.core.errors import FitError
from faceage_bio.stats import competing_risks
from faceage_bio.stats import kaplan_meier as rmst
from faceage_bio.stats.competing_risks import cumulative_incidence, fit_fine_gray, gray_test
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.kaplan_meier import (
    height_at,
    kaplan_meier,
    log_rank,
    log_rank_scores,
    log_rank_trend,
    median,
    median_followup,
    quantile,
    risk_table,
)
from tests.golden.survival_curves import data
from tests.rows import golden

r = golden("survival_curves")
TYPES = ("log-log", "log", "plain")
CAUSES = {"causes": data.causes, "untied": data.untied}
AT = [0.5, 1, 2, 4]


def equal(ours, quantity: str, rtol: float = 1e-8) -> None:
    ours = np.asarray(ours, float).ravel()
    np.testing.assert_allclose(ours, r(quantity), rtol=rtol, err_msg=quantity, equal_nan=True)


def curves() -> dict:
    """Of each golden curve its times, events, entries and the days at which R read it."""
    lung, late, heart = data.lung(), data.late(), data.heart()
    sick, transplanted = lung[lung.ecog == 2], heart[heart.transplant == 1]
    return {
        "lung": (lung.time, lung.status, None, [50, 183, 365, 700]),
        "lung ecog 2": (sick.time, sick.status, None, [50, 183, 365]),
        "late": (late.time, late.status, late.start, [20, 100, 365, 700]),
        "heart": (transplanted.stop, transplanted.event, transplanted.start, [50, 183, 365]),
    }


@pytest.mark.parametrize("interval", TYPES)
@pytest.mark.parametrize("name", ["lung", "lung ecog 2", "late", "heart"])
def test_curves_equal_survfit(name, interval):
    time, event, entry, days = curves()[name]
    curve = kaplan_meier(time, event, entry, interval=interval)
    assert (curve.interval == interval).all()
    found = height_at(curve, days)
    for column, word in (
        ("survival", "survival"), ("standard_error", "error"), ("ci_lower", "lower"), ("ci_upper", "upper"),
    ):  # fmt: skip
        equal(found[column], f"{name} {interval} {word}")
    shares = [quantile(curve, share) for share in (0.25, 0.5, 0.75)]
    ours = np.array([[getattr(one, end) for one in shares] for end in ("estimate", "ci_lower", "ci_upper")])
    theirs = r(f"{name} {interval} quantiles").reshape(3, 3)
    if (name, interval) == ("heart", "log-log"):
        # with few at risk the lower limit of a late-entry curve rises again: we take the first time at which it is below, as
        # R's print(survfit) does for medians; R's quantile() takes a later one
        assert ours[1, 0] == 5
        assert theirs[1, 0] == 16
        assert (curve.ci_lower[curve.years.between(5, 15)] < 0.75).all()
        theirs[1, 0] = ours[1, 0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, equal_nan=True)
    equal(astuple(median(curve)), f"{name} {interval} median")


@pytest.mark.parametrize("interval", TYPES)
def test_the_median_of_a_curve_that_ends_at_one_half_is_that_printed_by_survfit(interval):
    half = data.half()
    curve = kaplan_meier(half.time, half.status, interval=interval)
    assert curve.survival.iloc[-1] == pytest.approx(0.5)
    equal(astuple(median(curve)), f"half {interval} median")


def test_numbers_at_risk_equal_survfit():
    for name in ("lung", "lung ecog 2", "heart"):
        time, event, entry, days = curves()[name]
        equal(risk_table(days, time, event, entry).at_risk, f"{name} log risk")


def test_numbers_at_risk_of_late_entrants_by_counting():
    late = data.late()
    table = risk_table([0, 20, 100], late.time, late.status, late.start)
    for day, row in zip((20, 100), table.iloc[1:].itertuples(), strict=True):
        assert row.at_risk == ((late.start < day) & (late.time >= day)).sum()
        assert row.events == ((late.time <= day) & (late.status == 1)).sum()
    assert table.at_risk[0] == (late.start == 0).sum()


def test_follow_up_of_late_entrants_equals_survfit():
    late = data.late()
    equal(list(median_followup(late.time, late.status, late.start).__dict__.values()), "late followup")


def by_sex(horizon: float) -> list:
    lung = data.lung()
    curves = (kaplan_meier(part.time, part.status) for _, part in lung.groupby("sex"))
    return [rmst.restricted_mean(curve, horizon) for curve in curves]


@pytest.mark.parametrize("time", [0.0, 1.0])
def test_a_restricted_mean_without_error_is_not_estimated(time):
    curve = kaplan_meier(np.full(3, time), np.ones(3))
    with pytest.raises(FitError, match="died at one time, so that the estimate has no error"):
        rmst.restricted_mean(curve, 3.0)


def test_restricted_means_equal_survfit():
    lung, late = data.lung(), data.late()

    def numbers(means):
        return [value for mean in means for value in (mean.estimate, mean.standard_error)]

    equal(numbers([rmst.restricted_mean(kaplan_meier(lung.time, lung.status), 365)]), "rmst lung")
    equal(numbers([rmst.restricted_mean(kaplan_meier(late.time, late.status, late.start), 365)]), "rmst late")
    one, other = by_sex(500)
    equal(numbers([one, other]), "rmst sex")
    equal(list(rmst.difference(other, one).__dict__.values())[:4], "rmst difference")
    equal(list(rmst.ratio(other, one).__dict__.values())[:4], "rmst ratio")


def test_the_error_is_of_the_estimate_and_not_of_a_participants_time():
    # lifelines' return_variance is the latter: about 178 days where the estimate's error is 15.7 (statistics.md)
    lung = data.lung()
    assert rmst.restricted_mean(kaplan_meier(lung.time, lung.status), 365).standard_error < 15


@pytest.mark.parametrize(
    ("times", "events", "horizon", "message"),
    [
        ([1, 2, 3], [1, 0, 0], 4, "the horizon of 4 years lies beyond the follow-up$"),
        ([1, 2, 3], [0, 0, 1], 2, "no participant died by year 2"),
        ([1, 2, 3], [1, 1, 1], 0, "not after the start"),
    ],
)
def test_a_restricted_mean_that_is_not_known_is_an_error(times, events, horizon, message):
    with pytest.raises(FitError, match=message):
        rmst.restricted_mean(kaplan_meier(np.array(times), np.array(events)), horizon)


def test_a_curve_that_has_fallen_to_zero_is_known_beyond_the_follow_up():
    curve = kaplan_meier(np.array([1.0, 2.0, 4.0]), np.ones(3))
    assert rmst.restricted_mean(curve, 10).estimate == pytest.approx(7 / 3)


def test_log_rank_tests_equal_survdiff():
    lung = data.lung()
    groups = (lung.time, lung.status, lung.ecog)
    scores = log_rank_scores(*groups)
    equal(scores.observed, "logrank observed")
    equal(scores.expected, "logrank expected")
    equal(scores.covariance, "logrank variance")
    for name, more in {
        "": {}, " rho 1": {"weights": (1, 0)}, " rho half": {"weights": (0.5, 0)}, " strata sex": {"strata": lung.sex},
        " strata sex rho 1": {"strata": lung.sex, "weights": (1, 0)},
    }.items():  # fmt: skip
        equal(log_rank(*groups, **more), f"logrank ecog{name}")
    equal(log_rank_trend(*groups), "trend ecog")
    equal(log_rank_trend(*groups, strata=lung.sex), "trend ecog strata sex")


def test_log_rank_tests_of_late_entrants_equal_the_score_test_of_the_exact_likelihood():
    late, heart, lung = data.late(), data.heart(), data.lung()
    equal(log_rank(late.time, late.status, late.band, late.start), "logrank late")
    equal(log_rank(late.time, late.status, late.band, late.start, late.sex), "logrank late strata sex")
    equal(log_rank_trend(late.time, late.status, late.band, late.start), "trend late")
    equal(log_rank(heart.stop, heart.event, heart.transplant, heart.start), "logrank heart")
    equal(log_rank(lung.time, lung.status, lung.ecog), "logrank check")  # the same test without late entry


def test_late_weights_equal_lifelines():
    from lifelines.statistics import logrank_test

    lung = data.lung()
    one, other = (part for _, part in lung.groupby("sex"))
    weights = {"weightings": "fleming-harrington", "p": 0.5, "q": 1}
    theirs = logrank_test(one.time, other.time, one.status, other.status, **weights)
    ours = log_rank(lung.time, lung.status, lung.sex, weights=(0.5, 1))
    assert ours.chi_square == pytest.approx(theirs.test_statistic, rel=1e-8)


@pytest.mark.parametrize("interval", TYPES)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", CAUSES)
def test_cumulative_incidence_equals_survfit(name, late, interval):
    table = CAUSES[name]()
    for cause in (1, 2):
        entry = table.entry if late else None
        curve = cumulative_incidence(table.time, table.cause, cause, entry, interval=interval)
        found = height_at(curve, AT, "incidence")
        what = f"{name}{' late' if late else ''} incidence {cause} {interval}"
        for column, word in (("incidence", ""), ("standard_error", " error"), ("ci_lower", " lower"), ("ci_upper", " upper")):  # fmt: skip
            equal(found[column], what + word)


@pytest.mark.parametrize("name", CAUSES)
def test_gray_test_equals_cuminc(name):
    table = CAUSES[name]()
    for cause in (1, 2):
        times = (table.time, table.cause, cause, table.group)
        equal(gray_test(*times), f"{name} gray {cause}")
        equal(gray_test(*times, table.stratum), f"{name} gray strata {cause}")
        equal(gray_test(*times, rho=1), f"{name} gray rho 1 {cause}")


# R 4.2.2, cmprsk 2.2-11: cuminc(time, cause, group)$Tests
@pytest.mark.parametrize(
    ("years", "cause", "group", "chi_square"),
    [
        # the common curve reaches 1 while one group is still at risk
        ([1, 2, 3, 4], [1, 1, 1, 1], "AABB", 2.815081),
        # group C ends before the first death of the cause: as without it, where R gives no test of the three
        ([0.5, 1, 2, 3, 4, 5, 6], [0, 1, 2, 1, 1, 2, 0], "CABABAB", 0.94158373),
    ],
)
def test_gray_test_of_groups_that_are_not_all_at_risk(years, cause, group, chi_square):
    found = gray_test(np.array(years, float), np.array(cause), 1, np.array(list(group)))
    assert found.chi_square == pytest.approx(chi_square, rel=1e-6)
    assert found.df == 1


def test_gray_test_of_a_group_alone_is_none_and_not_one_of_rounding():
    random = np.random.default_rng(5)
    years = np.append(0.01, random.exponential(2, 20) + 0.1)
    cause = np.append(0, random.choice([0, 1, 2], 20, p=[0.3, 0.4, 0.3]))
    group = np.append("B", np.repeat("A", 20))  # the only one of group B is censored before any death
    assert np.isnan(gray_test(years, cause, 1, group).p_value)


@pytest.mark.parametrize("name", CAUSES)
def test_fine_gray_equals_crr_and_not_quite_finegray(name):
    table = CAUSES[name]()
    for cause in (1, 2):
        fit = fit_fine_gray(table.time, table.cause, cause, table[["age", "marker"]])
        columns = ["log_hazard_ratio", "standard_error", "p_value"]
        equal(fit.terms[columns].to_numpy().T, f"{name} crr {cause}", rtol=1e-6)
        equal([fit.log_likelihood_null, fit.log_likelihood], f"{name} crr loglik {cause}")
        other = r(f"{name} finegray {cause}")[:2]
        apart = np.abs(fit.terms["log_hazard_ratio"] / other - 1).max()
        # R's two programs agree to some three digits where there are ties, and exactly where there are none
        assert apart < (2e-2 if name == "causes" else 1e-6)


@pytest.mark.parametrize("name", CAUSES)
def test_cause_specific_hazard_equals_coxph(name):
    table = CAUSES[name]()
    for cause in (1, 2):
        fit = fit_cox(table.time, (table.cause == cause).astype(float), table[["age", "marker"]])
        ours = fit.terms[["log_hazard_ratio", "standard_error"]].to_numpy().T
        equal(ours, f"{name} cause-specific {cause}", rtol=1e-6)


def test_without_competing_deaths_fine_gray_is_cox_and_incidence_is_one_minus_survival():
    table = data.untied()
    only = (table.cause == 1).astype(float)
    ours = fit_fine_gray(table.time, only, 1, table[["age"]]).terms.loc["age"]
    robust = fit_cox(table.time, only, table[["age"]], robust=True).terms.loc["age"]
    assert ours.log_hazard_ratio == pytest.approx(robust.log_hazard_ratio, rel=1e-8)
    assert ours.standard_error == pytest.approx(robust.standard_error, rel=1e-8)
    one, other = cumulative_incidence(table.time, only, 1), kaplan_meier(table.time, only)
    np.testing.assert_allclose(one.incidence, 1 - other.survival, atol=1e-12)
    known = other.standard_error.notna()
    np.testing.assert_allclose(one.standard_error[known], other.standard_error[known], atol=1e-12)


def test_incidence_has_no_interval_where_all_have_died_of_the_cause():
    # as the Kaplan-Meier estimate has none at 0: limits of 1 and 1 would claim that all others die of it too
    end = cumulative_incidence(np.array([1.0, 2.0]), np.array([1, 1]), 1).iloc[-1]
    assert end.incidence == 1
    assert np.isnan([end.ci_lower, end.ci_upper]).all()


ROW = st.tuples(st.integers(1, 20), st.integers(0, 2), st.integers(0, 15), st.integers(0, 2))
TIMES = st.lists(ROW, min_size=2, max_size=40)


def columns(rows) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    time, cause, entry, group = (np.array(part, float) for part in zip(*rows, strict=True))
    return time, cause, np.minimum(entry, time - 1), group


@settings(deadline=None)
@given(TIMES)
def test_shares_of_the_living_and_of_all_causes_make_one(rows):
    time, cause, entry, _ = columns(rows)
    alive = kaplan_meier(time, cause > 0, entry)
    dead = [cumulative_incidence(time, cause, one, entry) for one in (1, 2)]
    np.testing.assert_allclose(alive.survival + dead[0].incidence + dead[1].incidence, 1, atol=1e-12)
    assert all(curve.incidence.is_monotonic_increasing for curve in dead)
    assert (dead[0].standard_error >= 0).all()


@settings(deadline=None)
@given(TIMES)
def test_the_jackknife_equals_a_table_of_participants_by_times(rows):
    time, cause, entry, _ = columns(rows)
    ours = cumulative_incidence(time, cause, 1, entry)
    times = np.unique(time)
    there = (entry[:, None] < times) & (times <= time[:, None])
    n = there.sum(axis=0)
    leap = {one: (time[:, None] == times) & (cause == one)[:, None] for one in (1, 2)}
    hazard = {one: leap[one].sum(axis=0) / n for one in (1, 2)}
    both = hazard[1] + hazard[2]
    survival = np.concatenate([[1], np.cumprod(1 - both)])
    martingale = {one: (leap[one] - there * hazard[one]) / n for one in (1, 2)}
    logs = np.cumsum((martingale[1] + martingale[2]) / np.where(both < 1, 1 - both, np.inf), axis=1)
    before = np.column_stack([np.zeros(len(time)), logs[:, :-1]])
    influence = np.cumsum(survival[:-1] * (martingale[1] - before * hazard[1]), axis=1)
    np.testing.assert_allclose(ours.standard_error[1:], np.sqrt((influence**2).sum(axis=0)), atol=1e-9)


@settings(deadline=None)
@given(TIMES, st.sampled_from([(0, 0), (1, 0), (0, 1)]))
def test_observed_and_expected_deaths_add_up_and_order_does_not_matter(rows, weights):
    time, cause, entry, group = columns(rows)
    scores = log_rank_scores(time, cause > 0, group, entry, weights=weights)
    assert scores.observed.sum() == pytest.approx(scores.expected.sum(), abs=1e-9)
    np.testing.assert_allclose(scores.covariance.sum(axis=0), 0, atol=1e-9)
    back = slice(None, None, -1)
    one = log_rank(time, cause > 0, group, entry, weights=weights)
    other = log_rank(time[back], (cause > 0)[back], 5 - group[back], entry[back], weights=weights)
    assert one.chi_square == pytest.approx(other.chi_square, rel=1e-6, nan_ok=True)


@settings(deadline=None)
@given(TIMES)
def test_intervals_hold_their_estimate_and_stay_within_0_and_1(rows):
    time, cause, entry, _ = columns(rows)
    for interval in TYPES:
        curve = kaplan_meier(time, cause > 0, entry, interval=interval).dropna()
        assert (curve.ci_lower <= curve.survival + 1e-12).all()
        assert (curve.ci_upper >= curve.survival - 1e-12).all()
        assert curve[["ci_lower", "ci_upper"]].to_numpy().min(initial=0) >= 0
        assert curve[["ci_lower", "ci_upper"]].to_numpy().max(initial=1) <= 1


def test_tests_of_groups_that_are_alike_are_uniform():
    random, found = np.random.default_rng(3), []
    for _ in range(150):
        time, cause = random.exponential(1, 90), random.integers(0, 3, 90)
        group = random.integers(0, 3, 90)
        entry = np.where(random.random(90) < 0.3, time * 0.4, 0)
        found.append([
            log_rank(time, cause > 0, group, entry).p_value, log_rank_trend(time, cause > 0, group, entry).p_value,
            gray_test(time, cause, 1, group).p_value,
        ])  # fmt: skip
    found = np.array(found)
    assert (np.abs(found.mean(axis=0) - 0.5) < 0.08).all()
    assert ((found < 0.05).mean(axis=0) < 0.11).all()


def test_nothing_to_compare_is_nan_and_no_number():
    time, event = np.array([1.0, 2, 3, 4]), np.array([1, 0, 1, 1])
    assert np.isnan(log_rank(time, event, np.zeros(4)).p_value)  # one group
    assert np.isnan(log_rank(time, np.zeros(4), np.array([0, 0, 1, 1])).p_value)  # nobody died
    apart = log_rank(time, event, np.array([0, 0, 1, 1]), entry=np.array([0, 0, 2.5, 2.5]))
    assert np.isnan(apart.p_value)  # never at risk together
    assert np.isnan(log_rank_trend(time, np.zeros(4), np.array([1, 1, 2, 2])).p_value)
    assert np.isnan(gray_test(time, event, 1, np.zeros(4)).p_value)
    assert np.isnan(gray_test(time, event, 2, np.array([0, 0, 1, 1])).p_value)


@pytest.mark.parametrize(
    ("years", "event", "entry", "message"),
    [
        ([1, -1], [1, 1], None, "a time of follow-up is missing or negative"),
        ([1, np.nan], [1, 1], None, "missing or negative"),
        ([1, 2], [1, np.nan], None, "whether the follow-up ended"),
        ([1, 2], [1, 1], [0, 2], "starts at or after its end"),
    ],
)
def test_impossible_times_are_errors(years, event, entry, message):
    with pytest.raises(FitError, match=message):
        kaplan_meier(np.array(years), np.array(event), None if entry is None else np.array(entry))


def test_an_interval_of_another_name_is_an_error():
    with pytest.raises(FitError, match="interval 'arcsine' is unknown; use one of log-log, log, plain"):
        kaplan_meier(np.array([1.0]), np.array([1]), interval="arcsine")


UNTIED = data.untied()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cause": UNTIED.cause.where(UNTIED.cause != 1, 2.0)}, "0 deaths are too few for 2 terms"),
        ({"age": 1.0}, "age does not vary"),
        ({"marker": UNTIED.age * 2}, "follows from the other terms"),
        ({"age": (UNTIED.cause == 1).astype(float)}, "separates"),
        ({"time": 2.0, "cause": 1}, "no participant died while another was under observation"),
    ],
)
def test_a_fine_gray_model_that_cannot_be_fitted_is_an_error(change, message):
    table = UNTIED.assign(**change)
    with pytest.raises(FitError, match=message):
        fit_fine_gray(table.time, table.cause, 1, table[["age", "marker"]])


def test_a_fine_gray_model_that_does_not_settle_is_an_error(monkeypatch):
    table = data.untied()
    monkeypatch.setattr(competing_risks, "MAX_STEPS", 1)
    with pytest.raises(FitError, match="the model did not converge in 1 steps"):
        fit_fine_gray(table.time, table.cause, 1, table[["age", "marker"]])
    flat = (0.0, np.zeros(2), np.zeros((2, 2)))
    monkeypatch.setattr(competing_risks._Weighted, "derivatives", lambda *_: flat)
    with pytest.raises(FitError, match=r"the model did not converge .its information is singular"):
        fit_fine_gray(table.time, table.cause, 1, table[["age", "marker"]])


def test_a_term_that_no_participant_at_risk_has_is_an_error():
    died = pd.Series([1, 2, 3, 4, 5, 6, 7, 8], dtype="float64")
    cause = pd.Series([0, 1, 1, 2, 1, 0, 1, 1])
    first = pd.DataFrame({"x": [1.0, 0, 0, 0, 0, 0, 0, 0]})  # of one who is not followed to the first death
    message = "x separates those who died of this cause from the others, so its hazard ratio has no end"
    with pytest.raises(FitError, match=message):
        fit_fine_gray(died, cause, 1, first)


def test_near_ties_are_ties_with_delayed_entry_too():
    late = data.late().assign(start=lambda d: d.start / 365.25, time=lambda d: d.time / 365.25)
    shaken = late.time + np.random.default_rng(1).normal(0, 1e-12, len(late))
    one = kaplan_meier(late.time, late.status, late.start)
    other = kaplan_meier(shaken, late.status, late.start)
    assert len(one) == len(other)
    assert median(one).estimate == pytest.approx(median(other).estimate)
