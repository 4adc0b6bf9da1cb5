"""Figures as SVG that prints well and follows the page's light or dark colours."""

import json

import numpy as np
import pandas as pd

from faceage_bio.report.figure_data import packed
from faceage_bio.report.svg import FONT, lighter

INK = "#010203"  # replaced by the page's own text colour
BLUE, ORANGE, GREEN, PURPLE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
)  # Okabe and Ito, told apart by everybody
CURVES = [BLUE, GREEN, ORANGE, PURPLE, "#E69F00", "#56B4E9"]  # the paler ones only where six are needed
RAW_AND_ADJUSTED = [("raw age gap", "#8a8f98"), ("age held constant", BLUE)]


def to_svg(chart, label: str) -> str:
    """An Altair chart as an accessible SVG element, followed by its data for those who want them as a table."""
    import vl_convert

    specification = _specification(chart)
    svg = lighter(vl_convert.vegalite_to_svg(specification)).replace(INK, "currentColor")
    start = svg.index("<svg") + 4
    return f'{svg[:start]} role="img" aria-label="{_escape(label)}"{svg[start:]}{packed(specification)}'


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
        "labelSeparation": 5,
    },
    "view": {"stroke": None, "continuousWidth": 300, "continuousHeight": 300},
    "legend": LETTERS | {"orient": "top", "labelLimit": 300, "columnPadding": 24},
    "title": {"color": INK},
    "text": {"color": INK},
}


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


def _rows(table: pd.DataFrame) -> list[dict]:
    """Numbers, words and truth values as JSON has them, what is missing or infinite as null."""
    columns = [_plain(column) for _, column in table.items()]
    return [dict(zip(table, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(column: pd.Series) -> list:
    lacking = ~np.isfinite(column) if column.dtype.kind == "f" else column.isna()
    values = [value.item() if isinstance(value, np.generic) else value for value in column.tolist()]
    return [None if gone else value for value, gone in zip(values, lacking, strict=True)]


def _escape(text: str) -> str:
    from html import escape

    return escape(text, quote=True)


def age_bands(table: pd.DataFrame) -> str:
    """Mean face age and its middle half by decade of age, one colour per cohort, against the line of equal ages."""
    import altair as alt

    shown = table.dropna(subset=["age_mean", "face_age_mean"])
    low, high = shown.age_mean.min() - 5, shown.age_mean.max() + 5
    equal = alt.Chart(pd.DataFrame({"x": [low, high]})).mark_line(strokeDash=[4, 4], color=INK, opacity=0.5)
    scale = alt.Scale(zero=False, nice=True)
    base = alt.Chart(shown).encode(
        x=alt.X("age_mean:Q", title="Chronological age, years (mean of the band)", scale=scale),
        color=alt.Color(
            "cohort:N",
            title=None,
            sort=None,
            scale=alt.Scale(range=CURVES),
            legend=alt.Legend(symbolOpacity=1),
        ),
        xOffset=alt.value(0),
    )
    halves = base.properties(data=shown.dropna(subset=["face_age_q25", "face_age_q75"]))
    chart = alt.layer(
        equal.encode(x="x:Q", y=alt.Y("x:Q", title="Face age, years", scale=scale)),
        halves.mark_rule(strokeWidth=6, opacity=0.3).encode(y="face_age_q25:Q", y2="face_age_q75:Q"),
        base.mark_line(strokeWidth=1.5).encode(y="face_age_mean:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(y="face_age_mean:Q"),
    ).properties(width=560, height=300)
    return to_svg(chart, "Mean face age by chronological age for each cohort, with the line of equal ages")


def agreement(bands: pd.DataFrame, rows: pd.DataFrame) -> str:
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
    lines = pd.DataFrame(
        [
            {"y": row.estimate, "low": row.ci_lower, "high": row.ci_upper, "kind": kinds[row.measure]}
            for row in rows.itertuples()
            if row.measure in kinds
        ],
        columns=["y", "low", "high", "kind"],
    )
    scale = alt.Scale(domain=["bias", "limits of agreement"], range=[BLUE, ORANGE])
    legend = alt.Legend(symbolType="square", symbolOpacity=1)
    colour = alt.Color("kind:N", title=None, scale=scale, legend=legend)
    x = alt.X("mean_age:Q", title="Mean of both models, years", scale=alt.Scale(zero=False, padding=18))
    points = alt.Chart(bands).encode(x=x, y="mean_difference:Q")
    numbered = alt.Chart(bands.dropna(subset=["n"])).encode(x=x, y="mean_difference:Q")
    zero = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=INK, opacity=0.4, strokeDash=[2, 3])
    return alt.layer(
        zero.encode(y=alt.Y("y:Q", title="Difference, years", scale=alt.Scale(nice=True, padding=8))),
        alt.Chart(lines).mark_rect(opacity=0.15).encode(y="low:Q", y2="high:Q", color=colour),
        alt.Chart(lines).mark_rule(strokeWidth=2).encode(y="y:Q", color=colour),
        points.mark_point(filled=True, size=60, color=INK, opacity=1),
        numbered.mark_text(dy=-12, color=INK, fontSize=11).encode(text="n:Q"),
    ).properties(width=560, height=240, title=term)


def forest(
    table: pd.DataFrame,
    label: str,
    colour: str,
    colours: list[tuple[str, str]],
    reference: float,
    title: str,
    logarithmic: bool = False,
    label_limit: int = 320,
) -> str:
    """Estimates with intervals, one line per ``label``; ``colour`` tells rows of one line apart."""
    import altair as alt

    shown = table[table.estimate.notna()]
    order = list(dict.fromkeys(shown[label]))
    names = [name for name, _ in colours]
    scale = alt.Scale(type="log" if logarithmic else "linear", zero=False, nice=not logarithmic)
    base = alt.Chart(shown).encode(
        y=alt.Y(f"{label}:N", sort=order, title=None, axis=alt.Axis(labelLimit=label_limit, grid=False)),
        yOffset=alt.YOffset(f"{colour}:N", sort=names, scale=alt.Scale(paddingOuter=0.35)),
        color=alt.Color(
            f"{colour}:N",
            title=None,
            sort=names,
            scale=alt.Scale(domain=names, range=[c for _, c in colours]),
        ),
    )
    line = alt.Chart(pd.DataFrame({"x": [reference]})).mark_rule(color=INK, opacity=0.6).encode(x="x:Q")
    chart = alt.layer(
        line,
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("ci_lower:Q", title=title, scale=scale), x2="ci_upper:Q"
        ),
        base.mark_point(filled=True, size=55, opacity=1).encode(x="estimate:Q"),
    ).properties(width=400, height=max(70, 30 * len(order)))
    return to_svg(chart, f"Estimates and 95 % intervals: {title}")
