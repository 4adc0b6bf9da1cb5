"""The bundle: pages rendered from released tables, checked as a whole before any of it is there."""

import base64
import json
import re
import shutil
import signal
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from faceage_bio.core.config import check_config
from faceage_bio.core.errors import FitError, PrivacyError
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.tables import read_table, read_text_table, sha256_of, write_table, write_text
from faceage_bio.intake.cohort.ledger import with_totals
from faceage_bio.release import bundle
from faceage_bio.release.bundle import MANIFEST, publish, released_config, result_tables
from faceage_bio.release.gate import findings_in
from faceage_bio.release.known import Known, vocabulary
from faceage_bio.stats.linear import fit_linear
from tests.commands import output_of
from tests.pages import body_of
from tests.report_studies import config_of
from tests.survival_studies import CURVES, data_of, with_causes, write_study

pytestmark = pytest.mark.slow

KEY = bytes(range(32))
PEOPLE = Known(identifiers={"N0912"})
CONFIG = config_of(["c"], survival={"curves": CURVES})


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The smallest folder of a finished run."""
    folder = tmp_path_factory.mktemp("finished") / "results"
    write_study(folder, data_of())
    for name, text in {
        "reports/survival.html": "<html><p>exact</p></html>",
        "c/ledger.tsv": "cohort\tsubject_id\nc\tN0912\n",
        "logs/a.tsv": "subject_id\nN0912\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def results(finished, tmp_path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "results"))


@pytest.fixture(scope="module")
def published(finished) -> tuple[Path, list[str], pd.DataFrame]:
    """What is published of it: the folder, its files and the log."""
    share = finished.parent / "share"
    return share, *publish(finished, share, PEOPLE, CONFIG, [], 6, KEY)


def test_pages_are_rendered_from_released_tables(finished, published, tmp_path):
    share, files, log = published
    manifest = json.loads((share / MANIFEST).read_text())
    assert set(manifest["files"]) == set(files) - {MANIFEST}
    assert manifest["rounding"] == 6
    assert manifest["files"]["survival.html"] == sha256_of(share / "survival.html")
    assert not any("ledger" in name for name in files)
    page = (share / "survival.html").read_text()
    assert "INTERNAL" not in page
    assert "counts are rounded to the midpoints of 6" in page
    assert "exact" not in page[:200]
    at_risk = read_text_table(share / "tables/c/survival/at_risk.tsv")
    assert all(int(float(cell)) % 3 == 0 for cell in at_risk["at_risk"])
    assert log["counts_rounded"].sum() > 0
    publish(finished, tmp_path / "a.zip", PEOPLE, CONFIG, [], 6, KEY)
    with zipfile.ZipFile(tmp_path / "a.zip") as bundle:  # an independent run gives the same bytes
        assert bundle.read("survival.html").decode() == page


def test_the_gate_finds_nothing_in_what_was_published(finished, published, tmp_path):
    people = tmp_path / "people.tsv"
    data_of().assign(subject_id="N0912").to_csv(people, sep="\t")
    asked = f"check-privacy {published[0]} --results {finished} --table {people}"
    assert "nothing found; looked for 1 identifiers" in output_of(asked)


def test_n_of_a_cohort_is_the_same_everywhere_in_a_release(tmp_path):
    # tertiles, sites and age groups of 130 participants: rounded parts do not add up to the rounded whole
    results = tmp_path / "results"
    for cohort, n in (("one", 130), ("two", 145)):
        data = with_causes(n).assign(site=lambda d: np.where(d.index % 3 == 0, "lung", "breast"))
        for path in write_study(results, data):
            write_table(read_table(path).assign(cohort=cohort), results / cohort / "survival" / path.name)
        counts = [
            ("subject", "intake", "included", "", n), ("subject", "acceleration", "included", "", n),
            ("subject", "survival", "excluded", "missing_bmi", 8), ("subject", "survival", "included", "", n - 8),
        ]  # fmt: skip
        cells = pd.DataFrame(counts, columns=["unit", "stage", "status", "reason", "n"])
        write_table(with_totals(cells.assign(cohort=cohort)), results / cohort / "flow.tsv")
    shutil.rmtree(results / "c")
    for name in ("index", "survival", "association"):
        write_text("<p>exact</p>", results / f"reports/{name}.html")
    config = config_of(["one", "two"], survival={"curves": CURVES})
    publish(results, tmp_path / "share", PEOPLE, config, [], 6, KEY)
    pages = {path.name: path.read_text() for path in (tmp_path / "share").glob("*.html")}
    captions = re.findall(r"</b> in (\w+) \(n = (\d+), \d+ deaths\): Kaplan-Meier", pages["survival.html"])
    assert set(captions) == {("one", "129"), ("two", "147")}
    assert {"129", "147"} <= set(re.findall(r"All participants: n = (\d+), ", pages["survival.html"]))
    flows = re.findall(r"Participants with follow-up: (\d+)", pages["association.html"])
    assert set(flows) == {"129", "147"}
    # 276 is the sum of both cohorts, which no table has
    assert not any(
        re.search(r"(?<![\d.])(275|276)(?![\d.])", re.sub(r"<svg.*?</svg>", "", body_of(page), flags=re.S))
        for page in pages.values()
    )


def test_no_hash_of_an_exact_table_leaves(finished, published):
    # who knows the hash of a table of small counts finds the table by trying the few that there can be
    private = {sha256_of(path) for path in finished.rglob("*") if path.is_file()}
    told = "\n".join(path.read_text(errors="replace") for path in published[0].rglob("*") if path.is_file())
    words = set(re.findall(r"\b[0-9a-f]{7,64}\b", told))
    assert len(words) > 5
    assert not any(digest.startswith(word) for word in words for digest in private)


# the identifier N0912, the birth on 3 April 1950, and a picture of 3 pixels
DISGUISED = {
    "reversed": "2190N", "base64": base64.b64encode(b"N0912").decode(), "base85": base64.b85encode(b"N0912").decode(), "hexadecimal": b"N0912".hex(),
    "Greek letter": "\u039d0912", "in pieces": "N-09-12", "parted by nothing": "N0\u200b912", "in capitals of another case": "n0912",
    "seconds since 1970": "-623116800", "day number of a spreadsheet": "18356", "ISO week": "1950-W14-1", "in a row": "19500403",
    "pixels": "P3 3 1 255 0 0 0 9 9 9 8 8 8", "bitmap in hexadecimal": b"BM\x46\0\0\0\0\0".hex(), "count in words": "thirteen of them",
}  # fmt: skip


@pytest.mark.parametrize("disguise", DISGUISED)
def test_a_cell_says_nothing_but_words_of_the_vocabulary(disguise):
    known = Known(identifiers={"N0912"}, births={date(1950, 4, 3)}) | vocabulary(CONFIG.model_dump())
    table = "cohort\tterm\testimate\tn\nc\t{}\t1.5\t9\n"
    place = "tables/c/survival/cox.tsv"
    assert findings_in(place, table.format("face_age, stage 3, age 50 to 65").encode(), known, 6) == set()
    assert findings_in(place, table.format(DISGUISED[disguise]).encode(), known, 6)
    for cell in (DISGUISED[disguise], "four", "0x0d", "1 3"):
        wrong = table.replace("\t9", f"\t{cell}").format("face_age").encode()
        assert findings_in(place, wrong, known, 6)


def test_every_other_file_is_what_the_tables_render_to(published, tmp_path):
    # pixels as shapes of a figure, vectors in scripts, numbers one a line: nothing can be added to a page
    share, files, _ = published  # they were so when it was published, or it would not have been
    told, made = released_config(CONFIG, 6), shutil.copytree(share, tmp_path / "share")
    rendered = {name for name in files if name != MANIFEST and not re.match(r"tables/.*/", name)}
    assert {"survival.html", "index.html", "README.txt"} < rendered
    assert any(name.endswith(".svg") for name in rendered)
    for name in rendered:
        (made / name).write_bytes((made / name).read_bytes() + b" ")
    (made / "figures" / "more.svg").write_text("<svg><rect/></svg>")
    found = {finding.file for finding in bundle._not_of_tables(made, told, [])}
    assert found == rendered | {"figures/more.svg"}


def test_a_release_of_public_data_says_that_it_is_not_rounded(finished, tmp_path):
    publish(finished, tmp_path / "share", PEOPLE, CONFIG, [], 1, KEY)
    words = "counts are not rounded, because the data are public"
    assert words in (tmp_path / "share/survival.html").read_text()


def test_a_rounding_other_than_that_of_the_earlier_bundle_is_told(finished, published, tmp_path, monkeypatch):
    """A count between 139 and 144, and between 141 and 147, is one of four."""
    none = pd.DataFrame(columns=["counts_rounded", "statistics_redacted"])
    monkeypatch.setattr(bundle, "publish", lambda *_: ([], none))
    (tmp_path / "config.yaml").write_text("cohorts: {c: {face_ages: ages.tsv, clinical: clinical.tsv}}")
    share = shutil.copytree(published[0], tmp_path / "share")
    line = f"publish --results {finished} --configfile {tmp_path}/config.yaml --output {share} --key {tmp_path}/key"
    told = "the bundle that it replaces is rounded to 6, this one to 7. Who has both can narrow counts down"
    assert told in output_of(line, "--rounding", 7)
    assert "narrow counts" not in output_of(line)


def test_nothing_is_written_where_anything_is_found(results, tmp_path):
    cox = results / "c/survival/cox.tsv"
    cox.write_text(cox.read_text().replace("face_age", "N0912"))
    message = r"nothing was published, because \d+ things? may not leave. Expected none. Take out what is listed(.|\n)*identifier"
    with pytest.raises(PrivacyError, match=message):
        publish(results, tmp_path / "share", PEOPLE, CONFIG, [], 6, KEY)
    assert not (tmp_path / "share").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".publish")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", ["share", "share.zip"])
def test_a_signal_half_way_leaves_the_earlier_bundle_and_nothing_else(
    finished, published, tmp_path, monkeypatch, number, name
):
    if name == "share":
        shutil.copytree(published[0], tmp_path / name)
    else:
        shutil.make_archive(str(tmp_path / "share"), "zip", published[0])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr(bundle, "write_pages", lambda *_: signal.raise_signal(number))
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
        publish(finished, tmp_path / name, PEOPLE, CONFIG, [], 6, KEY)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_what_cannot_be_published(results, tmp_path):
    (results / "c/survival/novel.tsv").write_text("cohort\testimate\nc\t1.5\n")
    with pytest.raises(PrivacyError, match=r"not declared: c/survival/novel\.tsv"):
        publish(results, tmp_path / "share", PEOPLE, CONFIG, [], 6, KEY)
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    message = r"something else, which publishing would replace. Expected nothing there"
    with pytest.raises(PrivacyError, match=message):
        publish(results, other, PEOPLE, CONFIG, [], 6, KEY)
    message = r"reports: no page there. Expected the results of a finished run. Run the workflow to its end"
    with pytest.raises(PrivacyError, match=message):
        publish(tmp_path / "empty", tmp_path / "share", PEOPLE, CONFIG, [], 6, KEY)


def test_what_is_no_result_of_the_study_stays_and_hinders_nothing(finished, published, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(finished, results)
    shutil.copytree(results / "c", results / "left_out_of_the_config")
    (results / "plans").mkdir()
    (results / "plans" / "study.tsv").write_text("quantity\tvalue\nevents\t628\n")
    files, _ = publish(results, tmp_path / "share", PEOPLE, CONFIG, [], 6, KEY)
    assert files == published[1]


def test_a_released_config_names_no_file():
    assert "/" not in released_config(CONFIG, 6).model_dump_json(include={"cohorts"})


def test_a_study_with_a_sheet_of_a_workbook_is_released():
    files = {"face_ages": "ages.tsv", "clinical": "clinic.xlsx"}
    config = check_config({"cohorts": {"c": {**files, "tables": {"clinical": {"sheet": "Dr_Smith"}}}}})
    assert "Smith" not in released_config(config, 6).model_dump_json()


def test_three_rows_are_too_few_for_a_line():
    with pytest.raises(FitError, match="3 rows are too few for 2 terms"):
        fit_linear(pd.Series([1.0, 2.0, 4.0]), pd.DataFrame({"x": [1.0, 2.0, 3.0]}))


def test_tables_that_steps_keep_for_themselves_are_not_published(tmp_path):
    for place in ("a/survival", "a/survival/.kept/fit-survival"):
        write_table(result_rows([{"cohort": "a", "measure": "hazard ratio"}], "survival/cox"), tmp_path / place / "cox.tsv")  # fmt: skip
    assert list(result_tables(tmp_path, ["a"], "core")) == ["a/survival/cox"]
