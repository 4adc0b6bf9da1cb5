"""The stage: headline estimates of several cohorts as one, from result tables or a plain table. Pooled rows with their cohort
rows, sensitivity analyses, and why some are not pooled.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.analyses.pooling.headlines import (
    BACK,
    COMPARABLE,
    IDENTITY,
    alike,
    as_fitted,
    headline_rows,
    identity,
    null_on_scale,
    on_scale,
    why_different,
    with_scale,
)
from faceage_bio.analyses.pooling.plain_cohorts import read_cohorts
from faceage_bio.analyses.pooling.sources import SOURCES
from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.errors import CohortError, FitError, RunError, examples
from faceage_bio.core.results.measures import MEASURES, TEST
from faceage_bio.core.results.reasons import SPARSE, Reason, encode, reason
from faceage_bio.core.results.result_tables import key_of
from faceage_bio.core.results.row import ACCELERATION, ROLES, columns_of, result_rows
from faceage_bio.core.settings.settings_study import Pooling
from faceage_bio.core.tables import read_table
from faceage_bio.stats import meta_analysis as meta
from faceage_bio.stats.minimum_sizes import COHORTS_FOR_DIAGNOSTICS, COHORTS_OF_GENES, COHORTS_RANDOM
from faceage_bio.stats.multiplicity import benjamini_hochberg

ESTIMATES, SENSITIVITY = "meta_analysis/estimates", "meta_analysis/sensitivity"
PERMUTATIONS = 1000
PLACE = (*IDENTITY, *COMPARABLE, "covariates", "source", "analysis")  # what a pooled row takes over


@dataclass(frozen=True)
class Pooled:
    """``estimates``: each pooled row followed by those of its cohorts; ``sensitivity``: leave-one-out and
    further variants.
    """

    estimates: pd.DataFrame
    sensitivity: pd.DataFrame


def pool_rows(rows: pd.DataFrame, settings: Pooling, *, shared_controls: bool = False) -> Pooled:
    """Pool the rows that are estimates of the same quantity.

    From 3 cohorts by ``method`` and ``test``, two by a common effect; genes and gene sets by a common effect
    with z.

    Parameters
    ----------
    rows : result rows of the cohorts with ``source``, ``analysis``, ``genes``, and ``y`` and ``se`` on their
        ``scale`` (`headlines.headline_rows`, `plain_cohorts.read_cohorts`)
    shared_controls : whether age acceleration was fitted in the controls of all cohorts

    Returns
    -------
    Pooled
        An estimate that cannot be pooled keeps its pooled row with the reason. Of cohorts that differ in what
        they must share, the most that are alike are pooled, and the reason names the others.
    """
    rows = rows.assign(same=identity(rows))
    groups = [group for _, group in rows.groupby("same", sort=True)]
    usable = [alike(_estimated(group)) for group in groups]
    why_not = [
        _why_not(group, kept, settings, shared_controls) for group, kept in zip(groups, usable, strict=True)
    ]
    heads = [_head(group if why else kept) for group, kept, why in zip(groups, usable, why_not, strict=True)]
    taken = [k for k, why in enumerate(why_not) if not why]
    pooled = _pool_alike({k: usable[k] for k in taken}, settings)
    made: list[dict] = []
    for k, head in enumerate(heads):
        found, tau2 = pooled.get(k, {}), pooled[k]["tau2"] if k in pooled else None
        reasons = why_not[k] or _remarks(groups[k], usable[k], settings, tau2)
        made += [head | found | {"reason": reasons}, *_cohort_rows(groups[k], usable[k], tau2)]
    estimates = _with_q(pd.DataFrame(made), rows)
    further = [row for k in taken for row in _sensitivity(heads[k], usable[k], settings)]
    return Pooled(_declared(estimates, ESTIMATES), _declared(pd.DataFrame(further), SENSITIVITY))


def _declared(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """Result rows."""
    if not len(rows):
        return result_rows([], table)
    return result_rows(rows[[name for name in columns_of(table) if name in rows]], table)


def _estimated(group: pd.DataFrame) -> pd.DataFrame:
    return group[group["y"].notna() & (group["se"] > 0)]


def _head(group: pd.DataFrame) -> dict:
    """What a pooled row says besides its numbers."""
    first = group.iloc[0]
    role = next((name for name in ROLES if (group["role"] == name).any()), None)
    model = group["model"].iloc[0] if group["model"].nunique(dropna=False) == 1 else ""
    same = {name: first[name] for name in (*PLACE, "scale") if name in group}
    return same | {COHORT: POOLED, "role": role, "model": model}


def _why_not(
    group: pd.DataFrame, usable: pd.DataFrame, settings: Pooling, shared_controls: bool
) -> list[Reason]:
    """Why an estimate is not pooled; none if it is."""
    measure = group["measure"].iloc[0]
    if MEASURES[measure].kind == TEST:
        return [reason("no_estimate_to_pool", measure=measure)]
    if differ := why_different(usable):
        return [differ]
    if len(usable) == 0:
        return [reason("no_error_to_pool" if group["y"].notna().any() else "no_cohort")]
    if len(usable) < 2:
        return [reason("one_cohort", cohorts=usable[COHORT].tolist())]
    first = group.iloc[0]
    own = ACCELERATION & {first["exposure"], first["outcome"], first["term"]}
    if shared_controls and own and not _overlap(usable, settings):
        return [reason("shared_controls")]
    return []


def _overlap(usable: pd.DataFrame, settings: Pooling) -> list[str]:
    """Cohorts of this estimate that share participants or controls, as declared."""
    names = set(usable[COHORT])
    shared = [[one for one in cohorts if one in names] for cohorts in settings.overlapping]
    return list(dict.fromkeys(one for cohorts in shared if len(set(cohorts)) > 1 for one in cohorts))


def _remarks(group: pd.DataFrame, usable: pd.DataFrame, settings: Pooling, tau2: float) -> list[Reason]:
    estimated, kept = _estimated(group), set(usable[COHORT])
    lost = [name for name in group[COHORT] if name not in set(estimated[COHORT])]
    differ = why_different(estimated, [name for name in estimated[COHORT] if name not in kept])
    sparse = usable.loc[usable["status"] == SPARSE, COHORT].tolist()
    sparse = ["all cohorts"] if len(sparse) == len(usable) else sparse
    shared = _overlap(usable, settings)
    random = len(usable) >= COHORTS_RANDOM and not group["genes"].iloc[0] and settings.method != "EE"
    remarks = (
        sparse and reason("sparse_cohorts", cohorts=sparse),
        len(usable) < COHORTS_RANDOM and reason("two_cohorts"),
        random and tau2 == 0 and reason("no_between_variance"),
        lost and reason("without_cohorts", cohorts=lost),
        differ,
        shared and reason("overlapping_cohorts", cohorts=shared),
    )
    return [one for one in remarks if one]


def method_words(method: meta.Method, test: meta.Test) -> str:
    """How an estimate was pooled: "random effects, REML, ad hoc Hartung-Knapp"."""
    return f"{meta.METHODS[method]}, {meta.TESTS[test]}"


def _pool_alike(groups: Mapping[int, pd.DataFrame], settings: Pooling) -> dict[int, dict]:
    """Numbers of the pooled rows, estimates of the same method together."""
    found: dict[int, dict] = {}
    alike: dict[tuple[str, str], list[int]] = {}
    for k, group in groups.items():
        common = len(group) < COHORTS_RANDOM or group["genes"].iloc[0]
        alike.setdefault(("EE", "z") if common else (settings.method, settings.test), []).append(k)
    for (method, test), members in alike.items():
        y, se = _matrices([groups[k] for k in members])
        pooled = meta.pool(y, se, method, test)
        spread = meta.heterogeneity(y, se, pooled.tau2)
        scales = np.array([groups[k]["scale"].iloc[0] for k in members], dtype=object)
        null = np.array([null_on_scale(groups[k]["measure"].iloc[0]) for k in members])
        numbers = _numbers(pooled, scales, null, None if method == "EE" else settings.prediction_df)
        numbers["cohorts"] = pooled.k
        if method != "EE":
            limits = ("tau2_lower", "tau2_upper", "i2_lower", "i2_upper")
            numbers |= {name: getattr(spread, name) for name in limits}
        for place, k in enumerate(members):
            words = {"method": method_words(method, test)}
            found[k] = {name: values[place] for name, values in numbers.items()} | _counts(groups[k]) | words
    return found


def _counts(group: pd.DataFrame) -> dict:
    """Participants and events of all cohorts, and of the smallest: by it the release rule knows what may
    leave.
    """
    counts = {}
    for name in ("n", "n_events"):
        counts |= {name: group[name].sum(min_count=len(group)), f"{name}_smallest": group[name].min()}
    return counts


def _matrices(groups: Sequence[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and standard errors, one row for each quantity, NaN beyond its cohorts."""
    shape = (len(groups), max(map(len, groups)))
    y, se = np.full(shape, np.nan), np.full(shape, np.nan)
    for place, group in enumerate(groups):
        y[place, : len(group)], se[place, : len(group)] = group["y"], group["se"]
    return y, se


