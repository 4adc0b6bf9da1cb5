"""Groups that may have a curve, and the numbers of the others, which are left out together."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from faceage_bio.privacy.suppressed import ESTIMATES, Suppressed
from faceage_bio.privacy.told_times import ALL, Curve, Key
from faceage_bio.stats.small_cells import hidden_counts, hidden_in_marked_line

COMPARED = ("difference", "ratio")  # measures of a group and the first one, with the people of both


def groups_of(*tables: pd.DataFrame) -> list[Key]:
    """All (grouping, group) that the tables name, in their order."""
    found: dict[Key, None] = {}
    for table in tables:
        if len(table):
            text = table[["grouping", "group"]].astype(object).where(table[["grouping", "group"]].notna(), "")
            found |= {
                (str(one.grouping), str(one.group)): None for one in text.itertuples() if one.group != ""
            }
    return list(found)


def deaths_of(table: pd.DataFrame, columns: list[str]) -> dict[Key, Curve]:
    """Times and numbers of deaths of each group, from its whole curve."""
    if not len(table):
        return {}
    return {
        (str(grouping), str(group)): (rows["years"].to_numpy(float), rows[columns].fillna(0).to_numpy(float))
        for (grouping, group), rows in table.sort_values("years").groupby(["grouping", "group"])
    }


def left_of(km: pd.DataFrame) -> dict[Key, Curve]:
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


def deaths_by_cause(cif: pd.DataFrame) -> dict[Key, Curve]:
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


def able_groups(
    one: Suppressed | None,
    summary: pd.DataFrame,
    groups: list[Key],
    deaths: Mapping[Key, Curve],
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
            few = _with_survivors(n, d, few, min_cell)
        no_people |= {key for key, lost in zip(keys, people, strict=True) if lost}
        no_deaths |= {key for key, lost in zip(keys, few, strict=True) if lost}
        able |= {
            key
            for key, m, k in zip(keys, n, d, strict=True)
            # steps and intervals of a curve give the number of people away
            if m >= min_cell and key not in no_people and (k >= min_cell or (k == 0 and key not in no_deaths))
        }
        if one is not None and len(summary):
            for key in keys:
                rows = one.table.index.isin(rows_of(summary, key))
                compared = rows & one.table["measure"].astype(str).str.startswith(COMPARED).to_numpy()
                lost_people, lost_deaths = (
                    key in no_people or keys[0] in no_people,
                    key in no_deaths or keys[0] in no_deaths,
                )
                one.hide((rows & (key in no_people)) | (compared & lost_people), ["n"])
                one.hide((rows & (key in no_deaths)) | (compared & lost_deaths), ["n_events"])
    return able, no_people, no_deaths


def _with_survivors(n: np.ndarray, d: np.ndarray, few: np.ndarray, min_cell: int) -> np.ndarray:
    """Further groups whose deaths are left out, so that those left out together have many survivors, or none.

    Their people are told, and their deaths together are what the others leave of all.
    """
    few = few.copy()
    while 0 < (n - d)[few].sum() < min_cell and not few.all():
        few[np.flatnonzero(~few)[np.argmax((n - d)[~few])]] = True
    return few


def _totals(summary: pd.DataFrame, groups: list[Key]) -> dict[Key, tuple[int, int]]:
    """People and deaths of each group, as the summary tells them."""
    if not len(summary):
        return {}
    own = summary[~summary["measure"].astype(str).str.startswith(COMPARED) & summary["n"].notna()]
    found = {key: own.loc[rows_of(own, key)] for key in groups}
    return {
        key: (int(rows["n"].iloc[0]), int(rows["n_events"].fillna(0).iloc[0]))
        for key, rows in found.items()
        if len(rows)
    }


def able_causes_of(
    one: Suppressed | None,
    competing: pd.DataFrame,
    by_cause: Mapping[Key, Curve],
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
                rows = one.table.index.isin(rows_of(competing, key))
                one.hide(rows & bool(row.any()), ["n_events"])
                one.hide(rows & (key not in ready), ESTIMATES)
    return ready, untold


def rows_of(table: pd.DataFrame, key: Key) -> pd.Index:
    """The rows of one group."""
    same = (table["grouping"].fillna("").astype(str) == key[0]) & (
        table["group"].fillna("").astype(str) == key[1]
    )
    return table.index[same]
