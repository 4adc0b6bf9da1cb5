"""STROBE, REMARK and TRIPOD+AI: for each item the places on the page that tell something of it.

Numbers and topics of the items are those of the published lists: STROBE for cohort studies (von Elm and others 2007,
doi:10.1371/journal.pmed.0040296), REMARK (McShane and others 2005; Altman and others 2012, doi:10.1371/journal.pmed.1001216, table 1)
and TRIPOD+AI (Collins and others 2024, doi:10.1136/bmj-2023-078378, table 2), as far as published copies could be read: REMARK 14
and 16 could not. The words are ours.

A place is known once the page is made: a section by its id, a table or figure by the result table that it was made of. An item
whose stage did not run has no link; what only the authors can know is left to them.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from faceage_bio.tables import read_table

FOLDER = Path(__file__).parent / "checklists"
LISTS = {
    "strobe": ("STROBE, cohort studies", "von Elm and others 2007; item numbers of the statement."),
    "remark": ("REMARK", "Altman and others 2012; item numbers of the statement."),
    "tripod_ai": ("TRIPOD+AI", "Collins and others 2024; item numbers of the statement. The age model is only evaluated here."),
}  # fmt: skip

# name of a place: words, and what on a page it is: ids of sections, or result tables
PLACES = {
    "answers": ("answers", "#main"), "methods": ("methods", "#methods"), "limits": ("limits", "#limits"),
    "origins": ("origins", "#origins"), "software": ("software", "#software"), "governance": ("governance", "#governance"),
    "flow": ("flow", "#who"), "table-one": ("Table 1", "#table-one", "phenotype/table_one"),
    "definitions": ("definitions", "#definitions"), "photos": ("certainty of a face age", "faceage/summary"),
    "summary": ("age acceleration", "acceleration/summary"), "bands": ("face age by age", "acceleration/age_bands"),
    "reliability": ("reliability", "acceleration/reliability"), "agreement": ("second model", "faceage/agreement"),
    "phenotypes": ("exposures", "phenotype/phenotypes"), "means": ("groups", "phenotype/means"), "pairs": ("pairs of groups", "phenotype/pairs"),
    "roles": ("roles of covariates", "phenotype/roles"), "matched": ("matched pairs", "phenotype/matched"),
    "subgroups": ("subgroups", "phenotype/interactions", "phenotype/subgroups"), "adjustment": ("adjustment sets", "phenotype/adjustments"),
    "specifications": ("specifications", "phenotype/specifications"), "fairness": ("fairness", "fairness/fairness"),
    "stress": ("worse photos", "fairness/stress"), "rna-samples": ("RNA samples", "expression/quality"),
    "gene-sensitivity": ("genes under other models", "expression/sensitivity"),
    "curves": ("curves", "survival/summary", "survival/kaplan_meier"), "cox": ("Cox models", "survival/cox"),
    "hazards": ("proportional hazards", "survival/proportional_hazards"), "curve": ("hazard curve", "survival/hazard_curve"),
    "sites": ("sites", "survival/sites"), "sensitivity": ("other choices", "survival/sensitivity"), "imputed": ("imputation", "survival/imputed"),
    "subgroup-hazards": ("hazard in subgroups", "survival/subgroups"),
    "incidence": ("cumulative incidence", "survival/competing_risks"), "added-value": ("added value", "survival/added_value"),
    "calibration": ("calibration", "survival/calibration"), "decision": ("net benefit", "survival/decision_curve"),
}  # fmt: skip
PART = re.compile(r"<(?:table|figure)\b[^>]*?\sdata-from=\"([^\"]*)\"[^>]*>")


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


def mark_places(page: str) -> tuple[str, dict[str, str]]:
    """The page with an id at each place that items link to, and the ids by the place's name."""
    found = {}
    for name, (_, *wanted) in PLACES.items():
        for place in wanted:
            page, anchor = _mark(page, place)
            if anchor:
                found[name] = anchor
                break
    return page, found


def filled(places: dict[str, str]) -> list[dict]:
    """The lists for the template: title, source, items with the links that this page has."""
    lists = []
    for name, (title, source) in LISTS.items():
        items = [
            Item(
                row.number, row.section, row.words,
                [(places[one], PLACES[one][0]) for one in row.places.split() if one in places],
                bool(row.author), row.author,
            )
            for row in items_of(name).itertuples()
        ]  # fmt: skip
        lists.append(
            {
                "title": title,
                "source": source,
                "rows": items,
                "n_met": sum(bool(one.places) for one in items),
            }
        )
    return lists


def _mark(page: str, place: str) -> tuple[str, str]:
    if place.startswith("#"):
        anchor = place[1:]
        return page, anchor if f' id="{anchor}"' in page else ""
    anchor = f"at-{place.replace('/', '-').replace('_', '-')}"
    wanted = (
        found for found in PART.finditer(page) if any(one.endswith(f"/{place}") for one in found[1].split())
    )
    tag = next(wanted, None)
    if tag is None:
        return page, ""
    known = re.search(r'\sid="([^"]+)"', tag[0])
    if known:
        return page, known[1]
    end = tag.end() - 1
    return f'{page[:end]} id="{anchor}"{page[end:]}', anchor
