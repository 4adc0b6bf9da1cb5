"""The detector gives what the study's detector gave. Golden: tests/golden/mtcnn."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.vision.detect import Detector, pyramid, suppress
from tests.golden.mtcnn import pictures

GOLDEN = json.loads((Path(__file__).parent / "golden" / "mtcnn" / "golden.json").read_text())["faces"]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


def assert_same(detector: Detector, name: str, picture: np.ndarray) -> None:
    found = detector.detect(picture)
    expected = GOLDEN[name]
    assert [list(face.box) for face in found] == [row[:4] for row in expected], name
    assert [[v for point in face.landmarks for v in point] for face in found] == [
        row[5:] for row in expected
    ], name
    np.testing.assert_allclose([face.probability for face in found], [row[4] for row in expected], atol=1e-5)


@pytest.mark.parametrize("name", list(pictures.drawn()))
def test_drawn_portraits_equal_mtcnn(detector, name):
    assert_same(detector, name, pictures.drawn()[name])


def test_real_portraits_equal_mtcnn(detector):
    portraits = pictures.real()
    if not portraits:
        pytest.skip("the portraits are not beside the repository")
    for name, picture in portraits.items():
        assert_same(detector, name, picture)


def test_boxes_of_older_detectors_may_start_outside(detector):
    face = detector.detect(pictures.drawn()["cut left"])[0]
    assert face.x == 0
    assert face.unclipped_box[0] <= 0
    assert face.unclipped_box[0] + face.unclipped_box[2] == face.x + face.width


def test_pyramid_starts_at_the_smallest_face():
    assert pyramid(100, 200)[0] == pytest.approx(0.6)
    assert pyramid(19, 200) == []
    assert all(100 * scale >= 12 for scale in pyramid(100, 200))


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 4, st.floats(0.1, 1)), min_size=1, max_size=12))
def test_suppression_keeps_the_best_and_nothing_that_overlaps_it(rows):
    boxes = np.array([[x, y, x + w, y + h, score] for x, y, w, h, score in rows])
    kept = suppress(boxes, 0.5)
    assert boxes[kept[0], 4] == boxes[:, 4].max()
    assert len(set(kept)) == len(kept)
    assert list(suppress(boxes[kept], 0.5)) == list(np.argsort(boxes[kept][:, 4])[::-1]) or len(kept) <= len(
        rows
    )
    assert sorted(suppress(boxes, 2.0)) == list(range(len(rows)))
