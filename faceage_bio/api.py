"""Functions for notebooks: ``import faceage_bio as fa``. They are those of the workflow's steps, tables in
and tables out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from faceage_bio.analyses.age_residual import age_acceleration
from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.expression_stage import BULK, result_tables
from faceage_bio.analyses.expression.permuted_acceleration import calibrate_tests, headline_of
from faceage_bio.analyses.survival.cox_models import Choices, grouped
from faceage_bio.analyses.survival.follow_up import complete, prepare
from faceage_bio.analyses.survival.follow_up import read_people as read_participants
from faceage_bio.analyses.survival.sequential_models import sequential_cox_models
from faceage_bio.core.columns import AGE, EVENT, FACE_AGE, FOLLOWUP, SAMPLE, SAMPLE_COLUMNS, SUBJECT
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import CohortError, CountsError, Problems, TableError, examples
from faceage_bio.core.results.result_tables import is_declared, key_of, never_released
from faceage_bio.core.results.row import KEPT, columns_of, restore
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.core.settings.settings_study import Release
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.tables import cohort_of
from faceage_bio.intake.observation import check_follow_up
from faceage_bio.intake.plain import with_covariates
from faceage_bio.intake.rna.raw import problems_of_values
from faceage_bio.release.rule import release

__all__ = [
    "GeneTables", "age_acceleration", "cox_models", "gene_panel", "read_participants", "release_tables", "simulate_cohort",
]  # fmt: skip
# of which arguments of the same names have their defaults
SURVIVAL, EXPRESSION, RELEASE = Survival(), Expression(), Release()


class GeneTables(NamedTuple):
    """Result rows: ``panel``, the prespecified genes in every model; ``genes``, all genes in the joint model;
    ``type_one_error``.
    """

    panel: pd.DataFrame
    genes: pd.DataFrame
    type_one_error: pd.DataFrame


def cox_models(
    participants: pd.DataFrame,
    sequential_adjustment: Sequence[str] = tuple(SURVIVAL.sequential_adjustment),
    covariates: Sequence[str] = tuple(SURVIVAL.covariates),
    *,
    per_years: float = SURVIVAL.per_years,
    groups: Mapping[str, Sequence[float]] = SURVIVAL.groups,
    strata: Sequence[str] = tuple(SURVIVAL.strata),
    cluster: str | None = SURVIVAL.cluster,
) -> pd.DataFrame:
    """Hazard ratios for death of face age, age acceleration and chronological age in sequentially adjusted
    Cox models.

    Equal to R's ``survival::coxph`` (Efron ties); the step ``fit-survival``.

    Parameters
    ----------
    participants : DataFrame, shape (n, any)
        face_age, chronological_age and followup_years (years), event (1 = died), and the covariates;
        entry_years where observation starts late. age_acceleration is made where it lacks; models go without
        covariates of the defaults that lack.
    sequential_adjustment : columns that enter one after the other, after age
    covariates : further columns of the full model
    per_years : years that hazard ratios are given for
    groups : cut-points of numbers that enter as groups, such as ``{"bmi": [25, 30]}``
    strata : columns whose levels have a baseline hazard of their own
    cluster : column of units; errors are robust against them

    Returns
    -------
    DataFrame, result rows
        ``step`` (unadjusted, + age, ...), ``exposure``, ``term``, ``estimate`` (hazard ratio), ``ci_lower``,
        ``ci_upper``, ``p_value``, ``n``, ``n_events``; a model that cannot be fitted says why in ``reason``.

    Raises
    ------
    ConfigError
        A value that the setting of the same name under ``survival`` does not take.
    CohortError
        A column lacks, or follow-up that no analysis can take; all of it is told at once, by row.
    """
    survival = _settings(
        "cox_models",
        "survival",
        per_years=per_years,
        sequential_adjustment=sequential_adjustment,
        covariates=covariates,
        groups={name: _listed(cuts) for name, cuts in groups.items()},
        strata=strata,
        cluster=cluster,
    )
    chosen = Choices.of(survival)
    needed = (FACE_AGE, AGE, FOLLOWUP, EVENT, *chosen.groups)
    table = complete(_checked(participants, needed), "participants")
    usable, _ = prepare(table)
    return sequential_cox_models(grouped(usable, chosen.groups), chosen, cohort_of(table))


def gene_panel(
    participants: pd.DataFrame,
    counts: pd.DataFrame,
    panel: Sequence[str] = tuple(EXPRESSION.panel),
    covariates: Sequence[str] = tuple(EXPRESSION.covariates),
    *,
    samples: pd.DataFrame | None = None,
    per_years: float = EXPRESSION.per_years,
    min_count: int = EXPRESSION.min_count,
    min_samples: int = EXPRESSION.min_samples,
    headline: str = EXPRESSION.headline,
    permutations: int = EXPRESSION.permutations,
    seed: int = EXPRESSION.seed,
) -> GeneTables:
    """Log2 fold changes per ``per_years`` of age acceleration, adjusted for age and covariates, by DESeq2's
    method and limma-voom.

    Validated against DESeq2 1.38.3 and limma 3.54.1; the steps ``check-expression`` (type I error on permuted
    exposures, which method leads) and ``fit-expression``.

    Parameters
    ----------
    participants : DataFrame, shape (n, any)
        subject_id, face_age and chronological_age (years), and the covariates. age_acceleration is made where
        it lacks.
    counts : DataFrame of int, genes x samples
        Raw counts, symbols of genes as index; columns are samples.
    panel : prespecified genes, the headline first
    covariates : columns, or interactions ``a:b``; chronological age is always one
    samples : DataFrame with sample_id and subject_id
        Needed where the columns of ``counts`` are not subjects; may hold covariates such as batch.
    min_count, min_samples : a gene is tested with this count in so many samples
    headline : "auto" (by type I error on ``permutations`` permuted exposures), "DESeq2" or "limma-voom"
    seed : of permutations

    Returns
    -------
    GeneTables

    Raises
    ------
    ConfigError
        A value that the setting of the same name under ``expression`` does not take.
    CohortError
        A column lacks, a participant stands twice, a sample without counts or of no participant.
    CountsError
        Values that are no raw counts.
    """
    chosen = _settings(
        "gene_panel", "expression", panel=panel, covariates=covariates, per_years=per_years, min_count=min_count, min_samples=min_samples,
        headline=headline, permutations=permutations, seed=seed,
    )  # fmt: skip
    table = complete(_checked(participants, (SUBJECT, FACE_AGE, AGE)), "participants")
    _check_table(counts, "counts")
    if found := problems_of_values(counts, "counts"):
        raise CountsError(*found)
    if samples is None:
        samples = pd.DataFrame({SAMPLE: counts.columns, SUBJECT: counts.columns})
    if lacking := [name for name in (SAMPLE, SUBJECT) if name not in samples]:
        raise CohortError(
            f"samples: no column {', '.join(lacking)}; it has {', '.join(map(str, samples.columns))}. Expected sample_id and subject_id. "
            "Name the columns so."
        )
    if unknown := sorted(set(samples[SAMPLE]) - set(counts.columns)):
        raise CohortError(
            f"samples: {len(unknown)} sample(s) have no column of counts, such as {unknown[0]}. Expected a column for each. "
            "Write sample_id as the counts name their samples."
        )
    further = [name for name in samples if name not in SAMPLE_COLUMNS]
    samples = samples.reindex(columns=[*SAMPLE_COLUMNS, *further])
    data = choose_samples(table, counts, samples, chosen.covariates)
    shared = (data, "participants", BULK, chosen)
    tried = calibrate_tests(*shared)
    lead = headline_of(tried, BULK, chosen.headline, data.people)
    genes, declared = result_tables(*shared, headline=lead)
    return GeneTables(declared, genes, tried)


def release_tables(
    tables: Mapping[str, pd.DataFrame], rounding: int = RELEASE.rounding
) -> dict[str, pd.DataFrame]:
    """Result tables as they may leave: counts rounded to the midpoint of ``rounding``, what follows from
    small counts redacted.

    The rule of `faceage-bio publish`, which besides looks through all files for identifiers
    (docs/privacy.md).

    Parameters
    ----------
    tables : result rows by their place: ``{"participants/survival/cox": fa.cox_models(...)}``
    rounding : that of a study's settings by default; 1 rounds nothing, for public data

    Returns
    -------
    dict of DataFrame
        The same places and columns; tables with a row per participant are not among them.

    Raises
    ------
    ConfigError
        A rounding that ``release.rounding`` does not take.
    TableError
        A place that is not that of a result table, or a table that is not that result table.
    """
    chosen = _settings("release_tables", "release", rounding=rounding)
    if not isinstance(tables, Mapping):
        raise TableError(
            f"tables: found a {type(tables).__name__}. Expected tables by their place. Write {{'participants/survival/cox': table}}."
        )
    for place, table in tables.items():
        _check_result(place, table)
    return release({place: restore(table, place) for place, table in tables.items()}, chosen.rounding)


def simulate_cohort(n: int = 150, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulated participants whose genes and survival follow a hidden biological age, of which face age is a
    noisy reading.

    Parameters
    ----------
    n : participants
    seed : the same seed gives the same participants

    Returns
    -------
    participants : DataFrame, shape (n, 11)
        subject_id, chronological_age, face_age, followup_years (years), event, sex, smoking, pack_years, bmi,
        ecog, site.
    counts : DataFrame of int, shape (2000, n)
        Genes x subjects.
    """
    from faceage_bio.demo.simulated_participants import (
        simulate_composition,
        simulate_counts,
        simulate_participants,
    )

    people = simulate_participants(n, cancer=True, seed=seed)
    random = np.random.default_rng([seed, 99])
    names = [f"P{number:03d}" for number in range(1, n + 1)]
    participants = people[
        ["followup_years", "event", "sex", "smoking", "pack_years", "bmi", "ecog", "site"]
    ].copy()
    participants.insert(0, FACE_AGE, (people["biological_age"] + random.normal(0, 4, n)).round(1))
    participants.insert(0, AGE, people["age"].round(1))
    participants.insert(0, SUBJECT, names)
    counts = simulate_counts(people, np.zeros(n), simulate_composition(n, seed), seed)
    return participants, counts.set_axis(names, axis=1)


