"""The scores section: a clinical score with age and with face age, and who moves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.core.config import Config
from faceage_bio.core.results.reasons import NOT_ESTIMATED
from faceage_bio.core.tables import to_records
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, coloured, to_svg
from faceage_bio.report.plot import BROWN, GREY, INK, VERMILLION
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import count, interval, number, signed, why_not

AGE, FIXED, MATCHED = "age", "face age, fixed cut", "face age, matched cut"
VERSIONS = (AGE, FIXED, MATCHED)
BOTH, NEITHER, GAINED, LOST = "points both ways", "points neither way", "gained points", "lost points"
CONTINUOUS = ("face age, continuous", "age, continuous")
PAIRS = ((FIXED, AGE), (MATCHED, AGE), CONTINUOUS)
C, AUC = "Harrell's C", "AUC"


def draw_medians(table: pd.DataFrame, versions: list[str]) -> Picture:
    """Median survival with its interval per group, one colour per version; an interval without an end runs to the edge.

    Parameters
    ----------
    table : DataFrame
        group, version, estimate, ci_lower, ci_upper (months).
    """
    import altair as alt

    edge = table[["estimate", "ci_lower", "ci_upper"]].max().max() * 1.05
    shown = table.assign(
        low=table["ci_lower"].fillna(0.0), high=table["ci_upper"].fillna(edge), open=table["ci_upper"].isna()
    )
    colours = dict(zip(versions, (GREY, VERMILLION, BROWN), strict=False))
    base = alt.Chart(shown).encode(
        y=alt.Y("group:N", sort=list(dict.fromkeys(shown["group"])), title=None, axis=alt.Axis(grid=False)),
        yOffset=alt.YOffset("version:N", sort=versions, scale=alt.Scale(paddingOuter=0.35)),
        color=coloured("version", colours, columnPadding=28),
    )
    x = alt.X("low:Q", title="Median survival, months", scale=alt.Scale(domain=[0, edge], nice=False))
    without_end = base.transform_filter("datum.open")
    known = base.transform_filter("isValid(datum.estimate)")
    chart = alt.layer(
        base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q"),
        without_end.mark_text(text="▸", fontSize=13, color=INK).encode(x="high:Q"),
        known.mark_point(filled=True, size=60, opacity=1).encode(x="estimate:Q"),
    ).properties(width=INNER - 60, height=62 * shown["group"].nunique())
    return to_svg(chart, "Median survival of each group by the age that the score was made with")


def scores_section(tables: ReportTables, name: str, config: Config) -> dict:
    """One block per definition."""
    scored, compared = tables.several("scores", name, "scored", "comparison")
    return {
        "scores": [
            _block(scored[scored["score"] == one], compared[compared["score"] == one])
            for one in config.scores.definitions
            if (compared["score"] == one).any()
        ]
    }


def _block(scored: pd.DataFrame, rows: pd.DataFrame) -> dict:
    of_groups = rows[rows["question"] == "groups"]
    nothing = of_groups[of_groups["term"] == "all"]
    definition = scored[scored["question"] == "definition"]
    said = {
        "title": rows["model"].iloc[0],
        "published": next(iter(definition["published"]), ""),
        "citation": next(iter(definition["citation"]), ""),
    }
    if len(of_groups) == len(nothing):
        return said | {"not_run": why_not(nothing["reason"].iloc[0])}
    made = set(of_groups["version"]) - set(nothing["version"])
    versions = [version for version in VERSIONS if version in made]
    moves = [_move(rows, version) for version in versions if version != AGE]
    groups = _groups(rows, versions)
    cox = rows[rows["question"] == "cox"]
    return said | {
        "not_run": "",
        "missing_versions": [(row["version"], row["note"]) for row in to_records(nothing)],
        "sentences": _sentences(scored, rows, moves),
        "groups": groups,
        "reference": next((f"vs group {one}" for one in cox["reference"] if one), ""),
        "figure": _figure(groups, versions),
        "moves": moves,
        "discrimination": _discrimination(rows),
        "method": next(iter(rows.loc[rows["question"] == "discrimination", "method"]), ""),
        "continuous": to_records(cox[cox["version"].isin(CONTINUOUS)]),
        "tests": to_records(rows[rows["question"] == "likelihood ratio"]),
        "questions": to_records(scored[scored["question"] == "items"]),
        "without": to_records(scored[scored["question"] == "no score"]),
    }


def _move(rows: pd.DataFrame, version: str) -> dict:
    """Who changes group with one version of face age: the matrix, the points for age, and how long those lived who moved."""
    mine = rows[rows["version"] == version]
    moves = mine[mine["question"] == "movers"]
    moved = moves[(moves["from_group"] != moves["to_group"]) & (moves["n"] != 0)]
    points = mine[mine["question"] == "points"].set_index("term", drop=False)
    return {
        "version": version,
        "groups": list(dict.fromkeys(moves["from_group"])),
        "matrix": _matrix(rows, version),
        "kinds": [points.loc[term].to_dict() for term in (GAINED, LOST, BOTH, NEITHER)],
        "movers": to_records(moved),
    }


def _matrix(rows: pd.DataFrame, version: str) -> list[tuple[str, list[float]]]:
    """Participants by group with age (lines) and with face age (columns); sums are the tables' own numbers of the groups."""
    moves = rows[(rows["question"] == "movers") & (rows["version"] == version)]
    order = list(dict.fromkeys(moves["from_group"]))
    cells = moves.pivot(index="from_group", columns="to_group", values="n").loc[order, order]
    groups = {(row.version, row.term): row.n for row in rows[rows["question"] == "groups"].itertuples()}
    lines = [(group, [*cells.loc[group], groups[AGE, group]]) for group in order]
    total = rows.loc[(rows["question"] == "cut") & (rows["version"] == version), "n"].iloc[0]
    return [*lines, ("All", [*(groups[version, group] for group in order), total])]


