"""Plain tables of people: understood as a clinical table is, every problem told at once with its line, nothing counted twice."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.core.errors import CohortError
from faceage_bio.core.tables import write_table
from faceage_bio.intake.plain import read_plain


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
        "column 'chronological_age': 1 row(s), line 3: '130'", "Expected years above 0, up to 120",
        "column 'bmi': 1 row(s), line 3: 'obese'. Expected a number. Write a plain number such as 57.4",
        "column 'subject_id': 2 row(s), line 3: 'b'; line 4: 'b'. It stands more than once",
    ):  # fmt: skip
        assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("face_age\n60\n", "no column 'chronological_age'; it has face_age"),
        (
            "face_age chronological_age sex\n60 60 0\n61 60 1\n",
            "'sex': 2 row.s., line 2: '0'; line 3: '1'. Expected female or male",
        ),
        ("face_age chronological_age event\n60 60 perhaps\n", "column 'event': 1 row.s., line 2: 'perhaps'"),
    ],
)
def test_what_does_not_fit_is_told(read, text, message):
    with pytest.raises(CohortError, match=message):
        read(text)


def test_one_row_per_photo_where_photos_are_asked(read):
    text = "subject_id photo_id face_age\na 1 60\na 2 61\n"
    assert len(read(text, needed=("face_age",), one_row_per="photo_id")) == 2
    with pytest.raises(CohortError, match="'photo_id': 2 row"):
        read(text.replace("a 2", "a 1"), needed=("face_age",), one_row_per="photo_id")


def test_identifiers_that_look_like_huge_numbers_end_nothing(read):
    # pandas' to_numeric dies of such text
    table = read("face_age chronological_age checksum sex\n60 61 8e123456789012345 f\n62 63 a1b2 m\n")
    assert table.checksum.tolist() == ["8e123456789012345", "a1b2"]
    with pytest.raises(CohortError, match="'bmi': 2 row"):
        read("face_age chronological_age bmi\n60 61 8e123456789012345\n62 63 1_000\n")


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


def test_hashes_that_look_like_numbers_break_nothing(read):
    table = read("face_age chronological_age pixel_hash\n60 61 12e45678901234567890\n62 63 1e5\n")
    assert table.pixel_hash.tolist() == ["12e45678901234567890", "1e5"]
    with pytest.raises(CohortError, match="'face_age': 1 row"):
        read("face_age chronological_age\n1e99999999999999999999 61\n62 63\n")


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
    path = tmp_path / "a.tsv"
    row = {
        "subject_id": "P1",
        "chronological_age": "60",
        "face_age": "61",
        "sex": "male",
        "smoking": "never",
        "bmi": "22",
    }
    pd.DataFrame([row | {column: value}]).to_csv(path, sep="\t", index=False)
    with pytest.raises(CohortError) as told:
        read_plain(path)
    assert str(told.value).endswith(advice)
    assert "declare" not in str(told.value)
    assert "config" not in str(told.value)
