"""Intake: what is wrong in any table is told with file, line, column and advice, all at once; nothing disappears."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceage_bio.core.errors import CohortError
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.core.tables import read_table
from faceage_bio.intake.cohort.intake import read_cohorts, read_written, write_cohort
from faceage_bio.intake.cohort.ledger import flow, gather
from tests.rows import cases

MANIFEST = """photo_id,subject_id,path,photo_date
p1,a,a.jpg,2020-01-01
p2,b,b.jpg,2020-06-01
p3,b,b2.jpg,2021-06-01
"""
CLINIC = """subject_id,birth_date,sex,smoking,bmi,ecog,group,followup_date,event,grade
a,1950-01-01,F,never,22.5,0,cancer,2021-01-01,1,2
b,1960-06-01,male,Current,,1,cancer,2023-06-01,0,3
"""
SAMPLES = "sample_id,subject_id,batch\ns1,a,x\ns2,b,x\n"
COUNTS = "gene,s1,s2\nCDK6,5,7\nTP53,0,12\n"


@pytest.fixture
def study(tmp_path):
    """A function that writes the study with some files changed and reads it."""
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg", "b2.jpg"):
        (tmp_path / "photos" / name).write_text(name)

    def read(manifest=MANIFEST, clinical=CLINIC, samples=SAMPLES, counts=COUNTS, **more):
        files = {"manifest": manifest, "clinical": clinical, "samples": samples, "counts": counts}
        cohort = {"photos": str(tmp_path / "photos")}
        for name, text in files.items():
            if text is not None:
                (tmp_path / f"{name}.csv").write_text(text)
                cohort[name] = str(tmp_path / f"{name}.csv")
        return read_cohorts({"c": Cohort(**cohort | more)}, 365.25)["c"]

    read.folder = tmp_path
    return read


def test_a_good_study_is_read(study):
    tables = study()
    people = tables.subjects.set_index("subject_id")
    assert people.sex.to_dict() == {"a": "female", "b": "male"}
    assert people.smoking.to_dict() == {"a": "never", "b": "current"}
    assert people.chronological_age["a"] == pytest.approx(25567 / 365.25)
    assert people.followup_years["b"] == pytest.approx(1095 / 365.25)  # from the first photo
    assert people.event.to_dict() == {"a": 1.0, "b": 0.0}
    assert np.isnan(people.bmi["b"])
    assert people.grade.to_dict() == {"a": 2, "b": 3}  # a column of the user's own
    later = tables.photos.set_index("photo_id").chronological_age
    assert later["p3"] - later["p2"] == pytest.approx(365 / 365.25)
    assert tables.samples.subject_id.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    cases(r"""
        clinical | a,1950-01-01,F | a,1950-01-01,0 | column 'sex': 1 row\(s\), line 2: '0'\. Expected female or male\. Write one of them, or declare
        clinical | male,Current | male,sometimes | 'smoking': 1 row.*'sometimes'.*Expected never, former, current. Write one of them, or declare
        clinical | 22.5 | "22,5" | 'bmi': .*Expected a number. Write a decimal point, not a comma
        clinical | 22.5 | 225 | 'bmi': .*line 2: '225'.*Expected 8 to 100 kg/m2
        clinical | 22.5,0 | 22.5,7 | 'ecog': .*Expected 0, 1, 2, 3 or 4
        clinical | 2021-01-01,1 | 2019-12-31,1 | 'followup_date': .*2019-12-31, photo 2020-01-01.*ends before the photo
        clinical | 2021-01-01,1 | 01/02/2021,1 | 'followup_date': .*Expected a date. Write it as YYYY-MM-DD
        clinical | 2021-01-01,1 | 2021-02-30,1 | 'followup_date': .*2021-02-30
        clinical | 1950-01-01 | 2020-02-01 | 'birth_date': .*The birth lies after the photo
        clinical | 1950-01-01 | 1850-01-01 | 'birth_date': 1 row.s., line 2: '1850-01-01'. The age at the photo would be 0, or above 120 years. Expected a day of
        clinical | 1950-01-01 | 2020-01-01 | 'birth_date': 1 row.s., line 2: '2020-01-01'. The age at the photo would be 0, or above 120
        clinical | ,event | ,Event | no column 'event' says who died; found subject_id, .*Event, grade. Expected 1 .* or 0 .*Add it, or declare yours
        clinical | 2021-01-01,1 | 2021-01-01, | 'event': 1 row.*not whether the participant died
        clinical | 2021-01-01,1 | ,1 | 'followup_years': 1 row.*The participant died, but the time is missing, and excluding a death would mislead. Expected when. Give
        clinical | 2021-01-01,1 | 2021-01-01,maybe | 'event': .*Expected 1 .died. or 0 .alive when last seen.\. Write one
        clinical | b,1960 | a,1960 | 'subject_id': 2 row.*stands more than once
        clinical | subject_id, | patient, | line 1 lacks the column.s. subject_id
        manifest | p2,b | p1,b | 'photo_id': 2 row.*stands more than once
        manifest | b.jpg | gone.jpg | 'path': .*'gone.jpg'.*Expected a file in .*, where none has that name. Correct the name
        manifest | b2.jpg | b.jpg | 'path': 2 row.*Expected one row of each photo, but it stands in several. Keep one
        manifest | b.jpg | ../b.jpg | 'path': .*Expected a file inside of the photo folder, but the path leaves it. Copy
        manifest | b.jpg | /etc/hosts | 'path': .*Expected a file inside of the photo folder, but the path leaves it. Copy
        manifest | p2,b | p2,zoe | 1 photo.s. of subjects that .* does not have: line 3: 'zoe'. Expected subjects of that table. Add them there
        manifest | p2,b | p2, | 'subject_id': 1 row.*line 3. This row needs an identifier. Write it
        manifest | a.jpg,2020-01-01 | a.jpg, | 'followup_date': 1 row.*It needs the subject's photo_date; give that, or followup_years instead
        samples | s2,b | s1,b | 'sample_id': 2 row.*stands more than once
        samples | s2,b | s9,b | samples\.csv: 1 sample.s. have no column in .*counts\.csv: 's9'\. Expected the same names in both; correct
        samples | s2,b | s2,zoe | samples.csv: 1 sample.s. of subjects .* column 'subject_id', line 3: 'zoe'. Expected subjects of the clinical table; add
        counts | 5,7 | 5.25,7.5 | not whole numbers, such as 5\.25 for gene 'CDK6' in sample 's1' .line 2, column 's1'.; the largest value is 12
        counts | 5,7 | -5,7 | are negative
        counts | 5,7 | 5, | are missing
        counts | TP53 | CDK6 | 1 gene.s. stand in more than one row: CDK6
        counts | 5,7 | five,7 | hold words, not counts: 'five' of gene 'CDK6' in 's1'
    """),
)
def test_what_is_wrong_is_named(study, table, old, new, message):
    text = {"manifest": MANIFEST, "clinical": CLINIC, "samples": SAMPLES, "counts": COUNTS}[table]
    with pytest.raises(CohortError, match=message):
        study(**{table: changed(text, old, new)})


def changed(table, *pairs):
    """The table's text with each of the first texts once replaced by the one after it."""
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert old in table
        table = table.replace(old, new, 1)
    return table


