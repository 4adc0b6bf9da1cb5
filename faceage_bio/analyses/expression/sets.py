"""Sets of senescence genes against face age: a score per person, and the sets' place among all genes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.counts import Expression, log_counts_per_million
from faceage_bio.analyses.expression.formula import plain
from faceage_bio.analyses.expression.gene_models import tested_genes
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, COHORT, LEVELS, SAMPLE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import adjusted_for, result_rows
from faceage_bio.intake.rna.gene_sets import GeneSet, digest
from faceage_bio.stats.design import build_design
from faceage_bio.stats.enrichment import METHODS, over_representation, preranked, score
from faceage_bio.stats.linear import fit_linear
from faceage_bio.stats.multiplicity import benjamini_hochberg

FOUND_BELOW = 0.05  # q of the genes that over-representation takes
ENRICHMENT = "preranked GSEA, genes permuted"


def coverage_table(
    data: Expression,
    sets: Mapping[str, GeneSet],
    gene: str,
    min_count: int,
    min_samples: int,
) -> pd.DataFrame:
    """How much of each set was measured (genes with enough counts), with its source and hash, and whether the headline gene is in it."""
    kept = (
        set(data.counts.columns[tested_genes(data.counts, min_count, min_samples)])
        if len(data.counts)
        else set()
    )
    rows = []
    for name, one in sets.items():
        present, tested = (sum(g in pool for g in one.directions) for pool in (set(data.counts), kept))
        share = tested / len(one.directions)
        way = one.directions.get(gene)
        rows.append({
            "term": name, "outcome": "expression", "measure": "share of genes", "estimate": share, "n": len(data.people),
            "genes": len(one.directions), "in_counts": present, "tested": tested, "signed": one.signed,
            "headline": "no" if way is None else {1: "rises", -1: "falls", 0: "yes"}[way], "source": one.source,
            "sha256": digest(one),
        })  # fmt: skip
    return pd.DataFrame(rows)


def score_people(
    data: Expression, sets: Mapping[str, GeneSet], min_coverage: float, min_count: int, min_samples: int
) -> pd.DataFrame:
    """A score per sample, set and method; sets below the floor have none.

    Returns
    -------
    DataFrame, samples x (set, method)
    """
    levels = log_counts_per_million(data.counts.T, min_count, min_samples)
    found = {}
    for name, one in sets.items():
        if sum(gene in levels for gene in one.directions) >= min_coverage * len(one.directions):
            for method in METHODS:
                found[name, method] = score(levels, one.directions, method)
    columns = pd.MultiIndex.from_tuples(list(found), names=["gene_set", "method"])
    return (
        pd.DataFrame(list(found.values()), index=columns).T.set_axis(levels.index, axis=0)
        if found
        else pd.DataFrame(index=levels.index)
    )


def associate(
    data: Expression,
    scores: pd.DataFrame,
    sets: Mapping[str, GeneSet],
    covariates: Sequence[str],
    per_years: float,
    thin: Mapping[str, Reason],
) -> pd.DataFrame:
    """Standard deviations of each score per ``per_years``: of the raw gap, of age acceleration and of age beside each other.

    Least squares with HC3 errors. Age acceleration and chronological age stand in one model with the covariates; the raw age gap
    alone in another, so that no participant reads it alone. q-values are over the sets, within exposure and method.

    Returns
    -------
    DataFrame, result rows with ``exposure`` and ``method``; each set keeps its rows, with the reason where there is no number.
    """
    rows = []
    people = data.people
    if AGE_GAP not in people and {"face_age", AGE} <= set(people):
        people = people.assign(**{AGE_GAP: people["face_age"] - people[AGE]})
    others = plain(covariates)
    models = ages_of(people, others)
    for name in sets:
        for method in METHODS:
            base = {
                "term": name, "measure": "standardised mean difference", "per": f"{per_years:g} years", "method": method,
                "model": "least squares, HC3",
            }  # fmt: skip
            try:
                if why := thin.get(name):
                    raise FitError(why.code, **why.parameters)
                # all of them or none: the raw gap never stands alone
                level = scores[name, method] / scores[name, method].std(ddof=1)
                fits = [fit_ages(people, level, columns, per_years) for columns, _ in models]
            except FitError as error:
                told = {"n": len(people), "reason": error.reason}
                rows += [base | told | held for _, exposures in models for held in exposures]
                continue
            for fitted, (_, exposures) in zip(fits, models, strict=True):
                rows += [base | fitted[held["exposure"]] | held for held in exposures]
    table = pd.DataFrame(rows)
    if "p_value" not in table:
        table["p_value"] = np.nan
    table["q_value"] = table.groupby(["exposure", "method"])["p_value"].transform(
        lambda values: benjamini_hochberg(values.to_numpy())
    )
    return table


def fit_ages(
    people: pd.DataFrame, values: pd.Series, columns: Sequence[str], per_years: float
) -> dict[str, dict]:
    """Least squares with HC3 errors of values on columns of participants, ages per ``per_years``: what a row says of each term.

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
    terms = fit.terms.assign(
        statistic=fit.terms["estimate"] / fit.terms["standard_error"], df=fit.df, n=len(matrix)
    )
    return {term: row._asdict() for term, row in zip(terms.index, terms.itertuples(index=False), strict=True)}


