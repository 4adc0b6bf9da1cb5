"""Sets of senescence genes against face age: a score per person, and the sets' place among all genes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from faceage_bio.analyses.age_residual import years_above
from faceage_bio.analyses.expression.counts import Expression, log_counts_per_million
from faceage_bio.analyses.expression.formula import plain
from faceage_bio.analyses.expression.gene_models import tested_genes
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, COHORT, FACE_AGE, LEVELS, SAMPLE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import adjusted_for, result_rows
from faceage_bio.core.settings.settings_genes import Expression as ExpressionSettings
from faceage_bio.intake.rna.gene_sets import GeneSet, digest
from faceage_bio.stats.design import build_design
from faceage_bio.stats.enrichment import METHODS, over_representation, preranked, score
from faceage_bio.stats.linear import fit_linear
from faceage_bio.stats.multiplicity import q_values

FOUND_BELOW = 0.05  # q of the genes that over-representation takes
ENRICHMENT = "preranked GSEA, genes permuted"
HEADLINE = {None: "no", 1: "rises", -1: "falls", 0: "yes"}  # which way a gene goes in a set


def coverage_table(
    data: Expression,
    sets: Mapping[str, GeneSet],
    settings: ExpressionSettings,
) -> pd.DataFrame:
    """How much of each set was measured (genes with enough counts), with its source and hash, and whether the
    headline gene is in it.
    """
    kept: set[str] = set()
    if len(data.counts):
        kept = set(data.counts.columns[tested_genes(data.counts, settings.min_count, settings.min_samples)])
    rows, gene = [], settings.panel[0]
    for name, one in sets.items():
        present, tested = (sum(g in pool for g in one.directions) for pool in (set(data.counts), kept))
        share = tested / len(one.directions)
        way = one.directions.get(gene)
        row = {"term": name, "estimate": share, "genes": len(one.directions), "in_counts": present}
        row |= {"tested": tested, "signed": one.signed, "source": one.source, "sha256": digest(one)}
        rows.append(row | {"headline": HEADLINE[way]})
    about = {"outcome": "expression", "measure": "share of genes", "n": len(data.people)}
    return pd.DataFrame(rows).assign(**about)


def score_people(data: Expression, sets: Mapping[str, GeneSet], settings: ExpressionSettings) -> pd.DataFrame:
    """A score per sample, set and method; sets below the floor have none.

    Returns
    -------
    DataFrame, samples x (set, method)
    """
    levels = log_counts_per_million(data.counts.T, settings.min_count, settings.min_samples)
    found = {}
    for name, one in sets.items():
        if sum(gene in levels for gene in one.directions) >= settings.min_coverage * len(one.directions):
            for method in METHODS:
                found[name, method] = score(levels, one.directions, method)
    if not found:
        return pd.DataFrame(index=levels.index)
    columns = pd.MultiIndex.from_tuples(list(found), names=["gene_set", "method"])
    return pd.DataFrame(list(found.values()), index=columns).T.set_axis(levels.index, axis=0)


def associate(
    data: Expression,
    scores: pd.DataFrame,
    sets: Mapping[str, GeneSet],
    covariates: Sequence[str],
    per_years: float,
    thin: Mapping[str, Reason],
) -> pd.DataFrame:
    """Standard deviations of each score per ``per_years``: of the unadjusted gap, of age acceleration and of age
    beside each other.

    Least squares with HC3 errors. Age acceleration and chronological age stand in one model with the
    covariates; the unadjusted age gap alone in another, so that no participant reads it alone. q-values are over the
    sets, within exposure and method.

    Returns
    -------
    DataFrame, result rows with ``exposure`` and ``method``; each set keeps its rows, with the reason where
    there is no number.
    """
    people, rows = with_gap(data.people), []
    shared = {"measure": "standardised mean difference", "per": f"{per_years:g} years"}
    shared["model"] = "least squares, HC3"

    def level(name: str, method: str) -> pd.Series:
        if why := thin.get(name):
            raise FitError(why.code, **why.parameters)
        if scores[name, method].isna().all():
            raise FitError("no_control_genes")
        return scores[name, method] / scores[name, method].std(ddof=1)

    for name, method in product(sets, METHODS):
        base = shared | {"term": name, "method": method, "n": len(people)}
        rows += rows_of_ages(base, people, partial(level, name, method), plain(covariates), per_years)
    table = pd.DataFrame(rows)
    return table.assign(q_value=q_values(table, "exposure", "method"))


def with_gap(people: pd.DataFrame) -> pd.DataFrame:
    """The table with the unadjusted age gap, if it has face age."""
    if AGE_GAP in people or FACE_AGE not in people:
        return people
    return people.assign(**{AGE_GAP: years_above(people[FACE_AGE], people[AGE])})


def rows_of_ages(
    base: dict,
    people: pd.DataFrame,
    values: Callable[[], pd.Series],
    others: Sequence[str],
    per_years: float,
) -> list[dict]:
    """Rows of the unadjusted age gap and of both ages beside each other: all of them or none, so that the unadjusted gap
    never stands alone.
    """
    models = ages_of(people, others)
    try:
        known = values()
        fits = [fit_ages(people, known, columns, per_years) for columns, _ in models]
    except FitError as error:
        return [base | held | {"reason": error.reason} for _, exposures in models for held in exposures]
    return [
        base | fitted[held["exposure"]] | held
        for fitted, (_, exposures) in zip(fits, models, strict=True)
        for held in exposures
    ]


def fit_ages(
    people: pd.DataFrame, values: pd.Series, columns: Sequence[str], per_years: float
) -> dict[str, dict]:
    """Least squares with HC3 errors of values on columns of participants, ages per ``per_years``: what a row
    says of each term.

    Raises
    ------
    FitError
        The values, or the first column, do not vary; or see `fit_linear`.
    """
    if not values.std(ddof=1) > 0:
        raise FitError("values_constant")
    design = build_design(people, list(columns), LEVELS)
    if columns[0] in design.constant or not len(design.matrix):
        raise FitError("constant_or_missing", column=columns[0].replace("_", " "))
    matrix = design.matrix.copy()
    for name in (AGE_GAP, AGE_ACCELERATION, AGE):
        if name in matrix:
            matrix[name] = matrix[name] / per_years
    fit = fit_linear(values.reindex(matrix.index), matrix)
    statistic = fit.terms["estimate"] / fit.terms["standard_error"]
    return fit.terms.assign(statistic=statistic, df=fit.df, n=len(matrix)).to_dict("index")


def ages_of(people: pd.DataFrame, others: Sequence[str]) -> list[tuple[list[str], list[dict]]]:
    """Columns of each model, and the exposures of its rows with what they are adjusted for: the unadjusted age gap
    alone, and both ages.
    """
    models = [([AGE_GAP], [{"exposure": AGE_GAP, **adjusted_for([])}])] if AGE_GAP in people else []
    both = {one: other for one, other in ((AGE_ACCELERATION, AGE), (AGE, AGE_ACCELERATION))}
    held = [{"exposure": one, **adjusted_for([other, *others], one)} for one, other in both.items()]
    return [*models, ([AGE_ACCELERATION, AGE, *others], held)]


def enrichment_tables(
    genes: pd.DataFrame, sets: Mapping[str, GeneSet], seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Preranked GSEA by the Wald statistic, and over-representation among genes of q below 0.05, for each
    exposure.

    Parameters
    ----------
    genes : DataFrame
        Rows of the genome-wide table (term, exposure, estimate, standard_error, q_value) of one analysis.

    Returns
    -------
    DataFrame, DataFrame: result rows; genes of a signed set that fall are ranked and counted the other way
    round.
    """
    gsea, ora = [], []
    members = {name: list(one.directions) for name, one in sets.items()}
    for exposure, rows in genes.groupby("exposure", sort=False):
        rows = rows.dropna(subset=["p_value"]).drop_duplicates("term").set_index("term")
        statistic = rows["estimate"] / rows["standard_error"]
        for name, one in sets.items():
            turned = statistic * [one.directions.get(gene, 1) or 1 for gene in statistic.index]
            found = preranked(turned, {name: members[name]}, seed)
            base = {
                "term": name,
                "exposure": exposure,
                "model": ENRICHMENT,
                "measure": "normalised enrichment",
            }
            if not len(found):
                gsea.append(base | {"n_genes": 0, "reason": reason("no_gene_of_set_tested")})
                continue
            row = found.iloc[0]
            base |= {"estimate": row.normalised, "p_value": row.p_value, "enrichment": row.enrichment}
            gsea.append(base | {"n_genes": row.n, "leading": ", ".join(row.leading[:20])})
        chosen = rows.index[rows.q_value < FOUND_BELOW]
        told = over_representation(chosen, rows.index, members)
        about = {"exposure": exposure, "model": "Fisher's exact test, one-sided", "measure": "odds ratio"}
        for name, row in told.iterrows():
            counted = about | {
                "term": name,
                "n_genes": row.n,
                "n_chosen": row.n_chosen,
                "n_found": len(chosen),
            }
            if not len(chosen):
                ora.append(counted | {"reason": reason("no_gene_found", q=FOUND_BELOW)})
            elif not row.n:
                ora.append(counted | {"reason": reason("no_gene_of_set_tested")})
            else:
                why = None if np.isfinite(row.odds_ratio) else reason("unbounded_ratio")
                ora.append(counted | {"estimate": row.odds_ratio, "p_value": row.p_value, "reason": why})
    found, counts = pd.DataFrame(gsea), pd.DataFrame(ora)
    return tuple(
        table.assign(q_value=q_values(table, "exposure")) if len(table) else table
        for table in (found, counts)
    )


