"""The scores section: a clinical score with age and with face age, and who moves (scores.html.j2)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from faceage_bio.privacy.movers import (
    BOTH,
    GAINED,
    LOST,
    NEITHER,
    POINTS,
    hidden_deaths,
    hidden_moves,
    matrix,
)
from faceage_bio.privacy.sums import nearly_told
from faceage_bio.report import figures_scores as figures
from faceage_bio.report.formats import count, interval, number, signed
from faceage_bio.report.tables import ReportTables
from faceage_bio.stats.small_cells import hidden_in_line

AGE, FIXED, MATCHED = "age", "face age, fixed cut", "face age, matched cut"
VERSIONS = (AGE, FIXED, MATCHED)
PAIRS = (
    (FIXED, AGE), (MATCHED, AGE), ("face age, continuous", "age, continuous"),
)  # fmt: skip
C = "Harrell's C"
TEXTS = (
    "cohort",
    "definition",
    "version",
    "from_group",
    "to_group",
    "method",
    "note",
    "rule",
    "column",
    "citation",
    "published",
    "per",
)
NUMBERS = ("estimate", "ci_lower", "ci_upper", "p_value", "n", "n_events", "points")


def scores_section(tables: ReportTables, name: str, config: dict) -> dict:
    """One block per definition."""
    scored, compared = (_complete(tables.get("scores", table, name)) for table in ("scored", "comparison"))
    min_cell = config["report"]["min_cell"]
    return {
        "scores": [
            _block(
                scored[scored["definition"] == one],
                compared[compared["definition"] == one],
                tables.told.get((name, "n", ""), ()),
                min_cell,
            )
            for one in config["scores"]["definitions"]
            if (compared["definition"] == one).any()
        ]
    }


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    """The table with all columns of the room; those that a table has not are empty."""
    table = table.reindex(
        columns=list(
            dict.fromkeys([*table.columns, "analysis", "term", "measure", "model", *TEXTS, *NUMBERS])
        )
    )
    for name in TEXTS:
        table[name] = table[name].astype(object).where(table[name].notna(), "").astype(str)
    return table


def _block(scored: pd.DataFrame, rows: pd.DataFrame, told: Sequence[int], min_cell: int) -> dict:
    nothing = rows[(rows["analysis"] == "groups") & (rows["term"] == "all")]
    about = scored[scored["analysis"] == "definition"].iloc[0] if len(scored) else None
    title = rows["model"].iloc[0]
    said = {
        "title": title,
        "published": about["published"] if about is not None else "",
        "citation": about["citation"] if about is not None else "",
    }
    if (rows["analysis"] == "groups").sum() == len(nothing):
        return said | {"not_run": nothing["note"].iloc[0].removeprefix("not estimated, because ")}
    versions = [
        version
        for version in VERSIONS
        if (rows.loc[rows["analysis"] == "groups", "version"] == version).any()
    ]
    versions = [version for version in versions if version not in set(nothing["version"])]
    moves = _moves(rows, versions, min_cell)
    groups = _groups(rows, versions, moves, min_cell)
    return said | {
        "not_run": "",
        "missing_versions": [(row["version"], row["note"]) for row in nothing.to_dict("records")],
        "sentences": _sentences(scored, rows, moves, min_cell),
        "groups": groups,
        "reference": next(iter(rows.loc[rows["analysis"] == "cox", "per"]), ""),
        "figure": Markup(_figure(groups, versions)),
        "moves": moves,
        "discrimination": _discrimination(rows),
        "method": next(iter(rows.loc[rows["analysis"] == "discrimination", "method"]), ""),
        "continuous": rows[(rows["analysis"] == "cox") & rows["version"].str.contains("continuous")].to_dict(
            "records"
        ),
        "tests": rows[rows["analysis"] == "likelihood ratio"].to_dict("records"),
        "questions": [
            _share(row, min_cell)
            for row in scored.assign(untold=_untold(scored["n"].to_numpy(float), told, min_cell))[
                scored["analysis"] == "items"
            ].to_dict("records")
        ],
        "without": scored[scored["analysis"] == "no score"].to_dict("records"),
    }


def _moves(rows: pd.DataFrame, versions: Sequence[str], min_cell: int) -> list[dict]:
    """The matrix of movers and the points for age of each version with face age; small numbers left out, sums considered.

    Sums of rows (the groups by age) are common to all matrices, so what one leaves out, all do.
    """
    others = [version for version in versions if version != AGE]
    matrices = {version: matrix(rows, version, "n").astype(int) for version in others}
    parts = hidden_moves(rows[rows["version"].isin(others)], min_cell)
    few_deaths = hidden_deaths(rows, parts[1], min_cell)
    return [
        {
            "version": version,
            "groups": list(matrices[version].index),
            "matrix": _printed(matrices[version], *parts[0][version]),
            "hidden": parts[0][version],
            "points_hidden": parts[1][version],
            "kinds": _kinds(rows, version, parts[1][version][0], few_deaths),
            # deaths by move are in no released table (`movers.hide_movers`)
            "movers": _movers(rows, version, matrices[version], parts[0][version][0], min_cell > 1),
        }
        for version in others
    ]


def _printed(
    matrix: pd.DataFrame, cells: np.ndarray, row_sums: np.ndarray, column_sums: np.ndarray
) -> list[tuple[str, list[str]]]:
    """Lines of the matrix with sums, as text; what is left out is a dot."""

    def text(value: int, hidden: bool) -> str:
        return "·" if hidden else f"{value:,}"

    lines = [
        (group, [*map(text, matrix.loc[group], cells[k]), text(matrix.loc[group].sum(), row_sums[k])])
        for k, group in enumerate(matrix.index)
    ]
    return [*lines, ("All", [*map(text, matrix.sum(), column_sums), text(matrix.to_numpy().sum(), False)])]


def _kinds(rows: pd.DataFrame, version: str, hidden: np.ndarray, few_deaths: bool) -> list[dict]:
    """Who keeps, gains and loses points for age, and how long they lived."""
    found = rows[(rows["analysis"] == "points") & (rows["version"] == version)].set_index("term")
    return [
        {"term": term, "hidden": bool(hidden[POINTS[term]]), "deaths_hidden": few_deaths}
        | found.loc[term].to_dict()
        for term in (GAINED, LOST, BOTH, NEITHER)
    ]


def _movers(
    rows: pd.DataFrame, version: str, matrix: pd.DataFrame, hidden: np.ndarray, deaths_hidden: bool
) -> list[dict]:
    """Each move that somebody makes, and how long they lived."""
    found = rows[(rows["analysis"] == "movers") & (rows["version"] == version)]
    return [
        row
        | {
            "hidden": bool(
                hidden[matrix.index.get_loc(row["from_group"]), matrix.columns.get_loc(row["to_group"])]
            ),
            "deaths_hidden": deaths_hidden,
        }
        for row in found.to_dict("records")
        if row["from_group"] != row["to_group"] and row["n"] > 0
    ]


def _groups(rows: pd.DataFrame, versions: Sequence[str], moves: Sequence[dict], min_cell: int) -> list[dict]:
    """One line per group and version: people, deaths, median survival, hazard ratio."""
    lines = []
    for version in versions:
        mine = rows[rows["version"] == version]
        found = mine[mine["analysis"] == "groups"]
        ratios = mine[mine["analysis"] == "cox"].set_index("term")
        if version == AGE and moves:
            hidden = moves[0]["hidden"][1]
        elif version == AGE:
            hidden = hidden_in_line(found["n"].to_numpy(), min_cell, np.zeros(len(found), dtype=bool))
        else:
            hidden = next(move["hidden"][2] for move in moves if move["version"] == version)
        few_deaths = hidden_in_line(found["n_events"].to_numpy(), min_cell, hidden.copy())
        for k, row in enumerate(found.to_dict("records")):
            lines.append({
                "group": row["term"], "version": version, "hidden": bool(hidden[k]), "deaths_hidden": bool(few_deaths[k]),
                "median": row, "ratio": ratios.loc[row["term"]].to_dict() if row["term"] in ratios.index else None,
            })  # fmt: skip
    order = list(dict.fromkeys(line["group"] for line in lines))
    return sorted(lines, key=lambda line: order.index(line["group"]))


def _figure(groups: Sequence[dict], versions: list[str]) -> str:
    shown = [
        {"group": line["group"], "version": line["version"]}
        | {name: line["median"][name] for name in ("estimate", "ci_lower", "ci_upper")}
        for line in groups
        if not line["hidden"] and not line["median"]["note"].startswith("not estimated")
    ]
    table = pd.DataFrame(shown)
    return figures.medians(table, list(versions)) if len(table) and table["estimate"].notna().any() else ""


def _discrimination(rows: pd.DataFrame) -> list[dict]:
    """One line per measure and comparison: with age, with face age, and the paired difference."""
    records = rows[rows["analysis"] == "discrimination"].to_dict("records")
    found = {(row["measure"], row["term"]): row for row in records}
    measures = dict.fromkeys(row["measure"] for row in records if not row["measure"].startswith("difference"))
    return [
        {
            "measure": measure, "compared": other.replace(", ", " (", 1) + ")", "first": found[measure, first],
            "other": found[measure, other], "difference": found.get((f"difference of {measure}", f"{other} minus {first}")),
        }
        for other, first in PAIRS for measure in measures if (measure, other) in found
    ]  # fmt: skip


def _untold(known: np.ndarray, told: Sequence[int], min_cell: int) -> np.ndarray:
    """Of the people whose answers are known, the numbers that differ by few from each other or from one that the page tells."""
    near = [any(0 < abs(n - other) < min_cell for other in told) for n in known]
    return nearly_told(np.where(near, np.nan, known), min_cell) | near


def _share(row: dict, min_cell: int) -> dict:
    """An item with how many have its points; few who have them are not told, neither few who have not, nor few who are not known."""
    have, known = row["estimate"], row["n"]
    text = count(have, min_cell)
    if 0 < known - have < min_cell:
        text = f"> {known - min_cell:,.0f}"
    return row | {"have": text} | ({"n": None} if row["untold"] else {})


def _sentences(scored: pd.DataFrame, rows: pd.DataFrame, moves: Sequence[dict], min_cell: int) -> list[str]:
    compared = rows.loc[rows["analysis"] == "cut", "n"].iloc[0]
    said = []
    groups = scored[scored["analysis"] == "groups"]
    if len(groups):
        without = scored.loc[scored["analysis"] == "no score", "estimate"].sum()
        lost = f"; {count(without, min_cell)} have none, because a value is not known" if without else ""
        said.append(
            f"{count(groups['n'].iloc[0], min_cell)} people have a score{lost}. Compared are the {count(compared, min_cell)} who also have "
            "a face age and follow-up."
        )
    said += [_cut_sentence(rows, move) for move in moves]
    known = rows[rows["measure"] == C].set_index("term")["estimate"]
    differences = rows[rows["measure"] == f"difference of {C}"].set_index("term")
    parts = []
    for other, first in PAIRS[:2]:
        if (term := f"{other} minus {first}") in differences.index and pd.notna(
            differences.loc[term, "estimate"]
        ):
            row = differences.loc[term]
            parts.append(
                f"{number(known[other])} with {other.replace(', ', ' at the ', 1)} (difference {signed(row['estimate'], 3)}, 95 % interval "
                f"{interval(row['ci_lower'], row['ci_upper'], 3)})"
            )
    if parts:
        said.append(
            f"How well the score orders people by death (C): {number(known[AGE])} with age, {' and '.join(parts)}."
        )
    return said


def _cut_sentence(rows: pd.DataFrame, move: dict) -> str:
    """What a cut of face age does to the points, in plain words."""
    cuts = rows[rows["analysis"] == "cut"]
    by_age = cuts[cuts["version"] == AGE].set_index("measure")["estimate"]
    mine = cuts[cuts["version"] == move["version"]]
    own = mine.set_index("measure")["estimate"]
    more, all_people = own["people more than by age"], mine["n"].iloc[0]
    old, new = (_years(ages.loc[["cut, years"]]) for ages in (by_age, own))
    cells, of_age, of_face = move["points_hidden"]
    untold = of_age.any() or of_face.any()
    numbers = {kind["term"]: kind["n"] for kind in move["kinds"]}
    changed = "" if cells.any() else f"{numbers[GAINED]:,.0f} gained it and {numbers[LOST]:,.0f} lost it"
    if move["version"] == MATCHED:
        nearly = "" if more == 0 else " (as nearly as ties allow)"
        return (
            f"At a face age of {new} years as many people are beyond the cut as are at an age of {old}{nearly}: this matched cut moves "
            f"the point without adding any{f' ({changed})' if changed else ''}."
        )
    amount = (
        "as many people as"
        if more == 0
        else f"{'' if untold else f'{abs(more):,.0f} '}{'more' if more > 0 else 'fewer'} people than"
    )
    counted = (
        ""
        if untold
        else f" ({own['people']:,.0f} instead of {by_age['people']:,.0f} of {all_people:,.0f}{f'; {changed}' if changed else ''})"
    )
    meaning = (
        ""
        if more == 0
        else f" A face age of {new} is not an age of {old}, so the swap as such {'adds' if more > 0 else 'takes away'} points."
    )
    return f"The fixed {old}-year cut gave the age point to {amount} chronological age did{counted}.{meaning}"


def _years(cuts: pd.Series) -> str:
    return " and ".join(f"{cut:.1f}".removesuffix(".0") for cut in cuts)
