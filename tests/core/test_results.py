"""The result row: columns, reasons, status, and files without empty columns."""

import pickle

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import decode, encode, in_words, reason, status_of
from faceage_bio.core.results.row import FIRST, LAST, columns_of, identified, result_rows
from faceage_bio.core.tables import read_table, write_table

ROW = {
    "cohort": "north",
    "term": "face_age",
    "measure": "hazard ratio",
    "estimate": 1.5,
    "n": 40,
    "n_events": 12,
}


def test_a_step_that_fits_nothing_writes_the_same_columns():
    fitted = result_rows([ROW], "survival/cox")
    empty = result_rows([], "survival/cox")
    failed = result_rows([ROW | {"reason": reason("no_usable_follow_up")}], "survival/cox")
    assert list(fitted) == list(empty) == list(failed) == columns_of("survival/cox")
    assert list(fitted)[: len(FIRST)] == list(FIRST)
    assert list(fitted)[-len(LAST) :] == list(LAST)


def test_rows_that_use_face_ages_name_their_model_and_definition():
    participants = pd.DataFrame({"cohort": "north", "model_id": ["abc", "abc"], "definition": "linear"})
    rows = [
        ROW,
        ROW | {"term": "age_acceleration"},
        ROW | {"term": "bmi"},
        ROW | {"term": "bmi", "covariates": "age, face_age"},
    ]
    made = identified(result_rows(rows, "survival/cox"), participants)
    assert made["model_id"].fillna("").tolist() == ["abc", "abc", "", "abc"]
    assert made["definition"].fillna("").tolist() == ["", "linear", "", ""]
    empty = result_rows([], "survival/cox")
    assert identified(empty, participants) is empty
    assert list(identified(result_rows([ROW], "survival/cox"), participants)) == list(empty)


def test_a_row_that_is_not_estimated_holds_no_number():
    row = result_rows([ROW | {"reason": reason("few_events", n_events=3, needed=5)}], "survival/cox").iloc[0]
    assert row["status"] == "not_estimated"
    assert pd.isna(row["estimate"])
    assert row["n"] == 40


def test_a_column_or_a_measure_that_is_not_declared_is_a_bug():
    with pytest.raises(ValueError, match=r"not declared in results/tables\.py"):
        result_rows([ROW | {"colour": "red"}], "survival/cox")
    with pytest.raises(ValueError, match=r"not declared in results/measures\.py"):
        result_rows([ROW | {"measure": "hazard ratio, 3 df"}], "survival/cox")
    with pytest.raises(ValueError, match=r"not declared in results/row\.py"):
        result_rows([ROW | {"adjustment": "age, sex"}], "survival/cox")


def test_a_file_leaves_out_empty_columns_and_the_reader_restores_them(tmp_path):
    table = result_rows([ROW], "survival/cox")
    path = tmp_path / "north" / "survival" / "cox.tsv"
    write_table(table, path)
    header = path.read_text().splitlines()[0].split("\t")
    assert "q_value" not in header
    assert "robust_lower" not in header
    assert "estimate" in header
    assert list(read_table(path)) == list(table)


def test_words_that_look_like_numbers_stay_words(tmp_path):
    path = tmp_path / "north" / "survival" / "cox.tsv"
    write_table(result_rows([ROW | {"level": "007"}, ROW], "survival/cox"), path)
    assert read_table(path)["level"].iloc[0] == "007"


@given(
    st.text(max_size=30), st.integers(0, 10**6), st.floats(allow_nan=False, allow_infinity=False, width=32)
)
def test_reasons_survive_a_table(text, number, share):
    reasons = [reason("constant", column=text), reason("few_events", n_events=number, needed=share)]
    read = decode(encode(reasons))
    assert [str(one) for one in read] == [str(one) for one in reasons]
    assert status_of(encode(reasons)) == "not_estimated"


def test_words_come_from_codes():
    expected = "not estimated, because 3 deaths are too few; a hazard ratio needs at least 5"
    assert in_words(encode([reason("few_events", n_events=3, needed=5)])) == expected
    assert in_words(
        encode([reason("complete_cases"), reason("few_clusters", n_clusters=4, needed=20)])
    ).startswith("complete cases only; only 4")
    assert in_words("") == in_words(float("nan")) == ""


def test_one_of_a_kind_is_singular():
    assert str(reason("few_events", n_events=1, needed=5)).startswith("1 death is too few;")
    assert str(reason("few_events_for_terms", n_events=21, terms=1)) == "21 deaths are too few for 1 term"
    expected = "1 participant with both ages is too few for a line (at least 3)"
    assert str(reason("too_few_for_line", n=1, needed=3)) == expected


def test_a_fit_error_keeps_its_code_between_processes():
    error = pickle.loads(pickle.dumps(FitError("few_events", n_events=3, needed=5)))
    assert error.reason.code == "few_events"
    assert str(error).startswith("3 deaths")
