"""Dispersions of negative binomial counts as DESeq2 estimates them: gene-wise, their trend and its prior.

The Cox-Reid adjusted profile likelihood is climbed in log dispersion with DESeq2's steps and stopping rule
(Love et al. 2014, doi:10.1186/s13059-014-0550-8): where the likelihood is flat, the place where a search
stops is part of the method.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.special import digamma, gammaln, polygamma

from faceage_bio.core.errors import FitError
from faceage_bio.stats.negative_binomial import Pairs

LEAST = 1e-8  # dispersions are never smaller, nor larger than `largest`
GRID = 20
MOST_STEPS, TOLERANCE = 100, 1e-6  # of a search
TRUSTED = 100 * LEAST  # smaller gene-wise dispersions do not shape the trend
MAD_TO_SD = 1.4826


def largest(n_samples: int) -> float:
    """Upper limit of dispersions."""
    return max(10.0, float(n_samples))


def starting_values(normalised: np.ndarray, design: np.ndarray, size_factors: np.ndarray) -> np.ndarray:
    """The smaller of two moment estimates, shape (n_genes,).

    Parameters
    ----------
    normalised : counts divided by size factors, shape (n_genes, n_samples)
    """
    n, p = design.shape
    fitted = np.maximum(projected(normalised, design), 1.0)
    rough = (((normalised - fitted) ** 2 - fitted) / fitted**2).sum(axis=1) / (n - p)
    mean, variance = normalised.mean(axis=1), normalised.var(axis=1, ddof=1)
    moments = (variance - np.mean(1 / size_factors) * mean) / mean**2
    return np.clip(np.minimum(np.maximum(rough, 0), moments), LEAST, largest(n))


def projected(values: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Least-squares fits of each row of ``values`` (n_genes, n_samples)."""
    q, _ = np.linalg.qr(design)
    return (values @ q) @ q.T


@dataclass(frozen=True)
class Profile:
    """Log of the adjusted profile likelihood, with a normal prior on log dispersion if there is one.

    ``y``, ``mu`` (n_genes, n_samples); ``prior_mean`` (n_genes,) or None.
    """

    y: np.ndarray
    mu: np.ndarray
    pairs: Pairs
    prior_mean: np.ndarray | None = None
    prior_variance: float = 1.0

    def take(self, rows: np.ndarray) -> "Profile":
        prior = None if self.prior_mean is None else self.prior_mean[rows]
        return Profile(self.y[rows], self.mu[rows], self.pairs, prior, self.prior_variance)

    def value(self, log_alpha: np.ndarray) -> np.ndarray:
        alpha = np.exp(log_alpha)[:, None]
        size = 1 / alpha
        total = (gammaln(self.y + size) - gammaln(size)).sum(axis=1)
        total += (self.y * -np.log(self.mu + size) - size * np.log1p(self.mu * alpha)).sum(axis=1)
        information = self.pairs.information(self.mu / (1 + alpha * self.mu))
        total -= 0.5 * np.log(np.maximum(np.linalg.det(information), 0))
        if self.prior_mean is not None:
            total -= 0.5 * (log_alpha - self.prior_mean) ** 2 / self.prior_variance
        return total

    def slope(self, log_alpha: np.ndarray) -> np.ndarray:
        """Derivative by log dispersion."""
        alpha = np.exp(log_alpha)[:, None]
        size = 1 / alpha
        product = self.mu * alpha
        terms = digamma(size) + np.log1p(product) - product / (1 + product)
        terms += self.y / (self.mu + size) - digamma(self.y + size)
        total = size[:, 0] ** 2 * terms.sum(axis=1)
        weights = self.mu / (1 + product)
        information = self.pairs.information(weights)
        change = self.pairs.information(weights**2)  # of the information, with its sign turned
        total += 0.5 * np.trace(np.linalg.solve(information, change), axis1=1, axis2=2)
        total *= alpha[:, 0]
        if self.prior_mean is not None:
            total -= (log_alpha - self.prior_mean) / self.prior_variance
        return total


@dataclass(frozen=True)
class Climb:
    """Where the line search ended: log dispersions, their iterations, first and last value of the profile."""

    log_alpha: np.ndarray
    iterations: np.ndarray
    first: np.ndarray
    last: np.ndarray


