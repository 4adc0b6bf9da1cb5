"""Result tables of a small study as the steps write them, and the config of its pages."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from faceage_bio.cli.main import app
from faceage_bio.core.config import check_config
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.tables import write_table
from faceage_bio.intake.cohort.ledger import with_totals

EVIL = "<script>alert('x')</script>"
CARD = {
    "name": "FaceAge",
    "kind": "faceage",
    "synthetic": False,
    "sha256": "ab" * 32,
    "source": "faceage_model.h5",
}
CARD |= {"standardisation": "z", "notice": "Research."}


def config_of(names, **more):
    content = {"cohorts": {name: {"face_ages": "f.tsv"} for name in names}} | more
    content["report"] = {"sections": "full"} | content.get("report", {})
    return check_config(content)


def ages_tables(name):
    """flow, summary and age bands of a cohort, one band of three people."""
    flow = [
        ("photo", "intake", "included", "", 100), ("photo", "face_age", "included", "", 97),
        ("photo", "face_age", "excluded", "no_face", 3), ("subject", "acceleration", "included", "", 90),
    ]  # fmt: skip
    flow = pd.DataFrame(flow, columns=["unit", "stage", "status", "reason", "n"])
    yield "flow.tsv", with_totals(flow.assign(cohort=name))
    row = {"cohort": name, "n": 90, "question": "acceleration", "term": "age_gap", "measure": "mean"}
    row |= {"estimate": 5.1, "ci_lower": 4.0, "ci_upper": 6.2}
    yield "acceleration/summary.tsv", result_rows([row], "acceleration/summary")
    bands = {
        "age_band": ["50-59", "60-69", "80-89"], "age_lower": [50, 60, 80], "n": [40, 47, 3], "age_mean": [55, 65, 83.0],
        "face_age_mean": [58, 69, 99.25], "face_age_q25": [52, 63, 98.0], "face_age_median": [58, 69, 99.0],
        "face_age_q75": [63, 74, 99.5],
    }  # fmt: skip
    yield "acceleration/age_bands.tsv", pd.DataFrame(bands | {"cohort": name})


def phenotype_table(name):
    """One contrast with a hostile name, and one that was not estimated."""
    base = {"cohort": name, "n": 90, "question": "phenotype", "measure": "mean difference"}
    known = {
        "term": f"grade: {EVIL} vs low",
        "estimate": 2.0,
        "ci_lower": 1.0,
        "ci_upper": 3.0,
        "p_value": 0.001,
    }
    unknown = {"term": "bmi", "reason": reason("one_level", n=90)}
    adjustments = ({"adjustment": "unadjusted"}, {"adjustment": "minimal", "covariates": "age, sex"})
    rows = [base | row | adjustment for row in (known, unknown) for adjustment in adjustments]
    yield "phenotype/phenotypes.tsv", result_rows(rows, "phenotype/phenotypes")


def gene_tables(name, n_genes):
    """All genes and the panel, for both exposures."""
    random = np.random.default_rng(1)
    genes = ["CDK6", "TP53", *(f"GENE{k}" for k in range(max(0, n_genes - 2)))][:n_genes]
    parts = []
    for exposure in ("age_acceleration", "chronological_age", "difference"):
        p_values = random.uniform(1e-9, 1, len(genes))
        columns = {
            "cohort": name, "question": "expression", "term": genes, "measure": "log2 fold change", "per": "10 years",
            "estimate": random.normal(0, 0.3, len(genes)), "ci_lower": -1.0, "ci_upper": 1.0, "p_value": p_values,
            "q_value": np.minimum(1, p_values * 3), "n": 88, "model": "together", "adjustment": "full", "covariates": "smoking, sex",
            "method": "DESeq2's method, Wald test", "exposure": exposure, "base_mean": 100.0, "n_tests": 2, "voom_estimate": 0.5,
            "voom_ci_lower": 0.25, "voom_ci_upper": 0.75, "voom_p_value": 0.0321,
        }  # fmt: skip
        parts.append(pd.DataFrame(columns))
    rows = pd.concat(parts)
    yield "expression/genes.tsv", result_rows(rows, "expression/genes")
    yield "expression/panel.tsv", result_rows(rows[rows.term.isin(["CDK6", "TP53"])], "expression/panel")


def opinion_tables(name, estimate=2.5):
    """A second model that takes faces for older; one band of few people."""
    base = {"cohort": name, "n": 90, "question": "agreement", "term": "Other", "reference": "FaceAge"}
    rows = [
        base | {"measure": measure, "estimate": value, "ci_lower": value - 1, "ci_upper": value + 1}
        for measure, value in (
            ("bias", estimate), ("lower limit of agreement", -6.5), ("upper limit of agreement", 11.5),
        )
    ]  # fmt: skip
    yield "faceage/agreement.tsv", result_rows(rows, "faceage/agreement")
    bands = {"term": "Other", "band_lower": [50, 60, 70], "n": [40, 47, 3], "mean_age": [55, 65, 77.125],
             "mean_difference": [2, 3, 7.875]}  # fmt: skip
    yield "faceage/agreement_bands.tsv", pd.DataFrame(bands | {"cohort": name})
    compared = {
        "cohort": name, "n": 88, "n_events": 41, "question": "prognosis of age models", "outcome": "death", "term": "Other", "reference": "FaceAge",
        "measure": "difference of Harrell's C", "estimate": -0.0312, "ci_lower": -0.05, "ci_upper": -0.01, "p_value": 0.004,
    }  # fmt: skip
    yield "faceage/model_comparison.tsv", result_rows([compared], "faceage/model_comparison")
    uncertain = {
        "cohort": name, "n": 97, "question": "face_age", "term": "standard deviation of a face age", "measure": "median",
        "unit": "years", "estimate": 2.34,
    }  # fmt: skip
    yield "faceage/summary.tsv", result_rows([uncertain], "faceage/summary")


HAZARD = {
    "term": "face_age", "exposure": "face_age", "model": "face age + age", "step": "+ age", "adjustment": "age", "covariates": "age",
}  # fmt: skip


def survival_tables(name):
    """Cox models, curves and summary."""
    base = {
        "cohort": name,
        "n": 90,
        "n_events": 40,
        "question": "cox",
        "measure": "hazard ratio",
        "per": "10 years",
    }
    found = HAZARD | {"estimate": 1.5, "ci_lower": 1.1, "ci_upper": 2.05, "p_value": 0.01}
    alone = {"model": "univariable", "step": "unadjusted", "adjustment": "unadjusted", "covariates": ""}
    tests = {
        "model_df": 2,
        "likelihood_ratio": 31.26,
        "likelihood_ratio_p": 1.6e-7,
        "wald": 29.74,
        "wald_p": 0.034,
    }
    tests |= {"score": 33.52, "score_p": 0.0217}
    rows = [base | found | alone, base | found | tests]
    constant = {"term": "ecog", "exposure": "ecog", "reason": reason("constant", column="ecog")}
    rows.append(base | alone | constant)
    yield "survival/cox.tsv", result_rows(rows, "survival/cox")
    curves = [
        pd.DataFrame({
            "cohort": name, "grouping": "all", "group": group, "years": [0.0, 1.2, 2.5], "at_risk": [size, size, 10],
            "events": [0, size - 10, 2], "censored": [0, 0, 8], "survival": [1.0, 0.8, 0.6], "ci_lower": 0.5, "ci_upper": 0.9,
        })
        for group, size in (("all", 90), ("<= 65", 45), ("> 65", 45))
    ]  # fmt: skip
    yield "survival/kaplan_meier.tsv", pd.concat(curves)
    row = {"cohort": name, "term": "all", "grouping": "all", "group": "all", "measure": "median survival"}
    row |= {"reason": reason("not_reached"), "n_events": 40}
    yield "survival/summary.tsv", result_rows([row], "survival/summary")


def write_study(folder, names, n_genes=300, rna=True, survival=True, opinion=False):
    """Tables as the stages write them, where they write them."""
    paths = []
    for name in names:
        tables = [*ages_tables(name), *phenotype_table(name)]
        tables += gene_tables(name, n_genes) if rna else []
        tables += survival_tables(name) if survival else []
        tables += opinion_tables(name) if opinion else []
        for place, table in tables:
            write_table(table, folder / name / place)
            paths.append(folder / name / place)
    return paths


def people(n=120):
    chance = np.random.default_rng(1)
    age = chance.uniform(50, 85, n)
    face_age = age + chance.normal(0, 6, n)
    years = chance.exponential(4 * np.exp(-0.04 * (face_age - 65)))
    return pd.DataFrame(
        {
            "cohort": "one", "subject_id": [f"p{k:03}" for k in range(n)], "chronological_age": age, "face_age": face_age,
            "age_gap": face_age - age, "age_acceleration": face_age - age - (face_age - age).mean(),
            "sex": chance.choice(["female", "male"], n), "followup_years": np.minimum(years, 5), "event": (years < 5).astype(int),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder of results in which two steps ran as the workflow runs them."""
    folder = tmp_path_factory.mktemp("results")
    table = folder.parent / "people.tsv"
    write_table(people(), table)
    survival = folder / "one" / "survival"
    for arguments in (
        ["prepare-follow-up", "--participants", table, "--output", survival, "--set", "survival.horizon_years=4"],
        ["fit-survival", "--participants", survival / "follow_up.parquet", "--output", survival, "--set", "survival.sequential_adjustment=sex", "--set",
         "survival.added_value.bootstraps=0"],
    ):  # fmt: skip
        done = CliRunner().invoke(app, [str(one) for one in arguments])
        assert done.exit_code == 0, done.output
    return folder


def tables_of(study):
    return sorted(path for path in study.glob("*/*/*.tsv") if path.name != "ledger.tsv")
