"""Do hazard ratios hold over the whole follow-up? The test, the picture, and where they do not, what else can be said."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    ModelFrame,
    adjusted_for,
    counts,
    model_frame,
    name_of,
    of_question,
)  # fmt: skip
from faceage_bio.analyses.survival.hazard_curve import main_steps
from faceage_bio.analyses.survival.remedies import remedies
from faceage_bio.core.columns import COHORT, EVENT, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows, tested
from faceage_bio.stats.cox_fit import CoxFit
from faceage_bio.stats.cox_ph import GLOBAL, hazard_over_time, proportional_hazards_test, smooth_over_time

TRANSFORM = "km"
CHI_SQUARE = "proportional hazards chi-square"
BINS = 10
FEWEST_DEATHS = 5  # of a bin, since the mean of fewer Schoenfeld residuals is mostly noise


@dataclass(frozen=True)
class ProportionalHazards:
    """``tests``: one row per term and GLOBAL; ``curve``: hazard ratios over time, smooth and binned; ``remedies``."""

    tests: pd.DataFrame
    curve: pd.DataFrame
    remedies: pd.DataFrame


def proportional_hazards(
    usable: pd.DataFrame,
    choices: Choices,
    cohort: str,
    *,
    alpha: float = 0.05,
    split_years: Sequence[float] = (1.0,),
    rmst_years: float = 3.0,
) -> ProportionalHazards:
    """R's ``cox.zph`` of the model with age and of the last of the sequentially adjusted models; a factor's columns are one term.

    Parameters
    ----------
    alpha : float
        A term with a smaller p-value gets its remedy: strata of a factor, a number's hazard ratio that changes with the
        logarithm of time and one for each stretch of follow-up; besides both, years lived within a horizon, which assume
        nothing.
    rmst_years : horizon of the years lived
    split_years : years after time zero that divide the stretches, declared beforehand

    Returns
    -------
    ProportionalHazards
        ``curve``: step, term, kind ("smooth" or "binned"), years, hazard_ratio, ci_lower, ci_upper, n_events (of a bin).
    """
    tests, curves, remedied = [], [], []
    for step, held in main_steps(choices):
        columns = [FACE_AGE, *held]
        base = of_question(cohort, "proportional hazards") | adjusted_for(held, choices) | {
            "exposure": FACE_AGE, "step": step, "model": name_of(columns), "n": len(usable), "n_events": int(usable[EVENT].sum()),
            "method": f"score test, transform {TRANSFORM}",
        }  # fmt: skip
        try:
            frame = model_frame(usable, columns, choices)
            base |= counts(frame)
            fit = frame.fit(cluster=None)
            terms = terms_of(frame)
            found = proportional_hazards_test(fit, TRANSFORM, terms)
        except (FitError, np.linalg.LinAlgError) as error:
            why = error.reason if isinstance(error, FitError) else reason("singular_information")
            tests.append(base | {"term": FACE_AGE, "measure": CHI_SQUARE, "reason": why})
            continue
        tests += [
            base | tested(CHI_SQUARE, (row.chi_square, row.df, row.p_value))
            | {"term": row.term, "reason": [*fit.reasons, *frame.reasons]}
            for row in found.itertuples()
        ]  # fmt: skip
        if len(curve := _curves(fit, terms)):
            curves.append(curve.assign(step=step))
        offending = [row.term for row in found.itertuples() if row.p_value < alpha and row.term != GLOBAL]
        if offending or found["p_value"].iloc[-1] < alpha:
            remedied += [
                base | {"question": "not proportional"} | row
                for row in remedies(
                    usable, columns, frame, terms, offending, choices, split_years, rmst_years
                )
            ]
    curve = pd.concat(curves, ignore_index=True).assign(**{COHORT: cohort}) if curves else []
    return ProportionalHazards(
        result_rows(tests, "survival/proportional_hazards"),
        result_rows(curve, "survival/proportional_hazards_curve"),
        result_rows(remedied, "survival/remedies"),
    )


def terms_of(frame: ModelFrame) -> dict[str, list[str]]:
    """The columns of each covariate in the design."""
    terms = {
        name: [column for column in frame.design if column == name or column.startswith(f"{name}: ")]
        for name in frame.columns
    }
    return {name: columns for name, columns in terms.items() if columns}


def _curves(fit: CoxFit, terms: dict[str, list[str]]) -> pd.DataFrame:
    """Smooth and binned hazard ratios of each term of one column, over all event times."""
    single = {columns[0]: columns for columns in terms.values() if len(columns) == 1}
    parts = []
    over_time = hazard_over_time(fit, TRANSFORM)
    for term in single:
        try:
            smooth = smooth_over_time(fit, over_time, term)
        except FitError:
            continue
        points = over_time.points[over_time.points[term].notna()].sort_values("years")
        n_bins = min(BINS, len(points) // FEWEST_DEATHS)
        if n_bins < 2:
            continue
        number = np.arange(len(points)) * n_bins // len(points)
        binned = points.groupby(number).agg(
            years=("years", "mean"), value=(term, "mean"), n_events=(term, "size")
        )
        parts += [
            np.exp(smooth[["log_hazard_ratio", "ci_lower", "ci_upper"]])
            .rename(columns={"log_hazard_ratio": "hazard_ratio"})
            .assign(term=term, kind="smooth", years=smooth["years"], n_events=np.nan),
            binned.assign(
                hazard_ratio=np.exp(binned["value"]),
                term=term,
                kind="binned",
                ci_lower=np.nan,
                ci_upper=np.nan,
            ),
        ]
    names = ["term", "kind", "years", "hazard_ratio", "ci_lower", "ci_upper", "n_events"]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)
