"""What is read off curves: follow-up, medians, survival at fixed times, restricted means, and tests between the groups.

Nothing is read beyond the last time anybody of a group was followed; what cannot be told keeps its row and says why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.columns import COHORT, EVENT, FOLLOWUP
from faceage_bio.errors import CohortError, FitError
from faceage_bio.stats import restricted_mean as rmst
from faceage_bio.stats.kaplan_meier import Interval, Quantile, median, median_followup, survival_at
from faceage_bio.stats.log_rank import Test, log_rank, log_rank_trend, scores_of
from faceage_bio.survival.curves import ALL, Group, curve_of, each_group, late_entry
from faceage_bio.survival.groupings import Grouping
from faceage_bio.tables import result_rows


@dataclass(frozen=True)
class Reading:
    """What is read: the settings of the same names under ``survival``."""

    times_years: Sequence[float] = (0.5, 1.0, 2.0, 5.0)
    rmst_years: float = 3.0
    interval: Interval = "log-log"
    log_rank_strata: Sequence[str] = ()
    fleming_harrington: tuple[float, float] | None = None


def summarise(
    usable: pd.DataFrame, n_all: int, groupings: Sequence[Grouping], reading: Reading, cohort: str
) -> pd.DataFrame:
    """Result rows, analysis "survival", with ``grouping`` and ``group``.

    Measures of each group: median follow-up, median survival, survival at each time, restricted mean within the horizon. Of
    each group against the first of its grouping: difference and ratio of restricted means. Of each grouping: log-rank test,
    trend if it is ordered, Fleming and Harrington's test if asked for.

    Parameters
    ----------
    usable : people with follow-up on the chosen time
    n_all : how many there were
    """
    base = {COHORT: cohort, "analysis": "survival"}
    if not len(usable):
        why = f"not estimated, because no follow-up is known of any of {n_all} people"
        row = base | {
            "grouping": ALL,
            "group": ALL,
            "term": "all",
            "measure": MEDIAN,
            "n": 0,
            "n_events": 0,
            "note": why,
        }
        return result_rows([row])
    means: dict[tuple[str, str], rmst.RestrictedMean] = {}
    rows = [row for group in each_group(usable, groupings) for row in _of_group(group, reading, means)]
    for grouping in groupings:
        rows += _contrasts(usable, grouping, reading, means)
        rows += _tests(usable, grouping, reading)
    return result_rows([base | row for row in rows])


MEDIAN, FOLLOW_UP = "median survival, years", "median follow-up, years"


def mean_name(horizon: float) -> str:
    """The measure of a restricted mean."""
    return f"restricted mean survival within {horizon:g} years, years"


def survival_name(years: float) -> str:
    """The measure of survival at a time."""
    return f"survival at {years:g} {'year' if years == 1 else 'years'}"


def _of_group(group: Group, reading: Reading, means: dict) -> list[dict]:
    people, kind = group.people, f"{reading.interval} interval"
    base = {
        "grouping": group.grouping, "group": group.name, "term": group.term, "n": len(people),
        "n_events": int(people[EVENT].sum()),
    }  # fmt: skip
    follow_up = {"measure": FOLLOW_UP, "model": f"reverse Kaplan-Meier, {kind}"}
    of_curve = [
        {"measure": MEDIAN, "model": f"Kaplan-Meier, {kind}"},
        *({"measure": survival_name(t), "model": f"Kaplan-Meier, {kind}"} for t in reading.times_years),
        {"measure": mean_name(reading.rmst_years), "model": "area under Kaplan-Meier, Wald interval"},
    ]
    try:
        curve, remark = curve_of(group, reading.interval)
    except FitError as error:
        return [base | about | _because(error) for about in (follow_up, *of_curve)]
    reverse = median_followup(group.years, group.event, group.entry, interval=reading.interval)
    heights = survival_at(curve, np.asarray(reading.times_years, dtype=np.float64)).to_dict("records")
    found = [
        _quantile(median(curve)),
        *(_height(row, curve) for row in heights),
        _attempt(lambda: _mean(group, curve, reading, means)),
    ]
    rows = [base | follow_up | _quantile(reverse)]
    for about, numbers in zip(of_curve, found, strict=True):
        note = "; ".join(filter(None, [numbers.get("note", ""), remark]))
        rows.append(base | about | numbers | {"note": note})
    return rows


def _because(error: object) -> dict:
    return {"note": f"not estimated, because {error}"}


def _attempt(compute: Callable[[], dict]) -> dict:
    try:
        return compute()
    except FitError as error:
        return _because(error)


def _quantile(found: Quantile) -> dict:
    return found.__dict__ | {"note": "" if np.isfinite(found.estimate) else "not reached"}


def _height(row: dict, curve: pd.DataFrame) -> dict:
    if np.isnan(row["survival"]):
        last = curve["years"].iloc[-1]
        return _because(f"nobody of the group was followed so long (at most {last:.3g} years)")
    known = {"estimate": row["survival"], "ci_lower": row["ci_lower"], "ci_upper": row["ci_upper"]}
    if row["events"] == 0:  # limits of 1 and 1 would claim that nobody ever dies
        return known | {
            "ci_lower": np.nan,
            "ci_upper": np.nan,
            "note": "nobody died until then, so there is no interval",
        }
    return known | {"note": "all at risk had died by then" if row["survival"] == 0 else ""}


def _mean(group: Group, curve: pd.DataFrame, reading: Reading, means: dict) -> dict:
    found = rmst.restricted_mean(curve, reading.rmst_years)
    means[group.grouping, group.name] = found
    return {"estimate": found.estimate, "ci_lower": found.ci_lower, "ci_upper": found.ci_upper}


def _contrasts(usable: pd.DataFrame, grouping: Grouping, reading: Reading, means: dict) -> list[dict]:
    """Each group's restricted mean against the first group's."""
    rows = []
    first = grouping.levels[0] if grouping.levels else ""
    for level in grouping.levels[1:]:
        both = usable[grouping.groups.isin([first, level])]
        base = {
            "grouping": grouping.column, "group": level, "term": f"{grouping.term(level)} vs {first}", "n": len(both),
            "n_events": int(both[EVENT].sum()), "model": "areas under Kaplan-Meier, Wald test",
        }  # fmt: skip
        lacking = [name for name in (first, level) if (grouping.column, name) not in means]
        for name, compare in (("difference", rmst.difference), ("ratio", rmst.ratio)):
            unit = ", years" if name == "difference" else ""
            about = base | {
                "measure": f"{name} of {mean_name(reading.rmst_years).removesuffix(', years')}{unit}"
            }
            if lacking:
                rows.append(about | _because(f"it is not known for {' and '.join(lacking)}"))
            else:
                pair = means[grouping.column, level], means[grouping.column, first]
                rows.append(about | compare(*pair).__dict__)
    return rows


def _tests(usable: pd.DataFrame, grouping: Grouping, reading: Reading) -> list[dict]:
    base = {"grouping": grouping.column, "group": "", "term": grouping.title}
    if grouping.note:
        return [
            base
            | {"measure": "log-rank chi-square", "model": "log-rank", "n": len(usable)}
            | _because(grouping.note)
        ]
    if lacking := [name for name in reading.log_rank_strata if name not in usable]:
        raise CohortError(
            f"the table has no column {', '.join(map(repr, lacking))} (survival.log_rank_strata); it has "
            f"{', '.join(map(str, usable.columns))}. Expected columns of it. Correct the names, or add the columns to the clinic table."
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
        "note": f"without {without} people whose group or stratum is not known" if without else "",
    }  # fmt: skip
    detail = f" ({grouping.detail})" if grouping.detail else ""
    base["term"] += detail
    rows = [_test(base, "log-rank", f"log-rank{within}", log_rank(*times, group, **options), people, group)]
    if grouping.ordered and len(grouping.levels) > 2:
        trend = log_rank_trend(*times, scores_of(grouping.levels, group), **options)
        rows.append(_test(base, "log-rank trend", f"log-rank for trend{within}", trend, people, group))
    if reading.fleming_harrington is not None:
        p, q = reading.fleming_harrington
        weighted = log_rank(*times, group, **options, weights=(p, q))
        name = f"Fleming-Harrington ({p:g}, {q:g})"
        rows.append(_test(base, name, f"{name} weights{within}", weighted, people, group))
    return rows


def _test(base: dict, name: str, model: str, found: Test, people: pd.DataFrame, group: pd.Series) -> dict:
    row = base | {"measure": f"{name} chi-square, {found.df} df", "model": model}
    if np.isfinite(found.p_value):
        return row | {"estimate": found.chi_square, "p_value": found.p_value}
    if not people[EVENT].any():
        return row | _because("nobody died")
    if group.nunique() < 2:
        return row | _because("there is one group only")
    return row | _because("the groups are never at risk together when somebody dies")
