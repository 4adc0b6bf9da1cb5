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

from faceage_bio.core.config import Config
from faceage_bio.core.tables import to_records
from faceage_bio.intake.rna.gene_ids import ensembl_of
from faceage_bio.report import plot
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.plot import GREY, VERMILLION, VIOLET
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import number, p_scientific

UP, DOWN = VERMILLION, VIOLET
HEIGHT, LEFT, RIGHT, TOP, FOOT = 520, 58, 20, 40, 50
SMALLEST_P = 1e-300
FOUND = 0.05  # q
STRONGEST = 10  # genes that are named besides the panel
NAME_HEIGHT = 14
NAME_LIMIT = 24  # letters; the whole name stands in the table
BUDGET = 1_100_000  # bytes that all genes of a page may take together; what else it shows has 2.0 of 3 MB in the demo
ROWS_SHOWN = 10  # before the reader asks for more, and where scripts are off
DRAWN = ("estimate", "p_value")  # where a dot stands
FEWEST = 200  # genes that a table keeps however many tables there are


def volcano(genes: pd.DataFrame, panel: list[str], title: str, label: str, raster: bool = True) -> Picture:
    """Effect size against significance of all genes, as EnhancedVolcano draws it.

    Genes with q below ``FOUND`` are coloured by direction and counted; the strongest of them and the prespecified ones are named.
    The page's script (genes.js) adds the name of the gene at the pointer.

    Parameters
    ----------
    genes : DataFrame
        term, estimate (on the scale that is drawn), p_value, q_value; rows without p are excluded. ``disagree``, if given: genes
        drawn as open circles, because another method does not agree.
    panel : prespecified genes, drawn as diamonds
    title : of the horizontal axis
    raster : whether a layer of many points may be an embedded PNG; on a released page it may not
    """
    shown = genes[np.isfinite(genes["estimate"]) & genes["p_value"].notna()]
    shown = shown.sort_values("p_value", kind="stable")
    strength = -np.log10(shown["p_value"].clip(lower=SMALLEST_P).to_numpy(dtype=float))
    estimate = shown["estimate"].to_numpy(dtype=float)
    furthest = np.abs(estimate).max()
    x_ticks, y_ticks = plot.ticks(-furthest, furthest), plot.ticks(0, strength.max())
    across = plot.Scale(x_ticks[0], x_ticks[-1], LEFT + 12, plot.WIDTH - RIGHT - 12)
    up = plot.Scale(y_ticks[0], y_ticks[-1], HEIGHT - FOOT, TOP + 8)
    x, y = across(estimate), up(strength)
    found = (shown["q_value"] < FOUND).to_numpy()
    declared = shown["term"].isin(panel).to_numpy()
    apart = shown.get("disagree", pd.Series(False, shown.index)).to_numpy(dtype=bool)
    layers = [
        (~found, 1.7, GREY, 0.55),
        (found & (estimate < 0), 2.8, DOWN, 0.85),
        (found & (estimate > 0), 2.8, UP, 0.85),
        (apart, 1.5, "#fff", 1),  # open circles
    ]
    clouds = [
        plot.dots(x[which & ~declared], y[which & ~declared], *style, raster) for which, *style in layers
    ]
    colours = np.where(found, np.where(estimate < 0, DOWN, UP), GREY)
    diamonds = [_diamond(*at) for at in zip(x[declared], y[declared], colours[declared], strict=True)]
    named = found & (declared | (np.cumsum(found) <= STRONGEST))
    places = np.column_stack([x, y])
    names = _names(places[named], shown["term"][named].tolist(), places[found | declared])
    parts = [
        plot.y_axis(up, y_ticks, LEFT, "−log10 p", right=plot.WIDTH - RIGHT),
        plot.x_axis(across, x_ticks, HEIGHT - FOOT, title),
        plot.line(f"M{across(0):.5g} {TOP}V{HEIGHT - FOOT}", opacity=0.45, dash="2 3"),
        _threshold(strength, found, up),
        *clouds,
        *diamonds,
        *names,
        _legend(estimate, found, declared, apart),
    ]
    scales = f' data-across="{across.ends()}" data-up="{up.ends()}"'
    return plot.svg(label, plot.WIDTH, HEIGHT, parts, further=scales)


def _threshold(strength: np.ndarray, found: np.ndarray, up: plot.Scale) -> str:
    """Between the last gene with q below the threshold and the first above it; none where no gene is below it."""
    if not found.any():
        return ""
    weakest, others = strength[found].min(), strength[~found]
    below = others[others <= weakest]
    y, end = up((weakest + below.max()) / 2 if len(below) else weakest), plot.WIDTH - RIGHT
    line = plot.line(f"M{LEFT} {y:.1f}H{end}", width=1.2, opacity=0.7, dash="6 4")
    return line + plot.text(end - 4, y - 6, f"q = {FOUND:g}", "end", soft=True, halo=True)


def _diamond(x: float, y: float, colour: str) -> str:
    d = f"M{x:.1f} {y - 6:.1f}l5.5 6l-5.5 6l-5.5 -6z"
    return f'<path d="{d}" fill="{colour}" stroke="var(--paper,#fff)"/>'


