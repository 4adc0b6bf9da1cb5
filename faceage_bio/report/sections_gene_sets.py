"""The section on sets of senescence genes: how much of each was measured, scores per person, enrichment."""

import pandas as pd

from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP
from faceage_bio.report import figures
from faceage_bio.report.formats import in_brackets, signed
from faceage_bio.report.plot import GREY, VERMILLION, VIOLET
from faceage_bio.report.tables_by_place import ReportTables

MAIN_METHOD = "mean z"
KINDS = {AGE_GAP: "age gap, unadjusted", AGE_ACCELERATION: "age acceleration", AGE: "chronological age"}
COLOURS = [
    ("age gap, unadjusted", GREY),
    ("age acceleration", VERMILLION),
    ("chronological age", VIOLET),
]


def gene_set_section(tables: ReportTables, name: str, config: dict) -> list[dict]:
    """One part per analysis (bulk, or each cell type)."""
    found, coverage = (
        tables.get("expression", table, name) for table in ("set_associations", "set_coverage")
    )
    gsea, ora = (tables.get("expression", table, name) for table in ("gsea", "ora"))
    return [
        _part(*(table[table.question == analysis] for table in (found, coverage, gsea, ora)), analysis, config)
        for analysis in dict.fromkeys(coverage["question"])
    ]  # fmt: skip


def _part(
    found: pd.DataFrame,
    coverage: pd.DataFrame,
    gsea: pd.DataFrame,
    ora: pd.DataFrame,
    analysis: str,
    config: dict,
) -> dict:
    main = found[found.method == MAIN_METHOD]
    shown = main.assign(kind=main.exposure.map(KINDS))[main.estimate.notna()]
    colours = [pair for pair in COLOURS if pair[0] in set(shown.kind)]
    title = f"Standard deviations of the score per {found['per'].iloc[0]}" if len(found) else ""
    return {
        "analysis": analysis,
        "sentences": [sentence(main[main.term == one]) for one in dict.fromkeys(main.term)],
        "coverage": coverage.to_dict("records"),
        "figure": figures.forest(shown, "term", "kind", colours, 0, title) if len(shown) else "",
        "rows": _side_by_side(found),
        "gsea": _with_age(gsea),
        "ora": _with_age(ora),
        "headline": config["expression"]["panel"][0],
    }


def _side_by_side(found: pd.DataFrame) -> list[dict]:
    """One line per set and method, the three exposures side by side: the unadjusted gap is never read alone."""
    rows = []
    for (term, method), part in found.groupby(["term", "method"], sort=False):
        by = {row["exposure"]: row for row in part.to_dict("records")}
        rows.append(
            {
                "term": term,
                "method": method,
                "gap": by.get(AGE_GAP),
                "own": by[AGE_ACCELERATION],
                "age": by.get(AGE),
            }
        )
    return rows


def _with_age(table: pd.DataFrame) -> list[dict]:
    """Rows of age acceleration, each with that of chronological age."""
    ages = {row["term"]: row for row in table[table.exposure == AGE].to_dict("records")}
    own = table[table.exposure == AGE_ACCELERATION].to_dict("records")
    return [row | {"age": ages.get(row["term"])} for row in own]


def sentence(rows: pd.DataFrame) -> str:
    """What a set's score says of age acceleration, or why nothing."""
    by = rows.set_index("exposure")
    row = by.loc[AGE_ACCELERATION]
    if pd.isna(row.estimate):
        return f"{row.term}: {row.note}."
    text = f"{row.term}: {signed(row.estimate, 2)} standard deviations{in_brackets(row)} per {row.per} of age acceleration"
    if AGE in by.index and pd.notna(by.loc[AGE, "estimate"]):
        age = by.loc[AGE]
        text += f"; {signed(age.estimate, 2)}{in_brackets(age)} of chronological age"
    return f"{text}."
