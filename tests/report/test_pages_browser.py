"""The pages as a browser shows them: no error, no request, room enough on a telephone, what can be pressed does what it says, and paper.

Pictures of the demo's pages at four widths, light and dark, are kept in ci-output/.
"""

import json
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser import UNFOLD, axe_findings, emulate, sheets_of_figures
from tests.conftest import ROOT

REPORTS = ("association", "survival")
PAGES = ("index", *REPORTS, "photos")
TELEPHONES, LAPTOPS, DESKTOPS = (360, 390), (1100, 1280), (1440, 1024)
SCREENS = 15  # of 1440 x 900, of the main text of a page
# what is far away too, at once
LAY_OUT = "document.head.insertAdjacentHTML('beforeend', '<style>figure, .scroll { content-visibility: visible !important }</style>')"
KEY_RESULTS = "const box = document.querySelector('table.key').closest('.scroll'); return box.scrollWidth - box.clientWidth"
OVERFLOW = "return document.documentElement.scrollWidth - window.innerWidth"
# letters of figures that are drawn with less than 9 pixels
TINY = """return [...document.querySelectorAll("figure svg")].flatMap((picture) => {
    const scale = picture.getBoundingClientRect().width && picture.getScreenCTM().a;
    const tiny = (words) => parseFloat(getComputedStyle(words).fontSize) * scale < 9;
    return scale ? [...picture.querySelectorAll("text")].filter(tiny).map((words) => words.textContent) : [];
})"""
# what stands outside of the sheet, or is higher than one: 186 by 271 mm at 96 pixels an inch
TOO_LARGE = """return [...document.querySelectorAll("figure, figure svg, table, pre, p, ul, ol, h2, h3")].filter((place) => {
    const box = place.getBoundingClientRect();
    return box.width && (box.right > 704 || (place.closest("figure") && box.height > 1024));
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
SEEN_COHORTS = """return [...new Set([...document.querySelectorAll(".cohort")].filter((part) => part.getClientRects().length || part.closest("details:not([open])") &&
    getComputedStyle(part).display !== "none").map((part) => part.dataset.cohort))]"""
pytestmark = pytest.mark.browser


def show(browser, demo: Path, page: str, width: int, place: str = "", **screen) -> None:
    emulate(browser, width, **screen)
    browser.get("about:blank")  # so that another place of the same page is a new visit
    browser.get((demo / f"results/reports/{page}.html").as_uri() + place)


def complaints(browser) -> list[dict]:
    return [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}]


def requests(browser) -> list[str]:
    """What the pages asked for beside themselves."""
    asked = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("file:", "data:", "chrome:", "about:"))]


@pytest.mark.parametrize("page", PAGES)
def test_pages_fit_every_width_without_errors_or_requests(demo, browser, page):
    kept = ROOT / "ci-output"
    kept.mkdir(exist_ok=True)
    for widths in (TELEPHONES, DESKTOPS):  # loaded at the one, then turned or drawn to the other
        show(browser, demo, page, widths[0], height=2400, dark=True)
        for width in widths:
            for dark in (True, False) if width in (min(TELEPHONES), max(DESKTOPS)) else (False,):
                emulate(browser, width, height=2400, dark=dark)
                assert browser.execute_script(OVERFLOW) <= 0, (width, dark)
                browser.save_screenshot(str(kept / f"{page}-{width}{'-dark' if dark else ''}.png"))
        browser.execute_script(UNFOLD)
        browser.execute_script(LAY_OUT)
        for width in reversed(widths):
            emulate(browser, width, height=2400)
            assert browser.execute_script(OVERFLOW) <= 0, width
            if page != "index":  # its four figures are previews, which lead to the large ones
                assert browser.execute_script(TINY) == [], width
        for width in (*widths, *LAPTOPS) if page == "index" else ():
            emulate(browser, width, height=2400)
            assert browser.execute_script(KEY_RESULTS) <= 0, width  # all columns are seen
        if page in REPORTS:
            browser.execute_script("document.querySelector('.explorer').scrollIntoView()")
            browser.implicitly_wait(10)
            assert browser.find_element("css selector", ".explorer[data-ready]")
            browser.implicitly_wait(0)
    assert complaints(browser) == []
    assert requests(browser) == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_small(demo, browser, page):
    size, elements = (500_000, 6_000) if page == "index" else (3_000_000, 60_000)
    assert (
        demo / f"results/reports/{page}.html"
    ).stat().st_size < size  # with 20,000 genes: test_demo_pages.py
    show(browser, demo, page, 1440)  # how quick it is: benchmarks/pages.py
    assert browser.execute_script("return document.querySelectorAll('*').length") < elements


@pytest.mark.parametrize("page", PAGES)
def test_the_main_text_is_short(demo, browser, page):
    show(browser, demo, page, 1440)
    browser.execute_script(LAY_OUT)
    screens = browser.execute_script(
        "return document.querySelector('main').getBoundingClientRect().height / 900"
    )
    assert 1 < screens <= SCREENS
    assert not browser.find_elements("css selector", "details.supplementary[open]")


@pytest.mark.parametrize("page", REPORTS)
def test_the_switch_shows_one_cohort_and_paper_all(demo, browser, page):
    show(browser, demo, page, 1440)
    assert browser.execute_script(SEEN_COHORTS) == ["north"]
    chosen = browser.find_element("css selector", ".switch input:checked")
    chosen.send_keys(Keys.ARROW_RIGHT)  # with the keyboard
    assert browser.execute_script(SEEN_COHORTS) == ["south"]
    browser.find_elements("css selector", ".switch label")[-1].click()
    assert browser.execute_script(SEEN_COHORTS) == ["north", "south", "healthy"]
    show(browser, demo, page, 1440, paper=True)
    assert browser.execute_script(SEEN_COHORTS) == ["north", "south", "healthy"]
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    show(browser, demo, page, 1440)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert browser.execute_script(SEEN_COHORTS) == ["north", "south", "healthy"]


def test_a_link_into_another_cohort_and_into_what_is_folded_away_shows_it(demo, browser):
    show(browser, demo, "survival", 1440, "#cox-south")
    assert browser.execute_script(SEEN_COHORTS) == ["south"]
    show(browser, demo, "survival", 1440, "#gene-survival")
    part = browser.find_element("css selector", "details.supplementary:has(#gene-survival)")
    assert part.get_attribute("open")


@pytest.mark.parametrize("page", PAGES)
def test_the_sidebar_stays_and_says_where_the_reader_is(demo, browser, page):
    show(browser, demo, page, 1440)
    (own,) = browser.find_elements("css selector", ".pages a[aria-current=page]")
    assert own.get_attribute("href").endswith(f"{page}.html")
    links = browser.find_elements("css selector", ".toc a")
    assert browser.find_element("css selector", ".toc a[aria-current]") == links[0]
    target = links[2].get_attribute("href").split("#")[1]
    browser.execute_script(LAY_OUT)
    links[2].click()
    browser.execute_async_script("const done = arguments[0]; setTimeout(done, 300)")
    assert browser.find_element("css selector", ".toc a[aria-current]") == links[2]
    assert browser.execute_script("return document.querySelector('.side').getBoundingClientRect().top") == 0
    assert (
        0
        <= browser.execute_script(f"return document.getElementById('{target}').getBoundingClientRect().top")
        < 300
    )


def column(table, number: int) -> list[str]:
    return [
        row.find_elements("css selector", "th, td")[number].text
        for row in table.find_elements("css selector", "tbody tr")
    ]


def test_tables_are_sorted_by_numbers_and_back(demo, browser):
    show(browser, demo, "association", 1440)
    table = browser.find_element("css selector", "#phenotypes-north table")
    heads = [head.text for head in table.find_elements("css selector", "thead th")]
    place = heads.index("p")
    press = table.find_elements("css selector", "thead th")[place].find_element("css selector", "button")

    def values() -> list[float]:
        return [float(text.replace("<", "").replace("−", "-")) for text in column(table, place)]

    before = values()
    browser.execute_script("arguments[0].click()", press)
    assert values() == sorted(before) != before
    browser.execute_script("arguments[0].click()", press)
    assert values() == sorted(before, reverse=True)
    assert table.find_elements("css selector", "thead th")[place].get_attribute("aria-sort") == "descending"


def test_a_sorted_table_names_each_row_in_full(demo, browser):
    show(browser, demo, "survival", 1440)
    browser.execute_script(
        "document.querySelectorAll('#cox-north details').forEach((part) => { part.open = true; })"
    )
    table = browser.find_elements("css selector", "#cox-north table:has(.same)")[-1]
    hidden = table.find_elements("css selector", ".same")
    assert hidden
    assert not any(one.is_displayed() for one in hidden)
    browser.execute_script("arguments[0].click()", table.find_element("css selector", "thead th.num button"))
    assert all(one.value_of_css_property("visibility") == "visible" for one in hidden)


@pytest.mark.parametrize("page", ["index", "association"])
def test_a_copied_table_can_be_pasted(demo, browser, page):
    show(browser, demo, page, 1440)
    browser.execute_script("""window.kept = null;
        navigator.clipboard.write = async ([item]) => { window.kept = [await (await item.getType("text/plain")).text(), await (await item.getType("text/html")).text()]; };""")
    browser.execute_script("document.querySelector('button.copy').click()")
    plain, html = browser.execute_async_script(
        "const done = arguments[0]; setTimeout(() => done(window.kept), 500)"
    )
    assert html.startswith("<table")
    assert "<svg" not in html
    lines = plain.split("\n")
    assert len(lines) > 3
    assert all("\t" in line for line in lines[:1])
    assert browser.find_element("css selector", "button.copy").text == "Copied"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_hinders_a_screen_reader_or_a_keyboard(demo, browser, page):
    show(browser, demo, page, 390)
    browser.execute_script(UNFOLD)
    browser.execute_script(FEW_ROWS)
    assert axe_findings(browser, rules={"color-contrast": {"enabled": False}}) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_keyboard_goes_on_and_shows_where_it_is(demo, browser, page):
    show(browser, demo, page, 1440)
    seen = []
    for _ in range(25):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        place = browser.switch_to.active_element
        shown = (
            place
            if place.get_attribute("type") != "radio"
            else place.find_element("xpath", "following-sibling::span")
        )
        assert shown.value_of_css_property("outline-style") != "none", place.get_attribute("outerHTML")[:200]
        seen.append(place)
        if place.tag_name == "summary":
            part = place.find_element("xpath", "..")
            before = part.get_attribute("open")
            place.send_keys(Keys.ENTER)
            assert part.get_attribute("open") != before
            place.send_keys(Keys.ENTER)
    assert seen[0].get_attribute("class") == "skip"
    assert len(set(seen)) == len(seen)
    browser.execute_script("arguments[0].focus()", seen[0])
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert browser.current_url.endswith("#main")


def test_a_button_opens_and_closes_all_that_is_folded_away(demo, browser):
    show(browser, demo, "survival", 1440)
    button = browser.find_element("css selector", "button.unfold")
    for pressed in ("true", "false"):
        button.send_keys(Keys.ENTER)
        assert button.get_attribute("aria-pressed") == pressed
        n_open = len(browser.find_elements("css selector", "main details[open]"))
        assert n_open == (
            len(browser.find_elements("css selector", "main details")) if pressed == "true" else 0
        )


@pytest.mark.parametrize("page", PAGES)
def test_words_stand_out_from_their_ground(demo, browser, page):
    show(browser, demo, page, 1440)
    browser.execute_script(UNFOLD)
    browser.execute_script(FEW_ROWS)
    browser.execute_script(FEW_WORDS)
    for dark in (False, True):
        emulate(browser, 1440, dark=dark)
        assert axe_findings(browser, runOnly=["color-contrast"]) == [], dark


@pytest.mark.parametrize("page", PAGES)
def test_paper_has_what_is_open_and_no_figure_is_cut(demo, browser, page):
    show(browser, demo, page, 703, height=1024, paper=True)
    folded, figures = sheets_of_figures(browser)
    sheets = folded
    if page != "index":
        browser.execute_script(UNFOLD)
        sheets, figures = sheets_of_figures(browser)
    assert browser.execute_script(TOO_LARGE) == []
    assert folded == sheets == 2 if page == "index" else 2 < folded < sheets
    assert len(figures) == len(browser.find_elements("css selector", "figure"))
    assert {
        name: sheets for name, sheets in figures.items() if len(sheets) != 2 or sheets[0] != sheets[1]
    } == {}
