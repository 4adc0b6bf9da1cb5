"""Are these raw counts? What is refused is refused with the evidence."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import chi2

from faceage_bio.core.errors import examples

LOGARITHM_AT_MOST = 40.0  # log2 of a count hardly exceeds 25
LARGEST = 1e9  # reads of one gene in one sample; a whole flow cell has fewer
WHOLE_OF_ESTIMATED = 0.05  # of values above 0; salmon's and RSEM's have more, TPM and FPKM fewer
SMALL_LIBRARY = 1.5e6  # sums of TPM are 1e6, of FPKM less
# of a sample's values that are whole multiples of its smallest: counts divided by a size factor
MULTIPLES = 0.99
MANY = 20  # cells, of which one would be a count of 40 to 999 if others were thousands
# SD of log library sizes: raw ones differ by tens of percent, normalised ones hardly
EVEN_SAMPLES, EVEN_SPREAD = (6, 0.05)
FEW_GENES, FEW_WHOLE = 50, 0.25  # a table of few genes may have small counts alone, some of them whole
EQUAL_SUMS = 1e-3  # relative spread of the samples' sums below which they were scaled to one total
NEAR_A_MILLION = 1e-2  # all sums are, of SEVERAL samples at least, if TPM were rounded or some genes left out
SEVERAL = 6
# Reads are counted, so the variance of a gene's counts is its mean at least, however deep libraries are. Rounded TPM and FPKM, which
# stand for more reads than their size, may have less; genes of these means, at least so many in so many samples, have a median above 0.9
LOW_MEANS, LOW_GENES, LOW_SAMPLES, LEAST_DISPERSION = (0.5, 2.0), 200, 10, 0.6
CHANCE = 1e-6  # that whole numbers of the variance of counts vary as little; a share of `LEAST_DISPERSION` may be one of few genes
LEAST_ALIKE = 20  # genes with a count; fewer may be the same by chance
LEAST_SUMMED = 3  # samples and genes, of which one may be the sum of the others
NOT_WHOLE = "not whole numbers"
NEEDED = "DESeq2 needs raw counts: not TPM, FPKM, CPM or logarithms. Give the counts as the counting program wrote them."
ESTIMATED = "If these are estimated counts of salmon, RSEM or tximport, say `counts_kind: estimated`."


def problems_of_values(
    table: pd.DataFrame, path: Path | str, *, estimated: bool = False, place: Callable[[str, str], str] = lambda gene, sample: "",
) -> list[str]:  # fmt: skip
    """What makes these values something else than raw counts.

    Parameters
    ----------
    table : DataFrame of numbers, genes x samples
    estimated : decimals are allowed, as salmon, RSEM and tximport give them
    place : where the value of a gene in a sample stands in the file, such as ``line 12, column 's1'``
    """
    whole = all(kind.kind == "i" for kind in table.dtypes)
    values = table.to_numpy() if whole else table.to_numpy(dtype=np.float64)
    fractions = None if whole else np.isfinite(values) & (values != np.round(values))
    if fractions is not None and (thousands := _thousands(values, fractions)):
        return [f"{path}: {_example(table, values, fractions, place)} {thousands}"]
    problems = [
        f"{path}: {mask.sum():,} of {mask.size:,} values are {what}, such as {_example(table, values, mask, place)}; {_looks_like(values)}"
        + (
            f" {ESTIMATED}"
            if what == NOT_WHOLE and not _scaled(values) and not _not_estimated(values, fractions)
            else ""
        )
        for mask, what in _masks(values, None if estimated else fractions)
        if mask.any()
    ]
    if not problems and (
        told := _scaled(values)
        or _rounded_logarithms(values, fractions)
        or _less_than_counted(values, fractions)
    ):
        problems.append(f"{path}: {told} {NEEDED}")
    if not values.any():
        problems.append(
            f"{path}: no value is above 0. Expected counts of reads. Give the counts as the counting program wrote them."
        )
    if alike := _of_one_library(table):
        problems.append(
            f"{path}: {len(alike)} group(s) of samples have the same counts in all genes: {examples(alike)}. Expected a library of each. Leave "
            "all but one of them out, or look for a mistake in their names."
        )
    if sums := _sums_of_others(values):
        told = [f"{gene!r}{f' ({line})' if (line := place(gene, '')) else ''}" for gene in table.index[sums]]
        problems.append(
            f"{path}: {len(sums)} row(s) hold the sum of all others: {examples(told)}. Expected genes. Take them out."
        )
    if problems or not estimated or fractions is None or not fractions.any():
        return problems
    many = len(values) >= FEW_GENES or fractions.sum() > (1 - FEW_WHOLE) * (values > 0).sum()
    if values.max() < LOGARITHM_AT_MOST and many:
        problems.append(f"{path}: {_looks_like(values)}")
    elif other := _not_estimated(values, fractions):
        problems.append(f"{path}: {other} {NEEDED}")
    return problems


def _of_one_library(table: pd.DataFrame) -> list[str]:
    """Samples with the same counts: one library under several names."""
    alike: dict[bytes, list[str]] = defaultdict(list)
    for name, column in table.items():
        if np.count_nonzero(column) >= LEAST_ALIKE:
            alike[hashlib.sha256(column.to_numpy().tobytes()).digest()].append(repr(name))
    return [", ".join(names) for names in alike.values() if len(names) > 1]


def caution_of_sizes(counts: pd.DataFrame) -> str:
    """That whole numbers may be rounded normalised ones, by libraries that are nearly of one size; "" where they are not.

    Parameters
    ----------
    counts : DataFrame of whole numbers, genes x samples
    """
    if len(counts) < FEW_GENES or counts.shape[1] < EVEN_SAMPLES:
        return ""
    values = counts.to_numpy(dtype=np.float64)
    expressed = values[values.sum(axis=1) > 0]
    if not len(expressed):
        return ""
    for what, sizes in (
        ("sums", values.sum(axis=0)),
        ("upper quartiles", np.quantile(expressed, 0.75, axis=0)),
    ):
        if sizes.min() > 0 and (spread := np.log(sizes).std(ddof=1)) < EVEN_SPREAD:
            return (
                f"caution: the samples' {what} differ by {spread:.1%} (SD) only; those of raw counts differ by tens of percent. Rounded "
                "TPM, FPKM or normalised counts look so. Make sure that these are the counts as the counting program wrote them."
            )
    return ""


def _masks(values: np.ndarray, fractions: np.ndarray | None) -> Iterator[tuple[np.ndarray, str]]:
    """Which values no count can be, and why; each has one reason, and one mask is in memory at a time."""
    yield np.isnan(values), "missing"
    yield np.isinf(values), "infinite"
    yield values < 0 if fractions is None else (values < 0) & ~fractions, "negative"
    yield (values > LARGEST) & np.isfinite(values), "above a billion, which no count of reads is"
    if fractions is not None:
        yield fractions, NOT_WHOLE


def _thousands(values: np.ndarray, fractions: np.ndarray) -> str:
    """Numbers that all have three decimals and are below 1,000 may be whole ones with a dot after the thousands."""
    broken = values[fractions]
    # with a dot there are counts up to 999 too
    if len(broken) >= MANY and np.nanmax(values) < LOGARITHM_AT_MOST:
        return ""
    if (
        len(broken) < 2
        or np.abs(broken).max() >= 1000
        or not np.allclose(broken * 1000, np.round(broken * 1000), atol=1e-6)
    ):
        return ""
    if (
        np.allclose(broken * 100, np.round(broken * 100), atol=1e-6)
        or (values[~fractions & np.isfinite(values)] >= 1000).any()
    ):
        return ""
    return (
        "may be a whole number with a dot after the thousands (2.123 for 2,123): all numbers that are not whole have three decimals, and "
        "none is above 1,000. Expected plain numbers, such as 2123. Save the table without separators of thousands."
    )


def _not_estimated(values: np.ndarray, fractions: np.ndarray) -> str:
    """Why numbers with decimals are no estimated counts of salmon or RSEM; "" if they may be."""
    if len(values) < FEW_GENES or not fractions.any():
        return ""
    multiples = [_multiples_of_smallest(sample) for sample in values.T]
    if min(multiples) > MULTIPLES:
        return (
            "the values of each sample are whole multiples of its smallest, as of counts divided by a size factor or by the "
            "library's size (normalised counts, CPM)."
        )
    above = values > 0
    whole = 1 - fractions.sum() / max(above.sum(), 1)
    if whole < WHOLE_OF_ESTIMATED and np.median(np.nansum(values, axis=0)) < SMALL_LIBRARY:
        return (
            f"{whole:.1%} of the values above 0 are whole numbers and samples sum to {np.median(np.nansum(values, axis=0)):.6g}, as of "
            "TPM or FPKM."
        )
    return ""


def _multiples_of_smallest(sample: np.ndarray) -> float:
    """Share of a sample's values above 0 that are whole multiples of the smallest of them, if that is none of 1."""
    above = sample[sample > 0]
    if len(above) < 20 or np.isclose(above.min(), np.round(above.min())):
        return 0.0
    times = above[above < 1000 * above.min()] / above.min()
    return float(np.mean(np.abs(times - np.round(times)) < 1e-3 * np.maximum(times, 1)))


