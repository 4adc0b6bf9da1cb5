"""Curves of survival and of deaths by cause, told at times between which enough people died.

A curve tells each death: a step's height times the number at risk is the number of deaths, and its place is the day on which a
single person died. So a curve is told at a few times only: those at which the reports read it (whole years and the declared
times), and whole months between them, each only if none or at least ``min_cell`` deaths lie between it and the last told one,
and after it.

Groups and everybody: at a time at which all groups but some are told, the others would be told by everybody's curve, or by
another grouping of the same people. So at each time either all groups of a grouping are told, or nobody's sum is.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from faceage_bio.privacy.counts import MONTHS
from faceage_bio.privacy.suppress import ESTIMATES, Suppressed
from faceage_bio.stats.small_cells import hidden_counts, hidden_in_marked_line

ALL = "all"
CURVES = tuple(
    f"survival/{name}"
    for name in (
        "kaplan_meier",
        "at_risk",
        "summary",
        "competing_risks",
        "cumulative_incidence",
        "incidence_at_risk",
    )
)
READ_AT = re.compile(r"(?:survival at|within) ([\d.]+) years?$")
SUMS = ("at_risk", "entered", "events", "censored")
COMPARED = ("difference", "ratio")  # measures of a group and the first one, with the people of both
HEIGHTS = ("survival", "incidence", "standard_error", "ci_lower", "ci_upper")
NEEDED = {  # columns without which a table holds no curves
    "kaplan_meier": {"years", "at_risk", "events", "censored"}, "at_risk": {"years", *SUMS}, "incidence_at_risk": {"years", *SUMS},
    "summary": {"measure", "n", "n_events"}, "competing_risks": {"measure"}, "cumulative_incidence": {"years", "cause", "events"},
}  # fmt: skip
NEAR = 1e-9
Key = tuple[str, str]  # grouping, group


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
                name: sum(_has(self.times[key], time) for key in keys) / len(keys)
                for name, keys in groupings.items()
                if name != ALL
            }
            partial = [name for name, told in share.items() if 0 < told < 1]
            if partial:
                self._drop(groupings.get(ALL, []), time)
            if any(told == 1 for told in share.values()):
                for name in partial:
                    self._drop(groupings[name], time)

    def _drop(self, keys: Iterable[Key], time: float) -> None:
        for key in keys:
            self.times[key] = [one for one in self.times[key] if abs(one - time) > NEAR]


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
        if _enough(between, min_cell) and (
            bool((after >= min_cell).all()) if secret else _enough(after, min_cell)
        ):
            told.append(place)
            last = until[place]
    return told


def _enough(counts: np.ndarray, min_cell: int) -> bool:
    return bool(((counts == 0) | (counts >= min_cell)).all())


def suppress_curves(tables: Mapping[str, Suppressed], min_cell: int) -> dict[str, Suppressed]:
    """Tables of curves, of numbers at risk and of what is read off curves, made fit to leave.

    Parameters
    ----------
    tables : those of `CURVES` that there are
    """
    done = dict(tables)
    whole = {
        key: one
        for key, one in tables.items()
        if {"cohort", "grouping", "group", *NEEDED[key.split("/")[1]]} <= set(one.table)
    }
    cohorts = {cohort for one in whole.values() for cohort in one.table["cohort"].dropna().unique()}
    parts: dict[str, list[pd.DataFrame]] = {}
    for cohort in sorted(cohorts):
        mine = {
            key.split("/")[1]: one.table[one.table["cohort"] == cohort]
            for key, one in whole.items()
            if len(one.table)
        }
        for key, table in _one_cohort(mine, done, min_cell).items():
            parts.setdefault(key, []).append(table)
    for key, found in parts.items():
        kept = [table for table in found if len(table)] or found[:1]
        done[f"survival/{key}"] = Suppressed.of(pd.concat(kept, ignore_index=True))
    return done


def _one_cohort(
    mine: dict[str, pd.DataFrame], done: dict[str, Suppressed], min_cell: int
) -> dict[str, pd.DataFrame]:
    """Curves with fewer steps; cells of the other tables are hidden where they lie."""
    summary, competing = mine.get("summary", pd.DataFrame()), mine.get("competing_risks", pd.DataFrame())
    km, cif = mine.get("kaplan_meier", pd.DataFrame()), mine.get("cumulative_incidence", pd.DataFrame())
    risk, cif_risk = mine.get("at_risk", pd.DataFrame()), mine.get("incidence_at_risk", pd.DataFrame())
    deaths, by_cause = _deaths(km, ["events"]), _by_cause(cif)
    groups = _groups_of(summary, risk, km)
    able, no_people, secret = _able_groups(done.get("survival/summary"), summary, groups, deaths, min_cell)
    able_causes, secret_causes = _able_causes(
        done.get("survival/competing_risks"), competing, by_cause, able, secret, min_cell
    )
    reading = sorted({*_years(risk), *_years(cif_risk), *_read_at(summary), *_read_at(competing)})
    left = _left(km)

    # deaths of all causes
    told = Told({key: [] for key in groups})
    for key in able & set(deaths):
        times = [time for time in reading if _many_left(left[key], time, min_cell)]
        told.times[key] = _tell(deaths[key], times, min_cell, secret=key in secret)
    told.settle()
    fine = Told({key: [] for key in groups})
    for key in able & set(deaths):
        fine.times[key] = _tell_between(
            deaths[key], told.times[key], min_cell, odd=key[0] == ALL, secret=key in secret
        )
        fine.times[key] = [time for time in fine.times[key] if _many_left(left[key], time, min_cell)]
    fine.settle()
    points = {key: sorted({*told.times[key], *fine.times[key]}) for key in groups}

    # numbers at risk
    numbers = Told({key: [] for key in groups})
    for key in able - no_people:
        numbers.times[key] = _tell_at_risk(risk, key, told.times[key], min_cell)
    numbers.settle()

    # deaths by cause, at times at which all deaths are told
    causes = Told({key: [] for key in groups})
    for key in able_causes & set(by_cause):
        causes.times[key] = _tell(
            by_cause[key], points[key] if len(km) else reading, min_cell, secret=key in secret_causes
        )
    causes.settle()

    for name, rows, times, ok in (
        ("summary", summary, told, able),
        ("competing_risks", competing, causes, able_causes),
    ):
        if len(rows):
            _hide_readings(done[f"survival/{name}"], rows, times.times, ok)
    both = {key: _both(numbers.times[key], causes.times[key]) for key in groups}
    for name, rows, times, read in (
        ("at_risk", risk, numbers.times, told.times),
        ("incidence_at_risk", cif_risk, both, both),
    ):
        if len(rows):
            _hide_numbers(done[f"survival/{name}"], rows, times, read)
    return {
        **({"kaplan_meier": _thinned(km, points, [])} if len(km) else {}),
        **({"cumulative_incidence": _thinned(cif, causes.times, ["cause"])} if len(cif) else {}),
    }


def _groups_of(*tables: pd.DataFrame) -> list[Key]:
    found: dict[Key, None] = {}
    for table in tables:
        if len(table):
            text = table[["grouping", "group"]].astype(object).where(table[["grouping", "group"]].notna(), "")
            found |= {
                (str(one.grouping), str(one.group)): None for one in text.itertuples() if one.group != ""
            }
    return list(found)


def _deaths(table: pd.DataFrame, columns: list[str]) -> dict[Key, tuple[np.ndarray, np.ndarray]]:
    """Times and numbers of deaths of each group, from its whole curve."""
    if not len(table):
        return {}
    return {
        (str(grouping), str(group)): (rows["years"].to_numpy(float), rows[columns].fillna(0).to_numpy(float))
        for (grouping, group), rows in table.sort_values("years").groupby(["grouping", "group"])
    }


def _left(km: pd.DataFrame) -> dict[Key, tuple[np.ndarray, np.ndarray]]:
    """Times, and who is still followed after each, of each group."""
    if not len(km):
        return {}
    after = km["at_risk"] - km["events"] - km["censored"]
    return {
        (str(grouping), str(group)): (rows["years"].to_numpy(float), rows["after"].to_numpy(float))
        for (grouping, group), rows in km.assign(after=after)
        .sort_values("years")
        .groupby(["grouping", "group"])
    }


def _many_left(left: tuple[np.ndarray, np.ndarray], time: float, min_cell: int) -> bool:
    """Whether nobody, or not only a few, are followed beyond a time: a curve's height tells how many of them live."""
    years, after = left
    place = int(np.searchsorted(years, time + NEAR, side="right")) - 1
    return place < 0 or after[place] == 0 or after[place] >= min_cell