def _numbers(
    pooled: meta.Pooled, scales: np.ndarray, null: np.ndarray | float, prediction_df: meta.Df | None
) -> dict[str, np.ndarray]:
    """Columns of result rows, back on the scale of the estimates; no test where there is no value without an
    association (``null``); ``prediction_df`` is None with a common effect.
    """
    statistic, p_value = meta.against(pooled, null)
    natural = {name: getattr(pooled, name) for name in ("estimate", "ci_lower", "ci_upper")}
    if prediction_df:
        natural["pi_lower"], natural["pi_upper"] = pooled.prediction_interval(prediction_df)
    return {name: on_scale(values, scales, BACK) for name, values in natural.items()} | {
        "standard_error": pooled.standard_error,
        "statistic": statistic,
        "p_value": p_value,
        "df": np.where(np.isinf(pooled.df), np.nan, pooled.df),
        "i2": pooled.i2,
        "heterogeneity_q": pooled.q,
        "heterogeneity_p": pooled.q_p_value,
        "tau2": pooled.tau2 if prediction_df else np.full_like(pooled.tau2, np.nan),
    }


def _cohort_rows(group: pd.DataFrame, usable: pd.DataFrame, tau2: float | None) -> list[dict]:
    """The rows of the cohorts as they are, with their share of the weight where they are pooled."""
    weight = (1 / (usable["se"] ** 2 + np.nan_to_num(tau2 or 0))).reindex(group.index)
    shares = np.nan if tau2 is None else 100 * weight / weight.sum()
    names = [name for name in columns_of(ESTIMATES) if name in group]
    return group[names].assign(standard_error=group["se"], weight=shares).to_dict("records")


