"""What the survival page asks of the Cox models: do they hold over time, is the hazard a line, is it the same everywhere,
sensitivity analyses."""

import pandas as pd

from faceage_bio.report import figures, figures_hazards, words
from faceage_bio.report.colours import VERMILLION
from faceage_bio.report.formats import increase, p_equals
from faceage_bio.report.tables_by_place import ReportTables

GLOBAL = "GLOBAL"


def hazard_sections(tables: ReportTables, name: str, config: dict) -> dict:
    """Proportional hazards, hazard curve, sites and sensitivity of one cohort."""

    def get(table: str) -> pd.DataFrame:
        return tables.get("survival", table, name)

    alpha = config["survival"]["alpha"]
    return {
        **_proportional(
            get("proportional_hazards"), get("proportional_hazards_curve"), get("remedies"), alpha
        ),
        **_curve(get("hazard_curve_tests"), get("hazard_curve"), get("hazard_curve_histogram")),
        **_sites(get("sites")),
        **_sensitivity(get("sensitivity"), get("imputed")),
    }


def _proportional(tests: pd.DataFrame, curve: pd.DataFrame, remedies: pd.DataFrame, alpha: float) -> dict:
    known = tests[tests["p_value"].notna()] if len(tests) else tests
    offending = known[known["p_value"] < alpha] if len(known) else known
    if not len(known):
        sentence = ""
    elif len(offending):
        named = [
            f"{words.term(row.term)} in {row.model} (p {p_equals(row.p_value)})"
            for row in offending.itertuples()
        ]
        sentence = f"Not proportional: {'; '.join(named)}. The hazard ratios above are averages over the follow-up; what else can be said stands below."
    else:
        low = known.loc[known["p_value"].idxmin()]
        sentence = f"No term changes over time with p below {alpha:g} (smallest: {words.term(low.term)}, p {p_equals(low.p_value)}), so no remedy was fitted."
    figure = ""
    if len(curve):
        wanted = set(offending["step"] + offending["term"]) if len(offending) else set()
        keys = curve["step"] + curve["term"]
        shown = curve[(curve["term"] == "face_age") | keys.isin(wanted)]
        figure = figures_hazards.draw_over_time(shown) if len(shown) else ""
    return {
        "ph": words.with_measures(tests), "ph_sentence": sentence, "ph_figure": figure,
        "remedies": _remedies(remedies),
    }  # fmt: skip


def _remedies(remedies: pd.DataFrame) -> list[dict]:
    """Rows whose measure tells the stretch of follow-up, or the groups that are compared."""
    rows = []
    for row in words.with_measures(remedies):
        groups = (
            f"{row['level']} vs {row['reference']}"
            if row["measure"] and row["remedy"] == "years lived"
            else ""
        )
        said = ", ".join(part for part in (row["measure"], row["period"], groups) if part)
        rows.append(row | {"measure": said})
    return rows


def _curve(tests: pd.DataFrame, curve: pd.DataFrame, people: pd.DataFrame) -> dict:
    people = people[people["n"].notna()] if len(people) else people
    figure = figures_hazards.draw_curve(curve, people) if len(curve) and len(people) else ""
    return {"curvature": words.with_measures(tests), "curvature_figure": figure}


def _sites(sites: pd.DataFrame) -> dict:
    if not len(sites):
        return {"sites": [], "sites_figure": "", "sites_by": ""}
    adjusted = sites[(sites["step"] == "+ age") & (sites["subgroup"] != "") & sites["estimate"].notna()]
    figure = ""
    if len(adjusted):
        title = f"Hazard ratio for death per {increase(adjusted['per'].iloc[0])} in face age, adjusted for age (log scale)"
        shown = adjusted.assign(kind="face age")
        figure = figures.forest(
            shown, "subgroup", "kind", [("face age", VERMILLION)], 1, title, logarithmic=True
        )
    return {
        "sites": words.with_measures(sites),
        "sites_figure": figure,
        "sites_by": str(sites["by"].iloc[0]),
    }


def _sensitivity(rows: pd.DataFrame, imputed: pd.DataFrame) -> dict:
    if not len(rows):
        return {
            "choices": [],
            "choices_figure": "",
            "gap_classes": [],
            "imputed": _complete_and_imputed(imputed),
        }
    classes = rows["exposure"] == "gap_class"
    choices = []
    for people, mine in rows[~classes].groupby("people", sort=False):
        cells = [
            {"held": figures_hazards.held(row["adjustment"]), "row": row} for row in mine.to_dict("records")
        ]
        choices.append({"people": people, "cells": cells})
    shown = rows[rows["estimate"].notna() & ~classes]
    return {
        "choices": choices,
        "choices_figure": figures_hazards.draw_choices(shown) if len(shown) else "",
        "gap_classes": rows[classes].to_dict("records"),
        "imputed": _complete_and_imputed(imputed),
    }


def _complete_and_imputed(imputed: pd.DataFrame) -> list[dict]:
    """One row per term: complete cases and multiple imputation side by side."""
    if not len(imputed):
        return []
    rows = []
    for term, mine in imputed.groupby("term", sort=False):
        found = {row["missing"]: row for row in mine.to_dict("records")}
        complete, filled = found.get("complete cases"), found.get("multiple imputation")
        rows.append({"term": term, "per": mine["per"].iloc[0], "complete": complete, "filled": filled})
    return rows
