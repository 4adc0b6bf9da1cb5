"""Records of the steps, the provenance of each figure and table, and what a reader takes from the page."""

import base64
import gzip
import io
import json
import re
import shutil
from importlib import metadata

import pandas as pd
import pytest
from packaging.utils import canonicalize_name
from PIL import Image

from faceage_bio.core import records, tables
from faceage_bio.core.errors import TableError
from faceage_bio.core.tables import sha256_of, write_json, write_table
from faceage_bio.report.figure_files import write_figures
from faceage_bio.report.pages import survival_page
from faceage_bio.report.provenance import File, Provenance, read_provenance
from faceage_bio.report.tables_by_place import collect
from tests.commands import invoked
from tests.report_studies import CARD, config_of, people, study, tables_of  # noqa: F401


def test_a_record_tells_command_options_inputs_and_software_by_hash_and_holds_no_path(study):  # noqa: F811
    cox = study / "one" / "survival" / "cox.tsv"
    record = records.read_record(records.record_of(cox))
    assert record["sha256"] == sha256_of(cox)
    assert record["command"] == "fit-survival"
    assert record["settings"]["survival.sequential_adjustment"] == ["sex"]
    assert record["settings"]["survival.per_years"] == 10.0
    follow_up = study / "one" / "survival" / "follow_up.parquet"
    assert record["inputs"] == [{"role": "participants", "sha256": sha256_of(follow_up)}]
    assert {"python", "faceage-bio", "numpy", "scipy"} <= set(record["software"])
    assert "altair" not in record["software"] or "altair" in __import__("sys").modules
    text = records.record_of(cox).read_text()
    assert str(study) not in text
    assert "people.tsv" not in text
    assert "p001" not in text


def test_options_that_name_files_are_not_kept(tmp_path):
    with records.recorded(
        "x", {"cohorts": '{"a": "b"}', "folder": tmp_path, "covariate": ["a/b"], "seed": 3}
    ):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.tsv")
    assert records.read_record(records.record_of(tmp_path / "t.tsv"))["options"] == {"seed": 3}


def test_a_table_that_is_not_what_its_step_wrote_gives_no_page(study, tmp_path):  # noqa: F811
    cox = study / "one" / "survival" / "cox.tsv"
    records.check_unchanged([cox])
    edited = tmp_path / "c" / "survival" / "cox.tsv"
    shutil.copytree(cox.parent, edited.parent)
    edited.write_text(edited.read_text().replace("hazard ratio", "hazard ratio ", 1))
    message = r"1 result table\(s\) are not what their step wrote: .*cox.tsv \(written by fit-survival\). Expected each"
    with pytest.raises(TableError, match=message):
        records.check_unchanged([edited])
    done = invoked(f"render-report --output {tmp_path / 'reports'} {edited}")
    assert isinstance(done.exception, TableError)
    assert "Delete the table, so that the step makes it again" in str(done.exception)

    def check() -> None:
        with tables.naming_tables():
            tables.read_table(cox)
            records.check_unchanged([cox, edited])

    with pytest.raises(TableError) as told:  # of what was read, the edited table alone is named
        check()
    assert str(told.value).startswith("1 result table(s)")
    assert str(cox) not in str(told.value)
    assert not (tmp_path / "reports").exists()
    records.record_of(edited).unlink()
    records.check_unchanged([edited])  # a table made by hand has no record


def test_a_failed_command_leaves_no_record(tmp_path):
    with pytest.raises(ValueError, match="stop"), records.recorded("x", {}):  # noqa: PT012
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.tsv")
        raise ValueError("stop")
    assert not records.record_of(tmp_path / "t.tsv").exists()


def test_the_modules_of_our_packages_are_known_by_name():
    installed = metadata.packages_distributions()
    assert len(records.required()) > 20
    for package in records.required():
        module = records.OTHER_NAMES.get(package, package.replace("-", "_"))
        assert canonicalize_name(package) in map(canonicalize_name, installed[module]), package


def test_the_provenance_goes_from_table_to_what_came_from_outside(study):  # noqa: F811
    provenance = read_provenance(tables_of(study))
    provenance.of("one", "survival/cox")
    rows = {row["name"]: row for row in provenance.rows(collect(tables_of(study)))}
    assert list(rows) == ["one/survival/cox", "one/survival/follow_up"]
    assert rows["one/survival/cox"]["inputs"][0]["name"] == "one/survival/follow_up"
    assert "face age + age" in rows["one/survival/cox"]["models"]
    outside = rows["one/survival/follow_up"]["inputs"][0]
    assert (outside["name"], outside["sha256"]) == ("", sha256_of(study.parent / "people.tsv"))
    assert ("participants", outside["sha256"]) in provenance.sources()


