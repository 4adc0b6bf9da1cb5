"""Decision curves: what acting on a predicted risk would bring, where follow-up is censored (Vickers et al. 2008)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.stats.calibration import observed_risk


def net_benefit(
    risk: np.ndarray,
    years: np.ndarray,
    event: np.ndarray,
    horizon: float,
    thresholds: Sequence[float],
    entry: np.ndarray | None = None,
) -> pd.DataFrame:
    """Net benefit of acting on those whose predicted risk reaches a threshold, and of acting on everybody.

    True positives less false positives, of all people, where a false positive costs the threshold's odds; deaths by the horizon
    among those acted on are estimated by Kaplan-Meier (doi:10.1186/1472-6947-8-53). Acting on nobody brings 0.

    Returns
    -------
    DataFrame, one row per threshold
        threshold, net_benefit, everybody, n_high (people acted on); NaN where none of those acted on is followed so long.
    """
    risk, years, event = (np.asarray(part, dtype=np.float64) for part in (risk, years, event))
    alive = _alive(years, event, horizon, entry)
    rows = []
    for threshold in thresholds:
        odds = threshold / (1 - threshold)
        high = risk >= threshold
        benefit = 0.0
        if high.any():
            late = None if entry is None else np.asarray(entry)[high]
            benefit = high.mean() * _benefit(_alive(years[high], event[high], horizon, late), odds)
        rows.append(
            {
                "threshold": threshold,
                "net_benefit": benefit,
                "everybody": _benefit(alive, odds),
                "n_high": int(high.sum()),
            }
        )
    return pd.DataFrame(rows)


def _benefit(alive: float, odds: float) -> float:
    return (1 - alive) - alive * odds


def _alive(years: np.ndarray, event: np.ndarray, horizon: float, entry: np.ndarray | None) -> float:
    return 1 - observed_risk(years, event, horizon, entry).estimate
