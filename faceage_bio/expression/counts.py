"""Counts and their samples, one sample per person, joined with the analysis table; what is left out and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from faceage_bio.columns import AGE_ACCELERATION, COHORT, SAMPLE, SUBJECT
from faceage_bio.errors import CohortError, examples
from faceage_bio.tables import ledger_rows


@dataclass(frozen=True)
class Expression:
    """Counts (samples x genes) of the samples used, their people's covariates, and the stage's ledger."""

    counts: pd.DataFrame
    people: pd.DataFrame
    ledger: pd.DataFrame


def read_counts(path: Path | str) -> pd.DataFrame:
    """Raw counts, genes x samples, integers.

    Raises
    ------
    CohortError
        Values that are not counts, or genes that stand twice.
    """
    with open(path, encoding="utf-8-sig") as stream:
        header = stream.readline()
    table = pd.read_csv(
        path,
        sep=max("\t,;", key=header.count),
        index_col=0,
        encoding="utf-8-sig",
        keep_default_na=False,
        na_values=[""],
    )
    table.index = table.index.astype(str)
    doubled = table.index[table.index.duplicated()].unique().tolist()
    if doubled:
        raise CohortError(
            f"{path}: {len(doubled)} gene(s) stand in more than one row: {examples(doubled)}. Sum them, or keep one."
        )
    wrong = [
        str(name)
        for name in table
        if not (
            pd.api.types.is_numeric_dtype(table[name])
            and (table[name] >= 0).all()
            and (table[name] % 1 == 0).all()
        )
    ]
    if wrong:
        raise CohortError(
            f"{path}: {len(wrong)} column(s) are not raw counts: {examples(wrong)}. Give counts, not TPM, FPKM, CPM or logarithms."
        )
    return table.astype("int64")


def choose_samples(
    table: pd.DataFrame, counts: pd.DataFrame, samples: pd.DataFrame, covariates: Sequence[str]
) -> Expression:
    """The first sample of each person who has an age acceleration and all covariates.

    Parameters
    ----------
    table : DataFrame
        The cohort's analysis table.
    counts : DataFrame, genes x samples
    samples : DataFrame, ``columns.SAMPLE_COLUMNS``
    covariates : names of columns of ``table``, or ``batch``
    """
    ordered = samples.sort_values(["sample_date", SAMPLE], na_position="last", kind="stable")
    people = ordered.merge(table.drop(columns=[COHORT, "batch"], errors="ignore"), on=SUBJECT, how="left")
    unknown = [name for name in covariates if name not in people]
    if unknown:
        raise CohortError(
            f"expression.covariates names {', '.join(map(repr, unknown))}, but neither the clinic nor the samples table has it. "
            f"There are: {', '.join(sorted(map(str, people.columns)))}."
        )
    reason = pd.Series("", index=people.index)
    reason[people[SUBJECT].duplicated()] = "repeated_sample"
    reason[(reason == "") & people[AGE_ACCELERATION].isna()] = "no_acceleration"
    for name in covariates:
        reason[(reason == "") & people[name].isna()] = f"missing_{name}"
    used = people[reason == ""].set_index(SAMPLE)
    ledger = people[[COHORT, SUBJECT, SAMPLE]].assign(
        stage="expression", status=(reason == "").map({True: "included", False: "excluded"}), reason=reason
    )
    return Expression(counts[used.index].T, used, ledger_rows(ledger))


def one_row_per_sample(samples: pd.DataFrame, ledgers: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The stage's ledger: used in any analysis, or why in none; a donor without enough cells of any type is told so."""
    rows = pd.concat(ledgers, ignore_index=True) if ledgers else ledger_rows([])
    rows = rows.sort_values("status", key=lambda status: status != "included", kind="stable").drop_duplicates(
        SAMPLE
    )
    left = samples[~samples[SAMPLE].astype(str).isin(rows[SAMPLE])]
    more = left[[COHORT, SUBJECT, SAMPLE]].assign(
        stage="expression", status="excluded", reason="too_few_cells"
    )
    return ledger_rows(pd.concat([rows, more], ignore_index=True))
