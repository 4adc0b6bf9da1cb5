"""One number per sample for a set of genes, three ways: signed mean z, scanpy's score against control genes, ssGSEA."""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

METHODS = ("mean z", "score_genes", "ssGSEA")
CONTROL_GENES = 50
SEED = 1
SAMPLES = 500  # at once in ssGSEA, which holds its levels several times


def mean_z(levels: pd.DataFrame, directions: Mapping[str, int]) -> pd.Series:
    """Mean of the genes' z-scores over samples, those that fall counted negative.

    Parameters
    ----------
    levels : DataFrame of float, samples x genes
        Log levels; genes that do not vary are left out.
    directions : mapping of gene to 1, -1, or 0 (not said: counted as 1)

    Returns
    -------
    Series of float, by sample
    """
    genes = [gene for gene in directions if gene in levels]
    table = levels[genes]
    spread = table.std(ddof=1)
    varying = spread.index[spread > 0]
    signs = np.array([directions[gene] or 1 for gene in varying], dtype=np.float64)
    return ((table[varying] - table[varying].mean()) / spread[varying] * signs).mean(axis=1)


def control_score(levels: pd.DataFrame, directions: Mapping[str, int]) -> pd.Series:
    """Mean of the genes minus that of control genes of like level (scanpy's ``score_genes``); up minus down if signed."""
    import anndata
    import scanpy as sc

    data = anndata.AnnData(
        levels.to_numpy(dtype=np.float64), obs=pd.DataFrame(index=levels.index.astype(str))
    )
    data.var_names = levels.columns.astype(str)
    total = np.zeros(len(levels))
    for sign in (1, -1):
        genes = [gene for gene, way in directions.items() if gene in levels and (way or 1) == sign]
        if genes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                sc.tl.score_genes(data, genes, ctrl_size=CONTROL_GENES, random_state=SEED, score_name="found")
            total += sign * data.obs["found"].to_numpy()
    return pd.Series(total, index=levels.index)


def rank_score(levels: pd.DataFrame, directions: Mapping[str, int]) -> pd.Series:
    """Enrichment of the set among a sample's ranked genes (ssGSEA, Barbie et al. 2009, through gseapy); up minus down."""
    import gseapy

    sets = {
        name: [gene for gene, way in directions.items() if gene in levels and (way or 1) == sign]
        for name, sign in (("up", 1), ("down", -1))
    }
    sets = {name: genes for name, genes in sets.items() if genes}
    found = []
    for first in range(0, len(levels), SAMPLES):
        some = levels.iloc[first : first + SAMPLES].T
        some.columns = [str(place) for place in range(some.shape[1])]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = gseapy.ssgsea(
                some, sets, outdir=None, min_size=1, max_size=len(some), sample_norm_method="rank", threads=1, no_plot=True, seed=SEED,
            ).res2d  # fmt: skip
        wide = scores.pivot(index="Name", columns="Term", values="ES").astype("float64").loc[some.columns]
        found.append(np.asarray(wide.get("up", 0.0) - wide.get("down", 0.0)))
    return pd.Series(np.concatenate(found), index=levels.index)


def score(levels: pd.DataFrame, directions: Mapping[str, int], method: str) -> pd.Series:
    """One of `METHODS`."""
    return dict(zip(METHODS, (mean_z, control_score, rank_score), strict=True))[method](levels, directions)
