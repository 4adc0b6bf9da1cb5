"""The headline estimates of all cohorts below each other, what makes two of them the same quantity, and the
scale on which they are pooled.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from faceage_bio.analyses.pooling.sources import SOURCES
from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.errors import CohortError, examples
from faceage_bio.core.results.measures import MEASURES
from faceage_bio.core.results.reasons import Reason, decode, reason
from faceage_bio.core.results.row import by_cell
from faceage_bio.stats.linear import NORMAL_975

AS_IT_IS = "identity"
TO = {AS_IT_IS: np.asarray, "log": np.log, "logit": logit, "fisher z": np.arctanh}
BACK = {AS_IT_IS: np.asarray, "log": np.exp, "logit": expit, "fisher z": np.tanh}
# how fast the scale changes with the estimate: the delta method
SLOPES = {
    AS_IT_IS: np.ones_like, "log": lambda x: 1 / x, "logit": lambda x: 1 / (x * (1 - x)), "fisher z": lambda x: 1 / (1 - x**2),
}  # fmt: skip
LIMITS = {"log": (0.0, np.inf), "logit": (0.0, 1.0), "fisher z": (-1.0, 1.0)}  # of estimates, open
# what an estimate is of
IDENTITY = ("question", "outcome", "exposure", "term", "level", "reference", "subgroup", "horizon", "measure")
COMPARABLE = ("unit", "per", "adjustment", "definition", "model_id")  # what cohorts must share


def pooling_scale(measures: pd.Series) -> pd.Series:
    """The scale of each measure: log of ratios, logit of C and AUC, Fisher's z of correlations, differences
    as they are.
    """
    return measures.map({name: measure.pooling_scale for name, measure in MEASURES.items()})


def null_on_scale(measure: str) -> float:
    """Where a measure is without an association, on the scale on which it is pooled; NaN where it has no such
    value.
    """
    known = MEASURES[measure]
    return np.nan if known.null is None else float(TO[known.pooling_scale](known.null))


def on_scale(values: pd.Series | np.ndarray, scales: pd.Series | str, functions: dict = TO) -> np.ndarray:
    """Values moved to their scales (or back, with `BACK`); NaN where a value is outside of its scale."""
    values = np.asarray(values, dtype=float)
    scales = np.broadcast_to(np.asarray(scales, dtype=object), values.shape)
    made = np.full(values.shape, np.nan)
    with np.errstate(all="ignore"):
        for name in functions:
            chosen = scales == name
            made[chosen] = functions[name](values[chosen])
    return np.where(np.isfinite(made), made, np.nan)


def errors_on_scale(rows: pd.DataFrame, scales: pd.Series) -> np.ndarray:
    """Standard errors on the pooling scale, at full precision.

    A row's own standard error where its measure has that scale, else by the delta method; of rows without
    one, from the 95% CI.
    """
    own = rows["measure"].map({name: measure.scale for name, measure in MEASURES.items()})
    error = rows["standard_error"].to_numpy(dtype=float)
    slopes = on_scale(rows["estimate"], scales, SLOPES)
    moved = np.where(own == scales, error, error * slopes)
    return np.where(np.isfinite(moved), moved, error_of_interval(rows, scales))


def error_of_interval(rows: pd.DataFrame, scales: pd.Series | str) -> np.ndarray:
    """Standard errors on the pooling scale, from the 95% CI."""
    with np.errstate(invalid="ignore"):
        width = on_scale(rows["ci_upper"], scales) - on_scale(rows["ci_lower"], scales)
    return width / (2 * NORMAL_975)


def with_scale(rows: pd.DataFrame) -> pd.DataFrame:
    """Result rows with the ``scale`` on which they are pooled, and estimate ``y`` and standard error ``se``
    there.
    """
    scale = pooling_scale(rows["measure"])
    return rows.assign(scale=scale, y=on_scale(rows["estimate"], scale), se=errors_on_scale(rows, scale))


def headline_rows(
    tables: Mapping[str, Sequence[pd.DataFrame]], reference_cohorts: Sequence[str] = ()
) -> pd.DataFrame:
    """The headline rows of all cohorts below each other.

    Parameters
    ----------
    tables : result tables by name (``survival/cox``), those of each cohort
    reference_cohorts : cohorts that no pooled estimate includes

    Returns
    -------
    DataFrame
        Result rows with ``source``, ``analysis`` (the words of the keys) and ``genes``; ``covariates`` are
        those that the model has; ``scale``, ``y`` and ``se`` of `with_scale`.

    Raises
    ------
    CohortError
        A cohort has an estimate twice.
    """
    parts = []
    for name in (one for one in SOURCES if one in tables):
        source = SOURCES[name]
        for table in tables[name]:
            rows = table[source.wanted(table) & ~table[COHORT].isin([POOLED, *reference_cohorts])]
            if len(rows):
                keys = rows[list(source.keys)].fillna("").astype(str)
                words = keys.apply(lambda row: ", ".join(filter(None, row)), axis=1) if source.keys else ""
                parts.append(rows.assign(source=name, analysis=words, genes=source.genes))
    if not parts:
        return pd.DataFrame(columns=[*IDENTITY, COHORT, "source", "analysis", "genes"])
    rows = pd.concat([part.dropna(axis=1, how="all") for part in parts], ignore_index=True)
    rows = rows.reindex(columns=list(dict.fromkeys([*parts[0], *rows])))
    return with_scale(check_once(as_fitted(rows)))


def as_fitted(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the covariates that each model has: those it names, without those that no participant of
    the cohort has.
    """
    missing = by_cell(rows["reason"].fillna(""), _missing)
    names = rows["covariates"].fillna("")
    kept = [
        ", ".join(one for one in own.split(", ") if one not in lost.split(", "))
        for own, lost in zip(names, missing, strict=True)
    ]
    held = pd.Series(kept, index=rows.index)
    adjustment = rows["adjustment"].mask((held == "") & (names != ""), "unadjusted")
    return rows.assign(covariates=held, adjustment=adjustment)


