"""RNA samples before any model: depth, genes detected, sex told by the RNA, principal components, and who
differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.counts import by_date, of_samples
from faceage_bio.analyses.expression.formula import plain
from faceage_bio.core.columns import (
    AGE,
    AGE_ACCELERATION,
    COHORT,
    LEVELS,
    OTHER_SEX,
    SAMPLE,
    SPECIMEN,
    SUBJECT,
)
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_genes import SampleQuality
from faceage_bio.intake.cohort.samples import is_of_tissue
from faceage_bio.stats.design import build_design, independent
from faceage_bio.stats.limma import log_counts_per_million
from faceage_bio.stats.linear import association_of_words, explained, mean_interval
from faceage_bio.stats.minimum_sizes import SAMPLES_FOR_COMPONENTS, SAMPLES_OF_BATCH
from faceage_bio.stats.multiplicity import q_values

X_GENE = "XIST"  # of inactivated X chromosomes
Y_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY", "USP9Y", "ZFY", "TXLNGY")
TOP = 50  # genes whose share of the counts tells a library of little variety
LEVELS_AT_ONCE = 5_000_000  # more would need more memory than the counts
MAD = 1.4826  # times the median absolute deviation is the standard deviation of normal values
NO_COUNTS, OUTLIER, SEX = "no_counts", "rna_outlier", "sex_mismatch"
# a column with more words than this share of participants tells one from another, not groups
MANY_WORDS = 0.5
BATCH = "batch"
NOT_COVARIATES = {COHORT, SAMPLE, SUBJECT, SPECIMEN, "sample_date"}
PRIVATE_COLUMNS = [
    "analysis", SAMPLE, SUBJECT, "library_size", "genes_detected", "top_share", "xist", "y_genes", "rna_sex",
    "recorded_sex", "deviation", "status", "reason", "detail",
]  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """``samples``: `PRIVATE_COLUMNS`, one row per sample; ``components`` (samples x PC1 ...), ``shares`` of
    variance.

    ``reasons`` says of "sex" and "components" why they were not run, None if they were.
    """

    samples: pd.DataFrame
    components: pd.DataFrame
    shares: pd.Series
    reasons: Mapping[str, Reason | None]


def check_samples(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    people: pd.DataFrame,
    rules: SampleQuality,
    min_count: int,
    min_samples: int,
    tissue: str | None = None,
) -> Checked:
    """Every sample (of the tissue) by itself and among the others, before libraries or participants are put
    together.

    Parameters
    ----------
    counts : DataFrame of int, genes x samples
    samples : DataFrame with sample_id, subject_id
    people : DataFrame with subject_id and, if known, sex
    min_count, min_samples : genes in the components have this count in so many samples
    """
    if tissue is not None:
        samples = samples[is_of_tissue(samples, tissue)]
    counts = of_samples(counts, samples[SAMPLE])
    table = measure(counts).assign(**{SUBJECT: samples.set_index(SAMPLE)[SUBJECT]})
    filled = table.index[table["library_size"] > 0]
    if "sex" in people:
        table["recorded_sex"] = table[SUBJECT].map(people.drop_duplicates(SUBJECT).set_index(SUBJECT)["sex"])
    sexes, no_sex = infer_sex(of_samples(counts, filled), rules.sex_mismatch.threshold)
    table = table.join(sexes)
    components, shares, no_components = principal_components(
        of_samples(counts, filled), rules.variable_genes, rules.components, min_count, min_samples
    )
    table = table.reindex(columns=[name for name in PRIVATE_COLUMNS if name not in (SAMPLE, "analysis")])
    spread = pd.concat([np.log2(table.loc[filled, "library_size"]), components], axis=1)
    batch = samples.set_index(SAMPLE)["batch"] if "batch" in samples else ""
    alike = pd.Series(batch, index=table.index).astype(str)
    table["deviation"] = deviations(spread, alike[filled]).max(axis=1)
    judged = judge(table, rules).rename_axis(SAMPLE).reset_index()
    return Checked(judged, components, shares, {"sex": no_sex, "components": no_components})


def measure(counts: pd.DataFrame) -> pd.DataFrame:
    """Library size, genes with a count, and the share of the counts in the `TOP` genes of each sample."""
    values = counts.to_numpy()
    total = values.sum(axis=0)
    # of one sample after the other, to copy no others
    top = np.array([np.sort(one)[-TOP:].sum() for one in values.T])
    share = np.divide(top, total, out=np.full(len(total), np.nan), where=total > 0)
    found = {"library_size": total, "genes_detected": np.count_nonzero(values, axis=0), "top_share": share}
    return pd.DataFrame(found, index=counts.columns)


def levels_of(counts: pd.DataFrame, genes: Sequence[str]) -> pd.DataFrame:
    """Log2 of counts plus one half, per million of all counts, samples x those genes."""
    chosen = counts.loc[genes]
    values = log_counts_per_million(chosen.to_numpy().T, counts.sum(axis=0).to_numpy())
    return pd.DataFrame(values, chosen.columns, chosen.index)


def infer_sex(counts: pd.DataFrame, least: float) -> tuple[pd.DataFrame, Reason | None]:
    """Sex by XIST (active in participants with two X chromosomes) against genes of the Y chromosome, and why
    it is not told.

    Levels are log2 of counts plus one half per million, those of the Y genes averaged. Whoever is higher by
    ``least`` decides; between lie samples that are mixed, or of tumours that lost a chromosome: they stay
    "not determined".

    Returns
    -------
    DataFrame
        xist, y_genes (levels), rna_sex ("female", "male", "not determined"); empty where it cannot be told
        for anybody.
    Reason or None
    """
    present = [gene for gene in Y_GENES if gene in counts.index]
    lacking = [] if X_GENE in counts.index else [X_GENE]
    lacking += [] if present else [f"Y genes ({', '.join(Y_GENES[:5])} ...)"]
    if lacking:
        return pd.DataFrame(index=counts.columns), reason("no_sex_genes", genes=" and no ".join(lacking))
    levels = levels_of(counts, [X_GENE, *present])
    xist, y_genes = levels[X_GENE], levels[present].mean(axis=1)
    difference = y_genes - xist
    told = np.select([difference >= least, difference <= -least], ["male", "female"], "not determined")
    return pd.DataFrame({"xist": xist, "y_genes": y_genes, "rna_sex": told}), None


def principal_components(
    counts: pd.DataFrame, n_genes: int, n_components: int, min_count: int, min_samples: int
) -> tuple[pd.DataFrame, pd.Series, Reason | None]:
    """Scores of the samples, each component's share of variance, and why there are none.

    Scanpy's PCA of the levels of the genes that vary most, centred and not scaled. XIST and the Y genes are
    left out: they would tell sex alone. The sign is such that the sum of cubed loadings is positive.
    """
    empty = (pd.DataFrame(index=counts.columns), pd.Series(dtype=float))
    if counts.shape[1] < SAMPLES_FOR_COMPONENTS:
        return *empty, reason("too_few_samples", n=counts.shape[1], needed=SAMPLES_FOR_COMPONENTS)
    kept = (counts >= min_count).sum(axis=1) >= min(min_samples, counts.shape[1])
    genes = counts.index[kept & ~counts.index.isin([X_GENE, *Y_GENES])]
    parts = np.array_split(genes, max(1, len(genes) * counts.shape[1] // LEVELS_AT_ONCE))
    spread = pd.concat([levels_of(counts, part).var() for part in parts])
    most = spread.sort_values(ascending=False, kind="stable").index[:n_genes]
    levels = levels_of(counts, most[spread[most] > 0])
    k = min(n_components, len(levels) - 1, levels.shape[1])
    if k < 1:
        return *empty, reason("no_gene_varies")
    import anndata
    import scanpy as sc

    data = anndata.AnnData(levels.to_numpy(), obs=pd.DataFrame(index=levels.index.astype(str)))
    sc.pp.pca(data, n_comps=k, svd_solver="full", dtype="float64")
    signs = np.sign((data.varm["PCs"] ** 3).sum(axis=0))
    names = [f"PC{number}" for number in range(1, k + 1)]
    scores = pd.DataFrame(data.obsm["X_pca"] * np.where(signs == 0, 1, signs), levels.index, names)
    return scores, pd.Series(data.uns["pca"]["variance_ratio"], names), None


def deviations(table: pd.DataFrame, alike: pd.Series) -> pd.DataFrame:
    """Distances from the median of the same batch in robust standard deviations (1.4826 times the median
    absolute distance).

    Parameters
    ----------
    table : DataFrame of float
    alike : batch of each row; a sample is an outlier of its batch, however small that is, but those of batches
        with fewer than `SAMPLES_OF_BATCH` are compared with all
    """
    sizes = alike.map(alike.value_counts())
    group = alike.where(sizes >= SAMPLES_OF_BATCH, "others")
    centre = table.groupby(group).transform("median")
    centre[group == "others"] = table.median()
    distance = (table - centre).abs()
    spread = MAD * distance.median()
    return (distance / spread.where(spread > 1e-12)).fillna(0.0).where(table.notna())


def judge(table: pd.DataFrame, rules: SampleQuality) -> pd.DataFrame:
    """With status (included, flagged, excluded), reason and detail of each sample; the graver reason is the
    one told.
    """
    status, code, detail = (pd.Series(value, index=table.index) for value in ("included", "", ""))
    recorded, told = table["recorded_sex"], table["rna_sex"]
    sexes = "recorded " + recorded.astype(str) + ", by RNA " + told.astype(str)
    distance = table["deviation"].map("{:.1f} robust standard deviations from the median".format)
    mismatch = recorded.isin(["female", "male"]) & told.isin(["female", "male"]) & (recorded != told)
    far = table["deviation"] > rules.outlier.threshold
    found = [
        (table["library_size"] == 0, "exclude", NO_COUNTS, pd.Series("no counts at all", index=table.index)),
        (mismatch, rules.sex_mismatch.action, SEX, sexes),
        (far, rules.outlier.action, OUTLIER, distance),
    ]
    for action, word in (("exclude", "excluded"), ("flag", "flagged")):
        for mask, chosen, name, said in found:
            mine = mask & (chosen == action)
            detail[mine] = (detail[mine] + "; " + said[mine]).str.removeprefix("; ")
            mine &= status == "included"
            status[mine], code[mine] = word, name
    return table.assign(status=status, reason=code, detail=detail, mismatch=mismatch, far=far)


def verdicts_of(quality: pd.DataFrame | None, analysis: str) -> pd.DataFrame | None:
    """Status, reason and detail of an analysis' samples, indexed by sample_id, from the private table."""
    if quality is None:
        return None
    mine = quality[quality["analysis"] == analysis]
    return mine.set_index(mine[SAMPLE].astype(str))[["status", "reason", "detail"]]


