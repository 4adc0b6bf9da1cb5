"""What a study of this size would have found."""

from typing import TypeVar

import numpy as np
import pandas as pd
from scipy.stats import norm

Numbers = TypeVar("Numbers", float, np.ndarray, pd.Series)


def smallest_detectable(standard_error: Numbers, power: float = 0.8, alpha: float = 0.05) -> Numbers:
    """The smallest effect that a two-sided Wald test at ``alpha`` finds with this power, given its standard error.

    The minimum detectable effect (z(1 - alpha / 2) + z(power)) * SE: 2.80 SE (Bloom 1995, doi:10.1177/0193841X9501900504).
    """
    return (norm.ppf(1 - alpha / 2) + norm.ppf(power)) * standard_error
