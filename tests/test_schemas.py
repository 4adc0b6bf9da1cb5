"""Ranges, codes for nothing, dates and units: the same rules for a study's tables and for plain ones."""

import datetime

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from faceage_bio.analyses.acceleration.repeats import dated_photos
from faceage_bio.analyses.age_residual import age_acceleration
from faceage_bio.analyses.survival.check import read_people
from faceage_bio.analyses.survival.follow_up import Time, prepare
from faceage_bio.cli.main import app
from faceage_bio.core.errors import CohortError, ConfigError, Problems
from faceage_bio.core.parse import date_problem, dates_of
from faceage_bio.core.results.reasons import in_words
from faceage_bio.intake.cohort.intake import read_cohorts
from faceage_bio.intake.cohort.photos import read_face_ages
from faceage_bio.intake.observation import in_years, parse_units
from faceage_bio.intake.plain import read_plain
from faceage_bio.intake.schemas import CLINICAL, read_user_table

N = 60
random = np.random.default_rng(4)
PEOPLE = pd.DataFrame({
    "subject_id": [f"p{k}" for k in range(N)], "chronological_age": random.uniform(45, 85, N).round(1),
    "sex": random.choice(["female", "male"], N), "bmi": random.uniform(18, 35, N).round(1), "ecog": random.integers(0, 3, N),
    "albumin": random.uniform(25, 48, N).round(0), "log_ratio": random.normal(0, 3, N).round(2),
    "followup_years": random.uniform(0.1, 5, N).round(3), "event": random.integers(0, 2, N),
})  # fmt: skip
FACES = PEOPLE[["subject_id"]].assign(face_age=(PEOPLE.chronological_age + random.normal(0, 6, N)).round(1))


def plain(folder, **changes):
    """The plain table, in which rows 0 and 1 of columns are changed."""
    return written(folder / "people.tsv", PEOPLE.merge(FACES), changes)


def written(path, table, changes):
    for column, value in changes.items():
        table = table.astype({column: object})
        table.loc[:1, column] = value
    table.to_csv(path, sep="\t", index=False)
    return path


def study(folder, units=None, faces=None, **changes):
    """The same people as a study's tables."""
    clinical = written(folder / "clinical.tsv", PEOPLE, changes)
    written(folder / "faces.tsv", FACES if faces is None else faces, {})
    return read_cohorts(
        {"c": {"clinical": str(clinical), "face_ages": str(folder / "faces.tsv"), "units": units}}
    )


