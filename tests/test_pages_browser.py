"""Both pages as a browser shows them: no error, no request, room enough on a telephone, for everybody to read, and on paper."""

import json

import pytest

from tests.browser import chromium
from tests.test_report import DRAWN, study  # noqa: F401

PAGES = ("association", "survival")
pytestmark = pytest.mark.browser


def complaints(browser) -> list[dict]:
    return [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}]


def requests(browser) -> list[str]:
    """What the page asked for beside itself."""
    asked = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("file:", "data:", "chrome:"))]


def test_pages_work_without_errors_or_requests(study, tmp_path):  # noqa: F811
    for name, page in zip(PAGES, study(cards=[DRAWN]), strict=True):
        (tmp_path / f"{name}.html").write_text(page)
    with chromium(tmp_path / "profile") as browser:
        for name in PAGES:
            browser.get((tmp_path / f"{name}.html").as_uri())
            browser.execute_script(
                "document.querySelectorAll('details').forEach((part) => { part.open = true; })"
            )
            browser.execute_script("scrollTo(0, document.body.scrollHeight)")
            assert complaints(browser) == []
            assert requests(browser) == []
