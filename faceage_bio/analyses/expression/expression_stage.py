"""The stage's tables: all genes in the joint model, and the genes declared beforehand in every model of both
ages.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.counts import Expression
from faceage_bio.analyses.expression.formula import design_of, plain
from faceage_bio.analyses.expression.gene_models import (
    DESEQ2,
    TESTS,
    TOGETHER,
    CountModels,
    Test,
    adjustment_of,
    contrast_of,
    fit_models,
    panel_tests,
    tested_counts,
    tested_genes,
)
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COHORT, SUBJECT
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_genes import Expression as ExpressionSettings
from faceage_bio.stats.limma import voom
from faceage_bio.stats.multiplicity import benjamini_hochberg, bonferroni, filtered_discovery_rate
from faceage_bio.stats.negative_binomial import trimmed_mean_of_m
from faceage_bio.stats.resampling import weighted_permutation_p
from faceage_bio.stats.sample_size import smallest_detectable

ALPHA = 0.05  # the false discovery rate that independent filtering aims at, and reports count by
PERMUTATIONS = 9999  # of the panel's p-values
HEADLINE = Test(TOGETHER, (AGE_ACCELERATION, AGE), (AGE_ACCELERATION,))
BULK = "expression"  # the question of bulk RNA; of a cell type "expression in ..."


def result_tables(
    data: Expression,
    cohort: str,
    question: str,
    settings: ExpressionSettings,
    *,
    workers: int = 1,
    headline: str = DESEQ2,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Genome-wide and panel tables of one question (bulk RNA, or a cell type); if nothing can be fitted,
    panel rows that say why.

    Log2 fold changes per ``per_years`` of age, without shrinkage. Covariates are columns or interactions
    ``a:b``; chronological age is always one. ``headline``: the method of ``estimate`` and ``p_value``; both
    methods stand as ``deseq2_...`` and ``voom_...``, each with q in the same family, and where one finds what
    the other does not, the reason says so.

    Returns
    -------
    genes : DataFrame, result rows, one per tested gene and exposure of the joint model
        Exposures are age_acceleration, chronological_age and their interactions. ``q_value``: Benjamini and
        Hochberg over all tested genes; ``q_filtered``: after independent filtering; ``p_lrt``:
        likelihood-ratio test.
    panel : DataFrame, result rows, one per declared gene and test of `gene_models.TESTS`
        ``exposure`` is an age or "difference"; ``q_value`` and ``p_bonferroni`` over the panel's ``n_tests``
        of the same test; ``detectable``: the smallest change that this study would have found with 80% power;
        ``permutation_p_value`` of age acceleration in the joint model: of limma-voom's t, `PERMUTATIONS` by
        ``seed``.
    """
    covariates, panel, per_years = settings.covariates, settings.panel, settings.per_years
    label = {COHORT: cohort, "question": question, "outcome": "expression"}
    label |= {"measure": "log2 fold change", "per": f"{per_years:g} years"}
    try:
        people = data.people
        joint = design_of(people, (AGE_ACCELERATION, AGE), covariates, per_years)
        tested = tested_genes(data.counts, settings.min_count, settings.min_samples)
        if not tested.any():
            needed = {"min_count": settings.min_count, "min_samples": settings.min_samples}
            raise FitError("no_gene_with_counts", **needed)
        counts = tested_counts(data.counts, tested)
        models = fit_models(counts, people, joint, workers, headline, settings.engine)
        genes = _genes(models, covariates)
        declared = _panel(models, people, settings, data.counts)
    except FitError as error:
        genes = pd.DataFrame(columns=["term"])
        why = {"n": data.people[SUBJECT].nunique(), "reason": error.reason.encoded}
        held = plain(covariates)
        declared = pd.concat(
            pd.DataFrame({"term": panel}).assign(**_of_test(test, covariates, held), **why) for test in TESTS
        )
    return (
        result_rows(genes.assign(**label, family="all genes"), "expression/genes"),
        result_rows(declared.assign(**label, family="prespecified panel"), "expression/panel"),
    )


def with_identifiers(genes: pd.DataFrame, identifiers: pd.Series) -> pd.DataFrame:
    """The table with ``gene_id``: what the counts file calls a gene that is named by its symbol; as it is
    where there is none.
    """
    return genes.assign(gene_id=genes["term"].map(identifiers)) if len(identifiers) else genes


def _labelled(
    table: pd.DataFrame, models: CountModels, test: Test, covariates: Sequence[str]
) -> pd.DataFrame:
    about = _of_test(test, covariates, models.joint) | {"method": models.method, "n": models.n_people}
    return table.rename_axis("term").reset_index().assign(**about)


