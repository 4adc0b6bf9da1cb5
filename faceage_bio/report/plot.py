"""Parts of figures drawn without a plotting library: scales, axes, text, and layers of points.

A layer of more than ``MOST_POINTS`` points is one embedded PNG, so that a figure of 60,000 genes stays small and opens in any
editor; axes, lines and labels stay vector. A released page has no raster picture, because its gate reads every byte: there, points
of one row of pixels are one stroke.
"""

import base64
import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import pairwise

import numpy as np
import pandas as pd

from faceage_bio.report.figure_files import Picture

WIDTH = 960  # of the text column at 1440 pixels, about
MOST_POINTS = 2000
PIXELS = 2  # of an embedded PNG per unit of the figure: 270 dpi in a column of 18 cm
NARROW, BROAD = frozenset("ijlftI|.,:;'!()[] "), frozenset("mwMWQOGD@%→≤≥×−")
# What a colour means in the figures of all pages: a cohort, or a kind of estimate or group; none is both. Each has a contrast of at
# least 3:1 on white and on the dark page; those that stand together can be distinguished with any colour vision.
INK = "#010203"  # replaced by the page's own text colour
GREY = "#80868f"  # unadjusted, for comparison, lowest group
VERMILLION = "#D55E00"  # face age, age acceleration, adjusted for age, highest group
VIOLET = "#7566C8"  # chronological age, groups between
BROWN = "#A0503C"  # a difference, a further method
COHORTS = ("#0072B2", "#009E73", "#CC79A7", "#78A014", "#3C50F0", "#287828")  # the first three: Okabe and Ito
BETWEEN = (VIOLET, BROWN, "#50648C", "#783CF0")


class Scale:
    """Numbers to units of the figure, linear or logarithmic; an axis without an extent has one of 1, or of a factor of 10."""

    def __init__(self, low: float, high: float, start: float, end: float, log: bool = False):
        if high == low:
            high = 10 * low if log else low + 1
        self.low, self.high, self.start, self.end, self.log = low, high, start, end, log

    def __call__(self, value):
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        place = np.log(value) if self.log else value
        return self.start + (place - low) / (high - low) * (self.end - self.start)

    def ends(self) -> str:
        """For scripts on the page: low, high, start, end."""
        return f"{self.low:g} {self.high:g} {self.start:g} {self.end:g}"


def ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``."""
    raw = max(high - low, 1e-6) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 12) for place in range(first, max(last, first + 1) + 1)]


def inner_ticks(low: float, high: float, log: bool = False) -> list[float]:
    """Round numbers between ``low`` and ``high``; on a logarithmic axis 1, 2, 5 and their powers of ten, or closer ones."""
    if not log:
        return [tick for tick in ticks(low, high, 8) if low <= tick <= high]
    span = math.log10(high / low)
    digits = (1,) if span > 2.5 else (1, 2, 5) if span > 0.7 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [digit * 10.0**power for power in powers for digit in digits]
    inside = [tick for tick in found if low * 0.999 <= tick <= high * 1.001]
    return inside if len(inside) > 2 else inner_ticks(low, high)


def tick_words(values: Sequence[float]) -> list[str]:
    """The values with as many digits as they need, thousands apart, and a true minus sign."""
    digits = max((len(f"{value:.6g}".partition(".")[2]) for value in values), default=0)
    return [f"{value:,.{digits}f}".replace("-", "−") for value in values]


def apart(values: Sequence[float], scale: "Scale", kept: float = 0) -> list[float]:
    """The values, or every second of them and so on, so that their labels do not touch; ``kept`` is always among them."""
    words = tick_words(values)
    touch = any(
        scale(right) - scale(left) < (text_width(one) + text_width(other)) / 2 + 6
        for left, right, one, other in zip(values, values[1:], words, words[1:], strict=False)
    )
    start = values.index(kept) % 2 if kept in values else 0
    return apart(values[start::2], scale, kept) if touch and len(values) > 2 else list(values)


def text_width(words: str, size: float = 12) -> float:
    """About the width of words in the broadest of the usual sans-serif fonts."""
    return size * sum(map(_units, words))


def _units(letter: str) -> float:
    if letter in NARROW:
        return 0.36
    return 0.92 if letter in BROAD else 0.7 if letter.isupper() else 0.62


def shortened(words: str, room: float) -> str:
    """The words, or as many of them as there is room for."""
    while text_width(words) > room and len(words) > 4:
        words = words[:-2].rstrip(" …,") + "…"
    return words


def text(
    x: float,
    y: float,
    words: str,
    anchor: str = "start",
    *,
    size: float = 12,
    bold: bool = False,
    italic: bool = False,
    soft: bool = False,
    halo: bool = False,
    turned: bool = False,
) -> str:
    """A text element; ``halo``: on a seam of the paper's colour."""
    style = (
        f' font-size="{size:g}"' * (size != 12)
        + ' font-weight="600"' * bold
        + ' font-style="italic"' * italic
    )
    style += ' opacity=".75"' * soft + f' text-anchor="{anchor}"' * (anchor != "start")
    style += ' stroke="var(--paper,#fff)" stroke-width="3" paint-order="stroke"' * halo
    place = f'transform="translate({x:.5g} {y:.5g}) rotate(-90)"' if turned else f'x="{x:.5g}" y="{y:.5g}"'
    return f"<text {place}{style}>{escape(words)}</text>"


