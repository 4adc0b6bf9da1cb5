"""All genes pooled over cohorts: many estimates at once."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.columns import COHORT, POOLED
from faceage_bio.pooling.estimates import FEWEST_GENES, FEWEST_RANDOM, method_words
from faceage_bio.pooling.headlines import as_fitted, why_different
from faceage_bio.pooling.scales import BACK, with_scale
from faceage_bio.results.reasons import reason
from faceage_bio.results.row import result_rows
from faceage_bio.stats import meta_analysis as meta
from faceage_bio.stats.multiplicity import benjamini_hochberg

GENES = "meta_analysis/genes"
FAMILY = ("question", "exposure", "model", "measure")


def pool_genes(tables: Sequence[pd.DataFrame], reference_cohorts: Sequence[str] = ()) -> pd.DataFrame:
    """Common effects of every gene that two cohorts or more have, with random effects as sensitivity analysis from 3.

    Parameters
    ----------
    tables : the gene table of each cohort (``expression/genes``)
    reference_cohorts : cohorts that are left out

    Returns
    -------
    DataFrame, result rows
        By exposure, most significant first; ``q_value`` over the pooled p of an exposure. An exposure whose cohorts differ in unit,
        adjustment, definition or model has one row with the reason.
    """
    rows = [table[~table[COHORT].isin([POOLED, *reference_cohorts])] for table in tables]
    rows = [table for table in rows if len(table)]
    if not rows:
        return result_rows([], GENES)
    every = pd.concat(rows, ignore_index=True)
    every = (
        every[every["question"].astype(str) == "expression"]
        if (every["question"] == "expression").any()
        else every
    )
    parts = [_pool_family(family) for _, family in every.groupby(list(FAMILY), sort=False)]
    return result_rows(pd.concat(parts, ignore_index=True), GENES)


def _pool_family(family: pd.DataFrame) -> pd.DataFrame:
    """One exposure's genes."""
    first = as_fitted(family.groupby(COHORT, sort=False).head(1))
    shared = (*FAMILY, "outcome", "unit", "per", "adjustment", "covariates", "definition", "model_id")
    about = {name: first[name].iloc[0] for name in shared} | {COHORT: POOLED, "role": "exploratory"}
    one = reason("one_cohort", cohorts=first[COHORT].tolist()) if len(first) < 2 else None
    if why := one or why_different(first):
        return pd.DataFrame([about | {"term": "all genes", "reason": [why]}])
    known = with_scale(family)
    scale = known["scale"].iloc[0]
    known = known[known["y"].notna() & (known["se"] > 0)].drop_duplicates([COHORT, "term"])
    y, se, n = (known.pivot(index="term", columns=COHORT, values=name) for name in ("y", "se", "n"))
    several = y.notna().sum(axis=1) >= 2
    y, se, n = y[several], se[several], n[several]
    made = _columns(y.to_numpy(), se.to_numpy(), scale)
    made.insert(0, "term", y.index)
    made["gene_id"] = made["term"].map(
        known.drop_duplicates("term").set_index("term").get("gene_id", pd.Series(dtype=object))
    )
    made = made.assign(n=n.sum(axis=1).to_numpy(), n_smallest=n.min(axis=1).to_numpy())
    made = made.assign(
        **about,
        q_value=benjamini_hochberg(made["p_value"].to_numpy()),
        family="all genes",
        method=method_words("EE", "z"),
    )
    two = reason("two_cohorts").encoded
    made["reason"] = np.where(made["cohorts"] < FEWEST_RANDOM, two, "")
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
