"""Discrimination of deaths by readers: areas per reader and group, conditions compared, readers against the model alone."""

from itertools import pairwise

import numpy as np
import pandas as pd

from faceage_bio.analyses.readers.outcome import CENSORINGS, DEAD_ONLY, KNOWN, WEIGHTED
from faceage_bio.analyses.readers.reader_study import (
    DELONG,
    OBUCHOWSKI,
    RANDOM,
    Study,
    counts,
    cut,
    group_row,
    inference,
    not_estimated,
    reader_row,
)  # fmt: skip
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.stats.group_differences import signed_rank
from faceage_bio.stats.multi_reader import ReaderStudy, against_standard, mean_accuracy
from faceage_bio.stats.prediction_accuracy import CHANCE

SIGNED_RANK = "Wilcoxon signed rank, exact (legacy)"
AUC, GAIN = "AUC", "difference of AUC"


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
    for how in (KNOWN, WEIGHTED):
        rows.append(
            _area(study, read, how) | {"term": study.model_name, "rater": "model", "condition": "model alone"}
        )
    return [row | {"question": "areas", "measure": AUC} for row in rows]


def _area(study: Study, ratings: pd.DataFrame, how: str) -> dict:
    base = {
        "censoring": how,
        "model": DELONG if how != WEIGHTED else "area weighted by the inverse of censoring",
    }
    try:
        areas = study.outcome.areas(ratings, how)
    except FitError as error:
        return base | not_estimated(error)
    found = areas.of(0)
    remarks = [reason("no_pair_wrong")] if np.isnan(found.ci_lower) else []
    if how == DEAD_ONLY:
        remarks = [reason("died_only")]
    return base | vars(found) | counts(areas) | {"reason": remarks}


def _group_area(study: Study, name: str, readers: list[str], condition: str, how: str) -> dict:
    base = group_row(name) | {
        "condition": condition,
        "censoring": how,
        "model": OBUCHOWSKI,
        "random": RANDOM["both"],
    }
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
    base = {"censoring": how, "random": RANDOM[random], "model": OBUCHOWSKI}
    try:
        areas = study.outcome.areas(ratings, how)
        found = ReaderStudy(areas.area.reshape(2, -1), areas.covariance).difference(0, 1, random)
    except FitError as error:
        return base | not_estimated(error, remarks)
    return base | inference(found) | counts(areas) | {"n_readers": len(areas.area) // 2, "reason": remarks}


def _signed_ranks(study: Study, ratings: pd.DataFrame, how: str) -> dict:
    """The study's test: the readers' areas in pairs, as if the cases were the only ones meant."""
    base = {
        "censoring": how,
        "random": RANDOM["readers"],
        "model": SIGNED_RANK,
        "measure": "sum of positive ranks",
    }
    try:
        areas = study.outcome.areas(ratings, how)
        gains = areas.area[: len(areas.area) // 2] - areas.area[len(areas.area) // 2 :]
        found = signed_rank(gains)
    except FitError as error:
        return base | not_estimated(error)
    remark = reason("fixed_cases", readers=found.n, smallest_p=f"{found.smallest_p:.2g}")
    return (
        base
        | {"estimate": found.statistic, "p_value": found.p_value, "n_readers": found.n, "reason": remark}
        | counts(areas)
    )


def _paired(study: Study, ratings: pd.DataFrame) -> dict:
    base = {"censoring": KNOWN, "random": RANDOM["cases"], "model": DELONG}
    try:
        areas = study.outcome.areas(ratings, KNOWN)
    except FitError as error:
        return base | not_estimated(error)
    return base | vars(areas.difference(0, 1)) | counts(areas)


def _all_conditions(study: Study, name: str, readers: list[str]) -> dict:
    base = group_row(name) | {
        "condition": "all", "censoring": KNOWN, "random": RANDOM["both"], "model": OBUCHOWSKI, "measure": "F of equal conditions",
    }  # fmt: skip
    ratings, remarks = study.crossed("rating", readers, study.conditions)
    try:
        areas = study.outcome.areas(ratings, KNOWN)
        test = ReaderStudy(areas.area.reshape(len(study.conditions), -1), areas.covariance).test()
    except FitError as error:
        return base | not_estimated(error, remarks)
    n_readers = len(areas.area) // len(study.conditions)
    return base | {
        "estimate": test.statistic, "p_value": test.p_value, "df": test.df_conditions, "df_residual": test.df_error,
        "n_readers": n_readers, "reason": remarks,
    } | counts(areas)  # fmt: skip


def compare_with_model(study: Study) -> list[dict]:
    """Readers under each condition minus the model alone, on the same cases."""
    rows = []
    for condition in study.conditions:
        for name, readers in study.groups.items():
            ratings, remarks = study.crossed("rating", readers, [condition])
            model = study.model.reindex(ratings.index)
            together = ratings[model.notna()].assign(model=model)
            if len(together) < len(ratings):
                remarks = [*remarks, reason("rated_by_model", n=len(together), n_judged=len(ratings))]
            for how in (KNOWN, WEIGHTED):
                base = group_row(name) | {
                    "condition": condition, "against": study.model_name, "censoring": how, "random": RANDOM["both"], "model": OBUCHOWSKI,
                }  # fmt: skip
                try:
                    areas = study.outcome.areas(together, how)
                    found = against_standard(areas.area[:-1], areas.area[-1], areas.covariance)
                except FitError as error:
                    rows.append(base | not_estimated(error, remarks))
                    continue
                rows.append(
                    base
                    | inference(found)
                    | counts(areas)
                    | {"n_readers": len(areas.area) - 1, "reason": remarks}
                )
    return [row | {"question": "against the model", "measure": GAIN} for row in rows]
