"""The pages as a browser shows them: no error, no request, room enough on a telephone, for everybody to read, and on paper.

Pictures of the demo's pages at three widths, light and dark, are kept in ci-output/.
"""

import json
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser import UNFOLD, axe_findings, chromium, emulate, sheets_of_figures
from tests.conftest import ROOT

REPORTS = ("association", "survival")
PAGES = (*REPORTS, "photos")
WIDTHS = (360, 768, 1280)
# what is far away too, at once
LAY_OUT = "document.head.insertAdjacentHTML('beforeend', '<style>figure, .scroll { content-visibility: visible !important }</style>')"
OVERFLOW = "return document.documentElement.scrollWidth - window.innerWidth"
# letters of figures that are drawn with less than 9 pixels
TINY = """return [...document.querySelectorAll("figure svg")].flatMap((picture) => {
    const scale = picture.getBoundingClientRect().width && picture.getScreenCTM().a;
    const tiny = (words) => parseFloat(getComputedStyle(words).fontSize) * scale < 9;
    return scale ? [...picture.querySelectorAll("text")].filter(tiny).map((words) => words.textContent) : [];
})"""
# what stands outside of the sheet, or is higher than one: 180 by 267 mm at 96 pixels an inch
TOO_LARGE = """return [...document.querySelectorAll("figure, figure svg, table, pre, p, ul, ol, h2, h3")].filter((place) => {
    const box = place.getBoundingClientRect();
    return box.width && (box.right > 681 || (place.closest("figure") && box.height > 1009));
}).map((place) => place.outerHTML.slice(0, 200))"""
# rows, marks and cards after the first ones are of the same make, and take axe minutes
FEW_ROWS = """document.querySelectorAll("tbody tr:nth-child(n+3), svg text ~ text ~ text, svg path, svg circle, details.card ~ details.card ~ details.card")
    .forEach((place) => place.remove())"""
# of words that are styled alike (by element and class, up to the third above) the first three
FEW_WORDS = """const seen = new Map(), kind = (place) => place ? place.tagName + "." + place.getAttribute("class") : "";
for (const place of [...document.body.querySelectorAll("*")].filter((one) => !one.children.length && one.textContent.trim())) {
    const above = [place, place.parentElement, place.parentElement.parentElement, place.parentElement.parentElement?.parentElement];
    const name = above.map(kind).join(" ") + place.getAttribute("fill");
    seen.set(name, (seen.get(name) ?? 0) + 1);
    if (seen.get(name) > 3) place.remove();
}"""
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


def show(browser, demo: Path, page: str, width: int, **screen) -> None:
    emulate(browser, width, **screen)
    browser.get((demo / f"results/reports/{page}.html").as_uri())


def complaints(browser) -> list[dict]:
    return [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}]


def requests(browser) -> list[str]:
    """What the pages asked for beside themselves."""
    asked = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("file:", "data:", "chrome:"))]


@pytest.mark.parametrize("page", PAGES)
def test_pages_fit_every_width_without_errors_or_requests(demo, browser, page):
    kept = ROOT / "ci-output"
    kept.mkdir(exist_ok=True)
    for width in WIDTHS:
        for dark in (True, False) if width == max(WIDTHS) else (False,):
            show(browser, demo, page, width, height=2400, dark=dark)
            browser.save_screenshot(str(kept / f"{page}-{width}{'-dark' if dark else ''}.png"))
        browser.execute_script(UNFOLD)
        browser.execute_script(LAY_OUT)
        assert browser.execute_script(OVERFLOW) <= 0
        assert browser.execute_script(TINY) == []
        if page in REPORTS:
            browser.execute_script("document.querySelector('.explorer').scrollIntoView()")
            browser.implicitly_wait(10)
            assert browser.find_element("css selector", ".explorer[data-ready]")
    assert complaints(browser) == []
    assert requests(browser) == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_small_and_quick(demo, browser, page):
    assert (demo / f"results/reports/{page}.html").stat().st_size < 6_000_000
    loads = []
    for _ in range(3):  # the quickest, as other tests run beside this one
        show(browser, demo, page, 1280)
        loads.append(
            browser.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd")
        )
    assert 0 < min(loads) < 2000  # milliseconds


@pytest.mark.parametrize("page", PAGES)
def test_nothing_hinders_a_screen_reader_or_a_keyboard(demo, browser, page):
    show(browser, demo, page, 360)
    browser.execute_script(UNFOLD)
    browser.execute_script(FEW_ROWS)
    assert axe_findings(browser, rules={"color-contrast": {"enabled": False}}) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_keyboard_goes_on_and_shows_where_it_is(demo, browser, page):
    show(browser, demo, page, 1280)
    seen = []
    for _ in range(25):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        place = browser.switch_to.active_element
        assert place.value_of_css_property("outline-style") != "none", place.get_attribute("outerHTML")[:200]
        seen.append(place)
        if place.tag_name == "summary":
            part = place.find_element("xpath", "..")
            before = part.get_attribute("open")
            place.send_keys(Keys.ENTER)
            assert part.get_attribute("open") != before
    assert seen[0].get_attribute("class") == "skip"
    assert len(set(seen)) == len(seen)
    browser.execute_script("arguments[0].focus()", seen[0])
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert browser.current_url.endswith("#main")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_words_stand_out_from_their_ground(demo, browser, page, dark):
    show(browser, demo, page, 1280, dark=dark)
    browser.execute_script(UNFOLD)
    browser.execute_script(FEW_ROWS)
    browser.execute_script(FEW_WORDS)
    assert axe_findings(browser, runOnly=["color-contrast"]) == []


@pytest.mark.parametrize("page", PAGES)
def test_no_figure_is_cut_on_paper(demo, browser, page):
    show(browser, demo, page, 680, height=1009, paper=True)
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script(TOO_LARGE) == []
    n_sheets, figures = sheets_of_figures(browser)
    assert n_sheets > 2
    assert len(figures) == len(browser.find_elements("css selector", "figure"))
    assert {
        name: sheets for name, sheets in figures.items() if len(sheets) != 2 or sheets[0] != sheets[1]
    } == {}
