"""Groups against each other: means, all pairs, and whether the groups differ at all, unadjusted and adjusted for age."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd

from faceage_bio.analyses.phenotype.contrasts import LEAST_SQUARES, RAW, contrast, numbers, raw_and_adjusted
from faceage_bio.analyses.phenotype.people import MAX_LEVELS, Frame, ascending, claims, make_frame
from faceage_bio.core.columns import AGE, AGE_GAP, COHORT, FACE_AGE
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
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
from faceage_bio.stats.multiplicity import benjamini_hochberg, holm

MARGINS = "marginal mean, HC3 (t)"


@dataclass(frozen=True)
class Comparison:
    """``means``: one group a row; ``pairs``: one pair of groups; ``tests``: one factor (do its groups differ, is there a trend)."""

    means: pd.DataFrame
    pairs: pd.DataFrame
    tests: pd.DataFrame


def compare_levels(table: pd.DataFrame, factors: Sequence[str], adjust_for: Sequence[str]) -> Comparison:
    """Groups of each factor within each cohort; disease over all cohorts.

    Raw: means of the age gap and Welch's differences. Adjusted: marginal means of a model of face age with age and the
    covariates (equal weights over factors, numbers at their means), given as years above the mean age.

    Parameters
    ----------
    table : rows of `gather`
    factors, adjust_for : names of columns; numbers such as ECOG are taken for groups

    Returns
    -------
    Comparison
        Each row twice, raw and adjusted. Pairs: ``p_holm`` and ``q_value`` (Benjamini and Hochberg) over the pairs of a factor,
        ``effect_size`` in standard deviations (raw: Hedges' g; adjusted: of the residuals). Tests: ``q_value`` over the factors
        of a cohort.
    """
    means, pairs, tests = [], [], []
    for cohort, rows, factor in claims(table, factors):
        own = _one_factor(rows, factor, adjust_for)
        for store, found in zip((means, pairs, tests), own, strict=True):
            store += [{COHORT: cohort, "factor": factor} | row for row in found]
    tables = [
        result_rows([{"question": question, "family": family} | row for row in rows], f"phenotype/{name}")
        for rows, name, question, family in (
            (means, "means", "means", ""), (pairs, "pairs", "pairs", "pairs of a factor"),
            (tests, "tests", "factors", "factors of a cohort"),
        )
    ]  # fmt: skip
    for (_, _, _), place in tables[1].groupby([COHORT, "factor", tables[1].adjustment == RAW]).groups.items():
        p_values = tables[1].loc[place, "p_value"].to_numpy(dtype=np.float64)
        tables[1].loc[place, "p_holm"] = holm(p_values)
        tables[1].loc[place, "q_value"] = benjamini_hochberg(p_values)
    adjusted = tables[2][(tables[2].adjustment != RAW) & (tables[2].measure == DIFFER)]
    for _, place in adjusted.groupby(COHORT).groups.items():
        tables[2].loc[place, "q_value"] = benjamini_hochberg(
            tables[2].loc[place, "p_value"].to_numpy(dtype=np.float64)
        )
    tables[2]["family"] = tables[2]["family"].where(tables[2]["q_value"].notna(), "")
    return Comparison(*tables)


MEAN, DIFFERENCE = "mean", "mean difference"
DIFFER = "partial omega squared"
TREND = "linear trend"
BEYOND = "departure from linear trend"


def _one_factor(rows: pd.DataFrame, factor: str, adjust_for: Sequence[str]) -> tuple[list, list, list]:
    frame = make_frame(rows, factor, adjust_for, factor=True)
    why = frame.why_not
    if not why and len(frame.levels) > MAX_LEVELS:
        why = reason("many_groups", groups=len(frame.levels), most=MAX_LEVELS)
    alone = reason("small_group", needed=IN_GROUP)
    lonely = [
        row
        for level in frame.lonely
        for row in raw_and_adjusted(
            {"term": f"{factor}: {level}", "exposure": factor, "level": level, "n": 1, "measure": MEAN},
            frame.covariates, alone, alone,
        )
    ]  # fmt: skip
    if why:
        shared = {"n": len(frame.people), "term": factor, "exposure": factor}
        none = [
            raw_and_adjusted(shared | {"measure": measure}, frame.covariates, why, why)
            for measure in (MEAN, DIFFERENCE, DIFFER)
        ]
        return none[0] + lonely, none[1], none[2]
    adjusted = cache(lambda: fit_linear(frame.people[FACE_AGE], frame.design))
    margins = cache(
        lambda: marginal_means(
            adjusted(), frame.design, {level: frame.column(level) for level in shown_order(frame)}
        )
    )
    return _means(frame, margins) + lonely, _pairs(frame, adjusted, margins), _tests(frame, adjusted)


def shown_order(frame: Frame) -> tuple[str, ...]:
    """Levels from low to high where they have an order, else the reference first."""
    return ascending(frame.levels, frame.exposure) or frame.levels


def _means(frame: Frame, margins: Callable[[], Margins]) -> list[dict]:
    gap, mean_age = frame.people[AGE_GAP], float(frame.people[AGE].mean())
    rows = []
    for level in shown_order(frame):
        mine = frame.members(level)

        def margin(level=level) -> dict:
            row = margins().means.loc[level]
            # face age at the mean age of all, less that age: the years of the raw column
            years = {name: row[name] - mean_age for name in ("estimate", "ci_lower", "ci_upper")}
            return years | {"standard_error": row["standard_error"], "model": MARGINS}

        def mean(mine=mine) -> dict:
            untested = {"p_value": np.nan, "statistic": np.nan, "model": "mean (t)"}
            return vars(mean_interval(gap[mine])) | untested

        shared = {
            "term": f"{frame.exposure}: {level}", "exposure": frame.exposure, "level": level, "measure": MEAN, "n": int(mine.sum()),
            "reason": frame.remarks,
        }  # fmt: skip
        rows += raw_and_adjusted(shared, frame.covariates, mean, margin)
    return rows


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

        shared = contrast(frame.exposure, second, first) | {
            "n": len(frame.people), "n_exposed": int(one.sum()), "n_reference": int(other.sum()), "reason": frame.remarks,
        }  # fmt: skip
        rows += raw_and_adjusted(shared, frame.covariates, crude, difference)
    return rows


def _tests(frame: Frame, adjusted: Callable[[], LinearFit]) -> list[dict]:
    """Whether the groups differ at all; of ordered groups also a trend, and what they tell beyond it."""
    gap, face = frame.people[AGE_GAP], frame.people[FACE_AGE]
    own = frame.design[frame.own]
    rest = frame.design.drop(columns=frame.own)
    shared = {
        "term": frame.exposure, "exposure": frame.exposure, "n": len(frame.people), "model": LEAST_SQUARES, "reason": frame.remarks,
    }  # fmt: skip

    def differ(fit: LinearFit, without: LinearFit) -> dict:
        test, share = fit.wald(frame.own), variance_share(without, fit)
        return wald_numbers(test) | {"estimate": share.omega_squared, "eta_squared": share.eta_squared}

    rows = raw_and_adjusted(
        shared | {"measure": DIFFER}, frame.covariates,
        lambda: differ(fit_linear(gap, own), fit_linear(gap, own[[]])),
        lambda: differ(adjusted(), fit_linear(face, rest)),
    )  # fmt: skip
    order = ascending(frame.levels, frame.exposure)
    if len(order) < 3:
        return rows
    places = frame.people[frame.exposure].map({level: place for place, level in enumerate(order)})
    score = places.astype("float64").rename("score").to_frame()
    # one indicator less than the factor has: the trend takes its place
    beyond = score.join(own[own.columns[:-1]])

    def trend(outcome: pd.Series, others: pd.DataFrame) -> dict:
        return numbers(fit_linear(outcome, score.join(others)).terms, "score")

    def departure(outcome: pd.Series, others: pd.DataFrame) -> dict:
        test = fit_linear(outcome, beyond.join(others)).wald(list(beyond)[1:])
        return wald_numbers(test) | {"estimate": test.f_statistic}

    none = rest[[]]
    return [
        *rows,
        *raw_and_adjusted(
            shared | {"measure": TREND, "per": "1 step"}, frame.covariates, lambda: trend(gap, none), lambda: trend(face, rest)
        ),
        *raw_and_adjusted(
            shared | {"measure": BEYOND}, frame.covariates, lambda: departure(gap, none), lambda: departure(face, rest)
        ),
    ]  # fmt: skip


def wald_numbers(test: WaldTest) -> dict:
    """F, its degrees of freedom and its p as they stand in a result row."""
    return {
        "statistic": test.f_statistic, "df": test.df_terms, "df_residual": test.df_residual, "p_value": test.p_value,
    }  # fmt: skip
