"""Associations with smoking, BMI, disease: the unadjusted age gap and the age-adjusted years always stand together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.phenotype.people import DISEASE, POOLED, Frame, make_frame, no_disease
from faceage_bio.core.columns import AGE_GAP, COHORT, FACE_AGE, UNITS
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.design import build_design
from faceage_bio.stats.linear import Estimate, fit_linear, least_squares, welch
from faceage_bio.stats.minimum_sizes import IN_GROUP
from faceage_bio.stats.multiplicity import benjamini_hochberg

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
        Two rows per contrast; q_value is Benjamini and Hochberg's over the adjusted rows. An exposure that cannot be
        estimated keeps its rows, with the reason.
    """
    rows = [row for exposure in exposures for row in unadjusted_and_adjusted(table, exposure, adjust_for)]
    shared = {
        COHORT: str(table[COHORT].iloc[0]) if len(table) else "", "question": "phenotype",
        "family": "exposures of a cohort",
    }  # fmt: skip
    return with_q([shared | row for row in rows], "phenotype/phenotypes")


def compare_groups(table: pd.DataFrame, adjust_for: Sequence[str]) -> pd.DataFrame:
    """Cancer against controls over all cohorts, raw and adjusted.

    Face age itself is the outcome, with age in the model. Residuals of each cohort's own line would not do: their mean is
    zero in every cohort, which would take the very difference away.
    """
    if why := no_disease(table):
        shared = {"term": DISEASE, "exposure": DISEASE, "n": len(table)}
        rows = raw_and_adjusted(shared, ("age", *adjust_for), why, why)
    else:
        rows = unadjusted_and_adjusted(table, DISEASE, adjust_for)
    shared = {COHORT: POOLED, "question": "groups", "family": "cancer against controls"}
    return with_q([shared | row for row in rows], "phenotype/groups")


def with_q(rows: list[dict], name: str) -> pd.DataFrame:
    """Result rows of one family: q values over its adjusted rows."""
    table = result_rows(rows, name)
    adjusted = table["adjustment"] != RAW
    table["family"] = table["family"].where(adjusted, "")
    table.loc[adjusted, "q_value"] = benjamini_hochberg(
        table.loc[adjusted, "p_value"].to_numpy(dtype=np.float64)
    )
    return table


def raw_and_adjusted(
    shared: dict,
    covariates: Sequence[str],
    raw: Callable[[], dict] | Reason,
    adjusted: Callable[[], dict] | Reason,
    adjustment: str = ADJUSTED,
) -> list[dict]:
    """Two rows that belong together: of the age gap, unadjusted, and of face age, adjusted for age (and more). No other way makes rows.

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
    held = "age" if tuple(covariates) == ("age",) else adjustment
    kinds = ((RAW, (), "age gap", raw), (held, covariates, "face age", adjusted))
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


def unadjusted_and_adjusted(table: pd.DataFrame, exposure: str, adjust_for: Sequence[str]) -> list[dict]:
    """For each contrast of an exposure a row of the age gap, unadjusted, and one adjusted for age and more.

    Both are of the same people: those whose ages, exposure and covariates are all known.
    """
    frame = make_frame(table, exposure, adjust_for)
    lonely = [row for level in frame.lonely for row in _lonely(frame, level)]
    if frame.why_not:
        shared = {"term": exposure, "exposure": exposure, "n": len(frame.people)}
        return lonely or raw_and_adjusted(shared, frame.covariates, frame.why_not, frame.why_not)
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
    return {
        "term": f"{exposure}: {level} vs {reference}", "exposure": exposure, "level": level, "reference": reference,
    }  # fmt: skip


def numbers(terms: pd.DataFrame, term: str) -> dict:
    """A term's numbers as they stand in a result row."""
    return dict(vars(Estimate.of(terms.loc[term])))


