"""Pooled estimates on the pages, in the tables for a paper, and in a release."""

import re

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.pooling.headlines import headline_rows
from faceage_bio.analyses.pooling.pooling_stage import pool_rows
from faceage_bio.analyses.survival.cox_models import Choices
from faceage_bio.analyses.survival.subgroups import fit_one_stage
from faceage_bio.core.columns import POOLED
from faceage_bio.core.results.reasons import decode, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_study import Planned, Pooling
from faceage_bio.core.tables import write_table
from faceage_bio.release.gate import findings_in
from faceage_bio.release.known import Known
from faceage_bio.release.rule import release
from faceage_bio.report.journal_tables import journal_tables
from faceage_bio.report.key_results import _added, key_results
from faceage_bio.report.pages import survival_page
from faceage_bio.report.sections_meta_analysis import heterogeneity_sentence, not_pooled
from faceage_bio.report.table_files import rendered
from faceage_bio.report.table_rows import Key, KeyQuestion
from faceage_bio.report.tables_by_place import ReportTables, collect
from tests.pooled_cohorts import cox
from tests.report_studies import CARD, config_of
from tests.rows import collected

# R 4.2.2, metafor 3.8-1: rma(c(.55, .40, .75), sei = c(.12, .13, .15), test = "adhoc") gives exp 1.7416322 (1.1467395-2.6451367)
HAZARDS = {"north": (0.55, 0.12), "south": (0.40, 0.13), "west": (0.75, 0.15)}
PLACE = "pooled/meta_analysis/estimates"


def cohorts(names=tuple(HAZARDS), **other) -> list[pd.DataFrame]:
    tables = [cox(name, *HAZARDS[name], **other) for name in names]
    unadjusted = {"step": "unadjusted", "adjustment": "unadjusted", "covariates": "", "role": "secondary"}
    return tables + [cox(name, *HAZARDS[name], **unadjusted, **other) for name in names]


def pooled_of(tables: list[pd.DataFrame]):
    return pool_rows(headline_rows({"survival/cox": tables}), Pooling())


@pytest.fixture
def study(tmp_path):
    """Tables and config of a study, as the report reads them."""

    def of(names=tuple(HAZARDS)) -> tuple[ReportTables, dict]:
        tables = cohorts(names)
        found = pooled_of(tables)
        written = {
            "pooled/meta_analysis/estimates": found.estimates,
            "pooled/meta_analysis/sensitivity": found.sensitivity,
        }
        written |= {
            f"{name}/survival/cox": pd.concat(table for table in tables if table["cohort"].iloc[0] == name)
            for name in names
        }
        for place, table in written.items():
            write_table(table, tmp_path / f"{place}.tsv")
        return collect([tmp_path / f"{place}.tsv" for place in written]), config_of(names)

    return of


def test_key_results_lead_with_the_pooled_row(study):
    tables, config = study()
    survival = key_results(tables, config)[0]
    assert [row.label for row in survival.rows] == ["Pooled, 3 cohorts", "north", "south", "west"]
    first = survival.rows[0]
    assert first.link == "survival.html#meta-analysis"
    assert survival.text(first) == "1.74 (1.15–2.65)"
    assert first.unadjusted == "1.74 (1.15–2.65)"
    assert "L" in re.search(r'd="M[^"]*z"', str(survival.forest(first)))[0]  # a diamond
    assert "<rect" in str(survival.forest(survival.rows[1]))


def test_a_model_of_all_cohorts_that_could_not_be_fitted_has_a_page(study, tmp_path):
    tables, config = study()
    few = pd.DataFrame({
        "cohort": ["north", "north", "south"], "followup_years": [1.0, 2.0, 3.0], "event": [1, 0, 0],
        "face_age": [60.0, 70.0, 65.0], "chronological_age": [61.0, 66.0, 67.0], "age_acceleration": [-1.0, 2.0, 0.0],
    })  # fmt: skip
    made = fit_one_stage([rows for _, rows in few.groupby("cohort")], Choices(steps=(), covariates=()))
    read = collected(tmp_path / "none", {"pooled/survival/one_stage": made})
    assert "not estimated, because" in survival_page(
        ReportTables(tables.by_name | read.by_name), config, [CARD]
    )


