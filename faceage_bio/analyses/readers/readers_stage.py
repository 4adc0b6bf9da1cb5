"""The reader study: readings and cases in, one tidy table out. Discrimination of deaths, decisions yes or no, and the ages
that readers estimate.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.analyses.readers.readings import (
    CENSORINGS,
    DEAD_ONLY,
    DELONG,
    KNOWN,
    OBUCHOWSKI,
    RANDOM,
    TYPE,
    WEIGHTED,
    Study,
    count_cases,
    counts,
    cut,
    followed,
    gather,
    group_row,
    inference,
    not_estimated,
    read_cases,
    read_readings,
    reader_row,
)
from faceage_bio.core.columns import AGE, COHORT, FACE_AGE, POOLED, SUBJECT
from faceage_bio.core.errors import FitError, Problems
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_cohort import SheetForm
from faceage_bio.core.settings.settings_survival import Readers
from faceage_bio.stats.group_differences import signed_rank, wilson
from faceage_bio.stats.linear import mean_interval
from faceage_bio.stats.multi_reader import ReaderStudy, against_standard, mean_accuracy, mean_covariance
from faceage_bio.stats.multiplicity import benjamini_hochberg
from faceage_bio.stats.prediction_accuracy import CHANCE

SIGNED_RANK = "Wilcoxon signed rank, exact (legacy)"
AUC, GAIN = "AUC", "difference of AUC"
VERDICTS = {"too young": -1.0, "same decade": 0.0, "too old": 1.0}
BIAS, MAE = "mean error", "mean absolute error"
UNTESTED = {"p_value": np.nan, "statistic": np.nan}


def estimate_areas(study: Study) -> list[dict]:
    """Areas of each reader, each group and the model under each condition."""
    rows = []
    for condition in study.conditions:
        for how in CENSORINGS:
            for reader in study.readers:
                ratings = study.of_reader(reader, condition, "rating")
                if len(ratings):
                    rows.append(_area(study, ratings, how) | reader_row(reader) | {"condition": condition})
        for how in (KNOWN, WEIGHTED):
            for name, readers in study.groups.items():
                rows.append(_group_area(study, name, readers, condition, how))
    read = study.model.dropna().to_frame()
    alone = {"term": study.model_name, "rater": "model", "condition": "model alone"}
    rows += [_area(study, read, how) | alone for how in (KNOWN, WEIGHTED)]
    return [row | {"question": "areas", "measure": AUC} for row in rows]


def _area(study: Study, ratings: pd.DataFrame, how: str) -> dict:
    model = DELONG if how != WEIGHTED else "area weighted by the inverse of censoring"
    base = {"censoring": how, "model": model}
    try:
        areas = study.outcome.areas(ratings, how)
    except FitError as error:
        return base | not_estimated(error)
    found = areas.of(0)
    remarks = []
    if np.isnan(found.ci_lower):  # an area of one half is of cases that are all rated the same
        remarks = [reason("no_pair_wrong" if found.estimate > CHANCE else "no_pair_right")]
    if how == DEAD_ONLY:
        remarks = [reason("died_only")]
    return base | vars(found) | counts(areas) | {"reason": remarks}


def _group_area(study: Study, name: str, readers: list[str], condition: str, how: str) -> dict:
    base = group_row(name) | _of_groups(how, condition=condition)
    ratings, remarks = study.crossed("rating", readers, [condition])
    try:
        areas = study.outcome.areas(ratings, how)
        found = mean_accuracy(areas.area, areas.covariance, null=CHANCE)
    except FitError as error:
        return base | not_estimated(error, remarks)
    row = base | cut(inference(found)) | counts(areas) | {"n_readers": len(areas.area)}
    if found.estimate.ci_upper < CHANCE:
        remarks = [*remarks, reason("below_chance")]
    return row | {"reason": remarks}


def _of_groups(how: str, random: str = "both", **about) -> dict:
    return {"censoring": how, "model": OBUCHOWSKI, "random": RANDOM[random]} | about


def compare_conditions(study: Study) -> list[dict]:
    """Each condition against the one before it: group by group, and reader by reader."""
    rows = []
    for earlier, later in pairwise(study.conditions):
        against = {"condition": later, "against": earlier}
        for name, readers in study.groups.items():
            ratings, remarks = study.crossed("rating", readers, [later, earlier])
            base = group_row(name) | against
            rows += [base | _gain(study, ratings, KNOWN, random, remarks) for random in RANDOM]
            rows.append(base | _gain(study, ratings, WEIGHTED, "both", remarks))
            rows += [base | _signed_ranks(study, ratings, how) for how in (KNOWN, DEAD_ONLY)]
        for reader in study.readers:
            ratings, _ = study.crossed("rating", [reader], [later, earlier])
            if len(ratings):
                rows.append(reader_row(reader) | against | _paired(study, ratings))
    for name, readers in study.groups.items() if len(study.conditions) > 2 else ():
        rows.append(_all_conditions(study, name, readers))
    return [{"question": "conditions", "measure": GAIN} | row for row in rows]


def _gain(study: Study, ratings: pd.DataFrame, how: str, random: str, remarks: list[Reason]) -> dict:
    base = _of_groups(how, random)
    try:
        areas = study.outcome.areas(ratings, how)
        found = ReaderStudy(areas.area.reshape(2, -1), areas.covariance).difference(0, 1, random)
    except FitError as error:
        return base | not_estimated(error, remarks)
    return base | inference(found) | counts(areas) | {"n_readers": len(areas.area) // 2, "reason": remarks}


def _signed_ranks(study: Study, ratings: pd.DataFrame, how: str) -> dict:
    """The study's test: the readers' areas in pairs, as if the cases were the only ones meant."""
    base = _of_groups(how, "readers") | {"model": SIGNED_RANK, "measure": "sum of positive ranks"}
    try:
        areas = study.outcome.areas(ratings, how)
        gains = areas.area[: len(areas.area) // 2] - areas.area[len(areas.area) // 2 :]
        found = signed_rank(gains)
    except FitError as error:
        return base | not_estimated(error)
    remark = reason("fixed_cases", readers=found.n, smallest_p=f"{found.smallest_p:.2g}")
    test = {"estimate": found.statistic, "p_value": found.p_value, "n_readers": found.n, "reason": remark}
    return base | test | counts(areas)


def _paired(study: Study, ratings: pd.DataFrame) -> dict:
    base = _of_groups(KNOWN, "cases") | {"model": DELONG}
    try:
        areas = study.outcome.areas(ratings, KNOWN)
    except FitError as error:
        return base | not_estimated(error)
    found = areas.difference(0, 1)
    remarks = [reason("no_interval")] if np.isnan(found.ci_lower) else []
    return base | vars(found) | counts(areas) | {"reason": remarks}


def _all_conditions(study: Study, name: str, readers: list[str]) -> dict:
    base = group_row(name) | _of_groups(KNOWN, condition="all", measure="F of equal conditions")
    ratings, remarks = study.crossed("rating", readers, study.conditions)
    try:
        areas = study.outcome.areas(ratings, KNOWN)
        test = ReaderStudy(areas.area.reshape(len(study.conditions), -1), areas.covariance).test()
    except FitError as error:
        return base | not_estimated(error, remarks)
    found = {"estimate": test.statistic, "p_value": test.p_value, "reason": remarks}
    found |= {"df": test.df_conditions, "df_residual": test.df_error}
    return base | found | counts(areas) | {"n_readers": len(areas.area) // len(study.conditions)}


def compare_with_model(study: Study) -> list[dict]:
    """Readers under each condition minus the model alone, on the same cases."""
    rows = []
    for condition in study.conditions:
        for name, readers in study.groups.items():
            ratings, remarks = study.crossed("rating", readers, [condition])
            model = study.model.reindex(ratings.index)
            together = ratings.assign(model=model)[model.notna()]
            if len(together) < len(ratings):
                remarks = [*remarks, reason("rated_by_model", n=len(together), n_judged=len(ratings))]
            for how in (KNOWN, WEIGHTED):
                base = group_row(name) | _of_groups(how, condition=condition, against=study.model_name)
                try:
                    areas = study.outcome.areas(together, how)
                    found = against_standard(areas.area[:-1], areas.area[-1], areas.covariance)
                except FitError as error:
                    rows.append(base | not_estimated(error, remarks))
                    continue
                readers_too = {"n_readers": len(areas.area) - 1, "reason": remarks}
                rows.append(base | inference(found) | counts(areas) | readers_too)
    return [row | {"question": "against the model", "measure": GAIN} for row in rows]


# Yes and no: accuracy, sensitivity and specificity, and any other share of readings.


def judge_decisions(study: Study) -> list[dict]:
    """Accuracy, sensitivity (of those who died, the share foreseen) and specificity, of cases whose status is
    known.
    """
    status = study.outcome.status.dropna()
    kinds = {"accuracy": None, "sensitivity": 1.0, "specificity": 0.0}
    return [
        row | {"question": "decisions", "measure": measure, "censoring": KNOWN}
        for measure, kind in kinds.items()
        for row in shares(study, "dead", _right(status, kind), study.conditions)
    ]


def _right(status: pd.Series, kind: float | None) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Whether answers were right, of the cases of one kind or of all."""
    mine = status if kind is None else status[status == kind]

    def right(answers: pd.DataFrame) -> pd.DataFrame:
        answers = answers[answers.index.isin(mine.index)]
        return answers.eq(mine.reindex(answers.index), axis=0)

    return right


