"""Whatever comes in, both pages are made: parts missing, no participant in a group, few or many genes and cohorts, hostile names."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from selenium.common.exceptions import NoAlertPresentException

from faceage_bio.core.errors import TableError
from faceage_bio.core.results.result_tables import TABLES
from faceage_bio.core.results.row import ESTIMATES, is_result
from faceage_bio.core.tables import read_table
from faceage_bio.report.pages import association_page, index_page, photo_page, survival_page
from faceage_bio.report.places import ASSOCIATION, SECTIONS, SURVIVAL
from faceage_bio.report.tables_by_place import ReportTables, collect
from tests import pages
from tests.browser import UNFOLD, emulate
from tests.pages import unpacked
from tests.report_studies import CARD, EVIL, config_of, write_study
from tests.rows import collected

pytestmark = pytest.mark.slow

IMAGE = "</script></textarea><img src=x onerror=alert(1)>"
UNICODE = "Ünïcödé 基因 🧬 \u202eright to left\u202c, 'single' \"double\" & <b>"
LONG = "L" + "o" * 198 + "g"
HOSTILE = [EVIL, IMAGE, UNICODE, LONG]
# 20 cohorts, two of them with the longest names that the config takes
COHORTS = ["one", "a" * 40, "B" * 40, *(f"cohort_{k}" for k in range(17))]


def both(tables: ReportTables, config: dict) -> list[str]:
    """The pages of associations and survival; all pages are checked."""
    makers = (association_page, survival_page, index_page, photo_page)
    found = [page(tables, config, [CARD]) for page in makers]
    for page in found:
        pages.check_structure(page)
        assert not re.search(r">\s*(nan|None|NaN)\s*<", page)
        assert "<script>alert" not in page
        assert "<img" not in page
    return found[:2]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> dict[str, str]:
    """Both pages of 20 cohorts in which whatever a user may name has a hostile name."""
    folder = tmp_path_factory.mktemp("hostile")
    written = write_study(folder, COHORTS[:2], n_genes=60, opinion=True)
    tables = dict(collect([*written, *write_study(folder, COHORTS[2:], n_genes=60)]).by_name)

    def renamed(table: pd.DataFrame, column: str, names: list[str]) -> pd.DataFrame:
        known = list(dict.fromkeys(table[column]))
        new = dict(zip(known, [*names, *known[len(names) :]], strict=False))
        return table.assign(**{column: table[column].map(new)})

    genes = tables["expression", "genes"]
    names = ["CDK6", *HOSTILE]
    genes = renamed(genes, "term", names)
    tables["expression", "genes"] = genes
    panel = genes[genes.term.isin(names)]
    tables["expression", "panel"] = panel.reindex(columns=tables["expression", "panel"].columns)
    for table in ("agreement", "agreement_bands"):
        tables["faceage", table] = renamed(tables["faceage", table], "term", [IMAGE])
    flow = tables["ledger", "flow"]
    tables["ledger", "flow"] = flow.assign(reason=flow.reason.replace("no_face", LONG))
    phenotypes = tables["phenotype", "phenotypes"]
    grades = phenotypes[phenotypes.term.str.startswith("grade")]
    more = [grades.assign(term=f"site: {name} vs {name}") for name in HOSTILE]
    tables["phenotype", "phenotypes"] = pd.concat([phenotypes, *more], ignore_index=True)
    tables["survival", "cox"] = tables["survival", "cox"].assign(note=f"only few; {UNICODE}; {EVIL}; {LONG}")
    curves = tables["survival", "kaplan_meier"]
    more = [curves[curves.group == "> 65"].assign(group=f"site: {name}") for name in HOSTILE]
    tables["survival", "kaplan_meier"] = pd.concat([curves, *more], ignore_index=True)
    report = {"title": LONG, "governance": f"{EVIL}{UNICODE}{LONG}"}
    config = config_of(COHORTS, expression={"panel": names}, report=report)
    found = both(ReportTables(tables), config)
    return dict(zip(("association", "survival"), found, strict=True))


@pytest.mark.parametrize("name", ["association", "survival"])
def test_hostile_names_are_escaped(hostile, name):
    page = hostile[name]
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert" in page
    assert "基因 🧬" in page
    assert page.count("<script>") == 1  # our own
    if name == "association":
        assert [len(one["columns"][0]) for one in unpacked(page)] == [60] * len(COHORTS)
    for cohort in COHORTS:
        assert re.search(rf"<h[23][^>]*>{cohort}[<:]", page), cohort


@pytest.mark.browser
def test_hostile_names_do_nothing_in_a_browser(hostile, tmp_path, browser):
    browser.implicitly_wait(10)
    for name, page in hostile.items():
        (tmp_path / f"{name}.html").write_text(page)
        for width in (360, 1280):
            emulate(browser, width)
            browser.get((tmp_path / f"{name}.html").as_uri())
            browser.execute_script(UNFOLD)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        if name == "survival":
            continue
        browser.execute_script("document.querySelector('.explorer').scrollIntoView()")
        assert browser.find_element("css selector", ".explorer[data-ready]")
        field = browser.find_element("css selector", ".explorer input")
        field.send_keys("onerror")
        first = browser.find_element("css selector", ".explorer tbody th")
        assert first.text == IMAGE
        assert browser.find_element("css selector", ".explorer .tip strong").text == IMAGE
        with pytest.raises(NoAlertPresentException):
            _ = browser.switch_to.alert.text
        assert [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}] == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> list[Path]:
    return write_study(tmp_path_factory.mktemp("whole"), ["one"], n_genes=20, opinion=True)


STAGES = ("ledger", "acceleration", "phenotype", "faceage", "expression", "survival")


@pytest.fixture(scope="module")
def without(whole) -> Callable[[str], list[str]]:
    """Both pages of a study of which one stage did not run."""
    tables = collect(whole).by_name
    assert {analysis for analysis, _ in tables} == set(STAGES)

    @cache
    def made(lost: str) -> list[str]:
        left = ReportTables({key: table for key, table in tables.items() if key[0] != lost})
        return both(left, config_of(["one"]))

    return made


@pytest.mark.parametrize("lost", STAGES)
def test_each_stage_may_not_have_run(without, lost):
    for page in without(lost):
        assert '<ul class="notrun">' in page


@pytest.mark.browser
def test_a_browser_shows_what_is_left_without_a_stage(without, tmp_path, browser):
    for lost in STAGES:
        for number, page in enumerate(without(lost)):
            path = tmp_path / f"{lost}-{number}.html"
            path.write_text(page)
            emulate(browser, 360)
            browser.get(path.as_uri())
            browser.execute_script(UNFOLD)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
            (line, *_) = browser.find_elements("css selector", "ul.notrun li")
            assert line.is_displayed()
    assert [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}] == []


def test_nothing_at_all_is_said_to_be_so():
    association, survival = both(ReportTables({}), config_of(["one", "two"]))
    assert association.count("<li><strong>") == len(SECTIONS[ASSOCIATION])
    assert survival.count("<li><strong>") == len(SECTIONS[SURVIVAL])
    assert "<strong>Cox models, sequentially adjusted</strong>: no follow-up" in survival
    assert "<strong>Survival by definition of age acceleration</strong>: no follow-up" in survival
    assert "<strong>Fairness: error by subgroup</strong>: no subgroups to compare" in association
    assert "<strong>Prespecified genes, one by one</strong>: no RNA counts" in association
    assert association.count("</strong>: no RNA counts") >= 4
    photos = photo_page(ReportTables({}), config_of(["one"]), [])
    assert "<strong>Robustness to image degradation</strong>: not requested" in photos
    assert "<svg" not in association + survival


def test_a_group_of_no_participant_has_no_numbers(whole):
    tables = dict(collect(whole).by_name)
    curves = tables["survival", "kaplan_meier"]
    empty = curves[curves.group == "all"].head(1).assign(
        group="> 95", at_risk=0, events=0, censored=0, survival=np.nan, ci_lower=np.nan, ci_upper=np.nan
    )  # fmt: skip
    tables["survival", "kaplan_meier"] = pd.concat([curves, empty], ignore_index=True)
    bands = tables["acceleration", "age_bands"]
    tables["acceleration", "age_bands"] = bands.assign(n=0, age_mean=np.nan, face_age_mean=np.nan)
    phenotypes = tables["phenotype", "phenotypes"]
    tables["phenotype", "phenotypes"] = phenotypes.assign(
        n=0, estimate=np.nan, ci_lower=np.nan, ci_upper=np.nan, p_value=np.nan, note="not estimated, because no participant smokes"
    )  # fmt: skip
    association, _ = both(ReportTables(tables), config_of(["one"]))
    assert "not estimated, because no participant smokes" in association
    assert 'data-from="pooled/acceleration/age_bands"' not in association


def test_genes_of_which_none_could_be_tested(whole):
    tables = dict(collect(whole).by_name)
    for table in ("genes", "panel"):
        tables["expression", table] = tables["expression", table].assign(
            estimate=np.nan, ci_lower=np.nan, ci_upper=np.nan, p_value=np.nan, q_value=np.nan, note="not estimated, because 3 samples"
        )  # fmt: skip
    association, _ = both(ReportTables(tables), config_of(["one"]))
    assert 'class="explorer"' not in association
    assert "not estimated, because" in association


def test_a_study_of_which_nothing_could_be_estimated_has_pages(whole, tmp_path):
    """Columns that are empty in every row are left out of files; what reads them back knows which hold numbers."""
    placed = {}
    for path in whole:
        place = "/".join(path.with_suffix("").parts[-3:])
        if path.suffix == ".tsv" and is_result(table := read_table(path)):
            lost = table.columns.intersection([*ESTIMATES, *TABLES[place.partition("/")[2]].statistics])
            placed[place] = table.assign(
                **dict.fromkeys(lost, np.nan), reason="few_events n_events=2 needed=5"
            )
    first = placed["one/expression/panel"].groupby("question").head(1)
    placed["one/expression/type_one_error"] = first.assign(measure="type I error")
    tables = collect(whole).by_name | collected(tmp_path, placed).by_name
    for page in both(ReportTables(tables), config_of(["one"])):
        assert "not estimated, because 2 deaths are too few" in page
        assert "0 tests" not in page


def test_a_table_that_no_page_shows_is_named(whole, tmp_path):
    other, private = tmp_path / "c" / "survival" / "mine.tsv", tmp_path / "c" / "cohort" / "manifest.parquet"
    for path in (other, private):
        path.parent.mkdir(parents=True)
    cox = next(path for path in whole if path.name == "cox.tsv")
    other.write_bytes(cox.read_bytes())
    pd.DataFrame({"subject_id": ["a"]}).to_parquet(private)
    with pytest.raises(TableError, match=r"2 that no page shows .*mine\.tsv; .*manifest\.parquet"):
        collect([*whole, other, private])
