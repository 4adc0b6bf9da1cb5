"""What ran, for the methods: questions to the result tables, and the settings that the steps used.

The words of the methods come from here and not from the config: a stage without a row has no paragraph, and a setting is shown as
the step's record has it (records.py). Where a step left no record, the config that the page was made with is all there is; the
page then says so.
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

import pandas as pd

from faceage_bio.core.columns import COHORT
from faceage_bio.core.results.reasons import NOT_ESTIMATED
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import covariates, leading_method, reason


def settings_that_ran(settings: dict, records: Iterable[dict]) -> tuple[dict, list[str]]:
    """The settings as the steps were given them, and in words where that is not what the config says.

    Parameters
    ----------
    settings : dict
        The config's sections.
    records : iterable of dict
        Of the steps whose tables the page tells.
    """
    told, differ = deepcopy(settings), {}
    for record in records:
        for place, value in record.get("settings", {}).items():
            if _set(told, place, value):
                differ[place] = (
                    f"{place}: the config says {_get(settings, place)}, {record['command']} ran with {value}"
                )
    return told, list(differ.values())


def _get(settings: dict, place: str) -> object:
    for key in place.split("."):
        settings = settings[key]
    return settings


def _set(settings: dict, place: str, value: object) -> bool:
    """Whether that changed anything; 10 and 10.0 are one."""
    *way, last = place.split(".")
    for key in way:
        settings = settings.get(key)
        if not isinstance(settings, dict):
            return False
    if last not in settings or settings[last] == value:
        return False
    settings[last] = value
    return True


@dataclass(frozen=True)
class Ran:
    """Questions that the templates of the methods ask of the result tables."""

    tables: ReportTables

    def rows(self, table: str, **wanted: object) -> pd.DataFrame:
        """Rows of ``folder/table`` with an estimate, where each named column holds the value, or one of several."""
        found = self.tables.get(*table.split("/"))
        if len(found) and "estimate" in found and found["estimate"].notna().any():
            found = found[found["estimate"].notna()]
        elif "status" in found:
            found = found[found["status"] != NOT_ESTIMATED]
        for column, value in wanted.items():
            if column not in found:
                return found.iloc[:0]
            found = found[found[column].isin(value if isinstance(value, list) else [value])]
        return found

    def has(self, table: str, **wanted: object) -> bool:
        """Whether that was estimated for anybody."""
        return len(self.rows(table, **wanted)) > 0

    def holds(self, table: str, column: str) -> bool:
        """Whether a column has any value."""
        found = self.tables.get(*table.split("/"))
        return column in found and bool(found[column].replace("", pd.NA).notna().any())

    def said(self, table: str, column: str, **wanted: object) -> str:
        """The different words of a column, joined."""
        found = self.rows(table, **wanted)
        words = dict.fromkeys(found[column].dropna().astype(str)) if column in found else {}
        return "; ".join(word for word in words if word)

    def reasons(self, unit: str, status: str) -> str:
        """For what reasons photos, participants or samples were excluded or flagged, by the ledger; no numbers."""
        flow = self.tables.get("ledger", "flow")
        if not len(flow):
            return ""
        found = flow[(flow["unit"] == unit) & (flow["status"] == status)]
        return ", ".join(
            dict.fromkeys(reason(str(code)) for code in found["reason"] if str(code) not in ("", "nan"))
        )

    def acceleration(self) -> str:
        """The definition that all analyses used, by the tables: its words and in whom it was fitted."""
        chosen = self.tables.get("acceleration", "definitions")
        if len(chosen) and "chosen" in chosen:
            mine = chosen[chosen["chosen"].astype(str).isin({"True", "1", "1.0"})]
            words = dict.fromkeys(
                f"{row.model} of face age on age, fitted in {'controls' if row.fitted_in == 'reference' else 'each cohort'}"
                for row in mine.itertuples()
            )
            if words:
                return "the " + "; ".join(words)
        summary = self.said("acceleration/summary", "model")
        if summary or self.has("acceleration/summary"):
            return "the residual of face age on age" + (f": {summary}" if summary else "")
        return ""

    def leading_methods(self) -> str:
        """The methods that give the estimates of the genes."""
        rows = self.rows("expression/panel").to_dict("records")
        return " and ".join(dict.fromkeys(filter(None, map(leading_method, rows)))) or "models of counts"

    def families(self) -> list[tuple[str, str]]:
        """(family, how many tests) of each kind of adjustment for many tests."""
        told = []
        for table, words in FAMILIES.items():
            found = self.tables.get(*table.split("/"))
            if len(found) and "q_value" in found and found["q_value"].notna().any():
                known = found[found["q_value"].notna()]
                declared = (
                    pd.to_numeric(known["n_tests"]).dropna() if "n_tests" in known else known["n"].iloc[:0]
                )
                sizes = declared if len(declared) else known.groupby(COHORT)["q_value"].size()
                low, high = int(sizes.min()), int(sizes.max())
                told.append((words, f"{low:,}" if low == high else f"{low:,} to {high:,}"))
        return told

    def follow_up(self) -> list[dict]:
        """Of each cohort: median follow-up by reverse Kaplan-Meier."""
        rows = self.rows("survival/summary", measure="median follow-up", group="all")
        return rows.drop_duplicates(COHORT).to_dict("records") if len(rows) else []

    def held(self, table: str, **wanted: object) -> str:
        """What was adjusted for, in words."""
        column = "covariates" if self.holds(table, "covariates") else "adjustment"
        return covariates(self.said(table, column, **wanted))


FAMILIES = {
    "phenotype/phenotypes": "smoking, BMI and further exposures, adjusted rows of a cohort",
    "phenotype/pairs": "pairs of groups, within a factor",
    "phenotype/interactions": "interactions of a cohort",
    "fairness/fairness": "fairness, age-adjusted tests of a table",
    "expression/genes": "all genes, for each age",
    "expression/panel": "prespecified genes, within each test",
    "expression/set_associations": "sets of genes, within each score and exposure",
    "survival/gene_panel": "prespecified genes against survival",
    "survival/genes": "all genes against survival",
    "survival/sites": "levels within a model",
    "survival/subgroups": "interactions with the hazard ratio, within a model",
    "variants/genes": "genes with variants, within each test and outcome",
}