CAUSES = changed(CLINIC, ",event,grade", ",event,cause", ",1,2\n", ",1,C34\n", ",0,3\n", ",0,\n")


def test_causes_of_death_are_read_by_their_declared_words(study):
    people = study(clinical=CAUSES, codings={"cause": {"C34": "cancer"}}).subjects.set_index("subject_id")
    assert people.cause.to_dict() == {"a": "cancer", "b": None}
    assert study().subjects.cause.isna().all()  # no such column
    unknown = study(clinical=CAUSES.replace("C34", "unknown")).subjects
    assert unknown.cause.isna().all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    cases(r"""
        C34 | C34 | column 'cause': 1 row.s., line 2: 'C34'. Expected cancer, cardiovascular, other or nothing. Write one
        2023-06-01,0, | 2023-06-01,0,other | column 'cause': 1 row.s., line 3: 'other'. A cause of death is given, but
        2021-01-01,1,C34 | ,,cancer | column 'cause': 1 row.s., line 2: 'cancer'. A cause of death is given
    """),
)
def test_a_wrong_cause_of_death_is_named(study, old, new, message):
    with pytest.raises(CohortError, match=message):
        study(clinical=changed(CAUSES, old, new))


def test_everything_wrong_in_all_tables_is_told_together(study):
    with pytest.raises(CohortError, match="4 problems") as error:
        study(
            manifest=MANIFEST.replace("b.jpg", "gone.jpg"),
            clinical=CLINIC.replace("22.5", "none of your business").replace(",F,", ",1,"),
            counts=COUNTS.replace("5,7", "0.5,7"),
        )
    for part in ("manifest.csv", "clinical.csv", "counts.csv"):
        assert part in str(error.value)


