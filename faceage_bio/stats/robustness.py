"""How robust an association is: unmeasured confounding (E-value, hidden components), mediation, single rows."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import leverages

BLOCK = 200  # resamples at a time
OUTCOMES = 1000  # at once, so that no second table of all is held


@dataclass(frozen=True)
class EValue:
    """Risk ratio that the confounder must have with both, for the estimate and for the interval's end nearer to none.

    ``risk_ratio`` is what the difference amounts to.
    """

    estimate: float
    interval: float
    risk_ratio: float


def e_value_of_difference(difference: float, standard_error: float, sigma: float) -> EValue:
    """E-value of a difference of means (VanderWeele and Ding 2017, doi:10.7326/M16-2607).

    The difference in standard deviations d is taken for a risk ratio exp(0.91 d), with the interval exp(0.91
    d ± 1.78 SE); sigma counts as known, as in the R package EValue.

    Parameters
    ----------
    difference, standard_error : float, in the units of the outcome
    sigma : float
        Residual standard deviation of the outcome.
    """
    d, error = difference / sigma, standard_error / sigma
    low, high = np.exp(0.91 * d - 1.78 * error), np.exp(0.91 * d + 1.78 * error)
    nearer = 1.0 if low <= 1 <= high else (low if d > 0 else high)
    return EValue(_e_value(np.exp(0.91 * d)), _e_value(nearer), float(np.exp(0.91 * d)))


def _e_value(risk_ratio: float) -> float:
    ratio = max(risk_ratio, 1 / risk_ratio)
    return float(ratio + np.sqrt(ratio * (ratio - 1)))


def coefficients(y: np.ndarray, design: np.ndarray, column: int, counts: np.ndarray) -> np.ndarray:
    """A least-squares coefficient in each resample of the rows.

    Where a resample lacks a level altogether, the solution of least norm is taken, in which that level counts
    nothing.

    Parameters
    ----------
    y : float array, shape (n, n_outcomes)
    design : float array, shape (n, p)
    counts : float array, shape (resamples, n)
        How often each row was drawn; ones give the fit itself.

    Returns
    -------
    float array, shape (resamples, n_outcomes)
    """
    n, p = design.shape
    squares = (design[:, :, None] * design[:, None, :]).reshape(n, p * p)
    found = []
    for start in range(0, len(counts), BLOCK):
        drawn = counts[start : start + BLOCK]
        inverse = np.linalg.pinv((drawn @ squares).reshape(-1, p, p), hermitian=True)
        # (X'WX)^-1 X'W y, of the wanted row alone
        found.append(((inverse[:, column] @ design.T) * drawn) @ y)
    return np.concatenate(found)


def by_way_of(
    y: np.ndarray, without: np.ndarray, beside: np.ndarray, column: int, counts: np.ndarray
) -> np.ndarray:
    """Coefficient in the design without the mediator minus that in the design with it, in each resample.

    In least squares this is the sum of products (exposure on mediator times mediator on outcome) over the
    mediator's columns.

    Parameters
    ----------
    without, beside : designs of the same rows, in both of which ``column`` is the exposure

    Returns
    -------
    float array, shape (resamples, n_outcomes)
    """
    return coefficients(y, without, column, counts) - coefficients(y, beside, column, counts)


@dataclass(frozen=True)
class LeaveOneOut:
    """``estimates``: the coefficient without each row, (n, n_outcomes); ``cook``: Cook's distances, same
    shape; ``leverage``: (n,).
    """

    estimates: np.ndarray
    cook: np.ndarray
    leverage: np.ndarray


def leave_one_out(y: np.ndarray, design: np.ndarray, column: int) -> LeaveOneOut:
    """Equals R's ``coef(fit) - dfbeta(fit)``, ``cooks.distance`` and ``hatvalues`` of ``lm``.

    Parameters
    ----------
    y : float array, shape (n, n_outcomes)
    design : float array, shape (n, p), of full rank, with its intercept
    column : the coefficient

    Raises
    ------
    FitError
        A row alone determines a coefficient.
    """
    n, p = design.shape
    q, r = np.linalg.qr(design)
    leverage, scores = leverages(q), q.T @ y
    residuals = y - q @ scores
    weight = q @ np.linalg.solve(r.T, np.eye(p)[column])
    estimate = np.linalg.solve(r, scores)[column]
    moved = weight[:, None] * residuals / (1 - leverage[:, None])
    variance = (residuals**2).sum(axis=0) / (n - p)
    cook = np.divide(residuals**2, p * variance, out=np.zeros_like(residuals), where=variance > 0)
    return LeaveOneOut(estimate - moved, cook * (leverage / (1 - leverage) ** 2)[:, None], leverage)


def hidden_components(y: np.ndarray, design: np.ndarray, k: int) -> np.ndarray:
    """First ``k`` left singular vectors of the least-squares residuals, as R's ``svd(resid(lm(y ~ ...)))$u``.

    They are orthogonal to ``design``: put beside it they change no coefficient of it, only the errors. Where
    a coefficient is to be held against what is hidden, its column must not be in ``design``.

    Parameters
    ----------
    y : float array, shape (n_samples, n_outcomes)
    design : float array, shape (n_samples, p), of full rank, with its intercept
    k : int, at least 1

    Returns
    -------
    float array, shape (n_samples, k), orthonormal; the sign of each is arbitrary

    Raises
    ------
    FitError
        Fewer directions than ``k`` are left.
    """
    q, _ = np.linalg.qr(design)
    left = min(len(y) - design.shape[1], y.shape[1])
    # of many outcomes the small matrix of samples has the same vectors
    products = np.zeros((len(y), len(y)))
    for first in range(0, y.shape[1], OUTCOMES):
        some = y[:, first : first + OUTCOMES]
        residuals = some - q @ (q.T @ some)
        products += residuals @ residuals.T
    largest = [len(y) - min(k, left), len(y) - 1]
    values, vectors = eigh(products, subset_by_index=largest) if left else (np.zeros(1), products)
    if left < k or values[0] <= 1e-10 * max(values[-1], 1e-300):
        raise FitError("too_few_directions", needed=k)
    return vectors[:, ::-1]
