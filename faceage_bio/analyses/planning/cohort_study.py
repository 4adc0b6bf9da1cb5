"""Plans of studies, as tables: how many events and participants a cohort study of face age needs, and what
those at hand can show; two groups; and a randomised trial with a log-rank test, and what selecting or
adjusting by a marker would change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

import numpy as np
import pandas as pd
from statsmodels.stats.power import TTestIndPower

from faceage_bio.core.columns import EVENT, FOLLOWUP
from faceage_bio.core.errors import RunError
from faceage_bio.stats.sample_size import (
    CoxDesign,
    LogRankTrial,
    PiecewiseSurvival,
    prediction_model_size,
    spearman_brown,
)

ASSUMPTION, RESULT, CURVE, REMARK, CODE = "assumption", "result", "curve", "remark", "R code"
COLUMNS = ("design", "part", "quantity", "value", "unit", "at", "at_unit", "text")
EVENTS_SHOWN = (25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000)  # of the curves
WORTH = 0.05  # saving of events below which a trial is not worth a marker
SHORTEST_ACCRUAL = 1e-7  # years: rpact gives NaN where all patients start at once

Said = tuple[str, float, str]  # quantity, value, unit


def plan_table(
    design: str,
    assumptions: Iterable[Said],
    results: Iterable[Said],
    curves: Sequence[tuple[str, Iterable[tuple[float, float]], str]] = (),
    code: str = "",
    remarks: Sequence[str] = (),
) -> pd.DataFrame:
    """A plan as rows, which `faceage-bio plan report` reads.

    Parameters
    ----------
    design : what is planned, such as "cohort study"
    curves : (quantity, points as (at, value), what ``at`` counts)
    code : R, one line
    remarks : sentences on what the numbers mean

    Returns
    -------
    DataFrame
        design, part ("assumption", "result", "curve", "remark", "R code"), quantity, value, unit, at,
        at_unit, text.
    """
    said = {ASSUMPTION: assumptions, RESULT: results}
    rows = [
        {"part": part, "quantity": name, "value": value, "unit": unit}
        for part, numbers in said.items()
        for name, value, unit in numbers
    ]
    for name, points, unit in curves:
        curve = {"part": CURVE, "quantity": name, "unit": "", "at_unit": unit}
        rows += [curve | {"at": at, "value": value} for at, value in points]
    rows += [{"part": REMARK, "quantity": "remark", "text": text} for text in remarks]
    rows += [{"part": CODE, "quantity": "code", "text": code}] if code else []
    return pd.DataFrame(rows).assign(design=design).reindex(columns=list(COLUMNS))


def observation(
    survival: PiecewiseSurvival, accrual: float, follow_up: float, drop_out: float, of: str = ""
) -> list[Said]:
    """What is assumed of survival and of the time under observation; ``drop_out``: the hazard of loss."""
    hazards = [
        (f"hazard{of}{f' from {start:.3g} years' if start else ''}", float(hazard), "per year")
        for start, hazard in zip(survival.starts, survival.hazards, strict=True)
    ]
    return [
        *hazards,
        ("accrual", accrual, "years"),
        ("follow-up after the last participant", follow_up, "years"),
        ("share lost each year", float(-np.expm1(-drop_out)), ""),
    ]


def extrapolation(survival: PiecewiseSurvival, accrual: float, follow_up: float) -> list[str]:
    """A sentence if the plan goes beyond the curve of survival, else none."""
    beyond = survival.beyond(accrual, follow_up)
    if beyond == 0:
        return []
    return [
        f"Survival was observed to {survival.observed_to:.3g} years; {beyond:.1%} of the planned follow-up lies beyond, where the last hazard of the curve is "
        "assumed to go on."
    ]


def remarks_of(table: pd.DataFrame) -> list[str]:
    """The remarks of a plan."""
    return table.loc[table["part"].eq(REMARK), "text"].tolist()


def value_of(table: pd.DataFrame, quantity: str) -> float:
    """A result of a plan."""
    return float(table.loc[table["part"].eq(RESULT) & table["quantity"].eq(quantity), "value"].iloc[0])


@dataclass(frozen=True)
class Photos:
    """Measurement error of the face age of a participant, the mean of ``photos`` photos.

    Parameters
    ----------
    reliability : float, optional
        Of the age acceleration from one photo in the study planned (intraclass correlation); what follows
        needs it.
    photos : float
        Photos per participant (Spearman-Brown).
    published_reliability : float
        Of the study that the hazard ratio comes from; a published hazard ratio is already attenuated by it.
    hr_scale : "observed" or "true"
        Whether the hazard ratio is that of measured or of error-free age acceleration.
    sd_scale : "observed" or "true"
        The same of the standard deviation; observed: of one photo.
    """

    reliability: float | None = None
    photos: float = 1.0
    published_reliability: float | None = None
    hr_scale: str = "observed"
    sd_scale: str = "observed"

    def __post_init__(self) -> None:
        for name in ("reliability", "published_reliability"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise RunError(
                    f"--{name.replace('_', '-')} {value}: expected more than 0 and at most 1. Give for example the intraclass correlation 0.8."
                )
        needing = {
            "--photos": self.photos != 1,
            "--published-reliability": self.published_reliability is not None,
            "--hr-scale": self.hr_scale != "observed",
            "--sd-scale": self.sd_scale != "observed",
        }
        if self.reliability is None and any(needing.values()):
            raise RunError(
                f"{', '.join(name for name, given in needing.items() if given)} without --reliability. Expected the reliability of one photo in the study planned. "
                "Give for example --reliability 0.8."
            )
        if self.photos < 1:
            raise RunError(f"--photos {self.photos:g}: expected 1 or more. Give the photos per participant.")

    @property
    def factor(self) -> float:
        """By how much measurement error multiplies the number of events."""
        if self.reliability is None:
            return 1.0
        mean = spearman_brown(self.reliability, self.photos)
        if self.hr_scale == "observed":
            return (self.published_reliability or self.reliability) / mean
        return 1 / mean if self.sd_scale == "true" else 1 / (self.reliability * mean)


@dataclass(frozen=True)
class CohortPlan:
    """A cohort study with a continuous exposure and survival.

    Parameters
    ----------
    hazard_ratio : float
        Per ``per`` units of the exposure.
    per, sd : float
        In the unit of the exposure, such as 10 years and 8 years.
    event_share : float
        Share of participants whose event is observed.
    power, alpha, sides, r_squared
        See `CoxDesign`.
    photos : Photos
    modifier_share : float, optional
        Share of the participants in one of two subgroups whose hazard ratios differ by ``hazard_ratio``.
    """

    hazard_ratio: float
    per: float
    sd: float
    event_share: float | None = None
    power: float = 0.8
    alpha: float = 0.05
    sides: int = 2
    r_squared: float = 0.0
    photos: Photos = Photos()
    modifier_share: float | None = None

    def __post_init__(self) -> None:
        check_hazard_ratio(self.hazard_ratio)
        check_shares(power=self.power, alpha=self.alpha)
        if self.sd <= 0 or self.per <= 0:
            raise RunError(f"--sd {self.sd:g} --per {self.per:g}: expected both above 0. Give years.")
        if not 0 <= self.r_squared < 1:
            raise RunError(
                f"--r-squared {self.r_squared}: expected at least 0 and below 1. Give the R squared of the exposure on the other covariates."
            )
        if self.event_share is not None:
            check_shares(event_share=self.event_share)

    @property
    def design(self) -> CoxDesign:
        """The Cox model that is planned."""
        share = self.modifier_share
        spread = 1.0 if share is None else np.sqrt(share * (1 - share))
        return CoxDesign(self.sd / self.per * spread, self.r_squared, self.alpha, self.sides)

    @property
    def log_hazard_ratio_per_sd(self) -> float:
        """Of the exposure as it is measured, adjusted for covariates; of an interaction the difference
        between the subgroups.
        """
        spread = self.sd / self.per * np.sqrt((1 - self.r_squared) / self.photos.factor)
        return float(np.log(self.hazard_ratio) * spread)

    def events(self) -> float:
        """Events needed, not rounded."""
        return self.design.events(self.hazard_ratio, self.power) * self.photos.factor

    def table(self, observed: Sequence[Said] = (), remarks: Sequence[str] = ()) -> pd.DataFrame:
        """The plan, as `plan_table` makes it.

        Parameters
        ----------
        observed : further assumptions (`observation`)
        remarks : on them (`extrapolation`)

        Returns
        -------
        DataFrame
            "events" and "participants" rounded up; curves of the power of numbers of events at the planned
            hazard ratio, and of the hazard ratio detectable with the planned power.
        """
        events, design, factor = self.events(), self.design, self.photos.factor
        results = [("events", ceil(events), "events")]
        if self.event_share is not None:
            results.append(("participants", ceil(events / self.event_share), "participants"))
        power = [(n, design.power(self.hazard_ratio, n / factor)) for n in EVENTS_SHOWN]
        ratio = [(n, design.detectable(n / factor, self.power)) for n in EVENTS_SHOWN]
        curves = [("power", power, "events"), ("detectable hazard ratio", ratio, "events")]
        assumptions = [*self._assumptions(), *observed]
        return plan_table(self.name, assumptions, results, curves, self.r_code(), remarks)

    @property
    def name(self) -> str:
        return "interaction" if self.modifier_share else "cohort study"

    def _assumptions(self) -> list[Said]:
        ratio = "hazard ratio" if self.modifier_share is None else "ratio of hazard ratios"
        said = [
            (ratio, self.hazard_ratio, f"per {self.per:g} years"),
            ("SD of the exposure", self.sd, "years"),
            ("R squared on the covariates", self.r_squared, ""),
            ("planned power", self.power, ""),
            ("type I error", self.alpha, f"{self.sides}-sided"),
        ]
        if self.modifier_share is not None:
            said.append(("share in one subgroup", self.modifier_share, ""))
        if self.photos.reliability is not None and self.photos.factor != 1:
            said += [
                ("reliability of one photo", self.photos.reliability, ""),
                ("photos per participant", self.photos.photos, ""),
                ("events multiplied for measurement error", self.photos.factor, ""),
            ]
        if self.event_share is not None:
            said.append(("share with an event", self.event_share, ""))
        return said

    def r_code(self) -> str:
        """The same numbers in R, without a package."""
        inside = self.modifier_share
        share = "" if inside is None else f" * {inside:.10g} * {1 - inside:.10g}"
        code = (
            f"events <- {self.photos.factor:.10g} * (qnorm(1 - {self.alpha:g} / {self.sides}) + qnorm({self.power:.10g}))^2 / "
            f"(log({self.hazard_ratio:.10g})^2 * ({self.sd:.10g} / {self.per:.10g})^2{share} * (1 - {self.r_squared:.10g})); ceiling(events)"
        )
        return code + (f"; ceiling(events / {self.event_share:.10g})" if self.event_share is not None else "")

    def with_interaction(self, share: float) -> "CohortPlan":
        """The plan for the ratio of two subgroups' hazard ratios, ``share`` of the participants in one of
        them (Schmoor 2000).
        """
        check_shares(modifier_share=share)
        return replace(self, modifier_share=share)


def group_difference(
    difference: float, sd: float, *, power: float = 0.8, alpha: float = 0.05, allocation: float = 1.0
) -> pd.DataFrame:
    """Participants in two groups that show a difference of means in years (two-sided t-test; statsmodels).

    Parameters
    ----------
    difference, sd : float
        Years; ``sd`` within a group.
    allocation : float
        Participants of the second group per participant of the first.

    Returns
    -------
    DataFrame
        A plan, with "participants, first group" and "participants, second group".
    """
    check_shares(power=power, alpha=alpha)
    if sd <= 0 or difference == 0 or allocation <= 0:
        raise RunError(
            f"--difference {difference:g} --sd {sd:g}: expected a difference other than 0, and an SD and an allocation above 0. Give both in the unit of the measurement."
        )
    test, effect = TTestIndPower(), abs(difference) / sd
    first = test.solve_power(effect, alpha=alpha, power=power, ratio=allocation)
    curve = [
        (n, float(test.power(effect, n, alpha, ratio=allocation))) for n in EVENTS_SHOWN if n <= 8 * first
    ]
    code = (
        f"power <- function(n) {{ df <- n * {1 + allocation:.10g} - 2; shift <- {effect:.10g} * sqrt(n * {allocation:.10g} / {1 + allocation:.10g}); "
        f"t <- qt(1 - {alpha:g} / 2, df); pt(t, df, shift, lower.tail = FALSE) + pt(-t, df, shift) }}; "
        f"n <- uniroot(function(n) power(n) - {power:.10g}, c(2, 1e7), tol = 1e-8)$root; ceiling(n); ceiling(n * {allocation:.10g})"
    )
    assumptions = [
        ("difference of means", difference, "years"),
        ("SD within a group", sd, "years"),
        ("planned power", power, ""),
        ("type I error", alpha, "2-sided"),
        ("second group per participant of the first", allocation, ""),
    ]
    results = [
        ("participants, first group", ceil(first), "participants"),
        ("participants, second group", ceil(first * allocation), "participants"),
    ]
    curves = [("power", curve, "participants in the first group")]
    return plan_table("two groups", assumptions, results, curves, code)


def prediction_model(
    r_squared: float, parameters: int, *, event_rate: float, mean_follow_up: float, horizon: float
) -> tuple[pd.DataFrame, str]:
    """Participants for a prediction model of survival (Riley et al. 2020, `prediction_model_size`).

    Parameters
    ----------
    r_squared : Cox-Snell R squared expected
    event_rate : deaths per participant and year
    mean_follow_up, horizon : years

    Returns
    -------
    tuple of (DataFrame, str)
        The plan, and its result in a sentence.
    """
    times = {"event_rate": event_rate, "mean_follow_up": mean_follow_up, "horizon": horizon}
    try:
        found = prediction_model_size(r_squared, parameters, **times)
    except ValueError as error:
        raise RunError(
            f"--r-squared: {error}. Expected the Cox-Snell R squared that the model may reach. Give another."
        ) from None
    code = (
        f'pmsampsize::pmsampsize(type = "s", csrsquared = {r_squared:.10g}, parameters = {parameters}, rate = {event_rate:.10g}, '
        f"timepoint = {horizon:.10g}, meanfup = {mean_follow_up:.10g})"
    )
    assumptions = [
        ("Cox-Snell R squared", r_squared, ""),
        ("parameters", parameters, ""),
        ("events per participant and year", event_rate, ""),
        ("mean follow-up", mean_follow_up, "years"),
        ("horizon of predictions", horizon, "years"),
    ]
    per_parameter = found["events"] / parameters
    results = [
        ("participants, shrinkage of 10% at most", found["shrinkage"], "participants"),
        ("participants, optimism in R squared of 0.05 at most", found["optimism"], "participants"),
        ("participants, overall risk within 0.05", found["overall risk"], "participants"),
        ("participants", found["participants"], "participants"),
        ("events", found["events"], "events"),
        ("events per variable", per_parameter, ""),
    ]
    n = f"{found['participants']:,} participants with {found['events']:,} deaths"
    criteria = ", ".join(f"{name} {found[name]:,}" for name in ("shrinkage", "optimism", "overall risk"))
    sentence = f"{n}, {per_parameter:.1f} for each of {parameters} parameters ({criteria})"
    return plan_table("prediction model", assumptions, results, code=code), sentence


def check_hazard_ratio(value: float, option: str = "--hazard-ratio") -> None:
    """Refuse ratios that no study can show."""
    if not value > 0 or value == 1:
        raise RunError(
            f"{option} {value:g}: expected more than 0 and not 1, which no number of participants can show. Give the smallest that matters."
        )


def check_shares(**shares: float) -> None:
    """Refuse shares outside (0, 1)."""
    for name, value in shares.items():
        if not 0 < value < 1:
            raise RunError(
                f"--{name.replace('_', '-')} {value:g}: expected more than 0 and less than 1. Give for example 0.8."
            )


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
        control = n / (1 + trial.allocation)
        results = [
            ("events", ceil(events), "events"),
            ("participants", ceil(n), "participants"),
            ("participants, treatment", ceil(n - control), "participants"),
            ("participants, control", ceil(control), "participants"),
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
        remarks = [*extrapolation(trial.control, trial.accrual, trial.follow_up), *remarks]
        return plan_table("trial", assumptions, [*results, *more], curves, self.rpact_call(), remarks)

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
