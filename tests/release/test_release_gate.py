"""The gate finds what may not leave, each kind by its name, and nothing where there is nothing."""

import base64
import gzip
import json
import zipfile
from datetime import date

import pandas as pd
import pytest

from faceage_bio.core.errors import PrivacyError, TableError
from faceage_bio.release.gate import ADVICE, Finding, check_folder, masked, stop_if_any
from faceage_bio.release.known import Known, known_of_inputs, known_of_results
from tests.commands import invoked
from tests.gate_words import KNOWN, picture

PAGE = "<!doctype html><html><body>{}</body></html>"


def uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def packed(text: str) -> str:
    """As the pages hold the lines of a figure."""
    return base64.b64encode(gzip.compress(text.encode())).decode()


LINES = "group\tn\testimate\n" + "".join(f"g{k}\t{k}\t{k / 7:.5f}\n" for k in range(1, 90))
GENES = json.dumps(
    [[f"GENE{k}" for k in range(300)], [k / 7 for k in range(300)]]
)  # a table by columns is no vector


def kinds(tmp_path, files: dict[str, str | bytes], known: Known = KNOWN, min_cell: int = 5) -> set[str]:
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {finding.kind for finding in check_folder(tmp_path, known, min_cell)}


CLEAN = {
    "report.html": PAGE.format(
        "<p>114 participants, 79 deaths; hazard ratio 1.62 (1.10 to 2.40), p = 0.0912</p>"
        '<svg><path d="M0 0 H912 V3"/><text>0.7734521</text></svg><p>N09123 and XN0912 are others, 1950-04-04 a day</p>'
        "<table><thead><tr><th>Group</th><th>People</th></tr></thead><tr><td>1</td><td>12</td></tr><tr><td>anna</td><td>&lt; 5</td></tr></table>"
        f"<script class=genes>{packed(GENES)}</script>"
    ),
    "tables/north/survival/cox.tsv": "cohort\tterm\testimate\tn\tn_events\nnorth\tface_age\t1.5\t114\t79\nnorth\tage\t1\t114\t0\n",
    "notes.md": "See https://example.org/data/home and the section 1/2.\n",
}
PEOPLE = "subject_id,birth_date,name\nA1017,1950-01-02,x\n"


def test_nothing_is_found_where_nothing_is(tmp_path):
    # the short identifier "1", the word "anna" and longer words around an identifier are in all of it
    assert check_folder_text(tmp_path, CLEAN) == []


def check_folder_text(tmp_path, files) -> list[str]:
    kinds(tmp_path, files)
    return [str(finding) for finding in check_folder(tmp_path, KNOWN, 1)]


