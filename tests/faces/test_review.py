"""People look at photos: a sheet that tells nothing but the face, decisions checked cell by cell, verdicts in the ledger."""

import io
import json
import re
import stat
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from faceage_bio.core.errors import CohortError, FitError, RunError
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.faceage.photo_quality import ledger_of
from faceage_bio.faces.faceage.review import (
    REASONS,
    Shown,
    add_to_keys,
    choose_photos,
    cut_face,
    mark_reviewed,
    read_decisions,
    read_review,
    settle,
    summarise_review,
)
from faceage_bio.report.single_pages import review_sheet
from faceage_bio.report.words import REASONS as WORDS
from faceage_bio.stats.measurement_error import cohens_kappa
from tests.browser import emulate
from tests.commands import output_of
from tests.conftest import ROOT
from tests.rows import told

GOLDEN = pd.read_csv(ROOT / "tests" / "golden" / "kappa" / "golden.tsv", sep="\t").set_index("table")
COUNTS = {"three": [[88, 14, 18], [10, 40, 10], [2, 6, 12]], "two": [[150, 7], [9, 34]]}
KEY = pd.DataFrame({
    "sheet": "s1", "photo": [1, 2, 3], "cohort": ["north", "south", "north"], "photo_id": ["p7", "q1", "p2"],
})  # fmt: skip
GOOD = "sheet\tphoto\tdecision\treason\treviewer\ns1\t1\tuse\t\tann\ns1\t2\texclude\tblurred\tann\ns1\t3\tunsure\t\tann\n"


def face_ages(n=20, flagged=(), cohort="c"):
    flags = ["dark" if k in flagged else "" for k in range(n)]
    return pd.DataFrame({
        "cohort": cohort, "photo_id": [f"p{k:02d}" for k in range(n)], "subject_id": [f"s{k}" for k in range(n)],
        "status": ["flagged" if flag else "ok" for flag in flags], "reason": flags, "flags": flags, "face_age": 60.0, "face_age_sd": 1.0,
    })  # fmt: skip


def votes(*rows):
    columns = ["cohort", "photo_id", "reviewer", "decision", "reason"]
    return pd.DataFrame([("c", *row) for row in rows], columns=columns)


@pytest.mark.parametrize("name", COUNTS)
def test_kappa_and_its_interval_are_those_of_r(name):
    found = cohens_kappa(COUNTS[name])
    for part in ("estimate", "ci_lower", "ci_upper"):
        assert getattr(found, part) == pytest.approx(GOLDEN.loc[name, part], rel=1e-9)


@pytest.mark.parametrize(("counts", "kappa"), [([[5, 0], [0, 5]], 1.0), ([[0, 5], [5, 0]], -1.0)])
def test_kappa_without_an_estimate_of_its_variance_has_no_interval(counts, kappa):
    found = cohens_kappa(counts)
    assert found.estimate == pytest.approx(kappa)
    assert np.isnan([found.ci_lower, found.ci_upper, found.standard_error]).all()


@pytest.mark.parametrize(("counts", "why"), [([[0, 0], [0, 0]], "they judged nothing in common"), ([[9, 0], [0, 0]], "the same answer throughout"), ([[2, 0], [1, 0]], "the same answer throughout")])  # fmt: skip
def test_kappa_that_means_nothing_is_not_given(counts, why):
    with pytest.raises(FitError, match=why):
        cohens_kappa(counts)


def test_all_flagged_photos_and_some_others_are_chosen():
    key = choose_photos(face_ages(100, flagged=range(10)), 40, seed=1)
    assert key["photo"].tolist() == list(range(1, 41))
    assert set(face_ages(10).photo_id) <= set(key.photo_id)
    assert key.photo_id.tolist() != sorted(key.photo_id)
    # more flagged ones than asked for: all of them, and still some that no rule caught
    assert len(choose_photos(face_ages(100, flagged=range(60)), 40, seed=1)) == 70
    assert len(choose_photos(face_ages(100), None, seed=1)) == 100


def test_the_sheet_is_the_same_after_its_review_and_in_any_order_of_rows():
    ages = face_ages(50, flagged=range(5))
    key = choose_photos(ages, 20, seed=3)
    assert choose_photos(ages.sample(frac=1, random_state=1), 20, seed=3).equals(key)
    some = votes(*[(photo, "ann", "exclude", "blurred") for photo in key.photo_id[:6]])
    assert choose_photos(mark_reviewed(ages, settle(some, "exclude")), 20, seed=3).equals(key)
    assert not choose_photos(ages, 20, seed=4).equals(key)