def test_declared_codes_and_columns_are_understood(study):
    clinical = changed(CLINIC, ",F,", ",2,", ",male,", ",1,", "bmi", "BMI_kg")
    codes = {"sex": {"1": "male", "2": "female"}}
    tables = study(clinical=clinical, columns={"bmi": "BMI_kg"}, codings=codes)
    assert tables.subjects.sex.tolist() == ["female", "male"]
    assert tables.subjects.bmi[0] == 22.5
    assert "BMI_kg" not in tables.subjects


def test_codes_of_site_and_race_are_understood_and_words_for_nothing_are_missing(study):
    clinical = changed(CLINIC, "grade", "site,race", ",1,2\n", ",1,1,NA\n", ",0,3\n", ",0,unknown,2\n")
    people = study(clinical=clinical, codings={"site": {"1": "lung"}, "race": {"2": "black"}}).subjects
    assert people.site.tolist() == ["lung", None]
    assert people.race.tolist() == [None, "black"]
    assert study().subjects.race.isna().all()  # so that naming it in the config stops no study without it


def test_one_table_may_serve_as_manifest_and_clinical_table(study):
    people = "person,photo,when,born,sex\na,a.jpg,2020-01-01,1950-01-01,f\nb,b.jpg,2020-06-01,1960-06-01,m\n"
    columns = {"subject_id": "person", "photo_id": "photo", "path": "photo"}
    columns |= {"photo_date": "when", "birth_date": "born"}
    tables = study(manifest=people, clinical=people, samples=None, counts=None, columns=columns)
    assert tables.photos.chronological_age.round().tolist() == [70, 60]


def test_an_empty_photo_folder_is_told(study):
    for path in (study.folder / "photos").iterdir():
        path.unlink()
    with pytest.raises(CohortError, match=r"1 problem in .*\n.*the photo folder is empty"):
        study()


def test_age_given_and_age_from_dates_must_agree(study):
    ages = ("birth_date,", "birth_date,chronological_age,", "1950-01-01,", "1950-01-01,75,")
    with pytest.raises(CohortError, match="differs by more than a year"):
        study(clinical=changed(CLINIC, *ages, "1960-06-01,", "1960-06-01,60,"))


def test_entry_must_come_before_the_end(study):
    years = ("followup_date", "entry_years,followup_years", "2021-01-01", "2,1", "2023-06-01", ",3")
    with pytest.raises(CohortError, match="Observation starts at or after its end"):
        study(clinical=changed(CLINIC, *years))


def test_months_of_follow_up_taken_for_years_are_told_once_with_line_and_advice(study):
    clinical = changed(CLINIC, "followup_date", "followup_years", "2021-01-01", "130", "2023-06-01", "54")
    with pytest.raises(CohortError, match="older than 100 years at the end of") as told:
        study(clinical=clinical)
    assert "clinical.csv: column 'followup_years': 2 of 2 participants" in str(told.value)
    assert "(line 2: age 69.9986, followed for 130; line 3: age 60" in str(told.value)
    assert "Write years (months divided by 12, days by 365.25), give followup_date" in str(told.value)
    assert str(told.value).startswith("1 problem ")
    with pytest.raises(CohortError, match=r"'followup_years': 1 row.*-1.*Follow-up ends before the photo"):
        study(clinical=clinical.replace("130", "-1").replace(",54,", ",4,"))


def test_the_same_subject_in_two_cohorts_is_told(study):
    study()
    files = {"photos": "photos", "manifest": "manifest.csv", "clinical": "clinical.csv"}
    cohort = Cohort(**{name: str(study.folder / file) for name, file in files.items()})
    with pytest.raises(CohortError, match=r"2 subject.s. are in cohort 'one' and in cohort 'two': 'a'; 'b'"):
        read_cohorts({"one": cohort, "two": cohort}, 365.25)


