"""Forests, scatter plots and layers of points: what is drawn is what the table holds."""

import base64
import gzip
import io
import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from faceage_bio.core.columns import AGE, COHORT, FACE_AGE
from faceage_bio.core.tables import write_table
from faceage_bio.report import figures, sections_participants
from faceage_bio.report.figure_files import Figures, Page, write_figures
from faceage_bio.report.plot import MOST_POINTS, Scale, dots, inner_ticks, text_width, ticks
from faceage_bio.report.provenance import Provenance
from faceage_bio.report.sections_participants import face_age_figure
from faceage_bio.report.tables_by_place import collect

COLOURS = [("unadjusted", "#8a8f98"), ("adjusted for age", "#0072B2")]
HAZARDS = pd.DataFrame({
    "label": ["north", "north", "south", "south"], "kind": ["adjusted for age", "unadjusted"] * 2,
    "estimate": [1.88, 1.85, 1.65, 1.6], "ci_lower": [1.46, 1.51, 1.3, 1.32], "ci_upper": [2.43, 2.27, 2.08, 1.93],
    "p_value": [1e-6, 1e-9, 0.0123, 0.2], "n": [114, 114, 1115, 1115], "n_events": [79, 79, 80, 80],
})  # fmt: skip


def forest(table=HAZARDS, **settings):
    settings = {"logarithmic": True} | settings
    return figures.forest(
        table, "label", "kind", COLOURS, 1, "Hazard ratio for death (log scale)", **settings
    )


def words_of(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_forest_has_its_numbers_as_columns_of_text():
    words = words_of(forest())
    assert words[words.index("n") : words.index("p") + 1] == ["n", "Events", "HR (95% CI)", "p"]
    lines = [words[k : k + 4] for k, one in enumerate(words) if one in {"114", "1,115"}]
    assert lines == [
        ["114", "79", "1.85 (1.51–2.27)", "&lt; 0.001"], ["114", "79", "1.88 (1.46–2.43)", "&lt; 0.001"],
        ["1,115", "80", "1.60 (1.32–1.93)", "0.200"], ["1,115", "80", "1.65 (1.30–2.08)", "0.012"],
    ]  # fmt: skip
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
    expected = [x_one + np.log(value / one) / np.log(two / one) * (x_two - x_one) for value in (1.85, 1.88, 1.6, 1.65)]  # fmt: skip
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
    assert (
        alpha[((y - top) * scale).astype(int), ((x - left) * scale).astype(int)] > 100
    ).all()  # each point is inked
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
    layers = [
        {"data": {"name": name}, "encoding": {"x": {"field": "years"}, "y": {"field": "ci_lower"}}}
        for name in ("a", "b")
    ]
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
        ages = [
            across.low + (x - across.start) / (across.end - across.start) * (across.high - across.low)
            for x in (x0, x1)
        ]
        faces = [up.low + (y - up.start) / (up.end - up.start) * (up.high - up.low) for y in (y0, y1)]
        slope = (faces[1] - faces[0]) / (ages[1] - ages[0])
        return slope, faces[0] - slope * ages[0]

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
    svg = sections_participants.draw_histogram(
        squares, dict.fromkeys(names, sections_participants.Line(1243, 0.93, 0.8, 12)), width
    )
    texts = [(float(y), float(x), words) for x, y, words in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"(?![^>]*text-anchor)[^>]*>([^<]*)</text>', svg)]  # fmt: skip
    heads = sorted(one for one in texts if one[2] in names or one[2].startswith(("a cohort", "n = 1,243")))
    assert len(heads) == 6
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
    squares = re.findall(
        r'<path d="M[\d.]+ [\d.]+H[\d.]+V[\d.]+H[\d.]+z" fill="#80868f" opacity="([\d.]+)"/>', figure
    )
    assert sorted(map(float, squares)) == [pytest.approx(0.15 + 0.85 * 9 / 41, abs=0.01), 1.0]
    assert "n = 41" in words_of(figure)


def test_a_cohort_without_a_line_has_its_points(tmp_path):
    line = sections_participants.Line(2, np.nan, np.nan, np.nan)
    figure = sections_participants.draw_scatter(
        people(2)[[COHORT, AGE, FACE_AGE]], {"south": line}, {"south": "#0072B2"}
    )
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


def test_ticks_of_equal_values_do_not_fail():
    assert len(ticks(60, 60)) >= 2