def _example(
    table: pd.DataFrame, values: np.ndarray, mask: np.ndarray, place: Callable[[str, str], str]
) -> str:
    row, column = np.unravel_index(int(np.argmax(mask)), mask.shape)
    gene, sample = table.index[row], table.columns[column]
    where = f" ({told})" if (told := place(str(gene), str(sample))) else ""
    return f"{values[row, column]:.6g} for gene {gene!r} in sample {sample!r}{where}"


def _looks_like(values: np.ndarray) -> str:
    largest = np.max(values, initial=0.0, where=np.isfinite(values))
    if scaled := _scaled(values):
        return f"{scaled} {NEEDED}"
    if largest < LOGARITHM_AT_MOST:
        return f"the largest value is {largest:.6g}, as of logarithms. {NEEDED}"
    return f"the largest value is {largest:.6g}. {NEEDED}"


def _sums_of_others(values: np.ndarray) -> list[int]:
    """Rows that hold the sum of all others in each of several samples: a total that a spreadsheet added."""
    if min(values.shape) < LEAST_SUMMED:
        return []
    twice = values.sum(axis=0) / 2
    likely = np.flatnonzero((values[:, 0] == twice[0]) & (values.sum(axis=1) > 0))
    return [int(row) for row in likely if (values[row] == twice).all()]


