"""Plain tables of people: understood as a clinical table is, every problem told at once with its line, nothing counted twice."""

import datetime

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.analyses.acceleration.repeats import dated_photos
from faceage_bio.analyses.age_residual import age_acceleration
from faceage_bio.analyses.survival.follow_up import prepare, read_people
from faceage_bio.core.errors import CohortError, ConfigError, Problems
from faceage_bio.core.parse import date_problem, dates_of, to_numbers
from faceage_bio.core.results.reasons import in_words
from faceage_bio.core.settings.settings_cohort import Cohort, SheetForm
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.tables import write_table
from faceage_bio.intake.cohort.intake import read_cohorts
from faceage_bio.intake.cohort.photos import read_face_ages
from faceage_bio.intake.observation import check_years, in_years, parse_units
from faceage_bio.intake.plain import read_plain
from faceage_bio.intake.schemas import CLINICAL, read_user_table
from tests.commands import output_of


@pytest.fixture
def read(tmp_path):
    def of(text: str, name="people.tsv", **options) -> pd.DataFrame:
        (tmp_path / name).write_text(text.replace(" ", "\t") if name.endswith("tsv") else text)
        return read_plain(tmp_path / name, **options)

    return of


def test_empty_cells_and_words_for_nothing_are_missing_and_usual_words_are_ours(read):
    table = read(
        "subject_id face_age chronological_age sex smoking bmi ecog site event\n"
        "007 61.5 60 F ex NA 1 lung died\nb 70 NA male NA 25 unknown NA alive\nc NA 55 Woman never 31.5 0 . 0\n"
    )
    assert list(table.subject_id) == ["007", "b", "c"]
    assert list(table.sex) == ["female", "male", "female"]
    assert table.smoking.tolist() == ["former", None, "never"]
    np.testing.assert_array_equal(table.bmi, [np.nan, 25, 31.5])
    np.testing.assert_array_equal(table.ecog, [1, np.nan, 0])
    assert table.site.tolist() == ["lung", None, None]
    np.testing.assert_array_equal(table.event, [1, 0, 0])
    np.testing.assert_array_equal(table.face_age, [61.5, 70, np.nan])


def test_words_of_ones_own_stay(read):
    table = read("face_age chronological_age tobacco grade\n60 60 light >=3\n61 60 never 2\n")
    assert table.tobacco.tolist() == ["light", "never"]
    assert table.grade.tolist() == [">=3", "2"]
    with pytest.raises(CohortError, match=r"'light'\. Expected never, former, current") as error:
        read("face_age chronological_age smoking ecog\n60 60 light >=3\n61 60 never 2\n")
    assert "line 2: '>=3'. Expected a number" in str(error.value)


