"""DNA variants at intake: whether the genotypes can be read, whose they are, and their ancestry components."""

import pandas as pd

from faceage_bio.core.columns import COHORT, SAMPLE, SUBJECT
from faceage_bio.core.errors import Problems, examples
from faceage_bio.core.settings.settings_cohort import form_of
from faceage_bio.intake.dna.genotype_calls import of_people, read_genotypes
from faceage_bio.intake.schemas import (
    ANCESTRY,
    VARIANT_SAMPLES,
    check_components,
    component_names,
    read_user_table,
)


def read_variant_people(
    cohort: str, settings: dict, samples: pd.DataFrame, known: set[str], problems: Problems
) -> pd.DataFrame | None:
    """One row per sample of the cohort's variants: cohort, sample_id, subject_id and the ancestry components; None without any.

    A sample is named by its subject_id, by a sample_id of ``variant_samples``, or by that of the RNA ``samples``.
    """
    if not settings.get("variants"):
        return None
    genotypes = read_genotypes(settings["variants"], settings.get("variant_genes"), problems)
    aliases = dict(zip(samples[SAMPLE], samples[SUBJECT], strict=True))
    file = settings.get("variant_samples")
    if file:
        read = read_user_table(file, VARIANT_SAMPLES, problems, form_of(settings, "variant_samples"))
        if read is None:
            return None
        table = read.values
        for line in table.index[~table[SUBJECT].isin(known)]:
            problems.cell(
                file, line, SUBJECT, table.at[line, SUBJECT], "Expected a subject of the clinical table, which has none of that name. Correct it, or leave the row out."
            )  # fmt: skip
        aliases |= dict(zip(table[SAMPLE], table[SUBJECT], strict=True))
    components = _components(settings, known, problems)
    if genotypes is None:
        return None
    named = of_people(genotypes, known, aliases, settings["variants"], problems)
    names = {sample: sample if sample in known else aliases.get(sample) for sample in genotypes.copies.columns}  # fmt: skip
    people = pd.DataFrame({COHORT: cohort, SAMPLE: list(names), SUBJECT: list(names.values())})
    people = people[people[SUBJECT].isin(named.copies.columns)]
    if components is None:
        return people.reset_index(drop=True)
    return people.merge(components, on=SUBJECT, how="left")


def _components(settings: dict, known: set[str], problems: Problems) -> pd.DataFrame | None:
    """subject_id and the numbers beside it."""
    file = settings.get("ancestry")
    if not file:
        return None
    read = read_user_table(file, ANCESTRY, problems, form_of(settings, "ancestry"))
    if read is None:
        return None
    table = read.values
    check_components(table, file, problems)
    strangers = [f"line {line}: {cell!r}" for line, cell in table[SUBJECT].items() if cell not in known]
    if strangers:
        problems.other(f"{file}: {len(strangers)} subject(s) that the cohort does not have: {examples(strangers)}. Expected subjects of the clinical table. Correct the name, or leave the row out.")  # fmt: skip
    return table[[SUBJECT, *component_names(table)]].drop_duplicates(SUBJECT)
