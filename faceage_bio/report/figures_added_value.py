"""Figures of what predictions are worth: areas over time, predicted against observed, net benefit."""

import pandas as pd

from faceage_bio.report.colours import BROWN, GREY, INK, VERMILLION
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, to_svg
from faceage_bio.report.formats import time_words

WITHOUT, WITH = GREY, VERMILLION
LOWEST_BENEFIT = -0.05
PANEL = 258


def _colour(alt, names: list[str], column: str = "model"):
    return alt.Color(
        f"{column}:N", title=None, sort=names, scale=alt.Scale(domain=names, range=[WITHOUT, WITH]),
        legend=alt.Legend(symbolType="square", symbolOpacity=1, columns=1, labelLimit=560),
    )  # fmt: skip


def draw_areas(rows: pd.DataFrame) -> Picture:
    """Areas under the curve at each time, without and with face age, a panel per question."""
    import altair as alt

    rows = rows.assign(time=rows.horizon.map(time_words), far=rows.ci_upper.fillna(rows.estimate))
    order = list(dict.fromkeys(rows.sort_values("horizon")["time"]))
    low = min(0.5, rows.ci_lower.fillna(rows.estimate).min())
    scale = alt.Scale(domain=[max(0, low - 0.02), min(1, rows.far.max() + 0.02)], nice=False, zero=False)
    panels = []
    for question, mine in rows.groupby("comparison", sort=False):
        names = list(dict.fromkeys(mine["model"]))
        mine = mine.assign(which=mine.model.map({names[0]: "without", names[-1]: "with"}))
        base = alt.Chart(mine).encode(
            x=alt.X("time:N", sort=order, title=None, axis=alt.Axis(labelAngle=0, grid=False)),
            xOffset=alt.XOffset("which:N", sort=["without", "with"], scale=alt.Scale(paddingOuter=0.6)),
            color=_colour(alt, names),
        )
        chance = alt.Chart(pd.DataFrame({"y": [0.5]})).mark_rule(color=INK, opacity=0.5, strokeDash=[3, 3])
        y = alt.Y("estimate:Q", title="AUC", scale=scale)
        panels.append(
            alt.layer(
                chance.encode(y=alt.Y("y:Q", scale=scale, title="AUC")),
                base.mark_rule(strokeWidth=2).encode(
                    y=alt.Y("ci_lower:Q", scale=scale, title="AUC"), y2="ci_upper:Q"
                ),
                base.mark_point(filled=True, size=60, opacity=1).encode(y=y),
            ).properties(
                width=INNER,
                height=190,
                title=alt.Title(f"{question[0].upper()}{question[1:]}", anchor="start", fontSize=13),
            )
        )
    chart = alt.vconcat(*panels, spacing=14).resolve_scale(color="independent")
    return to_svg(chart, "Areas under the curve by time, without and with face age, with 95% CIs")


def draw_calibration(rows: pd.DataFrame, names: list[str], titles: list[str]) -> Picture:
    """Observed against predicted risk, a panel per time and model: smooth curve with its band, groups with their intervals."""
    import altair as alt

    columns = []
    for time, at in rows[rows.kind.isin(["curve", "group"])].groupby("horizon"):
        ends = at[["predicted", "estimate", "ci_upper"]]
        top = min(1.0, 1.02 * float(ends.max().max()))
        scale = alt.Scale(domain=[0, top], nice=False, clamp=False)
        panels = []
        for number, (name, colour) in enumerate(zip(names, (WITHOUT, WITH), strict=True)):
            mine = at[at.model == name]
            x = alt.X(
                "predicted:Q",
                title="Predicted" if number else None,
                scale=scale,
                axis=alt.Axis(format="%", tickCount=4),
            )
            y_title = f"Observed, {time_words(time)}"
            axis = alt.Axis(format="%", tickCount=4)

            def y(column: str, title: str = y_title, scale=scale, axis=axis):
                return alt.Y(f"{column}:Q", title=title, scale=scale, axis=axis)

            curve, groups = alt.Chart(mine[mine.kind == "curve"]), alt.Chart(mine[mine.kind == "group"])
            right = alt.Chart(pd.DataFrame({"predicted": [0, top], "estimate": [0, top]}))
            panels.append(
                alt.layer(
                    right.mark_line(color=INK, opacity=0.5, strokeDash=[3, 3]).encode(x=x, y=y("estimate")),
                    curve.mark_area(opacity=0.16, color=colour, clip=True).encode(
                        x=x, y=y("ci_lower"), y2="ci_upper:Q"
                    ),
                    curve.mark_line(color=colour, strokeWidth=2, clip=True).encode(x=x, y=y("estimate")),
                    groups.mark_rule(color=INK, opacity=0.7, clip=True).encode(
                        x=x, y=y("ci_lower"), y2="ci_upper:Q"
                    ),
                    groups.mark_point(filled=True, size=40, color=INK, opacity=0.9).encode(
                        x=x, y=y("estimate")
                    ),
                ).properties(
                    width=PANEL,
                    height=PANEL,
                    title=alt.Title(titles[number], fontSize=12),
                )
            )
        columns.append(alt.vconcat(*panels, spacing=10))
    return to_svg(alt.hconcat(*columns, spacing=18), "Observed against predicted risk of death, with 95% CIs")


def draw_decisions(rows: pd.DataFrame, titles: list[str]) -> Picture:
    """Net benefit by threshold, a panel per time: either model, treat all, treat none."""
    import altair as alt

    order = [*titles, "treat all", "treat none"]
    ranges = [WITHOUT, WITH, BROWN, INK]
    dashes = [[1, 0], [1, 0], [6, 3], [2, 3]]
    panels = []
    for number, (time, at) in enumerate(rows.groupby("horizon")):
        scale = alt.Scale(domain=[LOWEST_BENEFIT, max(0.02, 1.05 * at.estimate.max())], nice=False)
        legend = (
            alt.Legend(columns=2, labelLimit=320, symbolType="stroke", symbolStrokeWidth=3)
            if not number
            else None
        )
        panels.append(
            alt.Chart(at)
            .mark_line(strokeWidth=2, clip=True)
            .encode(
                x=alt.X(
                    "threshold:Q",
                    title=f"Threshold probability, {time_words(time)}",
                    axis=alt.Axis(format="%", tickCount=4),
                ),
                y=alt.Y("estimate:Q", title=None if number else "Net benefit", scale=scale),
                color=alt.Color(
                    "term:N",
                    title=None,
                    sort=order,
                    legend=legend,
                    scale=alt.Scale(domain=order, range=ranges),
                ),
                strokeDash=alt.StrokeDash(
                    "term:N", title=None, sort=order, legend=None, scale=alt.Scale(domain=order, range=dashes)
                ),
            )
            .properties(width=PANEL, height=PANEL)
        )
    return to_svg(alt.hconcat(*panels, spacing=18), "Net benefit by threshold probability")