def test_without_clinical_data_the_manifest_names_the_participants(study):
    tables = study(clinical=None, samples=None, counts=None)
    assert tables.subjects.subject_id.tolist() == ["a", "b"]
    assert tables.subjects.chronological_age.isna().all()


def test_dates_of_given_face_ages_reach_the_later_stages(tmp_path):
    ages = "subject_id,photo_id,photo_date,face_age\na,z,2020-01-01,60\na,b,2022-01-01,66\n"
    (tmp_path / "ages.csv").write_text(ages)
    (tmp_path / "clinical.csv").write_text("subject_id,birth_date,sex\na,1960-01-01,f\n")
    cohort = Cohort(face_ages=str(tmp_path / "ages.csv"), clinical=str(tmp_path / "clinical.csv"))
    photos = read_cohorts({"c": cohort}, 365.25)["c"].photos.set_index("photo_id")
    assert photos.photo_date.to_dict() == {"z": "2020-01-01", "b": "2022-01-01"}
    assert photos.chronological_age.round().to_dict() == {"z": 60, "b": 62}


def test_unmatched_photos_and_participants_stand_in_the_ledger(study):
    (study.folder / "photos" / "stray.jpg").write_text("x")
    ledger = study(clinical=CLINIC + "z,1940-01-01,f,never,20,0,cancer,,,1\n").ledger
    reasons = ledger.set_index("photo_id").reason
    assert reasons["stray.jpg"] == "not_in_manifest"
    assert ledger[ledger.subject_id == "z"].reason.tolist() == ["no_photo"]


@pytest.mark.parametrize("path", ["B", "photos/b.jpg", r"C:\photos\b.jpg", "b.jpeg", r"more\B.JPG"])
def test_a_photo_by_a_name_of_another_folder_or_ending_is_told(study, path):
    with pytest.raises(
        CohortError, match=r"'path': 1 row.*where none has that name. It has 'b.jpg'. Correct"
    ):
        study(manifest=MANIFEST.replace(",b.jpg", f",{path}"))


def test_what_windows_writes_into_a_folder_is_no_photo(study):
    (study.folder / "photos" / "Thumbs.db").write_text("x")
    assert study().ledger.photo_id[study().ledger.photo_id != ""].tolist() == ["p1", "p2", "p3"]


def test_the_photo_folder_is_walked_once(study, monkeypatch):
    """No photo is asked for by itself, which takes its time on a shared disk; a link out of the folder is still seen."""
    (study.folder / "photos" / "more").mkdir()
    walked, asked = [], []
    scandir, resolve = os.scandir, Path.resolve
    monkeypatch.setattr(os, "scandir", lambda path: walked.append(path) or scandir(path))
    monkeypatch.setattr(Path, "resolve", lambda path, **more: asked.append(path) or resolve(path, **more))
    assert len(study().photos) == 3
    assert [os.path.basename(path) for path in walked] == ["photos", "more"]
    assert [path.name for path in asked] == ["photos"]
    (study.folder / "outside.jpg").write_text("x")
    (study.folder / "photos" / "a.jpg").unlink()
    (study.folder / "photos" / "a.jpg").symlink_to(study.folder / "outside.jpg")
    with pytest.raises(CohortError, match=r"but the path leaves it\. Copy the photo into it"):
        study()


def test_tables_are_written_for_their_owner_only(study, tmp_path):
    write_cohort(study(), tmp_path / "results")
    files = [path for path in Path(tmp_path / "results").rglob("*") if path.is_file()]
    tables = {"photos", "subjects", "samples", "counts", "variant_participants", "face_ages", "ledger"}
    assert {path.stem for path in files} == tables
    # genotypes and given face ages it has none
    assert read_table(tmp_path / "results" / "face_ages.parquet").empty
    again, first = read_written(tmp_path / "results"), study()
    pd.testing.assert_frame_equal(again.subjects, first.subjects, check_dtype=False)
    assert list(again.counts.counts.index) == list(first.counts.counts.index)
    assert again.variant_participants is None
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(2)), photos=st.permutations(range(3)))
def test_the_order_of_rows_does_not_matter(study, order, photos):
    lines, clinic = MANIFEST.splitlines(keepends=True), CLINIC.splitlines(keepends=True)
    manifest = "".join([lines[0], *(lines[1 + n] for n in photos)])
    tables = study(manifest, "".join([clinic[0], *(clinic[1 + n] for n in order)]), None, None)
    followed = tables.subjects.sort_values("subject_id").followup_years.round(6)
    assert followed.tolist() == [round(366 / 365.25, 6), round(1095 / 365.25, 6)]
    assert tables.photos.sort_values("photo_id").subject_id.tolist() == ["a", "b", "b"]


