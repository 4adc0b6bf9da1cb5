"""One score, two ages, the same people: everything that is said about the swap, as one result table."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from faceage_bio.analyses.scores import score_groups
from faceage_bio.analyses.scores.calculate import absent_columns, lacking, read_answers
from faceage_bio.analyses.scores.definition import Score
from faceage_bio.analyses.scores.discrimination import discrimination_rows
from faceage_bio.analyses.scores.swap import (
    BY_AGE,
    CONTINUOUS_AGE,
    CONTINUOUS_FACE,
    FIXED,
    MATCHED,
    swap_ages,
)
from faceage_bio.core.columns import AGE, COHORT, EVENT, FACE_AGE
from faceage_bio.core.errors import ConfigError, FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows

TABLE, DEATH = "scores/comparison", "death"


@dataclass(frozen=True)
class Choices:
    """How scores are compared; the settings of the same names under ``scores``."""

    reference_group: str | None = None
    horizons_months: Sequence[float] = (3.0, 6.0, 12.0)
    bootstraps: int = 1000
    seed: int = 1
    per_years: float = 10.0


def compare_score(
    followed: pd.DataFrame,
    score: Score,
    name: str,
    choices: Choices,
    cohort: str,
    source: str,
    lines: Sequence[int],
) -> pd.DataFrame:
    """Groups, hazard ratios, discrimination, movers and cuts of a score with age and with face age.

    Parameters
    ----------
    followed : DataFrame
        Participants with follow-up: the score's columns, chronological_age, face_age, entry_years, followup_years, event.
    name : how the config names the score
    source, lines : file, and the line of each row in it, for errors

    Returns
    -------
    DataFrame, result rows
        Questions "groups", "cox", "discrimination", "movers", "points", "cut" and "likelihood ratio"; columns ``score``,
        ``version`` (which age, which cut), ``from_group``, ``to_group``, ``method``. What cannot be had keeps a row.

    Raises
    ------
    CohortError
        Cells that are not what their item needs.
    ConfigError
        The reference group is none of the score's.
    """
    reference = _reference(score, choices)
    base = {
        COHORT: cohort, "outcome": DEATH, "score": name, "model": score.title, "adjustment": "unadjusted",
    }  # fmt: skip
    if why := _impossible(followed, score):
        return result_rows([base | _nothing(why)], TABLE)
    answers = read_answers(followed, score, source, lines).of(followed[FACE_AGE].notna())
    people = followed.loc[answers.values.index]
    if not len(people):
        return result_rows([base | _nothing(reason("no_complete_score", n=len(followed)))], TABLE)
    swap = swap_ages(people, answers, score)
    rows = score_groups.cut_rows(swap, len(people))
    for version in swap.versions:
        rows += score_groups.group_rows(people, version, score)
        rows += score_groups.hazard_rows(people, version, score, reference)
        if version.name != BY_AGE:
            rows += score_groups.move_rows(people, swap.versions[0], version, score)
    rows += [
        {
            "question": "groups",
            "version": version,
            "term": "all",
            "measure": score_groups.MEDIAN,
            "reason": why,
        }
        for version, why in swap.failed.items()
    ]
    sign = 1 if score.more_points == "worse" else -1
    risks = {version.name: sign * version.totals for version in swap.versions}
    try:
        fits = score_groups.continuous_fits(people, swap, choices.per_years)
        rows += score_groups.continuous_rows(fits, choices.per_years)
        for version in (CONTINUOUS_AGE, CONTINUOUS_FACE):
            risks[version] = linear_predictor(fits[version], people, swap.other_points, choices.per_years)
    except FitError as error:
        rows.append({
            "question": "cox", "version": CONTINUOUS_FACE, "term": FACE_AGE, "measure": "hazard ratio",
            "n": len(people), "n_events": int(people[EVENT].sum()), "reason": error.reason,
        })  # fmt: skip
    rows += discrimination_rows(
        people, risks, [(FIXED, BY_AGE), (MATCHED, BY_AGE), (CONTINUOUS_FACE, CONTINUOUS_AGE)],
        horizons_months=choices.horizons_months, resamples=choices.bootstraps, seed=choices.seed,
    )  # fmt: skip
    exposures = dict.fromkeys((BY_AGE, CONTINUOUS_AGE), AGE)
    return result_rows(
        [base | {"exposure": exposures.get(row.get("version"), FACE_AGE)} | row for row in rows], TABLE
    )


def linear_predictor(fit, people: pd.DataFrame, other_points: pd.Series, per_years: float) -> pd.Series:
    """Log hazard of each person by a model without cuts, up to a constant."""
    columns = {
        "other items": other_points,
        AGE: people[AGE] / per_years,
        FACE_AGE: people[FACE_AGE] / per_years,
    }
    return sum(columns[term] * beta for term, beta in fit.terms["log_hazard_ratio"].items())


def _impossible(followed: pd.DataFrame, score: Score) -> Reason | None:
    """Why no age of the score can be swapped, whoever the participants are."""
    if missing := absent_columns(followed, score):
        return lacking(missing)
    if AGE not in score.columns:
        return reason("no_item_on_age", score=score.title, column=AGE)
    return None


def _nothing(why: Reason) -> dict:
    """The only row of a score that cannot be compared."""
    return {
        "question": "groups", "version": BY_AGE, "term": "all", "measure": score_groups.MEDIAN, "n": 0, "reason": why,
    }  # fmt: skip


def _reference(score: Score, choices: Choices) -> str:
    reference = choices.reference_group or score.reference_group
    if reference not in score.group_names:
        raise ConfigError(
            f"scores.reference_group: {reference!r} is no group of {score.title}. Expected one of {', '.join(score.group_names)}. Name one of "
            "them, or leave it empty (null) for the one that the score's own file declares."
        )
    return reference
