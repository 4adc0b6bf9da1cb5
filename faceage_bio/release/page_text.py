"""The pieces of text of an HTML page, each with the head of its table column."""

from html.parser import HTMLParser

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
