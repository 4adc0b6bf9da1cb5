"""Kaplan-Meier curves by groups of face age declared beforehand, and what a reader asks first of follow-up."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from faceage_bio.columns import COHORT, ENTRY, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.stats.kaplan_meier import Median, kaplan_meier, log_rank, median, median_followup
from faceage_bio.tables import result_rows

INTERVAL = "Kaplan-Meier, log-log interval"


def face_age_groups(face_age: pd.Series, cut_points: Sequence[float]) -> pd.Series:
    """Labels such as "<= 65", "65-75", "> 75"; a face age at a cut-point belongs to the younger group."""
    edges = sorted(cut_points)
    names = [f"<= {edges[0]:g}"]
    names += [f"{low:g}-{high:g}" for low, high in pairwise(edges)]
    names.append(f"> {edges[-1]:g}")
    return pd.cut(face_age, [-np.inf, *edges, np.inf], labels=names).astype(
        pd.CategoricalDtype(names, ordered=True)
    )


def curves_by_group(usable: pd.DataFrame, cut_points: Sequence[float], cohort: str) -> pd.DataFrame:
    """One curve for everybody (group "all") and one per group that has people."""
    columns = [COHORT, "group", "years", "at_risk", "events", "censored", "survival", "ci_lower", "ci_upper"]
    if usable[ENTRY].fillna(0).gt(0).any() or not len(usable):
        return pd.DataFrame(
            columns=columns
        )  # the curve of late entrants is not this estimator's; the summary says so
    groups = face_age_groups(usable[FACE_AGE], cut_points)
    parts = [kaplan_meier(usable[FOLLOWUP], usable[EVENT]).assign(group="all")]
    for name in groups.cat.categories:
        people = usable[groups == name]
        if len(people):
            parts.append(kaplan_meier(people[FOLLOWUP], people[EVENT]).assign(group=name))
    return pd.concat(parts, ignore_index=True).assign(**{COHORT: cohort})[columns]


def summarise(usable: pd.DataFrame, n_all: int, cut_points: Sequence[float], cohort: str) -> pd.DataFrame:
    """Deaths, median follow-up, median survival per group and the log-rank test."""
    base = {COHORT: cohort, "analysis": "survival", "n": len(usable), "n_events": int(usable[EVENT].sum())}
    if not len(usable):
        why = f"not estimated, because no follow-up is known of any of {n_all} people"
        return result_rows([base | {"term": "all", "measure": "median survival, years", "note": why}])
    if usable[ENTRY].fillna(0).gt(0).any():
        why = "not estimated, because somebody enters after the photo; see the Cox models, which allow for it"
        return result_rows([base | {"term": "all", "measure": "median survival, years", "note": why}])
    rows = [
        base
        | _median("all", "median follow-up, years", median_followup(usable[FOLLOWUP], usable[EVENT]))
        | {"model": "reverse Kaplan-Meier, log-log interval"}
    ]
    rows.append(
        base
        | _median("all", "median survival, years", median(kaplan_meier(usable[FOLLOWUP], usable[EVENT])))
        | {"model": INTERVAL}
    )
    groups = face_age_groups(usable[FACE_AGE], cut_points)
    for name in groups.cat.categories:
        people = usable[groups == name]
        counted = base | {"n": len(people), "n_events": int(people[EVENT].sum()), "model": INTERVAL}
        if len(people):
            rows.append(
                counted
                | _median(
                    f"face age {name}",
                    "median survival, years",
                    median(kaplan_meier(people[FOLLOWUP], people[EVENT])),
                )
            )
        else:
            rows.append(
                counted
                | {
                    "term": f"face age {name}",
                    "measure": "median survival, years",
                    "note": "not estimated, because the group is empty",
                }
            )
    chi_square, degrees, p_value = log_rank(usable[FOLLOWUP], usable[EVENT], groups.astype(str))
    row = base | {
        "term": "face age groups",
        "measure": f"log-rank chi-square, {degrees} df",
        "estimate": chi_square,
        "p_value": p_value,
        "model": "log-rank",
    }
    rows.append(
        row | ({"note": "not estimated, because there is one group only"} if np.isnan(p_value) else {})
    )
    return result_rows(rows)


def _median(term: str, measure: str, found: Median) -> dict:
    note = "" if np.isfinite(found.estimate) else "not reached"
    return {"term": term, "measure": measure, "note": note} | found.__dict__
