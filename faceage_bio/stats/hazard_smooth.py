"""A hazard ratio over time, drawn through the scaled Schoenfeld residuals, as R's ``plot(cox.zph(..., terms = FALSE))``."""

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError
from faceage_bio.stats.cox_fit import NORMAL_975, CoxFit
from faceage_bio.stats.cox_ph import HazardOverTime
from faceage_bio.stats.splines import natural_spline, place_knots

DF = 3  # beside the intercept; R's df = 4 counts it
PLACES = 40


def smooth_over_time(fit: CoxFit, over_time: HazardOverTime, term: str) -> pd.DataFrame:
    """Natural spline of a term's log hazard ratio in g(time), with the band that R draws.

    Parameters
    ----------
    fit : CoxFit
    over_time : of `hazard_over_time` for the same fit and a term of one column

    Returns
    -------
    DataFrame, shape (40, 5)
        years, g, log_hazard_ratio, ci_lower, ci_upper (95%, pointwise); evenly spaced in g.

    Raises
    ------
    FitError
        Too few deaths at distinct times.
    """
    points = over_time.points[over_time.points[term].notna()]
    g = points["g"].to_numpy()
    if len(np.unique(g)) <= DF + 1:
        raise FitError("few_times_for_a_curve", n_times=len(np.unique(g)))
    at = np.linspace(g.min(), g.max(), PLACES)
    knots = place_knots(np.concatenate([at, g]), DF)

    def basis(x: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(x)), natural_spline(x, knots, "g")])

    x, shown = basis(g), basis(at)
    inverse = np.linalg.inv(x.T @ x)
    value = shown @ inverse @ x.T @ points[term].to_numpy()
    variance = fit.n_events * fit.covariance.loc[term, term]
    error = np.sqrt(variance * np.einsum("ij,jk,ik->i", shown, inverse, shown))
    first = np.unique(g, return_index=True)[1]
    years = np.interp(at, g[first], points["years"].to_numpy()[first])
    return pd.DataFrame({
        "years": years, "g": at, "log_hazard_ratio": value, "ci_lower": value - NORMAL_975 * error,
        "ci_upper": value + NORMAL_975 * error,
    })  # fmt: skip
