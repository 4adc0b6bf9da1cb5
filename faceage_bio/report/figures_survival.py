"""Kaplan-Meier and cumulative incidence curves with their risk table under the axis, as ggsurvfit draws them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from faceage_bio.report import plot
from faceage_bio.report.colours import of_groups
from faceage_bio.report.figure_files import Picture

DASHES = ["", "7 3", "3 3", "9 3 2 3", "2 2", "5 2"]
LINE = 18  # units of a row of the risk table
MOST_TICKS = 12
LONGEST = 200  # units of a group's name
SEEN = 0.25  # units by which a curve falls before it is drawn lower
HEIGHTS = [0, 0.25, 0.5, 0.75, 1]


class Panel(NamedTuple):
    """One set of axes: which curves, the title of its axis of heights, and the test between groups in words."""

    name: str
    title: str
    test: str = ""


def step_curves(
    curves: pd.DataFrame,
    at_risk: pd.DataFrame,
    order: Sequence[str],
    panels: Sequence[Panel],
    time: str,
    label: str,
    *,
    medians: Mapping[str, float] | None = None,
    width: float = plot.WIDTH,
) -> Picture:
    """Steps with 95% bands and a tick at each censoring time, and below them the numbers at risk.

    Parameters
    ----------
    curves : DataFrame
        group, panel, years, height, ci_lower, ci_upper, censored (how many at that time); until the end of follow-up.
    at_risk : DataFrame
        group, years, shown (the number as text); at the ticks of the axis of time.
    order : groups as they are to stand
    panels : below each other
    time : title of the axis of time
    label : what the figure is, for screen readers
    medians : times at which a group's curve reaches one half, which are marked by lines
    width : of the figure
    """
    curves = curves[curves["group"].isin(order) & curves["height"].notna()]
    at_risk = at_risk[at_risk["group"].isin(order)]
    ticks = sorted(at_risk["years"].unique())
    ticks = ticks[:: 1 + (len(ticks) - 1) // MOST_TICKS]
    at_risk = at_risk[at_risk["years"].isin(ticks)]
    end = max(float(curves["years"].max()), *map(float, ticks))
    names = [plot.shortened(str(group), LONGEST) for group in order]
    left = max(62, 46 + max(map(plot.text_width, [*names, "No. at risk"])))
    across = plot.Scale(0, end, left, width - 24)
    dashes = (DASHES[k % len(DASHES)] for k in range(len(order)))
    styles = dict(zip(order, zip(of_groups(len(order)), dashes, strict=True), strict=True))
    parts, top = [], 14.0
    if len(order) > 1:
        keys = [
            (plot.line("M-10 0h22", *_style(styles[group])), name)
            for group, name in zip(order, names, strict=True)
        ]
        drawn, high = plot.legend(keys, left, top, width - 24)
        parts, top = [drawn], top + high
    for panel in panels:
        bottom = top + (330 if len(panels) == 1 else 220)
        up = plot.Scale(0, 1, bottom, top + 6)
        mine = curves[curves["panel"] == panel.name]
        parts.append(
            plot.y_axis(
                up, HEIGHTS, left, f"{panel.title} (%)", [f"{100 * one:g}" for one in HEIGHTS], width - 24
            )
        )
        parts.append(plot.x_axis(across, ticks, bottom, time, [f"{tick:g}" for tick in ticks]))
        parts += [_band(mine[mine["group"] == group], across, up, styles[group][0]) for group in order]
        parts.append(_median_lines(medians or {}, across, up))
        parts += [_steps(mine[mine["group"] == group], across, up, *styles[group]) for group in order]
        if panel.test:
            parts.append(plot.text(width - 28, top + 18, panel.test, "end", halo=True))
        top = bottom + 58
    parts.append(plot.text(2, top + 4, "No. at risk", bold=True))
    for group, name in zip(order, names, strict=True):
        top += LINE
        parts.append(
            f'<g transform="translate(12 {top:g})">{plot.line("M-10 0h20", *_style(styles[group]))}</g>'
        )
        parts.append(plot.text(28, top + 4, name))
        mine = at_risk[at_risk["group"] == group]
        parts += [
            plot.text(across(years), top + 4, n, "middle")
            for years, n in zip(mine["years"], mine["shown"], strict=True)
        ]
    told = curves[["group", "panel", "years", "height", "ci_lower", "ci_upper", "censored"]]
    return plot.svg(label, width, top + 14, parts, told)


def _style(style: tuple[str, str]) -> tuple[str, float, float, str]:
    colour, dash = style
    return colour, 2.2, 1, dash


def _corners(x: np.ndarray, y: np.ndarray) -> str:
    """A curve in steps from left to right, where it changes by what can be seen."""
    d, at = f"{x[0]:.1f} {y[0]:.1f}", y[0]
    for across, up in zip(x, y, strict=True):
        if abs(up - at) >= SEEN:
            d += f"H{across:.1f}V{up:.1f}"
            at = up
    return f"{d}H{x[-1]:.1f}"


def _steps(mine: pd.DataFrame, across: plot.Scale, up: plot.Scale, colour: str, dash: str) -> str:
    """A group's curve and its censoring ticks."""
    if not len(mine):
        return ""
    x, y = across(mine["years"].to_numpy(float)), up(mine["height"].to_numpy(float))
    censored = (mine["censored"] > 0).to_numpy()
    digits = 1 if censored.sum() <= plot.MOST_POINTS else 0
    places = zip(x[censored].round(digits), y[censored].round(digits), strict=True)
    ticks = [f"M{a:g} {b - 4.5:g}v9" for a, b in places]
    ticks = ticks if digits else list(dict.fromkeys(ticks))
    marks = (
        f'<path class="censored" d="{"".join(ticks)}" stroke="{colour}" stroke-width="1.4"/>' if ticks else ""
    )
    return plot.line(f"M{_corners(x, y)}", *_style((colour, dash))) + marks


def _band(mine: pd.DataFrame, across: plot.Scale, up: plot.Scale, colour: str) -> str:
    """The 95% band, in steps as its curve."""
    known = mine[mine["ci_lower"].notna() & mine["ci_upper"].notna()]
    if len(known) < 2:
        return ""
    x = across(known["years"].to_numpy(float))
    upper, lower = (up(known[end].to_numpy(float)) for end in ("ci_upper", "ci_lower"))
    # the lower end from right to left: each height holds from its time to the next
    back = _corners(x[::-1], np.append(lower[-2::-1], lower[0]))
    return f'<path d="M{_corners(x, upper)}L{back}Z" fill="{colour}" opacity=".14"/>'


def _median_lines(medians: Mapping[str, float], across: plot.Scale, up: plot.Scale) -> str:
    """From the axis at one half to each curve, and down to its median."""
    reached = [years for years in medians.values() if pd.notna(years) and years <= across.high]
    if not reached:
        return ""
    down = "".join(f"M{across(years):.1f} {up(0.5):.1f}V{up(0):.1f}" for years in reached)
    return plot.line(
        f"M{across(0):.1f} {up(0.5):.1f}H{across(max(reached)):.1f}{down}", opacity=0.6, dash="4 4"
    )
