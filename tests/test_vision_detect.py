"""The detector gives what the study's detector gave. Golden: tests/golden/mtcnn."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.faces.vision import detect, pixels
from faceage_bio.faces.vision.boxes import suppress
from faceage_bio.faces.vision.detect import Detector, first_level_for, pyramid
from faceage_bio.faces.vision.pixels import Pixels
from tests.golden.mtcnn import pictures

FOLDER = Path(__file__).parent / "golden" / "mtcnn"
GOLDEN, OLDER = (
    json.loads((FOLDER / name).read_text())["faces"] for name in ("golden.json", "golden_0.1.0.json")
)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="module")
def photos() -> dict[str, np.ndarray]:
    """Drawn portraits, and real ones where they are beside the repository."""
    return pictures.drawn() | pictures.real()


@pytest.fixture(scope="module")
def found(detector, photos) -> dict[str, list]:
    """The faces of each photo."""
    return {name: detector.detect(photo) for name, photo in photos.items()}


def assert_same(found: list, name: str) -> None:
    expected = GOLDEN[name]
    assert [list(face.box) for face in found] == [row[:4] for row in expected], name
    assert [[v for point in face.landmarks for v in point] for face in found] == [
        row[5:] for row in expected
    ], name
    np.testing.assert_allclose([face.probability for face in found], [row[4] for row in expected], atol=1e-5)


@pytest.mark.parametrize("name", list(pictures.drawn()))
def test_drawn_portraits_equal_mtcnn(found, name):
    assert_same(found[name], name)


def test_real_portraits_equal_mtcnn(found):
    portraits = pictures.real()
    if not portraits:
        pytest.skip("the portraits are not beside the repository")
    for name in portraits:
        assert_same(found[name], name)


def test_boxes_of_older_detectors_equal_mtcnn_0_1_0(found):
    """They may start outside, and their sides are cut to whole pixels otherwise."""
    boxes = {name: [list(face.unclipped_box) for face in faces] for name, faces in found.items()}
    assert boxes == {name: [row[:4] for row in OLDER[name]] for name in found}
    assert boxes["cut left"][0][0] < 0
    differ = [name for name in boxes if boxes[name] != [row[:4] for row in GOLDEN[name]]]
    assert len(differ) > 5


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


@pytest.mark.parametrize("name", list(pictures.drawn()))
def test_the_arithmetic_of_the_gpu_finds_the_same(detector, photos, name, monkeypatch):
    """On a GPU the pyramid comes from the integral image instead of OpenCV; that path on the CPU."""
    monkeypatch.setattr(pixels, "SMALL_LEVEL", 1.0)
    assert_same(detector.detect(photos[name]), name)


def test_levels_from_the_integral_image_equal_opencv():
    image = np.random.default_rng(3).integers(0, 256, (301, 457, 3), np.uint8)
    photo = Pixels(image, torch.device("cpu"))
    for scale in pyramid(301, 457):
        differ = (photo.level_from_integral(scale) - _by_opencv(image, scale)).abs() / 0.0078125
        assert differ.max() <= 1.01
        assert (differ > 0.5).float().mean() < 1e-3


def _by_opencv(image, scale):
    size = tuple(int(np.ceil(side * scale)) for side in image.shape[1::-1])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return (torch.from_numpy(small).permute(2, 0, 1)[None].float() - 127.5) * 0.0078125


boxes_anywhere = st.lists(
    st.tuples(st.integers(-30, 80), st.integers(-30, 80), st.integers(1, 70)), min_size=1, max_size=8
)


@pytest.mark.parametrize("size", [24, 48])
@given(squares=boxes_anywhere)
def test_patches_equal_opencv_on_a_photo_padded_with_black(size, squares):
    image = np.random.default_rng(4).integers(0, 256, (60, 71, 3), np.uint8)
    padded = np.pad(image, ((200, 200), (200, 200), (0, 0))).astype(float)
    boxes = np.array([[x, y, x + side - 1, y + side - 1] for x, y, side in squares], dtype=float)
    expected = [
        cv2.resize(
            padded[199 + int(y1) : 200 + int(y2), 199 + int(x1) : 200 + int(x2)],
            (size, size),
            interpolation=cv2.INTER_AREA,
        )
        for x1, y1, x2, y2 in boxes
    ]
    expected = (np.stack(expected).transpose(0, 3, 1, 2) - 127.5) * 0.0078125
    photo = Pixels(image, torch.device("cpu"))
    np.testing.assert_allclose(photo.patches(boxes, size).numpy(), expected, atol=1e-5)
    photo.huge = True  # cut one by one, as of a photo of 100 megapixels
    np.testing.assert_allclose(photo.patches(boxes, size).numpy(), expected, atol=1e-5)


def test_bands_change_nothing(detector, photos, monkeypatch):
    picture = next(iter(photos.values()))
    whole = detector.detect(picture)
    monkeypatch.setattr(detect, "PNET_BAND", 1)
    banded = detector.detect(picture)
    assert [(face.box, face.landmarks) for face in banded] == [(face.box, face.landmarks) for face in whole]


def test_a_photo_too_large_for_the_gpu_is_done_on_the_cpu(detector, photos, monkeypatch):
    picture = next(iter(photos.values()))
    gpu = Detector()
    gpu.device = torch.device("cuda")  # only said: nothing is computed there
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    real = detect.Pixels

    def full(image, device):
        if device.type == "cuda":
            raise torch.cuda.OutOfMemoryError("too much")
        return real(image, device)

    monkeypatch.setattr(detect, "Pixels", full)
    assert gpu.detect(picture) == detector.detect(picture)


def test_fast_detection_finds_the_same_faces_on_the_portraits(detector, found):
    """Of the photos that pass the rule on small faces, at least 99 % must have the same first box."""
    portraits = pictures.real()
    if not portraits:
        pytest.skip("the portraits are not beside the repository")
    fast = Detector(first_level=first_level_for(60))
    same = []
    for name, picture in portraits.items():
        # as they are, and with faces hardly above the limit
        small = cv2.resize(picture, (160, 196), interpolation=cv2.INTER_AREA)
        for photo, exact in ((picture, found[name]), (small, detector.detect(small))):
            if exact and min(exact[0].width, exact[0].height) >= 60:
                faces = fast.detect(photo)
                same.append(bool(faces) and faces[0].box == exact[0].box)
    assert len(same) > 300
    assert np.mean(same) >= 0.99


def test_fast_detection_skips_what_is_too_small():
    assert [first_level_for(face) for face in (20, 40, 60, 80, 200)] == [0, 1, 2, 3, 5]
