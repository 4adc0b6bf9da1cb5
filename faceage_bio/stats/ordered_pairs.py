"""Sums over all pairs of rows that two orders agree about, in n log n steps instead of n squared."""

import numpy as np

LEAF = 32  # blocks of so many rows are compared pair by pair


def rising(x: np.ndarray) -> tuple[np.ndarray, bool]:
    """Order of the rows by ``x``, of equal values the later row first; and whether there are equal values."""
    order = np.argsort(x)
    ordered = x[order]
    if not (ordered[1:] == ordered[:-1]).any():
        return order, False
    return len(x) - 1 - np.argsort(x[::-1], kind="stable"), True


def ordered_pairs(
    x: np.ndarray, earlier: np.ndarray, later: np.ndarray, by_x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over the pairs whose earlier row has the lower ``x``; equal values make no pair.

    Rows are halved by place again and again, in the order of ``x`` all the while; at each halving running sums pass from the
    earlier half to the later one and back.

    Parameters
    ----------
    x : array of float, shape (n,)
        Rows in the order of time.
    earlier, later : arrays of float, shape (n,)
        What a row gives to its partners where it is the earlier, and where it is the later one.
    by_x : array of int, shape (n,)
        From `rising`: of equal values the later row comes first, so that no running sum counts it.

    Returns
    -------
    arrays, shape (n,)
        Sum of ``earlier`` over the pairs in which a row is the later one; sum of ``later`` over those in which it is the
        earlier one.
    """
    n = len(x)
    halvings = max(0, int(np.ceil(np.log2(max(n, 1) / LEAF))))
    leaf = -(-n // 2**halvings)
    size = leaf << halvings
    at = np.concatenate([by_x, np.arange(n, size)]).astype(np.int32)
    gives, takes = np.zeros(size), np.zeros(size)
    gives[:n], takes[:n] = earlier, later
    above, below = _in_leaves(x, gives, takes, leaf)
    # two numbers in one, so that each halving moves them at once
    pair, sums = (gives + 1j * takes)[at], np.zeros(size, dtype=np.complex128)
    half = size
    for _ in range(halvings):
        half //= 2
        second = ((at // half) & 1).astype(bool)
        lefts, rights = (np.flatnonzero(part).reshape(-1, half) for part in (~second, second))
        move = np.concatenate([lefts, rights], axis=1).ravel()
        at, pair, sums = at[move], pair[move], sums[move]
        own = np.arange(len(lefts))[:, None] * (half - 1) + np.arange(half)  # within the running sums
        given = _running(pair.real.reshape(-1, 2, half)[:, 0])
        sums.real.reshape(-1, 2, half)[:, 1] += given.ravel()[rights - own]
        taken = _running(pair.imag.reshape(-1, 2, half)[:, 1])
        sums.imag.reshape(-1, 2, half)[:, 0] += taken[:, -1:] - taken.ravel()[lefts - own]
    above[at] += sums.real
    below[at] += sums.imag
    return above[:n], below[:n]


def _running(values: np.ndarray) -> np.ndarray:
    """Running sums of each row, from 0 on."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _in_leaves(
    x: np.ndarray, gives: np.ndarray, takes: np.ndarray, leaf: int
) -> tuple[np.ndarray, np.ndarray]:
    padded = np.full(len(gives), np.inf)  # the padding gives and takes nothing
    padded[: len(x)] = x
    blocks = padded.reshape(-1, leaf)
    pair = (blocks[:, :, None] < blocks[:, None, :]) & np.triu(np.ones((leaf, leaf), dtype=bool), 1)
    pair = pair.astype(np.float64)
    return (gives.reshape(-1, 1, leaf) @ pair).ravel(), (pair @ takes.reshape(-1, leaf, 1)).ravel()
