"""Gene sets: preranked GSEA, over-representation, and scores of single samples."""

import warnings
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from faceage_bio.stats.linear import constant

PERMUTATIONS = 1000
SMALLEST_P = 1e-50  # gseapy's own floor: no p is ever 0
METHODS = ("mean z", "score_genes", "ssGSEA")
CONTROL_GENES = 50
SEED = 1
SAMPLES = 500  # at once in ssGSEA, which holds its levels several times


def preranked(statistic: pd.Series, sets: Mapping[str, Collection[str]], seed: int) -> pd.DataFrame:
    """Enrichment of each set at the ends of a ranking (Subramanian et al. 2005; multilevel p-values of Korotkevich et al. 2021).

    The p-value is of permuted genes, which takes genes for independent; where they rise and fall together it
    is too small.

    Parameters
    ----------
    statistic : Series of float, by gene, nothing missing
    sets : mapping of name to genes; those not ranked are ignored

    Returns
    -------
    DataFrame by set: enrichment, normalised, p_value, n (ranked genes of the set), leading (genes at the
    edge, as a list)
    """
    import gseapy

    ranked = statistic.sort_values(ascending=False, kind="stable")
    members = {name: sorted(set(genes) & set(ranked.index)) for name, genes in sets.items()}
    members = {name: genes for name, genes in members.items() if 0 < len(genes) < len(ranked)}
    if not members:
        return pd.DataFrame(columns=["enrichment", "normalised", "p_value", "n", "leading"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = gseapy.prerank(
            ranked, members, min_size=1, max_size=len(ranked), permutation_num=PERMUTATIONS, outdir=None, no_plot=True,
            threads=1, seed=seed, method="multilevel", eps=SMALLEST_P,
        ).res2d.set_index("Term")  # fmt: skip
    p_values = found["NOM p-val"].astype("float64").clip(lower=SMALLEST_P)
    return pd.DataFrame(
        {
            "enrichment": found["ES"].astype("float64"),
            "normalised": found["NES"].astype("float64"),
            "p_value": p_values,
            "n": [len(members[name]) for name in found.index],
            "leading": [str(genes).split(";") for genes in found["Lead_genes"]],
        }
    )


def over_representation(
    chosen: Collection[str], background: Collection[str], sets: Mapping[str, Collection[str]]
) -> pd.DataFrame:
    """Fisher's exact test, one-sided, of each set among chosen genes, as R's ``phyper``.

    Parameters
    ----------
    chosen : genes found, a part of the background
    background : all genes that were tested

    Returns
    -------
    DataFrame by set: n (tested genes of the set), n_chosen (of them found), odds_ratio (sample; NaN where it
    has no value), p_value (1 where none was found)
    """
    background, chosen = set(background), set(chosen) & set(background)
    rows = {}
    for name, genes in sets.items():
        own = set(genes) & background
        both = len(own & chosen)
        low = (len(own) - both) * (len(chosen) - both)
        odds_ratio = both * (len(background) - len(own) - len(chosen) + both) / low if low else np.nan
        p_value = float(stats.hypergeom.sf(both - 1, len(background), len(own), len(chosen)))
        rows[name] = {"n": len(own), "n_chosen": both, "odds_ratio": odds_ratio, "p_value": p_value}
    return pd.DataFrame.from_dict(rows, orient="index")


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
    varying = [gene for gene in genes if not constant(levels[gene].to_numpy())]
    table = levels[varying]
    signs = np.array([directions[gene] or 1 for gene in varying], dtype=np.float64)
    return ((table - table.mean()) / table.std(ddof=1) * signs).mean(axis=1)


def control_score(levels: pd.DataFrame, directions: Mapping[str, int]) -> pd.Series:
    """Mean of the genes minus that of control genes of like level (scanpy's ``score_genes``); up minus down if signed."""
    import anndata
    import scanpy as sc

    samples = pd.DataFrame(index=levels.index.astype(str))
    data = anndata.AnnData(levels.to_numpy(dtype=np.float64), obs=samples)
    data.var_names = levels.columns.astype(str)
    total = np.zeros(len(levels))
    for sign in (1, -1):
        if genes := _of_sign(levels, directions, sign):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                sc.tl.score_genes(data, genes, ctrl_size=CONTROL_GENES, random_state=SEED, score_name="found")
            total += sign * data.obs["found"].to_numpy()
    return pd.Series(total, index=levels.index)


def _of_sign(levels: pd.DataFrame, directions: Mapping[str, int], sign: int) -> list[str]:
    """Genes that rise (1) or fall (-1); those of which it is not said count as rising."""
    return [gene for gene, way in directions.items() if gene in levels and (way or 1) == sign]


def rank_score(levels: pd.DataFrame, directions: Mapping[str, int]) -> pd.Series:
    """Enrichment of the set among a sample's ranked genes (ssGSEA, Barbie et al. 2009, through gseapy); up minus down."""
    import gseapy

    both = {"up": _of_sign(levels, directions, 1), "down": _of_sign(levels, directions, -1)}
    sets = {name: genes for name, genes in both.items() if genes}
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
    """One of `METHODS`; NaN where it compares with genes outside of the set and there are none, as of a targeted panel."""
    if method != METHODS[0] and set(levels) <= set(directions):
        return pd.Series(np.nan, index=levels.index)
    return dict(zip(METHODS, (mean_z, control_score, rank_score), strict=True))[method](levels, directions)
