"""`faceage-bio init --from` and `--redcap`: what a config may say of a table, what is unsure, and that the proposal is read."""

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from faceage_bio.cli.main import app
from faceage_bio.core import parse
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import Problems, RunError, TableError
from faceage_bio.core.settings.settings_cohort import form_of
from faceage_bio.intake.cohort.proposal import propose
from faceage_bio.intake.schemas import CLINICAL, read_user_table
from tests.commands import output_of

DICTIONARY = """"Variable / Field Name","Form Name","Field Type","Field Label","Choices, Calculations, OR Slider Labels"
record_id,base,text,Record ID,
gender,base,radio,Sex,"1, Male | 2, Female | 3, Prefer not to say"
smk,base,dropdown,Smoking status,"0, Never | 1, Former smoker | 2, Current smoker | 9, Unknown"
dem_w,base,text,Body mass index,
site,base,dropdown,Primary site,"1, Lung | 2, Breast, left or right"
comorb,base,checkbox,Comorbidities,"1, COPD | 2, CHF"
died,base,yesno,Died,
"""
EXPORT = """record_id;age_at_diagnosis;gender;smk;dem_w;site;comorb___1;died;os_days;birth;ECOG
001;60;1;0;22,5;1;0;1;730;03.04.1960;1
002;61;2;1;-99;2;0;0;1500;13.04.1959;9
003;62;3;9;25,1;1;1;0;2000;01.02.1958;ND
"""


def written(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return [folder / f"{name}.csv" for name in files]


def test_an_export_of_redcap_is_read_as_proposed(tmp_path):
    clinical, dictionary = written(tmp_path, clinical=EXPORT, dictionary=DICTIONARY)
    said = output_of(f"init --from {clinical} --redcap {dictionary}")
    cohort = yaml.safe_load(said)
    whole = check_config({"cohorts": {"mine": {"face_ages": "f.tsv", **cohort}}})
    problems = Problems()
    found = read_user_table(clinical, CLINICAL, problems, form_of(whole.cohorts["mine"], "clinical")).values
    problems.stop_if_any()
    assert found.sex.tolist() == ["male", "female", None]
    assert found.smoking.tolist() == ["never", "former", None]
    assert found.site.tolist() == ["Lung", "Breast, left or right", "Lung"]
    assert found.bmi.isna().tolist() == [False, True, False]
    assert found.ecog.isna().tolist() == [False, True, True]
    assert found.followup_years.round(3).tolist() == [1.999, 4.107, 5.476]
    assert str(found.birth_date[2].date()) == "1960-04-03"
    for told in (
        "chronological_age is taken from 'age_at_diagnosis': it may be the age at diagnosis", "'gender': 3 means 'Prefer not to say'",
        "'comorb' is a checkbox (COPD, CHF)", "bmi: '-99' are taken for not known", "Not used: comorb___1.", "Not found: pack_years, race",
    ):  # fmt: skip
        assert told in said


def test_codes_that_could_mean_either_are_asked_and_not_guessed(tmp_path):
    (path,) = written(tmp_path, t=(
        "Patient,Gender,Age,Smoker,Site,Time,Status,birthDate\na,1,21900,light,Lung,500,1,01/02/2020\n"
        "b,2,22000,never,lung,900,0,03/04/2020\nc,2,25000,never,lung,2900,0,03/04/2020\n"
    ))  # fmt: skip
    found = propose(path)
    assert "sex" not in found.form["codings"]
    assert found.form["codings"] == {"site": {"Lung": "lung"}}
    assert found.form["units"] == {"age": "days", "followup": "days"}
    unsure = "\n".join(found.unsure)
    for told in (
        'sex: 1, 2 may mean female, male; only you know. Declare codings: {sex: {"1": ...', "smoking: light may mean never, former, current",
        "event is taken from 'Status': look whether 1 means died", "the name does not tell; days are taken", "may be DD/MM/YYYY or MM/DD/YYYY",
    ):  # fmt: skip
        assert told in unsure
    assert any("To correct:" in note and "'sex'" in note for note in found.notes)


@pytest.mark.parametrize(
    ("header", "table", "columns"),
    [
        ("case_submitter_id,age_at_index,days_to_death,days_to_last_follow_up,vital_status", "clinical",
         {"subject_id": "case_submitter_id", "chronological_age": "age_at_index", "followup_years": ["days_to_death", "days_to_last_follow_up"],
          "event": "vital_status"}),
        ("Sample,Patient,Sample Type,plate", "samples", {"sample_id": "Sample", "subject_id": "Patient", "tissue": "Sample Type", "batch": "plate"}),
        ("photo,patient,file,image_date", "manifest", {"photo_id": "photo", "subject_id": "patient", "path": "file", "photo_date": "image_date"}),
        ("Fallnummer,Geburtsdatum,Geschlecht,Rauchen,tot,Todesursache", "clinical",
         {"subject_id": "Fallnummer", "birth_date": "Geburtsdatum", "sex": "Geschlecht", "smoking": "Rauchen", "event": "tot", "cause": "Todesursache"}),
        ("PatientID,predictedAge", "face_ages", {"subject_id": "PatientID", "face_age": "predictedAge"}),
    ],
)  # fmt: skip
def test_usual_names_are_recognised_in_each_table(tmp_path, header, table, columns):
    (path,) = written(tmp_path, t=f"{header}\n")
    found = propose(path)
    assert found.table == table
    assert found.form["columns"] == columns


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("sex", {"Weiblich": "female", "männlich": "male"}), ("smoking", {"nie": "never", "Ehemalig": "former", "aktuell": "current"}),
        ("event", {"verstorben": 1.0, "lebt": 0.0, "ja": 1.0, "nein": 0.0}),
    ],
)  # fmt: skip
def test_words_of_german_tables_are_ours(column, cells):
    problems = Problems()
    assert parse.words(pd.Series(list(cells)), column, "t.csv", problems).tolist() == list(cells.values())
    problems.stop_if_any()


