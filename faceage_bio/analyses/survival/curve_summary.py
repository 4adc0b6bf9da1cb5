"""What is read off curves: follow-up, medians, survival at fixed times, restricted means, and tests between the groups.

Nothing is read beyond the last time anybody of a group was followed; what cannot be told keeps its row and says why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import of_question
from faceage_bio.analyses.survival.curves import ALL, Group, curve_of, each_group, late_entry
from faceage_bio.analyses.survival.follow_up import why_none
from faceage_bio.analyses.survival.groupings import Grouping
from faceage_bio.core.columns import EVENT, FOLLOWUP
from faceage_bio.core.errors import CohortError, FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows, tested
from faceage_bio.stats import kaplan_meier as rmst
from faceage_bio.stats.kaplan_meier import (
    Interval,
    Quantile,
    Test,
    height_at,
    log_rank,
    log_rank_trend,
    median,
    median_followup,
    scores_of,
)


@dataclass(frozen=True)
class Reading:
    """What is read: the settings of the same names under ``survival``."""

    times_years: Sequence[float] = (0.5, 1.0, 2.0, 5.0)
    rmst_years: float = 3.0
    interval: Interval = "log-log"
    log_rank_strata: Sequence[str] = ()
    fleming_harrington: tuple[float, float] | None = None


def summarise(
    usable: pd.DataFrame, groupings: Sequence[Grouping], reading: Reading, cohort: str
) -> pd.DataFrame:
    """Result rows, question "survival", with ``grouping`` and ``group``.

    Measures of each group: median follow-up, median survival, survival at each time, restricted mean within the horizon. Of
    each group against the first of its grouping: difference and ratio of restricted means. Of each grouping: log-rank test,
    trend if it is ordered, Fleming and Harrington's test if asked for.

    Parameters
    ----------
    usable : participants with follow-up on the chosen time
    """
    base = of_question(cohort, "survival")
    if not len(usable):
        row = base | {"grouping": ALL, "group": ALL, "term": "all", "measure": MEDIAN, "n": 0, "n_events": 0}
        return result_rows([row | {"reason": why_none(usable)}], "survival/summary")
    means: dict[tuple[str, str], rmst.RestrictedMean] = {}
    rows = [row for group in each_group(usable, groupings) for row in _of_group(group, reading, means)]
    for grouping in groupings:
        rows += _contrasts(usable, grouping, reading, means)
        rows += _tests(usable, grouping, reading)
    return result_rows([base | row for row in rows], "survival/summary")


MEDIAN, FOLLOW_UP, SURVIVAL, RMST = (
    "median survival",
    "median follow-up",
    "survival",
    "restricted mean survival time",
)


def _of_group(group: Group, reading: Reading, means: dict) -> list[dict]:
    people, kind = group.people, f"{reading.interval} interval"
    base = {
        "grouping": group.grouping, "group": group.name, "term": group.term, "n": len(people),
        "n_events": int(people[EVENT].sum()),
    }  # fmt: skip
    follow_up = {"measure": FOLLOW_UP, "model": f"reverse Kaplan-Meier, {kind}"}
    of_curve = [
        {"measure": MEDIAN, "model": f"Kaplan-Meier, {kind}"},
        *({"measure": SURVIVAL, "horizon": t, "model": f"Kaplan-Meier, {kind}"} for t in reading.times_years),
        {"measure": RMST, "horizon": reading.rmst_years, "model": "area under Kaplan-Meier, Wald interval"},
    ]
    try:
        curve, remarks = curve_of(group, reading.interval)
    except FitError as error:
        return [base | about | {"reason": error.reason} for about in (follow_up, *of_curve)]
    reverse = median_followup(group.years, group.event, group.entry, interval=reading.interval)
    heights = height_at(curve, np.asarray(reading.times_years, dtype=np.float64)).to_dict("records")
    found = [
        _quantile(median(curve)),
        *map(_height, heights),
        _attempt(lambda: _mean(group, curve, reading, means)),
    ]
    rows = [base | follow_up | _quantile(reverse)]
    for about, numbers in zip(of_curve, found, strict=True):
        rows.append(base | about | numbers | {"reason": [*numbers.get("reason", ()), *remarks]})
    return rows


def _because(why: Reason) -> dict:
    return {"reason": [why]}


def _attempt(compute: Callable[[], dict]) -> dict:
    try:
        return compute()
    except FitError as error:
        return _because(error.reason)


def _quantile(found: Quantile) -> dict:
    return found.__dict__ | {"reason": [] if np.isfinite(found.estimate) else [reason("not_reached")]}


def _height(row: dict) -> dict:
    if np.isnan(row["survival"]):
        return _because(reason("not_followed_so_long"))
    known = {"estimate": row["survival"], "ci_lower": row["ci_lower"], "ci_upper": row["ci_upper"]}
    if row["events"] == 0:  # limits of 1 and 1 would claim that no participant ever dies
        return known | {"ci_lower": np.nan, "ci_upper": np.nan} | _because(reason("no_death_by_then"))
    died = [reason("all_died_by_then")] if row["survival"] == 0 else []
    return known | {"standard_error": row["standard_error"], "reason": died}


def _mean(group: Group, curve: pd.DataFrame, reading: Reading, means: dict) -> dict:
    found = rmst.restricted_mean(curve, reading.rmst_years)
    means[group.grouping, group.name] = found
    return {
        "estimate": found.estimate, "ci_lower": found.ci_lower, "ci_upper": found.ci_upper, "standard_error": found.standard_error,
    }  # fmt: skip


def _contrasts(usable: pd.DataFrame, grouping: Grouping, reading: Reading, means: dict) -> list[dict]:
    """Each group's restricted mean against the first group's."""
    rows = []
    first = grouping.levels[0] if grouping.levels else ""
    for level in grouping.levels[1:]:
        both = usable[grouping.groups.isin([first, level])]
        base = {
            "grouping": grouping.column, "group": level, "term": f"{grouping.term(level)} vs {first}", "level": level,
            "reference": first, "horizon": reading.rmst_years, "n": len(both),
            "n_events": int(both[EVENT].sum()), "model": "areas under Kaplan-Meier, Wald test",
        }  # fmt: skip
        lacking = [name for name in (first, level) if (grouping.column, name) not in means]
        for name, compare in (("difference", rmst.difference), ("ratio", rmst.ratio)):
            about = base | {"measure": f"{name} of {RMST}"}
            if lacking:
                rows.append(about | _because(reason("no_mean_of", groups=lacking)))
            else:
                made = partial(compare, means[grouping.column, level], means[grouping.column, first])
                rows.append(about | _attempt(lambda made=made: vars(made())))
    return rows


def _tests(usable: pd.DataFrame, grouping: Grouping, reading: Reading) -> list[dict]:
    base = {"grouping": grouping.column, "group": "", "term": grouping.title}
    if grouping.reason is not None:
        row = base | {"measure": "log-rank chi-square", "model": "log-rank", "n": len(usable)}
        return [row | _because(grouping.reason)]
    if lacking := [name for name in reading.log_rank_strata if name not in usable]:
        raise CohortError(
            f"the table has no column {', '.join(map(repr, lacking))} (survival.log_rank_strata); it has "
            f"{', '.join(map(str, usable.columns))}. Expected columns of it. Correct the names, or add the columns to the clinical table."
        )
    known = grouping.groups.notna() & usable[list(reading.log_rank_strata)].notna().all(axis=1)
    people, group = usable[known], grouping.groups[known]
    without = len(usable) - len(people)
    strata = (
        people[list(reading.log_rank_strata)].astype(str).agg(" ".join, axis=1)
        if reading.log_rank_strata
        else None
    )
    times = (people[FOLLOWUP], people[EVENT])
    options = {"entry": late_entry(people) if len(people) else None, "strata": strata}
    within = f", strata of {' and '.join(reading.log_rank_strata)}" if reading.log_rank_strata else ""
    base |= {
        "n": len(people), "n_events": int(people[EVENT].sum()),
        "reason": [reason("without_unknown_group", n=without)] if without else [],
    }  # fmt: skip
    detail = f" ({grouping.detail})" if grouping.detail else ""
    base["term"] += detail
    rows = [
        _test(
            base,
            "log-rank chi-square",
            f"log-rank{within}",
            log_rank(*times, group, **options),
            people,
            group,
        )
    ]
    if grouping.ordered and len(grouping.levels) > 2:
        trend = log_rank_trend(*times, scores_of(grouping.levels, group), **options)
        rows.append(
            _test(base, "log-rank trend chi-square", f"log-rank for trend{within}", trend, people, group)
        )
    if reading.fleming_harrington is not None:
        p, q = reading.fleming_harrington
        weighted = log_rank(*times, group, **options, weights=(p, q))
        model = f"Fleming-Harrington ({p:g}, {q:g}) weights{within}"
        rows.append(_test(base, "Fleming-Harrington chi-square", model, weighted, people, group))
    return rows


def _test(
    base: dict, measure: str, model: str, found: Test, people: pd.DataFrame, group: pd.Series
) -> dict:  # fmt: skip
    row = base | {"measure": measure, "df": found.df, "model": model}
    if np.isfinite(found.p_value):
        return row | tested(measure, found)
    if not people[EVENT].any():
        return row | _because(reason("no_events"))
    return row | _because(reason("one_group" if group.nunique() < 2 else "never_together"))
