"""A normal model whose mean and standard deviation both change smoothly with one variable."""

from dataclasses import dataclass

import numpy as np

from faceage_bio.core.errors import FitError
from faceage_bio.stats.splines import Knots, natural_spline, place_knots

MEAN_DF = 3
MIN_VALUES = 20
ROUNDS = 200


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

    The model of gamlss with a normal distribution (Rigby and Stasinopoulos 2005, doi:10.1111/j.1467-9876.2005.00510.x); the
    same knots as R's ``ns(x, 3)``.

    Parameters
    ----------
    x, y : float arrays, shape (n,), nothing missing

    Raises
    ------
    FitError
        Fewer than 20 values, too few distinct ones, no spread, or no convergence.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) < MIN_VALUES:
        raise FitError("too_few_for_curve", n=len(x), needed=MIN_VALUES)
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
