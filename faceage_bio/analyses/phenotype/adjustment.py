"""Adjustment sets: the role of each covariate, declared sets, missing values imputed or excluded, E-values;
and specification curves: one association under every reasonable choice of definition, adjustment set and
exclusion.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import pandas as pd

from faceage_bio.analyses.phenotype.comparison_frame import (
    POOLED,
    SAME,
    as_words,
    claims,
    in_units,
    levels_in,
    levels_of,
    make_frame,
    unit_of,
)
from faceage_bio.analyses.phenotype.contrasts import (
    LEAST_SQUARES,
    RAW,
    Headline,
    contrast,
    find_headline,
    numbers,
    raw_and_adjusted,
)
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, COHORT, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import columns_of, result_rows
from faceage_bio.core.settings.settings_acceleration import Covariate, Imputation
from faceage_bio.stats.design import build_design
from faceage_bio.stats.imputation import impute, pool
from faceage_bio.stats.linear import LinearFit, fit_linear
from faceage_bio.stats.robustness import e_value_of_difference
from faceage_bio.stats.smoothing import natural_spline, place_knots

DIRECT = ("confounder", "precision")
MINIMAL, WITHOUT_MEDIATORS, FULL = "minimal", "without mediators", "full"
COMPLETE, IMPUTED = "complete cases", "multiple imputation"
NOT_STATED = "not stated"
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
class Plan:
    """The declared covariates and the two sets from which the third is made."""

    covariates: Mapping[str, Covariate]
    minimal: Sequence[str]
    full: Sequence[str]

    def role(self, name: str, exposure: str) -> str:
        """The role of a covariate towards one exposure; one that is not declared is a confounder."""
        one = self.covariates.get(name)
        return one.exceptions.get(exposure, one.role) if one else "confounder"

    def reason(self, name: str) -> str:
        """Why it has its role."""
        return self.covariates[name].reason if name in self.covariates else NOT_STATED

    def is_part(self, name: str, exposure: str) -> bool:
        """Whether a column is the exposure itself, made of it, or declared a part of it."""
        return name in (exposure, SAME.get(exposure)) or self.role(name, exposure) == "part"

    def sets(self, exposure: str) -> dict[str, list[str]]:
        """The covariates of each set for an exposure; never the exposure itself or a part of it."""

        def usable(names: Sequence[str]) -> list[str]:
            return [name for name in dict.fromkeys(names) if name != AGE and not self.is_part(name, exposure)]

        full = usable(self.full)
        direct = [name for name in full if self.role(name, exposure) in DIRECT]
        return {MINIMAL: usable(self.minimal), WITHOUT_MEDIATORS: direct, FULL: full}


@dataclass(frozen=True)
class Adjustments:
    """``rows``: estimates by set and by what was done about missing values; ``roles``: who is in which set,
    and why.
    """

    rows: pd.DataFrame
    roles: pd.DataFrame


def compare_adjustments(
    table: pd.DataFrame, exposures: Sequence[str], plan: Plan, imputation: Imputation
) -> Adjustments:
    """Each exposure under each adjustment set, with complete cases and with multiple imputation side by side.

    Parameters
    ----------
    table : rows of `gather`
    exposures : names of columns
    plan : which covariates are in which set

    Returns
    -------
    Adjustments
        For each contrast, set and kind of missing-data handling a raw and an adjusted row
        (``adjustment_set``, ``missing``). Complete cases: participants with all covariates of the set.
        Multiple imputation: all participants with both ages; exposure and covariates are imputed from each
        other, both ages and the plan's full set, and pooled by Rubin's rules. ``e_value`` and
        ``e_value_interval`` of the adjusted rows.
    """
    rows, roles = [], []
    filled: dict[str, list[pd.DataFrame] | FitError] = {}
    for cohort, people, exposure in claims(table, exposures):
        sets = plan.sets(exposure)
        held = [name for names in sets.values() for name in names]
        make_frame(people, exposure, held)  # an unknown column is told before the imputation
        if cohort not in filled:  # a cohort's exposures are imputed from each other, once
            within = ["group"] if cohort == POOLED else [other for other in exposures if other != "group"]
            filled[cohort] = _fill(people, within, plan, imputation)
        shared = {COHORT: cohort, "exposure": exposure, "question": "adjustment"}
        for name, covariates in sets.items():
            both = {
                COMPLETE: _complete(people, exposure, name, covariates),
                IMPUTED: _imputed(people, exposure, name, covariates, filled[cohort]),
            }
            for missing, found in both.items():
                about = shared | {"adjustment_set": name, "missing": missing}
                rows += [about | row for row in found]
        roles += _roles(exposure, plan, sets)
    table_roles = pd.DataFrame(roles, columns=columns_of("phenotype/roles"))
    return Adjustments(
        result_rows(rows, "phenotype/adjustments"), table_roles.drop_duplicates(ignore_index=True)
    )


def _roles(exposure: str, plan: Plan, sets: Mapping[str, Sequence[str]]) -> Iterator[dict]:
    for name in dict.fromkeys([*plan.minimal, *plan.full]):
        if name not in (exposure, AGE):
            within = ", ".join(key for key, held in sets.items() if name in held) or "none"
            role, why = plan.role(name, exposure), plan.reason(name)
            yield {"exposure": exposure, "covariate": name, "role": role, "reason": why, "sets": within}


def _terms(people: pd.DataFrame, exposure: str, levels: Sequence[str]) -> list[tuple[str, dict]]:
    """(column of the design, what the rows say of it) for each contrast of an exposure."""
    if pd.api.types.is_numeric_dtype(people[exposure]):
        return [(exposure, {"term": exposure, "per": unit_of(exposure)[1]})]
    first, *others = levels
    return [(f"{exposure}: {level}", contrast(exposure, level, first)) for level in others]


def _e_value(row: dict, sigma: float) -> dict:
    value = e_value_of_difference(row["estimate"], row["standard_error"], sigma)
    return {"e_value": value.estimate, "e_value_interval": value.interval}


def _complete(people: pd.DataFrame, exposure: str, name: str, covariates: Sequence[str]) -> list[dict]:
    frame = make_frame(people, exposure, covariates)
    if why := frame.why_not:
        return raw_and_adjusted(frame.about, frame.covariates, why, why, name)
    design, model = in_units(frame.design, exposure), {"model": LEAST_SQUARES}

    def raw(column: str) -> dict:
        return numbers(fit_linear(frame.people[AGE_GAP], design[frame.own]).terms, column) | model

    def adjusted(column: str) -> dict:
        fit = fit_linear(frame.people[FACE_AGE], design)
        row = numbers(fit.terms, column) | model
        return row | _e_value(row, fit.sigma)

    result = []
    for column, more in _terms(frame.people, exposure, frame.levels):
        both = (partial(raw, column), partial(adjusted, column))
        result += raw_and_adjusted(frame.about | more, frame.covariates, *both, name)
    return result


def _fill(
    people: pd.DataFrame, exposures: Sequence[str], plan: Plan, imputation: Imputation
) -> list[pd.DataFrame] | FitError:
    """Completed tables of all participants with both ages, or why there are none."""
    names = dict.fromkeys([*exposures, *plan.minimal, *plan.full])
    known = people[people[AGE_GAP].notna()]
    names = [name for name in names if name in known and known[name].notna().any() and name != AGE]
    chosen = known[[FACE_AGE, AGE, *names]].copy()
    for name in names:
        if not pd.api.types.is_numeric_dtype(chosen[name]):
            chosen[name] = as_words(chosen[name]).where(chosen[name].notna(), None)
    try:
        return impute(chosen, imputation.m, imputation.iterations, imputation.seed)
    except FitError as error:
        return error


def _imputed(
    people: pd.DataFrame,
    exposure: str,
    name: str,
    covariates: Sequence[str],
    tables: list[pd.DataFrame] | FitError,
) -> list[dict]:
    known = people[people[AGE_GAP].notna()]
    held = [one for one in covariates if known[one].notna().any() and known[one].nunique() > 1]
    shared = {"n": len(known), "term": exposure}
    if isinstance(tables, FitError):
        return raw_and_adjusted(shared, ("age", *held), tables.reason, tables.reason, name)
    columns = [exposure, AGE, *held]
    remarks: list[Reason] = []
    if exposure in tables[0]:
        tables, remarks = _without_lonely(tables, columns)
    if exposure not in tables[0] or tables[0][exposure].nunique() < 2:
        why = make_frame(people, exposure, []).why_not or reason("constant_in_groups")
        return raw_and_adjusted(shared, ("age", *held), why, why, name)
    levels = dict(levels_of(tables[0], columns))
    if exposure in levels:  # the reference of the complete cases
        levels[exposure] = levels_in(known[exposure], exposure, tables[0][exposure])
    missing = int(known[[exposure, *held]].isna().any(axis=1).sum())
    gaps = reason("imputed", n_missing=missing, n=len(known)) if missing else reason("nothing_missing")

    @cache
    def fits(outcome: str) -> list[LinearFit]:
        use = [exposure] if outcome == AGE_GAP else columns
        if not missing:  # all tables are the same
            return [_fit(tables[0], use, exposure, levels, outcome)] * len(tables)
        return [_fit(one, use, exposure, levels, outcome) for one in tables]

    def raw(column: str) -> dict:
        return _pool(fits(AGE_GAP), column)

    def adjusted(column: str) -> dict:
        row = _pool(fits(FACE_AGE), column)
        return row | _e_value(row, float(np.mean([fit.sigma for fit in fits(FACE_AGE)])))

    result = []
    for column, more in _terms(tables[0], exposure, levels.get(exposure, ())):
        shared = {"n": len(tables[0]), "reason": [gaps, *remarks]} | more
        both = (partial(raw, column), partial(adjusted, column))
        result += raw_and_adjusted(shared, ("age", *held), *both, name)
    return result


def _without_lonely(
    tables: list[pd.DataFrame], columns: Sequence[str]
) -> tuple[list[pd.DataFrame], list[Reason]]:
    """Tables without participants who are alone with a word in any of them: a fit would follow them exactly."""
    alone = pd.Series(False, index=tables[0].index)
    for name in columns:
        if pd.api.types.is_numeric_dtype(tables[0][name]):
            continue
        for one in tables:
            sizes = one[name].value_counts()
            alone |= one[name].isin(sizes.index[sizes < 2])
    remarks = [reason("without_groups_of_one", n_excluded=int(alone.sum()))] if alone.any() else []
    return [one[~alone] for one in tables], remarks


def _fit(
    people: pd.DataFrame, columns: Sequence[str], exposure: str, levels: Mapping, outcome: str
) -> LinearFit:
    years = people[FACE_AGE] - people[AGE] if outcome == AGE_GAP else people[FACE_AGE]
    return fit_linear(years, in_units(build_design(people, columns, levels).matrix, exposure))


def _pool(fits: Sequence[LinearFit], column: str) -> dict:
    if any(column not in fit.terms.index for fit in fits):
        raise FitError("empty_level_imputed")
    terms = pd.DataFrame([fit.terms.loc[column] for fit in fits])
    found = pool(terms["estimate"].tolist(), terms["standard_error"].tolist(), df_complete=fits[0].df)
    model = {"model": f"{LEAST_SQUARES}, Rubin pooling of {len(fits)}"}
    same = ("estimate", "ci_lower", "ci_upper", "p_value", "standard_error", "missing_information")
    row = {name: getattr(found, name) for name in same}
    return row | model | {"statistic": found.estimate / found.standard_error}


@dataclass(frozen=True)
class SpecificationCurve:
    """``rows``: one estimate per specification; ``summary``: how many agree, for each claim."""

    rows: pd.DataFrame
    summary: pd.DataFrame


def vary_specifications(
    table: pd.DataFrame, exposures: Sequence[str], plan: Plan, adjusted_for: Sequence[str] = ()
) -> SpecificationCurve:
    """The headline contrast of each exposure under all definitions x adjustment sets x exclusions.

    Simonsohn, Simmons and Nelson 2020, doi:10.1038/s41562-020-0912-z. The specifications are not independent,
    so the shares describe and do not test.

    Parameters
    ----------
    table : rows of `gather`
        Definitions: face age with age (or its spline) in the model, and every column of residuals in years;
        over several cohorts only residuals from controls, since each cohort's own residuals are zero on
        average. Exclusions, where the columns are there: flagged photos (``flags``), ages outside the band of
        validity (``valid_age``), small faces (``low_resolution``), and all of them.
    exposures : names of columns
    plan : adjustment sets
    adjusted_for : names of columns
        What the residuals ``acceleration_adjusted...`` are adjusted for. They are left out where the
        exposure, or a part of it, is among these, since nothing of it is left in them; and everywhere, if it
        is not told.

    Returns
    -------
    SpecificationCurve
        Rows: ``definition``, ``adjustment_set``, ``excluded``; the unadjusted age gap stands among them and is not
        counted. Summary: raw and adjusted median, ``n_specifications``, ``share_same_sign`` (as face age with
        age and the minimal set in all participants) and ``share_significant`` (the same sign and p < 0.05).
    """
    rows, summary = [], []
    for cohort, people, exposure in claims(table, exposures):
        shared = {COHORT: cohort, "exposure": exposure}
        residuals = residual_columns(people, cohort == POOLED and people[COHORT].nunique() > 1)
        if not adjusted_for or any(plan.is_part(name, exposure) for name in adjusted_for):
            residuals = [name for name in residuals if not name.startswith(RESIDUAL_ADJUSTED)]
        about = shared | {"question": "specification"}
        found = [about | row for row in _one_claim(people, exposure, plan, residuals)]
        rows.append(result_rows(found, "phenotype/specifications"))
        about = shared | {"question": "specification summary"}
        summary += [about | row for row in _summarise(rows[-1])]
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
        keep["all of these"] = pd.concat(keep.values(), axis=1).all(axis=1)
    return {NONE: pd.Series(True, index=table.index)} | keep


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
            about = {"adjustment_set": set_name, "excluded": excluded}
            found = replace(found, shared=found.shared | about)
            for definition in (LINE, CURVE, *residuals):
                raw, adjusted = found.rows(partial(_estimate, frame.people, found, definition), set_name)
                if definition == LINE and not covariates:
                    # the unadjusted gap knows no covariates: once in each exclusion
                    result.append(raw | {"definition": GAP, "adjustment_set": RAW})
                result.append(adjusted | {"definition": definition})
    return result


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
    same = table.iloc[0][["term", "level", "reference", "per"]].to_dict()
    shared = same | {"measure": "median", "unit": "years"}

    def describe(part: pd.DataFrame, sign: float) -> dict:
        known = part[part["estimate"].notna()]
        if known.empty:
            return {"reason": part["reason"].iloc[0]}
        same = np.sign(known["estimate"]) == sign
        return {
            "estimate": float(known["estimate"].median()),
            "n": int(known["n"].max()),
            "n_specifications": len(known),
            "n_not_estimated": len(part) - len(known),
            "share_same_sign": float(same.mean()),
            "share_significant": float((same & (known["p_value"] < ALPHA)).mean()),
        }

    raw = table["adjustment"] == RAW
    first = table.index[(table["definition"] == LINE) & estimates.notna()]
    minimal = [place for place in first if table["adjustment_set"][place] == "minimal"]
    place = next(iter([*minimal, *first]), None)
    sign = np.nan if place is None else float(np.sign(estimates[place]))
    return raw_and_adjusted(
        shared, ("age",), lambda: describe(table[raw], sign), lambda: describe(table[~raw], sign)
    )
