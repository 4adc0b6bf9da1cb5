"""Areas under curves and multi-reader inference equal R's; script, data and versions in tests/golden/readers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.group_differences import signed_rank
from faceage_bio.stats.multi_reader import ReaderStudy, against_standard, mean_accuracy, mean_covariance
from faceage_bio.stats.prediction_accuracy import censored_areas, delong, status_at
from tests.golden.readers import data
from tests.rows import golden, numbers

r = golden("readers")
T, R = data.CONDITIONS, data.READERS


def close(ours, expected, rtol=1e-8, atol=0.0):
    """The same as R's values of a quantity, or as printed ones."""
    expected = r(expected) if isinstance(expected, str) else expected
    np.testing.assert_allclose(ours, expected, rtol=rtol, atol=atol)


def mean_of(study, condition, random="both"):
    """The readers' mean in one condition, from the data of that condition alone."""
    readers = study.accuracy.shape[1]
    part = slice(condition * readers, (condition + 1) * readers)
    return mean_accuracy(study.accuracy[condition], study.covariance[part, part], random)


def whole(found) -> list[float]:
    return [found.statistic, found.df_error, found.p_value]


@pytest.fixture(scope="module")
def known():
    """Ratings of those whose status is known, the model's last, and who died."""
    cases = data.cases()
    status = status_at(cases.followup_years, cases.event, data.HORIZON)
    ratings = np.column_stack([data.ratings(), cases.model])
    seen = ~np.isnan(status)
    np.testing.assert_array_equal(r("status"), [seen.sum(), np.nansum(status)])
    return ratings[seen], status[seen] == 1


def test_areas_variances_and_covariances_equal_proc(known):
    areas = delong(*known)
    for place, name in enumerate([*data.ratings(), "model"]):
        found = areas.of(place)
        variance = areas.covariance[place, place]
        close([found.estimate, variance, found.ci_lower, found.ci_upper], f"auc {name}")
    close(areas.covariance.ravel(), "covariance", atol=1e-14)


@pytest.mark.parametrize("pair", [(1, 6), (6, 11), (2, 16)])
def test_paired_differences_equal_roc_test(known, pair):
    close(numbers(delong(*known).difference(pair[0] - 1, pair[1] - 1)), f"paired {pair[0]} {pair[1]}")


@pytest.mark.parametrize(
    ("name", "conditions"), [("delong", [0, 1, 2]), ("jack", [0, 1, 2]), ("two", [1, 2])]
)
def test_multi_reader_inference_equals_the_published_formulas(known, name, conditions):
    ratings, died = known
    chosen = [condition * R + reader for condition in conditions for reader in range(R)]
    areas = delong(ratings[:, chosen], died)
    of_all = r("jackknife").reshape(ratings.shape[1], -1)
    covariance = of_all[np.ix_(chosen, chosen)] if name == "jack" else areas.covariance
    study = ReaderStudy(areas.area.reshape(-1, R), covariance)
    found = study.components()
    squares = [found.ms_condition, found.ms_reader, found.ms_interaction]
    close([*squares, found.error, found.cov1, found.cov2, found.cov3], f"{name} components")
    for random in ("both", "readers"):
        close(whole(study.test(random)), f"{name} {random} test")
    test = study.test("cases")
    close([test.statistic, test.p_value], f"{name} cases test")
    for random in ("both", "cases", "readers"):
        for later in range(1, len(conditions)):
            difference = study.difference(later, later - 1, random).estimate
            close(numbers(difference), f"{name} {random} difference {later}")
        for condition in range(len(conditions)):
            check_mean(mean_of(study, condition, random), f"{name} mean {condition} {random}")


def check_mean(found, quantity):
    ours = [*numbers(found.estimate)[:3], found.standard_error, found.df]
    close(ours[: len(r(quantity))], quantity)


def test_readers_against_a_model_equal_the_published_formulas(known):
    ratings, died = known
    for condition in range(T):
        chosen = [*range(condition * R, condition * R + R), T * R]
        areas = delong(ratings[:, chosen], died)
        for random in ("both", "cases", "readers"):
            found = against_standard(areas.area[:R], areas.area[R], areas.covariance, random)
            check_mean(found, f"model {condition} {random}")


