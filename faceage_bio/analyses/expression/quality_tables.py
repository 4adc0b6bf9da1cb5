"""What is shared of the samples' quality: numbers of samples, what loads on which component, batch against acceleration."""

from collections.abc import Sequence

import pandas as pd

from faceage_bio.analyses.expression.formula import plain
from faceage_bio.analyses.expression.quality import TOP, Checked
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COHORT, LEVELS, SAMPLE, SPECIMEN, SUBJECT
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.stats.design import build_design, independent
from faceage_bio.stats.linear import association_of_words, explained, mean_interval
from faceage_bio.stats.multiplicity import benjamini_hochberg

MANY_WORDS = 0.5  # a column with more words than this share of people tells one from another, not groups
BATCH = "batch"
OTHER_SEX = "sex by RNA differs from the record"
NOT_COVARIATES = {COHORT, SAMPLE, SUBJECT, SPECIMEN, "sample_date"}


def summary_table(checked: Checked) -> pd.DataFrame:
    """Numbers of samples by what was found, and medians with quartiles of depth, genes and variety."""
    samples = checked.samples
    n, filled = len(samples), samples[samples["library_size"] > 0]
    rows = [
        {"term": term, "measure": "median", "unit": unit, "estimate": values.median(), "lower_quartile": values.quantile(0.25),
         "upper_quartile": values.quantile(0.75), "n": len(values)}
        for term, unit, values in (
            ("library size", "counts", filled["library_size"]),
            ("genes detected", "genes", filled["genes_detected"]),
            (f"counts in the top {TOP} genes", "share", filled["top_share"]),
        )
    ]  # fmt: skip
    no_sex = checked.reasons["sex"]
    known = samples["recorded_sex"].isin(["female", "male"]) & samples["rna_sex"].notna()
    unknown = None if known.any() else reason("no_recorded_sex")
    counted = [
        ("without counts", int((samples["library_size"] == 0).sum()), n, None),
        ("unlike the others", int(samples["far"].sum()), len(filled), None),
        (OTHER_SEX, int(samples["mismatch"].sum()), int(known.sum()), no_sex or unknown),
        (
            "sex not determined from RNA",
            int((samples["rna_sex"] == "not determined").sum()),
            len(filled),
            no_sex,
        ),
        ("flagged", int((samples["status"] == "flagged").sum()), n, None),
        ("excluded", int((samples["status"] == "excluded").sum()), n, None),
    ]
    rows += [
        {"term": term, "measure": "samples", "estimate": found, "n": of, "reason": why}
        for term, found, of, why in counted
    ]
    return pd.DataFrame(rows)


def covariates_of(people: pd.DataFrame, covariates: Sequence[str], samples: pd.DataFrame) -> list[str]:
    """Both ages, the model's covariates, sex, everything of the samples table, and depth."""
    further = [name for name in samples if name not in NOT_COVARIATES and samples[name].nunique() > 1]
    names = [AGE_ACCELERATION, AGE, "sex", *plain(covariates), *further, "library_size", "genes_detected"]
    return [name for name in dict.fromkeys(names) if name in people]


