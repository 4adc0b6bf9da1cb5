"""What stands beside a number that is not told exactly, and would tell it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.privacy.counts import counted_measures
from faceage_bio.privacy.notes import without_quotient
from faceage_bio.privacy.sums import SHARES, TELL_DEATHS
from faceage_bio.privacy.suppressed import ESTIMATES, Suppressed, groups_of_rows
from faceage_bio.privacy.tables import TABLES
from faceage_bio.privacy.who import UNITS, Told, nearest, rounded

GIVEN_AWAY = (
    "df_residual",
    "error_df",
    "standard_error",
)  # people less what was estimated, or tell it beside an interval
OF_CAUSES = {"survival/incidence_at_risk", "survival/cumulative_incidence"}


def tell_at_risk(tables: Sequence[tuple[str, Suppressed]], min_cell: int) -> None:
    """People at risk whose cause of death is known beside all people at risk at the same time."""
    place = ["cohort", "grouping", "group", "years"]
    parts = [
        one for key, one in tables if key == "survival/at_risk" and {*place, "at_risk"} <= set(one.table)
    ]
    everybody = {
        tuple(at): n
        for one in parts
        for *at, n in zip(*(one.table[name] for name in place), one.exact("at_risk"), strict=True)
    }
    near = {
        tuple(group)
        for key, one in tables
        if key == "survival/competing_risks" and set(place[:3]) <= set(one.table) and one.is_about("n").any()
        for group in one.table.loc[one.is_about("n"), place[:3]].itertuples(index=False)
    }
    for key, one in tables:
        if key in OF_CAUSES and set(place) <= set(one.table) and len(one.table):
            few = np.array(
                [tuple(group) in near for group in one.table[place[:3]].itertuples(index=False)], dtype=bool
            )
            one.hide(few, ["events", "other_events", "censored", "entered"])
            _round_shares(one, few, ["incidence"])
            if key == "survival/incidence_at_risk":
                all_people = np.array(
                    [everybody.get(tuple(at), np.nan) for at in one.table[place].itertuples(index=False)]
                )
                apart = np.abs(all_people - one.exact("at_risk"))
                one.tell_about((apart > 0) & (apart < min_cell), "at_risk", all_people)


def tell_with(one: Suppressed, told: Told, min_cell: int) -> None:
    """What stands beside a number of people that is not exact, and would tell it."""
    people, n = one.is_about("n"), one.numbers("n").to_numpy(float)
    deaths = one.exact("n_events")
    rows = people & (deaths >= min_cell)
    instead = np.full(len(rows), np.nan)
    instead[rows] = [
        next(
            (other for other in told.get((str(cohort), "n_events", ""), ()) if abs(other - died) < min_cell),
            rounded(died, min_cell),
        )
        for cohort, died in zip(one.table["cohort"][rows], deaths[rows], strict=True)
    ]
    one.tell_about(rows, "n_events", instead)
    lost = one.exact("left_out")
    if people.any():
        one.tell_about(people & (lost >= min_cell), "left_out", lost + n - one.about["n"])
        if "measure" in one.table:  # a measure that counts all of them
            one.tell_about(
                people & (one.exact("estimate") == n) & _counts_people(one.table), "estimate", one.about["n"]
            )
    not_exact = one.is_about("n_events")
    if "measure" in one.table:
        measures = one.table["measure"].astype(str)
        shares = measures.str.match(SHARES) | measures.str.startswith(TELL_DEATHS)
        _round_shares(one, people & shares.to_numpy(), ["estimate"])
        one.hide(not_exact & measures.str.match(SHARES).to_numpy(), ESTIMATES)
    if not_exact.any() and "events_per_term" in one.table:
        share = np.where(not_exact, one.about["n_events"] / one.numbers("n_events").to_numpy(float), 1.0)
        per_term = one.numbers("events_per_term").to_numpy(float)
        # rows about some of the people tell the deaths per term of all
        one.hide(~not_exact & np.isin(per_term, per_term[not_exact]), ["events_per_term"])
        one.table["events_per_term"] = np.where(not_exact, np.round(per_term * share, 1), per_term)
    one.hide(people | not_exact, GIVEN_AWAY)
    if "note" in one.table and "n_events" in one.table:
        quotients = np.where(np.isnan(deaths) | not_exact, np.nan, one.exact("events_per_term"))
        one.table["note"] = [
            without_quotient(note, f"{quotient:.1f}")
            for note, quotient in zip(one.table["note"], quotients, strict=True)
        ]


def hide_nested(tables: Sequence[tuple[str, Suppressed]], told: Told, min_cell: int) -> None:
    """Of a score, the people whose answer is known, where they are few fewer than others who are told."""
    for key, one in tables:
        if TABLES[key].nested and {"cohort", "n"} <= set(one.table) and len(one.table):
            others = [told.get((str(cohort), "n", ""), []) for cohort in one.table["cohort"]]
            near = [
                n == n and nearest(int(n), known, min_cell) is not None
                for n, known in zip(one.exact("n"), others, strict=True)
            ]
            one.hide(np.array(near, dtype=bool), ["n"])


def hide_stages(one: Suppressed, told: Told, min_cell: int) -> None:
    """In the flow, who goes on to a stage of which another table tells about; and so who is left out there, and at the next."""
    numbers, excluded = (
        one.numbers("n").fillna(0).to_numpy().astype(int),
        one.table["status"].eq("excluded").to_numpy(),
    )
    came: dict[tuple, bool] = {}  # of a unit, whether those whom the stage before let pass are left out
    for (cohort, unit, _), rows in groups_of_rows(one.table, ("cohort", "unit", "stage")):
        if unit not in UNITS:
            continue
        others, used = (
            told.get((str(cohort), "n", UNITS[unit]), []),
            int(numbers[rows][~excluded[rows]].sum()),
        )
        lost = used not in others and nearest(used, others, min_cell) is not None
        gone = rows if lost else rows[excluded[rows]] if came.get((cohort, unit)) else rows[:0]
        one.hide(np.isin(np.arange(len(numbers)), gone) & (numbers > 0), ["n"])
        came[cohort, unit] = lost


def _round_shares(one: Suppressed, rows: np.ndarray, columns: Sequence[str]) -> None:
    """Shares of a number of people that is not exact: with more digits, only one number of people has them."""
    for column in (*columns, "ci_lower", "ci_upper"):
        if rows.any() and column in one.table and pd.api.types.is_numeric_dtype(one.table[column]):
            one.table[column] = one.table[column].mask(rows, one.table[column].round(2))


def _counts_people(table: pd.DataFrame) -> np.ndarray:
    return (
        counted_measures(table["measure"]) | table["measure"].astype(str).str.startswith("profiles")
    ).to_numpy()
