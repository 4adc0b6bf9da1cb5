"""A simulated cohort: participants whose faces, genes and survival follow one hidden biological age.

Biological age = age + acceleration; acceleration comes from smoking, BMI, disease and chance. The truth stays
in this module: the cohort's files hold only what a hospital would have.

Simulated single cells of a cohort: a small h5ad in which one gene follows acceleration in one cell type, and
one cell type grows.

What real files hold is there too: droplets with few genes, dying cells, doublets, a donor of few cells, and a
cell type of which most donors have too few. Of genes only the panel, SenMayo and fillers are drawn, so that
other sets have too few genes to be scored: the report says so.

Simulated readings: ten readers judge cases of one demo cohort from the photo, then with the chart, then with
the face age.

The truth stays here: a reader sees how ill a case is through noise, part of which all readers share, and each
further piece of information takes some of the noise away.

Simulated DNA of a cohort: a small VCF with rare and common variants of the panel's genes, two ancestries,
planted carriers.

Faces are drawn before DNA, so carriers of the planted gene are chosen by how much older they look: with
chances that grow as exp(shift x acceleration / variance), carriers of a normal trait lie ``shift`` years
above all participants else, as if the variants had aged them.
"""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.tables import atomic_path, write_table, write_text
from faceage_bio.intake.genotype_files import FIXED
from faceage_bio.intake.rna.gene_sets import shipped_sets

ACCELERATION_SD = 8.0  # years, beyond what smoking, BMI and disease explain
SMOKING_YEARS = {"never": -2.0, "former": 1.5, "current": 4.5}
CANCER_YEARS = 5.0  # people with cancer look older than reference people of their age
BMI_YEARS = 0.35  # per kg/m2 above 27
HAZARD_PER_DECADE = 2.0  # of biological age
LOG2_PER_DECADE = {  # of acceleration
    "CDK6": 0.60, "CDKN1A": 0.45, "CDKN2A": 0.50, "IL6": 0.42, "SERPINE1": 0.40, "GDF15": 0.60, "LMNB1": -0.42,
    "CXCL8": 0.35,
}  # fmt: skip
SENMAYO_LOG2_PER_DECADE = 0.12  # of acceleration, every other gene of that set
NULL_PANEL = ("CDKN2B", "CDK4", "TP53", "RB1", "MMP3", "HMGB1", "GLB1", "TNFRSF10B")
Y_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY")
N_GENES = 2000
MARKERS = 40  # genes of each kind of cell
CANCER_DEATHS = {True: 0.75, False: 0.3}  # share of deaths that are of cancer, in patients and in others
UNKNOWN_CAUSES = 0.04  # of deaths
SITES = ("breast", "lung", "gastrointestinal", "genitourinary", "other")
PRIMARIES = {  # of each site, where it is not the site itself
    "gastrointestinal": ("colorectal", "pancreatic", "gastric"), "genitourinary": ("prostate", "bladder", "kidney"),
    "other": ("melanoma", "head and neck", "other"),
}  # fmt: skip
DONORS = 44
CELLS = {"T cell": 36, "monocyte": 36, "plasma cell": 7}  # in a donor, on average
N_GENES_OF_CELLS = 380
LEVEL = 3.0  # counts per cell and gene, on average
PLANTED_IN_CELLS = {"T cell": {"CDK6": 1.0}}  # log2 per decade of acceleration
GROWTH = {"monocyte": 0.8}  # log2 of the number of cells per decade
SPOILT = {"few genes": 0.02, "dying": 0.03, "doublet": 0.02}  # shares of the cells
READERS = (("staff", 5), ("resident", 3), ("lay", 2))
N_CASES = 100
# standard deviation against a log hazard of 1, shared and own together
NOISE = {"photo": 2.2, "chart": 1.3, "face_age": 0.8}
SHARED = 0.5  # of the variance of that noise
UNSKILLED = {"staff": 1.0, "resident": 1.1, "lay": 1.4}  # factor on the noise
AGE_BIAS, AGE_SD = -2.0, 6.0  # years, of ages told from photos
PLANTED_GENE = "CDKN2A"
YEARS_PER_CARRIER = 8.0  # aimed at in many people; in few it comes out as chance has it
RARE_PER_GENE, COMMON_PER_GENE = 8, 2
MISSING = 0.005  # share of genotypes that are not known
# a drawn genome: one gene after the other on one chromosome
GENES = tuple(sorted((*LOG2_PER_DECADE, *NULL_PANEL)))
GENE_LENGTH, FIRST = 10_000, 1_000_000


