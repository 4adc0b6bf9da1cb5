"""The headline again under other inclusion criteria, and by classes of the age gap as later studies made
them.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    ModelFrame,
    counts,
    model_frame,
    model_rows,
    of_model,
    of_question,
)
from faceage_bio.core.columns import AGE, AGE_GAP, ENTRY, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import counted, result_rows
from faceage_bio.core.settings.settings_acceleration import Imputation
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.cox_batch import fit_cox_per_column
from faceage_bio.stats.cox_fit import nelson_aalen
from faceage_bio.stats.imputation import impute, pool
from faceage_bio.stats.minimum_sizes import check_events
from faceage_bio.stats.resampling import inflation, permuted_exposures, type_one_error

ALL_PARTICIPANTS = "all participants"
GAP_CLASS = "gap_class"
COMPLETE, IMPUTED = "complete cases", "multiple imputation"
HAZARD = "cumulative_hazard"
BATCHES = 20  # of permutations, between which the Monte Carlo error is seen
CELLS = 5_000_000  # of permuted exposures in memory at a time


def sensitivity(
    usable: pd.DataFrame,
    choices: Choices,
    cohort: str,
    *,
    early_death_years: float,
    gap_classes: tuple[float, float],
) -> pd.DataFrame:
    """Face age adjusted for age, and in the full model, among fewer participants; and gap classes instead of
    face age.

    Early deaths are not picked out by what happened later: all participants are at risk from
    ``early_death_years`` on only, and those no longer observed then leave.

    Parameters
    ----------
    usable : rows of `prepare`
        ``flags`` (of photos), ``low_resolution`` and ``valid_age`` where they are known.
    early_death_years : years after time zero that do not count
    gap_classes : age gaps, years
        At or below the first: looks younger; at or above the second: looks older; those between are the
        reference.

    Returns
    -------
    DataFrame, result rows, question "sensitivity"
        ``people`` says who counts, ``left_out`` how many do not. Rows of gap classes: with age, and with
        nothing.
    """
    models = [[FACE_AGE, AGE], *([[FACE_AGE, AGE, *choices.full]] if choices.full else [])]
    rows: list[dict] = []
    for label, part in _parts(usable, choices, early_death_years):
        for columns in models:
            about = {"people": label, "left_out": np.nan if part is None else len(usable) - len(part)}
            if part is not None:
                rows.append(model_rows(part, columns, choices, **about)[0])
                continue
            blank = of_model(usable.head(0), columns, choices) | {"n": np.nan, "n_events": np.nan}
            ratio = {"measure": "hazard ratio", "per": choices.per(FACE_AGE)}
            rows.append(blank | ratio | about | {"reason": reason("subgroup_unknown")})
    rows += _gap_rows(usable, choices, gap_classes)
    head = of_question(cohort, "sensitivity")
    return result_rows([head | row for row in rows], "survival/sensitivity")


def _parts(
    usable: pd.DataFrame, choices: Choices, early_death_years: float
) -> list[tuple[str, pd.DataFrame | None]]:
    """(who counts, the rows), None where it is not known of anybody."""

    def bad(column: str, are_bad: Callable[[pd.Series], pd.Series]) -> pd.Series | None:
        known = column in usable and usable[column].notna().any()
        return are_bad(usable[column]) if known else None

    excluded = {
        "without photos flagged for their quality": bad(
            "flags", lambda flags: flags.fillna("").astype(str).ne("")
        ),
        "without faces of low resolution": bad("low_resolution", lambda low: low.fillna(True).astype(bool)),
        "without ages outside the valid band": bad(
            "valid_age", lambda valid: ~valid.fillna(False).astype(bool)
        ),
    }
    every = [rows for rows in excluded.values() if rows is not None]
    if len(every) > 1:
        excluded["without any of these"] = pd.concat(every, axis=1).any(axis=1)
    late = usable[usable[FOLLOWUP] > early_death_years].copy()
    late[ENTRY] = late[ENTRY].fillna(0.0).clip(lower=early_death_years)
    try:
        complete = model_frame(usable, [FACE_AGE, AGE, *choices.full], choices).people
    except FitError:
        complete = usable.head(0)
    return [
        (ALL_PARTICIPANTS, usable),
        ("participants with all covariates of the full model", complete),
        *((label, None if rows is None else usable[~rows]) for label, rows in excluded.items()),
        (f"at risk from {early_death_years:g} years on, without early deaths", late),
    ]


def _gap_rows(usable: pd.DataFrame, choices: Choices, gap_classes: tuple[float, float]) -> list[dict]:
    low, high = gap_classes
    names = ["between", f"{low:g} years and below", f"{high:g} years and above"]
    gap = usable[AGE_GAP]
    classes = np.select([gap <= low, gap >= high], names[1:], names[0]).astype(object)
    people = usable.assign(**{GAP_CLASS: pd.Series(classes, index=usable.index).where(gap.notna(), None)})
    declared = replace(choices, further_levels={GAP_CLASS: names})
    rows = []
    for columns in ([GAP_CLASS, AGE], [GAP_CLASS]):
        model = "gap class" + (" + age" if AGE in columns else "")
        found = model_rows(people, columns, declared, model=model, people=ALL_PARTICIPANTS, left_out=0)
        rows += [row for row in found if row["term"] == GAP_CLASS or "level" in row]
    for row in rows:
        if level := row.get("level"):
            inside = people[people[GAP_CLASS] == level]
            row |= {f"{name}_level": value for name, value in counted(inside).items()}
            try:
                check_events(inside[EVENT])
            except FitError as error:
                robust = dict.fromkeys(("robust_lower", "robust_upper", "robust_p"))
                row.update(robust, reason=error.reason)
    return rows


def impute_full_model(
    usable: pd.DataFrame, choices: Choices, cohort: str, settings: Imputation
) -> pd.DataFrame:
    """The last model of the sequentially adjusted models twice: complete cases, and multiple imputation
    pooled by Rubin's rules.

    Covariates (and columns of strata) are imputed from each other, both ages, the event and the Nelson-Aalen
    estimate of the cumulative hazard at the end of observation (White and Royston 2009,
    doi:10.1002/sim.3618). Degrees of freedom of a complete table: deaths minus terms (Barnard and Rubin 1999,
    as ``mice::pool``).

    Returns
    -------
    DataFrame, result rows, question "missing covariates"
        ``missing``: "complete cases" or "multiple imputation"; ``n_gaps``: participants whose gaps were
        filled; ``missing_information``: share of it that gaps took.
    """
    columns = [FACE_AGE, AGE, *choices.full]
    rows = [row | {"missing": COMPLETE} for row in model_rows(usable, columns, choices)]
    base = of_model(usable, columns, choices) | {"missing": IMPUTED, "measure": "hazard ratio"}
    try:
        rows += [base | row for row in _pooled(usable, columns, choices, settings)]
    except FitError as error:
        rows.append(base | {"per": choices.per(FACE_AGE), "reason": error.reason})
    head = of_question(cohort, "missing covariates")
    return result_rows([head | row for row in rows], "survival/imputed")


def _pooled(usable: pd.DataFrame, columns: list[str], choices: Choices, settings: Imputation) -> list[dict]:
    covariates = dict.fromkeys([*choices.full, *choices.strata])
    known = [name for name in covariates if name in usable and name not in (FACE_AGE, AGE)]
    gappy = [name for name in known if usable[name].notna().any()]
    missing = int(usable[gappy].isna().any(axis=1).sum())
    if not missing:
        raise FitError("no_missing")
    table = usable[[FACE_AGE, AGE, *gappy]].copy()
    for name in gappy:
        if not pd.api.types.is_numeric_dtype(table[name]):
            table[name] = table[name].astype(object).where(table[name].notna(), None)
    table[EVENT] = usable[EVENT]
    table[HAZARD] = nelson_aalen(usable[FOLLOWUP], usable[EVENT], entry_of(usable))
    fits = []
    for filled in impute(table, settings.m, settings.iterations, settings.seed):
        frame = model_frame(usable.assign(**filled[gappy]), columns, choices)
        fits.append(frame.fit())
    terms = list(fits[0].terms.index)
    if any(list(fit.terms.index) != terms for fit in fits):
        raise FitError("empty_level_imputed")
    base = counts(frame) | {
        "n_gaps": missing,
        "method": f"Cox, Efron ties, Rubin pooling of {settings.m}",
        "reason": fits[0].reasons,
    }
    rows = []
    for term in terms:
        found = pool(
            [fit.terms.loc[term, "log_hazard_ratio"] for fit in fits],
            [fit.terms.loc[term, "standard_error"] for fit in fits],
            df_complete=max(1, fits[0].n_events - len(terms)),
        )
        ratios = {name: np.exp(getattr(found, name)) for name in ("estimate", "ci_lower", "ci_upper")}
        about = {"term": term, "per": choices.per(term)} | frame.contrast(term) | base
        rows.append(
            about | ratios | {name: getattr(found, name) for name in ("p_value", "missing_information")}
        )
    return rows


def permuted_hazards(
    usable: pd.DataFrame, choices: Choices, cohort: str, n_permutations: int, seed: int
) -> pd.DataFrame:
    """Type I error at 0.05 and inflation of Wald's test of face age adjusted for age, and its permutation
    p-value.

    The residuals of face age on age (and strata) are permuted and added to its fitted values, so that it
    keeps its relation to age.

    Returns
    -------
    DataFrame, result rows (survival/type_one_error)
        Two of calibration, with Monte Carlo standard errors, and the hazard ratio with ``p_value`` (Wald) and
        ``permutation_p_value``.
    """
    columns = [FACE_AGE, AGE]
    base = of_question(cohort, "cox") | of_model(usable, columns, choices)
    base |= {"measure": "type I error", "per": choices.per(FACE_AGE), "permutations": n_permutations}
    headline = model_rows(usable, columns, choices)[0]
    if "p_value" not in headline:
        return result_rows([base | {"reason": headline["reason"]}], "survival/type_one_error")
    try:
        frame = model_frame(usable, columns, choices)
        base |= counted(frame.people)
        if frame.cluster is not None:
            raise FitError("clusters_not_permuted")
        if frame.columns != columns:
            raise FitError("constant", column=AGE)
        p_values = permuted_p_values(frame, n_permutations, seed)
    except FitError as error:
        return result_rows([base | {"reason": error.reason}], "survival/type_one_error")
    batches = p_values[: len(p_values) // BATCHES * BATCHES].reshape(BATCHES, -1)
    rows = [
        base | {"measure": measure, **vars(summary(batches))}
        for measure, summary in (("type I error", type_one_error), ("inflation factor", inflation))
    ]
    numbers = ("measure", "estimate", "ci_lower", "ci_upper", "standard_error", "statistic", "p_value")
    exceeded = (p_values <= headline["p_value"] * (1 + 1e-9)).sum()
    permuted = {"permutation_p_value": (exceeded + 1) / (len(p_values) + 1)}
    rows.append(base | {key: headline[key] for key in numbers} | permuted)
    lost = n_permutations - len(p_values)
    why = [reason("permutations_lost", lost=lost)] if lost else []
    return result_rows([row | {"reason": why} for row in rows], "survival/type_one_error")


def permuted_p_values(frame: ModelFrame, n_permutations: int, seed: int) -> np.ndarray:
    """Wald p of face age in the model with each permuted face age; without those that could not be fitted.

    Raises
    ------
    FitError
        Fewer than `BATCHES` permutations could be fitted, or what `fit_cox_per_column` refuses.
    """
    covariates = frame.design.drop(columns=FACE_AGE)
    given = [np.ones(len(covariates)), covariates.to_numpy()]
    if frame.strata is not None:
        given.append(pd.get_dummies(frame.strata, drop_first=True, dtype=float).to_numpy())
    drawn = permuted_exposures(
        frame.design[FACE_AGE].to_numpy(), np.column_stack(given), n_permutations, seed
    )
    found = []
    while block := list(islice(drawn, max(BATCHES, CELLS // len(covariates)))):
        exposures = pd.DataFrame(np.column_stack(block), index=covariates.index)
        outcome = (frame.people[FOLLOWUP], frame.people[EVENT])
        fitted = fit_cox_per_column(*outcome, exposures, covariates, frame.entry, strata=frame.strata)
        found.append(fitted["p_value"].to_numpy())
    p_values = np.concatenate(found)
    p_values = p_values[np.isfinite(p_values)]
    if len(p_values) < BATCHES:
        raise FitError("few_permutations", permutations=len(p_values), needed=BATCHES)
    return p_values
