"""The card's figure as a small SVG: means of partial residuals in groups of samples."""

import pandas as pd

from faceage_bio.core.columns import AGE, AGE_ACCELERATION
from faceage_bio.report.colours import VERMILLION, VIOLET
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.formats import number
from faceage_bio.report.plot import WIDTH, Scale, dots, line, svg, text

HEIGHT, LEFT, TOP, GAP, FOOT = 200, 46, 8, 34, 36
PANELS = (
    (AGE_ACCELERATION, "Age acceleration, years", VERMILLION),
    (AGE, "Chronological age, years", VIOLET),
)
DRAWN = ["exposure", "bin_centre", "estimate", "ci_lower", "ci_upper"]


def partial_residual_figure(bins: pd.DataFrame, gene: str) -> Picture:
    """Means with 95% CIs over both ages on one scale, and the line through the means by least squares weighted by n.

    Parameters
    ----------
    bins : DataFrame with exposure, bin_centre, estimate, ci_lower, ci_upper, n
    """
    ends = bins["ci_lower"].min(), bins["ci_upper"].max()
    pad = 0.05 * max(ends[1] - ends[0], 1e-9)
    inner, bottom = (WIDTH - LEFT - GAP) / 2, HEIGHT - FOOT
    up = Scale(ends[0] - pad, ends[1] + pad, bottom, TOP)
    marked = (ends[0], 0, ends[1]) if ends[0] < 0 < ends[1] else ends
    parts = [text(12, (TOP + bottom) / 2, "Log2, adjusted", "middle", turned=True)]
    parts += [text(LEFT - 5, up(value) + 4, number(value, 1), "end") for value in marked]
    for place, (exposure, title, colour) in enumerate(PANELS):
        mine = bins[bins["exposure"] == exposure]
        if len(mine) < 2:
            continue
        start = LEFT + place * (inner + GAP)
        first, last = mine["bin_centre"].min(), mine["bin_centre"].max()
        across = Scale(first, max(last, first + 1e-9), start + 8, start + inner - 8)
        x, y = across(mine["bin_centre"].to_numpy(float)), up(mine["estimate"].to_numpy(float))
        lower, upper = (up(mine[end].to_numpy(float)) for end in ("ci_lower", "ci_upper"))
        slope, level = _line(mine)
        bars = "".join(
            f"M{at:.5g} {low:.5g}V{high:.5g}" for at, low, high in zip(x, lower, upper, strict=True)
        )
        parts += [
            line(f"M{start:g} {TOP}V{bottom}H{start + inner:g}", opacity=0.5),
            line(f"M{start:g} {up(0):.5g}h{inner:g}", opacity=0.35, dash="2 3") if len(marked) == 3 else "",
            line(f"M{across(first):.5g} {up(level + slope * first):.5g}L{across(last):.5g} {up(level + slope * last):.5g}", colour, 1.5, 0.7),
            line(bars, colour, 1.5), dots(x, y, 3, colour, 1),
            *(text(across(end), bottom + 14, number(end, 0), "middle") for end in (first, last)),
            text(start + inner / 2, bottom + 29, title, "middle"),
        ]  # fmt: skip
    label = f"{gene}: mean partial residuals in groups of samples by age acceleration and by age"
    return svg(label, WIDTH, HEIGHT, parts, bins[DRAWN])


def _line(bins: pd.DataFrame) -> tuple[float, float]:
    """Slope and level of least squares through the means, each weighted by its n."""
    weight = bins["n"] / bins["n"].sum()
    centre, level = (weight * bins["bin_centre"]).sum(), (weight * bins["estimate"]).sum()
    away = bins["bin_centre"] - centre
    spread = (weight * away**2).sum()
    slope = float((weight * away * (bins["estimate"] - level)).sum() / spread) if spread > 0 else 0.0
    return slope, float(level - slope * centre)
