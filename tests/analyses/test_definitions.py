"""Definitions of age acceleration side by side: cross-fitting, reference people, norms, flags, and the commands on plain tables."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from faceage_bio.analyses.acceleration import definitions
from faceage_bio.analyses.acceleration.acceleration_stage import (
    compute,
    describe,
    flag,
    plain_people,
    sensitivity,
)
from faceage_bio.analyses.acceleration.definitions import (
    KINDS,
    column_of,
    define,
    definition_hazards,
    normative_scores,
)
from faceage_bio.analyses.acceleration.photo_that_counts import one_per_subject
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import CohortError, ConfigError
from faceage_bio.core.settings.settings_acceleration import Acceleration
from faceage_bio.core.tables import read_table, write_table
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.smoothing import natural_spline, place_knots
from tests.commands import output_of
from tests.definition_participants import people
from tests.rows import told

COVARIATES = ["sex", "smoking", "bmi"]
TESTED = Acceleration(valid_ages=[60.0, 120.0], low_resolution=112.0)


def defined(table, **options):
    return define(table, Acceleration(adjust_for=COVARIATES, **options)).people


def described(table):
    return describe({"c": table}, Acceleration(adjust_for=COVARIATES))["c"]


@pytest.mark.parametrize("kind", ["linear", "linear_cross_fitted", "spline", "loess", "adjusted"])
def test_residuals_are_free_of_age_where_the_gap_is_not(kind):
    table = defined(people(n=1500))
    found = table[column_of(kind, "cohort")]
    known = found.notna()
    assert abs(np.corrcoef(found[known], table.chronological_age[known])[0, 1]) < 0.03
    assert np.corrcoef(table.age_gap, table.chronological_age)[0, 1] < -0.4
    assert abs(found.mean()) < 0.2
    assert found.std() == pytest.approx(5, abs=0.3)


@pytest.mark.parametrize(("kind", "flat"), [("linear", False), ("spline", True), ("loess", True)])
def test_only_a_curve_takes_a_bend_out(kind, flat):
    table = defined(people(n=1500, curve=3.0))
    bend = ((table.chronological_age - 62) / 10) ** 2
    found = table[column_of(kind, "cohort")]
    r = np.corrcoef(found[found.notna()], bend[found.notna()])[0, 1]
    assert (abs(r) < 0.05) == flat


@pytest.mark.parametrize("face_age", [lambda age: 0 * age + 66, lambda age: 0.8 * age + 10, lambda age: age])
def test_face_ages_that_follow_age_alone_have_no_acceleration_and_no_hazard_ratio_of_it(face_age):
    # what floating-point numbers leave of them, 1e-14 years, has hazard ratios of 0 and of infinity
    table = people().assign(
        followup_years=lambda table: 1 + table.index % 7 / 3, event=lambda table: table.index % 3 == 0
    )
    table = defined(table.assign(face_age=face_age(table.chronological_age), event=table.event.astype(float)))
    residuals = [column_of(kind, "cohort") for kind in KINDS]
    assert (table[residuals].dropna() == 0).all(axis=None)
    hazards = definition_hazards(table, 10.0).set_index("term").loc[residuals]
    assert hazards.estimate.isna().all()
    assert told(hazards).str.fullmatch("not estimated, because acceleration .* does not vary").all()


def coefficient(table, column):
    """Log hazard ratio adjusted for age, where death follows face age."""
    random = np.random.default_rng(5)
    years = random.exponential(5, len(table)) * np.exp(-0.03 * (table.face_age - 60))
    event = pd.Series(random.integers(0, 2, len(table)).astype(float), index=table.index)
    design = pd.DataFrame({"x": table[column], "age": table.chronological_age})
    return fit_cox(years, event, design).terms.loc["x", "log_hazard_ratio"]


def test_gap_residual_and_face_age_have_one_cox_coefficient_adjusted_for_age_and_curves_do_not():
    table = defined(people(n=300))
    raw = coefficient(table, "face_age")
    for column in ("age_gap", "acceleration_linear", "age_acceleration"):
        assert coefficient(table, column) == pytest.approx(raw, rel=1e-6)
    assert coefficient(table, "acceleration_spline") != pytest.approx(raw, rel=1e-4)


def test_one_line_fitted_in_controls_keeps_that_equality():
    both = pd.concat([people(150), people(150, 2, "reference")])
    table = defined(both, fit_in="reference").reset_index(drop=True)
    assert coefficient(table, "face_age") == pytest.approx(coefficient(table, "age_acceleration"), rel=1e-6)


def test_cross_fitted_residual_of_a_line_equals_the_textbook_with_as_many_folds_as_participants():
    # leaving each out: residual over one minus the leverage
    table = people(40)
    whole = pd.Series(True, index=table.index)
    left_out = table.face_age - definitions.judge(table, whole, definitions.line, folds=40)
    x = np.column_stack([np.ones(40), table.chronological_age])
    leverage = np.diag(x @ np.linalg.inv(x.T @ x) @ x.T)
    plain = table.face_age - definitions.line(table)(table)
    np.testing.assert_allclose(left_out, plain / (1 - leverage), rtol=1e-9)


def test_cross_fitted_spline_is_the_one_fitted_without_the_fold():
    table = people(60)
    found = definitions.judge(table, pd.Series(True, index=table.index), definitions.spline, 5)
    fold = definitions.fold_of(table.subject_id, 5)
    train = table[fold != 2]
    knots = place_knots(train.chronological_age)
    basis = np.column_stack([np.ones(len(train)), natural_spline(train.chronological_age, knots)])
    terms = np.linalg.lstsq(basis, train.face_age, rcond=None)[0]
    expected = terms[0] + natural_spline(table[fold == 2].chronological_age, knots).to_numpy() @ terms[1:]
    np.testing.assert_allclose(found[fold == 2], expected)


@pytest.mark.parametrize("kind", ["linear_cross_fitted", "spline", "loess", "adjusted"])
def test_no_participant_is_judged_by_a_curve_fitted_on_the_same_participant(kind):
    # whatever the face, what is expected of it stays
    table = people(60)
    other = table.copy()
    other.loc[7, "face_age"] += 30
    column = column_of(kind, "cohort")
    one, two = defined(table), defined(other)
    assert two[column][7] - one[column][7] == pytest.approx(30)
    assert two["acceleration_linear"][7] - one["acceleration_linear"][7] < 29.9


def test_cases_are_judged_by_controls_alone():
    reference, cases = people(200, 1, "reference"), people(100, 2, shift=4.0)
    plain = defined(pd.concat([reference, cases]))
    cases.loc[3:, "face_age"] += 40
    moved = defined(pd.concat([reference, cases]))
    for kind in KINDS:
        column = column_of(kind, "reference")
        assert moved[column][203] == pytest.approx(plain[column][203] + 40)
        assert moved[column][201] == pytest.approx(plain[column][201])
        assert plain[column][plain.group == "cancer"].mean() == pytest.approx(4, abs=1.5)


def test_folds_follow_the_names_and_not_the_order_of_rows():
    table = people(50)
    shuffled = table.sample(frac=1, random_state=1)
    one, other = definitions.fold_of(table.subject_id, 10), definitions.fold_of(shuffled.subject_id, 10)
    assert other.reindex(one.index).equals(one)
    assert one.value_counts().eq(5).all()
    first = defined(table).set_index("subject_id").acceleration_loess
    second = defined(shuffled).set_index("subject_id").acceleration_loess
    np.testing.assert_allclose(second.reindex(first.index), first)


@pytest.mark.slow
@settings(max_examples=10)
@given(st.floats(-30, 30), st.floats(0.5, 2))
def test_the_same_years_on_every_face_change_no_residual(years, factor):
    table = people(45)
    one = defined(table)
    other = defined(table.assign(face_age=factor * table.face_age + years))
    for kind in KINDS:
        column = column_of(kind, "cohort")
        np.testing.assert_allclose(other[column], factor * one[column], atol=1e-6)


def test_adjusting_takes_out_what_a_covariate_brings():
    table = defined(people(n=2000, sex_effect=6.0))
    gap = table.groupby("sex")[["acceleration_linear", "acceleration_adjusted"]].mean().diff().loc["male"]
    assert gap.acceleration_linear == pytest.approx(6, abs=0.6)
    assert gap.acceleration_adjusted == pytest.approx(0, abs=0.6)


def test_a_covariate_not_known_or_never_seen_in_the_fit_leaves_no_number():
    table = people(60)
    table.loc[0, "bmi"] = np.nan
    table.loc[1, "smoking"] = "pipe"
    found = defined(table)
    assert found.acceleration_adjusted[[0, 1]].isna().all()
    assert found.acceleration_adjusted[2:].notna().all()
    assert found.acceleration_linear.notna().all()


def test_norm_gives_standard_normal_scores_in_controls_and_finds_older_cases():
    reference, cases = people(2000, 1, "reference", sex_effect=5.0), people(500, 2, shift=5.0, sex_effect=5.0)
    table = defined(pd.concat([reference, cases]))
    inside = table[table.group == "reference"]
    assert abs(inside.age_z.mean()) < 0.02
    assert inside.age_z.std() == pytest.approx(1, abs=0.02)
    for sex in ("female", "male"):
        assert abs(inside.age_z[inside.sex == sex].mean()) < 0.02
    assert table.age_z[table.group == "cancer"].mean() == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(table.age_centile, 100 * norm.cdf(table.age_z))


def test_norm_says_nothing_beyond_its_ages_or_without_a_sex():
    table = pd.concat([people(200, 1, "reference"), people(30, 2)], ignore_index=True)
    table.loc[200, "chronological_age"] = 99.0
    table.loc[201, "sex"] = None
    scores, why = normative_scores(table, table.group == "reference")
    assert scores.loc[[200, 201]].isna().all(axis=None)
    assert why == ()
    _, why = normative_scores(table, table.index < 10)
    assert str(why[0]) == "no normative model could be fitted for female"
    assert "too few" in str(why[1])


def test_without_controls_the_norm_is_the_cohort_and_says_so():
    found = described(people(120, cohort="c")).definitions
    rows = found[found.term == "age_z"]
    assert set(rows.fitted_in) == {"cohort"}
    assert rows.estimate.notna().all()
    reference = found[found.fitted_in == "reference"]
    assert reference.estimate.isna().all()
    assert told(reference).str.startswith("not estimated, because 0 ").all()


def test_sex_units_have_spread_one_in_each_sex():
    table = people(200)
    table["face_age"] += np.random.default_rng(1).normal(0, 12, 200) * (table.sex == "male")
    found = defined(table)
    assert found.groupby("sex").acceleration_sex_sd.std().to_numpy() == pytest.approx([1, 1])


def test_table_shows_every_definition_with_its_correlation():
    study = {"a": people(100, 1, cohort="a"), "b": people(100, 2, "reference", cohort="b")}
    terms = {"age_gap", "acceleration_loess_reference", "age_z", "age_centile", "acceleration_sex_sd"}
    chosen = Acceleration(definition="spline", adjust_for=COVARIATES)
    for name, cohort in describe(study, chosen).items():
        table = cohort.definitions
        assert (table.cohort == name).all()
        assert (table.groupby("term").measure.nunique() == 3).all()
        assert set(table.term) >= terms
        correlation = table[table.measure == "correlation"]
        assert correlation[["ci_lower", "ci_upper", "n"]].notna().all(axis=None)
        assert table[table.chosen].term.unique().tolist() == ["acceleration_spline"]
        np.testing.assert_array_equal(cohort.table.age_acceleration, cohort.table.acceleration_spline)
        assert "natural cubic spline" in cohort.summary.model[0]


@pytest.mark.parametrize("n", [0, 3, 12, 25])
def test_few_participants_keep_every_row_with_a_reason(n):
    found = described(people(240, cohort="c").head(n))
    table = found.definitions
    assert len(table) == 42
    missing = table[table.estimate.isna()]
    assert told(missing).str.startswith("not estimated, because").all()
    assert (table[table.term == "acceleration_spline"].estimate.isna()).all()
    assert told(found.sensitivity[found.sensitivity.reason != ""]).str.startswith("not estimated").all()


def test_without_any_age_the_tables_still_name_their_cohort():
    found = described(people(40, cohort="c").assign(chronological_age=np.nan))
    for table in (found.definitions, found.sensitivity):
        assert set(table.cohort) == {"c"}
        assert told(table).str.startswith("not estimated, because").all()


def test_participants_of_one_age_or_one_sex_crash_nothing():
    one_age = people(80, cohort="c").assign(chronological_age=60.0, sex="male", smoking="never", bmi=27.0)
    table = described(one_age).definitions
    assert "distinct" in told(table[table.term == "acceleration_linear"]).iloc[0]
    assert table[(table.term == "age_gap") & (table.measure == "mean")].estimate.notna().all()
    assert table[(table.term == "age_gap") & (table.measure == "correlation")].estimate.isna().all()


@pytest.mark.parametrize("kind", ["linear", "spline", "adjusted", "loess"])
def test_a_chosen_definition_that_controls_do_not_bear_stops_the_run(kind):
    with pytest.raises(CohortError, match="Mark them with group = reference"):
        defined(people(60), definition=kind, fit_in="reference")


def photos_of(days, subject="a"):
    """A photo of each day, p1, p2, ..., none with an age of its own."""
    names = [f"p{k + 1}" for k in range(len(days))]
    return pd.DataFrame(
        {"photo_id": names, "subject_id": subject, "photo_date": days, "chronological_age": np.nan}
    )


def stage_tables(n=60):
    table = people(n, cohort="c").assign(followup_years=np.nan, entry_years=np.nan, event=np.nan)
    photos = photos_of([None] * n, table.subject_id)
    size = np.where(np.arange(n) < 20, 90.0, 150.0)
    faces = photos[["photo_id", "subject_id"]].assign(face_age=table.face_age, face_short_side=size)
    return table.drop(columns="face_age"), photos, faces


def test_stage_says_why_a_chosen_definition_has_no_number_for_a_participant():
    subjects, photos, faces = stage_tables()
    subjects.loc[0, "bmi"] = np.nan
    settings = Acceleration(definition="adjusted", adjust_for=COVARIATES)
    found = compute([subjects], [photos], [faces], ["c"], settings)["c"]
    assert found.ledger.reason.tolist() == ["outside_the_definition"] + [""] * 59
    assert found.table.low_resolution.sum() == 20


def nearest_to(column):
    return Acceleration(repeat_photos="nearest", nearest_to=column)


@pytest.mark.parametrize("day", ["2020-02-01", "2021-12-01", "2021-01-01"])
def test_nearest_photo_counts(day):
    photos = photos_of(["2020-01-01", "2022-01-02"])
    faces = photos[["photo_id", "subject_id"]].assign(face_age=[60.0, 70.0])
    subjects = pd.DataFrame({
        "subject_id": ["a"], "chronological_age": 58.0, "followup_years": 5.0, "entry_years": np.nan, "diagnosis_date": [day],
    })  # fmt: skip
    one = one_per_subject(faces, photos, subjects, nearest_to("diagnosis_date")).iloc[0]
    late = day == "2021-12-01"  # of two equally near photos the earlier counts
    assert one.face_age == (70 if late else 60)
    assert one.chronological_age == pytest.approx(60 if late else 58, abs=0.01)
    assert one.followup_years == pytest.approx(3 if late else 5, abs=0.01)


def test_without_a_date_only_a_single_photo_counts():
    photos = photos_of(["2020-01-01", "2022-01-01", None, "2020-01-01"], ["a", "a", "b", "c"])
    faces = photos[["photo_id", "subject_id"]].assign(face_age=60.0)
    subjects = pd.DataFrame({
        "cohort": "c", "subject_id": list("abcd"), "chronological_age": 58.0, "followup_years": 5.0, "entry_years": np.nan,
        "diagnosis_date": None, "group": "cancer",
    })  # fmt: skip
    settings = nearest_to("diagnosis_date")
    table = one_per_subject(faces, photos, subjects, settings)
    assert table.face_age.notna().tolist() == [False, True, True, False]
    found = compute([subjects], [photos], [faces], ["c"], settings)["c"]
    assert found.ledger.reason[0] == "no_nearest_photo"
    assert found.ledger.reason[3] == "no_face_age"
    assert "no_nearest_photo" not in found.table


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("diagnosis", "acceleration.nearest_to needs the column 'diagnosis'"),
        ("when", "It holds 01.02.2020. Expected a date. Write it as YYYY-MM-DD"),
    ],
)
def test_nearest_needs_dates(column, message):
    subjects = pd.DataFrame({"subject_id": ["a"], "when": ["01.02.2020"]})
    subjects = subjects.assign(chronological_age=58.0, followup_years=5.0, entry_years=0.0)
    photos = photos_of(["2020-01-01"])
    with pytest.raises(CohortError, match=message):
        one_per_subject(photos.assign(face_age=60.0), photos, subjects, nearest_to(column))


def test_flags_know_true_false_and_not_known():
    ages, sides = [59.9, 60.0, np.nan], [np.nan, 111.0, 112.0]
    table = pd.DataFrame({"chronological_age": ages, "face_short_side": sides})
    found = flag(table, TESTED)
    assert found.valid_age.tolist() == [False, True, pd.NA]
    assert found.low_resolution.tolist() == [pd.NA, True, False]
    assert not flag(table[["chronological_age"]], TESTED).low_resolution.notna().any()


def test_sensitivity_counts_those_within_the_test():
    sides = np.where(np.arange(200) < 50, 90.0, 150.0)
    table = flag(defined(people(200)).assign(face_short_side=sides), TESTED)
    found = sensitivity(table, TESTED)
    n = found.groupby("subgroup", sort=False).n.first()
    assert n.to_dict() == {
        "": 200, "ages 60 to 120": (table.chronological_age >= 60).sum(), "faces of 112 pixels and more": 150,
        "ages 60 to 120, faces of 112 pixels and more": ((table.chronological_age >= 60) & (np.arange(200) >= 50)).sum(),
    }  # fmt: skip
    older = found[(found.excluded == "ages") & (found.term == "age_gap") & (found.measure == "mean")].iloc[0]
    assert older.estimate == pytest.approx(table.age_gap[table.chronological_age >= 60].mean())
    # a cohort of young people, and photos of unknown size
    young = flag(defined(people(80).query("chronological_age < 59")), TESTED)
    rows = sensitivity(young, TESTED)
    notes = told(rows).groupby(rows.subgroup, sort=False).first()
    assert "no participant is left" in notes["ages 60 to 120"]
    assert "size of the faces is not known" in notes["faces of 112 pixels and more"]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"repeat_photos": "nearest"}, "nearest and nearest_to"),
        ({"nearest_to": "diagnosis_date"}, "nearest and nearest_to"),
        ({"valid_ages": [80.0, 60.0]}, "valid_ages: give the lower end"),
        ({"ageing_rate_days": [10]}, "ageing_rate_days"),
        ({"ageing_rate_strata": [730, 365]}, "ageing_rate_strata: .730, 365. must rise"),
        ({"definition": "lowess"}, "'linear', 'linear_cross_fitted', 'spline', 'loess' or 'adjusted'"),
    ],
)
def test_settings_that_do_not_fit_are_told(section, message):
    with pytest.raises(ConfigError, match=message):
        check_config({"cohorts": {"a": {"face_ages": "f.tsv"}}, "acceleration": section})


def test_command_on_a_plain_table(tmp_path):
    write_table(people(80).drop(columns=["cohort", "subject_id", "group"]), tmp_path / "people.tsv")
    files = "--table people.tsv --definitions definitions.tsv --participants accelerated.tsv --sensitivity sensitivity.tsv"
    chosen = "--set acceleration.definition=loess --set acceleration.adjust_for=sex"
    output_of(f"define-acceleration {files} {chosen}", folder=tmp_path)
    table = read_table(tmp_path / "definitions.tsv")
    assert table[table.chosen.astype(str) == "True"].term.unique().tolist() == ["acceleration_loess"]
    assert (tmp_path / "accelerated.tsv").stat().st_mode & 0o077 == 0
    assert len(read_table(tmp_path / "sensitivity.tsv")) == 24


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_handful_of_a_plain_table_leaves_no_cell_without_a_reason(n):
    table = pd.DataFrame({"face_age": [60.0, 70.0], "chronological_age": [60.0, 61.0]}).head(n)
    for cohort in describe(plain_people(table), Acceleration(adjust_for=[])).values():
        for rows in (cohort.definitions, cohort.sensitivity, cohort.summary):
            silent = rows[rows.estimate.isna() & (told(rows) == "")]
            assert not len(silent), silent[["term", "measure", "n"]]


def test_other_words_for_sex_are_said_to_be_none():
    table = pd.DataFrame({"face_age": np.arange(60.0, 100), "chronological_age": np.arange(55.0, 95)})
    rows = describe(plain_people(table.assign(sex="x")), Acceleration(adjust_for=[]))["all"].definitions
    for term in ("age_z", "acceleration_sex_sd"):
        words = "no participant is known to be female or male"
        assert told(rows[rows.term == term]).str.contains(words).all()
