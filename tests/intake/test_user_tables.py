"""Tables as hospitals, portals and spreadsheets write them: read rightly where declared, refused with file, line and value otherwise."""

import datetime
import zipfile

import openpyxl
import pytest
import yaml

from faceage_bio.core.config import check_config
from faceage_bio.core.errors import CohortError, ConfigError, TableError
from faceage_bio.core.tables import read_text_table
from faceage_bio.faces.faceage.shards import count_photos
from faceage_bio.intake.cohort.intake import read_cohorts

FACES = "subject_id\tface_age\tphoto_date\na1\t65\t2020-03-04\na2\t60\t2020-03-05\na3\t71\t2020-03-06\n"


@pytest.fixture
def read(tmp_path):
    """A function that reads a study of this clinical table: the subjects by subject_id."""

    def subjects(clinical: str | bytes, name="clinical.tsv", faces=FACES, **settings):
        (tmp_path / "faces.tsv").write_text(faces)
        if clinical:
            (tmp_path / name).write_text(clinical)
        cohort = {"face_ages": str(tmp_path / "faces.tsv"), "clinical": str(tmp_path / name)} | settings
        config = check_config({"cohorts": {"c": yaml.safe_load(yaml.safe_dump(cohort))}})
        return read_cohorts(config.cohorts, 365.25)["c"].subjects.set_index("subject_id")

    subjects.folder = tmp_path
    return subjects


# ------------------------------------------------------------------------------ declared per table


def test_each_table_may_have_its_own_names_codes_and_dates(read):
    found = read(
        "PatientNr\tage\tGender\tgeb\na1\t60\t1\t03.01.1960\na2\t61\t2\t28.02.1959\na3\t62\t9\t\n",
        faces="Pat\tfa\tday\na1\t65\t03/04/2020\na2\t60\t12/31/2020\na3\t61\t01/02/2020\n",
        tables={
            "clinical": {
                "columns": {"subject_id": "PatientNr", "chronological_age": "age", "sex": "Gender", "birth_date": "geb"},
                "codings": {"sex": {"1": "male", "2": "female", "9": "NA"}}, "date_format": "DD.MM.YYYY",
            },
            "face_ages": {"columns": {"subject_id": "Pat", "face_age": "fa", "photo_date": "day"}, "date_format": "MM/DD/YYYY"},
        },
    )  # fmt: skip
    assert found.sex.tolist() == ["male", "female", None]
    assert found.chronological_age.tolist() == [60, 61, 62]


def test_what_is_said_of_the_cohort_holds_for_all_its_tables(read):
    found = read(
        "Nr\tchronological_age\tbmi\tsite\na1\t60\t-9\tunbekannt\na2\t61\t24\tlung\na3\t62\t25\tlung\n",
        faces="Nr\tface_age\na1\t65\na2\tunbekannt\na3\t64\n",
        columns={"subject_id": "Nr"},
        missing=[-9, "unbekannt"],
    )
    assert found.bmi.isna().tolist() == [True, False, False]
    assert found.site.tolist() == [None, "lung", "lung"]


def test_of_several_columns_the_first_with_a_value_counts(read):
    found = read(
        "case\tage_at_index\tvital_status\tdays_to_death\tdays_to_last_follow_up\n"
        "a1\t60\tDead\t730.5\t'--\na2\t61\tAlive\t'--\t365.25\na3\t62\tNot Reported\t'--\t'--\n",
        columns={"subject_id": "case", "chronological_age": "age_at_index", "event": "vital_status",
                 "followup_years": ["days_to_death", "days_to_last_follow_up"]},
        units={"followup": "days"}, tables={"face_ages": {"columns": {"subject_id": "subject_id"}}},
    )  # fmt: skip
    assert found.followup_years.round(6).tolist()[:2] == [2, 1]
    assert found.event.tolist()[:2] == [1, 0]
    assert found.loc["a3", ["followup_years", "event"]].isna().all()


def test_rows_that_repeat_a_participant_are_one_where_they_say_the_same(read, capsys):
    rows = "a1\t60\tf\tsurgery\tA\na1\t60\tf\tradiation\tA\na2\t61\tm\tsurgery\tB\na3\t62\tf\tnone\tB\n"
    found = read(f"subject_id\tchronological_age\tsex\ttreatment\tward\n{rows}")
    assert found.index.tolist() == ["a1", "a2", "a3"]
    assert "ward" in found
    assert "treatment" not in found
    said = "1 of 4 rows repeat a participant with the same values; one of each is kept; not used, because they differ between them: treatment"
    assert said in capsys.readouterr().out
    message = r"'subject_id': 2 row\(s\), line 2: 'a1'; line 3: 'a1'. It stands more than once"
    with pytest.raises(CohortError, match=message):
        read(f"subject_id\tchronological_age\tsex\ttreatment\tward\n{rows.replace('60', '59', 1)}")


