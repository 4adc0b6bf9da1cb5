"""The participant flow (STROBE): boxes read from the ledger's counts, drawn as one picture.

Photos, participants and RNA samples each run down a chain of boxes; those excluded stand at the arrow with their reasons.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from textwrap import wrap

import pandas as pd
from markupsafe import escape

from faceage_bio.intake.cohort.ledger import MISSING
from faceage_bio.report import words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.plot import FONT
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import count

# of a unit: where it came in, then (stage, title of the box after it); the survival stage is parted in two
CAME_IN = {"photo": "Photos received", "subject": "Participants", "sample": "RNA samples received"}
BOXES = {
    "photo": [("face_age", "Photos with a face age")],
    "subject": [
        ("acceleration", "Participants with age acceleration"),
        ("survival", "Participants with follow-up"),
    ],
    "sample": [("expression", "RNA samples analysed")],
}
# titles where no photos came in
OF_FACE_AGES = {"Photos received": "Face ages given", "Photos with a face age": "Face ages known"}
FULL_MODEL = "Participants in the full Cox model"
WIDTH, MAIN, SIDE, GAP, LINE, PAD = 760, 290, 410, 60, 17, 10


@dataclass(frozen=True)
class Box:
    """A box and the arrow above it.

    ``n``: those who go on; ``reasons``: code -> number excluded at the arrow; ``flags``: code -> number used but flagged. A number
    that the table lacks is missing (NaN).
    """

    stage: str
    title: str
    n: float
    reasons: dict[str, float] = field(default_factory=dict)
    flags: dict[str, float] = field(default_factory=dict)


def chains(flow: pd.DataFrame) -> dict[str, list[Box]]:
    """For each unit its boxes, from the ledger's counts of one cohort, in which each is excluded once.

    Missing covariates concern the full model alone, which has a box of its own. No number is a sum: of rounded ones it would be
    another than that of the same participants elsewhere.
    """
    found = {}
    for unit, stages in BOXES.items():
        mine = flow[flow["unit"] == unit]
        if not len(mine):
            continue
        by_stage = dict(iter(mine.groupby("stage")))
        start = by_stage.get("intake", mine.iloc[:0])
        steps = [Box("intake", CAME_IN[unit], _total(start, "remaining"), {}, _numbers(start, "flagged"))]
        if lost := _numbers(start, "excluded"):
            before = Box("before", f"{CAME_IN[unit]}, all", _total(start, "received"))
            steps = [before, replace(steps[0], reasons=lost)]
        for stage, title in (one for one in stages if one[0] in by_stage):
            rows = by_stage[stage]
            reasons, n = _numbers(rows, "excluded"), _total(rows, "remaining")
            flags = _numbers(rows, "flagged")
            if stage == "survival":
                covariates = {code: n for code, n in reasons.items() if code.startswith(MISSING)}
                reasons = {code: n for code, n in reasons.items() if code not in covariates}
                steps.append(Box(stage, title, _total(rows, "followed"), reasons))
                steps += [Box("full model", FULL_MODEL, n, covariates)] if covariates else []
            else:
                steps.append(Box(stage, title, n, reasons, flags))
        found[unit] = steps
    return found


def _total(rows: pd.DataFrame, status: str) -> float:
    """Missing where the table has none."""
    n = rows.loc[rows["status"] == status, "n"]
    return float(n.iloc[0]) if len(n) else math.nan


def _numbers(rows: pd.DataFrame, status: str) -> dict[str, float]:
    rows = rows[rows["status"] == status]
    return {str(row.reason): float(row.n) for row in rows.itertuples()}


def cohort_flow(tables: ReportTables, name: str, given: bool = False) -> dict[str, list[Box]]:
    """The boxes of a cohort; a unit that never came in has none. ``given``: face ages came in, not photos."""
    flow = tables.get("ledger", "flow", name)
    boxes = chains(flow) if len(flow) else {}
    if given and "photo" in boxes:
        photos = boxes["photo"]
        boxes["photo"] = [replace(box, title=OF_FACE_AGES.get(box.title, box.title)) for box in photos]
    return boxes


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


def lost_lines(box: Box) -> list[str]:
    """What the exclusion box at an arrow says."""
    return _counted(box.reasons)


def flag_line(box: Box) -> str:
    """Those used but flagged."""
    said = ", ".join(_counted(box.flags))
    return f"used, flagged: {said}" if said else ""


def _counted(reasons: dict[str, float]) -> list[str]:
    return [f"{count(n)} {words.reason(code)}" for code, n in reasons.items() if n != 0]


def draw(boxes: dict[str, list[Box]], cohort: str) -> Picture:
    """The diagram of a cohort; stages that did not run are named below it."""
    title = f"Participant flow in {cohort} with exclusions; the list below is its text alternative"
    return picture(boxes, title, not_run(boxes), _as_rows(boxes)) if boxes else Picture()


def picture(
    boxes: dict[str, list[Box]], title: str, absent: Sequence[str] = (), data: pd.DataFrame | None = None
) -> Picture:
    """Chains of boxes below each other as an SVG element in the page's own colours; ``absent``: what did not run."""
    parts: list[str] = []
    top = 2
    for chain in boxes.values():
        for place, box in enumerate(chain):
            if place:
                top = _arrow(parts, top, box)
            top = _main(parts, top, box)
        top += 26
    for missing in absent:
        parts.append(_frame(1, top, MAIN, 34, 'stroke-dasharray="2 4" opacity="0.7"'))
        parts.append(_text(14, top + 22, f"{missing}: not run", ' opacity="0.8"'))
        top += 46
    height = top - (10 if absent else 20)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    style = f'font-family="{FONT}" font-size="13" fill="currentColor"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="strobe" {size} role="img" aria-label="{escape(title)}" {style}>'
    return Picture(f"{head}{''.join(parts)}</svg>", data)


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{more}>{escape(text)}</text>'


