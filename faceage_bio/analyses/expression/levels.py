"""Expression levels on a scale that other stages can use: log2 counts per million, one sample per person."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.counts import of_samples, settle_repeats
from faceage_bio.core.columns import SAMPLE, SUBJECT
from faceage_bio.core.errors import CohortError, Problems, examples
from faceage_bio.intake.cohort.samples import check_one_tissue, is_of_tissue
from faceage_bio.stats.blocks import split

ABOUT = ["analysis", SAMPLE, SUBJECT, "sample_date", "batch"]  # columns before the genes


def log_counts_per_million(counts: pd.DataFrame, min_count: int, min_samples: int) -> pd.DataFrame:
    """log2(counts per million + 1), so that one step is a doubling of all but the lowest levels.

    Parameters
    ----------
    counts : DataFrame of int, genes x samples
    min_count, min_samples : int
        A gene is kept if it has this count in so many samples (or in all, if there are fewer).

    Returns
    -------
    DataFrame, samples x genes

    Raises
    ------
    CohortError
        A sample has no counts at all.
    """
    totals = counts.sum(axis=0)
    if empty := [str(name) for name in counts.columns[totals == 0]]:
        raise CohortError(
            f"{len(empty)} sample(s) have no counts at all: {examples(empty)}. Expected some in each. Take them out of the counts."
        )
    kept = np.flatnonzero((counts >= min_count).sum(axis=1) >= min(min_samples, counts.shape[1]))
    values, levels = counts.to_numpy(), np.empty((len(kept), counts.shape[1]))
    for part in split(np.arange(len(kept)), counts.shape[1]):
        levels[part] = np.log2(values[kept[part]] / totals.to_numpy() * 1e6 + 1)
    return pd.DataFrame(levels.T, counts.columns, counts.index[kept])


def levels_table(
    inputs: dict[str, tuple[pd.DataFrame, pd.DataFrame]],
    min_count: int,
    min_samples: int,
    repeated: str = "first",
    tissue: str | None = None,
) -> pd.DataFrame:
    """Levels of every analysis (bulk, or each cell type) below each other, one row per person in each.

    An analysis without samples, such as a cell type of few cells, has one row of no participant, so that later stages know of it.

    Parameters
    ----------
    inputs : mapping of the analysis to counts (genes x samples) and samples table
    repeated, tissue
        As in `choose_samples`, but with "block" the first sample of a person stands for him: he dies once.

    Returns
    -------
    DataFrame
        `ABOUT`, then one column per gene; NaN where a gene was left out of that analysis. ``sample_date`` is that of the
        last sample in a sum.
    """
    repeated = "first" if repeated == "block" else repeated
    parts = [
        _of(counts, samples, name, min_count, min_samples, repeated, tissue)
        for name, (counts, samples) in inputs.items()
    ]
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def _of(
    counts: pd.DataFrame, samples: pd.DataFrame, analysis: str, min_count: int, min_samples: int, repeated: str,
    tissue: str | None,
) -> pd.DataFrame:  # fmt: skip
    samples = samples.sort_values(["sample_date", SAMPLE], na_position="last", kind="stable").reset_index(
        drop=True
    )
    if tissue is not None:
        samples = samples[is_of_tissue(samples, tissue)]
    else:
        problems = Problems()
        check_one_tissue(samples, repeated, (), "the samples table", problems)
        problems.stop_if_any()
    counts, settled = settle_repeats(counts, samples, repeated)
    kept = samples[~samples.index.isin(settled.index)]
    if repeated == "sum":
        kept = kept.assign(sample_date=kept[SUBJECT].map(samples.groupby(SUBJECT)["sample_date"].last()))
    levels = log_counts_per_million(of_samples(counts, kept[SAMPLE]), min_count, min_samples)
    about = kept.assign(analysis=analysis).reindex(columns=ABOUT)
    if about.empty:
        return pd.DataFrame({"analysis": [analysis]}).reindex(columns=ABOUT)
    levels.index, levels.columns.name = pd.RangeIndex(len(levels)), None
    for place, name in enumerate(ABOUT):  # a join would copy all levels
        levels.insert(place, name, about[name].to_numpy())
    return levels
