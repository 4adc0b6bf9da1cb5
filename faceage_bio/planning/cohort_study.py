"""How many events and participants a cohort study of face age needs, and what those at hand can show."""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import pandas as pd
from statsmodels.stats.power import TTestIndPower

from faceage_bio.errors import RunError
from faceage_bio.stats.sample_size import CoxDesign, spearman_brown

EVENTS_SHOWN = (25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000)  # of the curves


@dataclass(frozen=True)
class Photos:
    """Measurement error of the face age of a participant, the mean of ``photos`` photos.

    Parameters
    ----------
    reliability : float
        Of the age acceleration from one photo in the study planned (intraclass correlation).
    photos : float
        Photos per participant (Spearman-Brown).
    published_reliability : float
        Of the study that the hazard ratio comes from; a published hazard ratio is already attenuated by it.
    hr_scale : "observed" or "true"
        Whether the hazard ratio is that of measured or of error-free age acceleration.
    sd_scale : "observed" or "true"
        The same of the standard deviation; observed: of one photo.
    """

    reliability: float = 1.0
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
        if self.photos < 1:
            raise RunError(f"--photos {self.photos:g}: expected 1 or more. Give the photos per participant.")

    @property
    def factor(self) -> float:
        """By how much measurement error multiplies the number of events."""
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
        return CoxDesign(self.sd / self.per, self.r_squared, self.alpha, self.sides)

    @property
    def log_hazard_ratio_per_sd(self) -> float:
        """Of the exposure as it is measured, adjusted for covariates."""
        return float(np.log(self.hazard_ratio) * np.sqrt(self.design.information / self.photos.factor))

    def events(self) -> float:
        """Events needed, not rounded."""
        return self.design.events(self.hazard_ratio, self.power) * self.photos.factor

    def table(self) -> pd.DataFrame:
        """The plan: quantity, value, unit, and the events, power and hazard ratio that it belongs to.

        Returns
        -------
        DataFrame
            "events" and "participants" rounded up; "power" of numbers of events at the planned hazard ratio; "detectable hazard ratio"
            of numbers of events at the planned power.
        """
        events = self.events()
        rows = [_row("events", ceil(events), "events", ceil(events), self.power, self.hazard_ratio)]
        if self.event_share is not None:
            rows.append(
                _row(
                    "participants", ceil(events / self.event_share), "participants", ceil(events), self.power, self.hazard_ratio,
                )
            )  # fmt: skip
        design, factor = self.design, self.photos.factor
        for n in EVENTS_SHOWN:
            power = design.power(self.hazard_ratio, n / factor)
            rows.append(_row("power", power, "", n, power, self.hazard_ratio))
        for n in EVENTS_SHOWN:
            found = design.detectable(n / factor, self.power)
            rows.append(_row("detectable hazard ratio", found, f"per {self.per:g}", n, self.power, found))
        return pd.DataFrame(rows)

    def with_interaction(self, share: float) -> "CohortPlan":
        """The plan for the ratio of two subgroups' hazard ratios, ``share`` of the participants in one of them (Schmoor 2000)."""
        check_shares(modifier_share=share)
        return replace(self, sd=self.sd * np.sqrt(share * (1 - share)))


def _row(quantity: str, value: float, unit: str, events: int, power: float, hazard_ratio: float) -> dict:
    return {
        "quantity": quantity, "value": value, "unit": unit, "n_events": events, "power": power, "hazard_ratio": hazard_ratio,
    }  # fmt: skip


def group_difference(
    difference: float, sd: float, *, power: float = 0.8, alpha: float = 0.05, allocation: float = 1.0
) -> tuple[int, int]:
    """Participants in two groups that show a difference of means in years (two-sided t-test; statsmodels).

    Parameters
    ----------
    difference, sd : float
        Years; ``sd`` within a group.
    allocation : float
        Participants of the second group per participant of the first.
    """
    check_shares(power=power, alpha=alpha)
    if sd <= 0 or difference == 0 or allocation <= 0:
        raise RunError(
            f"--difference {difference:g} --sd {sd:g}: expected a difference other than 0, and an SD and an allocation above 0. Give both in the unit of the measurement."
        )
    first = TTestIndPower().solve_power(abs(difference) / sd, alpha=alpha, power=power, ratio=allocation)
    return ceil(first), ceil(first * allocation)


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
