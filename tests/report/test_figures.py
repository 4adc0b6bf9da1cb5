"""Forests, scatter plots and layers of points: what is drawn is what the table holds."""

import base64
import gzip
import io
import itertools
import re
from xml.etree import ElementTree

import altair as alt
import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup
from PIL import Image

from faceage_bio.core.columns import AGE, COHORT, FACE_AGE
from faceage_bio.core.errors import FaceAgeBioError
from faceage_bio.core.tables import write_table
from faceage_bio.report import (
    figures,
    plot,
    sections_all_genes,
    sections_genes,
    sections_participants,
    sections_readers,
)
from faceage_bio.report.figure_files import Figures, Page, Picture, copy_figures, write_figures
from faceage_bio.report.plot import MOST_POINTS, Scale, dots, inner_ticks, lighter, text_width
from faceage_bio.report.provenance import Provenance
from faceage_bio.report.sections_participants import face_age_figure
from faceage_bio.report.tables_by_place import collect
from tests.pages import page_of

COLOURS = [("unadjusted", "#8a8f98"), ("adjusted for age", "#0072B2")]
HAZARDS = pd.DataFrame({
    "label": ["north", "north", "south", "south"], "kind": ["adjusted for age", "unadjusted"] * 2,
    "estimate": [1.88, 1.85, 1.65, 1.6], "ci_lower": [1.46, 1.51, 1.3, 1.32], "ci_upper": [2.43, 2.27, 2.08, 1.93],
    "p_value": [1e-6, 1e-9, 0.0123, 0.2], "n": [114, 114, 1115, 1115], "n_events": [79, 79, 80, 80],
})  # fmt: skip


def forest(table=HAZARDS, **settings):
    settings = {"logarithmic": True} | settings
    return figures.forest(table, "label", COLOURS, 1, "Hazard ratio for death (log scale)", **settings)


def words_of(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_forest_has_its_numbers_as_columns_of_text():
    words = words_of(forest())
    assert words[words.index("n") : words.index("p") + 1] == ["n", "Events", "HR (95% CI)", "p"]
    lines = [words[k : k + 4] for k, one in enumerate(words) if one in {"114", "1,115"}]
    assert lines == [
        ["114", "79", "1.85 (1.51–2.27)", "&lt; 0.001"],
        ["114", "79", "1.88 (1.46–2.43)", "&lt; 0.001"],
        ["1,115", "80", "1.60 (1.32–1.93)", "0.200"],
        ["1,115", "80", "1.65 (1.30–2.08)", "0.012"],
    ]
    assert words.count("north") == words.count("south") == 1
    narrow = words_of(forest(width=540))
    assert "Events" not in narrow
    assert "1.85 (1.51–2.27)" in narrow


def test_squares_stand_at_the_estimates_of_a_logarithmic_axis():
    svg = forest()
    ends = {float(words): float(x) for x, words in re.findall(r'<text x="([\d.]+)"[^>]*text-anchor="middle">([\d.]+)</text>', svg)}  # fmt: skip
    (one, x_one), (two, x_two) = (1.0, ends[1.0]), (2.0, ends[2.0])
    body = svg[svg.index("HR (95% CI)") :]
    squares = [float(x) + 4 for x in re.findall(r'<path d="M([\d.]+) [\d.]+h8v8h-8z"', body)]
    expected = [
        x_one + np.log(value / one) / np.log(two / one) * (x_two - x_one) for value in (1.85, 1.88, 1.6, 1.65)
    ]
    assert squares == pytest.approx(expected, abs=0.15)
    rule = float(re.match(r'<svg[^>]*><path d="M([\d.]+) [\d.]+V', re.sub(r'<path d="M0 [^>]*opacity=".05"/>', "", svg))[1])  # fmt: skip
    assert rule == pytest.approx(x_one, abs=0.1)  # the reference line


def test_an_interval_that_leaves_the_frame_ends_in_an_arrow():
    assert "arrow" not in forest()
    wide = HAZARDS.assign(ci_upper=[2.43, 2.27, 2.08, 4000.0])
    svg = forest(wide)
    assert svg.count('class="arrow"') == 1
    right = max(float(x) for x in re.findall(r'class="arrow" d="M([\d.]+) [\d.]+l-8', svg))
    texts = min(float(x) for x in re.findall(r'<text x="([\d.]+)" y="[\d.]+">1\.', svg))
    assert right < texts  # before the column of estimates
    assert "1.60 (1.32–4000.00)" in svg  # the text has the whole interval
    both = forest(HAZARDS.assign(ci_lower=[0.0, 1.51, 1.3, 1.32], ci_upper=[np.inf, 2.27, 2.08, 1.93]))
    assert both.count('class="arrow"') == 2


def test_a_forest_without_intervals_or_with_a_single_row_is_drawn():
    bare = HAZARDS.head(1)[["label", "kind", "estimate"]]
    words = words_of(forest(bare))
    assert "1.88" in words
    assert not {"n", "Events", "p", "unadjusted"} & set(words)
    assert "nan" not in forest(bare).lower()


def test_sections_head_their_lines_and_further_texts_stand_on_the_right():
    table = HAZARDS.assign(section=["Smoking", "Smoking", "BMI", "BMI"], test=["", "0.5 (0.7)", "", ""])
    words = words_of(forest(table, section="section", further=("test", "p (q) for interaction")))
    assert [word for word in words if word in {"Smoking", "BMI", "north", "south"}] == ["Smoking", "north", "BMI", "south"]  # fmt: skip
    assert {"p (q) for interaction", "0.5 (0.7)"} <= set(words)


def test_gene_symbols_are_italic():
    assert re.search(r'font-style="italic"[^>]*>north<', forest(italic=True))
    assert "italic" not in forest()


@pytest.mark.parametrize("name", ["a", "<script>alert(1)</script>", "x" * 300])
def test_any_name_stays_a_name_within_its_column(name):
    svg = forest(HAZARDS.assign(label=name))
    assert "<script>alert" not in svg
    assert max(len(words) for words in words_of(svg)) < 90


@pytest.mark.parametrize(("low", "high"), [(0.9, 1.1), (0.99, 1.3), (0.5, 3), (0.04, 25), (1e-3, 1e3)])
def test_a_logarithmic_axis_has_ticks(low, high):
    found = inner_ticks(low, high, log=True)
    assert 2 <= len(found) <= 10
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in found)
    assert found == sorted(found)