LEAKS = {
    "png": ("image", {"figure.png": picture()}),
    "jpeg under another name": ("image", {"figure.svg": picture("JPEG")}),
    "webp": ("image", {"a.webp": picture("WEBP")}),
    "embedded picture": ("image", {"a.html": PAGE.format(f"<div style='background:url({uri(picture(), 'image/png')})'></div>")}),
    "embedded picture, percent-encoded": ("image", {"a.svg": "<svg><a b='data:image/gif,GIF89a%01%00%01'/></svg>"}),
    "picture in JSON": ("image", {"a.json": json.dumps({"spec": {"values": base64.b64encode(picture() * 2).decode()}})}),
    "svg image": ("image", {"a.svg": '<svg><image width="3" href="x"/></svg>'}),
    "img element": ("image", {"a.html": PAGE.format("<img src='faces/1'>")}),
    "svg in a data URI with an image": ("image", {"a.html": PAGE.format(f"<a href=\"{uri(b'<svg><image/></svg>', 'image/svg+xml')}\">")}),
    "exif": ("metadata", {"a.json": b'{"a": "Exif\x00\x00"}'}),
    "xmp": ("metadata", {"a.svg": "<svg><x:xmpmeta></x:xmpmeta></svg>"}),
    "numpy array": ("embedding", {"a.npy": b"\x93NUMPY"}),
    "parquet": ("embedding", {"people.parquet": b"PAR1"}),
    "pickle": ("embedding", {"a.pkl": b"\x80\x04"}),
    "vector in JSON": ("embedding", {"a.json": json.dumps([x / 7 for x in range(1, 129)])}),
    "vector in a table": ("embedding", {"a.tsv": "\t".join(f"v{k}" for k in range(128)) + "\n" + "\t".join(f"{k / 7:.4f}" for k in range(128))}),
    "identifier in HTML": ("identifier", {"a.html": PAGE.format("<p>see N0912.</p>")}),
    "identifier in an attribute": ("identifier", {"a.html": PAGE.format('<p title="n0912">x</p>')}),
    "identifier as entities": ("identifier", {"a.html": PAGE.format("<p>&#78;0912</p>")}),
    "identifier with a soft hyphen": ("identifier", {"a.html": PAGE.format("<p>N0&shy;912</p>")}),
    "identifier with a space of no width": ("identifier", {"a.md": "seen N0\u200b912"}),
    "identifier with a hyphen of typesetters": ("identifier", {"a.md": "in ward\u2011b"}),
    "identifier with a hyphen put in": ("identifier", {"a.html": PAGE.format("<p>N-0912</p>")}),
    "identifier with a blank put in": ("identifier", {"a.md": "seen N 0912 twice"}),
    "identifier with a low line put in": ("identifier", {"a.svg": "<svg><text>n_09_12</text></svg>"}),
    "identifier with its hyphen left out": ("identifier", {"a.md": "from site7-0042"}, Known(identifiers={"site-7-0042"})),
    "identifier with a Cyrillic letter": ("identifier", {"a.md": "seen \u041d912"}),
    "identifier with a Greek letter": ("identifier", {"a.md": "seen \u039d0912"}),
    "identifier in letters of full width": ("identifier", {"a.md": "seen \uff2e\uff10\uff19\uff11\uff12"}),
    "identifier with an accent of its own": ("identifier", {"a.md": "Zoe\u0308/12"}),
    "name of a file with a Cyrillic letter": ("identifier", {"figures/\u041d912.svg": "<svg/>"}),
    "photo's name with a hyphen put in": ("identifier", {"a.md": "IMG-2201.jpg"}),
    "identifier that a tag splits": ("identifier", {"a.html": PAGE.format("<p>N0<bdi>912</bdi></p>")}),
    "identifier in base64 of plain text": (
        "identifier", {"a.md": base64.b64encode(b"N0912 was seen on the ward, and went home").decode()}
    ),
    "identifier in a script": ("identifier", {"a.html": PAGE.format('<script>var x = ["N0912"]</script>')}),
    "identifier in SVG": ("identifier", {"a.svg": "<svg><text>ward-b</text></svg>"}),
    "identifier in JSON": ("identifier", {"a.json": '{"a": "Zo\\u00eb/12"}'}),
    "identifier in base64": ("identifier", {"a.html": PAGE.format(f"<a href='{uri(b'term: N0912', 'text/plain')}'>")}),
    "identifier in packed data": ("identifier", {"a.html": PAGE.format(f"<script class=data>{packed('term N0912 ' * 30)}</script>")}),
    "vector in packed data": ("embedding", {"a.html": PAGE.format(f"<script>{packed(json.dumps([[x / 7 for x in range(1, 129)]]))}</script>")}),
    "identifier in a file's name": ("identifier", {"N0912.svg": "<svg/>"}),
    "identifier in a zip": ("identifier", {}),
    "long number": ("identifier", {"a.md": "case 7734521 died"}),
    "short identifier alone in a cell": ("identifier", {"a.tsv": "term\testimate\nS1\t2.5\n"}),
    "number in a column of identifiers": ("identifier", {"a.tsv": "subject_id\tx\n1\t2.5\n"}),
    "word in a column of identifiers": ("individual rows", {"a.html": PAGE.format("<table><thead><tr><th>Patient ID</th></tr></thead><tr><td>anna</td></tr></table>")}),
    "photo's name": ("file name", {"a.html": PAGE.format("<p>IMG_2201.jpg</p>")}),
    "photo's name without its ending": ("identifier", {"a.md": "IMG_2201 is blurred"}),
    "some photo's name": ("file name", {"a.json": '["smith-left.JPEG"]'}),
    "absolute path": ("path", {"a.html": PAGE.format("<p>read from /home/someone/photos/a</p>")}),
    "path of an unusual folder": ("path", {"a.json": '{"folder": "/onko7/faces/2024/b"}'}),
    "home": ("path", {"a.json": '{"folder": "~/study"}'}),
    "Windows path": ("path", {"a.json": json.dumps({"folder": "C:\\Users\\someone"})}),
    "share": ("path", {"a.md": r"\\server\photos"}),
    "file URL": ("path", {"a.html": PAGE.format('<a href="file:///study/a">a</a>')}),
    "date of birth": ("date", {"a.html": PAGE.format("<p>born 3.4.1950</p>")}),
    "date of birth in words": ("date", {"a.html": PAGE.format("<p>born 3 April 1950</p>")}),
    "date of birth in words, the American way": ("date", {"a.md": "April 3rd, 1950"}),
    "plain word after patient": ("identifier", {"a.html": PAGE.format("<p>Patient: anna came late</p>")}),
    "date of birth, the American way": ("date", {"a.json": '"04/03/1950"'}),
    "date of a photo": ("date", {"a.md": "taken 2019-08-07"}),
    "rows of people": ("individual rows", {"a.tsv": "cohort\tfollowup_years\nnorth\t2.5\n"}),
    "ledger": ("individual rows", {"north/ledger.tsv": "cohort\tstage\tstatus\nnorth\tintake\tincluded\n"}),
    "column of dates": ("individual rows", {"a.tsv": "photo_date\tx\n2001-01-01\t2.5\n"}),
    "exact n": ("exact count", {"tables/north/survival/cox.tsv": "cohort\tn\nnorth\t4\n"}),
    "exact count as a float": ("exact count", {"tables/north/survival/cox.tsv": "cohort\tn_events\nnorth\t41.0\n"}),
    "count that is a word": ("exact count", {"tables/north/survival/cox.tsv": "cohort\tn\nnorth\tfour\n"}),
    "exact n in a reason": ("exact count", {"tables/north/survival/cox.tsv": "cohort\treason\nnorth\tcomplete_cases; few_events n_events=4 needed=5\n"}),
    "exact n in another reason": (
        "exact count", {"tables/north/fairness/fairness.tsv": "cohort\traw_reason\nnorth\tone_level n=38\n"}
    ),
    "unknown table": ("unknown table", {"tables/north/survival/new.tsv": "cohort\testimate\nnorth\t1.5\n"}),
    "spreadsheet": ("kind of file", {"a.xlsx": b"\xd0\xcf"}),
    "not text": ("kind of file", {"a.html": b"\xff\xfe\x00<"}),
}  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS)
def test_each_planted_leak_is_caught_by_name(tmp_path, leak):
    kind, files, *known = LEAKS[leak]
    if leak == "identifier in a zip":
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
            packed.writestr("inside/a.md", "N0912")
    assert kind in kinds(tmp_path, {**CLEAN, **files}, *known)


