"""What several test files use of variants."""

import numpy as np
import pandas as pd

from faceage_bio.intake.genotype_files import Genotypes


def study(n=300, seed=1, years=8.0, per_gene=8, genes=("CDK6", "CDKN2A", "TP53")):
    """People, and genotypes of which rare ones of CDKN2A make faces look older."""
    random = np.random.default_rng(seed)
    people = pd.DataFrame({
        "cohort": "c", "subject_id": [f"s{k}" for k in range(n)], "chronological_age": random.normal(64, 9, n),
        "sex": random.choice(["female", "male"], n), "PC1": random.normal(0, 1, n),
    })  # fmt: skip
    rows, copies = [], []
    for gene in genes:
        for k in range(per_gene + 1):
            rows.append({"variant_id": f"{gene}-{k}", "gene": gene, "half_calls": 0, "split": False})
            alleles = np.zeros(n)
            if k < per_gene:
                alleles[random.choice(n, 4, replace=False)] = 1
            else:
                alleles = random.binomial(2, 0.3, n).astype(float)
            copies.append(alleles)
    genotypes = Genotypes(pd.DataFrame(rows), pd.DataFrame(copies, columns=people["subject_id"]))
    mine = [
        k
        for k, row in enumerate(rows)
        if row["gene"] == "CDKN2A" and not row["variant_id"].endswith(f"-{per_gene}")
    ]
    burden = np.minimum(np.array(copies)[mine].sum(axis=0), 1)
    people["age_acceleration"] = random.normal(0, 6, n) + years * burden
    return people, genotypes
