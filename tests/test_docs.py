"""The pages of the docs: they build without a warning, load nothing from elsewhere, and say what the code does."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

import faceage_bio
from faceage_bio.analyses.readers.readers_stage import check_study
from faceage_bio.analyses.scores.definition import load_score
from faceage_bio.core.columns import COHORT, LEDGER_COLUMNS, LEVELS, SUBJECT
from faceage_bio.core.config import Config, check_config
from faceage_bio.core.errors import ConfigError
from faceage_bio.core.results.row import FIRST, LAST
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.core.settings.settings_photos import Rule
from faceage_bio.core.settings.settings_survival import Readers
from faceage_bio.core.tables import read_table
from faceage_bio.intake.cohort.intake import read_cohorts
from faceage_bio.intake.cohort.photos import read_face_ages
from faceage_bio.intake.schemas import READINGS, SCHEMAS
from faceage_bio.report.checks import CHECKS
from tests.layers import LAYERS, MODULES, PACKAGE
from tests.pages_of_docs import DOCS, EACH, PAGES, ROOT, blocks, first_cells, section

INPUTS = DOCS / "inputs.md"


# ------------------------------------------------------------------------------ the site


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built pages; a warning of mkdocs, such as a link to nowhere, is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text()
        loaded = re.findall(r"<(?:script|img|link|iframe)\b[^>]*(?:src|href)=\"?(https?:)?//[^>]*>", text)
        assert not loaded, page.name


def places(model, before=""):
    """Dotted names of all keys of the config."""
    for name, field in model.model_fields.items():
        yield before + name
        if hasattr(field.annotation, "model_fields") and field.annotation is not Rule:
            yield from places(field.annotation, f"{before}{name}.")


def test_every_setting_command_and_module_has_its_place(site):
    configuration = (site / "configuration.html").read_text()
    for place in places(Config):
        either = (f"<code>{place.rpartition('.')[2]}</code>", f'id="{place.replace(".", "-")}"')
        assert any(one in configuration for one in either), place
    commands = (site / "commands.html").read_text()
    for name, (_, command) in EACH.items():
        assert f'id="{name.replace(" ", "-")}"' in commands, name
        for parameter in command.params:
            if parameter.name != "help" and parameter.opts[0].startswith("-"):
                assert parameter.opts[0] in commands, (name, parameter.opts[0])
    pages = (site / "api").rglob("*.html")
    packages = {page.relative_to(site / "api").with_suffix("").as_posix() for page in pages} - {"index"}
    assert packages >= {"stats", "faces/vision", "intake/cohort", "analyses/survival", "core"}
    for path in MODULES:
        package = path.relative_to(PACKAGE).parent.as_posix()
        if package in packages:
            name = f"faceage_bio.{package.replace('/', '.')}.{path.stem}"
            assert f'id="{name}"' in (site / "api" / f"{package}.html").read_text(), path


@pytest.mark.browser
def test_search_works_in_a_page_opened_as_a_file_without_a_request(site, tmp_path, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get_log("performance")
    browser.get((site / "index.html").as_uri())
    browser.execute_script("document.querySelector('[data-md-toggle=search]').click()")
    field = browser.find_element(By.CSS_SELECTOR, ".md-search__input")
    WebDriverWait(browser, 20).until(lambda _: field.is_displayed())
    field.send_keys("hazard ratio")
    found = (By.CSS_SELECTOR, ".md-search-result__item")
    WebDriverWait(browser, 20).until(lambda _: browser.find_elements(*found))
    assert not browser.get_log("browser")
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [one["params"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    asked = {one["request"]["url"].split(":")[0] for one in sent}
    assert "file" in asked
    assert not asked & {"http", "https", "ws", "wss"}


# ------------------------------------------------------------------------------ README


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(links) > 10
    for link in links:
        assert (ROOT / link.split("#")[0]).is_file(), link


def test_the_picture_is_small():
    picture = DOCS / "report.webp"
    assert picture.read_bytes()[8:12] == b"WEBP"
    assert picture.stat().st_size < 200_000


def test_no_picture_is_made_of_a_page_about_real_participants(tmp_path):
    (tmp_path / "page.html").write_text("<p>Our study</p>")
    command = [sys.executable, DOCS / "picture.py", tmp_path / "page.html", tmp_path / "page.webp"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "not a page of the demo" in done.stderr
    assert not (tmp_path / "page.webp").exists()


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "architecture.md"], ids=lambda page: page.name)
def test_the_layers_of_the_drawing_are_those_of_the_package(page):
    drawing = next(text for text in page.read_text().split("```") if "faceage_bio/core/" in text)
    for package, layer in LAYERS.items():
        if layer < 6:
            line = next(line for line in drawing.splitlines() if line.startswith(str(layer)))
            assert re.search(rf"\b{package}\b", line), f"{package} is not on layer {layer}"


def test_no_path_of_a_machine_stands_in_the_pages():
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(?:home|work|root|tmp|Users)/", page.read_text()), page.name


def test_the_citation_names_this_version():
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "license", "references"} <= set(content)
    assert content["version"] == faceage_bio.__version__
    study = content["references"][0]
    assert "FaceAge" in study["title"]
    assert study["title"] in " ".join((DOCS / "cite.md").read_text().replace("\n>", "").split())
    assert study["doi"] in (DOCS / "cite.md").read_text()
    assert "CITATION.cff" in (DOCS / "cite.md").read_text()


# ------------------------------------------------------------------------------ inputs


def columns_of_code() -> dict[str, set[str]]:
    """The columns that the readers of the tables know."""
    names = ("manifest", "samples", "face_ages", "variant_samples", "clinical")
    columns = {name: set(SCHEMAS[name].columns) for name in names} | {
        "readers.readings": set(READINGS.columns)
    }
    for score in ("teachh_publication", "teachh_faceage_repository"):
        columns["clinical"] |= {item.column for item in load_score(score).items}
    return columns


@pytest.mark.parametrize("table", columns_of_code())
def test_the_columns_of_an_input_are_those_of_the_code(table):
    told = section(INPUTS, f"`{table}`").split("```")[0]
    assert set(first_cells(told)) == columns_of_code()[table]


def test_every_file_of_a_cohort_is_explained():
    from faceage_bio.core.settings.settings_cohort import Cohort

    text = INPUTS.read_text()
    for name in Cohort.model_fields:
        assert f"`{name}`" in text or f"`{name}:" in text, name


@pytest.mark.parametrize("column", LEVELS)
def test_the_words_of_a_column_are_told(column):
    row = next(line for line in INPUTS.read_text().splitlines() if line.startswith(f"| `{column}` |"))
    for word in LEVELS[column]:
        assert word in row


def test_the_example_rows_are_read(tmp_path):
    for name, text in blocks(INPUTS, "tsv"):
        (tmp_path / name).write_text(text)
    (tmp_path / "photos").mkdir()
    for path in pd.read_csv(tmp_path / "manifest.tsv", sep="\t").path:
        (tmp_path / "photos" / path).write_text("x")
    tables = ("manifest", "clinical", "counts", "samples", "variants", "variant_samples", "ancestry")
    files = {"photos": str(tmp_path / "photos"), "variant_genes": str(tmp_path / "genes.tsv")}
    files |= {key: str(tmp_path / f"{key}.tsv") for key in tables}
    table = read_cohorts({"mine": Cohort(**files)})["mine"]
    assert (len(table.photos), len(table.subjects), len(table.samples)) == (3, 2, 2)
    assert table.subjects.followup_years.notna().all()
    assert len(read_face_ages(tmp_path / "face_ages.tsv", "mine")) == 2
    study = Readers(readings=str(tmp_path / "readings.tsv"))
    assert check_study(study, list(table.subjects[SUBJECT])) == 4


def test_the_rows_of_the_readme_are_those_of_the_examples():
    rows = {tuple(line.split("\t")) for _, text in blocks(INPUTS, "tsv") for line in text.splitlines()}
    readme = section(ROOT / "README.md", "Inputs")
    lines = [line for line in readme.splitlines() if line.startswith("| `")]
    told = [row for line in lines for row in re.findall(r"`([^`]+)`", line.split("|")[-2])]
    assert len(told) >= 8
    for row in told:
        cells = row.split(", ")
        assert any(set(cells) <= set(full) for full in rows), row


def test_the_settings_named_in_the_pages_exist():
    known = {re.sub(r"^cohorts\.", "", place) for place in places(Config)} | set(places(Config))
    sections = {
        name for name, field in Config.model_fields.items() if hasattr(field.annotation, "model_fields")
    }
    for page in PAGES:
        for words in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?::[^`]*)?`", page.read_text()):
            if words.endswith((".parquet", ".tsv", ".html")):
                continue
            assert words.split(".")[0] not in sections or words in known, f"{page.name}: {words}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=lambda page: page.name)
def test_the_configs_in_the_pages_have_no_unknown_key(page):
    for _, text in blocks(page, "yaml"):
        if "cohorts:" in text:
            assert "unknown key" not in complaint(yaml.safe_load(text))


def complaint(content: dict) -> str:
    """What is wrong with a config, or nothing."""
    try:
        check_config(content)
    except ConfigError as error:
        return str(error)
    return ""


# ------------------------------------------------------------------------------ results


def test_every_check_of_the_first_screen_is_explained():
    told = re.findall(r"^\| ([A-Z][^|]+) \|", section(DOCS / "reports.md", "The checks"), flags=re.MULTILINE)
    assert told == [*CHECKS]


def test_the_columns_of_a_result_are_told():
    told = section(DOCS / "outputs.md", "The columns of a result")
    assert set(first_cells(told)) == {*FIRST, *LAST}
    ledger = section(DOCS / "outputs.md", "The ledger")
    for column in LEDGER_COLUMNS:
        assert column == COHORT or f"`{column}`" in ledger


def messages() -> str:
    """Every text in the code, with … for what is filled in."""
    texts = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                texts.append("".join(parts))
    return "\n".join(texts)


def test_the_messages_in_troubleshooting_are_those_of_the_code():
    code = messages()
    text = (DOCS / "troubleshooting.md").read_text()
    told = re.findall(r"^\| `(.+)` \|", text, flags=re.MULTILINE)
    assert len(told) > 20
    for message in told:
        message = message.strip("` ")
        # the second is a part that tables with a config alone have
        advice, *declared = re.split(r"\.?(?=[,.] [Oo]r declare )", message)
        assert (f"{advice}." if declared else advice) in code, message
        assert all(part.removesuffix(".") in code for part in declared), message


def test_every_method_and_golden_folder_is_listed():
    text = (DOCS / "statistics.md").read_text()
    for path in MODULES:
        if path.parent.name == "stats":
            assert f"`{path.stem}`" in text, path.stem
    for folder in (ROOT / "tests" / "golden").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert f"`{folder.name}`" in text, folder.name


def test_versions_of_r_are_those_of_the_golden_values():
    text = (DOCS / "statistics.md").read_text()
    for path in (ROOT / "tests" / "golden").glob("*/versions.txt"):
        for line in path.read_text().splitlines():
            plain = line.removesuffix(" Patched (2022-11-10 r83330)").replace("R version", "R")
            package, _, version = plain.partition(" ")
            if re.search(rf"\b{package} \d", text):
                told = re.search(rf"\b{package} ([\d.-]+\d)", text)[1]
                assert told.replace("-", ".") == version.strip().replace("-", "."), line


@pytest.mark.workflow
def test_every_file_of_the_demo_is_told_and_private_ones_as_such(demo):
    lines = (DOCS / "outputs.md").read_text().splitlines()
    for path in sorted((demo / "results").rglob("*")):
        place = path.relative_to(demo / "results")
        if (
            not path.is_file()
            or path.name.startswith(".")
            or {"demo", "logs", "shards", "records", "figures", "history", "reproduce", "benchmarks", ".kept"}
            & set(place.parts[:-1])
            or path.suffix == ".safetensors"
            or place.parts[0] == "faceage_store"
        ):
            continue
        name = re.sub(r"_(?:north|south|healthy)(?=\.)", "_{cohort}", path.name)
        if name.startswith("INTERNAL_"):  # a Word file stands for its LaTeX and TSV
            name = re.sub(r"(?<!photos_not_used)(?<!samples_flagged)\.(?:tex|tsv)$", ".docx", name)
        rows = [line for line in lines if re.search(rf"`[^`]*\b{re.escape(name)}`", line)]
        assert rows, place
        if place.parts[0] != "model":
            assert not path.stat().st_mode & 0o077, place
        if path.suffix in {".tsv", ".parquet"} and {"subject_id", "photo_id", "sample_id"} & set(
            read_table(path)
        ):
            assert any("| private |" in row for row in rows), place


@pytest.mark.workflow
def test_the_worked_reading_is_of_the_demo(demo):
    results = demo / "results"
    text = " ".join((DOCS / "numbers.md").read_text().replace(">", " ").split())

    def row(path, **choices):  # the first row of a table with these values
        table = read_table(results / path)
        for column, value in choices.items():
            table = table[table[column] == value]
        return table.iloc[0]

    cox = "north/survival/cox.tsv"
    adjusted, raw = (row(cox, term="face_age", step=step) for step in ("+ age", "unadjusted"))
    ends = [f"{one.ci_lower:.2f}–{one.ci_upper:.2f}" for one in (adjusted, raw)]
    said = f"{adjusted.estimate:.2f} (95% CI {ends[0]}), n = {adjusted.n:.0f}, {adjusted.n_events:.0f} events; unadjusted {raw.estimate:.2f} ({ends[1]})"
    assert said in text, said
    assert f"{adjusted.events_per_term} events per variable" in text
    found = row(cox, term="chronological_age", step="+ age")
    assert f"{found.estimate:.2f} ({found.ci_lower:.2f}–{found.ci_upper:.2f})" in text
    added = {"path": "north/survival/added_value.tsv", "comparison": "beyond age and sex"}
    without, with_ = (
        row(**added, measure="Harrell's C", term=term) for term in ("age + sex", "age + sex + face age")
    )
    more = row(**added, measure="difference of Harrell's C")
    words = f"C-index from {without.estimate:.3f} to {with_.estimate:.3f} (difference {more.estimate:.3f}"
    assert words in text
    assert f"95% CI {more.ci_lower:.3f} to {more.ci_upper:.3f}; {more.corrected:.3f} after correction" in text
    points = read_table(results / "north/scores/comparison.tsv").query("term == 'points for age'")
    words = f"{points.estimate.iloc[1]:.0f} participants get the point by face age and {points.estimate.iloc[0]:.0f} by age"
    assert words in text
    swap = {"path": "north/scores/comparison.tsv", "model": "TEACHH (publication)"}
    one, other = (row(**swap, term=term, measure="Harrell's C") for term in ("age", "face age, fixed cut"))
    more = row(**swap, term="face age, fixed cut minus age")
    assert f"C-index {one.estimate:.2f} with age, {other.estimate:.2f} with face age" in text
    interval = f"{more.ci_lower:.3f} to {more.ci_upper:.3f}".replace("-", "−")
    assert f"difference {more.estimate:.3f}, 95% CI {interval}" in text
