"""The table of a plan: what was assumed, what follows, curves, and R code with the same numbers."""

from collections.abc import Iterable, Sequence

import pandas as pd

ASSUMPTION, RESULT, CURVE, CODE = "assumption", "result", "curve", "R code"
COLUMNS = ("design", "part", "quantity", "value", "unit", "at", "at_unit", "text")
Said = tuple[str, float, str]  # quantity, value, unit


def plan_table(
    design: str,
    assumptions: Iterable[Said],
    results: Iterable[Said],
    curves: Sequence[tuple[str, Iterable[tuple[float, float]], str]] = (),
    code: str = "",
) -> pd.DataFrame:
    """A plan as rows, which `faceage-bio plan report` reads.

    Parameters
    ----------
    design : what is planned, such as "cohort study"
    curves : (quantity, points as (at, value), what ``at`` counts)
    code : R, one line

    Returns
    -------
    DataFrame
        design, part ("assumption", "result", "curve", "R code"), quantity, value, unit, at, at_unit, text.
    """
    rows = [
        *(
            {"part": ASSUMPTION, "quantity": name, "value": value, "unit": unit}
            for name, value, unit in assumptions
        ),
        *({"part": RESULT, "quantity": name, "value": value, "unit": unit} for name, value, unit in results),
        *(
            {"part": CURVE, "quantity": name, "value": value, "unit": "", "at": at, "at_unit": unit}
            for name, points, unit in curves
            for at, value in points
        ),
        *([{"part": CODE, "quantity": "code", "text": code}] if code else []),
    ]
    return pd.DataFrame(rows).assign(design=design).reindex(columns=list(COLUMNS))


def value_of(table: pd.DataFrame, quantity: str) -> float:
    """A result of a plan."""
    return float(table.loc[table["part"].eq(RESULT) & table["quantity"].eq(quantity), "value"].iloc[0])