def line(d: str, colour: str = "currentColor", width: float = 1, opacity: float = 1, dash: str = "") -> str:
    """A stroke along a path."""
    further = f' opacity="{opacity:g}"' * (opacity != 1) + f' stroke-dasharray="{dash}"' * bool(dash)
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width:g}"{further}/>'


def x_axis(
    scale: Scale, values: Sequence[float], y: float, title: str, words: Sequence[str] | None = None
) -> str:
    """A horizontal axis at ``y``: line, ticks, numbers and title."""
    places = [scale(value) for value in values]
    strokes = "".join(f"M{x:.5g} {y:.5g}v5" for x in places)
    drawn = line(f"M{scale.start:.5g} {y:.5g}H{scale.end:.5g}{strokes}", opacity=0.6)
    said = words or tick_words(values)
    labels = [text(x, y + 18, one, "middle") for x, one in zip(places, said, strict=True)]
    middle = (scale.start + scale.end) / 2
    return "".join([drawn, *labels, text(middle, y + 37, title, "middle") if title else ""])


def y_axis(
    scale: Scale,
    values: Sequence[float],
    x: float,
    title: str,
    words: Sequence[str] | None = None,
    right: float | None = None,
) -> str:
    """A vertical axis at ``x`` with its numbers, its title, and pale lines across the plot to ``right``."""
    places = [scale(value) for value in values]
    across = line("".join(f"M{x:.5g} {y:.5g}H{right:.5g}" for y in places), opacity=0.12) if right else ""
    strokes = "".join(f"M{x:.5g} {y:.5g}h-5" for y in places)
    drawn = line(f"M{x:.5g} {scale.start:.5g}V{scale.end:.5g}{strokes}", opacity=0.6)
    said = words or tick_words(values)
    labels = [text(x - 8, y + 4, one, "end") for y, one in zip(places, said, strict=True)]
    room = max(map(text_width, said), default=0)
    middle = (scale.start + scale.end) / 2
    named = text(x - room - 18, middle, title, "middle", turned=True) if title else ""
    return "".join([across, drawn, *labels, named])


def legend(entries: Iterable[tuple[str, str]], x: float, y: float, right: float) -> tuple[str, float]:
    """Marks (drawn around 0, 0) with their words from left to right; also the height that they took."""
    parts, left, top = [], x, y
    for mark, words in entries:
        wide = 26 + text_width(words) + 20
        if left > x and left + wide > right:
            left, top = x, top + 19
        parts.append(f'<g transform="translate({left + 10:.5g} {top:.5g})">{mark}</g>')
        parts.append(text(left + 26, top + 4, words))
        left += wide
    return "".join(parts), top - y + 19


def dots(
    x: np.ndarray, y: np.ndarray, radius: float, colour: str, opacity: float = 1, raster: bool = True
) -> str:
    """Points as one path, or as one PNG where they are more than ``MOST_POINTS``."""
    if not len(x):
        return ""
    if len(x) <= MOST_POINTS:
        d = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x, y, strict=True))
    elif raster:
        return _picture(x, y, radius, colour, opacity)
    else:
        d = _rows(x, y)
    pale = f' opacity="{opacity:g}"' if opacity != 1 else ""
    return f'<path class="points" d="{d}" stroke="{colour}" stroke-width="{2 * radius:g}" stroke-linecap="round"{pale}/>'


