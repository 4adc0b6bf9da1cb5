"""Figures of the participants: age acceleration in groups, and face age against chronological age."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.core.columns import AGE, COHORT, FACE_AGE
from faceage_bio.report import plot
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, to_svg
from faceage_bio.report.formats import count, number
from faceage_bio.report.plot import GREY, INK, VERMILLION
from faceage_bio.report.words import term


def draw_spread(table: pd.DataFrame) -> Picture:
    """Age acceleration in each group: line q10 to q90, bar q25 to q75, stroke the median, dot the mean."""
    import altair as alt

    shown = table[table["estimate"].notna()].reindex(
        columns=["term", "factor", "group", "n", "estimate", "q10", "q25", "q50", "q75", "q90"]
    )
    labels = [
        f"{'all participants' if row.factor == 'all' else f'{term(row.factor)}: {row.group}'} ({count(row.n)})".replace(
            "_", " "
        )
        for row in shown.itertuples()
    ]
    shown = shown.assign(label=labels)
    ends = shown[["q10", "q90", "q25", "q75", "estimate"]].to_numpy(float)
    scale = alt.Scale(domain=[float(np.nanmin(ends)), float(np.nanmax(ends))], nice=True, zero=False)
    y = alt.Y("label:N", sort=labels, title=None, axis=alt.Axis(labelLimit=260, grid=False))
    base = alt.Chart(shown).encode(y=y)
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK, opacity=0.5).encode(x="x:Q")
    layers = [
        zero,
        base.mark_rule(strokeWidth=1.5, color=GREY).encode(
            x=alt.X("q10:Q", scale=scale, title="Age acceleration, years"), x2="q90:Q"
        ),
        base.mark_bar(height=11, color=GREY, opacity=0.45).encode(x=alt.X("q25:Q", scale=scale), x2="q75:Q"),
        base.mark_tick(thickness=2.5, height=13, color=GREY).encode(x="q50:Q"),
        base.mark_point(filled=True, size=45, color=VERMILLION, opacity=1).encode(x="estimate:Q"),
    ]
    chart = alt.layer(*layers).properties(width=INNER - 140, height=max(60, 20 * len(labels)))
    return to_svg(
        chart,
        "Age acceleration in each group: 10th-90th percentile (line), IQR (bar), median (stroke) and mean (dot)",
    )


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
    people: pd.DataFrame, lines: Mapping[str, Line], colours: Mapping[str, str], width: float = plot.WIDTH
) -> Picture:
    """Face age against chronological age, one point per participant, with the line of identity and each cohort's regression line.

    Parameters
    ----------
    people : DataFrame
        cohort, chronological_age, face_age; no identifier.
    lines, colours : by cohort, in the order of the legend
    """
    ages, faces = people[AGE], people[FACE_AGE]
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
        mine = people[people[COHORT] == name]
        x, y = across(mine[AGE].to_numpy(float)), up(mine[FACE_AGE].to_numpy(float))
        layers.append(plot.dots(x, y, 2.6, colours[name], 0.55))
    straight = [_straight(one.slope, one.intercept, across, up, colours[name]) for name, one in lines.items()]
    label = f"Face age against chronological age, one point per participant, with identity and regression line: {', '.join(lines)}"
    parts = [drawn, axes, *layers, _straight(1, 0, across, up), *straight]
    return plot.svg(label, width, bottom + 46, parts, people[[COHORT, AGE, FACE_AGE]])


def draw_histogram(table: pd.DataFrame, lines: Mapping[str, Line], width: float = plot.WIDTH) -> Picture:
    """The same as numbers of participants in squares of both ages, a panel per cohort, for where no participant's row may be shown.

    Parameters
    ----------
    table : DataFrame
        cohort, age_lower, face_age_lower, width, n.
    lines : by cohort, in the order of the panels
    """
    side, most = float(table["width"].iloc[0]), float(table["n"].max())
    ages = table["age_lower"].min(), table["age_lower"].max() + side
    faces = table["face_age_lower"].min(), table["face_age_lower"].max() + side
    columns = max(1, min(3, len(lines), int(width // NARROWEST)))
    wide = (width - 16) / columns
    high = max(260, 0.46 * wide)
    drawn, top = plot.legend([(_REGRESSION, "Regression line"), _IDENTITY, *_shades(most)], LEFT, 14, width)
    parts = [drawn]
    for k, (name, one) in enumerate(lines.items()):
        start, above = (k % columns) * wide, top + HEAD + k // columns * (high + 50 + HEAD)
        across, up, axes = _axes(ages, faces, (start + LEFT, start + wide), (above + high, above))
        squares = [
            f'<path d="M{across(row.age_lower):.1f} {up(row.face_age_lower):.1f}H{across(row.age_lower + side):.1f}'
            f'V{up(row.face_age_lower + side):.1f}H{across(row.age_lower):.1f}z" fill="{GREY}" opacity="{_shade(row.n, most):.2f}"/>'
            for row in table[(table[COHORT] == name) & (table["n"] > 0)].itertuples()
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


LEFT = 56
HEAD = 46  # of a panel
NARROWEST = 270  # a panel whose head has room
_REGRESSION = plot.line("M-10 0h20", VERMILLION, 2.2)
_IDENTITY = (plot.line("M-10 0h20", dash="5 4", opacity=0.7), "Identity")


def _mark(colour: str) -> str:
    return f'{plot.line("M-10 0h20", colour, 2.2)}<circle r="3.5" fill="{colour}"/>'


def _shade(n: float, most: float) -> float:
    return 0.15 + 0.85 * n / most


def _shades(most: float) -> list[tuple[str, str]]:
    """The palest and the darkest square, with their numbers."""
    ends = dict.fromkeys([1.0, most])
    return [
        (f'<path d="M-6 -6h12v12h-12z" fill="{GREY}" opacity="{_shade(n, most):.2f}"/>', f"n = {count(n)}")
        for n in ends
    ]


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
    ends = sorted(
        {across.low, across.high, *((face - intercept) / slope for face in (up.low, up.high) if slope)}
    )
    inside = [
        age
        for age in ends
        if across.low <= age <= across.high and up.low - 1e-6 <= intercept + slope * age <= up.high + 1e-6
    ]
    if len(inside) < 2:
        return ""
    first, last = (f"{across(age):.1f} {up(intercept + slope * age):.1f}" for age in (inside[0], inside[-1]))
    d = f"M{first}L{last}"
    return (
        plot.line(d, "var(--paper,#fff)", 4.5, 0.8) + plot.line(d, colour, 2.4)
        if colour
        else plot.line(d, width=1.3, opacity=0.7, dash="5 4")
    )
