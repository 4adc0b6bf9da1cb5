"""Smooth curves of one variable: natural cubic splines, loess, and a normal model whose spread changes too."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline

from faceage_bio.core.errors import FitError
from faceage_bio.stats.minimum_sizes import FOR_CENTILES

SPAN = 0.75  # R's default: each local fit sees three quarters of the points
EXACT = 400  # up to this many distinct places loess is computed at each; beyond, on a grid of as many
MEAN_DF = 3
ROUNDS = 200


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

    Beside x stands one curve per inner knot: 1 at its own knot, 0 at all others, straight beyond the ends.
    Truncated powers of the same space lose all digits where the knots of a skewed variable crowd together;
    these do not. The tests and fitted values are ns's, and the curvature is tested by the columns after the
    first.

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


def loess(x: np.ndarray, y: np.ndarray, at: np.ndarray, span: float = SPAN) -> np.ndarray:
    """Local quadratic regression with tricube weights (Cleveland 1979, doi:10.1080/01621459.1979.10481038).

    Equals R's ``predict(loess(y ~ x, span, control = loess.control(surface = "direct")), at)`` within the
    range of ``x``; with more than 400 distinct places a grid is interpolated by a cubic spline. R's default
    surface interpolates too.

    Parameters
    ----------
    x, y : float arrays, shape (n,)
    at : float array, shape (m,)
    span : float
        Share of the points that each local fit sees, over 0 and at most 1.

    Returns
    -------
    float array, shape (m,)
        NaN outside the range of ``x``, where a local curve says nothing.

    Raises
    ------
    FitError
        A local fit sees fewer than 3 distinct values.
    """
    x, y, at = (np.asarray(values, dtype=np.float64) for values in (x, y, at))
    inside = (at >= x.min()) & (at <= x.max())
    places = np.unique(at[inside])
    if len(places) > EXACT:
        places = np.linspace(places[0], places[-1], EXACT)
    values = np.array([_local_quadratic(x, y, place, span) for place in places])
    result = np.full(at.shape, np.nan)
    if len(places) < EXACT:
        result[inside] = values[np.searchsorted(places, at[inside])]
    else:
        result[inside] = CubicSpline(places, values)(at[inside])
    return result


def _local_quadratic(x: np.ndarray, y: np.ndarray, place: float, span: float) -> float:
    offset = x - place
    distance = np.abs(offset)
    nearest = int(len(x) * span + 1e-5)
    if nearest < 3:
        raise FitError("too_few_points", n=len(x))
    reach = np.partition(distance, nearest - 1)[nearest - 1]
    seen = distance < reach
    if reach <= 0 or len(np.unique(offset[seen])) < 3:
        raise FitError("too_few_distinct_values")
    scaled = offset[seen] / reach
    root_weight = np.sqrt((1 - np.abs(scaled) ** 3) ** 3)
    basis = np.column_stack([np.ones_like(scaled), scaled, scaled**2]) * root_weight[:, None]
    return float(np.linalg.lstsq(basis, y[seen] * root_weight, rcond=None)[0][0])


@dataclass(frozen=True)
class LocationScale:
    """Mean: natural cubic spline; log of the standard deviation: a line. Known from ``lower`` to ``upper``."""

    knots: Knots
    mean_terms: np.ndarray
    scale_terms: np.ndarray
    lower: float
    upper: float
    log_likelihood: float

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation at ``x``; NaN outside the range in which they were fitted."""
        x = np.asarray(x, dtype=np.float64)
        known = np.where((x >= self.lower) & (x <= self.upper), 0.0, np.nan)
        mean_design, scale_design = _designs(x, self.knots)
        return mean_design @ self.mean_terms + known, np.exp(scale_design @ self.scale_terms) + known


def fit_location_scale(x: np.ndarray, y: np.ndarray) -> LocationScale:
    """Maximum likelihood, by weighted least squares and a gamma regression of squared residuals in turn.

    The model of gamlss with a normal distribution (Rigby and Stasinopoulos 2005,
    doi:10.1111/j.1467-9876.2005.00510.x); the same knots as R's ``ns(x, 3)``.

    Parameters
    ----------
    x, y : float arrays, shape (n,), nothing missing

    Raises
    ------
    FitError
        Fewer than 20 values, too few distinct ones, no spread, or no convergence.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) < FOR_CENTILES:
        raise FitError("too_few_for_curve", n=len(x), needed=FOR_CENTILES)
    knots = place_knots(x, MEAN_DF)
    mean_design, scale_design = _designs(x, knots)
    scale_terms = np.zeros(2)
    previous = np.full(2 * len(x), np.inf)
    for round_ in range(ROUNDS):
        sd = np.exp(scale_design @ scale_terms) if round_ else np.ones_like(y)
        mean_terms = np.linalg.lstsq(mean_design / sd[:, None], y / sd, rcond=None)[0]
        squared = (y - mean_design @ mean_terms) ** 2
        if squared.max() <= 1e-18 * max(1.0, float(np.abs(y).max())) ** 2:
            raise FitError("no_spread_about_curve")
        if not round_:
            scale_terms = np.array([0.5 * np.log(squared.mean()), 0.0])
        for _ in range(50):  # Fisher scoring of the log standard deviation, information 2 Z'Z
            ratio = squared / np.exp(2 * scale_design @ scale_terms)
            step = np.linalg.lstsq(scale_design, (ratio - 1) / 2, rcond=None)[0]
            scale_terms = scale_terms + np.clip(step, -1, 1)
            if np.abs(step).max() < 1e-13:
                break
        log_sd = scale_design @ scale_terms
        now = np.concatenate([mean_design @ mean_terms / np.exp(log_sd), log_sd])
        if not np.isfinite(now).all():
            break
        if np.abs(now - previous).max() < 1e-11:
            likelihood = -(log_sd + squared / np.exp(2 * log_sd) / 2 + np.log(2 * np.pi) / 2).sum()
            return LocationScale(
                knots, mean_terms, scale_terms, float(x.min()), float(x.max()), float(likelihood)
            )
        previous = now
    raise FitError("no_convergence", model="the model of mean and standard deviation")


def _designs(x: np.ndarray, knots: Knots) -> tuple[np.ndarray, np.ndarray]:
    middle, width = (knots.lower + knots.upper) / 2, (knots.upper - knots.lower) / 2
    line = np.column_stack([np.ones_like(x), (x - middle) / width])
    return np.column_stack([np.ones_like(x), natural_spline(x, knots)]), line
