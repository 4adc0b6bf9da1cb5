"""What became of the cases by the horizon, in the three ways in which censored follow-up is dealt with."""

from dataclasses import dataclass

import pandas as pd

from faceage_bio.core.columns import ENTRY, EVENT, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.intake.observation import is_followed
from faceage_bio.stats.prediction_accuracy import Areas, censored_areas, delong, status_at

KNOWN, WEIGHTED, DEAD_ONLY = "status known", "weighted for censoring", "dead only (legacy)"
CENSORINGS = (KNOWN, WEIGHTED, DEAD_ONLY)


@dataclass(frozen=True)
class Outcome:
    """Follow-up of the cases, indexed by case; ``status`` 1.0 died by the horizon, 0.0 alive at it, NaN not known."""

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

    Who came under observation later could only be seen alive until then, and is left out with those never followed.
    """
    seen = is_followed(cases) & ~(cases[ENTRY] > 0)
    return Outcome(cases[FOLLOWUP].where(seen), cases[EVENT].where(seen), horizon)


def count_cases(cases: pd.DataFrame, outcome: Outcome) -> list[dict]:
    """How many cases were read, and what is known of them; rows of question "cases"."""
    status, seen = outcome.status, outcome.years.notna()
    late = cases[ENTRY] > 0
    numbers = {
        "read": len(cases), "died by the horizon": int((status == 1).sum()), "alive at the horizon": int((status == 0).sum()),
        "lost before the horizon": int((seen & status.isna()).sum()), "entered after the photo": int(late.sum()),
        "no follow-up": int((~seen & ~late).sum()),
    }  # fmt: skip
    return [
        {"question": "cases", "term": term, "measure": "cases", "estimate": float(n), "n": n}
        for term, n in numbers.items()
        if n or term in ("read", "died by the horizon", "alive at the horizon")
    ]  # fmt: skip
