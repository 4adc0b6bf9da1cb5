"""Hazard ratios in subgroups: equal to R's coxph and anova, planted differences found, permuted ones not, small ones named."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.survival.added_value import added_value
from faceage_bio.analyses.survival.cox_models import Choices, grouped
from faceage_bio.analyses.survival.subgroups import RATIO, compare_sites, fit_one_stage
from faceage_bio.analyses.survival.subgroups import subgroup_hazards as fitted
from faceage_bio.core.errors import CohortError
from faceage_bio.core.settings.settings_survival import AddedValue
from tests.golden.sequential_models.data import people as lung
from tests.rows import golden, told, worded
from tests.survival_studies import died, people

r = golden("subgroup_hazards")
LEVELS = {"site": ["other", "breast", "lung", "throat"]}
CHOICES = Choices(10, ["sex", "site"], ["ecog"], further_levels=LEVELS)
MODIFIERS = ["sex", "chronological_age", "site"]
STEPS = {"age": "+ age", "full": "full"}
IN_R = {"sex": "sex", "chronological_age": "band", "site": "site"}
ESTIMATE = ["estimate", "ci_lower", "ci_upper"]


def subgroup_hazards(*args, **options):
    return worded(fitted(*args, **{"split_age": 65.0} | options))


def equal(found, *words, rtol=1e-6):
    np.testing.assert_allclose(np.asarray(found, dtype=float), r(*words), rtol=rtol)


@cache
def of_lung():
    return subgroup_hazards(lung(), MODIFIERS, CHOICES, "lung")


def chi_square(row):
    assert row.measure == "interaction chi-square"
    return [row.estimate, row.df, row.p_value]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("modifier", MODIFIERS)
def test_each_subgroup_and_the_interaction_equal_r(modifier, step):
    rows = of_lung()
    rows = rows[(rows.step == STEPS[step]) & (rows.modifier == modifier) & (rows.measure != RATIO)]
    groups, test = rows[rows.subgroup.notna()], rows[rows.subgroup.isna()].iloc[0]
    assert len(groups) == {"sex": 2, "chronological_age": 2, "site": 4}[modifier]
    for row in groups.itertuples():
        equal([row.estimate, row.ci_lower, row.ci_upper], step, IN_R[modifier], row.subgroup)
        equal([row.n, row.n_events], step, IN_R[modifier], row.subgroup, "counts")
        assert row.per == "10 years"
        assert row.p_interaction == test.p_value
        assert row.q_interaction == test.q_value
    equal(chi_square(test), step, IN_R[modifier], "test")
    assert groups.p_value.isna().all()
    ratios = of_lung().query(
        "step == @STEPS[@step] and modifier == @modifier and measure == @RATIO and level == level and level != ''"
    )
    assert len(ratios) == (len(groups) - 1 if modifier != "chronological_age" else 0)
    for row in ratios.itertuples():
        equal([row.estimate, row.ci_lower, row.ci_upper], step, IN_R[modifier], "ratio", row.level)
        assert row.reference == {"sex": "female", "site": "other"}[modifier]
    assert (groups.n.sum(), groups.n_events.sum()) == (test.n, test.n_events)


@pytest.mark.parametrize("step", STEPS)
def test_age_as_a_number_and_the_q_values_equal_r(step):
    rows = of_lung()[of_lung().step == STEPS[step]]
    number = rows[(rows.measure == RATIO) & (rows.modifier == "chronological_age")].iloc[0]
    equal(number[ESTIMATE], step, "number")
    assert number.p_value == pytest.approx(r(f"{step} number test")[2], rel=1e-6)
    assert number.per == "10 years, for each 10 years of age"
    tests = rows[rows.p_value.notna()]
    equal(tests.q_value, step, "q")
    assert (tests.n_tests == 4).all()


def test_a_modifier_that_makes_the_strata_and_errors_by_cluster_equal_r():
    strata = subgroup_hazards(lung(), ["sex"], Choices(10, [], [], strata=["sex"]), "lung")
    equal(chi_square(strata.iloc[-1]), "strata", "test")
    cluster = subgroup_hazards(lung(), ["sex"], Choices(10, [], [], cluster="hospital"), "lung")
    for row in cluster[cluster.modifier == "sex"].iloc[:2].itertuples():
        equal([row.estimate, row.ci_lower, row.ci_upper], "cluster", row.subgroup)
    ratio = cluster[cluster.measure == RATIO].iloc[0]
    equal(ratio[ESTIMATE], "cluster", "ratio", "male")
    # the likelihood does not know of clusters
    equal(chi_square(cluster.iloc[-1]), "age", "sex", "test")
    assert "does not account for clusters" in told(cluster.iloc[-1])


def test_all_participants_have_the_hazard_ratio_of_the_sequential_models():
    from faceage_bio.analyses.survival.sequential_models import sequential_cox_models

    models = sequential_cox_models(lung(), CHOICES, "lung")
    own = models[(models.exposure == "age_acceleration") & (models.term == "age_acceleration")]
    own = own[own.per == "10 years"].set_index("step")
    rows = of_lung()[of_lung().modifier == ""].set_index("step")
    for step in STEPS.values():
        pd.testing.assert_series_equal(
            rows.loc[step, [*ESTIMATE, "n"]], own.loc[step, [*ESTIMATE, "n"]], check_dtype=False
        )


def test_the_reference_of_ratios_does_not_depend_on_which_level_is_frequent():
    own = lung().assign(site=lung().site.replace({"other": "zone"}))
    rows = subgroup_hazards(own, ["site"], Choices(10, [], []), "lung")
    assert set(rows[rows.measure == RATIO].reference) == {"breast"}


def test_a_planted_difference_is_found_and_where_there_is_none_none():
    data = people(n=900)
    effect = np.where(data.sex == "male", 0.1, 0.0)
    rows = subgroup_hazards(died(data, effect * data.age_acceleration), ["sex"], Choices(10, [], []), "c")
    groups = rows[rows.modifier == "sex"].set_index("subgroup")
    assert groups.p_interaction["male"] < 1e-6
    assert groups.ci_lower["male"] > 1.8
    assert groups.ci_lower["female"] < 1 < groups.ci_upper["female"]
    same = subgroup_hazards(died(data, 0.06 * data.age_acceleration), ["sex"], Choices(10, [], []), "c")
    assert same.p_value.dropna().iloc[0] > 0.01


def test_a_hazard_ratio_that_grows_with_age_is_found_without_a_cut():
    data = people(n=900)
    effect = 0.05 + 0.008 * (data.chronological_age - 64)
    grown = died(data, effect * data.age_acceleration)
    rows = subgroup_hazards(grown, ["chronological_age"], Choices(10, [], []), "c")
    number = rows[(rows.measure == RATIO) & (rows.modifier == "chronological_age")].iloc[0]
    assert number.ci_lower < np.exp(0.8) < number.ci_upper
    assert number.p_value < 1e-6
    bands = rows[rows.measure == "hazard ratio"].set_index("subgroup").estimate
    assert bands["65 and over"] > bands["under 65"]
    # the cut is a setting
    cut = subgroup_hazards(grown, ["chronological_age"], Choices(10, [], []), "c", split_age=70)
    assert cut.n[cut.subgroup == "under 70"].item() == (grown.chronological_age < 70).sum()


def test_permuted_labels_differ_no_more_often_than_chance():
    data = people(n=300)
    data = died(data, np.where(data.sex == "male", 0.1, 0.0) * data.age_acceleration)
    random = np.random.default_rng(8)
    p_values = []
    for _ in range(60):
        mixed = data.assign(sex=random.permutation(data.sex))
        rows = subgroup_hazards(mixed, ["sex"], Choices(10, [], []), "c")
        p_values.append(rows.p_value.dropna().iloc[0])
    assert np.mean(np.array(p_values) < 0.05) < 0.16
    assert 0.35 < np.mean(p_values) < 0.65


def test_a_subgroup_of_few_deaths_is_named_and_in_no_model():
    data = people(n=300).assign(site=["lung", "breast", "throat"] * 100)
    few = data.site == "throat"
    data.loc[few, "event"] = 0.0
    data.loc[data.index[few][:4], "event"] = 1.0
    rows = subgroup_hazards(data, ["site"], Choices(10, [], []), "c")
    row = rows[rows.subgroup == "throat"].iloc[0]
    assert row.note == "not estimated, because fewer than 5 died in the subgroup"
    assert (row.n, row.n_events) == (100, 4)
    assert np.isnan(row.estimate)
    test = rows.iloc[-1]
    assert test.note.startswith("without throat, with fewer than 5 deaths")
    assert test.n == 200
    without = subgroup_hazards(data[~few], ["site"], Choices(10, [], []), "c")
    assert test.p_value == without.p_value.iloc[-1]
    data.loc[data.index[few][:7], "event"] = 1.0
    rows = subgroup_hazards(data, ["site"], Choices(10, [], []), "c")
    row = rows[rows.subgroup == "throat"].iloc[0]
    assert np.isfinite(row.estimate)
    assert (row.note, row.status) == ("sparse data: fewer than 10 deaths", "sparse")


def test_deaths_of_a_level_are_counted_among_complete_cases():
    data = people(n=300).assign(site=["lung", "breast", "throat"] * 100, smoking=["never", "former"] * 150)
    throat = data.index[data.site == "throat"]
    dead = throat[data.event[throat] == 1]
    assert len(dead) > 20
    data.loc[throat, "smoking"] = None
    data.loc[dead[:3], "smoking"] = "never"
    choices = Choices(10, ["smoking"], ["chronological_age", "smoking"])
    without = data[data.site != "throat"]
    of_sites, alone = (compare_sites(one, "site", choices, "c").iloc[-1] for one in (data, without))
    assert told(of_sites).startswith("without throat, with fewer than 5 deaths")
    assert (of_sites.p_value, of_sites.df, of_sites.n) == (alone.p_value, 1, 200)
    row = subgroup_hazards(data, ["site"], choices, "c").query("subgroup == 'throat'").iloc[-1]
    assert row.note == "not estimated, because fewer than 5 died in the subgroup"
    assert (row.n, row.n_events) == (3, 3)
    data.loc[data.site != "lung", "smoking"] = None
    assert "fewer than 2 groups have 5 deaths" in told(compare_sites(data, "site", choices, "c").iloc[-1])


@pytest.mark.parametrize("test", ["sites", "one stage", "added value"])
def test_a_likelihood_ratio_does_not_account_for_clusters_and_says_so(test):
    one = people(n=120).assign(site=["lung", "breast"] * 60, cohort=["a", "b"] * 60)
    copies = pd.concat([one.assign(hospital=[f"h{k}" for k in range(120)])] * 3, ignore_index=True)

    def rows(choices):
        if test == "sites":
            return compare_sites(copies, "site", choices, "c")
        if test == "added value":
            return added_value(copies, choices, "c", AddedValue(bootstraps=0, times_years=[1.0])).rows.query(
                "kind == 'test'"
            )
        return fit_one_stage([copies[copies.cohort == name] for name in "ab"], choices)

    alone, clustered = (rows(Choices(10, [], [], cluster=name)) for name in (None, "hospital"))
    tests = clustered.p_value.notna() & (clustered.measure != "hazard ratio")
    assert tests.any()
    assert told(clustered[tests]).str.contains("does not account for clusters").all()
    assert not told(alone).str.contains("clusters").any()
    if test == "one stage":  # three copies of each participant are no more participants
        ratio, wide = (one.query("measure == 'hazard ratio'").iloc[0] for one in (alone, clustered))
        assert wide.estimate == pytest.approx(ratio.estimate)
        assert wide.standard_error > 1.4 * ratio.standard_error
        few = fit_one_stage(
            [copies[copies.cohort == name].assign(hospital=name) for name in "ab"],
            Choices(10, ["sex"], [], cluster="hospital"),
        )
        age = few[few.step == "+ age"].iloc[:2]
        assert "clusters are too few for robust errors" in told(age.iloc[0])
        assert np.isfinite(age.iloc[1].estimate)  # the test needs no errors


def test_what_cannot_be_compared_says_why():
    data = people(n=200).assign(site=None, group="cancer", ward=[f"w{k % 20}" for k in range(200)])
    choices = Choices(10, [], [])
    rows = subgroup_hazards(data, ["site", "group", "ward"], choices, "c").set_index("modifier")
    assert rows.note["site"] == "not estimated, because no participant has a value of site"
    assert rows.note["ward"] == "not estimated, because ward has 20 levels, more than 12"
    assert (rows.note["group"] == "not estimated, because group does not vary").all()
    assert rows.p_interaction.isna().all()
    none = subgroup_hazards(lung().head(0), ["site"], CHOICES, "x")
    why = "not estimated, because no participant with age acceleration has follow-up"
    assert none[none.modifier == "site"].note.unique().tolist() == [why]
    nobody = data.assign(event=0.0)
    notes = subgroup_hazards(nobody, ["sex"], choices, "c").note
    assert notes.str.startswith("not estimated, because").all()
    assert notes.iloc[-1] == "not estimated, because fewer than 2 groups have 5 deaths"
    with pytest.raises(CohortError, match="no column 'clinic'"):
        subgroup_hazards(data, ["clinic"], choices, "c")


def test_numbers_are_modifiers_as_they_are_or_in_declared_groups():
    data = people(n=500)
    data = died(data, 0.04 * data.ecog * data.age_acceleration)
    rows = subgroup_hazards(data, ["ecog"], Choices(10, [], []), "c")
    assert rows[rows.modifier == "ecog"].measure.tolist() == [RATIO]
    assert rows.iloc[-1].per == "10 years, for each 1 ECOG step"
    assert rows.iloc[-1].p_value < 1e-3
    choices = Choices(10, [], [], groups={"ecog": [2]})
    rows = subgroup_hazards(grouped(data, choices.groups), ["ecog"], choices, "c")
    assert rows.subgroup.fillna("").tolist() == [
        "",
        "below 2",
        "2 and over",
        "",
        "",
    ]  # the last two: ratio and test