def test_censored_areas_equal_risk_regression():
    cases = data.cases()
    names = [*data.ratings(), "model"]
    ratings = np.column_stack([data.ratings(), cases.model])
    areas = censored_areas(ratings, cases.followup_years, cases.event, data.HORIZON)
    c = areas.covariance
    for place, name in enumerate(names):
        close([areas.area[place], np.sqrt(c[place, place])], f"censored {name}", 1e-6)
    for one, other in (("c1r0", "c0r0"), ("c2r0", "c1r0"), ("model", "c2r3")):
        first, second = names.index(one), names.index(other)
        error = np.sqrt(c[first, first] + c[second, second] - 2 * c[first, second])
        found = areas.difference(first, second)
        close([found.estimate, error, found.p_value], f"censored difference {one} {other}", 1e-6)


def test_signed_rank_equals_r_and_all_signs(known):
    areas = delong(*known).area
    found = signed_rank(areas[R : 2 * R] - areas[:R])
    close([found.statistic, found.p_value], "signed rank", 1e-12)
    assert found.smallest_p == 2 / 2**R
    tied = signed_rank(np.array([0.1, -0.1, 0.3, 0.3, 0.2, 0.4, 0, -0.2]))
    close([tied.statistic, tied.p_value], "signed rank ties", 1e-12)


def test_eight_readers_who_all_gain_cannot_have_a_p_below_their_smallest():
    found = signed_rank(np.array([0.05, 0.08, 0.02, 0.11, 0.06, 0.09, 0.01, 0.04]))
    assert found.p_value == found.smallest_p == 2 / 2**8


# The study of Van Dyke et al. as printed in the guide of R's MRMCaov (Smith and Hillis): areas, covariances and what follows
# from them. An area is a whole number of half pairs (45 x 69 cases), which gives back the digits that the print has lost.
VAN_DYKE = np.array([
    [0.9196457, 0.8587762, 0.9038647, 0.9731079, 0.8297907],
    [0.9478261, 0.9053140, 0.9217391, 0.9993559, 0.9299517],
])  # fmt: skip
SENSITIVITY = np.array([[40, 35, 37, 42, 31], [44, 37, 41, 45, 40]]) / 45


def printed_study(accuracy, error, cov1, cov2, cov3):
    """A study with these mean covariances: ``error`` and ``cov2`` once per condition, or once for both."""
    t, readers = accuracy.shape
    error, cov2 = np.broadcast_to(error, t), np.broadcast_to(cov2, t)
    c = np.full((t, readers, t, readers), cov3)
    for i in range(t):
        for j in range(readers):
            c[i, j, :, j] = cov1
        c[i, :, i] = cov2[i]
        for j in range(readers):
            c[i, j, i, j] = error[i]
    return ReaderStudy(accuracy, c.reshape(t * readers, t * readers))


AREAS = np.round(VAN_DYKE * 2 * 45 * 69) / (2 * 45 * 69)


def test_the_published_example_of_delong_covariances():
    study = printed_study(AREAS, 0.0007921325, 0.0003420090, (0.0004775239, 0.0002015292), 0.0002358497)
    found = study.components()
    ours = [found.ms_condition, found.ms_interaction, found.cov2, found.reader, found.interaction]
    close(ours, [0.004796171, 0.0005510306, 0.0003395265, 0.0015364254, 0.0002045840], 1e-6)
    close(whole(study.test()), [4.484854, 15.06611, 0.05123303], 1e-6)
    difference = study.difference(0, 1)
    printed = [-0.04380032, -0.0878671960, 0.0002665519, 0.05123303, 0.0206825]
    close([*numbers(difference.estimate), difference.standard_error], printed, 2e-6, 3e-9)
    for condition, printed in enumerate([
        [0.8970370, 0.8253461, 0.9687280, 0.03307642, 12.59597], [0.9408374, 0.8942155, 0.9874592, 0.02150464, 12.56530],
    ]):  # fmt: skip
        mean = mean_of(study, condition)
        close([*numbers(mean.estimate)[:3], mean.standard_error, mean.df], printed, 1e-6)


