"""Associations with age acceleration: unadjusted and adjusted for age, planted effects found, impossible ones said to be so."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.phenotype.contrasts import RAW, compare_groups, contrast_exposures
from faceage_bio.analyses.phenotype.matched import match_groups
from faceage_bio.core.errors import CohortError
from tests.rows import told


def people(n=400, seed=1, smoking_effect=4.0, age_trap=False):
    random = np.random.default_rng(seed)
    age = random.uniform(40, 85, n)
    chance = np.clip((85 - age) / 45, 0.05, 0.95) if age_trap else np.full(n, 0.4)
    smoking = np.where(random.random(n) < chance, "current", "never")
    # the gap falls with age, as in the study's own data
    face = 20 + 0.7 * age + smoking_effect * (smoking == "current") + random.normal(0, 5, n)
    return pd.DataFrame({
        "cohort": "c", "chronological_age": age, "face_age": face, "age_gap": face - age, "smoking": smoking,
        "sex": random.choice(["female", "male"], n), "bmi": random.normal(27, 4, n), "group": "cancer",
    })  # fmt: skip


def both(table, term):
    rows = table[table.term == term].set_index(table.adjustment[table.term == term] == RAW)
    return rows.loc[True], rows.loc[False]


def test_planted_effect_is_found_with_its_size():
    raw, adjusted = both(
        contrast_exposures(people(n=4000), ["smoking"], ["sex"]), "smoking: current vs never"
    )
    assert adjusted.estimate == pytest.approx(4, abs=0.6)  # its standard error is 0.16
    assert adjusted.ci_upper - adjusted.ci_lower == pytest.approx(0.63, abs=0.05)
    assert (adjusted.adjustment, adjusted.covariates) == ("minimal", "age, sex")
    assert raw.n == adjusted.n == 4000


def test_an_effect_of_age_alone_shows_in_the_raw_row_and_vanishes_in_the_adjusted():
    raw, adjusted = both(
        contrast_exposures(people(n=4000, smoking_effect=0, age_trap=True), ["smoking"], []),
        "smoking: current vs never",
    )
    assert raw.ci_lower > 1  # young people smoke, and young faces look too old
    assert abs(adjusted.estimate) < 0.6


def test_no_row_stands_without_its_comparison():
    table = contrast_exposures(people(), ["smoking", "bmi", "sex"], ["sex"])
    assert (table.groupby("term").adjustment.nunique() == 2).all()
    assert table[table.adjustment == RAW].q_value.isna().all()
    assert table[table.adjustment != RAW].q_value.notna().all()


def test_numbers_are_given_per_declared_unit():
    data = people()
    data["face_age"] += data.bmi
    data["age_gap"] += data.bmi
    _, adjusted = both(contrast_exposures(data, ["bmi"], []), "bmi")
    assert adjusted.per == "5 kg/m²"
    assert adjusted.ci_lower < 5 < adjusted.ci_upper


def test_permuted_exposure_is_found_about_as_often_as_chance():
    data, random = people(n=120), np.random.default_rng(3)
    p_values = []
    for _ in range(120):
        data["smoking"] = random.permutation(data["smoking"])
        p_values.append(
            both(contrast_exposures(data, ["smoking"], []), "smoking: current vs never")[1].p_value
        )
    assert 0.005 <= np.mean(np.array(p_values) < 0.05) <= 0.12
    assert 0.4 < np.mean(p_values) < 0.6


def test_within_cohort_centring_does_not_hide_the_difference_between_groups():
    one, other = people(seed=1), people(seed=2)
    one["face_age"] += 5
    one["age_gap"] += 5
    other["group"] = "reference"
    raw, adjusted = both(compare_groups(pd.concat([one, other]), ["sex"]), "group: cancer vs reference")
    assert adjusted.ci_lower < 5 < adjusted.ci_upper
    assert adjusted.cohort == "pooled"
    assert raw.n_exposed == 400


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smoking": "current"}, "all 400 participants have the same value"),
        ({"smoking": None}, "no participant has a value"),
        ({"smoking": ["former"] + ["never"] * 399}, "fewer than 2 participants|one row alone"),
    ],
)
def test_what_cannot_be_estimated_keeps_its_rows_and_says_why(change, message):
    table = contrast_exposures(people().assign(**change), ["smoking"], [])
    assert len(table) == 2
    assert table.estimate.isna().all()
    assert told(table).str.contains(f"not estimated, because .*(?:{message})").all()


@pytest.mark.parametrize(
    ("sex", "message"),
    [
        (["female", "male"], "no group has 2 participants"),  # each is a group of one
        (["female", None], "no participant has all values"),
    ],
)
def test_a_value_that_is_known_is_not_told_to_be_lacking(sex, message):
    pair = people(400).iloc[:2].assign(sex=sex, bmi=[20.0, np.nan] if None in sex else [20.0, 30.0])
    pair["bmi"] = pair["bmi"].iloc[::-1].to_numpy()
    table = contrast_exposures(pair, ["bmi"], ["sex"])
    assert (told(table) == f"not estimated, because {message}").all()


def test_no_reference_participant_is_said():
    table = compare_groups(people(), [])
    assert told(table).str.contains("all 400 participants have the same value").all()


def test_an_unknown_column_is_told():
    with pytest.raises(CohortError, match="no column 'smokng'"):
        contrast_exposures(people(), ["smokng"], [])


def test_without_a_column_group_the_comparison_by_disease_is_a_row_and_no_error():
    table = people(60).drop(columns="group")
    for rows in (compare_groups(table, ["sex"]), match_groups(table, "group", ["sex"], 2.0, []).rows):
        assert rows.term.tolist() == ["group", "group"]
        assert rows.estimate.isna().all()
        assert told(rows).str.startswith("not estimated, because no table has the column group").all()
    assert len(match_groups(table, "group", ["sex"], 2.0, []).balance) == 0
    with pytest.raises(CohortError, match="no column 'grop'"):
        match_groups(table, "grop", [], 2.0, [])
