"""Death of one cause while others die of something else: cumulative incidence by group, Gray's test, models
of both hazards.

The cause-specific hazard tells who dies of the cause among the living (causes); the subdistribution hazard of
Fine and Gray tells how many have died of it by a time (prognosis). Both are shown, for the cause of interest
and for the others.
"""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    counts,
    declared,
    model_frame,
    model_rows,
    of_model,
    of_question,
    term_rows,
)
from faceage_bio.analyses.survival.curves import (
    Group,
    Grouping,
    curve_of,
    each_group,
    late_entry,
    stacked,
)
from faceage_bio.core.columns import AGE, CAUSE, CAUSE_LEVELS, EVENT, FACE_AGE, FOLLOW_UP_REASON, FOLLOWUP
from faceage_bio.core.errors import FitError, Problems
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import counted, result_rows, tested
from faceage_bio.stats.competing_risks import cumulative_incidence, fit_fine_gray, gray_test
from faceage_bio.stats.kaplan_meier import Interval, height_at
from faceage_bio.stats.minimum_sizes import check_events

ADJUSTED = (FACE_AGE, AGE, "sex")
CODE = "cause_code"  # 0 = alive, 1 = died of the cause of interest, 2 = of another
INCIDENCE, GRAY = "cumulative incidence", "Gray chi-square"


def why_not(usable: pd.DataFrame, cause: str) -> Reason | None:
    """Why competing risks cannot be told, if they cannot."""
    if CAUSE not in usable or not usable[CAUSE].notna().any():
        return reason("no_cause", column=CAUSE, known=CAUSE_LEVELS)
    died = usable[usable[EVENT] == 1]
    if not (died[CAUSE] == cause).any():
        return reason("no_death_of_cause", cause=cause)
    if not (died[CAUSE].notna() & (died[CAUSE] != cause)).any():
        return reason("no_other_cause", cause=cause)
    return None


def check_causes(table: pd.DataFrame, source: str, first_line: int) -> None:
    """Refuse words that are no cause, and causes of the living (unless their deaths lie beyond a horizon that
    was cut at).

    Raises
    ------
    CohortError
        File, column, line, value and what to write.
    """
    if CAUSE not in table:
        return
    problems = Problems()
    for line, (cause, event) in enumerate(zip(table[CAUSE], table[EVENT], strict=True), first_line):
        advice = ""
        if pd.notna(cause) and cause not in CAUSE_LEVELS:
            advice = f"Expected {', '.join(CAUSE_LEVELS)}, or nothing. Write one of them."
        elif pd.notna(cause) and event != 1 and FOLLOW_UP_REASON not in table:
            advice = "Expected nothing, because only a death has a cause. Correct it or the event."
        if advice:
            problems.cell(source, line, CAUSE, cause, advice)
    problems.stop_if_any()


def with_codes(usable: pd.DataFrame, cause: str) -> tuple[pd.DataFrame, int]:
    """Participants with ``cause_code``, without those whose cause of death is not known; and how many the
    latter are.
    """
    died = usable[EVENT] == 1
    unknown = died & usable[CAUSE].isna()
    code = np.select([~died, usable[CAUSE] == cause], [0, 1], 2)
    return usable.assign(**{CODE: code})[~unknown], int(unknown.sum())


def causes(cause: str) -> list[tuple[int, str]]:
    """Codes and their names."""
    return [(1, cause), (2, "another cause")]


def incidence_curves(
    people: pd.DataFrame, groupings: Sequence[Grouping], cause: str, interval: Interval, cohort: str
) -> pd.DataFrame:
    """Cumulative incidence of both causes, of all participants and of each group that has a survival curve."""
    parts = []
    for group in each_group(people, groupings):
        with suppress(FitError):  # the rows say why
            parts += [
                _curve(group, code, interval)[0].assign(grouping=group.grouping, group=group.name, cause=name)
                for code, name in causes(cause)
            ]
    return stacked(parts, cohort, "survival/cumulative_incidence")


def _curve(group: Group, code: int, interval: Interval) -> tuple[pd.DataFrame, list[Reason]]:
    """A group's cumulative incidence, and what its reader must know of it; refused where `curve_of` is."""
    _, remarks = curve_of(group, interval)
    curve = cumulative_incidence(group.years, group.people[CODE], code, group.entry, interval=interval)
    return curve, remarks