def test_the_published_example_of_fixed_readers_and_fixed_cases():
    error, cov2 = (0.0010141028, 0.0005904738), (0.0004839618, 0.0002041879)
    study = printed_study(AREAS, error, 0.0003466137, cov2, 0.0002390284)
    test, difference = study.test("cases"), study.difference(0, 1, "cases")
    close([test.statistic, test.p_value], [5.475953, 0.01927984], 1e-6)
    printed = [-0.04380032, -0.08048591, -0.00711473, 0.01927984, 0.01871748]
    close([*numbers(difference.estimate), difference.standard_error], printed, 1e-6)
    mean = mean_of(study, 0, "cases")
    printed = [0.8970370, 0.8494301, 0.9446440, 0.02428971]
    close([*numbers(mean.estimate)[:3], mean.standard_error], printed, 1e-6)
    close(whole(study.test("readers")), [8.704, 4, 0.04195875], 1e-4)
    difference = study.difference(0, 1, "readers")
    printed = [-0.04380032, -0.08502022, -0.00258042, 0.04195875, 0.01484629]
    close([*numbers(difference.estimate), difference.standard_error], printed, 2e-6, 3e-9)
    mean = mean_of(study, 1, "readers")
    close([*numbers(mean.estimate)[:3], mean.df], [0.9408374, 0.8959894, 0.9856854, 4], 1e-6)


def test_the_published_example_of_sensitivities():
    study = printed_study(SENSITIVITY, 0.0023681257, 0.0009943883, (0.001646465, 0.000382716), 0.0006604938)
    close(whole(study.test()), [6.689493, 15.71732, 0.02008822], 1e-6)
    mean = mean_of(study, 0)
    close([*numbers(mean.estimate)[:3], mean.df], [0.8222222, 0.6961876, 0.9482568, 14.456811], 1e-6)


def test_negative_covariance_differences_count_as_zero():
    study = printed_study(SENSITIVITY, 0.002, 0.001, 0.0005, 0.0009)
    assert study.test().p_value == pytest.approx(study.test("readers").p_value)
    assert study.difference(0, 1).df == (2 - 1) * (5 - 1)


SEVERAL = arrays.arrays(np.float64, (24, 3), elements=st.integers(0, 6).map(float))


@settings(max_examples=40, deadline=None)
@given(SEVERAL)
def test_areas_count_pairs_and_know_only_the_order(ratings):
    positive = np.arange(24) < 9
    areas = delong(ratings, positive)
    for rater in range(3):
        high, low = ratings[positive, rater], ratings[~positive, rater]
        pairs = (high[:, None] > low) + 0.5 * (high[:, None] == low)
        assert areas.area[rater] == pytest.approx(pairs.mean())
    moved = delong(np.exp(ratings), positive)
    np.testing.assert_allclose(moved.covariance, areas.covariance, atol=1e-12)
    turned = delong(-ratings, positive)
    np.testing.assert_allclose(turned.area, 1 - areas.area, atol=1e-12)
    np.testing.assert_allclose(turned.covariance, areas.covariance, atol=1e-12)
    swapped = delong(ratings, ~positive)
    np.testing.assert_allclose(swapped.area, 1 - areas.area, atol=1e-12)
    assert np.linalg.eigvalsh(areas.covariance).min() > -1e-12


@settings(max_examples=20, deadline=None)
@given(SEVERAL)
def test_censored_areas_without_censoring_are_mann_whitney_areas(ratings):
    years = np.where(np.arange(24) < 9, 0.2, 1.0) + np.arange(24) / 1000
    found = censored_areas(ratings, years, np.ones(24), 0.5)
    np.testing.assert_allclose(found.area, delong(ratings, years < 0.5).area, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(5)), st.permutations(range(3)))
