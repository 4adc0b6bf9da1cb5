"""The upper tail of a weighted sum of chi-squares, at any height: the null distribution of variance-component tests."""

import numpy as np
from scipy import integrate, optimize, stats

from faceage_bio.core.errors import FitError

NEGLIGIBLE = 1e-10  # of the largest weight: a smaller one is rounding of a zero
SMALLEST = float(np.finfo(np.float64).tiny)  # the least that is told; no p-value is zero


def chi_square_mixture_tail(value: float, weights: np.ndarray) -> float:
    """P(sum of w_i X_i >= value), where the X_i are independent chi-squares with 1 degree of freedom.

    Inversion of the moment generating function as Imhof (1961, doi:10.1093/biomet/48.3-4.419) and Davies (1980,
    doi:10.2307/2346911) do it, but along a parabola through the saddlepoint (Kuonen 1999, doi:10.1093/biomet/86.4.929, stops
    there) that opens to where the integrand falls off, instead of along the imaginary axis. Nothing oscillates or cancels, so
    the relative error is about 1e-12 in the far tail too, where theirs is absolute, and no other method has to step in.

    Parameters
    ----------
    value : float
    weights : float array, shape (m,)
        Not negative; those below 1e-10 of the largest are taken for zero.

    Returns
    -------
    float
        From the smallest normal double (about 2e-308) to 1, never 0.

    Raises
    ------
    FitError
        No positive weight, or something is not a finite number.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(weights).all() or not np.isfinite(value) or not (weights > 0).any():
        raise FitError("bad_weights")
    if value <= 0:
        return 1.0
    weights = weights[weights > NEGLIGIBLE * weights.max()]
    value, weights = value / weights.max(), weights / weights.max()
    if stats.chi2.logcdf(value / weights, 1).sum() < np.log(
        1e-17
    ):  # no part alone is that small, so neither is the sum
        return 1.0
    if np.ptp(weights) < 1e-14:
        return max(float(stats.chi2.sf(value, len(weights))), SMALLEST)
    return float(np.clip(_along_the_parabola(value, weights), SMALLEST, 1.0))


def _along_the_parabola(value: float, weights: np.ndarray) -> float:
    """The integral of exp(K(s) - s value) / s over s = c + a y^2 + i y, divided by 2 pi i; the largest weight is 1."""

    def slope(s: float) -> float:
        return float((weights / (1 - 2 * weights * s)).sum() - value - 1 / s)

    centre = optimize.brentq(slope, 1e-300, 0.5 * (1 - 1e-15), xtol=1e-14)
    scaled = weights / (1 - 2 * weights * centre)
    second, third = 2 * (scaled**2).sum() + centre**-2, 8 * (scaled**3).sum() - 2 * centre**-3
    height, width = _log_integrand(centre, value, weights).real, second**-0.5
    bend = max(third / (6 * second), 0.5)  # steepest descent, but to the right
    # straight up the integrand only falls; bent too far it has a second hill beside the poles of small weights
    while (ends := _reach(bend, value)) and _rises(centre, bend, width, ends, height, value, weights):
        bend /= 4

    def integrand(t: float) -> float:
        s = complex(centre + bend * (t * width) ** 2, t * width)
        direction = complex(1, -2 * bend * t * width) * width
        return (np.exp(_log_integrand(s, value, weights) - height) * direction).real

    end = _reach(bend, value) / width
    breaks = [point for point in (1.0, 3.0, 10.0, 100.0) if point < end]
    # full_output keeps quad from warning of roundoff, which is harmless where the probability is near 1; the error is looked at
    found, error = integrate.quad(
        integrand, 0, end, points=breaks, epsabs=0, epsrel=1e-11, limit=500, full_output=1
    )[:2]
    if not error < 1e-7 * found:
        raise FitError("integral_not_converged")
    return found * np.exp(height) / np.pi


def _reach(bend: float, value: float) -> float:
    """The height beyond which exp(-s value) alone is below 1e-20 of what it is at the centre."""
    return (46 / (bend * value)) ** 0.5


def _rises(
    centre: float, bend: float, width: float, end: float, height: float, value: float, weights: np.ndarray
) -> bool:
    """Whether the integrand, as far as it counts, has a second hill, which the integration might overlook."""
    y = np.geomspace(0.1 * width, max(end, width), 200)
    found = np.array([_log_integrand(complex(centre + bend * k * k, k), value, weights).real for k in y])
    hill = found > np.minimum.accumulate(np.append(height, found))[:-1] + 0.1
    return bool((hill & (found > height - 40)).any())


def _log_integrand(s: complex, value: float, weights: np.ndarray) -> complex:
    return -0.5 * np.log(1 - 2 * weights * complex(s)).sum() - s * value - np.log(complex(s))