def competing_rows(
    usable: pd.DataFrame,
    groupings: Sequence[Grouping],
    cause: str,
    times_years: Sequence[float],
    interval: Interval,
    per_years: float,
    cohort: str,
) -> pd.DataFrame:
    """Result rows, question "competing risks", with ``grouping``, ``group`` and ``cause``.

    Incidence of both causes at the given times by group, Gray's test of each grouping, and per cause the
    cause-specific (Cox) and the subdistribution (Fine and Gray) hazard ratios of face age, age and sex.
    """
    base = of_question(cohort, "competing risks")
    if why := why_not(usable, cause):
        row = {"term": "all", "measure": INCIDENCE, "cause": cause, "reason": why}
        return result_rows([base | counted(usable) | row], "survival/competing_risks")
    people, unknown = with_codes(usable, cause)
    rows = [
        row
        for group in each_group(people, groupings)
        for code, name in causes(cause)
        for row in _incidences(group, code, name, times_years, interval)
    ]
    rows += [_gray(people, grouping, code, name) for code, name in causes(cause) for grouping in groupings]
    for code, name in causes(cause):
        rows += _models(people, code, name, per_years)
    left_out = [reason("without_unknown_cause", n=unknown)] if unknown else []
    rows = [base | row | {"reason": [*row.get("reason", ()), *left_out]} for row in rows]
    return result_rows(declared(rows, "survival/competing_risks"), "survival/competing_risks")


def _incidences(group: Group, code: int, name: str, times: Sequence[float], interval: Interval) -> list[dict]:
    died = {"cause": name, "n_events": int((group.people[CODE] == code).sum())}
    base = group.about | died | {"model": f"Aalen-Johansen, {interval} interval", "measure": INCIDENCE}
    try:
        curve, remarks = _curve(group, code, interval)
    except FitError as error:
        return [base | {"horizon": time, "reason": [error.reason]} for time in times]
    rows = []
    for row in height_at(curve, np.asarray(times), "incidence").to_dict("records"):
        at = base | {"horizon": row["years"]}
        if np.isnan(row["incidence"]):
            rows.append(at | {"reason": [reason("not_followed_so_long"), *remarks]})
            continue
        found = {name: row[name] for name in ("ci_lower", "ci_upper", "standard_error")}
        found["reason"] = [*_why_no_interval(row, name), *remarks]
        rows.append(at | found | {"estimate": row["incidence"]})
    return rows


def _why_no_interval(row: dict, cause: str) -> list[Reason]:
    if row["standard_error"] > 0:
        return []
    return [reason("all_died_by_then") if row["events"] else reason("no_death_of_cause_by_then", cause=cause)]


def _gray(people: pd.DataFrame, grouping: Grouping, code: int, name: str) -> dict:
    known = grouping.groups.reindex(people.index).notna()
    mine, group = people[known], grouping.groups.reindex(people.index)[known]
    row = {"grouping": grouping.column, "group": "", "term": grouping.detailed, "cause": name}
    row |= {"n": len(mine), "n_events": int((mine[CODE] == code).sum()), "measure": GRAY, "model": "Gray"}
    if grouping.reason is not None:
        return row | {"reason": [grouping.reason]}
    if late_entry(mine) is not None:
        return row | {"reason": [reason("late_entry", method="Gray's test")]}
    found = gray_test(mine[FOLLOWUP], mine[CODE], code, group)
    if np.isfinite(found.p_value):
        return row | tested(GRAY, found)
    if group.nunique() < 2:
        why = reason("one_group")
    else:
        why = reason("never_together") if row["n_events"] else reason("no_death_of_cause", cause=name)
    return row | {"df": found.df, "reason": [why]}


def _models(people: pd.DataFrame, code: int, name: str, per_years: float) -> list[dict]:
    choices = Choices(per_years=per_years)
    columns = [column for column in ADJUSTED if column in people]
    about = {"cause": name, "adjustment": "minimal"}
    mine = people.assign(**{EVENT: (people[CODE] == code).astype("float64")})
    rows = model_rows(mine, columns, choices, **about, model="cause-specific hazard")
    rows = [row | {"measure": "cause-specific hazard ratio"} for row in rows]
    return rows + _fine_gray(mine, columns, code, choices, about)


def _fine_gray(
    mine: pd.DataFrame, columns: list[str], code: int, choices: Choices, about: dict
) -> list[dict]:
    base = of_model(mine, columns, choices) | about
    base |= {"measure": "subdistribution hazard ratio", "model": "subdistribution hazard"}
    base["method"] = "Fine and Gray as cmprsk::crr, Breslow ties, Wald interval"
    try:
        frame = model_frame(mine, columns, choices)
        base |= counts(frame)
        if frame.entry is not None:
            raise FitError("late_entry", method="Fine and Gray's model")
        check_events(frame.people[EVENT])
        fit = fit_fine_gray(frame.people[FOLLOWUP], frame.people[CODE], code, frame.design)
    except FitError as error:
        return [base | {"per": choices.per(columns[0]), "reason": [error.reason]}]
    base["reason"] = [*fit.reasons, *frame.reasons]
    return [base | row for row in term_rows(frame, fit.terms, choices)]
