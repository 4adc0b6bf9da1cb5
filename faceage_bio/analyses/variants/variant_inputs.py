"""The stage's inputs as files: participants, genotypes under their names, and ancestry components beside them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from faceage_bio.core.columns import AGE, AGE_ACCELERATION, SAMPLE, SUBJECT
from faceage_bio.core.errors import Problems
from faceage_bio.intake.genotype_files import Genotypes, of_participants, read_genotypes
from faceage_bio.intake.plain import read_plain
from faceage_bio.intake.schemas import ANCESTRY, VARIANT_SAMPLES, check_components, component_names


def read_inputs(
    acceleration: Path, variants: Path, genes: Path | None, samples: Path | None, ancestry: Path | None
) -> tuple[pd.DataFrame, Genotypes, list[str]]:
    """Participants (one row each, ancestry components as further columns), genotypes with participants as columns, names of the components.

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
