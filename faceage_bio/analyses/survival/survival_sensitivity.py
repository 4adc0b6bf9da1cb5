"""The headline again under other choices of who counts, and by classes of the age gap as later studies made them."""

from dataclasses import replace

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    adjusted_for,
    model_frame,
    model_rows,
    name_of,
    of_question,
    unit_of,
)  # fmt: skip
from faceage_bio.core.columns import AGE, AGE_GAP, ENTRY, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.fewest_events import check_events

EVERYBODY = "all participants"
GAP_CLASS = "gap_class"


def sensitivity(
    usable: pd.DataFrame,
    choices: Choices,
    cohort: str,
    *,
    early_death_years: float,
    gap_classes: tuple[float, float],
) -> pd.DataFrame:
    """Face age adjusted for age, and in the full model, among fewer participants; and gap classes instead of face age.

    Early deaths are not picked out by what happened later: all participants is at risk from ``early_death_years`` on only, and those
    no longer observed then leave.

    Parameters
    ----------
    usable : rows of `prepare`
        ``flags`` (of photos), ``low_resolution`` and ``valid_age`` where they are known.
    early_death_years : years after time zero that do not count
    gap_classes : age gaps, years
        At or below the first: looks younger; at or above the second: looks older; those between are the reference.

    Returns
    -------
    DataFrame, result rows, question "sensitivity"
        ``people`` says who counts, ``left_out`` how many do not. Rows of gap classes: with age, and with nothing.
    """
    models = [[FACE_AGE, AGE], *([[FACE_AGE, AGE, *choices.full]] if choices.full else [])]
    rows: list[dict] = []
    for label, part in _parts(usable, choices, early_death_years):
        for columns in models:
            about = {"people": label, "left_out": np.nan if part is None else len(usable) - len(part)}
            if part is None:
                rows.append(_blank(columns, choices) | about | {"reason": reason("subgroup_unknown")})
                continue
            found = model_rows(part, columns, choices, **about)
            rows += [row for row in found if row["term"] == FACE_AGE]
    rows += _gap_rows(usable, choices, gap_classes)
    head = of_question(cohort, "sensitivity")
    return result_rows([head | row for row in rows], "survival/sensitivity")


def _parts(
    usable: pd.DataFrame, choices: Choices, early_death_years: float
) -> list[tuple[str, pd.DataFrame | None]]:
    """(who counts, the rows), None where it is not known of anybody."""

    def known(column: str) -> bool:
        return column in usable and usable[column].notna().any()

    flagged = usable["flags"].fillna("").astype(str).ne("") if known("flags") else None
    small = usable["low_resolution"].fillna(True).astype(bool) if known("low_resolution") else None
    outside = ~usable["valid_age"].fillna(False).astype(bool) if known("valid_age") else None
    late = usable[usable[FOLLOWUP] > early_death_years].copy()
    late[ENTRY] = late[ENTRY].fillna(0.0).clip(lower=early_death_years)
    try:
        complete = model_frame(usable, [FACE_AGE, AGE, *choices.full], choices).people
    except FitError:
        complete = usable.head(0)

    def without(bad: pd.Series | None) -> pd.DataFrame | None:
        return None if bad is None else usable[~bad]

    every = [bad for bad in (flagged, small, outside) if bad is not None]
    parts = [
        (EVERYBODY, usable),
        ("participants with all covariates of the full model", complete),
        ("without photos flagged for their quality", without(flagged)),
        ("without faces of low resolution", without(small)),
        ("without ages outside the valid band", without(outside)),
    ]
    if len(every) > 1:
        parts.append(("without any of these", usable[~pd.concat(every, axis=1).any(axis=1)]))
    return [*parts, (f"at risk from {early_death_years:g} years on, without early deaths", late)]


def _blank(columns: list[str], choices: Choices) -> dict:
    return adjusted_for(columns[1:], choices) | {
        "term": columns[0], "exposure": columns[0], "measure": "hazard ratio", "model": name_of(columns),
        "per": unit_of(columns[0], choices.per_years)[1],
    }  # fmt: skip


def _gap_rows(usable: pd.DataFrame, choices: Choices, gap_classes: tuple[float, float]) -> list[dict]:
    low, high = gap_classes
    names = ["between", f"{low:g} years and below", f"{high:g} years and above"]
    gap = usable[AGE_GAP]
    classes = np.select([gap <= low, gap >= high], names[1:], names[0]).astype(object)
    people = usable.assign(**{GAP_CLASS: pd.Series(classes, index=usable.index).where(gap.notna(), None)})
    declared = replace(choices, further_levels={GAP_CLASS: names})
    rows = []
    for columns in ([GAP_CLASS, AGE], [GAP_CLASS]):
        model = "gap class" + (" + age" if AGE in columns else "")
        found = model_rows(people, columns, declared, model=model, people=EVERYBODY, left_out=0)
        rows += [row for row in found if row["term"] == GAP_CLASS or "level" in row]
    for row in rows:
        if level := row.get("level"):
            inside = people[people[GAP_CLASS] == level]
            row["n_level"], row["n_events_level"] = len(inside), int(inside[EVENT].sum())
            try:
                check_events(inside[EVENT])
            except FitError as error:
                robust = dict.fromkeys(("robust_lower", "robust_upper", "robust_p"))
                row.update(robust, reason=error.reason)
    return rows
