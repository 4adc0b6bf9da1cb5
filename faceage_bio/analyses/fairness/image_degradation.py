"""Robustness to image degradation: change of face age, by condition and group, and differences between
groups.
"""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from faceage_bio.analyses.fairness.differences import (
    ALL,
    JACKKNIFE,
    Factor,
    age_bands,
    all_of,
    attempt,
    compare,
    difference_of_means,
    factor_of,
    known_age,
    noted,
    shares,
    term_of,
    too_small,
    with_q,
)
from faceage_bio.analyses.fairness.error import NO_FACE
from faceage_bio.core.columns import COHORT
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.group_differences import standard_deviation
from faceage_bio.stats.linear import mean_interval

AS_IT_IS = "as it is"
CHANGE = "change of face age"
COMPARISON = difference_of_means("change", "difference in mean change", CHANGE)
FACE_LOST, REJECTED, FAILED = "face lost", "excluded by the quality rules", "photo without an age"


def summarise_stress(
    changes: pd.DataFrame,
    by: Sequence[str],
    age_cut_points: Sequence[float],
    min_n: int,
    cohort: str | None = None,
) -> pd.DataFrame:
    """Change of face age at each step of each condition, by group, and how groups differ.

    Parameters
    ----------
    changes : DataFrame, one row per photo and step
        photo, condition, unit, step, change (years), lost (why there is no age, or ""); the columns of ``by``
        and chronological_age where known. Rows without a condition are photos that have no age as they are.

    Returns
    -------
    DataFrame, result rows
        Question "stress": per group and step mean change (t interval), its standard deviation (percentile
        bootstrap) and the shares of photos that lost face or age (Wilson). Question "stress differences":
        groups' mean changes, age-adjusted and unadjusted in one row. One row on the photos as they are says
        how many could not be used.
    """
    if cohort is None:
        cohort = str(changes[COHORT].iloc[0]) if COHORT in changes and len(changes) else ""
    photos = changes.drop_duplicates("photo")
    base = {"condition": AS_IT_IS, "term": AS_IT_IS, "factor": ALL, "group": ALL}
    base |= {"outcome": FAILED, "adjustment": "unadjusted"}
    rows = [shares(base, photos["condition"].isna(), min_n)]
    usable = photos[photos["condition"].notna()]
    factors = [*(factor_of(usable, column) for column in by), age_bands(known_age(usable), age_cut_points)]
    differences: list[dict] = []
    known = changes[changes["condition"].notna()]
    for (condition, unit, step), part in known.groupby(["condition", "unit", "step"], sort=False):
        what = {"condition": condition, "condition_unit": unit, "step": step}
        where = f"{condition} {step:g}"
        part = part.assign(age=known_age(part)).set_index("photo")
        for factor in (all_of(usable), *factors):
            groups = replace(factor, groups=factor.groups.set_axis(usable["photo"].to_numpy()))
            for level in groups.levels:
                rows += [what | row for row in _one_group(part, groups, level, where, min_n)]
            if factor.name != ALL:
                aged = part[part["change"].notna()]
                differences += [what | row for row in compare(aged, groups, COMPARISON, min_n, where)]
    shared = {COHORT: cohort}
    rows = [shared | {"question": "stress"} | row for row in rows]
    rows += [shared | {"question": "stress differences"} | row for row in with_q(differences)]
    return result_rows(rows, "fairness/stress")


def summarise_cohorts(
    changes: pd.DataFrame, by: Sequence[str], age_cut_points: Sequence[float], min_n: int
) -> pd.DataFrame:
    """`summarise_stress` of each cohort, and of all together ("pooled") if there are several."""
    parts = [
        summarise_stress(part, by, age_cut_points, min_n, str(name))
        for name, part in changes.groupby(COHORT, sort=False)
    ]
    if len(parts) > 1:
        parts.append(summarise_stress(changes, by, age_cut_points, min_n, "pooled"))
    return pd.concat(parts, ignore_index=True) if parts else result_rows([], "fairness/stress")


def _one_group(part: pd.DataFrame, factor: Factor, level: str, where: str, min_n: int) -> list[dict]:
    group = part[factor.groups.reindex(part.index) == level]
    change = group["change"].dropna()
    base = {"factor": factor.name, "group": level, "within": where, "n": len(change)}
    base["term"] = where if factor.name == ALL else f"{where}, {term_of(factor, level)}"
    base |= {"outcome": CHANGE, "adjustment": "unadjusted"}
    mean = attempt(base | {"measure": "mean change", "model": "t interval"}, mean_interval, change)
    about = {"measure": "standard deviation", "model": JACKKNIFE}
    spread = attempt(base | about, standard_deviation, change)
    without_face = group["lost"].isin(NO_FACE)
    rejected = (group["lost"] != "") & ~without_face
    small = too_small(len(change), min_n)
    return [
        noted(mean, small),
        noted(spread, small),
        shares(base | {"outcome": FACE_LOST}, without_face, min_n),
        shares(base | {"outcome": REJECTED}, rejected, min_n),
    ]
