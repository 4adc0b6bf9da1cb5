"""Death of one cause while others die of something else: cumulative incidence by group, Gray's test, models of both hazards.

The cause-specific hazard tells who dies of the cause among the living (causes); the subdistribution hazard of Fine and Gray tells
how many have died of it by a time (prognosis). Both are shown, for the cause of interest and for the others.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.columns import (
    AGE,
    CAUSE,
    CAUSE_LEVELS,
    COHORT,
    EVENT,
    FACE_AGE,
    FOLLOWUP,
)  # fmt: skip
from faceage_bio.errors import FitError
from faceage_bio.problems import Problems
from faceage_bio.stats.competing_risks import cumulative_incidence, gray_test, incidence_at
from faceage_bio.stats.fewest_events import check_events
from faceage_bio.stats.fine_gray import fit_fine_gray
from faceage_bio.stats.kaplan_meier import Interval, risk_table
from faceage_bio.survival.curves import Group, each_group, late_entry, whole_years
from faceage_bio.survival.follow_up import REASON
from faceage_bio.survival.groupings import Grouping
from faceage_bio.survival.models import (
    Choices,
    counts,
    model_frame,
    model_rows,
    name_of,
    not_estimated,
    unit_of,
)
from faceage_bio.tables import result_rows

ADJUSTED = (FACE_AGE, AGE, "sex")
CODE = "cause_code"  # 0 = alive, 1 = died of the cause of interest, 2 = of another
INCIDENCE_COLUMNS = (
    COHORT, "grouping", "group", "cause", "years", "at_risk", "events", "other_events", "censored", "incidence",
    "standard_error", "ci_lower", "ci_upper", "interval",
)  # fmt: skip
RISK_COLUMNS = (COHORT, "grouping", "group", "years", "at_risk", "entered", "events", "censored")


def why_not(usable: pd.DataFrame, cause: str) -> str:
    """Why competing risks cannot be told, or ""."""
    if CAUSE not in usable or not usable[CAUSE].notna().any():
        return f"no cause of death is known; give the clinic table a column '{CAUSE}' ({', '.join(CAUSE_LEVELS)})"
    died = usable[usable[EVENT] == 1]
    if not (died[CAUSE] == cause).any():
        return f"nobody died of {cause}"
    if not (died[CAUSE].notna() & (died[CAUSE] != cause)).any():
        return f"nobody died of anything but {cause}, so that nothing competes"
    return ""


def check_causes(table: pd.DataFrame, source: str, first_line: int) -> None:
    """Refuse words that are no cause, and causes of the living (unless their deaths lie beyond a horizon that was cut at).

    Raises
    ------
    CohortError
        File, column, line, value and what to write.
    """
    if CAUSE not in table:
        return
    problems = Problems()
    for place, (cause, event) in enumerate(zip(table[CAUSE], table[EVENT], strict=True)):
        if pd.isna(cause):
            continue
        if cause not in CAUSE_LEVELS:
            problems.cell(
                source,
                place + first_line,
                CAUSE,
                cause,
                f"Expected {', '.join(CAUSE_LEVELS)}, or nothing. Write one of them.",
            )
        elif event != 1 and REASON not in table:
            problems.cell(
                source,
                place + first_line,
                CAUSE,
                cause,
                "Expected nothing, because only a death has a cause. Correct it or the event.",
            )
    problems.stop_if_any()


def with_codes(usable: pd.DataFrame, cause: str) -> tuple[pd.DataFrame, int]:
    """People with ``cause_code``, without those whose cause of death is not known; and how many the latter are."""
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
    """Cumulative incidence of both causes, of everybody and of each group that has people; columns ``INCIDENCE_COLUMNS``."""
    parts = [
        _curve(group, code, interval).assign(grouping=group.grouping, group=group.name, cause=name)
        for group in each_group(people, groupings)
        if len(group.people)
        for code, name in causes(cause)
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return table.assign(**{COHORT: cohort}).reindex(columns=list(INCIDENCE_COLUMNS))


def incidence_at_risk(people: pd.DataFrame, groupings: Sequence[Grouping], cohort: str) -> pd.DataFrame:
    """Who is at risk at whole years."""
    times = whole_years(people)
    parts = [
        risk_table(times, group.years, group.event, group.entry).assign(
            grouping=group.grouping, group=group.name
        )
        for group in each_group(people, groupings)
        if len(group.people)
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return table.assign(**{COHORT: cohort}).reindex(columns=list(RISK_COLUMNS))


def _curve(group: Group, code: int, interval: Interval) -> pd.DataFrame:
    return cumulative_incidence(group.years, group.people[CODE], code, group.entry, interval=interval)


def competing_rows(
    usable: pd.DataFrame,
    groupings: Sequence[Grouping],
    cause: str,
    times_years: Sequence[float],
    interval: Interval,
    per_years: float,
    cohort: str,
) -> pd.DataFrame:
    """Result rows, analysis "competing risks", with ``grouping``, ``group`` and ``cause``.

    Incidence of both causes at the given times by group, Gray's test of each grouping, and per cause the cause-specific (Cox)
    and the subdistribution (Fine and Gray) hazard ratios of face age, age and sex.
    """
    base = {COHORT: cohort, "analysis": "competing risks"}
    if why := why_not(usable, cause):
        row = base | {"term": "all", "measure": "cumulative incidence", "cause": cause, "n": len(usable)}
        return result_rows([row | {"n_events": int(usable[EVENT].sum()), "note": f"not run, because {why}"}])
    people, unknown = with_codes(usable, cause)
    rows = [
        row
        for group in each_group(people, groupings)
        for code, name in causes(cause)
        for row in _incidences(group, code, name, times_years, interval)
    ]
    for code, name in causes(cause):
        rows += [_gray(people, grouping, code, name) for grouping in groupings]
    for code, name in causes(cause):
        rows += _models(people, code, name, per_years)
    left_out = f"without {unknown} people whose cause of death is not known" if unknown else ""
    for row in rows:
        row["note"] = "; ".join(filter(None, [row.get("note", ""), left_out]))
    return result_rows([base | row for row in rows])


def _incidences(group: Group, code: int, name: str, times: Sequence[float], interval: Interval) -> list[dict]:
    base = {
        "grouping": group.grouping, "group": group.name, "term": group.term, "cause": name, "n": len(group.people),
        "n_events": int((group.people[CODE] == code).sum()), "model": f"Aalen-Johansen, {interval} interval",
    }  # fmt: skip
    measures = [f"died of {name} within {t:g} {'year' if t == 1 else 'years'}" for t in times]
    if not len(group.people):
        return [
            base | {"measure": measure, "note": not_estimated("the group is empty")} for measure in measures
        ]
    curve = _curve(group, code, interval)
    rows = []
    for measure, row in zip(measures, incidence_at(curve, np.asarray(times)).to_dict("records"), strict=True):
        if np.isnan(row["incidence"]):
            last = curve["years"].iloc[-1]
            why = f"nobody of the group was followed so long (at most {last:.3g} years)"
            rows.append(base | {"measure": measure, "note": not_estimated(why)})
            continue
        note = "" if row["events"] else "nobody died of it until then, so there is no interval"
        rows.append(base | {
            "measure": measure, "estimate": row["incidence"], "ci_lower": row["ci_lower"], "ci_upper": row["ci_upper"],
            "note": note,
        })  # fmt: skip
    return rows


def _gray(people: pd.DataFrame, grouping: Grouping, code: int, name: str) -> dict:
    known = grouping.groups.reindex(people.index).notna()
    mine, group = people[known], grouping.groups.reindex(people.index)[known]
    detail = f" ({grouping.detail})" if grouping.detail else ""
    row = {
        "grouping": grouping.column, "group": "", "term": f"{grouping.title}{detail}", "cause": name, "n": len(mine),
        "n_events": int((mine[CODE] == code).sum()), "measure": "Gray chi-square", "model": "Gray",
    }  # fmt: skip
    if grouping.note:
        return row | {"note": not_estimated(grouping.note)}
    if late_entry(mine) is not None:
        return row | {"note": not_estimated("somebody enters late, which Gray's test does not know")}
    found = gray_test(mine[FOLLOWUP], mine[CODE], code, group)
    row["measure"] = f"Gray chi-square, {found.df} df"
    if np.isfinite(found.p_value):
        return row | {"estimate": found.chi_square, "p_value": found.p_value}
    why = (
        "there is one group only" if group.nunique() < 2 else f"nobody died of {name} in more than one group"
    )
    return row | {"note": not_estimated(why)}


def _models(people: pd.DataFrame, code: int, name: str, per_years: float) -> list[dict]:
    choices = Choices(per_years=per_years)
    columns = [column for column in ADJUSTED if column in people]
    about = {"grouping": "", "group": "", "cause": name}
    mine = people.assign(**{EVENT: (people[CODE] == code).astype("float64")})
    rows = model_rows(mine, columns, choices, **about, model="cause-specific hazard")
    for row in rows:
        row["measure"] = "cause-specific hazard ratio"
        for further in (
            "robust_lower",
            "robust_upper",
            "robust_p",
            "events_per_term",
            "concordance",
            "log_likelihood",
        ):
            row.pop(further, None)
    return rows + _fine_gray(mine, columns, code, choices, about)


def _fine_gray(
    mine: pd.DataFrame, columns: list[str], code: int, choices: Choices, about: dict
) -> list[dict]:
    base = about | {
        "measure": "subdistribution hazard ratio", "model": "subdistribution hazard", "n": len(mine),
        "n_events": int(mine[EVENT].sum()), "method": "Fine and Gray as cmprsk::crr, Breslow ties, Wald interval",
        "adjustment": name_of(columns[1:]).replace(" + ", ", "),
    }  # fmt: skip
    try:
        frame = model_frame(mine, columns, choices)
        base |= {key: value for key, value in counts(frame).items() if key != "events_per_term"}
        if frame.entry is not None:
            raise FitError(
                "somebody enters late, which this model does not know; read the cause-specific hazard"
            )
        check_events(frame.people[EVENT])
        fit = fit_fine_gray(frame.people[FOLLOWUP], frame.people[CODE], code, frame.design)
    except FitError as error:
        per = unit_of(columns[0], choices.per_years)[1]
        return [base | {"term": columns[0], "per": per, "note": not_estimated(error)}]
    return [
        base | {
            "term": term, "per": unit_of(term, choices.per_years)[1], "estimate": row["hazard_ratio"],
            "ci_lower": row["ci_lower"], "ci_upper": row["ci_upper"], "p_value": row["p_value"],
            "note": "; ".join(filter(None, [fit.note, frame.note])),
        }
        for term, row in fit.terms.iterrows()
    ]  # fmt: skip