def test_the_order_of_readers_and_conditions_does_not_matter(readers, conditions):
    ratings, positive = data.ratings().to_numpy(), data.cases().model.to_numpy() > 0

    def study(chosen):
        areas = delong(ratings[:, chosen], positive)
        return ReaderStudy(areas.area.reshape(T, R), areas.covariance)

    plain = study(list(range(15)))
    moved = study([condition * R + reader for condition in conditions for reader in readers])
    assert moved.test().p_value == pytest.approx(plain.test().p_value)
    again = moved.difference(conditions.index(1), conditions.index(0)).estimate.p_value
    assert again == pytest.approx(plain.difference(1, 0).estimate.p_value)


def simulate(random, gain=0.0, readers=8, cases=80):
    """Ratings of two conditions (cases, 2 * readers) with true areas that differ by ``gain`` on the probit scale."""
    positive = np.arange(cases) < cases // 3
    case, of_condition = random.normal(0, 0.6, cases), random.normal(0, 0.4, (2, cases))
    # a reader's skill, and in this condition
    bent = random.normal(0, 0.15, readers) + random.normal(0, 0.15, (2, readers))
    noise = random.normal(0, 0.7, (2, readers, cases))
    skill = 1.0 + bent + gain * np.arange(2)[:, None]
    ratings = case + of_condition[:, None] + noise + positive * skill[:, :, None]
    return ratings.reshape(2 * readers, cases).T, positive


def study_of(ratings, positive):
    areas = delong(ratings, positive)
    return ReaderStudy(areas.area.reshape(2, -1), areas.covariance)


def test_p_values_are_uniform_where_the_conditions_are_equal():
    random = np.random.default_rng(5)
    found = [study_of(*simulate(random)).difference(1, 0) for _ in range(500)]
    p_values = np.array([one.estimate.p_value for one in found])
    covered = np.mean([one.estimate.ci_lower <= 0 <= one.estimate.ci_upper for one in found])
    assert 0.93 <= covered <= 0.985
    assert abs(np.mean(p_values < 0.5) - 0.5) < 0.07
    # fixed cases or fixed readers say less than they seem to where both are samples
    fixed = [study_of(*simulate(random)).difference(1, 0, "readers") for _ in range(200)]
    assert np.mean([one.estimate.p_value < 0.05 for one in fixed]) > 0.08


def test_intervals_cover_a_planted_difference_and_a_planted_mean():
    random = np.random.default_rng(6)
    spread = np.sqrt(2 * (0.6**2 + 0.4**2 + 0.7**2) + 0.15**2 * 2)
    truth = stats.norm.cdf(np.array([1.0, 1.4]) / spread)
    studies = [study_of(*simulate(random, gain=0.4)) for _ in range(400)]
    differences = [study.difference(1, 0).estimate for study in studies]
    means = [mean_of(study, 1).estimate for study in studies]
    gain = truth[1] - truth[0]
    assert np.mean([one.estimate for one in differences]) == pytest.approx(gain, abs=0.01)
    assert 0.92 <= np.mean([one.ci_lower <= gain <= one.ci_upper for one in differences]) <= 0.985
    assert 0.92 <= np.mean([one.ci_lower <= truth[1] <= one.ci_upper for one in means]) <= 0.985


def resampled_variance(random, ratings, positive, readers_too, cases_too, resamples=150):
    """Variance of the difference of two conditions when readers, cases or both are drawn with replacement."""
    cube = ratings.reshape(len(ratings), 2, -1)
    high, low, readers = np.flatnonzero(positive), np.flatnonzero(~positive), np.arange(cube.shape[2])
    drawn = []
    for _ in range(resamples):
        rows = [random.choice(part, len(part)) if cases_too else part for part in (high, low)]
        chosen = np.concatenate(rows)
        who = random.choice(readers, len(readers)) if readers_too else readers
        areas = delong(cube[chosen][:, :, who].reshape(len(chosen), -1), positive[chosen]).area
        drawn.append(np.subtract(*areas.reshape(2, -1).mean(axis=1)[::-1]))
    return np.var(drawn, ddof=1)


