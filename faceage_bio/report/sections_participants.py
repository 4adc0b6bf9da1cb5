"""Participants: the flow, Table 1, how age acceleration is spread, face age against chronological age."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.core.columns import AGE, COHORT, FACE_AGE
from faceage_bio.core.config import Config
from faceage_bio.report import flow, plot, words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, reference_line, to_svg
from faceage_bio.report.plot import GREY, VERMILLION, WIDTH, of_cohorts
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import count, count_and_share, interval, number, term

ALL = "all"
AVERAGE, LARGEST = "mean of all pairs", "largest of all pairs"
DIFFERENCES = ("standardised difference", "standardised difference of shares")
QUANTILES = ["q10", "q25", "q50", "q75", "q90"]
LEFT = 56
HEAD = 46  # of a panel
NARROWEST = 270  # a panel whose head has room
_REGRESSION = plot.line("M-10 0h20", VERMILLION, 2.2)
_IDENTITY = (plot.line("M-10 0h20", dash="5 4", opacity=0.7), "Identity")


def draw_spread(table: pd.DataFrame) -> Picture:
    """Age acceleration in each group: line q10 to q90, bar q25 to q75, stroke the median, dot the mean."""
    import altair as alt

    columns = ["term", "factor", "group", "n", "estimate", *QUANTILES]
    shown = table[table["estimate"].notna()].reindex(columns=columns)
    labels = []
    for row in shown.itertuples():
        whose = "all participants" if row.factor == "all" else f"{term(row.factor)}: {row.group}"
        labels.append(f"{whose} ({count(row.n)})".replace("_", " "))
    shown = shown.assign(label=labels)
    ends = shown[["estimate", *QUANTILES]].to_numpy(float)
    scale = alt.Scale(domain=[float(np.nanmin(ends)), float(np.nanmax(ends))], nice=True, zero=False)
    y = alt.Y("label:N", sort=labels, title=None, axis=alt.Axis(labelLimit=260, grid=False))
    base = alt.Chart(shown).encode(y=y)
    layers = [
        reference_line(0, axis="x"),
        base.mark_rule(strokeWidth=1.5, color=GREY).encode(
            x=alt.X("q10:Q", scale=scale, title="Age acceleration, years"), x2="q90:Q"
        ),
        base.mark_bar(height=11, color=GREY, opacity=0.45).encode(x=alt.X("q25:Q", scale=scale), x2="q75:Q"),
        base.mark_tick(thickness=2.5, height=13, color=GREY).encode(x="q50:Q"),
        base.mark_point(filled=True, size=45, color=VERMILLION, opacity=1).encode(x="estimate:Q"),
    ]
    chart = alt.layer(*layers).properties(width=INNER - 140, height=max(60, 20 * len(labels)))
    what = "10th–90th percentile (line), IQR (bar), median (stroke) and mean (dot)"
    return to_svg(chart, f"Age acceleration in each group: {what}")


@dataclass(frozen=True)
class Line:
    """Least-squares line of face age on chronological age in a cohort, and the correlation of both."""

    n: float
    correlation: float
    slope: float
    intercept: float

    def words(self) -> str:
        """As a legend has it: ``n = 115, r = 0.65, slope 0.98``."""
        return f"n = {count(self.n)}, r = {number(self.correlation)}, slope {number(self.slope)}"


def draw_scatter(
    participants: pd.DataFrame,
    lines: Mapping[str, Line],
    colours: Mapping[str, str],
    width: float = plot.WIDTH,
) -> Picture:
    """Face age against chronological age, one point per participant, with the line of identity and each cohort's regression line.

    Parameters
    ----------
    participants : DataFrame
        cohort, chronological_age, face_age; no identifier.
    lines, colours : by cohort, in the order of the legend
    """
    ages, faces = participants[AGE], participants[FACE_AGE]
    entries = [(_mark(colours[name]), f"{name} ({one.words()})") for name, one in lines.items()]
    drawn, high = plot.legend([*entries, _IDENTITY], LEFT, 14, width)
    top = 8 + high
    bottom = top + max(300, 0.46 * width)
    across, up, axes = _axes(
        (ages.min(), ages.max()), (faces.min(), faces.max()), (LEFT, width - 16), (bottom, top)
    )
    layers = []
    # the largest cohort first, so that it covers no other
    for name in sorted(lines, key=lambda one: -lines[one].n):
        mine = participants[participants[COHORT] == name]
        x, y = across(mine[AGE].to_numpy(float)), up(mine[FACE_AGE].to_numpy(float))
        layers.append(plot.dots(x, y, 2.6, colours[name], 0.55))
    straight = [_straight(one.slope, one.intercept, across, up, colours[name]) for name, one in lines.items()]
    label = f"Face age against chronological age, one point per participant, with identity and regression line: {', '.join(lines)}"
    parts = [drawn, axes, *layers, _straight(1, 0, across, up), *straight]
    return plot.svg(label, width, bottom + 46, parts, participants[[COHORT, AGE, FACE_AGE]])


def draw_histogram(table: pd.DataFrame, lines: Mapping[str, Line], width: float) -> Picture:
    """The same as numbers of participants in squares of both ages, a panel per cohort, for where no participant's row may be shown.

    Parameters
    ----------
    table : DataFrame
        cohort, age_lower, face_age_lower, width, n.
    lines : by cohort, in the order of the panels
    """
    shown = table[table["n"] > 0]
    side, most = float(table["width"].iloc[0]), float(shown["n"].max())
    ages = table["age_lower"].min(), table["age_lower"].max() + side
    faces = table["face_age_lower"].min(), table["face_age_lower"].max() + side
    columns = max(1, min(3, len(lines), int(width // NARROWEST)))
    wide = (width - 16) / columns
    high = max(260, 0.46 * wide)
    drawn, top = plot.legend(
        [(_REGRESSION, "Regression line"), _IDENTITY, *_shades(shown["n"])], LEFT, 14, width
    )
    parts = [drawn]
    for k, (name, one) in enumerate(lines.items()):
        start, above = (k % columns) * wide, top + HEAD + k // columns * (high + 50 + HEAD)
        across, up, axes = _axes(ages, faces, (start + LEFT, start + wide), (above + high, above))
        squares = [
            f'<path d="M{across(row.age_lower):.1f} {up(row.face_age_lower):.1f}H{across(row.age_lower + side):.1f}'
            f'V{up(row.face_age_lower + side):.1f}H{across(row.age_lower):.1f}z" fill="{GREY}" opacity="{_shade(row.n, most):.2f}"/>'
            for row in shown[shown[COHORT] == name].itertuples()
        ]
        room = wide - LEFT
        small = min(11.0, 11.0 * room / plot.text_width(one.words(), 11))
        parts += [
            plot.text(start + LEFT, above - 24, plot.shortened(name, room), bold=True),
            plot.text(start + LEFT, above - 8, one.words(), size=round(small, 1)),
            axes,
            *squares,
            _straight(1, 0, across, up),
            _straight(one.slope, one.intercept, across, up, VERMILLION),
        ]
    bottom = top + HEAD + -(-len(lines) // columns) * (high + 50 + HEAD) - HEAD - 4
    label = f"Face age against chronological age: participants in squares of {side:g} years, with identity and regression line: {', '.join(lines)}"
    return plot.svg(label, width, bottom, parts, table[[COHORT, "age_lower", "face_age_lower", "width", "n"]])


def _mark(colour: str) -> str:
    return f'{plot.line("M-10 0h20", colour, 2.2)}<circle r="3.5" fill="{colour}"/>'


def _shade(n: float, most: float) -> float:
    return 0.15 + 0.85 * n / most


def _shades(numbers: pd.Series) -> list[tuple[str, str]]:
    """The palest and the darkest square, with their numbers."""
    mark = f'<path d="M-6 -6h12v12h-12z" fill="{GREY}" opacity="{{:.2f}}"/>'
    ends = dict.fromkeys([numbers.min(), most := numbers.max()])
    return [(mark.format(_shade(n, most)), f"n = {count(n)}") for n in ends]


def _axes(
    ages: tuple[float, float], faces: tuple[float, float], x: tuple[float, float], y: tuple[float, float]
) -> tuple[plot.Scale, plot.Scale, str]:
    x_ticks, y_ticks = plot.ticks(*ages), plot.ticks(*faces)
    across, up = plot.Scale(x_ticks[0], x_ticks[-1], *x), plot.Scale(y_ticks[0], y_ticks[-1], *y)
    drawn = plot.y_axis(up, y_ticks, x[0], "Face age, years", right=x[1])
    return across, up, drawn + plot.x_axis(across, x_ticks, y[0], "Chronological age, years")


def _straight(slope: float, intercept: float, across: plot.Scale, up: plot.Scale, colour: str = "") -> str:
    """A line as far as the axes go; without a colour the line of identity."""
    if not np.isfinite([slope, intercept]).all():
        return ""
    crossed = ((face - intercept) / slope for face in (up.low, up.high) if slope)
    ages = np.array(sorted({across.low, across.high, *crossed}))
    faces = intercept + slope * ages
    inside = (across.low <= ages) & (ages <= across.high)
    inside &= (up.low - 1e-6 <= faces) & (faces <= up.high + 1e-6)
    if inside.sum() < 2:
        return ""
    ends = np.flatnonzero(inside)[[0, -1]]
    d = "M" + "L".join(f"{across(ages[k]):.1f} {up(faces[k]):.1f}" for k in ends)
    if not colour:
        return plot.line(d, width=1.3, opacity=0.7, dash="5 4")
    return plot.line(d, "var(--paper,#fff)", 4.5, 0.8) + plot.line(d, colour, 2.4)


def participants_section(tables: ReportTables, name: str, config: Config) -> dict:
    """Flow, Table 1 and distributions of one cohort."""
    boxes = flow.cohort_flow(tables, name, given=bool(config.cohorts[name].face_ages))
    spread = tables.get("phenotype", "distributions", name)
    drawn = len(spread) and spread["estimate"].notna().any()
    return {
        "name": name,
        "flow_figure": flow.draw(boxes, name),
        "flow_lines": flow.as_list(boxes),
        "table_one": table_one(tables.get("phenotype", "table_one", name)),
        "spread_figure": draw_spread(spread) if drawn else "",
    }


def face_age_figure(
    tables: ReportTables, names: Sequence[str], cohorts: Sequence[str], width: float = WIDTH
) -> Picture:
    """Face age against chronological age of some of the study's cohorts: participants as points where their rows came in, else a 2-D histogram."""
    points, squares = tables.get("acceleration", "acceleration"), tables.get("phenotype", "age_histogram")
    squares = squares[squares["n"].notna()]
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
        return draw_scatter(shown, lines, of_cohorts(cohorts), width)
    return draw_histogram(shown, lines, width)


