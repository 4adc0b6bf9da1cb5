"""Photos of each outcome, and the participants whom they show."""

import numpy as np
import pandas as pd

OUTCOMES = [
    ("ok", ""), ("flagged", "blurred"), ("excluded", "no_face"), ("excluded", "damaged_image"), ("excluded", "small_photo"),
]  # fmt: skip


def face_ages(numbers: list[int], again: int = 0) -> pd.DataFrame:
    """So many photos of each outcome, with measures that grow from photo to photo."""
    rows = [outcome for outcome, n in zip(OUTCOMES, numbers, strict=True) for _ in range(n)]
    table = pd.DataFrame(rows, columns=["status", "reason"])
    n = len(table)
    measures = {name: np.linspace(0, 1, n) for name in ("face_share", "outside_share", "probability")}
    measures |= {
        name: np.linspace(1, 200, n) for name in ("sharpness", "brightness", "contrast", "face_short_side")
    }
    return table.assign(
        cohort="one", photo_id=[f"p{k}" for k in range(n)], face_age_sd=np.nan, subject_id=[f"s{k % 40}" for k in range(n)], width=np.linspace(100, 3000, n), height=5000.0,
        yaw=np.linspace(-60, 60, n), roll=0.0, flags=["same_photo_twice"] * again + [""] * (n - again), **measures,
    )  # fmt: skip


def people() -> pd.DataFrame:
    return pd.DataFrame({
        "subject_id": [f"s{k}" for k in range(40)], "sex": ["female", "male"] * 20, "site": [None] + ["lung"] * 39,
    })  # fmt: skip
