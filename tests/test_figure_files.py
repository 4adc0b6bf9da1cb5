"""The figures of the pages as files, and colours that everybody tells apart."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from faceage_bio.core.errors import FaceAgeBioError
from faceage_bio.report import figures, plot, sections_all_genes, sections_genes, sections_readers
from faceage_bio.report.figure_files import Figures, Picture, copy_figures, write_figures
from faceage_bio.report.provenance import Provenance
from tests.gene_pages import page_of

SVG = "{http://www.w3.org/2000/svg}"
# deuteranopia and protanopia at full strength, on linear RGB: Machado, Oliveira and Fernandes 2009, doi:10.1109/TVCG.2009.113
VISION = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}  # fmt: skip
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
WHITE = np.array([0.95047, 1, 1.08883])
PAPERS = {"light": "#ffffff", "dark": "#14181e"}  # --paper of style.css
TOGETHER = {
    "cohorts": plot.COHORTS,
    "groups": plot.of_groups(6),
    "raw and adjusted": [colour for _, colour in figures.RAW_AND_ADJUSTED],
    "genes": [colour for _, _, colour in sections_genes.EXPOSURES],
    "volcano": [sections_all_genes.UP, sections_all_genes.DOWN, sections_all_genes.GREY],
    "readers": sections_readers.KINDS,
}


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    part = TO_XYZ @ rgb / WHITE
    f = np.where(part > 0.008856, np.cbrt(part), 7.787 * part + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    low, high = sorted((TO_XYZ @ linear(colour))[1] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("together", TOGETHER.values(), ids=TOGETHER.keys())
def test_colours_that_stand_together_are_told_apart(together, vision):
    seen = {colour: lab(np.clip(np.array(VISION[vision]) @ linear(colour), 0, 1)) for colour in set(together)}
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 15, (one, other)  # CIE 1976; 2.3 is just noticed


def test_no_colour_of_a_cohort_is_that_of_a_group_or_an_estimate():
    others = {*plot.of_groups(6), plot.GREY, plot.VERMILLION, plot.VIOLET, plot.BROWN}
    assert others.isdisjoint(plot.COHORTS)
    assert len({*plot.of_cohorts("abcdef").values()}) == 6


@pytest.mark.parametrize("paper", PAPERS)
def test_colours_stand_out_from_the_paper(paper):
    # WCAG 2.2, 1.4.11: 3 to 1 for graphical objects
    for colour in {colour for together in TOGETHER.values() for colour in together}:
        assert contrast(colour, PAPERS[paper]) >= 3, colour


def test_each_figure_is_a_file_that_stands_alone(tmp_path):
    page = page_of(["one"], 300)
    written = write_figures({"first.html": page}, tmp_path / "figures")
    svgs = [path for path in written if path.suffix == ".svg"]
    names = {path.relative_to(tmp_path / "figures").as_posix() for path in svgs}
    assert len(svgs) == len(names) == len(page.figures) == page.count("<figure")
    assert names >= {"first/expression/genes/one-1.svg", "first/expression/panel/one-1.svg"}
    for path in svgs:
        picture = ElementTree.parse(path).getroot()
        assert picture.tag == f"{SVG}svg"
        assert len(picture.find(f"{SVG}desc").text) > 20
        text = path.read_text()
        assert "var(" not in text
        assert "currentColor" not in text


def test_each_figure_has_a_pdf_with_its_fonts(tmp_path):
    page = page_of(["one"], 3_000)
    written = write_figures({"first.html": page}, tmp_path / "figures")
    pdfs = [path for path in written if path.suffix == ".pdf"]
    assert {path.with_suffix(".svg") for path in pdfs} == {path for path in written if path.suffix == ".svg"}
    for path in pdfs:
        raw = path.read_bytes()
        assert raw.startswith(b"%PDF")
        assert b"/FontFile" in raw
        assert not re.search(
            rb"/BaseFont */(?![A-Z]{6}\+)", raw
        )  # a font that is embedded has a tag of six letters
    svgs = write_figures({"first.html": page}, tmp_path / "alone", pdf=False)
    assert {path.suffix for path in svgs} == {".svg"}


def test_the_figures_of_a_page_are_copied_with_a_pdf_each(tmp_path):
    written = write_figures({"first.html": page_of(["one"], 300)}, tmp_path / "figures", pdf=False)
    copied = copy_figures([tmp_path / "first.html"], tmp_path / "copy")
    names = {path.relative_to(tmp_path / "figures") for path in written}
    assert {path.relative_to(tmp_path / "copy") for path in copied} == names | {
        name.with_suffix(".pdf") for name in names
    }
    with pytest.raises(FaceAgeBioError, match=r"elsewhere/page\.html: without its figures"):
        copy_figures([tmp_path / "elsewhere" / "page.html"], tmp_path / "copy")


def test_the_caption_of_a_figure_is_its_description():
    include = Figures(Provenance().names)
    picture = Picture('<svg viewBox="0 0 1 1"><path stroke="var(--paper,#fff)"/></svg>')
    include(picture, "one", "survival/cox", "x/y", caller=lambda: Markup("a &lt; <b>b</b>"))
    include(picture, "one", "flow", caller=str, kind="x")
    assert include("", "one", "survival/cox", caller=str) == ""
    figure, flow = include.included
    assert (figure.name, figure.caption) == ("survival/cox/one-1", "a < b")
    assert "<desc>a &lt; b</desc>" in figure.standalone()
    assert 'stroke="#fff"' in figure.standalone()
    assert flow.name == "participants/flow/one-1"


def test_names_within_a_picture_are_those_of_the_page():
    include = Figures(Provenance().names)
    for n in (7, 8):
        picture = Picture(f'<svg><clipPath id="clip{n}"/><g clip-path="url(#clip{n})"/></svg>')
        shown = include(picture, "one", "survival/cox", caller=str)
    assert 'id="clip2"' in shown
    assert "clip8" not in shown
    assert [figure.svg.count("clip1") for figure in include.included] == [2, 0]
