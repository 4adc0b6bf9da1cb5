"""Scales on which estimates are pooled, and standard errors there from those of result rows or from 95% CIs."""

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm

from faceage_bio.core.results.measures import MEASURES

NORMAL_975 = float(norm.ppf(0.975))
AS_IT_IS = "identity"
TO = {AS_IT_IS: np.asarray, "log": np.log, "logit": logit, "fisher z": np.arctanh}
BACK = {AS_IT_IS: np.asarray, "log": np.exp, "logit": expit, "fisher z": np.tanh}
# how fast the scale changes with the estimate: the delta method
SLOPES = {
    AS_IT_IS: np.ones_like, "log": lambda x: 1 / x, "logit": lambda x: 1 / (x * (1 - x)), "fisher z": lambda x: 1 / (1 - x**2),
}  # fmt: skip
LIMITS = {"log": (0.0, np.inf), "logit": (0.0, 1.0), "fisher z": (-1.0, 1.0)}  # of estimates, open


def pooling_scale(measures: pd.Series) -> pd.Series:
    """The scale of each measure: log of ratios, logit of C and AUC, Fisher's z of correlations, differences as they are."""
    return measures.map({name: measure.pooling_scale for name, measure in MEASURES.items()})


def null_on_scale(measure: str) -> float:
    """Where a measure is without an association, on the scale on which it is pooled; NaN where it has no such value."""
    known = MEASURES[measure]
    return np.nan if known.null is None else float(TO[known.pooling_scale](known.null))


def on_scale(values: pd.Series | np.ndarray, scales: pd.Series | str, functions: dict = TO) -> np.ndarray:
    """Values moved to their scales (or back, with `BACK`); NaN where a value is outside of its scale."""
    values = np.asarray(values, dtype=float)
    scales = np.broadcast_to(np.asarray(scales, dtype=object), values.shape)
    made = np.full(values.shape, np.nan)
    with np.errstate(all="ignore"):
        for name in functions:
            chosen = scales == name
            made[chosen] = functions[name](values[chosen])
    return np.where(np.isfinite(made), made, np.nan)


def errors_on_scale(rows: pd.DataFrame, scales: pd.Series) -> np.ndarray:
    """Standard errors on the pooling scale, at full precision.

    A row's own standard error where its measure has that scale, else by the delta method; of rows without one, from the 95% CI.
    """
    own = rows["measure"].map({name: measure.scale for name, measure in MEASURES.items()})
    error = rows["standard_error"].to_numpy(dtype=float)
    slopes = on_scale(rows["estimate"], scales, SLOPES)
    moved = np.where(own == scales, error, error * slopes)
    with np.errstate(invalid="ignore"):
        width = on_scale(rows["ci_upper"], scales) - on_scale(rows["ci_lower"], scales)
    return np.where(np.isfinite(moved), moved, width / (2 * NORMAL_975))


def with_scale(rows: pd.DataFrame) -> pd.DataFrame:
    """Result rows with the ``scale`` on which they are pooled, and estimate ``y`` and standard error ``se`` there."""
    scale = pooling_scale(rows["measure"])
    return rows.assign(scale=scale, y=on_scale(rows["estimate"], scale), se=errors_on_scale(rows, scale))