def _shared(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """What cohorts must share, by column; covariates count where they are named, else the word for them."""
    told = {name: rows[name].astype(object).fillna("").astype(str) for name in COMPARABLE if name in rows}
    if "covariates" in rows:
        named = rows["covariates"].fillna("").astype(str)
        told["adjustment"] = named.where(named != "", told.get("adjustment", ""))
    return told


def differing(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Of what cohorts must share, the columns in which they differ."""
    return {name: values for name, values in _shared(rows).items() if values.nunique() > 1}


def alike(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the most cohorts that differ in nothing, of as many those that stand first; all where no
    two are alike.
    """
    group = pd.DataFrame(_shared(rows)).groupby(list(_shared(rows)), sort=False).ngroup()
    sizes = group.value_counts().sort_index()
    return rows[group == sizes.idxmax()] if len(sizes) and sizes.max() > 1 else rows


def why_different(rows: pd.DataFrame, without: Sequence[str] = ()) -> Reason | None:
    """The columns of `differing` and what each cohort has there; None where cohorts do not differ.
    ``without``: those not pooled.
    """
    found = differing(rows)
    if not found:
        return None
    cells = zip(rows[COHORT], *found.values(), strict=True)
    told = [f"{name}: {'; '.join(one or 'none' for one in cell)}" for name, *cell in cells]
    what = {"columns": [*found], "values": " | ".join(told)}
    if len(without):
        return reason("without_differing", cohorts=[*without], **what)
    return reason("cohorts_differ", **what)


def _missing(cell: str) -> str:
    return ", ".join(one.parameters["columns"] for one in decode(cell) if one.code == "without_missing")


def identity(rows: pd.DataFrame) -> pd.Series:
    """Numbers that are the same for estimates of the same quantity, in the order of their first row."""
    columns = [*(name for name in ("source", "analysis") if name in rows), *IDENTITY]
    told = rows.reindex(columns=columns).astype(object).fillna("")
    return told.groupby(columns, sort=False).ngroup()


def check_once(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, of which a cohort has none twice.

    Raises
    ------
    CohortError
        It has.
    """
    twice = rows[rows.assign(same=identity(rows)).duplicated([COHORT, "same"], keep="first")]
    if len(twice):
        told = [f"{row.cohort}, {row.source}: {row.measure} of {row.term}" for row in twice.itertuples()]
        raise CohortError(
            f"a cohort has an estimate twice: {examples(told)}. Expected one table of each kind for a cohort. Give each table once."
        )
    return rows
