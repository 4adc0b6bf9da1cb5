"""Smooth curves of one variable: natural cubic splines whose first column is the straight line."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline

from faceage_bio.core.errors import FitError


@dataclass(frozen=True)
class Knots:
    """Ends beyond which the curve is straight, and the places between them where its third derivative may jump."""

    lower: float
    inner: tuple[float, ...]
    upper: float


def place_knots(x: np.ndarray, df: int = 3) -> Knots:
    """Knots where R's ``ns(x, df)`` puts them: ends at the range, df - 1 inner ones at evenly spaced quantiles.

    Where many participants share the smallest value (no pack-years), the quantiles are of the others.

    Raises
    ------
    FitError
        Too few distinct values.
    """
    x = np.asarray(x, dtype=np.float64)
    shares = np.arange(1, df) / df
    for values in (x, x[x > x.min()]) if len(x) else ():
        if len(values) == 0:
            break
        inner = np.quantile(values, shares)
        if len(np.unique(inner)) == len(inner) and inner[0] > x.min() and inner[-1] < x.max():
            return Knots(float(x.min()), tuple(float(value) for value in inner), float(x.max()))
    raise FitError("too_few_distinct", distinct=len(np.unique(x)))


def natural_spline(x: np.ndarray, knots: Knots, name: str = "x") -> pd.DataFrame:
    """Natural cubic spline with the column space of R's ``ns(x, knots, Boundary.knots)``: a straight line and curvature.

    Beside x stands one curve per inner knot: 1 at its own knot, 0 at all others, straight beyond the ends. Truncated powers of
    the same space lose all digits where the knots of a skewed variable crowd together; these do not. The tests and fitted values
    are ns's, and the curvature is tested by the columns after the first.

    Returns
    -------
    DataFrame, shape (n, n_inner + 1)
        ``name`` (x itself), then ``name: curve 1``, ``name: curve 2`` ...
    """
    x = np.asarray(x, dtype=np.float64)
    places = np.array([knots.lower, *knots.inner, knots.upper])
    curves = CubicSpline(places, np.eye(len(places))[:, 1:-1], bc_type="natural")
    inside = np.clip(x, places[0], places[-1])
    bends = curves(inside) + curves(inside, 1) * (x - inside)[:, None]
    columns = {f"{name}: curve {number}": bend for number, bend in enumerate(bends.T, start=1)}
    return pd.DataFrame({name: x, **columns})
