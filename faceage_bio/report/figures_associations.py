"""Figures of the comparisons. In each of them grey is the raw age gap and blue the same with age held constant."""

import numpy as np
import pandas as pd

from faceage_bio.report.figures import BLUE, INK, ORANGE, RAW_AND_ADJUSTED, forest, to_svg
from faceage_bio.report.formats import beside
from faceage_bio.report.words import label, term

GREY = RAW_AND_ADJUSTED[0][1]
NAMES = [name for name, _ in RAW_AND_ADJUSTED]
COLOURS = [colour for _, colour in RAW_AND_ADJUSTED]


def _kind(table: pd.DataFrame) -> pd.Series:
    return (table["adjustment"] == "unadjusted").map({True: NAMES[0], False: NAMES[1]})


def _colour(alt):
    return alt.Color(
        "kind:N",
        title=None,
        sort=NAMES,
        scale=alt.Scale(domain=NAMES, range=COLOURS),
        legend=alt.Legend(symbolOpacity=1),
    )


def means(table: pd.DataFrame) -> str:
    """Years above one's own age in each group, factor by factor."""
    shown = table.assign(kind=_kind(table))
    shown["label"] = shown["shown"] + shown["n"].map(beside)
    return forest(
        shown, "label", "kind", RAW_AND_ADJUSTED, 0, "Years that faces look older than their owners are"
    )


def pairs(table: pd.DataFrame) -> str:
    """Differences between all pairs of groups."""
    shown = table.assign(kind=_kind(table), label=table["shown"])
    return forest(shown, "label", "kind", RAW_AND_ADJUSTED, 0, "Difference between groups, years of face age")


def dose(curves: pd.DataFrame) -> str:
    """Years against the reference value, by amount, with a band."""
    import altair as alt

    shown = curves.assign(kind=_kind(curves))
    charts = []
    for name, part in shown.groupby("term", sort=False):
        base = alt.Chart(part).encode(
            x=alt.X(
                "value:Q",
                title=f"{term(str(name))[0].upper()}{term(str(name))[1:]}",
                scale=alt.Scale(zero=False, nice=False),
            ),
            color=_colour(alt),
        )
        title = f"Years against {part.reference.iloc[0]:.3g}"
        charts.append(
            alt.layer(
                alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=INK, opacity=0.5, strokeDash=[2, 3]).encode(y="y:Q"),
                base.mark_area(opacity=0.16).encode(y=alt.Y("ci_lower:Q", title=title), y2="ci_upper:Q"),
                base.mark_line(strokeWidth=2.2).encode(y="estimate:Q"),
            ).properties(width=270, height=220)
        )  # fmt: skip
    return to_svg(
        alt.hconcat(*charts), "Years of face age by amount, raw and with age held constant, with 95 % bands"
    )


def subgroups(table: pd.DataFrame) -> str:
    """The headline contrast of each exposure in each subgroup, with the p of the interaction beside it."""
    import altair as alt

    shown = table[table.estimate.notna()].assign(kind=_kind(table))
    shown["label"] = [
        _subgroup(row.subgroup) + beside(row.n) for row in shown[["subgroup", "n"]].itertuples()
    ]
    charts = []
    for name, part in shown.groupby("shown", sort=False):
        order = list(dict.fromkeys(part["label"]))
        adjusted = part[part.kind == NAMES[1]]
        tests = adjusted[adjusted.p_interaction.notna()].drop_duplicates("modifier")
        tests = tests.assign(
            text=[f"p {_p(row.p_interaction)}, q {_p(row.q_interaction)}" for row in tests.itertuples()]
        )
        y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=260, grid=False))
        base = alt.Chart(part).encode(
            y=y,
            yOffset=alt.YOffset("kind:N", sort=NAMES, scale=alt.Scale(paddingOuter=0.35)),
            color=_colour(alt),
        )
        # few people may have an interval so wide that the others cannot be seen
        edge = 3 * float(np.nanpercentile(np.abs([part.estimate]), 75)) + float(
            np.nanmedian(part.ci_upper - part.ci_lower)
        )
        scale = alt.Scale(
            domain=[max(part.ci_lower.min(), -edge), min(part.ci_upper.max(), edge)], clamp=True, zero=False
        )
        layers = [
            alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK, opacity=0.6).encode(x="x:Q"),
            base.mark_rule(strokeWidth=2, clip=True).encode(x=alt.X("ci_lower:Q", title="Years of face age", scale=scale), x2="ci_upper:Q"),
            base.mark_point(filled=True, size=50, opacity=1, clip=True).encode(x="estimate:Q"),
        ]  # fmt: skip
        if len(tests):
            layers.append(
                alt.Chart(tests).mark_text(align="left", color=INK, fontSize=11).encode(
                    y=y, x=alt.value(408), text="text:N"
                )
            )  # fmt: skip
        charts.append(
            alt.layer(*layers).properties(
                width=400,
                height=max(60, 26 * len(order)),
                title=alt.Title(str(name), anchor="start", fontSize=13),
            )
        )
    return to_svg(alt.vconcat(*charts), "Years of face age in subgroups, with interaction p and q")


