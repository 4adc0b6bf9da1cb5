"""The survival page's subgroups: hazard ratios of age acceleration in each, and the tests that they differ."""

import pandas as pd

from faceage_bio.report import figures_hazards, words
from faceage_bio.report.formats import p_value
from faceage_bio.report.tables_by_place import ReportTables


def subgroup_section(tables: ReportTables, name: str, config: dict) -> dict:
    """Forest and table of one cohort."""
    table = tables.get("survival", "subgroups", name)
    if not len(table):
        return {"subgroups": [], "subgroup_figure": ""}
    table = table.assign(shown=[_shown(row) for row in table.itertuples()])
    groups = (table["subgroup"] != "") | (table["modifier"] == "")
    figure = table[groups & table["estimate"].notna()]
    figure = figure.assign(label=figure["shown"], test=[_test(row) for row in figure.itertuples()])
    drawn = figures_hazards.draw_subgroups(figure) if len(figure) else ""
    return {"subgroups": words.with_measures(table.assign(is_test=~groups)), "subgroup_figure": drawn}


def _shown(row) -> str:
    if not row.modifier:
        return "all participants"
    if row.measure == "ratio of hazard ratios" and row.level:
        return f"{words.term(row.modifier)}: {row.level} vs {row.reference}"
    number = "as a number" if row.measure == "ratio of hazard ratios" else "do they differ?"
    return f"{words.term(row.modifier)}: {row.subgroup or number}"


def _test(row) -> str:
    if pd.isna(row.p_interaction):
        return ""
    return f"{p_value(row.p_interaction)} ({p_value(row.q_interaction)})"