@pytest.mark.parametrize(
    "text",
    [
        "n 912", "n = 0912", "n, 0912", "n: 0912", "p .0912", "p 0.0912", "n\t0912", "<td>N</td><td>0912</td>", "7-734-521", "773-4521", "773 4521", "7,734,521",
        "7734.521", "7734521.5", "1.7734521", "XN 0912", "N 09123", "ward c", "wardbc",
    ],
)  # fmt: skip
def test_ordinary_words_and_numbers_are_no_identifiers(tmp_path, text):
    assert check_folder_text(tmp_path, {"a.md": text}) == []


def test_a_link_is_refused(tmp_path):
    (tmp_path / "a.html").symlink_to("/etc/hostname")
    assert kinds(tmp_path, {}) == {"kind of file"}


def test_nothing_to_check_is_an_error(tmp_path):
    with pytest.raises(PrivacyError, match="nothing to check"):
        check_folder(tmp_path / "nowhere", KNOWN, 5)


def test_findings_tell_the_place_and_not_the_identifier(tmp_path):
    kinds(tmp_path, {"a.html": PAGE.format("\n\n<p>N0912</p>")})
    found = [one for one in check_folder(tmp_path, KNOWN, 5) if one.kind == "identifier"]
    assert [(one.file, one.place, one.what) for one in found] == [("a.html", "line 3", "N0…")]
    assert masked("S1") == "…"
    with pytest.raises(PrivacyError, match=r"share: 1 thing may not leave\. Expected none") as told:
        stop_if_any(found, "share:")
    assert "N0912" not in str(told.value)
    assert ADVICE["identifier"] in str(told.value)
    with pytest.raises(PrivacyError, match=r"share: 49 things may not leave(.|\n)*line 9: (.|\n)*and 9 more"):
        stop_if_any([Finding("a", f"line {k}", "path", "a path") for k in range(49)], "share:")


def test_identifiers_that_are_not_looked_for_in_texts_are_counted():
    expected = "8 identifiers, 1 file names, 2 dates; 5 of 8 identifiers could be looked for in texts (others are too short or plain); whole cells of tables were compared"
    assert KNOWN.words == expected
    assert Known(identifiers={"N0912"}).words == "1 identifiers, 0 file names, 0 dates"


