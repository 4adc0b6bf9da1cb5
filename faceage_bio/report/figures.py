"""Figures as SVG that prints well and follows the page's light or dark colours."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from faceage_bio.report import plot
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.plot import FONT, GREY, INK, VERMILLION, VIOLET, lighter, of_cohorts
from faceage_bio.report.words import count, increase, p_value, with_ci

RAW_AND_ADJUSTED = [("unadjusted", GREY), ("adjusted for age", VERMILLION)]
INNER = plot.WIDTH - 130  # of a plot with its axis of heights in a figure as wide as its column
LETTERS = {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12}
CONFIG = {
    "background": "transparent",
    "font": FONT,
    "padding": {"left": 44, "right": 28, "top": 5, "bottom": 5},
    "axis": LETTERS
    | {
        "domainColor": INK,
        "tickColor": INK,
        "gridColor": "#8888884d",
        "titleFontWeight": 500,
        "titlePadding": 8,
        "labelSeparation": 5,
        "tickCount": 7,
    },
    "view": {"stroke": None, "continuousWidth": 300, "continuousHeight": 300},
    "legend": LETTERS | {"orient": "top", "labelLimit": 300, "columnPadding": 24},
    "header": {"labelColor": INK, "titleColor": INK},
    "title": {"color": INK},
    "text": {"color": INK},
}
# data of the figure
COUNTED = ("n", "n_events", "estimate", "ci_lower", "ci_upper", "p_value", "q_value", "pi_lower", "pi_upper")
ROW = 20  # units between lines


def to_svg(chart, label: str) -> Picture:
    """An Altair chart as an accessible SVG element, followed by its data for those who want them as a table."""
    import vl_convert

    specification = _specification(chart)
    svg = lighter(vl_convert.vegalite_to_svg(specification)).replace(INK, "currentColor")
    svg = svg.replace(' class="marks"', ' class="plot"', 1)
    start = svg.index("<svg") + 4
    labelled = f'{svg[:start]} role="img" aria-label="{escape(label, quote=True)}"{svg[start:]}'
    return Picture(labelled, data_of(specification))


def _specification(chart) -> dict:
    """Vega-Lite's words for the chart; set here as one, for each step of Altair's own copies all of the data.

    The tables are put in at the end, each once and without the columns that the chart does not name: Altair would clean and hash
    all of a table again for each layer.
    """
    import altair as alt

    tables: list[pd.DataFrame] = []

    def by_name(table: pd.DataFrame) -> dict:
        known = (k for k, other in enumerate(tables) if other is table or other.equals(table))
        number = next(known, len(tables))
        if number == len(tables):
            tables.append(table)
        return {"name": f"data-{number}"}

    alt.data_transformers.register("by name", by_name)
    with alt.data_transformers.enable("by name"):
        specification = chart.to_dict(validate=False) | {"config": CONFIG}
    words = json.dumps(specification, ensure_ascii=False)
    datasets = {
        f"data-{number}": _rows(table[[name for name in table if name in words]])
        for number, table in enumerate(tables)
    }
    return specification | {"datasets": datasets}


def data_of(specification: dict) -> pd.DataFrame:
    """The rows of a chart, with what it encodes alone: what no reader can see in the picture is not in its data either.

    A row of a layer that holds nothing but a reference line is left out.
    """
    known = (table.dropna(axis=1, how="all") for table in _drawn(specification))
    drawn = [table for table in known if len(table) and set(table.columns) - {"x", "y"}]
    return pd.concat(drawn, ignore_index=True).drop_duplicates() if drawn else pd.DataFrame()


def _drawn(specification: dict) -> Iterator[pd.DataFrame]:
    """For each table of the chart, the columns that some encoding of it names."""
    fields: dict[str, dict[str, None]] = {}
    _collect(specification, "", fields)
    for name, rows in specification.get("datasets", {}).items():
        table = pd.DataFrame(rows)
        yield table[[column for column in table if column in fields.get(name, {})]]


def _collect(node: object, data: str, fields: dict[str, dict[str, None]]) -> None:
    """Note under the name of its data each field that a mark encodes; a layer without data has those of what holds it."""
    if isinstance(node, list):
        for part in node:
            _collect(part, data, fields)
    elif isinstance(node, dict):
        data = node["data"].get("name", data) if isinstance(node.get("data"), dict) else data
        if isinstance(node.get("field"), str):
            fields.setdefault(data, {})[node["field"]] = None
        for key, part in node.items():
            if key not in {"data", "datasets", "transform", "params", "sort"}:
                _collect(part, data, fields)


def _rows(table: pd.DataFrame) -> list[dict]:
    """Numbers, words and truth values as JSON has them, what is missing or infinite as null."""
    columns = [_plain(column) for _, column in table.items()]
    return [dict(zip(table, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(column: pd.Series) -> list:
    lacking = ~np.isfinite(column) if column.dtype.kind == "f" else column.isna()
    values = [value.item() if isinstance(value, np.generic) else value for value in column.tolist()]
    return [None if gone else value for value, gone in zip(values, lacking, strict=True)]


def reference_line(*at: float, axis: str = "y", opacity: float = 0.5, dash: Sequence[int] = (), **of_axis):
    """Lines across a chart at some values of an axis (``of_axis``: its title and scale where this layer gives them)."""
    import altair as alt

    place = {"x": alt.X, "y": alt.Y}[axis](f"{axis}:Q", **of_axis)
    dashed = {"strokeDash": list(dash)} if dash else {}
    marks = alt.Chart(pd.DataFrame({axis: at})).mark_rule(color=INK, opacity=opacity, **dashed)
    return marks.encode(**{axis: place})


def coloured(column: str, colours: Mapping[str, str], **legend):
    """The colour of each value of a column, in the order of ``colours``; ``legend``: how that looks."""
    import altair as alt

    names = list(colours)
    scale = alt.Scale(domain=names, range=list(colours.values()))
    return alt.Color(f"{column}:N", title=None, sort=names, scale=scale, legend=alt.Legend(**legend))


def adjusted(table: pd.DataFrame) -> pd.Series:
    """Of `RAW_AND_ADJUSTED`, the name that each result row has."""
    names = [name for name, _ in RAW_AND_ADJUSTED]
    return (table["adjustment"] == "unadjusted").map({True: names[0], False: names[1]})


def age_bands(table: pd.DataFrame, cohorts: Sequence[str]) -> Picture:
    """Mean face age and its IQR by decade of age, one colour per cohort, with the line of identity."""
    import altair as alt

    shown = table.dropna(subset=["age_mean", "face_age_mean"])
    low, high = shown.age_mean.min() - 5, shown.age_mean.max() + 5
    colours = of_cohorts(cohorts)
    names = [name for name in cohorts if (shown["cohort"] == name).any()]
    equal = alt.Chart(pd.DataFrame({"x": [low, high]})).mark_line(strokeDash=[4, 4], color=INK, opacity=0.5)
    scale = alt.Scale(zero=False, nice=True)
    base = alt.Chart(shown).encode(
        x=alt.X("age_mean:Q", title="Chronological age, years (mean of the band)", scale=scale),
        color=coloured("cohort", {name: colours[name] for name in names}, symbolOpacity=1),
        xOffset=alt.value(0),
    )
    halves = base.properties(data=shown.dropna(subset=["face_age_q25", "face_age_q75"]))
    chart = alt.layer(
        equal.encode(x="x:Q", y=alt.Y("x:Q", title="Face age, years", scale=scale)),
        halves.mark_rule(strokeWidth=6, opacity=0.3).encode(y="face_age_q25:Q", y2="face_age_q75:Q"),
        base.mark_line(strokeWidth=1.5).encode(y="face_age_mean:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(y="face_age_mean:Q"),
    ).properties(width=INNER, height=360)
    return to_svg(chart, "Mean face age by chronological age in each cohort, with the line of identity")


def agreement(bands: pd.DataFrame, rows: pd.DataFrame) -> Picture:
    """Mean difference by band of age for each further model, with its bias and limits of agreement."""
    import altair as alt

    charts = [
        _agreement_of(alt, term, bands[bands.term == term], rows[(rows.term == term) & rows.estimate.notna()])
        for term in dict.fromkeys(bands["term"])
    ]
    label = "Difference between age models by mean age, with limits of agreement"
    return to_svg(alt.vconcat(*charts), label)


def _agreement_of(alt, term: str, bands: pd.DataFrame, rows: pd.DataFrame):
    limits = "limits of agreement"
    kinds = {"bias": "bias", "lower limit of agreement": limits, "upper limit of agreement": limits}
    lines = rows.assign(kind=rows["measure"].map(kinds)).dropna(subset="kind")
    lines = lines.rename(columns={"estimate": "y", "ci_lower": "low", "ci_upper": "high"})
    lines = lines[["y", "low", "high", "kind"]]
    colour = coloured("kind", {"bias": VERMILLION, limits: VIOLET}, symbolType="square", symbolOpacity=1)
    x = alt.X("mean_age:Q", title="Mean of both models, years", scale=alt.Scale(zero=False, padding=18))
    points = alt.Chart(bands).encode(x=x, y="mean_difference:Q")
    numbered = alt.Chart(bands.dropna(subset=["n"])).encode(x=x, y="mean_difference:Q")
    axis = {"title": "Difference, years", "scale": alt.Scale(nice=True, padding=8)}
    return alt.layer(
        reference_line(0, opacity=0.4, dash=(2, 3), **axis),
        alt.Chart(lines).mark_rect(opacity=0.15).encode(y="low:Q", y2="high:Q", color=colour),
        alt.Chart(lines).mark_rule(strokeWidth=2).encode(y="y:Q", color=colour),
        points.mark_point(filled=True, size=60, color=INK, opacity=1),
        numbered.mark_text(dy=-12, color=INK, fontSize=11).encode(text="n:Q"),
    ).properties(width=INNER, height=260, title=term)


def forest(
    table: pd.DataFrame,
    label: str,
    colours: Sequence[tuple[str, str]],
    reference: float,
    title: str,
    *,
    kind: str = "kind",
    logarithmic: bool = False,
    section: str | None = None,
    further: tuple[str, str] | None = None,
    digits: int = 2,
    p: Callable[[float], str] = p_value,
    italic: bool = False,
    width: float = plot.WIDTH,
) -> Picture:
    """Estimates with 95% CIs, one line each, and n, events, estimate and p as columns of text.

    A CI that leaves the frame ends in an arrow, so that one imprecise estimate does not flatten the others. A pooled estimate is a
    diamond as wide as its CI, on a thin line as long as its prediction interval.

    Parameters
    ----------
    table : DataFrame
        estimate, and where they are known ci_lower, ci_upper, p_value, q_value, n, n_events; pooled (whether a row is),
        pi_lower, pi_upper; rows without an estimate are excluded; without any nothing is drawn. Lines stand in its order.
    label, kind : columns that name a line, and that tell lines of one name apart (values: first of each of ``colours``)
    reference : value of no association
    title : of the axis; ``{per}`` and ``{increase}`` in it stand for the unit of the estimates
    section : column whose values head groups of lines
    further : column of text that stands on the right, and its head
    digits, p : how estimates and p-values are written
    italic : names are gene symbols
    width : of the figure; below 700 without n and events
    """
    shown = table[table["estimate"].notna()].reset_index(drop=True) if len(table) else table
    if shown.empty:
        return Picture()
    per = str(shown["per"].iloc[0]) if "per" in shown else ""
    title = title.replace("{per}", per).replace("{increase}", increase(per))
    rows = _lines(shown, label, kind, section, colours)
    columns = _columns(shown, "HR" if logarithmic else "Estimate", digits, p, further, width)
    names = max([plot.text_width(one.name) for one in rows if one.name] + [60]) * (1.06 if italic else 1)
    left = min(names + 22, 0.46 * width)
    before, after = [[one for one in columns if one.before is side] for side in (True, False)]
    start = left + sum(one.width for one in before) + 16
    end = width - sum(one.width for one in after) - 16
    across = plot.Scale(*_frame(shown, reference, logarithmic), start, end, logarithmic)
    key, first = _key([(name, shade) for name, shade in colours if (shown[kind] == name).any()], width)
    edges = {one.head: x for part, x in ((before, left), (after, end + 16)) for one, x in _edges(part, x)}
    heads = [plot.text(edges[one.head], first + 4, one.head, "end", bold=True) for one in columns]
    shades, parts, cells, top, shaded = [], [], [], first + 14, False
    for row in rows:
        top += row.gap
        if row.number is None:
            parts.append(plot.text(2, top + 14, row.name, bold=True))
        else:
            shaded ^= bool(row.name)
            if shaded:
                shades.append(_shade(row, top, width))
            one, middle = shown.loc[row.number], top + 10
            if row.name:
                parts.append(plot.text(2, middle + 4, plot.shortened(row.name, left - 12), italic=italic))
            parts.append(_interval(one, across, middle, dict(colours)[one[kind]]))
            cells += [plot.text(edges[each.head], middle + 4, each.cells[row.number]) for each in columns]
        top += ROW
    bottom = top + 6
    marked = plot.apart(plot.inner_ticks(across.low, across.high, logarithmic), across, reference)
    rule = plot.line(f"M{across(reference):.1f} {first + 14:g}V{bottom:g}", opacity=0.6)
    joined = "".join(shades)
    ground = f'<path d="{joined}" opacity=".05"/>' if joined else ""
    columns_of_text = ['<g text-anchor="end">', *cells, "</g>"]
    drawn = [rule, ground, key, *heads, *parts, *columns_of_text, plot.x_axis(across, marked, bottom, title)]
    told = [name for name in (section, label, kind, *COUNTED) if name in shown]
    return plot.svg(f"Estimates with 95% CIs: {title}", width, bottom + 46, drawn, shown[told])


@dataclass(frozen=True)
class _Row:
    """A line of a forest: the place of its estimate in the table (none: a heading), and the room above and below it."""

    name: str
    number: int | None
    gap: float
    below: float = 0


@dataclass(frozen=True)
class _Column:
    """Texts that stand right-aligned before or after the estimates."""

    head: str
    cells: list[str]
    before: bool = False

    @property
    def width(self) -> float:
        return max(map(plot.text_width, [self.head + " ", *self.cells])) + 18


def _lines(
    shown: pd.DataFrame, label: str, colour: str, section: str | None, colours: Sequence[tuple[str, str]]
) -> list[_Row]:
    """Sections, names and colours in order; a name stands at the first of its lines."""
    rank = {name: place for place, (name, _) in enumerate(colours)}
    several = shown[colour].nunique() > 1
    rows: list[_Row] = []
    for head, part in shown.groupby(section, sort=False) if section else [("", shown)]:
        if head:
            rows.append(_Row(str(head), None, 6 if rows else 0))
        for name, lines in part.groupby(label, sort=False):
            numbers = lines.index[lines[colour].map(rank).argsort(kind="stable")]
            room = 6 if several and rows else 0
            last = len(numbers) - 1
            rows += [
                _Row("" if k else str(name), number, 0 if k else room, 3 if several and k == last else 0)
                for k, number in enumerate(numbers)
            ]
    return rows


def _columns(
    shown: pd.DataFrame,
    measure: str,
    digits: int,
    p: Callable,
    further: tuple[str, str] | None,
    width: float,
) -> list[_Column]:
    """The columns of text that hold anything."""
    given = shown.reindex(columns=[*shown, *(name for name in COUNTED if name not in shown)])
    known = {name for name in COUNTED if given[name].notna().any()}
    counted = {"n": "n", "Events": "n_events"} if width >= 700 else {}
    columns = [
        _Column(head, [*map(count, given[name])], True) for head, name in counted.items() if name in known
    ]
    both = zip(shown["estimate"], given["ci_lower"], given["ci_upper"], strict=True)
    columns.append(_Column(f"{measure} (95% CI)", [with_ci(*one, digits) for one in both]))
    tests = {"p": "p_value", "q": "q_value"}
    columns += [_Column(head, [*map(p, given[name])]) for head, name in tests.items() if name in known]
    if further:
        columns.append(_Column(further[1], shown[further[0]].fillna("").tolist()))
    return columns


def _key(kinds: Sequence[tuple[str, str]], width: float) -> tuple[str, float]:
    """The legend where there are several kinds, and the height at which what follows begins."""
    if len(kinds) < 2:
        return "", 12.0
    mark = '<path d="M-9 0h18" stroke="{}" stroke-width="2"/>{}'
    marks = [(mark.format(shade, _box(0, 0, shade)), name) for name, shade in kinds]
    drawn, high = plot.legend(marks, 2, 12, width)
    return drawn, 16.0 + high


def _edges(columns: Sequence["_Column"], x: float) -> Iterator[tuple["_Column", float]]:
    """The right edge of each column; the first begins at ``x``."""
    for one in columns:
        x += one.width
        yield one, x


def _shade(row: "_Row", top: float, width: float) -> str:
    """The ground of every other line."""
    high = ROW + row.gap / 2 + row.below
    return f"M0 {top - row.gap / 2:g}h{width:g}v{high:g}h-{width:g}z"


def _frame(shown: pd.DataFrame, reference: float, ratio: bool) -> tuple[float, float]:
    """Ends of the axis: all estimates and the reference, and CIs as far as three times the usual half width."""
    scale, back = (np.log, math.exp) if ratio else (np.asarray, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = scale(shown.reindex(columns=["estimate", "ci_lower", "ci_upper"]).to_numpy(float)).T
    middle, lower, upper = np.where(np.isfinite(ends), ends, np.nan)
    half = (upper - lower) / 2
    usual = float(np.nanmedian(half)) if np.isfinite(half).any() else 0.0
    no_association = float(scale(np.asarray(reference, float)))
    low = min(max(np.nanmin(np.fmin(lower, middle)), np.nanmin(middle) - 3 * usual), no_association)
    high = max(min(np.nanmax(np.fmax(upper, middle)), np.nanmax(middle) + 3 * usual), no_association)
    pad = 0.05 * (high - low) or 1.0
    return back(low - pad), back(high + pad)


def _interval(row: pd.Series, across: plot.Scale, y: float, colour: str) -> str:
    """The CI as a line, with an arrow at each end that lies beyond the frame, and the estimate as a square; or the diamond."""
    drawn, (lower, upper) = "", (row.get("ci_lower"), row.get("ci_upper"))
    if row.get("pooled", False):
        return _diamond(row, across, y, colour)
    if pd.notna(lower) and pd.notna(upper):
        start, end = max(lower, across.low), min(upper, across.high)
        drawn = plot.line(f"M{across(start):.1f} {y:g}H{across(end):.1f}", colour, 2)
        for leaves, x, way in ((lower < across.low, across.start, -1), (upper > across.high, across.end, 1)):
            if leaves:
                d = f"M{x + 4 * way:.1f} {y:g}l{-8 * way} -5v10z"
                drawn += f'<path class="arrow" d="{d}" fill="{colour}"/>'
    return drawn + _box(across(row["estimate"]), y, colour)


def _diamond(row: pd.Series, across: plot.Scale, y: float, colour: str) -> str:
    """A pooled estimate: its CI from left to right corner, and the prediction interval as far as the frame reaches."""
    drawn, middle = "", across(row["estimate"])
    if pd.notna(row.get("pi_lower")) and pd.notna(row.get("pi_upper")):
        ends = [row["pi_lower"], row["pi_upper"]]
        start, end = (across(min(max(one, across.low), across.high)) for one in ends)
        within = (across(one) for one in ends if across.low <= one <= across.high)
        inside = "".join(f"M{x:.1f} {y - 3:g}v6" for x in within)
        drawn = plot.line(f"M{start:.1f} {y:g}H{end:.1f}{inside}", colour, 1)
    if pd.isna(row["ci_lower"]):
        return drawn + _box(middle, y, colour)
    left, right = (across(min(max(row[name], across.low), across.high)) for name in ("ci_lower", "ci_upper"))
    return f'{drawn}<path d="M{left:.1f} {y:g}L{middle:.1f} {y - 6:g}L{right:.1f} {y:g}L{middle:.1f} {y + 6:g}z" fill="{colour}"/>'


def _box(x: float, y: float, colour: str) -> str:
    return f'<path d="M{x - 4:.1f} {y - 4:g}h8v8h-8z" fill="{colour}"/>'
