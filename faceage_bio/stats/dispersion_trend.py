"""How dispersion goes with mean count over all genes, and how far genes stray from that: DESeq2's empirical prior."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.special import polygamma

from faceage_bio.core.errors import FitError
from faceage_bio.stats.dispersion import LEAST

TRUSTED = 100 * LEAST  # smaller gene-wise dispersions do not shape the trend
MAD_TO_SD = 1.4826


@dataclass(frozen=True)
class Trend:
    """Dispersion as a function of the mean of normalised counts; ``kind`` is parametric, local or mean."""

    kind: str
    at: Callable[[np.ndarray], np.ndarray]


def fit_trend(means: np.ndarray, dispersions: np.ndarray) -> Trend:
    """``a / mean + b`` by a gamma regression; if that does not fit, a local curve; if that neither, one number for all.

    Raises
    ------
    FitError
        No gene varies more than by chance, so that there is no dispersion to model.
    """
    used = dispersions > TRUSTED
    if not used.any():
        raise FitError("no_dispersion")
    means, dispersions = means[used], dispersions[used]
    try:
        asymptote, extra = _parametric(means, dispersions)
        return Trend("parametric", lambda mean: asymptote + extra / mean)
    except FitError:
        pass
    if len(means) >= 20:
        return Trend("local", _local(means, dispersions))
    centre = _trimmed_mean(dispersions, 0.001)
    return Trend("mean", lambda mean: np.full(np.shape(mean), centre))


def prior_variance(dispersions: np.ndarray, fitted: np.ndarray, df: int) -> tuple[float, float]:
    """Variance of log dispersions around the trend: that of the true ones (the prior), and as seen.

    Parameters
    ----------
    dispersions, fitted : gene-wise and from the trend, shape (n_genes,)
    df : samples minus parameters, more than 3 (with fewer DESeq2 simulates)

    Returns
    -------
    prior variance (at least 0.25), variance of the estimates
    """
    residuals = (np.log(dispersions) - np.log(fitted))[dispersions >= TRUSTED]
    seen = (MAD_TO_SD * np.median(np.abs(residuals - np.median(residuals)))) ** 2
    return max(seen - float(polygamma(1, df / 2)), 0.25), seen


def _parametric(means: np.ndarray, dispersions: np.ndarray) -> np.ndarray:
    coefficients = np.array([0.1, 1.0])
    for _ in range(11):
        ratio = dispersions / (coefficients[0] + coefficients[1] / means)
        good = (ratio > 1e-4) & (ratio < 15)
        x = np.column_stack([np.ones(good.sum()), 1 / means[good]])
        before = coefficients
        coefficients, converged = gamma_regression(x, dispersions[good], before)
        if not (coefficients > 0).all():
            raise FitError("trend_not_positive")
        if np.sum(np.log(coefficients / before) ** 2) < 1e-6 and converged:
            return coefficients
    raise FitError("trend_not_converged")


def gamma_regression(x: np.ndarray, y: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, bool]:
    """Gamma regression with identity link, as R's ``glm(family = Gamma("identity"), start = start)``.

    Returns
    -------
    coefficients, shape (p,), and whether the deviance settled within 25 rounds

    Raises
    ------
    FitError
        Fewer values than coefficients, or fitted values that cannot be kept positive.
    """
    if len(y) < x.shape[1]:
        raise FitError("too_few_genes_for_trend")
    beta, mu = start, x @ start
    if not (mu > 0).all():
        raise FitError("dispersions_not_positive")
    deviance = _gamma_deviance(y, mu)
    for _ in range(25):
        new = np.linalg.lstsq(x / mu[:, None], y / mu, rcond=None)[0]
        for _ in range(25):
            if (x @ new > 0).all():
                break
            new = (new + beta) / 2
        else:
            raise FitError("dispersions_not_positive")
        before, beta, mu = deviance, new, x @ new
        deviance = _gamma_deviance(y, mu)
        if abs(deviance - before) / (abs(deviance) + 0.1) < 1e-8:
            return beta, True
    return beta, False


def _gamma_deviance(y: np.ndarray, mu: np.ndarray) -> float:
    return float(-2 * np.sum(np.log(y / mu) - (y - mu) / mu))


def _trimmed_mean(values: np.ndarray, share: float) -> float:
    cut = int(np.floor(len(values) * share))
    return float(np.sort(values)[cut : len(values) - cut].mean())


def _local(means: np.ndarray, dispersions: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Local quadratic regression of log dispersion on log mean (Loader 1999), as R's ``locfit`` with its defaults.

    Tricube weights, times the means, over the nearest 70% of genes; fitted at knots, a cubic between them.
    """
    x, y = np.log(means), np.log(dispersions)
    nearest = int(0.7 * len(x))

    def at(knot: float) -> tuple[float, float, float]:
        away = np.abs(x - knot)
        width = np.partition(away, nearest - 1)[nearest - 1]
        weights = np.sqrt(np.maximum(1 - (away / width) ** 3, 0) ** 3 * means)
        basis = np.column_stack([np.ones(len(x)), x - knot, (x - knot) ** 2])
        value, slope, _ = np.linalg.lstsq(basis * weights[:, None], y * weights, rcond=None)[0]
        return value, slope, width

    knots = {float(end): at(end) for end in (x.min(), x.max())}
    intervals = [tuple(knots)]
    while intervals:  # halved as long as they are wide beside the widths of the local fits at their ends
        low, high = intervals.pop()
        if high - low > 0.8 * min(knots[low][2], knots[high][2]):
            middle = (low + high) / 2
            knots[middle] = at(middle)
            intervals += [(low, middle), (middle, high)]
    places = np.array(sorted(knots))
    whole = np.polynomial.Polynomial.fit(x, y, 2, w=np.sqrt(means)).convert()
    values, slopes = np.array([knots[k][:2] for k in places]).T
    rest = CubicHermiteSpline(places, values - whole(places), slopes - whole.deriv()(places))

    def curve(mean: np.ndarray) -> np.ndarray:
        # beyond the ends: the quadratic of all genes, and a straight line of what it leaves
        level = np.log(mean)
        inside = np.clip(level, places[0], places[-1])
        return np.exp(whole(level) + rest(inside) + rest(inside, 1) * (level - inside))

    return curve