def _line(summary: pd.DataFrame) -> Line:
    """The cohort's regression line as its summary has it."""
    found = {(row.term, row.measure): row for row in summary.itertuples()}

    def of(term: str, measure: str, column: str = "estimate") -> float:
        return float(getattr(found.get((term, measure)), column, np.nan))

    correlation = (FACE_AGE, "correlation")
    slope, intercept = of("line", "slope"), of("line", "intercept")
    return Line(of(*correlation, "n"), of(*correlation), slope, intercept)


def table_one(table: pd.DataFrame) -> dict:
    """Table 1 as the template prints it.

    Returns
    -------
    dict
        ``groups``: (name, number); ``variables``: each with ``term``, ``rows`` of (label, cells), ``missing``, ``average`` and
        ``largest`` standardised difference, ``note``; ``undefined``: why a difference is not known, if one is not; empty if the
        step did not run, or no participant has an age acceleration.
    """
    if not len(table) or not (table["n"] > 0).any():
        return {}
    texts = table[["variable", "level", "group"]].fillna("").astype(str)
    table = table.assign(**texts)
    heads = table[table["measure"] == "participants"]
    sizes = dict(zip(heads["group"], heads["n"], strict=True))
    variables = table[table["variable"] != ""].groupby("variable", sort=False)
    return {
        "groups": [(name, count(n)) for name, n in sizes.items()],
        "variables": [_variable(str(variable), rows, list(sizes)) for variable, rows in variables],
        "note": next((note for note in heads["note"] if note), ""),
        "undefined": why_no_difference(table),
    }


def why_no_difference(table: pd.DataFrame) -> str:
    """Why a standardised difference of Table 1 is not known; "" where all are."""
    rows = table[table["measure"].isin(DIFFERENCES) & table["estimate"].isna()]
    return next(iter(rows["note"]), "")


def _variable(variable: str, rows: pd.DataFrame, names: Sequence[str]) -> dict:
    missing = rows[rows["measure"] == "missing"].head(1)
    n_missing = missing["n"].iloc[0] if len(missing) else float("nan")
    differences = rows[rows["measure"].isin(DIFFERENCES)].set_index("group")["estimate"]
    shown = {
        "term": words.characteristic(variable),
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
    return shown | {"rows": _levels(shares, names) if len(shares) else _numbers(described, names)}


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


def _levels(shares: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Numbers of participants, and their percentage among those with a value."""
    return [
        (str(level), [count_and_share(one) for one in _of(rows.set_index("group"), names)])
        for level, rows in shares.groupby("level", sort=False)
    ]
