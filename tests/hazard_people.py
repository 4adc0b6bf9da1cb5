"""What several test files use of survival hazards."""

import numpy as np


def died(data, log_hazard, seed=3, base=0.25):
    """The people with another time of death, of this hazard."""
    random = np.random.default_rng(seed)
    death = random.exponential(1, len(data)) / (base * np.exp(log_hazard))
    leave = random.uniform(2, 7, len(data))
    return data.assign(followup_years=np.minimum(death, leave), event=(death <= leave).astype(float))