def simulate_participants(n: int, cancer: bool, seed: int) -> pd.DataFrame:
    """Participants with their hidden ``biological_age``, one row each.

    Returns
    -------
    DataFrame
        age, sex, smoking, pack_years, bmi, ecog, site, intent, acceleration, biological_age (years),
        followup_years, event, cause (of death; "" for the living and where it is not known).
    """
    random = np.random.default_rng([seed, 1])
    age = np.clip(random.normal(64, 10, n), 38, 86) if cancer else np.clip(random.normal(60, 12, n), 35, 86)
    male = random.random(n) < 0.5
    smoking = random.choice(list(SMOKING_YEARS), n, p=[0.4, 0.35, 0.25])
    pack_years = np.where(smoking == "never", 0, np.round(random.gamma(2.5, 11, n), 1))
    bmi = np.clip(random.normal(27, 4.5, n), 16, 46).round(1)
    explained = np.array([SMOKING_YEARS[word] for word in smoking]) + BMI_YEARS * (bmi - 27)
    noise = random.normal(0, ACCELERATION_SD, n)
    acceleration = explained + noise + (CANCER_YEARS if cancer else 0)
    biological = np.clip(age + acceleration, 18, 100)
    frailty = (biological - 68) / 18 + random.normal(0, 0.8, n)
    ecog = np.clip(np.floor(frailty + 1.2), 0, 4).astype(int)
    log_hazard = np.log(HAZARD_PER_DECADE) * (biological - 68) / 10 + np.where(male, 0.15, 0)
    scale = 4.2 if cancer else 40.0
    death = scale * (random.exponential(1, n) / np.exp(log_hazard)) ** (1 / 1.25)
    leave = random.uniform(2, 7, n)
    died = death <= leave
    return pd.DataFrame({
        "age": age,
        "sex": np.where(male, "male", "female"),
        "smoking": smoking,
        "pack_years": pack_years,
        "bmi": bmi,
        "ecog": ecog,
        "site": random.choice(SITES, n, p=[0.25, 0.3, 0.2, 0.15, 0.1]) if cancer else "",
        "intent": random.choice(["curative", "palliative"], n, p=[0.7, 0.3]) if cancer else "",
        "acceleration": acceleration,
        "biological_age": biological,
        "followup_years": np.maximum(np.minimum(death, leave), 0.02),
        "event": died.astype(int),
        "cause": np.where(died, _causes(n, cancer, seed), ""),
    })  # fmt: skip


def _causes(n: int, cancer: bool, seed: int) -> np.ndarray:
    """Of what each would die; from a stream of its own, so that nothing else in the cohort hangs on it."""
    random = np.random.default_rng([seed, 7])
    share = CANCER_DEATHS[cancer]
    shares = [share, 0.6 * (1 - share), 0.4 * (1 - share)]
    causes = random.choice(["cancer", "cardiovascular", "other"], n, p=shares)
    return np.where(random.random(n) < UNKNOWN_CAUSES, "", causes)


