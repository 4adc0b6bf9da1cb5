"""The stage's tables: all genes in the joint model, and the genes declared beforehand in every model of the twin."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.columns import AGE, AGE_ACCELERATION, COHORT, SUBJECT
from faceage_bio.errors import FitError
from faceage_bio.expression.counts import Expression
from faceage_bio.expression.formula import design_of
from faceage_bio.expression.models import CountModels, contrast_of, fit_models
from faceage_bio.expression.twin import TESTS, TOGETHER, Test, adjustment_of, panel_tests
from faceage_bio.stats.filtering import filtered_discovery_rate
from faceage_bio.stats.multiplicity import benjamini_hochberg
from faceage_bio.stats.power import smallest_detectable
from faceage_bio.tables import result_rows

ALPHA = 0.05  # the false discovery rate that independent filtering aims at, and reports count by
SECOND_OPINION = ["voom_estimate", "voom_ci_lower", "voom_ci_upper", "voom_p_value", "hc3_p_value"]
FURTHER = [
    "exposure", "method", "base_mean", "standard_error", "p_lrt", "q_filtered", "p_bonferroni", "n_tests", "detectable",
    *SECOND_OPINION,
]  # fmt: skip


def result_tables(
    data: Expression,
    cohort: str,
    analysis: str,
    covariates: Sequence[str],
    panel: Sequence[str],
    per_years: float,
    min_count: int,
    min_samples: int,
    workers: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Genome-wide and panel tables of one analysis; if nothing can be fitted, panel rows that say why.

    Log2 fold changes per ``per_years`` of age, without shrinkage. Covariates are columns or interactions ``a:b``;
    chronological age is always one.

    Returns
    -------
    genes : DataFrame, result rows, one per tested gene and exposure of the joint model
        Exposures are age_acceleration, chronological_age and their interactions. ``q_value``: Benjamini and Hochberg over all
        tested genes; ``q_filtered``: after independent filtering; ``p_lrt``: likelihood-ratio test.
    panel : DataFrame, result rows, one per declared gene and test of `twin.TESTS`
        ``exposure`` is an age or "difference"; ``q_value`` and ``p_bonferroni`` over the panel's ``n_tests`` of the same test;
        ``detectable``: the smallest change that this study would have found with 80 % power.
    """
    label = {
        COHORT: cohort,
        "analysis": analysis,
        "measure": "log2 fold change",
        "per": f"{per_years:g} years",
    }
    try:
        people = data.people
        joint = design_of(people, (AGE_ACCELERATION, AGE), covariates, per_years)
        tested = (data.counts >= min_count).sum(axis=0) >= min(min_samples, len(people))
        if not tested.any():
            raise FitError(f"no gene has {min_count} counts in {min_samples} samples")
        models = fit_models(data.counts.loc[:, tested], people, joint, workers)
        genes = _genes(models, covariates)
        declared = _panel(models, people, covariates, per_years, panel, data.counts)
    except FitError as error:
        genes = pd.DataFrame(columns=["term"])
        declared = pd.concat(
            pd.DataFrame({"term": list(panel), "exposure": test.exposure, "model": test.model})
            for test in TESTS
        ).assign(n=data.people[SUBJECT].nunique(), note=f"not estimated, because {error}")
    columns = [*result_rows([]).columns, *FURTHER]
    return tuple(result_rows(table.assign(**label)).reindex(columns=columns) for table in (genes, declared))


def with_identifiers(genes: pd.DataFrame, identifiers: pd.Series) -> pd.DataFrame:
    """The table with ``gene_id``: what the counts file calls a gene that is named by its symbol; as it is where there is none."""
    return genes.assign(gene_id=genes["term"].map(identifiers)) if len(identifiers) else genes


def _labelled(
    table: pd.DataFrame, models: CountModels, test: Test, covariates: Sequence[str]
) -> pd.DataFrame:
    return table.rename_axis("term").reset_index().assign(
        exposure=test.exposure, model=test.model, method=models.method, n=models.n_people,
        adjustment=adjustment_of(test, covariates, models.joint),
    )  # fmt: skip


def _genes(models: CountModels, covariates: Sequence[str]) -> pd.DataFrame:
    joint, means = models.joint, base_means(models)
    crossed = [name for name in joint if " x " in name and (AGE in name or AGE_ACCELERATION in name)]
    parts = []
    for exposure in (AGE_ACCELERATION, AGE, *crossed):
        table = models.test(joint, contrast_of(joint, [exposure]))
        p_values = table["p_value"].to_numpy()
        table = table.assign(
            base_mean=means, q_value=benjamini_hochberg(p_values), n_tests=int((~np.isnan(p_values)).sum()),
            q_filtered=filtered_discovery_rate(p_values, means.to_numpy(), ALPHA)[0],
        )  # fmt: skip
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
    covariates: Sequence[str],
    per_years: float,
    panel: Sequence[str],
    counts: pd.DataFrame,
) -> pd.DataFrame:
    present = models.genes[models.genes.isin(panel)]
    why = {gene: _why_not(gene, counts) for gene in panel if gene not in present}
    means, parts = base_means(models), []
    for test, table in panel_tests(models, people, covariates, per_years, present):
        table = table.reindex(list(panel)).assign(base_mean=means)
        table["note"] = table["note"].fillna(pd.Series(why)).fillna("")
        if "p_value" in table:
            n_tests = int(table["p_value"].notna().sum())
            table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy())
            table["p_bonferroni"] = (table["p_value"] * n_tests).clip(upper=1)
            table["n_tests"] = n_tests
            table["detectable"] = smallest_detectable(table["standard_error"])
        parts.append(_labelled(table, models, test, covariates))
    return pd.concat(parts, ignore_index=True)


def _why_not(gene: str, counts: pd.DataFrame) -> str:
    if gene not in counts:
        return "not tested, because the counts do not have it"
    if not counts[gene].any():
        return "not tested, because no sample has a count of it"
    return "not tested, because its counts are too low"