def test_a_small_first_cohort_hides_neither_pooled_row_nor_adjustment(tmp_path):
    """Two participants of one sex are compared without sex: their row stands with those of the other cohorts."""
    base = {"exposure": "bmi", "term": "bmi", "measure": "mean difference", "outcome": "face age", "unit": "years",
            "question": "phenotype", "per": "5 kg/m²", "role": "secondary", "model": "least squares, HC3 (t)", "n": 40}  # fmt: skip
    few = {
        "n": 2,
        "adjustment": "age",
        "covariates": "age",
        "reason": reason("too_few_rows", n=2, parameters=3),
    }
    value = {"estimate": 0.4, "ci_lower": -1.0, "ci_upper": 1.8, "standard_error": 0.7, "p_value": 0.57}
    value |= {"adjustment": "minimal", "covariates": "age, sex"}
    adjusted = {
        "tiny": few,
        "north": value,
        "south": value | {"estimate": 0.6},
        "women": value | few | {"reason": None},
    }
    tables = {
        name: result_rows([base | row | {"cohort": name, "adjustment": "unadjusted", "covariates": "", "outcome": "age gap"}, base | row | {"cohort": name}],
                          "phenotype/phenotypes")
        for name, row in adjusted.items()
    }  # fmt: skip
    found = pool_rows(headline_rows({"phenotype/phenotypes": [*tables.values()]}), Pooling())
    written = {f"{name}/phenotype/phenotypes": table for name, table in tables.items()}
    for place, table in (written | {PLACE: found.estimates}).items():
        write_table(table, tmp_path / f"{place}.tsv")
    read = collect([tmp_path / f"{place}.tsv" for place in [*written, PLACE]])
    both, alone = key_results(read, config_of([*adjusted]))
    assert [row.label for row in both.rows] == ["Pooled, 2 cohorts", "tiny", "north", "south"]
    assert both.measure == "difference in face age, years, per 5 kg/m², adjusted for age and sex"
    assert ([row.label for row in alone.rows], alone.measure[-16:]) == (["women"], "adjusted for age")


def test_one_cohort_has_no_pooled_row(study):
    tables, config = study(("north",))
    assert [row.label for row in key_results(tables, config)[0].rows] == ["north"]


def test_the_page_shows_cohorts_diamond_and_heterogeneity(study):
    tables, config = study()
    page = survival_page(tables, config, [CARD])
    part = re.search(r'<section aria-labelledby="meta-analysis">.*?</section>', page, flags=re.DOTALL)[0]
    for said in (
        "Pooled, 3 cohorts",
        "north",
        "1.74 (1.15–2.65)",
        "Leave-one-out",
        "without west",
        "95% prediction interval for a further cohort",
    ):
        assert said in part
    assert re.search(
        r"Adjusted for age: I² \d+% \(95% CI \d+–\d+\), τ² [\d.e-]+, test of homogeneity p = 0\.\d+;", part
    )
    assert "Viechtbauer" in page


def test_two_cohorts_say_that_their_variance_cannot_be_estimated(study):
    tables, config = study(("north", "south"))
    page = survival_page(tables, config, [CARD])
    assert "The between-cohort variance cannot be estimated from 2 cohorts." in page
    whole = pooled_of(cohorts(("north", "south"))).estimates.iloc[0]
    assert "prediction interval" not in heterogeneity_sentence(whole)


def test_the_paper_has_a_forest_table(study):
    tables, config = study()
    table = next(one for one in journal_tables(tables, config) if one.name == "meta_analysis")
    rows = [row.cells for row in table.rows]
    assert rows[0][0] == "Adjusted for age: hazard ratio for death per 10-year increase in face age"
    assert [row[0] for row in rows[1:5]] == ["north", "south", "west", "Pooled, 3 cohorts"]
    assert rows[4][4] == "1.74 (1.15–2.65)"
    assert sum(float(row[3]) for row in rows[1:4]) == pytest.approx(100, abs=0.2)
    files = rendered(tables, config, internal=True)
    assert {"INTERNAL_meta_analysis.docx", "INTERNAL_meta_analysis.tex", "INTERNAL_meta_analysis.tsv"} <= set(
        files
    )


