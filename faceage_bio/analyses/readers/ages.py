"""Accuracy of the ages that readers give: by decade, as the study counted, and in years; FaceAge by the same binning."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.readers.decisions import group_mean, share, shares
from faceage_bio.analyses.readers.reader_study import Study, group_row, not_estimated, reader_row
from faceage_bio.core.columns import AGE, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import mean_interval

VERDICTS = {"too young": -1.0, "same decade": 0.0, "too old": 1.0}
BIAS, MAE = "mean error", "mean absolute error"
ALONE = "FaceAge alone"


def judge_ages(study: Study, cases: pd.DataFrame) -> list[dict]:
    """Shares of readings in too low, the right and too high a decade (floor of age / 10), bias and mean absolute error.

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

    with_decades = _answered(study, "decade")
    rows = [
        row | {"measure": "share", "level": name}
        for name, wanted in VERDICTS.items()
        for row in shares(study, "decade", verdict(wanted), with_decades)
        if with_decades
    ]
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
                rows.append(
                    group_row(name)
                    | {"condition": condition, "measure": measure}
                    | group_mean(values, remarks)
                )
    return rows


def _bias_and_size(error: pd.Series) -> list[dict]:
    rows = []
    for measure, values in ((BIAS, error), (MAE, error.abs())):
        base = {"measure": measure, "model": "t interval", "n": len(error)}
        try:
            rows.append(
                base | vars(mean_interval(values.to_numpy())) | {"p_value": np.nan, "statistic": np.nan}
            )
        except FitError as problem:
            rows.append(base | not_estimated(problem))
    return rows


def _of_face_age(cases: pd.DataFrame) -> list[dict]:
    """The same of FaceAge, on the cases that were read."""
    known = cases[[AGE, FACE_AGE]].dropna()
    base = {"term": ALONE, "rater": "model", "condition": "model alone"}
    sides = np.sign(np.floor(known[FACE_AGE] / 10) - np.floor(known[AGE] / 10))
    rows = [
        base
        | {"measure": "share", "level": name, "model": "Wilson interval"}
        | share((sides == wanted).to_numpy())
        for name, wanted in VERDICTS.items()
    ]
    return rows + [base | row for row in _bias_and_size(known[FACE_AGE] - known[AGE])]