def test_a_dictionary_alone_gives_codings(tmp_path):
    (path,) = written(tmp_path, dictionary=DICTIONARY)
    form = yaml.safe_load(output_of(f"init --redcap {path}"))["tables"]["clinical"]
    assert form["codings"]["sex"] == {"1": "male", "2": "female", "3": "NA"}
    assert form["columns"]["bmi"] == "dem_w"
    (other,) = written(tmp_path, other="a,b\n1,2\n")
    message = r"no data dictionary of REDCap; found a, b\. Expected Variable / Field Name"
    with pytest.raises(TableError, match=message):
        propose(None, other)


def test_init_does_one_thing():
    with pytest.raises(RunError, match="init: found none or several of a folder, --update"):
        CliRunner().invoke(app, ["init", "study", "--from", "t.csv"], catch_exceptions=False)


MONTHS = "".join(
    f"p{k};{60 + k},5;{20 + 5 * k},5;{k % 2 + 1};{22 + k},5 kg/m2;{10 + k}.02.2019\n" for k in range(9)
)
GERMAN = f"patient_id;age;OS;event;bmi;last_contact\n{MONTHS}p9;verweigert;24,5;1;k.A.;31.11.2019\n"


def test_a_table_of_semicolons_has_its_unit_and_its_dates_though_cells_are_wrong(tmp_path):
    (path,) = written(tmp_path, t=GERMAN)
    found = propose(path)
    assert found.form["units"] == {"followup": "months"}
    assert found.form["date_format"] == "DD.MM.YYYY"
    assert found.form["missing"] == ["verweigert"]  # a number with a unit is corrected and not lost
    unsure = "\n".join(found.unsure)
    assert "(median 38, maximum 60.5): the name does not tell; months are taken" in unsure
    assert (
        'event: 1, 2 may mean 1 (died) or 0 (alive when last seen); only you know. Declare codings: {event: {"1": ..., "2": ...}}'
        in unsure
    )
    notes = "\n".join(found.notes)
    assert "'bmi': 9 row(s), line 2: '22,5 kg/m2'" in notes
    assert "'followup_date': 1 row(s), line 11: '31.11.2019'. Expected a day of the calendar" in notes


@pytest.mark.parametrize(("cell", "form"), [("19620114", "YYYYMMDD"), ("1962:01:14 10:11:12", "YYYY:MM:DD")])
def test_dates_of_registries_and_cameras_are_known(tmp_path, cell, form):
    (path,) = written(tmp_path, t=f"patient_id,dob\na,{cell}\n")
    assert propose(path).form["date_format"] == form
