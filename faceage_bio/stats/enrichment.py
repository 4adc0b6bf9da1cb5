"""Whether the genes of a set stand out among all: preranked GSEA (multilevel, through gseapy) and over-representation."""

import warnings
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from scipy import stats

PERMUTATIONS = 1000
SMALLEST_P = 1e-50  # gseapy's own floor: no p is ever 0


def preranked(
    statistic: pd.Series, sets: Mapping[str, Collection[str]], seed: int, permutations: int = PERMUTATIONS
) -> pd.DataFrame:
    """Enrichment of each set at the ends of a ranking (Subramanian et al. 2005; multilevel p-values of Korotkevich et al. 2021).

    The p-value is of permuted genes, which takes genes for independent; where they rise and fall together it is too small.

    Parameters
    ----------
    statistic : Series of float, by gene, nothing missing
    sets : mapping of name to genes; those not ranked are ignored

    Returns
    -------
    DataFrame by set: enrichment, normalised, p_value, n (ranked genes of the set), leading (genes at the edge, as a list)
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
            ranked, members, min_size=1, max_size=len(ranked), permutation_num=permutations, outdir=None, no_plot=True,
            threads=1, seed=seed, method="multilevel", eps=SMALLEST_P,
        ).res2d.set_index("Term")  # fmt: skip
    p_values = found["NOM p-val"].astype("float64").clip(lower=SMALLEST_P)
    return pd.DataFrame({
        "enrichment": found["ES"].astype("float64"), "normalised": found["NES"].astype("float64"), "p_value": p_values,
        "n": [len(members[name]) for name in found.index], "leading": [str(genes).split(";") for genes in found["Lead_genes"]],
    })  # fmt: skip


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
    DataFrame by set: n (tested genes of the set), n_chosen (of them found), odds_ratio (sample; NaN where it has no value),
    p_value (1 where none was found)
    """
    background, chosen = set(background), set(chosen) & set(background)
    rows = {}
    for name, genes in sets.items():
        own = set(genes) & background
        both = len(own & chosen)
        table = np.array([
            [both, len(own) - both],
            [len(chosen) - both, len(background) - len(own) - len(chosen) + both],
        ])  # fmt: skip
        low = table[0, 1] * table[1, 0]
        rows[name] = {
            "n": len(own), "n_chosen": both, "odds_ratio": table[0, 0] * table[1, 1] / low if low else np.nan,
            "p_value": float(stats.hypergeom.sf(both - 1, len(background), len(own), len(chosen))),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")