def without_excluded(
    inputs: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]], quality: pd.DataFrame | None
) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Counts and samples of each analysis without the samples that quality excludes."""
    kept = {}
    for analysis, (counts, samples) in inputs.items():
        verdicts = verdicts_of(quality, analysis)
        out = [] if verdicts is None else verdicts.index[verdicts["status"] == "excluded"]
        kept[analysis] = counts, samples[~samples[SAMPLE].astype(str).isin(out)]
    return kept


# What is shared of the samples' quality: numbers of samples, what loads on which component, batch against
# acceleration.


def summary_table(checked: Checked) -> pd.DataFrame:
    """Numbers of samples by what was found, and medians with quartiles of depth, genes and variety."""
    samples = checked.samples
    n, filled = len(samples), samples[samples["library_size"] > 0]
    rows: list[dict] = []
    for term, unit, column in (
        ("library size", "counts", "library_size"),
        ("genes detected", "genes", "genes_detected"),
        (f"counts in the top {TOP} genes", "share", "top_share"),
    ):
        lower, middle, upper = filled[column].quantile([0.25, 0.5, 0.75])
        quartiles = {"estimate": middle, "lower_quartile": lower, "upper_quartile": upper}
        rows.append({"term": term, "measure": "median", "unit": unit, "n": len(filled)} | quartiles)
    no_sex = checked.reasons["sex"]
    known = samples["recorded_sex"].isin(["female", "male"]) & samples["rna_sex"].notna()
    unknown = None if known.any() else reason("no_recorded_sex")
    status, undetermined = samples["status"], samples["rna_sex"] == "not determined"
    for term, found, of, why in (
        ("without counts", samples["library_size"] == 0, n, None),
        ("unlike the others", samples["far"], len(filled), None),
        (OTHER_SEX, samples["mismatch"], int(known.sum()), no_sex or unknown),
        ("sex not determined from RNA", undetermined, len(filled), no_sex),
        ("flagged", status == "flagged", n, None),
        ("excluded", status == "excluded", n, None),
    ):
        rows.append(
            {"term": term, "measure": "samples", "estimate": int(found.sum()), "n": of, "reason": why}
        )
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
    people : DataFrame indexed by sample_id, one row per participant, with the covariates
    """
    rows = []
    for name in covariates:
        known = people[people[name].notna() & people.index.isin(checked.components.index)]
        base = {"term": name, "exposure": name, "n": len(known)}
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
            of_component = {"component": component, "share_of_variance": checked.shares[component]}
            rows.append(base | of_component | {"estimate": one, "p_value": p_value})
    label = {"outcome": "principal component", "measure": "R squared", "model": "least squares, F test"}
    table = pd.DataFrame(rows).assign(**label, family="covariates and components")
    return table.assign(q_value=q_values(table, "family"))


