"""How face age and age acceleration are spread: by group as quantiles, and against age as counts in squares; nobody stands alone."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.columns import AGE, AGE_ACCELERATION, COHORT, FACE_AGE
from faceage_bio.phenotype.people import as_words, ascending, order_of
from faceage_bio.tables import result_rows

QUANTILES = {"q10": 0.10, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q90": 0.90}
WIDTHS = (2.0, 2.5, 5.0, 10.0)  # of a square, years
FEW = "not shown, because fewer than {} people, or because it would tell of such a group"
MOST_LEFT_OUT = 0.2  # share of people in squares of too few, before squares are widened


def distributions(people: pd.DataFrame, factors: Sequence[str], min_cell: int, cohort: str) -> pd.DataFrame:
    """Quantiles of age acceleration in each group of each factor, and among all.

    A quantile is told if at least ``min_cell`` people lie on either side of it, so that none is the value of a few. Of a group of
    fewer than ``min_cell`` people nothing is told; nor of the next smallest group, if all groups that are told, taken from
    everybody, would leave fewer than ``min_cell``. ``note`` says why a value is empty.

    Parameters
    ----------
    people : rows of `gather` of one cohort
    factors : columns of groups
    min_cell : fewest people of whom a number is told

    Returns
    -------
    DataFrame
        Result rows with ``factor``, ``group``, ``standard_deviation``, ``q10`` ... ``q90`` (years); measure: mean years.
    """
    known = people[people[AGE_ACCELERATION].notna()]
    everybody = (
        _spread(known[AGE_ACCELERATION], min_cell)
        if len(known) >= min_cell
        else {"note": FEW.format(min_cell)}
    )
    rows: list[dict] = [{"term": "all", "factor": "all", "group": "all"} | everybody]
    for factor in dict.fromkeys(factors):
        if factor not in known or not known[factor].notna().any():
            rows.append(
                {
                    "term": factor,
                    "factor": factor,
                    "group": "",
                    "note": "not estimated, because nobody has a value",
                }
            )
            continue
        words = as_words(known[factor].dropna())
        order = order_of(words, factor)
        sizes = words.value_counts()
        told = _told(sizes, len(known), min_cell)
        for group in ascending(order, factor) or order:
            row: dict = {"term": f"{factor}: {group}", "factor": factor, "group": group}
            mine = known.loc[words.index[words == group], AGE_ACCELERATION]
            rows.append(row | (_spread(mine, min_cell) if group in told else {"note": FEW.format(min_cell)}))
    shared = {COHORT: cohort, "analysis": "distribution", "measure": "mean years"}
    table = pd.DataFrame(rows).assign(**shared)
    return result_rows(
        table.reindex(columns=list(dict.fromkeys([*table.columns, "standard_deviation", *QUANTILES])))
    )


def _told(sizes: pd.Series, n: int, min_cell: int) -> set[str]:
    """Groups of which something is told; those left out, and people without a value, together are not a few."""
    told = sizes[sizes >= min_cell]
    if 0 < n - told.sum() < min_cell and len(told):
        told = told.drop(told.idxmin())
    return set(told.index)


def _spread(values: pd.Series, min_cell: int) -> dict:
    n = len(values)
    row = {
        "n": n,
        "estimate": float(values.mean()),
        "standard_deviation": float(values.std(ddof=1)) if n > 1 else np.nan,
    }
    told = {
        name: float(values.quantile(share))
        for name, share in QUANTILES.items()
        if np.floor(n * min(share, 1 - share)) >= min_cell
    }
    note = "" if len(told) == len(QUANTILES) else "quantiles beyond which too few people lie are not told"
    return row | told | {"note": note}


def age_squares(people: pd.DataFrame, min_cell: int, cohort: str) -> pd.DataFrame:
    """People in squares of age and face age, as fine as few people stay outside of squares that are told.

    Squares of fewer than ``min_cell`` people are not told. What all others together hold has no row, so that the sum of
    the squares says how many are left out; if those are a few, the smallest told square is left out too.

    Returns
    -------
    DataFrame
        cohort, age_lower, face_age_lower, width (years), n; nothing where no width will do.
    """
    known = people[people[AGE].notna() & people[FACE_AGE].notna()]
    columns = [COHORT, "age_lower", "face_age_lower", "width", "n"]
    squares = pd.DataFrame(columns=columns)
    for width in WIDTHS:
        cut = pd.DataFrame({
            "age_lower": np.floor(known[AGE] / width) * width, "face_age_lower": np.floor(known[FACE_AGE] / width) * width,
        })  # fmt: skip
        counted = cut.value_counts().rename("n").reset_index()
        told = counted[counted["n"] >= min_cell]
        outside = len(known) - int(told["n"].sum())
        if 0 < outside < min_cell and len(told):
            told = told.drop(told["n"].idxmin())
        squares = told.assign(**{COHORT: cohort, "width": width})[columns]
        if outside <= MOST_LEFT_OUT * len(known):
            break
    return squares.sort_values(columns[1:3], ignore_index=True)
