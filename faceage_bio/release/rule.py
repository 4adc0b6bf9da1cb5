"""The release rule: exact result tables in, tables that may leave out (docs/privacy.md).

Every count of participants, samples, photos or events is rounded once and directly by midpoint rounding, as OpenSAFELY does. In a row
of which any count is 1 to k, or whose model has fewer than 10 residual degrees of freedom, statistics are redacted. What is left has
three significant digits. A statistic that is a closed function of counts is computed again from the rounded counts, or redacted: the
kind of a measure (results/measures.py) and the declaration of a table (results/tables.py) say which it is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple

import numpy as np
import pandas as pd

from faceage_bio.core.columns import POOLED, THIRDS
from faceage_bio.core.parse import to_numbers
from faceage_bio.core.results import reasons
from faceage_bio.core.results.measures import COUNT, EXTREME, MEASURES, MODEL, OF_COUNTS, TEST, Measure
from faceage_bio.core.results.result_tables import TABLES, count_columns, is_count, key_of, never_released
from faceage_bio.core.results.row import ESTIMATES, by_cell
from faceage_bio.stats.competing_risks import cumulative_incidence
from faceage_bio.stats.kaplan_meier import kaplan_meier, median, risk_table
from faceage_bio.stats.minimum_sizes import RESIDUAL_DF

DIGITS = 3  # significant, of a released statistic
GRID = 0.1  # of released curves, years: at the exact time of a change the exact count would be the first of its step
CAUSES = {"events": 1, "other_events": 2, "censored": 0}
CURVE = ("cohort", "grouping", "group", "cause")
# measures at a time: the column of the curve
VALUES = {"survival": "survival", "cumulative incidence": "incidence"}
GRIDDED = ("years", "value")  # places of a smooth curve, whose ends are dates of participants: one decimal
# columns that groups of one parting have in common
ALIKE = (
    "cohort", "measure", "grouping", "variable", "level", "comparison", "kind", "method", "exposure", "horizon", "step",
)  # fmt: skip
Tables = dict[str, pd.DataFrame]


def midpoint(counts: pd.Series | np.ndarray | float, k: int) -> np.ndarray:
    """Midpoint rounding of non-negative counts: 0 stays 0; 1 to k becomes the middle of 1 to k, and so on.

    ``ceil(x / k) * k - floor(k / 2) * [x != 0]`` (OpenSAFELY, "midpoint 6" for k = 6); k = 1 changes nothing. NaN stays NaN.
    """
    values = np.asarray(counts, dtype=float)
    return np.ceil(values / k) * k - np.floor(k / 2) * (values != 0)


def significant(values: pd.Series | np.ndarray) -> np.ndarray:
    """Rounded to `DIGITS` significant digits; zero, NaN and infinity stay."""
    return np.vectorize(lambda number: float(f"{number:.{DIGITS}g}"), otypes=[float])(values)


def evened(counts: pd.DataFrame | pd.Series, by: Sequence) -> pd.DataFrame | pd.Series:
    """Counts of groups that differ by one at most (tertiles, tenths) as their mean: on either side of a step they would tell their sum."""
    groups = counts.groupby(by, dropna=False)
    return counts.mask(groups.transform("max") - groups.transform("min") <= 1, groups.transform("mean"))


def release_curves(
    shared: Mapping[str, pd.DataFrame], made: Mapping[str, pd.DataFrame], k: int
) -> dict[str, pd.DataFrame]:
    """The tables of curves and of numbers at risk, and those with numbers read off them: all from rounded cumulative counts.

    As in OpenSAFELY's Kaplan-Meier action, per curve cumulative entries, events and censorings are rounded. They stand for as many
    participants, and what the analysis made of the exact ones is made of these again: survival, cumulative incidence, their
    intervals, numbers at risk, and what is read off a curve. The size of tertiles is known to a third of k, and what they are parted
    into could add up to it in one way alone. So their censorings are told as far as they leave it open, and events of two kinds are
    not told.

    Parameters
    ----------
    shared, made : result tables by place, exact and as far as they are released
    k : rounding of counts, 2 or more
    """
    found = {}
    for place, table in shared.items():
        declared = TABLES[key_of(place)]
        curves = shared.get(place.removesuffix(key_of(place)) + declared.curve)
        if declared.curve and curves is not None and len(curves) and len(table):
            told = table[~table["group"].isin(THIRDS)] if "other_events" in curves else table
            groups = _each_group(told, curves, k)
            of_told = made[place].loc[told.index]
            found[place] = _read_off(of_told, groups) if declared.rows else _drawn(told, groups)
    return found


def _each_group(table: pd.DataFrame, curves: pd.DataFrame, k: int) -> Iterator[tuple[pd.DataFrame, ...]]:
    """Rows of a table, the exact curve of their participants, and as many as its rounded counts say; no group of 1 to k."""
    names = [name for name in CURVE if name in table and name in curves]
    of_group = dict(list(curves.drop_duplicates([*names, "years"]).groupby(names)))
    n = pd.Series({group: _came(curve).sum() for group, curve in of_group.items()})
    n = evened(n, [n.index.get_level_values(level) for level in (0, 1)])
    for group, rows in table.groupby(names, sort=False):
        if group in of_group:
            most = np.ceil(3 * n[group] / k) * k // 3 if {*group} & {*THIRDS} else np.inf
            if len(people := _participants(of_group[group], n[group], most, k)):
                yield rows, of_group[group], people


def _came(curve: pd.DataFrame) -> pd.Series:
    """How many entered since the row before."""
    gone = curve[[name for name in CAUSES if name in curve]].fillna(0).sum(axis=1)
    return (curve["at_risk"] + gone.cumsum() - gone).diff().fillna(curve["at_risk"].iloc[0])


def _participants(curve: pd.DataFrame, n: float, most: float, k: int) -> pd.DataFrame:
    """Entry, years and cause of as many participants as the rounded counts say; who never left is censored at the end.

    ``most``: as many as there can be, as far as is known elsewhere.
    """
    came, years = _came(curve), _grid(curve["years"])
    left = curve[[name for name in CAUSES if name in curve]].fillna(0).groupby(years).sum().cumsum()
    until = left.apply(midpoint, k=k)
    least = (until - midpoint(1, k) + 1).clip(lower=0)
    left_open = least["censored"] + least.drop(columns="censored").iloc[-1].sum() < most
    until["censored"] = until["censored"].where(left_open).ffill().fillna(0)
    entered = (came * n / came.sum()).groupby(years).sum().cumsum().round(6)
    entry = _times(pd.Series(midpoint(entered, k), entered.index)) if n > k else np.array([])
    exits = [(time, CAUSES[name]) for name in until for time in _times(until[name])]
    exits = sorted(exits, key=lambda one: one[0])[: len(entry)]
    exits += [(years.max(), 0)] * (len(entry) - len(exits))
    people = pd.DataFrame(exits, columns=["years", "cause"]).assign(entry=entry - GRID)
    # rounded, more may have left than have entered: they leave when others have
    return people.assign(years=np.maximum(people["years"], entry))


def _grid(years: pd.Series) -> pd.Series:
    """The ends of the steps of `GRID` in which times lie."""
    return (np.ceil((years / GRID).round(6)) * GRID).round(6)


def _times(until: pd.Series) -> np.ndarray:
    """The time of each participant, from cumulative numbers by time."""
    return np.repeat(until.index.to_numpy(), np.diff(until, prepend=0).astype(int))


def _estimated(curve: pd.DataFrame, people: pd.DataFrame, times: np.ndarray | None = None) -> pd.DataFrame:
    """The curve again, of the participants that the rounded counts stand for, or how many of them are at risk at these times."""
    years, cause, entry = (people[name].to_numpy() for name in ("years", "cause", "entry"))
    if times is not None:
        return risk_table(times, years, cause > 0, entry)
    interval = curve["interval"].iloc[0]
    if "incidence" in curve:
        return cumulative_incidence(years, cause, 1, entry, interval=interval)
    return kaplan_meier(years, cause > 0, entry, interval=interval)


def _drawn(table: pd.DataFrame, groups: Iterator[tuple[pd.DataFrame, ...]]) -> pd.DataFrame:
    """The points of each curve, or its numbers at risk at the table's times."""
    parts = [table.iloc[:0]]
    for rows, curve, people in groups:
        points = _estimated(curve, people, None if "interval" in table else rows["years"].to_numpy())
        parts.append(points.assign(**{name: rows[name].iloc[0] for name in CURVE if name in rows}))
    return pd.concat(parts[1:] or parts, ignore_index=True)[list(table)]


