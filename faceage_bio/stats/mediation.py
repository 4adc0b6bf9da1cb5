"""What of a coefficient goes by way of further columns: the difference of two fits of the same rows, with its bootstrap."""

import numpy as np

BLOCK = 200  # resamples at a time


def coefficients(y: np.ndarray, design: np.ndarray, column: int, counts: np.ndarray) -> np.ndarray:
    """A least-squares coefficient in each resample of the rows.

    Where a resample lacks a level altogether, the solution of least norm is taken, in which that level counts nothing.

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

    In least squares this is the sum of products (exposure on mediator times mediator on outcome) over the mediator's columns.

    Parameters
    ----------
    without, beside : designs of the same rows, in both of which ``column`` is the exposure

    Returns
    -------
    float array, shape (resamples, n_outcomes)
    """
    return coefficients(y, without, column, counts) - coefficients(y, beside, column, counts)
