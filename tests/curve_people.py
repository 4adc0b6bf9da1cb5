"""What several test files use of survival curves."""

import numpy as np
import pandas as pd

from tests.survival_people import people


def late(data, share=0.5):
    return data.assign(
        entry_years=np.where(data.index < 120, np.minimum(data.followup_years * share, 1.0), np.nan)
    )


def with_causes(n=500, seed=3):
    """Face age raises the hazard of cancer deaths and leaves the others alone."""
    random = np.random.default_rng(seed)
    data = people(n, seed)
    death = random.exponential(1, n) / (0.2 * np.exp(0.06 * (data.face_age - 64)))
    other = random.exponential(1, n) / 0.15
    leave = random.uniform(1, 6, n)
    end = np.minimum.reduce([death, other, leave])
    cause = np.select([end == death, end == other], ["cancer", "cardiovascular"], "")
    return data.assign(
        followup_years=end,
        event=(end < leave).astype(float),
        cause=pd.Series(cause, dtype=object).where(cause != "", None),
    )
