"""Volcano plot: effect size against significance of all genes, as EnhancedVolcano draws it.

Genes with q below ``FOUND`` are coloured by direction and counted; the strongest of them and the prespecified ones are named. The
page's script (genes.js) adds the name of the gene at the pointer.
"""

import numpy as np
import pandas as pd

from faceage_bio.report import plot
from faceage_bio.report.colours import GREY, VERMILLION, VIOLET
from faceage_bio.report.figure_files import Picture

UP, DOWN = VERMILLION, VIOLET
HEIGHT, LEFT, RIGHT, TOP, FOOT = 520, 58, 20, 40, 50
SMALLEST_P = 1e-300
FOUND = 0.05  # q
STRONGEST = 10  # genes that are named besides the panel
NAME_HEIGHT = 14
NAME_LIMIT = 24  # letters; the whole name stands in the table


def volcano(genes: pd.DataFrame, panel: list[str], title: str, label: str, raster: bool = True) -> Picture:
    """The figure.

    Parameters
    ----------
    genes : DataFrame
        term, estimate (on the scale that is drawn), p_value, q_value; rows without p are excluded. ``disagree``, if given: genes
        drawn as open circles, because another method does not agree.
    panel : prespecified genes, drawn as diamonds
    title : of the horizontal axis
    raster : whether a layer of many points may be an embedded PNG; on a released page it may not
    """
    shown = genes[np.isfinite(genes["estimate"]) & genes["p_value"].notna()].sort_values("p_value", kind="stable")  # fmt: skip
    strength = -np.log10(shown["p_value"].clip(lower=SMALLEST_P).to_numpy(dtype=float))
    estimate = shown["estimate"].to_numpy(dtype=float)
    x_ticks, y_ticks = (
        plot.ticks(-np.abs(estimate).max(), np.abs(estimate).max()),
        plot.ticks(0, strength.max()),
    )
    across = plot.Scale(x_ticks[0], x_ticks[-1], LEFT + 12, plot.WIDTH - RIGHT - 12)
    up = plot.Scale(y_ticks[0], y_ticks[-1], HEIGHT - FOOT, TOP + 8)
    x, y = across(estimate), up(strength)
    found = (shown["q_value"] < FOUND).to_numpy()
    declared = shown["term"].isin(panel).to_numpy()
    layers = [(~found, GREY, 1.7, 0.55), (found & (estimate < 0), DOWN, 2.8, 0.85), (found & (estimate > 0), UP, 2.8, 0.85)]  # fmt: skip
    clouds = [
        plot.dots(x[which & ~declared], y[which & ~declared], radius, colour, opacity, raster)
        for which, colour, radius, opacity in layers
    ]
    apart = (
        shown["disagree"].to_numpy(dtype=bool) if "disagree" in shown else np.zeros(len(shown), dtype=bool)
    )
    clouds.append(
        plot.dots(x[apart & ~declared], y[apart & ~declared], 1.5, "#fff", 1, raster)
    )  # open circles
    colours = np.where(found, np.where(estimate < 0, DOWN, UP), GREY)
    diamonds = [_diamond(*at) for at in zip(x[declared], y[declared], colours[declared], strict=True)]
    named = found & (declared | (np.cumsum(found) <= STRONGEST))
    parts = [
        plot.y_axis(up, y_ticks, LEFT, "−log10 p", right=plot.WIDTH - RIGHT),
        plot.x_axis(across, x_ticks, HEIGHT - FOOT, title),
        plot.line(f"M{across(0):.5g} {TOP}V{HEIGHT - FOOT}", opacity=0.45, dash="2 3"),
        _threshold(strength, found, up),
        *clouds,
        *diamonds,
        *_names(np.column_stack([x, y])[named], shown["term"][named].tolist(), np.column_stack([x, y])[found | declared]),
        _legend(estimate, found, declared, apart),
    ]  # fmt: skip
    return plot.svg(
        label, plot.WIDTH, HEIGHT, parts, further=f' data-across="{across.ends()}" data-up="{up.ends()}"'
    )


