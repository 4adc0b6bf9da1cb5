"""Plans of studies, as tables: how many events and participants a cohort study of face age needs, and what
those at hand can show; two groups; and a prediction model.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import norm
from statsmodels.stats.power import TTestIndPower

from faceage_bio.analyses.planning.simulation import simulated_power
from faceage_bio.core.errors import Problems, RunError
from faceage_bio.core.results.reasons import singular
from faceage_bio.core.tables import read_table
from faceage_bio.intake.schemas import SURVIVAL_CURVE, read_user_table
from faceage_bio.stats.minimum_sizes import EVENTS_PER_TERM
from faceage_bio.stats.sample_size import (
    CoxDesign,
    PiecewiseSurvival,
    drop_out_hazard,
    prediction_model_size,
    spearman_brown,
)

ANSWER, ASSUMPTION, RESULT = "answer", "assumption", "result"
CURVE, REMARK, CODE = "curve", "remark", "R code"
COLUMNS = ("design", "part", "quantity", "value", "unit", "at", "at_unit", "text")
EVENTS_SHOWN = (25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000)  # of the curves
COUNTS = ("events", "participants", "samples")
MOST = 1e7  # events, participants or samples, as far as the search in R goes
MOST_PIECES = 12  # of constant hazard, in place of the steps of a curve

Said = tuple[str, float, str]  # quantity, value, unit


def plan_table(
    design: str,
    answer: str,
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
    answer : the result in a sentence, which the terminal and the page begin with
    curves : (quantity, points as (at, value), what ``at`` counts)
    code : R, one line
    remarks : sentences on what the numbers mean

    Returns
    -------
    DataFrame
        design, part ("answer", "assumption", "result", "curve", "remark", "R code"), quantity, value, unit, at,
        at_unit, text.

    Raises
    ------
    RunError
        More than `MOST` events, participants or samples.
    """
    results = list(results)
    for _, value, unit in results:
        if unit in COUNTS and MOST < value < np.inf:
            raise too_many(design)
    said = {ASSUMPTION: assumptions, RESULT: results}
    rows: list[dict] = [{"part": ANSWER, "quantity": "answer", "text": singular(answer)}]
    rows += [
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


def few_events(events: float) -> list[str]:
    """A sentence if a formula of hazard ratios asks for few events, else none."""
    if events >= EVENTS_PER_TERM:
        return []
    return [
        f"The formula is for small effects and many events; with fewer than {EVENTS_PER_TERM} it is no guide."
    ]


def too_many(design: str) -> RunError:
    """No study has so many."""
    return RunError(
        f"plan of a study ({design}): more than {MOST:,.0f} events, participants or samples would be needed. Expected an effect that a study can "
        "show. Give the smallest that matters."
    )


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


def read_survival(median: float | None, curve: Path | None) -> PiecewiseSurvival:
    """Survival with a median (years), or as a table says: time and survival, or kaplan_meier.tsv of a finished study.

    Beyond its last row, an event or not, a curve says nothing.

    Raises
    ------
    RunError
        Both, or none.
    CohortError
        A table that is none of a curve.
    """
    if median is not None and curve is None:
        return PiecewiseSurvival.with_median(median)
    if median is not None or curve is None:
        raise RunError(
            "--median-survival and --survival-table: expected one of them. Give the median, or the table of a curve."
        )
    if curve.name == "kaplan_meier.tsv":
        table = read_table(curve)
        own = table[table["grouping"].eq("all") & table["years"].gt(0)]
        ends, own = own["years"].max(), own[own["survival"].gt(0)]
        points = own[own["survival"] < own["survival"].shift(fill_value=1.0)].rename(
            columns={"years": "time"}
        )
        # so many steps of about the same height
        kept = np.linspace(0, max(len(points) - 1, 0), min(MOST_PIECES, len(points))).round().astype(int)
        points = points.iloc[kept]
    else:
        problems = Problems(plain=True)
        read = read_user_table(curve, SURVIVAL_CURVE, problems)
        if read:
            for name, wrong in (
                ("time", read.values["time"].diff() <= 0),
                ("survival", read.values["survival"].diff() > 0),
            ):
                advice = "Expected times that rise and survival that falls from 1. Correct the row, or leave it out."
                problems.where(str(curve), read.cells[name], wrong, advice)
        problems.stop_if_any()
        values = read.values if read else pd.DataFrame()
        points = values[values["time"] > 0]
        ends = points["time"].max()
        points = points[points["survival"].diff().fillna(points["survival"].iloc[:1] - 1) != 0]
    return PiecewiseSurvival.through(points["time"], points["survival"], ends)


def texts(table: pd.DataFrame, part: str) -> list[str]:
    """The sentences, or the code, of a plan."""
    return table.loc[table["part"] == part, "text"].tolist()


def numbers(table: pd.DataFrame, part: str) -> list[tuple[str, str, str]]:
    """Assumptions or results of a plan as they are printed: quantity, value, unit."""
    own = table[table["part"] == part]
    return [(row.quantity, _printed(row.value, row.unit), row.unit or "") for row in own.itertuples()]


def _printed(value: float, unit: str) -> str:
    if np.isinf(value):
        return "not reached"
    return f"{value:,.0f}" if unit in (*COUNTS, "genes") else f"{value:,.4g}"


def lines_of(table: pd.DataFrame) -> list[str]:
    """A plan on a terminal: the answer, all results, remarks, and the same in R."""
    results = [f"{quantity}: {value}" for quantity, value, _ in numbers(table, RESULT)]
    code = [f"The same in R: {code}" for code in texts(table, CODE)]
    return [*texts(table, ANSWER), *results, *texts(table, REMARK), *code]


def finds(power: float, effect: str, alpha: float, sides: int = 2) -> str:
    """What participants, events or samples are enough for."""
    sided = "one" if sides == 1 else "two"
    return f"give {100 * power:.4g}% power for {effect} (type I error {alpha:g}, {sided}-sided)."


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
        Share of the participants in one of two subgroups whose hazard ratios differ by ``hazard_ratio`` (Schmoor 2000).
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
        shares = {"event_share": self.event_share, "modifier_share": self.modifier_share}
        check_shares(**{name: share for name, share in shares.items() if share is not None})

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
        n = " among ".join(f"{value:,} {unit}" for _, value, unit in results)
        ratio, value, per = assumptions[0]
        effect = f"a {ratio} of {value:g} {per} at an SD of {self.sd:g} years"
        answer = f"{n} {finds(self.power, effect, self.alpha, self.sides)}"
        remarks = [*remarks, *few_events(events)]
        return plan_table(self.name, answer, assumptions, results, curves, self.r_code(), remarks)

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


def study_plan(
    plan: CohortPlan,
    survival: PiecewiseSurvival | None,
    *,
    accrual: float,
    follow_up: float,
    drop_out: float,
    simulate: int,
) -> pd.DataFrame:
    """Events and participants of a cohort study, as a plan.

    Parameters
    ----------
    plan : the share with an event is that of ``survival``, accrual and follow-up where survival is given
    accrual, follow_up : years
    drop_out : share lost each year
    simulate : studies, in which the power is checked; 0 for none

    Raises
    ------
    RunError
        An event share besides survival, no follow-up, or a simulation without survival.
    """
    assumed: list[Said] = []
    remarks: list[str] = []
    lost = drop_out_hazard(drop_out, 1)
    if survival is not None:
        if plan.event_share is not None:
            raise RunError(
                f"--event-share {plan.event_share:g} and survival: expected one of them, since survival, recruitment and follow-up give the share. "
                "Leave --event-share out, or --median-survival and --survival-table."
            )
        if accrual + follow_up == 0:
            raise RunError(
                "--accrual 0 --follow-up 0: no participant is followed. Expected one of them above 0. Give both in years."
            )
        share = survival.event_share(accrual, follow_up, lost)
        plan = replace(plan, event_share=share)
        when = (survival, accrual, follow_up)
        assumed, remarks = observation(*when, lost), extrapolation(*when)
        if simulate:
            found, error = simulated_power(
                plan.log_hazard_ratio_per_sd,
                survival,
                ceil(plan.events() / share),
                accrual=accrual,
                follow_up=follow_up,
                drop_out=lost,
                alpha=plan.alpha,
                sides=plan.sides,
                modifier_share=plan.modifier_share,
                repeats=simulate,
            )
            remarks.append(
                f"Power in {simulate:,} simulated studies: {found:.3f} (Monte Carlo SE {error:.3f})."
            )
    elif simulate:
        raise RunError(
            f"--simulate {simulate} needs survival. Expected --median-survival or --survival-table. Give one of them."
        )
    return plan.table(assumed, remarks)


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

    def power_of(n: float) -> float:
        return float(test.power(effect, n, alpha, ratio=allocation))

    least = max(2.0, 2 / allocation)
    # without the uncertainty of the SD (normal distribution) fewer are needed
    high = (norm.isf(alpha / 2) + norm.isf(1 - power)) ** 2 * (1 + 1 / allocation) / effect**2
    low = high = max(high, least)
    if high > MOST:
        raise too_many("two groups")
    while power_of(high) < power:
        high *= 2
    first = low if low == high else brentq(lambda n: power_of(n) - power, low, high)
    curve = [(n, power_of(n)) for n in EVENTS_SHOWN if n <= 8 * first]
    root = f"uniroot(function(n) power(n) - {power:.10g}, c(2, 1e7), tol = 1e-8)$root"
    code = (
        f"power <- function(n) {{ df <- n * {1 + allocation:.10g} - 2; shift <- {effect:.10g} * sqrt(n * {allocation:.10g} / {1 + allocation:.10g}); "
        f"t <- qt(1 - {alpha:g} / 2, df); pt(t, df, shift, lower.tail = FALSE) + pt(-t, df, shift) }}; "
        f"n <- {root if first > least else f'{least:g}'}; ceiling(n); ceiling(n * {allocation:.10g})"
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
    n = f"{ceil(first):,} and {ceil(first * allocation):,} participants"
    answer = f"{n} {finds(power, f'a difference of {difference:g} years at an SD of {sd:g} years', alpha)}"
    return plan_table("two groups", answer, assumptions, results, curves, code)


def prediction_model(
    r_squared: float, parameters: int, *, event_rate: float, mean_follow_up: float, horizon: float
) -> pd.DataFrame:
    """Participants for a prediction model of survival (Riley et al. 2020, `prediction_model_size`), as a plan.

    Parameters
    ----------
    r_squared : Cox-Snell R squared expected
    event_rate : deaths per participant and year
    mean_follow_up, horizon : years
    """
    if event_rate >= np.e:
        raise RunError(
            f"--event-rate {event_rate:g}: expected less than {np.e:.3f} deaths per participant and year, from which on R squared has no bound. "
            "Give the deaths over the years of follow-up of all participants."
        )
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
    answer = f"{n}, {per_parameter:.1f} for each of {parameters} parameters, are enough for a prediction model ({criteria})."
    return plan_table("prediction model", answer, assumptions, results, code=code)


def check_hazard_ratio(value: float, option: str = "--hazard-ratio") -> None:
    """Refuse ratios that no study can show."""
    if not value > 0 or value == 1:
        raise RunError(
            f"{option} {value:g}: expected more than 0 and not 1, which no number of participants can show. Give the smallest that matters."
        )


def check_shares(**shares: float) -> None:
    """Refuse shares outside (0, 1), and a power that the type I error alone has."""
    for name, value in shares.items():
        if not 0 < value < 1:
            raise RunError(
                f"--{name.replace('_', '-')} {value:g}: expected more than 0 and less than 1. Give for example {0.05 if name == 'alpha' else 0.8}."
            )
    if shares.get("power", 1) <= shares.get("alpha", 0):
        raise RunError(
            f"--power {shares['power']:g} --alpha {shares['alpha']:g}: expected a power above the type I error. Give for example --power 0.8."
        )
