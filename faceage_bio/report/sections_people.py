"""Who was analysed: the flow, Table 1, how age acceleration is spread, face age against chronological age."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from faceage_bio.core.columns import COHORT, FACE_AGE
from faceage_bio.report import figures_people, flow, words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.formats import count, interval, number
from faceage_bio.report.plot import WIDTH, of_cohorts
from faceage_bio.report.tables_by_place import ReportTables

ALL = "all"
AVERAGE, LARGEST = "mean of all pairs", "largest of all pairs"
DIFFERENCES = ("standardised difference", "standardised difference of shares")


def people_section(tables: ReportTables, name: str, config: dict) -> dict:
    """Flow, Table 1 and distributions of one cohort."""
    boxes = flow.cohort_flow(tables, name, given=bool(config["cohorts"][name].get("face_ages")))
    spread = tables.get("phenotype", "distributions", name)
    drawn = len(spread) and spread["estimate"].notna().any()
    return {
        "name": name,
        "flow_figure": flow.draw(boxes, name),
        "flow_lines": flow.as_list(boxes),
        "table_one": table_one(tables.get("phenotype", "table_one", name)),
        "spread_figure": figures_people.draw_spread(spread) if drawn else "",
    }


def face_age_figure(
    tables: ReportTables, names: Sequence[str], cohorts: Sequence[str], width: float = WIDTH
) -> Picture:
    """Face age against chronological age of some of the study's cohorts: participants as points where their rows came in, else a 2-D histogram."""
    points, squares = tables.get("acceleration", "acceleration"), tables.get("phenotype", "age_histogram")
    squares = squares[squares["n"].notna()] if len(squares) else squares
    table = points if len(points) else squares
    lines = {
        name: _line(tables.get("acceleration", "summary", name))
        for name in names
        if len(table) and (table[COHORT] == name).any()
    }
    if not lines:
        return Picture()
    shown = table[table[COHORT].isin(lines)]
    if len(points):
        return figures_people.draw_scatter(shown, lines, of_cohorts(cohorts), width)
    return figures_people.draw_histogram(shown, lines, width)


def _line(summary: pd.DataFrame) -> figures_people.Line:
    """The cohort's regression line as its summary has it."""
    found = {(row.term, row.measure): row for row in summary.itertuples()}

    def of(term: str, measure: str, column: str = "estimate") -> float:
        return float(getattr(found.get((term, measure)), column, np.nan))

    correlation = (FACE_AGE, "correlation")
    slope, intercept = of("line", "slope"), of("line", "intercept")
    return figures_people.Line(of(*correlation, "n"), of(*correlation), slope, intercept)


def table_one(table: pd.DataFrame) -> dict:
    """Table 1 as the template prints it.

    Returns
    -------
    dict
        ``groups``: (name, number); ``variables``: each with ``term``, ``rows`` of (label, cells), ``missing``, ``average`` and
        ``largest`` standardised difference, ``note``; empty if the step did not run, or no participant has an age acceleration.
    """
    if not len(table) or not (table["n"] > 0).any():
        return {}
    table = table.assign(
        **{
            name: table[name].fillna("").astype(str)
            for name in ("variable", "level", "group")
            if name in table
        }
    )
    heads = table[table["measure"] == "participants"]
    sizes = dict(zip(heads["group"], heads["n"], strict=True))
    variables = table[table["variable"] != ""].groupby("variable", sort=False)
    return {
        "groups": [(name, count(n)) for name, n in sizes.items()],
        "variables": [_variable(str(variable), rows, sizes) for variable, rows in variables],
        "note": next((note for note in heads["note"] if note), ""),
    }


def _variable(variable: str, rows: pd.DataFrame, sizes: Mapping[str, float]) -> dict:
    missing = rows[rows["measure"] == "missing"].head(1)
    n_missing = missing["n"].iloc[0] if len(missing) else float("nan")
    differences = rows[rows["measure"].isin(DIFFERENCES)].set_index("group")["estimate"]
    shown = {
        "term": _capital(words.term(variable).replace("_", " ")),
        "rows": [],
        "missing": count(n_missing),
        "average": number(differences.get(AVERAGE)),
        "largest": number(differences.get(LARGEST)),
        "note": "",
    }
    described = rows[rows["measure"].isin(["share", "mean", "median"])]
    if not len(described):
        return shown | {"note": "not recorded", "missing": "all"}
    shares = described[described["measure"] == "share"]
    return shown | {"rows": _levels(shares, sizes) if len(shares) else _numbers(described, list(sizes))}


def _numbers(rows: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Mean and standard deviation, median and quartiles."""
    mean, median = (rows[rows["measure"] == measure].set_index("group") for measure in ("mean", "median"))
    means = [_with(one, "standard_deviation") for one in _of(mean, names)]
    medians = [_with(one, "lower_quartile", "upper_quartile") for one in _of(median, names)]
    return [("mean (SD)", means), ("median (IQR)", medians)]


def _of(rows: pd.DataFrame, names: Sequence[str]) -> list[pd.Series]:
    """The row of each group; all missing where there is none."""
    return [one for _, one in rows.reindex(names).iterrows()]


def _with(one: pd.Series, *spread: str) -> str:
    """An estimate with its spread in brackets, if the row has it."""
    if one[[*spread]].isna().all():
        return number(one["estimate"], 1)
    told = [one[name] for name in spread]
    return f"{number(one['estimate'], 1)} ({interval(*told, 1) if len(told) > 1 else number(told[0], 1)})"


def _levels(shares: pd.DataFrame, sizes: Mapping[str, float]) -> list[tuple[str, list[str]]]:
    """Numbers, and percentages of all participants of the group."""
    counts = shares.set_index(["level", "group"])["n"]
    return [
        (str(level), [_cell(counts.get((level, name)), n) for name, n in sizes.items()])
        for level in dict.fromkeys(shares["level"])
    ]


def _cell(n: float | None, of: float) -> str:
    if n is None or pd.isna(n) or not of > 0:
        return count(n)
    return f"{count(n)} ({100 * n / of:.0f}%)"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
