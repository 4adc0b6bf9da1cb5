"""Plans of RNA samples: one gene by the formula, or all genes of a pilot by simulation."""

from math import ceil

import pandas as pd

from faceage_bio.analyses.planning.pilot_genes import (
    means_and_dispersions,
    samples_for_power,
    simulated_discovery,
)
from faceage_bio.analyses.planning.plan_table import plan_table
from faceage_bio.stats.sample_size import samples_for_exposure, samples_per_group


def one_gene(
    fold_change: float, depth: float, cv: float, sd: float | None, *, power: float, alpha: float
) -> pd.DataFrame:
    """A plan for one gene; ``sd``: of a continuous exposure, None for two groups."""
    assumptions = [
        ("fold change", fold_change, "between two groups" if sd is None else "per unit"), ("mean count", depth, ""),
        ("biological coefficient of variation", cv, ""), *([("SD of the exposure", sd, "units")] if sd else []),
        ("planned power", power, ""), ("type I error", alpha, "2-sided"),
    ]  # fmt: skip
    z = f"(qnorm(1 - {alpha:g} / 2) + qnorm({power:.10g}))^2 * (1 / {depth:.10g} + {cv:.10g}^2)"
    if sd is None:
        group = ceil(samples_per_group(fold_change, depth, cv, power=power, alpha=alpha))
        code = f"2 * ceiling(2 * {z} / log({fold_change:.10g})^2)"
        code += f"; RNASeqPower::rnapower(depth = {depth:.10g}, cv = {cv:.10g}, effect = {fold_change:.10g}, alpha = {alpha:g}, power = {power:.10g})"
        return plan_table("one gene", assumptions, [("samples", 2 * group, "samples")], code=code)
    n = ceil(samples_for_exposure(fold_change, sd, depth, cv, power=power, alpha=alpha))
    code = f"ceiling({z} / (log({fold_change:.10g}) * {sd:.10g})^2)"
    return plan_table("one gene", assumptions, [("samples", n, "samples")], code=code)


def pilot_genes(
    counts: pd.DataFrame, fold_change: float, sd: float | None, *, power: float, fdr: float, changed: float
) -> pd.DataFrame:
    """A plan for all genes of a pilot (genes x samples)."""
    genes = means_and_dispersions(counts)
    found = simulated_discovery(genes, fold_change, sd=sd, changed=changed, fdr=fdr)
    n = samples_for_power(found, power)
    assumptions = [
        ("fold change", fold_change, "between two groups" if sd is None else "per unit"),
        *([("SD of the exposure", sd, "units")] if sd else []), ("genes of the pilot", len(genes), "genes"),
        ("median count", float(genes["mean"].median()), ""), ("median dispersion", float(genes["dispersion"].median()), ""),
        ("share of genes that change", changed, ""), ("planned share found", power, ""), ("false discovery rate", fdr, ""),
    ]  # fmt: skip
    at = found[found["n"] >= n]["false_discoveries"]
    results = [
        ("samples", n if n == float("inf") else ceil(n), "samples"),
        *([("false discoveries among those found", float(at.iloc[0]), "")] if len(at) else []),
    ]
    curve = (
        "share of the changed genes found",
        list(zip(found["n"], found["power"], strict=True)),
        "samples",
    )
    return plan_table("all genes of a pilot", assumptions, results, [curve])