def test_every_problem_is_told_at_once_with_its_line(read):
    with pytest.raises(CohortError) as caught:
        read(
            "subject_id,cohort,face_age,chronological_age,bmi,pack_years,height\n"
            "a,x,61y,60,27,10,1.7\nb,x,inf,130,obese,10,inf\nb,x,65,61,25,10,1.6\nb,y,65,61,25,10,1.6\n",
            name="people.csv",
        )
    for told in (
        "people.csv: column 'face_age': 2 row(s), line 2: '61y'; line 3: 'inf'. Expected a number. Write a plain number such as 57.4",
        "column 'chronological_age': 1 row(s), line 3: '130'",
        "Expected years above 0, up to 120",
        "column 'bmi': 1 row(s), line 3: 'obese'. Expected a number. Write a plain number such as 57.4",
        "column 'subject_id': 2 row(s), line 3: 'b'; line 4: 'b'. It stands more than once",
    ):
        assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("face_age\n60\n", "no column 'chronological_age'; it has face_age"),
        ("face_age chronological_age sex\n60 60 0\n61 60 1\n", "'sex': 2 row.s., line 2: '0'; line 3: '1'. Expected female or male"),
        ("face_age chronological_age event\n60 60 perhaps\n", "column 'event': 1 row.s., line 2: 'perhaps'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(read, text, message):
    with pytest.raises(CohortError, match=message):
        read(text)


def test_one_row_per_photo_where_photos_are_asked(read):
    text = "subject_id photo_id face_age\na 1 60\na 2 61\n"
    assert len(read(text, needed=("face_age",), one_row_per="photo_id")) == 2
    with pytest.raises(CohortError, match="'photo_id': 2 row"):
        read(text.replace("a 2", "a 1"), needed=("face_age",), one_row_per="photo_id")


# pandas' to_numeric dies of such text
@pytest.mark.parametrize("texts", [["8e123456789012345", "a1b2"], ["12e45678901234567890", "1e5"]])
def test_identifiers_that_look_like_huge_numbers_end_nothing(read, texts):
    table = read("face_age chronological_age checksum\n60 61 {}\n62 63 {}\n".format(*texts))
    assert table.checksum.tolist() == texts


@pytest.mark.parametrize("kind", [object, "string"])  # pandas' own conversion breaks down in both
def test_words_of_either_kind_that_look_like_huge_numbers_are_no_numbers(kind):
    cells = pd.Series(["1.5", "12e45678901234567890", None], dtype=kind)
    assert to_numbers(cells).fillna(-1).tolist() == [1.5, -1, -1]


def test_huge_numbers_are_no_measurements(read):
    with pytest.raises(CohortError, match="'bmi': 2 row"):
        read("face_age chronological_age bmi\n60 61 8e123456789012345\n62 63 1_000\n")
    with pytest.raises(CohortError, match="'face_age': 1 row"):
        read("face_age chronological_age\n1e99999999999999999999 61\n62 63\n")


@given(st.lists(st.tuples(st.floats(0, 120), st.floats(-50, 200)), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_our_own_tables_pass_as_they_are(tmp_path_factory, rows):
    table = pd.DataFrame(rows, columns=["chronological_age", "face_age"])
    table["subject_id"] = [f"{k:03d}" for k in range(len(table))]
    table["valid_age"] = pd.array([None, *[True] * (len(table) - 1)], dtype="boolean")
    table["race"] = None
    path = tmp_path_factory.mktemp("own") / "acceleration.parquet"
    write_table(table, path)
    pd.testing.assert_frame_equal(read_plain(path), table)


@pytest.mark.parametrize(
    ("column", "value", "advice"),
    [
        ("sex", "1", "Expected female or male. Write one of them."),
        ("smoking", "perhaps", "Write one of them."),
        ("bmi", "22,5x", ""),
        ("face_age", "61,5", "Write a decimal point, not a comma."),
    ],
)
def test_advice_for_a_plain_table_needs_no_config(tmp_path, column, value, advice):
    row = {"subject_id": "P1", "chronological_age": "60", "face_age": "61"}
    row |= {"sex": "male", "smoking": "never", "bmi": "22", column: value}
    pd.DataFrame([row]).to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    with pytest.raises(CohortError) as told:
        read_plain(tmp_path / "a.tsv")
    assert str(told.value).endswith(advice)
    assert "declare" not in str(told.value)
    assert "config" not in str(told.value)


# Ranges, codes for nothing, dates and units: the same rules for a study's tables and for plain ones.


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


def cohort_of(folder, table, faces=None, year_days=365.25, **more):
    """Both tables written, and a study of them read."""
    written(folder / "clinical.tsv", table, {})
    written(folder / "faces.tsv", FACES if faces is None else faces, {})
    files = {"clinical": str(folder / "clinical.tsv"), "face_ages": str(folder / "faces.tsv")}
    return read_cohorts({"c": Cohort(**files | more)}, year_days)["c"]


def study(folder, **changes):
    """The same participants as a study's tables."""
    return cohort_of(
        folder, pd.read_csv(written(folder / "changed.tsv", PEOPLE, changes), sep="\t", dtype=str)
    )


IMPOSSIBLE = [
    ("bmi", -9, "Expected 8 to 100 kg/m2"), ("bmi", 999, "Expected 8 to 100 kg/m2"), ("bmi", 0.27, "Expected 8 to 100 kg/m2"),
    ("bmi", 2700, "Expected 8 to 100 kg/m2"), ("ecog", 9, "Expected 0, 1, 2, 3 or 4"), ("chronological_age", 121, "Expected years above 0, up to 120"), ("chronological_age", 0, "Expected years above 0"), ("albumin", -8, "usual code for an unknown"),
    ("chronological_age", -1, "Expected years above 0, up to 120"), ("albumin", -99, "usual code for an unknown"),
    ("albumin", 999, "usual code for an unknown"), ("bmi", 99, "usual code for an unknown"), ("followup_years", -0.5, "Follow-up ends before the photo"),
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
    message = r"'face_age': 2 row\(s\), line 2.*Expected years above 0, up to 130"
    with pytest.raises(CohortError, match=message):
        read_plain(plain(tmp_path, face_age=value))
    with pytest.raises(CohortError, match=message):
        read_face_ages(written(tmp_path / "faces.tsv", FACES, {"face_age": value}), "c")


def test_a_table_without_rows_is_refused(tmp_path):
    path = written(tmp_path / "people.tsv", PEOPLE.head(0), {})
    with pytest.raises(CohortError, match=r"people\.tsv: no rows below the header\. Expected one at least"):
        read_plain(path)


def test_all_bad_rows_come_in_one_message(tmp_path):
    with pytest.raises(CohortError) as error:
        read_people(plain(tmp_path, bmi=999, ecog=9, albumin=-99, face_age=0, event=2))
    assert str(error.value).startswith("5 problems")


def test_measured_values_pass(tmp_path):
    ratio = PEOPLE.log_ratio.mask(PEOPLE.index < 2, -9)
    table = PEOPLE.assign(ferritin=np.linspace(20, 2500, N).round(), log_ratio=ratio)
    table.loc[5, "ferritin"] = 999
    problems = Problems()
    read_user_table(written(tmp_path / "t.tsv", table, {}), CLINICAL, problems)
    problems.stop_if_any()
    assert len(study(tmp_path).subjects) == len(read_people(plain(tmp_path))) == N


@pytest.mark.parametrize("column", ["followup_years", "crp"])
def test_99_may_be_measured_where_no_range_is_known_and_is_cautioned(tmp_path, capsys, column):
    values = np.linspace(3, 45, N).round()
    table = PEOPLE.assign(**{"followup_years": values, "crp": values})
    table.loc[5, column] = 99
    path, units = written(tmp_path / "t.tsv", table, {}), {"followup": "months"}

    def read(**form):
        problems = Problems()
        found = read_user_table(path, CLINICAL, problems, SheetForm(units=units, **form)).values[column]
        problems.stop_if_any()
        return found.iloc[5], problems.cautions

    value, cautions = read()
    assert value == (99 / 12 if column == "followup_years" else 99)
    told = (
        f"t.tsv: column '{column}': 1 row(s) hold 99 (line 7), a usual code for an unknown value, and all others are at most 45. It is taken as measured. "
        "If it is a code, leave the cell empty"
    )
    declared = f'codings: {{{column}: {{"99": NA}}}}'
    assert cautions == {column: [f"{tmp_path}/{told}, or declare {declared}."]}
    value, cautions = read(**yaml.safe_load(declared))
    assert np.isnan(value)
    assert not cautions
    read_plain(written(path, table.merge(FACES), {}), units=units)
    assert f"{told}.\n" in capsys.readouterr().out
    table[column] = table[column].clip(upper=19).where(table[column] < 99, 99)
    written(path, table, {})
    with pytest.raises(CohortError, match=f"'{column}': 1 row.s., line 7: '99.0'. It lies far"):
        read()


def test_units_settle_days_and_months(tmp_path):
    days = (PEOPLE.followup_years * 365.25).round()
    table = PEOPLE.assign(followup_years=days, entry_years=days / 2).merge(FACES)
    path = written(tmp_path / "days.tsv", table, {})
    message = r"looks like days.*units: \{followup: days\}, for a command --unit followup=days"
    with pytest.raises(CohortError, match=message):
        read_people(path)
    found = read_people(path, parse_units(["followup=days", "entry=days"]))
    np.testing.assert_allclose(found.followup_years, days / 365.25)
    np.testing.assert_allclose(found.entry_years, days / 365.25 / 2)
    units = "--unit followup=days --unit entry=days"
    for length in (365.25, 365):
        how = f"{units} --set survival.year_days={length}"
        output_of(f"prepare-follow-up --participants days.tsv {how} --output .", folder=tmp_path)
        followed = pd.read_parquet(tmp_path / "follow_up.parquet")
        np.testing.assert_allclose(followed.followup_years, days / length)
    clinical = table.drop(columns=["face_age", "entry_years"])
    with pytest.raises(CohortError, match="looks like days"):
        cohort_of(tmp_path, clinical)
    subjects = cohort_of(tmp_path, clinical, year_days=365.0, units={"followup": "days"}).subjects
    np.testing.assert_allclose(subjects.followup_years, days / 365)
    assert in_years(table, {"followup": "months"}, 365.25).followup_years[0] == days[0] / 12
    with pytest.raises(ConfigError, match="--unit time=days: expected followup, entry or age"):
        parse_units(["time=days"])


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1950-02-29", "a day of the calendar, which has none of this date"), ("01/02/2020", "Write it as YYYY-MM-DD"),
        ("1950-02", "Expected a date with its day. Write it as YYYY-MM-DD; if the day is not known, give years"), ("18322", "a spreadsheet's serial number of a day looks so. Show the column as dates"), ("1900-01-01", "where none is known"),
        ("2099-01-01", "Expected a day that has been"),
        pytest.param(str(datetime.date.today() + datetime.timedelta(days=1)), "Expected a day that has been", id="tomorrow"),
    ],
)  # fmt: skip
def test_a_date_that_cannot_be_has_its_own_reason_everywhere(tmp_path, cell, message):
    assert message in date_problem(cell)
    assert date_problem(str(datetime.date.today())) == ""
    table = PEOPLE.assign(birth_date="")
    table.loc[0, "birth_date"] = cell
    with pytest.raises(CohortError, match=f"'birth_date': 1 row.*{message}"):
        cohort_of(tmp_path, table)
    photos = FACES.assign(photo_date=[cell] + ["2020-01-01"] * (N - 1), photo_id=FACES.subject_id)
    with pytest.raises(CohortError, match=message):
        dated_photos(photos, pd.DataFrame(), pd.DataFrame())
    people = PEOPLE.assign(cohort="c", age_acceleration=0.0, photo_date="2020-01-01", diagnosis_date=cell)
    with pytest.raises(CohortError, match=message):
        prepare(people, Survival(time_zero="diagnosis_date"))


def test_day_and_month_are_not_told_apart_by_the_repeat_photo_command(tmp_path):
    rows = FACES.head(20).assign(photo_date="01/02/2020", photo_id=FACES.subject_id, chronological_age=50.0)
    rows.to_csv(tmp_path / "photos.tsv", sep="\t", index=False)
    message = r"'photo_date': 20 row\(s\), line 2: '01/02/2020'.*Expected a date. Write it as YYYY-MM-DD"
    with pytest.raises(CohortError, match=message):
        output_of("measure-repeats --face-ages photos.tsv --output .", folder=tmp_path)
    assert not (tmp_path / "reliability.tsv").exists()


def test_times_of_day_are_kept_for_photos_alone(tmp_path):
    typed = ["2020-01-31 10:15", "2020-01-31T10:15:30.25", "2020-01-31", "2020-01-31 00:00:00", ""]
    faces = FACES.assign(photo_id=FACES.subject_id, photo_date=(typed * N)[:N])
    dates = {"followup_date": "2020-01-31", "birth_date": "1960-01-31 23:59"}
    people = PEOPLE.assign(followup_years="", chronological_age="", entry_years="", **dates)
    people, faces = people[faces.photo_date != ""], faces[faces.photo_date != ""]
    found = cohort_of(tmp_path, people, faces)
    kept = ["2020-01-31 10:15:00", "2020-01-31 10:15:30", "2020-01-31", "2020-01-31"]
    assert found.photos.photo_date.tolist()[:4] == kept
    # a death on the day of the photo is at time 0, and age is counted in days, whatever the time of day
    assert found.subjects.followup_years.eq(0).all()
    for table in (found.subjects, found.photos):
        assert table.chronological_age.to_numpy() == pytest.approx(21915 / 365.25)
    german = faces.assign(photo_date="31.01.2020 8:05")
    found = cohort_of(tmp_path, people, german, date_format="DD.MM.YYYY", clinical=None)
    assert found.photos.photo_date[0] == "2020-01-31 08:05:00"
    message = (
        r"line 2: '2020-01-31 25:10'.*Expected a time of day from 00:00 to 23:59 behind the date. Correct"
    )
    with pytest.raises(CohortError, match=message):
        cohort_of(tmp_path, people, faces.assign(photo_date="2020-01-31 25:10"))


def test_missing_dates_stay_missing():
    table = pd.DataFrame({"day": ["2020-01-31", None, "", "NA"]})
    assert dates_of(table, "day", "x").notna().tolist() == [True, False, False, False]
    message = r"x needs the column 'other' \(dates YYYY-MM-DD\), and the table has none"
    with pytest.raises(CohortError, match=message):
        dates_of(table, "other", "x")


def test_a_death_with_an_impossible_date_is_told_once(tmp_path):
    table = PEOPLE.assign(followup_years="", followup_date="2099-01-01", event=1)
    with pytest.raises(CohortError, match=r"^1 problem "):
        cohort_of(tmp_path, table, FACES.assign(photo_date="2020-01-01"))


def test_a_face_that_is_the_age_has_no_acceleration(tmp_path):
    table = PEOPLE.assign(face_age=PEOPLE.chronological_age)
    table.to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    assert (read_people(tmp_path / "people.tsv").age_acceleration == 0).all()
    assert (age_acceleration(table.face_age, table.chronological_age) == 0).all()
    few = "--set survival.added_value.bootstraps=0"
    output_of(f"fit-survival --participants people.tsv {few} --output .", folder=tmp_path)
    cox = pd.read_csv(tmp_path / "cox.tsv", sep="\t")
    assert "age acceleration does not vary" in in_words(cox[cox.term == "age_acceleration"].reason.iloc[0])
    compared = pd.read_csv(tmp_path / "age_comparison.tsv", sep="\t").groupby("model").last()
    assert "face age and chronological age do not differ" in in_words(compared.reason["two models"])
    assert "follows from" in in_words(compared.reason["one model with both"])


# Follow-up in days or months is refused where years are expected; long cohorts and those of the oldest pass.


FOLLOWED = 60


def cohort(youngest, oldest, longest):
    """Ages and follow-up spread evenly and against each other."""
    place = np.arange(FOLLOWED)
    return pd.DataFrame({
        "chronological_age": np.linspace(youngest, oldest, FOLLOWED),
        "followup_years": longest * (place * 7 % FOLLOWED + 1) / FOLLOWED,
    })  # fmt: skip


def told(table):
    problems = Problems()
    check_years(table, "clinical.tsv", problems)
    return "\n".join(problems.others)


@pytest.mark.parametrize(
    ("youngest", "oldest", "years", "unit", "looks"),
    [
        (45, 85, 5.5, 365.25, "this looks like days"), (45, 85, 5.5, 12, "this looks like months or days"),
        (20, 40, 12.0, 365.25, "this looks like days"), (20, 70, 12.0, 12, "this looks like months or days"), (60, 63, 4.5, 12, "months"),
    ],
)  # fmt: skip
def test_days_and_months_taken_for_years_are_told(youngest, oldest, years, unit, looks):
    table = cohort(youngest, oldest, years)
    assert told(table) == ""
    assert looks in told(table.assign(followup_years=table.followup_years * unit))


@pytest.mark.parametrize(
    ("youngest", "oldest", "years"),
    [(20, 20, 45), (18, 25, 75), (30, 62, 35), (65, 85, 12), (97, 106, 9), (99, 99.9, 20), (0, 5, 90)],
)
def test_long_cohorts_and_the_oldest_pass(youngest, oldest, years):
    table = cohort(youngest, oldest, years)
    if youngest == 99:  # centenarians of whom two reach 110 and more, as in registers of the oldest
        table["followup_years"] = np.where(np.arange(FOLLOWED) < 2, 10.5, table.followup_years / 3)
    assert told(table) == ""


def test_a_few_errors_of_a_register_stop_nothing_but_what_cannot_be_does():
    table = pd.concat([cohort(40, 70, 20)] * 20, ignore_index=True)
    assert told(table.assign(followup_years=table.followup_years.mask(table.index < 2, 60))) == ""
    impossible = told(table.assign(followup_years=table.followup_years.mask(table.index == 7, 81)))
    words = "1 of 1200 participants would be older than 120 years at the end of follow-up (line 7"
    assert words in impossible
    assert "looks like" not in impossible


def test_time_before_observation_started_was_not_lived_after_the_photo():
    # time runs from a diagnosis long before the photo, at which the ages are
    table = cohort(60, 80, 10).assign(entry_years=40.0)
    table["followup_years"] += table["entry_years"]
    assert told(table) == ""
    assert "older than" in told(table.drop(columns="entry_years"))


def test_without_ages_follow_up_alone_tells():
    table = cohort(60, 80, 2000)
    assert "line 1: followed for" in told(table[["followup_years"]])
    assert told(table[["chronological_age"]]) == ""


def test_a_plain_table_in_days_is_refused_with_line_value_and_advice(tmp_path):
    table = cohort(45, 85, 5.5).assign(face_age=60.0)
    table["followup_years"] = (table["followup_years"] * 365.25).round()
    table.to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    message = (
        r"people.tsv: column 'followup_years': \d+ of 60 participants would be older than 100 years at the end of follow-up "
        r"\(line 3: age 45.678, followed for 268; .*its median is 1[\d.e+]+, its maximum 2009. Expected years after the photo, and "
        r"this looks like days. Write years \(months divided by 12, days by 365.25\), give followup_date in the clinical table, or name the unit"
    )
    with pytest.raises(CohortError, match=message):
        read_plain(tmp_path / "people.tsv")
