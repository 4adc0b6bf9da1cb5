"""What became of the groups of a score: survival of each, hazard ratios between them, and who moves when the age is swapped."""

import numpy as np
import pandas as pd

from faceage_bio.columns import AGE, ENTRY, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.errors import FitError
from faceage_bio.observation import entry_of
from faceage_bio.scores.definition import Score
from faceage_bio.scores.swap import CONTINUOUS_AGE, CONTINUOUS_FACE, Swap, Version
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import CoxFit, likelihood_ratio_test
from faceage_bio.stats.fewest_events import check_events
from faceage_bio.stats.kaplan_meier import kaplan_meier, median

MONTHS = 12  # in a year
MEDIAN = "median survival, months"
INTERVAL = "Kaplan-Meier, log-log interval"
COX = "Cox, Efron ties, Wald interval"
CANNOT = "not estimated, because the points for age are too few for this move"
KEPT, NEVER, GAINED, LOST = "points both ways", "points neither way", "gained points", "lost points"


def median_months(people: pd.DataFrame) -> dict:
    """Counts and median survival of some people as fields of a result row."""
    row = {"measure": MEDIAN, "n": len(people), "n_events": int(people[EVENT].sum()), "method": INTERVAL}
    if not len(people):
        return row | {"note": "not estimated, because nobody is in it"}
    found = median(kaplan_meier(people[FOLLOWUP], people[EVENT], people[ENTRY]))
    months = {name: getattr(found, name) * MONTHS for name in ("estimate", "ci_lower", "ci_upper")}
    return row | months | {"note": "" if np.isfinite(found.estimate) else "not reached"}


def group_rows(people: pd.DataFrame, version: Version, score: Score) -> list[dict]:
    """Median survival per group."""
    return [
        {"analysis": "groups", "version": version.name, "term": name}
        | median_months(people[version.groups == name])
        for name in score.group_names
    ]


def hazard_rows(people: pd.DataFrame, version: Version, score: Score, reference: str) -> list[dict]:
    """Hazard ratios of the groups against the declared one."""
    base = {
        "analysis": "cox", "version": version.name, "measure": "hazard ratio", "per": f"against group {reference}",
        "method": COX, "n": len(people), "n_events": int(people[EVENT].sum()),
    }  # fmt: skip
    sizes = version.groups.value_counts()
    others = [name for name in score.group_names if name != reference]
    present = [name for name in others if sizes.get(name, 0)]
    empty = [
        base | {"term": name, "note": "not estimated, because nobody is in it"}
        for name in others
        if name not in present
    ]
    try:
        if not sizes.get(reference, 0):
            raise FitError(f"nobody is in the reference group {reference}")
        if not present:
            raise FitError("there is one group only")
        check_events(people[EVENT])
        design = pd.DataFrame({name: (version.groups == name).astype("float64") for name in present})
        fit = fit_cox(people[FOLLOWUP], people[EVENT], design, entry_of(people))
    except FitError as error:
        return [base | {"term": name, "note": f"not estimated, because {error}"} for name in present] + empty
    rows = []
    for name in present:
        try:
            check_events(people.loc[version.groups == name, EVENT])
            rows.append(base | {"term": name, "note": fit.note} | _ratio(fit, name))
        except FitError as error:
            rows.append(base | {"term": name, "note": f"not estimated, because {error}"})
    return rows + empty


def move_rows(people: pd.DataFrame, before: Version, after: Version, score: Score) -> list[dict]:
    """Who goes from which group to which, and who gains or loses points for age; survival of each."""
    rows, possible = [], score.moves_between(AGE)
    for one in score.group_names:
        for other in score.group_names:
            chosen = people[(before.groups == one) & (after.groups == other)]
            rows.append(
                {"analysis": "movers", "term": f"{one} to {other}", "from_group": one, "to_group": other}
                | median_months(chosen)
                | ({} if (one, other) in possible else {"note": CANNOT})
            )
    change = after.age_points - before.age_points
    kinds = {
        KEPT: (change == 0) & (before.age_points != 0), NEVER: (change == 0) & (before.age_points == 0),
        GAINED: change > 0, LOST: change < 0,
    }  # fmt: skip
    rows += [
        {"analysis": "points", "term": kind} | median_months(people[chosen]) for kind, chosen in kinds.items()
    ]
    return [row | {"version": after.name} for row in rows]


def cut_rows(swap: Swap, n: int) -> list[dict]:
    """The cuts, how many are beyond them, and by how many more than by age."""
    rows, first = [], swap.versions[0]
    by_age = int(first.age_points.ne(0).sum())
    for version in swap.versions:
        base = {"analysis": "cut", "version": version.name, "n": n, "note": version.note}
        rows += [
            base | {"term": label, "measure": "cut, years", "estimate": cut}
            for label, cut in version.cuts.items()
        ]
        count = int(version.age_points.ne(0).sum())
        rows.append(base | {"term": "points for age", "measure": "people", "estimate": count})
        if version is not first:
            rows.append(
                base
                | {"term": "points for age", "measure": "people more than by age", "estimate": count - by_age}
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
                "analysis": "cox", "version": name, "term": term, "measure": "hazard ratio", "per": per, "method": COX,
                "n": fit.n, "n_events": fit.n_events, "note": fit.note,
            } | _ratio(fit, term))  # fmt: skip
    both = fits["both"]
    base = {"analysis": "likelihood ratio", "n": both.n, "n_events": both.n_events}
    for name, added in ((CONTINUOUS_AGE, "face age"), (CONTINUOUS_FACE, "age")):
        chi_square, degrees, p_value = likelihood_ratio_test(fits[name], both)
        rows.append(base | {
            "term": f"{added}, beside the other items and {name.removesuffix(', continuous')}",
            "measure": f"chi-square, {degrees} df", "estimate": chi_square, "p_value": p_value,
        })  # fmt: skip
    rows.append(base | {
        "term": "age against face age, with or without cuts", "measure": "chi-square",
        "note": "not estimated, because neither model is part of the other, and a likelihood-ratio test compares no such models; "
        "see the paired differences of C and of the areas",
    })  # fmt: skip
    return rows


def _ratio(fit: CoxFit, term: str) -> dict:
    row = fit.terms.loc[term]
    return {
        "estimate": row["hazard_ratio"], "ci_lower": row["ci_lower"], "ci_upper": row["ci_upper"], "p_value": row["p_value"],
    }  # fmt: skip
