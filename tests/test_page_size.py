"""However many genes a study has, its pages stay small enough to be sent, opened and searched."""

import pytest

from faceage_bio.report.pages import association_page, survival_page
from tests import pages
from tests.browser import chromium
from tests.test_all_genes import PANEL, unpacked

LIMIT = 6_000_000  # bytes


@pytest.mark.browser
@pytest.mark.parametrize("page", [association_page, survival_page])
def test_all_of_the_demo_with_20000_genes_is_small_and_runs(demo, tmp_path, page):
    study, config, cards = pages.study_of(demo)
    text = page(pages.with_genes(study, 20_000), config, cards)
    assert len(text.encode()) < LIMIT
    shown = unpacked(text)
    assert len(shown) == 6
    assert text.count("q over the 20,000 genes tested") >= len(shown)
    for one in shown:
        assert set(PANEL) <= set(one["columns"][0])
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    with chromium(tmp_path / "profile") as browser:
        browser.get(path.as_uri())
        browser.implicitly_wait(20)
        for place in browser.find_elements("css selector", ".explorer"):
            browser.execute_script("arguments[0].scrollIntoView()", place)
            identifier = place.get_attribute("id")
            assert browser.find_element("css selector", f"#{identifier}[data-ready]")
            place.find_element("css selector", "input[type=search]").send_keys("cdk6")
            assert place.find_element("css selector", "tbody th").text == "CDK6"
        assert [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}] == []
