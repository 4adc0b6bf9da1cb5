"""Reading what users type, writing what must not be half there."""

import gzip
import os
import re
from pathlib import Path

import pandas as pd
import pytest

from faceage_bio.core import tables
from faceage_bio.core.errors import RunError, TableError
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.tables import (
    OWNER_ONLY,
    atomic_path,
    read_json,
    read_table,
    read_text_table,
    write_table,
)


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_separator_is_told_from_the_header_and_lines_are_counted(tmp_path, separator):
    path = tmp_path / "table.csv"
    path.write_text(separator.join("ab") + "\n007" + separator + "x\n\n008" + separator + "\n")
    table = read_text_table(path)
    assert table.loc[2, "a"] == "007"
    assert table.loc[4].tolist() == ["008", ""]


def test_quoted_cells_may_hold_separators_and_line_ends(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('a,b\n"x, y","two\nlines"\nz,w\n')
    assert read_text_table(path).iloc[0].tolist() == ["x, y", "two\nlines"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"a\tb\n1\t\x002\n",
            r"holds bytes of zero \(line 2\), as files do that are no text. Expected a text table",
        ),
        (b"", "the file is empty. Expected the column names in its first line. Save"),
        (b"a,a\n1,2\n", "line 1 names the column"),
        (
            b"a,b\n1,2,3\n4\n",
            "the header has 2 columns, but line 2: 3 cells; line 3: 1 cells. Expected as many cells in each line",
        ),
        (
            b"a,b\n\xff\xfe,1\n",
            r"not UTF-8 text \(line 2 holds the byte 0xff, 'ÿ' in text of Windows\). Expected a text table or a workbook .*Save it as CSV UTF-8, text with tabs",
        ),
    ],
)
def test_a_broken_table_is_told(tmp_path, content, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_text_table(path)


@pytest.mark.parametrize("name", ["plan.html", "table.docx", "table.csv", "table"])
def test_a_table_is_written_as_its_name_says_or_not_at_all(tmp_path, name):
    """A plan that is saved under the name of its page would take the page's place."""
    (tmp_path / name).write_text("a page")
    message = rf"{name}: expected a name ending in \.tsv, or \.parquet, as which the table is written\. Name the file so"
    with pytest.raises(RunError, match=message):
        write_table(pd.DataFrame({"n": [1]}), tmp_path / name)
    assert (tmp_path / name).read_text() == "a page"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("a\tb\n1\t2\n".encode("utf-16"), "UTF-16, which spreadsheets call Unicode text"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "packed by gzip, which a name ending in .gz says"),
        (b"PK\x03\x04\x80\x80", "a zip, as workbooks are whose name ends in .xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1", "a workbook of the old kind, .xls"),
        (b"$FL2@(#) SPSS DATA FILE\xff", "a file of SPSS .\\.sav."),
        (b"<stata_dta><header><release>118\xff", "a file of Stata .\\.dta."),
        (b"HEADER RECORD*******LIBRARY\xff", "a transport file of SAS .\\.xpt."),
        (bytes(12) + b"\xc2\xea\x81\x60", "binary, as files of SAS .\\.sas7bdat. are"),
    ],
    ids=["utf-16", "gzip", "zip", "xls", "sav", "dta", "xpt", "sas7bdat"],
)
def test_what_is_no_text_is_told_by_its_first_bytes(tmp_path, content, what):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=f"table.csv: not UTF-8 text .it is {what}"):
        read_text_table(path)


def test_a_table_may_be_packed_by_gzip(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress("\ufeffa,b\r\n1,ü\r\n".encode(), mtime=0))
    assert read_text_table(path).loc[2].to_dict() == {"a": "1", "b": "ü"}
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(TableError, match=r"cannot be read to its end .*Expected a whole file packed by gzip"):
        read_text_table(path)


