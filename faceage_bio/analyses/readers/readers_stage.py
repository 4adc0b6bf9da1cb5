"""The reader study: readings and cases in, one tidy table out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.analyses.readers.accuracy import (
    GAIN,
    compare_conditions,
    compare_with_model,
    estimate_areas,
    judge_ages,
    judge_decisions,
)
from faceage_bio.analyses.readers.reader_study import KNOWN, RANDOM, count_cases, followed, gather
from faceage_bio.analyses.readers.readings import TYPE, read_cases, read_readings
from faceage_bio.core.columns import COHORT, FACE_AGE, POOLED, SUBJECT
from faceage_bio.core.errors import Problems
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_cohort import SheetForm
from faceage_bio.core.settings.settings_survival import Readers
from faceage_bio.stats.multiplicity import benjamini_hochberg

ALL = "all readers"


def read_study(
    readings: Path | str,
    cases: Sequence[Path | str],
    conditions: Sequence[str],
    types: Sequence[str],
    rating_of: str | None,
    model_column: str,
    forms: Mapping[str, SheetForm] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables, checked together; ``forms`` says how "readings" and "cases" are written.

    Returns
    -------
    DataFrame of readings (see `readings.read_readings`), DataFrame of the cases that were read, indexed by
    case

    Raises
    ------
    CohortError
        Every problem of both tables, with file, line, column, value and what to write.
    TableError
        A file cannot be read.
    """
    problems = Problems()
    forms = forms or {}
    known = read_cases(cases, model_column, problems, forms.get("cases"))
    form = forms.get("readings")
    read = read_readings(readings, conditions, types, rating_of, known[SUBJECT], problems, form)
    problems.stop_if_any()
    return read, known[known[SUBJECT].isin(read["case_id"])].set_index(SUBJECT)


def check_study(settings: Readers, people: Sequence[str]) -> int:
    """Check the readings before anything is computed; the number of readings.

    Parameters
    ----------
    settings : Readers
        With readings.
    people : sequence of str
        Subjects of all cohorts: the cases, where the settings name no table of cases.

    Raises
    ------
    CohortError, TableError
        As `read_study`.
    """
    declared = (settings.conditions, settings.types, settings.rating_of)
    if settings.cases:
        files, column = (settings.readings, [settings.cases]), settings.model_column
        return len(read_study(*files, *declared, column, settings.tables)[0])
    problems, form = Problems(), settings.tables.get("readings")
    read = read_readings(settings.readings, *declared, people, problems, form)
    problems.stop_if_any()
    return len(read)


def compare_readers(
    readings: pd.DataFrame,
    cases: pd.DataFrame,
    conditions: Sequence[str],
    groups: dict[str, Sequence[str]],
    horizon: float,
    model_column: str = FACE_AGE,
) -> pd.DataFrame:
    """Areas, contrasts between neighbouring conditions and with the model, decisions and ages, of readers and
    their groups.

    Parameters
    ----------
    readings, cases : DataFrames of `read_study`
    conditions : sequence of str
        In the order in which they were shown.
    groups : dict
        Name of a group to the types of readers in it; all readers and each type of two readers or more always
        are groups.
    horizon : float
        Years.
    model_column : str
        What ``cases["model"]`` is called.

    Returns
    -------
    DataFrame of result rows
        Further columns: rater (reader, group, model), condition, against, censoring (how it is dealt with),
        random (who is a sample of others), n_readers. Readers are "staff 1" ...; no case is named.
    """
    outcome = followed(cases, horizon)
    alone = f"{'face age' if model_column == FACE_AGE else model_column} alone"
    seen = [condition for condition in conditions if (readings["condition"] == condition).any()]
    study = gather(readings, seen, _groups(readings, groups), outcome, cases["model"], alone)
    rows = count_cases(cases, outcome)
    rows += estimate_areas(study) + compare_conditions(study) + compare_with_model(study)
    rows += judge_decisions(study) + judge_ages(study, cases)
    _add_q_values(rows)
    cohorts = cases[COHORT].dropna().unique()
    shared = {COHORT: cohorts[0] if len(cohorts) == 1 else POOLED, "outcome": "death"}
    shared["adjustment"] = "unadjusted"

    def about(row: dict) -> dict:
        exposure = {"exposure": model_column} if row.get("rater") == "model" else {}
        return shared | exposure | {"horizon": np.nan if row["question"] == "ages" else horizon}

    return result_rows([about(row) | row for row in rows], "readers/readers")


def _add_q_values(rows: list[dict]) -> None:
    """q-values (Benjamini and Hochberg) of the main contrasts: all groups and pairs of conditions, and all
    against the model.
    """
    for question in ("conditions", "against the model"):
        main = {
            "question": question,
            "measure": GAIN,
            "rater": "group",
            "censoring": KNOWN,
            "random": RANDOM["both"],
        }
        family = [row for row in rows if main.items() <= row.items()]
        found = benjamini_hochberg(np.array([row.get("p_value", np.nan) for row in family]))
        for row, q_value in zip(family, found, strict=True):
            row |= {"q_value": q_value, "family": f"readers, {question}"}


def _groups(readings: pd.DataFrame, groups: dict[str, Sequence[str]]) -> dict[str, list[str]]:
    """All readers, the declared groups, then the types of two or more; the same set of readers is named once."""
    readers = readings.drop_duplicates("reader")
    types = list(dict.fromkeys(readings[TYPE]))
    wanted = {ALL: types, **groups, **{f"{kind} readers": [kind] for kind in types}}
    found: dict[str, list[str]] = {}
    for name, kinds in wanted.items():
        members = list(readers.loc[readers[TYPE].isin(kinds), "reader"])
        if len(members) > 1 and members not in found.values():
            found[name] = members
    return found or {ALL: list(readers["reader"])}