def _by_cause(cif: pd.DataFrame) -> dict[Key, tuple[np.ndarray, np.ndarray]]:
    """Times and numbers of deaths of each cause (columns) of each group."""
    if not len(cif):
        return {}
    found = {}
    for (grouping, group), rows in cif.groupby(["grouping", "group"]):
        wide = rows.pivot_table(
            index="years", columns="cause", values="events", aggfunc="sum", fill_value=0
        ).sort_index()
        found[str(grouping), str(group)] = (wide.index.to_numpy(float), wide.to_numpy(float))
    return found


def _able_groups(
    one: Suppressed | None,
    summary: pd.DataFrame,
    groups: list[Key],
    deaths: Mapping[Key, tuple],
    min_cell: int,
) -> tuple[set[Key], set[Key], set[Key]]:
    """Groups that can have a curve, those whose people are not told, and those whose deaths are not.

    What is not told is hidden in the summary, also where two groups are compared and counted together.
    """
    totals, died = _totals(summary, groups), {key: int(both[1].sum()) for key, both in deaths.items()}
    able, no_people, no_deaths = set(), set(), set()
    for grouping in dict.fromkeys(key[0] for key in groups):
        keys = [key for key in groups if key[0] == grouping]
        found = [totals.get(key, (max(min_cell, 2 * died.get(key, 0)), died.get(key, 0))) for key in keys]
        n, d = np.array(found, dtype=int).reshape(-1, 2).T
        people = (n > 0) & (n < min_cell)
        few = ((d > 0) & (d < min_cell)) | ((n - d > 0) & (n - d < min_cell)) | people
        if grouping != ALL:
            people, few = hidden_in_marked_line(n, min_cell), hidden_in_marked_line(d, min_cell, few)
        no_people |= {key for key, lost in zip(keys, people, strict=True) if lost}
        no_deaths |= {key for key, lost in zip(keys, few, strict=True) if lost}
        able |= {
            key
            for key, m, k in zip(keys, n, d, strict=True)
            if m >= min_cell and (k >= min_cell or (k == 0 and key not in no_deaths))
        }
        if one is not None and len(summary):
            for key in keys:
                rows = one.table.index.isin(_rows_of(summary, key))
                compared = rows & one.table["measure"].astype(str).str.startswith(COMPARED).to_numpy()
                lost_people, lost_deaths = (
                    key in no_people or keys[0] in no_people,
                    key in no_deaths or keys[0] in no_deaths,
                )
                one.hide((rows & (key in no_people)) | (compared & lost_people), ["n"])
                one.hide((rows & (key in no_deaths)) | (compared & lost_deaths), ["n_events"])
    return able, no_people, no_deaths


