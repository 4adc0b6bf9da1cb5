"""A table as a Word file of three lines, as journals print them; the same table gives the same bytes, and no author or date."""

import io
import zipfile
from collections.abc import Sequence

from docx import Document
from docx.document import Document as Opened
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor
from docx.table import _Cell, _Row
from docx.text.paragraph import Paragraph

from faceage_bio.core.tables import zipped
from faceage_bio.report.journal_tables import Cell, Gene, JournalTable, Row, plain

FONT, SIZE, SMALL = "Arial", Pt(9), Pt(8)
PORTRAIT, LANDSCAPE, MARGIN = (21.0, 29.7), (29.7, 21.0), 2.0  # A4, cm
LETTER, GAP = 0.175, 0.45  # cm: of a letter, and between columns
MOST = 38  # letters of a line of a cell
UNWANTED = ("core-properties", "extended-properties", "thumbnail", "customXml", "stylesWithEffects")
THICK, THIN = 8, 4  # eighths of a point


def word_table(table: JournalTable, footer: str) -> bytes:
    """The bytes of a .docx: title, table, notes, and ``footer`` on each page."""
    widths = _widths(table)
    page = PORTRAIT if sum(widths) <= PORTRAIT[0] - 2 * MARGIN else LANDSCAPE
    document = _empty(page)
    _write(document.add_paragraph(), (table.title,), bold=True, size=Pt(10))
    heads = 1 + bool(table.spanners)
    grid = document.add_table(rows=heads + len(table.rows), cols=len(table.heads))
    grid.autofit = False
    stretch = min(1.25, (page[0] - 2 * MARGIN) / sum(widths))
    for column, width in zip(grid.columns, widths, strict=True):
        column.width = Cm(width * stretch)
    lines = list(grid.rows)
    for line in lines:
        for cell, width in zip(line.cells, widths, strict=True):
            cell.width = Cm(width * stretch)
    _fill_heads(lines[:heads], table)
    for line, row in zip(lines[heads:], table.rows, strict=True):
        _fill_row(line, row)
    for line in lines:
        line._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    for line in lines[:heads]:
        line._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    _rule(lines[0].cells, "top", THICK)
    _rule(lines[heads - 1].cells, "bottom", THIN)
    _rule(lines[-1].cells, "bottom", THICK)
    for note in table.notes:
        _write(document.add_paragraph(), (note,), size=SMALL)
    if footer:
        below = document.sections[0].footer.paragraphs[0]
        _write(below, (footer,), bold=True, size=SMALL, colour=RGBColor(0xB0, 0, 0))
    return _packed(document)


def _widths(table: JournalTable) -> list[float]:
    """The width of each column by its longest cell, cm; heads may break between words."""
    widths = []
    for place, head in enumerate(table.heads):
        cells = [plain(row.cells[place]) for row in table.rows if row.kind != "group"]
        longest = max(map(len, [*cells, *head.split()]), default=1)
        widths.append(GAP + LETTER * min(MOST, longest + 2))
    return widths


def _empty(page: tuple[float, float]) -> Opened:
    """A4 with margins of 2 cm and one font, without what tells author, program or date."""
    document = Document()
    for part in (document.part.package, document.part):
        for key, relation in list(part.rels.items()):
            if relation.reltype.rpartition("/")[2] in UNWANTED:
                del part.rels[key]
    section = document.sections[0]
    section.page_width, section.page_height = map(Cm, page)
    section.orientation = WD_ORIENT.LANDSCAPE if page == LANDSCAPE else WD_ORIENT.PORTRAIT
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Cm(MARGIN)
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = FONT, SIZE
    normal.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), FONT)
    normal.paragraph_format.space_after = normal.paragraph_format.space_before = Pt(1)
    return document


def _fill_heads(lines: Sequence[_Row], table: JournalTable) -> None:
    for place, (cell, head) in enumerate(zip(lines[-1].cells, table.heads, strict=True)):
        _fill(cell, head, place, bold=True)
    for label, first, n in table.spanners:
        top = lines[0].cells
        merged = top[first].merge(top[first + n - 1])
        _fill(merged, label, first, bold=True)
        _rule([merged], "bottom", THIN)


def _fill_row(line: _Row, row: Row) -> None:
    cells = line.cells
    if row.kind == "group":
        _fill(cells[0].merge(cells[-1]), row.cells[0], 0, bold=True)
        cells[0].paragraphs[0].paragraph_format.keep_with_next = True
        return
    for place, (cell, text) in enumerate(zip(cells, row.cells, strict=True)):
        _fill(cell, text, place, bold=row.kind == "variable" and not place)
    if row.kind == "level":
        cells[0].paragraphs[0].paragraph_format.left_indent = Cm(0.4)


def _fill(cell: _Cell, text: Cell, place: int, *, bold: bool = False) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER if place else WD_ALIGN_PARAGRAPH.LEFT
    _write(paragraph, text if isinstance(text, tuple) else (text,), bold=bold)


def _write(
    paragraph: Paragraph,
    parts: Sequence[str],
    *,
    bold: bool = False,
    size=None,
    colour: RGBColor | None = None,
) -> None:
    for part in parts:
        run = paragraph.add_run(str(part))
        run.bold, run.italic = bold or None, isinstance(part, Gene) or None
        run.font.size = size
        if colour is not None:
            run.font.color.rgb = colour


def _rule(cells: Sequence[_Cell], side: str, width: int) -> None:
    """A line along one side of cells."""
    for tc in dict.fromkeys(cell._tc for cell in cells):
        properties = tc.get_or_add_tcPr()
        borders = properties.find(qn("w:tcBorders"))
        if borders is None:
            borders = OxmlElement("w:tcBorders")
            properties.append(borders)
        line = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", str(width)), ("space", "0"), ("color", "000000")):
            line.set(qn(f"w:{name}"), value)
        borders.insert(0 if side == "top" else len(borders), line)  # Word wants top before bottom


def _packed(document: Opened) -> bytes:
    saved = io.BytesIO()
    document.save(saved)
    with zipfile.ZipFile(saved) as made:
        return zipped({name: made.read(name) for name in made.namelist()})