def _subgroup(name: str) -> str:
    modifier, _, level = str(name).partition(": ")
    return f"{term(modifier)}: {level}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def adjustments(table: pd.DataFrame) -> str:
    """Each contrast under each set, complete cases and multiple imputation, and raw."""
    import altair as alt

    shown = table[table.estimate.notna()]
    raw = _kind(shown) == NAMES[0]
    # the raw gap of the people of the minimal set stands for all of them; the table has each
    shown = shown[~raw | ((shown.adjustment_set == "minimal") & (shown.missing == "complete cases"))].copy()
    raw = _kind(shown) == NAMES[0]
    shown["set"] = np.where(raw, "raw age gap", shown.adjustment_set)
    shown["kind"] = np.where(raw, NAMES[0], shown.missing)
    kinds = [NAMES[0], "complete cases", "multiple imputation"]
    sets = ["raw age gap", "minimal", "without mediators", "full"]
    base = alt.Chart(shown).encode(
        y=alt.Y("set:N", sort=sets, title=None, axis=alt.Axis(grid=False, labelLimit=220)),
        yOffset=alt.YOffset("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, paddingOuter=0.3)),
        color=alt.Color(
            "kind:N", title=None, sort=kinds, scale=alt.Scale(domain=kinds, range=[GREY, BLUE, ORANGE])
        ),
    )
    zero = alt.Chart(shown).mark_rule(color=INK, opacity=0.08).encode(x=alt.datum(0))
    chart = alt.layer(
        zero,
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("ci_lower:Q", title="Years of face age"), x2="ci_upper:Q"
        ),
        base.mark_point(filled=True, size=50, opacity=1).encode(x="estimate:Q"),
    ).properties(width=400, height=110)
    rows = alt.Row("shown:N", title=None, sort=list(dict.fromkeys(shown["shown"])),
                   header=alt.Header(labelAngle=0, labelAlign="left", labelAnchor="start", labelOrient="top", labelColor=INK, labelFontSize=13, labelPadding=1))  # fmt: skip
    return to_svg(chart.facet(row=rows, spacing=20), "Years of face age under each adjustment set")


def specifications(table: pd.DataFrame) -> str:
    """Estimates in order of size, and below each the choices that gave it."""
    import altair as alt

    shown = table[table.estimate.notna()].sort_values("estimate", kind="stable").reset_index(drop=True)
    if not len(shown):
        return ""
    shown["place"] = shown.index + 1
    raw = _kind(shown) == NAMES[0]
    kinds = [NAMES[0], "p below 0.05", "p 0.05 and above"]
    shown["kind"] = np.where(raw, kinds[0], np.where(shown.p_value < 0.05, kinds[1], kinds[2]))
    colour = alt.Color(
        "kind:N", title=None, sort=kinds, scale=alt.Scale(domain=kinds, range=[GREY, BLUE, ORANGE])
    )
    # whole places only, with room at both ends
    x = alt.X("place:Q", title=None, axis=None, scale=alt.Scale(domain=[0, len(shown) + 1], nice=False))
    base = alt.Chart(shown).encode(x=x, color=colour)
    top = alt.layer(
        alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=INK, opacity=0.6).encode(y="y:Q"),
        base.mark_rule(strokeWidth=2, opacity=0.7).encode(y=alt.Y("ci_lower:Q", title="Years of face age"), y2="ci_upper:Q"),
        base.mark_point(filled=True, size=34, opacity=1).encode(y="estimate:Q"),
    ).properties(width=520, height=170, title=alt.Title(shown["shown"].iloc[0], anchor="start", fontSize=13))  # fmt: skip
    choices = []
    for column, name in (
        ("definition", "definition"),
        ("adjustment_set", "held constant"),
        ("excluded", "left out"),
    ):
        options = list(dict.fromkeys(table[column]))
        if len(options) < 2:
            continue
        part = shown.assign(choice=shown[column].map(lambda option: f"{term(option)}".replace("_", " ")))
        order = [f"{term(option)}".replace("_", " ") for option in options]
        choices.append(
            alt.Chart(part).mark_tick(thickness=2.4, size=9, opacity=1).encode(
                x=x, color=colour,
                y=alt.Y("choice:N", sort=order, title=name, axis=alt.Axis(labelLimit=250, titleAnchor="middle", titlePadding=34)),
            ).properties(width=520, height=17 * len(order))
        )  # fmt: skip
    return to_svg(
        alt.vconcat(top, *choices, spacing=6), "Estimates under all specifications, in order of size"
    )


def balance(table: pd.DataFrame) -> str:
    """Standardised differences before and after matching."""
    import altair as alt

    shown = table[table.estimate.notna()]
    kind = (shown.adjustment == "unadjusted").map({True: "before", False: "after"})
    shown = shown.assign(label=shown.term.map(label), kind=kind)[["label", "kind", "estimate"]]
    kinds = ["before", "after"]
    order = list(dict.fromkeys(shown["label"]))
    limits = (
        alt.Chart(pd.DataFrame({"x": [-0.1, 0.1]}))
        .mark_rule(color=INK, opacity=0.5, strokeDash=[3, 3])
        .encode(x="x:Q")
    )
    points = alt.Chart(shown).mark_point(filled=True, size=60, opacity=1).encode(
        x=alt.X("estimate:Q", title="Standardised difference, exposed minus reference"),
        y=alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=260, grid=True)),
        color=alt.Color("kind:N", title=None, sort=kinds, scale=alt.Scale(domain=kinds, range=[GREY, BLUE])),
    )  # fmt: skip
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK, opacity=0.6).encode(x="x:Q")
    return to_svg(
        alt.layer(zero, limits, points).properties(width=400, height=max(70, 22 * len(order))),
        "Standardised differences before and after matching",
    )
