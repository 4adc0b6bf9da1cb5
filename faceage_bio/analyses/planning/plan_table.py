"""The table of a plan: what was assumed, what follows, curves, and R code with the same numbers."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from faceage_bio.stats.sample_size import PiecewiseSurvival

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


def observation(
    survival: PiecewiseSurvival, accrual: float, follow_up: float, drop_out: float, of: str = ""
) -> list[Said]:
    """What is assumed of survival and of the time under observation; ``drop_out``: the hazard of loss."""
    hazards = [
        (f"hazard{of}{f' from {start:.3g} years' if start else ''}", float(hazard), "per year")
        for start, hazard in zip(survival.starts, survival.hazards, strict=True)
    ]
    return [
        *hazards, ("accrual", accrual, "years"), ("follow-up after the last participant", follow_up, "years"),
        ("share lost each year", float(-np.expm1(-drop_out)), ""),
    ]  # fmt: skip


def value_of(table: pd.DataFrame, quantity: str) -> float:
    """A result of a plan."""
    return float(table.loc[table["part"].eq(RESULT) & table["quantity"].eq(quantity), "value"].iloc[0])
