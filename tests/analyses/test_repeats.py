"""Several photos of a person: reliability, corrected slopes and the face ageing rate, planted and found, or told why not."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.acceleration.repeats import (
    ageing_rate_table,
    ageing_rates,
    attenuation_table,
    closest_pairs,
    dated_photos,
    measured_error,
    reliability_table,
    strata_of,
)
from faceage_bio.core.config import Config
from faceage_bio.core.errors import CohortError
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.tables import read_table, write_table
from faceage_bio.report.sections_acceleration import ageing_rate_section, definition_section
from faceage_bio.report.tables_by_place import collect
from faceage_bio.stats.cox import fit_cox
from tests.commands import output_of
from tests.rows import told

NONE = pd.DataFrame()


def cohort(n=400, seed=1, error=3.0, rate_effect=0.0, twice=1.0):
    """People photographed twice, 0.8 to 2.5 years apart; truth varies by 6 years, a face ages 1 (SD 4) years a year."""
    random = np.random.default_rng(seed)
    age, truth, years = random.uniform(45, 80, n), random.normal(0, 6, n), random.uniform(0.8, 2.5, n)
    rate = 1 + random.normal(0, 4, n) * bool(rate_effect)
    ids = [f"s{k:04d}" for k in range(n)]
    first = pd.DataFrame({"subject_id": ids, "photo_id": [f"a{k}" for k in ids], "photo_date": "2018-01-01"})
    first["face_age"] = age + truth + random.normal(0, error, n)
    later = pd.Timestamp("2018-01-01") + pd.to_timedelta((years * 365.25).round(), unit="D")
    second = first.assign(photo_id=[f"b{k}" for k in ids], photo_date=later.strftime("%Y-%m-%d"))
    second["face_age"] = age + truth + rate * years + random.normal(0, error, n)
    second = second.head(round(n * twice))
    death = random.exponential(4, n) / np.exp(rate_effect * (rate - 1))
    subjects = pd.DataFrame({
        "cohort": "c", "subject_id": ids, "chronological_age": age, "sex": random.choice(["female", "male"], n),
        "followup_years": years + np.minimum(death, 6), "event": (death < 6).astype(float), "entry_years": np.nan,
        "bmi": 27 + 0.3 * truth + random.normal(0, 3, n),
    })  # fmt: skip
    return pd.concat([first, second], ignore_index=True), subjects, truth


def value(table, term, measure):
    return table[(table.term == term) & (table.measure == measure)].iloc[0]


def rates_of(faces, subjects):
    return ageing_rates(dated_photos(faces, NONE, subjects), subjects, (10, 1460))


def corrected(people, error=3.0, n=50, covariates=("sex",), averaged=False):
    """Slopes of BMI, per 10 years, corrected for an error of a photo measured in n participants."""
    return attenuation_table(people, error, n, ["bmi"], list(covariates), 10, averaged)


def test_planted_reliability_is_found_once_ageing_is_taken_out():
    faces, subjects, _ = cohort(2000)
    table = reliability_table(dated_photos(faces, NONE, subjects), None, "c")
    assert value(table, "age_acceleration", "ICC(1,1)").estimate == pytest.approx(36 / 45, abs=0.02)
    error = value(table, "age_acceleration", "standard error of measurement").estimate
    assert error == pytest.approx(3, abs=0.15)
    assert value(table, "age_acceleration", "mean change").estimate == pytest.approx(0, abs=0.3)
    # face age itself grew meanwhile, and differs between people mostly by age
    assert value(table, "face_age", "mean change").estimate == pytest.approx(1.65, abs=0.3)
    assert value(table, "face_age", "ICC(1,1)").estimate > 0.9
    assert measured_error(table)[1] == 2000


def test_unrelated_photos_have_no_reliability():
    faces, subjects, _ = cohort(500)
    second = faces.photo_id.str.startswith("b")
    faces.loc[second, "face_age"] = np.random.default_rng(2).permutation(faces.loc[second, "face_age"])
    found = value(reliability_table(dated_photos(faces, NONE, subjects), None, "c"), "face_age", "ICC(A,1)")
    assert found.ci_lower < 0 < found.ci_upper


def photos_of(*rows):
    return pd.DataFrame(rows, columns=["subject_id", "photo_id", "photo_date", "face_age", "flags"])


def test_pairs_are_the_closest_and_copies_are_none():
    faces = photos_of(
        ("a", "1", "2018-01-01", 60.0, ""), ("a", "2", "2019-01-01", 61.0, ""), ("a", "3", "2019-02-01", 62.0, ""),
        ("b", "4", "2018-01-01", 60.0, "blurred;same_photo_twice"), ("b", "5", "2018-06-01", 60.0, "same_photo_twice"),
        ("c", "6", "2018-01-01", 60.0, ""), ("c", "7", "2022-01-01", 65.0, ""), ("d", "8", None, 60.0, ""), ("d", "9", None, 61.0, ""),
        ("e", "x", "2018-01-01", np.nan, ""), ("e", "y", "2018-02-01", 50.0, ""),
    )  # fmt: skip
    subjects = pd.DataFrame({"subject_id": list("abcde"), "chronological_age": [60.0, 60, 60, 60, 60]})
    photos = dated_photos(faces, NONE, subjects)
    assert len(photos) == 9
    close = closest_pairs(photos, 730)
    expected = [["a", "2", "3", 31]]
    assert close[["subject_id", "photo_id_1", "photo_id_2", "days"]].to_numpy().tolist() == expected
    assert set(closest_pairs(photos, None).subject_id) == {"a", "c", "d"}
    # the age at a photo, from the age at the first one, also if that was not usable
    assert photos.set_index("photo_id").chronological_age["7"] == pytest.approx(64, abs=0.01)
    assert photos.set_index("photo_id").chronological_age["y"] == pytest.approx(60.085, abs=0.01)


def test_two_visits_whose_photos_were_exported_twice_are_two():
    copy = "same_photo_twice"
    faces = photos_of(
        ("a", "1", "2018-01-01", 60.0, copy), ("a", "1 (1)", "2018-01-01", 60.3, copy),  # resized
        ("a", "2", "2019-01-01", 61.0, copy), ("a", "2 (1)", None, 61.0, copy),
    )  # fmt: skip
    subjects = pd.DataFrame({"subject_id": ["a"], "chronological_age": [60.0]})
    assert dated_photos(faces, NONE, subjects).photo_id.tolist() == ["1", "2"]


def test_dates_may_stand_in_a_table_of_photos():
    faces, subjects, _ = cohort(30)
    photos = faces[["photo_id", "photo_date"]].assign(chronological_age=50.0)
    one = dated_photos(faces.drop(columns="photo_date"), photos, subjects)
    assert (one.chronological_age == 50).all()
    assert one.photo_date.notna().all()


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        (pd.DataFrame({"face_age": [60.0]}), "lacks the column.s. subject_id"),
        (pd.DataFrame({"subject_id": ["a"], "face_age": [60.0], "photo_date": ["May 2018?"]}), "It holds May 2018.. Expected a date. Write it as YYYY-MM-DD"),
    ],
)  # fmt: skip
def test_photos_that_do_not_fit_are_told(faces, message):
    with pytest.raises(CohortError, match=message):
        dated_photos(faces, NONE, NONE)


@pytest.mark.parametrize("twice", [0.0, 0.05])
def test_too_few_repeats_keep_their_rows_with_the_reason(twice):
    faces, subjects, _ = cohort(40, twice=twice)
    photos = dated_photos(faces, NONE, subjects)
    table = reliability_table(photos, 730, "c")
    assert told(table[table.term != "interval_years"]).str.startswith("not estimated, because").all()
    assert np.isnan(measured_error(table)[0])
    subjects["age_acceleration"] = 1.0
    rows = corrected(subjects, *measured_error(table))
    assert told(rows).str.startswith("not estimated, because").all()
    rates = ageing_rate_table(ageing_rates(photos, subjects, (10, 1460)), ["sex"], 10, "c")
    assert len(rates) == 6
    assert told(rates[rates.measure == "hazard ratio"]).str.startswith("not estimated, because").all()


def accelerated(n, seed=1):
    faces, subjects, truth = cohort(n, seed)
    first = faces[faces.photo_id.str.startswith("a")].set_index("subject_id").face_age
    people = subjects.assign(face_age=subjects.subject_id.map(first), n_photos=1)
    people["age_acceleration"] = people.face_age - people.chronological_age
    return faces, people, truth


def test_planted_slope_is_flattened_by_the_error_and_comes_back():
    faces, people, _ = accelerated(4000)
    error = measured_error(reliability_table(dated_photos(faces, NONE, people), None, "c"))
    rows = corrected(people, *error).set_index("model").estimate
    assert rows["least squares, HC3 (t)"] == pytest.approx(3 * 36 / 45, abs=0.15)
    assert rows["regression calibration"] == pytest.approx(3, abs=0.2)
    assert rows["SIMEX, quadratic"] == pytest.approx(3, abs=0.3)


def test_the_mean_of_two_photos_needs_less_correction():
    _, people, _ = accelerated(300)
    one = corrected(people, covariates=(), averaged=True)
    two = corrected(people.assign(n_photos=2), covariates=(), averaged=True)
    assert (1 - two.reliability[1]) == pytest.approx((1 - one.reliability[1]) / 2)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"bmi": 27.0}, "does not vary"), ({"bmi": "high"}, "no column of numbers"), ({"age_acceleration": np.nan}, "no participant has all values"),
        ({"age_acceleration": 0.0}, "does not vary"),
    ],
)  # fmt: skip
def test_what_cannot_be_corrected_says_why(change, why):
    _, people, _ = accelerated(60)
    rows = corrected(people.assign(**change))
    assert told(rows).str.contains(why).all()
    assert rows.estimate.isna().all()


def test_an_outcome_that_the_table_lacks_keeps_its_rows():
    _, people, _ = accelerated(60)
    rows = attenuation_table(people, 3.0, 50, ["waist"], ["sex"], 10, False)
    assert told(rows).str.contains("waist is no column of the table").all()
    assert (rows.n == 0).all()


def test_a_covariate_that_no_participant_has_is_left_out_and_said():
    faces, people, _ = accelerated(200)
    bare, without = people.assign(sex=None), people.drop(columns="sex")
    rows = corrected(bare)
    assert (rows.reason == "without_missing columns=sex").all()
    assert (rows.covariates == "age").all()
    expected = corrected(without, covariates=())
    np.testing.assert_allclose(rows.estimate, expected.estimate)
    rates = rates_of(faces, bare)
    table = ageing_rate_table(rates, ["sex"], 10, "c")
    last = table[table.model.str.endswith("+ sex")]
    assert last.reason.str.contains("without_missing columns=sex").all()
    assert last.estimate.notna().all()


def test_nothing_is_corrected_without_a_reliability_and_no_rate_without_spread():
    faces, people, subjects = accelerated(60)
    rows = corrected(people, np.nan)
    assert (told(rows) == "not estimated, because the reliability of a photo is not known").all()
    faces, subjects, _ = cohort(60)
    rates = rates_of(faces, subjects)
    flat = ageing_rate_table(rates.assign(face_ageing_rate=1.0), [], 10, "c")
    why = "not estimated, because the rate does not vary"
    assert (told(flat[flat.measure == "hazard ratio"]) == why).any()


def test_planted_ageing_rate_predicts_death_and_a_permuted_one_does_not():
    faces, subjects, _ = cohort(600, error=0.3, rate_effect=0.3)
    rates = rates_of(faces, subjects)
    table = ageing_rate_table(rates, ["sex"], 10, "c")
    found = table[(table.measure == "hazard ratio") & (table.term == "face_ageing_rate")]
    assert found.model.tolist()[:2] == ["ageing rate alone", "ageing rate + face age + age"]
    for row in found.itertuples():
        assert row.ci_lower < np.exp(0.3) < row.ci_upper + 0.1
        assert row.ci_lower > 1.15
    rates["face_ageing_rate"] = np.random.default_rng(1).permutation(rates.face_ageing_rate)
    nothing = ageing_rate_table(rates, ["sex"], 10, "c")
    row = nothing[(nothing.measure == "hazard ratio") & (nothing.term == "face_ageing_rate")].iloc[1]
    assert row.ci_lower < 1 < row.ci_upper


def test_rate_is_change_per_calendar_year_and_time_starts_at_the_later_photo():
    faces = photos_of(
        ("a", "1", "2018-01-01", 60.0, ""), ("a", "2", "2019-01-01", 99.0, ""), ("a", "3", "2020-01-01", 66.0, ""),
        ("b", "4", "2018-01-01", 60.0, ""), ("b", "5", "2018-01-05", 70.0, ""),
    )  # fmt: skip
    subjects = pd.DataFrame({"subject_id": ["a", "b"], "entry_years": [2.5, np.nan]})
    subjects = subjects.assign(chronological_age=58.0, followup_years=5.0, event=1.0)
    rates = rates_of(faces, subjects)
    assert rates.subject_id.tolist() == ["a"]  # four days tell nothing
    one = rates.iloc[0]
    assert one.face_ageing_rate == pytest.approx(6 / (730 / 365.25))
    assert one.followup_years == pytest.approx(5 - 730 / 365.25)
    assert one.entry_years == pytest.approx(2.5 - 730 / 365.25)
    assert (one.face_age, one.chronological_age) == (60, 58)


def test_each_stratum_is_the_cox_model_of_its_participants_adjusted_as_published():
    faces, subjects, _ = cohort(600, rate_effect=0.2, seed=3)
    subjects["race"] = np.random.default_rng(2).choice(["A", "B"], len(subjects))
    rates = rates_of(faces, subjects)
    table = ageing_rate_table(rates, [], 10, "c", strata_of([10, 1460], [365, 730]))
    assert strata_of([10, 1460], []) == strata_of([10, 300], [365, 730]) == []
    assert strata_of([30, 700], [365, 730]) == [(30, 365), (366, 700)]
    days = (rates.interval_years * 365.25).round()
    for low, high in ((10, 365), (366, 730), (731, 1460)):
        own = rates[days.between(low, high)]
        design = pd.DataFrame({
            "face_ageing_rate": own.face_ageing_rate, "interval_years": own.interval_years, "sex": 1.0 * (own.sex == "male"),
            "race": 1.0 * (own.race == "B"),
        })  # fmt: skip
        expected = fit_cox(own.followup_years, own.event, design).terms.hazard_ratio["face_ageing_rate"]
        found = table[(table.subgroup == f"{low}-{high} days") & (table.term == "face_ageing_rate")].iloc[0]
        assert (found.n, found.estimate) == (len(own), pytest.approx(expected))
        assert found.covariates == "interval, sex, race"


def test_an_empty_stratum_keeps_its_row():
    faces, subjects, _ = cohort(60)
    rates = rates_of(faces, subjects)
    table = ageing_rate_table(rates, [], 10, "c", [(10, 20)])
    row = table[table.subgroup == "10-20 days"].iloc[0]
    assert (row.n, row.status) == (0, "not_estimated")


def test_rate_model_is_the_cox_model_of_its_columns():
    faces, subjects, _ = cohort(200, rate_effect=0.2)
    rates = rates_of(faces, subjects)
    design = pd.DataFrame({
        "face_ageing_rate": rates.face_ageing_rate, "face_age": rates.face_age / 10, "chronological_age": rates.chronological_age / 10,
    })  # fmt: skip
    expected = fit_cox(rates.followup_years, rates.event, design).terms.hazard_ratio
    table = ageing_rate_table(rates, [], 10, "c")
    found = table[table.model == "ageing rate + face age + age"].set_index("term").estimate
    pd.testing.assert_series_equal(found, expected, check_names=False)


def test_those_who_died_before_the_later_photo_are_not_followed():
    faces, subjects, _ = cohort(50)
    subjects.loc[:9, "followup_years"] = 0.5
    table = ageing_rate_table(rates_of(faces, subjects), [], 10, "c")
    assert table[table.measure == "hazard ratio"].n.eq(40).all()
    assert table[table.measure == "mean"].n.eq(50).all()


def test_commands_on_plain_tables_and_their_page(tmp_path):
    faces, people, _ = accelerated(80)
    write_table(faces, tmp_path / "photos.tsv")
    write_table(people, tmp_path / "people.tsv")
    folder = tmp_path / "one" / "acceleration"
    options = "--participants people.tsv --set acceleration.outcomes=bmi --output one/acceleration"
    repeats = "measure-repeats --face-ages photos.tsv --cohort one"
    output_of(f"{repeats} --subjects people.tsv {options}", folder=tmp_path)
    outputs = f"--definitions {folder}/definitions.tsv --sensitivity {folder}/sensitivity.tsv"
    output_of(f"define-acceleration --table people.tsv {outputs}", folder=tmp_path)
    for name in ("definitions", "sensitivity"):
        write_table(read_table(folder / f"{name}.tsv").assign(cohort="one"), folder / f"{name}.tsv")
    tables = collect(sorted(folder.glob("*.tsv")))
    config = Config()
    section = definition_section(tables, "one", config)
    assert len(section["definitions"]) == 14
    assert [row["title"] for row in section["definitions"] if row["chosen"]] == ["residual of a line"]
    assert section["attenuation_figure"].startswith("<svg")
    assert section["reliability_figure"].startswith("<svg")
    assert section["reliability"][0]["estimate"] > 100  # days
    assert ageing_rate_section(tables, "one")["ageing_rate_figure"].startswith("<svg")
    write_table(people.assign(followup_years=people.followup_years * 365.25), tmp_path / "days.tsv")
    output_of(f"{repeats} --subjects days.tsv --unit followup=days --output days", folder=tmp_path)
    pd.testing.assert_frame_equal(
        *(read_table(one / "ageing_rate.tsv") for one in (tmp_path / "days", folder))
    )


def test_rows_that_differ_by_few_participants_are_all_shown(tmp_path):
    base = {"cohort": "one", "term": "age_gap", "measure": "mean", "ci_lower": 1.0, "ci_upper": 3.0}
    rows = [
        base | {"subgroup": "", "n": 100, "estimate": 2.0},
        base | {"subgroup": "older", "n": 97, "estimate": 2.1},
        base | {"subgroup": "sharp", "n": 90, "estimate": 2.2},
    ]
    path = tmp_path / "one" / "acceleration" / "sensitivity.tsv"
    write_table(result_rows(rows, "acceleration/sensitivity"), path)
    tables = collect([path])
    section = definition_section(tables, "one", Config())
    shown = {row["people"]: row["gap"]["estimate"] for row in section["validity"]}
    assert shown == {"all participants": 2.0, "older": 2.1, "sharp": 2.2}
