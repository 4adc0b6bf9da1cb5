"""Fairness: numbers as R's, planted biases found and permuted ones not, and no number where there can be none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.analyses.fairness.differences import Factor, adjusted_difference, age_bands, factor_of
from faceage_bio.analyses.fairness.error import assess_fairness, judge_photos
from faceage_bio.core.errors import FitError, TableError
from faceage_bio.core.results.reasons import in_words
from faceage_bio.report import words
from faceage_bio.report.pages import association_page
from faceage_bio.stats.group_differences import (
    correlation_difference,
    root_mean_square,
    sd_ratio,
    share_difference,
    standard_deviation,
    wilson,
)
from tests.commands import output_of
from tests.golden.fairness import data
from tests.report_studies import config_of
from tests.rows import collected, golden, told

r = golden("fairness")
CUTS = [50.0, 60.0, 70.0, 80.0]
SPARSE = "sparse data: fewer than 30 participants; interpret with caution"
NUMBERS = ["estimate", "ci_lower", "ci_upper", "p_value"]


def people(n=600, seed=1, bias=3.0, **more):
    """Face age regresses to the mean; men are judged ``bias`` years older."""
    random = np.random.default_rng(seed)
    age = random.uniform(40, 90, n)
    sex = random.choice(["female", "male"], n)
    face = 20 + 0.7 * age + bias * (sex == "male") + random.normal(0, 5, n)
    columns = {"cohort": "c", "subject_id": [f"s{k}" for k in range(n)]}
    return pd.DataFrame(columns | {"chronological_age": age, "face_age": face, "sex": sex} | more)


def photos_of(table, failing=0.1, seed=2, reason="no_face"):
    failed = np.random.default_rng(seed).random(len(table)) < failing
    columns = {"status": np.where(failed, "excluded", "ok"), "reason": np.where(failed, reason, "")}
    return pd.DataFrame({"subject_id": table.subject_id} | columns)


MEN_WOMEN = ("sex: male vs female", "difference in mean error")


def one(table, term, measure, population="all participants", **more):
    rows = table[(table.term == term) & (table.measure == measure) & (table.population == population)]
    for column, value in more.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, (term, measure)
    return rows.iloc[0]


@pytest.fixture(scope="module")
def of_lung():
    known = data.people()
    table = pd.DataFrame({
        "cohort": "lung", "subject_id": [f"s{k}" for k in known.index], "chronological_age": known.age,
        "face_age": known.age + known.error, "sex": known.sex.map({1: "female", 2: "male"}),
    })  # fmt: skip
    failed = known.failed == 1
    photos = table[["subject_id"]].assign(
        status=np.where(failed, "excluded", "ok"), reason=np.where(failed, "blurred", "")
    )
    return assess_fairness(table, ["sex"], CUTS, 30, photos)


@pytest.mark.parametrize(
    ("measure", "more", "quantity"),
    [
        ("mean error", {"adjustment": "unadjusted"}, "mean"), ("mean absolute error", {}, "absolute"),
        ("root mean squared error", {}, "root mean square"), ("standard deviation", {}, "sd"), ("correlation", {}, "correlation"),
        ("slope", {}, "slope"), ("mean error", {"adjustment": "age"}, "mean at age"),
        ("share", {"outcome": "photo of low quality"}, "wilson"),
    ],
)  # fmt: skip
def test_groups_equal_r(of_lung, measure, more, quantity):
    for sex, number in (("female", 1), ("male", 2)):
        expected = r(f"{quantity} {number}")
        found = one(of_lung, f"sex: {sex}", measure, **more)[NUMBERS[: len(expected)]].to_numpy(float)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("measure", "quantity"),
    [
        ("difference in mean error", "error"),
        ("difference in mean absolute error", "absolute"),
        ("ratio of standard deviations", "spread"),
        ("difference of correlations", "correlation"),
        ("difference of shares", "share"),
    ],
)
def test_differences_equal_r(of_lung, measure, quantity):
    row = one(of_lung, "sex: male vs female", measure)
    for kind, columns in (("raw", [f"raw_{name}" for name in NUMBERS]), ("adjusted", NUMBERS)):
        if (kind, quantity) == ("adjusted", "correlation"):
            continue
        expected = r(f"{kind} {quantity}")
        if len(expected) == 3:
            expected = np.append(expected, r(f"{kind} {quantity} p"))
        np.testing.assert_allclose(row[columns].to_numpy(float), expected, rtol=1e-8)


@pytest.mark.parametrize("events", [0, 1, 7, 10])
def test_wilson_equals_prop_test(events):
    found = wilson(events, 10)
    ours = [found.estimate, found.ci_lower, found.ci_upper]
    np.testing.assert_allclose(ours, r(f"wilson of 10 {events}"), atol=1e-12)


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40), st.integers(1, 40))
def test_shares_stay_shares_and_differences_turn_round(k, n, j, m):
    k, j = min(k, n), min(j, m)
    there, back = share_difference((k, j), (n, m)), share_difference((j, k), (m, n))
    assert 0 <= wilson(k, n).ci_lower <= k / n <= wilson(k, n).ci_upper <= 1
    assert -1 - 1e-9 <= there.ci_lower - 1e-12 <= there.estimate <= there.ci_upper + 1e-12 <= 1 + 1e-9
    assert there.estimate == pytest.approx(-back.estimate)
    assert there.ci_lower == pytest.approx(-back.ci_upper)
    assert there.p_value == pytest.approx(back.p_value)


@given(st.integers(1, 9), st.floats(-50, 50))
def test_ratios_of_spreads_are_free_of_place_and_turn_round(seed, shift):
    random = np.random.default_rng(seed)
    a, b = random.normal(0, 2, 30), random.normal(0, 1, 25)
    there, back = sd_ratio(a + shift, b), sd_ratio(b, a)
    assert there.estimate == pytest.approx(1 / back.estimate)
    assert there.ci_lower == pytest.approx(1 / back.ci_upper)
    assert there.p_value == pytest.approx(back.p_value)


def test_intervals_of_spreads_are_the_same_each_time_and_cover():
    random = np.random.default_rng(5)
    first = root_mean_square(random.normal(1, 3, 80))
    assert root_mean_square(np.random.default_rng(5).normal(1, 3, 80)) == first
    found = [standard_deviation(random.standard_t(8, 100)) for _ in range(150)]
    true = np.sqrt(8 / 6)
    assert 0.89 < np.mean([value.ci_lower < true < value.ci_upper for value in found]) < 0.99
    # a percentile bootstrap's cover 0.80 and 0.87 of samples of 10
    samples = random.normal(0.5, 2, (1000, 10))
    for measure, true in ((standard_deviation, 2.0), (root_mean_square, np.sqrt(4.25))):
        found = [measure(values) for values in samples]
        assert 0.9 < np.mean([value.ci_lower < true < value.ci_upper for value in found]) < 0.97


@given(
    st.lists(st.integers(-90, 90), min_size=4, max_size=12, unique=True), st.sampled_from([1e-9, 1.0, 1e9])
)
def test_intervals_of_spreads_have_the_unit_of_the_values_and_no_order(values, unit):
    for measure in (standard_deviation, root_mean_square):
        found, other = measure(np.array(values)), measure(unit * np.array(values[::-1]))
        assert found.ci_lower < found.estimate < found.ci_upper
        ends = [[one.estimate, one.ci_lower, one.ci_upper] for one in (found, other)]
        np.testing.assert_allclose(ends[1], unit * np.array(ends[0]), rtol=1e-9)


@pytest.mark.slow
def test_a_planted_bias_is_found_and_one_permuted_is_not():
    table = people(n=2000, bias=3.0)
    found = one(assess_fairness(table, ["sex"], CUTS, 30), *MEN_WOMEN)
    assert found.ci_lower < 3 < found.ci_upper
    assert found.p_value < 1e-20
    random = np.random.default_rng(4)
    p_values = []
    for _ in range(100):
        table = people(n=100, bias=0, seed=random.integers(2**31))
        table["sex"] = random.permutation(table["sex"])
        p_values.append(one(assess_fairness(table, ["sex"], [60.0], 30), *MEN_WOMEN).p_value)
    assert 0.005 <= np.mean(np.array(p_values) < 0.05) <= 0.12


def test_groups_that_differ_in_age_alone_differ_raw_and_not_at_the_same_age():
    table = people(n=3000, bias=0)
    chance = np.random.default_rng(3).random(3000) < (table.chronological_age - 40) / 50
    table["sex"] = np.where(chance, "male", "female")  # old men, young women
    row = one(assess_fairness(table, ["sex"], CUTS, 30), *MEN_WOMEN)
    assert row.raw_ci_upper < -2
    assert abs(row.estimate) < 0.8
    assert row.ci_lower < 0 < row.ci_upper


def test_error_falls_with_age_where_face_age_regresses():
    table = assess_fairness(people(n=2000, bias=0), [], CUTS, 30)
    slope = one(table, "all", "slope")
    assert slope.ci_lower < -3 < slope.ci_upper
    bands = table[(table.factor == "age band") & (table.measure == "mean error")]
    assert list(bands.group) == ["under 50", "50-59", "60-69", "70-79", "80 and over"]
    assert bands.estimate.is_monotonic_decreasing
    differences = table[(table.factor == "age band") & (table.question == "differences")]
    assert differences.estimate.isna().all()


def test_failures_that_fall_on_one_group_are_found():
    table = people(n=800)
    men, women = (table[table.sex == sex] for sex in ("male", "female"))
    photos = pd.concat([photos_of(men, 0.3), photos_of(women, 0.05)])
    result = assess_fairness(table, ["sex"], CUTS, 30, photos)
    row = one(result, "sex: male vs female", "difference of shares")
    assert row.ci_lower < 0.25 < row.ci_upper
    assert row.raw_p_value < 1e-6
    failed = one(result, "sex: male", "share", outcome="photo without a face")
    assert failed.n == len(men)
    assert failed.n_events == round(failed.estimate * failed.n)


def test_files_that_are_no_photos_given_ages_and_doubles_are_no_failures():
    table = people(n=8)
    reasons = "damaged_image given same_photo_twice no_face low_probability blurred multiple_faces -"
    status = ["excluded", "ok", "excluded", "excluded", "excluded", "excluded", "flagged", "ok"]
    photos = table[["subject_id"]].assign(status=status, reason=reasons.replace("-", "").split(" "))
    judged = judge_photos(table, photos)
    assert list(judged.person) == [3, 4, 5, 6, 7]
    assert list(judged.without_face) == [True, True, False, False, False]
    assert list(judged.low_quality) == [False, False, True, False, False]


def test_crossings_compare_within_the_second_factor():
    table = people(n=1500, race=np.random.default_rng(8).choice(["a", "b"], 1500))
    table.loc[(table.sex == "male") & (table.race == "b"), "face_age"] += 6
    result = assess_fairness(table, ["sex", "race"], CUTS, 30)
    measure = "difference in mean error"
    assert one(result, "sex: male vs female, race b", measure).estimate == pytest.approx(9, abs=1.5)
    assert one(result, "sex: male vs female, race a", measure).estimate == pytest.approx(3, abs=1.5)
    assert {"sex × race", "sex × age band", "race × age band"} <= set(result.factor)


def test_controls_are_shown_alongside_all_participants():
    table = people(n=400, group=["cancer"] * 300 + ["reference"] * 100)
    table.loc[table.group == "cancer", "face_age"] += 5
    result = assess_fairness(table, [], CUTS, 30)
    whole, controls = one(result, "all", "mean error"), one(result, "all", "mean error", "controls")
    assert (whole.n, controls.n) == (400, 100)
    assert whole.estimate > controls.estimate + 2
    assert set(assess_fairness(table.assign(group="reference"), [], CUTS, 30).population) == {"controls"}


def test_small_groups_are_not_to_be_interpreted_and_leave_the_family_of_tests():
    table = people(n=200)
    table.loc[10:, "sex"] = "female"
    table.loc[:9, "sex"] = "male"
    result = assess_fairness(table, ["sex"], CUTS, 30)
    row = one(result, *MEN_WOMEN)
    assert told(row) == "sparse data: fewer than 30 participants in a group; interpret with caution"
    assert np.isnan(row.q_value)
    assert told(one(result, "sex: male", "mean error", adjustment="unadjusted")) == SPARSE


@pytest.mark.parametrize(
    ("change", "term", "message"),
    [
        ({"sex": "female"}, "sex", "all 60 participants have the same value"),
        ({"sex": None}, "sex", "no participant has a value of sex"),
        ({"sex": [f"s{k}" for k in range(60)]}, "sex", "has 60 values, which are no groups"),
        ({"sex": ["male"] + ["female"] * 59}, "sex: male vs female", "fewer than 2 participants"),
        ({"face_age": np.nan}, "all", "fewer than 2 values"),
        ({"chronological_age": 60.0}, "all", "age or error does not vary"),
        ({"face_age": 60.0, "chronological_age": 60.0}, "all", "do not vary|does not vary|that vary|pairs"),
    ],
)
def test_what_cannot_be_estimated_says_why(change, term, message):
    result = assess_fairness(people(n=60).assign(**change), ["sex"], CUTS, 30)
    rows = result[(result.term == term) & result.estimate.isna()]
    assert len(rows)
    notes = told(rows) + rows.raw_reason.map(in_words)
    assert notes.str.contains(message).any(), notes.to_list()


def test_no_participant_is_compared_at_the_same_age_without_ages():
    known = pd.DataFrame({"group": ["a", "a", "b", "b"], "age": np.nan, "error": range(4)})
    with pytest.raises(FitError, match="no age is known"):
        adjusted_difference("error", known, Factor("sex", known["group"], ("a", "b")), "b")


def test_no_sex_column_keeps_a_row_that_says_so():
    result = assess_fairness(people(n=60).drop(columns="sex"), ["sex"], CUTS, 30)
    expected = "not estimated, because the clinical table has no column 'sex'"
    assert told(one(result, "sex", "difference in mean error")) == expected


def test_a_group_of_one_does_not_spoil_the_others():
    table = people(n=300)
    table.loc[0, "sex"] = "other"
    result = assess_fairness(table, ["sex"], CUTS, 30)
    assert one(result, *MEN_WOMEN).estimate == pytest.approx(3, abs=1.5)
    assert "fewer than 2 participants" in told(one(result, "sex: other vs female", MEN_WOMEN[1]))


def test_all_photos_fail():
    table = people(n=50, face_age=np.nan)
    result = assess_fairness(table, ["sex"], CUTS, 30, photos_of(table, failing=2))
    failed = one(result, "all", "share", outcome="photo without a face")
    assert (failed.estimate, failed.ci_lower) == (1, pytest.approx(0.9287, abs=1e-3))
    assert result[~result.measure.isin(["share", "difference of shares"])].estimate.isna().all()


def test_given_face_ages_have_no_failures_to_count():
    table = people(n=50)
    given = photos_of(table, failing=0).assign(reason="given")
    result = assess_fairness(table, ["sex"], CUTS, 30, given)
    expected = "not estimated, because there is nothing to count"
    assert told(one(result, "all", "share", outcome="photo without a face")) == expected


def test_numbers_of_skin_types_are_groups_and_missing_ones_are_left_out():
    values = pd.Series([1.0, 2.0, 2.0, None])
    factor = factor_of(pd.DataFrame({"skin": values}), "skin")
    assert factor.levels == ("2", "1")
    assert factor.groups.to_list() == ["1", "2", "2", None]


@given(
    st.lists(st.integers(0, 120), min_size=1, max_size=40),
    st.lists(st.sampled_from([30, 45, 50, 60, 72.5]), min_size=1),
)
def test_each_age_falls_into_one_band(ages, cuts):
    factor = age_bands(pd.Series(ages, dtype=float), cuts)
    assert len(factor.levels) == len(set(cuts)) + 1
    assert factor.groups.notna().all()
    order = [factor.levels.index(group) for group in factor.groups[np.argsort(ages, kind="stable")]]
    assert order == sorted(order)


@pytest.mark.slow
@settings(max_examples=15)  # each computes two tables
@given(st.integers(0, 10_000), st.floats(-20, 20))
def test_years_added_to_every_face_move_the_mean_and_no_difference(seed, years):
    table = people(n=40, seed=seed)
    older = table.assign(face_age=table.face_age + years)
    plain, moved = (assess_fairness(people, ["sex"], [65.0], 5) for people in (table, older))
    for measure, by in (("mean error", years), ("standard deviation", 0)):
        expected = one(plain, "all", measure).estimate + by
        assert one(moved, "all", measure).estimate == pytest.approx(expected, abs=1e-8)
    assert one(moved, *MEN_WOMEN).estimate == pytest.approx(one(plain, *MEN_WOMEN).estimate, abs=1e-8)


def test_face_ages_that_are_the_ages_have_no_error_but_rounding():
    table = people(n=200, seed=1)
    table["face_age"] = table["chronological_age"] * (1 + 3e-16)
    found = assess_fairness(table, ["sex"], [65.0], 5)
    errors = found[found["outcome"].eq("error of face age")]
    assert errors["status"].eq("not_estimated").all()
    assert len(errors) > 20


LINE = (np.arange(9.0), np.arange(9.0))


@pytest.mark.parametrize(
    ("refuse", "message"),
    [
        (lambda: wilson(0, 0), "there is nothing to count"),
        (lambda: root_mean_square(np.ones(9)), "a spread needs 3 values that vary"),
        (lambda: standard_deviation(np.array([25.3] * 8 + [31.0])), "a spread needs 3 values that vary"),
        (lambda: sd_ratio(np.ones(9), np.arange(9.0)), "the values of a group do not vary"),
        (lambda: sd_ratio(np.arange(3.0), np.arange(9.0)), "a group has fewer than 4 participants"),
        (lambda: correlation_difference(LINE, (LINE[0], LINE[1] ** 2)), "a correlation is exactly 1 or −1"),
    ],
)
def test_statistics_refuse_what_has_none(refuse, message):
    with pytest.raises(FitError, match=message):
        refuse()


def test_photos_that_cannot_be_joined_are_refused():
    message = r"participants and photos are joined by subject_id, .*lacking: status, reason. Give the tables"
    with pytest.raises(TableError, match=message):
        judge_photos(people(n=9).assign(subject_id="a"), pd.DataFrame({"subject_id": ["a"]}))


def test_a_table_without_face_ages_is_refused():
    with pytest.raises(TableError, match="face_age; found"):
        assess_fairness(people(n=9).drop(columns="face_age"), [], CUTS, 30)


def test_the_command_works_on_a_plain_table(tmp_path):
    people(n=90)[["chronological_age", "face_age", "sex"]].to_csv(tmp_path / "ages.csv", index=False)
    output_of("assess-fairness --participants ages.csv --set fairness.by=sex --output .", folder=tmp_path)
    table = pd.read_csv(tmp_path / "ages" / "fairness" / "fairness.tsv", sep="\t")
    assert set(table.question) == {"groups", "differences"}
    assert not table.measure.isin(["share", "difference of shares"]).any()


def test_two_tables_may_number_their_participants_alike(tmp_path):
    """North is men of whose photos half failed, south women of whose photos none did."""
    for name, sex, failed in (("north", "male", 20), ("south", "female", 0)):
        one = people(n=40).assign(sex=sex, subject_id=[str(k) for k in range(40)])
        one[["subject_id", "chronological_age", "face_age", "sex"]].to_csv(
            tmp_path / f"{name}.csv", index=False
        )
        status = ["excluded"] * failed + ["included"] * (40 - failed)
        photos = pd.DataFrame(
            {
                "subject_id": one.subject_id,
                "status": status,
                "reason": ["blurred"] * failed + [""] * (40 - failed),
            }
        )
        photos.to_parquet(tmp_path / f"{name}.parquet")
    files = "--participants north.csv --participants south.csv --photos north.parquet --photos south.parquet"
    output_of(f"assess-fairness {files} --set fairness.by=sex --output .", folder=tmp_path)
    table = pd.read_csv(tmp_path / "pooled" / "fairness" / "fairness.tsv", sep="\t")
    rows = table[
        (table.question == "groups") & (table.measure == "share") & (table.outcome == "photo without an age")
    ]
    found = {row.term: (row.n, row.estimate) for row in rows.itertuples()}
    assert (found["sex: female"], found["sex: male"]) == ((40, 0.0), (40, 0.5))


def test_no_identifier_of_a_participant_is_in_the_table():
    table = people(n=60)
    text = assess_fairness(table, ["sex"], CUTS, 30, photos_of(table)).to_csv()
    assert not [name for name in table.subject_id if f",{name}," in text]


def page_of(tmp_path, table):
    """The association page of cohort c with this table."""
    return association_page(collected(tmp_path, {"c/fairness/fairness": table}), config_of(["c"]), [])


def test_the_page_tells_what_error_means_and_marks_small_groups(tmp_path):
    table = people(n=300, race=["a"] * 280 + ["b"] * 17 + ["c"] * 3)
    page = page_of(tmp_path, assess_fairness(table, ["sex", "race", "skin"], CUTS, 30, photos_of(table)))
    for said in (
        "calibration against chronological age", "predictions regress to the mean", "Sex, male vs female: at the same age +",
        'race: b <span class="why">†</span>', "the clinical table has no column &#39;skin&#39;", 'aria-label="Estimates with 95% CIs: Difference in ',
    ):  # fmt: skip
        assert said in page
    assert "Race, b vs a" not in page  # not to be interpreted, so not said in a sentence
    assert ">nan<" not in page.lower()


def test_the_page_shows_small_groups_and_few_failed_photos(tmp_path):
    table = people(n=200, race=["a"] * 197 + ["b"] * 3)
    photos = photos_of(table, failing=0)
    photos.loc[:2, ["status", "reason"]] = ["excluded", "no_face"]
    result = assess_fairness(table, ["race"], CUTS, 30, photos)
    mean = one(result, "race: b", "mean error", adjustment="unadjusted")
    raw = one(result, "race: b vs a", "difference in mean error")
    page = page_of(tmp_path, result)
    for interval in ((mean.ci_lower, mean.ci_upper), (raw.raw_ci_lower, raw.raw_ci_upper)):
        assert words.interval(*interval, 1) in page
    assert "1.5% <" in page


def test_a_hostile_group_is_escaped(tmp_path):
    evil = "<script>alert('x')</script>"
    table = people(n=100, race=[evil] * 50 + ["b"] * 50)
    page = page_of(tmp_path, assess_fairness(table, ["race"], CUTS, 30))
    assert "<script>alert" not in page