def _totals(summary: pd.DataFrame, groups: list[Key]) -> dict[Key, tuple[int, int]]:
    """People and deaths of each group, as the summary tells them."""
    if not len(summary):
        return {}
    own = summary[~summary["measure"].astype(str).str.startswith(COMPARED) & summary["n"].notna()]
    found = {key: own.loc[_rows_of(own, key)] for key in groups}
    return {
        key: (int(rows["n"].iloc[0]), int(rows["n_events"].fillna(0).iloc[0]))
        for key, rows in found.items()
        if len(rows)
    }


def _able_causes(
    one: Suppressed | None,
    competing: pd.DataFrame,
    by_cause: Mapping[Key, tuple],
    able: set[Key],
    secret: set[Key],
    min_cell: int,
) -> tuple[set[Key], set[Key]]:
    """Groups that can have curves by cause, with enough deaths of each, and those whose deaths by cause are not told."""
    ready, untold = set(), set()
    for grouping in dict.fromkeys(key[0] for key in by_cause):
        keys = [key for key in by_cause if key[0] == grouping]
        width = max(by_cause[key][1].shape[1] for key in keys)
        table = np.array([
            np.pad(by_cause[key][1].sum(axis=0), (0, width - by_cause[key][1].shape[1])) for key in keys
        ]).astype(int)  # fmt: skip
        few = (table > 0) & (table < min_cell)
        sums = np.array([key in secret or key not in able for key in keys])
        if len(keys) > 1:
            lost, _, _ = hidden_counts(
                table, min_cell, hidden_sums=sums, hidden=np.repeat(sums[:, None], width, axis=1)
            )
        else:
            lost = few
        ready |= {key for key, row in zip(keys, few, strict=True) if key in able and not row.any()}
        untold |= {key for key, row in zip(keys, lost, strict=True) if row.any()}
        if one is not None and len(competing):
            for key, row in zip(keys, lost, strict=True):
                rows = one.table.index.isin(_rows_of(competing, key))
                one.hide(rows & bool(row.any()), ["n_events"])
                one.hide(rows & (key not in ready), ESTIMATES)
    return ready, untold