def simulate_history(people: pd.DataFrame, seed: int) -> pd.DataFrame:
    """What clinical scores ask of patients with cancer, by a generator of its own, so that nothing else of the demo changes.

    Who will die soon has more chemotherapy, stays in hospital and liver metastases behind him; some values
    are not known.

    Returns
    -------
    DataFrame
        primary_cancer, chemotherapy_courses, hospitalisations_3_months (numbers, "" where not known),
        liver_metastases (yes, no).
    """
    random = np.random.default_rng([seed, 8])
    n = len(people)
    soon = 1 - people["followup_years"].rank(pct=True).to_numpy()
    chosen = random.random(n)
    pairs = zip(people["site"], chosen, strict=True)
    primary = [PRIMARIES[site][int(3 * share)] if site in PRIMARIES else site for site, share in pairs]
    palliative = (people["intent"] == "palliative").to_numpy()
    history = pd.DataFrame({
        "primary_cancer": primary,
        "chemotherapy_courses": random.poisson(0.7 + 1.2 * soon + 0.8 * palliative),
        "hospitalisations_3_months": random.poisson(0.2 + 1.0 * soon),
        "liver_metastases": np.where(random.random(n) < 0.1 + 0.4 * soon, "yes", "no"),
    }, index=people.index)  # fmt: skip
    for column in ("chemotherapy_courses", "hospitalisations_3_months"):
        history[column] = history[column].astype(object).mask(random.random(n) < 0.02, "")
    return history


def simulate_composition(n: int, seed: int) -> pd.DataFrame:
    """Shares of the samples of tumour cells, lymphocytes and myeloid cells (the rest is stroma), of a generator of its own."""
    random = np.random.default_rng([seed, 12])
    shares = random.dirichlet([12, 4, 3, 3], n)[:, :3].round(3)
    return pd.DataFrame(shares, columns=["tumour_purity", "lymphocytes", "myeloid_cells"])


