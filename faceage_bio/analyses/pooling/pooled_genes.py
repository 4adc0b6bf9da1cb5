"""All genes pooled over cohorts: many estimates at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.pooling.estimates import FEWEST_GENES, FEWEST_RANDOM, method_words
from faceage_bio.analyses.pooling.headlines import alike, as_fitted, why_different
from faceage_bio.analyses.pooling.scales import BACK, with_scale
from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.results.measures import MEASURES
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats import meta_analysis as meta
from faceage_bio.stats.multiplicity import benjamini_hochberg

GENES = "meta_analysis/genes"
FAMILY = ("question", "exposure", "model", "measure")
SHARED = (
    *FAMILY,
    "outcome",
    "unit",
    "per",
    "adjustment",
    "covariates",
    "definition",
    "model_id",
)  # of all genes of a cohort
NUMBERS = ("estimate", "ci_lower", "ci_upper", "standard_error", "n")
COLUMNS = (COHORT, *SHARED, "reason", "term", "gene_id", *NUMBERS)  # what of a gene table is read


@dataclass(frozen=True, eq=False)
class _OfCohort:
    """A cohort's genes of one exposure: what they share as one row, and by gene estimate, standard error and samples."""

    about: pd.DataFrame
    genes: pd.DataFrame


def pool_genes(tables: Iterable[pd.DataFrame], reference_cohorts: Sequence[str] = ()) -> pd.DataFrame:
    """Common effects of every gene that two cohorts or more have, with random effects as sensitivity analysis from 3.

    Parameters
    ----------
    tables : the gene table of each cohort (``expression/genes``), at least its `COLUMNS`; each is let go before the next is asked for
    reference_cohorts : cohorts that are left out

    Returns
    -------
    DataFrame, result rows
        By exposure, most significant first; ``q_value`` over the pooled p of an exposure. Of cohorts that differ in unit, adjustment,
        definition or model the most that are alike are pooled; an exposure without two such has one row with the reason.
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
    made = _columns(y, se, MEASURES[about["measure"]].pooling_scale).assign(
        term=terms, gene_id=names[~names.index.duplicated()].reindex(terms).to_numpy(), n=np.nansum(n, axis=1),
        n_smallest=np.nanmin(n, axis=1), family="all genes", method=method_words("EE", "z"), **about,
    )  # fmt: skip
    made["q_value"] = benjamini_hochberg(made["p_value"].to_numpy())
    of_two, others = reason("two_cohorts").encoded, differ.encoded if differ else ""
    made["reason"] = np.where(
        made["cohorts"] < FEWEST_RANDOM, "; ".join(filter(None, (of_two, others))), others
    )
    return made.sort_values("p_value", kind="stable")


def _columns(y: np.ndarray, se: np.ndarray, scale: str) -> pd.DataFrame:
    common = meta.pool(y, se, "EE", "z")
    told = {name: BACK[scale](getattr(common, name)) for name in ("estimate", "ci_lower", "ci_upper")}
    told |= {name: getattr(common, name) for name in ("standard_error", "statistic", "p_value", "i2")}
    told |= {"heterogeneity_q": common.q, "heterogeneity_p": common.q_p_value, "cohorts": common.k}
    random = meta.pool(y, se, "REML", "z")
    enough = common.k >= FEWEST_RANDOM
    further = {
        "random_estimate": random.estimate,
        "random_lower": random.ci_lower,
        "random_upper": random.ci_upper,
    }
    told |= {name: np.where(enough, BACK[scale](values), np.nan) for name, values in further.items()}
    told |= {
        name: np.where(enough, values, np.nan)
        for name, values in (("random_p", random.p_value), ("tau2", random.tau2))
    }
    tested = meta.pool(y, se, "REML", "adhoc").p_value if (common.k >= FEWEST_GENES).any() else random.p_value
    told["hartung_knapp_p"] = np.where(common.k >= FEWEST_GENES, tested, np.nan)
    return pd.DataFrame(told)