def _of_test(test: Test, covariates: Sequence[str], matrix: Iterable[str]) -> dict:
    about = {"exposure": test.exposure, "model": test.model}
    return about | adjustment_of(test, covariates, matrix)


def _genes(models: CountModels, covariates: Sequence[str]) -> pd.DataFrame:
    joint, means = models.joint, base_means(models)
    crossed = [name for name in joint if " x " in name and (AGE in name or AGE_ACCELERATION in name)]
    parts = []
    for exposure in (AGE_ACCELERATION, AGE, *crossed):
        table = models.test(joint, contrast_of(joint, [exposure]))
        p_values = table["p_value"].to_numpy()
        table = with_both_q(table).assign(
            base_mean=means,
            q_value=benjamini_hochberg(p_values),
            q_filtered=filtered_discovery_rate(p_values, means.to_numpy(), ALPHA)[0],
            n_tests=int((~np.isnan(p_values)).sum()),
        )
        test = Test(TOGETHER, (AGE_ACCELERATION, AGE), (exposure,))
        parts.append(_labelled(table, models, test, covariates))
    return pd.concat(parts, ignore_index=True)


def base_means(models: CountModels) -> pd.Series:
    """Mean of normalised counts of each gene."""
    if models.deseq is not None:
        return pd.Series(models.deseq.base_mean, index=models.genes)
    depth = models.counts.sum(axis=1, keepdims=True)
    return pd.Series((models.counts / depth * depth.mean()).mean(axis=0), index=models.genes)


def _panel(
    models: CountModels,
    people: pd.DataFrame,
    settings: ExpressionSettings,
    counts: pd.DataFrame,
) -> pd.DataFrame:
    covariates, panel = settings.covariates, settings.panel
    present = models.genes[models.genes.isin(panel)]
    why = {gene: _why_not(gene, counts) for gene in panel if gene not in present}
    means, parts = base_means(models), []
    for test, table in panel_tests(models, people, covariates, settings.per_years, present):
        table = table.reindex(panel).assign(base_mean=means)
        table["reason"] = table["reason"].fillna(pd.Series(why)).fillna("")
        if "p_value" in table:
            table = with_both_q(table)
            p_values = table["p_value"].to_numpy()
            table["q_value"], table["p_bonferroni"] = benjamini_hochberg(p_values), bonferroni(p_values)
            table["n_tests"] = int(table["p_value"].notna().sum())
            table["detectable"] = smallest_detectable(table["standard_error"])
            if test == HEADLINE and len(present) and models.persons is None:
                table["permutation_p_value"] = _permuted(models, present, settings.seed)
        parts.append(_labelled(table, models, test, covariates))
    return pd.concat(parts, ignore_index=True)


def with_both_q(table: pd.DataFrame) -> pd.DataFrame:
    """q of each method over the genes of the table, and a remark where one finds a gene that the other does
    not, or its opposite.
    """
    if "deseq2_p_value" not in table:
        return table
    of_deseq2, of_voom = (
        benjamini_hochberg(table[f"{name}_p_value"].to_numpy(dtype=float)) for name in ("deseq2", "voom")
    )
    table = table.assign(deseq2_q_value=of_deseq2, voom_q_value=of_voom)
    one, other = of_deseq2 < ALPHA, of_voom < ALPHA
    known = ~np.isnan([of_deseq2, of_voom]).any(axis=0)
    opposite = np.sign(table["deseq2_estimate"]) != np.sign(table["voom_estimate"])
    apart = known & ((one != other) | (one & other & opposite.to_numpy()))
    remark = reason("methods_disagree").encoded
    table.loc[apart, "reason"] = [
        f"{told}; {remark}" if told else remark for told in table.loc[apart, "reason"]
    ]
    return table


def _permuted(models: CountModels, genes: pd.Index, seed: int) -> pd.Series:
    """Permutation p-values of limma-voom's t of age acceleration, with the weights of the covariates alone."""
    design = models.joint.to_numpy()
    column = models.joint.columns.get_loc(AGE_ACCELERATION)
    without = [AGE_ACCELERATION not in name.split(" x ") for name in models.joint]
    covariates = design[:, without]
    depth = models.counts.sum(axis=1) * trimmed_mean_of_m(models.counts)
    levels, weights = voom(models.counts, covariates, depth, models.genes.get_indexer(genes))
    found = weighted_permutation_p(levels, weights, design[:, column], covariates, PERMUTATIONS, seed)
    return pd.Series(found, index=genes)


def _why_not(gene: str, counts: pd.DataFrame) -> str:
    if gene not in counts:
        return "gene_absent"
    return "gene_low_counts" if counts[gene].any() else "gene_without_counts"
