"""What became of the groups of a score: survival of each, hazard ratios between them, and who moves when the age is swapped."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.scores.definition import Score
from faceage_bio.analyses.scores.swap import CONTINUOUS_AGE, CONTINUOUS_FACE, Swap, Version
from faceage_bio.core.columns import AGE, ENTRY, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import tested
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import CoxFit, likelihood_ratio_test, numbers
from faceage_bio.stats.fewest_events import check_events
from faceage_bio.stats.kaplan_meier import kaplan_meier, median

MONTHS = 12  # in a year
MEDIAN, PARTICIPANTS, CHI_SQUARE = "median survival", "participants", "likelihood-ratio chi-square"
INTERVAL = "Kaplan-Meier, log-log interval"
COX = "Cox, Efron ties, Wald interval"
EMPTY, CANNOT = reason("empty_group"), reason("impossible_move")
KEPT, NEVER, GAINED, LOST = "points both ways", "points neither way", "gained points", "lost points"


def median_months(people: pd.DataFrame) -> dict:
    """Counts and median survival of some participants as fields of a result row."""
    row = {
        "measure": MEDIAN,
        "unit": "months",
        "n": len(people),
        "n_events": int(people[EVENT].sum()),
        "method": INTERVAL,
    }
    if not len(people):
        return row | {"reason": EMPTY}
    found = median(kaplan_meier(people[FOLLOWUP], people[EVENT], people[ENTRY]))
    months = {name: getattr(found, name) * MONTHS for name in ("estimate", "ci_lower", "ci_upper")}
    return row | months | {"reason": None if np.isfinite(found.estimate) else reason("not_reached")}


def group_rows(people: pd.DataFrame, version: Version, score: Score) -> list[dict]:
    """Median survival per group."""
    return [
        {"question": "groups", "version": version.name, "term": name}
        | median_months(people[version.groups == name])
        for name in score.group_names
    ]


def hazard_rows(people: pd.DataFrame, version: Version, score: Score, reference: str) -> list[dict]:
    """Hazard ratios of the groups against the declared one."""
    base = {
        "question": "cox", "version": version.name, "measure": "hazard ratio", "reference": reference, "method": COX, "n": len(people), "n_events": int(people[EVENT].sum()),
    }  # fmt: skip
    sizes = version.groups.value_counts()
    others = [name for name in score.group_names if name != reference]
    present = [name for name in others if sizes.get(name, 0)]
    empty = [base | {"term": name, "level": name, "reason": EMPTY} for name in others if name not in present]
    try:
        if not sizes.get(reference, 0):
            raise FitError("empty_reference", group=reference)
        if not present:
            raise FitError("one_group")
        check_events(people[EVENT])
        design = pd.DataFrame({name: (version.groups == name).astype("float64") for name in present})
        fit = fit_cox(people[FOLLOWUP], people[EVENT], design, entry_of(people))
    except FitError as error:
        return [base | {"term": name, "level": name, "reason": error.reason} for name in present] + empty
    rows = []
    for name in present:
        row = base | {"term": name, "level": name}
        try:
            check_events(people.loc[version.groups == name, EVENT])
            rows.append(row | {"reason": fit.reasons} | numbers(fit.terms.loc[name]))
        except FitError as error:
            rows.append(row | {"reason": error.reason})
    return rows + empty


def move_rows(people: pd.DataFrame, before: Version, after: Version, score: Score) -> list[dict]:
    """Who goes from which group to which, and who gains or loses points for age; survival of each."""
    rows, possible = [], score.moves_between(AGE)
    for one in score.group_names:
        for other in score.group_names:
            chosen = people[(before.groups == one) & (after.groups == other)]
            rows.append(
                {"question": "movers", "term": f"{one} to {other}", "from_group": one, "to_group": other}
                | median_months(chosen)
                | ({} if (one, other) in possible else {"reason": CANNOT})
            )
    change = after.age_points - before.age_points
    kinds = {
        KEPT: (change == 0) & (before.age_points != 0), NEVER: (change == 0) & (before.age_points == 0),
        GAINED: change > 0, LOST: change < 0,
    }  # fmt: skip
    rows += [
        {"question": "points", "term": kind} | median_months(people[chosen]) for kind, chosen in kinds.items()
    ]
    return [row | {"version": after.name} for row in rows]


def cut_rows(swap: Swap, n: int) -> list[dict]:
    """The cuts, how many are beyond them, and by how many more than by age."""
    rows, first = [], swap.versions[0]
    by_age = int(first.age_points.ne(0).sum())
    for version in swap.versions:
        base = {"question": "cut", "version": version.name, "n": n, "reason": version.reason}
        rows += [
            base | {"term": label, "measure": "cut-point", "estimate": cut}
            for label, cut in version.cuts.items()
        ]
        count = int(version.age_points.ne(0).sum())
        rows.append(base | {"term": "points for age", "measure": PARTICIPANTS, "estimate": count})
        if version is not first:
            rows.append(
                base
                | {
                    "term": "points for age",
                    "measure": f"difference in {PARTICIPANTS}",
                    "estimate": count - by_age,
                }
            )
    return rows


def continuous_fits(people: pd.DataFrame, swap: Swap, per_years: float) -> dict[str, CoxFit]:
    """Cox models without cuts: points of the other items, and age, face age or both, as numbers.

    Raises
    ------
    FitError
        One of them cannot be fitted.
    """
    check_events(people[EVENT])
    terms = {"other items": swap.other_points} if swap.other_points.nunique() > 1 else {}
    ages = {AGE: people[AGE] / per_years, FACE_AGE: people[FACE_AGE] / per_years}

    def fit(*names: str) -> CoxFit:
        design = pd.DataFrame(terms | {name: ages[name] for name in names}, index=people.index)
        return fit_cox(people[FOLLOWUP], people[EVENT], design, entry_of(people))

    return {CONTINUOUS_AGE: fit(AGE), CONTINUOUS_FACE: fit(FACE_AGE), "both": fit(AGE, FACE_AGE)}


def continuous_rows(fits: dict[str, CoxFit], per_years: float) -> list[dict]:
    """Hazard ratios of the models without cuts, and the one likelihood-ratio test that is one."""
    rows = []
    for name in (CONTINUOUS_AGE, CONTINUOUS_FACE):
        fit = fits[name]
        for term in fit.terms.index:
            per = "point" if term == "other items" else f"{per_years:g} years"
            rows.append({
                "question": "cox", "version": name, "term": term, "measure": "hazard ratio", "per": per, "method": COX,
                "n": fit.n, "n_events": fit.n_events, "reason": fit.reasons,
            } | numbers(fit.terms.loc[term]))  # fmt: skip
    both = fits["both"]
    base = {"question": "likelihood ratio", "n": both.n, "n_events": both.n_events}
    for name, added in ((CONTINUOUS_AGE, "face age"), (CONTINUOUS_FACE, "age")):
        known = "age" if name == CONTINUOUS_AGE else "face age"
        row = base | {"term": f"{added}, added to the other items and {known}"}
        rows.append(row | tested(CHI_SQUARE, likelihood_ratio_test(fits[name], both)))
    rows.append(base | {
        "term": "age against face age, with or without cuts", "measure": CHI_SQUARE,
        "reason": reason("models_not_nested"),
    })  # fmt: skip
    return rows