def _groups(rows: pd.DataFrame, versions: Sequence[str]) -> list[dict]:
    """One line per group and version: participants, deaths, median survival, hazard ratio."""
    lines = []
    for version in versions:
        mine = rows[rows["version"] == version]
        ratios = mine[mine["question"] == "cox"].set_index("term")
        for row in to_records(mine[mine["question"] == "groups"]):
            ratio = ratios.loc[row["term"]].to_dict() if row["term"] in ratios.index else None
            lines.append({"group": row["term"], "version": version, "median": row, "ratio": ratio})
    order = list(dict.fromkeys(line["group"] for line in lines))
    return sorted(lines, key=lambda line: order.index(line["group"]))


def _figure(groups: Sequence[dict], versions: list[str]) -> str:
    shown = [
        {"group": line["group"], "version": line["version"]}
        | {name: line["median"][name] for name in ("estimate", "ci_lower", "ci_upper")}
        for line in groups
        if line["median"]["status"] != NOT_ESTIMATED
    ]
    table = pd.DataFrame(shown)
    return draw_medians(table, list(versions)) if len(table) and table["estimate"].notna().any() else ""


def _discrimination(rows: pd.DataFrame) -> list[dict]:
    """One line per measure and comparison: with age, with face age, and the paired difference."""
    records = to_records(rows[rows["question"] == "discrimination"])
    found = {(row["measure"], _time(row), row["term"]): row for row in records}
    measures = dict.fromkeys((row["measure"], _time(row)) for row in records if row["measure"] in (C, AUC))
    lines = []
    for other, first in PAIRS:
        for measure, time in measures:
            if row := found.get((measure, time, other)):
                lines.append(
                    {
                        "measure": row["measured"],
                        "compared": other.replace(", ", " (", 1) + ")",
                        "first": found[measure, time, first],
                        "other": row,
                        "difference": found.get((f"difference of {measure}", time, f"{other} minus {first}")),
                    }
                )
    return lines


def _time(row: dict) -> float | None:
    return None if pd.isna(row["horizon"]) else row["horizon"]


def _sentences(scored: pd.DataFrame, rows: pd.DataFrame, moves: Sequence[dict]) -> list[str]:
    compared = rows.loc[rows["question"] == "cut", "n"].iloc[0]
    said = []
    groups = scored[scored["question"] == "groups"]
    if len(groups):
        without = scored.loc[scored["question"] == "no score", "estimate"].sum(skipna=False)
        lost = f"; {count(without)} have none because of missing items" if without else ""
        said.append(
            f"{count(groups['n'].iloc[0])} participants have a score{lost}. The comparison includes the {count(compared)} with face age and follow-up."
        )
    said += [_cut_sentence(rows, move) for move in moves]
    known = rows[rows["measure"] == C].set_index("term")["estimate"]
    differences = rows[rows["measure"] == f"difference of {C}"].set_index("term")
    parts = []
    differences = differences[differences["estimate"].notna()]
    for other, first in PAIRS[:2]:
        if (term := f"{other} minus {first}") in differences.index:
            row = differences.loc[term]
            parts.append(
                f"{number(known[other])} with {other.replace(', ', ' at the ', 1)} (difference {signed(row['estimate'], 3)}, 95% CI "
                f"{interval(row['ci_lower'], row['ci_upper'], 3)})"
            )
    if parts:
        with_age = f"{number(known[AGE])} with chronological age, {' and '.join(parts)}"
        said.append(f"Harrell's C-index of the score: {with_age}.")
    return said


def _cut_sentence(rows: pd.DataFrame, move: dict) -> str:
    """What a cut of face age does to the points, in plain words."""
    cuts = rows[rows["question"] == "cut"]
    by_age = cuts[cuts["version"] == AGE].set_index("measure")["estimate"]
    mine = cuts[cuts["version"] == move["version"]]
    own = mine.set_index("measure")["estimate"]
    more, everybody = own["difference in participants"], count(mine["n"].iloc[0])
    old, new = (_years(ages.loc[["cut-point"]]) for ages in (by_age, own))
    numbers = {kind["term"]: count(kind["n"]) for kind in move["kinds"]}
    changed = f"{numbers[GAINED]} gained it and {numbers[LOST]} lost it"
    if move["version"] == MATCHED:
        nearly = "" if more == 0 else " (as nearly as ties allow)"
        return (
            f"Matched cut-off: as many participants exceed a face age of {new} years as exceed a chronological age of {old}{nearly}; the age point is "
            f"reassigned, not added ({changed})."
        )
    before, after = count(by_age["participants"]), count(own["participants"])
    if np.isnan(more):
        return f"Fixed cut-off of {old} years: {after} instead of {before} of {everybody} participants have the age point ({changed})."
    amount, meaning = "as many participants as with", ""
    if more:
        amount = f"{count(abs(more))} {'more' if more > 0 else 'fewer'} participants than with"
        meaning = f" The replacement as such {'adds' if more > 0 else 'removes'} points."
    return f"Fixed cut-off of {old} years: {amount} chronological age have the age point ({after} instead of {before} of {everybody}; {changed}).{meaning}"


def _years(cuts: pd.Series) -> str:
    return " and ".join(f"{cut:.1f}".removesuffix(".0") for cut in cuts)
