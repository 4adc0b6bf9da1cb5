"""Every gene of an analysis on the page: a volcano, and a table to search and to sort.

The numbers travel as columns of JSON, compressed, each with as many digits as its printed form needs. Identifiers of genes travel once
for all tables of a page (`PageGenes`).
"""

import base64
import gzip
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from markupsafe import Markup

from faceage_bio.intake.rna.gene_ids import ensembl_of
from faceage_bio.report.formats import number, p_scientific
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.volcano import volcano

BUDGET = 1_100_000  # bytes that all genes of a page may take together; what else it shows has 2.0 of 3 MB in the demo
ROWS_SHOWN = 10  # before the reader asks for more, and where scripts are off
DRAWN = ("estimate", "p_value")  # where a dot stands
FEWEST = 200  # genes that a table keeps however many tables there are


@dataclass(frozen=True)
class Column:
    """A column of the table: ``keys`` are one column of the numbers, or estimate, lower and upper end."""

    title: str
    keys: tuple[str, ...]
    kind: str  # "name", "id", "estimate", "number", "p" or "panel"
    digits: int = 2


def identifier_of(kind: str, name: str, analysis: str, config: dict) -> str:
    """An element's id that no name of a user stands in."""
    return f"{kind}-{list(config['cohorts']).index(name) + 1}-{hashlib.sha256(analysis.encode()).hexdigest()[:6]}"


@dataclass(frozen=True)
class PageGenes:
    """What all tables of genes on a page share: identifiers by symbol, and how many tables there are."""

    ids: dict[str, str]
    n_tables: int
    released: bool = False

    @classmethod
    def of(cls, tables: ReportTables) -> "PageGenes":
        """Of each cohort's analyses, of expression and of survival; identifiers as the counts had them, or the declared ones."""
        found = [
            table for analysis in ("expression", "survival") if len(table := tables.get(analysis, "genes"))
        ]
        names = set().union(*(table["term"] for table in found))
        given = [table[["term", "gene_id"]].dropna() for table in found if "gene_id" in table]
        ids = ensembl_of(names)
        if given:
            pairs = pd.concat(given).drop_duplicates()
            text = pairs["gene_id"].map(lambda one: f"{one:.0f}" if isinstance(one, float) else str(one))
            ids |= text.groupby(pairs["term"]).agg(lambda mine: " ".join(dict.fromkeys(mine))).to_dict()
        n_tables = sum(len(table[["cohort", "question"]].drop_duplicates()) for table in found)
        return cls(
            {symbol: gene_id for symbol, gene_id in ids.items() if symbol != gene_id},
            n_tables,
            tables.released,
        )

    @property
    def title(self) -> str:
        """Of the column of identifiers."""
        return "Ensembl" if all(one.startswith("ENS") for one in self.ids.values()) else "Identifier"

    @cached_property
    def packed(self) -> str:
        """Symbols and their identifiers for genes.js; "" if there are none."""
        return _compressed([list(self.ids), list(self.ids.values())]) if self.ids else ""

    @property
    def room(self) -> float:
        """Bytes that each table may take."""
        return (BUDGET - len(self.packed)) / max(1, self.n_tables)


