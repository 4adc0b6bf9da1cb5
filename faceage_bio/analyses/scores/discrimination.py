"""Which age makes the better score: concordance and areas at horizons, with intervals and paired differences by bootstrap."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.scores.score_groups import MONTHS
from faceage_bio.core.columns import EVENT, FOLLOWUP
from faceage_bio.core.results.reasons import reason
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.resampling import areas, concordances, draw_counts, percentile_interval

HARRELL, AUC = "Harrell's C", "AUC"
MOST_LOST = 0.05  # share of resamples without a number from which on the row says so


def discrimination_rows(
    people: pd.DataFrame,
    risks: dict[str, pd.Series],
    pairs: Sequence[tuple[str, str]],
    *,
    horizons_months: Sequence[float],
    resamples: int,
    seed: int,
) -> list[dict]:
    """Harrell's C and areas under ROC curves at horizons of each risk, and their differences.

    Participants are resampled, and in each resample all risks are judged on the same participants, so that differences are paired. Cuts
    and coefficients stay those of the whole cohort.

    Parameters
    ----------
    people : DataFrame with follow-up
    risks : name -> float Series by the index of ``people``; higher means sooner
    pairs : (other, first): differences of other minus first
    """
    years, event = people[FOLLOWUP].to_numpy(), people[EVENT].to_numpy()
    method = f"{resamples} paired bootstrap resamples of participants, percentile interval, seed {seed}"
    base = {"question": "discrimination", "n": len(people), "n_events": int(event.sum()), "method": method}
    counts = np.vstack([np.ones(len(people)), draw_counts(len(people), resamples, seed)])
    entry = entry_of(people)
    rows = []
    measures = {(HARRELL, None): lambda risk: concordances(years, event, risk, counts, entry)}
    for horizon in (months / MONTHS for months in horizons_months):
        if entry is None:
            measures[AUC, horizon] = lambda risk, horizon=horizon: areas(years, event, risk, horizon, counts)
        else:
            why = reason("late_entry", method="an area under the ROC curve at a time")
            at = base | {"measure": AUC, "horizon": horizon, "n_events": _deaths_by(years, event, horizon)}
            rows += [at | {"term": name, "reason": why} for name in risks]
    for (measure, horizon), compute in measures.items():
        told = base | {"horizon": horizon, "n_events": _deaths_by(years, event, horizon)}
        found = {name: compute(risk.to_numpy(dtype=np.float64)) for name, risk in risks.items()}
        rows += [
            told | {"term": name, "measure": measure} | _estimate(values) for name, values in found.items()
        ]
        rows += [
            told
            | {"term": f"{other} minus {first}", "measure": f"difference of {measure}"}
            | _estimate(found[other] - found[first])
            for other, first in pairs
            if other in found and first in found
        ]
    return rows


def _deaths_by(years: np.ndarray, event: np.ndarray, horizon: float | None) -> int:
    return int((event[years <= horizon] if horizon is not None else event).sum())


def _estimate(values: np.ndarray) -> dict:
    """The first value is that of the participants themselves, the others those of resamples."""
    if not np.isfinite(values[0]):
        return {"reason": reason("no_cases_or_controls_then")}
    low, high = percentile_interval(values[1:])
    lost = int((~np.isfinite(values[1:])).sum())
    remark = reason("lost_resamples", lost=lost) if lost > MOST_LOST * (len(values) - 1) else None
    return {"estimate": values[0], "ci_lower": low, "ci_upper": high, "reason": remark}
