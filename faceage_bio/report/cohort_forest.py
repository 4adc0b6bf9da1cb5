"""The headline of each cohort below each other: hazard ratio of face age, and the first gene of the panel (cohort_forest.html.j2)."""

from collections.abc import Callable

import pandas as pd
from markupsafe import Markup

from faceage_bio.report import figures
from faceage_bio.report.formats import increase, p_scientific, p_value
from faceage_bio.report.tables import ReportTables

HAZARDS = {"univariable": "unadjusted", "face age + age": "adjusted for age"}
GENES = {
    ("raw gap", "age_gap"): "age gap, unadjusted", ("together", "age_acceleration"): "age acceleration",
    ("together", "chronological_age"): "chronological age",
}  # fmt: skip
GREY = "#8a8f98"


def cohort_forest(tables: ReportTables, config: dict) -> dict:
    """Two figures; empty where fewer than two cohorts have an estimate."""
    gene = config["expression"]["panel"][0]
    cox = _known(tables.get("survival", "cox"))
    cox = cox[(cox["term"] == "face_age") & cox["model"].isin(HAZARDS)] if len(cox) else cox
    panel = _known(tables.get("expression", "panel"))
    panel = panel[panel["term"] == gene] if len(panel) else panel
    kinds = (
        [GENES.get(key, "") for key in zip(panel["model"], panel["exposure"], strict=True)]
        if len(panel)
        else []
    )
    panel = panel.assign(kind=kinds)
    panel = panel[panel["kind"] != ""]
    return {
        "hazards": _figure(
            cox.assign(kind=cox["model"].map(HAZARDS)) if len(cox) else cox, config, 1.0,
            [("unadjusted", GREY), ("adjusted for age", figures.BLUE)], "Hazard ratio for death per {increase} in face age",
        ),
        "genes": _figure(
            panel, config, 0.0,
            [("age gap, unadjusted", GREY), ("age acceleration", figures.BLUE), ("chronological age", figures.ORANGE)],
            f"Log2 fold change of {gene} per {{increase}}", p_scientific,
        ),
        "gene": gene,
    }  # fmt: skip


def _known(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["estimate"].notna()] if len(table) else table


def _figure(
    rows: pd.DataFrame, config: dict, reference: float, colours: list[tuple[str, str]], title: str, p: Callable = p_value,
) -> Markup:  # fmt: skip
    if not len(rows) or rows["cohort"].nunique() < 2:
        return Markup("")
    several = rows["analysis"].nunique() > 1
    rows = rows.assign(
        place=rows["cohort"].map({name: place for place, name in enumerate(config["cohorts"])}),
        label=rows["cohort"] + (", " + rows["analysis"] if several else ""),
    ).sort_values("place", kind="stable")
    logarithmic = reference == 1
    title = title.format(increase=increase(rows["per"].iloc[0])) + (" (log scale)" if logarithmic else "")
    return Markup(
        figures.forest(rows, "label", "kind", colours, reference, title, logarithmic=logarithmic, p=p)
    )
