"""How an outcome differs between groups: raw and with age held constant, always in one row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.errors import FitError
from faceage_bio.fairness.groups import DO_NOT_INTERPRET, Factor, attempt, noted, too_small
from faceage_bio.stats.linear import Estimate, least_squares, welch
from faceage_bio.stats.multiplicity import benjamini_hochberg
from faceage_bio.stats.proportions import share_difference
from faceage_bio.stats.spread import correlation_difference, sd_ratio

NUMBERS = ("estimate", "ci_lower", "ci_upper", "p_value")
BY_AGE = "because the groups differ in age by definition"


@dataclass(frozen=True)
class Comparison:
    """What is compared between a group and the reference group.

    ``raw`` takes both groups' rows. ``adjusted`` takes the rows of all groups, the factor and the level; without it
    ``unadjusted`` says why.
    """

    measure: str
    model: str
    raw: Callable[[pd.DataFrame, pd.DataFrame], Estimate]
    adjusted: Callable[[pd.DataFrame, Factor, str], Estimate] | None = None
    unadjusted: str = ""
    what: str = "people"
    events: str = ""  # a column of yes and no of which the table says how often it is yes


def compare(
    table: pd.DataFrame, factor: Factor, comparison: Comparison, min_n: int, within: str = ""
) -> list[dict]:
    """One row for each group against the first: age-adjusted, and beside it raw.

    Parameters
    ----------
    table : DataFrame
        ``age`` and what the comparison looks at, nothing of the latter missing.
    factor : Factor
        May know more people than the table.
    within : str
        Whom the table holds, for the term.
    """
    known = table.assign(group=factor.groups.reindex(table.index))
    known = known[known["group"].notna()]
    present = [level for level in factor.levels if (known["group"] == level).any()]
    if len(present) < 2:
        return []
    first = present[0]
    reference = known[known["group"] == first]
    rows = []
    for level in present[1:]:
        mine = known[known["group"] == level]
        row = {
            "factor": factor.name, "group": f"{level} vs {first}", "within": within,
            "term": f"{factor.name}: {level} vs {first}{f', {within}' if within else ''}", "measure": comparison.measure,
            "adjustment": "age", "model": comparison.model, "n": len(mine) + len(reference), "n_exposed": len(mine),
            "n_reference": len(reference),
        }  # fmt: skip
        raw = attempt({}, comparison.raw, mine, reference)
        row |= {f"raw_{name}": raw.get(name, np.nan) for name in NUMBERS} | {"raw_note": raw.get("note", "")}
        if factor.is_age or comparison.adjusted is None:
            row["note"] = f"not adjusted, {BY_AGE if factor.is_age else comparison.unadjusted}"
        else:
            row = attempt(row, comparison.adjusted, known, factor, level)
        if comparison.events:
            counts = {"exposed": mine, "reference": reference}
            row |= {f"n_events_{name}": int(one[comparison.events].sum()) for name, one in counts.items()}
        small = too_small(min(len(mine), len(reference)), min_n, f"{comparison.what} in a group")
        rows.append(noted(row, small))
    return rows


def difference_of_means(outcome: str, measure: str) -> Comparison:
    """Of a column of years."""

    def raw(mine: pd.DataFrame, reference: pd.DataFrame) -> Estimate:
        return welch(mine[outcome], reference[outcome])

    def adjusted(known: pd.DataFrame, factor: Factor, level: str) -> Estimate:
        return adjusted_difference(known, outcome, factor, level)

    return Comparison(measure, "least squares with age, HC3 (t); raw: Welch", raw, adjusted)


def difference_of_shares(outcome: str, measure: str) -> Comparison:
    """Of a column of yes and no, one row per photo."""

    def raw(mine: pd.DataFrame, reference: pd.DataFrame) -> Estimate:
        events = (int(mine[outcome].sum()), int(reference[outcome].sum()))
        return share_difference(events, (len(mine), len(reference)))

    def adjusted(known: pd.DataFrame, factor: Factor, level: str) -> Estimate:
        return adjusted_difference(known, outcome, factor, level)

    model = "least squares with age, HC3 (t); raw: Newcombe's interval, Fisher's exact test"
    return Comparison(measure, model, raw, adjusted, what="photos", events=outcome)


def ratio_of_spreads(outcome: str, measure: str) -> Comparison:
    """Of the standard deviations of a column; with age held constant about each group's own line on age."""

    def raw(mine: pd.DataFrame, reference: pd.DataFrame) -> Estimate:
        return sd_ratio(mine[outcome], reference[outcome])

    def adjusted(known: pd.DataFrame, factor: Factor, level: str) -> Estimate:
        groups = [known[known["group"] == one] for one in (level, _first(known, factor))]
        return sd_ratio(*(one[outcome] for one in groups), *(one["age"] for one in groups))

    model = "F test of the variances about each group's line on age; raw: F test"
    return Comparison(measure, model, raw, adjusted)


