"""Figures of the fairness section."""

import pandas as pd

from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import forest, to_svg
from faceage_bio.report.plot import GREY, INK, VERMILLION, of_groups

RAW_ERROR, SAME_AGE = "mean error", "mean error at the same age"
RAW_DIFFERENCE, DIFFERENCE_AT_AGE = "unadjusted difference", "difference at the same age"
PALE = 0.3  # what is not to be interpreted


def draw_error_by_group(rows: pd.DataFrame) -> Picture:
    """Mean error of each group with its interval, and that at the same age, one line per group.

    Parameters
    ----------
    rows : DataFrame
        label, kind (``RAW_ERROR`` or ``SAME_AGE``), estimate, ci_lower, ci_upper.
    """
    colours = [(RAW_ERROR, GREY), (SAME_AGE, VERMILLION)]
    return forest(
        rows, "label", "kind", colours, 0, "Mean error (face age − chronological age), years", digits=1
    )


def draw_differences(rows: pd.DataFrame) -> Picture:
    """Differences between groups with their intervals, unadjusted and at the same age; columns as in `error_by_group`."""
    colours = [(RAW_DIFFERENCE, GREY), (DIFFERENCE_AT_AGE, VERMILLION)]
    return forest(rows, "label", "kind", colours, 0, "Difference in mean error, years", digits=1)


def draw_change_by_step(rows: pd.DataFrame) -> Picture:
    """Mean change of face age against the step, one panel per condition, one colour per group.

    Parameters
    ----------
    rows : DataFrame
        condition, label (of the step), series (group; the first is all photos), estimate, ci_lower, ci_upper, pale (not
        to be interpreted); in the order in which they are to stand.
    """
    import altair as alt

    series = list(dict.fromkeys(rows["series"]))
    scale = alt.Scale(domain=series, range=[INK, *of_groups(len(series) - 1)])
    reach = alt.Scale(domain=[min(0, rows["ci_lower"].min()), max(0, rows["ci_upper"].max())], nice=True)
    reach_of_series = 5 * (len(series) - 1)  # pixels on either side of the step
    beside = alt.Scale(type="point", domain=series, range=[-reach_of_series, reach_of_series])
    panels = []
    for place, (condition, part) in enumerate(rows.groupby("condition", sort=False)):
        steps = list(dict.fromkeys(part["label"]))
        title = "Change, years" if place % 4 == 0 else None
        base = alt.Chart(part).encode(
            x=alt.X(
                "label:N",
                sort=steps,
                title=None,
                scale=alt.Scale(type="point", padding=0.5),
                axis=alt.Axis(labelAngle=0, grid=False),
            ),
            xOffset=alt.XOffset("series:N", sort=series, scale=beside),
            color=alt.Color("series:N", title=None, sort=series, scale=scale),
            opacity=alt.Opacity(
                "pale:N", scale=alt.Scale(domain=[False, True], range=[1, PALE]), legend=None
            ),
        )
        zero = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=INK, opacity=0.5).encode(y="y:Q")
        panel = alt.layer(
            zero,
            base.mark_rule(strokeWidth=2).encode(
                y=alt.Y("ci_lower:Q", title=title, scale=reach), y2="ci_upper:Q"
            ),
            base.mark_point(filled=True, size=40).encode(y="estimate:Q"),
        )
        panels.append(panel.properties(width=190, height=190, title=condition))
    chart = alt.concat(*panels, columns=4, spacing=14)
    return to_svg(chart, "Mean change of face age against the step of each condition, by group")
