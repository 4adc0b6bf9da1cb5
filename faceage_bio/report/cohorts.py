"""Who the participants of each cohort are, in one line each, for the summary (index.html.j2)."""

import pandas as pd

from faceage_bio.report.formats import count, number, with_ci
from faceage_bio.report.places import place
from faceage_bio.report.sections_people import ALL
from faceage_bio.report.tables_by_place import ReportTables

GROUPS = {"cancer": "patients with cancer", "reference": "controls"}
MOST_SITES = 3


def describe_cohorts(tables: ReportTables, config: dict) -> list[dict]:
    """A row for each cohort with a Table 1: name, who, n, age, share of women, face age, follow-up, deaths, and the link to Table 1."""
    found = []
    for name in config["cohorts"]:
        table = tables.get("phenotype", "table_one", name)
        rows = table[table["group"] == ALL] if len(table) else table
        sizes = rows[rows["measure"] == "participants"]["n"] if len(rows) else rows
        if not len(sizes):
            continue
        n = sizes.iloc[0]
        follow_up, deaths = _follow_up(tables.get("survival", "summary", name))
        women = rows[(rows["variable"] == "sex") & (rows["level"] == "female") & (rows["measure"] == "share")]
        found.append({
            "name": name, "link": place("table-one", name), "n": count(n), "who": "; ".join(filter(None, (_participants(rows), config["report"]["cohorts"].get(name)))),
            "age": _mean(rows, "chronological_age"), "face_age": _mean(rows, "face_age"),
            "women": _share(women["n"].iloc[0], n) if len(women) else "–", "follow_up": follow_up, "deaths": deaths,
        })  # fmt: skip
    return found


def _participants(rows: pd.DataFrame) -> str:
    """Patients or controls, and the most frequent sites."""
    groups = [GROUPS.get(str(level), str(level)) for level in _levels(rows, "group")["level"]]
    sites = _levels(rows, "site").nlargest(MOST_SITES, "estimate")
    named = [f"{row.level} {100 * row.estimate:.0f}%" for row in sites.itertuples() if row.estimate < 1]
    told = ": ".join(filter(None, (" and ".join(groups) or "participants", ", ".join(named))))
    return told[:1].upper() + told[1:]


def _levels(rows: pd.DataFrame, variable: str) -> pd.DataFrame:
    return rows[(rows["variable"] == variable) & (rows["measure"] == "share") & (rows["estimate"] > 0)]


def _mean(rows: pd.DataFrame, variable: str) -> str:
    mine = rows[(rows["variable"] == variable) & (rows["measure"] == "mean")]
    if not len(mine):
        return "–"
    return f"{number(mine['estimate'].iloc[0], 1)} ({number(mine['standard_deviation'].iloc[0], 1)})"


def _share(n: float, of: float) -> str:
    return f"{100 * n / of:.0f}%" if of > 0 and pd.notna(n) else "–"


def _follow_up(rows: pd.DataFrame) -> tuple[str, str]:
    """Median follow-up with its 95% CI, and deaths."""
    mine = rows[(rows["grouping"] == ALL) & (rows["measure"] == "median follow-up")] if len(rows) else rows
    if not len(mine):
        return "–", "–"
    one = mine.iloc[0]
    return with_ci(one["estimate"], one["ci_lower"], one["ci_upper"], 1), count(one["n_events"])
