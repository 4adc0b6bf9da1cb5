"""Which age makes the better score: concordance and areas at horizons, with intervals and paired differences by bootstrap."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.columns import EVENT, FOLLOWUP
from faceage_bio.observation import entry_of
from faceage_bio.scores.groups import MONTHS
from faceage_bio.stats.resampling import areas, concordances, draw_counts, percentile_interval

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

    People are resampled, and in each resample all risks are judged on the same people, so that differences are paired. Cuts
    and coefficients stay those of the whole cohort.

    Parameters
    ----------
    people : DataFrame with follow-up
    risks : name -> float Series by the index of ``people``; higher means sooner
    pairs : (other, first): differences of other minus first
    """
    years, event = people[FOLLOWUP].to_numpy(), people[EVENT].to_numpy()
    method = f"{resamples} paired bootstrap resamples of people, percentile interval, seed {seed}"
    base = {"analysis": "discrimination", "n": len(people), "n_events": int(event.sum()), "method": method}
    counts = np.vstack([np.ones(len(people)), draw_counts(len(people), resamples, seed)])
    entry = entry_of(people)
    rows, deaths = [], {}
    measures = {"Harrell's C": lambda risk: concordances(years, event, risk, counts, entry)}
    for months in horizons_months:
        measure = f"AUC at {months:g} months"
        deaths[measure] = int(((event == 1) & (years <= months / MONTHS)).sum())
        if entry is None:
            measures[measure] = lambda risk, months=months: areas(years, event, risk, months / MONTHS, counts)
        else:
            why = "not estimated, because somebody enters after the photo, and areas at a horizon do not allow for it"
            rows += [base | {"term": name, "measure": measure, "note": why} for name in risks]
    for measure, compute in measures.items():
        told = base | {"n_events": deaths.get(measure, base["n_events"])}
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


def _estimate(values: np.ndarray) -> dict:
    """The first value is that of the people themselves, the others those of resamples."""
    if not np.isfinite(values[0]):
        return {"note": "not estimated, because nobody died by then or nobody is known to be alive then"}
    low, high = percentile_interval(values[1:])
    lost = int((~np.isfinite(values[1:])).sum())
    note = f"{lost} resamples gave no number" if lost > MOST_LOST * (len(values) - 1) else ""
    return {"estimate": values[0], "ci_lower": low, "ci_upper": high, "note": note}
