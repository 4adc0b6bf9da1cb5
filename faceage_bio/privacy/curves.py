"""Tables of survival curves, deaths by cause and numbers at risk, made fit to leave (`told_times` says at which times)."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from faceage_bio.privacy.curve_groups import (
    COMPARED,
    able_causes_of,
    able_groups,
    deaths_by_cause,
    deaths_of,
    groups_of,
    left_of,
    rows_of,
)
from faceage_bio.privacy.suppressed import ESTIMATES, Suppressed
from faceage_bio.privacy.told_times import (
    ALL,
    NEAR,
    Key,
    Told,
    counted_until,
    enough,
    has,
    in_both,
    many_left,
    settle_sums,
    tell,
    tell_between,
)

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
HEIGHTS = ("survival", "incidence", "standard_error", "ci_lower", "ci_upper")
NEEDED = {  # columns without which a table holds no curves
    "kaplan_meier": {"years", "at_risk", "events", "censored"}, "at_risk": {"years", *SUMS}, "incidence_at_risk": {"years", *SUMS},
    "summary": {"measure", "n", "n_events"}, "competing_risks": {"measure"}, "cumulative_incidence": {"years", "cause", "events"},
}  # fmt: skip


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
    deaths, by_cause = deaths_of(km, ["events"]), deaths_by_cause(cif)
    groups = groups_of(summary, risk, km)
    able, no_people, secret = able_groups(done.get("survival/summary"), summary, groups, deaths, min_cell)
    able_causes, secret_causes = able_causes_of(
        done.get("survival/competing_risks"), competing, by_cause, able, secret, min_cell
    )
    reading = sorted({*_years(risk), *_years(cif_risk), *_read_at(summary), *_read_at(competing)})
    left = left_of(km)

    # deaths of all causes
    told = Told({key: [] for key in groups})
    for key in able & set(deaths):
        times = [time for time in reading if many_left(left[key], time, min_cell)]
        told.times[key] = tell(deaths[key], times, min_cell, secret=key in secret)
    told.settle()
    fine = Told({key: [] for key in groups})
    for key in able & set(deaths):
        fine.times[key] = tell_between(
            deaths[key], told.times[key], min_cell, odd=key[0] == ALL, secret=key in secret
        )
        fine.times[key] = [time for time in fine.times[key] if many_left(left[key], time, min_cell)]
    fine.settle()
    if (ALL, ALL) in deaths:
        settle_sums([told, fine], deaths[ALL, ALL], min_cell)
    points = {key: sorted({*told.times[key], *fine.times[key]}) for key in groups}

    # numbers at risk
    numbers = Told({key: [] for key in groups})
    for key in able - no_people:
        numbers.times[key] = _tell_at_risk(risk, key, told.times[key], min_cell)
    numbers.settle()

    # deaths by cause, at times at which all deaths are told
    causes = Told({key: [] for key in groups})
    for key in able_causes & set(by_cause):
        causes.times[key] = tell(
            by_cause[key], points[key] if len(km) else reading, min_cell, secret=key in secret_causes
        )
    causes.settle()

    for name, rows, times, ok in (
        ("summary", summary, told, able),
        ("competing_risks", competing, causes, able_causes),
    ):
        if len(rows):
            _hide_readings(done[f"survival/{name}"], rows, times.times, ok)
    both = {key: in_both(numbers.times[key], causes.times[key]) for key in groups}
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


def _tell_at_risk(risk: pd.DataFrame, key: Key, told: list[float], min_cell: int) -> list[float]:
    """Times at which the number at risk differs enough from the last told; where deaths are told as well, so must censorings."""
    if not len(risk):
        return []
    rows = risk.loc[rows_of(risk, key)].sort_values("years")
    found, last, last_read = [], None, None
    for year, *now in rows[["years", *SUMS]].fillna(0).itertuples(index=False):
        now = np.array(now, dtype=float)
        read = has(told, year)
        if (
            not read and year > 0
        ):  # beside deaths told before and after, the number at risk would tell those in between
            continue
        fits = enough(now[:2], min_cell) and (last is None or enough(np.abs(now - last)[:2], min_cell))
        if fits and read:
            fits = enough(now[2:], min_cell) and (
                last_read is None or enough((now - last_read)[2:], min_cell)
            )
        if fits:
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
            lost = lost or not has(times.get(key, []), float(read[1]))
        if lost:
            one.hide(one.table.index == place, ESTIMATES)


def _hide_numbers(
    one: Suppressed, rows: pd.DataFrame, times: Mapping[Key, list[float]], read: Mapping[Key, list[float]]
) -> None:
    """Numbers at risk at times that are not told; deaths and censorings where the curve is not told."""
    for place, row in rows.iterrows():
        key, year = (str(row["grouping"]), str(row["group"])), float(row["years"])
        at_risk = has(times.get(key, []), year)
        if not at_risk:
            one.hide(one.table.index == place, ["at_risk", "entered"])
        if not (at_risk and has(read.get(key, []), year)):
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
        for name in HEIGHTS:  # with all their digits, heights tell who was censored in between
            if name in shown:
                shown[name] = shown[name].astype(float).round(3)
        until = counted_until((rows["years"].to_numpy(float), rows[["events"]].to_numpy(float)), told)[:, 0]
        parts.append(shown.assign(years=np.round(told, 9), events=np.diff(until, prepend=0.0).astype(int)))
    return pd.concat(parts, ignore_index=True) if parts else table.iloc[:0]
