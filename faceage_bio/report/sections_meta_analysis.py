"""Meta-analysis on the pages: forests with the cohorts' rows, all pooled estimates, what is not pooled, one-stage models."""

from collections.abc import Mapping, Sequence

import pandas as pd

from faceage_bio.core.columns import POOLED, column_words
from faceage_bio.core.config import Config
from faceage_bio.core.results.reasons import decode, encode, in_words
from faceage_bio.core.tables import to_records
from faceage_bio.report import figures, words
from faceage_bio.report import table_rows as select
from faceage_bio.report.plot import GREY, VERMILLION
from faceage_bio.report.table_rows import Pools
from faceage_bio.report.tables_by_place import ReportTables, rows_by
from faceage_bio.report.words import interval, p_equals, p_scientific, p_value

OF_SURVIVAL = (
    "survival/",
    "acceleration/ageing_rate",
)  # sources of the survival page; the others are on that of associations
BY_EXPOSURE = ("expression/panel", "expression/set_associations")  # sources whose terms are genes or sets
KINDS = [("cohort", GREY), ("pooled", VERMILLION)]
MOST_LINES = 90  # of a forest; of more, the cohorts of the main estimate alone
MOST_GENES = 20
MOST_SENTENCES = 8  # on the heterogeneity of a forest's estimates; of more, that of the first
INTERACTION = "cohort interaction chi-square"


def meta_analysis_section(tables: ReportTables, config: Config, *, survival: bool) -> dict:
    """What the section shows, of survival or of everything else."""
    estimates = _of_page(tables.get("meta_analysis", "estimates"), survival)
    pooled = estimates[estimates["cohort"] == POOLED]
    done = pooled["estimate"].notna()
    # leave-one-out, cumulative and other models; diagnostics from 10 cohorts
    varied = _of_page(tables.get("meta_analysis", "sensitivity"), survival)
    primary = varied[varied["role"] == "primary"]
    return {
        "any": bool(len(pooled)),
        "forests": [
            _forest(one) for one in select.headline_pools(tables, config) if one.survival is survival
        ],
        "rows": [_told(row) for row in to_records(pooled[done])],
        "not_pooled": not_pooled(pooled[~done]),
        "sensitivity": [_told(row) for row in to_records(primary)],
        "one_stage": _one_stage(tables.get("survival", "one_stage")) if survival else [],
        "genes": [] if survival else _genes(tables.get("meta_analysis", "genes")),
    }


def _of_page(table: pd.DataFrame, survival: bool) -> pd.DataFrame:
    return table[table["source"].astype(str).str.startswith(OF_SURVIVAL) == survival]


def _forest(block: Pools) -> dict:
    """A figure of the cohorts' and the pooled estimates, and a sentence on the heterogeneity of each."""
    every = sum(len(one.cohorts) + 1 for _, one in block.pools) <= MOST_LINES
    main = next((one for _, one in block.pools if one.row["role"] == "primary"), block.pools[0][1])
    rows = []
    for heading, one in sorted(block.pools, key=lambda pool: not every and pool[1] is not main):
        whole = one.row | {"kind": "pooled", "pooled": True}
        if every or one is main:
            of_cohort = {"heading": heading, "kind": "cohort", "pooled": False, "q_value": None}
            rows += [row | of_cohort | {"name": row["cohort"]} for row in one.cohorts]
            rows.append(whole | {"heading": heading, "name": select.of_cohorts(one.row)})
        else:
            rows.append(whole | {"heading": "Other estimates, pooled", "name": heading})
    ratio = block.null == 1
    style = {"logarithmic": ratio, "digits": block.digits, "p": p_scientific if block.genes else p_value}
    title = f"{block.of}{' (log scale)' if ratio else ''}"
    svg = figures.forest(pd.DataFrame(rows), "name", KINDS, block.null, title, section="heading", **style)
    several = any(one.row["cohorts"] > 2 for _, one in block.pools)
    said = [f"{heading}: {heterogeneity_sentence(one.row, block.digits)}" for heading, one in block.pools]
    said = said if len(said) <= MOST_SENTENCES else said[:1]
    return {"title": block.title, "of": block.of, "svg": svg, "sentences": said, "of_two": not several}


def heterogeneity_sentence(row: Mapping, digits: int = 2) -> str:
    """How much the cohorts differ: "I² 12% (95% CI 0–75), τ² 0.004, test of homogeneity p = 0.290; 95% prediction interval 1.2–2.4"."""
    parts = []
    if pd.notna(row["i2"]):
        ends = (
            f" (95% CI {interval(row['i2_lower'], row['i2_upper'], 0)})" if pd.notna(row["i2_upper"]) else ""
        )
        parts.append(f"I² {row['i2']:.0f}%{ends}")
    if pd.notna(row["tau2"]):
        parts.append(f"τ² {row['tau2']:.2g}")
    if pd.notna(row["heterogeneity_p"]):
        parts.append(f"test of homogeneity p {p_equals(row['heterogeneity_p'])}")
    said = ", ".join(parts)
    if pd.notna(row["pi_lower"]):
        said += f"; 95% prediction interval for a further cohort {interval(row['pi_lower'], row['pi_upper'], digits)}"
    return said


def _told(row: dict) -> dict:
    """A pooled row with its words: what it is of, its digits, and the notes that do not stand below the forests."""
    digits = 3 if row["scale"] in ("logit", "fisher z") or "difference of" in row["measure"] else 2
    said = ", ".join(filter(None, (select.exposure(row["term"]), words.spoken(row["analysis"]))))
    own = ("", row["term"], row["term"].partition(":")[0])
    if row["source"] in BY_EXPOSURE and row["exposure"] not in own:
        said = f"{words.term(row['exposure']).replace('_', ' ')}: {said}"
    beyond = interval(row["pi_lower"], row["pi_upper"], digits) if pd.notna(row["pi_lower"]) else "–"
    what = ", ".join(filter(None, (row["measured"], select.per_increase(row["per"]))))
    note = in_words(encode([one for one in decode(row["reason"]) if one.code != "two_cohorts"]))
    return row | {"said": said, "digits": digits, "beyond": beyond, "what": what, "note": note}


def not_pooled(pooled: pd.DataFrame) -> list[dict]:
    """By reason: how many estimates, and the first of them."""
    rows = []
    for why, members in pooled.groupby("note", sort=False):
        said = zip(members["measured"], members["term"], strict=True)
        named = [
            name if of == "difference" else f"{name} of {column_words(words.label(of))}" for name, of in said
        ]
        once = list(dict.fromkeys(named))
        examples = "; ".join([*once[:3], *(["…"] if len(once) > 3 else [])])
        rows.append({"why": why, "n": len(members), "examples": examples})
    return rows


def _one_stage(rows: pd.DataFrame) -> list[dict]:
    """One row per model: its hazard ratio with the test that cohorts differ."""
    made = []
    for (_, _), pair in rows.groupby(["step", "exposure"], sort=False):
        found = rows_by(pair, "measure")
        made.append(found["hazard ratio"] | {"interaction": found[INTERACTION]["p_value"]})
    return made


def _genes(genes: pd.DataFrame) -> Sequence[dict]:
    """The genes of age acceleration with the smallest pooled p."""
    own = genes[(genes["exposure"] == "age_acceleration") & genes["estimate"].notna()]
    return to_records(own.head(MOST_GENES))
