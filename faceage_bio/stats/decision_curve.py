"""Decision curves: what acting on a predicted risk would bring, where follow-up is censored (Vickers et al. 2008)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.stats.kaplan_meier import checked_times


def net_benefit(
    risk: np.ndarray,
    years: np.ndarray,
    event: np.ndarray,
    horizon: float,
    thresholds: Sequence[float],
    entry: np.ndarray | None = None,
) -> pd.DataFrame:
    """Net benefit of acting on those whose predicted risk reaches a threshold, and of acting on all participants.

    True positives less false positives, of all participants, where a false positive costs the threshold's odds; deaths by the horizon
    among those acted on are estimated by Kaplan-Meier (doi:10.1186/1472-6947-8-53). Acting on no participant brings 0.

    Returns
    -------
    DataFrame, one row per threshold
        threshold, net_benefit, all participants, n_high (participants acted on); NaN where none of those acted on is followed so long.
    """
    risk, thresholds = np.asarray(risk, dtype=np.float64), np.asarray(thresholds, dtype=np.float64)
    high = risk >= thresholds[:, None]
    odds = thresholds / (1 - thresholds)
    alive = _alive(np.vstack([high, np.ones((1, len(risk)), dtype=bool)]), years, event, horizon, entry)
    n_high = high.sum(axis=1)
    benefit = n_high / len(risk) * (1 - alive[:-1] - alive[:-1] * odds)
    return pd.DataFrame({
        "threshold": thresholds, "net_benefit": np.where(n_high > 0, benefit, 0.0),
        "everybody": 1 - alive[-1] - alive[-1] * odds, "n_high": n_high,
    })  # fmt: skip


def _alive(
    groups: np.ndarray, years: np.ndarray, event: np.ndarray, horizon: float, entry: np.ndarray | None
) -> np.ndarray:
    """Share alive at the horizon by Kaplan-Meier in each row of ``groups`` (g, n); NaN where no participant is followed so long."""
    years, event, entry = checked_times(years, event, entry)
    order = np.lexsort((-event, years))  # of a time, deaths before those censored, who were at risk
    years, died, groups = years[order], event[order].astype(bool), groups[:, order]
    left = groups[:, ::-1].cumsum(axis=1)[:, ::-1]  # this row and those after it
    late = np.argsort(entry[order], kind="stable")
    entered = np.concatenate([np.zeros((len(groups), 1)), groups[:, late].cumsum(axis=1)], axis=1)
    to_come = np.searchsorted(entry[order][late], years, "left")
    at_risk = left - (entered[:, -1:] - entered[:, to_come])
    counts = groups & died & (years <= horizon)
    alive = np.where(counts, 1 - 1 / np.maximum(at_risk, 1), 1.0).prod(axis=1)
    followed = (groups & (years >= horizon)).any(axis=1) | (alive == 0)
    return np.where(followed, alive, np.nan)
