"""Concordance of scores with survival: Harrell's and Uno's C, equal to R's ``survival::concordance``.

Of two participants the one with the higher score should die first. A pair is comparable where one dies while
the other is at risk (who is censored at a time of death still is); equal scores count one half.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError
from faceage_bio.stats.cox_likelihood import TIE
from faceage_bio.stats.prediction_accuracy import CHANCE, Measured

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

    Rows are halved by place again and again, in the order of ``x`` all the while; at each halving running
    sums pass from the earlier half to the later one and back.

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
        Sum of ``earlier`` over the pairs in which a row is the later one; sum of ``later`` over those in
        which it is the earlier one.
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


def concordance(
    years: np.ndarray,
    event: np.ndarray,
    scores: np.ndarray,
    entry: np.ndarray | None = None,
    *,
    strata: np.ndarray | None = None,
    until: float = np.inf,
) -> Measured:
    """Harrell's C of one or more scores: the share of comparable pairs in the right order.

    Errors are the infinitesimal jackknife's, as R's ``concordance``; with delayed entry only participants
    under observation at the same time are compared.

    Parameters
    ----------
    years, event : arrays, shape (n,)
    scores : array of float, shape (n,) or (n, k)
        Higher = should die sooner; nothing missing.
    entry : array of float, shape (n,), optional
        Delayed entry; who enters at a time of death is not yet at risk.
    strata : array, shape (n,), optional
        Labels; only participants of one stratum are compared.
    until : float
        Deaths after this time do not count (R's ``ymax``).

    Raises
    ------
    FitError
        A score is missing, or no pair can be compared.
    """
    pairs = _comparable(years, event, entry, strata, until)
    return _measure(pairs, scores, pairs.event.astype(np.float64))


def uno_concordance(
    years: np.ndarray,
    event: np.ndarray,
    scores: np.ndarray,
    *,
    strata: np.ndarray | None = None,
    until: float,
) -> Measured:
    """Uno's C: pairs weighted by 1 / G(t-)^2, so that it does not depend on how participants were censored.

    G is the Kaplan-Meier curve of censoring (Uno et al. 2011, doi:10.1002/sim.4154). Equal to R's
    ``concordance`` with ``timewt = "n/G2"``, whose errors take G as known. Arguments and errors as
    `concordance`; ``until`` should be a time at which participants are still under observation, as single
    pairs weigh much beyond it.
    """
    pairs = _comparable(years, event, None, strata, until)
    return _measure(pairs, scores, np.where(pairs.event, 1 / _uncensored(pairs) ** 2, 0.0))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Rows in the order of stratum and time: ``turn`` numbers a time's deaths, then those censored or entering at it."""

    order: np.ndarray  # (n,) the caller's row at each place
    stratum: np.ndarray  # (n,)
    turn: np.ndarray  # (n,) rises with stratum, time and, within one time, from deaths to the others
    event: np.ndarray  # (n,) deaths that count
    any_event: np.ndarray  # (n,)
    enters: np.ndarray | None  # (n,) the turn of the entry


def _comparable(
    years: np.ndarray, event: np.ndarray, entry: np.ndarray | None, strata: np.ndarray | None, until: float
) -> _Pairs:
    years, died = np.asarray(years, dtype=np.float64), np.asarray(event).astype(bool)
    n = len(years)
    times = years if entry is None else np.concatenate([years, np.asarray(entry, dtype=np.float64)])
    by_time = np.argsort(times)
    ticks = _ranks(times, by_time, near=True)
    stratum = np.zeros(n, dtype=np.int64)
    if strata is not None:
        stratum = pd.factorize(pd.Series(np.asarray(strata)))[0]
    if (stratum < 0).any():
        raise FitError("missing_label", label="stratum")
    first = stratum * 2 * (int(ticks.max(initial=0)) + 1)  # of the stratum
    turn = first + 2 * ticks[:n] + ~died
    order = by_time[by_time < n]
    order = order[np.argsort(turn[order], kind="stable")]  # quick, as it is nearly sorted
    counted = died & (years <= until + TIE)
    enters = None if entry is None else (first + 2 * ticks[n:] + 1)[order]
    return _Pairs(order, stratum[order], turn[order], counted[order], died[order], enters)


def _uncensored(pairs: _Pairs) -> np.ndarray:
    """Kaplan-Meier curve of censoring just before each row's time, within its stratum; deaths of a time go before it."""
    first, start = _first(pairs.turn), _first(pairs.stratum)
    at_risk = np.searchsorted(pairs.stratum, pairs.stratum, "right") - first
    lost = np.bincount(first, weights=~pairs.any_event, minlength=len(first))
    # where the last ones of a stratum are censored the curve falls to 0, but nobody comes after it
    stays = np.where(lost < at_risk, 1 - lost / at_risk, 1.0)
    before = np.concatenate([[0.0], np.cumsum(np.log(stays))])
    return np.exp(before[first] - before[start])


def _measure(pairs: _Pairs, scores: np.ndarray, weight: np.ndarray) -> Measured:
    scores = np.asarray(scores, dtype=np.float64)
    scores = scores.reshape(len(scores), -1)[pairs.order]
    if np.isnan(scores).any():
        raise FitError("missing_label", label="score")
    values, influence = np.empty(scores.shape[1]), np.empty_like(scores)
    for number, score in enumerate(scores.T):
        excess, total = _sums(pairs.turn, pairs.stratum, score, weight, np.ones(len(score)))
        if pairs.enters is not None:
            late_excess, late_total = _not_yet_at_risk(pairs, score, weight)
            excess, total = excess - late_excess, total - late_total
        n_pairs = total.sum() / 2
        if not n_pairs > 0:
            raise FitError("no_pairs")
        somers = excess.sum() / 2 / n_pairs
        values[number] = (1 + somers) / 2
        influence[pairs.order, number] = (excess - somers * total) / n_pairs / 2
    return Measured(values, influence, null=CHANCE)


def _not_yet_at_risk(pairs: _Pairs, score: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`_sums` over the pairs of a death and a participant who enters at it or later."""
    enters = np.asarray(pairs.enters)
    n = len(score)
    order = np.argsort(np.concatenate([pairs.turn, enters]))

    def listed(of_deaths: np.ndarray, of_entries: np.ndarray) -> np.ndarray:
        return np.concatenate([of_deaths, of_entries])[order]

    turn, stratum, scores = (
        listed(pairs.turn, enters),
        listed(pairs.stratum, pairs.stratum),
        listed(score, score),
    )
    found = _sums(turn, stratum, scores, listed(weight, np.zeros(n)), listed(np.zeros(n), np.ones(n)))
    back = np.argsort(order)
    excess, total = (part[back][:n] + part[back][n:] for part in found)
    return excess, total


def _sums(
    turn: np.ndarray, stratum: np.ndarray, score: np.ndarray, gives: np.ndarray, takes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each row, over its comparable pairs: weight of the concordant less that of the discordant, and of all.

    A pair is a row with ``gives`` (a death) and one of a later turn and the same stratum with ``takes``; rows
    come sorted by turn.
    """
    n = len(turn)
    rank = score
    if stratum[0] != stratum[-1]:
        # falling from stratum to stratum, so that no pair of two strata has the earlier row below the later one
        rank = _ranks(score, np.argsort(score))
        rank = (rank - stratum * (int(rank.max()) + 1)).astype(np.float64)
    order = _falling_within(turn, rank)
    by_rank, tied_ranks = rising(rank[order])
    below, above = np.empty(n), np.empty(n)
    below[order], above[order] = ordered_pairs(rank[order], gives[order], takes[order], by_rank)
    before, after = _passed(stratum, turn, gives, takes)
    excess = takes * (before - 2 * below) + gives * (after - 2 * above)
    if tied_ranks:
        level = _ranks(rank, np.argsort(rank))
        tied = np.lexsort((turn, level))
        equal = _passed(level[tied], turn[tied], gives[tied], takes[tied])
        excess[tied] -= takes[tied] * equal[0] + gives[tied] * equal[1]
    return excess, takes * before + gives * after


def _falling_within(turn: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Order in which those of one turn, who are no pair, fall in rank, so that none of them has the earlier one below."""
    order = np.arange(len(turn))
    same = turn[1:] == turn[:-1]
    shared = np.flatnonzero(np.append(same, False) | np.append(False, same))
    order[shared] = shared[np.lexsort((-rank[shared], turn[shared]))]
    return order


def _passed(
    level: np.ndarray, turn: np.ndarray, gives: np.ndarray, takes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of ``gives`` over the rows of the same level with a smaller turn, and of ``takes`` over those with a larger one.

    Rows come sorted by level and turn.
    """
    given, taken = (np.concatenate([[0.0], np.cumsum(part)]) for part in (gives, takes))
    # neighbours of one level and turn share a first and a last place
    same = np.concatenate([[False], (level[1:] == level[:-1]) & (turn[1:] == turn[:-1])])
    group = np.cumsum(~same) - 1
    starts = np.flatnonzero(~same)
    ends = np.append(starts[1:], len(level))
    before = given[starts[group]] - given[_first(level)]
    after = taken[len(level) - _first(level[::-1])[::-1]] - taken[ends[group]]
    return before, after


def _first(values: np.ndarray) -> np.ndarray:
    """Place of the first of each run of equal values."""
    starts = np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]
    return np.maximum.accumulate(np.where(starts, np.arange(len(values)), 0))


def _ranks(values: np.ndarray, order: np.ndarray, near: bool = False) -> np.ndarray:
    """Number of each value among the distinct ones; values as near as `risk_sets` takes times for ties may count as equal."""
    ordered = values[order]
    gap = np.diff(ordered)
    new = gap > 0
    if near and len(gap):
        distinct = np.abs(ordered[np.concatenate([[True], new])])
        new = gap > TIE * max(1.0, distinct.mean())
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(new)])[: len(values)]
    return ranks
