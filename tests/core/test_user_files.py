"""Packed files that unpack to far more than data do are refused before they fill the memory; what a spreadsheet would run is text."""

import gzip
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceage_bio.core import user_files
from faceage_bio.core.errors import TableError
from faceage_bio.core.tables import read_ledger, read_table, read_text_table, write_table
from faceage_bio.core.user_files import as_typed, harmless
from faceage_bio.faces.vision.decode import DecodeError, check_header
from faceage_bio.faces.vision.weights import verify_weights
from faceage_bio.intake.rna.cells import open_cells
from faceage_bio.intake.rna.count_files import read_counts
from faceage_bio.report.pages import survival_page
from faceage_bio.report.tables_by_place import collect
from tests.browser import UNFOLD
from tests.report_studies import CARD, config_of, write_study

BOMB = r"bytes unpack to .* or more. Expected at most 250 times as many, as of any table of measurements. Make the file again"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(user_files, "HARMLESS", 1 << 20)


@pytest.mark.parametrize("name", ["counts.tsv.gz", "s1.rna_seq.augmented_star_gene_counts.tsv.gz"])
def test_packed_counts(tmp_path, name):
    lines = b"gene_id\tunstranded\nCDK6\t0" + b"0" * (4 << 20) + b"\n"
    (tmp_path / name).write_bytes(gzip.compress(lines, 9))
    with pytest.raises(TableError, match=BOMB):
        read_counts(tmp_path if name.startswith("s1") else tmp_path / name)


@pytest.mark.parametrize("read", [read_counts, open_cells])
def test_an_h5ad_that_declares_more_than_it_holds(tmp_path, read):
    with h5py.File(tmp_path / "bomb.h5ad", "w") as file:
        file.create_dataset("X", shape=(10_000, 100_000), dtype="f4", chunks=(100, 1000), compression="gzip")
    with pytest.raises(TableError, match=BOMB):
        read(tmp_path / "bomb.h5ad")


@pytest.mark.parametrize(
    ("name", "member", "read"),
    [
        ("bomb.npz", "inputs.npy", lambda path: verify_weights(path.parent, path)),
        ("bomb.xlsx", "xl/worksheets/sheet1.xml", read_text_table),
    ],
)
def test_reference_ages_and_workbooks(tmp_path, name, member, read):
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(member, bytes(8 << 20))
    with pytest.raises(TableError, match=BOMB):
        read(tmp_path / name)


def test_pictures(tmp_path):
    Image.new("L", (20_000, 20_000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 1 << 20
    with pytest.raises(DecodeError, match="more pixels than a photo has"):
        check_header(tmp_path / "bomb.png")


def test_real_tables_pass(tmp_path):
    random = np.random.default_rng(1)
    rows = [
        f"G{k}\t" + "\t".join(map(str, random.poisson(0.02, 500))) for k in range(3000)
    ]  # mostly zeros, 3 MB
    text = "gene\t" + "\t".join(f"s{k}" for k in range(500)) + "\n" + "\n".join(rows) + "\n"
    path = tmp_path / "counts.tsv.gz"
    path.write_bytes(gzip.compress(text.encode(), 9))
    assert len(text) / path.stat().st_size > 5
    assert read_counts(path).counts.shape == (3000, 500)


# What a spreadsheet would run is written as text, and read as it was.


FORMULAS = [
    '=HYPERLINK("http://x")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd",
    "@SUM(1)",
    "＝1+1",
    "'=1",
    "+ age",
    "-a",
]
PAYLOADS = [*FORMULAS, "\t=1+1", "\r=1+1"]
NUMBERS = ["-12", "+3.5", "-1.2e-05", "-", "+", "", "−0.3"]
PLAIN = [*NUMBERS, "P-001", "O'Brien", "'quoted'", "a=b", "  =spaces first"]


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
