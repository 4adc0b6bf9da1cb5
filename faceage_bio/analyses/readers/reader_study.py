"""A reader study in memory, and what the rows of its result table share."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import pandas as pd

from faceage_bio.core.columns import ENTRY, EVENT, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.intake.observation import is_followed
from faceage_bio.stats.multi_reader import Inference
from faceage_bio.stats.prediction_accuracy import Areas, censored_areas, delong, status_at

# the three ways in which censored follow-up is dealt with
KNOWN, WEIGHTED, DEAD_ONLY = "status known", "weighted for censoring", "dead only (legacy)"
CENSORINGS = (KNOWN, WEIGHTED, DEAD_ONLY)
RANDOM = {"both": "readers and cases", "cases": "cases", "readers": "readers"}  # who is a sample of others
DELONG = "Mann-Whitney area, DeLong"
OBUCHOWSKI = "Obuchowski-Rockette, Hillis' degrees of freedom"
VALUES = ("rating", "dead", "years", "decade")
# counts of cases that are shown if there is none
ALWAYS = ("read", "died by the horizon", "alive at the horizon")


@dataclass(frozen=True)
class Outcome:
    """Follow-up of the cases, indexed by case; ``status`` 1.0 died by the horizon, 0.0 alive at it, NaN not
    known.
    """

    years: pd.Series
    event: pd.Series
    horizon: float

    @property
    def status(self) -> pd.Series:
        """Status at the horizon."""
        return pd.Series(status_at(self.years, self.event, self.horizon), index=self.years.index)

    def usable(self, how: str) -> pd.Series:
        """Which cases count: those whose status is known; all that were followed; those who died at any time."""
        if how == KNOWN:
            return self.status.notna()
        return self.event == 1 if how == DEAD_ONLY else self.years.notna()

    def areas(self, ratings: pd.DataFrame, how: str) -> Areas:
        """Areas of complete ratings (one row per case, one column per rater), of the cases that count.

        Raises
        ------
        FitError
            Fewer than two cases who died by the horizon, or who did not.
        """
        ratings = ratings[self.usable(how).reindex(ratings.index).to_numpy()]
        mine = ratings.index
        if ratings.empty:
            raise FitError("no_case_judged")
        if how == WEIGHTED:
            return censored_areas(ratings.to_numpy(), self.years[mine], self.event[mine], self.horizon)
        return delong(ratings.to_numpy(), (self.status[mine] == 1).to_numpy())


def followed(cases: pd.DataFrame, horizon: float) -> Outcome:
    """Follow-up of those who were seen from the photo on.

    Who came under observation later could only be seen alive until then, and is left out with those never
    followed.
    """
    seen = is_followed(cases) & ~(cases[ENTRY] > 0)
    return Outcome(cases[FOLLOWUP].where(seen), cases[EVENT].where(seen), horizon)


def count_cases(cases: pd.DataFrame, outcome: Outcome) -> list[dict]:
    """How many cases were read, and what is known of them; rows of question "cases"."""
    status, seen = outcome.status, outcome.years.notna()
    late = cases[ENTRY] > 0
    counted = {
        "read": pd.Series(True, index=cases.index),
        "died by the horizon": status == 1,
        "alive at the horizon": status == 0,
        "lost before the horizon": seen & status.isna(),
        "entered after the photo": late,
        "no follow-up": ~seen & ~late,
    }
    numbers = {term: int(held.sum()) for term, held in counted.items()}
    return [
        {"question": "cases", "term": term, "measure": "cases", "estimate": float(n), "n": n}
        for term, n in numbers.items()
        if n or term in ALWAYS
    ]


@dataclass(frozen=True)
class Study:
    """Readings of known cases.

    ``said``: for each of ``VALUES`` a table with a row per case and columns (condition, reader), NaN where
    nothing was said; ``readers`` in the order of the report; ``groups`` names sets of readers; ``model``
    holds the model's rating by case.
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

        Readers who judged fewer than half of the cases under a condition are excluded, and then the cases
        that not all the others judged; both is reported.

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