def _threshold(strength: np.ndarray, found: np.ndarray, up: plot.Scale) -> str:
    """Between the last gene with q below the threshold and the first above it; none where no gene is below it."""
    if not found.any():
        return ""
    weakest, others = strength[found].min(), strength[~found]
    below = others[others <= weakest]
    y = up((weakest + below.max()) / 2 if len(below) else weakest)
    return plot.line(f"M{LEFT} {y:.1f}H{plot.WIDTH - RIGHT}", width=1.2, opacity=0.7, dash="6 4") + plot.text(
        plot.WIDTH - RIGHT - 4, y - 6, f"q = {FOUND:g}", "end", soft=True, halo=True
    )


def _diamond(x: float, y: float, colour: str) -> str:
    return (
        f'<path d="M{x:.1f} {y - 6:.1f}l5.5 6l-5.5 6l-5.5 -6z" fill="{colour}" stroke="var(--paper,#fff)"/>'
    )


def _names(places: np.ndarray, names: list[str], marks: np.ndarray) -> list[str]:
    """Each name where no other name and no coloured mark stands, the strongest genes first; with a line where it is far."""
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in marks] if len(marks) <= 400 else []
    taken += [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    written = []
    for (x, y), name in zip(places, names, strict=True):
        name = name if len(name) <= NAME_LIMIT else name[: NAME_LIMIT - 1] + "…"
        wide = plot.text_width(name) * 1.08
        free = next((box for box in _boxes(x, y, wide) if _inside(box) and not _meets(box, taken)), None)
        if free is None:
            continue  # the table and the pointer still name it
        taken.append(free)
        left, top, right, bottom = free
        end, edge = max(left, min(x, right)), top if top > y else bottom if bottom < y else y
        if np.hypot(end - x, edge - y) > 12:
            written.append(plot.line(f"M{x:.1f} {y:.1f}L{end:.1f} {edge:.1f}", opacity=0.5))
        written.append(
            plot.text((left + right) / 2, bottom - 3, name, "middle", bold=True, italic=True, halo=True)
        )
    return written


def _boxes(x: float, y: float, wide: float):
    """Places for a name, the nearest first: left and right, above, below, then further away."""
    for far in range(9, 160, 12):
        for left, top in (
            (x + far, y - NAME_HEIGHT / 2), (x - far - wide, y - NAME_HEIGHT / 2), (x - wide / 2, y - far - NAME_HEIGHT + 2),
            (x - wide / 2, y + far - 2), (x + far / 2, y - far - NAME_HEIGHT + 2), (x - wide - far / 2, y - far - NAME_HEIGHT + 2),
        ):  # fmt: skip
            yield left, top, left + wide, top + NAME_HEIGHT


def _inside(box: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = box
    return left >= LEFT + 4 and right <= plot.WIDTH - RIGHT and top >= TOP - 4 and bottom <= HEIGHT - FOOT


def _meets(box: tuple, others: list[tuple]) -> bool:
    return any(box[0] < one[2] and one[0] < box[2] and box[1] < one[3] and one[1] < box[3] for one in others)


def _legend(estimate: np.ndarray, found: np.ndarray, declared: np.ndarray, apart: np.ndarray) -> str:
    """What colours and shapes mean, and how many genes each has."""
    up, down = int((found & (estimate > 0)).sum()), int((found & (estimate < 0)).sum())
    colours = [(UP, f"Up, q < {FOUND:g} (n = {up:,})"), (DOWN, f"Down, q < {FOUND:g} (n = {down:,})"), (GREY, f"Not significant (n = {len(found) - up - down:,})")]  # fmt: skip
    entries = [(f'<circle r="4" fill="{colour}"/>', words) for colour, words in colours]
    if declared.any():
        mark = '<path d="M0 -6l5.5 6l-5.5 6l-5.5 -6z" fill="none" stroke="currentColor"/>'
        entries.append((mark, f"Prespecified (n = {int(declared.sum())})"))
    if apart.any():
        mark = f'<circle r="3.2" fill="#fff" stroke="{GREY}" stroke-width="1.6"/>'
        entries.append((mark, f"Methods disagree (n = {int(apart.sum()):,})"))
    return plot.legend(entries, LEFT, 16, plot.WIDTH - RIGHT)[0]
