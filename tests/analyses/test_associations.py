"""Comparisons: unadjusted alongside age-adjusted, planted effects found, permuted ones not, what cannot be estimated said."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.analyses.phenotype.adjustment import (
    COMPLETE,
    IMPUTED,
    Plan,
    _pool,
    compare_adjustments,
    vary_specifications,
)
from faceage_bio.analyses.phenotype.comparison_frame import BMI_CLASSES, gather
from faceage_bio.analyses.phenotype.contrasts import RAW, contrast_exposures
from faceage_bio.analyses.phenotype.dose import CURVATURE, LINE, LOWEST, fit_dose_response, lowest_point
from faceage_bio.analyses.phenotype.group_means import BEYOND, DIFFER, TREND, compare_levels
from faceage_bio.analyses.phenotype.matched import match_groups, paired_difference
from faceage_bio.analyses.phenotype.phenotype_subgroups import compare_subgroups
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import CohortError, FitError, TableError
from faceage_bio.core.results.row import columns_of
from faceage_bio.core.settings.settings_acceleration import Imputation
from faceage_bio.core.steps import STEPS
from faceage_bio.core.tables import read_table, write_table
from faceage_bio.report.pages import association_page
from faceage_bio.report.sections_associations import imbalance_sentence, paired
from faceage_bio.report.words import group_sentence
from faceage_bio.stats.linear import fit_linear, least_squares
from tests.association_participants import PLAN, people, run_all, tables_of
from tests.browser import check_width
from tests.commands import output_of
from tests.golden.associations import data
from tests.rows import collected, golden, told

r = golden("associations")
ASSOCIATIONS = [
    "means", "pairs", "tests", "dose_response", "interactions", "subgroups", "matched", "adjustments",
    "specification_summary",
]  # fmt: skip


@pytest.fixture(scope="module")
def tables():
    return tables_of(people(n=200, smoking=4, seed=2))


def one(table, term, measure="mean difference", cohort=None, **more) -> tuple[pd.Series, pd.Series]:
    rows = table[(table.term == term) & (table.measure == measure)]
    for column, value in (({"cohort": cohort} if cohort else {}) | more).items():
        rows = rows[rows[column] == value]
    raw, adjusted = rows[rows.adjustment == RAW], rows[rows.adjustment != RAW]
    assert (len(raw), len(adjusted)) == (1, 1)
    return raw.iloc[0], adjusted.iloc[0]


@pytest.fixture(scope="module")
def voters():
    table = data.voters().rename(columns={"income": "face_age", "age": "chronological_age"})
    table["party"] = (
        table["party"].map({name: number for number, name in enumerate(data.PARTIES)}).astype(float)
    )
    return gather([table], ["voters"])


def test_trend_and_departure_equal_r(voters):
    tests = compare_levels(voters, ["party"], []).tests
    _, trend = one(tests, "party", TREND)
    np.testing.assert_allclose([trend.estimate, trend.p_value], r("trend"), rtol=1e-6)
    _, departure = one(tests, "party", BEYOND)
    np.testing.assert_allclose(departure.p_value, r("departure")[0], rtol=1e-6)


def equal(found, quantity):
    ours = [found[name] for name in ("estimate", "ci_lower", "ci_upper", "p_value")][: len(r(quantity))]
    np.testing.assert_allclose(ours, r(quantity), rtol=1e-6)


def test_the_lowest_point_equals_the_delta_method_of_car(voters):
    # income is highest in the middle of life, so its negative is lowest there
    found = lowest_point(-voters.face_age, voters.chronological_age, voters[["schooling"]])
    equal(found, "turning point")
    assert found["p_value"] == pytest.approx(r("quadratic")[0], rel=1e-6)
    with pytest.raises(FitError, match="a U shape is not supported"):
        lowest_point(voters.face_age, voters.chronological_age, voters[["schooling"]])


def test_few_pairs_are_not_compared():
    found = match_groups(people(n=40), "group", ["sex"], 1e-6, ["bmi"]).rows
    assert told(found).str.contains(r"pairs are too few; \d+ are needed .a wider caliper finds more.").any()


def test_a_term_that_one_completed_table_lacks_is_not_pooled():
    x = pd.DataFrame({"x": np.arange(9.0)})
    fit = fit_linear(pd.Series(np.random.default_rng(1).normal(size=9)), x)
    with pytest.raises(FitError, match="a group is empty in one of the completed tables"):
        _pool([fit, fit], "site: lung")


def test_a_lowest_point_where_hardly_anybody_is_is_none():
    age = pd.Series(np.linspace(40, 80, 200))
    outcome = (age - 30) ** 2 + np.random.default_rng(1).normal(0, 1, 200)
    message = r"the curve's lowest point lies beyond the middle 95% of participants .41 to 79."
    with pytest.raises(FitError, match=message):
        lowest_point(outcome, age, pd.DataFrame(index=age.index))


def test_the_difference_within_pairs_equals_r(voters):
    pairs = pd.DataFrame({"exposed": range(60), "unexposed": range(60, 120)})
    equal(paired_difference(voters, pairs), "paired")


def test_every_association_stands_alongside_the_unadjusted_one(tables):
    kinds = {"age", "minimal", "without mediators", "full", "matched"}
    for name in ASSOCIATIONS:
        assert paired(tables[name]), name
        for pair in paired(tables[name]):
            assert pair["raw"]["adjustment"] == RAW
            assert pair["adjusted"]["adjustment"] in kinds
            assert pair["adjusted"]["covariates"].startswith("age")


def test_planted_differences_are_found_with_their_size():
    table = people(n=6000, smoking=4, group=3, bmi=0.5, seed=4)
    pairs = compare_levels(table, ["smoking", "group"], ["sex"]).pairs
    for cohort in ("east", "west"):
        _, found = one(pairs, "smoking: current vs former", cohort=cohort)
        assert found.ci_lower < 4 < found.ci_upper
        assert found.p_holm < 1e-10
        assert found.effect_size == pytest.approx(0.8, abs=0.15)  # 4 years of residuals with 5
        assert one(pairs, "smoking: former vs never", cohort=cohort)[1].p_value > 0.001
    _, found = one(pairs, "group: cancer vs reference", cohort="pooled")
    assert found.ci_lower < 3 < found.ci_upper
    _, slope = one(fit_dose_response(table, ["bmi"], []).rows, "bmi", cohort="east")
    assert slope.ci_lower < 2.5 < slope.ci_upper  # per 5 kg/m2


def test_what_is_due_to_age_alone_shows_raw_and_vanishes_adjusted():
    table = people(n=4000, seed=2)
    table.loc[table.chronological_age < 60, "smoking"] = "current"
    pairs = compare_levels(table, ["smoking"], []).pairs
    raw, adjusted = one(pairs, "smoking: current vs never", cohort="east")
    assert raw.ci_lower > 1
    assert adjusted.ci_lower < 0 < adjusted.ci_upper


@pytest.mark.slow
def test_permuted_groups_differ_as_often_as_chance():
    table, random = people(n=150, smoking=4), np.random.default_rng(5)
    p_values = []
    for _ in range(60):
        table["smoking"] = random.permutation(table.smoking)
        tests = compare_levels(table, ["smoking"], ["sex"]).tests
        p_values += list(tests[(tests.adjustment != RAW) & (tests.measure == DIFFER)].p_value)
    assert np.mean(np.array(p_values) < 0.05) < 0.12
    assert 0.4 < np.mean(p_values) < 0.6


def test_a_u_shape_is_found_where_planted_and_nowhere_else():
    _, curved = one(fit_dose_response(people(n=3000, u=0.08), ["bmi"], []).rows, "bmi", LOWEST, cohort="east")
    assert curved.ci_lower < 25 < curved.ci_upper
    rows = fit_dose_response(people(n=3000, bmi=0.4), ["bmi"], []).rows
    _, straight = one(rows, "bmi", LOWEST, cohort="east")
    assert np.isnan(straight.estimate)
    assert "a U shape is not supported" in told(straight)
    assert one(rows, "bmi", CURVATURE, cohort="east")[1].p_value > 0.001
    assert one(rows, "bmi", LINE, cohort="east")[1].p_value < 1e-6


def test_curves_cross_zero_at_the_reference_and_end_before_the_extremes():
    table = people(bmi=0.4)
    curves = fit_dose_response(table, ["bmi", "pack_years"], []).curves
    for (_, _, _), curve in curves.groupby(["cohort", "term", "adjustment"]):
        assert (curve.ci_lower <= curve.estimate).all()
        reference = curve.reference.iloc[0]
        assert abs(np.interp(reference, curve.value, curve.estimate)) < 0.2
    bmi = curves[curves.term == "bmi"]
    assert table.bmi.min() < bmi.value.min()
    assert bmi.value.max() < table.bmi.max()


def test_a_planted_interaction_is_found_in_its_place_alone():
    found = compare_subgroups(people(n=4000, smoking=1, women=5), ["smoking"], ["sex", "site"], [], 65)
    _, by_sex = one(found.interactions, "smoking x sex", "interaction F", cohort="east")
    assert by_sex.q_value < 1e-6
    assert one(found.interactions, "smoking x site", "interaction F", cohort="east")[1].p_value > 0.001
    forest = found.forest[(found.forest.cohort == "east") & (found.forest.adjustment != RAW)]
    forest = forest.set_index("subgroup")
    assert forest.ci_lower["sex: female"] < 6 < forest.ci_upper["sex: female"]
    assert forest.estimate["sex: male"] < 2
    assert (forest.q_interaction[["sex: female", "sex: male"]] == by_sex.q_value).all()
    assert forest.p_value.isna().all()
    difference = "difference of mean differences"
    _, term = one(found.interactions, "smoking: current x sex: male", difference, cohort="east")
    assert term.ci_lower < -5 < term.ci_upper
    assert (term.level, term.reference) == ("current and male", "never and female")
    assert pd.isna(term.q_value)


@pytest.mark.parametrize("modifier", ["vote", "news"])
def test_terms_of_an_interaction_are_those_of_the_contrasts_in_subgroups(modifier):
    """Without covariates the difference of mean differences is that of the four groups; a number's is per unit, as in R's golden values."""
    table = data.voters()
    ages = {"face_age": table.income + 50.0, "chronological_age": table.age.astype(float)}
    table = table.assign(
        cohort="c", subject_id=table.index.astype(str), age_gap=table.income + 50.0 - table.age, **ages
    )
    found = compare_subgroups(table, ["party"], [modifier], [], 65).interactions
    rows = found[(found.measure == "difference of mean differences") & (found.adjustment == RAW)]
    assert len(rows) == 2
    for row in rows.itertuples():
        level, reference = row.level.partition(" and ")[0], row.reference.partition(" and ")[0]
        if modifier == "vote":
            gap = table.groupby(["party", "vote"]).age_gap.mean()
            high, low = row.level.partition(" and ")[2], row.reference.partition(" and ")[2]
            expected = gap[level, high] - gap[level, low] - gap[reference, high] + gap[reference, low]
            assert (high, low) == ("dole", "clinton")  # by the alphabet, whichever is more frequent
            assert row.n_exposed == ((table.party == level) & (table.vote == high)).sum()
        else:
            slope = {party: np.polyfit(own.news, own.age_gap, 1)[0] for party, own in table.groupby("party")}
            expected = slope[level] - slope[reference]
            assert row.per == "1 unit of news"
        assert row.estimate == pytest.approx(expected, rel=1e-9)


def test_pairs_undo_what_age_does_to_the_raw_difference():
    table = people(n=3000, group=5, seed=8)
    old = table.chronological_age > 65
    table = table[~old | (table.group == "cancer") | (np.arange(len(table)) % 4 == 0)].reset_index(drop=True)
    found = match_groups(table, "group", ["sex"], 1.0, ["bmi", "smoking"])
    raw, matched = one(found.rows, "group: cancer vs reference")
    assert matched.ci_lower < 5 < matched.ci_upper
    assert abs(raw.estimate - 5) > 0.5
    age = found.balance[found.balance.term == "chronological_age"].set_index("adjustment")
    before, after = age.loc[RAW], age.loc["matched"]
    assert abs(before.estimate) > 0.2
    assert abs(after.estimate) < 0.02
    assert matched.n == 2 * matched.n_exposed == after.n
    assert list(found.balance) == columns_of("phenotype/balance")
    assert imbalance_sentence(found.balance) == ""
    uneven = found.balance.assign(estimate=found.balance.estimate.where(found.balance.term != "bmi", -0.254))
    assert imbalance_sentence(uneven).startswith(
        "After matching, standardised differences beyond ±0.1: BMI −0.25. "
    )


def test_sets_follow_the_declared_roles():
    assert PLAN.sets("smoking") == {
        "minimal": ["sex"],
        "without mediators": ["sex"],
        "full": ["sex", "bmi", "ecog"],
    }
    assert PLAN.sets("pack_years")["full"] == ["sex", "bmi", "ecog"]  # smoking is a part of it
    assert PLAN.sets("ecog")["without mediators"] == ["sex", "smoking", "bmi"]


def test_adjustments_hold_back_a_mediator_and_print_the_reason():
    table = people(n=3000, seed=3, bmi=1.0)
    table["bmi"] += 5 * (table.smoking == "current")
    table["face_age"] += 5 * (table.smoking == "current")  # through weight alone
    table["age_gap"] = table.face_age - table.chronological_age
    found = compare_adjustments(table, ["smoking"], PLAN, Imputation(m=2, iterations=1, seed=1))
    rows = found.rows[(found.rows.term == "smoking: current vs never") & (found.rows.cohort == "east")]
    rows = rows[(rows.missing == COMPLETE) & (rows.adjustment != RAW)].set_index("adjustment_set")
    assert rows.ci_lower["minimal"] > 4
    assert rows.ci_lower["full"] < 0 < rows.ci_upper["full"]
    assert rows.e_value["minimal"] > rows.e_value["full"]
    assert rows.e_value_interval["full"] == 1
    sex = found.roles[found.roles.covariate == "sex"].iloc[0]
    assert (sex.role, sex.reason) == ("confounder", "it differs")


def test_nothing_missing_makes_both_ways_agree_and_gaps_make_them_differ():
    table = people(n=600, smoking=4)

    def both(rows):
        found = compare_adjustments(rows, ["smoking"], PLAN, Imputation(m=5, iterations=3, seed=1)).rows
        found = found[(found.cohort == "east") & (found.term == "smoking: current vs never")]
        found = found[(found.adjustment_set == "full") & (found.adjustment != RAW)].set_index("missing")
        return found.loc[COMPLETE], found.loc[IMPUTED]

    complete, imputed = both(table)
    assert imputed.estimate == pytest.approx(complete.estimate, rel=1e-9)
    assert imputed.ci_lower == pytest.approx(complete.ci_lower, rel=1e-2)
    table.loc[::3, "bmi"] = np.nan
    complete, imputed = both(table)
    assert imputed.n > 1.4 * complete.n
    assert "had missing values" in told(imputed)
    assert imputed.ci_lower < 4 < imputed.ci_upper


def test_imputation_gives_the_same_numbers_again():
    table = people()
    table.loc[::4, "bmi"] = np.nan
    runs = [
        compare_adjustments(table, ["bmi"], PLAN, Imputation(m=3, iterations=2, seed=7)).rows
        for _ in range(2)
    ]
    pd.testing.assert_frame_equal(*runs)


def test_specifications_agree_on_a_planted_claim_and_not_on_a_permuted_one():
    table = people(n=800, smoking=5)
    slope, intercept = np.polyfit(table.chronological_age, table.face_age, 1)
    table["age_acceleration"] = table.face_age - intercept - slope * table.chronological_age
    table["acceleration_sex_sd"] = 1.0
    table["flags"] = np.where(np.arange(800) % 5 == 0, "dark", "")
    table["valid_age"] = pd.array(table.chronological_age > 60, dtype="boolean")
    found = vary_specifications(table, ["smoking", "group"], PLAN)
    rows = found.rows[found.rows.cohort == "east"]
    assert set(rows.definition) == {
        "age gap", "face age adjusted for age", "face age adjusted for a spline of age", "age_acceleration",
    }  # fmt: skip
    exclusions = {"none", "flagged photos", "ages outside the band of validity", "all of these"}
    assert set(rows.excluded) == exclusions
    assert len(rows) == 4 * (3 * 3 + 1)  # exclusions x (definitions x sets, and the unadjusted gap once)
    _, summary = one(found.summary, "smoking: current vs never", "median", cohort="east")
    assert summary.n_specifications == 36
    assert summary.share_same_sign == summary.share_significant == 1
    adjusted = rows[rows.adjustment != RAW].estimate
    assert summary.estimate == pytest.approx(adjusted.median())
    # residuals of each cohort's own line would take a difference between cohorts away
    assert "age_acceleration" not in set(found.rows[found.rows.cohort == "pooled"].definition)
    table["smoking"] = np.random.default_rng(1).permutation(table.smoking)
    permuted = vary_specifications(table, ["smoking"], PLAN).summary
    _, chance = one(permuted, "smoking: current vs never", "median", cohort="east")
    assert chance.share_significant < 0.5


@pytest.mark.parametrize(
    ("exposure", "adjusted_for", "used"),
    [
        ("smoking", ["sex", "smoking"], False),
        ("pack_years", ["sex", "smoking"], False),  # smoking is a part of it
        ("bmi_class", ["bmi"], False),
        ("bmi", ["sex", "smoking"], True),
        ("bmi", [], False),
    ],
)
def test_no_exposure_is_looked_for_in_a_residual_that_it_was_taken_out_of(exposure, adjusted_for, used):
    table = people(n=200, smoking=4).assign(cohort="x")
    table["acceleration_adjusted"] = table.face_age - table.groupby("smoking").face_age.transform("mean")
    table["acceleration_adjusted_reference"] = table.acceleration_adjusted + 0.1 * table.bmi
    rows = vary_specifications(table, [exposure], PLAN, adjusted_for).rows
    assert ("acceleration_adjusted" in set(rows.definition)) == used
    assert ("acceleration_adjusted_reference" in set(rows.definition)) == used


def test_the_class_of_bmi_is_not_held_constant_against_bmi():
    assert PLAN.sets("bmi_class")["full"] == ["sex", "smoking", "ecog"]
    found = contrast_exposures(people().assign(cohort="x"), ["bmi"], ["bmi_class", "sex"])
    assert set(found.covariates) == {"", "age, sex"}


@given(st.floats(-20, 20))
@settings(max_examples=8)
def test_the_same_years_on_every_face_move_means_and_no_difference(years):
    table = people(n=120, smoking=3)
    moved = gather([table.assign(face_age=table.face_age + years)], ["moved"])
    plain, shifted = (compare_levels(one_table, ["smoking"], ["sex"]) for one_table in (table, moved))
    np.testing.assert_allclose(shifted.pairs.estimate, plain.pairs.estimate, atol=1e-7)
    np.testing.assert_allclose(shifted.means.estimate, plain.means.estimate + years, atol=1e-7)


def test_bmi_classes_begin_at_their_lower_ends():
    table = pd.DataFrame({"bmi": [18.4, 18.5, 24.9, 25, 29.9, 30, np.nan]})
    classes = gather([table.assign(face_age=60.0, chronological_age=60.0)], ["x"]).bmi_class
    assert list(classes[:6]) == [BMI_CLASSES[k] for k in (0, 1, 1, 2, 2, 3)]
    assert classes.isna().iloc[6]


HOSTILE = {
    "a group of one": {"smoking": ["current"] + ["never"] * 199, "site": ["lung"] + ["breast"] * 199},
    "no controls": {"group": "cancer"},
    "one control": {"group": ["reference"] + ["cancer"] * 199},
    "constant BMI": {"bmi": 27.0},
    "all smokers": {"smoking": "current", "pack_years": 20.0},
    "forty levels": {"site": [f"site{k % 40}" for k in range(200)], "smoking": [f"kind{k % 40}" for k in range(200)]},
    "each a level": {"site": [f"site{k}" for k in range(200)]},
    "nothing known": {"smoking": None, "bmi": np.nan, "ecog": np.nan, "site": None, "group": None, "pack_years": np.nan},
    "sex unknown": {"sex": None},
    "no face age": {"face_age": np.nan},
    "one age": {"chronological_age": 60.0},
    "face age is age": {"face_age": np.arange(200) / 4 + 40, "chronological_age": np.arange(200) / 4 + 40},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_estimated_is_said_and_nothing_crashes(name):
    table = people(n=200).drop(columns=["bmi_class", "age_gap"]).assign(**HOSTILE[name])
    for table_name, found in run_all(gather([table], ["x"])).items():
        assert len(found), table_name
        paired(found)
        said = told(found).fillna("")
        silent = found[found.estimate.isna() & ~said.str.startswith("not estimated, because")]
        assert not len(silent), (table_name, silent[["term", "reason"]])
        assert np.isfinite(found.loc[found.estimate.notna(), "estimate"]).all(), table_name
        assert found[said.str.startswith("not estimated")].estimate.isna().all()


@pytest.mark.parametrize("n", [0, 1, 2, 5, 8])
def test_a_handful_of_participants_is_no_crash(n):
    table = people(n=60).head(n)
    for name, found in run_all(table).items():
        paired(found)  # refuses a row without its counterpart
        assert (found.estimate.notna() | (told(found).fillna("") != "")).all(), name


@pytest.mark.parametrize(
    ("name", "term", "message"),
    [
        ("no controls", "group", r"all 200 participants have the same value \(cancer\)"),
        ("all smokers", "smoking", "have the same value"),
        ("constant BMI", "bmi", "have the same value"),
        ("nothing known", "ecog", "no participant has a value"),
    ],
)
def test_the_reason_is_given(name, term, message):
    table = gather([people(n=200).drop(columns="bmi_class").assign(**HOSTILE[name])], ["x"])
    exposures = ["smoking", "bmi", "ecog", "group"]
    found = compare_adjustments(table, exposures, PLAN, Imputation(m=2, iterations=1, seed=1)).rows
    assert told(found[found.term == term]).str.contains(message).any()


def test_forty_levels_are_not_compared_in_pairs():
    table = people(n=400)
    table = table.assign(cohort="x", site=[f"site{k % 40}" for k in range(400)])
    found = compare_levels(table, ["site"], [])
    assert told(found.pairs).str.contains("40 groups are more than 12").all()


def test_a_group_of_one_participant_does_not_spoil_the_others():
    table = people(n=200, smoking=4).assign(cohort="x")
    table.loc[0, "ecog"] = 4.0
    found = compare_levels(table, ["ecog"], [])
    alone = found.means[found.means.level == "4"]
    assert told(alone).str.contains("fewer than 2 participants").all()
    assert found.pairs.estimate.notna().all()


def test_every_set_and_way_has_the_same_reference():
    table = people(n=150, seed=6).assign(cohort="x")
    table["site"] = ["lung", "breast", "other"] * 50
    table.loc[table.index[table.site == "breast"][:20], "bmi"] = np.nan  # fewest of the complete cases
    found = compare_adjustments(
        table, ["site"], Plan({}, ["sex"], ["sex", "bmi"]), Imputation(m=2, iterations=1, seed=1)
    )
    assert set(found.rows.term) == {"site: lung vs breast", "site: other vs breast"}
    assert found.rows.groupby(["adjustment_set", "missing"]).size().eq(4).all()


def test_excluding_a_participant_does_not_change_the_reference():
    # breast is as frequent as lung, and so comes first, but one of its people is alone with a covariate
    table = people(n=150, seed=6).assign(cohort="x")
    table["site"] = ["lung", "breast", "other"] * 50
    table.loc[1, "smoking"] = "pipe"
    for rows in (
        compare_levels(table, ["site"], ["smoking"]).pairs,
        compare_adjustments(
            table, ["site"], Plan({}, ["smoking"], []), Imputation(m=2, iterations=1, seed=1)
        ).rows,
    ):
        rows = rows[rows.covariates.str.startswith("age, smoking")]
        assert rows.estimate.notna().all()
    rest = table.drop(index=1)
    design = pd.get_dummies(rest[["site", "smoking"]], dtype=float)
    design = design.drop(columns=["site_breast", "smoking_never"])
    expected = least_squares(rest.face_age, design.assign(age=rest.chronological_age)).estimate
    found = contrast_exposures(table, ["site"], ["smoking"])
    for level in ("lung", "other"):
        _, adjusted = one(found, f"site: {level} vs breast")
        assert adjusted.estimate == pytest.approx(expected[f"site_{level}"])
        assert adjusted.n == 149


def test_an_unknown_column_is_told():
    with pytest.raises(CohortError, match="no column 'smokng'"):
        compare_levels(people(n=30), ["smokng"], [])
    with pytest.raises(CohortError, match="no column 'bim'"):
        vary_specifications(people(n=30), ["smoking"], Plan({}, ["bim"], []))


# the report


@pytest.mark.parametrize("kind", [RAW, "adjusted"])
@pytest.mark.parametrize("name", ["means", "pairs", "matched", "adjustments", "specification_summary"])
def test_a_row_without_its_counterpart_is_refused(tables, name, kind):
    table = tables[name]
    lacking = table.drop(index=table.index[(table.adjustment == RAW) == (kind == RAW)][0])
    with pytest.raises(TableError, match="does not show one without the other"):
        paired(lacking)


def page_of(folder, tables, **report) -> str:
    """The association report of a study in which only the comparisons ran."""
    cohorts = {name: {"face_ages": "f.tsv"} for name in ("east", "west")}
    config = check_config({"cohorts": cohorts, "report": report})
    placed = {f"pooled/phenotype/{name}": rows for name, rows in tables.items()}
    return association_page(collected(folder, placed), config, [])


@pytest.fixture(scope="module")
def page(tables, tmp_path_factory):
    return page_of(tmp_path_factory.mktemp("page"), tables)


@pytest.mark.slow
def test_the_page_shows_every_comparison_with_its_figure(page):
    for words in (
        ">Cancer and matched controls</h2>", ">Group comparisons, dose–response, subgroups</h2>", ">Adjustment sets</h2>",
        ">Sensitivity to analysis choices</h2>", 'aria-label="Standardised differences before and after matching',
        'aria-label="Difference in face age by exposure', 'aria-label="Estimates under all specifications',
        'aria-label="Estimates with 95% CIs: Difference in face age between groups, years',
        ">p (q) for interaction</text>", ">minimal adjustment</text>", ">full adjustment</text>",  # of two forests
        "it differs",  # the reason for a role
        "VanderWeele and Ding 2017", "smoking: current vs never: +",  # the first claim's E-value, with the raw years in the same sentence
    ):  # fmt: skip
        assert words in page
    sentence = r"unadjusted age gap \+[\d.]+\)\. E-value [\d.]+: the smallest risk ratio"
    assert re.search(sentence, page)
    assert ">nan<" not in page.lower()


def test_a_difference_below_0_has_an_interval_around_it():
    base = {
        "term": "group: cancer vs reference",
        "n": 100,
        "note": "",
        "ci_lower": -8.1,
        "ci_upper": -2.1,
        "estimate": -5.1,
        "p_value": 0.001,
    }
    rows = pd.DataFrame(
        [
            base | {"adjustment": "unadjusted", "covariates": ""},
            base | {"adjustment": "minimal", "covariates": "age, sex"},
        ]
    )
    said = "5.1 years lower in participants with cancer than in controls, adjusted for age, sex (95% CI 2.1–8.1, p = 0.001; n = 100)"
    assert said in group_sentence(rows)


def test_every_table_of_associations_on_the_page_has_both_columns(page):
    tables = re.findall(r"<table[ >].*?</table>", page, flags=re.DOTALL)
    with_raw = [table for table in tables if "Age gap, unadjusted" in table or "Unadjusted: median" in table]
    assert len(with_raw) >= 12
    assert all("Adjusted for age" in table or "Matched pairs" in table for table in with_raw)
    assert not [table for table in tables if "Adjusted for age" in table and table not in with_raw]


@pytest.mark.parametrize(
    "name", ["means", "tests", "subgroups", "interactions", "dose_response", "specification_summary"]
)
@pytest.mark.parametrize("raw_goes", [True, False])
def test_the_page_is_not_made_where_a_comparison_is_missing(tables, tmp_path, name, raw_goes):
    table = tables[name]
    lacking = tables | {name: table[(table.adjustment == RAW) != raw_goes]}
    with pytest.raises(TableError, match="does not show one without the other"):
        page_of(tmp_path, lacking)


@pytest.mark.slow
def test_words_of_a_user_are_escaped_and_small_groups_shown(tmp_path):
    table = people(n=120)
    table.loc[table.index[:3], "site"] = "<script>alert(1)</script>"
    page = page_of(tmp_path, tables_of(table.assign(cohort="east")))
    assert "<script>alert" not in page
    row = next(row for row in re.findall(r"<tr>.*?</tr>", page) if "&lt;script&gt;" in row)
    assert "not shown" not in row


@pytest.mark.browser
@pytest.mark.parametrize("width", [500, 1280])
def test_the_page_does_not_overflow_its_width(page, tmp_path, width, browser):
    check_width(browser, page, tmp_path, width)


# the command line


def test_steps_run_on_a_plain_table(tmp_path):
    table = people(n=150, smoking=5).drop(columns=["cohort", "age_gap", "bmi_class"])
    write_table(table, tmp_path / "plain.tsv")
    gap = table.face_age - table.chronological_age
    write_table(table.assign(age_acceleration=gap), tmp_path / "gap.tsv")
    imputation = "--set phenotype.imputation.m=2 --set phenotype.imputation.iterations=1"
    for command, options in {
        "test-phenotypes": "--participants gap.tsv --set phenotype.exposures=smoking",
        "compare-groups": "--participants plain.tsv --set phenotype.factors=smoking,bmi_class",
        "fit-association-sensitivity": f"--participants plain.tsv --set phenotype.exposures=smoking {imputation}",
    }.items():
        output_of(f"{command} {options} --output {command}", folder=tmp_path)
        for file in STEPS[command].writes:
            assert len(read_table(tmp_path / command / file)), file
    pairs = tmp_path / "compare-groups" / "pairs.tsv"
    assert set(read_table(pairs).cohort) == {"plain", "pooled"}
    assert not set(table.subject_id) & set(pairs.read_text().split())


def test_a_table_without_face_ages_is_refused(tmp_path):
    write_table(people(n=30).drop(columns="face_age"), tmp_path / "plain.tsv")
    with pytest.raises(CohortError, match="has no column 'face_age'"):
        output_of("compare-groups --participants plain.tsv --output .", folder=tmp_path)
