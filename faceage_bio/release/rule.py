"""The release rule: exact result tables in, tables that may leave out (docs/privacy.md).

Every count of participants, samples, photos or events is rounded once and directly by midpoint rounding, as OpenSAFELY does. In a row
of which any count is 1 to k, or whose model has fewer than 10 residual degrees of freedom, statistics are redacted. What is left has
three significant digits. A statistic that is a closed function of counts is computed again from the rounded counts, or redacted: the
kind of a measure (results/measures.py) says which it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from faceage_bio.columns import POOLED
from faceage_bio.release.curves import SURVIVAL_TABLES, release_probabilities, release_survival
from faceage_bio.release.rounding import midpoint, significant
from faceage_bio.results.measures import COUNT, EXTREME, MEASURES, MODEL, MOMENT, OF_COUNTS, TEST, Measure
from faceage_bio.results.reasons import (
    COLUMNS,
    NOT_ESTIMATED,
    SPARSE,
    Reason,
    decode,
    encode,
    reason,
    status_of,
)
from faceage_bio.results.row import ESTIMATES, by_cell
from faceage_bio.results.tables import TABLES, Table, count_columns, is_count, key_of, never_released

GRIDS = {"years": 1, "value": 1}  # decimals of the places at which a smooth curve is given
BY_EXACT_COUNTS = {
    "lost_resamples",
    "optimism_without",
    "no_optimism",
}  # how often a resample fails follows from a count
RESIDUAL_DF = 10  # fewer are redacted (SDC Handbook, 2019: class of regression coefficients)
TAILS = {  # columns that are quantiles: the smaller share beyond them
    "q10": 0.10, "q90": 0.10, "q25": 0.25, "q75": 0.25, "q50": 0.50, "lower_quartile": 0.25, "upper_quartile": 0.25,
    "face_age_q25": 0.25, "face_age_q75": 0.25, "face_age_median": 0.50,
}  # fmt: skip
PROBABILITIES = {  # tables of probabilities at a time: the curve that they are read off, and its column
    "survival/summary": ("survival/kaplan_meier", "survival"),
    "survival/competing_risks": ("survival/cumulative_incidence", "incidence"),
}
INTERVALS = tuple(name for name in ESTIMATES if name != "estimate")
CLOSED = {  # columns that are closed functions of counts: intervals of shares and correlations, degrees of freedom of residuals, ...
    "raw_ci_lower", "raw_ci_upper", "raw_p_value", "df_residual", "error_df", "eta_squared", "effect_lower", "effect_upper",
    "hardy_weinberg_p",
}  # fmt: skip
META_ANALYSIS = "meta_analysis/"  # tables whose statistics are made of the cohorts' standard errors, and so of n where these are
OF_ONE = {"one_value", "without_single"}  # reasons that say that it is one participant
QUANTILES = ("low", "high")  # parameters of reasons: of the middle 95%


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
    made = {place: _release_table(table, key_of(place), k) for place, table in shared.items()}
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
                made[place] = _given_back(
                    release_probabilities(made[place], shared[place], curves[curve], value)
                )
    return Released(made, _log({place: (table, made[place]) for place, table in shared.items()}))


def _release_table(table: pd.DataFrame, key: str, k: int) -> pd.DataFrame:
    if not len(table):
        return table.copy()
    if key == "phenotype/table_one":
        return _release_table_one(table, k)
    return _release_rows(table, key, k) if TABLES[key].rows else _release_points(table, TABLES[key], k)


def _release_points(table: pd.DataFrame, declared: Table, k: int) -> pd.DataFrame:
    """Points of a figure: counts rounded, statistics of few redacted."""
    exact, small = _counts(table, declared.counts, k)
    made = table.assign(**{name: midpoint(numbers, k) for name, numbers in exact.items()})
    for name in (one for one in declared.statistics if one in made):
        n = pd.Series(made["n"], dtype=float) if "n" in exact else None
        made[name] = _shown(table[name], small | _beyond(name, n, k) | (name in declared.closed))
    for name in (
        one for one in GRIDS if one in made
    ):  # of a fit, from the first to the last death: each a date of a participant
        made[name] = _numbers(made[name]).round(GRIDS[name])
    return made


def _release_rows(table: pd.DataFrame, key: str, k: int) -> pd.DataFrame:
    measures = [
        MEASURES.get(name, Measure(OF_COUNTS)) for name in table["measure"]
    ]  # unknown: as if it gave counts away
    kind = pd.Series([one.kind for one in measures], index=table.index)
    exact, small = _counts(table, count_columns(key), k)
    counted = kind == COUNT
    small |= counted & _numbers(table["estimate"]).between(1, k)
    scale = pd.Series([one.scale for one in measures], index=table.index)
    hazards = (kind == MODEL) & (scale == "log")
    # what is shown depends on rounded counts alone: a threshold on an exact count would tell on which side it is
    rounded = {name: pd.Series(midpoint(numbers, k), index=table.index) for name, numbers in exact.items()}
    small |= _residual_df(table, rounded, hazards) < RESIDUAL_DF
    made = table.assign(**rounded)
    tails = pd.Series([one.tail or np.nan for one in measures], index=table.index, dtype=float)
    closed = kind.isin((MOMENT, OF_COUNTS, EXTREME, COUNT))
    of_cohorts = closed & key.startswith(META_ANALYSIS)
    hidden = kind.isin((OF_COUNTS, EXTREME)) | (tails.notna() & _few_beyond(tails, rounded["n"], k))
    hidden |= of_cohorts & table["cohort"].eq(POOLED)
    estimate = pd.Series(_shown(table["estimate"], small | hidden), index=table.index)
    made["estimate"] = estimate.where(~counted, midpoint(_numbers(table["estimate"]), k))
    for name in INTERVALS:
        made[name] = _shown(table[name], small | closed)
    for name in (one for one in TABLES[key].statistics if one in made):
        never = hidden if name == "raw_estimate" else (name in CLOSED) | of_cohorts
        made[name] = _shown(table[name], small | _beyond(name, rounded["n"], k) | never)
    made["df"] = table["df"].where(~small & (kind == TEST))  # of a t statistic: participants less terms
    if "events_per_term" in made:
        terms = (exact["n_events"] / _numbers(table["events_per_term"])).round()
        made["events_per_term"] = _shown(made["n_events"] / terms, small)
    _release_shares(made, exact, small, key)
    redacted = reason("redacted", k=k)
    for name in (one for one in COLUMNS if one in made):
        said = by_cell(made[name], lambda cell: encode(_rounded(one, k) for one in decode(cell)))
        # why a number of few is missing tells how few they are
        has = table[name].fillna("").ne("") | (
            _numbers(table["estimate"]).notna() if name == "reason" else False
        )
        few = small & ~counted & has
        made[name] = said.mask(few, redacted.encoded).mask(small & counted, "")
    made["status"] = by_cell(made["reason"], status_of)
    return made


def _counts(table: pd.DataFrame, names: tuple[str, ...], k: int) -> tuple[dict[str, pd.Series], pd.Series]:
    """Exact counts by column, and the rows of which any is 1 to k."""
    exact = {name: _numbers(table[name]) for name in names if name in table}
    small = pd.Series(False, index=table.index)
    for numbers in exact.values():
        small |= numbers.between(1, k)
    return exact, small


def _numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype(float)


def _shown(column: pd.Series, redacted: pd.Series | bool) -> np.ndarray:
    return np.where(redacted, np.nan, significant(_numbers(column)))


def _rounded(one: Reason, k: int) -> Reason | None:
    """A reason whose counts are rounded; None for a remark on one participant, or one that a threshold of an exact count gave."""
    if one.status == SPARSE or one.code in BY_EXACT_COUNTS:
        return None
    if one.code in OF_ONE:
        return reason("redacted", k=k) if one.status == NOT_ESTIMATED else None
    told = dict(one.parameters)
    for name, value in told.items():
        if is_count(name):
            told[name] = re.sub(r"\d+", lambda count: f"{midpoint(float(count[0]), k):.0f}", value)
        elif name in QUANTILES:
            told[name] = "…"
    return Reason(one.code, told)


def _residual_df(table: pd.DataFrame, exact: dict, hazards: pd.Series) -> pd.Series:
    """Observations (events of hazard models) less the terms of the model; infinite where there is no interval. Of pooled rows: of the smallest cohort.

    Terms are the exposure and the covariates, or an intercept where there are none; hazard models and means have none besides.
    """
    names = table["covariates"].fillna("").astype(str)
    covariates = names.str.count(",") + (names != "")
    n, events = (exact.get(f"{name}_smallest", exact[name]).fillna(exact[name]) for name in ("n", "n_events"))
    by_events = hazards & events.notna()
    is_mean = table["adjustment"].fillna("").eq("")
    terms = 1 + covariates.where(by_events | is_mean, covariates.clip(lower=1))
    rows = n.where(~by_events, events)
    is_model = table["estimate"].notna() & table["ci_lower"].notna()
    return (rows - terms).where(is_model & rows.notna(), np.inf)


def _beyond(name: str, n: pd.Series | None, k: int) -> pd.Series | bool:
    """Rows of a column of quantiles beyond which fewer than k participants lie."""
    if name not in TAILS:
        return False
    return _few_beyond(TAILS[name], n, k) if n is not None else True


def _few_beyond(tails: pd.Series | float, n: pd.Series, k: int) -> pd.Series:
    return (n * tails < k) | n.isna()


def _release_shares(made: pd.DataFrame, exact: dict, small: pd.Series, key: str) -> None:
    """Shares of a table with the count of the part: from the rounded counts."""
    if "frequency" in made:  # of the rarer of two alleles
        made["frequency"] = _shown(made["n_alleles"] / (2 * made["n"].where(made["n"] > 0)), small)
    part = next((name for name in ("n_level", "n_high", "n_with_cells") if name in exact), None)
    if part is None:
        return
    shares = made["measure"].eq("share") & exact[part].notna() & ~small
    made.loc[shares, "estimate"] = significant((made[part] / made["n"].where(made["n"] > 0))[shares])


def _release_table_one(table: pd.DataFrame, k: int) -> pd.DataFrame:
    """Table 1: shares of a level, and of missing values, from the rounded counts of the row, its group and its variable."""
    made = _release_rows(table, "phenotype/table_one", k)
    heads = (
        made[made["measure"] == "participants"]
        .drop_duplicates(["cohort", "group"])
        .set_index(["cohort", "group"])["n"]
    )
    missing = made[made["measure"] == "missing"].drop_duplicates(["cohort", "group", "variable"])
    missing = missing.set_index(["cohort", "group", "variable"])["n"]
    everybody = heads.reindex(pd.MultiIndex.from_frame(made[["cohort", "group"]])).to_numpy(dtype=float)
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
    return _given_back(made)


def _given_back(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the reason "redacted" in rows that have a number again, from rounded counts."""
    given = table["estimate"].notna() & table["status"].eq(NOT_ESTIMATED)
    reasons = by_cell(table["reason"], lambda cell: encode(o for o in decode(cell) if o.code != "redacted"))
    made = table.assign(reason=table["reason"].where(~given, reasons))
    return made.assign(status=made["status"].where(~given, by_cell(made["reason"], status_of)))


def _log(pairs: dict[str, tuple[pd.DataFrame, pd.DataFrame]]) -> pd.DataFrame:
    """Per table: rows, counts that were rounded, statistics that were redacted."""
    rows = []
    for place, (before, after) in pairs.items():
        counts = [name for name in count_columns(key_of(place)) if name in before]
        same = len(before) == len(after)
        rounded = sum(int((_numbers(after[name]).fillna(0) != 0).sum()) for name in counts if name in after)
        others = [name for name in before if name not in counts and name in after]
        redacted = (
            sum(int((before[name].notna() & after[name].isna()).sum()) for name in others) if same else 0
        )
        rows.append(
            {"table": place, "rows": len(after), "counts_rounded": rounded, "statistics_redacted": redacted}
        )
    return pd.DataFrame(rows, columns=["table", "rows", "counts_rounded", "statistics_redacted"])