def all_genes(
    genes: pd.DataFrame,
    panel: list[str],
    columns: Sequence[Column],
    axis: str,
    what: str,
    identifier: str,
    page: PageGenes,
    logarithmic: bool = False,
) -> dict:
    """What the template shows of one analysis, {} if no gene has a p-value.

    Parameters
    ----------
    genes : DataFrame of result rows, one per gene
    panel : genes declared beforehand
    columns : what stands between the gene's names and its panel
    axis : words of the volcano's horizontal axis
    what : words that name the table
    identifier : of the element on the page
    page : what it shares with the page's other such tables
    logarithmic : the estimate is a ratio, drawn as its log2
    """
    if not len(genes) or not genes[list(DRAWN)].notna().all(axis=1).any():
        return {}
    rows = genes.sort_values("p_value", kind="stable", na_position="last")
    declared = rows["term"].isin(panel)
    rows = rows.assign(gene_id=rows["term"].map(page.ids).fillna(""), panel=declared.astype(int))
    columns = [
        Column("Gene", ("term",), "name"),
        *([Column(page.title, ("gene_id",), "id")] if (rows["gene_id"] != "").any() else []),
        *columns,
        Column("Panel", ("panel",), "panel"),
    ]
    kept, packed = _fitting(rows, [column for column in columns if column.kind != "id"], page.room)
    drawn = rows.assign(estimate=np.log2(rows["estimate"])) if logarithmic else rows
    at, spec = 0, []
    for column in columns:
        spec.append({"kind": column.kind, "at": at, "digits": column.digits})
        at += len(column.keys) if column.kind != "id" else 0
    place = next(cell["at"] for cell in spec if cell["kind"] == "estimate")
    told = {
        "cells": spec, "x": place, "log": logarithmic, "p": next(cell["at"] for cell in spec if cell["kind"] == "p"), "axis": axis,
        "names": [column.title for column in columns], "data": packed,
    }  # fmt: skip
    return {
        "svg": volcano(drawn, panel, axis, f"Volcano plot: {what}", raster=not page.released),
        "columns": columns,
        "rows": [[_printed(column, row) for column in columns] for row in rows.head(ROWS_SHOWN).to_dict("records")],
        "n": len(rows),
        "n_left_out": len(rows) - len(kept),
        "what": what,
        "id": identifier,
        "spec": Markup(json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")),
    }  # fmt: skip


def _fitting(rows: pd.DataFrame, columns: Sequence[Column], room: float) -> tuple[pd.DataFrame, str]:
    """The genes with the smallest p that the room suffices for, and the whole panel."""
    n, kept = len(rows), rows
    while len(packed := _packed(kept, columns)) > room and n > FEWEST:
        n = max(FEWEST, int(n * room / len(packed) * 0.97))
        kept = rows[(np.arange(len(rows)) < n) | (rows["panel"] == 1)]
    return kept, packed


def _packed(rows: pd.DataFrame, columns: Sequence[Column]) -> str:
    parts = []
    for column in columns:
        plain = column.kind in {"name", "panel"}
        given = [rows[key].tolist() for key in column.keys]
        short = given if plain else [[_short(value, column) for value in values] for values in given]
        if column.kind == "estimate":
            short[2] = [_beyond(*ends, column.digits) for ends in zip(*short, strict=True)]
        parts += short
    return _compressed(parts)


def _beyond(estimate: float | None, lower: float | None, upper: float | None, digits: int) -> int | None:
    """By how many of its last digits the upper end is beyond the mirrored lower end: nearly always 0 or 1, which takes little room."""
    if estimate is None or lower is None or upper is None:
        return None
    return round((upper - (2 * estimate - lower)) * 10**digits)


def _compressed(parts: list[list]) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _short(value: float, column: Column) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    if column.kind == "p" and ("p_value" in column.keys or value < 0.001):
        return brief(value, p_scientific)  # drawn too, and so with all its digits
    return _plain(round(value, 3 if column.kind == "p" else column.digits))


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) else value


def brief(value: float, say: Callable[[float], str], digits: int = 3) -> float | int:
    """The number with few digits, but enough that it is printed as the whole number is, by Python and by a browser.

    (A browser rounds a tie such as 0.125 up, Python to the even digit; so no tie is left.)
    """
    wanted = say(value)
    for length in range(digits, digits + 5):
        short = float(f"{value:.{length}g}")
        if say(short) == wanted and say(short * (1 + 1e-12)) == wanted:
            return _plain(short)
    return float(wanted.replace("−", "-"))


def _printed(column: Column, row: dict) -> dict:
    """A cell as genes.js writes it."""
    first = row[column.keys[0]]
    cell = {"kind": column.kind, "text": "", "low": None, "high": None, "digits": column.digits}
    if column.kind in {"name", "id"}:
        return cell | {"text": first}
    if column.kind == "panel":
        return cell | {"text": "declared" if first else ""}
    if column.kind == "p":
        return cell | {"text": p_scientific(first)}
    if column.kind == "estimate":
        cell |= {"low": row[column.keys[1]], "high": row[column.keys[2]]}
    return cell | {"text": number(first, column.digits)}
