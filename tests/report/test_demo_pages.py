"""The demo's own tables on pages of another make: with 20,000 genes, and without what one stage gives."""

from collections.abc import Callable
from functools import cache

import pytest

from faceage_bio.cli.commands_release import study_to_release
from faceage_bio.core.config import load_config
from faceage_bio.core.tables import write_bytes
from faceage_bio.release import bundle
from faceage_bio.release.bundle import released_config
from faceage_bio.release.gate import check_folder
from faceage_bio.release.known import vocabulary
from faceage_bio.report.checks import FOLLOWS_AGE, NOT_RUN, all_checks
from faceage_bio.report.pages import RENDERERS, association_page, survival_page
from faceage_bio.report.table_files import rendered
from faceage_bio.report.tables_by_place import ReportTables, collect
from tests import pages
from tests.browser import UNFOLD
from tests.conftest import DEMO_CONFIG
from tests.editor import struck_of_page
from tests.pages import PANEL, unpacked

GREY = {
    "verification": ["Independent software agrees"],
    "acceleration": [FOLLOWS_AGE, "Age dependence", "Validity range"],
    "fairness": ["Fairness"],
    "phenotype": [FOLLOWS_AGE, "Missing data"],
    "survival": ["Proportional hazards", "Events per variable"],
}
EXPLORERS = {
    association_page: 4,
    survival_page: 2,
}  # north, south, two types of cells; of survival north and south


@pytest.fixture(scope="module")
def study(demo):
    return pages.study_of(demo)


@pytest.mark.parametrize("name", RENDERERS)
def test_pages_of_the_demo_use_the_words_of_the_field(demo, name):
    assert struck_of_page(name, (demo / "results/reports" / name).read_text(encoding="utf-8")) == []


def test_the_checks_of_a_stage_that_did_not_run_are_grey(study):
    tables, config, cards = study
    analyses = {analysis for analysis, _ in tables.by_name}
    assert analyses > set(GREY)
    assert not [check for check in all_checks(tables, config, cards) if check.state == NOT_RUN]
    for lost in analyses:
        left = ReportTables({place: table for place, table in tables.by_name.items() if place[0] != lost})
        grey = [check.name for check in all_checks(left, config, cards) if check.state == NOT_RUN]
        assert grey == GREY.get(lost, []), lost


@pytest.fixture(scope="module")
def large(study) -> Callable[[Callable], str]:
    """A page of the demo with 20,000 genes in each analysis."""
    tables, config, cards = study
    grown = pages.with_genes(tables, 20_000)
    return cache(lambda page: page(grown, config, cards))


@pytest.mark.parametrize("page", EXPLORERS)
def test_pages_of_20000_genes_in_each_analysis_are_small(large, page):
    text = large(page)
    assert len(text.encode()) < 3_000_000
    shown = unpacked(text)
    assert len(shown) == EXPLORERS[page]
    assert text.count("q over the 20,000 genes tested") >= len(shown)
    for one in shown:
        assert set(PANEL) <= set(one["columns"][0])


@pytest.mark.parametrize("page", EXPLORERS)
def test_20000_genes_in_each_analysis_are_found_in_a_browser(large, tmp_path, browser, page):
    path = tmp_path / "page.html"
    path.write_text(large(page), encoding="utf-8")
    browser.get(path.as_uri())
    browser.execute_script(UNFOLD)
    browser.implicitly_wait(20)
    for place in browser.find_elements("css selector", ".explorer"):
        browser.execute_script("arguments[0].scrollIntoView()", place)
        identifier = place.get_attribute("id")
        assert browser.find_element("css selector", f"#{identifier}[data-ready]")
        place.find_element("css selector", "input[type=search]").send_keys("cdk6")
        assert place.find_element("css selector", "tbody th").text == "CDK6"
    assert [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}] == []


def test_every_released_table_of_the_demo_passes_the_gate(demo, tmp_path, monkeypatch):
    monkeypatch.chdir(demo)
    config = load_config(DEMO_CONFIG)
    results, known, cards = study_to_release(None, [], config)
    told = released_config(config, 6)
    bundle._write_tables(results, tmp_path, told)
    tables = collect(sorted((tmp_path / "tables").glob("*/**/*.tsv")), released=True)
    for name, content in rendered(tables, told, internal=False).items():
        write_bytes(content, tmp_path / "tables" / name)
    assert check_folder(tmp_path, known | vocabulary(told.model_dump(), cards), 6) == []
