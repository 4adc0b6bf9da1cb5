"""Simulated DNA of a cohort: a small VCF with rare and common variants of the panel's genes, two ancestries, planted carriers.

Faces are drawn before anybody has DNA, so carriers of the planted gene are chosen by how much older they look: with chances
that grow as exp(shift x acceleration / variance), carriers of a normal trait lie ``shift`` years above all participants else, as if the
variants had aged them.
"""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.tables import atomic_path, write_table, write_text
from faceage_bio.demo.simulated_people import LOG2_PER_DECADE, NULL_PANEL

PLANTED = "CDKN2A"
YEARS_PER_CARRIER = 8.0  # aimed at in many people; in few it comes out as chance has it
RARE_PER_GENE, COMMON_PER_GENE = 8, 2
MISSING = 0.005  # share of genotypes that are not known
GENES = tuple(
    sorted((*LOG2_PER_DECADE, *NULL_PANEL))
)  # a drawn genome: one gene after the other on one chromosome
GENE_LENGTH, FIRST = 10_000, 1_000_000


def simulate_genotypes(people: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Variants (gene, pos, names) and two alleles of each person, by a generator of its own, so that nothing else of the demo changes.

    Returns
    -------
    DataFrame
        gene, pos, ref, alt, rare.
    DataFrame of str
        variants x participants (by subject_id): genotypes as a VCF writes them.
    """
    random = np.random.default_rng([seed, 9])
    n = len(people)
    acceleration = people["acceleration"].to_numpy()
    chances = np.exp(YEARS_PER_CARRIER * (acceleration - acceleration.mean()) / acceleration.var())
    south = ancestry_of(people, seed)[0]
    rows, calls = [], []
    for place, gene in enumerate(GENES):
        free = random.permutation(n)
        tilted = random.choice(n, RARE_PER_GENE * 3 // 2, replace=False, p=chances / chances.sum())
        for number in range(RARE_PER_GENE + COMMON_PER_GENE):
            rare = number < RARE_PER_GENE
            alleles = np.zeros((n, 2), dtype=int)
            if rare:  # one or two carriers each
                among = tilted if gene == PLANTED else free
                first = number + number // 2
                alleles[among[first : first + 1 + number % 2], 0] = 1
            else:
                frequency = np.where(south, 0.35, 0.2) + 0.05 * (number % 2)
                alleles = (random.random((n, 2)) < frequency[:, None]).astype(int)
            ref, alt = random.choice(list("ACGT"), 2, replace=False)
            start = FIRST + place * 2 * GENE_LENGTH
            rows.append((gene, start + 700 * (number + 1), ref, alt, rare))
            unknown = random.random(n) < MISSING
            calls.append(np.where(unknown, "./.", [f"{a}/{b}" for a, b in alleles]))
    variants = pd.DataFrame(rows, columns=["gene", "pos", "ref", "alt", "rare"])
    return variants, pd.DataFrame(calls, columns=people["subject_id"])


def ancestry_of(people: pd.DataFrame, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Who is of the second ancestry, and three components as a program for genotype arrays would give them."""
    random = np.random.default_rng([seed, 10])
    second = random.random(len(people)) < 0.3
    components = random.normal(0, 0.02, (len(people), 3))
    components[:, 0] += np.where(second, 0.08, -0.03)
    table = pd.DataFrame(components.round(5), columns=["PC1", "PC2", "PC3"])
    table.insert(0, "subject_id", people["subject_id"].to_numpy())
    return second, table


def write_variants(people: pd.DataFrame, seed: int, folder: Path) -> None:
    """variants.vcf.gz, variant_genes.bed, variant_samples.tsv and ancestry.tsv, as a sequencing facility hands them over."""
    variants, calls = simulate_genotypes(people, seed)
    random = np.random.default_rng([seed, 11])
    samples = [f"D{1000 + number}" for number in random.permutation(len(people))]
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
             "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples])]  # fmt: skip
    for number, row in enumerate(variants.itertuples()):
        marks = "lowQ" if number % 40 == 39 else "PASS"
        lines.append("\t".join(["chr7", str(row.pos), f"rs{900000 + number}", row.ref, row.alt, ".", marks, ".", "GT", *calls.loc[number]]))  # fmt: skip
    with atomic_path(folder / "variants.vcf.gz", mode=0o600) as temporary:
        temporary.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    bed = [
        f"chr7\t{FIRST + place * 2 * GENE_LENGTH}\t{FIRST + place * 2 * GENE_LENGTH + GENE_LENGTH}\t{gene}"
        for place, gene in enumerate(GENES)
    ]
    write_text("\n".join(bed) + "\n", folder / "variant_genes.bed")
    named = pd.DataFrame({"sample_id": samples, "subject_id": people["subject_id"].to_numpy()})
    write_table(named.sort_values("sample_id"), folder / "variant_samples.tsv")
    write_table(ancestry_of(people, seed)[1], folder / "ancestry.tsv")
