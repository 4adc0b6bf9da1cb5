"""STROBE, REMARK and TRIPOD+AI: for each item the places of the report that address it.

Numbers and topics of the items are those of the published lists: STROBE for cohort studies (von Elm et al. 2007,
doi:10.1371/journal.pmed.0040296), REMARK (McShane et al. 2005; Altman et al. 2012, doi:10.1371/journal.pmed.1001216, table 1)
and TRIPOD+AI (Collins et al. 2024, doi:10.1136/bmj-2023-078378, table 2), as far as published copies could be read: REMARK 14
and 16 could not. The words are ours.

An item whose stage did not run has no link; what only the authors can know is left to them.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from faceage_bio.core.tables import read_table
from faceage_bio.report.places import PAGE_OF, place
from faceage_bio.report.tables_by_place import ReportTables

FOLDER = Path(__file__).parent / "checklists"
LISTS = {
    "strobe": ("STROBE, cohort studies", "von Elm et al. 2007; item numbers of the statement."),
    "remark": ("REMARK", "Altman et al. 2012; item numbers of the statement."),
    "tripod_ai": (
        "TRIPOD+AI",
        "Collins et al. 2024; item numbers of the statement. The age model is evaluated, not developed, here.",
    ),
}

# name of a place: words, link, and the result table that must have rows (an estimate, where a * stands before), "" for none
PLACES: dict[str, tuple[str, str, str]] = {
    row.name: (row.words, place(row.link) if row.link in PAGE_OF else row.link, row.table)
    for row in read_table(FOLDER / "places.tsv").fillna("").itertuples()
}


@dataclass(frozen=True)
class Item:
    """One item: its published number, our words, links (id, words), and whether only the authors can write it."""

    number: str
    section: str
    words: str
    places: list[tuple[str, str]]
    author: bool
    hint: str


@cache
def items_of(name: str) -> pd.DataFrame:
    """The items of a list: number, section, words, places, author."""
    return read_table(FOLDER / f"{name}.tsv").fillna("").astype(str)


def checklists(tables: ReportTables, governance: bool) -> list[dict]:
    """The lists for the template: title, source, items with the links of what ran."""
    known = {
        name: (link, said)
        for name, (said, link, wanted) in PLACES.items()
        if (name != "governance" or governance) and (not wanted or _ran(tables, wanted))
    }
    lists = []
    for name, (title, source) in LISTS.items():
        items = []
        for row in items_of(name).itertuples():
            places = [known[one] for one in row.places.split() if one in known]
            items.append(Item(row.number, row.section, row.words, places, bool(row.author), row.author))
        n_met = sum(bool(one.places) for one in items)
        lists.append({"title": title, "source": source, "rows": items, "n_met": n_met})
    return lists


def _ran(tables: ReportTables, wanted: str) -> bool:
    rows = tables.get(*wanted.removeprefix("*").split("/"))
    return bool(len(rows) and (not wanted.startswith("*") or rows["estimate"].notna().any()))
