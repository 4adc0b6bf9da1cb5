"""Times at which curves may be told, so that no step and no difference of groups tells few deaths.

A curve tells each death: a step's height times the number at risk is the number of deaths, and its place is the day on which a
single person died. So it is told at a few times only, each only if none or at least ``min_cell`` deaths lie between it and the last
told one, and after it.

Groups and everybody: at a time at which all groups but some are told, the others would be told by everybody's curve, or by
another grouping of the same people. So at each time either all groups of a grouping are told, or nobody's sum is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from faceage_bio.privacy.counts import MONTHS

ALL = "all"
NEAR = 1e-9
Key = tuple[str, str]  # grouping, group
Curve = tuple[np.ndarray, np.ndarray]  # ascending times, and what was counted at each


@dataclass
class Told:
    """Times at which each group of each grouping is told."""

    times: dict[Key, list[float]] = field(default_factory=dict)

    def settle(self) -> None:
        """No sum of groups gives away one that is not told (see the module)."""
        groupings: dict[str, list[Key]] = {}
        for key in self.times:
            groupings.setdefault(key[0], []).append(key)
        for time in sorted({time for times in self.times.values() for time in times}):
            share = {
                name: sum(has(self.times[key], time) for key in keys) / len(keys)
                for name, keys in groupings.items()
                if name != ALL
            }
            partial = [name for name, told in share.items() if 0 < told < 1]
            if partial:
                self.drop(groupings.get(ALL, []), time)
            if any(told == 1 for told in share.values()):
                for name in partial:
                    self.drop(groupings[name], time)

    def drop(self, keys: Iterable[Key], time: float) -> None:
        """A time is not told of these groups."""
        for key in keys:
            self.times[key] = [one for one in self.times[key] if abs(one - time) > NEAR]


def settle_sums(parts: Sequence[Told], everybody: Curve, min_cell: int) -> None:
    """Drop times at which the deaths of everybody, told as such or as the sum of all groups, differ by few from another such time.

    Parameters
    ----------
    parts : times that go first, then further ones
    everybody : times and numbers of all deaths
    """

    def died(time: float) -> int:
        return int(counted_until(everybody, [time])[0].sum())

    fixed: list[int] = []
    for part in parts:
        groupings: dict[str, list[Key]] = {}
        for key in part.times:
            groupings.setdefault(key[0], []).append(key)
        for name in sorted(groupings, key=lambda name: (part is not parts[0]) == (name == ALL)):
            keys = groupings[name]
            for time in list(part.times[keys[0]]):
                if all(has(part.times[key], time) for key in keys):
                    if any(0 < abs(died(time) - other) < min_cell for other in fixed):
                        part.drop(keys, time)
                    else:
                        fixed.append(died(time))


def told_times(
    times: np.ndarray, until: np.ndarray, total: np.ndarray, min_cell: int, *, secret: bool = False
) -> list[int]:
    """Which of ascending times to tell: between told ones and after the last, every count is 0 or at least ``min_cell``.

    With ``secret``, the total is not told, so that enough must be left after the last told time.

    Parameters
    ----------
    times : shape (t,)
    until : int array, shape (t, k): k counts (deaths, censorings ...) until each time
    total : shape (k,): the counts in the end
    """
    last, told = np.zeros(until.shape[1]), []
    for place in range(len(times)):
        between, after = until[place] - last, total - until[place]
        if enough(between, min_cell) and (
            bool((after >= min_cell).all()) if secret else enough(after, min_cell)
        ):
            told.append(place)
            last = until[place]
    return told


def enough(counts: np.ndarray, min_cell: int) -> bool:
    """Whether each number is 0 or one that may be told."""
    return bool(((counts == 0) | (counts >= min_cell)).all())


def counted_until(curve: Curve, times: Iterable[float]) -> np.ndarray:
    """Deaths up to and at each time; shape (n_times, n_causes)."""
    years, counts = curve
    sums = np.vstack([np.zeros(counts.shape[1]), np.cumsum(counts, axis=0)])
    return sums[np.searchsorted(years, np.asarray(list(times)) + NEAR, side="right")]


def tell(curve: Curve, times: Iterable[float], min_cell: int, *, secret: bool) -> list[float]:
    """Those of the times at which a step of the curve may stand."""
    times = sorted(times)
    if not times:
        return []
    places = told_times(
        np.array(times), counted_until(curve, times), curve[1].sum(axis=0), min_cell, secret=secret
    )
    return [times[place] for place in places]


def tell_between(curve: Curve, told: list[float], min_cell: int, *, odd: bool, secret: bool) -> list[float]:
    """Whole months between the told times; of everybody the middles of months, at which no group is told."""
    years, counts = curve
    if not len(years):
        return []
    step = 1 / MONTHS
    grid = np.arange(step * (1 if odd else 2), years[-1] + NEAR, 2 * step)
    ends = [*told, np.inf]
    found: list[float] = []
    for start, end in zip([0.0, *told], ends, strict=True):
        inside = grid[(grid > start + NEAR) & (grid < end - NEAR)]
        if not len(inside):
            continue
        before = (
            counted_until(curve, [start])[0]
            if told and start >= told[0] - NEAR
            else np.zeros(counts.shape[1])
        )
        after = counted_until(curve, [end])[0] if np.isfinite(end) else counts.sum(axis=0)
        last = before
        for time, until in zip(inside, counted_until(curve, inside), strict=True):
            between = until - last
            left = after - until
            ends_well = (
                (left >= min_cell).all() if secret and not np.isfinite(end) else enough(left, min_cell)
            )
            if (between >= min_cell).all() and ends_well:
                found.append(float(time))
                last = until
    return found


def many_left(left: Curve, time: float, min_cell: int) -> bool:
    """Whether nobody, or not only a few, are followed beyond a time: a curve's height tells how many of them live."""
    years, after = left
    place = int(np.searchsorted(years, time + NEAR, side="right")) - 1
    return place < 0 or after[place] == 0 or after[place] >= min_cell


def has(times: Iterable[float], time: float) -> bool:
    """Whether the time is among them, but for rounding."""
    return any(abs(one - time) <= NEAR for one in times)


def in_both(first: list[float], second: list[float]) -> list[float]:
    """Times of the first that are among the second too."""
    return [time for time in first if has(second, time)]
