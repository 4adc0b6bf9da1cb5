"""The table of a plan: what was assumed, what follows, curves, remarks, and R code with the same numbers."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from faceage_bio.stats.sample_size import PiecewiseSurvival

ASSUMPTION, RESULT, CURVE, REMARK, CODE = "assumption", "result", "curve", "remark", "R code"
COLUMNS = ("design", "part", "quantity", "value", "unit", "at", "at_unit", "text")
Said = tuple[str, float, str]  # quantity, value, unit


def plan_table(
    design: str,
    assumptions: Iterable[Said],
    results: Iterable[Said],
    curves: Sequence[tuple[str, Iterable[tuple[float, float]], str]] = (),
    code: str = "",
    remarks: Sequence[str] = (),
) -> pd.DataFrame:
    """A plan as rows, which `faceage-bio plan report` reads.

    Parameters
    ----------
    design : what is planned, such as "cohort study"
    curves : (quantity, points as (at, value), what ``at`` counts)
    code : R, one line
    remarks : sentences on what the numbers mean

    Returns
    -------
    DataFrame
        design, part ("assumption", "result", "curve", "remark", "R code"), quantity, value, unit, at, at_unit, text.
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
        *({"part": REMARK, "quantity": "remark", "text": text} for text in remarks),
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


def extrapolation(survival: PiecewiseSurvival, accrual: float, follow_up: float) -> list[str]:
    """A sentence if the plan goes beyond the curve of survival, else none."""
    beyond = survival.beyond(accrual, follow_up)
    if beyond == 0:
        return []
    return [
        f"Survival was observed to {survival.observed_to:.3g} years; {beyond:.1%} of the planned follow-up lies beyond, where the last hazard of the curve is "
        "assumed to go on."
    ]


def remarks_of(table: pd.DataFrame) -> list[str]:
    """The remarks of a plan."""
    return table.loc[table["part"].eq(REMARK), "text"].tolist()


def value_of(table: pd.DataFrame, quantity: str) -> float:
    """A result of a plan."""
    return float(table.loc[table["part"].eq(RESULT) & table["quantity"].eq(quantity), "value"].iloc[0])