def shares(
    study: Study,
    value: str,
    judged: Callable[[pd.DataFrame], pd.DataFrame],
    conditions: Sequence[str],
) -> list[dict]:
    """The share of readings of which something is true: each reader with Wilson's interval, each group as a
    sample of readers.

    Parameters
    ----------
    judged : function
        From answers (rows cases, columns readers) to yes or no, of the cases that count.
    """
    rows = []
    for condition in conditions:
        for reader in study.readers:
            said = study.of_reader(reader, condition, value)
            if not len(said):
                continue
            true = judged(said)
            base = reader_row(reader) | {"condition": condition, "model": "Wilson interval"}
            rows.append(base | share(true.to_numpy().ravel()))
        for name, readers in study.groups.items():
            answers, remarks = study.crossed(value, readers, [condition])
            base = group_row(name) | {"condition": condition}
            rows.append(base | group_mean(judged(answers), remarks, 0.0, 1.0))
    return rows


def share(true: np.ndarray) -> dict:
    """One share with Wilson's interval."""
    try:
        found = vars(wilson(int(true.sum()), len(true)))
    except FitError as error:
        return not_estimated(error)
    return found | {"n": len(true), "n_events": int(true.sum())}


def group_mean(
    values: pd.DataFrame, remarks: Sequence[Reason], low: float = -np.inf, high: float = np.inf
) -> dict:
    """Mean over readers of their means over the same cases (columns: readers); both are samples of others."""
    base = {"model": OBUCHOWSKI, "random": RANDOM["both"], "n": len(values), "n_readers": values.shape[1]}
    table = values.to_numpy(dtype=np.float64)
    try:
        if len(table) < 2:
            raise FitError("too_few_cases", needed=2)
        found = mean_accuracy(table.mean(axis=0), mean_covariance(table))
    except FitError as error:
        return base | not_estimated(error, remarks)
    return base | cut(inference(found), low, high) | UNTESTED | {"reason": remarks}