def ages_of(people: pd.DataFrame, others: Sequence[str]) -> list[tuple[list[str], list[dict]]]:
    """Columns of each model, and the exposures of its rows with what they are adjusted for: the raw age gap alone, and both ages."""
    models = [([AGE_GAP], [{"exposure": AGE_GAP, **adjusted_for([])}])] if AGE_GAP in people else []
    both = {one: other for one, other in ((AGE_ACCELERATION, AGE), (AGE, AGE_ACCELERATION))}
    held = [{"exposure": one, **adjusted_for([other, *others], one)} for one, other in both.items()]
    return [*models, ([AGE_ACCELERATION, AGE, *others], held)]


def enrichment_tables(
    genes: pd.DataFrame, sets: Mapping[str, GeneSet], seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Preranked GSEA by the Wald statistic, and over-representation among genes of q below 0.05, for each exposure.

    Parameters
    ----------
    genes : DataFrame
        Rows of the genome-wide table (term, exposure, estimate, standard_error, q_value) of one analysis.

    Returns
    -------
    DataFrame, DataFrame: result rows; genes of a signed set that fall are ranked and counted the other way round.
    """
    gsea, ora = [], []
    for exposure, rows in genes.groupby("exposure", sort=False):
        rows = rows.dropna(subset=["p_value"]).drop_duplicates("term").set_index("term")
        statistic = rows["estimate"] / rows["standard_error"]
        for name, one in sets.items():
            turned = statistic * pd.Series(
                {gene: one.directions.get(gene, 1) or 1 for gene in statistic.index}
            )
            found = preranked(turned, {name: list(one.directions)}, seed)
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
            gsea.append(base | {
                "estimate": row.normalised, "p_value": row.p_value, "enrichment": row.enrichment, "n_genes": row.n,
                "leading": ", ".join(row.leading[:20]),
            })  # fmt: skip
        chosen = rows.index[rows.q_value < FOUND_BELOW]
        told = over_representation(
            chosen, rows.index, {name: list(one.directions) for name, one in sets.items()}
        )
        for name, row in told.iterrows():
            base = {
                "term": name,
                "exposure": exposure,
                "model": "Fisher's exact test, one-sided",
                "measure": "odds ratio",
            }
            counted = base | {"n_genes": row.n, "n_chosen": row.n_chosen, "n_found": len(chosen)}
            if not len(chosen):
                ora.append(counted | {"reason": reason("no_gene_found", q=FOUND_BELOW)})
            elif not row.n:
                ora.append(counted | {"reason": reason("no_gene_of_set_tested")})
            else:
                why = None if np.isfinite(row.odds_ratio) else reason("unbounded_ratio")
                ora.append(counted | {"estimate": row.odds_ratio, "p_value": row.p_value, "reason": why})
    return tuple(_with_q(pd.DataFrame(rows)) for rows in (gsea, ora))


def _with_q(table: pd.DataFrame) -> pd.DataFrame:
    if not len(table):
        return table
    if "p_value" not in table:
        table["p_value"] = np.nan
    table["q_value"] = table.groupby("exposure")["p_value"].transform(
        lambda values: benjamini_hochberg(values.to_numpy())
    )
    return table


def set_tables(
    data: Expression,
    genes: pd.DataFrame,
    sets: Mapping[str, GeneSet],
    *,
    cohort: str,
    question: str,
    covariates: Sequence[str],
    headline: str,
    per_years: float,
    min_coverage: float,
    min_count: int,
    min_samples: int,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """All tables of one question by name: coverage, scores (one row per sample, private), associations, gsea, ora."""
    coverage = coverage_table(data, sets, headline, min_count, min_samples)
    if len(data.counts):
        scores = score_people(data, sets, min_coverage, min_count, min_samples)
    else:
        scores = pd.DataFrame()
    thin = {
        row.term: reason("low_coverage", share=f"{row.estimate:.0%}", needed=f"{min_coverage:.0%}")
        for row in coverage.itertuples()
        if row.estimate < min_coverage
    }
    gsea, ora = enrichment_tables(genes, sets, seed)
    label = {COHORT: cohort, "question": question}
    flat = (
        scores.set_axis([": ".join(pair) for pair in scores.columns], axis=1)
        if len(scores.columns)
        else scores
    )
    return {
        "coverage": result_rows(coverage.assign(**label), "expression/set_coverage"),
        "scores": flat.rename_axis(SAMPLE).reset_index().assign(analysis=question),
        "associations": result_rows(
            associate(data, scores, sets, covariates, per_years, thin).assign(**label, outcome="set score", family="gene sets"),
            "expression/set_associations",
        ),
        **{
            name: result_rows(table.assign(**label, outcome="expression", family="gene sets"), f"expression/{name}")
            for name, table in (("gsea", gsea), ("ora", ora))
        },
    }  # fmt: skip