def _names(places: np.ndarray, names: list[str], marks: np.ndarray) -> list[str]:
    """Each name where no other name and no coloured mark stands, the strongest genes first; with a line where it is far."""
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in marks] if len(marks) <= 400 else []
    taken += [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    written = []
    for (x, y), name in zip(places, names, strict=True):
        name = name if len(name) <= NAME_LIMIT else name[: NAME_LIMIT - 1] + "…"
        wide = plot.text_width(name) * 1.08
        free = next((box for box in _boxes(x, y, wide) if _inside(box) and not _meets(box, taken)), None)
        if free is None:
            continue  # the table and the pointer still name it
        taken.append(free)
        left, top, right, bottom = free
        end, edge = max(left, min(x, right)), top if top > y else bottom if bottom < y else y
        if np.hypot(end - x, edge - y) > 12:
            written.append(plot.line(f"M{x:.1f} {y:.1f}L{end:.1f} {edge:.1f}", opacity=0.5))
        middle = (left + right) / 2
        written.append(plot.text(middle, bottom - 3, name, "middle", bold=True, italic=True, halo=True))
    return written


def _boxes(x: float, y: float, wide: float):
    """Places for a name, the nearest first: left and right, above, below, then further away."""
    for far in range(9, 160, 12):
        level, above = y - NAME_HEIGHT / 2, y - far - NAME_HEIGHT + 2
        beside = ((x + far, level), (x - far - wide, level))
        middle = ((x - wide / 2, above), (x - wide / 2, y + far - 2))
        oblique = ((x + far / 2, above), (x - wide - far / 2, above))
        for left, top in (*beside, *middle, *oblique):
            yield left, top, left + wide, top + NAME_HEIGHT


def _inside(box: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = box
    return left >= LEFT + 4 and right <= plot.WIDTH - RIGHT and top >= TOP - 4 and bottom <= HEIGHT - FOOT


def _meets(box: tuple, others: list[tuple]) -> bool:
    return any(box[0] < one[2] and one[0] < box[2] and box[1] < one[3] and one[1] < box[3] for one in others)


def _legend(estimate: np.ndarray, found: np.ndarray, declared: np.ndarray, apart: np.ndarray) -> str:
    """What colours and shapes mean, and how many genes each has."""
    up, down = int((found & (estimate > 0)).sum()), int((found & (estimate < 0)).sum())
    colours = {
        UP: f"Up, q < {FOUND:g} (n = {up:,})",
        DOWN: f"Down, q < {FOUND:g} (n = {down:,})",
        GREY: f"Not significant (n = {len(found) - up - down:,})",
    }
    entries = [(f'<circle r="4" fill="{colour}"/>', words) for colour, words in colours.items()]
    if declared.any():
        mark = '<path d="M0 -6l5.5 6l-5.5 6l-5.5 -6z" fill="none" stroke="currentColor"/>'
        entries.append((mark, f"Prespecified (n = {int(declared.sum())})"))
    if apart.any():
        mark = f'<circle r="3.2" fill="#fff" stroke="{GREY}" stroke-width="1.6"/>'
        entries.append((mark, f"Methods disagree (n = {int(apart.sum()):,})"))
    return plot.legend(entries, LEFT, 16, plot.WIDTH - RIGHT)[0]


@dataclass(frozen=True)
class Column:
    """A column of the table: ``keys`` are one column of the numbers, or estimate, lower and upper end."""

    title: str
    keys: tuple[str, ...]
    kind: str  # "name", "id", "estimate", "number", "p" or "panel"
    digits: int = 2


def identifier_of(kind: str, name: str, analysis: str, config: Config) -> str:
    """An element's id that no name of a user stands in."""
    return (
        f"{kind}-{list(config.cohorts).index(name) + 1}-{hashlib.sha256(analysis.encode()).hexdigest()[:6]}"
    )


@dataclass(frozen=True)
class PageGenes:
    """What all tables of genes on a page share: identifiers by symbol, and how many tables there are."""

    ids: dict[str, str]
    n_tables: int
    released: bool = False

    @classmethod
    def of(cls, tables: ReportTables) -> "PageGenes":
        """Of each cohort's analyses, of expression and of survival; identifiers as the counts had them, or the declared ones."""
        found = [tables.get(analysis, "genes") for analysis in ("expression", "survival")]
        found = [table for table in found if len(table)]
        names = set().union(*(table["term"] for table in found))
        given = [table[["term", "gene_id"]].dropna() for table in found if "gene_id" in table]
        ids = ensembl_of(names)
        if given:
            pairs = pd.concat(given).drop_duplicates()
            text = pairs["gene_id"].map(lambda one: f"{one:.0f}" if isinstance(one, float) else str(one))
            ids |= text.groupby(pairs["term"]).agg(lambda mine: " ".join(dict.fromkeys(mine))).to_dict()
        n_tables = sum(len(table[["cohort", "question"]].drop_duplicates()) for table in found)
        others = {symbol: gene_id for symbol, gene_id in ids.items() if symbol != gene_id}
        return cls(others, n_tables, tables.released)

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
    x, p = (next(cell["at"] for cell in spec if cell["kind"] == kind) for kind in ("estimate", "p"))
    names = [column.title for column in columns]
    told = {"cells": spec, "x": x, "log": logarithmic, "p": p, "axis": axis, "names": names, "data": packed}
    shown = to_records(rows.head(ROWS_SHOWN))
    return {
        "svg": volcano(drawn, panel, axis, f"Volcano plot: {what}", raster=not page.released),
        "columns": columns,
        "rows": [[_printed(column, row) for column in columns] for row in shown],
        "n": len(rows),
        "n_left_out": len(rows) - len(kept),
        "what": what,
        "id": identifier,
        "spec": Markup(json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")),
    }


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


def brief(value: float, say: Callable[[float], str]) -> float | int:
    """The number with few digits, but enough that it is printed as the whole number is, by Python and by a browser.

    (A browser rounds a tie such as 0.125 up, Python to the even digit; so no tie is left.)
    """
    wanted = say(value)
    for length in range(3, 8):
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
        return cell | {"text": "prespecified" if first else ""}
    if column.kind == "p":
        return cell | {"text": p_scientific(first)}
    if column.kind == "estimate":
        cell |= {"low": row[column.keys[1]], "high": row[column.keys[2]]}
    return cell | {"text": number(first, column.digits)}
