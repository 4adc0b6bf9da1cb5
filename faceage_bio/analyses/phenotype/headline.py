"""The one contrast that stands for an exposure: its last group against the first, or years per unit."""

from dataclasses import dataclass

import pandas as pd

from faceage_bio.analyses.phenotype.contrasts import LEAST_SQUARES, contrast, numbers, raw_and_adjusted
from faceage_bio.analyses.phenotype.people import FEWEST, Frame
from faceage_bio.core.columns import AGE_GAP, FACE_AGE, UNITS
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.stats.design import build_design
from faceage_bio.stats.linear import fit_linear


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
    if frame.why_not or min(exposed, unexposed) < FEWEST:
        why = frame.why_not or reason("small_group", needed=FEWEST)
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
