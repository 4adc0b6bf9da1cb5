"""Who was analysed: the flow, Table 1, how age acceleration is spread, face age against age (people.html.j2, age_squares.html.j2)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from faceage_bio.report import figures_people, flow, words
from faceage_bio.report.figure_data import packed_rows
from faceage_bio.report.formats import count, number
from faceage_bio.report.tables import ReportTables
from faceage_bio.stats.small_cells import hidden_counts

ALL = "all"
AVERAGE, LARGEST = "mean of all pairs", "largest of all pairs"
NOT_TOLD = "–"


def people_section(tables: ReportTables, name: str, config: dict) -> dict:
    """Flow, Table 1 and distributions of one cohort."""
    min_cell = config["report"]["min_cell"]
    boxes = flow.cohort_flow(tables, name, min_cell)
    lines = flow.as_list(boxes, min_cell)
    spread = tables.get("phenotype", "distributions", name)
    drawn = len(spread) and spread["estimate"].notna().any()
    return {
        "name": name,
        "flow_figure": flow.draw(boxes, min_cell, name) + packed_rows(_as_rows(lines)),
        "flow_lines": lines,
        "table_one": table_one(tables.get("phenotype", "table_one", name), min_cell),
        "spread_figure": Markup(figures_people.spread(spread)) if drawn else "",
    }


def _as_rows(lines: list) -> pd.DataFrame:
    """The flow's boxes as rows, for whoever takes its data."""
    rows = [{"box": title, "n": n, "left out or flagged before": "; ".join(lost)} for title, n, lost in lines]
    return pd.DataFrame(rows)


def squares_figure(tables: ReportTables, name: str, config: dict) -> Markup:
    """Face age against age of one cohort; nothing where no square holds enough people."""
    min_cell = config["report"]["min_cell"]
    squares = tables.get("phenotype", "age_squares", name)
    squares = squares[squares["n"] >= min_cell] if len(squares) else squares
    if not len(squares):
        return Markup("")
    summary = tables.get("acceleration", "summary", name)
    line = (
        summary[summary["term"] == "line"].set_index("measure")["estimate"]
        if len(summary)
        else pd.Series(dtype=float)
    )
    bands = tables.get("acceleration", "age_bands", name)
    bands = bands[bands["n"] >= min_cell] if len(bands) else bands
    return Markup(
        figures_people.squares(
            squares, bands, line.get("slope, face years per year"), line.get("intercept, years"), name
        )
    )


def table_one(table: pd.DataFrame, min_cell: int) -> dict:
    """Table 1 as the template prints it, without small numbers and what would give them away.

    Returns
    -------
    dict
        ``groups``: (name, people); ``variables``: each with ``term``, ``rows`` of (label, cells), ``missing``, ``average`` and
        ``largest`` standardised difference, ``note``; empty if the step did not run.
    """
    if not len(table):
        return {}
    table = table.assign(
        **{
            name: table[name].fillna("").astype(str)
            for name in ("variable", "level", "group")
            if name in table
        }
    )
    heads = table[table["measure"] == "people"]
    groups = list(zip(heads["group"], heads["n"].astype(int), strict=True))
    small = any(0 < n < min_cell for _, n in groups)
    if small:  # groups of a few, or of nobody beside a few: only everybody is told
        groups = [one for one in groups if one[0] == ALL and one[1] >= min_cell]
    names = [name for name, _ in groups]
    variables = [
        _variable(str(variable), rows, dict(groups), min_cell)
        for variable, rows in table[table["variable"] != ""].groupby("variable", sort=False)
        if names
    ]
    note = (
        f"not parted, because a group would have fewer than {min_cell} people"
        if small
        else next((x for x in heads["note"] if x), "")
    )
    return {
        "groups": [(name, count(n, min_cell)) for name, n in groups],
        "variables": variables,
        "note": note,
    }


