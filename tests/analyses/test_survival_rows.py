"""Tables of survival and scores have their declared columns, whether or not anything could be estimated."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.acceleration.definitions import definition_hazards
from faceage_bio.analyses.scores.calculate import matched_cut, not_scored, score_people, summarise_scores
from faceage_bio.analyses.scores.compare import compare_score
from faceage_bio.analyses.scores.definition import Item, load_score
from faceage_bio.analyses.survival.added_value import added_value
from faceage_bio.analyses.survival.causes_of_death import competing_rows, incidence_curves, with_codes
from faceage_bio.analyses.survival.cox_models import Choices
from faceage_bio.analyses.survival.curves import curves_by_group, part, risk_by_group, summarise
from faceage_bio.analyses.survival.gene_hazards import gene_survival
from faceage_bio.analyses.survival.proportional import hazard_curve, proportional_hazards
from faceage_bio.analyses.survival.sequential_models import compare_ages, sequential_cox_models
from faceage_bio.analyses.survival.subgroups import compare_sites, subgroup_hazards
from faceage_bio.analyses.survival.survival_sensitivity import impute_full_model, sensitivity
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.measures import MEASURES
from faceage_bio.core.results.reasons import SPARSE_DATA, WHY_NOT, decode
from faceage_bio.core.results.row import ROLES, columns_of
from faceage_bio.core.settings.settings_acceleration import Imputation
from faceage_bio.core.settings.settings_survival import AddedValue, Scores, Survival
from tests.golden.scores import data as clinic
from tests.rows import worded
from tests.survival_studies import people, with_causes

CHOICES = Choices(10, ["sex"], ["ecog"], firth=True)
SCORE = load_score("teachh_publication")


def curves(data):
    groups = [part(data, "face_age", [65.0]), part(data, "sex", "levels")]
    coded, _ = with_codes(data, "cancer")
    return {
        "survival/kaplan_meier": curves_by_group(data, groups, "log-log", "c"),
        "survival/at_risk": risk_by_group(data, groups, "c"),
        "survival/summary": summarise(data, groups, Survival(), "c"),
        "survival/competing_risks": competing_rows(data, groups, "cancer", [1.0], "log-log", 10.0, "c"),
        "survival/cumulative_incidence": incidence_curves(coded, groups, "cancer", "log-log", "c"),
        "survival/incidence_at_risk": risk_by_group(coded, groups, "c", "survival/incidence_at_risk"),
    }


def hazards(data):
    held, bent = (
        proportional_hazards(data, CHOICES, "c", Survival(alpha=0.99)),
        hazard_curve(data, CHOICES, "c"),
    )
    return {
        "survival/proportional_hazards": held.tests, "survival/proportional_hazards_curve": held.curve,
        "survival/remedies": held.remedies, "survival/hazard_curve_tests": bent.rows, "survival/hazard_curve": bent.curve,
        "survival/hazard_curve_histogram": bent.histogram,
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"twin": 1e-4}, {"twin": 1e-3}, {"unit": 1e-9}])
def test_a_hazard_ratio_that_may_be_anything_is_no_number(change):
    # R's coxph gives 0 and Inf, with intervals from 0 to Inf, of both
    data = people(n=300)
    noise = np.random.default_rng(3).normal(size=300)
    if "twin" in change:
        data["bmi"] = data["chronological_age"] + change["twin"] * noise
    else:
        data["age_acceleration"] *= change["unit"]
    table = sequential_cox_models(data, Choices(10, ["sex"], ["bmi"] if "twin" in change else []), "c")
    lost = table[table["reason"].fillna("").str.contains("unbounded_hazard_ratio")]
    assert len(lost)
    numbers = [
        "estimate",
        "ci_lower",
        "ci_upper",
        "standard_error",
        "p_value",
        "robust_lower",
        "robust_upper",
        "robust_p",
    ]
    assert lost[numbers].isna().all(axis=None)
    assert lost["status"].eq("not_estimated").all()
    words = "its hazard ratio may be anything from 0 to infinity: it nearly follows from the other terms, or one of its units is far too large"
    assert worded(lost)["note"].str.contains(words, regex=False).all()
    kept = table[table["measure"].eq("hazard ratio") & table["status"].ne("not_estimated")]
    assert np.isfinite(kept[["estimate", "ci_lower", "ci_upper"]]).all(axis=None)
    assert len(kept)


def models(data):
    return {
        "survival/cox": sequential_cox_models(data, CHOICES, "c"),
        "survival/age_comparison": compare_ages(data, CHOICES, "c"),
        "survival/sites": compare_sites(data, "sex", CHOICES, "c"),
        "survival/subgroups": subgroup_hazards(
            data, ["sex", "chronological_age"], CHOICES, "c", split_age=65.0
        ),
        "survival/sensitivity": sensitivity(
            data, CHOICES, "c", early_death_years=0.5, gap_classes=(-5.0, 10.0)
        ),
        "survival/imputed": impute_full_model(data, CHOICES, "c", Imputation(m=2, iterations=1, seed=1)),
        "acceleration/definition_hazards": definition_hazards(data, 10.0),
    }


def predictions(data):
    found = added_value(data, CHOICES, "c", AddedValue(times_years=[1.0], bootstraps=2))
    return {
        "survival/added_value": found.rows,
        "survival/calibration": found.calibration,
        "survival/decision_curve": found.decisions,
    }


def genes(data):
    levels = pd.DataFrame({
        "analysis": "expression", "sample_id": data.subject_id, "subject_id": data.subject_id, "sample_date": None, "batch": "a",
        "CDK6": np.random.default_rng(1).normal(6, 1, len(data)),
    })  # fmt: skip
    found, panel = gene_survival(data, levels, Survival(), ["CDK6"], "c")
    return {"survival/genes": found, "survival/gene_panel": panel}


def scores(data):
    people = clinic.people().assign(entry_years=np.nan)
    if not data.event.any():
        return {
            "scores/scored": not_scored(SCORE, "t", "c", ["ecog"]),
            "scores/comparison": compare_score(
                people.drop(columns="ecog"), SCORE, "t", Scores(), 10.0, "c", "p", range(len(people))
            ),
        }
    scored = score_people(people, SCORE, "t", "p", range(len(people)))
    return {
        "scores/scored": summarise_scores(scored, SCORE, "t", "c"),
        "scores/comparison": compare_score(
            people, SCORE, "t", Scores(bootstraps=100), 10.0, "c", "p", range(len(people))
        ),
    }


@pytest.mark.parametrize("step", [curves, hazards, models, predictions, genes, scores])
def test_what_runs_and_what_does_not_have_the_same_columns(step):
    data = with_causes(200).assign(age_gap=lambda d: d.face_age - d.chronological_age)
    ran, failed = step(data), step(data.assign(event=0.0, cause=None))
    assert ran.keys() == failed.keys()
    for place in ran:
        assert list(ran[place]) == list(failed[place]) == columns_of(place), place
        for table in (ran[place], failed[place]):
            if "status" in table and "measure" in table:
                check_rows(table, place)
        assert len(ran[place]) or place == "survival/remedies"


def check_rows(table, place):
    """Nothing is missing without a reason; each row says what it is of."""
    codes = [{one.code for one in decode(cell)} for cell in table["reason"]]
    for row, found in zip(table.to_dict("records"), codes, strict=True):
        assert row["question"], place
        assert row["role"] in ROLES, place
        assert row["measure"] in MEASURES, place
        assert (row["status"] == "not_estimated") == bool(found & WHY_NOT.keys())
        assert found or np.isfinite(row["estimate"]), (place, row)
        if row["status"] == "sparse":
            assert found & SPARSE_DATA.keys()


def test_a_subgroup_in_which_acceleration_does_not_vary_says_so():
    data = with_causes(200)
    data.loc[data.sex == "male", "age_acceleration"] = 1.0
    rows = worded(subgroup_hazards(data, ["sex"], Choices(10, [], []), "c", split_age=65.0))
    assert "age acceleration does not vary in male" in rows.note.iloc[-1]


def test_words_that_no_model_could_be_fitted_of_have_no_unit():
    rows = sequential_cox_models(people(50).assign(event=0.0), CHOICES, "c")
    alone = rows[(rows.step == "unadjusted") & rows.term.isin(["sex", "ecog"])].set_index("term")
    assert alone.estimate.isna().all()
    assert alone.per.to_dict() == {"sex": "", "ecog": "1 ECOG step"}


def test_a_model_of_what_nobody_has_counts_nobody():
    rows = worded(sequential_cox_models(people(50).assign(ecog=np.nan), CHOICES, "c"))
    row = rows[(rows.step == "unadjusted") & (rows.term == "ecog")].iloc[0]
    assert row.note == "not estimated, because no participant has a value of ECOG"
    assert (row.n, row.n_events) == (0, 0)


def test_a_rule_without_a_threshold_has_no_cut():
    item = Item(label="age", column="chronological_age", rule="in", values=[60.0], points=1, range=[0, 120])
    with pytest.raises(FitError, match="the rule in on age has no cut"):
        matched_cut(pd.Series([60.0, 70.0]), pd.Series([61.0, 69.0]), item)
