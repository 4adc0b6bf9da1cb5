"""The reader study: discrimination of deaths by readers, with and without the face age."""

import numpy as np
import pandas as pd

from faceage_bio.core.config import Config
from faceage_bio.core.tables import to_records
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, coloured, reference_line, to_svg
from faceage_bio.report.plot import BETWEEN, GREY, INK, VERMILLION
from faceage_bio.report.tables_by_place import ReportTables, rows_by
from faceage_bio.report.words import count, counted, first_upper, interval, number, p_equals, signed

KINDS = [GREY, *BETWEEN]
TEXTS = ("rater", "condition", "against", "censoring", "random")
KNOWN, WEIGHTED, DEAD_ONLY = "status known", "weighted for censoring", "dead only (legacy)"
BOTH = "readers and cases"
GAIN, RANKS = "difference of AUC", "sum of positive ranks"
DECISIONS = ("accuracy", "sensitivity", "specificity")
SHARES = ("too young", "same decade", "too old")
ERRORS = ("mean error", "mean absolute error")


def draw_areas_by_condition(rows: pd.DataFrame, conditions: list[str]) -> Picture:
    """Area of each reader from condition to condition, the mean with its interval, and the model alone as a line.

    Parameters
    ----------
    rows : DataFrame
        term, rater (reader, group, model), kind (type of reader, whose mean, or the model's name), condition, estimate, ci_lower,
        ci_upper.
    """
    import altair as alt

    shown = rows.assign(condition=rows["condition"].str.replace("_", " "))
    readers, mean, model = (shown[shown["rater"] == rater] for rater in ("reader", "group", "model"))
    if readers.empty:
        return Picture()
    kinds = list(dict.fromkeys(readers["kind"]))
    colours = {kind: KINDS[k % len(KINDS)] for k, kind in enumerate(kinds)}
    colours |= dict.fromkeys(mean["kind"], INK) | dict.fromkeys(model["kind"], VERMILLION)
    low = min(0.5, shown["estimate"].min(), mean["ci_lower"].min() if len(mean) else 1.0)
    scale = alt.Scale(domain=[low, 1.0], nice=True, zero=False)
    points, axis = alt.Scale(type="point", padding=0.4), alt.Axis(labelAngle=0, grid=False)
    order = [name.replace("_", " ") for name in conditions]
    x = alt.X("condition:N", sort=order, title=None, scale=points, axis=axis)
    y = alt.Y("estimate:Q", title="AUC", scale=scale)
    colour = coloured("kind", colours, symbolType="square", symbolOpacity=1)
    each = alt.Chart(readers).encode(x=x, y=y, color=colour, detail="term:N")
    layers = [
        reference_line(0.5, opacity=0.4, dash=(2, 3), scale=scale),
        each.mark_line(strokeWidth=1.2, opacity=0.6),
        each.mark_point(filled=True, size=22, opacity=0.8),
    ]
    if len(model):
        dashed = alt.Chart(model).mark_line(strokeWidth=2, strokeDash=[7, 4])
        layers.append(dashed.encode(x=x, y=y, color=colour))
    if len(mean):
        bold = alt.Chart(mean).encode(x=x, color=colour)
        layers += [
            bold.mark_rule(strokeWidth=3).encode(y=alt.Y("ci_lower:Q", scale=scale), y2="ci_upper:Q"),
            bold.mark_line(strokeWidth=3).encode(y=y),
            bold.mark_point(filled=True, size=110, opacity=1).encode(y=y),
        ]
    chart = alt.layer(*layers).properties(width=INNER, height=340)
    whose = "each reader and of their mean under each condition, and of the model alone"
    return to_svg(chart, f"AUC of {whose}")


def section(tables: ReportTables, config: Config) -> dict:
    """What the page shows; ``ran`` is False where no readings table is given."""
    settings = config.readers
    rows = tables.get("readers", "readers")
    if rows.empty:
        return {"ran": False, "settings": settings}
    rows = _complete(rows)
    cases, areas, gains, model, decisions, ages = (
        rows[rows["question"] == name]
        for name in ("cases", "areas", "conditions", "against the model", "decisions", "ages")
    )
    conditions = [one for one in settings.conditions if one in set(areas["condition"])]
    single = areas["rater"] == "reader"

    def by_status(found: pd.DataFrame, *statuses: str) -> dict[str, list[dict]]:
        return {one: _by_condition(found[found["censoring"] == one], conditions) for one in statuses}

    return {
        "ran": True,
        "settings": settings,
        "conditions": conditions,
        "cases": to_records(cases),
        "sentences": _sentences(areas, gains, conditions),
        "figure": draw_areas_by_condition(_areas(areas, conditions), conditions),
        "areas": by_status(areas[~single], KNOWN, WEIGHTED),
        "each_reader": by_status(areas[single], KNOWN, WEIGHTED, DEAD_ONLY),
        "gains": _gains(gains),
        "other_gains": to_records(gains[~_main(gains) & (gains["condition"] != "all")]),
        "tests": to_records(gains[gains["condition"] == "all"]),
        "model": {status: to_records(model[model["censoring"] == status]) for status in (KNOWN, WEIGHTED)},
        "decisions": _lines(decisions, DECISIONS),
        "ages": _lines(ages, (*SHARES, *ERRORS)),
    }


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    table = table.reindex(columns=list(dict.fromkeys([*table.columns, *TEXTS, "n_readers"])))
    for name in TEXTS:
        table[name] = table[name].astype(object).where(table[name].notna(), "").astype(str)
    return table


