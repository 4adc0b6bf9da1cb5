"""How many participants, events or samples a study needs: survival, prediction models (Riley et al. 2020,
doi:10.1136/bmj.m441), RNA sequencing; and the power of a study of a given size.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import norm

from faceage_bio.core.errors import RunError

# within a piece of constant hazard the integrand is smooth
NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
# the authors' targets: shrinkage, optimism of R squared, error of the mean risk
SHRINKAGE, OPTIMISM, MARGIN = (0.9, 0.05, 0.05)
Numbers = TypeVar("Numbers", float, np.ndarray, pd.Series)


@dataclass(frozen=True)
class PiecewiseSurvival:
    """Survival with a hazard that is constant between times.

    Parameters
    ----------
    starts : sequence of float
        Where each piece begins; the first is 0, the last has no end. Any unit of time, the same everywhere.
    hazards : sequence of float
        Events per participant and unit of time in each piece.
    observed_to : float
        Where the curve that it follows ends; beyond, the last hazard is an assumption.
    """

    starts: Sequence[float]
    hazards: Sequence[float]
    observed_to: float = inf

    def __post_init__(self) -> None:
        starts, hazards = np.asarray(self.starts, dtype=float), np.asarray(self.hazards, dtype=float)
        good = len(starts) == len(hazards) > 0 and starts[0] == 0 and (np.diff(starts) > 0).all()
        if not (good and np.isfinite(hazards).all() and (hazards >= 0).all() and hazards.any()):
            raise RunError(
                f"survival: pieces that start at {list(self.starts)} with hazards {list(self.hazards)}. Expected starts that rise from 0 and as many hazards, "
                "none below 0 and one above. Correct the pieces."
            )

    @classmethod
    def with_median(cls, median: float) -> "PiecewiseSurvival":
        """Exponential survival."""
        return cls((0.0,), (np.log(2) / median,))

    @classmethod
    def through(
        cls, times: Sequence[float], survival: Sequence[float], observed_to: float = inf
    ) -> "PiecewiseSurvival":
        """Through the points of a Kaplan-Meier curve, with a constant hazard from each to the next and after the last.

        Raises
        ------
        RunError
            Times that do not rise from above 0, or survival that rises or leaves (0, 1].
        """
        times, survival = np.asarray(times, dtype=float), np.asarray(survival, dtype=float)
        alive = np.concatenate([[1.0], survival])
        drops = -np.diff(np.log(alive)) if (survival > 0).all() else np.array([-1.0])
        gaps = np.diff(np.concatenate([[0.0], times]))
        if not len(times) or (gaps <= 0).any() or (drops < 0).any():
            raise RunError(
                "survival: expected times that rise from above 0 and survival that falls from 1 and stays above 0. Leave rows at time 0 "
                "and after the last event out."
            )
        return cls((0.0, *times[:-1]), tuple(drops / gaps), observed_to)

    def times(self, hazard_ratio: float) -> "PiecewiseSurvival":
        """Survival with the hazard multiplied."""
        return replace(self, hazards=tuple(hazard_ratio * hazard for hazard in self.hazards))

    def observed_events(self, until: np.ndarray, drop_out: float = 0.0) -> np.ndarray:
        """Share of participants whose event is seen by each time, where others are lost at the hazard ``drop_out``."""
        starts = np.asarray(self.starts, dtype=float)
        hazards, all_hazards = np.asarray(self.hazards), np.asarray(self.hazards) + drop_out
        inside = np.clip(
            np.asarray(until, dtype=float)[..., None] - starts, 0, np.append(np.diff(starts), np.inf)
        )
        # under observation at each start
        left = np.exp(-np.cumsum(np.append(0, np.diff(starts) * all_hazards[:-1])))
        with np.errstate(invalid="ignore"):
            share = np.where(all_hazards > 0, -np.expm1(-inside * all_hazards) / all_hazards, inside)
        return (left * hazards * share).sum(axis=-1)

    def beyond(self, accrual: float, follow_up: float) -> float:
        """Share of the planned follow-up, deaths and losses apart, that lies beyond the observed curve; see `event_share`."""
        ends = np.array([follow_up, follow_up + accrual])
        over = np.clip(ends - self.observed_to, 0, None)
        if accrual == 0:
            return float(over[0] / follow_up)
        return float(np.diff(over**2)[0] / np.diff(ends**2)[0])

    def event_share(self, accrual: float, follow_up: float, drop_out: float = 0.0) -> float:
        """Share of participants whose event is observed in a study.

        Parameters
        ----------
        accrual : float
            Duration of uniform recruitment; 0: all start at once.
        follow_up : float
            From the last recruitment to the end of the study.
        drop_out : float
            Hazard of loss to follow-up.
        """
        if accrual == 0:
            return float(self.observed_events(np.array(follow_up), drop_out))
        end = follow_up + accrual
        edges = [follow_up, *(start for start in self.starts if follow_up < start < end), end]
        total = 0.0
        for low, high in itertools.pairwise(edges):
            middle, half = (low + high) / 2, (high - low) / 2
            total += half * (WEIGHTS * self.observed_events(middle + half * NODES, drop_out)).sum()
        return float(total / accrual)


def drop_out_hazard(share: float, time: float) -> float:
    """Hazard at which this share of the participants is lost by a time."""
    return float(-np.log1p(-share) / time)


def _z(alpha: float, sides: int) -> float:
    return float(norm.isf(alpha / sides))


@dataclass(frozen=True)
class CoxDesign:
    """A Cox model with one continuous exposure (Hsieh and Lavori 2000, doi:10.1016/S0197-2456(00)00104-5).

    Parameters
    ----------
    sd : float
        SD of the exposure in the unit of the hazard ratio.
    r_squared : float
        Of the exposure on the other covariates.
    alpha : float
    sides : 1 or 2
    """

    sd: float
    r_squared: float = 0.0
    alpha: float = 0.05
    sides: int = 2

    @property
    def information(self) -> float:
        """Of the log hazard ratio, per event."""
        return self.sd**2 * (1 - self.r_squared)

    def events(self, hazard_ratio: float, power: float) -> float:
        """Events for a power, not rounded."""
        z = _z(self.alpha, self.sides) + norm.ppf(power)
        return float(z**2 / (np.log(hazard_ratio) ** 2 * self.information))

    def power(self, hazard_ratio: float, events: float) -> float:
        """Power of a number of events."""
        z = abs(np.log(hazard_ratio)) * np.sqrt(events * self.information)
        return float(norm.cdf(z - _z(self.alpha, self.sides)))

    def detectable(self, events: float, power: float) -> float:
        """The smallest hazard ratio above 1 that a number of events shows with a power."""
        z = _z(self.alpha, self.sides) + norm.ppf(power)
        return float(np.exp(z / np.sqrt(events * self.information)))


def spearman_brown(reliability: float, photos: float) -> float:
    """Reliability of the mean of several photos from that of one."""
    return photos * reliability / (1 + (photos - 1) * reliability)


@dataclass(frozen=True)
class LogRankTrial:
    """A trial with two arms and a log-rank test (Schoenfeld 1981), as R's rpact 3.3.4 counts.

    Parameters
    ----------
    control : PiecewiseSurvival
        Of the control arm.
    hazard_ratio : float
        Treatment over control.
    allocation : float
        Participants in the treatment arm per participant in the control arm.
    accrual, follow_up : float
    drop_out : (float, float)
        Hazards of loss to follow-up under treatment and control.
    alpha, sides
    """

    control: PiecewiseSurvival
    hazard_ratio: float
    accrual: float
    follow_up: float
    allocation: float = 1.0
    drop_out: tuple[float, float] = (0.0, 0.0)
    alpha: float = 0.05
    sides: int = 2

    @property
    def arms(self) -> CoxDesign:
        """The treatment as an exposure, of which a participant has it or not."""
        return CoxDesign(np.sqrt(self.allocation) / (1 + self.allocation), 0.0, self.alpha, self.sides)

    def events(self, power: float) -> float:
        """Events in both arms, not rounded."""
        return self.arms.events(self.hazard_ratio, power)

    def power(self, events: float) -> float:
        """Power of a number of events."""
        return self.arms.power(self.hazard_ratio, events)

    def event_share(self) -> float:
        """Share of all randomised participants whose event is observed."""
        treated = self.control.times(self.hazard_ratio)
        shares = [
            arm.event_share(self.accrual, self.follow_up, lost)
            for arm, lost in zip((treated, self.control), self.drop_out, strict=True)
        ]
        return float((self.allocation * shares[0] + shares[1]) / (1 + self.allocation))

    def participants(self, power: float) -> float:
        """Participants in both arms, not rounded."""
        return self.events(power) / self.event_share()


def prediction_model_size(
    r_squared: float, parameters: int, *, event_rate: float, mean_follow_up: float, horizon: float
) -> dict[str, int]:
    """Riley's three criteria for a model of survival, as pmsampsize counts.

    Parameters
    ----------
    r_squared : float
        Cox-Snell R squared expected of the model.
    parameters : int
        Of the model.
    event_rate : float
        Events per participant and year.
    mean_follow_up, horizon : float
        Years; risk is predicted at ``horizon``.

    Returns
    -------
    dict
        Participants by "shrinkage", "optimism" and "overall risk"; "participants" is the largest, "events" go
        with it.
    """
    share = event_rate * mean_follow_up
    largest = 1 - np.exp(2 * (share * np.log(event_rate) - share))  # of a model that knows everything
    if not 0 < r_squared < min(largest, SHRINKAGE):
        raise ValueError(
            f"R squared {r_squared}: expected more than 0 and less than {min(largest, SHRINKAGE):.3g} at this event rate"
        )

    def off(n: float) -> float:
        spread = norm.isf(0.025) * np.sqrt(event_rate / (mean_follow_up * n))
        rates = np.maximum([event_rate - spread, event_rate, event_rate + spread], 0)
        return float(np.diff(1 - np.exp(-rates * horizon)).max()) - MARGIN

    criteria = {
        "shrinkage": _for_shrinkage(SHRINKAGE, r_squared, parameters),
        "optimism": _for_shrinkage(r_squared / (r_squared + OPTIMISM * largest), r_squared, parameters),
        "overall risk": 1 if off(1) <= 0 else ceil(brentq(off, 1, 1e9)),
    }
    n = max(criteria.values())
    return criteria | {"participants": n, "events": ceil(n * share)}


def _for_shrinkage(factor: float, r_squared: float, parameters: int) -> int:
    return ceil(parameters / ((factor - 1) * np.log(1 - r_squared / factor)))


def size_for_fitted_model(
    likelihood_ratio: float, log_likelihood: float, parameters: int, n: int
) -> dict[str, float] | None:
    """Riley's criteria of shrinkage and optimism for a Cox model as it was fitted.

    Parameters
    ----------
    likelihood_ratio : float
        Chi-square of all terms together.
    log_likelihood : float
        Partial log likelihood of the model, from which the largest Cox-Snell R squared is taken.

    Returns
    -------
    dict or None
        ``r_squared`` (Cox-Snell), ``shrinkage`` (van Houwelingen and le Cessie's heuristic factor), and
        ``participants`` that a model with R squared times this factor needs. None where the chi-square is not
        above the number of parameters: no shrinkage leaves anything.
    """
    if not likelihood_ratio > parameters:
        return None
    shrinkage = 1 - parameters / likelihood_ratio
    r_squared = 1 - np.exp(-likelihood_ratio / n)
    largest = 1 - np.exp((2 * log_likelihood - likelihood_ratio) / n)
    expected = r_squared * shrinkage
    factors = (SHRINKAGE, expected / (expected + OPTIMISM * largest))
    needed = max(_for_shrinkage(factor, expected, parameters) for factor in factors)
    return {"r_squared": float(r_squared), "shrinkage": float(shrinkage), "participants": needed}


def samples_per_group(
    fold_change: float, depth: float, cv: float, *, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Samples in each of two groups for a gene (Hart et al. 2013, doi:10.1089/cmb.2012.0283; R's RNASeqPower).

    Parameters
    ----------
    fold_change : float
    depth : float
        Mean count of the gene.
    cv : float
        Biological coefficient of variation, the root of the dispersion.
    """
    z = norm.isf(alpha / 2) + norm.ppf(power)
    return float(2 * z**2 * (1 / depth + cv**2) / np.log(fold_change) ** 2)


def samples_for_exposure(
    fold_change: float, sd: float, depth: float, cv: float, *, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Samples for the fold change of a gene per unit of a continuous exposure with this SD."""
    z = norm.isf(alpha / 2) + norm.ppf(power)
    return float(z**2 * (1 / depth + cv**2) / (np.log(fold_change) * sd) ** 2)


def smallest_detectable(standard_error: Numbers) -> Numbers:
    """The smallest effect that a two-sided Wald test at 0.05 finds with a power of 0.8, given its standard error.

    The minimum detectable effect (z(0.975) + z(0.8)) * SE: 2.80 SE (Bloom 1995,
    doi:10.1177/0193841X9501900504).
    """
    return (norm.ppf(0.975) + norm.ppf(0.8)) * standard_error
