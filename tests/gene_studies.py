"""Simulated studies of RNA samples, of survival by expression, and of variants, with what is planted in each."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.quality import check_samples, quality_tables
from faceage_bio.core.settings.settings_genes import SampleQuality
from faceage_bio.intake.genotype_files import Genotypes

Y = ["RPS4Y1", "DDX3Y"]
NAMED = ["CDK6", "AGES", "BOTH", "TP53", "LOW", "ZERO"]


def expression_study(n=60, seed=1, effect=0.8, genes=60):
    """Analysis table, counts (genes x samples), samples: CDK6 follows age acceleration, AGES follows age, BOTH both alike, LOW hardly
    occurs, ZERO never; effects are log2 per 10 years."""
    random = np.random.default_rng(seed)
    ids = [f"s{k}" for k in range(n)]
    excess, age = random.normal(0, 8, n), random.normal(64, 9, n)
    table = pd.DataFrame({
        "cohort": "c", "subject_id": ids, "age_acceleration": excess, "chronological_age": age,
        "sex": random.choice(["female", "male"], n), "bmi": random.normal(27, 4, n),
    })  # fmt: skip
    table["face_age"] = 8 + 0.85 * age + excess
    table["age_gap"] = table.face_age - age
    names = [*NAMED, *(f"G{k}" for k in range(genes - len(NAMED)))]
    mean = np.full((genes, n), 300.0)
    mean[0] *= 2 ** (effect * excess / 10)
    mean[1] *= 2 ** (effect * (age - 64) / 10)
    mean[2] *= 2 ** (effect * (excess + age - 64) / 10)
    mean[4] = 0.05
    mean[5] = 0
    counts = pd.DataFrame(
        random.negative_binomial(8, 8 / (8 + mean)), index=names, columns=[f"r{k}" for k in range(n)]
    )
    samples = pd.DataFrame(
        {"cohort": "c", "sample_id": counts.columns, "subject_id": ids, "batch": None, "sample_date": None}
    )
    return table, counts, samples


def quality_study(n=60, seed=1, genes=300, batch=0.0, linked=False):
    """Counts with XIST and Y genes that follow sex, and two batches; ``linked``: the batch follows age acceleration."""
    random = np.random.default_rng(seed)
    names = ["XIST", *Y, *(f"G{k}" for k in range(genes - 3))]
    excess, sex = random.normal(0, 8, n), random.choice(["female", "male"], n)
    plate = (excess > 0) if linked else random.random(n) < 0.5
    mean = np.exp(random.normal(5, 1, genes))[:, None] * np.ones(n)
    mean *= np.exp(random.normal(0, batch, genes))[:, None] ** plate
    mean[0] = np.where(sex == "female", 300, 0.2)
    mean[1:3] = np.where(sex == "male", 300, 0.2)
    mean *= random.uniform(0.7, 1.4, n)
    counts = pd.DataFrame(
        random.negative_binomial(10, 10 / (10 + mean)), index=names, columns=[f"r{k}" for k in range(n)]
    )
    ids = [f"s{k}" for k in range(n)]
    table = pd.DataFrame({
        "cohort": "c", "subject_id": ids, "age_acceleration": excess, "chronological_age": random.normal(64, 9, n), "sex": sex,
        "smoking": random.choice(["never", "current"], n),
    })  # fmt: skip
    samples = pd.DataFrame({
        "cohort": "c", "sample_id": counts.columns, "subject_id": ids, "batch": np.where(plate, "p1", "p2"), "sample_date": None,
    })  # fmt: skip
    return table, counts, samples


def write_plain(folder, table, counts, samples) -> str:
    """Tables of samples as a user of the commands has them, and the options that name them."""
    table.drop(columns="cohort", errors="ignore").to_csv(folder / "people.tsv", sep="\t", index=False)
    counts.rename_axis("gene").to_csv(folder / "counts.tsv", sep="\t")
    samples.drop(columns="cohort").to_csv(folder / "samples.tsv", sep="\t", index=False)
    return "--participants people.tsv --counts counts.tsv --samples samples.tsv --output ."


def check_quality(table, counts, samples, *, outliers="flag", sex_mismatches="flag"):
    outlier = {"action": outliers, "threshold": 5}
    rules = SampleQuality(outlier=outlier, sex_mismatch={"action": sex_mismatches, "threshold": 2})
    return check_samples(counts, samples, table, rules, 10, 10)


def tables_of_quality(table, counts, samples, **limits):
    checked = check_quality(table, counts, samples, **limits)
    return quality_tables(checked, samples, table, ["sex", "smoking"], "c", "expression")


def gene_survival_study(n=150, seed=1, effect=0.6, genes=40):
    """Participants with follow-up from a photo on, and levels of which CDK6 raises the hazard."""
    random = np.random.default_rng(seed)
    ids = [f"s{k:03d}" for k in range(n)]
    level = random.normal(6, 1, (n, genes))
    age = random.normal(64, 9, n)
    death = random.exponential(1, n) / (0.3 * np.exp(effect * (level[:, 0] - 6) + 0.03 * (age - 64)))
    leave = random.uniform(1, 6, n)
    people = pd.DataFrame({
        "cohort": "c", "subject_id": ids, "chronological_age": age, "sex": random.choice(["female", "male"], n),
        "entry_years": np.nan, "followup_years": np.minimum(death, leave), "event": (death <= leave).astype(float),
        "photo_date": "2020-01-01",
    })  # fmt: skip
    names = ["CDK6", "TP53", *(f"G{k}" for k in range(genes - 2))]
    levels = pd.DataFrame(level, columns=names)
    about = {"analysis": "expression", "sample_id": ids, "subject_id": ids, "sample_date": "2020-01-01"}
    batch = random.choice(["a", "b"], n)
    return people, pd.concat([pd.DataFrame(about | {"batch": batch}), levels], axis=1)


def variant_study(n=300, seed=1, years=8.0, per_gene=8, genes=("CDK6", "CDKN2A", "TP53")):
    """Participants, and genotypes of which rare ones of CDKN2A make faces look older."""
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
