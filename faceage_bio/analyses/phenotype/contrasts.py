"""Associations with smoking, BMI, disease: the unadjusted age gap and the age-adjusted years always stand
together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from faceage_bio.analyses.phenotype.comparison_frame import (
    DISEASE,
    POOLED,
    Frame,
    in_units,
    make_frame,
    no_disease,
    unit_of,
)
from faceage_bio.core.columns import AGE_GAP, COHORT, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.design import build_design
from faceage_bio.stats.linear import Estimate, fit_linear, welch
from faceage_bio.stats.minimum_sizes import IN_GROUP
from faceage_bio.stats.multiplicity import q_values

RAW, ADJUSTED = "unadjusted", "minimal"
LEAST_SQUARES = "least squares, HC3 (t)"


def contrast_exposures(
    table: pd.DataFrame, exposures: Sequence[str], adjust_for: Sequence[str]
) -> pd.DataFrame:
    """Years of face age that go with each exposure in one cohort, raw and adjusted.

    Parameters
    ----------
    table : DataFrame
        The cohort's analysis table (acceleration.parquet).
    exposures, adjust_for : names of its columns

    Returns
    -------
    DataFrame, result rows, question "phenotype"
        Two rows per contrast; q_value is Benjamini and Hochberg's over the adjusted rows. An exposure that
        cannot be estimated keeps its rows, with the reason.
    """
    rows = [row for exposure in exposures for row in unadjusted_and_adjusted(table, exposure, adjust_for)]
    cohort = str(table[COHORT].iloc[0]) if len(table) else ""
    shared = {COHORT: cohort, "question": "phenotype", "family": "exposures of a cohort"}
    return _one_family([shared | row for row in rows], "phenotype/phenotypes")


def compare_groups(table: pd.DataFrame, adjust_for: Sequence[str]) -> pd.DataFrame:
    """Cancer against controls over all cohorts, raw and adjusted.

    Face age itself is the outcome, with age in the model. Residuals of each cohort's own line would not do:
    their mean is zero in every cohort, which would take the very difference away.
    """
    if why := no_disease(table):
        shared = {"term": DISEASE, "exposure": DISEASE, "n": len(table)}
        rows = raw_and_adjusted(shared, ("age", *adjust_for), why, why)
    else:
        rows = unadjusted_and_adjusted(table, DISEASE, adjust_for)
    shared = {COHORT: POOLED, "question": "groups", "family": "cancer against controls"}
    return _one_family([shared | row for row in rows], "phenotype/groups")


def _one_family(rows: list[dict], name: str) -> pd.DataFrame:
    """Result rows of one family, which are the adjusted ones."""
    table = result_rows(rows, name)
    adjusted = table["adjustment"] != RAW
    q = q_values(table[adjusted], COHORT)
    return table.assign(family=table["family"].where(adjusted, ""), q_value=q)


def raw_and_adjusted(
    shared: dict,
    covariates: Sequence[str],
    raw: Callable[[], dict] | Reason,
    adjusted: Callable[[], dict] | Reason,
    adjustment: str = ADJUSTED,
) -> list[dict]:
    """Two rows that belong together: of the age gap, unadjusted, and of face age, adjusted for age (and
    more). No other way makes rows.

    Parameters
    ----------
    shared : what both rows say, such as term, measure, n
    covariates : what the second is adjusted for
    raw, adjusted : functions that give the numbers, or the reason why there are none
    adjustment : the closed word of the second; "age" where that is its only covariate

    Returns
    -------
    list of two rows
        A FitError of either function becomes its row's reason.
    """
    word = word_of(covariates, adjustment)
    kinds = ((RAW, (), "age gap", raw), (word, covariates, "face age", adjusted))
    rows = []
    for word, names, outcome, compute in kinds:
        row = {"measure": "mean difference", "outcome": outcome} | shared
        row |= {"adjustment": word, "covariates": ", ".join(names)}
        try:
            row |= {"reason": compute} if isinstance(compute, Reason) else compute()
        except FitError as error:
            row["reason"] = error.reason
        rows.append(row)
    return rows


def word_of(covariates: Sequence[str], adjustment: str = ADJUSTED) -> str:
    """The closed word of what a row is adjusted for."""
    return "age" if tuple(covariates) == ("age",) else adjustment


def of_gap_and_face(
    frame: Frame, shared: dict, compute: Callable[[pd.Series, pd.DataFrame], dict]
) -> list[dict]:
    """`raw_and_adjusted` with one function of the outcome and of the design of what is adjusted for."""
    gap, face = frame.people[AGE_GAP], frame.people[FACE_AGE]
    rest = frame.design.drop(columns=frame.own)
    return raw_and_adjusted(
        shared, frame.covariates, lambda: compute(gap, rest[[]]), lambda: compute(face, rest)
    )


def unadjusted_and_adjusted(table: pd.DataFrame, exposure: str, adjust_for: Sequence[str]) -> list[dict]:
    """For each contrast of an exposure a row of the age gap, unadjusted, and one adjusted for age and more.

    Both are of the same people: those whose ages, exposure and covariates are all known.
    """
    frame = make_frame(table, exposure, adjust_for)
    lonely = [row for level in frame.lonely for row in _lonely(frame, level)]
    if frame.why_not:
        return lonely or raw_and_adjusted(frame.about, frame.covariates, frame.why_not, frame.why_not)
    rows = _levels(frame) if frame.levels else _slope(frame)
    return rows + lonely


def _lonely(frame: Frame, level: str) -> list[dict]:
    shared = {"n": len(frame.people), "n_exposed": 1}
    if frame.levels:
        shared |= contrast(frame.exposure, level, frame.levels[0])
    else:
        shared |= {"term": f"{frame.exposure}: {level}", "exposure": frame.exposure, "level": level}
    why = reason("small_group", needed=IN_GROUP)
    return raw_and_adjusted(shared, frame.covariates, why, why)


def contrast(exposure: str, level: str, reference: str) -> dict:
    """What the rows of one group against another say of them."""
    term = {"term": f"{exposure}: {level} vs {reference}", "exposure": exposure}
    return term | {"level": level, "reference": reference}


def contrasted(frame: Frame, level: str, reference: str) -> dict:
    """`contrast` with the participants of both groups."""
    n = {"n_exposed": int(frame.members(level).sum()), "n_reference": int(frame.members(reference).sum())}
    return frame.about | contrast(frame.exposure, level, reference) | n


def coefficient(outcome: pd.Series, design: pd.DataFrame, term: str) -> dict:
    """A term of a linear model as its numbers stand in a result row."""
    return numbers(fit_linear(outcome, design).terms, term)


def numbers(terms: pd.DataFrame, term: str) -> dict:
    """A term's numbers as they stand in a result row."""
    return dict(vars(Estimate.of(terms.loc[term])))


