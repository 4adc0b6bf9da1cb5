"""Plans of RNA samples: one gene by the formula, or all genes of a pilot by simulation."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import pandas as pd
from scipy.stats import t as t_distribution

from faceage_bio.analyses.planning.cohort_study import Said, finds, plan_table
from faceage_bio.core.errors import RunError
from faceage_bio.stats.minimum_sizes import SAMPLES_OF_PILOT
from faceage_bio.stats.multiplicity import benjamini_hochberg
from faceage_bio.stats.negative_binomial import positive_counts
from faceage_bio.stats.sample_size import samples_for_exposure, samples_per_group

LEAST_MEAN = 5.0
SIZES = (10, 20, 30, 50, 75, 100, 150, 200, 300, 500)
MOST_GENES = 1000  # in a simulated study, by seed


def means_and_dispersions(counts: pd.DataFrame) -> pd.DataFrame:
    """Mean normalised count and dispersion of each gene, by moments: variance = mean + dispersion x mean
    squared.

    Parameters
    ----------
    counts : genes x samples

    Raises
    ------
    RunError
        Fewer than 4 samples, or no gene with a mean count of 5.
    """
    if counts.shape[1] < SAMPLES_OF_PILOT:
        raise RunError(
            f"the pilot's counts: {counts.shape[1]} samples. Expected {SAMPLES_OF_PILOT} or more. Give --depth and --cv instead."
        )
    matrix = counts.to_numpy(dtype=float)
    factors = positive_counts(matrix.T)
    normalised = matrix / factors
    mean, variance = normalised.mean(axis=1), normalised.var(axis=1, ddof=1)
    noise = mean * (1 / factors).mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        dispersion = np.maximum((variance - noise) / mean**2, 1e-3)
    table = pd.DataFrame({"mean": mean, "dispersion": dispersion}, index=counts.index)
    table = table[table["mean"] >= LEAST_MEAN]
    if not len(table):
        raise RunError(
            f"the pilot's counts: no gene has a mean of {LEAST_MEAN:g}. Expected raw counts. Give --depth and --cv instead."
        )
    return table


def simulated_discovery(
    genes: pd.DataFrame,
    fold_change: float,
    *,
    sd: float | None = None,
    changed: float = 0.05,
    fdr: float = 0.05,
    sizes: Sequence[int] = SIZES,
    repeats: int = 20,
) -> pd.DataFrame:
    """Share of the changed genes that are found by number of samples.

    Counts are negative binomial. Each gene's log count per size factor is regressed on the exposure (least
    squares, t-test), and genes with q (Benjamini-Hochberg) of at most ``fdr`` are found.

    Parameters
    ----------
    genes : of `means_and_dispersions`
    fold_change : per unit of an exposure with this ``sd`` (normal), or between two groups of equal size
    changed : share of genes that change, half of them downwards
    sizes : samples in all
    repeats : simulated studies of each size

    Returns
    -------
    DataFrame
        n, power, false_discoveries (mean share among the genes found).
    """
    random = np.random.default_rng(1)
    if len(genes) > MOST_GENES:
        genes = genes.iloc[random.choice(len(genes), MOST_GENES, replace=False)]
    mean, shape = genes["mean"].to_numpy()[:, None], 1 / genes["dispersion"].to_numpy()[:, None]
    n_changed = max(round(changed * len(genes)), 1)
    rows = []
    for n in sizes:
        power, wrong = [], []
        for _ in range(repeats):
            x = np.arange(n) % 2 - 0.5 if sd is None else random.normal(0, sd, n)
            effect = np.zeros(len(genes))
            effect[random.choice(len(genes), n_changed, replace=False)] = np.log(fold_change)
            effect *= random.choice([-1, 1], len(genes))
            expected = mean * np.exp(effect[:, None] * x)
            y = np.log(random.negative_binomial(shape, shape / (shape + expected)) + 0.5)
            centred = x - x.mean()
            slope = y @ centred / (centred @ centred)
            left = y - y.mean(axis=1, keepdims=True) - slope[:, None] * centred
            error = np.sqrt((left**2).sum(axis=1) / (n - 2) / (centred @ centred))
            p = 2 * t_distribution.sf(np.abs(slope) / np.maximum(error, 1e-12), n - 2)
            found = benjamini_hochberg(p) <= fdr
            power.append(found[effect != 0].mean())
            wrong.append((found & (effect == 0)).sum() / max(found.sum(), 1))
        rows.append({"n": n, "power": float(np.mean(power)), "false_discoveries": float(np.mean(wrong))})
    return pd.DataFrame(rows)


def samples_for_power(simulated: pd.DataFrame, power: float) -> float:
    """Samples at which the simulated power is reached, between two sizes on a straight line; infinite if it
    is not reached.
    """
    reached = simulated[simulated["power"] >= power]
    if not len(reached):
        return float("inf")
    at = reached.index[0]
    if at == simulated.index[0]:
        return float(simulated["n"].iloc[0])
    low, high = simulated.loc[at - 1], simulated.loc[at]
    return float(low["n"] + (power - low["power"]) / (high["power"] - low["power"]) * (high["n"] - low["n"]))


def _exposure(fold_change: float, sd: float | None) -> list[Said]:
    change = ("fold change", fold_change, "between two groups" if sd is None else "per unit")
    return [change, ("SD of the exposure", sd, "units")] if sd else [change]


def one_gene(
    fold_change: float, depth: float, cv: float, sd: float | None, *, power: float, alpha: float
) -> pd.DataFrame:
    """A plan for one gene; ``sd``: of a continuous exposure, None for two groups."""
    change, *spread = _exposure(fold_change, sd)
    assumptions = [
        change,
        ("mean count", depth, ""),
        ("biological coefficient of variation", cv, ""),
        *spread,
        ("planned power", power, ""),
        ("type I error", alpha, "2-sided"),
    ]
    z = f"(qnorm(1 - {alpha:g} / 2) + qnorm({power:.10g}))^2 * (1 / {depth:.10g} + {cv:.10g}^2)"
    if sd is None:
        group = ceil(samples_per_group(fold_change, depth, cv, power=power, alpha=alpha))
        code = f"2 * ceiling(2 * {z} / log({fold_change:.10g})^2)"
        code += f"; RNASeqPower::rnapower(depth = {depth:.10g}, cv = {cv:.10g}, effect = {fold_change:.10g}, alpha = {alpha:g}, power = {power:.10g})"
        answer = f"{2 * group:,} samples, {group:,} in each of two groups, {finds(power, f'a fold change of {fold_change:g}', alpha)}"
        return plan_table("one gene", answer, assumptions, [("samples", 2 * group, "samples")], code=code)
    n = ceil(samples_for_exposure(fold_change, sd, depth, cv, power=power, alpha=alpha))
    code = f"ceiling({z} / (log({fold_change:.10g}) * {sd:.10g})^2)"
    answer = f"{n:,} samples {finds(power, f'a fold change of {fold_change:g} per unit at an SD of {sd:g}', alpha)}"
    return plan_table("one gene", answer, assumptions, [("samples", n, "samples")], code=code)


def pilot_genes(
    counts: pd.DataFrame, fold_change: float, sd: float | None, *, power: float, fdr: float, changed: float
) -> pd.DataFrame:
    """A plan for all genes of a pilot (genes x samples)."""
    genes = means_and_dispersions(counts)
    found = simulated_discovery(genes, fold_change, sd=sd, changed=changed, fdr=fdr)
    n = samples_for_power(found, power)
    assumptions = [
        *_exposure(fold_change, sd),
        ("genes of the pilot", len(genes), "genes"),
        ("median count", float(genes["mean"].median()), ""),
        ("median dispersion", float(genes["dispersion"].median()), ""),
        ("share of genes that change", changed, ""),
        ("planned share found", power, ""),
        ("false discovery rate", fdr, ""),
    ]
    at = found[found["n"] >= n]["false_discoveries"]
    results = [
        ("samples", n if n == float("inf") else ceil(n), "samples"),
        *([("false discoveries among those found", float(at.iloc[0]), "")] if len(at) else []),
    ]
    points = list(zip(found["n"], found["power"], strict=True))
    curves = [("share of the changed genes found", points, "samples")]
    samples = f"More than {SIZES[-1]} samples are needed to" if n == float("inf") else f"{ceil(n):,} samples"
    spread = "between two groups" if sd is None else f"per unit at an SD of {sd:g}"
    answer = f"{samples} find {100 * power:.4g}% of the genes with a fold change of {fold_change:g} {spread}, at a false discovery rate of {fdr:g}."
    return plan_table("all genes of a pilot", answer, assumptions, results, curves)
