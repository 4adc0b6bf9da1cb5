"""Figure of the reader study."""

import pandas as pd

from faceage_bio.report.colours import BETWEEN, GREY, INK, VERMILLION
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, to_svg

KINDS = [GREY, *BETWEEN]


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
    names = [*kinds, *dict.fromkeys(mean["kind"]), *dict.fromkeys(model["kind"])]
    colours = [*KINDS[: len(kinds)], *([INK] if len(mean) else []), *([VERMILLION] if len(model) else [])]
    low = min(0.5, shown["estimate"].min(), mean["ci_lower"].min() if len(mean) else 1.0)
    scale = alt.Scale(domain=[low, 1.0], nice=True, zero=False)
    x = alt.X(
        "condition:N", sort=[name.replace("_", " ") for name in conditions], title=None,
        scale=alt.Scale(type="point", padding=0.4), axis=alt.Axis(labelAngle=0, grid=False),
    )  # fmt: skip
    y = alt.Y("estimate:Q", title="Area under the curve", scale=scale)
    colour = alt.Color(
        "kind:N", title=None, sort=names, scale=alt.Scale(domain=names, range=colours),
        legend=alt.Legend(symbolType="square", symbolOpacity=1),
    )  # fmt: skip
    each = alt.Chart(readers).encode(x=x, y=y, color=colour, detail="term:N")
    layers = [
        alt.Chart(pd.DataFrame({"y": [0.5]}))
        .mark_rule(color=INK, opacity=0.4, strokeDash=[2, 3])
        .encode(y=alt.Y("y:Q", scale=scale)),
        each.mark_line(strokeWidth=1.2, opacity=0.6),
        each.mark_point(filled=True, size=22, opacity=0.8),
    ]
    if len(model):
        layers.append(
            alt.Chart(model).mark_line(strokeWidth=2, strokeDash=[7, 4]).encode(x=x, y=y, color=colour)
        )
    if len(mean):
        bold = alt.Chart(mean).encode(x=x, color=colour)
        layers += [
            bold.mark_rule(strokeWidth=3).encode(y=alt.Y("ci_lower:Q", scale=scale), y2="ci_upper:Q"),
            bold.mark_line(strokeWidth=3).encode(y=y),
            bold.mark_point(filled=True, size=110, opacity=1).encode(y=y),
        ]
    chart = alt.layer(*layers).properties(width=INNER, height=340)
    return to_svg(
        chart,
        "Area under the curve of each reader and of their mean under each condition, and of the model alone",
    )
