"""The stage: headline estimates of result tables, or those of a plain table, pooled over cohorts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.analyses.pooling.estimates import Pooled, method_words, pool_rows
from faceage_bio.analyses.pooling.headlines import (
    BACK,
    alike,
    as_fitted,
    headline_rows,
    why_different,
    with_scale,
)
from faceage_bio.analyses.pooling.plain_cohorts import read_cohorts
from faceage_bio.analyses.pooling.sources import SOURCES
from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.errors import RunError
from faceage_bio.core.results.measures import MEASURES
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.result_tables import key_of
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_report import Pooling
from faceage_bio.core.tables import read_table
from faceage_bio.stats import meta_analysis as meta
from faceage_bio.stats.minimum_sizes import COHORTS_OF_GENES, COHORTS_RANDOM
from faceage_bio.stats.multiplicity import benjamini_hochberg

GENES = "meta_analysis/genes"
FAMILY = ("question", "exposure", "model", "measure")
# what all genes of a cohort share
SHARED = (*FAMILY, "outcome", "unit", "per", "adjustment", "covariates", "definition", "model_id")
NUMBERS = ("estimate", "ci_lower", "ci_upper", "standard_error", "n")
COLUMNS = (COHORT, *SHARED, "reason", "term", "gene_id", *NUMBERS)  # what of a gene table is read


def pool_tables(
    paths: Sequence[Path], measure: str | None, settings: Pooling, fit_in: str, columns: Sequence[str] = ()
) -> Pooled:
    """Pool result tables, or one plain table whose ``measure`` is given.

    Parameters
    ----------
    settings : of the config
    fit_in : in whom age acceleration was fitted ("cohort" or "reference")
    columns : moderators that are columns of the plain table

    Raises
    ------
    RunError
        Several plain tables; a table that holds no headline estimates.
    CohortError
        What `read_cohorts` and `headline_rows` refuse.
    """
    shared_controls = fit_in == "reference"
    if measure is not None:
        if len(paths) > 1:
            raise RunError(
                f"--measure is of one plain table, but {len(paths)} were given. Expected one --table. Put the cohorts into one table."
            )
        left_out, overlapping = settings.reference_cohorts, settings.overlapping
        rows = read_cohorts(
            paths[0], measure, reference_cohorts=left_out, overlapping=overlapping, moderators=columns
        )
        known = {name: dict(zip(rows[COHORT], rows[name], strict=True)) for name in columns}
        settings = settings.model_copy(update={"moderators": settings.moderators | known})
        return pool_rows(rows, settings, shared_controls=shared_controls)
    tables: dict[str, list[pd.DataFrame]] = {}
    for path in paths:
        name = key_of(str(path.absolute()))
        if name not in SOURCES:
            raise RunError(
                f"{path}: no result table whose estimates are pooled. Expected one of {', '.join(SOURCES)}. Give it as {{cohort}}/{{folder}}/{{table}}.tsv, "
                "or say with --measure what the estimates of a plain table are."
            )
        tables.setdefault(name, []).append(read_table(path))
    rows = headline_rows(tables, settings.reference_cohorts)
    return pool_rows(rows, settings, shared_controls=shared_controls)


@dataclass(frozen=True, eq=False)
class _OfCohort:
    """A cohort's genes of one exposure: what they share as one row, and by gene estimate, standard error and
    samples.
    """

    about: pd.DataFrame
    genes: pd.DataFrame


def pool_genes(tables: Iterable[pd.DataFrame], reference_cohorts: Sequence[str] = ()) -> pd.DataFrame:
    """Common effects of every gene that two cohorts or more have, with random effects as sensitivity analysis
    from 3.

    Parameters
    ----------
    tables : the gene table of each cohort (``expression/genes``), at least its `COLUMNS`; each is let go
        before the next is asked for
    reference_cohorts : cohorts that are left out

    Returns
    -------
    DataFrame, result rows
        By exposure, most significant first; ``q_value`` over the pooled p of an exposure. Of cohorts that
        differ in unit, adjustment, definition or model the most that are alike are pooled; an exposure
        without two such has one row with the reason.
    """
    families: dict[tuple, list[_OfCohort]] = {}
    for table in tables:
        own = table[~table[COHORT].isin([POOLED, *reference_cohorts]) & (table["question"] == "expression")]
        for key, rows in own.groupby(list(FAMILY), sort=False, dropna=False):
            families.setdefault(key, []).append(_of_cohort(rows))
    made = [_pool_family(cohorts) for cohorts in families.values()]
    return result_rows(pd.concat(made, ignore_index=True) if made else [], GENES)


def _of_cohort(rows: pd.DataFrame) -> _OfCohort:
    scaled = with_scale(rows)
    scaled = scaled[scaled["y"].notna() & (scaled["se"] > 0)].drop_duplicates("term").set_index("term")
    return _OfCohort(as_fitted(rows.head(1)), scaled.reindex(columns=["y", "se", "n", "gene_id"]))


def _pool_family(cohorts: Sequence[_OfCohort]) -> pd.DataFrame:
    """One exposure's genes."""
    every = pd.concat([one.about for one in cohorts], ignore_index=True)
    first = alike(every)
    lost = [name for name in every[COHORT] if name not in set(first[COHORT])]
    differ = why_different(every, lost) if lost else None
    cohorts = [cohorts[place] for place in first.index]
    about = {name: first[name].iloc[0] for name in SHARED} | {COHORT: POOLED}
    alone = reason("one_cohort", cohorts=first[COHORT].tolist()) if len(cohorts) < 2 else None
    if why := alone or why_different(first):
        return pd.DataFrame([about | {"term": "all genes", "reason": [why]}])
    held = pd.Index(np.concatenate([one.genes.index for one in cohorts])).value_counts(sort=False)
    terms = held.index[held >= 2]
    y, se, n = (
        np.column_stack([one.genes[name].reindex(terms) for one in cohorts]) for name in ("y", "se", "n")
    )
    names = pd.concat([one.genes["gene_id"] for one in cohorts])
    about |= {"family": "all genes", "method": method_words("EE", "z")}
    made = _columns(y, se, MEASURES[about["measure"]].pooling_scale).assign(
        term=terms,
        gene_id=names[~names.index.duplicated()].reindex(terms).to_numpy(),
        n=np.nansum(n, axis=1),
        n_smallest=np.nanmin(n, axis=1),
        **about,
    )
    made["q_value"] = benjamini_hochberg(made["p_value"].to_numpy())
    of_two, others = reason("two_cohorts").encoded, differ.encoded if differ else ""
    both = "; ".join(filter(None, (of_two, others)))
    made["reason"] = np.where(made["cohorts"] < COHORTS_RANDOM, both, others)
    return made.sort_values("p_value", kind="stable")


def _columns(y: np.ndarray, se: np.ndarray, scale: str) -> pd.DataFrame:
    common = meta.pool(y, se, "EE", "z")
    told = {name: BACK[scale](getattr(common, name)) for name in ("estimate", "ci_lower", "ci_upper")}
    told |= {name: getattr(common, name) for name in ("standard_error", "statistic", "p_value", "i2")}
    told |= {"heterogeneity_q": common.q, "heterogeneity_p": common.q_p_value, "cohorts": common.k}
    random = meta.pool(y, se, "REML", "z")
    enough = common.k >= COHORTS_RANDOM
    natural = {"estimate": random.estimate, "lower": random.ci_lower, "upper": random.ci_upper}
    further = {f"random_{name}": BACK[scale](values) for name, values in natural.items()}
    further |= {"random_p": random.p_value, "tau2": random.tau2}
    told |= {name: np.where(enough, values, np.nan) for name, values in further.items()}
    many = common.k >= COHORTS_OF_GENES
    tested = meta.pool(y, se, "REML", "adhoc").p_value if many.any() else random.p_value
    told["hartung_knapp_p"] = np.where(many, tested, np.nan)
    return pd.DataFrame(told)
