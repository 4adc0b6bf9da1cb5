"""The card's figure as a small SVG: means of partial residuals in groups of samples."""

from html import escape

import pandas as pd

from faceage_bio.columns import AGE, AGE_ACCELERATION
from faceage_bio.report.colours import VERMILLION, VIOLET
from faceage_bio.report.figure_data import packed_rows
from faceage_bio.report.formats import number

WIDTH, HEIGHT, LEFT, TOP, GAP, FOOT = 560, 176, 46, 8, 34, 36
PANELS = (
    (AGE_ACCELERATION, "Age acceleration, years", VERMILLION),
    (AGE, "Chronological age, years", VIOLET),
)
DRAWN = ["exposure", "bin_centre", "estimate", "ci_lower", "ci_upper"]


def partial_residual_figure(bins: pd.DataFrame, gene: str) -> str:
    """Means with intervals over both ages on one scale, and the line through the means by least squares weighted by n.

    Parameters
    ----------
    bins : DataFrame with exposure, bin_centre, estimate, ci_lower, ci_upper, n
    """
    low, high = bins["ci_lower"].min(), bins["ci_upper"].max()
    pad = 0.05 * max(high - low, 1e-9)
    low, high = low - pad, high + pad
    inner = (WIDTH - LEFT - GAP) / 2
    bottom = HEIGHT - FOOT

    def y(value: float) -> float:
        return round(TOP + (high - value) / (high - low) * (bottom - TOP), 1)

    parts = [_text(12, (TOP + bottom) / 2, "Log2, adjusted", turn=True)]
    for place, (exposure, title, colour) in enumerate(PANELS):
        mine = bins[bins["exposure"] == exposure]
        if len(mine) < 2:
            continue
        start = LEFT + place * (inner + GAP)
        first, last = mine["bin_centre"].min(), mine["bin_centre"].max()
        span = max(last - first, 1e-9)

        def x(value: float, start=start, first=first, span=span) -> float:
            return round(start + 8 + (value - first) / span * (inner - 16), 1)

        parts.append(
            f'<path d="M{start:g} {TOP}V{bottom}H{start + inner:g}" fill="none" stroke="currentColor" opacity=".5"/>'
        )
        if low < 0 < high:
            parts.append(
                f'<path d="M{start:g} {y(0)}h{inner:g}" stroke="currentColor" opacity=".35" stroke-dasharray="2 3"/>'
            )
        slope, level = _line(mine)
        parts.append(
            f'<path d="M{x(first)} {y(level + slope * first)}L{x(last)} {y(level + slope * last)}" stroke="{colour}" stroke-width="1.5" opacity=".7"/>'
        )
        bars = "".join(
            f"M{x(row.bin_centre)} {y(row.ci_lower)}V{y(row.ci_upper)}" for row in mine.itertuples()
        )
        parts.append(f'<path d="{bars}" stroke="{colour}" stroke-width="1.5"/>')
        parts += [
            f'<circle cx="{x(row.bin_centre)}" cy="{y(row.estimate)}" r="3" fill="{colour}"/>'
            for row in mine.itertuples()
        ]
        parts += [
            _text(x(first), bottom + 14, number(first, 0)), _text(x(last), bottom + 14, number(last, 0)),
            _text(start + inner / 2, bottom + 29, title),
        ]  # fmt: skip
        if not place:
            ticks = (low + pad, high - pad) if not low < 0 < high else (low + pad, 0, high - pad)
            parts += [_text(start - 5, y(value) + 4, number(value, 1), anchor="end") for value in ticks]
    label = escape(
        f"{gene}: mean partial residuals in groups of samples by age acceleration and by age", quote=True
    )
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-size="11" font-family="Arial, Helvetica, sans-serif">{"".join(parts)}</svg>{packed_rows(bins[DRAWN])}'
    )


def _line(bins: pd.DataFrame) -> tuple[float, float]:
    """Slope and level of least squares through the means, each weighted by its n."""
    weight = bins["n"] / bins["n"].sum()
    centre, level = (weight * bins["bin_centre"]).sum(), (weight * bins["estimate"]).sum()
    away = bins["bin_centre"] - centre
    spread = (weight * away**2).sum()
    slope = float((weight * away * (bins["estimate"] - level)).sum() / spread) if spread > 0 else 0.0
    return slope, float(level - slope * centre)


def _text(x: float, y: float, words: str, anchor: str = "middle", turn: bool = False) -> str:
    turned = f' transform="rotate(-90 {x:g} {y:g})"' if turn else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="currentColor"{turned}>{escape(words)}</text>'
    )