def _read_off(made: pd.DataFrame, groups: Iterator[tuple[pd.DataFrame, ...]]) -> pd.DataFrame:
    """Survival or incidence at a time and the median, read off the released curve."""
    made = made.copy()
    for rows, curve, people in groups:
        released = _estimated(curve, people)
        for row in rows[rows["estimate"].notna()].itertuples():
            told = ["estimate", "ci_lower", "ci_upper"]
            if row.measure == "median survival":
                made.loc[row.Index, told] = astuple(median(released))
            elif row.measure in VALUES:
                at = released[released["years"] <= row.horizon].iloc[-1]
                made.loc[row.Index, told] = significant(at[[VALUES[row.measure], *told[1:]]])
    return made


def release(tables: Mapping[str, pd.DataFrame], k: int) -> Tables:
    """The tables of a run as they may leave.

    Parameters
    ----------
    tables : exact result tables by place: ``north/survival/cox``
    k : rounding of counts; 1 rounds nothing, for public data

    Returns
    -------
    dict
        By place tables with the same columns and, but for curves, the same rows; rows about single participants are never among them.
    """
    shared = {place: table for place, table in tables.items() if not never_released(place)}
    if k == 1:
        return shared
    small = {place: _small(table, key_of(place), k) for place, table in shared.items()}
    made = {place: _numbers_of(table, small[place], key_of(place), k) for place, table in shared.items()}
    made |= release_curves(shared, made, k)
    for place, table in shared.items():
        if TABLES[key_of(place)].rows:
            made[place] = _with_reasons(made[place], table, small[place], k)
    return made


