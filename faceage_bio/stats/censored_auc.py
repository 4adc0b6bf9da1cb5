"""Areas under ROC curves where the status at a horizon is not known of all participants: censored follow-up."""

import numpy as np

from faceage_bio.stats.censoring import censoring
from faceage_bio.stats.delong import CHANCE, Areas, check_kinds
from faceage_bio.stats.influence import Measured, scaled


def status_at(years: np.ndarray, event: np.ndarray, horizon: float) -> np.ndarray:
    """1.0 died by the horizon, 0.0 seen alive at it, NaN lost before: no participant knows."""
    known = censoring(years, event, horizon)
    return np.where(known.case, 1.0, np.where(known.control, 0.0, np.nan))


def censored_areas(ratings: np.ndarray, years: np.ndarray, event: np.ndarray, horizon: float) -> Areas:
    """The same as `censored_auc`, in the form that inference over readers takes."""
    found, known = censored_auc(ratings, years, event, horizon), censoring(years, event, horizon)
    case, control = int(known.case.sum()), int(known.control.sum())
    return Areas(found.value, found.covariance, case, control, len(known.case) - case - control)


def censored_auc(ratings: np.ndarray, years: np.ndarray, event: np.ndarray, horizon: float) -> Measured:
    """Areas for death by the horizon (cumulative/dynamic AUC), weighted by the inverse probability of being uncensored.

    Cases are those who died by the horizon, each weighted by 1 / G(t-) at its own death, where G is the Kaplan-Meier
    curve of censoring; controls those alive at the horizon, whose common weight cancels (Uno et al. 2007,
    doi:10.1198/016214507000000149; Hung and Chiang 2010, doi:10.1002/cjs.10046). The errors come from influence
    functions that include the estimation of G (Blanche, Dartigues and Jacqmin-Gadda 2013, doi:10.1002/sim.5958), and equal
    riskRegression's. Unlike leaving out whoever was lost, this is right if participants are lost sooner or later for reasons that
    the ratings do not know.

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
        Fewer than two deaths by the horizon, or fewer than two participants alive at it.
    """
    ratings = np.asarray(ratings, dtype=np.float64).reshape(len(years), -1)
    known, n = censoring(years, event, horizon), len(ratings)
    case, control = known.case, known.control
    check_kinds(int(case.sum()), int(control.sum()))
    weight = 1 / known.free[case]
    share = weight / weight.sum()
    area, influence = np.empty(ratings.shape[1]), np.zeros_like(ratings)
    for number, rating in enumerate(ratings.T):
        above, below = _wins(rating[case], rating[control], share)
        area[number] = share @ above
        influence[case, number] = n * share * (above - area[number])
        influence[control, number] = n * (below - area[number]) / len(below)
    parts = np.where(case[:, None], influence, 0.0)
    return Measured(area, scaled(influence + known.moved(parts)), null=CHANCE)


def _wins(high: np.ndarray, low: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of controls below each case, and of the cases' weights above each control; ties count one half."""
    above = _below(low, np.ones(len(low)), high) / len(low)
    return above, share.sum() - _below(high, share, low)


def _below(values: np.ndarray, weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weight of the ``values`` below each of ``at``, half of those equal to it."""
    order = np.argsort(values)
    running = np.concatenate([[0.0], np.cumsum(weights[order])])
    upto, under = (running[np.searchsorted(values[order], at, side)] for side in ("right", "left"))
    return (upto + under) / 2
