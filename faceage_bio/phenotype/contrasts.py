"""What goes with looking older: smoking, BMI, disease. The raw gap and the age-adjusted years always stand together."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from faceage_bio.columns import AGE_GAP, COHORT, FACE_AGE, UNITS
from faceage_bio.errors import FitError
from faceage_bio.phenotype.people import DISEASE, POOLED, Frame, make_frame, no_disease
from faceage_bio.stats.linear import least_squares, welch
from faceage_bio.stats.multiplicity import benjamini_hochberg
from faceage_bio.tables import result_rows

RAW = "none (raw age gap)"
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
    DataFrame, result rows, analysis "phenotype"
        Two rows per contrast; q_value is Benjamini and Hochberg's over the adjusted rows. An exposure that cannot be
        estimated keeps its rows, with the reason in ``note``.
    """
    rows = [row for exposure in exposures for row in raw_beside_adjusted(table, exposure, adjust_for)]
    return finish(rows, str(table[COHORT].iloc[0]) if len(table) else "", "phenotype")


def compare_groups(table: pd.DataFrame, adjust_for: Sequence[str]) -> pd.DataFrame:
    """Cancer against reference people over all cohorts, raw and adjusted.

    Face age itself is the outcome, with age in the model. Residuals of each cohort's own line would not do: their mean is
    zero in every cohort, which would take the very difference away.
    """
    if why := no_disease(table):
        rows = raw_and_adjusted({"term": DISEASE, "n": len(table)}, ", ".join(["age", *adjust_for]), why, why)
    else:
        rows = raw_beside_adjusted(table, DISEASE, adjust_for)
    return finish(rows, POOLED, "groups")


def finish(rows: list[dict], cohort: str, analysis: str) -> pd.DataFrame:
    """Result rows of one family: q values over its adjusted rows."""
    table = result_rows(pd.DataFrame(rows).assign(**{COHORT: cohort, "analysis": analysis}))
    adjusted = table["adjustment"] != RAW
    table["q_value"] = np.nan
    table.loc[adjusted, "q_value"] = benjamini_hochberg(
        table.loc[adjusted, "p_value"].to_numpy(dtype=np.float64)
    )
    return table


def raw_and_adjusted(
    shared: dict, label: str, raw: Callable[[], dict] | str, adjusted: Callable[[], dict] | str
) -> list[dict]:
    """Two rows that belong together: from the raw age gap, and with age (and more) held constant. No other way makes rows.

    Parameters
    ----------
    shared : what both rows say, such as term, measure, n
    label : what the second holds constant
    raw, adjusted : functions that give the numbers, or the reason why there are none

    Returns
    -------
    list of two rows
        A FitError of either function becomes its row's ``note``, "not estimated, because ...".
    """
    rows = []
    for adjustment, compute in ((RAW, raw), (label, adjusted)):
        row = {"measure": "years"} | shared | {"adjustment": adjustment}
        if isinstance(compute, str):
            row["note"] = f"not estimated, because {compute}"
        else:
            try:
                row |= compute()
            except FitError as error:
                row["note"] = f"not estimated, because {error}"
        rows.append(row)
    return rows


def raw_beside_adjusted(table: pd.DataFrame, exposure: str, adjust_for: Sequence[str]) -> list[dict]:
    """For each contrast of an exposure a row from the raw age gap and one with age (and more) held constant.

    Both are of the same people: those whose ages, exposure and covariates are all known.
    """
    frame = make_frame(table, exposure, adjust_for)
    lonely = [row for level in frame.lonely for row in _lonely(frame, level)]
    if frame.why_not:
        shared = {"term": exposure, "n": len(frame.people)}
        return lonely or raw_and_adjusted(shared, frame.label, frame.why_not, frame.why_not)
    rows = _levels(frame) if frame.levels else _slope(frame)
    return rows + lonely


def _lonely(frame: Frame, level: str) -> list[dict]:
    against = f" vs {frame.levels[0]}" if frame.levels else ""
    shared = {"term": f"{frame.exposure}: {level}{against}", "n": len(frame.people), "n_exposed": 1}
    why = "a group has fewer than 2 people"
    return raw_and_adjusted(shared, frame.label, why, why)


def numbers(terms: pd.DataFrame, term: str) -> dict:
    """A term's numbers as they stand in a result row."""
    return terms.loc[term, ["estimate", "ci_lower", "ci_upper", "p_value"]].to_dict()


def _slope(frame: Frame) -> list[dict]:
    exposure = frame.exposure
    unit, per = UNITS.get(exposure, (1.0, "1 unit"))
    scaled = frame.design.assign(**{exposure: frame.design[exposure] / unit})
    shared = {
        "term": exposure, "n": len(frame.people), "per": per, "model": LEAST_SQUARES, "note": frame.note,
    }  # fmt: skip
    return raw_and_adjusted(
        shared, frame.label,
        lambda: numbers(least_squares(frame.people[AGE_GAP], scaled[[exposure]]), exposure),
        lambda: numbers(least_squares(frame.people[FACE_AGE], scaled), exposure),
    )  # fmt: skip


def _levels(frame: Frame) -> list[dict]:
    reference, *others = frame.levels
    gap, face = frame.people[AGE_GAP], frame.people[FACE_AGE]
    result = []
    for level in others:
        exposed, unexposed, indicator = frame.members(level), frame.members(reference), frame.column(level)
        shared = {
            "term": f"{frame.exposure}: {level} vs {reference}", "n": len(frame.people), "note": frame.note,
            "n_exposed": int(exposed.sum()), "n_reference": int(unexposed.sum()),
        }  # fmt: skip

        def compare(exposed=exposed, unexposed=unexposed) -> dict:
            return {"model": "Welch"} | welch(gap[exposed], gap[unexposed]).__dict__

        def fit(indicator=indicator) -> dict:
            return {"model": LEAST_SQUARES} | numbers(least_squares(face, frame.design), indicator)

        result += raw_and_adjusted(shared, frame.label, compare, fit)
    return result