def _small(table: pd.DataFrame, key: str, k: int) -> pd.Series:
    """Rows of which a count is 1 to k, or whose model has too few residual degrees of freedom."""
    counts = _counts(table, key)
    small = counts.apply(lambda column: column.between(1, k)).any(axis=1)
    if not TABLES[key].rows:
        return small
    measures = _measures(table)
    small |= (measures["kind"] == COUNT) & _number(table["estimate"]).between(1, k)
    # what is shown depends on rounded counts alone: a threshold on an exact count would tell on which side it is
    return small | (_residual_df(table, counts, measures, k) < RESIDUAL_DF)


def _residual_df(table: pd.DataFrame, exact: pd.DataFrame, measures: pd.DataFrame, k: int) -> pd.Series:
    """Observations (events of hazard models) less the terms of the model, of pooled rows in the smallest cohort; infinite without interval."""
    n, events = (exact.get(f"{name}_smallest", exact[name]).fillna(exact[name]) for name in ("n", "n_events"))
    by_events = (measures["kind"] == MODEL) & (measures["scale"] == "log") & events.notna()
    covariates = table["covariates"].fillna("").astype(str)
    terms = 1 + covariates.str.count(",") + (covariates != "") + ~by_events  # an intercept
    if "events_per_term" in table:
        terms = (exact["n_events"] / _number(table["events_per_term"])).round().fillna(terms)
    rows = events.where(by_events, n)
    is_model = table["estimate"].notna() & table["ci_lower"].notna() & rows.notna()
    return pd.Series(midpoint(rows, k) - terms, table.index).where(is_model, np.inf)


def _numbers_of(table: pd.DataFrame, small: pd.Series, key: str, k: int) -> pd.DataFrame:
    """Counts rounded, statistics redacted, rounded or computed again."""
    declared, counts = TABLES[key], _counts(table, key)
    made = table.assign(**{name: midpoint(counts[name], k) for name in counts})
    hidden = of_errors = pd.Series(False, table.index)
    if declared.rows:
        measures = _measures(table)
        kind = measures["kind"]
        of_errors = declared.of_errors & ~kind.isin((MODEL, TEST))
        hidden = kind.isin((OF_COUNTS, EXTREME)) | _few_beyond(measures["tail"], made, k)
        hidden |= of_errors & (table["cohort"] == POOLED)
        made["estimate"] = _shown(table["estimate"], small | hidden)
        made["estimate"] = made["estimate"].mask(kind == COUNT, midpoint(_number(table["estimate"]), k))
        for name in set(ESTIMATES) - {"estimate"}:
            made[name] = _shown(table[name], small | ~kind.isin((MODEL, TEST)))
        made["df"] = table["df"].where(~small & (kind == TEST))  # of a t statistic: participants less terms
    for name in (one for one in declared.statistics if one in table):
        never = hidden | of_errors | (name in declared.closed)
        tail = dict(declared.quantiles).get(name, np.nan)
        made[name] = _shown(table[name], small | never | _few_beyond(pd.Series(tail, table.index), made, k))
    if "events_per_term" in table:
        terms = (counts["n_events"] / _number(table["events_per_term"])).round()
        made["events_per_term"] = _shown(made["n_events"] / terms, small)
    for name in (one for one in GRIDDED if one in table and not declared.rows):
        made[name] = _number(made[name]).round(1)
    made = _with_shares(made, table, declared.shares)
    # the size of a tertile is known to a third of k: its levels would add up to it in one way alone
    if "variable" in table:
        levels = table["group"].isin(THIRDS) & table["measure"].isin(["share", "missing"])
        made.loc[levels, ["n", "estimate"]] = np.nan
    return made


