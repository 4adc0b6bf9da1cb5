"""Groups against each other: means, all pairs, and whether the groups differ at all, unadjusted and adjusted
for age.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd

from faceage_bio.analyses.phenotype.comparison_frame import Frame, ascending, claims, make_frame
from faceage_bio.analyses.phenotype.contrasts import (
    LEAST_SQUARES,
    RAW,
    coefficient,
    contrasted,
    of_gap_and_face,
    raw_and_adjusted,
)
from faceage_bio.core.columns import AGE, AGE_GAP, COHORT, FACE_AGE
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.design import MAX_LEVELS
from faceage_bio.stats.group_differences import adjusted_difference, hedges_g, variance_share
from faceage_bio.stats.linear import (
    Estimate,
    LinearFit,
    Margins,
    WaldTest,
    fit_linear,
    marginal_means,
    mean_interval,
    welch,
)
from faceage_bio.stats.minimum_sizes import IN_GROUP
from faceage_bio.stats.multiplicity import holm, q_values

MARGINS = "marginal mean, HC3 (t)"
MEAN, DIFFERENCE = "mean", "mean difference"
DIFFER = "partial omega squared"
TREND = "linear trend"
BEYOND = "departure from linear trend"


@dataclass(frozen=True)
class Comparison:
    """``means``: one group a row; ``pairs``: one pair of groups; ``tests``: one factor (do its groups differ,
    is there a trend).
    """

    means: pd.DataFrame
    pairs: pd.DataFrame
    tests: pd.DataFrame


def compare_levels(table: pd.DataFrame, factors: Sequence[str], adjust_for: Sequence[str]) -> Comparison:
    """Groups of each factor within each cohort; disease over all cohorts.

    Raw: means of the age gap and Welch's differences. Adjusted: marginal means of a model of face age with
    age and the covariates (equal weights over factors, numbers at their means), given as years above the mean
    age.

    Parameters
    ----------
    table : rows of `gather`
    factors, adjust_for : names of columns; numbers such as ECOG are taken for groups

    Returns
    -------
    Comparison
        Each row twice, raw and adjusted. Pairs: ``p_holm`` and ``q_value`` (Benjamini and Hochberg) over the
        pairs of a factor, ``effect_size`` in standard deviations (raw: Hedges' g; adjusted: of the
        residuals). Tests: ``q_value`` over the factors of a cohort.
    """
    rows: dict[str, list[dict]] = {"means": [], "pairs": [], "tests": []}
    for cohort, people, factor in claims(table, factors):
        found = _one_factor(people, factor, adjust_for)
        for name, part in zip(rows, found, strict=True):
            rows[name] += [{COHORT: cohort, "factor": factor} | row for row in part]
    about = {
        "means": {"question": "means", "family": ""},
        "pairs": {"question": "pairs", "family": "pairs of a factor"},
        "tests": {"question": "factors", "family": "factors of a cohort"},
    }
    means, pairs, tests = (
        result_rows([about[name] | row for row in part], f"phenotype/{name}") for name, part in rows.items()
    )
    family = [COHORT, "factor", "adjustment"]
    p_values = pairs["p_value"].astype("float64").groupby([pairs[name] for name in family])
    pairs["p_holm"] = p_values.transform(lambda part: holm(part.to_numpy()))
    pairs["q_value"] = q_values(pairs, *family)
    tests["q_value"] = q_values(tests[(tests.adjustment != RAW) & (tests.measure == DIFFER)], COHORT)
    tests["family"] = tests["family"].where(tests["q_value"].notna(), "")
    return Comparison(means, pairs, tests)


def _one_factor(rows: pd.DataFrame, factor: str, adjust_for: Sequence[str]) -> tuple[list, list, list]:
    frame = make_frame(rows, factor, adjust_for, factor=True)
    why = frame.why_not
    if not why and len(frame.levels) > MAX_LEVELS:
        why = reason("many_groups", groups=len(frame.levels), most=MAX_LEVELS)
    alone = reason("small_group", needed=IN_GROUP)
    lonely = [
        row
        for level in frame.lonely
        for row in raw_and_adjusted(_mean_of(frame, level) | {"n": 1}, frame.covariates, alone, alone)
    ]
    if why:
        means, pairs, tests = (
            raw_and_adjusted(frame.about | {"measure": measure}, frame.covariates, why, why)
            for measure in (MEAN, DIFFERENCE, DIFFER)
        )
        return means + lonely, pairs, tests
    indicators = {level: frame.column(level) for level in shown_order(frame)}
    adjusted = cache(lambda: fit_linear(frame.people[FACE_AGE], frame.design))
    margins = cache(lambda: marginal_means(adjusted(), frame.design, indicators))
    return _means(frame, margins) + lonely, _pairs(frame, adjusted, margins), _tests(frame)


def shown_order(frame: Frame) -> tuple[str, ...]:
    """Levels from low to high where they have an order, else the reference first."""
    return ascending(frame.levels, frame.exposure) or frame.levels


def _means(frame: Frame, margins: Callable[[], Margins]) -> list[dict]:
    gap, mean_age = frame.people[AGE_GAP], float(frame.people[AGE].mean())
    rows = []
    for level in shown_order(frame):
        mine = frame.members(level)

        def margin(level=level) -> dict:
            row = Estimate.of(margins().means.loc[level])
            # face age at the mean age of all, less that age: the years of the raw column
            years = {name: getattr(row, name) - mean_age for name in ("estimate", "ci_lower", "ci_upper")}
            return years | {"standard_error": row.standard_error, "model": MARGINS}

        def mean(mine=mine) -> dict:
            untested = {"p_value": np.nan, "statistic": np.nan, "model": "mean (t)"}
            return vars(mean_interval(gap[mine])) | untested

        shared = _mean_of(frame, level) | {"n": int(mine.sum())}
        rows += raw_and_adjusted(shared, frame.covariates, mean, margin)
    return rows


def _mean_of(frame: Frame, level: str) -> dict:
    return frame.about | {"term": f"{frame.exposure}: {level}", "level": level, "measure": MEAN}


def _pairs(frame: Frame, adjusted: Callable[[], LinearFit], margins: Callable[[], Margins]) -> list[dict]:
    gap = frame.people[AGE_GAP]
    rows = []
    for first, second in combinations(shown_order(frame), 2):
        one, other = frame.members(second), frame.members(first)

        def crude(one=one, other=other) -> dict:
            g = hedges_g(gap[one], gap[other])
            size = {"effect_size": g.estimate, "effect_lower": g.ci_lower, "effect_upper": g.ci_upper}
            return vars(welch(gap[one], gap[other])) | size | {"model": "Welch"}

        def difference(first=first, second=second) -> dict:
            table = margins().pairs
            row = table[(table["first"] == first) & (table["second"] == second)].iloc[0]
            d = adjusted_difference(row.estimate, row.standard_error, adjusted().sigma, adjusted().df)
            size = {"effect_size": d.estimate, "effect_lower": d.ci_lower, "effect_upper": d.ci_upper}
            return vars(Estimate.of(row)) | size | {"model": MARGINS}

        rows += raw_and_adjusted(contrasted(frame, second, first), frame.covariates, crude, difference)
    return rows


def _tests(frame: Frame) -> list[dict]:
    """Whether the groups differ at all; of ordered groups also a trend, and what they tell beyond it."""
    own = frame.design[frame.own]
    shared = frame.about | {"model": LEAST_SQUARES}

    def differ(outcome: pd.Series, others: pd.DataFrame) -> dict:
        fit = fit_linear(outcome, own.join(others))
        test, share = fit.wald(frame.own), variance_share(fit_linear(outcome, others), fit)
        return wald_numbers(test) | {"estimate": share.omega_squared, "eta_squared": share.eta_squared}

    rows = of_gap_and_face(frame, shared | {"measure": DIFFER}, differ)
    order = ascending(frame.levels, frame.exposure)
    if len(order) < 3:
        return rows
    places = frame.people[frame.exposure].map({level: place for place, level in enumerate(order)})
    score = places.astype("float64").rename("score").to_frame()
    # one indicator less than the factor has: the trend takes its place
    beyond = score.join(own[own.columns[:-1]])

    def trend(outcome: pd.Series, others: pd.DataFrame) -> dict:
        return coefficient(outcome, score.join(others), "score")

    def departure(outcome: pd.Series, others: pd.DataFrame) -> dict:
        test = fit_linear(outcome, beyond.join(others)).wald(list(beyond)[1:])
        return wald_numbers(test) | {"estimate": test.f_statistic}

    rows += of_gap_and_face(frame, shared | {"measure": TREND, "per": "1 step"}, trend)
    return rows + of_gap_and_face(frame, shared | {"measure": BEYOND}, departure)


def wald_numbers(test: WaldTest) -> dict:
    """F, its degrees of freedom and its p as they stand in a result row."""
    df = {"df": test.df_terms, "df_residual": test.df_residual}
    return {"statistic": test.f_statistic, "p_value": test.p_value} | df
