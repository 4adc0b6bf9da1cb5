"""The same score with chronological age, and with face age in its place: at the same cut, at a matched cut, and without cuts."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from faceage_bio.analyses.scores.calculate import Answers, fulfils, item_points, totals_and_groups
from faceage_bio.analyses.scores.definition import Item, Score
from faceage_bio.core.columns import AGE, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason

BY_AGE, FIXED, MATCHED = "age", "face age, fixed cut", "face age, matched cut"
CONTINUOUS_AGE, CONTINUOUS_FACE = "age, continuous", "face age, continuous"


@dataclass(frozen=True)
class Version:
    """A score computed with one of the ages.

    ``name``: which; ``totals`` and ``groups`` per person; ``age_points``: points from the items on age; ``cuts``: the age of
    each of these items' rules, by label; ``reason``: what cannot be had exactly.
    """

    name: str
    totals: pd.Series
    groups: pd.Series
    age_points: pd.Series
    cuts: dict[str, float]
    reason: Reason | None = None


@dataclass(frozen=True)
class Swap:
    """All versions with cuts, on the same participants, and the points of the items that are not on age."""

    versions: list[Version]
    other_points: pd.Series
    failed: dict[str, Reason] = field(default_factory=dict)  # name of a version -> why it is not there


def swap_ages(people: pd.DataFrame, answers: Answers, score: Score) -> Swap:
    """The score with age, with face age at the same cuts, and with face age at cuts that as many participants are above.

    Parameters
    ----------
    people : DataFrame
        chronological_age and face_age, nothing missing in them or in the answers.
    """
    items = [item for item in score.items if item.column == AGE]
    labels = [item.label for item in items]
    faces = people[FACE_AGE].astype("float64")

    def version(
        name: str, replaced: dict[str, pd.Series] | None, cuts: dict[str, float], remark: Reason | None = None
    ) -> Version:
        points = item_points(answers, score, replaced)
        totals, groups = totals_and_groups(points, score)
        return Version(name, totals, groups, points[labels].sum(axis=1), cuts, remark)

    own = {item.label: item.threshold for item in items}
    versions = [version(BY_AGE, None, own)]
    versions.append(version(FIXED, {item.label: fulfils(faces, item) for item in items}, own))
    others = item_points(answers, score).drop(columns=labels).sum(axis=1)
    try:
        cuts = {item.label: matched_cut(people[AGE], faces, item) for item in items}
    except FitError as error:
        return Swap(versions, others, {MATCHED: error.reason})
    replaced = {item.label: fulfils(faces, item, cuts[item.label]) for item in items}
    tied = any(replaced[item.label].sum() != fulfils(people[AGE], item).sum() for item in items)
    remark = reason("tied_face_ages") if tied else None
    return Swap([*versions, version(MATCHED, replaced, cuts, remark)], others)


def matched_cut(ages: pd.Series, faces: pd.Series, item: Item) -> float:
    """The face age that divides participants in the same shares as the item's threshold divides their ages.

    It lies halfway between two face ages that occur. Where ties make equal shares impossible, the nearest shares are taken.

    Raises
    ------
    FitError
        The rule is none of >, >=, <, <=, or all participants or no participant fulfils it by age.
    """
    if item.threshold is None:
        raise FitError("no_cut", rule=item.rule)
    wanted = int(fulfils(ages, item).sum())
    if wanted in (0, len(ages)):
        whom = "no participant" if wanted == 0 else "each participant"
        raise FitError("all_or_none_fulfil", whom=whom, rule=f"{item.rule} {item.threshold:g}")
    values = np.unique(faces)
    if len(values) < 2:
        raise FitError("one_face_age")
    between = (values[:-1] + values[1:]) / 2
    reached = np.array([int(fulfils(faces, item, cut).sum()) for cut in between])
    return float(between[np.argmin(np.abs(reached - wanted))])
