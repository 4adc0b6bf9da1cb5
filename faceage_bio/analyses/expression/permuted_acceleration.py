"""Which test of genes is to be believed in this study: each on permuted exposures, before any real p-value."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.counts import Expression
from faceage_bio.analyses.expression.formula import design_of, reduced
from faceage_bio.analyses.expression.gene_models import (
    DESEQ2,
    VOOM,
    contrast_of,
    size_factors_of,
    tested_counts,
    tested_genes,
)
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COHORT, SUBJECT
from faceage_bio.core.errors import FitError, RunError, TableError
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_genes import Expression as ExpressionSettings
from faceage_bio.stats.deseq import fit_deseq
from faceage_bio.stats.limma import fit_moderated, voom
from faceage_bio.stats.linear import hc3
from faceage_bio.stats.minimum_sizes import SAMPLES_FOR_VOOM
from faceage_bio.stats.negative_binomial import trimmed_mean_of_m
from faceage_bio.stats.resampling import inflation, permuted_exposures, type_one_error

FURTHER_GENES = 2000  # besides the panel, by seed
CALIBRATED = (0.04, 0.06)  # the 95% interval of DESeq2's type I error at 0.05 lies within
METHODS = ("DESeq2, Wald test", "DESeq2, likelihood-ratio test", VOOM, "least squares, HC3")
# rules by which a method leads
DECLARED, FEW = "declared", f"fewer than {SAMPLES_FOR_VOOM} samples"
GOOD = f"95% CI of the type I error of DESeq2 within {CALIBRATED[0]} to {CALIBRATED[1]}"
BAD = GOOD.replace("within", "not within")
SEVERAL, UNKNOWN = "several samples of a participant", "type I error not estimated"


def calibrate_tests(
    data: Expression,
    cohort: str,
    question: str,
    settings: ExpressionSettings,
    workers: int = 1,
) -> pd.DataFrame:
    """Type I error at 0.05 and inflation of each method on permuted age acceleration, and the method that
    leads.

    Counts and covariates are untouched; the residuals of age acceleration on the covariates are permuted and
    added to its fitted values. Dispersions, trends and weights are estimated again for each permutation, on
    the panel and `FURTHER_GENES` by seed.

    Parameters
    ----------
    settings : Expression
        headline auto: DESeq2 for fewer than `SAMPLES_FOR_VOOM` samples; else DESeq2 only if the 95% interval of its
        type I error lies within `CALIBRATED`, otherwise limma-voom.

    Returns
    -------
    DataFrame, result rows (expression/type_one_error)
        ``term``: method; ``standard_error``: Monte Carlo, between permutations; ``headline``, ``rule``: which
        method leads, and why.
    """
    n = data.people[SUBJECT].nunique()
    base = {COHORT: cohort, "question": question, "outcome": "expression", "exposure": AGE_ACCELERATION}
    base |= {"n": n, "permutations": settings.permutations}
    rows: list[dict] = []
    try:
        tests = _permuted_tests(data, settings, workers)
        for method, p_values in tests.items():
            shared = base | {"term": method, "genes": p_values.shape[1]}
            for measure, summary in (("type I error", type_one_error), ("inflation factor", inflation)):
                rows.append(shared | {"measure": measure, **vars(summary(p_values))})
    except FitError as error:
        why = base | {"measure": "type I error", "reason": error.reason}
        rows = [why | {"term": method} for method in METHODS]
    lead, rule = choose_headline(settings.headline, n, data.people[SUBJECT].duplicated().any(), rows)
    return result_rows([row | {"headline": lead, "rule": rule} for row in rows], "expression/type_one_error")


def choose_headline(wanted: str, n_samples: int, repeated: bool, rows: Sequence[dict]) -> tuple[str, str]:
    """The method that leads, and the rule by which."""
    if repeated:
        return VOOM, SEVERAL
    if wanted != "auto":
        return wanted, DECLARED
    if n_samples < SAMPLES_FOR_VOOM:
        return DESEQ2, FEW
    wald = next((row for row in rows if row["term"] == METHODS[0] and "estimate" in row), None)
    if wald is None:
        return VOOM, UNKNOWN
    good = CALIBRATED[0] <= wald["ci_lower"] and wald["ci_upper"] <= CALIBRATED[1]
    return (DESEQ2, GOOD) if good else (VOOM, BAD)


def headline_of(tried: pd.DataFrame | None, question: str, wanted: str, people: pd.DataFrame) -> str:
    """The method that leads an analysis of these samples: by its rows of `calibrate_tests`, or by the rules
    that need none.

    Raises
    ------
    TableError
        The table is another one.
    RunError
        Type I error decides, and is not known.
    """
    if tried is not None and not {"question", "headline"} <= set(tried):
        raise TableError(
            f"--type-one-error: no column headline; found {', '.join(map(str, tried.columns[:8]))}. Expected type_one_error.tsv as "
            "check-expression writes it. Give that table."
        )
    own = tried[tried["question"] == question] if tried is not None else ()
    if len(own):
        return str(own["headline"].iloc[0])
    n = people[SUBJECT].nunique()
    lead, rule = choose_headline(wanted, n, people[SUBJECT].duplicated().any(), ())
    if rule == UNKNOWN:
        raise RunError(
            f"--type-one-error: no row of {question}, and expression.headline is auto with {n} participants. Expected type_one_error.tsv, by "
            f"which from {SAMPLES_FOR_VOOM} on DESeq2 or limma-voom is chosen. Write it with faceage-bio check-expression, or choose with "
            "--set expression.headline=limma-voom."
        )
    return lead


def _permuted_tests(data: Expression, settings: ExpressionSettings, workers: int) -> dict[str, np.ndarray]:
    """p-values of each method, shape (n_permutations, n_genes)."""
    people, ages, covariates = data.people, (AGE_ACCELERATION, AGE), settings.covariates
    if people[SUBJECT].duplicated().any():
        raise FitError("several_samples_not_permuted")
    tested = tested_genes(data.counts, settings.min_count, settings.min_samples)
    if not tested.any():
        needed = {"min_count": settings.min_count, "min_samples": settings.min_samples}
        raise FitError("no_gene_with_counts", **needed)
    counts = tested_counts(data.counts, tested)
    joint = design_of(people, ages, covariates, 1.0)
    others = joint[[name for name in joint if AGE_ACCELERATION not in name.split(" x ")]].to_numpy()
    every = counts.to_numpy()
    factors, depth = size_factors_of(every)[0], every.sum(axis=1) * trimmed_mean_of_m(every)
    values = np.ascontiguousarray(every[:, _chosen(counts.columns, settings.panel, settings.seed)])
    found: dict[str, list[np.ndarray]] = {method: [] for method in METHODS}
    exposure = people[AGE_ACCELERATION].to_numpy(dtype=np.float64)
    for drawn in permuted_exposures(exposure, others, settings.permutations, settings.seed):
        matrix = design_of(people.assign(**{AGE_ACCELERATION: drawn}), ages, covariates, 1.0)
        design, contrast = matrix.to_numpy(), contrast_of(matrix, [AGE_ACCELERATION])
        fit = fit_deseq(values, design, factors, workers)
        levels, weights = voom(values, design, depth)
        p_values = (
            fit.wald(contrast)[3],
            fit.likelihood_ratio(reduced(matrix, contrast), workers)[1],
            fit_moderated(levels, design, weights).test(contrast)[3],
            hc3(levels, design, contrast[None])[3, 0],
        )
        for method, p in zip(METHODS, p_values, strict=True):
            found[method].append(p)
    return {method: np.array(values) for method, values in found.items()}


def _chosen(genes: pd.Index, panel: Sequence[str], seed: int) -> np.ndarray:
    """Places of the panel and of the further genes."""
    declared = np.flatnonzero(genes.isin(panel))
    others = np.setdiff1d(np.arange(len(genes)), declared)
    random = np.random.default_rng(seed)
    return np.concatenate([declared, random.choice(others, min(FURTHER_GENES, len(others)), replace=False)])