def _terms(people: pd.DataFrame, name: str) -> pd.DataFrame:
    if not pd.api.types.is_numeric_dtype(people[name]) and people[name].nunique() > MANY_WORDS * len(people):
        raise FitError("values_all_different")
    return build_design(people, [name], LEVELS).matrix


def confounding_table(people: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    """Mean age acceleration of each batch, and how much of it and of each covariate the batch explains.

    Parameters
    ----------
    people : DataFrame, one row per participant

    Returns
    -------
    DataFrame
        Rows of ``level`` plate1 (mean years, t interval), then one per covariate: eta squared with the F test
        for numbers, Cramer's V with the chi-squared test for words.
    """
    if BATCH not in people or people[BATCH].nunique() < 2:
        one = BATCH in people and people[BATCH].nunique() == 1
        row = {
            "measure": "eta squared",
            "n": len(people),
            "reason": reason("one_batch" if one else "no_batch"),
        }
        return pd.DataFrame([_row(AGE_ACCELERATION) | row])
    known = people[people[BATCH].notna()]
    known = known.assign(**{BATCH: known[BATCH].astype(str)})
    rows = []
    for word, mine in known.groupby(BATCH)[AGE_ACCELERATION]:
        mine = mine.dropna()
        mean = {"term": BATCH, "level": word, "measure": "mean", "unit": "years", "n": len(mine)}
        row = _row(AGE_ACCELERATION) | mean
        try:
            found = mean_interval(mine.to_numpy())
            row |= {name: getattr(found, name) for name in ("estimate", "ci_lower", "ci_upper")}
        except FitError:
            row |= {"estimate": mine.mean(), "reason": reason("no_interval" if len(mine) else "no_value")}
        rows.append(row)
    skipped = {BATCH, "library_size", "genes_detected"}
    rows += [_against(known, name) for name in covariates if name not in skipped]
    return pd.DataFrame(rows).assign(model="analysis of variance, chi-squared test")


def _against(people: pd.DataFrame, name: str) -> dict:
    known = people[people[name].notna()]
    numeric = pd.api.types.is_numeric_dtype(known[name])
    row = _row(name) | {"measure": "eta squared" if numeric else "Cramer's V", "n": len(known)}
    inseparable = reason("inseparable_from_batch", column=name.replace("_", " "))
    try:
        if known[BATCH].nunique() < 2:
            raise FitError("known_in_one_batch")
        batches, terms = build_design(known, [BATCH]).matrix, build_design(known, [name], LEVELS).matrix
        if not terms.shape[1]:
            raise FitError("no_variation")
        if not independent(batches) or known[BATCH].nunique() >= len(known) - 1:
            raise FitError("batches_of_one")
        together = not independent(pd.concat([batches, terms], axis=1))
        share, p = (
            (value[0] for value in explained(known[name].to_numpy(), batches.to_numpy()))
            if numeric
            else association_of_words(known[BATCH], known[name])
        )
    except FitError as error:
        alone = error.reason.code == "batches_of_one"
        return row | {"reason": [error.reason, *([inseparable] if alone else [])]}
    return row | {"estimate": share, "p_value": p, "reason": inseparable if together else None}


def _row(name: str) -> dict:
    return {"term": name, "outcome": name, "exposure": BATCH}


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
    people = mine[[SAMPLE, SUBJECT, "library_size", "genes_detected"]]
    people = people.merge(samples.drop(columns=SUBJECT), on=SAMPLE)
    people = by_date(people).drop_duplicates(SUBJECT)
    taken = [COHORT, *(name for name in people if name != SUBJECT)]
    people = people.merge(table.drop(columns=taken, errors="ignore"), on=SUBJECT, how="left")
    people = people.set_index(SAMPLE)
    names = covariates_of(people, covariates, samples)
    parts = {
        "quality": summary_table(checked),
        "components": component_table(checked, people, names),
        "confounding": confounding_table(people[people[AGE_ACCELERATION].notna()], names),
    }
    label = {COHORT: cohort, "question": question}
    return {name: result_rows(part.assign(**label), f"expression/{name}") for name, part in parts.items()}
