"""A simulated cohort: participants whose faces, genes and survival follow one hidden biological age.

Biological age = age + acceleration; acceleration comes from smoking, BMI, disease and chance. The truth stays in this
module: the cohort's files hold only what a hospital would have.
"""

import numpy as np
import pandas as pd

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


def simulate_people(n: int, cancer: bool, seed: int) -> pd.DataFrame:
    """Participants with their hidden ``biological_age``, one row each.

    Returns
    -------
    DataFrame
        age, sex, smoking, pack_years, bmi, ecog, site, intent, acceleration, biological_age (years), followup_years, event,
        cause (of death; "" for the living and where it is not known).
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
    causes = random.choice(
        ["cancer", "cardiovascular", "other"], n, p=[share, 0.6 * (1 - share), 0.4 * (1 - share)]
    )
    return np.where(random.random(n) < UNKNOWN_CAUSES, "", causes)


def simulate_history(people: pd.DataFrame, seed: int) -> pd.DataFrame:
    """What clinical scores ask of patients with cancer, by a generator of its own, so that nothing else of the demo changes.

    Who will die soon has more chemotherapy, stays in hospital and liver metastases behind him; some values are not known.

    Returns
    -------
    DataFrame
        primary_cancer, chemotherapy_courses, hospitalisations_3_months (numbers, "" where not known), liver_metastases (yes, no).
    """
    random = np.random.default_rng([seed, 8])
    n = len(people)
    soon = 1 - people["followup_years"].rank(pct=True).to_numpy()
    chosen = random.random(n)
    primary = [
        site if site not in PRIMARIES else PRIMARIES[site][int(3 * share)]
        for site, share in zip(people["site"], chosen, strict=True)
    ]
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

    Negative binomial with a dispersion per gene, library sizes that differ, a batch effect on every gene, and two times
    ``MARKERS`` genes that follow the shares of lymphocytes and of myeloid cells.
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
    rising = [
        place for place, gene in enumerate(genes) if gene in sets["SenMayo"].directions and gene not in panel
    ]
    effects[rising] = SENMAYO_LOG2_PER_DECADE
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
