"""Table 1: characteristics of the participants of a cohort by age acceleration, missing values and
standardised differences; and how age acceleration is spread, by group as quantiles and against age as counts
in squares.

Without p-values: they would ask whether a difference seen in a sample is chance, and not whether it is large
enough to matter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from faceage_bio.analyses.phenotype.comparison_frame import as_words, ascending, order_of
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AMOUNTS, COHORT, FACE_AGE, THIRDS
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.matching import all_pairs, difference_of_numbers, difference_of_shares

ALL = "all"
OF_NUMBERS, OF_SHARES = "standardised difference", "standardised difference of shares"
AVERAGE, LARGEST = "mean of all pairs", "largest of all pairs"

QUANTILES = {"q10": 0.10, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q90": 0.90}
WIDTH = 5.0  # of a square, years

Rule = Sequence[float] | str


@dataclass(frozen=True)
class Parted:
    """Each person's group (None where it is not known), the groups from low to high, and why there are none."""

    groups: pd.Series
    levels: tuple[str, ...]
    remark: Reason | None = None


def part_by_acceleration(values: pd.Series, rule: Rule) -> Parted:
    """Thirds, or the classes between declared cut-points (years); a value at a cut-point belongs to the lower
    one.
    """
    none = pd.Series(None, index=values.index, dtype=object)
    known = values.dropna()
    if not len(known):
        return Parted(none, (), reason("no_groups"))
    if isinstance(rule, str):
        edges, names = np.quantile(known, [1 / 3, 2 / 3]).tolist(), list(THIRDS)
        if known.min() > edges[0] or edges[0] >= edges[1] or known.max() <= edges[1]:
            return Parted(none, (), reason("no_tertiles"))
    else:
        edges = sorted(rule)
        middle = [f"{low:+g} to {high:+g} years" for low, high in pairwise(edges)]
        names = [f"up to {edges[0]:+g} years", *middle, f"above {edges[-1]:+g} years"]
    labels = pd.cut(values.astype("float64"), [-np.inf, *edges, np.inf], labels=names).astype(object)
    return Parted(labels.where(values.notna(), None), tuple(names))


def table_one(
    people: pd.DataFrame, columns: Sequence[str], factors: Sequence[str], rule: Rule, cohort: str
) -> pd.DataFrame:
    """Means, medians and shares in each group and among all, what is missing, and standardised differences.

    Parameters
    ----------
    people : rows of `gather` of one cohort; those without age acceleration are left out
    columns : what is told of them, in this order; a column that the table lacks keeps a row that says so
    factors : columns of numbers, such as ECOG, that are groups
    rule : "tertiles", or cut-points in years of age acceleration

    Returns
    -------
    DataFrame
        Result rows with ``variable``, ``level``, ``group`` ("all" for all participants),
        ``standard_deviation``, ``lower_quartile``, ``upper_quartile``. Measures: participants; mean, median
        (numbers); share (each level of a factor; among participants with a value); missing (of all, and in
        each group); standardised difference, of numbers or of shares (``group``: "a vs b", or mean and
        largest of all pairs).
    """
    parted = part_by_acceleration(people[AGE_ACCELERATION], rule)
    people = people[people[AGE_ACCELERATION].notna()]
    groups = parted.groups[people.index]
    parts = [(ALL, people), *((level, people[groups == level]) for level in parted.levels)]
    about = {"term": "participants", "measure": "participants", "reason": [parted.remark]}
    rows = [about | {"group": name, "n": len(part), "estimate": float(len(part))} for name, part in parts]
    for column in dict.fromkeys(columns):
        if column not in people or not people[column].notna().any():
            (row,) = _missing(column, [(ALL, people.assign(**{column: np.nan}))])
            rows.append(row | {"estimate": np.nan, "reason": reason("no_value")})
            continue
        numbers = pd.api.types.is_numeric_dtype(people[column]) and column not in factors
        about = {"term": column, "variable": column, "unit": AMOUNTS.get(column, "")}
        rows += [about | row for row in (_numbers if numbers else _levels)(column, parts)]
        rows += _missing(column, parts)
    shared = {COHORT: cohort, "question": "table one"}
    return result_rows([shared | row for row in rows], "phenotype/table_one")


def _missing(column: str, parts: Sequence[tuple[str, pd.DataFrame]]) -> Iterator[dict]:
    """How many of all and of each group have no value."""
    for name, part in parts:
        n = int(part[column].isna().sum())
        share = {"estimate": n / len(part)} if len(part) else {"reason": reason("nothing_to_count")}
        yield {"term": column, "variable": column, "measure": "missing", "group": name, "n": n} | share