def simulate_counts(
    people: pd.DataFrame, batch: np.ndarray, composition: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Raw counts, genes x participants, in which the genes of ``LOG2_PER_DECADE`` follow acceleration and no other does.

    Negative binomial with a dispersion per gene, library sizes that differ, a batch effect on every gene, and
    two times ``MARKERS`` genes that follow the shares of lymphocytes and of myeloid cells.
    """
    random = np.random.default_rng([seed, 2])
    panel = [*LOG2_PER_DECADE, *NULL_PANEL]
    genes = [*panel, "XIST", *Y_GENES]
    sets = shipped_sets()
    genes += sorted({gene for one in sets.values() for gene in one.directions} - set(genes))
    genes += [f"GENE{number:04d}" for number in range(1, N_GENES - len(genes) + 1)]
    base = random.normal(np.log(150), 1.3, N_GENES)
    base[: len(panel)] = random.normal(np.log(300), 0.5, len(panel))
    dispersion = random.uniform(0.08, 0.30, N_GENES)
    decades = (people["acceleration"].to_numpy() - people["acceleration"].mean()) / 10
    effects = np.zeros(N_GENES)
    effects[: len(LOG2_PER_DECADE)] = list(LOG2_PER_DECADE.values())
    rising = set(sets["SenMayo"].directions) - set(panel)
    effects[[gene in rising for gene in genes]] = SENMAYO_LOG2_PER_DECADE
    log_mean = base[:, None] + np.log(2) * effects[:, None] * decades
    batches = pd.factorize(batch)[0]
    log_mean += random.normal(0, 0.25, (N_GENES, batches.max() + 1))[:, batches]
    log_mean += random.normal(0, 0.25, len(people))  # library size
    for place, cells in enumerate(("lymphocytes", "myeloid_cells")):  # of the last genes, which are in no set
        first = N_GENES - (place + 1) * MARKERS
        log_mean[first : first + MARKERS] += 4 * (composition[cells] - composition[cells].mean()).to_numpy()
    male = (people["sex"] == "male").to_numpy()
    for gene in ("XIST", *Y_GENES):
        absent = male if gene == "XIST" else ~male
        log_mean[genes.index(gene)] -= np.where(absent, 5.0, 0.0)
    size = 1 / dispersion[:, None]
    counts = random.negative_binomial(size, size / (size + np.exp(log_mean)))
    return pd.DataFrame(counts, index=pd.Index(genes, name="gene"))


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
        # donors differ beyond chance
        of_donor = of_type * of_batch * random.gamma(10, 1 / 10, of_batch.shape)
        spread = random.gamma(12, 1 / 12, len(donors))
        numbers = random.poisson(often * spread * 2 ** (GROWTH.get(kind, 0.0) * decades))
        numbers[0] = 3 if kind == "T cell" else 0  # a donor of three cells
        whose = np.repeat(np.arange(len(donors)), numbers)
        mean = of_donor[whose] * random.gamma(6, 1 / 6, (len(whose), 1))
        for gene, slope in PLANTED_IN_CELLS.get(kind, {}).items():
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
    return genes + [f"GENE{number:04d}" for number in range(1, N_GENES_OF_CELLS - len(genes) + 1)]


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


def simulate_readings(people: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Readings as a study would hand them over.

    Parameters
    ----------
    people : DataFrame
        subject_id, age, biological_age, followup_years, as `simulate_participants` draws them.

    Returns
    -------
    DataFrame
        reader_id, reader_type, case_id, condition, predicted_alive (yes, no), rating (of death within a year,
        two decimals), predicted_age (whole years, photo only).
    """
    random = np.random.default_rng([seed, 4])
    cases = people.iloc[np.sort(random.choice(len(people), min(N_CASES, len(people)), replace=False))]
    n = len(cases)
    # illness shows more than age does, so that the truth knows something of how soon follow-up ended
    illness = cases["biological_age"] / 15 - np.log(cases["followup_years"])
    truth = ((illness - illness.mean()) / illness.std()).to_numpy()
    guessed = random.normal(0, 4.0, n)  # how old a case looks to all readers, on top of its age
    shared = {condition: random.normal(0, 1, n) for condition in NOISE}
    rows = []
    for kind, count in READERS:
        for number in range(1, count + 1):
            skill, gloom = UNSKILLED[kind] * random.lognormal(0, 0.12), random.normal(-1.3, 0.4)
            bias = random.normal(AGE_BIAS, 2.0)
            for condition, noise in NOISE.items():
                own = random.normal(0, 1, n)
                blurred = noise * skill * (np.sqrt(SHARED) * shared[condition] + np.sqrt(1 - SHARED) * own)
                rating = np.round(1 / (1 + np.exp(-(truth + blurred) - gloom)), 2)
                years = np.round(cases["age"] + guessed + bias + random.normal(0, AGE_SD, n))
                columns = {
                    "reader_id": f"{kind}-{number}", "reader_type": kind, "case_id": cases["subject_id"].to_numpy(),
                    "condition": condition, "predicted_alive": np.where(rating < 0.5, "yes", "no"), "rating": rating,
                    "predicted_age": years.to_numpy() if condition == "photo" else np.nan,
                }  # fmt: skip
                rows.append(pd.DataFrame(columns))
    table = pd.concat(rows, ignore_index=True).sample(frac=1, random_state=seed)
    return table.astype({"predicted_age": "Int64"})


def simulate_genotypes(people: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Variants (gene, pos, names) and two alleles of each person, by a generator of its own, so that nothing
    else of the demo changes.

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
                among = tilted if gene == PLANTED_GENE else free
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
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append("\t".join([*FIXED, *samples]))
    for number, row in enumerate(variants.itertuples()):
        marks = "lowQ" if number % 40 == 39 else "PASS"
        site = ["chr7", str(row.pos), f"rs{900000 + number}", row.ref, row.alt, ".", marks, ".", "GT"]
        lines.append("\t".join([*site, *calls.loc[number]]))
    with atomic_path(folder / "variants.vcf.gz", mode=0o600) as temporary:
        temporary.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    starts = [FIRST + place * 2 * GENE_LENGTH for place in range(len(GENES))]
    bed = [f"chr7\t{start}\t{start + GENE_LENGTH}\t{gene}" for start, gene in zip(starts, GENES, strict=True)]
    write_text("\n".join(bed) + "\n", folder / "variant_genes.bed")
    named = pd.DataFrame({"sample_id": samples, "subject_id": people["subject_id"].to_numpy()})
    write_table(named.sort_values("sample_id"), folder / "variant_samples.tsv")
    write_table(ancestry_of(people, seed)[1], folder / "ancestry.tsv")
