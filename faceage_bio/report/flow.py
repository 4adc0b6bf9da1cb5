"""The exclusion diagram (STROBE): boxes read from the ledger's counts, drawn as one picture, without small numbers.

Photos, people and RNA samples each run down a chain of boxes; what is left out stands beside the arrow with its reasons. A number
from 1 to ``min_cell`` - 1 is not told, nor one from which it could be computed: reasons of few are told together, and if all that
is left out at an arrow is a few, the box that nothing else on the page tells becomes a range.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from textwrap import wrap

import pandas as pd
from markupsafe import Markup, escape

from faceage_bio.privacy.who import UNITS
from faceage_bio.report import words
from faceage_bio.report.tables import ReportTables

# of a unit: where it came in, then (stage, title of the box after it); the survival stage is parted in two
CAME_IN = {"photo": "Photos", "subject": "People in the clinic table", "sample": "RNA samples"}
BOXES = {
    "photo": [("face_age", "Photos with a face age")],
    "subject": [("acceleration", "People with age acceleration"), ("survival", "People followed up")],
    "sample": [("expression", "RNA samples analysed")],
}
FULL_MODEL = "People in the full survival model"
UNNAMED = "several reasons, each of a few"
NO_ACCELERATION, MISSING = "no_acceleration", "missing_"
# the boxes whose numbers other tables tell too, and which therefore stay exact
TOLD = {"photo": "face_age", "subject": "survival", "sample": "expression"}


@dataclass(frozen=True)
class Step:
    """An arrow and the box below it.

    ``reasons``: code -> number left out at the arrow; ``n``: those who go on; ``flags``: code -> number used but flagged.
    """

    stage: str
    title: str
    n: int
    reasons: dict[str, int] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Box:
    """What is printed of a box and of the arrow above it.

    ``low`` to ``high``: the number, a range if those are not the same; ``told``: reasons with their numbers; ``together``: reasons
    of which only the sum is told, which is ``together_n`` or, where that is None, fewer than may be told.
    """

    stage: str
    title: str
    low: int
    high: int
    told: tuple[tuple[str, int], ...] = ()
    together: tuple[str, ...] = ()
    together_n: int | None = None
    flags: tuple[tuple[str, int], ...] = ()


def chains(flow: pd.DataFrame) -> dict[str, list[Step]]:
    """For each unit its steps, from the ledger's counts of one cohort.

    The survival stage names those without age acceleration again; here they are left out once, where they first are. Missing
    covariates concern the full model alone, so it has a box of its own.
    """
    found = {}
    for unit, stages in BOXES.items():
        mine = flow[flow["unit"] == unit]
        start = mine[mine["stage"] == "intake"]
        if not len(mine):
            continue
        came = int(start.loc[start["status"] != "excluded", "n"].sum())
        steps = [Step("intake", CAME_IN[unit], came, {}, _numbers(start, "flagged"))]
        lost = _numbers(start, "excluded")
        if lost:
            steps = [
                Step("before", f"{CAME_IN[unit]}, all", came + sum(lost.values())), replace(steps[0], reasons=lost),
            ]  # fmt: skip
        for stage, title in stages:
            rows = mine[mine["stage"] == stage]
            if not len(rows):
                continue
            n = int(rows.loc[rows["status"] != "excluded", "n"].sum())
            reasons = _numbers(rows, "excluded")
            if stage == "survival":
                steps += _survival(steps[-1], title, n, reasons)
            else:
                steps.append(Step(stage, title, n, reasons, _numbers(rows, "flagged")))
        found[unit] = steps
    return found


def _numbers(rows: pd.DataFrame, status: str) -> dict[str, int]:
    rows = rows[rows["status"] == status]
    return {str(row.reason): int(row.n) for row in rows.itertuples()}


def _survival(before: Step, title: str, n: int, reasons: dict[str, int]) -> list[Step]:
    own = {code: number for code, number in reasons.items() if code != NO_ACCELERATION}
    covariates = {code: number for code, number in own.items() if code.startswith(MISSING)}
    followed = n + sum(covariates.values())
    earlier = {code: number for code, number in own.items() if code not in covariates}
    lost = before.n - followed
    if sum(earlier.values()) != lost:  # some of them lack age acceleration too, and left the chain before
        earlier = {" or ".join(map(words.reason, earlier)): lost}
    steps = [Step("survival", title, followed, earlier)]
    return [*steps, Step("full model", FULL_MODEL, n, covariates)] if covariates else steps


def protect(steps: Sequence[Step], exact: str, min_cell: int, told: Sequence[int] = ()) -> list[Box]:
    """What may be printed of a chain.

    Parameters
    ----------
    steps : the chain, each step's ``n`` being that of the last less its reasons
    exact : stage of the box that gives way to no other; where its number is not among those ``told``, a box that is takes its place
    told : numbers that the page tells exactly elsewhere; if that box differs from one of them by few, it is a range around it

    Returns
    -------
    list of Box
        A reader who adds and subtracts whatever they print, and knows every rule of this function, cannot tell any reason's
        number from 1 to ``min_cell`` - 1, nor a sum of reasons that small.
    """
    anchor = next((place for place, step in enumerate(steps) if step.stage == exact), len(steps) - 1)
    if steps[anchor].n not in told:
        anchor = max((place for place, step in enumerate(steps) if step.n in told), default=anchor)
    parts = [_reasons(step.reasons, min_cell) for step in steps]
    # by how much the number of each box may be off: below and above
    slack = [_around(steps[anchor].n, told, min_cell)] * len(steps)
    for place in range(anchor, 0, -1):
        slack[place - 1] = _wider(slack[place], parts[place], min_cell, up=True)
    for place in range(anchor + 1, len(steps)):
        slack[place] = _wider(slack[place - 1], parts[place], min_cell, up=False)
    boxes = []
    for step, (told, together, lost), (below, above) in zip(steps, parts, slack, strict=True):
        few = 0 < lost < min_cell
        boxes.append(
            Box(
                step.stage, step.title, step.n - below, step.n + above,
                tuple((words.reason(code), n) for code, n in told), tuple(map(words.reason, together)),
                None if few else lost, tuple((words.reason(code), n) for code, n in step.flags.items()),
            )
        )  # fmt: skip
    return boxes


def _reasons(reasons: dict[str, int], min_cell: int) -> tuple[list[tuple[str, int]], list[str], int]:
    """Reasons told with their numbers, those told together, and how many these are.

    Reasons whose sum would tell each (one person for each, or the most that is not told for each) are not named.
    """
    few = [code for code, n in reasons.items() if 0 < n < min_cell]
    others = sorted((code for code in reasons if code not in few), key=lambda code: reasons[code])
    lost = sum(reasons[code] for code in few)
    if few and (len(few) == 1 or lost < min_cell) and others:
        few.append(
            others.pop(0)
        )  # one more, so that the sum of those told together is no small number, and not of one reason
        lost += reasons[few[-1]]
    told = [(code, n) for code, n in reasons.items() if code not in few and n]
    if len(few) > 1 and (lost in (len(few), len(few) * (min_cell - 1)) or (lost < min_cell <= len(few) + 1)):
        few = [UNNAMED]
    return told, sorted(few, key=words.reason), lost


def _around(n: int, told: Sequence[int], min_cell: int) -> tuple[int, int]:
    """How far below and above a number its range reaches, so that it may lie on either side of one that is told."""
    near = min(told, key=lambda one: abs(one - n), default=None)
    if near in {n, None} or abs(near - n) >= min_cell:
        return 0, 0
    return n - near + min_cell - 1, near - n + min_cell - 1


def _wider(slack: tuple[int, int], part: tuple, min_cell: int, up: bool) -> tuple[int, int]:
    """The range of the next box: as wide as that of the last, and as what is lost between them if only a few are."""
    below, above = slack
    lost = part[2]
    if not 0 < lost < min_cell:
        return slack
    # those lost are 1 to min_cell - 1: the box above holds as many more, the box below as many fewer
    less, more = lost - 1, min_cell - 1 - lost
    return (below + less, above + more) if up else (below + more, above + less)


def cohort_flow(tables: ReportTables, name: str, min_cell: int) -> dict[str, list[Box]]:
    """The boxes of a cohort; a unit that never came in has none."""
    flow = tables.get("ledger", "flow", name)
    if not len(flow):
        return {}
    told = {unit: tables.told.get((name, "n", group), ()) for unit, group in UNITS.items()}
    return {
        unit: protect(steps, TOLD[unit], min_cell, told.get(unit, ())) for unit, steps in chains(flow).items()
    }


def not_run(boxes: dict[str, list[Box]]) -> list[str]:
    """Titles of the boxes that a cohort lacks."""
    there = {box.stage for chain in boxes.values() for box in chain}
    return [title for stages in BOXES.values() for stage, title in stages if stage not in there]


def box_of(boxes: dict[str, list[Box]], unit: str, stage: str) -> Box | None:
    """The box of a stage, if it ran; for the intake the box in which everything came in."""
    chain = boxes.get(unit, [])
    if stage == "intake":
        return chain[0] if chain else None
    return next((box for box in chain if box.stage == stage), None)


def number_text(box: Box) -> str:
    """A box's number, or its range."""
    return f"{box.low:,}" if box.low == box.high else f"{max(box.low, 0):,} to {box.high:,}"


