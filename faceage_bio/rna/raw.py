"""Are these raw counts? What is refused is refused with the evidence."""

from pathlib import Path

import numpy as np
import pandas as pd

LOGARITHM_AT_MOST = 40.0  # log2 of a count hardly exceeds 25
EQUAL_SUMS = 1e-3  # relative spread of the samples' sums below which they were scaled to one total
NEEDED = "DESeq2 needs raw counts: not TPM, FPKM, CPM or logarithms. Give the counts as the counting program wrote them."
ESTIMATED = "If these are estimated counts of salmon, RSEM or tximport, say `counts_kind: estimated`."


def problems_of_values(table: pd.DataFrame, path: Path | str, *, estimated: bool = False) -> list[str]:
    """What makes these values something else than raw counts.

    Parameters
    ----------
    table : DataFrame of numbers, genes x samples
    estimated : decimals are allowed, as salmon, RSEM and tximport give them
    """
    values = table.to_numpy(dtype=np.float64)
    finite = np.isfinite(values)
    masks = [(~finite, "missing"), (values < 0, "negative")]
    fractions = finite & (values != np.round(values))
    if not estimated:
        masks.append((fractions, "not whole numbers"))
    problems = [
        f"{path}: {mask.mean():.1%} of the values are {what}, such as {_example(table, values, mask)}; {_looks_like(values)}"
        + (f" {ESTIMATED}" if what == "not whole numbers" and not _scaled(values) else "")
        for mask, what in masks
        if mask.any()
    ]
    if not problems and (scaled := _scaled(values)):
        problems.append(f"{path}: {scaled} {NEEDED}")
    if not problems and estimated and fractions.any() and values.max() < LOGARITHM_AT_MOST:
        problems.append(f"{path}: {_looks_like(values)}")
    return problems


def _example(table: pd.DataFrame, values: np.ndarray, mask: np.ndarray) -> str:
    gene, sample = np.argwhere(mask)[0]
    return f"{values[gene, sample]:.6g} for gene {table.index[gene]!r} in sample {table.columns[sample]!r}"


def _looks_like(values: np.ndarray) -> str:
    largest = np.nanmax(values, initial=0.0)
    if scaled := _scaled(values):
        return f"{scaled} {NEEDED}"
    if largest < LOGARITHM_AT_MOST:
        return f"the largest value is {largest:.6g}, as of logarithms. {NEEDED}"
    return f"the largest value is {largest:.6g}. {NEEDED}"


def _scaled(values: np.ndarray) -> str:
    """Samples of one total were scaled: libraries never have equal sizes."""
    sums = np.nansum(values, axis=0)
    if len(sums) < 3 or len(values) < 3 or not sums.min() > 0:
        return ""
    if np.ptp(sums) > EQUAL_SUMS * sums.mean():
        return ""
    return f"every sample sums to {sums.mean():.6g}, so they were scaled to one total (TPM or CPM sum to a million)."
