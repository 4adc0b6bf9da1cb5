"""A figure is drawn once: the page includes it, and the same picture is written as a file (SVG, PDF), for papers, slides and Snakemake's report."""

import base64
import gzip
import html
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from faceage_bio.core.errors import FaceAgeBioError
from faceage_bio.core.tables import atomic_path, write_text
from faceage_bio.core.user_files import harmless_table

MOST_ROWS = 5000  # what draws more has a table of its own
FLOW = "participants"  # in place of an analysis, of the table of the participant flow
INK, PAPER = "#1c2430", "#ffffff"
# names that the renderer numbers through all figures that it ever drew
DRAWN = re.compile(r"(clip|gradient_)\d+")
INCLUDED = re.compile(r'data-file="([^"]+)"')  # by a page, as `Figures` writes it


class Picture(Markup):
    """What a drawing function gives: an SVG element (``svg``), and after it the data that it draws, so that the page can hand them out."""

    svg: str

    def __new__(cls, svg: str = "", data: pd.DataFrame | None = None) -> "Picture":
        made = super().__new__(cls, svg + ("" if data is None else _packed(data)))
        made.svg = svg
        return made


def _packed(data: pd.DataFrame) -> str:
    """TSV with six digits, gzip, base64, in a script element that nothing runs; empty where there are no rows or too many."""
    table = data.dropna(axis=1, how="all")
    if not 0 < len(table) <= MOST_ROWS:
        return ""
    rows = harmless_table(table).to_csv(sep="\t", index=False, lineterminator="\n", float_format="%.6g")
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as writer:
        writer.write(rows.encode())
    text = base64.b64encode(stream.getvalue()).decode()
    return f'<script type="application/gzip" class="data">{text}</script>'


@dataclass(frozen=True)
class Figure:
    """A figure of a page: the file that it is without its ending (``survival/cox/north-1``), the picture, and the words below it."""

    name: str
    svg: str
    caption: str

    def standalone(self) -> str:
        """The picture as a file: on white, with its caption as description, without the page's colours."""
        start = self.svg.index(">") + 1
        head = self.svg[:start]
        if "xmlns=" not in head:
            head = head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
        ground = f'<desc>{html.escape(self.caption)}</desc><rect width="100%" height="100%" fill="{PAPER}"/>'
        picture = (head + ground + self.svg[start:]).replace("currentColor", INK)
        return re.sub(r"var\(--\w+, ?(#\w+)\)", r"\1", picture) + "\n"


class Figures:
    """The figures that a page includes, in its order; templates call it with the caption as the body of the call."""

    def __init__(self, names_of: Callable[..., list[str]]):
        self.included: list[Figure] = []
        self._names_of = names_of
        self._places: Counter[str] = Counter()
        self._numbers: dict[str, str] = {}  # of what a picture names within itself, from 1 on each page

    def __call__(
        self,
        picture: Picture | str,
        cohort: str,
        *tables: str,
        caller: Callable[[], str],
        kind: str = "",
        wide: bool = False,
    ) -> Markup:
        """The figure element; empty where nothing was drawn.

        Parameters
        ----------
        cohort, tables : what it was made of, as for `Provenance.names`; the first names the file
        kind : class of the element
        wide : whether it may be wider than its column
        """
        if not picture:
            return Markup("")
        names = self._names_of(cohort, *tables)
        drawn = Markup(DRAWN.sub(self._number, picture))
        caption, file = caller(), ""
        if names:
            of, *analysis, table = names[0].split("/")
            place = "/".join([*(analysis or [FLOW]), table, of])
            self._places[place] += 1
            file = f"{place}-{self._places[place]}"
            svg = DRAWN.sub(self._number, picture.svg)
            self.included.append(Figure(file, svg, Markup(caption).striptags()))
        return Markup('<figure{} data-from="{}"{}>{}{}</figure>').format(
            Markup(' class="{}"').format(kind) if kind else "",
            " ".join(names),
            Markup(' data-file="{}"').format(file) if file else "",
            Markup('<div class="scroll wide" tabindex="0">{}</div>').format(drawn) if wide else drawn,
            Markup("<figcaption>{}</figcaption>").format(caption) if caption else "",
        )

    def _number(self, found: re.Match) -> str:
        return self._numbers.setdefault(found[0], f"{found[1]}{len(self._numbers) + 1}")


class Page(str):
    """The HTML of a page, with the figures that it includes."""

    figures: list[Figure]


def write_figures(pages: Mapping[str, Page], folder: Path, pdf: bool = True) -> list[Path]:
    """Write each figure of the pages, by the name of their files, as ``page/analysis/table/cohort-1.svg``, ``-2`` and so on, in the order of its page.

    Parameters
    ----------
    pdf : also a PDF of each, with its fonts embedded; the page links it by the same name (downloads.js)
    """
    written = []
    for name, page in pages.items():
        for figure in page.figures:
            written.append(folder / Path(name).stem / f"{figure.name}.svg")
            write_text(figure.standalone(), written[-1])
    return [*written, *map(_pdf, written)] if pdf else written


def copy_figures(pages: Sequence[Path], folder: Path) -> list[Path]:
    """The figures of pages, also of published ones, from the folder next to each, as SVG and PDF in another folder (or the same).

    Raises
    ------
    FaceAgeBioError
        No such page, or one without its figures.
    """
    written = []
    for page in pages:
        if not page.is_file():
            raise FaceAgeBioError(f"{page}: no such file. Expected a page that a run or publish wrote.")
        for name in INCLUDED.findall(page.read_text(encoding="utf-8")):
            place = Path("figures", page.stem, f"{name}.svg")
            if not (page.parent / place).is_file():
                raise FaceAgeBioError(
                    f"{page}: without its figures. Expected {page.parent / place}. Name the page where a run or publish wrote it."
                )
            written.append(folder / place.relative_to("figures"))
            write_text((page.parent / place).read_text(encoding="utf-8"), written[-1])
    return [*written, *map(_pdf, written)]


def _pdf(path: Path) -> Path:
    """The same figure as a PDF alongside."""
    import vl_convert

    to = path.with_suffix(".pdf")
    with atomic_path(to) as temporary:
        temporary.write_bytes(vl_convert.svg_to_pdf(path.read_text(encoding="utf-8")))
    return to
