"""Variants of the declared genes against age acceleration, and against chronological age as negative control:
which variants and participants are analysed, with a count of everything that is left out; the tests; and the
stage's inputs as files.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COHORT, LEVELS, SAMPLE, SUBJECT
from faceage_bio.core.errors import CohortError, FitError, Problems
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import adjusted_for, result_rows
from faceage_bio.core.settings.settings_genes import Variants
from faceage_bio.intake.genotype_files import (
    GENE,
    GENE_SEPARATOR,
    VARIANT,
    Genotypes,
    of_participants,
    read_genotypes,
)
from faceage_bio.intake.plain import read_plain
from faceage_bio.intake.schemas import ANCESTRY, VARIANT_SAMPLES, check_components, component_names
from faceage_bio.stats.design import build_design
from faceage_bio.stats.linear import fit_linear
from faceage_bio.stats.multiplicity import bonferroni, q_values
from faceage_bio.stats.rare_variants import (
    allele_frequency,
    beta_weights,
    burden_score,
    filled_with_mean,
    hardy_weinberg,
    skat,
)

RARE, COMMON = "rare", "common"
HARDY_WEINBERG_BELOW = 1e-6  # p of variants that are counted as out of proportion; none is left out for it
PER = {"carriers": "carrier", "alleles": "minor allele", "weighted": "minor allele of the rarest kind"}
OUTCOMES = (AGE_ACCELERATION, AGE)
BURDEN, SKAT, ADDITIVE = "burden", "SKAT", "additive"
IN_YEARS = {"measure": "mean difference", "unit": "years"}


@dataclass(frozen=True)
class Analysed:
    """``variants``: one row each with frequency, carriers, call_rate, hardy_weinberg_p, turned and fate
    (rare, common or why it is left out); ``copies``: participants x variants that are rare or common, of the
    minor allele, NaN where missing; ``counts``: rows (measure, term, estimate) of what came in, what is left
    out and what is analysed.
    """

    variants: pd.DataFrame
    copies: pd.DataFrame
    counts: pd.DataFrame


def choose(
    genotypes: Genotypes,
    people: pd.DataFrame,
    needed: Collection[str],
    panel: Collection[str],
    settings: Variants,
) -> Analysed:
    """Variants of the panel and participants that fulfil the filters.

    First participants whose call rate over the panel's variants is too low are left out, then variants whose
    call rate in the others is; frequencies and Hardy-Weinberg's test are of the participants who are
    analysed. Where the counted allele is the more frequent one, the other is counted.

    Parameters
    ----------
    people : DataFrame, one row per participant, indexed by anything
    needed : columns that an analysed person must have, beside age acceleration
    """
    inside = genotypes.variants[GENE].map(lambda genes: bool(set(genes.split(GENE_SEPARATOR)) & set(panel)))
    variants = genotypes.variants[inside.to_numpy()].reset_index(drop=True)
    copies = genotypes.copies[inside.to_numpy()].T.set_axis(variants[VARIANT], axis=1)

    rows = people[people[SUBJECT].isin(copies.index)].set_index(SUBJECT)
    accelerated = rows.index[rows[AGE_ACCELERATION].notna()]
    rate = copies.loc[accelerated].notna().mean(axis=1)
    called = accelerated[(rate >= settings.call_rate).to_numpy()]
    complete = called[rows.loc[called, list(needed)].notna().all(axis=1).to_numpy()]

    variant_rate = copies.loc[called].notna().mean().to_numpy()
    final = copies.loc[complete]
    values = final.to_numpy(dtype=np.float64)
    frequency = allele_frequency(values)
    turned = frequency > 0.5
    values = np.where(turned, 2 - values, values)
    frequency = np.where(turned, 1 - frequency, frequency)
    fate = np.where(frequency <= settings.maf, RARE, COMMON).astype(object)
    fate[~(frequency > 0)] = "all participants analysed have the same genotype"
    fate[~(variant_rate >= settings.call_rate)] = "call rate too low"
    used = np.isin(fate, (RARE, COMMON))
    variants = variants.assign(
        frequency=frequency,
        carriers=(values > 0).sum(axis=0),
        call_rate=variant_rate,
        hardy_weinberg_p=hardy_weinberg(values),
        turned=turned & used,
        fate=fate,
        filled=np.where(used, np.isnan(values).sum(axis=0), 0),
    )
    flow = {
        "with genotypes": len(rows),
        "without age acceleration": len(rows) - len(accelerated),
        "call rate too low": len(accelerated) - len(called),
        "a covariate or ancestry component is not known": len(called) - len(complete),
        "analysed": len(complete),
    }
    counts = {"participants": flow} | _variant_counts(genotypes, variants)
    counted = [(measure, *one) for measure, numbers in counts.items() for one in numbers.items()]
    copies = pd.DataFrame(values, index=complete, columns=variants.index).loc[:, used]
    return Analysed(variants, copies, pd.DataFrame(counted, columns=["measure", "term", "estimate"]))


def _variant_counts(genotypes: Genotypes, variants: pd.DataFrame) -> dict[str, dict[str, int]]:
    used = variants[variants["fate"].isin((RARE, COMMON))]
    outside = len(genotypes.variants) - len(variants)
    fates = variants["fate"].value_counts()
    out_of_proportion = used["hardy_weinberg_p"] < HARDY_WEINBERG_BELOW
    of_variants = {
        "alleles in the file": sum(genotypes.left_out.values()) + len(genotypes.variants),
        **genotypes.left_out,
        **({"in no gene of the panel": outside} if outside else {}),
        **{str(why): int(n) for why, n in fates.items() if why not in (RARE, COMMON)},
        "analysed as rare": int(fates.get(RARE, 0)),
        "analysed as common": int(fates.get(COMMON, 0)),
        "of them from sites with several alternative alleles": int(used["split"].sum()),
        "of them with the other allele counted, since it is the rarer one": int(used["turned"].sum()),
        f"of them with Hardy-Weinberg p below {HARDY_WEINBERG_BELOW:g} (kept)": int(out_of_proportion.sum()),
    }
    of_genotypes = {
        "half known, taken as missing": int(variants["half_calls"].sum()),
        "missing, filled with the variant's mean": int(used["filled"].sum()),
    }
    return {"variants": of_variants, "genotypes": of_genotypes}


def variant_tables(
    people: pd.DataFrame,
    genotypes: Genotypes,
    components: Sequence[str],
    settings: Variants,
    *,
    cohort: str,
    panel: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """All tables of the stage by name.

    Parameters
    ----------
    people : DataFrame, one row per participant
        subject_id, age_acceleration, chronological_age (years), the covariates and components.
    genotypes : Genotypes with participants as columns of its copies
    components : columns of ancestry components, in every model
    settings : Variants
        covariates: further columns in every model; age is in those of age acceleration, always.

    Returns
    -------
    dict
        ``genes``: result rows, per gene of the panel, test (burden, SKAT) and outcome (age_acceleration,
        chronological_age), with q_value and p_bonferroni over the panel within test and outcome. ``common``:
        per common variant and outcome, additive. ``quality``: counts (in ``estimate``) of what came in, was
        left out and was analysed. ``variants``: one row per variant of the panel, for the owner of the data
        only, since it tells who is alone with a variant.

    Raises
    ------
    CohortError
        A covariate that the participants do not have.
    """
    others = [name for name in dict.fromkeys([*settings.covariates, *components]) if name != AGE]
    if unknown := [name for name in others if name not in people]:
        raise CohortError(
            f"the analysis table has no column {', '.join(map(repr, unknown))}; it has {', '.join(map(str, people.columns))}. "
            "Expected each of them. Correct variants.covariates in the config, or add the column to the clinical table."
        )
    analysed = choose(genotypes, people, [AGE, *others], panel, settings)
    rows = people.set_index(SUBJECT).loc[analysed.copies.index]
    label = {COHORT: cohort, "question": "variants"}
    shared = label | {"n": len(rows)}
    genes, singles = [], []
    for outcome in OUTCOMES:
        held = others if outcome == AGE else [AGE, *others]
        base = shared | {"outcome": outcome, "components": len(components)} | adjusted_for(held)
        y, design = rows[outcome], build_design(rows, held, LEVELS).matrix
        for gene in panel:
            genes += [base | row for row in _gene_rows(gene, analysed, y, design, settings)]
        if settings.common:
            singles += [base | row for row in _common_rows(analysed, y, design, settings.min_carriers)]
    return {
        "genes": _families(genes, "genes", family="prespecified panel"),
        "common": _families(singles, "common", family="common variants"),
        "quality": result_rows(analysed.counts.assign(**shared), "variants/quality"),
        "variants": analysed.variants.assign(**{COHORT: cohort}),
    }


def _gene_rows(
    gene: str, analysed: Analysed, y: pd.Series, design: pd.DataFrame, settings: Variants
) -> list[dict]:
    mine = analysed.variants[analysed.variants[GENE].map(lambda genes: gene in genes.split(GENE_SEPARATOR))]
    rare = mine.index[mine["fate"] == RARE]
    copies = analysed.copies[rare].to_numpy()
    carriers = int((copies > 0).any(axis=1).sum())
    told = {"term": gene, "exposure": "rare variants", "n_variants": len(rare)}
    told |= {"n_alleles": int(np.nansum(copies)), "n_carriers": carriers}
    why = None
    if not len(mine):
        why = reason("no_variant")
    elif not len(rare):
        why = reason("no_rare_variant")
    elif carriers < settings.min_carriers:
        why = reason("too_few_carriers", needed=settings.min_carriers)
    first = {"test": BURDEN, "per": PER[settings.weights], "model": "burden, least squares, HC3"} | IN_YEARS
    second = {"test": SKAT, "measure": "SKAT statistic", "model": "SKAT, weights of Beta(1, 25)"}
    return [
        told | first | _attempt(why, lambda: _slope(y, design, burden_score(copies, settings.weights))),
        told | second | _attempt(why, lambda: _skat(y, design, copies)),
    ]


def _common_rows(analysed: Analysed, y: pd.Series, design: pd.DataFrame, min_carriers: int) -> list[dict]:
    base = {"exposure": "variant", "test": ADDITIVE, "per": "minor allele"} | IN_YEARS
    base["model"] = "additive, least squares, HC3"
    rows = []
    for place, variant in analysed.variants[analysed.variants["fate"] == COMMON].iterrows():
        copies = analysed.copies[[place]].to_numpy()
        few = variant["carriers"] < min_carriers
        why = reason("too_few_carriers_of_variant", needed=min_carriers) if few else None
        row = base | {"term": variant[VARIANT], "gene": variant[GENE]}
        row |= {name: variant[name] for name in ("frequency", "hardy_weinberg_p")}
        row |= {"n_alleles": int(np.nansum(copies)), "n_carriers": int(variant["carriers"])}
        fit = partial(_slope, y, design, filled_with_mean(copies)[:, 0])
        rows.append(row | _attempt(why, fit))
    return rows


def _attempt(why: Reason | None, fit: Callable[[], dict]) -> dict:
    if why is None:
        try:
            return fit()
        except FitError as error:
            why = error.reason
    return {"reason": why}


def _slope(y: pd.Series, design: pd.DataFrame, score: np.ndarray) -> dict:
    fit = fit_linear(y, design.assign(variants=score))
    found = fit.terms.loc["variants"].to_dict()
    return found | {"statistic": found["estimate"] / found["standard_error"], "df": fit.df}


def _skat(y: pd.Series, design: pd.DataFrame, copies: np.ndarray) -> dict:
    found = skat(y, design, copies, beta_weights(allele_frequency(copies)))
    return {"estimate": found.statistic, "p_value": found.p_value}


def _families(rows: list[dict], name: str, **label: str) -> pd.DataFrame:
    """Each test of each outcome is a family of its own."""
    table = pd.DataFrame(rows)
    if len(table):
        table = table.reindex(columns=[*dict.fromkeys([*table, "p_value"])])
        families = table.groupby(["outcome", "test"])["p_value"]
        table["q_value"] = q_values(table, "outcome", "test")
        table["p_bonferroni"] = families.transform(lambda values: bonferroni(values.to_numpy(dtype=float)))
        table["n_tests"] = families.transform("count")
    return result_rows(table.assign(**label), f"variants/{name}")


def read_inputs(
    acceleration: Path, variants: Path, genes: Path | None, samples: Path | None, ancestry: Path | None
) -> tuple[pd.DataFrame, Genotypes, list[str]]:
    """Participants (one row each, ancestry components as further columns), genotypes with participants as
    columns, names of the components.

    Raises
    ------
    TableError, CohortError
        All that is wrong in any of the files.
    """
    people = read_plain(acceleration, (SUBJECT, AGE_ACCELERATION, AGE))
    aliases = {}
    if samples:
        table = read_plain(samples, (SAMPLE, SUBJECT), one_row_per=SAMPLE, schema=VARIANT_SAMPLES)
        aliases = dict(zip(table[SAMPLE].astype(str), table[SUBJECT].astype(str), strict=True))
    components: Sequence[str] = []
    if ancestry:
        table = read_plain(ancestry, (SUBJECT,), check=check_components, schema=ANCESTRY)
        components = component_names(table)
        people = people.merge(table[[SUBJECT, *components]], on=SUBJECT, how="left")
    problems = Problems()
    genotypes = read_genotypes(variants, genes, problems)
    if genotypes is not None:
        genotypes = of_participants(
            genotypes, set(people[SUBJECT].dropna().astype(str)), aliases, str(variants), problems
        )
    problems.stop_if_any()
    return people, genotypes, list(components)
