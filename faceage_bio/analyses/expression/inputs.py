"""What a command of this package is given: bulk counts with their samples, or the pseudobulk of single cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from faceage_bio.analyses.expression.single_cells import ABOUT, samples_of
from faceage_bio.core.columns import COHORT, SAMPLE, SAMPLE_COLUMNS, SUBJECT
from faceage_bio.core.errors import DOUBLED, CohortError, Problems, RunError, TableError, examples
from faceage_bio.core.tables import read_table
from faceage_bio.intake.rna.cells import CELL_TYPE
from faceage_bio.intake.rna.count_files import CountTable, read_counts

NO_NAME = "Expected a sample and its subject in every row. Write whose sample this is, or leave the row out."

Inputs = dict[str, tuple[pd.DataFrame, pd.DataFrame]]  # analysis -> counts (genes x samples), samples table


def read_inputs(
    cohort: str,
    samples: Path | None,
    counts: Path | None = None,
    pseudobulk: Path | None = None,
    *,
    kind: str = "counts",
    strand: str | None = None,
    gene_ids: Path | None = None,
) -> tuple[Inputs, pd.DataFrame, pd.Series]:
    """Counts and samples of each analysis (bulk: one; single cell: one for each cell type), the samples
    table, identifiers.

    Identifiers are those of bulk genes that got a symbol, by symbol; for others there is none.

    A cell type of which no profile is left stays, with no sample. Of single cells ``samples`` may be None:
    each donor is one; if given, it has one row per donor, and its further columns (batch) may be covariates.

    Raises
    ------
    RunError
        Neither or both of counts and pseudobulk; counts without samples.
    TableError
        The pseudobulk is none, or the samples table lacks a column.
    CohortError
        A sample without a name or a person, one that stands twice, or one that the counts do not have.
    CountsError
        See `read_counts`.
    """
    if (pseudobulk is None) == (counts is None):
        raise RunError(
            "--counts and --pseudobulk: expected one of them, found both or none. Give either --counts or --pseudobulk."
        )
    if samples is None and pseudobulk is None:
        raise RunError(
            "--counts: expected --samples with it, which tells whose each sample is. Give --samples too."
        )
    profiles = read_profiles(pseudobulk) if pseudobulk is not None else None
    if samples is not None:
        sheet = read_table(samples)
        check_samples_table(sheet, samples)
    else:
        donors = sorted(profiles[SUBJECT].unique())
        sheet = pd.DataFrame({SAMPLE: donors, SUBJECT: donors})
    sheet = sheet.reindex(columns=[*SAMPLE_COLUMNS, *(name for name in sheet if name not in SAMPLE_COLUMNS)])
    sheet[COHORT] = cohort
    if profiles is not None:
        types = sorted(profiles[CELL_TYPE].unique())
        analyses = {f"expression in {name}": samples_of(profiles, name, cohort, sheet) for name in types}
        return analyses, sheet, pd.Series(dtype=object)
    if counts.suffix == ".parquet":  # checked at intake
        found = CountTable.from_table(read_table(counts))
        pa.default_memory_pool().release_unused()  # of 5,000 samples 400 MB
        return {"expression": (found.counts.astype("int32", copy=False), sheet)}, sheet, found.identifiers
    names = sheet[SAMPLE].astype(str).tolist()
    found = read_counts(counts, kind=kind, strand=strand, mapping=gene_ids, samples=names)
    table = found.counts.astype("int32", copy=False)  # checked to be below a billion; sums of it have 64 bits
    for sentence in found.said:
        print(f"{counts}: {sentence}")
    if lacking := [name for name in names if name not in found.counts]:
        raise CohortError(
            f"{samples}: {len(lacking)} sample(s) have no column in {counts}: {examples(lacking)}; it has "
            f"{examples(list(found.counts))}. Expected a column of counts for each. Write sample_id as the counts name their samples."
        )
    if unnamed := found.counts.shape[1] - len(names):
        print(f"{counts}: {unnamed} sample(s) have no row in {samples} and are excluded")
    return {"expression": (table[names], sheet)}, sheet, found.identifiers


def check_samples_table(sheet: pd.DataFrame, file: Path) -> None:
    """Whose each sample is must be told, once.

    Raises
    ------
    TableError
        No column sample_id or subject_id.
    CohortError
        A row without one of them, or a sample_id that stands twice.
    """
    if lacking := [name for name in (SAMPLE, SUBJECT) if name not in sheet]:
        raise TableError(
            f"{file}: lacks the column(s) {', '.join(lacking)}; it has {', '.join(map(str, sheet.columns))}. Expected one row per "
            "sample: sample_id, subject_id. Name the columns so."
        )
    problems = Problems()
    for name in (SAMPLE, SUBJECT):
        for row in np.flatnonzero(sheet[name].isna()):
            problems.cell(str(file), int(row) + 2, name, None, NO_NAME)
    for row in np.flatnonzero(sheet[SAMPLE].duplicated(keep=False) & sheet[SAMPLE].notna()):
        told = str(sheet[SAMPLE].iloc[row])
        problems.cell(str(file), int(row) + 2, SAMPLE, told, DOUBLED)
    problems.stop_if_any()


def read_profiles(path: Path) -> pd.DataFrame:
    """The pseudobulk written by aggregate-cells.

    Raises
    ------
    TableError
        It lacks the columns that stand before the genes.
    """
    profiles = read_table(path)
    if lacking := [name for name in ABOUT if name not in profiles]:
        raise TableError(
            f"{path}: lacks the column(s) {', '.join(lacking)}; found {', '.join(map(str, profiles.columns[:12]))}. Expected those next to the genes. "
            "Give the table that faceage-bio aggregate-cells writes."
        )
    return profiles