@pytest.mark.parametrize("n", [MOST_POINTS, MOST_POINTS + 1, 60_000])
def test_many_points_are_one_small_picture_and_few_are_a_path(n):
    random = np.random.default_rng(1)
    x, y = random.normal(480, 80, n), random.normal(200, 40, n)
    drawn = dots(x, y, 2, "#0072B2")
    if n <= MOST_POINTS:
        assert drawn.count("M") == n
        return
    found = re.fullmatch(r'<image class="points" x="(-?\d+)" y="(-?\d+)" width="(\d+)" height="(\d+)" href="data:image/png;base64,([^"]+)"/>', drawn)  # fmt: skip
    left, top, width, height = map(int, found.groups()[:4])
    assert len(drawn) < 400_000
    picture = Image.open(io.BytesIO(base64.b64decode(found[5]))).convert("RGBA")
    alpha, scale = np.asarray(picture)[..., 3], picture.width / width
    assert picture.height / height == scale
    # each point is inked
    assert (alpha[((y - top) * scale).astype(int), ((x - left) * scale).astype(int)] > 100).all()
    ink = np.argwhere(alpha > 30) / scale + [top, left]
    nearest = [np.hypot(y - row, x - column).min() for row, column in ink[:: max(1, len(ink) // 300)]]
    assert max(nearest) < 3  # and nothing else is
    assert set(np.asarray(picture)[alpha > 0][:, :3].ravel()) == {0x00, 0x72, 0xB2}
    rows = dots(x, y, 2, "#0072B2", raster=False)
    assert "<image" not in rows
    assert len(rows) < 150_000


def people(n, cohort="south", seed=0):
    random = np.random.default_rng(seed)
    age = random.uniform(30, 90, n)
    return pd.DataFrame({
        COHORT: cohort, "subject_id": [f"SECRET{k:05d}" for k in range(n)], AGE: age,
        FACE_AGE: 0.8 * age + 12 + random.normal(0, 6, n), "photo_date": "2019-03-04",
    })  # fmt: skip


def summary(cohort, n):
    return pd.DataFrame({
        COHORT: cohort, "term": ["face_age", "line", "line"],
        "measure": ["correlation", "slope", "intercept"], "estimate": [0.93, 0.8, 12.0], "n": n,
    })  # fmt: skip


def study(folder, n, squares=True):
    """A cohort's tables: participants, histogram, summary."""
    made = {"acceleration/acceleration.parquet": people(n), "acceleration/summary.tsv": summary("south", n)}
    if squares:
        made["phenotype/age_histogram.tsv"] = pd.DataFrame({COHORT: "south", "age_lower": [40.0, 60.0], "face_age_lower": [45.0, 60.0], "width": 5.0, "n": [n - 9, 9]})  # fmt: skip
    paths = [folder / "south" / name for name in made]
    for path, table in zip(paths, made.values(), strict=True):
        write_table(table, path)
    return paths


def test_data_of_a_figure_whose_layers_lack_a_column():
    encoding = {"x": {"field": "years"}, "y": {"field": "ci_lower"}}
    layers = [{"data": {"name": name}, "encoding": encoding} for name in ("a", "b")]
    rows = {"a": [{"years": 1.0, "ci_lower": 0.5}], "b": [{"years": 2.0, "ci_lower": None}]}
    data = figures.data_of({"layer": layers, "datasets": rows})
    assert data.to_csv(sep="\t", index=False).splitlines() == ["years\tci_lower", "1.0\t0.5", "2.0\t"]


@pytest.mark.parametrize("n", [50, 2500])
def test_a_scatter_plot_has_a_point_per_participant_and_no_identifier(tmp_path, n):
    tables = collect(study(tmp_path, n))
    figure = face_age_figure(tables, ["south"], ["south"])
    points = re.search(r'<path class="points" d="([^"]+)"', figure)
    assert (points is not None) == (n <= MOST_POINTS)
    assert figure.count("<image") == (n > MOST_POINTS)
    if points:
        assert points[1].count("M") == n
    packed = re.search(r'class="data">([^<]*)<', figure)
    rows = gzip.decompress(base64.b64decode(packed[1])).decode()
    assert rows.splitlines()[0] == f"{COHORT}\t{AGE}\t{FACE_AGE}"
    for text in (figure, rows):
        assert "SECRET" not in text
        assert "2019-" not in text
    assert f"south (n = {n:,}, r = 0.93, slope 0.80)" in words_of(figure)
    assert "Identity" in words_of(figure)
    assert "<title" not in figure
    assert len(figure) < 450_000
    order = [float(line.split("\t")[1]) for line in rows.splitlines()[1:]]
    assert order == sorted(order)  # not in the order of identifiers


def test_the_lines_of_a_scatter_plot_are_identity_and_regression(tmp_path):
    figure = face_age_figure(collect(study(tmp_path, 50)), ["south"], ["south"])
    across, up = (Scale(*ends) for ends in axes_of(figure))

    def line(d):
        (x0, y0), (x1, y1) = (map(float, one.split()) for one in d[1:].split("L"))
        ages = np.interp([x0, x1], (across.start, across.end), (across.low, across.high))
        faces = [up.low + (y - up.start) / (up.end - up.start) * (up.high - up.low) for y in (y0, y1)]
        slope, intercept = np.polyfit(ages, faces, 1)
        return slope, intercept

    (identity,) = re.findall(r'd="(M[\d. ]+L[\d. ]+)"[^>]*stroke-dasharray="5 4"', figure)
    assert line(identity) == pytest.approx((1, 0), abs=0.05)
    regression = re.findall(r'd="(M[\d. ]+L[\d. ]+)"[^>]*stroke="#0072B2"', figure)
    assert line(regression[0]) == pytest.approx((0.8, 12), abs=0.05)


@pytest.mark.parametrize("width", [360, 560, 960])
def test_heads_of_panels_do_not_stand_on_each_other(width):
    names = ["north", "a cohort with a name that is far too long for a panel", "south"]
    squares = pd.concat([
        pd.DataFrame({COHORT: name, "age_lower": [40.0, 60.0], "face_age_lower": [45.0, 60.0], "width": 5.0, "n": [1234, 9]})
        for name in names
    ])  # fmt: skip
    line = sections_participants.Line(1243, 0.93, 0.8, 12)
    svg = sections_participants.draw_histogram(squares, dict.fromkeys(names, line), width)
    texts = [(float(y), float(x), words) for x, y, words in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"(?![^>]*text-anchor)[^>]*>([^<]*)</text>', svg)]  # fmt: skip
    heads = sorted(one for one in texts if one[2] in names or one[2].startswith(("a cohort", "n = 1,243")))
    assert len(heads) == 6
    assert re.findall(r">n = (?!1,243)([\d,]+)<", svg) == [
        "9",
        "1,234",
    ]  # the palest and the darkest square there is
    for (y, x, words), (below, right, _) in itertools.pairwise([*heads, (1e9, width, "")]):
        assert x + text_width(words) <= (right if below == y else width), words


def axes_of(figure):
    """Ends of both axes: values from the numbers at the ticks, places from where they stand."""
    texts = [(float(x), float(y), float(words), anchor) for x, y, anchor, words in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*text-anchor="(\w+)">([\d.]+)</text>', figure)]  # fmt: skip
    below = sorted((x, value) for x, _, value, anchor in texts if anchor == "middle")
    beside = sorted((value, y - 4) for _, y, value, anchor in texts if anchor == "end")
    yield below[0][1], below[-1][1], below[0][0], below[-1][0]
    yield beside[0][0], beside[-1][0], beside[0][1], beside[-1][1]


def test_released_tables_give_a_histogram_and_no_points(tmp_path):
    paths = [path for path in study(tmp_path, 50) if path.suffix == ".tsv"]
    figure = face_age_figure(collect(paths, released=True), ["south"], ["south"])
    assert 'class="points"' not in figure
    assert "<image" not in figure
    square = r'<path d="M[\d.]+ [\d.]+H[\d.]+V[\d.]+H[\d.]+z" fill="#80868f" opacity="([\d.]+)"/>'
    squares = re.findall(square, figure)
    assert sorted(map(float, squares)) == [pytest.approx(0.15 + 0.85 * 9 / 41, abs=0.01), 1.0]
    assert "n = 41" in words_of(figure)


def test_a_cohort_without_a_line_has_its_points():
    line = sections_participants.Line(2, np.nan, np.nan, np.nan)
    participants = people(2)[[COHORT, AGE, FACE_AGE]]
    figure = sections_participants.draw_scatter(participants, {"south": line}, {"south": "#0072B2"})
    assert "nan" not in figure.lower()
    assert re.search(r'class="points" d="([^"]+)"', figure)[1].count("M") == 2


def test_a_figure_of_the_plotting_library_is_xml_as_wide_as_its_column(tmp_path):
    curve = pd.DataFrame({
        "age_mean": [45.0, 55], "face_age_mean": [46.0, 57], "face_age_q25": [40.0, 50], "face_age_q75": [50.0, 60], "cohort": "a",
    })  # fmt: skip
    include = Figures(Provenance().names)
    include(figures.age_bands(curve, ["a"]), "a", "acceleration/age_bands", caller=str)
    page = Page()
    page.figures = include.included
    picture, pdf = write_figures({"page.html": page}, tmp_path / "figures")
    assert ElementTree.parse(picture).getroot().get("class") == "plot"
    assert pdf.read_bytes().startswith(b"%PDF")


# The figures of the pages as files, and colours that all readers distinguish.


SVG = "{http://www.w3.org/2000/svg}"
# deuteranopia and protanopia at full strength, on linear RGB: Machado, Oliveira and Fernandes 2009, doi:10.1109/TVCG.2009.113
VISION = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}  # fmt: skip
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1, 1.08883])
PAPERS = {"light": "#ffffff", "dark": "#14181e"}  # --paper of style.css
TOGETHER = {
    "cohorts": plot.COHORTS,
    "groups": plot.of_groups(6),
    "raw and adjusted": [colour for _, colour in figures.RAW_AND_ADJUSTED],
    "genes": [colour for _, colour in sections_genes.OF_BOTH_AGES.values()],
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


def test_each_figure_is_a_file_that_stands_alone_and_a_pdf_with_its_fonts(tmp_path):
    page = page_of(["one"], 3_000)
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
    pdfs = [path for path in written if path.suffix == ".pdf"]
    assert {path.with_suffix(".svg") for path in pdfs} == set(svgs)
    for path in pdfs:
        raw = path.read_bytes()
        assert raw.startswith(b"%PDF")
        assert b"/FontFile" in raw
        # a font that is embedded has a tag of six letters
        assert not re.search(rb"/BaseFont */(?![A-Z]{6}\+)", raw)


def test_the_figures_of_a_page_are_copied_with_a_pdf_each(tmp_path):
    page = page_of(["one"], 300)
    (tmp_path / "first.html").write_text(page)
    written = write_figures({"first.html": page}, tmp_path / "figures", pdf=False)
    assert {path.suffix for path in written} == {".svg"}
    (tmp_path / "figures" / "first" / "of_an_earlier_run.svg").write_text("<svg/>")
    copied = copy_figures([tmp_path / "first.html"], tmp_path / "copy")
    names = {path.relative_to(tmp_path / "figures") for path in written}
    expected = names | {name.with_suffix(".pdf") for name in names}
    assert {path.relative_to(tmp_path / "copy") for path in copied} == expected
    with pytest.raises(FaceAgeBioError, match=r"second\.html: no such file"):
        copy_figures([tmp_path / "second.html"], tmp_path / "copy")
    (tmp_path / "second.html").write_text(page)
    with pytest.raises(FaceAgeBioError, match=r"second\.html: without its figures.*figures/second"):
        copy_figures([tmp_path / "second.html"], tmp_path / "copy")


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


# The renderer's SVG in less text: the same marks, the same words.


HEAD = '<svg width="9" height="9"><g><g fill="none">'
TAIL = "</g></g></svg>"


def light(body: str) -> str:
    return lighter(HEAD + body + TAIL).split('"none">', 1)[1].removesuffix("</g></svg>")


def test_lines_of_one_kind_are_one_path():
    lines = [
        '<line transform="translate(2.84,10)" x2="0" y2="-4.26" stroke="#111" opacity="0.5"/>',
        '<line transform="translate(3,10)" x2="5" y2="0" stroke="#111" opacity="0.5"/>',
        '<line x2="5" y2="1" stroke="#111" opacity="0.5"/>',
        '<line transform="translate(1,1)" stroke="#111" opacity="0.5"/>',
        '<line transform="translate(1,1)" x2="2" stroke="#222"/>',
    ]
    one = '<path d="M2.8,10v-4.3M3,10h5M0,0l5,1M1,1h0" stroke="#111" opacity="0.5"/>'
    assert light("".join(lines)) == one + lines[4]
    assert light("".join(lines[:3])).count("<line") == 3  # few are left apart


def test_dots_and_bars_keep_place_size_and_colour():
    dot = '<path transform="translate({},2)" d="M2.5,0A2.5,2.5,0,1,1,-2.5,0A2.5,2.5,0,1,1,2.5,0" fill="#0072B2"/>'
    dots = light("".join(dot.format(x) for x in range(4)))
    expected = '<path d="M0,2h0M1,2h0M2,2h0M3,2h0" stroke="#0072B2" stroke-width="5" stroke-linecap="round"/>'
    assert dots == expected
    bars = [f'<path d="M{x},0h1v2h-1Z" fill="#009E73"/>' for x in range(4)]
    expected = '<path d="M0.5,0v2M1.5,0v2M2.5,0v2M3.5,0v2" stroke="#009E73" stroke-width="1"/>'
    assert light("".join(bars)) == expected
    translucent = "".join(bar.replace("/>", ' opacity="0.5"/>') for bar in bars)
    assert light(translucent) == translucent  # where they lie on each other they are darker


def test_groups_that_say_nothing_go_and_words_stay():
    body = '<g><g transform="translate(1,2)"><g/><text transform="translate(3.333,4)" font-size="12px">x="0.0512" 7</text></g></g>'
    assert light(body) == '<g transform="translate(1,2)"><text x="3.3" y="4">x="0.0512" 7</text></g>'
    whole = lighter(HEAD + body + TAIL)
    assert len(re.findall(r"<g[ >]", whole)) == whole.count("</g>")


def test_tables_of_a_chart_are_told_as_altair_tells_them():
    table = pd.DataFrame({
        "kind": pd.Categorical(["a", None, "b"]), "word": ["c", np.nan, "d"], "years": [1.5, np.nan, np.inf], "n": [1, 2, 3],
        "known": [False, True, True], "mixed": pd.Series([None, "e", np.int64(1)], dtype=object), "never drawn": [7, 8, 9],
    })  # fmt: skip
    base = alt.Chart(table).encode(x="years:Q", y="n:Q", color="kind:N", detail=["word:N", "mixed:N"])
    few = alt.Chart(table[table.known]).mark_point().encode(x="years:Q", shape="known:N")
    chart = alt.layer(base.mark_line(), base.mark_point(), few)
    theirs = list(chart.to_dict()["datasets"].values())
    for row in theirs[0] + theirs[1]:
        del row["never drawn"]
    assert len(theirs) == 2
    assert list(figures._specification(chart)["datasets"].values()) == theirs
