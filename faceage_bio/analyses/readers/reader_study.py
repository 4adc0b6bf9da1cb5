"""A reader study in memory, and what the rows of its result table share."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import pandas as pd

from faceage_bio.analyses.readers.outcome import Outcome
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.stats.multi_reader import Inference
from faceage_bio.stats.prediction_accuracy import Areas

RANDOM = {"both": "readers and cases", "cases": "cases", "readers": "readers"}  # who is a sample of others
DELONG = "Mann-Whitney area, DeLong"
OBUCHOWSKI = "Obuchowski-Rockette, Hillis' degrees of freedom"


VALUES = ("rating", "dead", "years", "decade")


@dataclass(frozen=True)
class Study:
    """Readings of known cases.

    ``said``: for each of ``VALUES`` a table with a row per case and columns (condition, reader), NaN where nothing was said;
    ``readers`` in the order of the report; ``groups`` names sets of readers; ``model`` holds the model's rating by case.
    """

    said: dict[str, pd.DataFrame]
    readers: list[str]
    conditions: list[str]
    groups: dict[str, list[str]]
    outcome: Outcome
    model: pd.Series
    model_name: str

    def of_reader(self, reader: str, condition: str, value: str) -> pd.DataFrame:
        """What a reader said under a condition: one column, one row per case of which something was said."""
        table = self.said[value]
        return table[[(condition, reader)]].dropna() if (condition, reader) in table else pd.DataFrame()

    def crossed(
        self, value: str, readers: list[str], conditions: list[str]
    ) -> tuple[pd.DataFrame, list[Reason]]:
        """What all these readers said of the same cases under all these conditions.

        Readers who judged fewer than half of the cases under a condition are excluded, and then the cases that not all
        the others judged; both is reported.

        Returns
        -------
        DataFrame
            One row per case, columns (condition, reader), condition by condition, nothing missing.
        list of Reason
            What was excluded.
        """
        wide = self.said[value].reindex(columns=list(product(conditions, readers))).dropna(how="all")
        counts = wide.notna().to_numpy().sum(axis=0).reshape(len(conditions), len(readers))
        enough = (counts >= len(wide) / 2).all(axis=0) & (len(wide) > 0)
        kept = [reader for reader, is_kept in zip(readers, enough, strict=True) if is_kept]
        table = wide[list(product(conditions, kept))].dropna()
        remarks = []
        if without := [reader for reader in readers if reader not in kept]:
            remarks.append(reason("without_readers", readers=without))
        if kept and len(table) < len(wide):
            remarks.append(reason("judged_by_all", n=len(table), n_judged=len(wide)))
        return table, remarks


def gather(
    readings: pd.DataFrame,
    conditions: list[str],
    groups: dict[str, list[str]],
    outcome: Outcome,
    model: pd.Series,
    model_name: str,
) -> Study:
    """The study that a table of readings holds."""
    said = {}
    for value in VALUES:
        table = readings.pivot(index="case_id", columns=["condition", "reader"], values=value)
        table.columns = table.columns.to_flat_index()
        said[value] = table.dropna(axis=1, how="all").astype("float64")
    readers = list(readings["reader"].unique())
    return Study(said, readers, conditions, groups, outcome, model, model_name)


def reader_row(reader: str) -> dict:
    """What all rows of one reader say."""
    return {"term": reader, "rater": "reader", "n_readers": 1}


def group_row(name: str) -> dict:
    """What all rows of several readers say."""
    return {"term": name, "rater": "group"}


def not_estimated(error: FitError, remarks: Sequence[Reason] = ()) -> dict:
    """The reasons of a row without a number."""
    return {"reason": [error.reason, *remarks]}


def inference(found: Inference) -> dict:
    """The columns of an estimate with degrees of freedom."""
    return vars(found.estimate) | {"df": found.df}


def cut(row: dict, low: float = 0.0, high: float = 1.0) -> dict:
    """The row with its interval cut at the ends of what is possible."""
    return row | {"ci_lower": max(row["ci_lower"], low), "ci_upper": min(row["ci_upper"], high)}


def counts(areas: Areas) -> dict:
    """Cases that counted, and how many of them died."""
    return {"n": areas.n_positive + areas.n_negative + areas.n_unknown, "n_events": areas.n_positive}