def _rows(x: np.ndarray, y: np.ndarray) -> str:
    """Neighbours in a row of pixels as one stroke: 60,000 genes take little more room than 2,000."""
    places = np.unique(np.column_stack([y, x]).round().astype(int), axis=0)
    strokes = []
    for row in np.split(places, np.flatnonzero(np.diff(places[:, 0])) + 1):
        for run in np.split(row[:, 1], np.flatnonzero(np.diff(row[:, 1]) > 1) + 1):
            strokes.append(f"M{run[0]} {row[0, 0]}h{run[-1] - run[0]}")
    return "".join(strokes)


def _picture(x, y, radius: float, colour: str, opacity: float) -> str:
    """A PNG of one colour whose transparency is that of the points on each other, cropped to where points are."""
    from PIL import Image

    reach = math.ceil(radius + 1)
    left, top = math.floor(x.min()) - reach, math.floor(y.min()) - reach
    wide, high = math.ceil(x.max()) + reach - left, math.ceil(y.max()) + reach - top
    clear = np.zeros((high * PIXELS, wide * PIXELS), dtype=np.float32)  # log of what shines through
    column, row = (x - left) * PIXELS, (y - top) * PIXELS
    around = range(-math.ceil(radius * PIXELS) - 1, math.ceil(radius * PIXELS) + 2)
    at_column, at_row = column.astype(int), row.astype(int)
    for down in around:
        for across in around:
            away = np.hypot(at_column + across + 0.5 - column, at_row + down + 0.5 - row)
            cover = np.clip(radius * PIXELS + 0.5 - away, 0, 1) * opacity
            inked = cover > 0
            pixels = (at_row[inked] + down, at_column[inked] + across)
            np.add.at(clear, pixels, np.log1p(-np.minimum(cover[inked], 0.9999)))
    alpha = np.round(15 * (1 - np.exp(clear))).astype(np.uint8)  # 16 steps are enough for an edge
    picture = Image.frombytes("P", alpha.shape[::-1], alpha.tobytes())
    picture.putpalette([int(colour[k : k + 2], 16) for k in (1, 3, 5)] * 16)
    stream, alphas = io.BytesIO(), bytes(round(255 * k / 15) for k in range(16))
    picture.save(stream, "PNG", optimize=True, bits=4, transparency=alphas)
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<image class="points" x="{left}" y="{top}" width="{wide}" height="{high}" href="data:image/png;base64,{data}"/>'


def svg(
    label: str,
    width: float,
    height: float,
    parts: Iterable[str],
    data: pd.DataFrame | None = None,
    further: str = "",
) -> Picture:
    """The whole figure, as wide as its column, with the data that it draws."""
    return Picture(
        f'<svg class="plot" role="img" aria-label="{escape(label, quote=True)}" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" fill="currentColor" font-size="12" font-family="{FONT}"{further}>{"".join(parts)}</svg>',
        data,
    )


def of_cohorts(names: Sequence[str]) -> dict[str, str]:
    """The colour of each cohort, by its place in the config."""
    return {name: COHORTS[place % len(COHORTS)] for place, name in enumerate(names)}


def of_groups(n: int) -> list[str]:
    """Colours of ``n`` groups of a figure, the lowest (or reference) first."""
    if n < 2:
        return [VERMILLION][:n]
    return [GREY, *(BETWEEN[place % len(BETWEEN)] for place in range(n - 2)), VERMILLION]


FONT = "Arial, Helvetica, sans-serif"
TAG = re.compile(r"<[^>]+>")
# said of every mark, though a browser takes it for granted, or the whole says it once
GRANTED = re.compile(
    r' (?:role|class|aria-[a-z]+|pointer-events)="[^"]*"| (?:stroke-|fill-)?opacity="1"| stroke-width="1"| [xy][12]?="0"'
    r'| transform="translate\(0,0\)"| font-family="[^"]*"| font-size="12px"'
)
CIRCLE = re.compile(
    r'<path transform="translate\(([-\d.]+),([-\d.]+)\)" d="M([\d.]+),0A\3,\3,0,1,1,-\3,0A\3,\3,0,1,1,\3,0"'
)
PLACE = re.compile(r' (?:d|transform|points|[xy][12]?|c[xy]|r|width|height)="[^"]*"')
LONG = re.compile(r"-?\d+\.\d{2,}(?:e-?\d+)?")
UNSEEN = re.compile(r'<path d="(?:M0,0h0v0h0Z)?"(?: display="none")?/>')
MOVED_TEXT = re.compile(r'(<text[^>]*?) transform="translate\(([-\d.]+),([-\d.]+)\)"')
LINE = re.compile(
    r'<line(?: transform="translate\(([-\d.]+),([-\d.]+)\)")?(?: x2="([-\d.]+)")?(?: y2="([-\d.]+)")?((?: (?:stroke[a-z-]*|opacity)="[^"]*")*)/>'
)
BAR = re.compile(r'<path d="(M[-\d.]+,[-\d.]+h[-\d.]+v[-\d.]+h[-\d.]+Z)"( fill="#\w+")/>')
DOT = re.compile(
    r'<circle cx="([-\d.]+)" cy="([-\d.]+)"( r="[-\d.]+" fill="#\w+")(?: stroke-width="[\d.]+")?/>'
)
FEW = 3  # marks of one style that are left apart


