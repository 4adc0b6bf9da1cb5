"""The renderer's SVG in less text: the same picture, a third of the size."""

import re
from collections.abc import Callable
from itertools import pairwise

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
