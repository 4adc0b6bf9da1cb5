"""Differences of an outcome between groups: unadjusted and adjusted for age, always in one row."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from faceage_bio.core.columns import AGE, ALL_PARTICIPANTS, LEVELS
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import SPARSE, Reason, encode, reason
from faceage_bio.stats.group_differences import correlation_difference, sd_ratio, share_difference, wilson
from faceage_bio.stats.linear import Estimate, least_squares, welch
from faceage_bio.stats.multiplicity import benjamini_hochberg

AGE_BAND = "age band"
MOST_GROUPS = 20  # of one column; more are no groups but numbers or names
CONTROLS = "controls"
ALL = "all"
NUMBERS = ("estimate", "ci_lower", "ci_upper", "p_value")
FAMILY = "age-adjusted differences that are not sparse"
JACKKNIFE = "jackknife of the logarithm (t)"  # of spreads, whose interval has no formula without a shape
BY_AGE = reason("groups_of_age")


@dataclass(frozen=True)
class Factor:
    """A way to part people: its name, and each one's group in the order of ``levels`` (missing where not
    known).
    """

    name: str
    groups: pd.Series
    levels: tuple[str, ...]
    is_age: bool = False
    crossed: str = ""  # with which other factor
    why_not: Reason | None = None  # why participants cannot be parted so


def age_bands(age: pd.Series, cut_points: Sequence[float]) -> Factor:
    """Bands between the cut points: "under 50", "50-59", ..., "80 and over" (whole years) for whole cut
    points.
    """
    edges = [-np.inf, *sorted(set(cut_points)), np.inf]
    names = [_band(low, high) for low, high in pairwise(edges)]
    groups = pd.cut(age, edges, right=False, labels=names)
    return Factor(AGE_BAND, groups.astype(object).where(groups.notna(), None), tuple(names), is_age=True)


def _band(low: float, high: float) -> str:
    if low == -np.inf:
        return "all ages" if high == np.inf else f"under {high:g}"
    if high == np.inf:
        return f"{low:g} and over"
    return f"{low:g}-{high - 1:g}" if low == int(low) and high == int(high) else f"{low:g} to below {high:g}"


def factor_of(table: pd.DataFrame, column: str) -> Factor:
    """The groups of a column: words, or a few whole numbers such as types of skin.

    The declared reference level comes first, otherwise the most frequent group.
    """

    def none(code: str, **parameters) -> Factor:
        none = pd.Series(None, index=table.index, dtype=object)
        return Factor(column, none, (), why_not=reason(code, column=column, **parameters))

    if column not in table:
        return none("no_column_of_groups")
    values = table[column]
    if not values.notna().any():
        return none("no_value_of")
    words = values.map(_word, na_action="ignore").astype(object)
    counts = words.value_counts()
    if len(counts) > MOST_GROUPS:
        return none("not_groups", values=len(counts))
    declared = [word for word in LEVELS.get(column, ()) if word in counts]
    others = sorted(set(counts.index) - set(declared), key=lambda word: (-counts[word], word))
    return Factor(column, words.where(words.notna(), None), tuple([*declared, *others]))


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def crossings(factors: Sequence[Factor]) -> Iterator[tuple[Factor, Factor]]:
    """Each pair of factors that part participants; bands of age come second."""
    known = [factor for factor in factors if factor.levels]
    yield from combinations(sorted(known, key=lambda factor: factor.is_age), 2)


def crossed(one: Factor, other: Factor) -> Factor:
    """Both factors at once: "female, 60-69"."""
    both = one.groups.notna() & other.groups.notna()
    groups = (one.groups.astype(str) + ", " + other.groups.astype(str)).where(both, None)
    levels = tuple(f"{a}, {b}" for a in one.levels for b in other.levels)
    return Factor(f"{one.name} × {other.name}", groups, levels, one.is_age or other.is_age, other.name)


def all_of(table: pd.DataFrame) -> Factor:
    """No parting: one group of all."""
    return Factor(ALL, pd.Series(ALL, index=table.index, dtype=object), (ALL,))


def term_of(factor: Factor, level: str) -> str:
    """The group's term in the result rows."""
    return ALL if factor.name == ALL else f"{factor.name}: {level}"


