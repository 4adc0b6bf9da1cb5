"""Age gap and age acceleration."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.analyses.acceleration.acceleration_stage import compute, describe
from faceage_bio.analyses.acceleration.definitions import PLACES
from faceage_bio.analyses.acceleration.photo_that_counts import one_per_subject
from faceage_bio.analyses.acceleration.repeats import dated_photos
from faceage_bio.analyses.age_residual import age_acceleration, fit_line, years_above
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import CohortError, ConfigError, FitError
from faceage_bio.core.settings.settings_acceleration import Acceleration
from tests.rows import told
from tests.survival_studies import COHORT


@given(st.floats(-40, 40), st.floats(0.2, 3))
def test_the_same_years_on_every_face_change_nothing(years, factor):
    plain = age_acceleration(COHORT.face_age, COHORT.chronological_age)
    later = age_acceleration(COHORT.face_age + years, COHORT.chronological_age)
    np.testing.assert_allclose(later, plain, atol=1e-9)
    wider = age_acceleration(COHORT.face_age * factor, COHORT.chronological_age)
    np.testing.assert_allclose(wider, plain * factor, atol=1e-9)


AGES = st.tuples(st.floats(20, 90), st.floats(10, 110))


@given(st.lists(AGES, min_size=12, max_size=40, unique_by=lambda pair: round(pair[0], 1)))
def test_acceleration_is_free_of_age_and_sums_to_nothing(pairs):
    table = pd.DataFrame(pairs, columns=["age", "face"])
    excess = age_acceleration(table.face, table.age)
    assert excess.mean() == pytest.approx(0, abs=1e-7)
    assert np.dot(excess, table.age - table.age.mean()) == pytest.approx(0, abs=1e-4)


def test_a_line_from_elsewhere_is_applied_as_it_is():
    line = fit_line(COHORT.face_age, COHORT.chronological_age)
    people = COHORT.head(2) + 1
    expected = people.face_age - (line.intercept + line.slope * people.chronological_age)
    np.testing.assert_allclose(
        years_above(people.face_age, line.expected(people.chronological_age)), expected
    )


@pytest.mark.parametrize(
    ("face", "age", "message"),
    [
        (COHORT.face_age.head(5), COHORT.chronological_age.head(5), r"5 participants with both ages are too few for a line .at least 10."),
        (COHORT.face_age, COHORT.chronological_age * 0 + 60, "fewer than 3 distinct chronological ages"),
        (COHORT.face_age, COHORT.chronological_age.iloc[::-1], "ages are of different participants"),
        (COHORT.face_age.mask(COHORT.index == 3), COHORT.chronological_age, "an age is missing"),
    ],
)  # fmt: skip
def test_no_line_without_participants_or_ages(face, age, message):
    with pytest.raises(FitError, match=message):
        age_acceleration(face, age)


def photo_tables():
    ids = {"photo_id": ["p1", "p2", "p3"], "subject_id": ["a", "a", "b"]}
    dates = ["2020-01-01", "2022-01-01", "2020-01-01"]
    photos = pd.DataFrame(ids | {"photo_date": dates, "chronological_age": [60.0, 62.0, np.nan]})
    people = pd.DataFrame({
        "subject_id": ["a", "b", "c"], "chronological_age": [60.0, 48.0, 70.0], "followup_years": [5.0, 3.0, 1.0], "entry_years": np.nan,
    })  # fmt: skip
    return pd.DataFrame(ids | {"face_age": [65.0, 70.0, 50.0]}), photos, people


@pytest.mark.parametrize(
    ("rule", "face", "age", "followup"),
    [
        ("first", 65.0, 60.0, 5.0),
        ("last", 70.0, 62.0, 5 - 731 / 365.25),
        ("mean", 67.5, 61.0, 5 - 731 / 365.25),
    ],
)
def test_which_photo_counts_and_where_time_starts(rule, face, age, followup):
    table = one_per_subject(*photo_tables(), Acceleration(repeat_photos=rule)).set_index("subject_id")
    assert table.face_age["a"] == face
    assert table.chronological_age["a"] == age
    assert table.followup_years["a"] == pytest.approx(followup)
    assert table.n_photos.to_dict() == {"a": 2, "b": 1, "c": 0}
    assert np.isnan(table.face_age["c"])


def sessions():
    """Three photos of one day, one two days later, one a year later; and a participant whose photos have no dates."""
    dates = ["2020-01-01"] * 3 + ["2020-01-03", "2021-01-01", None, None]
    ids = {"photo_id": [f"p{number}" for number in range(7)], "subject_id": ["a"] * 5 + ["b"] * 2}
    photos = pd.DataFrame(ids | {"photo_date": dates, "chronological_age": np.nan})
    faces = pd.DataFrame(ids | {"face_age": [60.0, 61.0, 90.0, 40.0, 99.0, 50.0, 70.0]})
    known = pd.DataFrame({
        "subject_id": ["a", "b"], "chronological_age": [58.0, 40.0], "followup_years": 4.0, "entry_years": np.nan,
    })  # fmt: skip
    return faces, photos, known


@pytest.mark.parametrize(
    ("days", "face", "later"), [(0, 61.0, 0), (1, 61.0, 0), (2, 60.5, 2), (400, 61.0, 366)]
)
def test_median_is_of_the_photos_of_the_first_session(days, face, later):
    settings = Acceleration(repeat_photos="median", session_days=days)
    table = one_per_subject(*sessions(), settings).set_index("subject_id")
    assert table.face_age["a"] == face
    assert table.followup_years["a"] == pytest.approx(4 - later / 365.25)
    assert table.chronological_age["a"] == pytest.approx(58 + later / 365.25)
    assert table.face_age["b"] == 50.0  # without dates no session: as with `first`


@pytest.mark.parametrize(
    ("minutes", "face"), [(0, 60.0), (14, 60.0), (15, 60.5), (20, 61.0), (24 * 60, 61.0), (3 * 24 * 60, 60.5)]
)
def test_a_session_may_be_of_minutes(minutes, face):
    faces, photos, known = sessions()
    at = ["2020-01-01 23:50", "2020-01-02T00:05:00", "2020-01-02 00:10:00.5", "2020-01-03 10:00"]
    photos["photo_date"] = [*at, "2021-01-01", "2020-01-01", "2020-01-01 08:00"]
    settings = Acceleration(repeat_photos="median", session_minutes=minutes)
    table = one_per_subject(faces, photos, known, settings).set_index("subject_id")
    assert table.face_age["a"] == face
    assert table.photo_date["a"] in ("2020-01-01", "2020-01-02", "2020-01-03")  # days alone go on
    assert table.face_age["b"] == 50.0  # at what time the first was taken is not known


def test_days_between_photos_are_those_of_the_calendar():
    faces, photos, known = sessions()
    photos["photo_date"] = ["2020-01-01 23:00", None, None, None, "2020-01-03 01:00", None, None]
    table = one_per_subject(faces, photos, known, Acceleration(repeat_photos="last")).set_index("subject_id")
    assert table.followup_years["a"] == pytest.approx(4 - 2 / 365.25)  # no undated one is the last
    faces = faces.iloc[[0, 4]]
    late = known.assign(diagnosis_date="2020-01-02")
    nearest = Acceleration(repeat_photos="nearest", nearest_to="diagnosis_date")
    table = one_per_subject(faces, photos, late, nearest).set_index("subject_id")
    assert table.face_age["a"] == 60.0  # both a day away: the earlier
    assert dated_photos(faces, photos, known).years.tolist() == pytest.approx([0, 2 / 365.25])


def test_the_mean_of_photos_is_compared_with_the_mean_age_at_them():
    """Faces as old as their owners, some photographed again after 8 years; with an undated photo among dated ones the age is not known."""
    known = pd.DataFrame(
        {
            "subject_id": ["once", "twice", "mixed"],
            "chronological_age": [50.0, 60.0, 70.0],
            "followup_years": 9.0,
            "entry_years": 0.0,
        }
    )
    taken = [
        ("once", 50.0, "2011-01-01"),
        ("twice", 60.0, "2011-01-01"),
        ("twice", 68.0, "2019-01-01"),
        ("mixed", 70.0, "2011-01-01"),
        ("mixed", 75.0, None),
    ]
    faces = pd.DataFrame(taken, columns=["subject_id", "face_age", "photo_date"]).assign(
        photo_id=[f"p{k}" for k in range(5)], flags=""
    )
    photos = faces[["photo_id", "photo_date"]].assign(chronological_age=np.nan)
    table = one_per_subject(
        faces.drop(columns="photo_date"), photos, known, Acceleration(repeat_photos="mean")
    ).set_index("subject_id")
    assert table.chronological_age["once"] == 50
    assert table.chronological_age["twice"] == pytest.approx(table.face_age["twice"], abs=0.01)
    assert np.isnan(table.chronological_age["mixed"])


def test_minutes_without_times_of_day_are_told():
    message = r"session_minutes needs times of day, and 'photo_date' has dates alone in 5 of 7 photos. Expected such as 2021-03-04 10:15. Write"
    with pytest.raises(CohortError, match=message):
        one_per_subject(*sessions(), Acceleration(repeat_photos="median", session_minutes=30))
    words = "session_days and session_minutes both say how long a session is; give one"
    with pytest.raises(ConfigError, match=words):
        check_config({"acceleration": {"session_days": 1, "session_minutes": 5}})


def test_a_session_starts_at_the_first_photo_that_can_be_used():
    faces, photos, known = sessions()
    faces.loc[:3, "face_age"] = np.nan
    table = one_per_subject(faces, photos, known, Acceleration(repeat_photos="median")).set_index(
        "subject_id"
    )
    assert table.face_age["a"] == 99.0
    assert table.followup_years["a"] == pytest.approx(4 - 366 / 365.25)


def test_if_the_first_photo_is_unusable_time_starts_at_the_second():
    faces, photos, people = photo_tables()
    faces.loc[0, "face_age"] = np.nan
    people.loc[0, "followup_years"] = 1.0  # died between the photos
    table = one_per_subject(faces, photos, people, Acceleration()).set_index("subject_id")
    assert table.face_age["a"] == 70.0
    assert table.followup_years["a"] < 0
    assert table.ended_before_photo["a"]


def cohort_tables(n, group, shift, seed):
    random = np.random.default_rng(seed)
    age = random.uniform(40, 80, n)
    ids = {"subject_id": [f"{group}{k}" for k in range(n)]}
    nothing = dict.fromkeys(("followup_years", "entry_years", "event"), np.nan)
    people = pd.DataFrame({"cohort": group} | ids | {"chronological_age": age, "group": group} | nothing)
    ids["photo_id"] = ids["subject_id"]
    faces = pd.DataFrame(ids | {"face_age": age + shift + random.normal(0, 4, n)})
    return people, pd.DataFrame(ids | {"photo_date": None, "chronological_age": np.nan}), faces


def test_fitted_in_the_reference_group_the_difference_stays_and_within_cohorts_it_vanishes():
    tables = [cohort_tables(200, "cancer", 5, 1), cohort_tables(200, "reference", 0, 2)]
    inputs = [list(column) for column in zip(*tables, strict=True)]
    names = ["cancer", "reference"]
    own = compute(*inputs, names, Acceleration())
    assert own["cancer"].table.age_acceleration.mean() == pytest.approx(0, abs=1e-9)
    shared = compute(*inputs, names, Acceleration(fit_in="reference"))
    assert shared["cancer"].table.age_acceleration.mean() == pytest.approx(5, abs=1)
    assert shared["reference"].table.age_acceleration.mean() == pytest.approx(0, abs=1e-9)


def test_a_cohort_by_itself_has_the_ages_of_all_together_and_definitions_by_controls_follow():
    """The workflow computes each cohort by itself, and what needs the controls of another afterwards."""
    names = ["one", "two"]
    parts = [cohort_tables(80, "cancer", 4, 1), cohort_tables(90, "reference", 0, 2)]
    inputs = [[part[k] for part in parts] for k in range(3)]
    whole = compute(*inputs, names, Acceleration())
    alone = {
        name: compute(*([table] for table in part), [name], Acceleration(), places=PLACES[:1])[name]
        for name, part in zip(names, parts, strict=True)
    }
    for name in names:
        assert not [column for column in alone[name].table if column.endswith("_reference")]
        pd.testing.assert_frame_equal(alone[name].table, whole[name].table[list(alone[name].table)])
        pd.testing.assert_frame_equal(alone[name].summary, whole[name].summary)
    later = describe({name: one.table for name, one in alone.items()}, Acceleration())
    for name in names:
        assert later[name].table["acceleration_linear_reference"].notna().all()
        pd.testing.assert_frame_equal(later[name].table[list(whole[name].table)], whole[name].table)
        pd.testing.assert_frame_equal(later[name].definitions, whole[name].definitions)
        pd.testing.assert_frame_equal(later[name].definition_bands, whole[name].definition_bands)


def test_face_ages_of_unknown_participants_are_told():
    people, photos, faces = cohort_tables(30, "cancer", 5, 1)
    message = r"1 face age.s. are of subjects whom the clinical table does not have: cancer7.*Expected subjects of the clinical table. Add them there"
    with pytest.raises(CohortError, match=message):
        compute([people[people.subject_id != "cancer7"]], [photos], [faces], ["c"], Acceleration())


def test_too_few_participants_keep_their_rows_with_a_reason():
    people, photos, faces = cohort_tables(6, "cancer", 5, 1)
    result = compute([people], [photos], [faces], ["c"], Acceleration())["c"]
    assert set(result.ledger.reason) == {"too_few_for_a_line"}
    assert "not estimated, because 6 participants" in told(result.summary).str.cat()
    assert result.table.age_gap.notna().all()
