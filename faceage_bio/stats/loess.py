"""Local regression, as R's ``loess``."""

import numpy as np

from faceage_bio.core.errors import FitError

SPAN = 0.75  # R's default: each local fit sees three quarters of the points
EXACT = 400  # up to this many distinct places loess is computed at each; beyond, on a grid of as many


def loess(x: np.ndarray, y: np.ndarray, at: np.ndarray, span: float = SPAN) -> np.ndarray:
    """Local quadratic regression with tricube weights (Cleveland 1979, doi:10.1080/01621459.1979.10481038).

    Equals R's ``predict(loess(y ~ x, span, control = loess.control(surface = "direct")), at)`` within the range of ``x``;
    with more than 400 distinct places a grid is interpolated by a cubic spline. R's default surface interpolates too.

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
    from scipy.interpolate import CubicSpline

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
