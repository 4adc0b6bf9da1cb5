"""Groups against each other: means, all pairs, and whether the groups differ at all, raw beside age-adjusted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd

from faceage_bio.columns import AGE, AGE_GAP, COHORT, FACE_AGE
from faceage_bio.phenotype.contrasts import LEAST_SQUARES, RAW, raw_and_adjusted
from faceage_bio.phenotype.people import MAX_LEVELS, Frame, ascending, claims, make_frame
from faceage_bio.stats.effect_size import adjusted_difference, hedges_g, variance_share
from faceage_bio.stats.linear import LinearFit, fit_linear, mean_interval, welch
from faceage_bio.stats.margins import Margins, marginal_means
from faceage_bio.stats.multiplicity import benjamini_hochberg, holm
from faceage_bio.tables import result_rows

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
    tables = [_tidy(rows, name) for rows, name in ((means, "means"), (pairs, "pairs"), (tests, "factors"))]
    for (_, _, _), place in tables[1].groupby([COHORT, "factor", tables[1].adjustment == RAW]).groups.items():
        p_values = tables[1].loc[place, "p_value"].to_numpy(dtype=np.float64)
        tables[1].loc[place, "p_holm"] = holm(p_values)
        tables[1].loc[place, "q_value"] = benjamini_hochberg(p_values)
    adjusted = tables[2][(tables[2].adjustment != RAW) & (tables[2].measure == DIFFER)]
    for _, place in adjusted.groupby(COHORT).groups.items():
        tables[2].loc[place, "q_value"] = benjamini_hochberg(
            tables[2].loc[place, "p_value"].to_numpy(dtype=np.float64)
        )
    return Comparison(*tables)


DIFFER = "partial omega squared"
TREND = "trend, years"
BEYOND = "departure from the trend, F"


def _tidy(rows: list[dict], analysis: str) -> pd.DataFrame:
    further = {
        "means": ["factor", "level"],
        "pairs": [
            "factor",
            "n_exposed",
            "n_reference",
            "p_holm",
            "effect_size",
            "effect_lower",
            "effect_upper",
        ],
        "factors": ["factor", "f_statistic", "df_terms", "df_residual", "eta_squared"],
    }[analysis]
    table = pd.DataFrame(rows).assign(analysis=analysis)
    for name in further:
        if name not in table:
            table[name] = np.nan
    return result_rows(table)


def _one_factor(rows: pd.DataFrame, factor: str, adjust_for: Sequence[str]) -> tuple[list, list, list]:
    frame = make_frame(rows, factor, adjust_for, factor=True)
    why = frame.why_not
    if not why and len(frame.levels) > MAX_LEVELS:
        why = (
            f"{len(frame.levels)} groups are more than {MAX_LEVELS}; join some of them in a column of its own"
        )
    lonely = [
        row
        for level in frame.lonely
        for row in raw_and_adjusted(
            {"term": f"{factor}: {level}", "level": level, "n": 1, "measure": MEAN}, frame.label,
            "a group has fewer than 2 people", "a group has fewer than 2 people",
        )
    ]  # fmt: skip
    if why:
        shared = {"n": len(frame.people)}
        none = [
            raw_and_adjusted(shared | {"term": factor, "measure": measure}, frame.label, why, why)
            for measure in (MEAN, "years", DIFFER)
        ]
        return none[0] + lonely, none[1], none[2]
    adjusted = cache(lambda: fit_linear(frame.people[FACE_AGE], frame.design))
    margins = cache(
        lambda: marginal_means(
            adjusted(), frame.design, {level: frame.column(level) for level in shown_order(frame)}
        )
    )
    return _means(frame, margins) + lonely, _pairs(frame, adjusted, margins), _tests(frame, adjusted)


MEAN = "mean years above age"


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
            return years | {"model": MARGINS}

        def mean(mine=mine) -> dict:
            found = mean_interval(gap[mine])
            return {
                "estimate": found.estimate, "ci_lower": found.ci_lower, "ci_upper": found.ci_upper, "model": "mean (t)",
            }  # fmt: skip

        shared = {"term": f"{frame.exposure}: {level}", "level": level, "measure": MEAN, "n": int(mine.sum())}
        rows += raw_and_adjusted(shared | {"note": frame.note}, frame.label, mean, margin)
    return rows


def _pairs(frame: Frame, adjusted: Callable[[], LinearFit], margins: Callable[[], Margins]) -> list[dict]:
    gap = frame.people[AGE_GAP]
    rows = []
    for first, second in combinations(shown_order(frame), 2):
        one, other = frame.members(second), frame.members(first)

        def crude(one=one, other=other) -> dict:
            g = hedges_g(gap[one], gap[other])
            size = {"effect_size": g.estimate, "effect_lower": g.ci_lower, "effect_upper": g.ci_upper}
            return welch(gap[one], gap[other]).__dict__ | size | {"model": "Welch"}

        def difference(first=first, second=second) -> dict:
            table = margins().pairs
            row = table[(table["first"] == first) & (table["second"] == second)].iloc[0]
            d = adjusted_difference(row.estimate, row.standard_error, adjusted().sigma, adjusted().df)
            size = {"effect_size": d.estimate, "effect_lower": d.ci_lower, "effect_upper": d.ci_upper}
            return row[["estimate", "ci_lower", "ci_upper", "p_value"]].to_dict() | size | {"model": MARGINS}

        shared = {
            "term": f"{frame.exposure}: {second} vs {first}", "n": len(frame.people),
            "n_exposed": int(one.sum()), "n_reference": int(other.sum()), "note": frame.note,
        }  # fmt: skip
        rows += raw_and_adjusted(shared, frame.label, crude, difference)
    return rows


def _tests(frame: Frame, adjusted: Callable[[], LinearFit]) -> list[dict]:
    """Whether the groups differ at all; of ordered groups also a trend, and what they tell beyond it."""
    gap, face = frame.people[AGE_GAP], frame.people[FACE_AGE]
    own = frame.design[frame.own]
    rest = frame.design.drop(columns=frame.own)
    shared = {"term": frame.exposure, "n": len(frame.people), "model": LEAST_SQUARES, "note": frame.note}

    def differ(fit: LinearFit, without: LinearFit) -> dict:
        test, share = fit.wald(frame.own), variance_share(without, fit)
        return _test(test) | {"estimate": share.omega_squared, "eta_squared": share.eta_squared}

    rows = raw_and_adjusted(
        shared | {"measure": DIFFER}, frame.label,
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
        row = fit_linear(outcome, score.join(others)).terms.loc["score"]
        return row[["estimate", "ci_lower", "ci_upper", "p_value"]].to_dict()

    def departure(outcome: pd.Series, others: pd.DataFrame) -> dict:
        test = fit_linear(outcome, beyond.join(others)).wald(list(beyond)[1:])
        return _test(test) | {"estimate": test.f_statistic}

    none = rest[[]]
    return [
        *rows,
        *raw_and_adjusted(
            shared | {"measure": TREND, "per": "1 step"}, frame.label, lambda: trend(gap, none), lambda: trend(face, rest)
        ),
        *raw_and_adjusted(
            shared | {"measure": BEYOND}, frame.label, lambda: departure(gap, none), lambda: departure(face, rest)
        ),
    ]  # fmt: skip


def _test(test) -> dict:
    return {
        "f_statistic": test.f_statistic, "df_terms": test.df_terms, "df_residual": test.df_residual, "p_value": test.p_value,
    }  # fmt: skip
