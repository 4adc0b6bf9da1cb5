"""Areas under ROC curves where the status at a horizon is not known of everybody: censored follow-up."""

import numpy as np

from faceage_bio.stats.delong import Areas, check_kinds


def status_at(years: np.ndarray, event: np.ndarray, horizon: float) -> np.ndarray:
    """1.0 died by the horizon, 0.0 seen alive at it, NaN lost before: nobody knows."""
    years, event = np.round(np.asarray(years, dtype=np.float64), 8), np.asarray(event, dtype=np.float64)
    died = (event == 1) & (years <= horizon)
    return np.where(died, 1.0, np.where(years >= horizon, 0.0, np.nan))


def censored_areas(ratings: np.ndarray, years: np.ndarray, event: np.ndarray, horizon: float) -> Areas:
    """Areas for death by the horizon, weighted by the inverse probability of being uncensored.

    Cases are those who died by the horizon, each weighted by 1 / G(t-) at its own death, where G is the Kaplan-Meier
    curve of censoring; controls those alive at the horizon, whose common weight cancels (Uno et al. 2007,
    doi:10.1198/016214507000000149; Hung and Chiang 2010, doi:10.1002/cjs.10046). The covariance comes from influence
    functions that include the estimation of G (Blanche, Dartigues and Jacqmin-Gadda 2013, doi:10.1002/sim.5958). Unlike
    leaving out whoever was lost, this is right if people are lost sooner or later for reasons that the ratings do not know.

    Parameters
    ----------
    ratings : float array, shape (n, k)
        Higher means more likely to die; nothing missing.
    years, event : float arrays, shape (n,)
    horizon : float
        Years.

    Raises
    ------
    FitError
        Fewer than two deaths by the horizon, or fewer than two people alive at it.
    """
    years, event = np.round(np.asarray(years, dtype=np.float64), 8), np.asarray(event, dtype=np.float64)
    ratings = np.asarray(ratings, dtype=np.float64).reshape(len(years), -1)
    status, n = status_at(years, event, horizon), len(years)
    case, control = status == 1, status == 0
    check_kinds(int(case.sum()), int(control.sum()))
    free, martingales = _censoring(years, event, horizon)
    weight = np.where(case, 1 / free, 0.0)
    n_control, total = control.sum(), weight.sum()
    above, below = _wins(ratings[case], ratings[control], weight[case] / total)
    area = weight[case] @ above / total
    influence = np.zeros_like(ratings)
    influence[case] += n * weight[case][:, None] * (above - area) / total
    influence[control] += n * (below - area) / n_control
    # a case's weight would be larger had somebody been censored before its death
    influence += n * martingales[:, case] @ (weight[case][:, None] * (above - area)) / total
    centred = influence - influence.mean(axis=0)
    return Areas(
        area, centred.T @ centred / (n - 1) / n, int(case.sum()), int(n_control), int(np.isnan(status).sum())
    )


def _wins(high: np.ndarray, low: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of controls below each case (n_case, k), and of the cases' weights above each control (n_control, k)."""
    above, below = np.empty_like(high), np.empty_like(low)
    for rater in range(high.shape[1]):  # one at a time, as all pairs of all raters fill the memory
        one, other = high[:, rater, None], low[:, rater]
        wins = (one > other) + 0.5 * (one == other)
        above[:, rater], below[:, rater] = wins.mean(axis=1), share @ wins
    return above, below


def _censoring(years: np.ndarray, event: np.ndarray, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """G just before each person's time, and how each person moves log G there.

    Returns
    -------
    float arrays
        shape (n,); and (n, n): row k, column i the integral to just before i's time of k's censoring martingale over the
        share at risk, divided by n.
    """
    times = np.unique(years[(event == 0) & (years < horizon)])
    lost = ((years[:, None] == times) & (event[:, None] == 0)).astype(np.float64)
    present = (years[:, None] >= times).astype(np.float64)
    # who dies at a time is no longer at risk of being censored at it; the variance, as riskRegression's, ignores such ties
    at_risk = present.sum(axis=0) - ((years[:, None] == times) & (event[:, None] == 1)).sum(axis=0)
    hazard = lost.sum(axis=0) / at_risk
    share = present.sum(axis=0)
    steps = (lost - present * lost.sum(axis=0) / share) / share
    before = times[:, None] < years  # (times, people)
    free = np.where(before, 1 - hazard[:, None], 1.0).prod(axis=0)
    return free, steps @ before
