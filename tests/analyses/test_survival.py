"""The survival stage: sequentially adjusted models, horizon, bad input."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.survival.cox_models import Choices, grouped, model_frame
from faceage_bio.analyses.survival.follow_up import hints, mark, prepare, read_people, survival_ledger
from faceage_bio.analyses.survival.sequential_models import compare_ages
from faceage_bio.analyses.survival.sequential_models import sequential_cox_models as sequential
from faceage_bio.cli.commands_survival import read_followed
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import CohortError, ConfigError, FitError
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.cox import fit_cox
from tests.rows import cases, worded
from tests.survival_studies import people


def cox_models(data, covariates, per_years, cohort):
    choices = Choices(per_years, ["sex"] if "sex" in covariates else [], covariates)
    return worded(sequential(data, choices, cohort))


def row(table, model="face age + age", term="face_age"):
    return table[(table.model == model) & (table.term == term)].iloc[0]


def test_planted_hazard_is_found_and_its_unit_is_told():
    table = cox_models(people(), ["sex", "ecog"], 10, "c")
    found = row(table)
    assert found.ci_lower < np.exp(0.6) < found.ci_upper
    assert found.per == "10 years"
    assert found.n == 300
    full = row(table, "face age + age + sex + ecog")
    assert (full.adjustment, full.covariates) == ("full", "age, sex, ecog")
    assert (found.adjustment, found.covariates) == ("age", "age")
    assert (found.estimate / found.ci_lower) == pytest.approx(np.exp(1.959964 * found.standard_error))
    male = row(table, "face age + age + sex + ecog", "sex: male")
    assert (male.level, male.reference) == ("male", "female")
    half = row(cox_models(people(), [], 5, "c"))
    assert half.estimate == pytest.approx(np.sqrt(found.estimate), rel=1e-6)


def test_acceleration_and_face_age_have_one_coefficient_adjusted_for_age():
    table = cox_models(people(), [], 10, "c")
    found = row(table, "age acceleration + age", "age_acceleration").estimate
    assert found == pytest.approx(row(table).estimate, rel=1e-6)


def test_permuted_faces_predict_nothing_more_often_than_chance():
    data, random, found = people(n=150), np.random.default_rng(5), []
    for _ in range(80):
        design = data[["face_age", "chronological_age"]].assign(face_age=random.permutation(data.face_age))
        found.append(fit_cox(data.followup_years, data.event, design).terms.p_value["face_age"])
    assert np.mean(np.array(found) < 0.05) < 0.14
    assert 0.38 < np.mean(found) < 0.62


def test_horizon_cuts_time_and_event_and_leaves_the_hazard_ratio_of_cutting_events_alone():
    data = people()
    cut, _ = prepare(data, Survival(horizon_years=2.0))
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
    plain = row(cox_models(data, [], 10, "c")).estimate
    data.loc[:50, "entry_years"] = data.followup_years * 0.5
    assert row(cox_models(data, [], 10, "c")).estimate != pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "n", "message"),
    [
        ({"event": 0.0}, 300, "0 deaths are too few"),
        ({"face_age": 60.0}, 300, "does not vary"),
        ({}, 0, "no participant with age acceleration has follow-up"),
    ],
)
def test_a_model_that_cannot_be_fitted_keeps_its_row_and_says_why(change, n, message):
    found = row(cox_models(people().assign(**change).head(n), [], 10, "c"))
    assert np.isnan(found.estimate)
    assert message in found.note


def test_too_few_for_age_acceleration_is_the_reason_with_n(tmp_path, capsys):
    five = people().head(5).drop(columns="age_acceleration")
    path = tmp_path / "five.tsv"
    five.to_csv(path, sep="\t", index=False)
    table, usable = read_followed(path)
    said = "none of 5 participants with follow-up has age acceleration, which needs at least 10 participants with both ages, not all of one age"
    assert len(table) == 5
    assert f"note: {path}: no model can be fitted, because {said}" in capsys.readouterr().out
    assert said in row(cox_models(usable, [], 10, "c")).note


def test_separation_is_an_error_and_not_a_huge_hazard_ratio():
    data = people(n=80)
    group = (data.event == 1).astype(float).rename("group")
    with pytest.raises(FitError, match=r"separates|converge"):
        fit_cox(data.followup_years, data.event, group.to_frame())


MISSING = "missing or negative"


@pytest.mark.parametrize(
    ("years", "entry", "message"),
    [(-1.0, None, MISSING), (np.nan, None, MISSING), (2.0, 3.0, "starts at or after its end")],
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
    assert "events per variable" in row(cox_models(data, [], 10, "c")).note


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
    data.loc[3, "followup_years"] = -0.1
    data.loc[4, "followup_years"] = 0.0
    ledger = survival_ledger(mark(data), ["sex", "ecog"]).set_index("subject_id")
    expected = ["no_acceleration", "no_follow_up", "missing_ecog", "ended_before_the_photo", ""]
    assert ledger.reason[["s0", "s1", "s2", "s3", "s4"]].tolist() == expected
    assert len(ledger) == 20


def dated(n=60):
    data = people(n=n)
    photo = pd.Timestamp("2018-01-01") + pd.to_timedelta(np.arange(n) % 50, unit="D")
    diagnosis = photo - pd.to_timedelta(np.where(np.arange(n) % 2, 365, -30), unit="D")
    return data.assign(photo_date=photo.strftime("%Y-%m-%d"), diagnosis_date=diagnosis.strftime("%Y-%m-%d"))


def test_time_from_diagnosis_puts_participants_at_risk_from_the_photo_on_only():
    usable, reasons = prepare(dated(), Survival(time_zero="diagnosis_date", year_days=365))
    years = dated().followup_years[usable.index]
    before = usable.index % 2 == 1  # diagnosed a year before the photo
    np.testing.assert_allclose(usable.entry_years[before], 1.0)
    np.testing.assert_allclose(usable.followup_years[before], years[before] + 1)
    # diagnosed after the photo: at risk from the diagnosis, and not before
    assert usable.entry_years[~before].isna().all()
    np.testing.assert_allclose(usable.followup_years[~before], years[~before] - 30 / 365)
    assert set(reasons) <= {"ended_before_time_zero"}
    assert (usable.entry_years.fillna(0.0) < usable.followup_years).all()


def test_immortal_time_would_have_hidden_the_hazard():
    # no participant can die between diagnosis and photo, so time at risk there makes a long wait look protective
    random = np.random.default_rng(2)
    n = 800
    wait = random.uniform(0, 4, n)
    data = people(n=n, hazard=0.0).assign(face_age=lambda d: d.face_age + 3 * wait)
    days = pd.to_timedelta((wait * 365.25).round(), unit="D")
    data["photo_date"] = "2019-01-01"
    data["diagnosis_date"] = (pd.Timestamp("2019-01-01") - days).strftime("%Y-%m-%d")
    guarded, _ = prepare(data, Survival(time_zero="diagnosis_date"))
    seen = (guarded.followup_years, guarded.event, guarded[["face_age"]])
    naive = fit_cox(*seen).terms.loc["face_age"]
    honest = fit_cox(*seen, entry_of(guarded)).terms.loc["face_age"]
    assert naive.ci_upper < 1
    assert honest.ci_lower < 1 < honest.ci_upper


def test_landmark_takes_those_still_observed_and_time_from_there():
    data = people()
    usable, reasons = prepare(data, Survival(landmark_years=1.0))
    assert (data.followup_years[usable.index] > 1).all()
    np.testing.assert_allclose(usable.followup_years, data.followup_years[usable.index] - 1)
    assert set(reasons) == {"not_observed_at_the_landmark"}
    assert len(usable) + len(reasons) == len(data)


def test_study_end_cuts_time_and_event():
    data = dated()
    usable, reasons = prepare(data, Survival(end_date="2018-02-01", year_days=365))
    days = (pd.Timestamp("2018-02-01") - pd.to_datetime(data.photo_date)).dt.days / 365
    assert set(reasons) == {"photo_after_the_end_of_the_study"}
    assert (days[reasons.index] <= 0).all()
    cut = data.followup_years[usable.index] > days[usable.index]
    assert cut.any()
    np.testing.assert_allclose(usable.followup_years, np.minimum(data.followup_years, days)[usable.index])
    assert (usable.event[cut] == 0).all()


def test_a_prepared_table_is_not_prepared_again():
    data = people()
    data.loc[:9, "followup_years"] = np.nan
    once = mark(data, Survival(landmark_years=0.5, horizon_years=2.0))
    usable, reasons = prepare(once)
    first, why = prepare(data, Survival(landmark_years=0.5, horizon_years=2.0))
    pd.testing.assert_frame_equal(usable[first.columns], first)
    assert reasons.to_dict() == why.to_dict()
    assert len(once) == len(data)


@pytest.mark.parametrize(
    ("zero", "message"),
    cases(r"""
        operation_date | survival.time_zero: operation_date needs the column
        diagnosis_date | column 'diagnosis_date' \(survival.time_zero: diagnosis_date\) has cells that are no dates. Expected days YYYY-MM-DD up to today. Correct them, or leave them empty. It holds 1.2.2018. Expected a date. Write it as YYYY-MM-DD
    """),
)
def test_dates_that_are_none_are_told(zero, message):
    with pytest.raises(CohortError, match=message):
        prepare(dated().assign(diagnosis_date="1.2.2018"), Survival(time_zero=zero))


def test_a_cohort_without_follow_up_needs_no_dates():
    unfollowed = dated().assign(followup_years=np.nan)
    time = Survival(time_zero="operation_date", end_date="2024-12-31")
    usable, reasons = prepare(unfollowed.drop(columns="photo_date"), time)
    assert usable.empty
    assert set(reasons) == {"no_follow_up"}


def test_who_has_no_date_leaves_with_a_reason():
    data = dated()
    data.loc[3, "diagnosis_date"] = None
    data.loc[5, "photo_date"] = None
    _, reasons = prepare(data, Survival(time_zero="diagnosis_date"))
    assert reasons[3] == reasons[5] == "no_time_zero"
    _, reasons = prepare(data, Survival(end_date="2030-01-01"))
    assert reasons.to_dict() == {5: "no_photo_date"}


BAD = """subject_id,chronological_age,face_age,followup_years,event,entry_years,sex
a,60,62,-1,1,,female
b,61,sixty,2,1,,female
c,62,64,,1,,female
d,63,65,3,,,female
e,64,66,3,2,,female
f,65,67,3,1,4,female
f,200,68,3,0,0,female
"""


def test_everything_wrong_with_a_table_is_told_at_once(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(BAD)
    with pytest.raises(CohortError) as error:
        read_people(path)
    text = str(error.value)
    for line in (
        "'followup_years': 1 row(s), line 2: -1.0. Follow-up ends before the photo",
        "'face_age': 1 row(s), line 3: 'sixty'. Expected a number. Write a plain number",
        "'followup_years': 1 row(s), line 4. The participant died, but the time is missing, and excluding a death would mislead. Expected when. Give",
        "'event': 1 row(s), line 5. Follow-up is given, but not whether the participant died",
        "'event': 1 row(s), line 6: '2'. Expected 1 (died) or 0 (alive when last seen). Write one",
        "'entry_years': 1 row(s), line 7: '4, exit 3'. Observation starts at or after its end",
        "'subject_id': 2 row(s), line 7: 'f'; line 8: 'f'. It stands more than once",
        "'chronological_age': 1 row(s), line 8: '200'. Expected years above 0, up to 120",
    ):
        assert line in text, text
    assert text.startswith("8 problems")
    path.write_text("subject_id,age\na,60\n")
    message = r"has no column 'face_age', 'chronological_age', 'followup_years', 'event'"
    with pytest.raises(CohortError, match=message):
        read_people(path)


def test_two_cohorts_in_one_table_are_told(tmp_path):
    path = tmp_path / "people.csv"
    header = "subject_id,cohort,face_age,chronological_age,followup_years,event"
    path.write_text(f"{header}\na,x,60,60,1,1\nb,y,60,60,1,1\n")
    message = r"column 'cohort' holds x, y. Expected one name. Give one cohort at a time"
    with pytest.raises(CohortError, match=message):
        read_people(path)


def test_what_a_model_is_about_cannot_make_its_strata():
    with pytest.raises(FitError, match="face_age makes the strata"):
        model_frame(people(n=30), ["face_age"], Choices(10, [], [], strata=["face_age"]))


def test_a_plain_table_gets_what_it_lacks(tmp_path):
    data = people(n=40)
    path = tmp_path / "mine.tsv"
    data[["chronological_age", "face_age", "followup_years", "event"]].to_csv(path, sep="\t", index=False)
    table = read_people(path)
    slope, intercept = np.polyfit(data.chronological_age, data.face_age, 1)
    residual = data.face_age - intercept - slope * data.chronological_age
    np.testing.assert_allclose(table.age_acceleration, residual, atol=1e-9)
    assert table.cohort.unique() == ["mine"]
    assert table.subject_id.tolist()[:2] == ["1", "2"]
    assert table.entry_years.isna().all()


def test_what_models_cannot_tell_is_told_beforehand():
    data = people(n=40).assign(sex="male", site=["a", "b", "b", "b"] * 10, stage=None)
    data.loc[data.site == "a", "event"] = 0.0
    usable, _ = prepare(data)
    text = "\n".join(hints(data, usable, ["sex", "site", "stage"], "p.tsv"))
    assert "p.tsv: column 'sex': all 40 participants have 'male'" in text
    assert "p.tsv: column 'site': no death among participants with 'a' (n = 10: row 1; row 5" in text
    assert "p.tsv: column 'stage' is empty for all 40 participants" in text
    usable["event"] = 0.0
    assert "all 40 participants with follow-up are censored" in hints(data, usable, [], "p.tsv")[0]


def test_groups_are_rules_that_leave_no_participant_to_the_reference():
    data = people(n=200).assign(ecog=[0, 1, 2, 3, 4] * 40)
    made = grouped(data, {"ecog": [1, 3]})
    assert made.ecog.tolist()[:5] == ["below 1", "1 to 3", "1 to 3", "3 and over", "3 and over"]
    choices = Choices(10, ["ecog"], [], groups={"ecog": [1, 3]})
    rows = sequential(made, choices, "c")
    step = rows[(rows.step == "+ ecog") & (rows.exposure == "face_age")]
    assert step.term.tolist() == ["face_age", "chronological_age", "ecog: 1 to 3", "ecog: 3 and over"]


def test_models_are_adjusted_for_one_column_at_a_time_with_both_ages_in_the_same_participants():
    data = people().assign(site=np.random.default_rng(3).choice(["lung", "breast"], 300))
    data.loc[:20, "site"] = None
    rows = sequential(data, Choices(10, ["sex", "site"], ["ecog"]), "c")
    heads = rows[rows.term == rows.exposure]
    steps = ["unadjusted", "+ age", "+ sex", "+ site", "full"]
    assert heads[heads.exposure == "face_age"].step.tolist() == steps
    ages = heads[heads.exposure.isin(["face_age", "age_acceleration", "chronological_age"])]
    assert (ages.groupby("step").n.nunique() == 1).all()
    sd = data.age_acceleration.std()
    per_sd = heads[heads.per == "1 SD"].set_index("step")
    np.testing.assert_allclose(per_sd.exposure_sd, sd)
    decade = heads[(heads.exposure == "age_acceleration") & (heads.per == "10 years")].set_index("step")
    np.testing.assert_allclose(np.log(per_sd.estimate), np.log(decade.estimate) * sd / 10)
    assert (heads.events_per_term > 0).all()
    assert rows.robust_lower.notna().all()


def test_strata_and_clusters_are_used_and_named():
    random = np.random.default_rng(4)
    data = people().assign(site=random.choice(["lung", "breast"], 300), hospital=random.integers(0, 30, 300))
    clustered = Choices(10, ["sex"], [], strata=["site"], cluster="hospital")
    plain, other = (
        row(sequential(data, choices, "c"), "face age + age + sex")
        for choices in (Choices(10, ["sex"], []), clustered)
    )
    assert other.method == "Cox, Efron ties, strata of site, errors robust by hospital, Wald interval"
    assert other.estimate != pytest.approx(plain.estimate, rel=1e-6)
    assert other.robust_lower == other.ci_lower
    few = worded(sequential(data, Choices(10, [], [], cluster="sex"), "c"))
    assert "only 2 clusters" in few.note[0]
    # a column that makes strata is no covariate as well
    both = sequential(data, Choices(10, ["site"], [], strata=["site"]), "c")
    assert not both.term.str.startswith("site").any()


def test_ages_are_compared_in_the_same_participants():
    data = people()
    rows = compare_ages(data, Choices(10, ["sex"], ["ecog"]), "c")
    two = rows[(rows.model == "two models") & (rows.step == "unadjusted")].set_index("term")
    one = rows[(rows.model == "one model with both") & (rows.step == "unadjusted")].set_index("term")
    alone = sequential(data, Choices(10, [], []), "c").set_index(["model", "term"]).sort_index()
    assert two.estimate["face_age"] == pytest.approx(alone.estimate["univariable", "face_age"])
    expected = alone.estimate["univariable", "chronological_age"]
    assert two.estimate["chronological_age"] == pytest.approx(expected)
    assert one.estimate["face_age"] == pytest.approx(alone.estimate["face age + age", "face_age"])
    for found in (two, one):
        ratio = found.estimate["face_age"] / found.estimate["chronological_age"]
        assert found.estimate["face age against age"] == pytest.approx(ratio)
    two_deaths = data.assign(event=(np.arange(300) < 2).astype(float))
    few = worded(compare_ages(two_deaths, Choices(10, ["sex"], []), "c"))
    assert "2 deaths are too few; a hazard ratio needs at least 5" in few.note.iloc[-1]


def test_firth_stands_beside_what_separation_leaves_without_a_number():
    data = people(n=80).assign(site=lambda d: np.where(np.arange(80) < 8, "rare", "common"))
    data.loc[data.site == "rare", "event"] = 0.0
    rows = worded(sequential(data, Choices(10, ["site"], [], firth=True), "c"))
    steps = rows[rows.exposure == "face_age"].groupby("step").first()
    assert "Firth's penalised likelihood (survival.firth: true)" in steps.note["+ site"]
    assert np.isfinite(steps.estimate["+ site, Firth"])
    assert steps.ci_lower["+ site, Firth"] < steps.estimate["+ site, Firth"] < steps.ci_upper["+ site, Firth"]
    rare = rows[(rows.term == "site: rare") & (rows.step == "unadjusted, Firth")].iloc[0]
    assert 0 < rare.estimate < 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"end_date": "2020-13-01"}, "survival.end_date: '2020-13-01' is no day; write YYYY-MM-DD"),
        ({"end_date": "20200101"}, "survival.end_date: '20200101' is no day; write YYYY-MM-DD"),
        ({"landmark_years": -1.0}, "survival.landmark_years: found -1.0 .float., expected greater than 0"),
        (
            {"landmark_years": np.inf},
            "survival.landmark_years: found Infinity .float., expected a finite number",
        ),
        ({"horizon_years": 0.0}, "survival.horizon_years: found 0.0 .float., expected greater than 0"),
        ({"year_days": 0.0}, "survival.year_days: found 0.0 .float., expected 365 or 365.25"),
    ],
)
def test_a_time_that_cannot_be_meant_is_told(wrong, message):
    with pytest.raises(ConfigError, match=message):
        check_config({"survival": wrong}, study=False)