def _numbers(column: str, parts: Sequence[tuple[str, pd.DataFrame]]) -> Iterator[dict]:
    found = [part[column].dropna().to_numpy(float) for _, part in parts]
    for (name, _), mine in zip(parts, found, strict=True):
        base = {"group": name, "n": len(mine)}
        if not len(mine):
            yield base | {"measure": "mean", "reason": reason("no_value")}
            continue
        spread = float(mine.std(ddof=1)) if len(mine) > 1 else np.nan
        lower, middle, upper = np.quantile(mine, [0.25, 0.5, 0.75]).tolist()
        yield base | {"measure": "mean", "estimate": float(mine.mean()), "standard_deviation": spread}
        quartiles = {"lower_quartile": lower, "upper_quartile": upper}
        yield base | {"measure": "median", "estimate": middle} | quartiles
    yield from _differences(
        [name for name, _ in parts[1:]],
        all_pairs(found[1:], difference_of_numbers),
        OF_NUMBERS,
        [*map(len, found[1:])],
    )


def _levels(column: str, parts: Sequence[tuple[str, pd.DataFrame]]) -> Iterator[dict]:
    words = [as_words(part[column].dropna()) for _, part in parts]
    levels = order_of(words[0], column)
    levels = ascending(levels, column) or levels
    counts = [part.value_counts().reindex(list(levels), fill_value=0).to_numpy() for part in words]
    for place, level in enumerate(levels):
        about = {"term": f"{column}: {level}", "level": level, "measure": "share", "unit": ""}
        for (name, _), mine in zip(parts, counts, strict=True):
            n, known = int(mine[place]), mine.sum()
            share = {"estimate": float(n / known)} if known else {"reason": reason("no_value")}
            yield about | {"group": name, "n": n} | share
    yield from _differences(
        [name for name, _ in parts[1:]],
        all_pairs(counts[1:], difference_of_shares),
        OF_SHARES,
        [int(one.sum()) for one in counts[1:]],
    )


def _differences(
    groups: Sequence[str], pairs: np.ndarray, measure: str, sizes: Sequence[int]
) -> Iterator[dict]:
    """Of each pair of groups, their mean and the largest; n is that of the smallest group compared."""
    base = {"measure": measure, "unit": ""}
    if not len(pairs):
        return
    if np.isnan(pairs).any():
        yield base | {"group": AVERAGE, "n": min(sizes), "reason": reason("undefined_difference")}
        return
    yield base | {"group": AVERAGE, "n": min(sizes), "estimate": float(pairs.mean())}
    yield base | {"group": LARGEST, "n": min(sizes), "estimate": float(pairs.max())}
    compared = zip(combinations(groups, 2), combinations(sizes, 2), pairs, strict=True)
    for (one, other), n, value in compared:
        yield base | {"group": f"{one} vs {other}", "n": min(n), "estimate": float(value)}


def distributions(people: pd.DataFrame, factors: Sequence[str], cohort: str) -> pd.DataFrame:
    """Quantiles of age acceleration in each group of each factor, and among all.

    Parameters
    ----------
    people : rows of `gather` of one cohort
    factors : columns of groups

    Returns
    -------
    DataFrame
        Result rows with ``factor``, ``group``, ``standard_deviation``, ``q10`` ... ``q90`` (years); measure:
        mean.
    """
    known = people[people[AGE_ACCELERATION].notna()]
    rows: list[dict] = [{"term": ALL, "factor": ALL, "group": ALL} | _spread(known[AGE_ACCELERATION])]
    for factor in dict.fromkeys(factors):
        if factor not in known or not known[factor].notna().any():
            rows.append({"term": factor, "factor": factor, "group": "", "reason": reason("no_value")})
            continue
        words = as_words(known[factor].dropna())
        order = order_of(words, factor)
        for group in ascending(order, factor) or order:
            row: dict = {"term": f"{factor}: {group}", "factor": factor, "group": group}
            rows.append(row | _spread(known.loc[words.index[words == group], AGE_ACCELERATION]))
    shared = {COHORT: cohort, "question": "distribution", "outcome": "age acceleration", "measure": "mean"}
    return result_rows([shared | row for row in rows], "phenotype/distributions")


def _spread(values: pd.Series) -> dict:
    n = len(values)
    if not n:
        return {"n": 0, "reason": reason("no_value")}
    spread = float(values.std(ddof=1)) if n > 1 else np.nan
    row = {"n": n, "estimate": float(values.mean()), "standard_deviation": spread}
    return row | {name: float(values.quantile(share)) for name, share in QUANTILES.items()}


def age_histogram(people: pd.DataFrame, cohort: str) -> pd.DataFrame:
    """Participants in squares of age and face age, of one width in every cohort, so that cohorts can be
    compared.

    Returns
    -------
    DataFrame
        cohort, age_lower, face_age_lower, width (years), n; squares that hold no participant have no row.
    """
    known = people[people[AGE].notna() & people[FACE_AGE].notna()]
    columns = [COHORT, "age_lower", "face_age_lower", "width", "n"]
    cut = np.floor(known[[AGE, FACE_AGE]] / WIDTH) * WIDTH
    cut = cut.set_axis(["age_lower", "face_age_lower"], axis=1)
    counted = cut.value_counts().rename("n").reset_index().assign(**{COHORT: cohort, "width": WIDTH})
    return counted[columns].sort_values(columns[1:3], ignore_index=True)
