"""Adjusted means of groups: what a model gives for each level of a factor when everything else is alike."""

from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from faceage_bio.stats.linear import LinearFit


@dataclass(frozen=True)
class Margins:
    """``means``: one row per level; ``pairs``: one row per pair (first, second), the estimate is second minus first."""

    means: pd.DataFrame
    pairs: pd.DataFrame


def marginal_means(fit: LinearFit, design: pd.DataFrame, indicators: dict[str, str | None]) -> Margins:
    """Means and differences of a factor's levels over a balanced grid of everything else, as R's emmeans.

    Numeric covariates stand at their mean; every level of a further factor weighs the same, however many participants it has
    (``weights = "equal"``). Searle, Speed and Milliken 1980, doi:10.1080/00031305.1980.10483031.

    Parameters
    ----------
    fit : fit of ``design``
    design : DataFrame, shape (n, p)
        The columns of one factor are called ``factor: level``, as `build_design` makes them.
    indicators : level -> its column in ``design``, None for the reference level

    Returns
    -------
    Margins
        Columns as `LinearFit.combine`; pairs have the columns first and second besides.
    """
    own = {name for name in indicators.values() if name}
    grid = {"intercept": 1.0}
    for name in design.columns:
        if name in own:
            continue
        factor, colon, _ = name.partition(": ")
        siblings = [other for other in design.columns if colon and other.startswith(f"{factor}: ")]
        grid[name] = 1 / (len(siblings) + 1) if siblings else float(design[name].mean())
    rows = pd.DataFrame(
        [grid | {other: float(other == mine) for other in own} for mine in indicators.values()],
        index=pd.Index(list(indicators), name="level"),
    )
    pairs = list(combinations(indicators, 2))
    differences = pd.DataFrame(
        [rows.loc[second] - rows.loc[first] for first, second in pairs], columns=rows.columns
    ).reset_index(drop=True)
    found = fit.combine(differences)
    found.insert(0, "first", [first for first, _ in pairs])
    found.insert(1, "second", [second for _, second in pairs])
    return Margins(fit.combine(rows), found)
