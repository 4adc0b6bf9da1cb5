"""Figure of the scores section: how long the groups of a score lived, by the age that it was made with."""

import pandas as pd

from faceage_bio.report.colours import BROWN, GREY, INK, VERMILLION
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, to_svg


def draw_medians(table: pd.DataFrame, versions: list[str]) -> Picture:
    """Median survival with its interval per group, one colour per version; an interval without an end runs to the edge.

    Parameters
    ----------
    table : DataFrame
        group, version, estimate, ci_lower, ci_upper (months).
    """
    import altair as alt

    edge = table[["estimate", "ci_lower", "ci_upper"]].max().max() * 1.05
    shown = table.assign(
        low=table["ci_lower"].fillna(0.0), high=table["ci_upper"].fillna(edge), open=table["ci_upper"].isna()
    )
    scale = alt.Scale(domain=versions, range=[GREY, VERMILLION, BROWN][: len(versions)])
    base = alt.Chart(shown).encode(
        y=alt.Y("group:N", sort=list(dict.fromkeys(shown["group"])), title=None, axis=alt.Axis(grid=False)),
        yOffset=alt.YOffset("version:N", sort=versions, scale=alt.Scale(paddingOuter=0.35)),
        color=alt.Color(
            "version:N", title=None, sort=versions, scale=scale, legend=alt.Legend(columnPadding=28)
        ),
    )
    chart = alt.layer(
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("low:Q", title="Median survival, months", scale=alt.Scale(domain=[0, edge], nice=False)),
            x2="high:Q",
        ),
        base.transform_filter("datum.open").mark_text(text="▸", fontSize=13, color=INK).encode(x="high:Q"),
        base.transform_filter("isValid(datum.estimate)")
        .mark_point(filled=True, size=60, opacity=1)
        .encode(x="estimate:Q"),
    ).properties(width=INNER - 60, height=62 * shown["group"].nunique())
    return to_svg(chart, "Median survival of each group by the age that the score was made with")
