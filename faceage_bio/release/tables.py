"""Which result tables may leave, and which of their columns are counts, keys or statistics."""

import re
from pathlib import PurePosixPath

# rows about single participants, photos or samples; what was found of covariates before any analysis
NEVER = {"ledger", "cells_ledger", "photo_list", "covariates"}
RESULTS = {
    "flow", "faceage/summary", "faceage/photo_counts", "faceage/photo_measures", "faceage/photo_speed", "faceage/agreement",
    "faceage/agreement_bands", "faceage/review", "acceleration/age_bands", "acceleration/definition_bands", "acceleration/definitions",
    "acceleration/definition_hazards", "acceleration/sensitivity", "acceleration/summary", "acceleration/reliability",
    "acceleration/attenuation", "acceleration/ageing_rate", "phenotype/phenotypes", "phenotype/table_one", "phenotype/distributions",
    "phenotype/age_squares", "phenotype/groups", "phenotype/means", "phenotype/pairs", "phenotype/tests", "phenotype/dose_response",
    "phenotype/dose_curves", "phenotype/interactions", "phenotype/subgroups", "phenotype/matched", "phenotype/balance",
    "phenotype/adjustments", "phenotype/roles", "phenotype/specifications", "phenotype/specification_summary", "fairness/fairness",
    "fairness/stress", "expression/genes", "expression/panel", "expression/quality", "expression/components", "expression/confounding",
    "expression/sensitivity", "expression/partial_residuals", "expression/set_associations", "expression/set_coverage",
    "expression/gsea", "expression/ora", "expression/cell_quality", "expression/composition", "variants/genes", "variants/common",
    "variants/quality", "survival/cox", "survival/age_comparison", "survival/proportional_hazards",
    "survival/proportional_hazards_curve", "survival/remedies", "survival/hazard_curve_tests", "survival/hazard_curve",
    "survival/hazard_curve_people", "survival/sites", "survival/subgroups", "survival/sensitivity", "survival/imputed",
    "survival/added_value", "survival/calibration", "survival/decision_curve", "survival/kaplan_meier", "survival/at_risk",
    "survival/summary", "survival/competing_risks", "survival/cumulative_incidence", "survival/incidence_at_risk", "survival/genes",
    "survival/gene_panel", "scores/scored", "scores/comparison", "readers/readers",
}  # fmt: skip
OTHERS = {  # begin like a count, and count something else
    "n_genes", "n_tests", "n_readers", "n_specifications", "n_not_estimated", "n_chosen", "n_found", "n_variants", "n_common",
    "n_sets", "n_terms", "n_knots", "n_steps",
}  # fmt: skip
FURTHER = {
    "at_risk", "entered", "events", "other_events", "censored", "left_out", "deaths", "carriers", "donors", "samples", "patients",
    "photos", "subjects", "missing_n",
}  # fmt: skip
KEYS = {  # numbers that name a row
    "years", "at_years", "threshold", "age_lower", "face_age_lower", "lower", "upper", "width", "bin", "step", "points", "level", "group",
    "genes", "in_counts", "tested", "share_of_variance", "n_tests", "n_genes", "n_chosen", "n_found", "n_variants", "seconds", "workers",
    *OTHERS,
}  # fmt: skip
PAPER = re.compile(
    r"(?:(?:.*[/:])?tables/)?(?:table_1(?:_\w+)?|cox_models|group_comparisons|gene_panel_\w+|key_results)\.tsv"
)


def is_paper_table(name: str) -> bool:
    """Whether a file is one of the tables for authors, made from released tables (report/journal_tables.py)."""
    return PAPER.fullmatch(name) is not None


def is_count(column: str) -> bool:
    """Whether a column of a result table counts participants, samples, photos or events."""
    name = column.lower()
    return name in FURTHER or ((name == "n" or name.startswith("n_")) and name not in OTHERS)


def key_of(place: str) -> str:
    """A table's name without its cohort: ``survival/cox`` of ``north/survival/cox.tsv``, ``flow`` of ``north/flow``."""
    path = PurePosixPath(place.rpartition(":")[2])
    inside = f"{path.parent.name}/{path.stem}"
    return inside if inside in RESULTS else path.stem


def never_released(place: str) -> bool:
    """Whether the table stays: rows about single participants, photos or samples, and checks of the input."""
    return key_of(place) in NEVER


def is_result(place: str) -> bool:
    """Whether the table is in the closed list of result tables."""
    return key_of(place) in RESULTS