def lighter(svg: str) -> str:
    """One label on the whole tells the figure, not one on every mark; lines of one kind are one path.

    Places are rounded to a tenth of a pixel; what is written in the figure, such as 0.05 or 0.85, stays as it is.
    """
    head = svg.index(">", svg.index("<svg"))
    body = TAG.sub(lambda tag: _light_tag(tag[0]), svg[head:])
    body = _without_idle_groups(UNSEEN.sub("", body))
    for mark, style, join in ((LINE, 5, _lines), (BAR, 2, _bars), (DOT, 3, _dots)):
        body = _joined(body, mark, style, join)
    return f'{svg[:head]} font-size="12px" font-family="{FONT}"{body}'


def _light_tag(tag: str) -> str:
    tag = PLACE.sub(_rounded, CIRCLE.sub(r'<circle cx="\1" cy="\2" r="\3"', GRANTED.sub("", tag)))
    return MOVED_TEXT.sub(r'\1 x="\2" y="\3"', tag)


def _rounded(place: re.Match) -> str:
    return LONG.sub(lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), place[0])


def _without_idle_groups(body: str) -> str:
    """Without the groups that say nothing of what they hold."""
    open_groups: list[bool] = []  # whether each says something

    def kept(tag: re.Match) -> str:
        if tag[0].startswith("<g"):
            if not tag[0].endswith("/>"):
                open_groups.append(tag[0] != "<g>")
            return tag[0] if tag[0] not in {"<g>", "<g/>"} else ""
        if tag[0] == "</g>":
            return tag[0] if open_groups.pop() else ""
        return tag[0]

    return TAG.sub(kept, body)


def _joined(body: str, mark: re.Pattern, style: int, join: Callable[[list[re.Match]], str]) -> str:
    """Marks of one style among those that follow each other, as one path."""
    found = list(mark.finditer(body))
    breaks = [k for k, (a, b) in enumerate(pairwise(found), 1) if a.end() != b.start()]
    parts, end = [], 0
    for first, after in pairwise([0, *breaks, len(found)]):
        run = found[first:after]
        alike: dict[str, list[re.Match]] = {}
        for one in run:
            alike.setdefault(one[style], []).append(one)
        parts.append(body[end : run[0].start()] if run else "")
        parts += [
            join(marks) if len(marks) > FEW else "".join(one[0] for one in marks) for marks in alike.values()
        ]
        end = run[-1].end() if run else end
    return "".join([*parts, body[end:]])


def _lines(run: list[re.Match]) -> str:
    def step(line: re.Match) -> str:
        x, y, across, up = (part or "0" for part in line.groups()[:4])
        if up == "0":
            return f"M{x},{y}h{across}"
        return f"M{x},{y}v{up}" if across == "0" else f"M{x},{y}l{across},{up}"

    return f'<path d="{"".join(map(step, run))}"{run[0][5]}/>'


def _bars(run: list[re.Match]) -> str:
    """Bars of one width are one stroke."""
    sides = [re.findall(r"[-\d.]+", bar[1]) for bar in run]
    if len({across for _, _, across, *_ in sides}) > 1:
        return f'<path d="{"".join(bar[1] for bar in run)}"{run[0][2]}/>'
    width = float(sides[0][2])
    d = "".join(f"M{float(x) + width / 2:.5g},{y}v{down}" for x, y, _, down, _ in sides)
    return f'<path d="{d}"{run[0][2].replace("fill", "stroke")} stroke-width="{width:g}"/>'


def _dots(run: list[re.Match]) -> str:
    """A dot is a stroke without length and with round ends."""
    radius, colour = re.fullmatch(r' r="([\d.]+)" fill="(#\w+)"', run[0][3]).groups()
    d = "".join(f"M{dot[1]},{dot[2]}h0" for dot in run)
    return f'<path d="{d}" stroke="{colour}" stroke-width="{2 * float(radius):g}" stroke-linecap="round"/>'