def test_photos_without_an_age_are_not_looked_at():
    ages = face_ages(6).assign(status="excluded", reason="no_face", flags="no_face")
    with pytest.raises(RunError, match="no photo of these tables has a face age"):
        choose_photos(ages, 10, seed=1)


def test_keys_of_earlier_sheets_stay():
    first, second = choose_photos(face_ages(9), 9, 1), choose_photos(face_ages(9), 9, 2)
    both = add_to_keys(add_to_keys(None, first), second)
    assert len(both) == 18
    assert add_to_keys(both, second).shape == both.shape


def test_a_face_is_cut_with_its_surroundings_and_without_metadata(tmp_path):
    image = Image.fromarray(draw(imagine(60, True, 1)))
    exif = Image.Exif()
    exif[270] = "Jane Doe, born 1950"
    image.save(tmp_path / "a.jpg", exif=exif)
    jpeg = cut_face(tmp_path, "a.jpg", (60, 60, 100, 120))
    assert b"Jane" in (tmp_path / "a.jpg").read_bytes()
    assert b"Jane" not in jpeg
    cut = Image.open(io.BytesIO(jpeg))
    assert not cut.getexif()
    assert cut.size == (200, 240)  # 1.7 times the box
    assert cut_face(tmp_path, "gone.jpg", (0, 0, 9, 9)) is None
    assert cut_face(tmp_path, "../a.jpg", (0, 0, 9, 9)) is None


def test_decisions_become_photos(tmp_path):
    (tmp_path / "ann.tsv").write_text(GOOD)
    review = read_decisions([tmp_path / "ann.tsv"], KEY, "key.tsv")
    assert review.photo_id.tolist() == ["p2", "p7", "q1"]
    assert review.decision.tolist() == ["unsure", "use", "exclude"]
    assert review.reason.tolist() == ["", "", "blurred"]
    none = read_decisions([], KEY, "key.tsv")
    assert none.empty
    assert list(none) == list(review)


def test_by_hand_reviewers_are_settled_as_the_config_says(tmp_path):
    (tmp_path / "ann.tsv").write_text(GOOD)
    (tmp_path / "ben.tsv").write_text(GOOD.replace("ann", "ben").replace("exclude\tblurred", "use\t"))
    KEY.to_csv(tmp_path / "key.tsv", sep="\t", index=False)
    (tmp_path / "config.yaml").write_text("review: {disagreement: flag}\n")
    command = "read-review --decisions ann.tsv --decisions ben.tsv --key key.tsv --output review.tsv"
    said = output_of(command, folder=tmp_path)
    assert "excluded, review_blurred: 1 photo(s)" in said
    said = output_of(f"{command} --config config.yaml", folder=tmp_path)
    assert "flagged, review_disagreement: 1 photo(s)" in said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("s1\t2", "s1\t9", r"ann\.tsv: column 'photo': 1 row.s., line 3: '9'\. Expected a number from 1 to 3.*Correct it"),
        ("s1\t2", "s1\t02", r"column 'photo': 1 row.s., line 3: '02'\. Expected a number from 1 to 3"),
        ("s1\t2", "s9\t2", r"ann\.tsv: column 'sheet': 1 row.s., line 3: 's9'\. Expected a sheet of key\.tsv \(s1\)\. Give the key"),
        ("blurred", "ugly", r"ann\.tsv: column 'reason': 1 row.s., line 3: 'ugly'\. Expected one of not_a_face, .*Write the code"),
        ("blurred", "", r"column 'reason': 1 row.s., line 3: ''\. Expected one of not_a_face"),
        ("use\t", "use\tturned", r"column 'reason': 1 row.s., line 2: 'turned'\. Expected nothing, because the decision is use"),
        ("unsure", "maybe", r"ann\.tsv: column 'decision': 1 row.s., line 4: 'maybe'\. Expected use, unsure, exclude\. Decide on this photo, or correct the word"),
        ("unsure", "", r"column 'decision': 1 row.s., line 4: ''\. Expected use, unsure, exclude"),
        ("s1\t2\texclude", "s1\t1\texclude", r"column 'photo': 2 row.s., line 2: '1'; line 3: '1'\. Expected one decision of a reviewer on a photo, but it stands more than once. Keep"),
        ("s1\t3\tunsure\t\tann\n", "", r"reviewer 'ann' decided on 2 of 3 photos; no row for photo 3\. Expected a decision on each\. Finish"),
        ("unsure\t\tann", "unsure\t\t", r"column 'reviewer': 1 row.s., line 4: ''\. Expected who decided"),
        ("reason", "why", r"line 1 lacks the column.s. reason; found sheet, photo, decision, why, reviewer\. Expected sheet"),
        (GOOD.partition("\n")[2], "", r"ann\.tsv: no rows below the header\. Expected one at least"),
    ],
)  # fmt: skip
def test_bad_decisions_are_named(tmp_path, old, new, message):
    assert old in GOOD
    (tmp_path / "ann.tsv").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(CohortError, match=message):
        read_decisions([tmp_path / "ann.tsv"], KEY, "key.tsv")