def test_age_in_days_is_declared(read):
    found = read("subject_id\tchronological_age\na1\t21915\na2\t22280\na3\t22645\n", units={"age": "days"})
    assert found.chronological_age.round().tolist() == [60, 61, 62]


BRACKETS = ["[Not Available]", "[Unknown]", "--", "'--", "#N/A", ".", ""]


@pytest.mark.parametrize("word", [*BRACKETS, "not reported", "Not Reported", "n.a.", "NA"])
def test_words_of_portals_for_nothing_are_missing(read, word):
    found = read(
        f"subject_id\tchronological_age\tsex\tbmi\tsite\tgrade\tbirth_date\na1\t60\t{word}\t{word}\t{word}\t{word}\t{word}\n"
        "a2\t61\tf\t24\tlung\t1\t1959-01-01\na3\t62\tm\t25\tlung\t2\t1958-01-01\n"
    )
    assert found.loc["a1", ["sex", "bmi", "site", "grade"]].isna().all()
    assert found.grade.tolist()[1:] == [1, 2]


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("Lifelong Non-smoker", "never"), ("Never Smoker", "never"), ("Non-smoker", "never"), ("Ex-smoker", "former"), ("past", "former"),
        ("Former smoker", "former"), ("Current Reformed Smoker for > 15 yrs", "former"),
        ("Current reformed smoker for < or = 15 years", "former"), ("Current  Smoker", "current"), ("smoker", "current"),
    ],
)  # fmt: skip
def test_usual_smoking_words_are_known(read, word, meaning):
    found = read(f"subject_id\tsmoking\tsex\na1\t{word}\tMALE\na2\tnever\tFemale\na3\tex\tF\n")
    assert found.smoking["a1"] == meaning
    assert found.sex.tolist() == ["male", "female", "female"]


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("subject_id;bmi;crp\na1;22,5;0,4\na2;24;1\na3;25,5;2\n", {}),
        ("subject_id\tbmi\tcrp\na1\t22,5\t0,4\na2\t24\t1\na3\t25,5\t2\n", {"decimal": ","}),
        ("subject_id;bmi;crp\na1;22.5;0.4\na2;24;1\na3;25.5;2\n", {}),
    ],
)
def test_a_decimal_comma_is_read_as_the_separator_says_or_as_declared(read, text, settings):
    found = read(text, **settings)
    assert found.bmi.tolist() == [22.5, 24, 25.5]
    assert found.crp.tolist() == [0.4, 1, 2]


REFUSED = {
    "a point among decimal commas": ("subject_id;bmi\na1;22,5\na2;24.1\na3;25\n", {}, "line 3: '24.1'. Expected a number with a decimal comma, as this table has. Write it so"),
    "an undeclared decimal comma": ("subject_id\tbmi\na1\t22,5\na2\t24\na3\t25\n", {}, 'Write a decimal point, not a comma, or declare decimal: ","'),
    "a date that is not as declared": ("subject_id\tbirth_date\na1\t1.2.1950\na2\t1950/02/01\na3\t\n", {"tables": {"clinical": {"date_format": "DD.MM.YYYY"}}}, "line 3: '1950/02/01'. Expected a date written DD.MM.YYYY, as date_format declares"),
    "a declared date that no calendar has": ("subject_id\tbirth_date\na1\t29.02.1950\na2\t\na3\t\n", {"tables": {"clinical": {"date_format": "DD.MM.YYYY"}}}, "Expected a day of the calendar"),
    "a month that is none": ("subject_id\tbirth_date\na1\t03XXX1950\na2\t\na3\t\n", {"tables": {"clinical": {"date_format": "DDMONYYYY"}}}, "Expected a day of the calendar"),
    "groups that differ in capitals": ("subject_id\tsite\na1\tlung\na2\tLung\na3\tbreast\n", {}, r"column 'site': 'lung' \(1 row.s., such as line 2\); 'Lung' \(1 row.s., such as line 3\) differ in capitals or blanks alone"),
    "a code in a column of numbers": ("subject_id\tcrp\na1\t1.5\na2\t-99\na3\t2\n", {}, r"'crp': 1 row\(s\), line 3: '-99'. It lies far from all other values.*missing: \[999\]"),
    "a code within the range of its column": ("subject_id\tbmi\na1\t22.5\na2\t99\na3\t24\n", {}, r"'bmi': 1 row\(s\), line 3: '99'. It lies far from all other values.*missing: \[999\]"),
    "a code outside of the range of its column": ("subject_id\tbmi\na1\t22.5\na2\t-9\na3\t24\n", {}, r"line 3: '-9'. Expected 8 to 100 kg/m2. Correct it, .* or declare the code in the config, such as missing: \[999\]\.$"),
    "a separator that is none of ours": ("subject_id|bmi\na1|22.5\na2|24\na3|25\n", {}, r"clinical.tsv: line 1 is one name, 'subject_id\|bmi': no tab, comma or semicolon parts it. Expected subject_id, parted by one of them. Save"),
    "a word for nothing": ("subject_id\tbmi\na1\t22.5\na2\tverweigert\na3\t24\n", {}, r"line 3: 'verweigert'. Expected a number.* not known, such as missing: \[refused\]"),
    "lines in the order of the file": ("subject_id\tbmi\na1\t170\na2\t180\na3\t160\n", {}, "line 2: '170'; line 3: '180'; line 4: '160'"),
    "a code of no column": ("subject_id\tsex\na1\tf\na2\tm\na3\tf\n", {"codings": {"smoking": {"1": "never"}}}, "codings declares codes of 'smoking', but faces.tsv, clinical.tsv have no such column"),
    "a column that another table has": ("subject_id\tsex\na1\tf\na2\tm\na3\tf\n", {"tables": {"clinical": {"columns": {"bmi": "face_age"}}}}, "cohorts.c.tables.clinical.columns says that 'bmi' is called 'face_age', but clinical.tsv have no such column"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_as_declared_is_refused(read, case):
    text, settings, message = REFUSED[case]
    with pytest.raises(CohortError, match=message):
        read(text, **settings)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"clinc": {}}, "found \"clinc\".*expected 'manifest', 'face_ages', 'clinical'"),
        ({"samples": {"missing": ["x"]}}, "tables.samples says how samples is written, but no samples is given"),
        ({"clinical": {"sheet": "Baseline"}}, "tables.clinical.sheet: .*clinical.tsv is no workbook"),
        ({"clinical": {"date_format": "dd.mm.yy"}}, "needs YYYY, MM .or MON: Jan, Feb .... and DD once each"),
        ({"clinical": {"colums": {}}}, "tables.clinical.colums: unknown key; did you mean 'columns'"),
    ],
)  # fmt: skip
def test_how_a_table_is_written_is_checked_itself(read, tables, message):
    with pytest.raises(ConfigError, match=message):
        read("subject_id\na1\n", tables=tables)


