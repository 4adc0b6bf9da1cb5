"""Hidden components: the directions in which samples differ most once a design is taken out."""

import numpy as np

from faceage_bio.core.errors import FitError


def hidden_components(y: np.ndarray, design: np.ndarray, k: int) -> np.ndarray:
    """First ``k`` left singular vectors of the least-squares residuals, as R's ``svd(resid(lm(y ~ ...)))$u``.

    They are orthogonal to ``design``: put beside it they change no coefficient of it, only the errors. Where a coefficient is to be
    held against what is hidden, its column must not be in ``design``.

    Parameters
    ----------
    y : float array, shape (n_samples, n_outcomes)
    design : float array, shape (n_samples, p), of full rank, with its intercept

    Returns
    -------
    float array, shape (n_samples, k), orthonormal; the sign of each is arbitrary

    Raises
    ------
    FitError
        Fewer directions than ``k`` are left.
    """
    q, _ = np.linalg.qr(design)
    residuals = y - q @ (q.T @ y)
    left = min(len(y) - design.shape[1], y.shape[1])
    # of many outcomes the small matrix of samples has the same vectors
    values, vectors = np.linalg.eigh(residuals @ residuals.T)
    if left < k or (k and values[-k] <= 1e-10 * max(values[-1], 1e-300)):
        raise FitError("too_few_directions", needed=k)
    return vectors[:, ::-1][:, :k]
