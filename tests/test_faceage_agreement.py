"""A second opinion: planted disagreement is found, none is found where there is none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.core.errors import FitError
from faceage_bio.faces.faceage.model_comparison import compare_models
from faceage_bio.stats.measurement_error import bland_altman
from tests.rows import told

CARDS = [{"name": "FaceAge"}, {"name": "Other"}]


def ages(n=400, bias=3.0, spread=4.0, seed=1):
    random = np.random.default_rng(seed)
    first = random.normal(60, 12, n)
    return pd.DataFrame({
        "cohort": "c", "subject_id": [f"s{i}" for i in range(n)], "face_age": first,
        "face_age_2": first + bias + random.normal(0, spread, n),
    })  # fmt: skip


def first_photo(table, column):
    return table.drop_duplicates("subject_id").set_index("subject_id")[column]


def estimate(rows, measure):
    return rows[rows.measure == measure].iloc[0]


def test_planted_bias_and_spread_are_found():
    rows, bands = compare_models(ages(), CARDS, first_photo)
    bias = estimate(rows, "bias")
    assert bias.ci_lower < 3 < bias.ci_upper
    assert bias.ci_lower > 0
    assert (
        estimate(rows, "lower limit of agreement").ci_lower
        < 3 - 1.96 * 4
        < estimate(rows, "lower limit of agreement").ci_upper
    )
    assert (
        estimate(rows, "upper limit of agreement").ci_lower
        < 3 + 1.96 * 4
        < estimate(rows, "upper limit of agreement").ci_upper
    )
    assert set(rows.term) == {"Other"}
    assert set(rows.reference) == {"FaceAge"}
    assert bands.n.sum() == 400
    assert np.average(bands.mean_difference, weights=bands.n) == pytest.approx(bias.estimate)


def test_the_interval_covers_no_bias_as_often_as_it_says():
    covered = [
        estimate(compare_models(ages(60, bias=0, seed=seed), CARDS, first_photo)[0], "bias")[
            ["ci_lower", "ci_upper"]
        ].prod()
        < 0
        for seed in range(200)
    ]
    assert 0.90 < np.mean(covered) < 0.99


def test_one_pair_per_person_and_only_photos_with_both_ages():
    table = pd.concat([ages(30), ages(30, bias=50)], ignore_index=True)
    table.loc[0, ["face_age", "face_age_2"]] = np.nan
    table.loc[1, "face_age_2"] = np.nan
    rows, _ = compare_models(table, CARDS, first_photo)
    assert set(rows.n) == {30}
    differences = (table.face_age_2 - table.face_age).iloc[[*range(2, 30), 30, 31]]
    assert estimate(rows, "bias").estimate == pytest.approx(differences.mean())


def test_too_few_people_are_told():
    rows, bands = compare_models(ages(3), CARDS, first_photo)
    assert rows.estimate.isna().all()
    assert told(rows).str.contains("not estimated, because agreement needs 4 pairs").all()
    rows, bands = compare_models(ages(0), CARDS, first_photo)
    assert len(bands) == 0


def test_values_that_do_not_vary_are_refused():
    with pytest.raises(FitError, match="agreement needs 4 pairs whose differences and means vary"):
        bland_altman(np.ones(10), np.ones(10))


@given(st.lists(st.tuples(st.integers(20, 90), st.integers(20, 90)), min_size=5, max_size=30))
def test_turned_round_the_signs_turn(pairs):
    first, second = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    try:
        there, back = bland_altman(first, second), bland_altman(second, first)
    except FitError:
        return
    assert there.bias.estimate == pytest.approx(-back.bias.estimate)
    assert there.lower_limit.ci_lower == pytest.approx(-back.upper_limit.ci_upper)
    assert there.lower_limit.estimate < there.bias.estimate < there.upper_limit.estimate
    assert there.lower_limit.ci_upper >= there.lower_limit.estimate >= there.lower_limit.ci_lower


def test_models_of_one_name_are_told_apart():
    table = ages(30).assign(face_age_3=lambda known: known.face_age_2 + 1)
    rows, bands = compare_models(table, [{"name": "A"}] * 3, first_photo)
    assert set(rows.term) == set(bands.term) == {"A, model 2", "A, model 3"}