def test_a_manifest_without_rows_paths_or_photos_is_told(study):
    for message, more in {
        "manifest.csv: no rows below the header. Expected one at least. Save": {"manifest": MANIFEST.partition("\n")[0] + "\n"},
        "'path': 1 row.*line 3: ''. Expected a file name. Write the photo's name": {"manifest": MANIFEST.replace("p2,b,b.jpg", "p2,b,")},
        "gone: no such file or folder. Expected what cohorts.c.photos names. Check": {"photos": str(study.folder / "gone")},
    }.items():  # fmt: skip
        with pytest.raises(CohortError, match=message):
            study(**more)


def test_a_specimen_of_two_subjects_is_told(study):
    samples = "sample_id,subject_id,specimen_id\ns1,a,x\ns2,b,x\n"
    message = r"'specimen_id': 'x' has more than one subject_id .lines 2, 3.. Expected one, because libraries"
    with pytest.raises(CohortError, match=message):
        study(samples=samples)


def test_participants_without_a_photo_need_no_photo_date(study):
    # follow-up from dates of a participant of whom no photo came in is not known; the ledger says why
    extra = CLINIC.strip().splitlines()[-1].split(",")
    assert extra[0] == "b"
    tables = study(clinical=CLINIC.rstrip() + "\n" + ",".join(["c", *extra[1:]]) + "\n")
    mine = tables.ledger[tables.ledger.subject_id == "c"]
    assert mine[["status", "reason"]].to_numpy().tolist() == [["excluded", "no_photo"]]
    assert tables.subjects.set_index("subject_id").followup_years.isna()["c"]


def test_a_photo_date_that_cannot_be_read_is_told_once(study):
    with pytest.raises(CohortError, match=r"1 problem in .*\n.*'photo_date': .*YYYY-MM-DD") as told:
        study(manifest=MANIFEST.replace("2020-01-01", "20200101"))
    assert "followup_date" not in str(told.value)


def test_ledger_adds_up_or_says_so():
    def rows(*items):
        columns = ["cohort", "subject_id", "photo_id", "sample_id", "stage", "status", "reason", "detail"]
        return pd.DataFrame([dict(zip(columns, ("c", *item, ""), strict=True)) for item in items])

    intake = rows(("a", "p1", "", "intake", "included", ""), ("a", "", "", "intake", "included", ""))
    faces = rows(("a", "p1", "", "face_age", "excluded", "no_face"))
    whole = gather([intake, faces])
    assert len(whole) == 3
    counts = flow(whole)
    assert counts[counts.status.isin(["included", "excluded"])].n.sum() == 3
    assert counts[(counts.stage == "face_age") & (counts.status == "remaining")].n.tolist() == [0]
    message = r"the ledger does not add up: 1 photo\(s\) of the intake are missing at the stage face_age.*Expected each of the intake once"
    with pytest.raises(CohortError, match=message):
        gather([intake, rows(("a", "p2", "", "face_age", "included", ""))])
    gone = rows(("a", "", "", "acceleration", "excluded", "too_few_for_a_line"))
    late = rows(("a", "", "", "survival", "excluded", "no_acceleration"))
    counts = flow(gather([intake, faces, gone, late])).set_index(["unit", "stage", "status"])["n"]
    told = [
        ("photo", "face_age", "remaining"),
        ("subject", "acceleration", "remaining"),
        ("subject", "survival", "followed"),
    ]
    assert counts[told].tolist() == [0, 0, 0]  # none is a number, and no stage that did not run
    assert ("subject", "survival", "excluded") not in counts  # excluded once
    with pytest.raises(CohortError, match="twice at one stage"):
        gather([intake, intake])
    with pytest.raises(CohortError, match="without a reason"):
        gather([rows(("a", "p1", "", "face_age", "excluded", ""))])
