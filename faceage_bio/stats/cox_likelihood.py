"""Cox's partial likelihood: risk sets, the sums over them with Efron's ties, and rows cut at times.

Who is at risk at each death: one layout of the rows that every sum of a Cox model is taken from.

Rows are sorted by stratum and time; a sum over all participants at risk is then a difference of running sums,
and a sum over the deaths at which a participant was at risk is one too, so that nothing loops over rows. With
tied deaths Efron's method counts one step per death: at step k of d tied deaths each of these d counts as 1 -
k/d of a person. Arrays hold rows along the last axis, so that the same sums serve one model or a batch of
models.

Cox's partial likelihood with Efron's ties: one pass over the deaths gives value, slopes, curvature and residuals.

Columns of ``x`` are rows here, (..., p, n), in the order of the risk sets; ``...`` may be a batch of models.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError

TIE = float(np.sqrt(np.finfo(float).eps))  # R's: times closer than this are ties


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Sorted rows (n), deaths and steps (d) and distinct times of death within strata (m)."""

    order: np.ndarray  # (n,) the caller's row at each place
    entry: np.ndarray | None  # (n,)
    times: np.ndarray  # (n,)
    event: np.ndarray  # (n,) bool
    weights: np.ndarray  # (n,)
    stratum: np.ndarray  # (n,) number of the stratum
    levels: list  # the strata's names
    deaths: np.ndarray  # (d,) place of each death
    group: np.ndarray  # (d,) which time of death each belongs to
    starts: np.ndarray  # (m,) the first death of each time
    fraction: np.ndarray  # (d,) k/d
    step_weight: np.ndarray  # (d,) mean weight of the deaths of that time
    first: np.ndarray  # (m,) first place of those at risk
    last: np.ndarray  # (m,) end of the stratum
    entry_order: np.ndarray | None
    entry_first: np.ndarray | None  # (m,) first of those, by entry, who enter too late
    before: np.ndarray  # (n,) times of death up to somebody's entry
    upto: np.ndarray  # (n,) times of death up to somebody's end

    @property
    def tied(self) -> bool:
        """Whether anybody died at the same time as another of the same stratum."""
        return len(self.starts) < len(self.deaths)

    @property
    def event_times(self) -> np.ndarray:
        """Time of each distinct time of death, shape (m,)."""
        return self.times[self.deaths[self.starts]]

    def at_risk(self, values: np.ndarray) -> np.ndarray:
        """Sum over those at risk at each time of death, (..., n) -> (..., m)."""
        sums = _tail_sums(values, self.first, self.last, len(self.levels))
        if self.entry_order is not None and self.entry_first is not None:
            sums -= _tail_sums(values[..., self.entry_order], self.entry_first, self.last, len(self.levels))
        return sums

    def over_ties(self, steps: np.ndarray) -> np.ndarray:
        """Sum over the deaths of each time, (..., d) -> (..., m)."""
        return np.add.reduceat(steps, self.starts, axis=-1) if self.tied else steps

    def at_steps(self, values: np.ndarray) -> np.ndarray:
        """Sum over those at risk at each step, (..., n) -> (..., d)."""
        sums = self.at_risk(values)
        if not self.tied:
            return sums
        dying = self.over_ties(values[..., self.deaths])
        return sums[..., self.group] - self.fraction * dying[..., self.group]

    def of_rows(self, steps: np.ndarray) -> np.ndarray:
        """Sum over the steps at which each row was at risk, its share where it dies itself, (..., d) -> (..., n)."""
        running = np.zeros((*steps.shape[:-1], len(self.starts) + 1))
        np.cumsum(self.over_ties(steps), axis=-1, out=running[..., 1:])
        sums = running[..., self.upto]
        if self.entry is not None or len(self.levels) > 1:
            sums -= running[..., self.before]
        if self.tied:
            sums[..., self.deaths] -= self.over_ties(steps * self.fraction)[..., self.group]
        return sums


def _tail_sums(values: np.ndarray, first: np.ndarray, last: np.ndarray, n_strata: int) -> np.ndarray:
    n = values.shape[-1]
    running = np.zeros((*values.shape[:-1], n + 1))
    np.cumsum(values[..., ::-1], axis=-1, out=running[..., 1:])
    sums = running[..., n - first]
    return sums - running[..., n - last] if n_strata > 1 else sums


