"""How many events and participants a cohort study of face age needs, and what those at hand can show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import pandas as pd
from statsmodels.stats.power import TTestIndPower

from faceage_bio.analyses.planning.plan_table import Said, plan_table
from faceage_bio.core.errors import RunError
from faceage_bio.stats.sample_size import CoxDesign, spearman_brown

EVENTS_SHOWN = (25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000)  # of the curves


@dataclass(frozen=True)
class Photos:
    """Measurement error of the face age of a participant, the mean of ``photos`` photos.

    Parameters
    ----------
    reliability : float, optional
        Of the age acceleration from one photo in the study planned (intraclass correlation); what follows needs it.
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
            "--photos": self.photos != 1, "--published-reliability": self.published_reliability is not None,
            "--hr-scale": self.hr_scale != "observed", "--sd-scale": self.sd_scale != "observed",
        }  # fmt: skip
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
        """Of the exposure as it is measured, adjusted for covariates; of an interaction the difference between the subgroups."""
        spread = self.sd / self.per * np.sqrt((1 - self.r_squared) / self.photos.factor)
        return float(np.log(self.hazard_ratio) * spread)

    def events(self) -> float:
        """Events needed, not rounded."""
        return self.design.events(self.hazard_ratio, self.power) * self.photos.factor

    def table(self, observed: Sequence[Said] = (), remarks: Sequence[str] = ()) -> pd.DataFrame:
        """The plan, as `plan_table.plan_table` makes it.

        Parameters
        ----------
        observed : further assumptions (`plan_table.observation`)
        remarks : on them (`plan_table.extrapolation`)

        Returns
        -------
        DataFrame
            "events" and "participants" rounded up; curves of the power of numbers of events at the planned hazard ratio, and of the
            hazard ratio detectable with the planned power.
        """
        events, design, factor = self.events(), self.design, self.photos.factor
        results = [("events", ceil(events), "events")]
        if self.event_share is not None:
            results.append(("participants", ceil(events / self.event_share), "participants"))
        curves = [
            ("power", [(n, design.power(self.hazard_ratio, n / factor)) for n in EVENTS_SHOWN], "events"),
            ("detectable hazard ratio", [(n, design.detectable(n / factor, self.power)) for n in EVENTS_SHOWN], "events"),
        ]  # fmt: skip
        return plan_table(
            self.name, [*self._assumptions(), *observed], results, curves, self.r_code(), remarks
        )

    @property
    def name(self) -> str:
        return "interaction" if self.modifier_share else "cohort study"

    def _assumptions(self) -> list[Said]:
        said = [
            ("hazard ratio" if self.modifier_share is None else "ratio of hazard ratios", self.hazard_ratio, f"per {self.per:g} years"),
            ("SD of the exposure", self.sd, "years"),
            ("R squared on the covariates", self.r_squared, ""),
            ("planned power", self.power, ""),
            ("type I error", self.alpha, f"{self.sides}-sided"),
        ]  # fmt: skip
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
        share = (
            ""
            if self.modifier_share is None
            else f" * {self.modifier_share:.10g} * {1 - self.modifier_share:.10g}"
        )
        code = (
            f"events <- {self.photos.factor:.10g} * (qnorm(1 - {self.alpha:g} / {self.sides}) + qnorm({self.power:.10g}))^2 / "
            f"(log({self.hazard_ratio:.10g})^2 * ({self.sd:.10g} / {self.per:.10g})^2{share} * (1 - {self.r_squared:.10g})); ceiling(events)"
        )
        return code + (f"; ceiling(events / {self.event_share:.10g})" if self.event_share is not None else "")

    def with_interaction(self, share: float) -> "CohortPlan":
        """The plan for the ratio of two subgroups' hazard ratios, ``share`` of the participants in one of them (Schmoor 2000)."""
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
    return plan_table(
        "two groups",
        [("difference of means", difference, "years"), ("SD within a group", sd, "years"), ("planned power", power, ""), ("type I error", alpha, "2-sided"), ("second group per participant of the first", allocation, "")],
        [("participants, first group", ceil(first), "participants"), ("participants, second group", ceil(first * allocation), "participants")],
        [("power", curve, "participants in the first group")],
        code,
    )  # fmt: skip


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