def _by_condition(areas: pd.DataFrame, conditions: list[str]) -> list[dict]:
    """One line per reader or group with a cell per condition; the model has a single cell."""
    lines = []
    for term, mine in areas.groupby("term", sort=False):
        found = rows_by(mine, "condition")
        cells = [found.get(name) for name in conditions]
        lines.append({"term": term, "cells": cells, "alone": found.get("model alone")})
    return lines


def _main(gains: pd.DataFrame) -> pd.Series:
    """The contrasts that answer: groups, readers and cases as samples, status known."""
    of_groups = (gains["rater"] == "group") & (gains["measure"] == GAIN)
    return of_groups & (gains["random"] == BOTH) & (gains["censoring"] == KNOWN)


def _gains(gains: pd.DataFrame) -> list[dict]:
    """The main contrasts, and the study's own test with each."""
    ranks = gains[(gains["measure"] == RANKS) & (gains["censoring"] == DEAD_ONLY)]
    legacy = rows_by(ranks, "term", "condition")
    main = to_records(gains[_main(gains)])
    return [row | {"legacy": legacy.get((row["term"], row["condition"]))} for row in main]


def _lines(rows: pd.DataFrame, measures: tuple[str, ...]) -> dict[str, list[dict]]:
    """Lines of one reader or group under one condition: groups and models, and apart from them single readers."""
    lines: dict[str, list[dict]] = {"groups": [], "readers": []}
    for (term, condition), mine in rows.groupby(["term", "condition"], sort=False):
        found = {row["level"] or row["measure"]: row for row in to_records(mine)}
        line = {"term": term, "condition": condition, "cells": [found.get(name) for name in measures]}
        lines["readers" if mine["rater"].iloc[0] == "reader" else "groups"].append(line)
    return lines


def _areas(areas: pd.DataFrame, conditions: list[str]) -> pd.DataFrame:
    """Rows of the figure: readers by type, all participants with an interval, the model alone under every condition."""
    known = areas[(areas["censoring"] == KNOWN) & areas["estimate"].notna()]
    groups = known[known["rater"] == "group"]
    everybody = groups[groups["term"] == (groups["term"].iloc[0] if len(groups) else "")]
    readers, model = known[known["rater"] == "reader"], known[known["rater"] == "model"]
    model = model.drop(columns="condition").merge(pd.DataFrame({"condition": conditions}), how="cross")
    parts = [
        readers.assign(kind=readers["term"].str.rsplit(" ", n=1).str[0]),
        everybody.assign(kind="mean of " + everybody["term"]),
        model.assign(kind=model["term"]),
    ]
    return pd.concat(parts)[["term", "rater", "kind", "condition", "estimate", "ci_lower", "ci_upper"]]


def _sentences(areas: pd.DataFrame, gains: pd.DataFrame, conditions: list[str]) -> list[str]:
    group = areas[(areas["rater"] == "group") & (areas["censoring"] == KNOWN)]
    if group.empty:
        return []
    first = group["term"].iloc[0]
    mine = group[(group["term"] == first) & group["estimate"].notna()].set_index("condition")
    said, shown = [], []
    for name in (one for one in conditions if one in mine.index):
        row = mine.loc[name]
        ends = interval(row["ci_lower"], row["ci_upper"])
        shown.append(f"{name.replace('_', ' ')} {number(row['estimate'])} ({ends})")
    if shown:
        said.append(f"AUC (95% CI), mean of {first}: {'; '.join(shown)}.")
    for row in _gains(gains):
        if row["term"] != first or np.isnan(row["estimate"]):
            continue
        pair = first_upper(f"{row['condition']} vs {row['against']}".replace("_", " "))
        said.append(
            f"{pair}: {signed(row['estimate'], 3)} ({interval(row['ci_lower'], row['ci_upper'], 3)}, p {p_equals(row['p_value'])}; "
            f"{int(row['n_readers'])} readers and {count(row['n'])} cases, both random; {counted(row['n_events'], 'death')})."
        )
    return said
