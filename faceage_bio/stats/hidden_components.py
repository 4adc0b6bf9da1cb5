"""Hidden components: the directions in which samples differ most once a design is taken out."""

import numpy as np
from scipy.linalg import eigh

from faceage_bio.core.errors import FitError

OUTCOMES = 1000  # at once, so that no second table of all is held


def hidden_components(y: np.ndarray, design: np.ndarray, k: int) -> np.ndarray:
    """First ``k`` left singular vectors of the least-squares residuals, as R's ``svd(resid(lm(y ~ ...)))$u``.

    They are orthogonal to ``design``: put beside it they change no coefficient of it, only the errors. Where a coefficient is to be
    held against what is hidden, its column must not be in ``design``.

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