def _rows_of(table: pd.DataFrame, key: Key) -> pd.Index:
    same = (table["grouping"].fillna("").astype(str) == key[0]) & (
        table["group"].fillna("").astype(str) == key[1]
    )
    return table.index[same]


def _years(table: pd.DataFrame) -> set[float]:
    return set(table["years"].astype(float)) if len(table) else set()


def _read_at(table: pd.DataFrame) -> set[float]:
    if not len(table):
        return set()
    return {
        float(found[1])
        for measure in table["measure"].astype(str)
        if (found := READ_AT.search(measure)) and not measure.startswith(("restricted", *COMPARED))
    }


def _until(curve: tuple[np.ndarray, np.ndarray], times: Iterable[float]) -> np.ndarray:
    years, counts = curve
    sums = np.vstack([np.zeros(counts.shape[1]), np.cumsum(counts, axis=0)])
    return sums[np.searchsorted(years, np.asarray(list(times)) + NEAR, side="right")]


def _tell(
    curve: tuple[np.ndarray, np.ndarray], times: Iterable[float], min_cell: int, *, secret: bool
) -> list[float]:
    times = sorted(times)
    if not times:
        return []
    places = told_times(np.array(times), _until(curve, times), curve[1].sum(axis=0), min_cell, secret=secret)
    return [times[place] for place in places]


def _tell_between(
    curve: tuple[np.ndarray, np.ndarray], told: list[float], min_cell: int, *, odd: bool, secret: bool
) -> list[float]:
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
        before = _until(curve, [start])[0] if told and start >= told[0] - NEAR else np.zeros(counts.shape[1])
        after = _until(curve, [end])[0] if np.isfinite(end) else counts.sum(axis=0)
        last = before
        for time, until in zip(inside, _until(curve, inside), strict=True):
            between = until - last
            left = after - until
            ends_well = (
                (left >= min_cell).all() if secret and not np.isfinite(end) else _enough(left, min_cell)
            )
            if (between >= min_cell).all() and ends_well:
                found.append(float(time))
                last = until
    return found