IMPOSSIBLE = [
    ("bmi", -9, "Expected 8 to 100 kg/m2"), ("bmi", 999, "Expected 8 to 100 kg/m2"), ("bmi", 0.27, "Expected 8 to 100 kg/m2"),
    ("bmi", 2700, "Expected 8 to 100 kg/m2"), ("ecog", 9, "Expected 0, 1, 2, 3 or 4"), ("chronological_age", 121, "Expected years above 0, up to 120"), ("chronological_age", 0, "Expected years above 0"), ("albumin", -8, "usual code for an unknown"),
    ("chronological_age", -1, "Expected years above 0, up to 120"), ("albumin", -99, "usual code for an unknown"),
    ("albumin", 999, "usual code for an unknown"), ("followup_years", -0.5, "Follow-up ends before the photo"),
    ("event", 2, "Expected 1 \\(died\\) or 0"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value", "message"), IMPOSSIBLE)
@pytest.mark.parametrize("make", [plain, study])
def test_what_cannot_be_is_refused_with_line_and_value(tmp_path, make, column, value, message):
    def read():
        made = make(tmp_path, **{column: value})
        return read_plain(made) if make is plain else made

    with pytest.raises(CohortError, match=rf"'{column}': 2 row\(s\), line 2: '?{value}.*line 3.*{message}"):
        read()


@pytest.mark.parametrize("value", [0, -1, 131])
def test_face_ages_that_cannot_be_are_refused(tmp_path, value):
    with pytest.raises(
        CohortError, match=r"'face_age': 2 row\(s\), line 2.*Expected years above 0, up to 130"
    ):
        read_plain(plain(tmp_path, face_age=value))
    path = written(tmp_path / "faces.tsv", FACES, {"face_age": value})
    with pytest.raises(
        CohortError, match=r"'face_age': 2 row\(s\), line 2.*Expected years above 0, up to 130"
    ):
        read_face_ages(path, "c")


def test_a_table_without_rows_is_refused(tmp_path):
    path = written(tmp_path / "people.tsv", PEOPLE.head(0), {})
    with pytest.raises(CohortError, match=r"people\.tsv: no rows below the header\. Expected one at least"):
        read_plain(path)


def test_all_bad_rows_come_in_one_message(tmp_path):
    with pytest.raises(CohortError) as error:
        read_people(plain(tmp_path, bmi=999, ecog=9, albumin=-99, face_age=0, event=2))
    assert str(error.value).startswith("5 problems")


def test_measured_values_pass(tmp_path):
    table = PEOPLE.assign(
        ferritin=np.linspace(20, 2500, N).round(), log_ratio=PEOPLE.log_ratio.mask(PEOPLE.index < 2, -9)
    )
    table.loc[5, "ferritin"] = 999
    problems = Problems()
    read_user_table(written(tmp_path / "t.tsv", table, {}), CLINICAL, problems)
    problems.stop_if_any()
    assert len(study(tmp_path)["c"].subjects) == len(read_people(plain(tmp_path))) == N


def test_units_settle_days_and_months(tmp_path):
    days = (PEOPLE.followup_years * 365.25).round()
    table = PEOPLE.assign(followup_years=days, entry_years=days / 2).merge(FACES)
    table.to_csv(tmp_path / "days.tsv", sep="\t", index=False)
    with pytest.raises(
        CohortError, match=r"looks like days.*units: \{followup: days\}, for a command --unit followup=days"
    ):
        read_people(tmp_path / "days.tsv")
    found = read_people(tmp_path / "days.tsv", parse_units(["followup=days", "entry=days"]))
    np.testing.assert_allclose(found.followup_years, days / 365.25)
    np.testing.assert_allclose(found.entry_years, days / 365.25 / 2)
    done = CliRunner().invoke(
        app, ["prepare-follow-up", "--participants", str(tmp_path / "days.tsv"), "--unit", "followup=days", "--unit", "entry=days",
              "--output", str(tmp_path)], catch_exceptions=False
    )  # fmt: skip
    assert done.exit_code == 0
    clinical = table.drop(columns=["face_age", "entry_years"])
    clinical.to_csv(tmp_path / "clinical.tsv", sep="\t", index=False)
    FACES.to_csv(tmp_path / "faces.tsv", sep="\t", index=False)
    cohort = {"clinical": str(tmp_path / "clinical.tsv"), "face_ages": str(tmp_path / "faces.tsv")}
    with pytest.raises(CohortError, match="looks like days"):
        read_cohorts({"c": cohort})
    subjects = read_cohorts({"c": cohort | {"units": {"followup": "days"}}}, 365.0)["c"].subjects
    np.testing.assert_allclose(subjects.followup_years, days / 365)
    assert in_years(table, {"followup": "months"}).followup_years[0] == days[0] / 12
    with pytest.raises(ConfigError, match="--unit time=days: expected followup, entry or age"):
        parse_units(["time=days"])


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1950-02-29", "a day of the calendar, which has none of this date"), ("01/02/2020", "Write it as YYYY-MM-DD"),
        ("1950-02", "Expected a date with its day. Write it as YYYY-MM-DD; if the day is not known, give years"), ("18322", "a spreadsheet's serial number of a day looks so. Show the column as dates"), ("1900-01-01", "where none is known"),
        ("2099-01-01", "Expected a day that has been"),
        (str(datetime.date.today() + datetime.timedelta(days=1)), "Expected a day that has been"),
    ],
)  # fmt: skip
def test_a_date_that_cannot_be_has_its_own_reason_everywhere(tmp_path, cell, message):
    assert message in date_problem(cell)
    assert date_problem(str(datetime.date.today())) == ""
    table = PEOPLE.assign(birth_date="")
    table.loc[0, "birth_date"] = cell
    written(tmp_path / "clinical.tsv", table, {})
    written(tmp_path / "faces.tsv", FACES, {})
    cohort = {"clinical": str(tmp_path / "clinical.tsv"), "face_ages": str(tmp_path / "faces.tsv")}
    with pytest.raises(CohortError, match=f"'birth_date': 1 row.*{message}"):
        read_cohorts({"c": cohort})
    photos = FACES.assign(photo_date=[cell] + ["2020-01-01"] * (N - 1), photo_id=FACES.subject_id)
    with pytest.raises(CohortError, match=message):
        dated_photos(photos, pd.DataFrame(), pd.DataFrame())
    people = PEOPLE.assign(cohort="c", age_acceleration=0.0, photo_date="2020-01-01", diagnosis_date=cell)
    with pytest.raises(CohortError, match=message):
        prepare(people, Time(zero="diagnosis_date"))