def lost_lines(box: Box, min_cell: int) -> list[str]:
    """What the exclusion box beside an arrow says."""
    lines = [f"{n:,} {why}" for why, n in box.told]
    if box.together:
        n = f"{box.together_n:,}" if box.together_n is not None else f"fewer than {min_cell}"
        lines.append(f"{n}: {', '.join(box.together)}" if len(box.together) > 1 else f"{n} {box.together[0]}")
    return lines


def flag_line(box: Box, min_cell: int) -> str:
    """Who is used but flagged; numbers of a few without saying how many."""
    said = [f"{f'{n:,}' if n >= min_cell else f'fewer than {min_cell}'} {why}" for why, n in box.flags]
    return f"used, but flagged: {', '.join(said)}" if said else ""


WIDTH, MAIN, SIDE, GAP, LINE, PAD = 760, 290, 410, 60, 17, 10


def draw(boxes: dict[str, list[Box]], min_cell: int, cohort: str) -> Markup:
    """The diagram as an SVG element in the page's own colours."""
    if not boxes:
        return Markup("")
    parts: list[str] = []
    top = 2
    for chain in boxes.values():
        for place, box in enumerate(chain):
            if place:
                top = _arrow(parts, top, box, min_cell)
            top = _main(parts, top, box, min_cell)
        top += 26
    for title in not_run(boxes):
        parts.append(_frame(1, top, MAIN, 34, 'stroke-dasharray="2 4" opacity="0.7"'))
        parts.append(_text(14, top + 22, f"{title}: not run", ' opacity="0.8"'))
        top += 46
    height = top - 20
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" class="strobe" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(f"Who was analysed in {cohort}, and who was left out and why; the list below says the same")}" '
        'font-family="Arial, Helvetica, sans-serif" font-size="13" fill="currentColor">' + "".join(parts) + "</svg>"
    )  # fmt: skip


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{more}>{escape(text)}</text>'


