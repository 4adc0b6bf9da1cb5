"""Figures of curves in steps, with the numbers at risk standing under the times they belong to."""

from collections.abc import Sequence

import pandas as pd

from faceage_bio.report.figures import CURVES, INK, to_svg

DASHES = [[1, 0], [7, 3], [3, 3], [9, 3, 2, 3], [2, 2], [5, 2]]
WIDTH, LINE = 560, 19  # pixels
MOST_TICKS = 12


def step_curves(
    curves: pd.DataFrame,
    at_risk: pd.DataFrame,
    order: Sequence[str],
    panels: Sequence[tuple[str, str]],
    time: str,
    label: str,
) -> str:
    """Steps with their 95 % bands and a mark at each censoring, never smoothed, and below them how many are at risk.

    Parameters
    ----------
    curves : DataFrame
        group, panel, years, height, ci_lower, ci_upper, censored (how many at that time); until the end of follow-up.
    at_risk : DataFrame
        group, years, shown (the number as text); at the ticks of the axis of time.
    order : groups as they are to stand
    panels : (panel, title of its axis of heights), below each other
    time : title of the axis of time
    label : what the figure is, for screen readers
    """
    import altair as alt

    curves = curves[curves["group"].isin(order) & curves["height"].notna()]
    at_risk = at_risk[at_risk["group"].isin(order)]
    ticks = sorted(at_risk["years"].unique())
    ticks = ticks[:: 1 + (len(ticks) - 1) // MOST_TICKS]
    at_risk = at_risk[at_risk["years"].isin(ticks)]
    end = max(float(curves["years"].max()), *map(float, ticks))
    scale = alt.Scale(domain=[0, end], nice=False)
    n = len(order)
    colours = alt.Scale(domain=list(order), range=[CURVES[place % len(CURVES)] for place in range(n)])
    dashes = alt.Scale(domain=list(order), range=[DASHES[place % len(DASHES)] for place in range(n)])
    legend = alt.Legend(
        symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=2.5, symbolSize=320, columnPadding=14
    )
    colour = alt.Color("group:N", title=None, sort=list(order), scale=colours, legend=legend)
    dash = alt.StrokeDash("group:N", title=None, sort=list(order), scale=dashes, legend=legend)
    rows = []
    for panel, title in panels:
        mine = curves[curves["panel"] == panel]
        x = alt.X(
            "years:Q", scale=scale, axis=alt.Axis(values=ticks, title=time, format="~g", labelFlush=False)
        )
        base = alt.Chart(mine).encode(x=x, color=colour)
        heights = alt.Y("height:Q", title=title, axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
        band = (
            alt.Chart(mine[mine["ci_lower"].notna() & mine["ci_upper"].notna()])
            .mark_area(interpolate="step-after", opacity=0.14)
            .encode(x=x, color=colour, y=alt.Y("ci_lower:Q", scale=alt.Scale(domain=[0, 1])), y2="ci_upper:Q")
        )
        line = base.mark_line(interpolate="step-after", strokeWidth=2.2).encode(y=heights, strokeDash=dash)
        marks = (
            alt.Chart(mine[mine["censored"] > 0])
            .mark_tick(orient="vertical", size=9, thickness=1.4, opacity=0.9)
            .encode(x=x, y=heights, color=colour)
        )
        rows.append(
            alt.layer(band, line, marks).properties(width=WIDTH, height=300 if len(panels) == 1 else 200)
        )
    names = alt.Axis(title=None, domain=False, ticks=False, grid=False, labelPadding=28, labelLimit=170)
    numbers = (
        alt.Chart(at_risk)
        .mark_text(fontSize=12, color=INK)
        .encode(
            x=alt.X("years:Q", scale=scale, axis=None),
            y=alt.Y("group:N", sort=list(order), axis=names),
            text="shown:N",
        )
        .properties(
            width=WIDTH,
            height=LINE * n,
            title=alt.Title("At risk", anchor="start", fontSize=12, fontWeight=500, offset=4),
        )
    )
    # flush: plots stand exactly below each other, whatever room the labels beside them take
    figure = alt.vconcat(*rows, numbers, bounds="flush", spacing=66).resolve_scale(
        color="shared", strokeDash="shared"
    )
    return to_svg(figure, label)