def populations(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """All participants, and the controls among them; only the latter if all are such."""
    if "group" not in table:
        return {ALL_PARTICIPANTS: table}
    controls = table[table["group"] == "reference"]
    if len(controls) == len(table) > 0:
        return {CONTROLS: table}
    return {ALL_PARTICIPANTS: table} | ({CONTROLS: controls} if len(controls) else {})


def too_small(n: int, min_n: int, what: str = "participants") -> Reason | None:
    """What marks a number as sparse, if it is."""
    return reason("few", needed=min_n, what=what) if n < min_n else None


def noted(row: dict, remark: Reason | None) -> dict:
    """The row with a remark on its numbers; a row without numbers needs none."""
    if all(np.isnan(row.get(name, np.nan)) for name in ("estimate", "raw_estimate")):
        return row
    return row | {"reason": [remark, row.get("reason")]}


def shares(row: dict, failed: pd.Series, min_n: int) -> dict:
    """The share of photos of which ``failed`` is true, with Wilson's interval; n counts photos, n_events
    those that failed.
    """
    events = int(failed.sum())
    row = row | {"measure": "share", "model": "Wilson interval", "n": len(failed), "n_events": events}
    return noted(attempt(row, wilson, events, len(failed)), too_small(len(failed), min_n, "photos"))


def attempt(row: dict, compute, *arguments) -> dict:
    """The row with the numbers that ``compute`` gives, or with the reason why there are none."""
    try:
        found = compute(*arguments)
    except FitError as error:
        return row | {"reason": error.reason}
    return row | (vars(found) if isinstance(found, Estimate) else found)


def known_age(table: pd.DataFrame) -> pd.Series:
    """Age as floats; a table without ages has none."""
    return table[AGE].astype("float64") if AGE in table else pd.Series(np.nan, index=table.index)


@dataclass(frozen=True)
class Comparison:
    """What is compared between a group and the reference group.

    ``raw`` takes both groups' rows. ``adjusted`` takes the rows of all groups, the factor and the level;
    without it ``why_not`` says why.
    """

    measure: str
    outcome: str
    model: str
    raw: Callable[[pd.DataFrame, pd.DataFrame], Estimate]
    adjusted: Callable[[pd.DataFrame, Factor, str], Estimate] | None = None
    why_not: Reason | None = None
    what: str = "participants"
    events: str = ""  # a column of yes and no of which the table says how often it is yes


def compare(
    table: pd.DataFrame, factor: Factor, comparison: Comparison, min_n: int, within: str = ""
) -> list[dict]:
    """One row for each group against the first: age-adjusted, and unadjusted.

    Parameters
    ----------
    table : DataFrame
        ``age`` and what the comparison looks at, nothing of the latter missing.
    factor : Factor
        May know more participants than the table.
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
        versus = f"{level} vs {first}"
        row = _compared(factor, comparison) | {"group": versus, "within": within, "model": comparison.model}
        row["term"] = f"{factor.name}: {versus}{f', {within}' if within else ''}"
        row |= {"level": level, "reference": first, "n": len(mine) + len(reference)}
        row |= {"n_exposed": len(mine), "n_reference": len(reference)}
        raw = attempt({}, comparison.raw, mine, reference)
        row |= {f"raw_{name}": raw.get(name, np.nan) for name in NUMBERS}
        row["raw_reason"] = encode([raw.get("reason")])
        if factor.is_age or comparison.adjusted is None:
            row["reason"] = BY_AGE if factor.is_age else comparison.why_not
        else:
            row = attempt(row, comparison.adjusted, known, factor, level)
        if comparison.events:
            counts = {"exposed": mine, "reference": reference}
            row |= {f"n_events_{name}": int(one[comparison.events].sum()) for name, one in counts.items()}
        small = too_small(min(len(mine), len(reference)), min_n, f"{comparison.what} in a group")
        rows.append(noted(row, small))
    return rows


def _compared(factor: Factor, comparison: Comparison) -> dict:
    about = {"factor": factor.name, "exposure": factor.name, "adjustment": "age", "covariates": "age"}
    return about | {"measure": comparison.measure, "outcome": comparison.outcome}


def difference_of_means(column: str, measure: str, outcome: str) -> Comparison:
    """Of a column of years."""

    def raw(mine: pd.DataFrame, reference: pd.DataFrame) -> Estimate:
        return welch(mine[column], reference[column])

    model = "least squares with age, HC3 (t); raw: Welch"
    return Comparison(measure, outcome, model, raw, partial(adjusted_difference, column))


def difference_of_shares(column: str, measure: str, outcome: str) -> Comparison:
    """Of a column of yes and no, one row per photo."""

    def raw(mine: pd.DataFrame, reference: pd.DataFrame) -> Estimate:
        events = (int(mine[column].sum()), int(reference[column].sum()))
        return share_difference(events, (len(mine), len(reference)))

    model = "least squares with age, HC3 (t); raw: Newcombe's interval, Fisher's exact test"
    adjusted = partial(adjusted_difference, column)
    return Comparison(measure, outcome, model, raw, adjusted, what="photos", events=column)


def ratio_of_spreads(column: str, measure: str, outcome: str) -> Comparison:
    """Of the standard deviations of a column; adjusted for age about each group's own line on age."""

    def raw(mine: pd.DataFrame, reference: pd.DataFrame) -> Estimate:
        return sd_ratio(mine[column], reference[column])

    def adjusted(known: pd.DataFrame, factor: Factor, level: str) -> Estimate:
        groups = [known[known["group"] == one] for one in (level, _first(known, factor))]
        return sd_ratio(*(one[column] for one in groups), *(one["age"] for one in groups))

    model = "F test of the variances about each group's line on age; raw: F test"
    return Comparison(measure, outcome, model, raw, adjusted)


def difference_of_correlations(one: str, other: str, measure: str, outcome: str) -> Comparison:
    """Of two columns, one of them age, which is why it is not adjusted for age."""

    def raw(mine: pd.DataFrame, reference: pd.DataFrame) -> Estimate:
        pairs = [(group[one].to_numpy(), group[other].to_numpy()) for group in (mine, reference)]
        return correlation_difference(*pairs)

    why = reason("age_in_correlation")
    return Comparison(measure, outcome, "raw: Zou's interval, Fisher's z test", raw, why_not=why)


def adjusted_difference(outcome: str, known: pd.DataFrame, factor: Factor, level: str) -> Estimate:
    """A group's mean minus the first group's at the same age: least squares on groups and age, HC3, t."""
    return _with_age(known, outcome, factor, _first(known, factor), level)


def adjusted_mean(outcome: str, known: pd.DataFrame, factor: Factor, level: str) -> Estimate:
    """A group's mean at the mean age of all groups: from the same model as `adjusted_difference`."""
    return _with_age(known, outcome, factor, level, "intercept")


def _first(known: pd.DataFrame, factor: Factor) -> str:
    return next(level for level in factor.levels if (known["group"] == level).any())


def _with_age(known: pd.DataFrame, outcome: str, factor: Factor, reference: str, term: str) -> Estimate:
    """A term of the model of all groups of 2 and more; a group of one would be fitted exactly."""
    known = known[known["age"].notna()]
    if known.empty:
        raise FitError("no_known_age")
    sizes = known["group"].value_counts()
    usable = [level for level in factor.levels if sizes.get(level, 0) > 1]
    if not {reference, term} <= {*usable, "intercept"}:
        raise FitError("small_group", needed=2)
    known = known[known["group"].isin(usable)]
    y = known[outcome].astype("float64")
    if y.nunique() < 2:
        raise FitError("all_alike", n=len(y))
    indicators = {
        level: (known["group"] == level).astype("float64") for level in usable if level != reference
    }
    design = pd.DataFrame(indicators, index=y.index)
    if known["age"].nunique() > 1:
        design["age"] = known["age"] - known["age"].mean()
    return Estimate.of(least_squares(y, design).loc[term])


def uncompared(factor: Factor, n: int, comparison: Comparison) -> dict:
    """The row that says why the groups of a factor are not compared."""
    why = factor.why_not or reason("one_level", n=n)
    reasons = {"n": n, "reason": why, "raw_reason": why.encoded}
    return _compared(factor, comparison) | {"group": "", "within": "", "term": factor.name} | reasons


def with_q(rows: Sequence[dict]) -> list[dict]:
    """q-values over the age-adjusted tests (Benjamini and Hochberg), without those that are not to be
    interpreted.
    """
    p_values = [np.nan if _is_sparse(row) else row.get("p_value", np.nan) for row in rows]
    q_values = benjamini_hochberg(np.array(p_values, dtype=np.float64))
    return [row | {"q_value": float(q), "family": FAMILY} for row, q in zip(rows, q_values, strict=True)]


def _is_sparse(row: dict) -> bool:
    given = row.get("reason")
    return any(one.status == SPARSE for one in (given if isinstance(given, list) else [given]) if one)
