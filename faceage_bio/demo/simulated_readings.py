"""Simulated readings: ten readers judge cases of one demo cohort from the photo, then with the chart, then with the face age.

The truth stays here: a reader sees how ill a case is through noise, part of which all readers share, and each further piece
of information takes some of the noise away.
"""

import numpy as np
import pandas as pd

READERS = (("staff", 5), ("resident", 3), ("lay", 2))
N_CASES = 100
NOISE = {
    "photo": 2.2,
    "chart": 1.3,
    "face_age": 0.8,
}  # standard deviation against a log hazard of 1, shared and own together
SHARED = 0.5  # of the variance of that noise
UNSKILLED = {"staff": 1.0, "resident": 1.1, "lay": 1.4}  # factor on the noise
AGE_BIAS, AGE_SD = -2.0, 6.0  # years, of ages told from photos


def simulate_readings(people: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Readings as a study would hand them over.

    Parameters
    ----------
    people : DataFrame
        subject_id, age, biological_age, followup_years, as `people.simulate_people` draws them.

    Returns
    -------
    DataFrame
        reader_id, reader_type, case_id, condition, predicted_alive (yes, no), rating (of death within a year, two decimals),
        predicted_age (whole years, photo only).
    """
    random = np.random.default_rng([seed, 4])
    cases = people.iloc[np.sort(random.choice(len(people), min(N_CASES, len(people)), replace=False))]
    n = len(cases)
    # illness shows more than age does, so that the truth knows something of how soon follow-up ended
    illness = cases["biological_age"] / 15 - np.log(cases["followup_years"])
    truth = ((illness - illness.mean()) / illness.std()).to_numpy()
    guessed = random.normal(0, 4.0, n)  # how old a case looks to everybody, beside its age
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
