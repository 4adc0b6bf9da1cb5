"""The stage's inputs as files: participants, genotypes under their names, and ancestry components beside them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from faceage_bio.columns import AGE, AGE_ACCELERATION, COHORT, SAMPLE, SUBJECT
from faceage_bio.dna.genotypes import Genotypes, of_people, read_genotypes
from faceage_bio.plain import read_plain
from faceage_bio.problems import Problems


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
        table = read_plain(samples, (SAMPLE, SUBJECT), one_row_per=SAMPLE)
        aliases = dict(zip(table[SAMPLE].astype(str), table[SUBJECT].astype(str), strict=True))
    components: Sequence[str] = []
    if ancestry:
        table = read_plain(ancestry, (SUBJECT,), check=_numbers_only)
        components = component_names(table)
        people = people.merge(table[[SUBJECT, *components]], on=SUBJECT, how="left")
    problems = Problems()
    genotypes = read_genotypes(variants, genes, problems)
    if genotypes is not None:
        genotypes = of_people(
            genotypes, set(people[SUBJECT].dropna().astype(str)), aliases, str(variants), problems
        )
    problems.stop_if_any()
    return people, genotypes, list(components)


def component_names(table: pd.DataFrame) -> list[str]:
    """The columns of an ancestry table that are components: all but the keys."""
    return [name for name in table if name not in (COHORT, SUBJECT, SAMPLE)]


def _numbers_only(table: pd.DataFrame, source: str, problems: Problems) -> None:
    names = component_names(table)
    words = [name for name in names if not pd.api.types.is_numeric_dtype(table[name])]
    for name in words:
        line = table[name].notna().idxmax()
        problems.cell(source, line, name, table.at[line, name], "Expected numbers: ancestry components are (PC1, PC2 ...). Leave other columns out.")  # fmt: skip
    if not names:
        problems.other(
            f"{source}: no component beside {', '.join(table.columns)}. Expected a column of numbers for each ancestry component. Name them PC1, PC2 ..."
        )
