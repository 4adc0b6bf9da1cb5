"""Simulated participants of two cohorts with planted associations, and every table of them."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.phenotype.adjustment import (
    Plan,
    compare_adjustments,
    vary_specifications,
)
from faceage_bio.analyses.phenotype.comparison_frame import gather
from faceage_bio.analyses.phenotype.dose import fit_dose_response
from faceage_bio.analyses.phenotype.group_means import compare_levels
from faceage_bio.analyses.phenotype.matched import match_groups
from faceage_bio.analyses.phenotype.phenotype_subgroups import compare_subgroups
from faceage_bio.core.settings.settings_acceleration import Covariate, Imputation


def covariate(role: str, reason: str = "not stated", **exceptions: str) -> Covariate:
    return Covariate(role=role, reason=reason, exceptions=exceptions)


ROLES = {
    "sex": covariate("confounder", "it differs"),
    "bmi": covariate("mediator", ecog="confounder"),
    "ecog": covariate("mediator"),
    "smoking": covariate("confounder", pack_years="part"),
}
PLAN = Plan(ROLES, ["sex"], ["sex", "smoking", "bmi", "ecog"])
EXPOSURES = ["smoking", "pack_years", "bmi", "ecog", "group"]


def people(n=300, seed=1, **effects) -> pd.DataFrame:
    """Simulated participants of two cohorts; effects in years: smoking (current), bmi (per unit), u (BMI squared), women (smoking in
    women beyond men), group (cancer)."""
    random = np.random.default_rng(seed)
    age = random.uniform(45, 85, n)
    table = pd.DataFrame({
        "cohort": random.choice(["east", "west"], n), "subject_id": [f"s{k}" for k in range(n)], "chronological_age": age,
        "sex": random.choice(["female", "male"], n), "smoking": random.choice(["never", "former", "current"], n),
        "bmi": random.normal(27, 4, n).round(1), "ecog": random.integers(0, 4, n).astype(float),
        "site": random.choice(["breast", "lung", "other"], n), "group": random.choice(["reference", "cancer"], n),
    })  # fmt: skip
    table["pack_years"] = np.where(table.smoking == "never", 0.0, random.gamma(2, 10, n).round(1))
    current = (table.smoking == "current").to_numpy()
    face = 20 + 0.7 * age + random.normal(0, 5, n)
    face += effects.get("smoking", 0) * current + effects.get("women", 0) * current * (table.sex == "female")
    face += effects.get("bmi", 0) * (table.bmi - 27) + effects.get("u", 0) * (table.bmi - 25) ** 2
    face += effects.get("group", 0) * (table.group == "cancer")
    table["face_age"] = face
    return gather([table], ["plain"])


def tables_of(table) -> dict[str, pd.DataFrame]:
    """All that the page of the comparisons is made of."""
    levels = compare_levels(table, ["smoking", "bmi_class", "ecog", "site", "sex", "group"], ["sex"])
    groups = compare_subgroups(table, EXPOSURES, ["sex", "chronological_age", "site"], ["sex"], 65)
    dose = fit_dose_response(table, ["bmi", "pack_years"], ["sex"])
    matched = match_groups(table, "group", ["sex"], 2.0, ["bmi", "smoking"])
    adjusted = compare_adjustments(table, EXPOSURES, PLAN, Imputation(m=2, iterations=2, seed=1))
    found = vary_specifications(table, EXPOSURES, PLAN)
    return {
        "means": levels.means, "pairs": levels.pairs, "tests": levels.tests, "dose_response": dose.rows,
        "dose_curves": dose.curves, "interactions": groups.interactions, "subgroups": groups.forest,
        "matched": matched.rows, "balance": matched.balance, "adjustments": adjusted.rows, "roles": adjusted.roles,
        "specifications": found.rows, "specification_summary": found.summary,
    }  # fmt: skip


def run_all(table) -> dict[str, pd.DataFrame]:
    """Every table of associations."""
    further = ("dose_curves", "balance", "roles", "specifications")
    return {name: rows for name, rows in tables_of(table).items() if name not in further}
