"""Curves by declared groups and competing risks: what is read off, what is not and why, the commands on plain tables."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.analyses.survival.causes_of_death import (
    check_causes,
    competing_rows,
    incidence_curves,
    with_codes,
)
from faceage_bio.analyses.survival.curves import curves_by_group, part, risk_by_group, summarise, whole_years
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import CohortError, ConfigError
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.demo.simulated_participants import simulate_participants
from faceage_bio.stats.kaplan_meier import kaplan_meier, median
from tests.commands import output_of
from tests.rows import cases, worded
from tests.survival_studies import late, people, with_causes

DIFFERENCE, INCIDENCE = "difference of restricted mean survival time", "cumulative incidence"
RULES = {"face_age": [65.0, 75.0, 85.0], "age_acceleration": "tertiles", "sex": "levels"}


def groupings(data, rules=RULES):
    return [part(data, column, rule) for column, rule in rules.items()]


def summary(data, rules=RULES, **options):
    return worded(summarise(data, groupings(data, rules), Survival(**options), "c"))


def row(table, term, measure, horizon=None):
    found = table[(table.term == term) & (table.measure == measure)]
    found = found if horizon is None else found[found.horizon == horizon]
    assert len(found) == 1, (term, measure, len(found))
    return found.iloc[0]


# groups


def test_groups_are_cut_as_the_study_cut_them():
    data = pd.DataFrame({"face_age": [50, 65, 65.1, 75, 85, 85.1, np.nan]})
    found = part(data, "face_age", [75, 65, 85])
    assert list(found.groups)[:6] == ["<= 65", "<= 65", "65-75", "65-75", "75-85", "> 85"]
    assert found.groups[6] is None
    assert found.levels == ("<= 65", "65-75", "75-85", "> 85")
    assert found.ordered
    assert found.term("> 85") == "face age > 85"


def test_tertiles_are_thirds_and_tell_where_they_cut():
    data = pd.DataFrame({"age_acceleration": np.arange(-10.0, 11)})
    found = part(data, "age_acceleration", "tertiles")
    assert found.groups.value_counts().tolist() == [7, 7, 7]
    assert found.detail == "cut at -3.33, 3.33"
    assert part(data, "age_acceleration", [-5, 5]).levels == ("<= -5", "-5 to 5", "> 5")


def test_levels_stand_in_their_declared_order_and_numbers_in_theirs():
    values = {"smoking": ["current", "never", None], "ecog": [2.0, 0, 1], "site": ["lung", "lung", "breast"]}
    data = pd.DataFrame(values)
    smoking = part(data, "smoking", "levels")
    assert smoking.levels == ("never", "former", "current")
    assert smoking.ordered
    assert part(data, "ecog", "levels").levels == ("0", "1", "2")
    site = part(data, "site", "levels")
    assert site.levels == ("lung", "breast")
    assert not site.ordered
    assert site.term("lung") == "site: lung"


@pytest.mark.parametrize(
    ("column", "rule", "why"),
    [
        ("height", "tertiles", "has no column 'height'"),
        ("empty", "levels", "no participant has a value of empty"),
        ("sex", [1.0], "holds words, which cannot be cut"),
        ("two", "tertiles", "too many participants share values"),
        ("subject_id", "levels", "has 300 values, more than 8"),
    ],
)
def test_a_grouping_that_cannot_be_made_says_why_in_its_row(column, rule, why):
    data = people().assign(empty=np.nan, two=[0.0, 1.0] * 150)
    table = summary(data, {column: rule})
    note = table[table.grouping == column].note
    assert len(note) == 1
    assert note.iloc[0].startswith("not estimated, because ")
    assert why in note.iloc[0]


# what is read off


def test_planted_hazard_parts_the_groups_and_each_row_names_its_interval():
    table = summary(people())
    assert row(table, "face age (cut at 65, 75, 85)", "log-rank chi-square").p_value < 1e-6
    assert row(table, "face age (cut at 65, 75, 85)", "log-rank trend chi-square").p_value < 1e-6
    assert row(table, "sex", "log-rank chi-square").p_value > 0.001
    assert not (table.term == "sex").sum() > 1  # two groups without order: no trend
    old = row(table, "face age 75-85 vs <= 65", DIFFERENCE, 3)
    assert old.ci_upper < 0
    ratio = row(table, "face age 75-85 vs <= 65", "ratio of restricted mean survival time")
    assert ratio.ci_upper < 1
    assert ratio.p_value < 0.001
    with_interval = table[table.measure.isin(["median survival", "median follow-up", "survival"])]
    assert with_interval.model.str.endswith("log-log interval").all()
    plain = summary(people(), interval="plain")
    assert plain[plain.measure == "median survival"].model.str.endswith("plain interval").all()
    curve = curves_by_group(people(), groupings(people()), "log", "c")
    assert (curve.interval == "log").all()
    assert set(curve.group) == {"all", "<= 65", "65-75", "75-85", "> 85", "lowest tertile", "middle tertile", "highest tertile", "female", "male"}  # fmt: skip


def test_permuted_faces_part_no_participants():
    data, random = people(n=200), np.random.default_rng(11)
    found = []
    for _ in range(60):
        shuffled = data.assign(face_age=random.permutation(data.face_age))
        table = summarise(shuffled, [part(shuffled, "face_age", "tertiles")], Survival(), "c")
        tests = table[table.group == ""]
        found.append([*tests.p_value, *table[table.measure == DIFFERENCE].p_value])
    assert (np.mean(np.array(found) < 0.05, axis=0) < 0.15).all()


def test_nothing_is_read_beyond_the_follow_up():
    data = people(n=80)
    table = summary(data, {"face_age": [65.0]}, times_years=[1.0, 9.0], rmst_years=9.0)
    note = row(table, "face age <= 65", "survival", 9).note
    assert "no participant is followed so long" in note
    mean = row(table, "all", "restricted mean survival time", 9)
    assert "lies beyond the follow-up" in mean.note
    assert np.isnan(mean.estimate)
    assert "it is not known for <= 65" in row(table, "face age > 65 vs <= 65", DIFFERENCE).note


def test_a_group_without_deaths_has_no_interval_of_width_nothing():
    data = people(n=120)
    data.loc[data.face_age <= 65, "event"] = 0.0
    table = summary(data, {"face_age": [65.0, 75.0]})
    young = table[table.term == "face age <= 65"]
    at_one, young = young[young.horizon == 1].iloc[0], young.set_index("measure")
    assert young.note["median survival"] == "not reached"
    assert (at_one.measure, at_one.estimate) == ("survival", 1)
    assert at_one[["ci_lower", "ci_upper"]].isna().all()
    assert "no participant had died by then" in at_one.note
    assert "no participant died by year 3" in young.note["restricted mean survival time"]
    assert "it is not known for <= 65" in row(table, "face age 65-75 vs <= 65", DIFFERENCE).note
    assert np.isfinite(row(table, "face age (cut at 65, 75)", "log-rank chi-square").p_value)


def one_at_time_zero(data):
    """The face of one participant, who dies on the day of the photo, is the oldest."""
    return data.assign(**{
        name: data[name].where(data.index != data.index[0], value)
        for name, value in (("face_age", 120.0), ("followup_years", 0.0), ("event", 1.0))
    })  # fmt: skip


RATIO = "ratio of restricted mean survival time"


@pytest.mark.parametrize(
    ("change", "rules", "term", "measure", "why"),
    [
        ({"event": 0.0}, RULES, "sex", "log-rank chi-square", "there was no death"),
        ({"sex": "male"}, RULES, "sex", "log-rank chi-square", "there is one group only"),
        ({"sex": "male"}, RULES, "sex: female", "median survival", "the group is empty"),
        ({}, {"face_age": [65.0, 200.0]}, "face age > 200", "median follow-up", "the group is empty"),
        ({}, {"face_age": [0.0, 65.0]}, "face age > 65 vs <= 0", RATIO, "not known for <= 0"),
        (one_at_time_zero, {"face_age": [110.0]}, "face age > 110 vs <= 110", RATIO, "it is not known for > 110"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_keeps_its_row_and_says_why(change, rules, term, measure, why):
    data = people()
    found = row(summary(change(data) if callable(change) else data.assign(**change), rules), term, measure)
    assert np.isnan(found.estimate)
    assert found.note.startswith("not estimated, because ")
    assert why in found.note


def test_no_follow_up_is_said():
    table = summary(people().head(0), {})
    assert table.note[0] == "not estimated, because no participant with age acceleration has follow-up"
    assert curves_by_group(people().head(0), groupings(people().head(0)), "log-log", "c").empty


def test_strata_and_weights_stand_in_the_rows():
    data = people()
    table = summary(data, {"face_age": [65.0, 75.0]}, log_rank_strata=["sex"], fleming_harrington=[0.0, 1.0])
    tests = table[table.group == ""]
    assert tests.model.tolist() == [
        "log-rank, strata of sex", "log-rank for trend, strata of sex", "Fleming-Harrington (0, 1) weights, strata of sex",
    ]  # fmt: skip
    assert tests.p_value.notna().all()
    data["sex"] = data.sex.where(data.index > 4)
    without = summary(data, {"face_age": [65.0]}, log_rank_strata=["sex"])
    assert without[without.group == ""].note.iloc[0].startswith("without 5 participants")
    with pytest.raises(CohortError, match=r"no column 'ward' .survival.log_rank_strata."):
        summary(data, log_rank_strata=["ward"])


# delayed entry


def test_late_entrants_count_from_when_they_came():
    data = late(people())
    found = curves_by_group(data, groupings(data), "log-log", "c")
    whole = found[found.group == "all"]
    assert whole.at_risk.iloc[0] == 180
    assert whole.entered.sum() == 300
    expected = kaplan_meier(data.followup_years, data.event, data.entry_years)
    np.testing.assert_allclose(whole.survival, expected.survival)
    table = summary(data)
    assert row(table, "face age (cut at 65, 75, 85)", "log-rank chi-square").p_value < 1e-6
    risk = risk_by_group(data, groupings(data), "c")
    at_one = risk[(risk.group == "all") & (risk.years == 1)].iloc[0]
    assert at_one.at_risk == ((data.entry_years.fillna(0) < 1) & (data.followup_years >= 1)).sum()


def test_ignoring_late_entry_would_flatter_and_heeding_it_finds_the_truth():
    random = np.random.default_rng(8)
    death = random.exponential(2, 4000)
    entry = random.uniform(0, 3, 4000)
    seen = death > entry
    truth = np.log(2) * 2
    heeded = median(kaplan_meier(death[seen], np.ones(seen.sum()), entry[seen]))
    ignored = median(kaplan_meier(death[seen], np.ones(seen.sum())))
    assert heeded.ci_lower < truth < heeded.ci_upper
    assert ignored.ci_lower > truth * 1.5


def test_late_entry_of_all_participants_is_said_and_so_are_few_at_risk():
    data = people(n=200)
    data["entry_years"] = np.where(data.index < 3, 0.2, 0.6)
    data = data[data.followup_years > 0.7]
    data.loc[data.index[0], ["followup_years", "event"]] = [0.5, 1.0]
    note = row(summary(data, {}), "all", "median survival").note
    assert "no participant is observed from the start" in note
    assert "fewer than 5 participants at risk at an early death" in note


def test_a_curve_that_fell_to_zero_before_others_came_is_not_told():
    data = people(n=100)
    data["entry_years"] = 0.5
    data = data[data.followup_years > 0.5]
    data.loc[data.index[0], ["entry_years", "followup_years", "event"]] = [0.0, 0.3, 1.0]
    table = summary(data, {})
    assert table.estimate.isna().all()
    words = "all who were at risk died before others entered, to whom the curve would give no chance"
    assert table.note.str.contains(words).all()
    assert curves_by_group(data, [], "log-log", "c").empty


def test_times_of_the_risk_table_are_whole_years_or_quarters():
    assert whole_years(people()).tolist() == [0, 1, 2, 3, 4, 5]
    assert whole_years(people().assign(followup_years=0.6)).tolist() == [0, 0.25, 0.5]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=40))
def test_curves_fall_and_count_all_participants(rows):
    years, event = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], float)
    curve = kaplan_meier(years, event)
    assert curve.survival.is_monotonic_decreasing
    assert curve.at_risk[0] == len(rows)
    assert curve.events.sum() == event.sum()
    assert (curve.events + curve.censored).sum() == len(rows)
    assert np.isnan(median(curve).estimate) == (curve.survival.min() > 0.5 + 1e-12)


# competing risks


def competing(data, rules=RULES, cause="cancer"):
    return worded(competing_rows(data, groupings(data, rules), cause, [1.0, 2.0, 9.0], "log-log", 10.0, "c"))


def hazard(table, cause, measure, term="face_age"):
    found = table[(table.cause == cause) & (table.measure == measure) & (table.term == term)]
    assert len(found) == 1
    return found.iloc[0]


def test_planted_cause_is_found_and_the_other_is_not():
    table = competing(with_causes())
    mine = hazard(table, "cancer", "cause-specific hazard ratio")
    assert mine.ci_lower < np.exp(0.6) < mine.ci_upper
    assert mine.per == "10 years"
    assert (mine.adjustment, mine.covariates) == ("minimal", "age, sex")
    other = hazard(table, "another cause", "cause-specific hazard ratio")
    assert other.ci_lower < 1 < other.ci_upper
    # who dies of cancer dies of nothing else, so the share of other deaths falls with face age although their hazard does not
    assert hazard(table, "another cause", "subdistribution hazard ratio").estimate < other.estimate
    assert hazard(table, "cancer", "subdistribution hazard ratio").ci_lower > 1
    gray = table[(table.measure == "Gray chi-square") & (table.cause == "cancer")].iloc[0]
    assert gray.df == 3
    assert gray.p_value < 1e-4
    assert "followed so long" in row(table[table.cause == "cancer"], "all", INCIDENCE, 9).note


def test_incidences_of_both_causes_and_survival_make_one():
    data = with_causes()
    coded, unknown = with_codes(data, "cancer")
    assert unknown == 0
    curves = incidence_curves(coded, groupings(data), "cancer", "log-log", "c")
    last = curves[curves.group == "all"].groupby("cause").incidence.max()
    assert last.sum() + kaplan_meier(data.followup_years, data.event).survival.min() == pytest.approx(1)


def test_incidence_is_not_told_where_the_survival_curve_is_not():
    data = with_causes()
    data["entry_years"] = 0.5
    data = data[data.followup_years > 0.5]
    data.loc[data.index[0], ["entry_years", "followup_years", "event", "cause"]] = [0.0, 0.3, 1.0, "cancer"]
    everyone = competing(data, {}).query(f"measure == '{INCIDENCE}'")
    assert everyone.estimate.isna().all()
    assert everyone.note.str.contains("all who were at risk died before others entered").all()
    coded, _ = with_codes(data, "cancer")
    assert incidence_curves(coded, [], "cancer", "log-log", "c").empty


def test_incidence_says_whose_deaths_are_lacking_for_an_interval():
    end = np.append(np.repeat(0.5, 30), 3.0)
    data = people(n=31).assign(followup_years=end, event=1.0)
    data["cause"] = np.where(end > 1, "cancer", "cardiovascular")
    table = competing(data, {})
    cancer = row(table[table.cause == "cancer"], "all", INCIDENCE, 1)
    assert "no participant had died of cancer by then, so there is no interval" in cancer.note


def test_gray_test_that_cannot_compare_says_why():
    data = with_causes(60).assign(kind="many")
    data.loc[data.index[0], ["kind", "followup_years", "event", "cause"]] = ["one", 1e-4, 0.0, None]
    table = competing(data, {"kind": "levels"})
    gray = table[table.measure == "Gray chi-square"]
    assert gray.note.str.contains("some groups are never at risk together at a death").all()


def test_deaths_of_unknown_cause_are_left_out_and_counted():
    data = with_causes()
    died = data.index[data.event == 1][:7]
    table = competing(data.assign(cause=data.cause.mask(data.index.isin(died))))
    assert table.note.str.contains("without 7 participants whose cause of death is not known").all()
    assert row(table[table.cause == "cancer"], "all", INCIDENCE, 1).n == 493


@pytest.mark.parametrize(
    ("old", "new", "why"),
    cases("""
        no column | - | no cause of death is known; give the clinical table a column 'cause'
        no value | - | no cause of death is known
        cancer | other | no participant died of cancer
        cardiovascular | cancer | no participant died of anything but cancer
    """),
)
def test_competing_risks_that_cannot_run_say_why(old, new, why):
    data = with_causes()
    causes = {"no column": {}, "no value": {"cause": None}}.get(old, {"cause": data.cause.replace(old, new)})
    table = competing(data.drop(columns="cause").assign(**causes))
    assert len(table) == 1
    assert table.note[0].startswith("not estimated, because ")
    assert why in table.note[0]


def test_few_deaths_of_a_cause_are_flagged_in_both_models():
    data = with_causes()
    few = data.cause.where((data.cause != "cardiovascular") | (data.index < 100), "cancer")
    table = competing(data.assign(cause=few))
    for measure in ("cause-specific hazard ratio", "subdistribution hazard ratio"):
        assert "events per variable" in hazard(table, "another cause", measure).note
        assert "events per variable" not in hazard(table, "cancer", measure).note


def test_late_entry_leaves_incidence_and_cause_specific_hazards():
    table = competing(late(with_causes()))
    assert hazard(table, "cancer", "cause-specific hazard ratio").ci_lower > 1
    assert "a participant enters late" in hazard(table, "cancer", "subdistribution hazard ratio").note
    gray = table[table.measure == "Gray chi-square"].note
    assert gray.str.contains("enters late, which Gray's test does not allow for").all()
    assert np.isfinite(row(table[table.cause == "cancer"], "all", INCIDENCE, 1).estimate)


def test_empty_groups_and_constant_covariates_do_not_stop_competing_risks():
    data = with_causes()
    rules = {"face_age": [65.0, 200.0], "sex": "levels", "height": "tertiles"}
    table = competing(data[data.sex == "male"], rules)
    assert "the group is empty" in table[table.term == "face age > 200"].note.iloc[0]
    assert "one group only" in table[(table.term == "sex") & (table.cause == "cancer")].note.iloc[0]
    assert "no column 'height'" in table[table.grouping == "height"].note.iloc[0]
    assert np.isfinite(hazard(table, "cancer", "subdistribution hazard ratio").estimate)


def test_wrong_causes_are_told_by_line():
    data = with_causes(n=20)
    data.loc[0, ["cause", "event"]] = ["cancer", 0.0]
    data.loc[1, ["cause", "event"]] = ["cancr", 1.0]
    message = r"(?s)line 2: 'cancer'. Expected nothing, because only a death has a cause. Correct it.*line 3: 'cancr'. Expected cancer, card"
    with pytest.raises(CohortError, match=message):
        check_causes(data, "t.tsv", 2)
    data.loc[1, "cause"] = "cancer"
    check_causes(data.assign(follow_up_reason=""), "t.tsv", 2)  # deaths beyond a horizon keep their cause


def test_a_death_beyond_the_horizon_is_none_of_any_cause():
    data = with_causes()
    event = data.event.where(data.followup_years <= 1, 0.0)
    cut = data.assign(event=event, followup_years=data.followup_years.clip(upper=1))
    coded, _ = with_codes(cut, "cancer")
    assert (coded.cause_code > 0).sum() == cut.event.sum()


# commands and settings


@pytest.fixture(scope="module")
def plain_table(tmp_path_factory):
    """A table as it may be handed over: no photos, no workflow."""
    folder = tmp_path_factory.mktemp("plain")
    columns = {"age": "chronological_age", "biological_age": "face_age"}
    table = simulate_participants(200, True, 4).rename(columns=columns)
    kept = ["chronological_age", "face_age", "sex", "smoking", "followup_years", "event", "cause"]
    table[kept].to_csv(folder / "people.tsv", sep="\t", index=False)
    return folder


def test_the_command_runs_on_a_plain_table(plain_table, tmp_path):
    curves = "--set survival.curves.face_age=65,75 --set survival.curves.smoking=levels"
    files = f"--participants {plain_table}/people.tsv --output {tmp_path}"
    output_of(f"estimate-curves {files} {curves} --set survival.interval=log")
    table = pd.read_csv(tmp_path / "summary.tsv", sep="\t")
    assert table[(table.measure == "log-rank chi-square") & (table.df == 2)].p_value.notna().all()
    assert set(pd.read_csv(tmp_path / "kaplan_meier.tsv", sep="\t").interval) == {"log"}
    incidence = pd.read_csv(tmp_path / "competing_risks.tsv", sep="\t")
    assert incidence.measure.eq("subdistribution hazard ratio").sum() == 6


@pytest.mark.parametrize(
    ("wrong", "words"),
    cases("""
        survival.curves.face_age=best | survival.curves.face_age.literal
        survival.cause_of_interest=flu | expected 'cancer', 'cardiovascular' or 'other'
    """),
)
def test_a_wrong_rule_or_cause_is_told(wrong, words, plain_table, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(words)):
        output_of(f"estimate-curves --participants {plain_table}/people.tsv --output {tmp_path} --set", wrong)


@pytest.mark.parametrize(
    ("setting", "message"),
    cases("""
        curves: {face_age: best} | survival.curves.face_age
        curves: {face_age: []} | survival.curves.face_age
        times_years: [0.0] | survival.times_years.0
        interval: arcsine | survival.interval
        cause_of_interest: flu | survival.cause_of_interest
        fleming_harrington: [1.0] | survival.fleming_harrington
        cut_points: [65.0] | cut_points: unknown key
    """),
)
def test_wrong_settings_are_told(setting, message):
    with pytest.raises(ConfigError, match=message):
        check_config({"cohorts": {"a": {"face_ages": "f.tsv"}}, "survival": yaml.safe_load(setting)})