def _slope(frame: Frame) -> list[dict]:
    amount = in_units(frame.design, frame.exposure)[[frame.exposure]]
    return of_gap_and_face(
        frame,
        frame.about | {"per": unit_of(frame.exposure)[1], "model": LEAST_SQUARES},
        lambda outcome, others: coefficient(outcome, amount.join(others), frame.exposure),
    )


def _levels(frame: Frame) -> list[dict]:
    reference, *others = frame.levels
    gap, face = frame.people[AGE_GAP], frame.people[FACE_AGE]

    def compare(level: str) -> dict:
        return {"model": "Welch"} | vars(welch(gap[frame.members(level)], gap[frame.members(reference)]))

    def fit(level: str) -> dict:
        return {"model": LEAST_SQUARES} | coefficient(face, frame.design, f"{frame.exposure}: {level}")

    result = []
    for level in others:
        shared = contrasted(frame, level, reference)
        result += raw_and_adjusted(shared, frame.covariates, partial(compare, level), partial(fit, level))
    return result


# The one contrast that stands for an exposure: its last group against the first, or years per unit.


@dataclass(frozen=True)
class Headline:
    """What a result row says of the contrast, its column of ``design``, the exposure's columns, or why there
    is none.
    """

    frame: Frame
    shared: dict
    column: str
    design: pd.DataFrame
    own: list[str]
    why_not: Reason | None = None

    def estimate(self, outcome: pd.Series, design: pd.DataFrame) -> dict:
        """The contrast's numbers for an outcome."""
        return coefficient(outcome, design, self.column)

    def rows(self, adjusted: Callable[[], dict] | None = None, adjustment: str = ADJUSTED) -> list[dict]:
        """The contrast unadjusted and adjusted, the latter by another function if one is given."""
        people, covariates = self.frame.people, self.frame.covariates
        if self.why_not:
            return raw_and_adjusted(self.shared, covariates, self.why_not, self.why_not, adjustment)
        return raw_and_adjusted(
            self.shared,
            covariates,
            lambda: self.estimate(people[AGE_GAP], self.design[self.own]),
            adjusted or (lambda: self.estimate(people[FACE_AGE], self.design)),
            adjustment,
        )


def find_headline(frame: Frame, whole: Frame | None) -> Headline:
    """The headline contrast among some participants.

    Parameters
    ----------
    frame : the participants
    whole : Frame, optional
        All participants, if ``frame`` holds some of them: their groups say which contrast is meant, and which
        is the reference.
    """
    levels, exposure = (whole or frame).levels, frame.exposure
    model = {"model": LEAST_SQUARES}
    if len(levels) < 2:
        shared = frame.about | model | {"per": "" if frame.levels else unit_of(exposure)[1]}
        return Headline(frame, shared, exposure, in_units(frame.design, exposure), [exposure], frame.why_not)
    first, last = levels[0], levels[-1]
    shared = contrasted(frame, last, first) | model
    few = min(shared["n_exposed"], shared["n_reference"]) < IN_GROUP
    if why := frame.why_not or (reason("small_group", needed=IN_GROUP) if few else None):
        return Headline(frame, shared, "", frame.design, [], why)
    order = {exposure: [first, *(level for level in frame.levels if level != first)]}
    own = build_design(frame.people, [exposure], order).matrix
    design = own.join(frame.design.drop(columns=frame.own))
    return Headline(frame, shared, f"{exposure}: {last}", design, list(own))
