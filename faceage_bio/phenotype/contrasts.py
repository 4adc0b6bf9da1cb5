"""What goes with looking older: smoking, BMI, disease. The raw gap and the age-adjusted years always stand together."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.columns import AGE, AGE_GAP, COHORT, FACE_AGE, LEVELS, UNITS
from faceage_bio.errors import FitError
from faceage_bio.stats.design import build_design
from faceage_bio.stats.linear import least_squares, welch
from faceage_bio.stats.multiplicity import benjamini_hochberg
from faceage_bio.tables import result_rows

RAW = "none (raw age gap)"


def contrast_exposures(
    table: pd.DataFrame, exposures: Sequence[str], adjust_for: Sequence[str]
) -> pd.DataFrame:
    """Years of face age that go with each exposure in one cohort, raw and adjusted.

    Parameters
    ----------
    table : DataFrame
        The cohort's analysis table (acceleration.parquet).
    exposures, adjust_for : names of its columns

    Returns
    -------
    DataFrame, result rows, analysis "phenotype"
        Two rows per contrast; q_value is Benjamini and Hochberg's over the adjusted rows. An exposure that cannot be
        estimated keeps its rows, with the reason in ``note``.
    """
    rows = [row for exposure in exposures for row in raw_beside_adjusted(table, exposure, adjust_for)]
    return _finish(rows, str(table[COHORT].iloc[0]) if len(table) else "", "phenotype")


def compare_groups(table: pd.DataFrame, adjust_for: Sequence[str]) -> pd.DataFrame:
    """Cancer against reference people over all cohorts, raw and adjusted.

    Face age itself is the outcome, with age in the model. Residuals of each cohort's own line would not do: their mean is
    zero in every cohort, which would take the very difference away.
    """
    return _finish(raw_beside_adjusted(table, "group", adjust_for), "pooled", "groups")


def _finish(rows: list[dict], cohort: str, analysis: str) -> pd.DataFrame:
    table = result_rows(pd.DataFrame(rows).assign(**{COHORT: cohort, "analysis": analysis}))
    adjusted = table["adjustment"] != RAW
    table["q_value"] = np.nan
    table.loc[adjusted, "q_value"] = benjamini_hochberg(
        table.loc[adjusted, "p_value"].to_numpy(dtype=np.float64)
    )
    return table


def raw_beside_adjusted(table: pd.DataFrame, exposure: str, adjust_for: Sequence[str]) -> list[dict]:
    """For each contrast of an exposure a row from the raw age gap and one with age (and more) held constant.

    Both are of the same people: those whose ages, exposure and covariates are all known.
    """
    others = [name for name in adjust_for if name != exposure and name != AGE]
    label = ", ".join(["age", *others])
    known = table[table[AGE_GAP].notna()].reset_index(drop=True)
    design = build_design(known, [exposure, AGE, *others], LEVELS)
    rows = (
        known.loc[design.matrix.index]
        if len(design.matrix.columns)
        else known.drop(index=design.missing.index)
    )
    if exposure in design.constant or len(rows) == 0:
        why = "nobody has a value" if len(rows) == 0 else f"all {len(rows)} people have the same value"
        return _both(exposure, label, {"n": len(rows), "note": f"not estimated, because {why}"})
    if pd.api.types.is_numeric_dtype(rows[exposure]):
        return _slope(rows, design.matrix, exposure, label)
    return _levels(rows, design.matrix, exposure, label)


def _both(term: str, label: str, shared: dict) -> list[dict]:
    return [
        {"term": term, "measure": "years", "adjustment": adjustment} | shared for adjustment in (RAW, label)
    ]


def _attempt(row: dict, compute) -> dict:
    try:
        return row | compute()
    except FitError as error:
        return row | {"note": f"not estimated, because {error}"}


def _slope(rows: pd.DataFrame, matrix: pd.DataFrame, exposure: str, label: str) -> list[dict]:
    unit, per = UNITS.get(exposure, (1.0, "1 unit"))
    scaled = matrix.assign(**{exposure: matrix[exposure] / unit})
    shared = {"n": len(rows), "per": per, "model": "least squares, HC3 (t)"}
    raw, adjusted = _both(exposure, label, shared)

    def fit(outcome: str, design: pd.DataFrame) -> dict:
        return least_squares(rows[outcome], design).loc[exposure].drop("standard_error").to_dict()

    return [
        _attempt(raw, lambda: fit(AGE_GAP, scaled[[exposure]])),
        _attempt(adjusted, lambda: fit(FACE_AGE, scaled)),
    ]


def _levels(rows: pd.DataFrame, matrix: pd.DataFrame, exposure: str, label: str) -> list[dict]:
    words = rows[exposure].astype(str)
    indicators = [name for name in matrix if name.startswith(f"{exposure}: ")]
    others = [name.removeprefix(f"{exposure}: ") for name in indicators]
    reference = next(word for word in words.unique() if word not in others)
    result = []
    for word, indicator in zip(others, indicators, strict=True):
        exposed, unexposed = words == word, words == reference
        shared = {"n": len(rows), "n_exposed": int(exposed.sum()), "n_reference": int(unexposed.sum())}
        raw, adjusted = _both(f"{exposure}: {word} vs {reference}", label, shared)

        def compare(exposed=exposed, unexposed=unexposed) -> dict:
            return welch(rows.loc[exposed, AGE_GAP], rows.loc[unexposed, AGE_GAP]).__dict__

        def fit(indicator=indicator) -> dict:
            return least_squares(rows[FACE_AGE], matrix).loc[indicator].drop("standard_error").to_dict()

        result += [
            _attempt(raw | {"model": "Welch"}, compare),
            _attempt(adjusted | {"model": "least squares, HC3 (t)"}, fit),
        ]
    return result
