"""Rows of two models' predictions: calibration, and net benefit of acting on them."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.predictions import SLOPE, Outcome
from faceage_bio.analyses.survival.questions import Asked
from faceage_bio.core.errors import FitError
from faceage_bio.stats.calibration import (
    calibration_curve,
    calibration_groups,
    calibration_in_the_large,
    calibration_slope,
    net_benefit,
)

FEWEST_PER_GROUP = 20  # people
CURVE_POINTS = 41
INNER = (0.025, 0.975)  # share of the people whose predictions the curve spans
THRESHOLD_STEP = 0.01
SPAN = (0.05, 0.95)  # of the predicted risks, between which thresholds lie
RATIO, OBSERVED, SMOOTHED, DISTANCE = (
    "observed/expected ratio",
    "observed risk",
    "smoothed observed risk",
    "integrated calibration index",
)


def calibration_rows(asked: Asked, flattery: dict[tuple[str, float], np.ndarray], groups: int) -> list[dict]:
    """Slope, and at each time the risk observed against the risk predicted: on the whole, by groups, and as a curve.

    Parameters
    ----------
    flattery : optimism of the slope by (measure, time), from the bootstrap
    groups : of equal size by predicted risk, fewer where they would hold too few participants
    """
    outcome, rows = asked.outcome, []
    for number, name in enumerate(asked.names):
        base = asked.held | {"term": name, "model": name}
        rows.append(base | _slope(asked, number, flattery))
        for place, time in enumerate(asked.times):
            at = base | {"horizon": time}
            if why := outcome.why_not(time):
                rows.append(at | {"kind": "in the large", "measure": RATIO, "reason": [why]})
                continue
            rows += [at | row for row in _at(asked.predictions.risk[:, number, place], outcome, time, groups)]
    return rows


def _slope(asked: Asked, number: int, flattery: dict[tuple[str, float], np.ndarray]) -> dict:
    outcome = asked.outcome
    found = calibration_slope(
        asked.predictions.line[:, number],
        *outcome.seen,
        outcome.entry,
        strata=outcome.strata,
        cluster=outcome.cluster,
    )
    excess = flattery[SLOPE, np.nan][number] if flattery else np.nan
    return {
        "kind": "slope", "measure": SLOPE, "estimate": found.estimate, "ci_lower": found.ci_lower, "ci_upper": found.ci_upper,
        "optimism": excess, "corrected": found.estimate - excess, "method": "Cox model of the linear predictor",
    }  # fmt: skip


def _at(risk: np.ndarray, outcome: Outcome, time: float, groups: int) -> list[dict]:
    seen = (risk, *outcome.seen, time, outcome.entry)
    large = calibration_in_the_large(*seen)
    rows = [{
        "kind": "in the large", "measure": RATIO, "estimate": large.estimate, "ci_lower": large.ci_lower,
        "ci_upper": large.ci_upper, "predicted": risk.mean(), "method": "Kaplan-Meier, log-log interval",
    }]  # fmt: skip
    n_groups = max(1, min(groups, len(risk) // FEWEST_PER_GROUP))
    for row in calibration_groups(*seen, n_groups=n_groups).to_dict("records"):
        if row["observed"] == 0:  # limits of 0 and 0 would claim that nobody ever dies
            row |= {"ci_lower": np.nan, "ci_upper": np.nan}
        rows.append({
            "kind": "group", "measure": OBSERVED, "estimate": row.pop("observed"),
            "method": "Kaplan-Meier, log-log interval",
        } | row)  # fmt: skip
    method = "Cox model of the predicted risk (complementary log-log, natural spline)"
    grid = np.linspace(*np.quantile(risk, INNER), CURVE_POINTS)
    try:
        smooth = calibration_curve(*seen, grid=grid)
    except FitError as error:
        return [*rows, {"kind": "distance", "measure": DISTANCE, "reason": [error.reason]}]
    for row in smooth.curve.to_dict("records"):
        rows.append(
            {"kind": "curve", "measure": SMOOTHED, "estimate": row.pop("observed"), "method": method} | row
        )
    distances = {
        DISTANCE: smooth.mean_distance, "median calibration error": smooth.median_distance,
        "90th percentile of the calibration error": smooth.distance_90,
    }  # fmt: skip
    return rows + [
        {"kind": "distance", "measure": measure, "estimate": value, "method": method}
        for measure, value in distances.items()
    ]


def decision_rows(asked: Asked) -> list[dict]:
    """Net benefit over thresholds of the predicted risk, of each model, of treating all and of treating none."""
    outcome, rows = asked.outcome, []
    for place, time in enumerate(asked.times):
        base = asked.held | {"measure": "net benefit", "horizon": time}
        if why := outcome.why_not(time):
            rows.append(base | {"term": "all models", "reason": [why]})
            continue
        risk = asked.predictions.risk[:, :, place]
        # where neither nearly everybody nor hardly anybody would be treated
        first, last = (int(end / THRESHOLD_STEP) for end in np.quantile(risk, SPAN))
        thresholds = [
            round(THRESHOLD_STEP * number, 10) for number in range(max(first, 1), max(last, first, 1) + 1)
        ]
        for number, name in enumerate(asked.names):
            found = net_benefit(risk[:, number], *outcome.seen, time, thresholds, outcome.entry)
            if not number:
                rows += _lines(
                    base | {"term": "treat all"}, found.assign(net_benefit=found["everybody"]), False
                )
                rows += _lines(base | {"term": "treat none"}, found.assign(net_benefit=0.0), False)
            rows += _lines(base | {"term": name, "model": name}, found, True)
    return rows


def _lines(base: dict, found: pd.DataFrame, tell_n: bool) -> list[dict]:
    return [
        base
        | {"threshold": row.threshold, "estimate": row.net_benefit}
        | ({"n_high": row.n_high} if tell_n else {})
        for row in found.itertuples()
    ]
