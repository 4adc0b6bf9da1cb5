"""Partial residuals of the declared genes as means of groups of people: what the model sees."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import t

from faceage_bio.analyses.expression.counts import Expression
from faceage_bio.analyses.expression.formula import design_of
from faceage_bio.analyses.expression.sensitivity import AGES, levels_of
from faceage_bio.core.columns import AGE_ACCELERATION, COHORT
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows

MOST_BINS = 10
FEWEST = 5  # people in a bin, since the t interval of a mean of fewer is too wide to show a shape


def bins_of(values: np.ndarray) -> list[np.ndarray]:
    """Places of participants in the order of ``values``, in up to `MOST_BINS` bins of like size; none if there are not two."""
    k = min(MOST_BINS, len(values) // FEWEST)
    return np.array_split(np.argsort(values, kind="stable"), k) if k >= 2 else []


def partial_residuals(
    data: Expression,
    panel: Sequence[str],
    covariates: Sequence[str],
    *,
    cohort: str,
    question: str,
    per_years: float,
    min_count: int,
    min_samples: int,
) -> pd.DataFrame:
    """Residual plus the exposure's own part (log2 from the mean), averaged over bins of the exposure.

    Returns
    -------
    DataFrame, result rows
        One per gene, exposure (both ages) and bin: ``bin_centre`` (mean years in the bin), ``estimate`` with its t interval, ``n``;
        a gene that cannot be shown has one row that says why.
    """
    rows = []
    try:
        levels = levels_of(data, min_count, min_samples)
        matrix = design_of(data.people, AGES, covariates, per_years)
        bins = {age: bins_of(data.people[age].to_numpy(dtype=float)) for age in AGES}
        if not all(bins.values()):
            raise FitError("too_few_for_bins", n=len(matrix))
        design = matrix.to_numpy()
        genes = [gene for gene in panel if gene in levels]
        beta, *_ = np.linalg.lstsq(design, levels[genes].to_numpy(), rcond=None)
        residuals = levels[genes].to_numpy() - design @ beta
        why = reason("not_tested")
    except FitError as error:
        genes, why = [], error.reason
    for place, age in enumerate(AGES if genes else (), start=1):
        values = residuals + design[:, [place]] * beta[place]
        years = data.people[age].to_numpy(dtype=float)
        for number, mine in enumerate(bins[age], start=1):
            n, mean = len(mine), values[mine].mean(axis=0)
            half = t.ppf(0.975, n - 1) * values[mine].std(axis=0, ddof=1) / np.sqrt(n)
            rows += [
                {"term": gene, "exposure": age, "bin": number, "bin_centre": years[mine].mean(), "estimate": mean[k],
                 "ci_lower": mean[k] - half[k], "ci_upper": mean[k] + half[k], "n": n}
                for k, gene in enumerate(genes)
            ]  # fmt: skip
    rows += [
        {"term": gene, "exposure": AGE_ACCELERATION, "n": len(data.people), "reason": why.encoded}
        for gene in panel
        if gene not in genes
    ]
    table = pd.DataFrame(rows, columns=["term", "exposure", "bin", "bin_centre", "estimate", "ci_lower", "ci_upper", "n", "reason"])  # fmt: skip
    order = {gene: place for place, gene in enumerate(panel)}
    table = table.sort_values("term", key=lambda terms: terms.map(order), kind="stable")
    label = {
        COHORT: cohort, "question": question, "outcome": "expression", "measure": "partial residual",
    }  # fmt: skip
    return result_rows(table.assign(**label), "expression/partial_residuals")
