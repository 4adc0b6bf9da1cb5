"""What a coefficient would be without each row, of many outcomes at once, without fitting anew."""

from dataclasses import dataclass

import numpy as np

from faceage_bio.core.errors import FitError


@dataclass(frozen=True)
class LeaveOneOut:
    """``estimates``: the coefficient without each row, (n, n_outcomes); ``cook``: Cook's distances, same shape; ``leverage``: (n,)."""

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
    leverage = (q**2).sum(axis=1)
    if leverage.max() > 1 - 1e-10:
        raise FitError("single_sample_term")
    scores = q.T @ y
    residuals = y - q @ scores
    weight = q @ np.linalg.solve(r.T, np.eye(p)[column])
    estimate = np.linalg.solve(r, scores)[column]
    moved = weight[:, None] * residuals / (1 - leverage[:, None])
    variance = (residuals**2).sum(axis=0) / (n - p)
    cook = np.divide(residuals**2, p * variance, out=np.zeros_like(residuals), where=variance > 0)
    return LeaveOneOut(estimate - moved, cook * (leverage / (1 - leverage) ** 2)[:, None], leverage)