def test_a_missing_table_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    what = {
        "none.csv": "no such file",
        ".": "a folder, and no file",
        "pipe.csv": "a pipe, socket or device, and no file",
    }
    for name, there in what.items():
        with pytest.raises(TableError, match=f"{there}. Expected a table. Check the path"):
            read_text_table(tmp_path / name)
    message = r"none.parquet: no such file. Expected what an earlier step writes. Run the workflow"
    with pytest.raises(TableError, match=message):
        read_table(tmp_path / "none.parquet")
    message = r"cannot be read .*Expected a text table that you may read; check its rights"
    with pytest.raises(TableError, match=message):
        read_text_table("/proc/self/mem")
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    message = r"table.xlsx: expected a file ending in .parquet, .tsv or .csv. Save it as one of them"
    with pytest.raises(TableError, match=message):
        read_table(tmp_path / "table.xlsx")


def test_json_that_is_none_is_told(tmp_path):
    (tmp_path / "card.json").write_text("{")
    message = r"card.json: not valid JSON .*Expected what an earlier step wrote; delete it"
    with pytest.raises(TableError, match=message):
        read_json(tmp_path / "card.json")
    message = r"none.json: no such file. Expected JSON that an earlier step wrote"
    with pytest.raises(TableError, match=message):
        read_json(tmp_path / "none.json")


@pytest.mark.parametrize("name", ["table.tsv", "table.parquet"])
def test_tables_come_back_and_private_ones_are_private(tmp_path, name):
    table = pd.DataFrame({"a": [1.5, None], "b": ["NA", "x"]})
    write_table(table, tmp_path / name)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    pd.testing.assert_frame_equal(read_table(tmp_path / name), table)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_identifiers_stay_as_they_were_typed(tmp_path):
    (tmp_path / "table.tsv").write_text("subject_id\tvalue\n007\t1\nNA\t2\n")
    table = read_table(tmp_path / "table.tsv")
    assert table.subject_id.tolist() == ["007", "NA"]
    assert table.value.tolist() == [1, 2]


@pytest.mark.parametrize(("access", "mode"), [("owner", 0o600), ("group", 0o640)])
def test_results_are_readable_by_whom_the_config_says(tmp_path, monkeypatch, access, mode):
    monkeypatch.setenv("FACEAGE_BIO_ACCESS", access)
    write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").stat().st_mode & 0o777 == mode
    write_table(pd.DataFrame({"a": [1]}), tmp_path / "key.tsv", mode=OWNER_ONLY)
    assert (tmp_path / "key.tsv").stat().st_mode & 0o777 == 0o600


def test_some_columns_of_a_table_are_those_of_the_whole(tmp_path):
    rows = pd.DataFrame({
        "cohort": ["007", "NA", "=1+x"], "question": "expression", "measure": "log2 fold change", "term": ['a "b"', "two\nlines", "x\ty"],
        "estimate": [0.1, None, 1 / 3], "standard_error": [1e-300, None, 2.5], "n": [5, 6, 7], "reason": ["", "no_events", ""],
    })  # fmt: skip
    path = tmp_path / "genes.tsv"
    write_table(result_rows(rows, "expression/genes"), path)
    columns = ["term", "cohort", "estimate", "n", "standard_error", "reason", "ci_lower", "absent"]
    some, whole = read_table(path, columns), read_table(path).reindex(columns=columns)
    pd.testing.assert_frame_equal(some.fillna("none"), whole.fillna("none"), check_exact=True)
    path.write_text("\n".join(path.read_text().splitlines()[:1]) + "\n")
    assert list(read_table(path, columns)) == columns
    path.write_text("cohort\tmeasure\testimate\na\tmean difference\t0.5\nb\tmean")
    with pytest.raises(TableError, match="damaged or cut off"):
        read_table(path, columns)


def test_a_message_names_the_tables_of_the_user_and_none_of_the_package(tmp_path):
    def refuse() -> None:
        with tables.naming_tables():
            tables.note_reading(Path(tables.__file__).parent / "genes.tsv")
            tables.note_reading(tmp_path / "mine.tsv")
            raise TableError("no samples")

    with pytest.raises(TableError, match=rf"^{re.escape(str(tmp_path))}/mine.tsv: no samples$"):
        refuse()
