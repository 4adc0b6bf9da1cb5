"""What a study cannot answer with the tables that it has, and why, before anything is computed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from faceage_bio.core.columns import FOLLOWUP

if TYPE_CHECKING:
    from faceage_bio.intake.cohort.intake import CohortTables

WITHOUT = {  # settings whose columns an analysis goes without
    "phenotype.exposures": "associations with", "phenotype.factors": "comparisons by", "survival.covariates": "survival models adjusted for",
}  # fmt: skip


def cannot_answer(tables: Mapping[str, "CohortTables"], named: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each question of a cohort that has no answer for want of a column; for want of participants: `too_small`.

    Parameters
    ----------
    tables : the checked tables of each cohort
    named : the columns that each setting names, as of `config.named_columns`
    """
    return [
        f"{name}: cannot be answered: {question}, because {why}"
        for name, one in tables.items() for question, why in _of_cohort(one, named)
    ] + _of_disease(tables)  # fmt: skip


def _of_cohort(tables: "CohortTables", named: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    people, n = tables.subjects, len(tables.subjects)
    followed = people[FOLLOWUP].notna().any()
    found = []
    for setting, question in WITHOUT.items():
        lacking = [name for name in named[setting] if name in people and not people[name].notna().any()]
        if lacking and (followed or not setting.startswith("survival")):
            found.append((f"{question} {', '.join(lacking)}", f"they are known for 0 of {n} participants"))
    if tables.samples.empty:
        found.append(("gene expression", "there is no RNA"))
    return found


def _of_disease(tables: Mapping[str, "CohortTables"]) -> list[str]:
    groups = {str(group) for one in tables.values() for group in one.subjects["group"].dropna().unique()}
    lacking = sorted({"cancer", "reference"} - groups)
    if not lacking:
        return []
    return [
        f"cannot be answered: cancer against controls, because no participant has group = {' or '.join(lacking)}"
    ]
