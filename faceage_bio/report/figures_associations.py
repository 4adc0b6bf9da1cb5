"""Figures of the comparisons. In each of them grey is the unadjusted age gap and vermillion the same adjusted for age."""

import numpy as np
import pandas as pd

from faceage_bio.report.colours import BROWN, GREY, INK, VERMILLION
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, RAW_AND_ADJUSTED, adjusted, forest, to_svg
from faceage_bio.report.formats import p_value
from faceage_bio.report.words import label, term

NAMES = [name for name, _ in RAW_AND_ADJUSTED]
COLOURS = [colour for _, colour in RAW_AND_ADJUSTED]


def _colour(alt):
    return alt.Color(
        "kind:N",
        title=None,
        sort=NAMES,
        scale=alt.Scale(domain=NAMES, range=COLOURS),
        legend=alt.Legend(symbolOpacity=1),
    )


def draw_means(table: pd.DataFrame) -> Picture:
    """Mean age gap and age acceleration in each group, factor by factor."""
    shown = table.assign(kind=adjusted(table))
    return forest(
        shown,
        "shown",
        "kind",
        RAW_AND_ADJUSTED,
        0,
        "Mean, years of face age above chronological age",
        digits=1,
    )


def draw_pairs(table: pd.DataFrame) -> Picture:
    """Differences between all pairs of groups."""
    shown = table.assign(kind=adjusted(table))
    return forest(
        shown, "shown", "kind", RAW_AND_ADJUSTED, 0, "Difference in face age between groups, years", digits=1
    )


def draw_dose(curves: pd.DataFrame) -> Picture:
    """Years against the reference value, by amount, with a band."""
    import altair as alt

    shown = curves.assign(kind=adjusted(curves))
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
        title = f"Difference in years, reference {part.reference.iloc[0]:.3g}"
        charts.append(
            alt.layer(
                alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=INK, opacity=0.5, strokeDash=[2, 3]).encode(y="y:Q"),
                base.mark_area(opacity=0.16).encode(y=alt.Y("ci_lower:Q", title=title), y2="ci_upper:Q"),
                base.mark_line(strokeWidth=2.2).encode(y="estimate:Q"),
            ).properties(width=370, height=260)
        )  # fmt: skip
    return to_svg(
        alt.hconcat(*charts),
        "Difference in face age by exposure, unadjusted and adjusted for age, with 95% bands",
    )


def draw_subgroups(table: pd.DataFrame) -> Picture:
    """The first contrast of each exposure in each subgroup, with p and q for interaction."""
    shown = table.assign(kind=adjusted(table), subgroup=table["subgroup"].map(_subgroup))
    shown = shown[shown["estimate"].notna()]
    first = ~shown[shown["kind"] == NAMES[1]].duplicated(["shown", "modifier"])
    tested = first.reindex(shown.index, fill_value=False) & shown["p_interaction"].notna()
    shown["test"] = [
        f"{p_value(row.p_interaction)} ({p_value(row.q_interaction)})" if told else ""
        for row, told in zip(shown.itertuples(), tested, strict=True)
    ]
    return forest(
        shown, "subgroup", "kind", RAW_AND_ADJUSTED, 0, "Difference in face age, years", section="shown",
        further=("test", "p (q) for interaction"), digits=1,
    )  # fmt: skip


def _subgroup(name: str) -> str:
    modifier, _, level = str(name).partition(": ")
    return f"{term(modifier)}: {level}"


def draw_adjustments(table: pd.DataFrame) -> Picture:
    """Each contrast under each adjustment set, complete cases and multiple imputation, and unadjusted."""
    shown = table[table["estimate"].notna()]
    raw = adjusted(shown) == NAMES[0]
    # the unadjusted gap of the participants of the minimal set stands for all of them; the table has each
    shown = shown[~raw | ((shown.adjustment_set == "minimal") & (shown.missing == "complete cases"))].copy()
    raw = adjusted(shown) == NAMES[0]
    shown["set"] = np.where(raw, NAMES[0], shown.adjustment_set + " adjustment")
    shown["kind"] = np.where(raw, NAMES[0], shown.missing)
    kinds = [(NAMES[0], GREY), ("complete cases", VERMILLION), ("multiple imputation", BROWN)]
    title = "Difference in face age, years"
    return forest(shown, "set", "kind", kinds, 0, title, section="shown", digits=1)


def draw_specifications(table: pd.DataFrame) -> Picture:
    """Estimates in order of size, and below each the choices that gave it."""
    import altair as alt

    shown = table[table.estimate.notna()].sort_values("estimate", kind="stable").reset_index(drop=True)
    if not len(shown):
        return Picture()
    shown["place"] = shown.index + 1
    raw = adjusted(shown) == NAMES[0]
    kinds = [NAMES[0], "p < 0.05", "p ≥ 0.05"]
    shown["kind"] = np.where(raw, kinds[0], np.where(shown.p_value < 0.05, kinds[1], kinds[2]))
    colour = alt.Color(
        "kind:N", title=None, sort=kinds, scale=alt.Scale(domain=kinds, range=[GREY, VERMILLION, BROWN])
    )
    # whole places only, with room at both ends
    x = alt.X("place:Q", title=None, axis=None, scale=alt.Scale(domain=[0, len(shown) + 1], nice=False))
    base = alt.Chart(shown).encode(x=x, color=colour)
    top = alt.layer(
        alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=INK, opacity=0.6).encode(y="y:Q"),
        base.mark_rule(strokeWidth=2, opacity=0.7).encode(y=alt.Y("ci_lower:Q", title="Difference in face age, years"), y2="ci_upper:Q"),
        base.mark_point(filled=True, size=34, opacity=1).encode(y="estimate:Q"),
    ).properties(width=INNER - 120, height=220, title=alt.Title(shown["shown"].iloc[0], anchor="start", fontSize=13))  # fmt: skip
    choices = []
    for column, name in (
        ("definition", "definition"),
        ("adjustment_set", "adjusted for"),
        ("excluded", "excluded"),
    ):
        options = list(dict.fromkeys(table[column]))
        if len(options) < 2:
            continue
        part = shown.assign(choice=shown[column].map(_choice))
        order = [_choice(option) for option in options]
        choices.append(
            alt.Chart(part).mark_tick(thickness=2.4, size=9, opacity=1).encode(
                x=x, color=colour,
                y=alt.Y("choice:N", sort=order, title=name, axis=alt.Axis(labelLimit=250, titleAnchor="middle", titlePadding=34)),
            ).properties(width=INNER - 120, height=17 * len(order))
        )  # fmt: skip
    return to_svg(
        alt.vconcat(top, *choices, spacing=6), "Estimates under all specifications, in order of size"
    )


def _choice(option: str) -> str:
    """A choice of a specification as it is written."""
    return term(option).replace("_", " ")


def draw_balance(table: pd.DataFrame) -> Picture:
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
        color=alt.Color("kind:N", title=None, sort=kinds, scale=alt.Scale(domain=kinds, range=[GREY, VERMILLION])),
    )  # fmt: skip
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK, opacity=0.6).encode(x="x:Q")
    return to_svg(
        alt.layer(zero, limits, points).properties(width=INNER - 140, height=max(70, 22 * len(order))),
        "Standardised differences before and after matching",
    )
