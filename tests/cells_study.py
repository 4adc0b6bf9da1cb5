"""Simulated single cells: in T cells CDK6 follows age acceleration, in B cells nothing does; NK cells grow with it."""

import numpy as np
import pandas as pd

from faceage_bio.core.settings.settings_genes import Expression

GENES = ["CDK6", "TP53", "MT-ND1", "MT-CO1", *(f"G{k}" for k in range(46))]


def limits(min_genes: int, max_mitochondrial: float, min_cells: int, min_counts: int) -> Expression:
    return Expression(
        min_genes_per_cell=min_genes,
        max_mitochondrial=max_mitochondrial,
        min_cells=min_cells,
        min_profile_counts=min_counts,
    )


def people_of(n=40, seed=1):
    """An analysis table: cohort, subject_id, both ages, acceleration, sex."""
    random = np.random.default_rng(seed)
    age, excess = random.normal(62, 9, n), random.normal(0, 8, n)
    table = pd.DataFrame({"cohort": "c", "subject_id": [f"d{k}" for k in range(n)], "chronological_age": age})
    table["age_acceleration"] = excess
    table["face_age"] = 8 + 0.85 * age + excess
    table["age_gap"] = table.face_age - age
    table["sex"] = random.choice(["female", "male"], n)
    return table


def cells_of(people, seed=2, effect=0.8, growth=0.5, cells=30):
    """AnnData of T, B and NK cells; effects are log2 per 10 years of age acceleration."""
    import anndata
    from scipy import sparse

    random = np.random.default_rng(seed)
    excess = people.age_acceleration.to_numpy() / 10
    parts = []
    for kind, slope in (("T cell", 0.0), ("B cell", 0.0), ("NK cell", growth)):
        spread = random.gamma(8, 1 / 8, len(people))
        numbers = random.poisson(cells * spread * 2 ** (slope * excess))
        parts.append(pd.DataFrame({"subject_id": np.repeat(people.subject_id, numbers), "cell_type": kind}))
    obs = pd.concat(parts, ignore_index=True)
    donor = obs.subject_id.map(dict(zip(people.subject_id, excess, strict=True))).to_numpy()
    mean = np.full((len(obs), len(GENES)), 8.0)
    mean[:, 2:4] = 2.0
    noise = random.gamma(20, 1 / 20, (len(people), len(GENES)))  # donors differ
    mean *= noise[pd.factorize(obs.subject_id)[0]]
    mean[:, 0] *= np.where(obs.cell_type == "T cell", 2 ** (effect * donor), 1.0)
    counts = sparse.csr_matrix(random.poisson(mean).astype("float32"))
    obs.index = [f"c{k}" for k in range(len(obs))]
    return anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=GENES))