def test_everything_wrong_in_all_files_is_told_together(tmp_path):
    (tmp_path / "ann.tsv").write_text(GOOD.replace("blurred", "ugly").replace("s1\t3", "s1\t8"))
    (tmp_path / "ben.tsv").write_text("nothing\n1\n")
    with pytest.raises(CohortError, match="4 problems") as error:
        read_decisions([tmp_path / "ann.tsv", tmp_path / "ben.tsv", tmp_path / "gone.tsv"], KEY, "key.tsv")
    assert all(name in str(error.value) for name in ("ann.tsv", "ben.tsv", "gone.tsv", "'ugly'", "'8'"))


def test_two_files_of_one_reviewer_may_not_decide_twice(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.tsv").write_text(GOOD)
    with pytest.raises(CohortError, match=r"two\.tsv: column 'photo': 3 row"):
        read_decisions([tmp_path / "one.tsv", tmp_path / "two.tsv"], KEY, "key.tsv")


def test_an_unfinished_sheet_may_be_accepted(tmp_path):
    (tmp_path / "ann.tsv").write_text(GOOD.replace("unsure", ""))
    assert len(read_decisions([tmp_path / "ann.tsv"], KEY, "key.tsv", partial=True)) == 2


def test_a_review_may_be_written_by_hand(tmp_path):
    (tmp_path / "r.csv").write_text("photo_id,decision,reason\np7,exclude,occluded\np2,use,\n")
    review = read_review(tmp_path / "r.csv", KEY)
    assert review.cohort.tolist() == ["north", "north"]
    assert set(review.reviewer) == {"1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("photo_id,decision\np99,use\n", r"r\.csv: column 'photo_id': 1 row.s., line 2: 'p99'\. Expected a photo_id of the study"),
        ("photo_id,cohort,decision\np7,south,use\n", r"line 2: 'p7'\. Expected a photo_id of the study's manifests \(and its cohort"),
        ("photo_id,decision\np7,exclude\n", r"column 'reason': 1 row.s., line 2: ''\. Expected one of"),
        ("photo_id,decision\np7,use\np7,unsure\n", r"column 'photo_id': 2 row.s., line 2: 'p7'; line 3: 'p7'\. Expected one decision"),
        ("photo_id,verdict\np7,use\n", r"r\.csv: line 1 lacks the column.s. decision; found photo_id, verdict"),
        ("photo_id,decision\ntwin,use\n", r"column 'photo_id': 1 row.s., line 2: 'twin'\. Several cohorts have a photo of that name\. Expected a column cohort that tells which is meant. Add it"),
    ],
)  # fmt: skip
def test_a_bad_review_is_named(tmp_path, text, message):
    (tmp_path / "r.csv").write_text(text)
    twins = pd.DataFrame({"cohort": ["north", "south"], "photo_id": "twin"})
    with pytest.raises(CohortError, match=message):
        read_review(tmp_path / "r.csv", pd.concat([KEY, twins]))


OUT, IN, DOUBT = ("exclude", "blurred"), ("use", ""), ("unsure", "")


