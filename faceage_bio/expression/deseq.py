"""Genes against age acceleration: DESeq2 (Love et al. 2014, doi:10.1186/s13059-014-0550-8) through pydeseq2."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from faceage_bio.columns import AGE, AGE_ACCELERATION, COHORT, LEVELS
from faceage_bio.errors import FitError
from faceage_bio.expression.counts import Expression
from faceage_bio.stats.design import build_design, independent_columns
from faceage_bio.stats.multiplicity import benjamini_hochberg
from faceage_bio.tables import result_rows

SPARE_SAMPLES = 3  # samples beyond the parameters, below which nothing is fitted
FURTHER = ["exposure", "base_mean", "standard_error", "q_filtered"]
NORMAL_975 = float(norm.ppf(0.975))


def design_of(
    people: pd.DataFrame, covariates: Sequence[str], per_years: float
) -> tuple[pd.DataFrame, list[str]]:
    """The design matrix with an intercept, and the exposures in it: age acceleration and, if it is a covariate, age.

    Both ages are in units of ``per_years``, so that their coefficients can be held beside each other; numbers are centred.

    Raises
    ------
    FitError
        Too few samples, acceleration does not vary, or a covariate follows from the others.
    """
    design = build_design(people, [AGE_ACCELERATION, *covariates], LEVELS)
    matrix = design.matrix
    if AGE_ACCELERATION in design.constant or not len(matrix):
        raise FitError("age acceleration does not vary, or nobody has it")
    if len(matrix) < matrix.shape[1] + 1 + SPARE_SAMPLES:
        raise FitError(f"{len(matrix)} samples are too few for {matrix.shape[1] + 1} parameters")
    if determined := sorted(set(matrix.columns) - set(independent_columns(matrix))):
        raise FitError(f"{', '.join(determined)} follows from the other covariates; leave it out")
    matrix = matrix - matrix.mean()
    exposures = [name for name in (AGE_ACCELERATION, AGE) if name in matrix]
    matrix[exposures] = matrix[exposures] / per_years
    matrix.insert(0, "intercept", 1.0)
    return matrix, exposures


def fit_genes(
    data: Expression,
    covariates: Sequence[str],
    per_years: float,
    min_count: int,
    min_samples: int,
    workers: int,
) -> pd.DataFrame:
    """Log2 fold change of every gene per ``per_years`` of age acceleration and, in the same model, of chronological age.

    Wald test, normal interval, no shrinkage; Cook's outliers give no p-value, as in DESeq2. ``q_value`` is Benjamini and
    Hochberg's over all tested genes; ``q_filtered`` that after DESeq2's independent filtering.

    Returns
    -------
    DataFrame, result rows; one per gene and exposure
        Genes below the count filter are left out. A gene without a p-value says why in ``note``.

    Raises
    ------
    FitError
        See `design_of`; or no gene passes the filter.
    """
    matrix, exposures = design_of(data.people, covariates, per_years)
    counts = data.counts.loc[matrix.index]
    tested = (counts >= min_count).sum(axis=0) >= min(min_samples, len(counts))
    if not tested.any():
        raise FitError(f"no gene has {min_count} counts in {min_samples} samples")
    results = wald_tests(counts.loc[:, tested], matrix, exposures, workers)
    adjusted = [{AGE: "age"}.get(name, name) for name in covariates]
    parts = []
    for exposure, table in results.items():
        others = [name for name in adjusted if name != {AGE: "age"}.get(exposure)]
        others = others if exposure == AGE_ACCELERATION else ["age acceleration", *others]
        parts.append(pd.DataFrame({
            "term": table.index, "measure": "log2 fold change", "estimate": table["log2FoldChange"],
            "per": f"{per_years:g} years", "ci_lower": table["log2FoldChange"] - NORMAL_975 * table["lfcSE"],
            "ci_upper": table["log2FoldChange"] + NORMAL_975 * table["lfcSE"], "p_value": table["pvalue"],
            "q_value": benjamini_hochberg(table["pvalue"].to_numpy()), "n": len(matrix), "model": "DESeq2, Wald test",
            "adjustment": ", ".join(others) or "none", "exposure": exposure, "base_mean": table["baseMean"],
            "standard_error": table["lfcSE"], "q_filtered": table["padj"],
            "note": np.where(table["pvalue"].isna(), "no p-value, because of an outlying count or no counts", ""),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def wald_tests(
    counts: pd.DataFrame, matrix: pd.DataFrame, exposures: Sequence[str], workers: int
) -> dict[str, pd.DataFrame]:
    """pydeseq2's results for several columns of one fitted design.

    Parameters
    ----------
    counts : DataFrame of int, samples x genes
    matrix : DataFrame of float, samples x parameters, with the intercept
    exposures : the columns to test
    workers : processor cores

    Returns
    -------
    dict of DataFrame, genes x (baseMean, log2FoldChange, lfcSE, stat, pvalue, padj)
    """
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference
    from pydeseq2.ds import DeseqStats

    results = {}
    with warnings.catch_warnings():
        # notices of pydeseq2's own libraries, and its remark that single genes kept the starting dispersion
        warnings.simplefilter("ignore")
        inference = DefaultInference(n_cpus=workers)
        data = DeseqDataSet(counts=counts, metadata=matrix, design=matrix, inference=inference, quiet=True)
        data.deseq2()
        for exposure in exposures:
            contrast = (matrix.columns == exposure).astype(float)
            stats = DeseqStats(data, contrast=contrast, inference=inference, quiet=True)
            stats.summary()
            results[exposure] = stats.results_df
    return results


def panel_of(genes: pd.DataFrame, panel: Sequence[str], known: set[str]) -> pd.DataFrame:
    """The genes declared beforehand, each present, with a false discovery rate of their own."""
    parts = []
    for exposure, table in genes.groupby("exposure", sort=False):
        rows = table.set_index("term").reindex(list(panel))
        for column in ("measure", "per", "n", "model", "adjustment", "exposure"):
            rows[column] = table[column].iloc[0]
        absent = rows["estimate"].isna()
        rows.loc[absent, "note"] = [
            "not tested, because its counts are too low"
            if gene in known
            else "not tested, because the counts do not have it"
            for gene in rows.index[absent]
        ]
        rows["q_value"] = benjamini_hochberg(rows["p_value"].to_numpy())
        parts.append(rows.assign(exposure=exposure).rename_axis("term").reset_index())
    return pd.concat(parts, ignore_index=True)


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
    """Genome-wide and panel tables of one analysis; if nothing can be fitted, panel rows that say why."""
    label = {COHORT: cohort, "analysis": analysis}
    try:
        genes = fit_genes(data, covariates, per_years, min_count, min_samples, workers)
        declared = panel_of(genes, panel, set(data.counts.columns))
    except FitError as error:
        genes = pd.DataFrame(columns=["term", *FURTHER])
        declared = pd.DataFrame(
            {
                "term": list(panel),
                "exposure": AGE_ACCELERATION,
                "measure": "log2 fold change",
                "per": f"{per_years:g} years",
                "n": len(data.people),
                "note": f"not estimated, because {error}",
            }
        )
    return tuple(
        result_rows(table.assign(**label)).reindex(columns=[*result_rows([]).columns, *FURTHER])
        for table in (genes, declared)
    )
