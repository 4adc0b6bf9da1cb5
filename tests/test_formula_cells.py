"""What a spreadsheet would run is written as text, and read as it was."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.core.tables import read_ledger, read_table, write_table
from faceage_bio.core.user_files import as_typed, harmless
from faceage_bio.report.pages import survival_page
from faceage_bio.report.tables_by_place import collect
from tests.browser import UNFOLD
from tests.report_studies import CARD, config_of, write_study

PAYLOADS = [
    '=HYPERLINK("http://x")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    "'=1",
    "+ age",
    "-a",
]
PLAIN = [
    "-12",
    "+3.5",
    "-1.2e-05",
    "-",
    "+",
    "",
    "P-001",
    "O'Brien",
    "'quoted'",
    "−0.3",
    "a=b",
    "  =spaces first",
]


@pytest.mark.parametrize("text", PAYLOADS)
def test_formulas_get_an_apostrophe(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_numbers_and_other_text_stay(text):
    assert harmless(text) == text


@given(st.text(alphabet="'=+-@\t\r\n a1.e", max_size=8))
def test_each_text_comes_back_and_none_is_run(text):
    told = harmless(text)
    assert as_typed(told) == text
    assert not told.startswith(tuple("=@\t\r\n"))


def test_tables_come_back_and_numbers_stay_numbers(tmp_path):
    names = [text for text in PAYLOADS if "\r" not in text]
    table = pd.DataFrame({
        "subject_id": names, "=SUM(A1)": "x", "estimate": np.linspace(-2, 2, len(names)), "n": range(-3, len(names) - 3),
        "site": pd.Categorical((["=a", "b"] * len(names))[: len(names)]),
    })  # fmt: skip
    write_table(table, tmp_path / "t.tsv")
    raw = pd.read_csv(tmp_path / "t.tsv", sep="\t", dtype=str)
    assert raw.subject_id.str.startswith("'").all()
    assert "'=SUM(A1)" in raw
    assert raw.n.tolist()[:4] == ["-3", "-2", "-1", "0"]
    found = read_table(tmp_path / "t.tsv")
    assert found.subject_id.tolist() == names
    assert found.site.tolist() == list(table.site)
    pd.testing.assert_frame_equal(found[["=SUM(A1)", "estimate", "n"]], table[["=SUM(A1)", "estimate", "n"]])


def test_a_ledger_keeps_its_identifiers(tmp_path):
    write_table(pd.DataFrame({"subject_id": ["=1+1", "007", "-5"]}), tmp_path / "ledger.tsv")
    assert read_ledger(tmp_path / "ledger.tsv").subject_id.tolist() == ["=1+1", "007", "-5"]


def test_parquet_is_left_as_it_is(tmp_path):
    write_table(pd.DataFrame({"subject_id": PAYLOADS}), tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet").subject_id.tolist() == PAYLOADS


@pytest.mark.browser
def test_a_copied_table_holds_no_formula(tmp_path, browser):
    page = survival_page(collect(write_study(tmp_path, ["one"])), config_of(["one"]), [CARD])
    (tmp_path / "page.html").write_text(page)
    browser.get((tmp_path / "page.html").as_uri())
    browser.execute_script(UNFOLD)
    browser.execute_script("""window.kept = []; navigator.clipboard.write = async ([item]) => { window.kept.push(await (await item.getType("text/plain")).text()); };
        document.querySelectorAll("button.copy").forEach((one) => one.click());""")
    tables = browser.execute_async_script(
        "const done = arguments[0]; setTimeout(() => done(window.kept), 1500)"
    )
    cells = [cell for table in tables for line in table.split("\n") for cell in line.split("\t")]
    assert "'+ age" in cells
    assert [cell for cell in cells if not cell.startswith("'") and harmless(cell) != cell] == []