def difference_of_correlations(one: str, other: str, measure: str) -> Comparison:
    """Of two columns, one of them age, which is why there is no holding it constant."""

    def raw(mine: pd.DataFrame, reference: pd.DataFrame) -> Estimate:
        pairs = [(group[one].to_numpy(), group[other].to_numpy()) for group in (mine, reference)]
        return correlation_difference(*pairs)

    why = "because a correlation with age has age in it"
    return Comparison(measure, "raw: Zou's interval, Fisher's z test", raw, unadjusted=why)


def adjusted_difference(known: pd.DataFrame, outcome: str, factor: Factor, level: str) -> Estimate:
    """A group's mean minus the first group's at the same age: least squares on groups and age, HC3, t."""
    return _with_age(known, outcome, factor, _first(known, factor), level)


def adjusted_mean(known: pd.DataFrame, outcome: str, factor: Factor, level: str) -> Estimate:
    """A group's mean at the mean age of all groups: from the same model as `adjusted_difference`."""
    return _with_age(known, outcome, factor, level, "intercept")


def _first(known: pd.DataFrame, factor: Factor) -> str:
    return next(level for level in factor.levels if (known["group"] == level).any())


def _with_age(known: pd.DataFrame, outcome: str, factor: Factor, reference: str, term: str) -> Estimate:
    """A term of the model of all groups of 2 and more; a group of one would be fitted exactly."""
    known = known[known["age"].notna()]
    if known.empty:
        raise FitError("no age is known")
    sizes = known["group"].value_counts()
    usable = [level for level in factor.levels if sizes.get(level, 0) > 1]
    if not {reference, term} <= {*usable, "intercept"}:
        raise FitError("a group has fewer than 2 people")
    known = known[known["group"].isin(usable)]
    y = known[outcome].astype("float64")
    if y.nunique() < 2:
        raise FitError(f"all {len(y)} have the same value")
    others = [level for level in usable if level != reference]
    design = pd.DataFrame(
        {level: (known["group"] == level).astype("float64") for level in others}, index=y.index
    )
    if known["age"].nunique() > 1:
        design["age"] = known["age"] - known["age"].mean()
    row = least_squares(y, design).loc[term]
    return Estimate(*(float(row[name]) for name in NUMBERS))


def uncompared(factor: Factor, n: int, measure: str) -> dict:
    """The row that says why the groups of a factor are not compared."""
    why = f"not estimated, because {factor.note or f'all {n} people have the same value'}"
    return {
        "factor": factor.name, "group": "", "within": "", "term": factor.name, "measure": measure, "adjustment": "age",
        "n": n, "note": why, "raw_note": why,
    }  # fmt: skip


def with_q(rows: Sequence[dict]) -> list[dict]:
    """q-values over the age-adjusted tests (Benjamini and Hochberg), without those that are not to be interpreted."""
    p_values = np.array(
        [
            np.nan if row.get("note", "").startswith(DO_NOT_INTERPRET) else row.get("p_value", np.nan)
            for row in rows
        ],
        dtype=np.float64,
    )
    return [row | {"q_value": float(q)} for row, q in zip(rows, benjamini_hochberg(p_values), strict=True)]
