"""The report's comparisons: every association as a pair of rows, unadjusted and adjusted for age, never one alone."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.errors import TableError
from faceage_bio.report import figures_associations, words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.formats import interval, number, signed
from faceage_bio.report.tables_by_place import ReportTables

RAW = "unadjusted"
INTERACTION = "interaction F"
NUMBERS = (
    "estimate", "ci_lower", "ci_upper", "p_value", "q_value", "p_holm", "effect_size", "effect_lower", "effect_upper",
    "eta_squared", "e_value", "e_value_interval", "exposed_mean", "reference_mean",
)  # fmt: skip
# what tells one association from another, beside who was compared
KEYS = (COHORT, "question", "term", "measure", "level", "subgroup", "modifier", "adjustment_set", "missing")


def paired(table: pd.DataFrame) -> list[dict]:
    """Each association once, with its ``raw`` and its ``adjusted`` row.

    Raises
    ------
    TableError
        A row without the other: a page shows both or nothing.
    """
    if not len(table):
        return []
    keys = [key for key in KEYS if key in table]
    pairs = []
    for place, rows in table.groupby(keys, sort=False, dropna=False):
        raw, adjusted = rows[rows["adjustment"] == RAW], rows[rows["adjustment"] != RAW]
        if len(raw) != 1 or len(adjusted) != 1:
            what = ", ".join(str(part) for part in place if part == part and part != "")
            raise TableError(
                f"the result table needs one unadjusted and one age-adjusted row for each association, but '{what}' has {len(raw)} raw "
                f"and {len(adjusted)} adjusted. Run the step that wrote it again; a page does not show one without the other."
            )
        pairs.append({"raw": raw.iloc[0].to_dict(), "adjusted": adjusted.iloc[0].to_dict()})
    return pairs


def association_sections(tables: ReportTables, config: dict) -> dict:
    """What the template of the comparisons shows, for each cohort and for all together."""

    def get(name: str) -> pd.DataFrame:
        table = tables.get("phenotype", name)
        if not len(table):
            return table
        wanted = (
            "level",
            "subgroup",
            "p_holm",
            "q_interaction",
            "p_interaction",
            "e_value",
            "e_value_interval",
            *NUMBERS,
        )
        for column in wanted:
            if column not in table:
                table[column] = np.nan
        if "term" in table:
            table["shown"] = [words.label(str(row.term), row.per) for row in table.itertuples()]
        return table

    found = {
        name: get(name)
        for name in (
            "means", "pairs", "tests", "dose_response", "interactions", "subgroups", "matched", "adjustments",
            "specifications", "specification_summary",
        )
    }  # fmt: skip
    curves, balance, roles = (tables.get("phenotype", name) for name in ("dose_curves", "balance", "roles"))
    names = [*config["cohorts"], POOLED]
    return {
        "scopes": [_scope(name, found, curves) for name in names],
        "matched": paired(found["matched"]),
        "balance": _before_and_after(balance),
        "balance_figure": _figure(figures_associations.draw_balance, balance),
        "roles": _roles(roles),
        "ran": any(len(table) for table in found.values()),
    }


def _scope(name: str, found: dict[str, pd.DataFrame], curves: pd.DataFrame) -> dict:
    def part(table: str) -> pd.DataFrame:
        rows = found[table]
        return rows[rows[COHORT] == name] if len(rows) else rows

    own_curves = curves[curves[COHORT] == name] if len(curves) else curves
    pairs = {
        table: paired(part(table))
        for table in ("means", "pairs", "tests", "dose_response", "interactions", "adjustments")
    }
    summary = part("specification_summary")
    # the terms of a test are for meta-analysis
    pairs["interactions"] = [one for one in pairs["interactions"] if one["raw"]["measure"] == INTERACTION]
    return pairs | {
        "name": "All cohorts together" if name == POOLED else name,
        "any": any(pairs.values()),
        "means_figure": _figure(figures_associations.draw_means, part("means")),
        "pairs_figure": _figure(figures_associations.draw_pairs, part("pairs")),
        "dose_figure": _figure(figures_associations.draw_dose, own_curves),
        "subgroup_figure": _figure(figures_associations.draw_subgroups, part("subgroups")),
        "has_subgroups": bool(paired(part("subgroups"))),
        "adjustment_figure": _figure(figures_associations.draw_adjustments, part("adjustments")),
        "e_value_sentence": e_value_sentence(pairs["adjustments"]),
        "summary": paired(summary),
        "specification_figures": [
            _figure(figures_associations.draw_specifications, rows)
            for _, rows in (
                part("specifications").groupby("exposure", sort=False) if len(part("specifications")) else ()
            )
        ],
    }


def _before_and_after(balance: pd.DataFrame) -> list[dict]:
    """A covariate's standardised difference among all participants, and in the pairs."""
    if not len(balance):
        return []
    return [
        {"shown": words.label(str(term)), "before": rows.iloc[0].to_dict(), "after": rows.iloc[-1].to_dict()}
        for term, rows in balance.groupby("term", sort=False)
    ]


def _figure(draw: Callable[[pd.DataFrame], str], table: pd.DataFrame) -> Picture:
    return draw(table) if len(table) and table["estimate"].notna().any() else Picture()


def _roles(roles: pd.DataFrame) -> list[dict]:
    """A covariate's role and reason once, with the exposures to which it has another role."""
    if not len(roles):
        return []
    rows: list[dict] = []
    for name, own in roles.groupby("covariate", sort=False):
        for role, part in own.groupby("role", sort=False):
            rows.append({
                "covariate": words.term(str(name)), "role": role, "reason": part.reason.iloc[0],
                "exposures": ", ".join(words.term(exposure).replace("group", "disease") for exposure in part.exposure),
            })  # fmt: skip
    return rows


def e_value_sentence(pairs: Sequence[dict]) -> str:
    """What it would take to explain the first claim away: minimal set, complete cases."""
    first = [
        pair
        for pair in pairs
        if (pair["adjusted"]["adjustment_set"], pair["adjusted"]["missing"]) == ("minimal", "complete cases")
    ]
    if not first:
        return ""
    # of several groups the last against the reference is the headline
    headline = [pair for pair in first if pair["adjusted"]["exposure"] == first[0]["adjusted"]["exposure"]][
        -1
    ]
    raw, row = headline["raw"], headline["adjusted"]
    if pd.isna(row["estimate"]) or pd.isna(row["e_value"]):
        return ""
    years = f"{signed(row['estimate'])} years ({interval(row['ci_lower'], row['ci_upper'], 1)}; unadjusted age gap {signed(raw['estimate'])})"
    enough = f"a risk ratio of {number(row['e_value'])} with both, and of {number(row['e_value_interval'])} for the interval to reach none"
    if row["e_value_interval"] == 1:
        enough = f"a risk ratio of {number(row['e_value'])} with both; the interval reaches none without it"
    return (
        f"{row['shown']}: {years}. To explain this away, something unmeasured would need {enough} (E-value)."
    )