def _frame(x: int, y: int, width: int, height: int, more: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="none" stroke="currentColor" {more}/>'


def _main(parts: list[str], top: int, box: Box) -> int:
    flags = wrap(flag_line(box), 44)
    height = 2 * PAD + 20 + LINE * (1 + len(flags))
    parts.append(_frame(1, top, MAIN, height, 'stroke-width="1.6"'))
    parts.append(_text(14, top + PAD + 17, count(box.n), ' font-size="19" font-weight="650"'))
    parts.append(_text(14, top + PAD + 20 + LINE - 3, box.title))
    for k, line in enumerate(flags):
        parts.append(_text(14, top + PAD + 20 + LINE * (k + 2) - 3, line, ' font-size="12" opacity="0.75"'))
    return top + height


def _arrow(parts: list[str], top: int, box: Box) -> int:
    lines = [line for said in lost_lines(box) for line in wrap(said, 54, subsequent_indent="  ")]
    height = 2 * PAD + LINE * (len(lines) + 1) - 4 if lines else 0
    below = top + max(height + 16, 34)
    x = 1 + MAIN // 2
    parts.append(f'<path d="M{x},{top}V{below - 7}" stroke="currentColor" fill="none"/>')
    parts.append(f'<path d="M{x - 5},{below - 8}h10l-5,8z"/>')
    if lines:
        side, start = 1 + MAIN + GAP - 6, top + 8
        parts.append(f'<path d="M{x},{start + height // 2}H{side - 7}" stroke="currentColor" fill="none"/>')
        parts.append(f'<path d="M{side - 8},{start + height // 2 - 5}v10l8,-5z"/>')
        parts.append(_frame(side, start, SIDE - 6, height, 'stroke-dasharray="4 3"'))
        parts.append(_text(side + 12, start + PAD + 11, "Excluded", ' font-weight="600"'))
        for k, line in enumerate(lines, 1):
            across, down = side + 12 + 10 * line.startswith("  "), start + PAD + 11 + LINE * k
            parts.append(_text(across, down, line.strip(), ' font-size="12.5"'))
    return below


def _as_rows(boxes: dict[str, list[Box]]) -> pd.DataFrame:
    """The boxes as rows, for whoever takes the data of the figure."""
    rows = [(title, n, "; ".join(lost)) for title, n, lost in as_list(boxes)]
    return pd.DataFrame(rows, columns=["box", "n", "excluded or flagged before"])


def as_list(boxes: dict[str, list[Box]]) -> list[tuple[str, str, list[str]]]:
    """The diagram in words: (box, number, what was excluded on the way to it), its text alternative."""
    every = (box for chain in boxes.values() for box in chain)
    return [(box.title, count(box.n), [*lost_lines(box), *filter(None, [flag_line(box)])]) for box in every]
