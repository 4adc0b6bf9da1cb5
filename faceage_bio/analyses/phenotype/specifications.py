"""One association under every reasonable choice: definitions of age acceleration, adjustment sets, exclusions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.phenotype.adjustment import Plan
from faceage_bio.analyses.phenotype.contrasts import RAW, raw_and_adjusted
from faceage_bio.analyses.phenotype.headline import Headline, find_headline
from faceage_bio.analyses.phenotype.people import POOLED, Frame, claims, make_frame
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, COHORT, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.smoothing import natural_spline, place_knots

GAP = "age gap"
LINE = "face age adjusted for age"
CURVE = "face age adjusted for a spline of age"
RESIDUALS = (AGE_ACCELERATION, "acceleration_")  # how columns of residuals in years begin
RESIDUAL_ADJUSTED = "acceleration_adjusted"
OTHER_UNITS = ("_sd", "_z", "_centile")
AGE_ONLY = "age"
NONE = "none"
ALPHA = 0.05


@dataclass(frozen=True)
class SpecificationCurve:
    """``rows``: one estimate per specification; ``summary``: how many agree, for each claim."""

    rows: pd.DataFrame
    summary: pd.DataFrame


def vary_specifications(
    table: pd.DataFrame, exposures: Sequence[str], plan: Plan, adjusted_for: Sequence[str] = ()
) -> SpecificationCurve:
    """The headline contrast of each exposure under all definitions x adjustment sets x exclusions.

    Simonsohn, Simmons and Nelson 2020, doi:10.1038/s41562-020-0912-z. The specifications are not independent, so the shares
    describe and do not test.

    Parameters
    ----------
    table : rows of `gather`
        Definitions: face age with age (or its spline) in the model, and every column of residuals in years; over several
        cohorts only residuals from controls, since each cohort's own residuals are zero on average. Exclusions, where
        the columns are there: flagged photos (``flags``), ages outside the band of validity (``valid_age``), small faces
        (``low_resolution``), and all of them.
    exposures : names of columns
    plan : adjustment sets
    adjusted_for : names of columns
        What the residuals ``acceleration_adjusted...`` are adjusted for. They are left out where the exposure, or a part of it,
        is among these, since nothing of it is left in them; and everywhere, if it is not told.

    Returns
    -------
    SpecificationCurve
        Rows: ``definition``, ``adjustment_set``, ``excluded``; the raw age gap stands among them and is not counted.
        Summary: raw and adjusted median, ``n_specifications``, ``share_same_sign`` (as face age with age and the minimal set in
        all participants) and ``share_significant`` (the same sign and p < 0.05).
    """
    rows, summary = [], []
    for cohort, people, exposure in claims(table, exposures):
        shared = {COHORT: cohort, "exposure": exposure}
        residuals = residual_columns(people, cohort == POOLED and people[COHORT].nunique() > 1)
        if not adjusted_for or any(plan.is_part(name, exposure) for name in adjusted_for):
            residuals = [name for name in residuals if not name.startswith(RESIDUAL_ADJUSTED)]
        found = _one_claim(people, exposure, plan, residuals)
        table_rows = result_rows(
            [shared | {"question": "specification"} | row for row in found], "phenotype/specifications"
        )
        rows.append(table_rows)
        summary += [shared | {"question": "specification summary"} | row for row in _summarise(table_rows)]
    return SpecificationCurve(
        pd.concat(rows, ignore_index=True) if rows else result_rows([], "phenotype/specifications"),
        result_rows(summary, "phenotype/specification_summary"),
    )


def residual_columns(table: pd.DataFrame, reference_only: bool) -> list[str]:
    """Columns of residuals in years that are there; of two that are the same the first."""
    kept: list[str] = []
    for name in table:
        usable = str(name).startswith(RESIDUALS) and not str(name).endswith(OTHER_UNITS)
        if not usable or not pd.api.types.is_numeric_dtype(table[name]) or table[name].notna().sum() == 0:
            continue
        if reference_only and not str(name).endswith("_reference"):
            continue
        if not any(np.allclose(table[name], table[other], equal_nan=True) for other in kept):
            kept.append(name)
    return kept


def exclusions(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Who is left under each exclusion that leaves anybody out."""
    keep = {}
    if "flags" in table:
        keep["flagged photos"] = ~table["flags"].fillna("").astype(str).str.strip().ne("")
    if "valid_age" in table:
        keep["ages outside the band of validity"] = table["valid_age"].fillna(True).astype(bool)
    if "low_resolution" in table:
        keep["small faces"] = ~table["low_resolution"].eq(True).fillna(False).astype(bool)
    known = table[AGE_GAP].notna()
    keep = {name: mask for name, mask in keep.items() if not mask[known].all()}
    if len(keep) > 1:
        keep["all of these"] = np.logical_and.reduce(list(keep.values()))
    return {NONE: pd.Series(True, index=table.index)} | {
        name: pd.Series(mask, index=table.index) for name, mask in keep.items()
    }


