"""The section on single cells: quality, what each cell type could have told, composition."""

import pandas as pd

from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP
from faceage_bio.report import figures, words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.plot import GREY, VERMILLION, VIOLET
from faceage_bio.report.sections_genes import side_by_side
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import interval, number, p_equals, people, signed

PREFIX = "expression in "
MEASURES = ("cells", "profiles")
FOUND_BELOW = 0.05  # q
KINDS = [
    (AGE_GAP, "age gap, unadjusted", GREY),
    (AGE_ACCELERATION, "age acceleration", VERMILLION),
    (AGE, "chronological age", VIOLET),
]


def single_cell_section(tables: ReportTables, name: str, config: dict) -> dict:
    """What the template shows of one cohort, {} if it has no single cells; every number is read from its tables."""
    quality = tables.get("expression", "cell_quality", name)
    if not len(quality):
        return {}
    panel, genes, composition = (
        tables.get("expression", table, name) for table in ("panel", "genes", "composition")
    )
    headline = config["expression"]["panel"][0]
    counted = _quality(quality)
    types = [row["term"] for row in counted if row["profiles"]["all"]["estimate"]]
    return {
        "quality": counted,
        "reasons": _reasons(quality),
        "types": [_cell_type(one, panel, genes, headline) for one in types],
        "headline": headline,
        "composition": side_by_side(composition, ["term"]),
        "composition_sentences": [composition_sentence(row) for row in side_by_side(composition, ["term"])],
        "composition_figure": _forest(composition),
    }


def _quality(quality: pd.DataFrame) -> list[dict]:
    """One line per cell type, with the rows of its cells and of its profiles by fate."""
    return [
        {
            "term": term,
            **{measure: rows[rows.measure == measure].set_index("fate", drop=False).to_dict("index") for measure in MEASURES},
        }
        for term, rows in quality.groupby("term", sort=False)
    ]  # fmt: skip


def _reasons(quality: pd.DataFrame) -> dict[str, list[tuple[str, str]]]:
    """Columns of the quality table: reasons and their words, those that dropped anything."""
    dropped = quality[~quality.fate.isin(["all", "kept"])]
    some = dropped.groupby(["measure", "fate"], sort=False)["estimate"].sum()
    return {
        what: [(code, SHORT.get(code, words.reason(code))) for measure, code in some.index[some > 0] if measure == what]
        for what in MEASURES
    }  # fmt: skip


SHORT = {
    "too_few_cells": "too few cells",
    "too_few_counts": "too few counts",
    "no_cells_left": "no cell left",
}


def _cell_type(cell_type: str, panel: pd.DataFrame, genes: pd.DataFrame, headline: str) -> dict:
    analysis = f"{PREFIX}{cell_type}"
    own = panel[
        (panel.question == analysis) & (panel.exposure == AGE_ACCELERATION) & (panel.model == "together")
    ]
    tested = genes[
        (genes.question == analysis) & (genes.exposure == AGE_ACCELERATION) & genes.p_value.notna()
    ]
    first = own[own.term == headline].to_dict("records")
    return {
        "term": cell_type,
        "row": first[0] if first else None,
        "why": first[0]["note"] if first else f"{headline} is not in the panel",
        "sentence": power_sentence(cell_type, own, headline),
        "n_panel": int(own.n_tests.max()) if own.n_tests.notna().any() else 0,
        "n_panel_found": int((own.q_value < FOUND_BELOW).sum()),
        "n_genes": len(tested),
        "n_genes_found": int((tested.q_value < FOUND_BELOW).sum()),
    }


def power_sentence(cell_type: str, panel: pd.DataFrame, headline: str) -> str:
    """What was found in a cell type; where nothing, how much could have been there unseen.

    Parameters
    ----------
    panel : DataFrame, rows of age acceleration in the joint model
    """
    rows = panel[panel.term == headline]
    row = rows.iloc[0] if len(rows) else None
    nothing = "that nothing was found here is no evidence that there is nothing"
    if row is None:
        return f"{cell_type}: {headline} is not in the panel."
    if not panel.estimate.notna().any():
        return f"{cell_type}: {row.note}; so {nothing}."
    found = panel[panel.q_value < FOUND_BELOW]
    donors = people(row.n)
    told = f"{cell_type}: " + (
        f"{len(found)} of {int(panel.n_tests.max())} prespecified genes have q below 0.05 ({', '.join(found.term)})."
        if len(found)
        else f"none of the {int(panel.n_tests.max())} prespecified genes has q below 0.05."
    )
    if pd.isna(row.estimate):
        return f"{told} {headline}: {row.note}."
    change = (
        f"{headline} changed by {signed(row.estimate, 2)} log2 per {row['per']} "
        f"({interval(row.ci_lower, row.ci_upper)}; {donors} donors)."
    )
    if row.q_value < FOUND_BELOW or pd.isna(row.detectable):
        return f"{told} {change}"
    return (
        f"{told} {change} With these donors a change of {number(row.detectable)} log2 ({number(2**row.detectable, 1)}-fold) or more "
        f"would have been found with 80% power; of smaller ones, {nothing}."
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
    if own["q_value"] < FOUND_BELOW:
        return f"{told}."
    return f"{told}; {number(own['detectable'])} would have been found with 80% power."


def _forest(composition: pd.DataFrame) -> Picture:
    shown = composition.assign(
        kind=composition.exposure.map({exposure: spoken for exposure, spoken, _ in KINDS})
    )
    colours = [(spoken, colour) for _, spoken, colour in KINDS]
    return figures.forest(shown, "term", colours, 0, "Log2 change of the share per {per}")