def _slope(frame: Frame) -> list[dict]:
    exposure = frame.exposure
    unit, per = UNITS.get(exposure, (1.0, "1 unit"))
    scaled = frame.design.assign(**{exposure: frame.design[exposure] / unit})
    shared = {
        "term": exposure, "exposure": exposure, "n": len(frame.people), "per": per, "model": LEAST_SQUARES,
        "reason": frame.remarks,
    }  # fmt: skip
    return raw_and_adjusted(
        shared, frame.covariates,
        lambda: numbers(least_squares(frame.people[AGE_GAP], scaled[[exposure]]), exposure),
        lambda: numbers(least_squares(frame.people[FACE_AGE], scaled), exposure),
    )  # fmt: skip


def _levels(frame: Frame) -> list[dict]:
    reference, *others = frame.levels
    gap, face = frame.people[AGE_GAP], frame.people[FACE_AGE]
    result = []
    for level in others:
        exposed, unexposed, indicator = frame.members(level), frame.members(reference), frame.column(level)
        shared = contrast(frame.exposure, level, reference) | {
            "n": len(frame.people), "reason": frame.remarks, "n_exposed": int(exposed.sum()),
            "n_reference": int(unexposed.sum()),
        }  # fmt: skip

        def compare(exposed=exposed, unexposed=unexposed) -> dict:
            return {"model": "Welch"} | vars(welch(gap[exposed], gap[unexposed]))

        def fit(indicator=indicator) -> dict:
            return {"model": LEAST_SQUARES} | numbers(least_squares(face, frame.design), indicator)

        result += raw_and_adjusted(shared, frame.covariates, compare, fit)
    return result


# The one contrast that stands for an exposure: its last group against the first, or years per unit.


@dataclass(frozen=True)
class Headline:
    """What a result row says of the contrast, its column of ``design``, the exposure's columns, or why there is none."""

    shared: dict
    column: str
    design: pd.DataFrame
    own: list[str]
    why_not: Reason | None

    def estimate(self, outcome: pd.Series, design: pd.DataFrame) -> dict:
        """The contrast's numbers for an outcome."""
        return numbers(fit_linear(outcome, design).terms, self.column)


def find_headline(frame: Frame, whole: Frame | None = None) -> Headline:
    """The headline contrast among some participants.

    Parameters
    ----------
    frame : the participants
    whole : Frame, optional
        All participants, if ``frame`` holds some of them: their groups say which contrast is meant, and which is the reference.
    """
    levels, exposure = (whole or frame).levels, frame.exposure
    unit, per = UNITS.get(exposure, (1.0, "1 unit"))
    shared = {"n": len(frame.people), "model": LEAST_SQUARES, "reason": frame.remarks}
    if len(levels) < 2:
        design = frame.design
        if not frame.why_not and not frame.levels:
            design = design.assign(**{exposure: design[exposure] / unit})
        shared |= {"term": exposure, "exposure": exposure, "per": "" if frame.levels else per}
        return Headline(shared, exposure, design, [exposure], frame.why_not)
    first, last = levels[0], levels[-1]
    exposed, unexposed = int(frame.members(last).sum()), int(frame.members(first).sum())
    shared |= contrast(exposure, last, first) | {"n_exposed": exposed, "n_reference": unexposed}
    if frame.why_not or min(exposed, unexposed) < IN_GROUP:
        why = frame.why_not or reason("small_group", needed=IN_GROUP)
        return Headline(shared, "", frame.design, [], why)
    order = {exposure: [first, *(level for level in frame.levels if level != first)]}
    own = build_design(frame.people, [exposure], order).matrix
    design = own.join(frame.design.drop(columns=frame.own))
    return Headline(shared, f"{exposure}: {last}", design, list(own), None)


def headline(frame: Frame, whole: Frame | None = None) -> list[dict]:
    """The headline contrast, unadjusted and adjusted."""
    found = find_headline(frame, whole)
    if found.why_not:
        return raw_and_adjusted(found.shared, frame.covariates, found.why_not, found.why_not)
    return raw_and_adjusted(
        found.shared,
        frame.covariates,
        lambda: found.estimate(frame.people[AGE_GAP], found.design[found.own]),
        lambda: found.estimate(frame.people[FACE_AGE], found.design),
    )
