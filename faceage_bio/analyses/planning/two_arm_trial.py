"""A randomised trial with a log-rank test, and what adjusting for, or selecting by, face age would change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

import numpy as np
import pandas as pd

from faceage_bio.analyses.planning.cohort_study import (
    Said,
    check_hazard_ratio,
    check_shares,
    extrapolation,
    few_events,
    finds,
    observation,
    plan_table,
)
from faceage_bio.analyses.planning.pilot_precision import gain_rows, pilot_gain
from faceage_bio.core.columns import AGE_ACCELERATION, EVENT, FOLLOWUP
from faceage_bio.core.errors import RunError
from faceage_bio.stats.sample_size import LogRankTrial

WORTH = 0.05  # saving of events below which a trial is not worth a marker
SHORTEST_ACCRUAL = 1e-7  # years: rpact gives NaN where all patients start at once


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

    def adjusted(self, saving: float, by: str) -> list[Said]:
        """Events and participants when the analysis is adjusted for a score that saves this share of the
        events.
        """
        events, n = self.trial.events(self.power), self.trial.participants(self.power)
        return [
            (f"events with adjustment for {by}", ceil(events * (1 - saving)), "events"),
            (f"participants with adjustment for {by}", ceil(n * (1 - saving)), "participants"),
        ]

    def table(
        self, r_squared: float | None = None, more: Sequence[Said] = (), remarks: Sequence[str] = ()
    ) -> pd.DataFrame:
        """Events, participants by arm, and what adjustment for a score with this R squared would save.

        Parameters
        ----------
        more : further results
        remarks : on them

        Returns
        -------
        DataFrame
            A plan, as `plan_table` makes it.
        """
        trial = self.trial
        events, n = trial.events(self.power), trial.participants(self.power)
        arms = [ceil(n * share / (1 + trial.allocation)) for share in (trial.allocation, 1.0)]
        results = [
            ("events", ceil(events), "events"),
            ("participants", sum(arms), "participants"),
            ("participants, treatment", arms[0], "participants"),
            ("participants, control", arms[1], "participants"),
            ("share with an event", trial.event_share(), ""),
        ]
        if r_squared is not None:
            results += [("saving of events", r_squared, ""), *self.adjusted(r_squared, "a prognostic score")]
        assumptions = [
            ("hazard ratio", trial.hazard_ratio, "treatment v control"),
            *observation(trial.control, trial.accrual, trial.follow_up, trial.drop_out[1], " under control"),
            ("treatment per patient under control", trial.allocation, ""),
            ("planned power", self.power, ""),
            ("type I error", trial.alpha, f"{trial.sides}-sided"),
        ]
        around = [ceil(events * share) for share in (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2)]
        curves = [("power", [(one, trial.power(one)) for one in around], "events")]
        remarks = [
            *extrapolation(trial.control, trial.accrual, trial.follow_up),
            *few_events(events),
            *remarks,
        ]
        effect = f"a hazard ratio of {trial.hazard_ratio:g} for treatment v control"
        answer = f"{ceil(events):,} events among {sum(arms):,} participants {finds(self.power, effect, trial.alpha, trial.sides)}"
        return plan_table("trial", answer, assumptions, [*results, *more], curves, self.rpact_call(), remarks)

    def rpact_call(self) -> str:
        """R code with the same answer; group-sequential designs start from it (``design =``)."""
        pieces, trial = self.trial.control, self.trial
        if len(pieces.starts) == 1:
            survival = f"lambda2 = {pieces.hazards[0]:.10g}"
        else:
            ends = [f"{start:g} - <{end:g}" for start, end in pairwise(pieces.starts)]
            names = [*ends, f">={pieces.starts[-1]:g}"]
            named = zip(names, pieces.hazards, strict=True)
            hazards = ", ".join(f'"{name}" = {hazard:.10g}' for name, hazard in named)
            survival = f"piecewiseSurvivalTime = list({hazards})"
        lost = [1 - np.exp(-hazard) for hazard in trial.drop_out]
        return (
            f"rpact::getSampleSizeSurvival(alpha = {trial.alpha:g}, sided = {trial.sides}, beta = {1 - self.power:.10g}, "
            f"hazardRatio = {trial.hazard_ratio:g}, {survival}, accrualTime = c(0, {max(trial.accrual, SHORTEST_ACCRUAL):g}), followUpTime = {trial.follow_up:g}, "
            f"dropoutRate1 = {lost[0]:.10g}, dropoutRate2 = {lost[1]:.10g}, dropoutTime = 1, allocationRatioPlanned = {trial.allocation:g})"
        )

    def enriched(self, share: float, hazard_ratio_of_selected: float, cost_ratio: float = 0.0) -> list[Said]:
        """The trial in those above a threshold of the marker, which must be chosen without a look at
        outcomes.

        Parameters
        ----------
        share : float
            Of the patients that are above it.
        hazard_ratio_of_selected : float
            For an event in those above it, compared with all patients.
        cost_ratio : float
            Cost of screening a patient over that of a patient in the trial.

        Returns
        -------
        list of (quantity, value, unit)
            The events are the same. "cost" is that of this trial over that of the trial in all patients.
        """
        check_shares(selected_share=share)
        check_hazard_ratio(hazard_ratio_of_selected, "--selected-hazard-ratio")
        if cost_ratio < 0:
            raise RunError(
                f"--screening-cost {cost_ratio:g}: expected 0 or more. Give the cost of screening a patient over that of a patient in the trial."
            )
        selected = replace(self.trial, control=self.trial.control.times(hazard_ratio_of_selected))
        randomised, everyone = selected.participants(self.power), self.trial.participants(self.power)
        screened = randomised / share
        cost = (randomised + cost_ratio * screened) / everyone
        return [
            ("share with an event after selection", selected.event_share(), ""),
            ("randomised after selection", ceil(randomised), "participants"),
            ("screened for selection", ceil(screened), "participants"),
            ("cost after selection", cost, "of the trial in all patients"),
            ("patients to whom the result does not apply", 1 - share, ""),
        ]


def selected_by(rows: pd.DataFrame, marker: str, threshold: float) -> tuple[float, float]:
    """Share of pilot rows above a threshold, and their event rate over that of all rows.

    Parameters
    ----------
    rows : of `pilot_precision.usable_rows`
    """
    above = rows[rows[marker] > threshold]
    if not 0 < len(above) < len(rows) or not above[EVENT].sum():
        raise RunError(
            f"--threshold {threshold:g}: {len(above)} of {len(rows)} pilot rows are above it, with {int(above[EVENT].sum())} events. "
            f"Expected some with an event, and not all. {marker} is {rows[marker].min():.1f} to {rows[marker].max():.1f}. Choose another, by reason and not by outcome."
        )
    rate = above[EVENT].sum() / above[FOLLOWUP].sum()
    return len(above) / len(rows), float(rate / (rows[EVENT].sum() / rows[FOLLOWUP].sum()))


@dataclass(frozen=True)
class Pilot:
    """Participants with follow-up, from whom a plan estimates what face age saves.

    Parameters
    ----------
    table, source : see `pilot_precision.usable_rows`
    base : columns that a trial knows anyway; none for those of age, ECOG and stage that it has
    repeats : bootstrap samples
    threshold : years of age acceleration above which patients are selected
    """

    table: pd.DataFrame
    source: str
    base: Sequence[str] = ()
    repeats: int = 500
    threshold: float | None = None


@dataclass(frozen=True)
class Selection:
    """Patients above a threshold of age acceleration: share, hazard ratio for death compared with all, and cost of screening one over that of
    one in the trial.
    """

    share: float | None
    hazard_ratio: float | None
    screening_cost: float = 0.0

    def __post_init__(self) -> None:
        if (self.share is None) != (self.hazard_ratio is None):
            raise RunError(
                "--selected-share and --selected-hazard-ratio: expected both or none. Give the share above the threshold and its hazard ratio."
            )


def trial_plan(
    plan: TrialPlan, r_squared: float | None, pilot: Pilot | None, selection: Selection
) -> pd.DataFrame:
    """A plan of a trial, and what adjustment for face age, or selection by it, would save.

    Parameters
    ----------
    r_squared : of a prognostic score and the martingale residuals, in place of the pilot's
    """
    more: list[Said] = []
    remarks, gained, told, selected = [], r_squared, "", selection
    if pilot is not None:
        rows, found, known = pilot_gain(pilot.table, pilot.base, pilot.source, pilot.repeats)
        more = gain_rows(found, known, len(rows))
        told = ", ".join(name.replace("_", " ") for name in known)
        with_face_age = f"{told}, face age" if told else "face age"
        for saving, by in zip(found["saving"], (told, with_face_age), strict=True):
            more += plan.adjusted(float(saving), by) if by else []
        gained = float(found["increment"].iloc[1]) if r_squared is None else r_squared
        if pilot.threshold is not None:
            share, ratio = selected_by(rows, AGE_ACCELERATION, pilot.threshold)
            selected = replace(selection, share=share, hazard_ratio=ratio)
    if gained is not None and gained < WORTH:
        over = f" beyond {told}" if r_squared is None and told else ""
        remarks.append(
            f"Adjustment saves {max(gained, 0):.1%} of the events{over}: face age is not worth its photos in this trial. A score with age, ECOG and stage may be."
        )
    elif pilot is not None and found["increment_lower"].iloc[1] < 0:
        remarks.append(
            "The pilot does not show that face age saves events: the 95% CI of its increment includes none."
        )
    if selected.share is not None and selected.hazard_ratio is not None:
        enriched = plan.enriched(selected.share, selected.hazard_ratio, selected.screening_cost)
        cost = {name: value for name, value, _ in enriched}["cost after selection"]
        more += enriched
        if cost >= 1:
            remarks.append(
                f"Selection is not worth it: the trial costs {cost:.2f} times that in all patients."
            )
        remarks.append(
            f"The result of a trial in selected patients does not apply to {1 - selected.share:.0%} of the patients. Choose the threshold by reason, never by outcome."
        )
    return plan.table(r_squared, more, remarks)