def _with_q(made: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """q-values over the pooled p of a family of tests: of a table, exposure and analysis."""
    made = made.assign(q_value=made["q_value"].where(made[COHORT] != POOLED) if "q_value" in made else np.nan)
    families = rows[rows["q_value"].notna()].groupby("same")["family"].first()
    whole = made[made[COHORT] == POOLED]
    family = pd.Series(whole.reset_index(drop=True).index.map(families).to_numpy(), index=whole.index)
    made.loc[whole.index, "family"] = family
    scope = [whole["source"], whole["question"], family, whole["analysis"]]
    scope += [whole["exposure"].where(whole["source"] != "phenotype/phenotypes", "")]
    for _, members in whole[family.notna()].groupby(scope, dropna=False):
        made.loc[members.index, "q_value"] = benjamini_hochberg(members["p_value"].to_numpy(dtype=float))
    return made


def _sensitivity(head: dict, usable: pd.DataFrame, settings: Pooling) -> Iterator[dict]:
    """Leave-one-out, cumulative and other models of one estimate of 3 cohorts or more; from 10 also its
    diagnostics.
    """
    k = len(usable)
    if k < COHORTS_RANDOM:
        return
    y, se, names = usable["y"].to_numpy(), usable["se"].to_numpy(), usable[COHORT].tolist()
    genes = usable["genes"].iloc[0]
    smallest = {name: value for name, value in _counts(usable).items() if name.endswith("_smallest")}
    shared = head | smallest
    main, test = ("EE", "z") if genes else (settings.method, settings.test)
    scales, null = np.full(k, head["scale"], dtype=object), null_on_scale(head["measure"])

    def told(pooled: meta.Pooled, variants: Sequence[str], words: str) -> Iterator[dict]:
        df = None if words.startswith(meta.METHODS["EE"]) else settings.prediction_df
        numbers = _numbers(pooled, scales[: len(variants)], null, df)
        for place, variant in enumerate(variants):
            own = {name: values[place] for name, values in numbers.items() if name != "heterogeneity_q"}
            yield shared | own | {"variant": variant, "method": words, "cohorts": int(pooled.k[place])}

    others: list[tuple[meta.Method, meta.Test]] = [("EE", "z"), ("REML" if main == "EE" else main, "z")]
    if genes:
        others = [("REML", "z"), ("REML", "adhoc")] if k >= COHORTS_OF_GENES else [("REML", "z")]
    for other, by in others:
        if (other, by) != (main, test):
            yield from told(meta.pool(y, se, other, by), ["other model"], method_words(other, by))
    # of two cohorts the between-cohort variance is not estimated, here as elsewhere
    without = (main, test) if k > COHORTS_RANDOM else ("EE", "z")
    variants = [f"without {name}" for name in names]
    left = list(told(meta.leave_one_out(y, se, *without), variants, method_words(*without)))
    if k >= COHORTS_FOR_DIAGNOSTICS and not genes:
        left = _with_influence(left, y, se, main, test)
    yield from left
    if genes:
        return
    years = settings.moderators.get("year", {})
    order = np.argsort([years.get(name, np.inf) for name in names], kind="stable")
    ordered = [names[place] for place in order]
    growing = [f"first {n}: up to {name}" for n, name in enumerate(ordered, start=1)]
    for by, part in ((("EE", "z"), slice(0, 2)), ((main, test), slice(2, k))):
        rows = list(told(meta.cumulative(y, se, order, *by), growing, method_words(*by)))
        yield from rows[part]
    if k >= COHORTS_FOR_DIAGNOSTICS:
        yield from _diagnostics(shared, usable, settings)


def _with_influence(
    rows: list[dict], y: np.ndarray, se: np.ndarray, method: meta.Method, test: meta.Test
) -> list[dict]:
    moved = meta.influence(y, se, method, test)
    measures = {"cook_distance": moved.cook, "influential": moved.marked.astype(float)}
    measures |= {name: getattr(moved, name) for name in ("rstudent", "dffits", "covariance_ratio", "hat")}
    return [
        row | {name: values[place] for name, values in measures.items()} for place, row in enumerate(rows)
    ]


def _diagnostics(head: dict, usable: pd.DataFrame, settings: Pooling) -> Iterator[dict]:
    """Egger's test, and meta-regression on each declared moderator with its p by permutation."""
    y, se = usable["y"].to_numpy(), usable["se"].to_numpy()
    method = "REML" if settings.method == "EE" else settings.method
    asymmetry = head | {"measure": "Egger's test", "variant": "funnel plot asymmetry", "unit": "", "per": ""}
    asymmetry["method"] = "regression on the standard error, t"
    try:
        found = meta.egger(y, se, "EE", "knha")
        tested = {"estimate": found.statistic[0, 1], "df": found.df[0], "p_value": found.p_value[0, 1]}
    except FitError as error:
        tested = {"reason": error.reason}
    yield asymmetry | tested | {"cohorts": len(y)}
    for name, values in settings.moderators.items():
        about = head | {"measure": "meta-regression coefficient", "variant": f"meta-regression on {name}"}
        about |= {"unit": "", "per": f"1 unit of {name}"}
        known = usable[COHORT].isin(values).to_numpy()
        x = np.array([values.get(cohort, np.nan) for cohort in usable[COHORT]], dtype=float)
        known &= np.isfinite(x)
        x = x[known, None]
        try:
            fit = meta.meta_regression(y[known], se[known], x, method, "knha")
        except FitError as error:
            yield about | {"reason": error.reason}
            continue
        chance = meta.permutation_p(y[known], se[known], x, method, "knha", permutations=PERMUTATIONS)[1]
        terms = ("estimate", "ci_lower", "ci_upper", "standard_error", "statistic", "p_value")
        found = {term: getattr(fit, term)[0, 1] for term in terms} | {"df": fit.df[0], "tau2": fit.tau2[0]}
        about |= {"cohorts": int(known.sum()), "method": method_words(method, "knha")}
        yield about | found | {"permutation_p": chance}


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


def pool_genes(
    tables: Iterable[pd.DataFrame], settings: Pooling | None = None, *, shared_controls: bool = False
) -> pd.DataFrame:
    """Common effects of every gene that two cohorts or more have, with random effects as sensitivity analysis
    from 3.

    Parameters
    ----------
    tables : the gene table of each cohort (``expression/genes``), at least its `COLUMNS`; each is let go
        before the next is asked for
    settings : with the cohorts that are left out, and those that overlap
    shared_controls : whether age acceleration was fitted in the controls of all cohorts

    Returns
    -------
    DataFrame, result rows
        By exposure, most significant first; ``q_value`` over the pooled p of an exposure. Of cohorts that
        differ in unit, adjustment, definition or model the most that are alike are pooled; an exposure
        without two such has one row with the reason.
    """
    settings = settings or Pooling()
    families: dict[tuple, list[_OfCohort]] = {}
    for table in tables:
        own = table[
            ~table[COHORT].isin([POOLED, *settings.reference_cohorts]) & (table["question"] == "expression")
        ]
        for key, rows in own.groupby(list(FAMILY), sort=False, dropna=False):
            families.setdefault(key, []).append(_of_cohort(rows))
    made = [_pool_family(cohorts, settings, shared_controls) for cohorts in families.values()]
    return result_rows(pd.concat(made, ignore_index=True) if made else [], GENES)


def _of_cohort(rows: pd.DataFrame) -> _OfCohort:
    scaled = with_scale(rows)
    scaled = scaled[scaled["y"].notna() & (scaled["se"] > 0)].drop_duplicates("term").set_index("term")
    return _OfCohort(as_fitted(rows.head(1)), scaled.reindex(columns=["y", "se", "n", "gene_id"]))


def _pool_family(cohorts: Sequence[_OfCohort], settings: Pooling, shared_controls: bool) -> pd.DataFrame:
    """One exposure's genes."""
    every = pd.concat([one.about for one in cohorts], ignore_index=True)
    if twice := every.loc[every[COHORT].duplicated(), COHORT].tolist():
        raise CohortError(
            f"a cohort has a table of genes twice: {examples(twice)}. Expected one table for a cohort. Give each table once."
        )
    first = alike(every)
    lost = [name for name in every[COHORT] if name not in set(first[COHORT])]
    differ = why_different(every, lost) if lost else None
    cohorts = [cohorts[place] for place in first.index]
    about = {name: first[name].iloc[0] for name in SHARED} | {COHORT: POOLED}
    alone = reason("one_cohort", cohorts=first[COHORT].tolist()) if len(cohorts) < 2 else None
    overlap = _overlap(first, settings)
    own = shared_controls and ACCELERATION & {about["exposure"]} and not overlap
    if why := alone or why_different(first) or (reason("shared_controls") if own else None):
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
    shared = reason("overlapping_cohorts", cohorts=overlap) if overlap else None
    of_two, others = reason("two_cohorts").encoded, encode(one for one in (differ, shared) if one)
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
