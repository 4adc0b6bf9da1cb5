"""Counts and their samples, one sample per person, joined with the analysis table; what is left out and why;
expression levels on a scale that other stages can use: log2 counts per million.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.formula import columns_of
from faceage_bio.core.columns import AGE_ACCELERATION, COHORT, SAMPLE, SPECIMEN, SUBJECT
from faceage_bio.core.errors import CohortError, Problems, examples
from faceage_bio.core.tables import ledger_rows
from faceage_bio.intake.cohort.samples import check_one_tissue, is_of_tissue, with_participants
from faceage_bio.stats.blocks import split

ABOUT = ["analysis", SAMPLE, SUBJECT, "sample_date", "batch"]  # columns of a table of levels before its genes
# of a sample by its reason; with any other it is excluded
STATUS = {"": "included", "added_library": "flagged", "added_sample": "flagged"}


@dataclass(frozen=True)
class Expression:
    """Counts (samples x genes) of the samples used, their people's covariates, and the stage's ledger."""

    counts: pd.DataFrame
    people: pd.DataFrame
    ledger: pd.DataFrame


def choose_samples(
    table: pd.DataFrame,
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    covariates: Sequence[str],
    repeated: str = "first",
    tissue: str | None = None,
    verdicts: pd.DataFrame | None = None,
) -> Expression:
    """The samples that are analysed, each with its person's row of the analysis table.

    What quality excludes is gone first. Then libraries of one specimen (``specimen_id``) are added. Of
    several samples of a person ``repeated`` says what becomes.

    Parameters
    ----------
    table : DataFrame
        The cohort's analysis table.
    counts : DataFrame, genes x samples
    samples : DataFrame, ``columns.SAMPLE_COLUMNS`` and further ones
    covariates : names of columns of ``table``, or of ``samples``, and interactions ``a:b``
    repeated : "first" or "last" by date, "sum" (their counts are added), or "block" (all of them are kept)
    tissue : the value of ``tissue`` that is analysed; None takes all
    verdicts : status, reason and detail of each sample, indexed by sample_id, from `quality.check_samples`;
        those that it
        does not name are used

    Raises
    ------
    CohortError
        A covariate that no sample has, a tissue that no sample is of, several tissues of a participant among
        which nothing decides, or no sample of anybody in the analysis table.
    """
    columns = columns_of(covariates)
    ordered = by_date(samples)
    people = with_participants(ordered, table)
    if len(samples) and not samples[SUBJECT].isin(table[SUBJECT]).any():
        raise CohortError(
            f"none of the {len(samples)} samples is of a person of the analysis table: the samples name {examples(list(samples[SUBJECT]), 3)}, "
            f"the table {examples(list(table[SUBJECT]), 3)}. Expected the same participants in both. Write subject_id in both in one way."
        )
    if unknown := [
        name for name in columns if name not in people or (len(people) and people[name].isna().all())
    ]:
        raise CohortError(
            f"expression.covariates names {', '.join(map(repr, unknown))}, but neither the clinical nor the samples table has a value of it. "
            f"There are: {', '.join(sorted(map(str, people.columns)))}. Expected some of these, with values. Correct the name, take it out, or add the column to one of the tables."
        )
    reason = pd.Series("", index=people.index)
    reason[~_of_tissue(people, tissue, repeated, columns)] = "other_tissue"
    judged = _judged(people, verdicts)
    out = (reason == "") & (judged["status"] == "excluded")
    reason[out] = judged.loc[out, "reason"]
    reason[(reason == "") & people[AGE_ACCELERATION].isna()] = "no_acceleration"
    for name in columns:
        reason[(reason == "") & people[name].isna()] = f"missing_{name}"
    counts, settled = settle_repeats(counts, people[reason == ""], repeated)
    reason[settled.index] = settled
    used = people[reason == ""].set_index(SAMPLE)
    status = reason.map(STATUS).fillna("excluded")
    flagged = (reason == "") & (judged["status"] == "flagged")
    ledger = people[[COHORT, SUBJECT, SAMPLE]].assign(
        stage="expression",
        status=status.mask(flagged, "flagged"),
        reason=reason.mask(flagged, judged["reason"]),
        detail=judged["detail"].where(out | flagged, ""),
    )
    chosen = of_samples(counts, used.index).T
    chosen.index = used.index
    return Expression(chosen, used, ledger_rows(ledger))


def by_date(samples: pd.DataFrame) -> pd.DataFrame:
    """Samples in the order of their dates, those without one last."""
    return samples.sort_values(["sample_date", SAMPLE], na_position="last", kind="stable")


def _of_tissue(samples: pd.DataFrame, tissue: str | None, repeated: str, columns: Sequence[str]) -> pd.Series:
    """Which samples are of the tissue; all of them if none is declared and each participant has one."""
    if tissue is not None:
        return is_of_tissue(samples, tissue)
    problems = Problems()
    check_one_tissue(samples, repeated, columns, "the samples table", problems)
    problems.stop_if_any()
    return pd.Series(True, index=samples.index)


def _judged(people: pd.DataFrame, verdicts: pd.DataFrame | None) -> pd.DataFrame:
    """Status, reason and detail of quality for each row."""
    columns = ["status", "reason", "detail"]
    table = pd.DataFrame(columns=columns) if verdicts is None else verdicts[columns]
    return table.reindex(people[SAMPLE]).fillna("").set_axis(people.index, axis=0)


def of_samples(counts: pd.DataFrame, samples: pd.Index | pd.Series) -> pd.DataFrame:
    """The counts of these samples, not copied where they are all there are."""
    return counts if list(counts.columns) == list(samples) else counts[list(samples)]


def settle_repeats(
    counts: pd.DataFrame, samples: pd.DataFrame, repeated: str
) -> tuple[pd.DataFrame, pd.Series]:
    """Counts in which libraries of one specimen are added, and why some samples are no rows of their own.

    Parameters
    ----------
    counts : DataFrame, genes x samples
    samples : DataFrame, sorted by date
    repeated : as in `choose_samples`
    """
    counts, why = _add_libraries(counts, samples, repeated)
    left = samples[~samples.index.isin(why.index)]
    if repeated == "last":
        left = left.sort_values("sample_date", na_position="first", kind="stable")
    if repeated in ("first", "last"):
        doubled = left.index[left[SUBJECT].duplicated(keep=repeated)]
        why = pd.concat([why, pd.Series("repeated_sample", index=doubled, dtype=object)])
    return counts, why


def _add_libraries(
    counts: pd.DataFrame, people: pd.DataFrame, repeated: str
) -> tuple[pd.DataFrame, pd.Series]:
    """Counts in which the first library of each specimen (or person) holds the sum, and why the others are
    not rows of their own.
    """
    own, why, specimen = counts, pd.Series(dtype=object), people[SAMPLE]
    if SPECIMEN in people:
        specimen = people[SPECIMEN].where(people[SPECIMEN].notna(), specimen)
    steps = [(specimen.astype(str), "added_library")]
    if repeated == "sum":
        steps.append((people[SUBJECT].astype(str), "added_sample"))
    for group, reason in steps:
        rows = people[~people.index.isin(why.index)]
        for _, mine in rows.groupby(group.reindex(rows.index), sort=False):
            if len(mine) > 1:
                counts = counts.copy() if counts is own else counts  # only where something is added
                counts[mine[SAMPLE].iloc[0]] = counts[mine[SAMPLE].tolist()].sum(axis=1)
                why = pd.concat([why, pd.Series(reason, index=mine.index[1:])])
    return counts, why


def one_row_per_sample(
    samples: pd.DataFrame, ledgers: Sequence[pd.DataFrame], left_out: pd.Series | None = None
) -> pd.DataFrame:
    """The stage's ledger: used in any analysis, or why in none; ``left_out`` says it of donors without any
    profile.
    """
    rows = pd.concat(ledgers, ignore_index=True) if ledgers else ledger_rows([])
    order = {"included": 0, "flagged": 1}
    rows = rows.sort_values("status", key=lambda status: status.map(order).fillna(2), kind="stable")
    rows = rows.drop_duplicates(SAMPLE)
    left = samples[~samples[SAMPLE].astype(str).isin(rows[SAMPLE])]
    known = {} if left_out is None else left_out.to_dict()
    why = left[SUBJECT].astype(str).map(known).fillna("no_cells_left")
    more = left[[COHORT, SUBJECT, SAMPLE]].assign(stage="expression", status="excluded", reason=why)
    return ledger_rows(pd.concat([rows, more], ignore_index=True))


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
    """Levels of every analysis (bulk, or each cell type) below each other, one row per participant in each.

    An analysis without samples, such as a cell type of few cells, has one row of no participant, so that
    later stages know of it.

    Parameters
    ----------
    inputs : mapping of the analysis to counts (genes x samples) and samples table
    repeated, tissue
        As in `choose_samples`, but with "block" the first sample of a person stands for him: he dies once.

    Returns
    -------
    DataFrame
        `ABOUT`, then one column per gene; NaN where a gene was left out of that analysis. ``sample_date`` is
        that of the last sample in a sum.
    """
    repeated = "first" if repeated == "block" else repeated
    parts = []
    for name, (counts, samples) in inputs.items():
        samples = by_date(samples).reset_index(drop=True)
        samples = samples[_of_tissue(samples, tissue, repeated, ())]
        counts, settled = settle_repeats(counts, samples, repeated)
        kept = samples[~samples.index.isin(settled.index)]
        if repeated == "sum":
            kept = kept.assign(sample_date=kept[SUBJECT].map(samples.groupby(SUBJECT)["sample_date"].last()))
        levels = log_counts_per_million(of_samples(counts, kept[SAMPLE]), min_count, min_samples)
        parts.append(_with_levels(kept.assign(analysis=name).reindex(columns=ABOUT), levels, name))
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def _with_levels(about: pd.DataFrame, levels: pd.DataFrame, analysis: str) -> pd.DataFrame:
    if about.empty:
        return pd.DataFrame({"analysis": [analysis]}).reindex(columns=ABOUT)
    levels.index, levels.columns.name = pd.RangeIndex(len(levels)), None
    for place, name in enumerate(ABOUT):  # a join would copy all levels
        levels.insert(place, name, about[name].to_numpy())
    return levels