def component_table(checked: Checked, people: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    """R squared and p of each covariate for each component, one sample per person; q over the whole table.

    Parameters
    ----------
    people : DataFrame indexed by sample_id, one row per person, with the covariates
    """
    rows = []
    for name in covariates:
        known = people[people[name].notna() & people.index.isin(checked.components.index)]
        base = {
            "term": name,
            "outcome": "principal component",
            "exposure": name,
            "measure": "R squared",
            "n": len(known),
            "model": "least squares, F test",
        }
        try:
            if why := checked.reasons["components"]:
                raise FitError(why.code, **why.parameters)
            if not len(known):
                raise FitError("no_value")
            share, p = explained(checked.components.loc[known.index].to_numpy(), _terms(known, name))
        except FitError as error:
            rows.append(base | {"component": "all", "reason": error.reason})
            continue
        for component, one, p_value in zip(checked.components, share, p, strict=True):
            rows.append(
                base | {"component": component, "estimate": one, "p_value": p_value, "share_of_variance": checked.shares[component]}
            )  # fmt: skip
    table = pd.DataFrame(rows).reindex(
        columns=["term", "outcome", "exposure", "component", "measure", "estimate", "p_value", "share_of_variance", "n", "model", "reason"]
    )  # fmt: skip
    return table.assign(
        q_value=benjamini_hochberg(table["p_value"].astype(float).to_numpy()),
        family="covariates and components",
    )


def _terms(people: pd.DataFrame, name: str) -> pd.DataFrame:
    if not pd.api.types.is_numeric_dtype(people[name]) and people[name].nunique() > MANY_WORDS * len(people):
        raise FitError("values_all_different")
    return build_design(people, [name], LEVELS).matrix


def confounding_table(people: pd.DataFrame, covariates: Sequence[str], batch: str = BATCH) -> pd.DataFrame:
    """Mean age acceleration of each batch, and how much of it and of each covariate the batch explains.

    Parameters
    ----------
    people : DataFrame, one row per person

    Returns
    -------
    DataFrame
        Rows of ``level`` plate1 (mean years, t interval), then one per covariate: eta squared with the F test for numbers, Cramer's
        V with the chi-squared test for words.
    """
    if batch not in people or people[batch].nunique() < 2:
        one = batch in people and people[batch].nunique() == 1
        why = reason("one_batch" if one else "no_batch")
        return pd.DataFrame([_row(AGE_ACCELERATION, batch) | {"measure": "eta squared", "n": len(people), "reason": why}])  # fmt: skip
    known = people[people[batch].notna()]
    known = known.assign(**{batch: known[batch].astype(str)})
    rows = []
    for word, mine in known.groupby(batch)[AGE_ACCELERATION]:
        mine = mine.dropna()
        row = _row(AGE_ACCELERATION, batch) | {
            "term": batch,
            "level": word,
            "measure": "mean",
            "unit": "years",
            "n": len(mine),
        }
        try:
            found = mean_interval(mine.to_numpy())
            row |= {
                "estimate": found.estimate,
                "ci_lower": found.ci_lower,
                "ci_upper": found.ci_upper,
            }
        except FitError:
            row |= {"estimate": mine.mean(), "reason": reason("no_interval" if len(mine) else "no_value")}
        rows.append(row)
    skipped = {batch, "library_size", "genes_detected"}
    rows += [_against(known, batch, name) for name in covariates if name not in skipped]
    return pd.DataFrame(rows).assign(model="analysis of variance, chi-squared test")


def _against(people: pd.DataFrame, batch: str, name: str) -> dict:
    known = people[people[name].notna()]
    numeric = pd.api.types.is_numeric_dtype(known[name])
    row = _row(name, batch) | {"measure": "eta squared" if numeric else "Cramer's V", "n": len(known)}
    inseparable = reason("inseparable_from_batch", column=name.replace("_", " "))
    try:
        if known[batch].nunique() < 2:
            raise FitError("known_in_one_batch")
        batches, terms = build_design(known, [batch]).matrix, build_design(known, [name], LEVELS).matrix
        if not terms.shape[1]:
            raise FitError("no_variation")
        if not independent(batches) or known[batch].nunique() >= len(known) - 1:
            raise FitError("batches_of_one")
        together = not independent(pd.concat([batches, terms], axis=1))
        share, p = (
            (value[0] for value in explained(known[name].to_numpy(), batches.to_numpy()))
            if numeric
            else association_of_words(known[batch], known[name])
        )
    except FitError as error:
        alone = error.reason.code == "batches_of_one"
        return row | {"reason": [error.reason, *([inseparable] if alone else [])]}
    return row | {"estimate": share, "p_value": p, "reason": inseparable if together else None}


def _row(name: str, batch: str) -> dict:
    return {"term": name, "outcome": name, "exposure": batch}


def quality_tables(
    checked: Checked,
    samples: pd.DataFrame,
    table: pd.DataFrame,
    covariates: Sequence[str],
    cohort: str,
    question: str,
) -> dict[str, pd.DataFrame]:
    """All shared tables of one question by name: quality, components, confounding.

    Parameters
    ----------
    samples : the samples table
    table : the cohort's analysis table
    """
    mine = checked.samples[checked.samples["library_size"] > 0]
    people = mine[[SAMPLE, SUBJECT, "library_size", "genes_detected"]].merge(
        samples.drop(columns=SUBJECT), on=SAMPLE
    )
    people = people.sort_values(["sample_date", SAMPLE], na_position="last", kind="stable").drop_duplicates(
        SUBJECT
    )
    taken = [COHORT, *(name for name in people if name != SUBJECT)]
    people = people.merge(table.drop(columns=taken, errors="ignore"), on=SUBJECT, how="left").set_index(
        SAMPLE
    )
    names = covariates_of(people, covariates, samples)
    parts = {
        "quality": summary_table(checked),
        "components": component_table(checked, people, names),
        "confounding": confounding_table(people[people[AGE_ACCELERATION].notna()], names),
    }
    label = {COHORT: cohort, "question": question}
    return {name: result_rows(part.assign(**label), f"expression/{name}") for name, part in parts.items()}
