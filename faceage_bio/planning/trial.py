"""How many patients a randomised trial with a log-rank test needs, and what selecting or adjusting by a marker would change."""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import pandas as pd

from faceage_bio.errors import RunError
from faceage_bio.planning.cohort_study import check_hazard_ratio, check_shares
from faceage_bio.stats.sample_size import LogRankTrial

WORTH = 0.05  # saving of events below which a trial is not worth a marker


@dataclass(frozen=True)
class TrialPlan:
    """A two-arm trial.

    Parameters
    ----------
    trial : LogRankTrial
    power : float
    """

    trial: LogRankTrial
    power: float = 0.8

    def __post_init__(self) -> None:
        check_hazard_ratio(self.trial.hazard_ratio)
        check_shares(power=self.power, alpha=self.trial.alpha)
        if self.trial.allocation <= 0 or self.trial.accrual < 0 or self.trial.follow_up <= 0:
            raise RunError(
                f"--allocation {self.trial.allocation:g} --accrual {self.trial.accrual:g} --follow-up {self.trial.follow_up:g}: "
                "expected an allocation and a follow-up above 0 and an accrual of 0 or more. Give times in years."
            )

    def table(self, r_squared: float | None = None) -> pd.DataFrame:
        """Events, participants by arm, and what adjustment for a score with this R squared would save.

        Returns
        -------
        DataFrame
            quantity, value, unit.
        """
        events, n = self.trial.events(self.power), self.trial.participants(self.power)
        control = n / (1 + self.trial.allocation)
        rows = [
            ("events", ceil(events), "events"),
            ("participants", ceil(n), "participants"),
            ("participants, treatment", ceil(n - control), "participants"),
            ("participants, control", ceil(control), "participants"),
            ("share with an event", self.trial.event_share(), ""),
        ]
        if r_squared is not None:
            rows += [
                ("events with prognostic adjustment", ceil(events * (1 - r_squared)), "events"),
                ("saving of events", r_squared, ""),
            ]
        return pd.DataFrame(rows, columns=["quantity", "value", "unit"])

    def rpact_call(self) -> str:
        """R code with the same answer; group-sequential designs start from it (``design =``)."""
        pieces, trial = self.trial.control, self.trial
        if len(pieces.starts) == 1:
            survival = f"lambda2 = {pieces.hazards[0]:.10g}"
        else:
            ends = [
                f"{start:g} - <{end:g}"
                for start, end in zip(pieces.starts[:-1], pieces.starts[1:], strict=True)
            ]
            names = [*ends, f">={pieces.starts[-1]:g}"]
            survival = "piecewiseSurvivalTime = list({})".format(
                ", ".join(
                    f'"{name}" = {hazard:.10g}' for name, hazard in zip(names, pieces.hazards, strict=True)
                )
            )
        lost = [1 - np.exp(-hazard) for hazard in trial.drop_out]
        return (
            f"rpact::getSampleSizeSurvival(alpha = {trial.alpha:g}, sided = {trial.sides}, beta = {1 - self.power:.10g}, "
            f"hazardRatio = {trial.hazard_ratio:g}, {survival}, accrualTime = c(0, {trial.accrual:g}), followUpTime = {trial.follow_up:g}, "
            f"dropoutRate1 = {lost[0]:.10g}, dropoutRate2 = {lost[1]:.10g}, dropoutTime = 1, allocationRatioPlanned = {trial.allocation:g})"
        )

    def enriched(self, share: float, hazard_ratio_of_selected: float) -> dict[str, float]:
        """The trial in those above a threshold of the marker.

        Parameters
        ----------
        share : float
            Of the patients that are above it.
        hazard_ratio_of_selected : float
            For an event in those above it, compared with all patients.

        Returns
        -------
        dict
            ``events`` (the same), ``randomised`` and ``screened`` patients.
        """
        check_shares(share=share)
        check_hazard_ratio(hazard_ratio_of_selected)
        selected = replace(self.trial, control=self.trial.control.times(hazard_ratio_of_selected))
        randomised = selected.participants(self.power)
        return {
            "events": selected.events(self.power), "randomised": randomised, "screened": randomised / share,
        }  # fmt: skip