def _frame(x: int, y: int, width: int, height: int, more: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="none" stroke="currentColor" {more}/>'


def _main(parts: list[str], top: int, box: Box, min_cell: int) -> int:
    flags = wrap(flag_line(box, min_cell), 44)
    height = 2 * PAD + 20 + LINE * (1 + len(flags))
    parts.append(_frame(1, top, MAIN, height, 'stroke-width="1.6"'))
    parts.append(_text(14, top + PAD + 17, number_text(box), ' font-size="19" font-weight="650"'))
    parts.append(_text(14, top + PAD + 20 + LINE - 3, box.title))
    for k, line in enumerate(flags):
        parts.append(_text(14, top + PAD + 20 + LINE * (k + 2) - 3, line, ' font-size="12" opacity="0.75"'))
    return top + height


def _arrow(parts: list[str], top: int, box: Box, min_cell: int) -> int:
    lines = [line for said in lost_lines(box, min_cell) for line in wrap(said, 54, subsequent_indent="  ")]
    height = 2 * PAD + LINE * (len(lines) + 1) - 4 if lines else 0
    below = top + max(height + 16, 34)
    x = 1 + MAIN // 2
    parts.append(
        f'<path d="M{x},{top}V{below - 7}" stroke="currentColor" fill="none"/><path d="M{x - 5},{below - 8}h10l-5,8z"/>'
    )
    if lines:
        side, start = 1 + MAIN + GAP - 6, top + 8
        parts.append(f'<path d="M{x},{start + height // 2}H{side - 7}" stroke="currentColor" fill="none"/>')
        parts.append(f'<path d="M{side - 8},{start + height // 2 - 5}v10l8,-5z"/>')
        parts.append(_frame(side, start, SIDE - 6, height, 'stroke-dasharray="4 3"'))
        parts.append(_text(side + 12, start + PAD + 11, "Left out", ' font-weight="600"'))
        for k, line in enumerate(lines):
            indent = 10 if line.startswith("  ") else 0
            parts.append(
                _text(
                    side + 12 + indent, start + PAD + 11 + LINE * (k + 1), line.strip(), ' font-size="12.5"'
                )
            )
    return below


def as_list(boxes: dict[str, list[Box]], min_cell: int) -> list[tuple[str, str, list[str]]]:
    """The diagram in words: (box, number, what was left out on the way to it), for those who do not see it."""
    told = []
    for chain in boxes.values():
        for box in chain:
            flags = flag_line(box, min_cell)
            told.append(
                (box.title, number_text(box), [*lost_lines(box, min_cell), *([flags] if flags else [])])
            )
    return told
