"""Figures of the page on photo quality."""

import pandas as pd

from faceage_bio.report.colours import of_cohorts
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import to_svg


def draw_outcomes(rows: pd.DataFrame, names: list[str]) -> Picture:
    """Share of each cohort's photos that were excluded or flagged, by reason; ``names`` are those of all cohorts of the page."""
    import altair as alt

    order = rows.groupby("outcome")["share"].max().sort_values(ascending=False).index.tolist()
    cohorts = list(dict.fromkeys(rows["cohort"]))
    chart = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            y=alt.Y("outcome:N", sort=order, title=None, axis=alt.Axis(labelLimit=300)),
            x=alt.X("share:Q", title="% of the cohort's photos", scale=alt.Scale(zero=True)),
            yOffset=alt.YOffset("cohort:N", sort=cohorts),
            color=_colour(alt, cohorts, names),
            row=alt.Row("status:N", title=None, sort=["used, but flagged", "not used"], header=alt.Header(labelFontWeight=600, labelOrient="top", labelAnchor="start")),
        )
        .properties(width=600, height=alt.Step(max(10, 26 // len(cohorts))))
        .resolve_scale(y="independent")
    )  # fmt: skip
    return to_svg(chart, "Share of each cohort's photos that were excluded or flagged, by reason; the table below says the same")  # fmt: skip


def draw_measure(rows: pd.DataFrame, labels: list[str], title: str, names: list[str]) -> Picture:
    """Shares of each cohort's photos by bin of a measure; ``names`` are those of all cohorts of the page."""
    import altair as alt

    cohorts = list(dict.fromkeys(rows["cohort"]))
    chart = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("bin:N", sort=labels, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=120)),
            y=alt.Y("share:Q", title="% of photos", scale=alt.Scale(zero=True)),
            xOffset=alt.XOffset("cohort:N", sort=cohorts),
            color=_colour(alt, cohorts, names),
        )
        .properties(width=300, height=150)
    )
    return to_svg(chart, f"{title}: share of each cohort's photos by bin; the table below says the same")


def _colour(alt, cohorts: list[str], names: list[str]):
    """A cohort has one colour in all figures, also where others are not shown."""
    colours = of_cohorts(names)
    return alt.Color("cohort:N", title=None, sort=cohorts, scale=alt.Scale(domain=cohorts, range=[colours[name] for name in cohorts]), legend=alt.Legend(columns=4))  # fmt: skip
