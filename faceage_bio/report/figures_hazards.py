"""Figures of what is asked of the Cox models; points are bins of several people or deaths, never one."""

import pandas as pd

from faceage_bio.report.figures import BLUE, INK, ORANGE, forest, to_svg
from faceage_bio.report.words import term

WIDTH = 320
WIDEST = (0.05, 20.0)  # hazard ratios beyond are cut off


def _ratio_scale(alt, low: float, high: float):
    return alt.Scale(type="log", domain=[max(WIDEST[0], low), min(WIDEST[1], high)], nice=False, clamp=False)


def over_time(curve: pd.DataFrame) -> str:
    """Hazard ratios over the follow-up: the smooth with its band, and the mean of each tenth of the deaths."""
    import altair as alt

    charts = []
    for (step, name), mine in curve.groupby(["step", "term"], sort=False):
        smooth, bins = mine[mine["kind"] == "smooth"], mine[mine["kind"] == "binned"]
        ends = [*smooth["ci_lower"], *smooth["ci_upper"]]
        scale = _ratio_scale(alt, min(ends), max(ends))
        title = "Hazard ratio (log scale)"
        y = alt.Y("hazard_ratio:Q", title=title, scale=scale)
        x = alt.X(
            "years:Q", title="Years", scale=alt.Scale(domain=[0, 1.03 * mine["years"].max()], nice=False)
        )
        base = alt.Chart(smooth).encode(x=x)
        one = (
            alt.Chart(pd.DataFrame({"y": [1]}))
            .mark_rule(color=INK, opacity=0.5, strokeDash=[3, 3])
            .encode(y="y:Q")
        )
        layers = [
            one,
            base.mark_area(opacity=0.18, color=BLUE, clip=True).encode(
                y=alt.Y("ci_lower:Q", scale=scale, title=title), y2="ci_upper:Q"
            ),
            base.mark_line(color=BLUE, strokeWidth=2.2, clip=True).encode(y=y),
            alt.Chart(bins)
            .mark_point(filled=True, size=45, color=INK, opacity=0.8, clip=True)
            .encode(x=x, y=y),
        ]
        held = "age held constant" if step == "+ age" else "all covariates held constant"
        charts.append(
            alt.layer(*layers).properties(
                width=520, height=170, title=alt.Title(f"{term(name)}, {held}", anchor="start", fontSize=13)
            )
        )
    return to_svg(alt.vconcat(*charts, spacing=12), "Hazard ratios over the follow-up, with their 95 % bands")


def curve(table: pd.DataFrame, people: pd.DataFrame) -> str:
    """Hazard ratio by years of age acceleration, and below it how many people carry it."""
    import altair as alt

    kinds = {"+ age": "age held constant"}
    table = table.assign(kind=table["step"].map(lambda step: kinds.get(step, "all covariates held constant")))
    names = list(dict.fromkeys(table["kind"]))
    domain = [
        min(table["years"].min(), people["lower"].min()),
        max(table["years"].max(), people["upper"].max()),
    ]
    x_scale = alt.Scale(domain=domain, nice=False)
    legend = alt.Legend(symbolType="square", symbolOpacity=1, columnPadding=24)
    colour = alt.Color(
        "kind:N",
        title=None,
        sort=names,
        legend=legend,
        scale=alt.Scale(domain=names, range=[BLUE, ORANGE][: len(names)]),
    )
    scale = _ratio_scale(alt, table["ci_lower"].min(), table["ci_upper"].max())
    base = alt.Chart(table).encode(
        x=alt.X("years:Q", title=None, scale=x_scale, axis=alt.Axis(labels=False)), color=colour
    )
    one = (
        alt.Chart(pd.DataFrame({"y": [1]}))
        .mark_rule(color=INK, opacity=0.5, strokeDash=[3, 3])
        .encode(y="y:Q")
    )
    top = alt.layer(
        one,
        base.mark_area(opacity=0.15, clip=True).encode(
            y=alt.Y("ci_lower:Q", scale=scale, title="Hazard ratio (log scale)"), y2="ci_upper:Q"
        ),
        base.mark_line(strokeWidth=2.2, clip=True).encode(y=alt.Y("hazard_ratio:Q", scale=scale)),
    ).properties(width=520, height=240)
    bars = (
        alt.Chart(people)
        .mark_rect(color=INK, opacity=0.35)
        .encode(
            x=alt.X("lower:Q", title="Age acceleration, years", scale=x_scale), x2="upper:Q",
            y=alt.Y("n:Q", title="People", axis=alt.Axis(tickCount=3)), y2=alt.datum(0),
        )
        .properties(width=520, height=60)
    )  # fmt: skip
    return to_svg(
        alt.vconcat(top, bars, spacing=4),
        "Hazard ratio by years of age acceleration, and how many people have them",
    )


def subgroups(rows: pd.DataFrame) -> str:
    """Hazard ratios in subgroups, with the p and q of the interaction beside the first of each modifier."""
    import altair as alt

    colours = [("age held constant", BLUE), ("all covariates held constant", ORANGE)]
    names = [name for name, _ in colours]
    shown = rows.assign(kind=rows["step"].map(lambda step: names[step != "+ age"]))
    order = list(dict.fromkeys(shown["label"]))
    title = f"Hazard ratio of age acceleration per {shown['per'].iloc[0]} (log scale)"
    y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=330, grid=False))
    shared = {
        "y": y, "yOffset": alt.YOffset("kind:N", sort=names, scale=alt.Scale(paddingOuter=0.35)),
        "color": alt.Color("kind:N", title=None, sort=names, scale=alt.Scale(domain=names, range=[c for _, c in colours]), legend=alt.Legend(symbolOpacity=1)),
    }  # fmt: skip
    base = alt.Chart(shown).encode(**shared)
    scale = _ratio_scale(alt, min(0.9, shown["ci_lower"].min()), max(1.1, shown["ci_upper"].max()))
    layers = [
        alt.Chart(pd.DataFrame({"x": [1]})).mark_rule(color=INK, opacity=0.6).encode(x="x:Q"),
        base.mark_rule(strokeWidth=2, clip=True).encode(
            x=alt.X("ci_lower:Q", title=title, scale=scale), x2="ci_upper:Q"
        ),
        base.mark_point(filled=True, size=55, opacity=1, clip=True).encode(x="estimate:Q"),
    ]
    tests = shown[shown["test"] != ""].drop_duplicates(["modifier", "kind"])
    if len(tests):
        beside = alt.Chart(tests).encode(**shared)
        layers.append(
            beside.mark_text(align="left", fontSize=11).encode(x=alt.value(WIDTH + 8), text="test:N")
        )
    chart = alt.layer(*layers).properties(width=WIDTH, height=max(80, 34 * len(order)))
    return to_svg(chart, "Hazard ratio of age acceleration in subgroups, with p and q of the interaction")


def held(adjustment: str) -> str:
    """What a model of face age is adjusted for, in short."""
    return "age held constant" if adjustment == "age" else "all covariates held constant"


def choices(rows: pd.DataFrame) -> str:
    """The headline under other choices of who counts."""
    shown = rows.assign(kind=rows["adjustment"].map(held))
    colours = [("age held constant", BLUE), ("all covariates held constant", ORANGE)]
    title = f"Hazard ratio of face age per {rows['per'].iloc[0]} (log scale)"
    return forest(shown, "people", "kind", colours, 1, title, logarithmic=True)
