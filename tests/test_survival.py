"""The survival stage: ladder, horizon, curves, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.errors import FitError
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.kaplan_meier import kaplan_meier, median
from faceage_bio.survival.curves import curves_by_group, face_age_groups, summarise
from faceage_bio.survival.ladder import cox_ladder, prepare, survival_ledger


def people(n=300, seed=1, hazard=0.06):
    random = np.random.default_rng(seed)
    age = random.normal(64, 9, n)
    excess = random.normal(0, 8, n)
    death = random.exponential(1, n) / (0.25 * np.exp(hazard * (age + excess - 64)))
    leave = random.uniform(1, 6, n)
    return pd.DataFrame({
        "cohort": "c", "subject_id": [f"s{k}" for k in range(n)], "chronological_age": age, "face_age": age + excess,
        "age_acceleration": excess, "sex": random.choice(["female", "male"], n), "ecog": random.integers(0, 3, n).astype(float),
        "entry_years": np.nan, "followup_years": np.minimum(death, leave), "event": (death <= leave).astype(float),
    })  # fmt: skip


def row(table, model, term="face_age"):
    return table[(table.model == model) & (table.term == term)].iloc[0]


def test_planted_hazard_is_found_and_its_unit_is_told():
    table = cox_ladder(people(), ["sex", "ecog"], 10, "c")
    found = row(table, "face age + age")
    assert found.ci_lower < np.exp(0.6) < found.ci_upper
    assert found.per == "10 years"
    assert found.n == 300
    assert row(table, "face age + age + sex + ecog").adjustment == "age, sex, ecog"
    half = row(cox_ladder(people(), [], 5, "c"), "face age + age")
    assert half.estimate == pytest.approx(np.sqrt(found.estimate), rel=1e-6)


def test_acceleration_and_face_age_have_one_coefficient_beside_age():
    table = cox_ladder(people(), [], 10, "c")
    assert row(table, "age acceleration + age", "age_acceleration").estimate == pytest.approx(
        row(table, "face age + age").estimate, rel=1e-6
    )


def test_permuted_faces_predict_nothing_more_often_than_chance():
    data, random, found = people(n=150), np.random.default_rng(5), []
    for _ in range(80):
        order = random.permutation(len(data))
        shuffled = data.assign(
            face_age=data.face_age.to_numpy()[order], age_acceleration=data.age_acceleration.to_numpy()[order]
        )
        found.append(
            fit_cox(
                shuffled.followup_years, shuffled.event, shuffled[["face_age", "chronological_age"]]
            ).terms.p_value["face_age"]
        )
    assert np.mean(np.array(found) < 0.05) < 0.14
    assert 0.38 < np.mean(found) < 0.62


def test_horizon_cuts_time_and_event_and_leaves_the_hazard_ratio_of_cutting_events_alone():
    data = people()
    cut, _ = prepare(data, 2.0)
    assert cut.followup_years.max() == 2.0
    late = data.followup_years > 2.0
    assert (cut.event[late] == 0).all()
    events_only = data.assign(event=data.event.where(~late, 0.0))  # the way of the study's scripts
    design = ["face_age", "chronological_age"]
    ours = fit_cox(cut.followup_years, cut.event, cut[design]).terms.hazard_ratio
    theirs = fit_cox(events_only.followup_years, events_only.event, events_only[design]).terms.hazard_ratio
    np.testing.assert_allclose(ours, theirs, rtol=1e-7)


def test_delayed_entry_is_used_where_given():
    data = people()
    data.loc[:50, "entry_years"] = data.followup_years * 0.5
    late = row(cox_ladder(data, [], 10, "c"), "face age + age")
    assert late.estimate != pytest.approx(
        row(cox_ladder(people(), [], 10, "c"), "face age + age").estimate, rel=1e-6
    )
    assert curves_by_group(data, [65], "c").empty
    assert "enters after the photo" in summarise(data, 300, [65], "c").note[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(event=0.0), "0 deaths are too few"),
        (lambda d: d.assign(face_age=60.0), "does not vary"),
        (lambda d: d.head(0), "nobody has follow-up"),
    ],
)
def test_a_model_that_cannot_be_fitted_keeps_its_row_and_says_why(change, message):
    found = row(cox_ladder(change(people()), [], 10, "c"), "face age + age")
    assert np.isnan(found.estimate)
    assert message in found.note


def test_separation_is_an_error_and_not_a_huge_hazard_ratio():
    data = people(n=80)
    group = (data.event == 1).astype(float).rename("group")
    with pytest.raises(FitError, match=r"separates|converge"):
        fit_cox(data.followup_years, data.event, group.to_frame())


@pytest.mark.parametrize(
    ("years", "entry", "message"),
    [
        (-1.0, None, "not positive"),
        (np.nan, None, "missing or not positive"),
        (2.0, 3.0, "starts at or after its end"),
    ],
)
def test_impossible_times_are_errors(years, entry, message):
    data = people(n=60)
    data.loc[3, "followup_years"] = years
    entries = None if entry is None else pd.Series(0.0, index=data.index).mask(data.index == 3, entry)
    with pytest.raises(FitError, match=message):
        fit_cox(data.followup_years, data.event, data[["face_age"]], entries)


def test_few_deaths_are_flagged():
    data = people(n=60)
    data["event"] = data.event.where(data.event.cumsum() <= 8, 0.0)
    assert "deaths per term" in row(cox_ladder(data, [], 10, "c"), "face age + age").note


def test_float_near_ties_are_ties():
    data = people(n=100).assign(followup_years=lambda d: d.followup_years.round(1) + 0.1)
    jitter = data.assign(followup_years=data.followup_years + np.random.default_rng(1).normal(0, 1e-11, 100))
    one, other = (
        fit_cox(d.followup_years, d.event, d[["face_age"]]).terms.hazard_ratio["face_age"]
        for d in (data, jitter)
    )
    assert one == pytest.approx(other, rel=1e-9)


def test_ledger_has_one_row_per_subject_with_the_reason():
    data = people(n=20)
    data.loc[0, "age_acceleration"] = np.nan
    data.loc[1, "followup_years"] = np.nan
    data.loc[2, "ecog"] = np.nan
    data.loc[3, "followup_years"] = 0.0
    usable, reasons = prepare(data)
    ledger = survival_ledger(data, usable, reasons, ["sex", "ecog"]).set_index("subject_id")
    assert ledger.reason[["s0", "s1", "s2", "s3", "s4"]].tolist() == [
        "no_acceleration",
        "no_follow_up",
        "missing_ecog",
        "followed_not_beyond_the_photo",
        "",
    ]
    assert len(ledger) == 20


def test_groups_are_cut_as_the_study_cut_them():
    groups = face_age_groups(pd.Series([50, 65, 65.1, 75, 85, 85.1]), [65, 75, 85])
    assert list(groups) == ["<= 65", "<= 65", "65-75", "65-75", "75-85", "> 85"]


def test_an_empty_group_is_said_to_be_empty():
    table = summarise(people(), 300, [65, 200], "c")
    assert table[table.term == "face age > 200"].note.iloc[0] == "not estimated, because the group is empty"


def test_no_follow_up_is_said():
    usable, _ = prepare(people().assign(followup_years=np.nan))
    assert (
        summarise(usable, 300, [65], "c").note[0]
        == "not estimated, because no follow-up is known of any of 300 people"
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=40))
def test_curves_fall_and_count_everybody(rows):
    years, event = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], float)
    curve = kaplan_meier(years, event)
    assert curve.survival.is_monotonic_decreasing
    assert curve.at_risk[0] == len(rows)
    assert curve.events.sum() == event.sum()
    assert (curve.events + curve.censored).sum() == len(rows)
    found = median(curve)
    assert np.isnan(found.estimate) == (curve.survival.min() > 0.5 + 1e-12)
