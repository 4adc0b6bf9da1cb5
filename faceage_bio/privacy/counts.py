"""Which numbers of a table or a page count people, samples or deaths, and which of them are small."""

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser

import pandas as pd

OTHERS = {  # begin like a count, and count something else
    "n_genes", "n_tests", "n_readers", "n_specifications", "n_not_estimated", "n_chosen", "n_found", "n_variants", "n_common", "n_cells",
    "n_counts", "n_faces", "n_sets", "n_terms", "n_knots", "n_steps",
}  # fmt: skip
FURTHER = {
    "at_risk", "entered", "events", "other_events", "censored", "left_out", "people", "deaths", "carriers", "donors", "samples", "patients",
    "photos", "subjects", "missing_n",
}  # fmt: skip
COUNTED = {  # measures whose estimate is a number of people, photos or samples
    "people", "samples", "photos", "donors", "cases", "carriers", "ok", "flagged", "excluded", "deaths",
    "donors with cells",
}  # fmt: skip
HEADS = re.compile(
    r"^(n|people|persons?|patients?|subjects?|deaths?|died|events?|donors?|samples?|photos?|cases?|carriers?|at risk|number at risk|"
    r"censored|missing|excluded|flagged)$"
)
INDIVIDUAL = {  # columns that only a table with a row per person, photo or sample has
    "followup_years", "entry_years", "event", "perceptual_hash", "pixel_hash", "box_x", "box_y", "path",
    "photo_date", "birth_date", "sample_date", "followup_date", "entry_date",
}  # fmt: skip
WHOLE = re.compile(r"\d+(?:\.0*)?")
KEY_VALUE = re.compile(r'"([a-z_]+)"\s*:\s*(\d+)(?:\.0+)?(?=\s*[,}\]])')
SPOKEN = {
    "title",
    "alt",
    "aria-label",
    "content",
    "value",
    "id",
    "name",
    "href",
}  # attributes that say something
MONTHS = 24  # halves of a month in a year: curves are told at these times, not at those of single people


def is_count(column: str) -> bool:
    """Whether a column of a result table counts people, photos, samples or deaths."""
    name = column.lower()
    return name in FURTHER or ((name == "n" or name.startswith("n_")) and name not in OTHERS)


def counted_measures(measures: pd.Series) -> pd.Series:
    """Which rows' estimates are numbers of people, photos or samples."""
    return measures.isin(COUNTED) | measures.astype(str).str.startswith("people")


def is_small(text: object, min_cell: int) -> bool:
    """Whether a cell is a whole number from 1 to ``min_cell`` - 1."""
    word = str(text).strip().replace(",", "")
    return bool(WHOLE.fullmatch(word)) and 0 < float(word) < min_cell


def small_in_table(table: pd.DataFrame, min_cell: int) -> Iterator[tuple[int, str, str]]:
    """Line, column and what of each small number in a table of text, as `tables.read_text_table` gives it."""
    for column in filter(is_count, table.columns):
        for line, cell in table[column].items():
            if is_small(cell, min_cell):
                yield line, column, f"from 1 to {min_cell - 1}"
    if {"measure", "estimate"} <= set(table.columns):
        counted = table[counted_measures(table["measure"])]
        for line, cell in counted["estimate"].items():
            if is_small(cell, min_cell):
                yield line, "estimate", f"from 1 to {min_cell - 1}"
    yield from _steps(table, min_cell)


def _steps(table: pd.DataFrame, min_cell: int) -> Iterator[tuple[int, str, str]]:
    """Numbers at risk whose difference is small, and times that are not whole months."""
    if not {"years", "at_risk"} <= set(table.columns):
        return
    keys = [name for name in ("cohort", "grouping", "group", "cause") if name in table]
    numbers = table.assign(
        years=pd.to_numeric(table["years"], errors="coerce"),
        at_risk=pd.to_numeric(table["at_risk"], errors="coerce"),
    )
    for _, curve in numbers.groupby(keys) if keys else [((), numbers)]:
        told = curve.sort_values("years")["at_risk"].dropna()
        for line in told.index[told.diff().abs().between(1, min_cell - 1)]:
            yield line, "at_risk", "its difference from the number before is small"
    if {"survival", "incidence"} & set(table.columns):
        months = numbers["years"] * MONTHS
        for line in table.index[(months - months.round()).abs() > 1e-6]:
            yield line, "years", "the time of a single person, no half or whole month"


