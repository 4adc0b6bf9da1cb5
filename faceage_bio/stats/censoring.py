"""Inverse probability of being uncensored, and how each row moves sums that are weighted by it."""

from dataclasses import dataclass

import numpy as np

DIGITS = 8  # of years; times closer than this are ties


@dataclass(frozen=True, eq=False)
class Censoring:
    """Weights of one horizon.

    ``case``: died by the horizon; ``control``: seen alive at it; all participants else was lost before and weighs nothing. ``free``:
    the Kaplan-Meier curve G of censoring just before each row's time, and just before the horizon for those who reach it.
    """

    case: np.ndarray
    control: np.ndarray
    free: np.ndarray
    _years: np.ndarray
    _losses: np.ndarray  # distinct times before the horizon at which anybody was lost
    _share: np.ndarray  # under observation at each of them
    _hazard: np.ndarray  # lost over share
    _lost_at: np.ndarray  # which of them is the row's own, -1 if none

    def moved(self, parts: np.ndarray) -> np.ndarray:
        """What each row adds, through G, to the sums of ``parts``, which were made with weights 1 / G: shape (n, k), as the parts.

        A part would be larger had a participant been lost before it (martingale of censoring over the number under observation,
        Blanche, Dartigues and Jacqmin-Gadda 2013, doi:10.1002/sim.5958).
        """
        parts = parts.reshape(len(self._years), -1)
        order = np.argsort(self._years, kind="stable")
        running = np.concatenate([np.zeros((1, parts.shape[1])), np.cumsum(parts[order], axis=0)])
        beyond = running[-1] - running[np.searchsorted(self._years, self._losses, "right", sorter=order)]
        beyond = beyond / self._share[:, None]
        passed = np.concatenate(
            [np.zeros((1, parts.shape[1])), np.cumsum(beyond * self._hazard[:, None], axis=0)]
        )
        own = np.where(
            self._lost_at[:, None] >= 0,
            np.append(beyond, np.zeros((1, parts.shape[1])), axis=0)[self._lost_at],
            0.0,
        )
        return own - passed[np.searchsorted(self._losses, self._years, "right")]


def censoring(years: np.ndarray, event: np.ndarray, horizon: float) -> Censoring:
    """Who counts at a horizon, and the weights of those who do.

    Parameters
    ----------
    years, event : arrays, shape (n,)
        End of observation, all from time 0 on, and 1 where it is a death.
    horizon : float
        Who is censored exactly then was alive then.
    """
    years, event = np.round(np.asarray(years, dtype=np.float64), DIGITS), np.asarray(event).astype(bool)
    case = event & (years <= horizon)
    lost = ~event & (years < horizon)
    losses, which, n_lost = np.unique(years[lost], return_inverse=True, return_counts=True)
    ordered, deaths = np.sort(years), np.sort(years[event])
    share = len(years) - np.searchsorted(ordered, losses, "left")
    # who dies at a time is no longer at risk of being censored at it; the variance, as riskRegression's, ignores such ties
    dying = np.searchsorted(deaths, losses, "right") - np.searchsorted(deaths, losses, "left")
    with np.errstate(divide="ignore"):
        curve = np.concatenate([[1.0], np.cumprod(1 - n_lost / (share - dying))])
    free = curve[np.searchsorted(losses, years, "left")]
    lost_at = np.full(len(years), -1)
    lost_at[lost] = which
    return Censoring(case, (years >= horizon) & ~case, free, years, losses, share, n_lost / share, lost_at)