@pytest.mark.parametrize(
    ("answers", "rule", "status", "reason"),
    [
        ([OUT], "flag", "excluded", "review_blurred"),
        ([IN], "exclude", "ok", ""),
        ([DOUBT, IN], "exclude", "flagged", "review_unsure"),
        ([OUT, OUT], "flag", "excluded", "review_blurred"),
        ([OUT, IN], "exclude", "excluded", "review_blurred"),
        ([OUT, IN], "flag", "flagged", "review_disagreement"),
        ([OUT, IN], "majority", "flagged", "review_disagreement"),
        ([OUT, OUT, IN], "majority", "excluded", "review_blurred"),
        ([OUT, IN, IN], "majority", "flagged", "review_disagreement"),
        ([OUT, ("exclude", "occluded")], "flag", "excluded", "review_occluded"),  # the first in the list
        ([OUT, OUT, ("exclude", "occluded")], "flag", "excluded", "review_blurred"),
    ],
)
def test_reviewers_who_differ_are_settled_by_the_declared_rule(answers, rule, status, reason):
    review = votes(*[("p01", str(k), *answer) for k, answer in enumerate(answers)])
    found = settle(review, rule).iloc[0]
    assert (found.status, found.reason) == (status, reason)


def test_verdicts_enter_table_and_ledger():
    ages = face_ages(6, flagged=[1, 4])
    ages.loc[5, ["status", "reason", "flags", "face_age"]] = ["excluded", "no_face", "no_face", np.nan]
    review = votes(
        ("p00", "a", *OUT), ("p01", "a", *OUT), ("p02", "a", *DOUBT), ("p03", "a", *IN), ("p04", "a", *DOUBT), ("p05", "a", *OUT)
    )  # fmt: skip
    marked = mark_reviewed(ages, settle(review, "exclude"))
    ledger = ledger_of(marked).set_index("photo_id")
    assert ledger.status.tolist() == ["excluded", "excluded", "flagged", "included", "flagged", "excluded"]
    expected = ["review_blurred", "review_blurred", "review_unsure", "", "dark", "no_face"]
    assert ledger.reason.tolist() == expected
    assert ledger.detail["p01"] == "dark;review_blurred"
    assert marked.face_age.isna().tolist() == [True, True, False, False, False, True]
    assert marked.face_age_sd.isna().tolist()[:3] == [True, True, False]
    assert mark_reviewed(ages, settle(review[:0], "exclude")).equals(ages)


def test_each_reason_has_words_for_the_flow():
    assert {f"review_{code}" for code in (*REASONS, "unsure", "disagreement")} <= set(WORDS)