def climb(profile: Profile, start: np.ndarray) -> Climb:
    """Gradient ascent with step halving (Armijo), every gene with its own step, genes leaving as they finish."""
    place = start.copy()
    first = profile.value(place)
    last, iterations = first.copy(), np.zeros(len(place), int)
    active, profile_now = np.arange(len(place)), profile
    slope, step, accepted = profile.slope(place), np.ones(len(place)), np.zeros(len(place), int)
    for _ in range(MOST_STEPS):
        if not len(active):
            break
        iterations[active] += 1
        here = place[active]
        ahead = here + step * slope
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where(ahead < -30, (-30 - here) / slope, step)
            step = np.where(ahead > 10, (10 - here) / slope, step)
        ahead = here + step * slope
        value = profile_now.value(ahead)
        good = -value <= -last[active] - step * 1e-4 * slope**2
        accepted += good
        change = value - last[active]
        place[active[good]] = ahead[good]
        flat = good & (change < TOLERANCE)
        last[active[flat]] = value[flat]
        gone = flat | (good & (ahead < np.log(LEAST / 10)))
        moved = good & ~gone
        last[active[moved]] = value[moved]
        step = np.where(moved, np.minimum(step * 1.1, 1.0), step / 2)
        step = np.where(moved & (accepted % 5 == 0), step / 2, step)
        if moved.any():
            slope[moved] = profile_now.take(moved).slope(ahead[moved])
        if gone.any():
            keep = ~gone
            active, slope, step, accepted = active[keep], slope[keep], step[keep], accepted[keep]
            profile_now = profile_now.take(keep)
    return Climb(place, iterations, first, last)


def best_on_grid(profile: Profile, n_samples: int) -> np.ndarray:
    """Log dispersions by trying 20 values, and then 20 around the best."""
    coarse = np.linspace(np.log(LEAST), np.log(largest(n_samples)), GRID)
    width = coarse[1] - coarse[0]
    best = coarse[_best(profile, np.broadcast_to(coarse, (len(profile.y), GRID)))]
    fine = np.linspace(best - width, best + width, GRID, axis=1)
    return np.take_along_axis(fine, _best(profile, fine)[:, None], axis=1)[:, 0]


def _best(profile: Profile, places: np.ndarray) -> np.ndarray:
    return np.argmax(np.stack([profile.value(places[:, k]) for k in range(places.shape[1])], axis=1), axis=1)


def gene_wise(profile: Profile, start: np.ndarray) -> np.ndarray:
    """Dispersions of each gene by itself, shape (n_genes,).

    A search that does not raise the profile keeps its start; one that does not end is replaced by the grid.
    """
    n = profile.y.shape[1]
    found = climb(profile, np.log(start))
    alpha = np.minimum(np.exp(found.log_alpha), largest(n))
    alpha = np.where(found.last < found.first + np.abs(found.first) / 1e6, start, alpha)
    unsettled = ((found.iterations >= MOST_STEPS) | (found.iterations == 1)) & (alpha > 10 * LEAST)
    if unsettled.any():
        alpha[unsettled] = np.exp(best_on_grid(profile.take(unsettled), n))
    return np.clip(alpha, LEAST, largest(n))


def with_prior(profile: Profile, start: np.ndarray) -> np.ndarray:
    """Dispersions drawn towards the profile's prior mean (maximum a posteriori), shape (n_genes,)."""
    n = profile.y.shape[1]
    found = climb(profile, np.log(start))
    alpha = np.exp(found.log_alpha)
    unsettled = found.iterations >= MOST_STEPS
    if unsettled.any():
        alpha[unsettled] = np.exp(best_on_grid(profile.take(unsettled), n))
    return np.clip(alpha, LEAST, largest(n))


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
    centre = float(trimmed_mean(dispersions, 0.001))
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


def trimmed_mean(values: np.ndarray, share: float) -> np.ndarray:
    """Mean along the last axis without this share of the lowest and of the highest values."""
    n = values.shape[-1]
    cut = int(np.floor(n * share))
    return np.sort(values)[..., cut : n - cut].mean(axis=-1)


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