# ------------------------------------------------------------------------------ workbooks

ROWS = [
    ["subject_id", "birth_date", "bmi", "event", "followup_years"],
    ["a1", datetime.datetime(1960, 3, 4), 22.5, True, 2],
    ["a2", datetime.date(1961, 1, 2), 24, False, 3.25],
    ["a3", None, None, None, None],
]


def save(path, sheets: dict[str, list], change=lambda book: None):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    change(book)
    book.save(path)
    return path


def test_photos_of_a_manifest_are_counted_in_a_workbook_too(tmp_path):
    save(tmp_path / "m.xlsx", {"Notes": [["x"]], "photos": [["photo_id"], *([f"p{k}"] for k in range(7))]})
    assert count_photos(tmp_path / "m.xlsx") == 7
    (tmp_path / "m.xlsx").write_text("no workbook")
    assert count_photos(tmp_path / "m.xlsx") == count_photos(tmp_path / "none.tsv") == 0


def test_a_workbook_is_read_as_it_would_be_typed(read):
    save(read.folder / "clinical.xlsx", {"Tabelle1": ROWS, "empty": []})
    found = read("", name="clinical.xlsx")
    assert found.chronological_age.round(3).tolist()[:2] == [60.0, 59.17]
    assert found.bmi.tolist()[:2] == [22.5, 24]
    assert found.event.tolist()[:2] == [1, 0]
    assert found.followup_years.tolist()[:2] == [2, 3.25]


def test_a_sheet_is_chosen_and_zeros_in_front_stay(tmp_path):
    def shown_with_zeros(book):
        for (cell,) in book["Baseline"].iter_rows(min_row=2, max_col=1):
            cell.number_format = "000"

    sheets = {"Notes": [["only words"]], "Baseline": [["id", "bmi"], [7, 22.5], [12, 24]]}
    path = save(tmp_path / "t.xlsx", sheets, shown_with_zeros)
    found = read_text_table(path, "Baseline", ",")
    assert found.id.tolist() == ["007", "012"]
    assert found.bmi.tolist() == ["22,5", "24"]
    assert found.index.tolist() == [2, 3]


