"""The survival page: for each cohort the sections of its templates, each a function of the tables it shows."""

import pandas as pd
from markupsafe import Markup

from faceage_bio.report import figures
from faceage_bio.report.acceleration import ageing_rate_section
from faceage_bio.report.gene_survival import gene_survival_section
from faceage_bio.report.hazards import hazard_sections
from faceage_bio.report.ladder import ladder_section
from faceage_bio.report.tables import ReportTables


def survival_cohort(tables: ReportTables, name: str, config: dict) -> dict:
    """What the templates of one cohort's sections show; a section's keys are its own."""
    return {
        "name": name,
        **curves_section(tables, name, config),
        **ladder_section(tables, name, config),
        **hazard_sections(tables, name, config),
        **ageing_rate_section(tables, name, config["report"]["min_cell"]),
        **gene_survival_section(tables, name, config),
    }


def curves_section(tables: ReportTables, name: str, config: dict) -> dict:
    """Kaplan-Meier curves, numbers at risk, medians (survival_curves.html.j2)."""
    curves, summary = tables.get("survival", "kaplan_meier", name), tables.get("survival", "summary", name)
    order = [group for group in dict.fromkeys(curves["group"]) if group != "all"] if len(curves) else []
    order = [
        group
        for group in order
        if curves[(curves.group == group) & (curves.years == 0)].at_risk.iloc[0]
        >= config["report"]["min_cell"]
    ]
    rows = summary.to_dict("records")
    return {
        "summary": rows,
        "curves": Markup(figures.survival_curves(curves, order)) if order else "",
        "at_risk": _at_risk(curves, order),
        "not_estimated": next((row["note"] for row in rows if row["note"].startswith("not estimated")), ""),
    }


def _at_risk(curves: pd.DataFrame, order: list[str]) -> dict:
    """Numbers at risk at whole years, by group."""
    if not order:
        return {"years": [], "rows": []}
    years = list(range(int(curves.years.max()) + 1))
    rows = []
    for group in order:
        mine = curves[curves.group == group].sort_values("years")
        ends = mine.years.to_numpy()
        # at risk at time t: those whose observation ends at t or later
        numbers = [int((mine.events + mine.censored).to_numpy()[ends >= year].sum()) for year in years]
        rows.append((group, numbers))
    return {"years": years, "rows": rows}
