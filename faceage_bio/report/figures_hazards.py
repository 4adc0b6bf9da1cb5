"""Figures of the Cox models: hazard ratios over time, by age acceleration, in subgroups and under other choices."""

import pandas as pd

from faceage_bio.report.colours import BROWN, INK, VERMILLION
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, forest, to_svg
from faceage_bio.report.formats import increase
from faceage_bio.report.words import term

STEPS = [("adjusted for age", VERMILLION), ("adjusted for all covariates", BROWN)]
WIDEST = (0.05, 20.0)  # hazard ratios beyond are cut off


def _ratio_scale(alt, low: float, high: float):
    return alt.Scale(type="log", domain=[max(WIDEST[0], low), min(WIDEST[1], high)], nice=False, clamp=False)


def draw_over_time(curve: pd.DataFrame) -> Picture:
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
            base.mark_area(opacity=0.18, color=VERMILLION, clip=True).encode(
                y=alt.Y("ci_lower:Q", scale=scale, title=title), y2="ci_upper:Q"
            ),
            base.mark_line(color=VERMILLION, strokeWidth=2.2, clip=True).encode(y=y),
            alt.Chart(bins)
            .mark_point(filled=True, size=45, color=INK, opacity=0.8, clip=True)
            .encode(x=x, y=y),
        ]
        held = STEPS[0][0] if step == "+ age" else STEPS[1][0]
        charts.append(
            alt.layer(*layers).properties(
                width=INNER, height=220, title=alt.Title(f"{term(name)}, {held}", anchor="start", fontSize=13)
            )
        )
    return to_svg(alt.vconcat(*charts, spacing=12), "Hazard ratios over the follow-up, with 95% bands")


def draw_curve(table: pd.DataFrame, people: pd.DataFrame) -> Picture:
    """Hazard ratio by age acceleration, and below it the numbers of participants."""
    import altair as alt

    kinds = {"+ age": STEPS[0][0]}
    table = table.assign(kind=table["step"].map(lambda step: kinds.get(step, STEPS[1][0])))
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
        scale=alt.Scale(domain=names, range=[VERMILLION, BROWN][: len(names)]),
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
    ).properties(width=INNER, height=300)
    bars = (
        alt.Chart(people)
        .mark_rect(color=INK, opacity=0.35)
        .encode(
            x=alt.X("lower:Q", title="Age acceleration, years", scale=x_scale), x2="upper:Q",
            y=alt.Y("n:Q", title="n", axis=alt.Axis(tickCount=3)), y2=alt.datum(0),
        )
        .properties(width=INNER, height=70)
    )  # fmt: skip
    return to_svg(
        alt.vconcat(top, bars, spacing=4),
        "Hazard ratio by age acceleration, with numbers of participants",
    )


def draw_subgroups(rows: pd.DataFrame) -> Picture:
    """Hazard ratios in subgroups, with p and q for interaction at the first of each modifier."""
    names = [name for name, _ in STEPS]
    shown = rows.assign(kind=rows["step"].map(lambda step: names[step != "+ age"]))
    shown["test"] = shown["test"].mask(shown.duplicated(["modifier", "kind"]), "")
    title = f"Hazard ratio for death per {increase(shown['per'].iloc[0])} in age acceleration (log scale)"
    return forest(
        shown, "label", "kind", STEPS, 1, title, logarithmic=True, further=("test", "p (q) for interaction")
    )


def held(adjustment: str) -> str:
    """What a model of face age is adjusted for, in short."""
    return STEPS[adjustment != "age"][0]


def draw_choices(rows: pd.DataFrame) -> Picture:
    """The main result under other choices of participants."""
    shown = rows.assign(kind=rows["adjustment"].map(held))
    title = f"Hazard ratio for death per {increase(rows['per'].iloc[0])} in face age (log scale)"
    return forest(shown, "people", "kind", STEPS, 1, title, logarithmic=True)
