"""People with everything that TEACHH asks, made by a formula: ages beyond 100, counts beyond 9, ties of time and of points.

``python -m tests.golden.scores.data`` writes them as CSV for golden.R, which writes golden.tsv and versions.txt.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.golden.acceleration.data import weyl

PEOPLE = 160
PRIMARIES = ("breast", "lung", "prostate", "colorectal", "other")


def people() -> pd.DataFrame:
    """Score items, face_age, followup_years (rounded to hundredths) and event."""
    # one sequence read with strides that have no divisor in common with its length, so that the columns are not alike
    z = [weyl(PEOPLE, 0.13)[np.arange(PEOPLE) * stride % PEOPLE] for stride in (1, 3, 7, 9, 11, 13, 17, 19)]
    age = np.round(62 + 11 * z[0], 1)
    age[:2] = (100.0, 103.5)
    face_age = np.round(age + 4 + 8 * z[1], 1)
    courses = np.maximum(0, np.round(1.6 + 1.8 * z[2]))
    courses[2:4] = (10, 12)
    stays = np.maximum(0, np.round(0.4 + z[3]))
    stays[4] = 11
    ecog = np.clip(np.round(1.3 + z[4]), 0, 4)
    liver = (z[5] > 0.5).astype(int)
    risk = 0.04 * (face_age - 62) + 0.3 * ecog + 0.2 * courses.clip(max=4) + 0.4 * liver
    death = 0.9 * np.exp(-0.6 * risk + 0.5 + 0.8 * z[6])
    left = 1.6 * np.exp(0.5 * z[7])
    return pd.DataFrame({
        "subject_id": [f"g{number}" for number in range(PEOPLE)], "chronological_age": age, "face_age": face_age,
        "primary_cancer": [PRIMARIES[number % 5] for number in range(PEOPLE)], "ecog": ecog, "chemotherapy_courses": courses,
        "hospitalisations_3_months": stays, "liver_metastases": liver,
        "followup_years": np.round(np.minimum(death, left) + 0.01, 2), "event": (death <= left).astype(int),
    })  # fmt: skip


if __name__ == "__main__":
    people().to_csv(Path(__file__).with_name("people.csv"), index=False, float_format="%.17g")