def _with_shares(made: pd.DataFrame, table: pd.DataFrame, shares: Sequence[tuple]) -> pd.DataFrame:
    """Shares from the rounded counts; in Table 1, of those of a group of whom the variable is known."""
    for name, part, times in shares:
        whole = made["n"] * times
        if "variable" in made:
            group, variable = ["cohort", "group"], ["cohort", "group", "variable"]
            keys = made[variable].fillna("")
            count = {one: made["n"].where(made["measure"] == one) for one in ("participants", "missing")}
            whole = count["participants"].groupby([keys[one] for one in group]).transform("max")
            unknown = count["missing"].groupby([keys[one] for one in variable]).transform("max").fillna(0)
            whole = whole - unknown.where(made["measure"] == "share", 0)
        share = pd.Series(significant((made[part] / whole.where(whole > 0)).clip(upper=1)), made.index)
        of_rows = table[name].notna() & ((name != "estimate") | made["measure"].isin(["share", "missing"]))
        made[name] = made[name].mask(of_rows, share)
    return made


def _with_reasons(made: pd.DataFrame, table: pd.DataFrame, small: pd.Series, k: int) -> pd.DataFrame:
    """Reasons with rounded counts; "redacted" where a number was taken out, or where why there is none would tell how few they are."""
    redacted = reasons.reason("redacted", k=k).encoded
    for name, value in zip(reasons.COLUMNS, ("estimate", "raw_estimate"), strict=True):
        if name in table:
            given, said = made[value].notna(), table[name].fillna("")
            told = by_cell(
                said, lambda cell: reasons.encode(_rounded(one, k) for one in reasons.decode(cell))
            )
            why = table[value].notna() | (small & (said != ""))
            made[name] = told.mask(small & given, "").mask(why & ~given, redacted)
    return made.assign(status=by_cell(made["reason"], reasons.status_of))


def _rounded(one: reasons.Reason, k: int) -> reasons.Reason | None:
    """A reason whose counts are rounded; None for a remark on one participant, or one that a threshold of an exact count gave."""
    if one.code in reasons.OF_ONE and one.status == reasons.NOT_ESTIMATED:
        return reasons.reason("redacted", k=k)
    if one.code in reasons.OF_FEW | reasons.OF_ONE or (one.status == reasons.SPARSE and not one.of_all_to(k)):
        return None
    told = dict(one.parameters)
    for name in filter(is_count, told):
        told[name] = re.sub(r"\d+", lambda count: f"{midpoint(float(count[0]), k):.0f}", told[name])
    return reasons.Reason(one.code, told | dict.fromkeys(reasons.QUANTILES & told.keys(), "…"))


def _counts(table: pd.DataFrame, key: str) -> pd.DataFrame:
    counts = table[[name for name in count_columns(key) if name in table]].apply(_number)
    of_all = table.get("group", pd.Series("", table.index)) == "all"
    return evened(counts, [of_all, *(table[name] for name in ALIKE if name in table)])


def _measures(table: pd.DataFrame) -> pd.DataFrame:
    """Kind, scale and tail of each row's measure; one that is not declared is taken to give counts away."""
    found = [vars(MEASURES.get(name, Measure(OF_COUNTS))) for name in table["measure"]]
    return pd.DataFrame(found, table.index, ["kind", "scale", "tail"])


def _number(column: pd.Series) -> pd.Series:
    return to_numbers(column).astype(float)


def _shown(column: pd.Series, redacted: pd.Series) -> pd.Series:
    return pd.Series(significant(_number(column)), column.index).mask(redacted)


def _few_beyond(tails: pd.Series, made: pd.DataFrame, k: int) -> pd.Series:
    """Rows of a quantile beyond which fewer than k participants lie."""
    return tails.notna() & ~(tails.astype(float) * made.get("n", np.nan) >= k)


def changes(tables: Tables, released: Tables) -> pd.DataFrame:
    """Per released table: rows, counts that were rounded, statistics that were redacted."""
    rows = []
    for place, after in released.items():
        before = tables[place]
        counts = _counts(after, key_of(place))
        lost = before.notna() & after.isna() if len(before) == len(after) else pd.DataFrame()
        redacted = lost.drop(columns=counts, errors="ignore").to_numpy().sum()
        rows.append((place, len(after), int((counts.fillna(0) != 0).to_numpy().sum()), int(redacted)))
    return pd.DataFrame(rows, columns=["table", "rows", "counts_rounded", "statistics_redacted"])
