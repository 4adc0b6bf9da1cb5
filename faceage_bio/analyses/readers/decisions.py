"""Yes and no: accuracy, sensitivity and specificity, and any other share of readings."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.readers.outcome import KNOWN
from faceage_bio.analyses.readers.reader_study import (
    OBUCHOWSKI,
    RANDOM,
    Study,
    cut,
    group_row,
    inference,
    not_estimated,
    reader_row,
)
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason
from faceage_bio.stats.group_differences import wilson
from faceage_bio.stats.multi_reader import mean_accuracy, mean_covariance


def judge_decisions(study: Study) -> list[dict]:
    """Accuracy, sensitivity (of those who died, the share foreseen) and specificity, of cases whose status is known."""
    status = study.outcome.status.dropna()
    kinds = {"accuracy": None, "sensitivity": 1.0, "specificity": 0.0}
    return [
        row | {"question": "decisions", "measure": measure, "censoring": KNOWN}
        for measure, kind in kinds.items()
        for row in shares(study, "dead", _right(status, kind))
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
    conditions: Sequence[str] | None = None,
) -> list[dict]:
    """The share of readings of which something is true: each reader with Wilson's interval, each group as a sample of readers.

    Parameters
    ----------
    judged : function
        From answers (rows cases, columns readers) to yes or no, of the cases that count.
    """
    rows = []
    for condition in conditions or study.conditions:
        for reader in study.readers:
            said = study.of_reader(reader, condition, value)
            if not len(said):
                continue
            true = judged(said)
            base = reader_row(reader) | {"condition": condition, "model": "Wilson interval"}
            rows.append(base | share(true.to_numpy().ravel()))
        for name, readers in study.groups.items():
            answers, remarks = study.crossed(value, readers, [condition])
            rows.append(
                group_row(name) | {"condition": condition} | group_mean(judged(answers), remarks, 0.0, 1.0)
            )
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
    return (
        base | cut(inference(found), low, high) | {"reason": remarks, "p_value": np.nan, "statistic": np.nan}
    )
