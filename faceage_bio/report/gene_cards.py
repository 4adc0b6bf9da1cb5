"""A card per declared gene: partial residuals, estimate per model, leverage, sets."""

import pandas as pd

from faceage_bio.analyses.survival.gene_hazards import question_of
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP
from faceage_bio.intake.rna.gene_sets import shipped_sets
from faceage_bio.report.expression_sensitivity import FOLD, MAIN, left_out_sentence
from faceage_bio.report.figures_gene_cards import partial_residual_figure
from faceage_bio.report.sections_gene_survival import held
from faceage_bio.report.tables_by_place import ReportTables

WAYS = {1: "rises", -1: "falls", 0: "direction not said"}
ESTIMATES = [
    ("age acceleration, adjusted for age", "together", AGE_ACCELERATION), ("age, adjusted for age acceleration", "together", AGE),
    ("difference of both", "together", "difference"), ("age acceleration alone", "alone", AGE_ACCELERATION),
    ("age gap alone, not adjusted for age", "raw gap", AGE_GAP),
]  # fmt: skip


def gene_cards(tables: ReportTables, name: str, config: dict) -> list[dict]:
    """Cards of each analysis; every number is read from the cohort's tables."""
    panel, binned, varied = (
        tables.get("expression", table, name) for table in ("panel", "partial_residuals", "sensitivity")
    )
    deaths = tables.get("survival", "gene_panel", name)
    sets = {set_name: one.directions for set_name, one in shipped_sets().items()}
    parts = []
    for analysis in dict.fromkeys(binned["question"]):
        mine = [table[table.question == analysis] for table in (panel, binned, varied)]
        mine.append(deaths[deaths.question == question_of(analysis)])
        cards = [
            _card(gene, *(table[table.term == gene] for table in mine), sets)
            for gene in dict.fromkeys(mine[1]["term"])
        ]
        parts.append({"analysis": analysis, "cards": cards})
    return parts


def _card(
    gene: str, panel: pd.DataFrame, binned: pd.DataFrame, varied: pd.DataFrame, deaths: pd.DataFrame, sets: dict
) -> dict:  # fmt: skip
    shown = binned[binned.estimate.notna() & binned.n.notna()]
    main = _of(varied, variant=MAIN, measure=FOLD)
    notes = [note for note in binned.note if note]
    return {
        "gene": gene,
        "figure": partial_residual_figure(shown, gene) if len(shown) else "",
        "why": notes[0] if notes else "",
        "estimates": _estimates(panel, main),
        "survival": next(
            iter(deaths.assign(held=[held(row) for _, row in deaths.iterrows()]).to_dict("records")), None
        ),
        "left_out": left_out_sentence(varied, gene),
        "sets": [f"{name} ({WAYS[ways[gene]]})" for name, ways in sets.items() if gene in ways],
    }


def _of(table: pd.DataFrame, **wanted: str) -> dict | None:
    for column, value in wanted.items():
        table = table[table[column] == value]
    return next(iter(table.to_dict("records")), None)


def _estimates(panel: pd.DataFrame, main: dict | None) -> list[dict]:
    """Rows of the card's table: DESeq2's method and limma-voom in each model, and least squares in the joint one."""
    rows = []
    for spoken, model, exposure in ESTIMATES:
        found = _of(panel, model=model, exposure=exposure)
        if found is None:
            continue
        deseq2, voom = (
            {
                key: found.get(f"{method}_{key}", float("nan"))
                for key in ("estimate", "ci_lower", "ci_upper", "p_value")
            }
            for method in ("deseq2", "voom")
        )
        joint = model == "together" and exposure == AGE_ACCELERATION
        rows.append(
            {
                "spoken": spoken,
                "first": found,
                "deseq2": deseq2 | {"note": ""},
                "voom": voom | {"note": ""},
                "third": main if joint else None,
            }
        )
    return rows
