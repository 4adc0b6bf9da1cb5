"""Figures of who the people are: quantiles in groups, and face age against age; no mark is a single person."""

import numpy as np
import pandas as pd

from faceage_bio.report.figures import BLUE, INK, ORANGE, to_svg
from faceage_bio.report.formats import count
from faceage_bio.report.words import term


def spread(table: pd.DataFrame) -> str:
    """Age acceleration in each group: line q10 to q90, bar q25 to q75, stroke the median, dot the mean."""
    import altair as alt

    shown = table[table["estimate"].notna()].reindex(
        columns=["term", "factor", "group", "n", "estimate", "q10", "q25", "q50", "q75", "q90"]
    )
    labels = [
        f"{'all people' if row.factor == 'all' else f'{term(row.factor)}: {row.group}'} ({count(row.n)})".replace(
            "_", " "
        )
        for row in shown.itertuples()
    ]
    shown = shown.assign(label=labels)
    ends = shown[["q10", "q90", "q25", "q75", "estimate"]].to_numpy(float)
    scale = alt.Scale(domain=[float(np.nanmin(ends)), float(np.nanmax(ends))], nice=True, zero=False)
    y = alt.Y("label:N", sort=labels, title=None, axis=alt.Axis(labelLimit=260, grid=False))
    base = alt.Chart(shown).encode(y=y)
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK, opacity=0.5).encode(x="x:Q")
    layers = [
        zero,
        base.mark_rule(strokeWidth=1.5, color=BLUE).encode(
            x=alt.X("q10:Q", scale=scale, title="Age acceleration, years"), x2="q90:Q"
        ),
        base.mark_bar(height=11, color=BLUE, opacity=0.45).encode(x=alt.X("q25:Q", scale=scale), x2="q75:Q"),
        base.mark_tick(thickness=2.5, height=13, color=BLUE).encode(x="q50:Q"),
        base.mark_point(filled=True, size=45, color=ORANGE, opacity=1).encode(x="estimate:Q"),
    ]
    chart = alt.layer(*layers).properties(width=420, height=max(60, 20 * len(labels)))
    return to_svg(
        chart,
        "Age acceleration in each group: middle 80 % (line), middle half (bar), median (stroke) and mean (dot)",
    )


def squares(
    table: pd.DataFrame, bands: pd.DataFrame, slope: float | None, intercept: float | None, cohort: str
) -> str:
    """People in squares of age and face age, the line of equal ages, the fitted line and the means of decades."""
    import altair as alt

    width = float(table["width"].iloc[0])
    shown = table.assign(age_upper=table["age_lower"] + width, face_age_upper=table["face_age_lower"] + width)
    ages = [float(shown["age_lower"].min()), float(shown["age_upper"].max())]
    faces = [float(shown["face_age_lower"].min()), float(shown["face_age_upper"].max())]
    x = alt.X("x:Q", title="Chronological age, years", scale=alt.Scale(domain=ages, nice=False))
    y = alt.Scale(domain=faces, nice=False)
    heat = (
        alt.Chart(shown)
        .mark_rect(stroke="#ffffff", strokeWidth=0.5)
        .encode(
            x=alt.X("age_lower:Q", title="Chronological age, years", scale=alt.Scale(domain=ages, nice=False)),
            x2="age_upper:Q",
            y=alt.Y("face_age_lower:Q", title="Face age, years", scale=y),
            y2="face_age_upper:Q",
            color=alt.Color("n:Q", title="People", scale=alt.Scale(range=["#c6dbef", "#08519c"]), legend=alt.Legend(format=",d", tickMinStep=1)),
        )
    )  # fmt: skip
    lines = [_line(1.0, 0.0, ages, faces, "face age equals age")]
    if slope is not None and intercept is not None and np.isfinite([slope, intercept]).all():
        lines.append(_line(float(slope), float(intercept), ages, faces, "fitted line"))
    kinds = ["face age equals age", "fitted line"]
    drawn = (
        alt.Chart(pd.concat(lines))
        .mark_line(strokeWidth=2.2, clip=True)
        .encode(
            x=x, y=alt.Y("y:Q", scale=y),
            color=alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[INK, ORANGE]), legend=alt.Legend(symbolType="stroke")),
            strokeDash=alt.StrokeDash("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[[5, 4], [1, 0]]), legend=None),
        )
    )  # fmt: skip
    layers = [heat, drawn]
    if len(bands):
        inside = bands[bands["age_mean"].between(*ages) & bands["face_age_mean"].between(*faces)]
        means = alt.Chart(inside).mark_point(filled=True, size=70, color=ORANGE, stroke="#ffffff", opacity=1)
        layers.append(means.encode(x="age_mean:Q", y="face_age_mean:Q"))
    chart = alt.layer(*layers).resolve_scale(color="independent").properties(width=420, height=300)
    return to_svg(
        chart,
        f"Face age against age in {cohort}: people in squares of {width:g} years, line of equal ages, fitted line, means of decades",
    )


def _line(slope: float, intercept: float, ages: list[float], faces: list[float], kind: str) -> pd.DataFrame:
    x = np.linspace(*ages, 101)
    y = intercept + slope * x
    inside = (y >= faces[0]) & (y <= faces[1])
    return pd.DataFrame({"x": x[inside], "y": y[inside], "kind": kind})