def risk_sets(
    years: np.ndarray,
    event: np.ndarray,
    entry: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> RiskSets:
    """Sort rows and find who is at risk when; a participant who enters at the time of a death is not yet at risk then.

    Parameters
    ----------
    years, event : arrays of shape (n,)
        End of observation, and 1 where it is a death.
    entry : array of shape (n,), optional
        Start of observation, before ``years``.
    strata : array of shape (n,), optional
        Any labels; only participants of one stratum are compared.
    weights : array of float, shape (n,), optional

    Raises
    ------
    FitError
        No participant dies, or a participant's observation has no length once near-ties are merged.
    """
    years, event = np.asarray(years, dtype=np.float64), np.asarray(event).astype(bool)
    n = len(years)
    if not event.any():
        raise FitError("no_events")
    merged = merge_near_ties(years if entry is None else np.concatenate([years, entry]))
    _, ticks = np.unique(merged, return_inverse=True)
    codes, levels = (np.zeros(n, dtype=np.int64), [""]) if strata is None else _codes(strata)
    wide = int(ticks.max()) + 1
    key = codes * wide + ticks[:n]
    order = np.argsort(key, kind="stable")
    key, codes, event = key[order], codes[order], event[order]
    weights = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)[order]
    deaths = np.flatnonzero(event)
    event_keys, starts, group, ties = np.unique(
        key[deaths], return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.arange(len(deaths)) - starts[group]
    late = None
    entry_keys = codes * wide
    entry_order = entry_first = None
    if entry is not None:
        late = merged[n:][order]
        entry_keys = codes * wide + ticks[n:][order]
        if (entry_keys >= key).any():
            raise FitError("late_start")
        entry_order = np.argsort(entry_keys, kind="stable")
        entry_first = np.asarray(np.searchsorted(entry_keys[entry_order], event_keys, "left"))
    before = np.searchsorted(event_keys, entry_keys, "left" if entry is None else "right")
    return RiskSets(
        order=order, entry=late, times=merged[:n][order], event=event, weights=weights, stratum=codes, levels=levels,
        deaths=deaths, group=group, starts=starts, fraction=rank / ties[group],
        step_weight=(np.add.reduceat(weights[deaths], starts) / ties)[group],
        first=np.asarray(np.searchsorted(key, event_keys, "left")), last=np.searchsorted(codes, event_keys // wide, "right"),
        entry_order=entry_order, entry_first=entry_first,
        before=before, upto=np.searchsorted(event_keys, key, "right"),
    )  # fmt: skip


def merge_near_ties(times: np.ndarray) -> np.ndarray:
    """Times whose distance is only rounding become one time, the first of them, as R's ``timefix`` makes them.

    Differences of dates in years (0.1 + 0.2 against 0.3) would otherwise break ties in an order that means nothing.
    """
    distinct = np.unique(times)
    gaps = np.diff(distinct)
    near = (gaps <= TIE) | (gaps <= TIE * np.abs(distinct).mean())
    if not near.any():
        return np.asarray(times, dtype=np.float64)
    kept = distinct[np.concatenate([[True], ~near])]
    return kept[np.searchsorted(kept, times, "right") - 1]


def _codes(strata: np.ndarray) -> tuple[np.ndarray, list]:
    codes, levels = pd.factorize(pd.Series(np.asarray(strata)), sort=True)
    if (codes < 0).any():
        raise FitError("missing_label", label="stratum")
    return codes.astype(np.int64), list(levels)


@dataclass(frozen=True, eq=False)
class EfronPass:
    """What one value of the coefficients gives."""

    risk: np.ndarray  # (..., n) weight times exp(linear predictor)
    # (..., d) hazard of each step: weight of the deaths over the risk of everybody at risk
    inverse: np.ndarray
    means: np.ndarray  # (..., p, d) mean of x at each step
    hazard: np.ndarray  # (..., n) cumulative baseline hazard that each row passed through
    log_likelihood: np.ndarray  # (...)


def efron_pass(sets: RiskSets, x: np.ndarray, eta: np.ndarray) -> EfronPass:
    """Sums over all participants at risk at each death.

    Parameters
    ----------
    sets : RiskSets
    x : array, shape (..., p, n)
        Centred, so that differences of sums keep their digits.
    eta : array, shape (..., n)
        Linear predictor.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        risk = sets.weights * np.exp(eta)
        total = sets.at_steps(risk)
        inverse = sets.step_weight / total
        value = eta[..., sets.deaths] @ sets.weights[sets.deaths] - np.log(total) @ sets.step_weight
        means = sets.at_steps(x * risk[..., None, :]) / total[..., None, :]
        return EfronPass(risk, inverse, means, sets.of_rows(inverse), value)


def log_likelihood(sets: RiskSets, eta: np.ndarray) -> float:
    """The partial likelihood alone."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        total = sets.at_steps(sets.weights * np.exp(eta))
        return eta[..., sets.deaths] @ sets.weights[sets.deaths] - np.log(total) @ sets.step_weight


def score(sets: RiskSets, x: np.ndarray, at: EfronPass) -> np.ndarray:
    """Slope of the log-likelihood, (..., p)."""
    observed = x[..., sets.deaths] @ sets.weights[sets.deaths]
    return observed - (x @ (at.risk * at.hazard)[..., None])[..., 0]


def information(
    sets: RiskSets, x: np.ndarray, at: EfronPass, multiplier: np.ndarray | None = None
) -> np.ndarray:
    """Minus the curvature, (..., p, p); with ``multiplier`` (d,) each step's share is multiplied by it."""
    hazard, weight = at.hazard, sets.step_weight
    if multiplier is not None:
        hazard, weight = sets.of_rows(at.inverse * multiplier), weight * multiplier
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (x * (at.risk * hazard)[..., None, :]) @ x.swapaxes(-1, -2)
        return squares - (at.means * weight) @ at.means.swapaxes(-1, -2)


def score_residuals(sets: RiskSets, x: np.ndarray, at: EfronPass) -> np.ndarray:
    """Each row's part of the slope, (p, n), for one model; weights are left out, as R's ``type = "score"``."""
    risk = at.risk / sets.weights
    parts = risk * (sets.of_rows(at.means * at.inverse) - x * at.hazard)
    parts[:, sets.deaths] += schoenfeld_residuals(sets, x, at)
    return parts


def schoenfeld_residuals(sets: RiskSets, x: np.ndarray, at: EfronPass) -> np.ndarray:
    """x of each death less its expectation among those at risk, (p, d), for one model."""
    mean = sets.over_ties(at.means)
    if sets.tied:
        mean = (mean / np.bincount(sets.group))[:, sets.group]
    return x[:, sets.deaths] - mean


def split_follow_up(
    years: np.ndarray, event: np.ndarray, entry: np.ndarray | None, cuts: Sequence[float]
) -> pd.DataFrame:
    """Each row cut at the given times, as R's ``survSplit``; a death at a cut belongs to the spell that ends there.

    Parameters
    ----------
    years, event : arrays of shape (n,)
    entry : array of shape (n,), or None for 0 (with a follow-up of 0 for -1, so that this row too has a
        spell)
    cuts : times

    Returns
    -------
    DataFrame
        row (place in the input), start, stop, event, spell (0 before the first cut).
    """
    years, event = np.asarray(years, dtype=np.float64), np.asarray(event, dtype=np.float64)
    if entry is None:
        entry = np.full(len(years), 0.0 if years.min(initial=1.0) > 0 else -1.0)
    entry = np.asarray(entry, dtype=np.float64)
    cuts = np.unique(np.asarray(cuts, dtype=np.float64))
    margin = TIE * max(1.0, float(np.abs(years).max(initial=1.0)))  # a spell shorter than a tie is none
    first = np.searchsorted(cuts, entry + margin, "right")
    last = np.searchsorted(cuts, years - margin, "left")
    n_spells = np.maximum(last - first, 0) + 1
    row = np.repeat(np.arange(len(years)), n_spells)
    number = np.arange(len(row)) - np.repeat(np.cumsum(n_spells) - n_spells, n_spells)
    spell = first[row] + number
    edges = np.concatenate([[-np.inf], cuts, [np.inf]])
    final = number == n_spells[row] - 1
    start = np.where(number == 0, entry[row], edges[spell])
    stop = np.where(final, years[row], edges[spell + 1])
    died = np.where(final, event[row], 0.0)
    return pd.DataFrame({"row": row, "start": start, "stop": stop, "event": died, "spell": spell})
