"""Our headline numbers are those of lifelines, statsmodels and pydeseq2; a number that is not is noticed."""

import numpy as np
import pytest
from lifelines.exceptions import ConvergenceError

from faceage_bio.analyses.verification import compared, headline_input
from faceage_bio.analyses.verification.headline_models import headline_of
from faceage_bio.core.errors import FitError, RunError
from faceage_bio.report.checks import NOT_RUN, OK, PROBLEM, independent_software
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.stats.pydeseq2_fit import fit_pydeseq2
from tests.headline_study import contrasts, cox, curves, genes, late, people


def checked(rows):
    """The check that these rows come to."""
    numbers = compared.numbers_table(rows)
    tables = {("verification", "agreement"): compared.agreement_table(numbers)}
    return independent_software(ReportTables(tables), {})


@pytest.mark.parametrize("choices", [{}, {"strata": ["smoking"]}, {"groups": {"bmi": [25, 30]}}])
def test_cox_models_are_those_of_lifelines(choices):
    _, models = cox(people(), **choices)
    found = compared.compare_cox(models())
    assert len(found) == 4 * 5  # models by quantities
    assert max(row["difference"] for row in found) < 1e-6
    assert checked(found).state == OK


def test_a_hazard_ratio_that_is_not_that_of_lifelines_is_noticed():
    rows, models = cox(people())
    rows.loc[rows["exposure"] == "face_age", "estimate"] *= 1.00001
    check = checked(compared.compare_cox(models(rows)))
    assert check.state == PROBLEM
    assert "Cox models, north (lifelines)" in check.words


def test_known_differences_of_lifelines_are_said_and_do_not_count():
    _, models = cox(late(people()), cluster="ward")
    numbers = compared.numbers_table(compared.compare_cox(models()))
    differ = numbers[numbers["difference"] > 1e-6]
    assert set(differ["quantity"]) == {"standard error", "p-value", "Harrell's C"}
    assert differ["reason"].str.startswith("lifelines_").all()
    row = compared.agreement_table(numbers).iloc[0]
    assert row["agrees"]
    assert row["known"] == len(differ)


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


def test_genes_are_those_of_pydeseq2():
    (model,) = genes(40)
    found = compared.compare_genes(model, seed=1)
    assert found[0]["term"] == "CDK6"
    assert len(found) == model.counts.shape[1]
    assert np.mean([row["difference"] < 0.05 for row in found]) >= 0.99
    assert checked(found).state == OK
    two_of_a_hundred = [row | {"difference": 0.2 if k % 50 == 0 else 0.0} for k, row in enumerate(found * 3)]
    assert checked(two_of_a_hundred).state == PROBLEM


def test_software_that_refuses_is_named(monkeypatch):
    def refuse(model):
        raise ConvergenceError("delta contains nan")

    monkeypatch.setattr(compared, "cox_by_lifelines", refuse)
    (row, *_) = compared.compare_cox(cox(people())[1]())
    assert str(row["reason"]) == "lifelines gives no result: delta contains nan"
    assert checked([row]).state == NOT_RUN
    with pytest.raises(FitError, match="pydeseq2 gives no result"):
        fit_pydeseq2(np.full((6, 3), -1), np.ones((6, 1)), np.ones(6))


def test_a_result_without_its_participants_is_refused(tmp_path):
    paths = [
        tmp_path / "north" / folder / name
        for folder, name in (("survival", "cox.tsv"), ("expression", "panel.tsv"))
    ]
    with pytest.raises(
        RunError,
        match=r"5 table\(s\) lack: north/acceleration/acceleration; north/survival/follow_up; north/cohort/samples",
    ):
        headline_of(paths, None)


def test_names_of_columns_suit_the_formulas_of_both_languages():
    assert headline_input.formula_names(["1st visit", "1st_visit", "in", "next", "cluster", "bmi"]) == {
        "1st visit": "x1st_visit", "1st_visit": "x1st_visit_", "in": "in_", "next": "next_", "cluster": "cluster_", "bmi": "bmi",
    }  # fmt: skip


def test_nothing_to_compare_is_grey():
    assert checked([]).state == NOT_RUN