def set_tables(
    data: Expression,
    genes: pd.DataFrame,
    sets: Mapping[str, GeneSet],
    settings: ExpressionSettings,
    *,
    cohort: str,
    question: str,
) -> dict[str, pd.DataFrame]:
    """All tables of one question by name: coverage, scores (one row per sample, private), associations, gsea,
    ora.
    """
    coverage = coverage_table(data, sets, settings)
    scores = flat = pd.DataFrame()
    if len(data.counts):
        scores = flat = score_people(data, sets, settings)
    if len(scores.columns):
        flat = scores.set_axis([": ".join(pair) for pair in scores.columns], axis=1)
    thin = {
        row.term: reason("low_coverage", share=f"{row.estimate:.0%}", needed=f"{settings.min_coverage:.0%}")
        for row in coverage.itertuples()
        if row.estimate < settings.min_coverage
    }
    gsea, ora = enrichment_tables(genes, sets, settings.seed)
    label = {COHORT: cohort, "question": question}
    associations = associate(data, scores, sets, settings.covariates, settings.per_years, thin).assign(
        outcome="set score"
    )
    tables = {"associations": ("expression/set_associations", associations)}
    for name, table in (("gsea", gsea), ("ora", ora)):
        tables[name] = (f"expression/{name}", table.assign(outcome="expression"))
    return {
        "coverage": result_rows(coverage.assign(**label), "expression/set_coverage"),
        "scores": flat.rename_axis(SAMPLE).reset_index().assign(analysis=question),
        **{
            name: result_rows(table.assign(**label, family="gene sets"), place)
            for name, (place, table) in tables.items()
        },
    }