def test_pages_of_an_earlier_run_are_no_part_of_the_provenance(study, tmp_path):  # noqa: F811
    results = tmp_path / "results"
    shutil.copytree(study, results)
    page = results / "reports" / "survival.html"
    page.parent.mkdir()
    page.write_text("<html></html>")
    earlier = {"command": "render-report", "settings": {"report.sections": "full"}, "options": {}, "inputs": [], "software": {}}  # fmt: skip
    write_json({"sha256": sha256_of(page), **earlier}, records.record_of(page))
    provenance = read_provenance(tables_of(results))
    assert {record["command"] for record in provenance.records()} == {"fit-survival", "prepare-follow-up"}


def test_tables_of_the_demo_count_as_what_came_from_outside():
    made = {"command": "make-demo-cohorts", "inputs": [], "options": {}}
    checked = {
        "command": "check-cohort",
        "inputs": [{"role": "clinical of one", "sha256": "a"}],
        "options": {},
    }
    files = [File("demo/one/clinical", "a", made), File("one/cohort/subjects", "b", checked)]
    assert Provenance({file.name: file for file in files}).sources() == [("clinical of one", "a")]


def test_a_record_of_another_file_of_that_name_is_not_believed(study, tmp_path):  # noqa: F811
    table = tmp_path / "one" / "survival" / "cox.tsv"
    write_table(pd.read_csv(study / "one" / "survival" / "cox.tsv", sep="\t").head(2), table)
    records.record_of(table).parent.mkdir()
    records.record_of(table).write_text(records.record_of(study / "one" / "survival" / "cox.tsv").read_text())
    provenance = read_provenance([table])
    assert provenance.files["one/survival/cox"].record is None
    assert provenance.records() == []


def test_a_figures_data_hold_what_it_draws_and_nothing_else():
    import altair as alt

    from faceage_bio.report.figures import to_svg

    rows = pd.DataFrame({"x": [1.23456, 2], "y": [3, 4], "kind": ["a", "b"], "n_events": [1, 2]})
    line = alt.Chart(pd.DataFrame({"x": [0, 9]})).mark_rule().encode(x="x:Q")
    points = alt.Chart(rows).mark_point().encode(x="x:Q", y="y:Q", color="kind:N")
    body = to_svg(line + points, "").split('class="data">')[1].split("<")[0]
    assert gzip.decompress(base64.b64decode(body)).decode() == "x\ty\tkind\n1.23456\t3\ta\n2\t4\tb\n"


TAKE_ALL = """
const done = arguments[0], taken = [], names = [];
URL.createObjectURL = (blob) => { taken.push(blob); return "blob:none"; };
HTMLAnchorElement.prototype.click = function () { names.push(this.download); };
(async () => {
  for (const button of document.querySelectorAll("main button.take:not(.copy)")) await button.onclick();
  const read = (blob) => new Promise((told) => { const reader = new FileReader(); reader.onload = () => told(reader.result.split(",")[1]); reader.readAsDataURL(blob); });
  done([await Promise.all(taken.map((blob) => blob.type === "image/png" ? read(blob) : blob.text())), names]);
})();
"""
PARTS = """
return [...document.querySelectorAll("main figure, main table")].map((part) => {
  const bar = part.tagName === "FIGURE" ? part : (part.closest(".scroll") ?? part).nextElementSibling;
  return [part.tagName, part.dataset.from ?? "", [...bar.querySelectorAll(".take")].map((one) => one.textContent)];
});
"""
OPEN_TRAIL = """
const figure = document.querySelector('figure[data-from="one/survival/cox"]'), provenance = figure.querySelector(".provenance");
provenance.querySelector("summary").click();
return new Promise((done) => setTimeout(() => done(provenance.textContent), 200));
"""


