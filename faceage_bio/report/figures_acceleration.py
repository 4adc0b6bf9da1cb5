"""Figures of how age acceleration is defined: each definition by age, with and without what lies outside of the test."""

import pandas as pd

from faceage_bio.report.colours import BROWN, GREY, INK, VERMILLION, VIOLET
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, to_svg
from faceage_bio.report.formats import increase

SHOWN = [
    ("age gap", GREY, [2, 2]),
    ("line", VERMILLION, [1, 0]),
    ("spline", VIOLET, [7, 3]),
    ("loess", BROWN, [3, 3]),
]
METHODS = [("as measured", GREY), ("regression calibration", VERMILLION), ("SIMEX", BROWN)]
TERMS = [("age gap", GREY), ("age acceleration", VERMILLION)]
HAZARDS = [("unadjusted", GREY), ("adjusted for age", VERMILLION)]
RELIABILITIES = [("ICC(1,1)", GREY), ("ICC(A,1)", VERMILLION)]
RATE_COLOURS = [("face ageing rate", VERMILLION)]


def draw_definition_curves(bands: pd.DataFrame) -> Picture:
    """Mean of each definition by decade of age with its 95% CI; level at zero: independent of age.

    ``bands``: ``kind`` (a name of ``SHOWN``), age_mean, mean, ci_lower, ci_upper; participants are not drawn.
    """
    import altair as alt

    names = [name for name, _, _ in SHOWN if name in set(bands["kind"])]
    known = {name: (colour, dash) for name, colour, dash in SHOWN}
    colour = alt.Color(
        "kind:N",
        title=None,
        sort=names,
        legend=alt.Legend(symbolOpacity=1),
        scale=alt.Scale(domain=names, range=[known[name][0] for name in names]),
    )
    dash = alt.StrokeDash(
        "kind:N",
        title=None,
        sort=names,
        scale=alt.Scale(domain=names, range=[known[name][1] for name in names]),
    )
    scale = alt.Scale(zero=False, nice=True)
    # side by side by half a year, so that bars of one band can be told apart
    place = {name: 0.5 * (number - (len(names) - 1) / 2) for number, name in enumerate(names)}
    shown = bands[bands["kind"].isin(names)]
    shown = shown.assign(x=shown["age_mean"] + shown["kind"].map(place))
    base = alt.Chart(shown).encode(
        x=alt.X("x:Q", title="Chronological age, years (mean of the band)", scale=scale), color=colour
    )
    zero = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=INK, opacity=0.5).encode(y="y:Q")
    chart = alt.layer(
        zero,
        base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(y="ci_lower:Q", y2="ci_upper:Q"),
        base.mark_line(strokeWidth=2).encode(y=alt.Y("mean:Q", title="Mean, years"), strokeDash=dash),
        base.mark_point(filled=True, size=40, opacity=1).encode(y="mean:Q"),
    ).properties(width=INNER, height=300)
    return to_svg(chart, "Mean age gap and age acceleration by chronological age, by definition")


def draw_corrected_slopes(table: pd.DataFrame) -> Picture:
    """Slopes of each outcome by method, each outcome on a scale of its own, since their units differ."""
    import altair as alt

    names = [name for name, _ in METHODS]
    colour = alt.Color("kind:N", legend=None, scale=alt.Scale(domain=names, range=[c for _, c in METHODS]))
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK, opacity=0.6).encode(x="x:Q")
    charts = []
    for outcome, rows in table.groupby("outcome", sort=False):
        base = alt.Chart(rows).encode(
            y=alt.Y("kind:N", sort=names, title=None, axis=alt.Axis(labelLimit=320, grid=False)), color=colour
        )
        x = alt.X(
            "ci_lower:Q",
            title=f"Difference in {outcome} per {increase(rows['per'].iloc[0])} in age acceleration",
        )
        layers = [zero, base.mark_rule(strokeWidth=2).encode(x=x, x2="ci_upper:Q"),
                  base.mark_point(filled=True, size=55, opacity=1).encode(x="estimate:Q")]  # fmt: skip
        charts.append(alt.layer(*layers).properties(width=INNER - 100, height=66))
    return to_svg(
        alt.vconcat(*charts), "Slopes on age acceleration, as measured and corrected for measurement error"
    )