WORKBOOKS = {
    "several sheets": ({"Notes": [["x"]], "Baseline": ROWS}, None, None, "2 sheets hold something: 'Notes', 'Baseline'. Expected one to be named"),
    "a sheet that is none": ({"Notes": [["x"]], "Baseline": ROWS}, None, "Basline", "no sheet 'Basline'; it has 'Notes', 'Baseline'. Expected one of them. Did you mean 'Baseline'"),
    "merged head": ({"one": ROWS}, lambda book: book["one"].merge_cells("B1:C1"), None, "sheet 'one' has merged cells: B1:C1. Expected one value in each cell"),
    "merged cells": ({"one": ROWS}, lambda book: book["one"].merge_cells("A2:A3"), None, "merged cells: A2:A3"),
    "formulas": ({"one": [["id", "bmi"], ["a1", "=20+2"], ["a2", 24]]}, None, None, "formulas without a saved value: B2. Expected values. Open it"),
    "a title": ({"one": [["Our study"], ["id", "bmi"], ["a1", 24]]}, None, None, "line 1 holds 'Our study' alone"),
    "two rows of names": ({"one": [["id", "labs", None], [None, "crp", "ldh"], ["a1", 1, 2]]}, None, None, "line 1 has no name for column 3"),
    "nothing": ({"one": []}, None, None, "the file is empty"),
}  # fmt: skip


@pytest.mark.parametrize("case", WORKBOOKS)
def test_a_workbook_that_cannot_be_meant_is_refused(tmp_path, case):
    sheets, change, sheet, message = WORKBOOKS[case]
    path = save(tmp_path / "t.xlsx", sheets, change or (lambda book: None))
    with pytest.raises(TableError, match=message):
        read_text_table(path, sheet)


def test_a_formula_whose_saved_text_is_empty_is_an_empty_cell(tmp_path):
    path = save(tmp_path / "t.xlsx", {"one": [["id", "bmi"], ["a1", '=IF(1=1,"",1)'], ["a2", 24]]})
    with zipfile.ZipFile(path) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    members["xl/worksheets/sheet1.xml"] = members["xl/worksheets/sheet1.xml"].replace(
        b'<c r="B2"><f>', b'<c r="B2" t="str"><f>'
    )  # as spreadsheet programs save it
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    assert read_text_table(path).bmi.tolist() == ["", "24"]


def test_what_is_no_workbook_is_refused(tmp_path):
    (tmp_path / "t.xlsx").write_text("id\n1\n")
    with pytest.raises(TableError, match=r"not a workbook that can be read .*Save it again as a workbook"):
        read_text_table(tmp_path / "t.xlsx")
    whole = save(tmp_path / "whole.xlsx", {"one": ROWS}, lambda book: None)
    with zipfile.ZipFile(whole) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    sheets = members["xl/workbook.xml"]
    for name, content in {
        "xl/worksheets/sheet1.xml": members["xl/worksheets/sheet1.xml"][:200],  # cut off
        "xl/styles.xml": b"not XML",
        "xl/workbook.xml": sheets.replace(b"visibility", b"visibilitx"),
        "xl/_rels/workbook.xml.rels": b"",
    }.items():
        with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as packed:
            for member, kept in (members | {name: content}).items():
                packed.writestr(member, kept)
        with pytest.raises(
            TableError, match=r"t.xlsx: not a workbook that can be read .*Save it again as a workbook"
        ):
            read_text_table(tmp_path / "t.xlsx")


def test_empty_columns_and_cells_of_a_spreadsheet_are_dropped(tmp_path):
    (tmp_path / "t.csv").write_text("id;age;;\na1;6;;\na2;7;;;;\n;;;\n")
    assert list(read_text_table(tmp_path / "t.csv")) == ["id", "age"]
    (tmp_path / "t.tsv").write_text("\tage\n1\t6\n")  # row names of R
    assert list(read_text_table(tmp_path / "t.tsv")) == ["", "age"]
    (tmp_path / "t.tsv").write_text(
        "#Patient Identifier\tAge\n#STRING\tNUMBER\nPATIENT_ID\tAGE\np1\t6\n"
    )  # of cBioPortal
    assert read_text_table(tmp_path / "t.tsv").AGE.tolist() == ["6"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("My study;;\nid;age;sex\na;6;f\n", "line 1 holds 'My study' alone, as a title or comment does. Expected the names of all columns"),
        ("Cohort North, export of 1 March\nid;age;sex\na;6;f\n", "line 1 holds 'Cohort North, export of 1 March' alone, as a title or comment does. Expected the names of all columns in the first line. Delete what stands above them"),
        ("Cohort North\nid\tage\tsex\na\t6\tf\n", "line 1 holds 'Cohort North' alone"),
        ("# of REDCap, 2021\nid,age,sex\na,6,f\n", "the header has 2 columns, but line 2: 3 cells; line 3: 3 cells. Expected as many cells in each line. Look for a stray separator or quote, or a title"),
        ("# of REDCap\nid,age,sex\na,6,f\nb,7,m\n", "line 1 holds '# of REDCap' alone"),
        ("id;;sex\na;6;f\n", "line 1 has no name for column 2, which has cells below. Expected one line with a name for each"),
    ],
)  # fmt: skip
def test_a_title_and_columns_without_a_name_are_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(TableError, match=message):
        read_text_table(tmp_path / "t.csv")