def test_every_figure_and_table_gives_its_data_its_picture_and_its_provenance(study, tmp_path, browser):  # noqa: F811
    tables = tables_of(study)
    page = tmp_path / "survival.html"
    survival = survival_page(collect(tables), config_of(["one"]), [CARD], read_provenance(tables))
    page.write_text(survival)
    browser.get(page.as_uri())
    for kind, made_from, buttons in browser.execute_script(PARTS):
        kinds = ["TSV", "SVG", "PDF", "PNG, 300 dpi", "PNG, 600 dpi"] if kind == "FIGURE" else ["Copy", "TSV"]
        assert buttons == kinds, made_from
        assert made_from or kind == "TABLE"
    told = browser.execute_script(OPEN_TRAIL)
    assert "fit-survival" in told
    assert "one/survival/follow_up" in told
    made = study / "one" / "survival"
    assert {sha256_of(made / name)[:12] for name in ("cox.tsv", "follow_up.parquet")} <= set(
        re.findall(r"[0-9a-f]{12}", told)
    )
    links = browser.execute_script(
        "return [...document.querySelectorAll('a.take')].map((one) => one.getAttribute('href'))"
    )
    files = write_figures({page.name: survival}, tmp_path / "figures")
    assert links
    assert set(links) == {path.relative_to(tmp_path).as_posix() for path in files if path.suffix == ".pdf"}
    browser.set_script_timeout(120)
    texts, names = browser.execute_async_script(TAKE_ALL)
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    taken = dict(zip(names, texts, strict=True))
    sizes = {
        name: Image.open(io.BytesIO(base64.b64decode(text)))
        for name, text in taken.items()
        if name.endswith(".png")
    }
    assert sizes
    for name, image in sizes.items():
        dpi = int(re.search(r"(\d+)dpi", name)[1])
        assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.5)
        assert image.getpixel((0, 0))[:3] == (255, 255, 255)
        assert len(image.convert("L").getcolors()) > 5  # something is drawn
    pictures = [text for name, text in taken.items() if name.endswith(".svg")]
    assert pictures
    assert all(text.startswith("<svg") and "currentColor" in text for text in pictures)
    rows = [text.rstrip("\n").split("\n") for name, text in taken.items() if name.endswith(".tsv")]
    assert all(len({line.count("\t") for line in lines}) == 1 and len(lines) > 1 for lines in rows)
    models = next(text for name, text in taken.items() if name.startswith("one-survival-cox-one-hazard"))
    cox = pd.read_csv(study / "one" / "survival" / "cox.tsv", sep="\t")
    alone = cox[(cox.model == "univariable") & (cox.term == "face_age")].iloc[0]
    assert f"{alone.estimate:.2f}\t{alone.ci_lower:.2f}\t{alone.ci_upper:.2f}" in models


def test_records_are_json_that_anybody_can_read(study):  # noqa: F811
    for path in study.rglob("records/*.json"):
        assert set(json.loads(path.read_text())) == {
            "sha256",
            "command",
            "settings",
            "options",
            "inputs",
            "writes",
            "software",
        }


CHAIN = """
const named = [...document.querySelectorAll("[data-from]")].flatMap((part) => part.dataset.from.split(" ")).filter(Boolean);
const row = (name) => document.getElementById("provenance-" + name.replace(/[^\\p{L}\\d]/gu, "-"));
return {
  lost: named.filter((name) => !row(name)), without: [...document.querySelectorAll("#provenance tbody tr")].filter((line) => line.cells[2].textContent === "–").map((line) => line.id),
  untied: [...document.querySelectorAll("main figure, main table")].filter((part) => !part.hasAttribute("data-from") && !part.closest("#provenance, #software, [aria-labelledby=checklists]")).map((part) => part.textContent.slice(0, 60)),
  bare: [...document.querySelectorAll("main figure, main table")].filter((part) => { const bar = part.tagName === "FIGURE" ? part : (part.closest(".scroll") ?? part).nextElementSibling; return bar.querySelectorAll("button.take").length < (part.tagName === "FIGURE" ? 2 : 1) || part.tagName === "FIGURE" && !bar.querySelector("a.take[href$='.pdf']"); }).map((part) => part.textContent.slice(0, 60)),
};
"""


@pytest.mark.workflow
def test_each_figure_and_table_of_the_demo_goes_back_to_the_tables_that_came_in(demo, tmp_path, browser):
    assert "Input: clinical of north" in (demo / "results" / "reports" / "index.html").read_text()
    for name in ("index", "association", "survival", "photos"):
        page = demo / "results" / "reports" / f"{name}.html"
        text = page.read_text()
        assert "all settings reported above are those recorded by the steps" in text or name == "index"
        assert page.stat().st_size < 6e6
        browser.get(page.as_uri())
        found = browser.execute_script(CHAIN)
        assert found == {"lost": [], "without": [], "untied": [], "bare": []}