def small_in_json(text: str, min_cell: int) -> Iterator[tuple[int, str, str]]:
    """Where, key and what of each small number under a key that counts, in JSON and in what figures embed of it."""
    for found in KEY_VALUE.finditer(text):
        if is_count(found[1]) and 0 < int(found[2]) < min_cell:
            yield found.start(), found[1], f"from 1 to {min_cell - 1}"


def small_in_page(pieces: Iterable[tuple[int, str, str]], min_cell: int) -> Iterator[tuple[int, str, str]]:
    """Line, column and what of each small number in the tables of a page (`texts_of_page`), by the heads of their columns."""
    for line, head, cell in pieces:
        if HEADS.match(head) and is_small(cell, min_cell):
            yield line, head, f"from 1 to {min_cell - 1}"


def texts_of_page(text: str) -> list[tuple[int, str, str]]:
    """Line, head of the column ("" outside of tables) and content of each piece of text of a page."""
    parser = _Page()
    parser.feed(text)
    parser.close()
    return parser.found


class _Page(HTMLParser):
    """Collects texts, those of a table with the head of their column."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str, str]] = []
        self.tables: list[dict] = []
        self.skipped = 0

    def handle_starttag(self, tag: str, attrs: list) -> None:
        given = dict(attrs)
        if tag in {"script", "style"}:
            self.skipped += 1
        elif tag == "table":
            self.tables.append({"heads": [], "row": None, "in_head": False, "cell": None, "column": 0})
        elif self.tables and tag == "thead":
            self.tables[-1]["in_head"] = True
        elif self.tables and tag == "tr":
            table = self.tables[-1]
            table["column"] = 0
            if table["in_head"]:
                table["row"] = 0 if table["row"] is None else table["row"] + 1
                while len(table["heads"]) <= table["row"]:
                    table["heads"].append({})
        elif self.tables and tag in {"td", "th"}:
            table = self.tables[-1]
            table["cell"] = {
                "text": [],
                "line": self.getpos()[0],
                "span": _span(given, "colspan"),
                "rows": _span(given, "rowspan"),
            }
        self.found += [(self.getpos()[0], "", given[name]) for name in SPOKEN & given.keys() if given[name]]

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self.skipped = max(self.skipped - 1, 0)
        elif not self.tables:
            return
        elif tag == "table":
            self.tables.pop()
        elif tag == "thead":
            self.tables[-1]["in_head"] = False
        elif tag in {"td", "th"} and self.tables[-1]["cell"]:
            self._end_cell(self.tables[-1])

    def _end_cell(self, table: dict) -> None:
        cell, table["cell"] = table["cell"], None
        text = " ".join(" ".join(cell["text"]).split())
        if table["in_head"] and table["heads"]:
            row = table["row"]
            while table["column"] in table["heads"][row]:
                table["column"] += 1
            for below in range(row, row + cell["rows"]):
                while len(table["heads"]) <= below:
                    table["heads"].append({})
                for k in range(cell["span"]):
                    table["heads"][below][table["column"] + k] = text.lower()
            table["column"] += cell["span"]
        else:
            heads = {}
            for row in table["heads"]:
                heads |= row
            self.found.append((cell["line"], heads.get(table["column"], ""), text))
            table["column"] += cell["span"]

    def handle_data(self, data: str) -> None:
        if self.skipped or not data.strip():
            return
        if self.tables and self.tables[-1]["cell"]:
            self.tables[-1]["cell"]["text"].append(data)
        self.found.append((self.getpos()[0], "", data.strip()))


def _span(given: dict, name: str) -> int:
    value = given.get(name) or "1"
    return int(value) if value.isdigit() and 0 < int(value) < 1000 else 1
