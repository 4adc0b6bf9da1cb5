"""Our headline numbers are those of lifelines, statsmodels and pydeseq2; a number that is not is noticed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines.exceptions import ConvergenceError
from scipy.stats import norm

from faceage_bio.analyses.pooling.headlines import headline_rows
from faceage_bio.analyses.pooling.pooling_stage import pool_rows
from faceage_bio.analyses.survival.curves import curves_by_group, part, summarise
from faceage_bio.analyses.verification import compared, headline_input
from faceage_bio.analyses.verification.headline_input import headline_of
from faceage_bio.core.errors import FitError, RunError
from faceage_bio.core.results.reasons import in_words
from faceage_bio.core.settings.settings_study import Pooling
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.report.checks import CAUTION, NOT_RUN, OK, PROBLEM, independent_software
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.stats.pydeseq2_fit import fit_pydeseq2
from tests.headline_study import contrasts, cox, curves, genes, late, people
from tests.pooled_cohorts import cox as pooled_cox


def checked(rows):
    """The check that these rows come to."""
    numbers = compared.numbers_table(rows)
    tables = {("verification", "agreement"): compared.agreement_table(numbers)}
    return independent_software(ReportTables(tables))


@pytest.mark.parametrize("choices", [{}, {"strata": ["smoking"]}, {"groups": {"bmi": [25, 30]}}])
def test_cox_models_are_those_of_lifelines(choices):
    _, models = cox(people(), **choices)
    found = compared.compare_cox(models())
    assert len(found) == 4 * 5  # models by quantities
    assert max(row["difference"] for row in found) < 1e-6
    assert checked(found).state == OK


def test_lifelines_is_followed_to_its_end_in_a_small_cohort():
    # at a precision of 1e-12 it stopped 1.3e-6 standard errors away, which was told as a problem
    assert max(row["difference"] for row in compared.compare_cox(cox(people(30, seed=1))[1]())) < 1e-7


def test_a_hazard_ratio_that_is_not_that_of_lifelines_is_noticed():
    rows, models = cox(people())
    rows.loc[rows["exposure"] == "face_age", "estimate"] *= 1.00001
    check = checked(compared.compare_cox(models(rows)))
    assert check.state == PROBLEM
    assert "Cox models, north (lifelines)" in check.words


def test_known_differences_of_lifelines_are_said_and_do_not_count():
    for table, choices, quantities in (
        (people(), {"cluster": "ward"}, {"standard error", "p-value"}),
        (late(people()), {}, {"Harrell's C"}),
    ):
        numbers = compared.numbers_table(compared.compare_cox(cox(table, **choices)[1]()))
        differ = numbers[numbers["difference"] > 1e-6]
        assert set(differ["quantity"]) == quantities
        assert differ["reason"].str.startswith("lifelines_").all()
        row = compared.agreement_table(numbers).iloc[0]
        assert (row["agrees"], row["known"], row["beyond"]) == (True, len(differ), 0)


def test_a_known_difference_that_is_larger_than_known_counts_apart():
    # lifelines' robust errors with delayed entry and strata are 14 to 41% off; R's are ours (test_reproduction)
    found = compared.compare_cox(cox(late(people()), cluster="ward", strata=["smoking"])[1]())
    errors = [row for row in found if row["quantity"] == "standard error"]
    assert min(row["difference"] for row in errors) > 0.1
    words = "beyond what is known of that difference"
    assert words in compared.numbers_table(errors)["reason"].map(in_words).iloc[0]
    row = compared.agreement_table(compared.numbers_table(found)).iloc[0]
    assert (row["agrees"], row["beyond"]) == (True, 2 * len(errors))  # p-values too
    check = checked(found)
    assert check.state == CAUTION
    assert "8 not compared, beyond what is known of a difference" in check.words
    assert checked(errors).state == CAUTION  # nothing else to compare


@pytest.mark.parametrize("entry", [False, True])
def test_curves_and_log_rank_tests_are_those_of_lifelines(entry):
    found = compared.compare_curves(curves(late(people()) if entry else people()))
    plain = [row for row in found if "reason" not in row]
    assert max(row["difference"] for row in plain) < 1e-9
    kinds = {row["analysis"] for row in plain}
    assert kinds == ({compared.CURVE} if entry else {compared.CURVE, compared.LOG_RANK})
    without = [row for row in found if row["analysis"] == compared.LOG_RANK and "reason" in row]
    assert len(without) == (2 if entry else 0)


def test_stratified_log_rank_tests_are_those_of_statsmodels():
    rows = compared.compare_curves(curves(people(), strata=("sex",)))
    found = [row for row in rows if row["analysis"] == compared.LOG_RANK]
    assert {row["software"] for row in found} == {"statsmodels"}
    assert max(row["difference"] for row in found) < 1e-9


def curves_of(table, groupings, asked=None):
    """What is compared of the curves of these groups, by the groups that the report asks for."""
    curve = curves_by_group(table, groupings, "log-log", "north")
    summary = summarise(table, groupings, Survival(), "north")
    asked = groupings if asked is None else asked
    return headline_input.curves(table, asked, (), curve, summary, "north")


def small_groups(last):
    """Delayed entry; the last three of 60 participants are the group of high face ages."""
    table = people(60).sort_values("face_age", ignore_index=True)
    years = table["followup_years"] + 0.6
    table = table.assign(face_age=table["face_age"].clip(upper=84), entry_years=0.1, followup_years=years)
    table.loc[57:, ["face_age", "entry_years", "followup_years", "event"]] = last
    return curves_of(table, [part(table, "face_age", [85])])


def test_a_group_for_which_lifelines_fails_is_a_row_with_its_reason():
    # no participant of the group is at risk when the second enters
    found = compared.compare_curves(small_groups([[90, 0.1, 0.5, 0], [90, 1.0, 2.0, 0], [90, 1.2, 3.0, 1]]))
    told = [row for row in found if "reason" in row and "lifelines gives no result" in str(row["reason"])]
    assert len(told) == 1
    assert told[0]["n"] == 3
    assert checked(found).state == OK


def test_limits_are_compared_where_both_have_them():
    # a group of one who dies: its curve goes from 1 to 0, and neither end has limits
    table = people(60)
    table.loc[table["face_age"].idxmax(), ["face_age", "event"]] = [120.0, 1.0]
    groupings = [part(table, "face_age", [110])]
    found = compared.compare_curves(curves_of(table, groupings))
    assert checked(found).state == OK
    assert max(row["difference"] for row in found) < 1e-9
    message = r"group <= 110; > 110 of face_age is not one that survival\.curves makes"
    with pytest.raises(RunError, match=message):
        list(curves_of(table, groupings, [part(table, "face_age", [85])]))


def test_a_median_between_two_deaths_is_a_known_difference():
    # all of an even number die: survival is one half between two deaths, of which lifelines takes one
    table = people(60).assign(event=1.0)
    found = compared.compare_curves(curves_of(table, []))
    (median,) = [row for row in found if row["quantity"] == "median survival"]
    assert median["difference"] > 1e-6
    assert "lifelines" in str(median["reason"])
    assert checked(found).state == OK


def test_degrees_of_freedom_of_a_group_that_is_empty_at_each_death_are_a_known_difference():
    # R 4.2.2, survival 3.5-3: survdiff has 1 df, p = 0.2466803; the one above 85 is censored before the first death
    table = pd.DataFrame({
        "face_age": [87.3, 77.4, 44.7, 53.4, 51.6, 80.3, 58.6, 84.8, 60.4, 61.6, 54.9, 47.2],
        "followup_years": [1.717, 3.038, 3.831, 4.056, 4.143, 4.501, 4.837, 5.086, 5.315, 5.807, 7.287, 7.431],
        "event": [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0], "chronological_age": 60.0, "subject_id": [*"abcdefghijkl"],
    })  # fmt: skip
    found = compared.compare_curves(curves_of(table, [part(table, "face_age", [65, 75, 85])]))
    chi_square, p = [row for row in found if row["analysis"] == compared.LOG_RANK]
    assert chi_square["difference"] < 1e-9
    assert p["estimate"] == pytest.approx(0.2466803, abs=1e-7)
    assert "lifelines counts a group that was empty at each death" in str(p["reason"])
    assert checked(found).state == OK


def test_a_curve_that_is_not_that_of_lifelines_is_noticed():
    assert checked(compared.compare_curves(curves(people(), change=1e-5))).state == PROBLEM


def test_intervals_that_lifelines_does_not_have_are_not_compared():
    found = compared.compare_curves(curves(people(), interval="log"))
    assert "lower 95% limit" not in {row.get("quantity") for row in found}
    assert checked(found).state == OK


def test_adjusted_contrasts_are_those_of_statsmodels():
    rows, models = contrasts(people())
    assert [model.formula for model in models()][2] == "x1st_visit__ward_ + chronological_age + sex"
    found = compared.compare_contrasts(models())
    assert len(found) == (2 + 1 + 2) * 3
    assert max(row["difference"] for row in found) < 1e-9
    rows["standard_error"] *= 1.0001
    assert checked(compared.compare_contrasts(models(rows))).state == PROBLEM


@given(z=st.floats(0, 30), estimate=st.floats(-1, 1), error=st.floats(-1, 1))
def test_p_values_are_not_judged_stricter_than_estimates_and_errors(z, estimate, error):
    tolerance = compared.TOLERANCE
    other = (z + 0.999 * tolerance * estimate) / (1 + 0.999 * tolerance * error)
    p_values = 2 * norm.sf([z, abs(other)])
    assert compared._pair("p-value", "z", p_values[0], p_values[1])["difference"] <= tolerance * 1.01 + 1e-12
    assert compared._pair("p-value", "z", p_values[0], p_values[0] * (1 + 1e-3))["difference"] > 1e-6


def test_genes_are_those_of_pydeseq2():
    (model,) = genes(40)
    found = compared.compare_genes(model, seed=1)
    assert found[0]["term"] == "CDK6"
    assert len(found) == model.counts.shape[1]
    assert np.mean([row["difference"] < 0.05 for row in found]) >= 0.99
    assert checked(found).state == OK
    two_of_a_hundred = [row | {"difference": 0.2 if k % 50 == 0 else 0.0} for k, row in enumerate(found * 3)]
    assert checked(two_of_a_hundred).state == PROBLEM


def test_another_trend_of_dispersions_is_a_known_difference():
    # dispersions that grow with the mean: no parametric trend fits them, R and ours take a local one and pydeseq2 their mean
    (model,) = genes(40)
    random = np.random.default_rng(5)
    mean = np.exp(random.uniform(2, 8, 300))
    size = 100 / np.sqrt(mean)
    counts = random.negative_binomial(size, size / (size + mean), (len(model.design), 300))
    names = ["CDK6", *(f"G{k}" for k in range(1, 300))]
    counts = pd.DataFrame(counts, index=model.counts.index, columns=names)
    found = compared.compare_genes(replace(model, counts=counts, size_factors=np.ones(len(counts))), seed=1)
    apart = [row for row in found if row["difference"] > 0.05]
    assert len(apart) > 3  # more than one of a hundred
    assert all("pydeseq2 their mean" in str(row["reason"]) for row in apart)
    assert checked(found).state == OK
    assert checked([row | {"difference": 0.2} for row in found if row not in apart]).state == PROBLEM


def test_software_that_refuses_is_named(monkeypatch):
    def refuse(model):
        raise ConvergenceError("delta contains nan")

    monkeypatch.setattr(compared, "cox_by_lifelines", refuse)
    (row, *_) = compared.compare_cox(cox(people())[1]())
    assert str(row["reason"]) == "lifelines gives no result: delta contains nan"
    assert checked([row]).state == NOT_RUN
    with pytest.raises(FitError, match="pydeseq2 gives no result"):
        fit_pydeseq2(np.full((6, 3), -1), np.ones((6, 1)), np.ones(6))


def test_whatever_another_package_fails_at_is_a_reason_and_a_bug_of_ours_is_not(monkeypatch):
    (model, *_) = cox(people())[1]()
    spoiled = replace(model, people=model.people.assign(followup_years="P17"))
    (row,) = compared.compare_cox([spoiled])
    assert "lifelines gives no result" in str(row["reason"])
    assert "P17" not in str(row["reason"])  # of a participant
    (contrast, *_) = contrasts(people())[1]()
    spoiled = replace(contrast, people=contrast.people.iloc[:0])
    told = compared.compare_contrasts([spoiled])
    assert {str(row["reason"])[:27] for row in told} == {"statsmodels gives no result"}
    from pydeseq2.default_inference import DefaultInference  # 1.5 seconds, for this test alone

    monkeypatch.setattr(DefaultInference, "irls", lambda *arguments, **options: np.zeros(0).reshape(2, 2))
    (genetic,) = genes(40)
    (row,) = compared.compare_genes(genetic, seed=1)
    assert "pydeseq2 gives no result" in str(row["reason"])
    monkeypatch.setattr(compared, "cox_by_lifelines", lambda model: model.no_such_thing)
    with pytest.raises(AttributeError, match="no_such_thing"):
        compared.compare_cox([model])


@pytest.mark.parametrize(
    ("test", "cohorts", "software"),
    [("adhoc", 4, "scipy"), ("knha", 4, "scipy"), ("z", 4, "scipy"), ("adhoc", 2, "statsmodels")],
)
def test_pooled_estimates_are_those_of_statsmodels_and_of_reml(test, cohorts, software):
    tables = [pooled_cox(f"c{k}", 0.1 + 0.2 * k, 0.1 + 0.03 * k) for k in range(cohorts)]
    estimates = pool_rows(
        headline_rows({"survival/cox": tables}), Pooling(method="REML", test=test)
    ).estimates
    (pool,) = headline_input.pools(estimates)
    found = compared.compare_pools([pool])
    assert [row["software"] for row in found] == [software] * 3
    assert max(row["difference"] for row in found) < 1e-9
    assert checked(found).state == OK
    wrong = replace(pool, row=pool.row | {"standard_error": pool.row["standard_error"] * 1.0001})
    check = checked(compared.compare_pools([wrong]))
    assert check.state == PROBLEM
    assert "pooled estimates, pooled" in check.words


def test_a_method_without_other_software_is_said():
    tables = [pooled_cox(f"c{k}", 0.2 * k, 0.1) for k in range(3)]
    estimates = pool_rows(headline_rows({"survival/cox": tables}), Pooling(method="PM", test="z")).estimates
    (row,) = compared.compare_pools(headline_input.pools(estimates))
    assert "have no random effects, Paule-Mandel, z; reproduce.R pools by metafor" in str(row["reason"])
    assert checked([row]).state == NOT_RUN


def test_a_result_without_its_participants_is_refused(tmp_path):
    paths = [tmp_path / "north" / name for name in ("survival/cox.tsv", "expression/panel.tsv")]
    lacking = r"north/acceleration/acceleration; north/survival/follow_up; north/cohort/samples"
    message = rf"5 table\(s\) lack: {lacking}"
    with pytest.raises(RunError, match=message):
        headline_of(paths, None)


def test_names_of_columns_suit_the_formulas_of_both_languages():
    assert headline_input.formula_names(["1st visit", "1st_visit", "in", "next", "cluster", "bmi"]) == {
        "1st visit": "x1st_visit", "1st_visit": "x1st_visit_", "in": "in_", "next": "next_", "cluster": "cluster_", "bmi": "bmi",
    }  # fmt: skip


def test_nothing_to_compare_is_grey():
    assert checked([]).state == NOT_RUN
