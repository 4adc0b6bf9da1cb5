"""The section on independent software: what each comparison came to, and both numbers where they differ."""

import math

from faceage_bio.core.results.reasons import in_words
from faceage_bio.report.formats import count
from faceage_bio.report.tables_by_place import ReportTables

MOST_SHOWN = 100  # rows of numbers that differ


def agreement(tables: ReportTables) -> list[dict]:
    """Rows of verification/agreement; ``note``: reasons in words."""
    found = tables.get("verification", "agreement")
    return [
        row | {"agrees": str(row["agrees"]) == "True", "note": in_words(row["reason"])}
        for row in found.to_dict("records")
    ]


def verification_section(tables: ReportTables) -> dict:
    """What the template shows."""
    numbers = tables.get("verification", "numbers")
    differ = numbers[numbers["difference"] > numbers["tolerance"]] if len(numbers) else numbers
    rows = differ.sort_values("difference", ascending=False, kind="stable").head(MOST_SHOWN)
    return {
        "rows": [row | {"told": _told(row["largest"])} for row in agreement(tables)],
        "differ": [
            row | {"ours": _digits(row["estimate"]), "theirs": _digits(row["other"]), "apart": _told(row["difference"])}
            for row in rows.to_dict("records")
        ],
        "n_differ": count(len(differ)),
    }  # fmt: skip


def _digits(value: float) -> str:
    return "–" if math.isnan(value) else "not reached" if math.isinf(value) else f"{value:.8g}"


def _told(value: float) -> str:
    return "–" if math.isnan(value) else "one is missing" if math.isinf(value) else f"{value:.1e}"
