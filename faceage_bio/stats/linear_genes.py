"""Least squares of many outcomes on one design, with standard errors that do not assume equal variances."""

import numpy as np
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.blocks import split


def hc3(y: np.ndarray, design: np.ndarray, contrasts: np.ndarray) -> np.ndarray:
    """Weighted sums of coefficients of every outcome: estimate, HC3 standard error, t, two-sided p.

    Equals R's ``coeftest(lm(...), vcovHC(..., type = "HC3"))`` for each column. MacKinnon and White 1985,
    doi:10.1016/0304-4076(85)90158-7.

    Parameters
    ----------
    y : float array, shape (n_samples, n_outcomes)
    design : float array, shape (n_samples, p), of full rank, with its intercept
    contrasts : float array, shape (k, p)

    Returns
    -------
    float array, shape (4, k, n_outcomes)

    Raises
    ------
    FitError
        A sample alone determines a coefficient, so that its residual is zero whatever its value.
    """
    n, p = design.shape
    q, r = np.linalg.qr(design)
    leverage = (q**2).sum(axis=1)
    if leverage.max() > 1 - 1e-10:
        raise FitError("single_sample_term")
    scores = q.T @ y
    influence = np.linalg.solve(r.T, contrasts.T).T @ q.T  # of each sample on each sum, shape (k, n)
    estimate = np.linalg.solve(r.T, contrasts.T).T @ scores
    weights = (influence / (1 - leverage)) ** 2
    parts = split(np.arange(y.shape[1]), n)  # residuals of some outcomes at a time
    squares = [weights @ (y[:, part] - q @ scores[:, part]) ** 2 for part in parts]
    error = np.sqrt(np.concatenate(squares, axis=1))
    t = np.divide(estimate, error, out=np.full_like(estimate, np.nan), where=error > 0)
    return np.stack([estimate, error, t, 2 * stats.t.sf(np.abs(t), n - p)])
