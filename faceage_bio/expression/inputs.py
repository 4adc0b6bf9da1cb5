"""What a command of this room is given: bulk counts with their samples, or the pseudobulk of single cells."""

from pathlib import Path

import pandas as pd

from faceage_bio.columns import COHORT, SAMPLE, SAMPLE_COLUMNS
from faceage_bio.errors import RunError
from faceage_bio.expression.cells import samples_of
from faceage_bio.rna.count_files import read_counts
from faceage_bio.tables import read_table

Inputs = dict[str, tuple[pd.DataFrame, pd.DataFrame]]  # analysis -> counts (genes x samples), samples table


def read_inputs(
    cohort: str,
    samples: Path,
    counts: Path | None = None,
    pseudobulk: Path | None = None,
    *,
    kind: str = "counts",
    strand: str | None = None,
    gene_ids: Path | None = None,
) -> tuple[Inputs, pd.DataFrame]:
    """Counts and samples of each analysis (bulk: one; single cell: one for each cell type), and the samples table.

    Raises
    ------
    RunError
        Neither or both of counts and pseudobulk.
    CountsError
        See `read_counts`.
    """
    if (pseudobulk is None) == (counts is None):
        raise RunError("give either --counts or --pseudobulk.")
    sheet = read_table(samples)
    sheet = sheet.reindex(columns=[*SAMPLE_COLUMNS, *(name for name in sheet if name not in SAMPLE_COLUMNS)])
    sheet[COHORT] = cohort
    if pseudobulk is not None:
        profiles = read_table(pseudobulk)
        types = sorted(profiles["cell_type"].unique())
        return {f"expression in {name}": samples_of(profiles, name, cohort) for name in types}, sheet
    if counts.suffix == ".parquet":  # checked at intake
        return {"expression": (read_table(counts).set_index("gene"), sheet)}, sheet
    names = sheet[SAMPLE].astype(str).tolist()
    found = read_counts(counts, kind=kind, strand=strand, mapping=gene_ids, samples=names)
    for sentence in found.said:
        print(f"{counts}: {sentence}")
    return {"expression": (found.counts, sheet)}, sheet
