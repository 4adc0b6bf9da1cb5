"""The result tables: which there are, and what their further columns are. What is not listed is never released."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

SMALLEST = ("n_smallest", "n_events_smallest")  # of pooled rows: counts of the smallest cohort
# rows about single participants, photos or samples; what was found of covariates before any analysis
NEVER = {"ledger", "cells_ledger", "photo_list", "covariates", "verification/numbers"}
BOTH_METHODS = tuple(
    f"{method}_{name}"
    for method in ("deseq2", "voom")
    for name in ("estimate", "ci_lower", "ci_upper", "p_value", "q_value")
)
NUMBERS = {  # keys that are numbers
    "age_lower", "band_lower", "bin", "cohorts", "components", "face_age_lower", "genes", "hidden", "in_counts", "lower", "n_chosen", "n_found", "n_genes",
    "n_not_estimated", "n_readers", "n_specifications", "n_tests", "n_variants", "permutations", "points", "seconds", "tested", "threshold", "upper", "width",
    "workers", "years", "numbers", "agreeing", "known", "beyond", "largest", "tolerance",
}  # fmt: skip
# without half the chi-square it is that of no effect, a function of the numbers at risk alone
LIKELIHOOD = ("log_likelihood",)
QUARTILES = (("lower_quartile", 0.25), ("upper_quartile", 0.25))
PAPER = re.compile(
    r"(?:(?:.*[/:])?tables/)?(?:table_1(?:_\w+)?|cox_models|group_comparisons|gene_panel_\w+|meta_analysis|key_results)\.tsv"
)


@dataclass(frozen=True)
class Table:
    """Columns of a table that are not those of every result row (row.py).

    ``keys``: words and numbers that name a row, released as they are; ``counts``: of participants, samples,
    photos or events, rounded at release; ``statistics``: numbers that a row of small counts loses; ``rows``:
    whether they are result rows, or points of a figure with columns of their own.

    For the release: ``closed`` are statistics that are closed functions of counts; ``quantiles`` have at
    least this share of participants beyond them; ``shares`` are a column, the count that it is a share of,
    and of how many each participant has (an estimate: in rows of the measures "share" and "missing");
    ``curve`` is the table of survival curves off which the numbers are read; ``of_errors``: the statistics
    are made of the standard errors of cohorts, and so of n where these are.
    """

    keys: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    quantiles: tuple[tuple[str, float], ...] = ()
    shares: tuple[tuple[str, str, int], ...] = ()
    curve: str = ""
    of_errors: bool = False
    rows: bool = True

    @property
    def further(self) -> tuple[str, ...]:
        """Its own columns in their order."""
        return (*self.keys, *self.counts, *self.statistics)


TABLES = {
    "acceleration/age_bands": Table(
        keys=("cohort", "age_band", "age_lower"), counts=("n",),
        statistics=("age_mean", "face_age_mean", "face_age_sd", "face_age_q25", "face_age_median", "face_age_q75", "age_gap_mean", "acceleration_mean"),
        rows=False,
        quantiles=(("face_age_q25", 0.25), ("face_age_median", 0.5), ("face_age_q75", 0.25)),
    ),
    "acceleration/ageing_rate": Table(),
    "acceleration/attenuation": Table(statistics=("reliability",)),
    "acceleration/definition_bands": Table(
        keys=("cohort", "definition", "age_lower"), counts=("n",), statistics=("age_mean", "mean", "ci_lower", "ci_upper"),
        closed=("ci_lower", "ci_upper"), rows=False,
    ),
    "acceleration/definition_hazards": Table(),
    "acceleration/definitions": Table(keys=("fitted_in", "cross_fitted", "chosen")),
    "acceleration/reliability": Table(statistics=("error_df",), closed=("error_df",)),
    "acceleration/sensitivity": Table(keys=("excluded",)),
    "acceleration/summary": Table(),
    "expression/cell_quality": Table(keys=("fate",)),
    "expression/components": Table(keys=("component",), statistics=("share_of_variance",)),
    "expression/composition": Table(counts=("n_with_cells",), statistics=("detectable", "mean_share")),
    "expression/confounding": Table(),
    "expression/genes": Table(
        keys=("gene_id", "method", "n_tests"),
        statistics=("base_mean", "p_lrt", "q_filtered", *BOTH_METHODS, "hc3_p_value"),
    ),
    "expression/gsea": Table(keys=("n_genes", "leading"), statistics=("enrichment",)),
    "expression/ora": Table(keys=("n_genes", "n_chosen", "n_found")),
    "expression/panel": Table(
        keys=("method", "n_tests"),
        statistics=("base_mean", "p_lrt", "p_bonferroni", "permutation_p_value", "detectable", *BOTH_METHODS, "hc3_p_value"),
    ),
    "expression/partial_residuals": Table(keys=("bin",), statistics=("bin_centre",)),
    "expression/quality": Table(statistics=("lower_quartile", "upper_quartile"), quantiles=QUARTILES),
    "expression/sensitivity": Table(keys=("variant", "hidden")),
    "expression/set_associations": Table(keys=("method",)),
    "expression/type_one_error": Table(keys=("permutations", "genes", "headline", "rule")),
    "expression/set_coverage": Table(keys=("genes", "in_counts", "tested", "headline", "source", "sha256", "signed")),
    "faceage/agreement": Table(),
    "faceage/agreement_bands": Table(
        keys=("cohort", "term", "band_lower"), counts=("n",), statistics=("mean_age", "mean_difference"), rows=False,
    ),
    "faceage/model_comparison": Table(),
    "faceage/photo_counts": Table(keys=("factor", "group", "photo_status", "photo_reason")),
    "faceage/photo_measures": Table(keys=("cohort", "measure", "lower", "upper"), counts=("n",), rows=False),
    "faceage/photo_speed": Table(keys=("cohort", "device", "workers", "seconds"), counts=("photos",), rows=False),
    "faceage/review": Table(),
    "faceage/summary": Table(),
    "fairness/fairness": Table(
        keys=("population", "factor", "crossed", "group", "within", "raw_reason"),
        counts=("n_exposed", "n_reference", "n_events_exposed", "n_events_reference"),
        statistics=("raw_estimate", "raw_ci_lower", "raw_ci_upper", "raw_p_value"),
        closed=("raw_ci_lower", "raw_ci_upper", "raw_p_value"), shares=(("estimate", "n_events", 1),),
    ),
    "fairness/stress": Table(
        keys=("condition", "condition_unit", "factor", "group", "step", "within", "raw_reason"), counts=("n_exposed", "n_reference"),
        statistics=("raw_estimate", "raw_ci_lower", "raw_ci_upper", "raw_p_value"),
        closed=("raw_ci_lower", "raw_ci_upper", "raw_p_value"), shares=(("estimate", "n_events", 1),),
    ),
    "flow": Table(keys=("cohort", "unit", "stage", "status", "reason"), counts=("n",), rows=False),
    "meta_analysis/estimates": Table(
        keys=("source", "analysis", "method", "scale", "cohorts"), counts=SMALLEST, of_errors=True,
        statistics=(
            "weight", "tau2", "tau2_lower", "tau2_upper", "i2", "i2_lower", "i2_upper", "heterogeneity_q", "heterogeneity_p",
            "pi_lower", "pi_upper",
        ),
    ),
    "meta_analysis/genes": Table(
        keys=("gene_id", "method", "cohorts"), counts=SMALLEST, of_errors=True,
        statistics=(
            "tau2", "i2", "heterogeneity_q", "heterogeneity_p", "random_estimate", "random_lower", "random_upper", "random_p", "hartung_knapp_p",
        ),
    ),
    "meta_analysis/sensitivity": Table(
        keys=("source", "analysis", "variant", "method", "scale", "cohorts"), counts=SMALLEST, of_errors=True,
        statistics=(
            "tau2", "i2", "heterogeneity_p", "pi_lower", "pi_upper", "rstudent", "dffits", "cook_distance", "covariance_ratio", "hat",
            "influential", "permutation_p",
        ),
    ),
    "phenotype/adjustments": Table(keys=("adjustment_set", "missing"), statistics=("e_value", "e_value_interval", "missing_information")),
    "phenotype/age_histogram": Table(keys=("cohort", "age_lower", "face_age_lower", "width"), counts=("n",), rows=False),
    "phenotype/balance": Table(counts=("n_level",), statistics=("exposed_mean", "reference_mean")),
    "phenotype/distributions": Table(keys=("factor", "group"), statistics=("standard_deviation", "q10", "q25", "q50", "q75", "q90"), quantiles=(("q10", 0.1), ("q25", 0.25), ("q50", 0.5), ("q75", 0.25), ("q90", 0.1))),
    "phenotype/dose_curves": Table(
        keys=("cohort", "term", "adjustment"), counts=("n",), statistics=("value", "estimate", "ci_lower", "ci_upper", "reference"),
        rows=False,
    ),
    "phenotype/dose_response": Table(statistics=("df_residual",), closed=("df_residual",)),
    "phenotype/groups": Table(counts=("n_exposed", "n_reference")),
    "phenotype/interactions": Table(keys=("modifier",), counts=("n_exposed", "n_reference"), statistics=("df_residual",), closed=("df_residual",)),
    "phenotype/matched": Table(counts=("n_exposed", "n_reference")),
    "phenotype/means": Table(keys=("factor",)),
    "phenotype/pairs": Table(
        keys=("factor",), counts=("n_exposed", "n_reference"), statistics=("effect_size", "effect_lower", "effect_upper", "p_holm"),
        closed=("effect_lower", "effect_upper"),
    ),
    "phenotype/phenotypes": Table(counts=("n_exposed", "n_reference")),
    "phenotype/roles": Table(keys=("exposure", "covariate", "role", "reason", "sets"), rows=False),
    "phenotype/specification_summary": Table(
        keys=("n_specifications", "n_not_estimated"), statistics=("share_same_sign", "share_significant"),
    ),
    "phenotype/specifications": Table(keys=("adjustment_set", "excluded"), counts=("n_exposed", "n_reference")),
    "phenotype/subgroups": Table(keys=("modifier",), counts=("n_exposed", "n_reference"), statistics=("p_interaction", "q_interaction")),
    "phenotype/table_one": Table(keys=("group", "variable"), statistics=("standard_deviation", "lower_quartile", "upper_quartile"), shares=(("estimate", "n", 1),), quantiles=QUARTILES),
    "phenotype/tests": Table(keys=("factor",), statistics=("df_residual", "eta_squared"), closed=("df_residual", "eta_squared")),
    "readers/readers": Table(keys=("rater", "condition", "against", "censoring", "random", "n_readers"), statistics=("df_residual",), closed=("df_residual",)),
    "scores/comparison": Table(keys=("score", "version", "from_group", "to_group", "method")),
    "scores/scored": Table(keys=("score", "citation", "published", "rule", "column", "points")),
    "survival/added_value": Table(keys=("comparison", "kind", "method"), statistics=("events_per_term", "optimism", "corrected")),
    "survival/age_comparison": Table(keys=("step", "method"), statistics=("events_per_term",)),
    "survival/at_risk": Table(
        keys=("cohort", "grouping", "group", "years"), counts=("at_risk", "entered", "events", "censored"), rows=False,
        curve="survival/kaplan_meier",
    ),
    "survival/calibration": Table(
        keys=("comparison", "kind", "method", "group"), statistics=("events_per_term", "optimism", "corrected", "predicted"),
    ),
    "survival/competing_risks": Table(keys=("grouping", "group", "cause", "method"), curve="survival/cumulative_incidence"),
    "survival/cox": Table(
        keys=("method", "step"),
        statistics=("exposure_sd", "events_per_term", "concordance", "log_likelihood", "model_df", "likelihood_ratio", "likelihood_ratio_p", "wald", "wald_p", "score", "score_p", "robust_lower", "robust_upper", "robust_p"),
        closed=LIKELIHOOD,
    ),
    "survival/cumulative_incidence": Table(
        keys=("cohort", "grouping", "group", "cause", "years", "interval"), counts=("at_risk", "events", "other_events", "censored"),
        statistics=("incidence", "standard_error", "ci_lower", "ci_upper"), rows=False,
        curve="survival/cumulative_incidence",
    ),
    "survival/decision_curve": Table(keys=("comparison", "threshold"), counts=("n_high",), statistics=("events_per_term",)),
    "survival/gene_panel": Table(keys=("strata",), statistics=("p_bonferroni", "mean_level", "hazards_p_value")),
    "survival/genes": Table(keys=("strata",), statistics=("p_bonferroni", "mean_level", "hazards_p_value")),
    "survival/hazard_curve": Table(keys=("step", "years", "cohort"), statistics=("hazard_ratio", "ci_lower", "ci_upper"), rows=False),
    "survival/hazard_curve_histogram": Table(keys=("lower", "upper", "cohort"), counts=("n", "n_events"), rows=False),
    "survival/hazard_curve_tests": Table(keys=("step", "method"), statistics=("events_per_term",)),
    "survival/imputed": Table(
        keys=("method", "missing"), counts=("n_gaps",),
        statistics=("events_per_term", "missing_information", "concordance", "log_likelihood", "robust_lower", "robust_upper", "robust_p"),
        closed=LIKELIHOOD,
    ),
    "survival/incidence_at_risk": Table(
        keys=("cohort", "grouping", "group", "years"), counts=("at_risk", "entered", "events", "censored"), rows=False,
        curve="survival/cumulative_incidence",
    ),
    "survival/kaplan_meier": Table(
        keys=("cohort", "grouping", "group", "years", "interval"), counts=("at_risk", "entered", "events", "censored"),
        statistics=("survival", "standard_error", "ci_lower", "ci_upper"), rows=False,
        curve="survival/kaplan_meier",
    ),
    "survival/one_stage": Table(keys=("step", "method", "cohorts"), counts=SMALLEST, statistics=("events_per_term",)),
    "survival/proportional_hazards": Table(keys=("step", "method"), statistics=("events_per_term",)),
    "survival/proportional_hazards_curve": Table(
        keys=("step", "term", "kind", "years", "cohort"), counts=("n_events",), statistics=("hazard_ratio", "ci_lower", "ci_upper"),
        rows=False,
    ),
    "survival/remedies": Table(keys=("method", "remedy", "period", "step"), statistics=("events_per_term",)),
    "survival/sensitivity": Table(
        keys=("method", "people"), counts=("left_out", "n_level", "n_events_level"),
        statistics=("events_per_term", "concordance", "log_likelihood", "robust_lower", "robust_upper", "robust_p"),
        closed=LIKELIHOOD,
    ),
    "survival/sites": Table(
        keys=("step", "by", "method"),
        statistics=("events_per_term", "concordance", "log_likelihood", "robust_lower", "robust_upper", "robust_p"),
        closed=LIKELIHOOD,
    ),
    "survival/subgroups": Table(keys=("step", "modifier", "n_tests", "method"), statistics=("p_interaction", "q_interaction")),
    "survival/type_one_error": Table(keys=("permutations",), statistics=("permutation_p_value",)),
    "survival/summary": Table(keys=("grouping", "group"), curve="survival/kaplan_meier"),
    "training/accuracy": Table(keys=("factor",), counts=("persons",)),
    "variants/common": Table(
        keys=("gene", "test", "n_tests", "components"), counts=("n_alleles", "n_carriers"),
        statistics=("frequency", "hardy_weinberg_p", "p_bonferroni"),
        closed=("hardy_weinberg_p",), shares=(("frequency", "n_alleles", 2),),
    ),
    "variants/genes": Table(keys=("n_variants", "test", "n_tests", "components"), counts=("n_alleles", "n_carriers"), statistics=("p_bonferroni",)),
    "variants/quality": Table(),
    "verification/agreement": Table(
        keys=("cohort", "analysis", "software", "version", "numbers", "agreeing", "known", "beyond", "largest", "tolerance", "agrees", "reason"), rows=False,
    ),
    "verification/numbers": Table(keys=("analysis", "quantity", "scale", "software", "version"), statistics=("other", "difference", "tolerance")),
}  # fmt: skip


def key_of(place: str) -> str:
    """A table's name without its cohort: ``survival/cox`` of ``north/survival/cox.tsv``, ``flow`` of ``north/flow``."""
    path = PurePosixPath(str(place).rpartition(":")[2])
    inside = f"{path.parent.name}/{path.stem}"
    return inside if inside in TABLES else path.stem


def count_columns(key: str) -> tuple[str, ...]:
    """The columns of a table that count participants, samples, photos or events."""
    declared = TABLES[key]
    return ("n", "n_events", *declared.counts) if declared.rows else declared.counts


def is_declared(place: str) -> bool:
    """Whether the table is a result table, which may leave."""
    return key_of(place) in TABLES.keys() - NEVER


def is_paper_table(name: str) -> bool:
    """Whether a file is one of the tables for authors, made from released tables (report/journal_tables.py)."""
    return PAPER.fullmatch(name) is not None


def never_released(place: str) -> bool:
    """Whether the table stays: rows about single participants, photos or samples, and checks of the input."""
    return key_of(place) in NEVER


def is_count(name: str) -> bool:
    """Whether a parameter of a reason counts participants, samples, photos or events."""
    return name == "n" or name.startswith("n_")