def test_day_and_month_are_not_told_apart_by_the_repeat_photo_command(tmp_path):
    rows = FACES.head(20).assign(photo_date="01/02/2020", photo_id=FACES.subject_id, chronological_age=50.0)
    rows.to_csv(tmp_path / "photos.tsv", sep="\t", index=False)
    done = CliRunner().invoke(
        app, ["measure-repeats", "--face-ages", str(tmp_path / "photos.tsv"), "--output", str(tmp_path)]
    )  # fmt: skip
    assert isinstance(done.exception, CohortError)
    assert "'photo_date': 20 row(s), line 2: '01/02/2020'" in str(done.exception)
    assert "Expected a date. Write it as YYYY-MM-DD" in str(done.exception)
    assert not (tmp_path / "reliability.tsv").exists()


def test_times_of_day_are_kept_for_photos_alone(tmp_path):
    typed = ["2020-01-31 10:15", "2020-01-31T10:15:30.25", "2020-01-31", "2020-01-31 00:00:00", ""]
    faces = FACES.assign(photo_id=FACES.subject_id, photo_date=(typed * N)[:N])
    people = PEOPLE.assign(
        followup_years="", followup_date="2020-01-31", birth_date="1960-01-31 23:59", chronological_age=""
    )
    people = people.assign(entry_years="").drop(index=people.index[faces.photo_date == ""])
    faces = faces[faces.photo_date != ""]
    written(tmp_path / "faces.tsv", faces, {})
    written(tmp_path / "clinical.tsv", people, {})
    cohort = {"clinical": str(tmp_path / "clinical.tsv"), "face_ages": str(tmp_path / "faces.tsv")}
    found = read_cohorts({"c": cohort})["c"]
    assert found.photos.photo_date.tolist()[:4] == [
        "2020-01-31 10:15:00", "2020-01-31 10:15:30", "2020-01-31", "2020-01-31",
    ]  # fmt: skip
    # a death on the day of the photo is at time 0, and age is counted in days, whatever the time of day
    assert found.subjects.followup_years.eq(0).all()
    assert found.subjects.chronological_age.to_numpy() == pytest.approx(21915 / 365.25)
    assert found.photos.chronological_age.to_numpy() == pytest.approx(21915 / 365.25)
    written(tmp_path / "faces.tsv", faces.assign(photo_date="31.01.2020 8:05"), {})
    assert (
        read_cohorts({"c": cohort | {"date_format": "DD.MM.YYYY", "clinical": None}})["c"].photos.photo_date[
            0
        ]
        == "2020-01-31 08:05:00"
    )
    written(tmp_path / "faces.tsv", faces.assign(photo_date="2020-01-31 25:10"), {})
    with pytest.raises(
        CohortError,
        match=r"line 2: '2020-01-31 25:10'.*Expected a time of day from 00:00 to 23:59 behind the date. Correct",
    ):
        read_cohorts({"c": cohort})


def test_missing_dates_stay_missing():
    table = pd.DataFrame({"day": ["2020-01-31", None, "", "NA"]})
    assert dates_of(table, "day", "x").notna().tolist() == [True, False, False, False]
    with pytest.raises(
        CohortError, match=r"x needs the column 'other' \(dates YYYY-MM-DD\), and the table has none"
    ):
        dates_of(table, "other", "x")


def test_a_death_with_an_impossible_date_is_told_once(tmp_path):
    table = PEOPLE.assign(followup_years="", followup_date="2099-01-01", event=1)
    written(tmp_path / "clinical.tsv", table, {})
    written(tmp_path / "faces.tsv", FACES.assign(photo_date="2020-01-01"), {})
    with pytest.raises(CohortError) as error:
        read_cohorts(
            {"c": {"clinical": str(tmp_path / "clinical.tsv"), "face_ages": str(tmp_path / "faces.tsv")}}
        )
    assert str(error.value).startswith("1 problem ")


def test_a_face_that_is_the_age_has_no_acceleration(tmp_path):
    table = PEOPLE.assign(face_age=PEOPLE.chronological_age)
    table.to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    assert (read_people(tmp_path / "people.tsv").age_acceleration == 0).all()
    assert (age_acceleration(table.face_age, table.chronological_age) == 0).all()
    done = CliRunner().invoke(
        app, ["fit-survival", "--participants", str(tmp_path / "people.tsv"), "--set", "survival.added_value.bootstraps=0", "--output", str(tmp_path)],
        catch_exceptions=False,
    )  # fmt: skip
    assert done.exit_code == 0
    cox = pd.read_csv(tmp_path / "cox.tsv", sep="\t")
    assert "age acceleration does not vary" in in_words(cox[cox.term == "age_acceleration"].reason.iloc[0])
    compared = pd.read_csv(tmp_path / "age_comparison.tsv", sep="\t").groupby("model").last()
    assert "face age and chronological age do not differ" in in_words(compared.reason["two models"])
    assert "follows from" in in_words(compared.reason["one model with both"])
