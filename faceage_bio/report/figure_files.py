"""The figures of the pages as files, SVG and PDF: for papers, slides and Snakemake's own report."""

import html
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceage_bio.core.tables import atomic_path, write_text

FIGURE = re.compile(r"<figure([^>]*)>(.*?)</figure>", flags=re.DOTALL)
PICTURE = re.compile(r"<svg\b.*?</svg>", flags=re.DOTALL)
CAPTION = re.compile(r"<figcaption>(.*?)</figcaption>", flags=re.DOTALL)
ORIGIN = re.compile(r'data-from="(\w+)/(?:(\w+)/)?(\w+)')
FLOW = "participants"  # in place of an analysis, of the table of the participant flow
INK, PAPER = "#1c2430", "#ffffff"


@dataclass(frozen=True)
class Figure:
    """One picture of a page: of which cohort (or pooled), from which result table, with the words below it."""

    cohort: str
    analysis: str
    table: str
    svg: str
    caption: str


def figures_of(page: str) -> list[Figure]:
    """The figures of a page, in its order; those that are not tied to a result table are left out."""
    found = []
    for attributes, body in FIGURE.findall(page):
        origin, picture, caption = ORIGIN.search(attributes), PICTURE.search(body), CAPTION.search(body)
        if origin and picture:
            cohort, analysis, table = origin.groups(FLOW)
            words = html.unescape(re.sub(r"<[^>]+>", "", caption[1])) if caption else ""
            found.append(Figure(cohort, analysis, table, picture[0], " ".join(words.split())))
    return found


def standalone(figure: Figure) -> str:
    """The picture as a file: on white, with its caption as description, without the page's colours."""
    start = figure.svg.index(">") + 1
    head = figure.svg[:start]
    if "xmlns=" not in head:
        head = head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    caption = html.escape(figure.caption)
    ground = f'<desc>{caption}</desc><rect width="100%" height="100%" fill="{PAPER}"/>'
    picture = head + ground + figure.svg[start:]
    picture = picture.replace("currentColor", INK)
    return re.sub(r"var\(--\w+, ?(#\w+)\)", r"\1", picture) + "\n"


def write_figures(pages: Sequence[Path], folder: Path, pdf: bool = True) -> list[Path]:
    """Write each figure of the pages as ``page/analysis/table/cohort-1.svg``, ``-2`` and so on, in the order of its page.

    Parameters
    ----------
    pdf : a PDF of each besides, with its fonts embedded; the page links it by the same name (downloads.js)
    """
    written = []
    for page in pages:
        counted: Counter[tuple[str, str, str]] = Counter()
        for figure in figures_of(page.read_text(encoding="utf-8")):
            place = (figure.analysis, figure.table, figure.cohort)
            counted[place] += 1
            path = (
                folder / page.stem / figure.analysis / figure.table / f"{figure.cohort}-{counted[place]}.svg"
            )
            write_text(standalone(figure), path)
            written.append(path)
            if pdf:
                written.append(_pdf(path))
    return written


def _pdf(path: Path) -> Path:
    """The same figure as a PDF alongside."""
    import vl_convert

    to = path.with_suffix(".pdf")
    with atomic_path(to) as temporary:
        temporary.write_bytes(vl_convert.svg_to_pdf(path.read_text(encoding="utf-8")))
    return to
