"""Cancer against controls in pairs of the same sex and nearly the same age."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.phenotype.comparison_frame import (
    POOLED,
    Frame,
    as_words,
    make_frame,
    no_disease,
    order_of,
)
from faceage_bio.analyses.phenotype.contrasts import RAW, coefficient, contrasted, raw_and_adjusted
from faceage_bio.core.columns import AGE, AGE_GAP, COHORT, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.linear import welch
from faceage_bio.stats.matching import common_spread, match_nearest, standardised_difference
from faceage_bio.stats.minimum_sizes import PAIRS

MATCHED = "matched"


@dataclass(frozen=True)
class Matched:
    """``rows``: years by which the exposed look older; ``balance_covariates``: how alike both groups are
    before and after.
    """

    rows: pd.DataFrame
    balance: pd.DataFrame


def match_groups(
    table: pd.DataFrame,
    group: str,
    exact: Sequence[str],
    caliper: float,
    balance_covariates: Sequence[str],
) -> Matched:
    """Participants with cancer, each matched to a control of the same sex and nearly the same age.

    The nearest pair of all is made first, without replacement, nothing is random. Estimate: mean difference
    of face age within pairs, adjusted for what is left of their difference in age (HC3).

    Parameters
    ----------
    table : rows of `gather`, of all cohorts
    group : a column of two groups; the exposed are those that are not its reference
    exact : columns on which a pair is the same
    caliper : float
        Largest difference of age in a pair, years.
    balance_covariates : further columns whose balance is reported

    Returns
    -------
    Matched
        Rows: unadjusted (Welch of the age gap, all participants) and matched. Balance: standardised
        differences of age, of ``exact`` and of ``balance_covariates``, among all participants and in the
        pairs; each level of a factor has its own.
    """
    held = ("age", *exact)
    if why := no_disease(table, group):
        return Matched(_tidy(_none(group, len(table), held, why)), _balance_table([]))
    frame = make_frame(table, group, exact)
    why = frame.why_not
    if not why and len(frame.levels) != 2:
        why = reason("needs_two_groups", column=group, groups=len(frame.levels))
    if why:
        return Matched(_tidy(_none(group, len(frame.people), held, why)), _balance_table([]))
    reference, exposed_level = frame.levels
    exposed = frame.members(exposed_level)
    pairs = match_nearest(exposed, frame.people[AGE], frame.people[list(exact)], caliper)
    rows = raw_and_adjusted(
        contrasted(frame, exposed_level, reference),
        held,
        lambda: _crude(frame, exposed),
        lambda: _paired(frame.people, pairs, caliper),
        MATCHED,
    )
    return Matched(_tidy(rows), _balance(frame, exposed, pairs, [AGE, *exact, *balance_covariates]))


def _none(group: str, n: int, held: Sequence[str], why: Reason) -> list[dict]:
    return raw_and_adjusted({"term": group, "exposure": group, "n": n}, held, why, why, MATCHED)


def _crude(frame: Frame, exposed: pd.Series) -> dict:
    gap = frame.people[AGE_GAP]
    return {"model": "Welch, all participants"} | vars(welch(gap[exposed], gap[~exposed]))


def _paired(people: pd.DataFrame, pairs: pd.DataFrame, caliper: float) -> dict:
    if len(pairs) < PAIRS:
        raise FitError("few_pairs", n_pairs=len(pairs), needed=PAIRS)
    found = paired_difference(people, pairs)
    n = {"n": 2 * len(pairs), "n_exposed": len(pairs), "n_reference": len(pairs)}
    return {"model": f"matched pairs, age within {caliper:g} years, HC3 (t)"} | found | n


def paired_difference(people: pd.DataFrame, pairs: pd.DataFrame) -> dict:
    """Mean difference of face age within pairs at no difference of age."""
    one, other = people.loc[pairs["exposed"]], people.loc[pairs["unexposed"]]
    difference = pd.Series(one[FACE_AGE].to_numpy() - other[FACE_AGE].to_numpy())
    age = pd.DataFrame({"age": one[AGE].to_numpy() - other[AGE].to_numpy()})
    return coefficient(difference, age if age["age"].nunique() > 1 else age[[]], "intercept")


def _tidy(rows: list[dict]) -> pd.DataFrame:
    shared = {COHORT: POOLED, "question": "matched"}
    return result_rows([shared | row for row in rows], "phenotype/matched")


def _balance(frame: Frame, exposed: pd.Series, pairs: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    used = frame.people.index.isin([*pairs["exposed"], *pairs["unexposed"]])
    rows = []
    for name in dict.fromkeys(columns):
        if name not in frame.people or frame.people[name].notna().sum() == 0:
            rows += _both({"term": name, "reason": reason("no_value")})
            continue
        for term, values in _as_numbers(frame.people[name], name):
            rows += _one_balance({"term": term}, values, exposed, used)
    return _balance_table(rows)


def _as_numbers(values: pd.Series, name: str):
    if pd.api.types.is_numeric_dtype(values):
        yield name, values.astype("float64")
        return
    known = as_words(values.dropna())
    levels = order_of(known, name)
    # of two levels one says it all
    for level in levels[1:] if len(levels) == 2 else levels:
        yield f"{name}: {level}", (known == level).astype("float64").reindex(values.index)


def _both(row: dict) -> list[dict]:
    return [row | {"adjustment": adjustment} for adjustment in (RAW, MATCHED)]


def _one_balance(row: dict, values: pd.Series, exposed: pd.Series, used: np.ndarray) -> list[dict]:
    if set(values.dropna().unique()) <= {0.0, 1.0}:
        row |= {"n_level": int(values.sum()), "measure": "standardised difference of shares"}
    try:
        spread = common_spread(values, exposed)
    except FitError as error:
        return _both(row | {"reason": error.reason})
    rows = []
    for one, counted in zip(_both(row), (np.ones(len(values), dtype=bool), used), strict=True):
        mine, is_exposed = values[counted], exposed[counted]
        means = {"exposed_mean": mine[is_exposed].mean(), "reference_mean": mine[~is_exposed].mean()}
        one |= means | {"n": int(mine.notna().sum())}
        try:
            one["estimate"] = standardised_difference(mine, is_exposed, spread)
        except FitError as error:
            one["reason"] = error.reason
        rows.append(one)
    return rows


def _balance_table(rows: list[dict]) -> pd.DataFrame:
    shared = {COHORT: POOLED, "question": "balance", "measure": "standardised difference"}
    return result_rows([shared | row for row in rows], "phenotype/balance")
