"""Cox models of cohorts that are pooled."""

import numpy as np
import pandas as pd

from faceage_bio.core.results.row import result_rows

COX = {
    "question": "cox", "role": "primary", "outcome": "death", "exposure": "face_age", "term": "face_age", "measure": "hazard ratio",
    "per": "10 years", "adjustment": "age", "covariates": "age", "step": "+ age", "model_id": "weights 1", "n": 100, "n_events": 60, "reason": "",
}  # fmt: skip


def cox(cohort: str, log_hazard_ratio: float, error: float, **other) -> pd.DataFrame:
    numbers = {
        "estimate": np.exp(log_hazard_ratio), "standard_error": error, "ci_lower": np.exp(log_hazard_ratio - 1.96 * error),
        "ci_upper": np.exp(log_hazard_ratio + 1.96 * error), "p_value": 0.01,
    }  # fmt: skip
    return result_rows([COX | {"cohort": cohort} | numbers | other], "survival/cox")
