"""Kaplan-Meier curves by groups declared beforehand: the groups, the curves, who is at risk when, and what is
read off the curves.

Groups are never made by looking for the cut-point that parts participants best: one chosen because its
p-value is small finds a difference where there is none (Altman et al. 1994).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import WORDS, of_question
from faceage_bio.analyses.survival.follow_up import why_none
from faceage_bio.core.columns import COHORT, EVENT, FOLLOWUP, LEVELS, THIRDS
from faceage_bio.core.errors import CohortError, FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import counted, result_rows, tested
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats import kaplan_meier as rmst
from faceage_bio.stats.kaplan_meier import (
    Interval,
    Quantile,
    height_at,
    kaplan_meier,
    log_rank,
    log_rank_trend,
    median,
    median_followup,
    risk_table,
    scores_of,
)
from faceage_bio.stats.minimum_sizes import AT_RISK_EARLY

TERTILES, LEVELS_RULE = "tertiles", "levels"
ORDERED = ("smoking",)  # columns of words with an order, beside numbers
MOST_GROUPS = 8
ALL = "all"
MEDIAN, FOLLOW_UP = "median survival", "median follow-up"
SURVIVAL, RMST = "survival", "restricted mean survival time"

Rule = Sequence[float] | str


@dataclass(frozen=True)
class Grouping:
    """A way to part participants.

    ``groups``: each one's group, None where it is not known; ``levels``: all groups in order, the first is
    the reference, those without participants too; ``ordered``: from low to high, so that a trend has a
    meaning; ``detail``: where it cuts; ``reason``: why participants cannot be parted so.
    """

    column: str
    groups: pd.Series
    levels: tuple[str, ...]
    ordered: bool = False
    detail: str = ""
    reason: Reason | None = None

    @property
    def title(self) -> str:
        """The column in words."""
        return WORDS.get(self.column, self.column.replace("_", " "))

    @property
    def detailed(self) -> str:
        """The column in words, and where it cuts."""
        return f"{self.title} ({self.detail})" if self.detail else self.title

    def term(self, level: str) -> str:
        """A group in words: "face age 65-75"."""
        return f"{self.title} {level}" if self.detail else f"{self.title}: {level}"

    @classmethod
    def none(cls, column: str, people: pd.DataFrame | pd.Series, code: str, **parameters) -> "Grouping":
        """No groups, and why not."""
        none = pd.Series(None, index=people.index, dtype=object)
        return cls(column, none, (), reason=reason(code, column=column, **parameters))


def part(people: pd.DataFrame, column: str, rule: Rule) -> Grouping:
    """Groups of a column by cut-points (a value at a cut-point belongs to the lower group), tertiles or its
    own words.
    """
    if column not in people:
        return Grouping.none(column, people, "no_column")
    values = people[column]
    if not values.notna().any():
        return Grouping.none(column, people, "no_value_of")
    if rule == LEVELS_RULE:
        return _levels(column, values)
    if not pd.api.types.is_numeric_dtype(values):
        return Grouping.none(column, people, "words_not_cut")
    if rule == TERTILES:
        edges, names = np.quantile(values.dropna(), [1 / 3, 2 / 3]).tolist(), list(THIRDS)
        if values.min() > edges[0] or edges[0] >= edges[1] or values.max() <= edges[1]:
            return Grouping.none(column, people, "shared_values")
    else:
        edges = sorted(rule)
        to = " to " if edges[0] < 0 else "-"
        middle = [f"{low:g}{to}{high:g}" for low, high in pairwise(edges)]
        names = [f"<= {edges[0]:g}", *middle, f"> {edges[-1]:g}"]
    labels = pd.cut(values.astype("float64"), [-np.inf, *edges, np.inf], labels=names).astype(object)
    detail = "cut at " + ", ".join(f"{edge:.3g}" for edge in edges)
    return Grouping(column, labels.where(values.notna(), None), tuple(names), ordered=True, detail=detail)


def _levels(column: str, values: pd.Series) -> Grouping:
    number = pd.api.types.is_numeric_dtype(values)
    words = values.map(
        lambda value: f"{value:g}" if isinstance(value, float) else str(value), na_action="ignore"
    )
    words = words.astype(object).where(values.notna(), None)
    counts = words.value_counts()
    if len(counts) > MOST_GROUPS:
        return Grouping.none(column, values, "too_many_values", levels=len(counts), most=MOST_GROUPS)
    declared = list(LEVELS.get(column, ()))
    others = set(counts.index) - set(declared)
    found = sorted(others, key=float) if number else sorted(others, key=lambda word: (-counts[word], word))
    return Grouping(column, words, (*declared, *found), ordered=number or column in ORDERED)


@dataclass(frozen=True)
class Group:
    """Participants of one curve; ``term`` is their name in words. All participants is the group "all" of the
    grouping "all".
    """

    grouping: str
    name: str
    term: str
    people: pd.DataFrame

    @property
    def about(self) -> dict:
        """The fields of its result rows."""
        return {"grouping": self.grouping, "group": self.name, "term": self.term} | counted(self.people)

    @property
    def years(self) -> np.ndarray:
        return self.people[FOLLOWUP].to_numpy(dtype=np.float64)

    @property
    def event(self) -> np.ndarray:
        return self.people[EVENT].to_numpy(dtype=np.float64)

    @property
    def entry(self) -> np.ndarray | None:
        """Start of observation, where anybody enters late."""
        return late_entry(self.people)


def late_entry(people: pd.DataFrame) -> np.ndarray | None:
    """Years at which observation starts; None if it starts at 0 for all participants."""
    entry = entry_of(people)
    return None if entry is None else entry.to_numpy()


def each_group(usable: pd.DataFrame, groupings: Sequence[Grouping]) -> Iterator[Group]:
    """All participants, then the groups of each grouping in their order; empty ones too."""
    yield Group(ALL, ALL, "all", usable)
    for grouping in groupings:
        groups = grouping.groups.reindex(usable.index)
        for level in grouping.levels:
            yield Group(grouping.column, level, grouping.term(level), usable[groups == level])


def curve_of(group: Group, interval: Interval) -> tuple[pd.DataFrame, list[Reason]]:
    """A group's curve, and what its reader must know of it.

    Raises
    ------
    FitError
        The group is empty, or all who were at risk died before others entered: the curve falls to 0 and stays
        there.
    """
    if not len(group.people):
        raise FitError("empty_group")
    curve = kaplan_meier(group.years, group.event, group.entry, interval=interval)
    if group.entry is None:
        return curve, []
    ended = curve.loc[curve["survival"] == 0, "years"]
    if len(ended) and ended.iloc[0] < curve["years"].iloc[-1]:
        raise FitError("all_died_before_entry")
    reasons = []
    if group.entry.min() > 0:
        reasons.append(reason("observed_late"))
    deaths = curve[(curve["events"] > 0) & (curve["years"] <= group.entry.max())]
    if len(deaths) and deaths["at_risk"].min() < AT_RISK_EARLY:
        reasons.append(reason("few_at_risk_early", needed=AT_RISK_EARLY))
    return curve, reasons


def curves_by_group(
    usable: pd.DataFrame, groupings: Sequence[Grouping], interval: Interval, cohort: str
) -> pd.DataFrame:
    """One curve for all participants and one per group that has participants (survival/kaplan_meier)."""
    parts = []
    for group in each_group(usable, groupings):
        try:
            curve, _ = curve_of(group, interval)
        except FitError:
            continue  # the summary says why
        parts.append(curve.assign(grouping=group.grouping, group=group.name))
    return stacked(parts, cohort, "survival/kaplan_meier")


def risk_by_group(
    usable: pd.DataFrame, groupings: Sequence[Grouping], cohort: str, table: str = "survival/at_risk"
) -> pd.DataFrame:
    """Who is at risk, and who died or left until then, at `whole_years` (survival/at_risk)."""
    times = whole_years(usable)
    parts = [
        risk_table(times, group.years, group.event, group.entry).assign(
            grouping=group.grouping, group=group.name
        )
        for group in each_group(usable, groupings)
        if len(group.people)
    ]
    return stacked(parts, cohort, table)


def whole_years(usable: pd.DataFrame) -> np.ndarray:
    """0, 1, 2 ... while anybody is followed; quarters of a year where all follow-up ends within two years."""
    last = usable[FOLLOWUP].max() if len(usable) else 0.0
    step = 1.0 if last >= 2 else 0.25
    return np.arange(0, last + 1e-9, step)


def stacked(parts: list[pd.DataFrame], cohort: str, table: str) -> pd.DataFrame:
    """Points of several curves as one table."""
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return result_rows(rows.assign(**{COHORT: cohort}), table)


def summarise(
    usable: pd.DataFrame, groupings: Sequence[Grouping], survival: Survival, cohort: str
) -> pd.DataFrame:
    """Result rows, question "survival", with ``grouping`` and ``group``.

    Measures of each group: median follow-up, median survival, survival at each time, restricted mean within
    the horizon. Of each group against the first of its grouping: difference and ratio of restricted means. Of
    each grouping: log-rank test, trend if it is ordered, Fleming and Harrington's test if asked for. Nothing
    is read beyond the last time at which a participant of a group was followed; what cannot be told keeps its
    row and says why.

    Parameters
    ----------
    usable : participants with follow-up on the chosen time
    survival : settings; of them times_years, rmst_years, interval, log_rank_strata and fleming_harrington
    """
    base = of_question(cohort, "survival")
    if not len(usable):
        row = Group(ALL, ALL, "all", usable).about | {"measure": MEDIAN, "reason": why_none(usable)}
        return result_rows([base | row], "survival/summary")
    means: dict[tuple[str, str], rmst.RestrictedMean] = {}
    rows = [row for group in each_group(usable, groupings) for row in _of_group(group, survival, means)]
    for grouping in groupings:
        rows += _contrasts(usable, grouping, survival, means)
        rows += _tests(usable, grouping, survival)
    return result_rows([base | row for row in rows], "survival/summary")


def _of_group(group: Group, survival: Survival, means: dict) -> list[dict]:
    base, kind = group.about, f"{survival.interval} interval"
    follow_up = {"measure": FOLLOW_UP, "model": f"reverse Kaplan-Meier, {kind}"}
    of_curve = [
        {"measure": MEDIAN, "model": f"Kaplan-Meier, {kind}"},
        *(
            {"measure": SURVIVAL, "horizon": t, "model": f"Kaplan-Meier, {kind}"}
            for t in survival.times_years
        ),
        {"measure": RMST, "horizon": survival.rmst_years, "model": "area under Kaplan-Meier, Wald interval"},
    ]
    try:
        curve, remarks = curve_of(group, survival.interval)
    except FitError as error:
        return [base | about | {"reason": error.reason} for about in (follow_up, *of_curve)]
    reverse = median_followup(group.years, group.event, group.entry, interval=survival.interval)
    heights = height_at(curve, np.asarray(survival.times_years, dtype=np.float64)).to_dict("records")
    found = [
        _quantile(median(curve)),
        *map(_height, heights),
        _attempt(lambda: _mean(group, curve, survival, means)),
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


def _mean(group: Group, curve: pd.DataFrame, survival: Survival, means: dict) -> dict:
    found = rmst.restricted_mean(curve, survival.rmst_years)
    means[group.grouping, group.name] = found
    return {name: getattr(found, name) for name in ("estimate", "ci_lower", "ci_upper", "standard_error")}


def _contrasts(usable: pd.DataFrame, grouping: Grouping, survival: Survival, means: dict) -> list[dict]:
    """Each group's restricted mean against the first group's."""
    rows = []
    first = grouping.levels[0] if grouping.levels else ""
    for level in grouping.levels[1:]:
        both = usable[grouping.groups.isin([first, level])]
        group = Group(grouping.column, level, f"{grouping.term(level)} vs {first}", both)
        versus = {"level": level, "reference": first, "horizon": survival.rmst_years}
        base = group.about | versus | {"model": "areas under Kaplan-Meier, Wald test"}
        lacking = [name for name in (first, level) if (grouping.column, name) not in means]
        for name, compare in (("difference", rmst.difference), ("ratio", rmst.ratio)):
            about = base | {"measure": f"{name} of {RMST}"}
            if lacking:
                rows.append(about | _because(reason("no_mean_of", groups=lacking)))
            else:
                made = partial(compare, means[grouping.column, level], means[grouping.column, first])
                rows.append(about | _attempt(lambda made=made: vars(made())))
    return rows


def _tests(usable: pd.DataFrame, grouping: Grouping, survival: Survival) -> list[dict]:
    base = {"grouping": grouping.column, "group": "", "term": grouping.title}
    if grouping.reason is not None:
        row = base | {"measure": "log-rank chi-square", "model": "log-rank", "n": len(usable)}
        return [row | _because(grouping.reason)]
    if lacking := [name for name in survival.log_rank_strata if name not in usable]:
        raise CohortError(
            f"the table has no column {', '.join(map(repr, lacking))} (survival.log_rank_strata); it has "
            f"{', '.join(map(str, usable.columns))}. Expected columns of it. Correct the names, or add the columns to the clinical table."
        )
    strata = list(survival.log_rank_strata)
    known = grouping.groups.notna() & usable[strata].notna().all(axis=1)
    people, group = usable[known], grouping.groups[known]
    without = len(usable) - len(people)
    labels = people[strata].astype(str).agg(" ".join, axis=1) if strata else None
    within = f", strata of {' and '.join(strata)}" if strata else ""
    times = (people[FOLLOWUP], people[EVENT])
    options = {"entry": late_entry(people) if len(people) else None, "strata": labels}
    tests = {"log-rank chi-square": ("log-rank", log_rank(*times, group, **options))}
    if grouping.ordered and len(grouping.levels) > 2:
        trend = log_rank_trend(*times, scores_of(grouping.levels, group), **options)
        tests["log-rank trend chi-square"] = ("log-rank for trend", trend)
    if survival.fleming_harrington is not None:
        p, q = survival.fleming_harrington
        weighted = log_rank(*times, group, **options, weights=(p, q))
        tests["Fleming-Harrington chi-square"] = (f"Fleming-Harrington ({p:g}, {q:g}) weights", weighted)
    base |= counted(people) | {"term": grouping.detailed}
    base["reason"] = [reason("without_unknown_group", n=without)] if without else []
    rows = []
    for measure, (model, found) in tests.items():
        row = base | {"measure": measure, "df": found.df, "model": f"{model}{within}"}
        if np.isfinite(found.p_value):
            row |= tested(measure, found)
        elif not people[EVENT].any():
            row |= _because(reason("no_events"))
        else:
            row |= _because(reason("one_group" if group.nunique() < 2 else "never_together"))
        rows.append(row)
    return rows
