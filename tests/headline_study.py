"""A small study whose headline other software computes again: participants, and samples of RNA."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.expression_stage import result_tables
from faceage_bio.analyses.phenotype.comparison_frame import gather
from faceage_bio.analyses.phenotype.contrasts import contrast_exposures
from faceage_bio.analyses.survival.cox_models import Choices, grouped
from faceage_bio.analyses.survival.curves import curves_by_group, part, summarise
from faceage_bio.analyses.survival.sequential_models import sequential_cox_models
from faceage_bio.analyses.verification import headline_input
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.core.settings.settings_survival import Survival
from tests.gene_studies import expression_study

EXPOSURES = ["smoking", "bmi", "1st visit (ward)"]
GENE_SETTINGS = Expression(covariates=["chronological_age", "sex"])


def people(n=140, seed=3):
    random = np.random.default_rng(seed)
    age = random.uniform(45, 85, n)
    face = age + random.normal(0, 8, n)
    years = random.exponential(6 * np.exp(-0.03 * (face - 65))).round(2)
    return pd.DataFrame({
        "cohort": "north", "subject_id": [f"P{k}" for k in range(n)], "chronological_age": age, "face_age": face,
        "age_gap": face - age, "age_acceleration": face - np.polyval(np.polyfit(age, face, 1), age), "followup_years": years,
        "event": (random.random(n) < 0.8).astype(float), "entry_years": np.nan, "sex": random.choice(["female", "male"], n),
        "smoking": random.choice(["never", "former", "current"], n), "bmi": random.normal(27, 4, n),
        "1st visit (ward)": random.choice(["A", "B", "C"], n), "ward": [f"W{k % 30}" for k in range(n)],
    })  # fmt: skip


def late(table):
    """Every second participant enters late."""
    years = table["followup_years"]
    return table.assign(entry_years=np.where(table.index % 2, years / 3, np.nan), followup_years=years + 0.01)


def choices_of(**choices):
    return Choices(steps=["sex"], covariates=["1st visit (ward)", "bmi"], **choices)


def cox(table, **choices):
    """Our rows, and the models for other software."""
    chosen = choices_of(**choices)
    rows = sequential_cox_models(grouped(table, chosen.groups), chosen, "north")
    return rows, lambda changed=rows: headline_input.cox_models(table, changed, chosen, "north")


def curves(table, strata=(), interval="log-log", change=0.0):
    groupings = [part(table, "smoking", "levels"), part(table, "age_acceleration", "tertiles")]
    curve = curves_by_group(table, groupings, interval, "north")
    curve["survival"] += change
    summary = summarise(table, groupings, Survival(interval=interval, log_rank_strata=list(strata)), "north")
    return headline_input.curves(table, groupings, strata, curve, summary, "north")


def contrasts(table):
    """Our rows, and the models for other software."""
    table = gather([table], ["north"])
    rows = contrast_exposures(table, EXPOSURES, ["sex"])
    return rows, lambda changed=rows: headline_input.contrasts(
        table, changed, ["sex"], "north", "phenotype/phenotypes"
    )


def genes(n_genes, panel=("CDK6", "ABSENT")):
    table, counts, samples = expression_study(n=60, genes=n_genes)
    data = choose_samples(table, counts, samples, GENE_SETTINGS.covariates)
    settings = GENE_SETTINGS.model_copy(update={"panel": list(panel)})
    _, declared = result_tables(data, "c", "expression", settings)
    return headline_input.gene_models(data, declared, GENE_SETTINGS, "c", "expression")
