"""Cancer against controls, and each exposure on its own: unadjusted and adjusted."""

import pandas as pd

from faceage_bio.report import figures, words
from faceage_bio.report import table_rows as select
from faceage_bio.report.sections_associations import paired
from faceage_bio.report.tables_by_place import ReportTables


def group_section(tables: ReportTables, config: dict) -> dict:
    """Cancer against controls over all cohorts: rows, and the sentence of the first screen."""
    groups = tables.get("phenotype", "groups")
    return {
        "groups": [row | {"said": select.exposure(row["term"])} for row in _both(groups)],
        "group_sentence": words.group_sentence(groups) if len(groups) else "",
    }


def phenotype_section(tables: ReportTables, name: str, config: dict) -> dict:
    """A cohort's exposures, one at a time."""
    table = tables.get("phenotype", "phenotypes", name)
    drawn = len(table) and table.estimate.notna().any()
    return {"phenotypes": _both(table), "phenotype_figure": _forest(table) if drawn else ""}


def _both(table: pd.DataFrame) -> list[dict]:
    """Rows of associations, each raw row followed by its adjusted one."""
    return [row for pair in paired(table) for row in (pair["raw"], pair["adjusted"])]


def _forest(table: pd.DataFrame) -> str:
    shown = table.assign(
        label=[
            f"{words.term(row.term)}{f', per {row.per}' if row.per else ''}" for row in table.itertuples()
        ],
        kind=figures.adjusted(table),
    )
    return figures.forest(
        shown, "label", "kind", figures.RAW_AND_ADJUSTED, 0, "Difference in face age, years", digits=1
    )
