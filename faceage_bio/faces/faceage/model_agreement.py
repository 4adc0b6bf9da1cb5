"""Agreement of further age models with the one that gave the face ages."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from faceage_bio.core.columns import COHORT, FACE_AGE, other_age
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.row import columns_of, result_rows
from faceage_bio.faces.faceage.photo_counts import model_of
from faceage_bio.stats.linear import correlation
from faceage_bio.stats.measurement_error import bland_altman

BAND = 10  # years of mean face age
METHOD = "Bland-Altman, one pair of ages per participant"


def compare_models(
    face_ages: pd.DataFrame, cards: Sequence[dict], counting: Callable[[pd.DataFrame, str], pd.Series]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bias and limits of agreement of each further model against the first, in one cohort.

    Parameters
    ----------
    face_ages : DataFrame, one row per photo, ``columns.FACE_AGE_COLUMNS`` and ``face_age_2`` ...
    cards : list of dict
        The models' cards, in order.
    counting : callable
        Of such a table and a column of ages: the age of each participant by the photos that count, since pairs must not depend on
        each other. It is given the photos of which both models have an age.

    Returns
    -------
    result rows, question "agreement"
        Term: the further model's name, ``reference`` the first's; measures bias, lower and upper limit of agreement, slope,
        standard deviation, correlation. A model that cannot be compared keeps one row with the reason.
    DataFrame
        By model and band of the mean of both ages: n, mean of both, mean difference: aggregates for the figure.
    """
    cohort = str(face_ages[COHORT].iloc[0]) if len(face_ages) else ""
    rows: list[dict] = []
    bands: list[dict] = []
    names = distinct_names(cards)
    for number, name in enumerate(names[1:], start=2):
        columns = [FACE_AGE, other_age(number)]
        both = face_ages[face_ages[columns].notna().all(axis=1)]
        first, second = (
            pd.concat([counting(both, column) for column in columns], axis=1).dropna().to_numpy().T
        )
        rows += _rows(first, second, name, names[0])
        bands += _bands(first, second, name)
    shared = {
        COHORT: cohort, "question": "agreement", "outcome": "face age", "model_id": model_of(face_ages),
        "model": METHOD,
    }  # fmt: skip
    table = result_rows([shared | row for row in rows], "faceage/agreement")
    columns = columns_of("faceage/agreement_bands")
    return table, pd.DataFrame([{COHORT: cohort} | band for band in bands], columns=columns)


def distinct_names(cards: Sequence[dict]) -> list[str]:
    """Names of the models; two that are called the same get their place in the list."""
    names = [card["name"] for card in cards]
    return [
        name if names.count(name) == 1 else f"{name}, model {place}"
        for place, name in enumerate(names, start=1)
    ]


def _rows(first: np.ndarray, second: np.ndarray, name: str, against: str) -> list[dict]:
    base = {"term": name, "level": name, "reference": against, "n": len(first)}
    try:
        found = bland_altman(first, second)
        together = correlation(first, second)
    except FitError as error:
        return [base | {"measure": "bias", "reason": error.reason}]
    measured = {
        "bias": found.bias, "lower limit of agreement": found.lower_limit, "upper limit of agreement": found.upper_limit,
        "slope": found.slope, "correlation": together,
    }  # fmt: skip
    rows = [base | {"measure": measure} | vars(value) for measure, value in measured.items()]
    rows = [row | {"per": "1 year"} if row["measure"] == "slope" else row for row in rows]
    return [*rows, base | {"measure": "standard deviation", "estimate": found.standard_deviation}]


def _bands(first: np.ndarray, second: np.ndarray, name: str) -> list[dict]:
    both = pd.DataFrame({"mean": (first + second) / 2, "difference": second - first})
    lower = (both["mean"] // BAND * BAND).astype("int64")
    return [
        {
            "term": name, "band_lower": int(start), "n": len(band), "mean_age": band["mean"].mean(),
            "mean_difference": band["difference"].mean(),
        }
        for start, band in both.groupby(lower)
    ]  # fmt: skip