def test_pooled_counts_are_rounded_and_pass_the_gate(tmp_path):
    found = pooled_of(cohorts())
    told = release({PLACE: found.estimates, "pooled/meta_analysis/sensitivity": found.sensitivity}, 6)
    first = told[PLACE].iloc[0]
    assert (first["n"], first["n_events"], first["n_smallest"]) == (297, 177, 99)
    assert first["estimate"] == pytest.approx(1.74)
    for place, table in told.items():
        text = table.to_csv(sep="\t", index=False).encode()
        assert findings_in(f"tables/{place}.tsv", text, Known(), 6) == set()


@pytest.mark.parametrize("few", [{"n_events": 4}, {"n_events": 11}, {"n": 5}])
def test_a_pooled_row_does_not_give_a_redacted_cohort_away(few):
    # from the pooled and all other estimates, a redacted one follows by subtraction
    tables = cohorts()
    tables[2] = cox("west", *HAZARDS["west"], **few)
    found = pooled_of(tables)
    told = release({PLACE: found.estimates, "pooled/meta_analysis/sensitivity": found.sensitivity}, 6)
    estimates = told[PLACE]
    numbers = ["estimate", "ci_lower", "weight", "tau2", "pi_lower", "heterogeneity_q"]
    hidden = estimates[(estimates["analysis"] == "+ age") & estimates["cohort"].isin(["west", POOLED])]
    assert len(hidden) == 2
    assert hidden[numbers].isna().all().all()
    assert [one.code for one in decode(hidden["reason"].iloc[0])][-1] == "redacted"
    sensitivity = told["pooled/meta_analysis/sensitivity"]
    assert (
        sensitivity.loc[sensitivity["analysis"] == "+ age", ["estimate", "ci_lower", "tau2"]]
        .isna()
        .all()
        .all()
    )
    assert estimates.loc[estimates["analysis"] == "unadjusted", "estimate"].notna().all()


def test_pooled_correlations_and_their_weights_are_functions_of_counts():
    row = {
        "question": "groups",
        "term": "all",
        "measure": "correlation",
        "factor": "all",
        "population": "all participants",
        "adjustment": "unadjusted",
    }
    tables = [
        result_rows([row | {"cohort": name, "estimate": 0.7, "standard_error": 1 / np.sqrt(n - 3), "ci_lower": 0.6, "ci_upper": 0.8, "n": n}], "fairness/fairness")
        for name, n in (("a", 40), ("b", 90))
    ]  # fmt: skip
    found = pool_rows(headline_rows({"fairness/fairness": tables}), Pooling()).estimates
    assert found["estimate"].iloc[0] == pytest.approx(0.7)
    told = release({PLACE: found}, 6)[PLACE]
    assert told[["weight", "heterogeneity_q", "i2", "ci_lower", "standard_error"]].isna().all().all()
    assert told["estimate"].notna().tolist() == [False, True, True]


def test_pooled_added_value_has_a_dash_for_the_two_values_of_c():
    key = Key(
        "Pooled",
        {"cohort": "pooled", "estimate": 0.05, "p_value": 0.01, "q_value": np.nan, "family": ""},
        None,
        pooled=True,
    )
    asked = KeyQuestion(Planned("secondary", "added prognostic value", "face_age", "age"), "age, sex", [key])
    (row,) = _added(asked, ReportTables({})).rows
    assert row.unadjusted == "–"


def test_what_is_not_pooled_is_named_in_words():
    named = [
        ("AUC at 6 months", "age + ecog"),
        ("difference of AUC at 6 months", "difference"),
        ("mean difference", "bmi"),
    ]
    rows = pd.DataFrame(named, columns=["measured", "term"]).assign(note="one cohort alone has this estimate")
    (told,) = not_pooled(rows)
    assert told["n"] == 3
    assert (
        told["examples"]
        == "AUC at 6 months of age + ECOG; difference of AUC at 6 months; mean difference of BMI"
    )