@pytest.mark.slow
def test_bootstrap_of_readers_and_cases_agrees():
    random = np.random.default_rng(7)
    ours, resampled = [], []
    for _ in range(16):
        ratings, positive = simulate(random)
        ours.append(study_of(ratings, positive).difference(1, 0).standard_error ** 2)
        both = resampled_variance(random, ratings, positive, True, True)
        either = ((True, False), (False, True))
        apart = [resampled_variance(random, ratings, positive, *which) for which in either]
        # drawing both counts what reader and case do together three times, each alone once (Owen 2007, doi:10.1214/07-AOAS122)
        resampled.append(2 * sum(apart) - both)
    assert 0.8 < np.mean(ours) / np.mean(resampled) < 1.25


def test_a_model_that_no_reader_beats_or_loses_to_is_found_equal_as_often_as_promised():
    random = np.random.default_rng(8)
    covered = []
    for _ in range(400):
        ratings, positive = simulate(random, readers=6)
        spread = np.sqrt(2 * (0.6**2 + 0.4**2 + 0.7**2) + 0.15**2 * 2)
        model = random.normal(0, 1, len(positive)) + positive * np.sqrt(2) / spread  # the readers' own area
        areas = delong(np.column_stack([ratings[:, :6], model]), positive)
        found = against_standard(areas.area[:6], areas.area[6], areas.covariance).estimate
        covered.append(found.ci_lower <= 0 <= found.ci_upper)
    assert 0.92 <= np.mean(covered) <= 0.985


def test_weights_mend_what_leaving_out_the_lost_bends():
    random = np.random.default_rng(9)
    n = 4000
    ratings = random.normal(0, 1, n)
    death = random.exponential(0.6, n) * np.exp(-ratings)
    lost = random.uniform(0, 1.2, n)
    true = delong(ratings, death <= 0.5).area[0]
    years, event = np.minimum(death, lost), (death <= lost).astype(float)
    weighted = censored_areas(ratings, years, event, 0.5)
    status = status_at(years, event, 0.5)
    seen = ~np.isnan(status)
    assert abs(weighted.area[0] - true) < 2.5 * np.sqrt(weighted.covariance[0, 0])
    assert abs(delong(ratings[seen], status[seen] == 1).area[0] - true) > abs(weighted.area[0] - true)


def test_status_at_the_horizon():
    found = status_at([0.2, 0.5, 0.5, 0.4, 0.8, 0.9], [1, 1, 0, 0, 1, 0], 0.5)
    np.testing.assert_array_equal(found, [1, 1, 0, np.nan, 0, 0])


@pytest.mark.parametrize(
    ("message", "estimate"),
    [
        ("1 positive and 3 negative", lambda: delong(np.arange(4.0), np.array([True, False, False, False]))),
        ("two conditions and two readers", lambda: ReaderStudy(np.ones((2, 1)), np.eye(2)).test()),
        (r"conditions x \d readers do not fit a covariance of", lambda: ReaderStudy(np.ones((2, 2)), np.eye(3))),
        ("differ between the conditions by nothing", lambda: ReaderStudy(np.array([[0.7, 0.8], [0.8, 0.9]]), np.zeros((4, 4))).difference(1, 0)),
        ("a mean of readers takes two of them", lambda: mean_accuracy(np.array([0.7]), np.eye(1))),
        ("neither readers nor cases vary", lambda: mean_accuracy(np.ones(3), np.zeros((3, 3)))),
        ("no pair differs", lambda: signed_rank(np.zeros(4))),
    ],
)  # fmt: skip
def test_what_cannot_be_estimated_says_why(message, estimate):
    with pytest.raises(FitError, match=message):
        estimate()


def test_a_perfect_area_has_no_interval():
    perfect = delong(np.arange(6.0), np.arange(6) > 2).of(0)
    assert perfect.estimate == 1
    assert np.isnan(perfect.ci_lower)


def test_shares_of_the_same_cases():
    right = np.array([[1, 0], [1, 1], [0, 1], [1, 1]], dtype=float)
    np.testing.assert_allclose(mean_covariance(right)[0, 0], right[:, 0].var(ddof=1) / 4)
