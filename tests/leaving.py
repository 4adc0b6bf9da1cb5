"""What the tests of privacy share."""

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from faceage_bio.privacy.suppress import suppress

SMALL = 5


def bounds(equations: np.ndarray, sums: np.ndarray, limits: list[tuple], k: int) -> tuple[float, float]:
    """The least and the most that number ``k`` can be, for a reader who knows the equations."""
    cost = np.zeros(equations.shape[1])
    cost[k] = 1.0
    ends = [
        linprog(sign * cost, A_eq=equations, b_eq=sums, bounds=limits, method="highs") for sign in (1, -1)
    ]
    assert all(end.success for end in ends)
    return ends[0].fun, -ends[1].fun


def as_text(key: str, table: pd.DataFrame, min_cell: int = SMALL) -> pd.DataFrame:
    return suppress({key: table}, min_cell)[key].as_text()
