"""Brier score of predicted risks where follow-up is censored: at one time, integrated, and against no model at all."""

from collections.abc import Sequence

import numpy as np

from faceage_bio.core.errors import FitError
from faceage_bio.stats.censoring import censoring
from faceage_bio.stats.influence import Measured, scaled


def brier(risks: np.ndarray, years: np.ndarray, event: np.ndarray, horizon: float) -> Measured:
    """Mean squared distance of predicted risk and outcome at a horizon, weighted by the inverse probability of being uncensored.

    As riskRegression's ``Score``, errors from influence functions that include the estimation of the weights (Gerds and
    Schumacher 2006, doi:10.1002/bimj.200610301; Blanche et al. 2015, doi:10.1111/biom.12232).

    Parameters
    ----------
    risks : array, shape (n,) or (n, k)
        Predicted probability of having died by the horizon.
    years, event : arrays, shape (n,)
    horizon : float

    Raises
    ------
    FitError
        A risk is missing or no probability, or no participant is followed so long.
    """
    risks = np.asarray(risks, dtype=np.float64).reshape(len(years), -1)
    if not ((risks >= 0) & (risks <= 1)).all():
        raise FitError("bad_risk")
    known = censoring(years, event, horizon)
    if not (known.case.any() or known.control.any()):
        raise FitError("not_followed_so_long")
    weight = np.where(known.case | known.control, 1 / np.where(known.free > 0, known.free, 1.0), 0.0)
    distance = (known.case[:, None] - risks) ** 2 * weight[:, None]
    value = distance.mean(axis=0)
    return Measured(value, scaled(distance - value + known.moved(distance)))


def integrated(scores: Sequence[Measured], times: Sequence[float]) -> Measured:
    """Brier scores averaged over time from 0 (where there is no error yet) to the last of ``times``, by the trapezium rule."""
    times = np.concatenate([[0.0], np.asarray(times, dtype=np.float64)])
    steps = np.diff(times)
    shares = (steps + np.append(steps[1:], 0.0)) / 2 / times[-1]
    value = sum(share * score.value for share, score in zip(shares, scores, strict=True))
    influence = sum(share * score.influence for share, score in zip(shares, scores, strict=True))
    return Measured(value, influence)


def against(scores: Measured, reference: int) -> Measured:
    """Share of the reference's Brier score that each prediction saves (scaled Brier score, index of prediction accuracy).

    The reference usually is the same risk for all participants, that of the Kaplan-Meier curve. 1 is perfect, 0 no better; it may be
    negative. Its own value is 0 without error.
    """
    base = scores.value[reference]
    ratio = scores.value / base
    moved = -scores.influence / base + np.outer(scores.influence[:, reference], ratio / base)
    return Measured(1 - ratio, moved, low=-np.inf, null=0.0)