# Accuracy of the ages that readers give: by decade, as the study counted, and in years; FaceAge by the same
# binning.


def judge_ages(study: Study, cases: pd.DataFrame) -> list[dict]:
    """Shares of readings in too low, the right and too high a decade (floor of age / 10), bias and mean
    absolute error.

    Parameters
    ----------
    cases : DataFrame
        Indexed by case: chronological_age and face_age, NaN where not known.
    """
    age = cases[AGE].dropna()
    decade = np.floor(age / 10)

    def verdict(wanted: float):
        def judged(answers: pd.DataFrame) -> pd.DataFrame:
            answers = answers[answers.index.isin(decade.index)]
            return np.sign(answers.sub(decade.reindex(answers.index), axis=0)) == wanted

        return judged

    rows: list[dict] = []
    if with_decades := _answered(study, "decade"):
        for name, wanted in VERDICTS.items():
            found = shares(study, "decade", verdict(wanted), with_decades)
            rows += [row | {"measure": "share", "level": name} for row in found]
    rows += _errors(study, age)
    rows += _of_face_age(cases) if rows else []
    return [row | {"question": "ages", "outcome": "age"} for row in rows]


def _answered(study: Study, value: str) -> list[str]:
    """The conditions under which ages were asked for."""
    asked = {condition for condition, _ in study.said[value].columns}
    return [condition for condition in study.conditions if condition in asked]


def _errors(study: Study, age: pd.Series) -> list[dict]:
    rows = []
    for condition in _answered(study, "years"):
        for reader in study.readers:
            said = study.of_reader(reader, condition, "years")
            error = said.squeeze(axis=1).sub(age).dropna() if len(said) else said
            if len(error):
                rows += [reader_row(reader) | {"condition": condition} | row for row in _bias_and_size(error)]
        for name, readers in study.groups.items():
            said, remarks = study.crossed("years", readers, [condition])
            error = said.sub(age.reindex(said.index), axis=0).dropna()
            for measure, values in ((BIAS, error), (MAE, error.abs())):
                base = group_row(name) | {"condition": condition, "measure": measure}
                rows.append(base | group_mean(values, remarks))
    return rows


def _bias_and_size(error: pd.Series) -> list[dict]:
    rows = []
    for measure, values in ((BIAS, error), (MAE, error.abs())):
        base = {"measure": measure, "model": "t interval", "n": len(error)}
        try:
            rows.append(base | vars(mean_interval(values.to_numpy())) | UNTESTED)
        except FitError as problem:
            rows.append(base | not_estimated(problem))
    return rows


def _of_face_age(cases: pd.DataFrame) -> list[dict]:
    """The same of FaceAge, on the cases that were read."""
    known = cases[[AGE, FACE_AGE]].dropna()
    base = {"term": "model alone", "rater": "model", "condition": "model alone"}
    sides = np.sign(np.floor(known[FACE_AGE] / 10) - np.floor(known[AGE] / 10))
    shared = base | {"measure": "share", "model": "Wilson interval"}
    rows = [
        shared | {"level": name} | share((sides == wanted).to_numpy()) for name, wanted in VERDICTS.items()
    ]
    return rows + [base | row for row in _bias_and_size(known[FACE_AGE] - known[AGE])]


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
