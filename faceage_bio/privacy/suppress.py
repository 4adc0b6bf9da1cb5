"""From result tables to those that may leave: small numbers of people are left out, and what would give them away."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from faceage_bio.privacy.alike import tell_alike
from faceage_bio.privacy.cells import hide_cells
from faceage_bio.privacy.counts import counted_measures, is_count
from faceage_bio.privacy.curves import CURVES, suppress_curves
from faceage_bio.privacy.flow import hide_flow
from faceage_bio.privacy.movers import hide_movers
from faceage_bio.privacy.notes import without_small_numbers
from faceage_bio.privacy.sums import (
    SHARES,
    TELL_DEATHS,
    hide_chains,
    hide_elsewhere,
    hide_intervals,
    hide_lines,
    hide_linked,
    hide_nested,
)
from faceage_bio.privacy.suppressed import DIGITS, ESTIMATES, Suppressed
from faceage_bio.privacy.table_one import hide_table_one
from faceage_bio.privacy.tables import TABLES, Rule

EVENTS = {
    "n_events",
    "n_events_exposed",
    "n_events_reference",
    "events",
    "other_events",
    "censored",
    "entered",
    "n_gaps",
    "left_out",
    "n_alleles",
}
PARTS = {
    "n_carriers": "n",
    "n_level": "n",
    "n_high": "n",
    "n_with_cells": "n",
}  # a part of the people beside it
NOTES = {"note", "raw_note"}
WHY = "not shown, because fewer than {} people, or because it would tell of so few"
QUANTILES = re.compile(r"(^|_)(q(?P<share>\d\d)|median|(lower|upper)_quartile)$")
OF_DEATHS = (  # measures that tell about the people who died, if those are few
    "restricted mean", "median survival", "difference of restricted", "ratio of restricted",
)  # fmt: skip


def suppress(tables: Mapping[str, pd.DataFrame], min_cell: int) -> dict[str, Suppressed]:
    """The tables of a run made fit to leave.

    Counts of people, samples, photos and deaths from 1 to ``min_cell`` - 1 are left out on the raw counts. So is whatever was
    computed from so few people, and shares, survival and risks from which so few can be computed. Where numbers add up to one
    that is told, further ones are left out, so that no small number is given away (`tables.TABLES` says which add up).
    Curves are told at times between which at least ``min_cell`` people died.

    Parameters
    ----------
    tables : by their key in `tables.TABLES`; rows of several cohorts may be in one table
    min_cell : the smallest number that is told; 1 tells everything
    """

    found = suppress_each(tables, min_cell)
    if min_cell > 1:
        tell_alike(list(found.items()), min_cell)
    return found


def suppress_each(tables: Mapping[str, pd.DataFrame], min_cell: int) -> dict[str, Suppressed]:
    """The same before numbers of the same people in different tables are held against each other (`alike.tell_alike`)."""
    found = {key: Suppressed.of(table) for key, table in tables.items()}
    if min_cell <= 1:
        return found
    further = {"flow": hide_flow, "movers": hide_movers, "cells": hide_cells, "table one": hide_table_one}
    for key, one in found.items():
        if not len(one.table):
            continue
        for column in NOTES & set(one.table):
            one.table[column] = [without_small_numbers(note, min_cell) for note in one.table[column]]
        rule = TABLES[key]
        _hide_in(one, rule, min_cell)
        if rule.special in further:
            further[rule.special](one, min_cell)
    hide_elsewhere(found)
    found |= suppress_curves({key: found[key] for key in CURVES if key in found}, min_cell)
    for one in found.values():
        one.digits = DIGITS
        _say_the_same(one, min_cell)
    return found


def _hide_in(one: Suppressed, rule: Rule, min_cell: int) -> None:
    """What holds for every table."""
    table, values = one.table, one.values()
    people = [name for name in values if is_count(name) and name not in EVENTS and name not in PARTS]
    few = pd.Series(False, index=table.index)
    for name in people:
        few |= one.numbers(name).between(1, min_cell - 1)
    one.hide(few, values)
    rest = pd.Series(False, index=table.index)
    for part, whole in PARTS.items():
        few_of_it = one.numbers(part).between(1, min_cell - 1)
        rest |= few_of_it | (one.numbers(whole) - one.numbers(part)).between(1, min_cell - 1)
    one.hide(rest, [name for name in values if name not in {"n", "n_events", "events_per_term"}])
    _say(one, (few | rest) & one.numbers("estimate").notna(), min_cell)
    for name in filter(is_count, values):
        one.hide(one.numbers(name).between(1, min_cell - 1), [name])
    one.hide((one.numbers("n") - one.numbers("n_events")).between(1, min_cell - 1), ["n_events"])
    one.hide(
        one.numbers("left_out").between(1, min_cell - 1), ["n", "n_events"]
    )  # which all others would give away
    if (
        "n_alleles" in one.hidden
    ):  # beside the carriers, those who have two; beside the frequency, those not genotyped
        two = (one.numbers("n_alleles") - one.numbers("n_carriers")).between(1, min_cell - 1)
        one.hide(two, ["n_alleles", "hardy_weinberg_p"])
        if "frequency" in table:
            table["frequency"] = one.numbers("frequency").round(2)
    if {"term", "measure"} <= set(table):  # photos used: those told on the page, less the flagged ones
        flagged = table["measure"].eq("flagged") & one.numbers("estimate").between(1, min_cell - 1)
        places = [name for name in ("cohort", "analysis", "term", "model") if name in table]
        few_flagged = flagged.groupby([table[name].astype(str) for name in places]).transform("any")
        one.hide(few_flagged & table["measure"].eq("ok"), ["estimate"])
    _hide_quantiles(one, min_cell)
    _hide_counted(one, min_cell)
    if rule.special != "decisions":
        _hide_shares(one, min_cell)
    for keys, order, number in rule.chains:
        hide_chains(one, keys, order, number, min_cell)
    for keys in rule.lines:
        hide_lines(one, keys, min_cell)
    if rule.nested:
        hide_nested(one, rule.nested, min_cell)
    if rule.linked:
        hide_linked(one, rule.linked)
    if rule.spread:
        hide_intervals(one)
    if "n_events" in one.hidden:
        measures = table["measure"].astype(str) if "measure" in table else pd.Series("", index=table.index)
        lost, few = one.hidden["n_events"], one.numbers("n_events").between(1, min_cell - 1)
        one.hide(
            lost, ["events_per_term", "log_likelihood", "concordance"]
        )  # tell how many died, or at least
        if "measure" in table:
            one.hide(lost & measures.str.match(SHARES) & (one.numbers("n_events") > 0), ESTIMATES)
        if rule.special not in {"curves", "decisions"}:
            one.hide(lost & measures.str.startswith(TELL_DEATHS), ESTIMATES)
        one.hide(few & measures.str.startswith(OF_DEATHS), ESTIMATES)


def _hide_quantiles(one: Suppressed, min_cell: int) -> None:
    """Quantiles beyond which fewer than ``min_cell`` people lie: they are the value of one of them."""
    for name in one.table:
        if found := QUANTILES.search(name):
            share = int(found["share"]) / 100 if found["share"] else 0.5 if "median" in name else 0.25
            one.hide(one.numbers("n") * min(share, 1 - share) < min_cell, [name])


def _hide_counted(one: Suppressed, min_cell: int) -> None:
    """Estimates that are themselves numbers of people."""
    if "measure" in one.table:
        counted, number = counted_measures(one.table["measure"]), one.numbers("estimate")
        rest = one.numbers("n") - number  # few have not what all others have
        one.hide(counted & (number.between(1, min_cell - 1) | rest.between(1, min_cell - 1)), ESTIMATES)


def _hide_shares(one: Suppressed, min_cell: int) -> None:
    """Shares of people that are a small number of them, or all but a small number."""
    if "measure" in one.table:
        shares = one.table["measure"].astype(str).str.match(SHARES)
        one.hide(shares & _small_share(one.numbers("estimate"), one.numbers("n"), min_cell), ESTIMATES)
    for name in ("exposed_mean", "reference_mean"):  # of a level; the smaller group is not told here
        if "n_level" in one.table:
            rare = np.minimum(one.numbers(name), 1 - one.numbers(name)).between(1e-9, 0.1)
            one.hide(one.numbers("n_level").notna() & rare, ["exposed_mean", "reference_mean", "estimate"])


def _small_share(share: pd.Series, n: pd.Series, min_cell: int) -> pd.Series:
    number = share * n
    edge = 0.5
    return number.between(edge, min_cell - edge) | (n - number).between(edge, min_cell - edge)


def _say(one: Suppressed, rows: pd.Series, min_cell: int) -> None:
    if "note" in one.table and rows.any():
        one.table["note"] = one.table["note"].astype(object).mask(rows, WHY.format(min_cell))


def _say_the_same(one: Suppressed, min_cell: int) -> None:
    """One note for all numbers that are left out, so that none tells which of them is the small one."""
    if {"note", "n"} <= set(one.table):
        kept = one.table["note"].astype(str).str.startswith("do not").to_numpy()  # interpret: pages go by it
        lost = one.hidden["n"] & one.numbers("n").notna().to_numpy() & ~kept
        one.table["note"] = one.table["note"].astype(object).mask(lost, WHY.format(min_cell))
