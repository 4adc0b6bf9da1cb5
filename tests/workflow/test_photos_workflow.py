"""Photos in the demo: the sheet for a review by people, and the page on photo quality."""

import pytest

from tests.commands import faceage_bio
from tests.conftest import jobs_planned, snakemake
from tests.pages import body_of

pytestmark = pytest.mark.workflow


def test_the_review_sheet_is_made_when_asked_for_only(demo, tmp_path):
    assert not (demo / "results" / "local").exists()
    plan = snakemake(demo, "--dry-run", "make_review_sheet")
    assert jobs_planned(plan.output)["make_review_sheet"] == 1
    options = [
        part
        for name in ("north", "healthy")
        for part in (
            "--photo-folder", f"results/demo/{name}/photos", "--photos", f"results/{name}/cohort/photos.parquet", "--face-ages", f"results/{name}/faceage/face_age.parquet",
        )
    ]  # fmt: skip
    sheet = tmp_path / "LOCAL_ONLY_review_sheet.html"
    done = faceage_bio(demo, "make-review-sheet", *options, "--set", "review.photos=30", "--output", sheet, "--key", tmp_path / "key.tsv")  # fmt: skip
    assert done.status == 0, done.output
    assert sheet.read_text().count("data:image/jpeg") >= 30


def test_the_page_on_photo_quality_shows_no_photo_and_no_name(demo):
    page = (demo / "results" / "reports" / "photos.html").read_text()
    assert "with a face age." in page
    assert "photos per second" in page
    assert "data:image" not in body_of(page)
    photos = list((demo / "results" / "demo").glob("*/photos/*"))
    assert photos
    assert not [path.name for path in photos if path.name in page]
