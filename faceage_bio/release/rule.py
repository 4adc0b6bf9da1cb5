"""The release rule: exact result tables in, tables that may leave out (docs/privacy.md).

Every count of participants, samples, photos or events is rounded once and directly by midpoint rounding, as OpenSAFELY does. In a row
of which any count is 1 to k, or whose model has fewer than 10 residual degrees of freedom, statistics are redacted. What is left has
three significant digits. A statistic that is a closed function of counts is computed again from the rounded counts, or redacted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from faceage_bio.release.curves import SURVIVAL_TABLES, release_probabilities, release_survival
from faceage_bio.release.rounding import midpoint, significant
from faceage_bio.release.tables import KEYS, is_count, key_of, never_released

RESIDUAL_DF = 10  # fewer are redacted (SDC Handbook, 2019: class of regression coefficients)
COUNT_MEASURES = re.compile(  # measures whose estimate is a count
    r"^(people.*|participants.*|samples|photos.*|donors.*|cases|carriers|deaths|ok|flagged|excluded|profiles kept)$"
)
INTERVAL_OF_COUNTS = re.compile(  # measures whose interval or p is a closed function of n
    r"correlation|^ICC|^mean\b|^difference of mean|share|squared|Cramer|kappa|odds ratio|risk|sensitivity|specificity|predictive|"
    r"standard deviation|error, years|chi-square(?!.*df)|^log2 change of the share"
)
ESTIMATE_OF_COUNTS = re.compile(  # measures whose estimate gives counts away
    r"^share|^missing$|observed over|net benefit|reclassification|kappa|odds ratio|risk (?:ratio|difference)|sensitivity|specificity|predictive|"
    r"^died of .* within|^survival at|Cramer"
)
EXTREMES = re.compile(
    r"^(?:lowest|highest|largest|smallest|min|max)\b|(?:^|_)(?:min|max|minimum|maximum)(?:$|_)|Cook|leverage"
)
TAILS = (
    (re.compile(r"(?:^|_)q(?:10|90)$|1?[19]0th percentile"), 0.10),
    (re.compile(r"(?:^|_)(?:q25|q75)$|quartile"), 0.25),
    (re.compile(r"(?:^|_)(?:q50|median)$|^median"), 0.50),
)
PROBABILITIES = {  # tables of probabilities at a time: the curve that they are read off, and its column
    "survival/summary": ("survival/kaplan_meier", "survival"),
    "survival/competing_risks": ("survival/cumulative_incidence", "incidence"),
}
INTERVALS = ("ci_lower", "ci_upper", "p_value", "q_value", "standard_error", "statistic")
RAW = ("raw_ci_lower", "raw_ci_upper", "raw_p_value")
NOTES = ("note", "raw_note")
REDACTED = "redacted: a count of {k} or fewer, or fewer than 10 residual degrees of freedom"


@dataclass(frozen=True)
class Released:
    """Released tables by place, and what was done to each."""

    tables: dict[str, pd.DataFrame]
    log: pd.DataFrame = field(repr=False)


def release(tables: Mapping[str, pd.DataFrame], k: int) -> Released:
    """The tables of a run as they may leave.

    Parameters
    ----------
    tables : exact result tables by place: ``north/survival/cox``
    k : rounding of counts; 1 rounds nothing, for public data

    Returns
    -------
    Released
        Tables with the same columns and, but for curves, the same rows; rows about single participants are never among them.
    """
    shared = {place: table for place, table in tables.items() if not never_released(place)}
    if k == 1:
        return Released(dict(shared), _log({place: (table, table) for place, table in shared.items()}))
    made = {
        place: (_release_table_one if key_of(place) == "phenotype/table_one" else _release_table)(table, k)
        for place, table in shared.items()
    }
    for cohort in dict.fromkeys(place.partition("/")[0] for place in shared):
        own = {
            key_of(place): place
            for place in shared
            if place.startswith(f"{cohort}/") and key_of(place) in SURVIVAL_TABLES
        }
        curves = release_survival({key: shared[place] for key, place in own.items()}, k)
        made |= {own[key]: table for key, table in curves.items()}
        for name, (curve, value) in PROBABILITIES.items():
            if (place := f"{cohort}/{name}") in made and curve in curves:
                made[place] = release_probabilities(made[place], shared[place], curves[curve], value)
    return Released(made, _log({place: (table, made[place]) for place, table in shared.items()}))


def _release_table(table: pd.DataFrame, k: int) -> pd.DataFrame:
    made = table.copy()
    if not len(made):
        return made
    counts = [name for name in made if is_count(name)]
    measure = made["measure"].fillna("").astype(str) if "measure" in made else pd.Series("", index=made.index)
    counted = measure.str.match(COUNT_MEASURES) if "estimate" in made else pd.Series(False, index=made.index)
    exact = {name: pd.to_numeric(made[name], errors="coerce").astype(float) for name in counts}
    small = pd.Series(False, index=made.index)
    for numbers in exact.values():
        small |= numbers.between(1, k)
    if counted.any():
        small |= counted & pd.to_numeric(made["estimate"], errors="coerce").between(1, k)
    small |= _residual_df(made, exact, measure) < RESIDUAL_DF
    for name, numbers in exact.items():
        made[name] = midpoint(numbers, k)
    statistics = [
        name
        for name in made
        if name not in counts and name not in KEYS and pd.api.types.is_numeric_dtype(made[name])
        and not pd.api.types.is_bool_dtype(made[name])
    ]  # fmt: skip
    for name in statistics:
        values = pd.to_numeric(made[name], errors="coerce").astype(float)
        redacted = (small & ~counted if name == "estimate" else small).copy()
        redacted |= _beyond(
            measure if name == "estimate" else pd.Series(name, index=made.index), exact.get("n"), k
        )
        if name in INTERVALS:
            redacted |= measure.str.contains(INTERVAL_OF_COUNTS)
        if name in RAW:
            redacted |= True
        if name == "estimate":
            values = values.mask(counted, midpoint(values, k))
            redacted |= measure.str.contains(ESTIMATE_OF_COUNTS) & ~counted
            if "kind" in made:  # Kaplan-Meier in a group of predicted risk, unlike the smooth curve
                redacted |= measure.eq("observed risk") & made["kind"].eq("group")
        if name == "events_per_term" and "n_events" in exact:
            terms = (exact["n_events"] / values).round()
            values = made["n_events"] / terms
        made[name] = np.where(
            redacted, np.nan, np.where(counted & (name == "estimate"), values, significant(values))
        )
    _release_shares(made, measure, exact, small)
    lost = small & ~counted
    for name in (one for one in NOTES if one in made):
        made[name] = [
            REDACTED.format(k=k) if redacted and name == "note" and not said else _without_numbers(said)
            for said, redacted in zip(made[name].fillna("").astype(str), lost, strict=True)
        ]
    return made


def _residual_df(table: pd.DataFrame, exact: dict, measure: pd.Series) -> pd.Series:
    """Observations (events of hazard models) less the terms of the model; infinite where the row is of no model."""
    unknown = pd.Series(np.inf, index=table.index)
    if "n" not in exact or "estimate" not in table:
        return unknown
    adjustment = (
        table["adjustment"].fillna("").astype(str)
        if "adjustment" in table
        else pd.Series("", index=table.index)
    )
    terms = 1 + adjustment.str.count(",") + (adjustment.str.len() > 0)
    rows = exact["n"]
    if "n_events" in exact:
        hazards = measure.str.contains("hazard") & exact["n_events"].notna()
        rows = rows.where(~hazards, exact["n_events"])
    is_model = table["estimate"].notna() & (table["ci_lower"].notna() if "ci_lower" in table else True)
    return (rows - terms).where(is_model & rows.notna(), np.inf)


def _beyond(names: pd.Series, n: pd.Series | None, k: int) -> pd.Series:
    """Quantiles beyond which fewer than k participants lie, and extremes."""
    redacted = names.str.contains(EXTREMES)
    for pattern, tail in TAILS:
        found = names.str.contains(pattern)
        if found.any():
            redacted |= found & ((n * tail < k) | n.isna() if n is not None else True)
    return redacted


def _release_shares(made: pd.DataFrame, measure: pd.Series, exact: dict, small: pd.Series) -> None:
    """Shares of a table with the count of the part: from the rounded counts."""
    part = next((name for name in ("n_level", "n_high", "n_with_cells") if name in exact), None)
    if part is None or "n" not in exact or "estimate" not in made:
        return
    shares = measure.eq("share") & exact[part].notna() & ~small
    made.loc[shares, "estimate"] = significant((made[part] / made["n"].where(made["n"] > 0))[shares])


def _release_table_one(table: pd.DataFrame, k: int) -> pd.DataFrame:
    """Table 1: shares of a level, and of missing values, from the rounded counts of the row, its group and its variable."""
    made = _release_table(table, k)
    if not len(made):
        return made
    people = (
        made[made["measure"] == "people"]
        .drop_duplicates(["cohort", "group"])
        .set_index(["cohort", "group"])["n"]
    )
    missing = made[made["measure"] == "missing"].drop_duplicates(["cohort", "group", "variable"])
    missing = missing.set_index(["cohort", "group", "variable"])["n"]
    groups = pd.MultiIndex.from_frame(made[["cohort", "group"]])
    everybody = people.reindex(groups).to_numpy(dtype=float)
    unknown = (
        missing.reindex(pd.MultiIndex.from_frame(made[["cohort", "group", "variable"]]))
        .fillna(0)
        .to_numpy(dtype=float)
    )
    whole = np.where(made["measure"] == "missing", everybody, everybody - unknown)
    part = made["n"].to_numpy(dtype=float)
    share = np.divide(part, whole, out=np.full(len(made), np.nan), where=whole > 0)
    told = made["measure"].isin(["share", "missing"]).to_numpy() & table["estimate"].notna().to_numpy()
    made["estimate"] = np.where(told, np.minimum(significant(share), 1.0), made["estimate"])
    return made


def _without_numbers(note: str) -> str:
    """A note less its parts that hold a number, which may be a count."""
    kept = [part for part in note.split("; ") if not re.search(r"\d", part)]
    if note.startswith("not estimated") and not any(part.startswith("not estimated") for part in kept):
        kept.insert(0, "not estimated")
    return "; ".join(kept) if kept else "note redacted: it holds a number"


def _log(pairs: dict[str, tuple[pd.DataFrame, pd.DataFrame]]) -> pd.DataFrame:
    """Per table: rows, counts that were rounded, statistics that were redacted."""
    rows = []
    for place, (before, after) in pairs.items():
        counts = [name for name in before if is_count(name)]
        same = len(before) == len(after)
        rounded = (
            sum(int((before[name].fillna(-1) != after[name].fillna(-1)).sum()) for name in counts)
            if same
            else len(before)
        )
        others = [name for name in before if name not in counts and name in after]
        redacted = (
            sum(int((before[name].notna() & after[name].isna()).sum()) for name in others) if same else 0
        )
        rows.append(
            {"table": place, "rows": len(after), "counts_rounded": rounded, "statistics_redacted": redacted}
        )
    return pd.DataFrame(rows, columns=["table", "rows", "counts_rounded", "statistics_redacted"])
