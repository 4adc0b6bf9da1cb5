"""Single cells summed to one count profile per person and cell type (pseudobulk)."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.columns import COHORT, SAMPLE, SUBJECT

CELL_TYPE = "cell_type"


def aggregate_cells(path: Path | str, min_cells: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sum raw counts over the cells of each person and cell type.

    Parameters
    ----------
    path : h5ad with raw counts in ``X`` or ``layers["counts"]`` and ``subject_id``, ``cell_type`` in obs
    min_cells : profiles of fewer cells are dropped

    Returns
    -------
    DataFrame of profiles (subject_id, cell_type, n_cells, then one column per gene), DataFrame of the dropped ones
    """
    import anndata
    import scanpy as sc

    cells = anndata.read_h5ad(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        sums = sc.get.aggregate(
            cells, by=[SUBJECT, CELL_TYPE], func="sum", layer="counts" if "counts" in cells.layers else None
        )
    numbers = cells.obs.groupby([SUBJECT, CELL_TYPE], observed=True).size().rename("n_cells").reset_index()
    values = sums.layers["sum"]
    values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    profiles = sums.obs[[SUBJECT, CELL_TYPE]].reset_index(drop=True).astype(str)
    numbers = numbers.astype({SUBJECT: str, CELL_TYPE: str})
    profiles = profiles.merge(numbers, on=[SUBJECT, CELL_TYPE], how="left")
    genes = pd.DataFrame(np.rint(values).astype("int64"), columns=sums.var_names.astype(str))
    table = pd.concat([profiles, genes], axis=1)
    enough = table["n_cells"] >= min_cells
    return table[enough].reset_index(drop=True), profiles[~enough.to_numpy()].reset_index(drop=True)


def samples_of(profiles: pd.DataFrame, cell_type: str, cohort: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts (genes x samples) and samples table of one cell type."""
    mine = profiles[profiles[CELL_TYPE] == cell_type]
    counts = mine.drop(columns=[SUBJECT, CELL_TYPE, "n_cells"]).set_axis(mine[SUBJECT].to_numpy(), axis=0).T
    samples = pd.DataFrame(
        {
            COHORT: cohort,
            SAMPLE: mine[SUBJECT].to_numpy(),
            SUBJECT: mine[SUBJECT].to_numpy(),
            "batch": None,
            "sample_date": None,
        }
    )
    return counts, samples