def test_agreement_is_exact_and_without_names():
    answers = [OUT if k < 20 else IN for k in range(60)]
    other = [OUT if 8 <= k < 24 else IN for k in range(60)]
    review = votes(*[(f"p{k}", name, *row) for name, rows in (("Ann", answers), ("Ben", other)) for k, row in enumerate(rows)])  # fmt: skip
    table = summarise_review(review, "exclude").set_index("measure")
    kappa = table.loc["Cohen's kappa"]
    expected = cohens_kappa([[12, 8], [4, 36]])
    assert (kappa.estimate, kappa.ci_lower) == (expected.estimate, expected.ci_lower)
    assert kappa.n == 60
    assert table.loc["observed agreement", "estimate"] == pytest.approx(48 / 60)
    assert "Ann" not in table.to_csv()
    apart = summarise_review(review[(review.reviewer == "Ann") != (review.photo_id == "p59")], "exclude")
    assert told(apart).str.contains("no photo in common").sum() == 2
    assert apart.set_index("term").loc["photos reviewed by several", "estimate"] == 0
    almost = votes(*[(f"p{k}", name, *(OUT if k < 20 + (name == "Ben") else IN)) for name in ("Ann", "Ben") for k in range(60)])  # fmt: skip
    shares = summarise_review(almost, "exclude").set_index("measure")
    assert shares.loc["observed agreement", "estimate"] == pytest.approx(59 / 60)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A sheet of twelve drawn people in two cohorts, made by the command."""
    folder = tmp_path_factory.mktemp("review")
    options = []
    for name, ages in (("healthy", range(40, 46)), ("north", range(60, 66))):
        (folder / name).mkdir()
        rows = []
        for age in ages:
            Image.fromarray(draw(imagine(age, True, age))).save(folder / name / f"Miller_{age}.jpg")
            rows.append({"cohort": name, "photo_id": f"{name}{age}", "path": f"Miller_{age}.jpg"})
        photos = pd.DataFrame(rows)
        photos.to_parquet(folder / f"{name}_photos.parquet")
        box = {"box_x": 70, "box_y": 70, "box_width": 110, "box_height": 130}
        boxed = face_ages(6).assign(cohort=name, photo_id=photos.photo_id, face_age=73.25, **box)
        boxed.to_parquet(folder / f"{name}_ages.parquet")
        tables = f"--photos {folder}/{name}_photos.parquet --face-ages {folder}/{name}_ages.parquet"
        options += [f"--photo-folder {folder}/{name} {tables}"]
    sheet, key = folder / "results" / "local" / "LOCAL_ONLY_review_sheet.html", folder / "key.tsv"
    before = set(folder.rglob("*"))
    output_of(f"make-review-sheet --output {sheet} --key {key} {' '.join(options)}")
    written = {path for path in set(folder.rglob("*")) - before if path.is_file()}
    return folder, sheet, key, written


def test_the_sheet_is_private_and_says_so(made):
    _, sheet, key, written = made
    # no crop anywhere else
    assert {path for path in written if path.parent.name != "records"} == {sheet, key}
    others = written - {sheet, key}
    assert all(path.suffix == ".json" and b"base64" not in path.read_bytes() for path in others)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (sheet, key, sheet.parent)] == [0o600, 0o600, 0o700]
    page = sheet.read_text()
    assert "<title>LOCAL ONLY" in page
    assert ">LOCAL ONLY</strong>" in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_sheet_is_blind(made):
    _, sheet, key, _ = made
    page = re.sub(r"base64,[^\"]+|(?s:<style>.*?</style>)", "", sheet.read_text())
    assert page.count("<fieldset") == 12
    for word in ("Miller", "north", "healthy", "73", "p0", "tilted", "face_age"):
        assert word not in page, word
    told = pd.read_csv(key, sep="\t")
    assert set(told.cohort) == {"north", "healthy"}
    assert told.cohort.is_monotonic_increasing is not True
    assert not told.cohort.is_monotonic_decreasing


def test_a_photo_that_is_gone_has_a_card_without_a_picture():
    page = review_sheet([Shown(1, None)], "s1")
    assert "can no longer be read" in page


def test_the_sheet_works_by_keyboard_and_its_decisions_come_back(made, tmp_path, browser):
    from selenium.webdriver import ActionChains

    folder, sheet, key, _ = made
    downloads = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", downloads)
    browser.get(sheet.as_uri())
    for pressed in ("j", "u", "n", "3", *"u" * 9):
        ActionChains(browser).send_keys(pressed).perform()
    assert browser.find_element("id", "done").text == "12 of 12 decided"
    save = browser.find_element("css selector", "button[type=submit]")
    save.click()
    assert "who you are" in browser.find_element("id", "said").text
    browser.find_element("id", "reviewer").send_keys("A\tK")
    browser.find_element("id", "reviewer").send_keys("AK")
    save.click()
    wait = time.monotonic() + 10
    while not (saved := list(tmp_path.glob("review_*.tsv"))) and time.monotonic() < wait:
        time.sleep(0.1)
    assert not browser.get_log("browser")
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
    assert not [url for url in urls if not url.startswith(("file:", "data:", "blob:", "chrome:"))]
    emulate(browser, 360, 800)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    browser.get(sheet.as_uri())  # what was decided is still there
    assert browser.find_element("id", "done").text == "12 of 12 decided"
    said = output_of(f"read-review --decisions {saved[0]} --key {key} --output {tmp_path / 'review.tsv'}")
    assert "excluded, review_occluded: 1 photo(s)" in said
    assert "flagged, review_unsure: 1 photo(s)" in said
    review = pd.read_csv(tmp_path / "review.tsv", sep="\t")
    assert stat.S_IMODE((tmp_path / "review.tsv").stat().st_mode) == 0o600
    third = pd.read_csv(key, sep="\t").set_index("photo").loc[3]
    assert review[review.decision == "exclude"].photo_id.tolist() == [third.photo_id]
    known = [part for path in folder.glob("*_ages.parquet") for part in ("--photos", str(path))]
    output_of(f"summarise-review --review {tmp_path / 'review.tsv'} --output {tmp_path / 'sum'}", *known)
    assert pd.read_csv(tmp_path / "sum" / "review.tsv", sep="\t").estimate.tolist() == [12, 0]
