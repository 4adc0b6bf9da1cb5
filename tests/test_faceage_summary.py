"""What is said of a cohort's face ages as a whole."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.faces.faceage.photo_quality import summarise_face_ages


def ages(**more):
    return pd.DataFrame({
        "cohort": "c", "status": ["ok", "ok", "flagged", "excluded"], "face_age": [50.0, 60, 70, np.nan],
        "face_age_sd": [1.0, 3, 8, np.nan],
    }).assign(**more)  # fmt: skip


def value(rows, term, measure):
    found = rows[(rows.term == term) & (rows.measure == measure)]
    assert len(found) == 1
    return found.iloc[0]


def test_every_photo_is_counted_once_and_uncertainty_is_over_those_aged():
    rows = summarise_face_ages(ages())
    assert list(rows[rows.term == "photos"].estimate) == [2, 1, 1]
    assert set(rows[rows.term == "photos"].n) == {4}
    median = value(rows, "standard deviation of a face age", "median")
    assert (median.estimate, median.n) == (3, 3)
    assert value(rows, "standard deviation of a face age", "95th percentile").estimate == pytest.approx(7.5)
    assert not rows.term.str.contains("bfloat16").any()


def test_what_was_not_asked_for_is_not_reported():
    rows = summarise_face_ages(ages(face_age_sd=np.nan))
    assert set(rows.term) == {"photos"}


def test_the_error_of_half_precision_has_no_sign():
    rows = summarise_face_ages(ages(precision_error=[-0.5, 0.25, np.nan, np.nan]))
    assert value(rows, "bfloat16 against float32", "largest absolute difference").estimate == 0.5
    assert value(rows, "bfloat16 against float32", "mean absolute difference").estimate == 0.375
    assert value(rows, "bfloat16 against float32", "mean absolute difference").n == 2
