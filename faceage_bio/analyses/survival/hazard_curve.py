"""Is the hazard a straight line in age acceleration? A natural spline, the test of its curvature, and the curve as data."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    adjusted_for,
    counts,
    model_frame,
    name_of,
    of_question,
)
from faceage_bio.analyses.survival.sequential_models import adjustment_steps
from faceage_bio.core.columns import AGE_ACCELERATION, COHORT, EVENT
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows, tested
from faceage_bio.stats.cox_fit import NORMAL_975, likelihood_ratio_test
from faceage_bio.stats.smoothing import natural_spline, place_knots

CURVATURE, ANY = "non-linearity chi-square", "association chi-square"
DF = 3
PLACES = 61
FEWEST = 5  # deaths per term below which no curve is drawn
SHOWN = (0.025, 0.975)  # quantiles of age acceleration between which the curve is drawn
BIN_YEARS = 5


@dataclass(frozen=True)
class HazardCurve:
    """``rows``: tests; ``curve``: hazard ratio by years of acceleration; ``histogram``: how many participants carry it."""

    rows: pd.DataFrame
    curve: pd.DataFrame
    histogram: pd.DataFrame


def main_steps(choices: Choices) -> list[tuple[str, list[str]]]:
    """The two models that further questions are asked of: with age alone, and the last of the sequentially adjusted models."""
    steps = adjustment_steps(choices)
    return [steps[1], *steps[-1:]] if len(steps) > 2 else [steps[1]]


def hazard_curve(usable: pd.DataFrame, choices: Choices, cohort: str) -> HazardCurve:
    """Cox models with a natural cubic spline of age acceleration (3 degrees of freedom), age and covariates adjusted for.

    Knots are R's ``ns``: ends at the range, inner ones at the tertiles of the model's complete rows. Likelihood-ratio tests:
    of curvature (against the straight line) and of any association.

    Returns
    -------
    HazardCurve
        ``curve``: of models with 5 deaths per term and more: step, years, hazard_ratio against acceleration 0 (or the median, where no participant is so), ci_lower, ci_upper.
        ``histogram``: lower, upper, n, n_events in steps of 5 years.
    """
    rows, curves = [], []
    for step, held in main_steps(choices):
        columns = [AGE_ACCELERATION, *held]
        base = of_question(cohort, "hazard curve") | adjusted_for(held, choices) | {
            "term": AGE_ACCELERATION, "exposure": AGE_ACCELERATION, "step": step, "model": f"{name_of(columns)}, natural spline",
            "n": len(usable), "n_events": int(usable[EVENT].sum()),
        }  # fmt: skip
        try:
            found, curve = _one_model(usable, columns, choices)
            rows += [base | row for row in found]
            if found[0]["events_per_term"] < FEWEST:
                rows[-1]["reason"] = [*rows[-1]["reason"], reason("no_curve", needed=FEWEST)]
            else:
                curves.append(curve.assign(step=step))
        except FitError as error:
            rows.append(base | {"measure": CURVATURE, "df": DF - 1, "reason": error.reason})
    curve = pd.concat(curves, ignore_index=True).assign(**{COHORT: cohort}) if curves else []
    return HazardCurve(
        result_rows(rows, "survival/hazard_curve_tests"),
        result_rows(curve, "survival/hazard_curve"),
        result_rows(_histogram(usable).assign(**{COHORT: cohort}), "survival/hazard_curve_histogram"),
    )


def _one_model(usable: pd.DataFrame, columns: list[str], choices: Choices) -> tuple[list[dict], pd.DataFrame]:
    frame = model_frame(usable, columns, choices)
    x = frame.people[AGE_ACCELERATION].to_numpy()
    knots = place_knots(x, DF)
    others = frame.design.drop(columns=AGE_ACCELERATION)
    basis = natural_spline(x, knots, AGE_ACCELERATION).set_axis(others.index)
    # likelihoods do not know of clusters, so tests are of the models without
    curved = frame.fit(pd.concat([basis, others], axis=1), cluster=None)
    straight = frame.fit(pd.concat([basis.iloc[:, :1], others], axis=1), cluster=None)
    without = frame.fit(others, cluster=None)
    inner = ", ".join(f"{knot:.1f}" for knot in knots.inner)
    shared = counts(frame) | {
        "reason": [*curved.reasons, *frame.reasons],
        "method": f"Cox, Efron ties, natural spline with inner knots at {inner}",
    }
    rows = [
        shared | tested(measure, likelihood_ratio_test(smaller, curved))
        for measure, smaller in ((CURVATURE, straight), (ANY, without))
    ]
    low, high = np.quantile(x, SHOWN)
    zero = 0.0 if low <= 0 <= high else float(np.median(x))
    at = np.linspace(low, high, PLACES)
    away = (
        natural_spline(at, knots, AGE_ACCELERATION)
        - natural_spline(np.array([zero]), knots, AGE_ACCELERATION).to_numpy()
    )
    own = list(away.columns)
    fit = curved if frame.cluster is None else frame.fit(pd.concat([basis, others], axis=1))
    covariance = fit.covariance.loc[own, own].to_numpy()
    value = away.to_numpy() @ fit.terms.loc[own, "log_hazard_ratio"].to_numpy()
    error = np.sqrt(np.einsum("ij,jk,ik->i", away.to_numpy(), covariance, away.to_numpy()))
    curve = pd.DataFrame({
        "years": at, "hazard_ratio": np.exp(value), "ci_lower": np.exp(value - NORMAL_975 * error),
        "ci_upper": np.exp(value + NORMAL_975 * error),
    })  # fmt: skip
    return rows, curve


def _histogram(usable: pd.DataFrame) -> pd.DataFrame:
    lower = (usable[AGE_ACCELERATION] // BIN_YEARS * BIN_YEARS).rename("lower")
    counted = usable.groupby(lower)[EVENT].agg(n="size", n_events="sum").reset_index()
    counted.insert(1, "upper", counted["lower"] + BIN_YEARS)
    return counted