def _one_claim(people: pd.DataFrame, exposure: str, plan: Plan, residuals: Sequence[str]) -> list[dict]:
    sets: dict[tuple[str, ...], str] = {}
    for name, covariates in ({AGE_ONLY: []} | plan.sets(exposure)).items():
        sets.setdefault(tuple(covariates), name)  # sets that are the same count once
    whole = make_frame(people, exposure, [])
    result = []
    for excluded, keep in exclusions(people).items():
        for covariates, set_name in sets.items():
            frame = make_frame(people[keep], exposure, covariates)
            found = find_headline(frame, whole)
            base = found.shared | {"adjustment_set": set_name, "excluded": excluded}
            definitions = [LINE, CURVE, *residuals]
            for definition in definitions:
                raw, adjusted = _specify(frame, found, definition, base, set_name)
                if (
                    definition == LINE and not covariates
                ):  # the raw gap knows no covariates: once in each exclusion
                    result.append(raw | {"definition": GAP, "adjustment_set": RAW})
                result.append(adjusted | {"definition": definition})
    return result


def _specify(frame: Frame, found: Headline, definition: str, base: dict, adjustment: str) -> list[dict]:
    if found.why_not:
        return raw_and_adjusted(base, frame.covariates, found.why_not, found.why_not, adjustment)
    return raw_and_adjusted(
        base,
        frame.covariates,
        lambda: found.estimate(frame.people[AGE_GAP], found.design[found.own]),
        lambda: _estimate(frame.people, found, definition),
        adjustment,
    )


def _estimate(people: pd.DataFrame, found: Headline, definition: str) -> dict:
    if definition == LINE:
        return found.estimate(people[FACE_AGE], found.design)
    rest = found.design.drop(columns=AGE, errors="ignore")  # an age that all share is no column
    if definition == CURVE:
        curve = natural_spline(people[AGE].to_numpy(), place_knots(people[AGE].to_numpy()), AGE)
        return found.estimate(people[FACE_AGE], rest.join(curve.set_axis(rest.index)))
    known = people[definition].notna()
    if not known.any():
        raise FitError("no_value_of", column=definition)
    return found.estimate(people.loc[known, definition], rest[known]) | {"n": int(known.sum())}


def _summarise(table: pd.DataFrame) -> list[dict]:
    estimates = table["estimate"]
    shared = {"measure": "median", "unit": "years"} | table.iloc[0][
        ["term", "level", "reference", "per"]
    ].to_dict()

    def describe(part: pd.DataFrame, values: pd.Series, sign: float) -> dict:
        known = values.notna()
        if not known.any():
            return {"reason": part["reason"].iloc[0]}
        same = np.sign(values[known]) == sign
        return {
            "estimate": float(values[known].median()), "n": int(part.loc[known, "n"].max()),
            "n_specifications": int(known.sum()), "n_not_estimated": int((~known).sum()),
            "share_same_sign": float(same.mean()),
            "share_significant": float((same & (part.loc[known, "p_value"] < ALPHA)).mean()),
        }  # fmt: skip

    raw = table["adjustment"] == RAW
    first = table.index[(table["definition"] == LINE) & estimates.notna()]
    minimal = [place for place in first if table["adjustment_set"][place] == "minimal"]
    place = next(iter([*minimal, *first]), None)
    sign = np.nan if place is None else float(np.sign(estimates[place]))
    return raw_and_adjusted(
        shared, ("age",),
        lambda: describe(table[raw], estimates[raw], sign), lambda: describe(table[~raw], estimates[~raw], sign),
    )  # fmt: skip
