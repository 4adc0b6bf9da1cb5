"""The survival page's subgroups: hazard ratios of age acceleration in each, and the tests that they differ."""

import pandas as pd
from markupsafe import Markup

from faceage_bio.report import figures_hazards, words
from faceage_bio.report.formats import p_value
from faceage_bio.report.tables import ReportTables

COLUMNS = ("modifier", "subgroup", "p_interaction", "q_interaction")


def subgroup_section(tables: ReportTables, name: str, config: dict) -> dict:
    """Forest and table of one cohort (subgroup_hazards.html.j2)."""
    table = tables.get("survival", "subgroups", name)
    if not len(table):
        return {"subgroups": [], "subgroup_figure": ""}
    table = table.reindex(columns=list(dict.fromkeys([*table.columns, *COLUMNS])))
    for column in ("modifier", "subgroup", "note"):
        table[column] = table[column].fillna("").astype(str)
    table["shown"] = [_shown(row) for row in table.itertuples()]
    figure = table[(table["subgroup"] != "") & table["estimate"].notna()]
    figure = figure.assign(label=figure["shown"], test=[_test(row) for row in figure.itertuples()])
    drawn = figures_hazards.subgroups(figure) if len(figure) else ""
    return {"subgroups": table.to_dict("records"), "subgroup_figure": Markup(drawn)}


def _shown(row) -> str:
    if row.subgroup:
        return f"{words.term(row.modifier)}: {row.subgroup}" if row.modifier else row.subgroup
    return f"{words.term(row.modifier)}: {'as a number' if row.measure.startswith('ratio') else 'do they differ?'}"


def _test(row) -> str:
    if pd.isna(row.p_interaction):
        return ""
    return f"{p_value(row.p_interaction)} ({p_value(row.q_interaction)})"
