"""Simulated single cells of a cohort: a small h5ad in which one gene follows acceleration in one cell type, and one cell type grows.

What real files hold is there too: droplets with few genes, dying cells, doublets, a donor of few cells, and a cell type of which most
donors have too few. Of genes only the panel, SenMayo and fillers are drawn, so that other sets have too few genes to be scored: the
report says so.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.tables import atomic_path
from faceage_bio.demo.simulated_people import LOG2_PER_DECADE, NULL_PANEL, Y_GENES
from faceage_bio.intake.rna.gene_sets import shipped_sets

DONORS = 44
CELLS = {"T cell": 36, "monocyte": 36, "plasma cell": 7}  # in a donor, on average
N_GENES = 380
LEVEL = 3.0  # counts per cell and gene, on average
PLANTED = {"T cell": {"CDK6": 1.0}}  # log2 per decade of acceleration
GROWTH = {"monocyte": 0.8}  # log2 of the number of cells per decade
SPOILT = {"few genes": 0.02, "dying": 0.03, "doublet": 0.02}  # shares of the cells


def write_cells(people: pd.DataFrame, seed: int, path: Path) -> None:
    """Write the h5ad of `simulate_cells`, for the owner only."""
    cells = simulate_cells(people, seed)
    with atomic_path(path, mode=0o600) as temporary:
        cells.write_h5ad(temporary, compression="gzip")


def simulate_cells(people: pd.DataFrame, seed: int):
    """AnnData of raw counts, by a generator of its own, so that nothing else of the demo changes.

    Parameters
    ----------
    people : DataFrame with subject_id, acceleration, sex

    Returns
    -------
    AnnData
        obs: subject_id, cell_type, batch (one for each donor), predicted_doublet; var: symbols.
    """
    import anndata
    from scipy import sparse

    random = np.random.default_rng([seed, 11])
    donors = people.sample(n=min(DONORS, len(people)), random_state=seed).reset_index(drop=True)
    decades = (donors["acceleration"] - donors["acceleration"].mean()).to_numpy() / 10
    genes = _genes()
    base = np.exp(random.normal(np.log(LEVEL), 0.5, len(genes)))
    base[: len(LOG2_PER_DECADE) + len(NULL_PANEL)] = LEVEL
    batch = random.choice(["lane1", "lane2"], len(donors))
    of_batch = np.exp(random.normal(0, 0.15, (2, len(genes))))[(batch == "lane2").astype(int)]
    of_batch *= _of_sex(genes, (donors["sex"] == "male").to_numpy())

    tables, blocks = [], []
    for kind, often in CELLS.items():
        of_type = base * np.exp(random.normal(0, 0.5, len(genes)))
        of_type[: len(LOG2_PER_DECADE) + len(NULL_PANEL)] = LEVEL
        of_donor = (
            of_type * of_batch * random.gamma(10, 1 / 10, of_batch.shape)
        )  # donors differ beyond chance
        spread = random.gamma(12, 1 / 12, len(donors))
        numbers = random.poisson(often * spread * 2 ** (GROWTH.get(kind, 0.0) * decades))
        numbers[0] = 3 if kind == "T cell" else 0  # a donor of three cells
        whose = np.repeat(np.arange(len(donors)), numbers)
        mean = of_donor[whose] * random.gamma(6, 1 / 6, (len(whose), 1))
        for gene, slope in PLANTED.get(kind, {}).items():
            mean[:, genes.index(gene)] *= 2 ** (slope * decades[whose])
        state = _spoil(mean, genes, random)
        blocks.append(sparse.csr_matrix(random.poisson(mean).astype("float32")))
        tables.append(pd.DataFrame({
            "subject_id": donors["subject_id"].to_numpy()[whose], "cell_type": kind, "batch": batch[whose],
            "predicted_doublet": state == "doublet",
        }))  # fmt: skip
    obs = pd.concat(tables, ignore_index=True)
    order = random.permutation(len(obs))
    obs = obs.iloc[order].set_axis([f"cell{number}" for number in range(len(obs))], axis=0)
    return anndata.AnnData(sparse.vstack(blocks).tocsr()[order], obs=obs, var=pd.DataFrame(index=genes))


def _genes() -> list[str]:
    genes = [*LOG2_PER_DECADE, *NULL_PANEL, "XIST", *Y_GENES, "MT-ND1", "MT-CO1", "MT-CYB"]
    genes += sorted(set(shipped_sets()["SenMayo"].directions) - set(genes))
    return genes + [f"GENE{number:04d}" for number in range(1, N_GENES - len(genes) + 1)]


def _of_sex(genes: list[str], male: np.ndarray) -> np.ndarray:
    """XIST hardly in men, genes of the Y chromosome hardly in women: factors, donors x genes."""
    factors = np.ones((len(male), len(genes)))
    for place, gene in enumerate(genes):
        if gene == "XIST" or gene in Y_GENES:
            factors[:, place] = np.where(male == (gene == "XIST"), 0.02, 1.0)
    return factors


def _spoil(mean: np.ndarray, genes: list[str], random: np.random.Generator) -> np.ndarray:
    """Make some cells' means those of empty droplets, dying cells and doublets; what each cell is."""
    state = random.choice(["good", *SPOILT], len(mean), p=[1 - sum(SPOILT.values()), *SPOILT.values()])
    mean[state == "few genes"] *= 0.05
    mitochondrial = [place for place, gene in enumerate(genes) if gene.startswith("MT-")]
    mean[np.ix_(state == "dying", mitochondrial)] *= 150
    mean[state == "doublet"] *= 2
    return state
