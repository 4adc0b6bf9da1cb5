"""What several test files use of acceleration."""

import pandas as pd

COHORT = pd.DataFrame({
    "chronological_age": [41, 45, 50, 52, 55, 58, 60, 63, 66, 70, 74, 79],
    "face_age": [43.5, 44, 53, 50.5, 59, 57, 66, 62, 64, 75.5, 73, 84],
    "followup_years": [9.1, 8.7, 7.9, 8.2, 6.5, 7.7, 5.1, 6.9, 7.2, 3.3, 4.8, 2.0],
    "event": [0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1],
}).astype("float64")  # fmt: skip