def _scaled(values: np.ndarray) -> str:
    """Samples of one total were scaled: libraries never have equal sizes."""
    sums = np.nansum(values, axis=0)
    if len(sums) < 3 or len(values) < 3 or not sums.min() > 0 or not np.isfinite(sums).all():
        return ""
    near_a_million = len(sums) >= SEVERAL and np.abs(sums / 1e6 - 1).max() <= NEAR_A_MILLION
    if np.ptp(sums) > EQUAL_SUMS * sums.mean() and not near_a_million:
        return ""
    return f"every sample sums to {sums.mean():.6g}, so they were scaled to one total (TPM or CPM sum to a million)."


def _rounded_logarithms(values: np.ndarray, fractions: np.ndarray | None) -> str:
    """Small whole numbers, of however few genes, that vary less than counts: Fisher's index of dispersion, of which counts have that of Poisson's
    distribution or more.
    """
    if (
        min(values.shape) < 1
        or values.max() >= LOGARITHM_AT_MOST
        or (fractions is not None and fractions.any())
    ):
        return ""
    # + 0.5: half of the least step by which the sum of squares of whole numbers grows, so that a few that are equal by chance pass
    indices = [(row.var() * len(row) + 0.5) / row.mean() for row in values if row.any()]
    index, df = sum(indices), len(indices) * (values.shape[1] - 1)
    if index >= LEAST_DISPERSION * df or chi2.cdf(index, df) > CHANCE:
        return ""
    return (
        f"the largest value is {values.max():.6g}, and the variance between samples is {index / df:.2f} times the mean over all genes; of counted reads it is 1 or "
        "more, so these may be logarithms that were rounded."
    )


def _less_than_counted(values: np.ndarray, fractions: np.ndarray | None) -> str:
    """Whole numbers that vary less between samples than counted reads can."""
    if values.shape[1] < LOW_SAMPLES or (fractions is not None and fractions.any()):
        return ""
    means = values.mean(axis=1)
    low = (means >= LOW_MEANS[0]) & (means <= LOW_MEANS[1])
    if low.sum() < LOW_GENES:
        return ""
    dispersion = float(np.median(values[low].var(axis=1, ddof=1) / means[low]))
    if dispersion >= LEAST_DISPERSION:
        return ""
    return (
        f"of {low.sum():,} genes with a mean of {LOW_MEANS[0]:g} to {LOW_MEANS[1]:g} the variance between samples is {dispersion:.2f} times the mean "
        "(median), and of counted reads it is 1 or more, so these may be TPM or FPKM that were rounded."
    )
