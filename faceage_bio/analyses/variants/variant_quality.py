"""Which variants and participants are analysed: call rates, frequencies, and a count of everything that is left out."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.core.columns import AGE_ACCELERATION, SUBJECT
from faceage_bio.intake.genotype_files import GENE, GENE_SEPARATOR, VARIANT, Genotypes
from faceage_bio.stats.rare_variants import allele_frequency, hardy_weinberg

RARE, COMMON = "rare", "common"
HARDY_WEINBERG_BELOW = 1e-6  # p of variants that are counted as out of proportion; none is left out for it


@dataclass(frozen=True)
class Analysed:
    """``variants``: one row each with frequency, carriers, call_rate, hardy_weinberg_p, turned and fate (rare, common or why it is
    left out); ``copies``: participants x variants that are rare or common, of the minor allele, NaN where missing; ``counts``: rows
    (measure, term, estimate) of what came in, what is left out and what is analysed."""

    variants: pd.DataFrame
    copies: pd.DataFrame
    counts: pd.DataFrame


def choose(
    genotypes: Genotypes, people: pd.DataFrame, needed: Collection[str], panel: Collection[str], max_maf: float, min_call_rate: float
) -> Analysed:  # fmt: skip
    """Variants of the panel and participants that fulfil the filters.

    First participants whose call rate over the panel's variants is too low are left out, then variants whose call rate in the others
    is; frequencies and Hardy-Weinberg's test are of the participants who are analysed. Where the counted allele is the more frequent
    one, the other is counted.

    Parameters
    ----------
    people : DataFrame, one row per person, indexed by anything
    needed : columns that an analysed person must have, beside age acceleration
    """
    inside = genotypes.variants[GENE].map(lambda genes: bool(set(genes.split(GENE_SEPARATOR)) & set(panel)))
    variants = genotypes.variants[inside.to_numpy()].reset_index(drop=True)
    copies = genotypes.copies[inside.to_numpy()].T.set_axis(variants[VARIANT], axis=1)

    rows = people[people[SUBJECT].isin(copies.index)].set_index(SUBJECT)
    accelerated = rows.index[rows[AGE_ACCELERATION].notna()]
    rate = copies.loc[accelerated].notna().mean(axis=1)
    called = accelerated[(rate >= min_call_rate).to_numpy()]
    complete = called[rows.loc[called, list(needed)].notna().all(axis=1).to_numpy()]

    variant_rate = copies.loc[called].notna().mean().to_numpy()
    final = copies.loc[complete]
    values = final.to_numpy(dtype=np.float64)
    frequency = allele_frequency(values)
    turned = frequency > 0.5
    values = np.where(turned, 2 - values, values)
    frequency = np.where(turned, 1 - frequency, frequency)
    fate = np.where(frequency <= max_maf, RARE, COMMON).astype(object)
    fate[~(frequency > 0)] = "all participants analysed have the same genotype"
    fate[~(variant_rate >= min_call_rate)] = "call rate too low"
    used = np.isin(fate, (RARE, COMMON))
    variants = variants.assign(
        frequency=frequency, carriers=(values > 0).sum(axis=0), call_rate=variant_rate, hardy_weinberg_p=hardy_weinberg(values),
        turned=turned & used, fate=fate, filled=np.where(used, np.isnan(values).sum(axis=0), 0),
    )  # fmt: skip
    flow = [
        ("participants", "with genotypes", len(rows)), ("participants", "without age acceleration", len(rows) - len(accelerated)),
        ("participants", "call rate too low", len(accelerated) - len(called)),
        ("participants", "a covariate or ancestry component is not known", len(called) - len(complete)), ("participants", "analysed", len(complete)),
    ]  # fmt: skip
    counts = pd.DataFrame(
        flow + _variant_counts(genotypes, variants), columns=["measure", "term", "estimate"]
    )
    return Analysed(
        variants, pd.DataFrame(values, index=complete, columns=variants.index).loc[:, used], counts
    )


def _variant_counts(genotypes: Genotypes, variants: pd.DataFrame) -> list[tuple[str, str, int]]:
    used = variants[variants["fate"].isin((RARE, COMMON))]
    left_out = [("variants", why, n) for why, n in genotypes.left_out.items()]
    outside = len(genotypes.variants) - len(variants)
    fates = variants["fate"].value_counts()
    gone = [("variants", str(why), int(n)) for why, n in fates.items() if why not in (RARE, COMMON)]
    return [
        ("variants", "alleles in the file", sum(genotypes.left_out.values()) + len(genotypes.variants)), *left_out,
        *([("variants", "in no gene of the panel", outside)] if outside else []), *gone,
        ("variants", "analysed as rare", int(fates.get(RARE, 0))), ("variants", "analysed as common", int(fates.get(COMMON, 0))),
        ("variants", "of them from sites with several alternative alleles", int(used["split"].sum())),
        ("variants", "of them with the other allele counted, since it is the rarer one", int(used["turned"].sum())),
        ("variants", f"of them with Hardy-Weinberg p below {HARDY_WEINBERG_BELOW:g} (kept)", int((used["hardy_weinberg_p"] < HARDY_WEINBERG_BELOW).sum())),
        ("genotypes", "half known, taken as missing", int(variants["half_calls"].sum())),
        ("genotypes", "missing, filled with the variant's mean", int(used["filled"].sum())),
    ]  # fmt: skip
