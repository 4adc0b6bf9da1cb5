"""Dose-response of face age and an amount, such as BMI or pack-years: line, curve, and whether there is a
turning point.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from faceage_bio.analyses.phenotype.comparison_frame import Frame, claims, make_frame, unit_of
from faceage_bio.analyses.phenotype.contrasts import (
    LEAST_SQUARES,
    RAW,
    coefficient,
    numbers,
    of_gap_and_face,
    raw_and_adjusted,
    word_of,
)
from faceage_bio.analyses.phenotype.group_means import wald_numbers
from faceage_bio.core.columns import AGE_GAP, AMOUNTS, COHORT, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import columns_of, result_rows
from faceage_bio.stats.linear import fit_linear
from faceage_bio.stats.minimum_sizes import VALUES_OF_CURVE
from faceage_bio.stats.resampling import ALPHA
from faceage_bio.stats.smoothing import Knots, natural_spline, place_knots

SPLINE_DF = 3
GRID = 41
# per cent of participants left out at both ends of a curve, so that it neither leans on nor tells the extremes
EDGE = 2.5
REFERENCE_VALUES = {"pack_years": 0.0}  # where a curve crosses zero; the median of anything else
LINE, CURVATURE, QUADRATIC, LOWEST = "mean difference", "curvature", "quadratic coefficient", "turning point"


@dataclass(frozen=True)
class DoseResponse:
    """``rows``: tests and slopes; ``curves``: years against the reference value at points of the exposure,
    with a band.
    """

    rows: pd.DataFrame
    curves: pd.DataFrame


def fit_dose_response(
    table: pd.DataFrame, exposures: Sequence[str], adjust_for: Sequence[str]
) -> DoseResponse:
    """Line, natural spline and quadratic of each amount within each cohort, raw and adjusted.

    Parameters
    ----------
    table : rows of `gather`
    exposures : columns of numbers
    adjust_for : names of columns

    Returns
    -------
    DoseResponse
        Rows: years per unit of the line; Wald F of the spline's curvature (natural spline, 3 degrees of
        freedom, R's knots); the quadratic term; and the value at the lowest point with its delta-method
        interval, given only if the quadratic term is above zero with p < 0.05 and the point lies among the
        participants. Curves: the middle 95% of participants.
    """
    rows, curves = [], []
    for cohort, people, exposure in claims(table, exposures):
        frame = make_frame(people, exposure, adjust_for)
        shared = {COHORT: cohort, "question": "dose response"}
        rows += [shared | row for row in _rows(frame)]
        curves += [curve.assign(**{COHORT: cohort}) for curve in _curves(frame)]
    columns = columns_of("phenotype/dose_curves")
    found = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
    return DoseResponse(result_rows(rows, "phenotype/dose_response"), found[columns])


def _why_not(frame: Frame) -> Reason | None:
    if frame.levels and not frame.why_not:
        return reason("words_not_amounts", column=frame.exposure)
    return frame.why_not


def _rows(frame: Frame) -> list[dict]:
    exposure = frame.exposure
    shared = frame.about | {"model": LEAST_SQUARES}
    if why := _why_not(frame):
        return [
            row
            for measure in (LINE, CURVATURE, QUADRATIC, LOWEST)
            for row in raw_and_adjusted(shared | {"measure": measure}, frame.covariates, why, why)
        ]
    unit, per = unit_of(exposure)
    x = frame.design[exposure]

    def line(outcome: pd.Series, others: pd.DataFrame) -> dict:
        return coefficient(outcome, (x / unit).to_frame().join(others), exposure)

    def curvature(outcome: pd.Series, others: pd.DataFrame) -> dict:
        basis = _spline(x, place_knots(x.to_numpy(), SPLINE_DF))
        test = fit_linear(outcome, basis.join(others)).wald(list(basis)[1:])
        return wald_numbers(test) | {"estimate": test.f_statistic}

    def square(outcome: pd.Series, others: pd.DataFrame) -> dict:
        return numbers(quadratic(outcome, x / unit, others)[0], "square")

    def lowest(outcome: pd.Series, others: pd.DataFrame) -> dict:
        return lowest_point(outcome, x, others)

    spline = {"model": f"natural spline, {SPLINE_DF} df, HC3 Wald"}
    measures = {
        LINE: ({"per": per}, line),
        CURVATURE: (spline, curvature),
        QUADRATIC: ({"per": f"({per}) squared"}, square),
        LOWEST: ({"unit": AMOUNTS.get(exposure, "")}, lowest),
    }
    return [
        row
        for measure, (more, compute) in measures.items()
        for row in of_gap_and_face(frame, shared | {"measure": measure} | more, compute)
    ]


def _spline(x: pd.Series, knots: Knots) -> pd.DataFrame:
    return natural_spline(x.to_numpy(), knots, str(x.name)).set_axis(x.index)


def quadratic(
    outcome: pd.Series, x: pd.Series, others: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, int, float]:
    """Coefficients and covariance of ``line`` and ``square`` of x about its mean, degrees of freedom, and
    that mean.
    """
    middle = float(x.mean())
    if x.nunique() < VALUES_OF_CURVE:
        raise FitError("few_distinct_values", column=x.name, needed=VALUES_OF_CURVE)
    design = pd.DataFrame({"line": x - middle, "square": (x - middle) ** 2}).join(others)
    fit = fit_linear(outcome, design)
    names = ["line", "square"]
    return fit.terms.loc[names], fit.covariance.loc[names, names], fit.df, middle


def lowest_point(outcome: pd.Series, x: pd.Series, others: pd.DataFrame) -> dict:
    """Where the quadratic is lowest, with its delta-method interval.

    Raises
    ------
    FitError
        The quadratic term is not above zero with p < 0.05, or the point lies outside the middle 95% of
        participants.
    """
    terms, covariance, df, middle = quadratic(outcome, x, others)
    (line, square), p_value = terms["estimate"], terms.loc["square", "p_value"]
    if square <= 0 or not p_value < ALPHA:
        raise FitError("no_u_shape", coefficient=f"{square:.2g}", p=f"{p_value:.3f}")
    place = middle - line / (2 * square)
    low, high = np.percentile(x, [EDGE, 100 - EDGE])
    if not low <= place <= high:
        raise FitError("vertex_outside", low=f"{low:.3g}", high=f"{high:.3g}")
    slope = np.array([-1 / (2 * square), line / (2 * square**2)])
    error = float(np.sqrt(slope @ covariance.to_numpy() @ slope))
    half = stats.t.ppf(0.975, df) * error
    interval = {"estimate": place, "ci_lower": place - half, "ci_upper": place + half}
    return interval | {"p_value": p_value, "standard_error": error}


def _curves(frame: Frame) -> list[pd.DataFrame]:
    if _why_not(frame):
        return []
    x = frame.design[frame.exposure]
    rest = frame.design.drop(columns=frame.exposure)
    low, high = np.percentile(x, [EDGE, 100 - EDGE])
    try:
        knots = place_knots(x.to_numpy(), SPLINE_DF)
        basis = _spline(x, knots)
        fits = {
            RAW: fit_linear(frame.people[AGE_GAP], basis),
            word_of(frame.covariates): fit_linear(frame.people[FACE_AGE], basis.join(rest)),
        }
    except FitError:
        return []  # the rows say why
    reference = REFERENCE_VALUES.get(frame.exposure, float(x.median()))
    values = np.linspace(low, high, GRID)
    at = natural_spline(values, knots, frame.exposure)
    weights = at - natural_spline(np.array([reference]), knots, frame.exposure).iloc[0]
    return [
        fit.combine(weights)[["estimate", "ci_lower", "ci_upper"]].assign(
            term=frame.exposure, adjustment=adjustment, value=values, reference=reference, n=len(x)
        )
        for adjustment, fit in fits.items()
    ]
