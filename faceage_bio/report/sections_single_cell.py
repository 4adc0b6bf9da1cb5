"""The section on single cells: quality, what each cell type could have told, composition."""

import pandas as pd

from faceage_bio.core.columns import AGE_ACCELERATION
from faceage_bio.core.config import Config
from faceage_bio.core.tables import to_records
from faceage_bio.report import words
from faceage_bio.report.sections_all_genes import FOUND
from faceage_bio.report.sections_genes import TOGETHER, WITH_GAP, forest_by_exposure, side_by_side
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import count, interval, number, p_equals, signed

MEASURES = ("cells", "profiles")
SHORT = {
    "too_few_cells": "too few cells",
    "too_few_counts": "too few counts",
    "no_cells_left": "no cell left",
}


def single_cell_section(tables: ReportTables, name: str, config: Config) -> dict:
    """What the template shows of one cohort, {} if it has no single cells; every number is read from its tables."""
    quality = tables.get("expression", "cell_quality", name)
    if not len(quality):
        return {}
    panel, genes, found = tables.several("expression", name, "panel", "genes", "composition")
    composition = side_by_side(found, ["term"])
    headline = config.expression.panel[0]
    counted = _quality(quality)
    types = [row["term"] for row in counted if row["profiles"]["all"]["estimate"]]
    return {
        "quality": counted,
        "reasons": _reasons(quality),
        "types": [_cell_type(one, panel, genes, headline) for one in types],
        "headline": headline,
        "composition": composition,
        "composition_sentences": [composition_sentence(row) for row in composition],
        "composition_figure": forest_by_exposure(found, WITH_GAP, "Log2 change of the share per {per}"),
    }


def _quality(quality: pd.DataFrame) -> list[dict]:
    """One line per cell type, with the rows of its cells and of its profiles by fate."""
    lines = []
    for term, rows in quality.groupby("term", sort=False):
        by_fate = rows.set_index("fate", drop=False)
        counted = {one: by_fate[by_fate["measure"] == one].to_dict("index") for one in MEASURES}
        lines.append({"term": term} | counted)
    return lines


def _reasons(quality: pd.DataFrame) -> dict[str, list[tuple[str, str]]]:
    """Columns of the quality table: reasons and their words, those that dropped anything."""
    dropped = quality[~quality.fate.isin(["all", "kept"])]
    some = dropped.groupby(["measure", "fate"], sort=False)["estimate"].sum()
    codes = some.index[some > 0]
    said = {code: SHORT.get(code, words.reason(code)) for _, code in codes}
    return {what: [(code, said[code]) for measure, code in codes if measure == what] for what in MEASURES}


def _cell_type(cell_type: str, panel: pd.DataFrame, genes: pd.DataFrame, headline: str) -> dict:
    own, tested = (
        table[(table.question == f"expression in {cell_type}") & (table.exposure == AGE_ACCELERATION)]
        for table in (panel[panel.model == TOGETHER], genes[genes.p_value.notna()])
    )
    first = to_records(own[own.term == headline])
    return {
        "term": cell_type,
        "row": first[0] if first else None,
        "why": first[0]["note"] if first else f"{headline} is not in the panel",
        "sentence": power_sentence(cell_type, own, headline),
        "n_panel": int(own.n_tests.max()) if own.n_tests.notna().any() else 0,
        "n_panel_found": int((own.q_value < FOUND).sum()),
        "n_genes": len(tested),
        "n_genes_found": int((tested.q_value < FOUND).sum()),
    }


def power_sentence(cell_type: str, panel: pd.DataFrame, headline: str) -> str:
    """What was found in a cell type; where nothing, how much could have been there unseen.

    Parameters
    ----------
    panel : DataFrame, rows of age acceleration in the joint model
    """
    rows = panel[panel.term == headline]
    nothing = "absence of a finding is not evidence of no association"
    if not len(rows):
        return f"{cell_type}: {headline} is not in the panel."
    row = rows.iloc[0]
    if not panel.estimate.notna().any():
        return f"{cell_type}: {row.note}; {nothing}."
    found, n = panel[panel.q_value < FOUND], int(panel.n_tests.max())
    told = f"{cell_type}: none of the {n} prespecified genes has q below 0.05."
    if len(found):
        named = ", ".join(found.term)
        told = f"{cell_type}: {len(found)} of {n} prespecified genes {'has' if len(found) == 1 else 'have'} q below 0.05 ({named})."
    if pd.isna(row.estimate):
        return f"{told} {headline}: {row.note}."
    change = (
        f"{headline}: {signed(row.estimate, 2)} log2 per {row['per']} of age acceleration "
        f"({interval(row.ci_lower, row.ci_upper)}; {count(row.n)} donors)."
    )
    if row.q_value < FOUND or pd.isna(row.detectable):
        return f"{told} {change}"
    return (
        f"{told} {change} Detectable with 80% power: {number(row.detectable)} log2 ({number(2**row.detectable, 1)}-fold); "
        f"below this, {nothing}."
    )


def composition_sentence(row: dict) -> str:
    """The share of one cell type, whatever its p."""
    own = row["own"]
    if pd.isna(own["estimate"]):
        return f"{row['term']}: {own['note']}."
    told = (
        f"{row['term']}: {signed(own['estimate'], 2)} log2 ({interval(own['ci_lower'], own['ci_upper'])}; p {p_equals(own['p_value'])}, "
        f"q {p_equals(own['q_value'])}) per {own['per']} of age acceleration"
    )
    if own["q_value"] < FOUND:
        return f"{told}."
    return f"{told}; detectable with 80% power: {number(own['detectable'])}."
