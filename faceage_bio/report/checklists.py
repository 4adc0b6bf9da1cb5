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
from faceage_bio.report.places import place
from faceage_bio.report.tables_by_place import ReportTables

FOLDER = Path(__file__).parent / "checklists"
LISTS = {
    "strobe": ("STROBE, cohort studies", "von Elm et al. 2007; item numbers of the statement."),
    "remark": ("REMARK", "Altman et al. 2012; item numbers of the statement."),
    "tripod_ai": ("TRIPOD+AI", "Collins et al. 2024; item numbers of the statement. The age model is evaluated, not developed, here."),
}  # fmt: skip

# name of a place: words, link, and the result tables of which one must have rows (an estimate, where a * stands before)
PLACES = {
    "answers": ("key results", "#key-results"), "methods": ("methods", "association.html#methods"), "limits": ("limitations", "#limits"),
    "provenance": ("provenance", "#provenance"), "software": ("software", "#software"), "governance": ("governance", "#governance"),
    "flow": ("flow", place("participant-flow"), "ledger/flow"), "table-one": ("Table 1", place("table-one"), "phenotype/table_one"),
    "definitions": ("definitions", place("definitions"), "acceleration/definitions"), "photos": ("photos", place("reasons"), "faceage/photo_counts"),
    "summary": ("age acceleration", place("ages"), "acceleration/summary"), "bands": ("face age by age", place("ages"), "acceleration/summary"),
    "reliability": ("reliability", place("repeats"), "acceleration/reliability"), "agreement": ("second model", place("agreement"), "faceage/agreement"),
    "phenotypes": ("exposures", place("phenotypes"), "phenotype/phenotypes"), "means": ("groups", place("comparisons"), "phenotype/means"),
    "pairs": ("pairs of groups", place("comparisons"), "phenotype/pairs"), "roles": ("roles of covariates", place("adjustment"), "phenotype/roles"),
    "matched": ("matched pairs", place("matched"), "phenotype/matched"), "subgroups": ("subgroups", place("comparisons"), "phenotype/interactions"),
    "adjustment": ("adjustment sets", place("adjustment"), "phenotype/roles"), "specifications": ("specifications", place("specifications"), "phenotype/specification_summary"),
    "fairness": ("fairness", place("fairness"), "fairness/fairness"), "stress": ("image degradation", place("stress"), "fairness/stress"),
    "rna-samples": ("RNA samples", place("rna-samples"), "expression/quality"), "gene-sensitivity": ("genes, sensitivity", place("gene-sensitivity"), "expression/sensitivity"),
    "curves": ("survival curves", place("curves"), "survival/summary"), "cox": ("Cox models", place("cox"), "survival/cox"),
    "hazards": ("proportional hazards", place("hazards"), "survival/proportional_hazards"), "curve": ("non-linearity", place("hazard-curve"), "survival/hazard_curve_tests"),
    "sites": ("sites", place("sites"), "survival/sites"), "sensitivity": ("sensitivity analyses", place("sensitivity"), "survival/sensitivity"),
    "imputed": ("multiple imputation", place("sensitivity"), "survival/imputed"), "subgroup-hazards": ("subgroups, survival", place("subgroups"), "survival/subgroups"),
    "incidence": ("cumulative incidence", place("competing-risks"), "*survival/competing_risks"), "added-value": ("added value", place("added-value"), "survival/added_value"),
    "calibration": ("calibration", place("added-value"), "survival/calibration"), "decision": ("net benefit", place("added-value"), "survival/decision_curve"),
}  # fmt: skip


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
        for name, (said, link, *wanted) in PLACES.items()
        if (name != "governance" or governance) and (not wanted or any(_ran(tables, one) for one in wanted))
    }
    lists = []
    for name, (title, source) in LISTS.items():
        items = [
            Item(
                row.number, row.section, row.words,
                [known[one] for one in row.places.split() if one in known],
                bool(row.author), row.author,
            )
            for row in items_of(name).itertuples()
        ]  # fmt: skip
        lists.append(
            {"title": title, "source": source, "rows": items, "n_met": sum(bool(one.places) for one in items)}
        )
    return lists


def _ran(tables: ReportTables, wanted: str) -> bool:
    rows = tables.get(*wanted.removeprefix("*").split("/"))
    return bool(len(rows) and (not wanted.startswith("*") or rows["estimate"].notna().any()))
