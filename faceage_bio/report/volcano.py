"""All genes in one small SVG: how far each changes against how surely, panel genes marked and named.

The same picture stands on the screen and on paper; the page's script (genes.js) adds what the pointer is on.
"""

import math
from html import escape

import numpy as np
import pandas as pd

from faceage_bio.report.figures import BLUE, ORANGE
from faceage_bio.report.formats import number
from faceage_bio.report.svg import FONT

GREY = "#80868f"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 600, 380, 52, 16, 34, 44
SMALLEST_P = 1e-300
FOUND = 0.05  # q
NAME_HEIGHT, LETTER = 13, 8.8  # room that a name of 12 pixels takes
NAME_LIMIT = 24  # letters; the whole name stands in the table


def volcano(genes: pd.DataFrame, panel: list[str], title: str, label: str) -> str:
    """The picture; of genes that fall on one pixel a single one is drawn.

    Parameters
    ----------
    genes : DataFrame with term, estimate (on the scale that is drawn), p_value, q_value; rows without p are left out
    panel : genes declared beforehand: diamonds, with their names
    title : of the horizontal axis
    """
    shown = genes[np.isfinite(genes["estimate"]) & genes["p_value"].notna()]
    strength = -np.log10(shown["p_value"].clip(lower=SMALLEST_P).to_numpy(dtype=float))
    estimate = shown["estimate"].to_numpy(dtype=float)
    x_ticks, y_ticks = ticks(-np.abs(estimate).max(), np.abs(estimate).max()), ticks(0, strength.max())
    across = _Scale(x_ticks[0], x_ticks[-1], LEFT + 8, WIDTH - RIGHT - 8)
    up = _Scale(y_ticks[0], y_ticks[-1], HEIGHT - FOOT, TOP + 8)
    places = np.column_stack([across(estimate), up(strength)]).round().astype(int)
    declared = shown["term"].isin(panel).to_numpy()
    found = (shown["q_value"] < FOUND).to_numpy() & ~declared
    parts = [
        _axes(x_ticks, y_ticks, across, up, title),
        _cloud(places[~found & ~declared]),
        _dots(places[found]),
        *(_diamond(x, y) for x, y in places[declared]),
        *_names(places[declared], shown["term"][declared].tolist()),
        _legend(),
    ]
    return (
        f'<svg role="img" aria-label="{escape(label, quote=True)}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-size="12" font-family="{FONT}" data-across="{across.told()}" data-up="{up.told()}">{"".join(parts)}</svg>'
    )


class _Scale:
    """Numbers to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float):
        self.ends = (low, high, start, end)

    def __call__(self, value):
        low, high, start, end = self.ends
        return start + (value - low) / (high - low) * (end - start)

    def told(self) -> str:
        return " ".join(f"{end:g}" for end in self.ends)


def ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``."""
    span = max(high - low, 1e-6)
    raw = span / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 12) for place in range(first, max(last, first + 1) + 1)]


def _axes(x_ticks: list[float], y_ticks: list[float], across: _Scale, up: _Scale, title: str) -> str:
    bottom, right = HEIGHT - FOOT, WIDTH - RIGHT
    lines = "".join(f"M{LEFT} {up(y):.0f}H{right}" for y in y_ticks[1:])
    digits = max((len(f"{step:g}".partition(".")[2]) for step in x_ticks), default=0)
    return (
        f'<path d="{lines}" stroke="currentColor" opacity=".12"/>'
        f'<path d="M{across(0):.0f} {TOP}V{bottom}" stroke="currentColor" opacity=".45" stroke-dasharray="2 3"/>'
        f'<path d="M{LEFT} {bottom}H{right}" stroke="currentColor" opacity=".5"/>'
        + "".join(_text(across(x), bottom + 17, number(x, digits)) for x in x_ticks)
        + "".join(_text(LEFT - 7, up(y) + 4, f"{y:g}", "end") for y in y_ticks)
        + _text((LEFT + right) / 2, HEIGHT - 8, title)
        + f'<text transform="translate(13 {(TOP + bottom) / 2:g}) rotate(-90)" text-anchor="middle" fill="currentColor">−log10 p</text>'
    )