def _variable(variable: str, rows: pd.DataFrame, sizes: dict[str, int], min_cell: int) -> dict:
    missing = rows[rows["measure"] == "missing"].iloc[0]
    told = {
        "term": _capital(words.term(variable).replace("_", " ")),
        "rows": [],
        "missing": "",
        "average": NOT_TOLD,
        "largest": NOT_TOLD,
        "note": "",
    }
    if pd.isna(missing["estimate"]):
        return told | {"note": "not recorded", "missing": "all"}
    differences = rows[rows["measure"] == "standardised difference"].set_index("group")["estimate"]
    if len(sizes) > 1:
        told |= {
            key: number(differences.get(name, np.nan))
            for key, name in (("average", AVERAGE), ("largest", LARGEST))
        }
    shares = rows[rows["measure"] == "share"]
    if len(shares):
        levels = _levels(shares, int(missing["n"]), sizes, min_cell)
        if (
            levels.pop("hidden", False) and len(sizes) > 1
        ):  # with more digits, only one set of hidden numbers gives them
            told |= {
                key: number(differences.get(name, np.nan), 1)
                for key, name in (("average", AVERAGE), ("largest", LARGEST))
            }
        return told | levels
    return told | {"rows": _numbers(rows, list(sizes), min_cell), "missing": count(missing["n"], min_cell)}


def _numbers(rows: pd.DataFrame, names: Sequence[str], min_cell: int) -> list[tuple[str, list[str]]]:
    """Mean and spread, and the middle half where at least ``min_cell`` people lie beyond each of its ends."""
    mean, middle = (rows[rows["measure"] == measure].set_index("group") for measure in ("mean", "median"))
    means, halves = [], []
    for name in names:
        one = mean.loc[name] if name in mean.index else None
        enough = one is not None and one["n"] >= min_cell and pd.notna(one["estimate"])
        means.append(
            f"{number(one['estimate'], 1)} ({number(one['standard_deviation'], 1)})" if enough else NOT_TOLD
        )
        half = middle.loc[name] if enough and name in middle.index and one["n"] >= 4 * min_cell else None
        halves.append(
            NOT_TOLD
            if half is None
            else f"{number(half['estimate'], 1)} ({number(half['lower_quartile'], 1)} to {number(half['upper_quartile'], 1)})"
        )
    told = [("mean (SD)", means)]
    return [*told, ("median (middle half)", halves)] if set(halves) != {NOT_TOLD} else told


def _levels(shares: pd.DataFrame, missing: int, sizes: dict[str, int], min_cell: int) -> dict:
    """Counts and percentages of all people of the group; those whose value is missing are a level of their own to what is hidden."""
    parts = [name for name in sizes if name != ALL] or [ALL]
    counts = (
        shares.pivot(index="level", columns="group", values="n")
        .loc[list(dict.fromkeys(shares["level"]))]
        .fillna(0)
        .astype(int)
    )
    matrix = counts[parts].to_numpy()
    n = np.array([sizes[name] for name in parts])
    matrix = np.vstack([matrix, n - matrix.sum(axis=0)])
    hidden, hidden_rows, hidden_columns = hidden_counts(matrix, min_cell)
    if hidden_columns.any():
        return {"note": "not shown, because it would tell of a few people"}
    rows = []
    for place, level in enumerate(counts.index):
        cells = [_cell(int(matrix[place, k]), int(n[k]), bool(hidden[place, k])) for k in range(len(parts))]
        total = _cell(int(matrix[place].sum()), int(n.sum()), bool(hidden_rows[place]))
        rows.append((str(level), [total, *cells] if len(sizes) > 1 else [total]))
    told = "" if hidden_rows[-1] else f"{missing:,}"
    few = bool(hidden.any() or hidden_rows.any())
    return {
        "rows": rows,
        "hidden": few,
        "missing": told or (f"< {min_cell}" if 0 < missing < min_cell else NOT_TOLD),
    }


def _cell(n: int, of: int, hidden: bool) -> str:
    return NOT_TOLD if hidden or not of else f"{n:,} ({100 * n / of:.0f} %)"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