def _tell_at_risk(risk: pd.DataFrame, key: Key, told: list[float], min_cell: int) -> list[float]:
    """Times at which the number at risk differs enough from the last told; where deaths are told as well, so must censorings."""
    if not len(risk):
        return []
    rows = risk.loc[_rows_of(risk, key)].sort_values("years")
    found, last, last_read = [], None, None
    for year, *now in rows[["years", *SUMS]].fillna(0).itertuples(index=False):
        now = np.array(now, dtype=float)
        read = _has(told, year)
        enough = _enough(now[:2], min_cell) and (last is None or _enough(np.abs(now - last)[:2], min_cell))
        if enough and read:
            enough = _enough(now[2:], min_cell) and (
                last_read is None or _enough((now - last_read)[2:], min_cell)
            )
        if enough:
            found.append(float(year))
            last, last_read = now, now if read else last_read
    return found


def _hide_readings(
    one: Suppressed, rows: pd.DataFrame, times: Mapping[Key, list[float]], able: set[Key]
) -> None:
    """Heights of curves at times that are not told, and what compares with a group that has no curve."""
    references: dict[str, bool] = {}
    for place, row in rows.iterrows():
        key = (str(row["grouping"]), "" if pd.isna(row["group"]) else str(row["group"]))
        if key[1] == "":
            continue
        measure = str(row["measure"])
        compares = measure.startswith(COMPARED)
        first = references.setdefault(key[0], key in able)
        lost = key not in able or (compares and not first)
        if (read := READ_AT.search(measure)) and not measure.startswith(
            ("restricted", "difference", "ratio")
        ):
            lost = lost or not _has(times.get(key, []), float(read[1]))
        if lost:
            one.hide(one.table.index == place, ESTIMATES)


def _hide_numbers(
    one: Suppressed, rows: pd.DataFrame, times: Mapping[Key, list[float]], read: Mapping[Key, list[float]]
) -> None:
    """Numbers at risk at times that are not told; deaths and censorings where the curve is not told."""
    for place, row in rows.iterrows():
        key, year = (str(row["grouping"]), str(row["group"])), float(row["years"])
        at_risk = _has(times.get(key, []), year)
        if not at_risk:
            one.hide(one.table.index == place, ["at_risk", "entered"])
        if not (at_risk and _has(read.get(key, []), year)):
            one.hide(one.table.index == place, ["events", "censored"])


def _thinned(table: pd.DataFrame, points: Mapping[Key, list[float]], further: list[str]) -> pd.DataFrame:
    """The curve at the told times: its height there, and the deaths since the time before."""
    parts = []
    for keys, rows in table.groupby(["grouping", "group", *further], sort=False):
        told = points.get((str(keys[0]), str(keys[1])), [])
        if not told:
            continue
        rows = rows.sort_values("years")
        at = np.searchsorted(rows["years"].to_numpy(float), np.array(told) + NEAR, side="right") - 1
        shown = rows.iloc[np.maximum(at, 0)].copy()
        early = at < 0
        for name in HEIGHTS:
            if name in shown:
                start = {"survival": 1.0, "incidence": 0.0}.get(name, np.nan)
                shown[name] = np.where(early, start, shown[name])
        for name in ("at_risk", "entered", "censored", "other_events"):
            if name in shown:
                shown[name] = np.nan
        until = _until((rows["years"].to_numpy(float), rows[["events"]].to_numpy(float)), told)[:, 0]
        parts.append(shown.assign(years=told, events=np.diff(until, prepend=0.0).astype(int)))
    return pd.concat(parts, ignore_index=True) if parts else table.iloc[:0]


def _has(times: Iterable[float], time: float) -> bool:
    return any(abs(one - time) <= NEAR for one in times)


def _both(first: list[float], second: list[float]) -> list[float]:
    return [time for time in first if _has(second, time)]