def test_participants_are_known_from_every_private_table(tmp_path):
    results = tmp_path / "results"
    for folder in ("north/cohort", "north", "model", "demo/north/photos"):
        (results / folder).mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"subject_id": ["A101"], "path": ["x/IMG_1.JPG"], "photo_date": ["2020-05-06"], "gene_id": ["ENSG1234"]}).to_parquet(
        results / "north/cohort/photos.parquet"
    )  # fmt: skip
    (results / "north/ledger.tsv").write_text("cohort\tsubject_id\tsample_id\nnorth\tB202\tRN77\n")
    (results / "demo/north/photos/P1234.jpg").write_bytes(b"")
    (results / "demo/clinical.csv").write_text("subject_id;birth_date\nC303;1944-02-12\n")
    (results / "model/card.tsv").write_text("subject_id\nnobody9\n")
    known = known_of_results(results)
    assert {"A101", "B202", "RN77", "C303"} <= known.identifiers
    assert not {"ENSG1234", "nobody9"} & known.identifiers
    assert known.files == {"IMG_1.JPG", "P1234.jpg"}
    assert known.births == {date(1944, 2, 12)}
    assert date(2020, 5, 6) in known.dates
    assert known_of_inputs([results / "demo"]).files == {"P1234.jpg"}


def test_a_private_table_that_cannot_be_read_stops_the_gate(tmp_path):
    (tmp_path / "north").mkdir()
    (tmp_path / "north/people.parquet").write_bytes(b"nothing")
    message = (
        r"people.parquet: cannot be read .*so its participants cannot be looked for. Expected a table of a"
    )
    with pytest.raises(TableError, match=message):
        known_of_results(tmp_path)


def test_the_command_ends_with_status_2(tmp_path, capsys):
    folder = tmp_path / "share"
    kinds(folder, {"a.html": PAGE.format("<p>A1017</p>")})
    clinical = tmp_path / "clinical.tsv"
    clinical.write_text("subject_id\tbirth_date\nA1017\t1950-01-02\n")
    done = invoked(f"check-privacy {folder} --table {clinical}")
    assert isinstance(done.exception, PrivacyError)
    (folder / "a.html").write_text(PAGE.format("<p>114 participants</p>"))
    done = invoked(f"check-privacy {folder} --table {clinical}")
    assert done.exit_code == 0
    assert "nothing found; looked for 1 identifiers" in done.output


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (PEOPLE.encode("utf-16"), r"people.csv: .*UTF-8"),
        (PEOPLE.replace("name", "Größe").encode("latin1"), r"people.csv: .*UTF-8"),
        (
            b"gene,count\nCDK6,5\n",
            r"people.csv: no identifiers, photos or dates, so that no participant is looked for",
        ),
        (None, r"people.csv: no such file, so that no participant is looked for.*--table"),
    ],
)
def test_a_table_of_which_nobody_can_be_looked_for_is_refused(tmp_path, table, message):
    folder = tmp_path / "share"
    kinds(folder, {"a.html": PAGE.format("<p>A1017</p>")})
    if table:
        (tmp_path / "people.csv").write_bytes(table)
    with pytest.raises((PrivacyError, TableError), match=message):
        invoked(f"check-privacy {folder} --table {tmp_path / 'people.csv'}", raises=True)


@pytest.mark.parametrize("name", ["clinic.xlsx", "clinic.csv.gz", "sep.csv"])
def test_own_tables_are_read_as_the_config_declares_them(tmp_path, name):
    people = pd.DataFrame({"Fall": ["A1017", "B2028"], "geboren": ["03.04.1950", "13.05.1961"]})
    if name == "clinic.xlsx":
        with pd.ExcelWriter(tmp_path / name) as book:
            people.to_excel(book, sheet_name="Baseline", index=False)
            people.to_excel(book, sheet_name="old", index=False)
    elif name == "sep.csv":
        (tmp_path / name).write_text("sep=;\n" + people.to_csv(sep=";", index=False))
    else:
        people.to_csv(tmp_path / name, index=False)
    sheet = ", sheet: Baseline" if name == "clinic.xlsx" else ""
    columns = f"{{clinical: {{columns: {{subject_id: Fall, birth_date: geboren}}, date_format: DD.MM.YYYY{sheet}}}}}"
    config = tmp_path / "config.yaml"
    config.write_text(f"cohorts: {{c: {{face_ages: ages.tsv, clinical: {name}, tables: {columns}}}}}\n")
    (tmp_path / "ages.tsv").write_text("subject_id\tface_age\nA1017\t60\n")
    folder = tmp_path / "share"
    for leak, kind in {"B-2028": "identifier", "1961-05-13": "date"}.items():
        kinds(folder, {"a.html": PAGE.format(f"<p>{leak}</p>")})
        with pytest.raises(PrivacyError, match=f"a.html, line 1: {kind}"):
            invoked(f"check-privacy {folder} --configfile {config}", raises=True)
