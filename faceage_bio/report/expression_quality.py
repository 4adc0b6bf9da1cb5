"""The section on RNA samples: what was found, which covariate loads on which component, batch."""

import pandas as pd

from faceage_bio.core.results.reasons import decode
from faceage_bio.report import words
from faceage_bio.report.formats import people
from faceage_bio.report.sections_all_genes import FOUND
from faceage_bio.report.tables_by_place import ReportTables

INSEPARABLE = "inseparable_from_batch"  # code of a reason
OTHER_SEX = "sex by RNA differs from the record"
EXCLUDED_OR_FLAGGED = ("excluded", "flagged")


def quality_section(tables: ReportTables, name: str, config: dict) -> list[dict]:
    """One part per analysis (bulk, or each cell type); every number is read from the cohort's tables."""
    summary, components, confounding = (
        tables.get("expression", table, name) for table in ("quality", "components", "confounding")
    )
    return [
        _part(
            *(table[table.question == analysis] for table in (summary, components, confounding)),
            analysis,
        )
        for analysis in dict.fromkeys(summary["question"])
    ]


def _part(summary: pd.DataFrame, components: pd.DataFrame, confounding: pd.DataFrame, analysis: str) -> dict:
    counted = summary[summary.measure == "samples"].to_dict("records")
    batches = confounding[confounding.level != ""]
    return {
        "analysis": analysis,
        "sentence": sentence(summary),
        "counted": counted,
        "measured": summary[summary.measure == "median"].to_dict("records"),
        **_heat_map(components),
        "batches": batches.to_dict("records"),
        "against": confounding.drop(batches.index).to_dict("records"),
        "inseparable": [
            str(one) for cell in confounding.reason for one in decode(cell) if one.code == INSEPARABLE
        ],
    }


def _heat_map(table: pd.DataFrame) -> dict:
    """Covariates x components with R squared, its shade (0 to 1) and whether q is small; or why there is none."""
    known = table[table.estimate.notna()]
    names = list(dict.fromkeys(known["component"])) if len(known) else []
    shares = (
        known.drop_duplicates("component").set_index("component")["share_of_variance"] if len(known) else {}
    )
    rows = []
    for term in dict.fromkeys(table["term"]):
        mine = table[table.term == term]
        by = {row["component"]: row for row in mine.to_dict("records")}
        cells = [by[name] | {"bold": by[name]["q_value"] < FOUND} for name in names if name in by]
        rows.append({"term": term, "cells": cells, "n": mine["n"].iloc[0], "why": mine["note"].iloc[0]})
    return {"components": [(name, shares[name]) for name in names], "heat_map": rows}


def sentence(summary: pd.DataFrame) -> str:
    """How many samples were checked, and what became of those that differ."""
    by = summary[summary.measure == "samples"].set_index("term")
    said = f"{people(by.n['excluded'])} samples were checked"
    parts = [f"{people(by.estimate[term])} {term}" for term in EXCLUDED_OR_FLAGGED if by.estimate[term]]
    said += f": {', '.join(parts)}" if parts else "; none is excluded or flagged"
    why = " and ".join(map(str, decode(by.reason[OTHER_SEX])))
    return f"{said}. {'Sex was not determined by RNA, because ' + why + '. ' if why else ''}".strip()


def rule_words(quality: dict) -> str:
    """What becomes of which samples, by the config's section ``expression.quality``."""
    did = {"exclude": "excluded", "flag": "flagged", "ignore": "used as they are"}
    return ", ".join(
        f"{words.reason(reason)}: {did[quality[key]['action']]}"
        for key, reason in (("outlier", "rna_outlier"), ("sex_mismatch", "sex_mismatch"))
    )
