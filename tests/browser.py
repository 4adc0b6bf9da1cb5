"""Headless Chromium from Debian's packages, for what only a browser can tell."""

import base64
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# everything that is folded away, and all cohorts
UNFOLD = """document.querySelectorAll('details').forEach((part) => { part.open = true; });
document.querySelector('.switch input[value=""]')?.click();"""


@contextmanager
def chromium(profile: Path) -> Iterator:
    """A started browser that logs its console; the test skips where Chromium or its driver is missing."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("Chromium and chromedriver are not installed (Debian: chromium chromium-driver)")
    options = Options()
    options.binary_location = browser
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update",
        "disable-sync", "disable-dev-shm-usage", f"user-data-dir={profile}", "window-size=1280,900",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield running
    finally:
        running.quit()


def emulate(browser, width: int, height: int = 900, *, dark: bool = False, paper: bool = False) -> None:
    """Another screen, down to a telephone, which a window cannot be made as narrow as; or paper."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    colours = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    media = {"media": "print" if paper else "screen", "features": colours}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def check_width(browser, page: str, folder: Path, width: int) -> None:
    """The page, everything unfolded, is no wider than a screen of this width."""
    path = folder / "page.html"
    path.write_text(page)
    emulate(browser, width)
    browser.get(path.as_uri())
    browser.execute_script(UNFOLD)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def as_new(browser) -> None:
    """Nothing is left of an earlier page: neither its screen, nor its log, nor what was waited for."""
    browser.get("about:blank")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.implicitly_wait(0)
    browser.set_script_timeout(30)
    for log in ("browser", "performance"):
        browser.get_log(log)


def axe_findings(browser, **options) -> list[str]:
    """What axe-core finds serious or critical: rule, words and the first places."""
    from importlib.util import find_spec

    code = Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js").read_text()
    browser.execute_script(code)
    browser.set_script_timeout(300)
    options |= {"resultTypes": ["violations"]}
    found = browser.execute_async_script(
        "const done = arguments[1]; axe.run(document, arguments[0]).then((found) => done(found.violations))",
        options,
    )
    return [
        f"{one['id']} ({one['impact']}): {one['help']}; {len(one['nodes'])} places: "
        + " | ".join(node["html"][:160] for node in one["nodes"][:4])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]


def sheets_of_figures(browser) -> tuple[int, dict[str, list[int]]]:
    """How many sheets the page prints to, and for each figure the sheets on which its top and its bottom stand.

    A link at both ends of each figure is an annotation of one sheet in the PDF, which needs no reader of PDF.
    """
    browser.execute_script("""
        document.querySelectorAll("a[href^='https://mark.invalid/']").forEach((mark) => mark.remove());
        [...document.querySelectorAll("figure")].forEach((figure, k) => {
          figure.style.position = "relative";
          for (const end of ["top", "bottom"]) {
            const mark = document.createElement("a");
            mark.href = `https://mark.invalid/${k}/${end}`;
            mark.textContent = ".";
            mark.style.cssText = `position: absolute; ${end}: 3px; left: 0; line-height: 1; font-size: 4px`;
            figure.append(mark);
          }
        });""")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True})
    pdf = base64.b64decode(printed["data"])
    objects = dict(re.findall(rb"(\d+) 0 obj\n(.*?)\nendobj", pdf, flags=re.DOTALL))
    pages = [body for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]
    found: dict[str, list[int]] = {}
    for number, page in enumerate(pages, 1):
        for name in re.findall(
            rb"(\d+) 0 R", (re.search(rb"/Annots\s*\[(.*?)\]", page, re.DOTALL) or [b"", b""])[1]
        ):
            if uri := re.search(rb"mark\.invalid/(\d+)/", objects[name]):
                found.setdefault(uri[1].decode(), []).append(number)
    return len(pages), found