def _listed(value: object) -> object:
    """A sequence as the config has it; a word stays one, which no list of the config is."""
    if isinstance(value, (Sequence, set, pd.Index, pd.Series, np.ndarray)) and not isinstance(value, str):
        return list(value)
    return value


def _settings(function: str, section: str, **values: object) -> Any:
    """The section of the config that these arguments make, checked as the config is."""
    content = {section: {name: _listed(value) for name, value in values.items()}}
    return getattr(check_config(content, source=f"fa.{function}", study=False), section)


def _check_table(table: object, source: str) -> None:
    if not isinstance(table, pd.DataFrame):
        raise CohortError(
            f"{source}: found a {type(table).__name__}. Expected a DataFrame of pandas. Give the table itself."
        )


def _check_result(place: str, table: pd.DataFrame) -> None:
    _check_table(table, place)
    if never_released(place):
        return
    if not is_declared(place):
        raise TableError(
            f"{place}: no place of a result table. Expected cohort, folder and table, such as participants/survival/cox. Name it so."
        )
    columns = columns_of(key_of(place))
    needed = KEPT if "measure" in columns else columns  # files of result rows leave out what holds nothing
    if lacking := [name for name in needed if name in columns and name not in table]:
        raise TableError(
            f"{place}: no column {examples(lacking)}. Expected the columns of that result table. Give the table as it was made."
        )


def _checked(participants: pd.DataFrame, needed: Sequence[str]) -> pd.DataFrame:
    """A copy with one row per participant from 0 on, and the covariates of the defaults.

    Raises
    ------
    CohortError
        A column lacks, or impossible follow-up.
    """
    _check_table(participants, "participants")
    problems, table = Problems(), participants.reset_index(drop=True)
    if lacking := [name for name in needed if name not in table]:
        problems.other(
            f"participants: no column {', '.join(lacking)}; it has {', '.join(map(str, table.columns))}. Expected "
            f"{', '.join(needed)}. Name the columns so; ages are in years."
        )
    elif {FOLLOWUP, EVENT} <= set(table):
        check_follow_up(table, "participants", problems)
    twice = table[SUBJECT][table[SUBJECT].duplicated()].unique() if SUBJECT in table else []
    if doubled := sorted(map(str, twice)):
        problems.other(
            f"participants: subject_id {examples(doubled)} stands more than once. Expected one row per participant. Keep one of each."
        )
    problems.stop_if_any()
    return with_covariates(table)