def _cloud(places: np.ndarray) -> str:
    """Small dots; neighbours in a row of pixels are one stroke, so that 60,000 genes take little more room than 2,000."""
    strokes = []
    for y in np.unique(places[:, 1]):
        row = np.unique(places[places[:, 1] == y, 0])
        for run in np.split(row, np.flatnonzero(np.diff(row) > 1) + 1):
            strokes.append(f"M{run[0]} {y}h{run[-1] - run[0]}")
    return f'<path d="{"".join(strokes)}" stroke="{GREY}" stroke-width="2.4" stroke-linecap="round" opacity=".8"/>'


def _dots(places: np.ndarray) -> str:
    d = "".join(f"M{x} {y}h0" for x, y in np.unique(places, axis=0))
    return f'<path d="{d}" stroke="{BLUE}" stroke-width="5.5" stroke-linecap="round"/>'


def _diamond(x: int, y: int) -> str:
    return f'<path d="M{x} {y - 6}l5 6l-5 6l-5 -6z" fill="{ORANGE}" stroke="var(--paper,#fff)"/>'


def _names(places: np.ndarray, names: list[str]) -> list[str]:
    """Each name beside its diamond where no other name stands; the surest genes choose first."""
    taken: list[tuple[float, float, float, float]] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    written = []
    for place in np.argsort(places[:, 1], kind="stable"):
        x, y = places[place]
        name = names[place] if len(names[place]) <= NAME_LIMIT else names[place][: NAME_LIMIT - 1] + "…"
        wide = LETTER * len(name)
        free = next((box for box in _boxes(x, y, wide) if _inside(box) and not _meets(box, taken)), None)
        if free is None:
            continue  # the table and the pointer still name it
        taken.append(free)
        left, top, right, _ = free
        written.append(_text((left + right) / 2, top + NAME_HEIGHT - 3, name, bold=True))
        if abs((left + right) / 2 - x) > wide / 2 + 12 or abs(top + NAME_HEIGHT / 2 - y) > 20:
            end = max(left, min(x, right))
            edge = top if top > y else top + NAME_HEIGHT
            written.append(f'<path d="M{x} {y}L{end:.0f} {edge:.0f}" stroke="currentColor" opacity=".5"/>')
    return written


def _boxes(x: float, y: float, wide: float):
    """Places for a name, the nearest first: beside, above, below, then further away."""
    for far in range(9, 120, 12):
        for left, top in (
            (x + far, y - NAME_HEIGHT / 2), (x - far - wide, y - NAME_HEIGHT / 2), (x - wide / 2, y - far - NAME_HEIGHT + 2),
            (x - wide / 2, y + far - 2), (x + far / 2, y - far - NAME_HEIGHT + 2), (x - wide - far / 2, y - far - NAME_HEIGHT + 2),
        ):  # fmt: skip
            yield left, top, left + wide, top + NAME_HEIGHT


def _inside(box: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = box
    return left >= LEFT and right <= WIDTH and top >= TOP - 6 and bottom <= HEIGHT - FOOT


def _meets(box: tuple, others: list[tuple]) -> bool:
    return any(box[0] < one[2] and one[0] < box[2] and box[1] < one[3] and one[1] < box[3] for one in others)


def _legend() -> str:
    return (
        _diamond(LEFT + 12, 16) + _text(LEFT + 22, 20, "declared beforehand", "start")
        + f'<path d="M{LEFT + 158} 16h0" stroke="{BLUE}" stroke-width="5.5" stroke-linecap="round"/>'
        + _text(LEFT + 167, 20, "q below 0.05", "start")
        + f'<path d="M{LEFT + 262} 16h0" stroke="{GREY}" stroke-width="4" stroke-linecap="round"/>'
        + _text(LEFT + 271, 20, "others", "start")
    )  # fmt: skip


def _text(x: float, y: float, words: str, anchor: str = "middle", bold: bool = False) -> str:
    weight = (
        ' font-weight="600" stroke="var(--paper,#fff)" stroke-width="3" paint-order="stroke"' if bold else ""
    )
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="currentColor"{weight}>{escape(words)}</text>'
