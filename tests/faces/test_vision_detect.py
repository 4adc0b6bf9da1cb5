"""The detector gives what the study's detector gave. Golden: tests/golden/mtcnn."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.vision.detect import (
    CPU,
    GPU,
    Detector,
    first_level_for,
    in_batches,
    pyramid,
    similar_sizes,
    suppress,
)
from faceage_bio.faces.vision.pixels import Pixels
from tests.golden.mtcnn import pictures
from tests.operators import count_operators

FOLDER = Path(__file__).parents[1] / "golden" / "mtcnn"
GOLDEN, OLDER = (
    json.loads((FOLDER / name).read_text())["faces"] for name in ("golden.json", "golden_0.1.0.json")
)


@pytest.fixture(scope="module")
def photos() -> dict[str, np.ndarray]:
    """Drawn portraits, and real ones where they are beside the repository."""
    return pictures.drawn() | pictures.real()


@pytest.fixture(scope="module")
def found(detector, photos) -> dict[str, list]:
    """The faces of each photo."""
    return {name: detector.detect([photo])[0] for name, photo in photos.items()}


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


def test_the_arithmetic_of_the_gpu_finds_the_same(photos):
    """On a GPU the pyramid comes from the integral image instead of OpenCV, and photos are padded; all that on the CPU."""
    few = replace(GPU, photo_pixels=2_000_000)  # two dozen portraits at a time
    for name, faces in zip(photos, Detector(gpu=True, limits=few).detect([*photos.values()]), strict=True):
        assert_same(faces, name)


@pytest.fixture(scope="module")
def mixed():
    """Photos of 12 sizes, odd and even, wide and high."""
    random = np.random.default_rng(7)
    people = [draw(imagine(30 + number, number % 2 == 0, 40 + number)) for number in range(12)]
    return [
        picture[: random.integers(250, 400), : random.integers(200, 320)] for picture in map(np.array, people)
    ] + [np.zeros((1, 1, 3), np.uint8), np.zeros((11, 300, 3), np.uint8), np.full((20, 20, 3), 200, np.uint8)]


@pytest.mark.parametrize("gpu", [False, True])
def test_a_photo_has_the_same_faces_alone_and_among_others_of_other_sizes(mixed, gpu):
    """Padding may not be seen by the network: its pooling looks a pixel beyond photos of some sizes."""
    detector = Detector(gpu=gpu, limits=replace(CPU, padding=1.0, photo_pixels=10**6))
    alone = [detector.detect([picture])[0] for picture in mixed]
    assert detector.detect(mixed) == alone
    assert sum(map(len, alone)) >= 12


def test_batches_hold_each_photo_once_and_waste_little():
    sizes = [(480, 640), (640, 480), (470, 640), (3000, 4000), (480, 640), (10, 10)]
    for padding, most in ((0.0, 10**6), (0.25, 10**6), (10.0, 10**9)):
        batches = similar_sizes(sizes, most, padding)
        assert sorted(place for batch in batches for place in batch) == list(range(len(sizes)))
        for batch in batches:
            own = [sizes[place] for place in batch]
            padded = len(own) * max(h for h, _ in own) * max(w for _, w in own)
            assert len(batch) == 1 or padded <= min(most, (1 + padding) * sum(h * w for h, w in own))
    assert [0, 4] in similar_sizes(sizes, 10**6, 0.0)
    assert len(similar_sizes(sizes, 10**9, 1e9)) == 1


def test_levels_from_the_integral_image_equal_opencv():
    image = np.random.default_rng(3).integers(0, 256, (301, 457, 3), np.uint8)
    photo = Pixels([image], torch.device("cpu"), gpu=False)
    for scale in pyramid(301, 457):
        level = photo.level_from_integral(scale, np.array([0]))
        differ = (level - _by_opencv(image, scale)).abs() / 0.0078125
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
    photo = Pixels([image], torch.device("cpu"), gpu=False)
    own = np.column_stack([np.zeros(len(boxes)), boxes])
    np.testing.assert_allclose(photo.patches(own, size).numpy(), expected, atol=1e-5)
    photo.huge = True  # cut one by one, as of a photo of 100 megapixels
    np.testing.assert_allclose(photo.patches(own, size).numpy(), expected, atol=1e-5)
    others = Pixels([np.full((90, 40, 3), 255, np.uint8), image], torch.device("cpu"), gpu=False)
    own[:, 0] = 1
    np.testing.assert_allclose(others.patches(own, size).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("gpu", [False, True])
def test_bands_and_parts_change_nothing(mixed, gpu):
    whole, few = (
        Detector(gpu=gpu, limits=replace(CPU, padding=1.0, level_pixels=pixels, patches=patches))
        for pixels, patches in ((10**9, 10**9), (1, 3))
    )
    boxes, parts = (
        [[(face.box, face.landmarks) for face in faces] for faces in one.detect(mixed)]
        for one in (whole, few)
    )
    assert parts == boxes


@pytest.mark.parametrize("room", [0, 1, 3])  # photos that the GPU's memory holds
def test_a_batch_too_large_for_the_gpu_is_halved_and_a_photo_too_large_done_on_the_cpu(
    detector, mixed, monkeypatch, room
):
    gpu, tried = Detector(), []
    gpu.device = torch.device("cuda")  # only said: nothing is computed there
    gpu.limits = replace(CPU, padding=1.0)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    real = Detector._faces

    def full(self, pixels):
        if self is gpu:
            tried.append(len(pixels.images))
            if len(pixels.images) > room:
                raise torch.cuda.OutOfMemoryError("too much")
            pixels.device = torch.device("cpu")
        return real(self, pixels)

    monkeypatch.setattr(Detector, "_faces", full)
    assert gpu.detect(mixed) == detector.detect(mixed)
    assert max(tried) > 3
    assert min(tried) <= max(1, room)


@pytest.mark.slow
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
        for photo, exact in ((picture, found[name]), (small, detector.detect([small])[0])):
            if exact and min(exact[0].width, exact[0].height) >= 60:
                faces = fast.detect([photo])[0]
                same.append(bool(faces) and faces[0].box == exact[0].box)
    assert len(same) > 300
    assert np.mean(same) >= 0.99


def test_fast_detection_skips_what_is_too_small():
    assert [first_level_for(face) for face in (20, 40, 60, 80, 200)] == [0, 1, 2, 3, 5]


# Batches become smaller where the GPU has not memory enough, and nothing is lost or done twice.


@given(n=st.integers(0, 40), batch_size=st.integers(1, 50), room=st.integers(1, 50))
def test_every_row_is_answered_once_in_order_whatever_fits(n, batch_size, room):
    tried = []

    def twice(rows):
        tried.append(len(rows))
        if len(rows) > room:
            raise torch.cuda.OutOfMemoryError("too much")
        return rows * 2

    answers = in_batches(twice, np.arange(n), batch_size)
    np.testing.assert_array_equal(np.concatenate([np.empty(0, int), *answers]), np.arange(n) * 2)
    assert max(map(len, answers), default=0) <= min(room, batch_size)
    refused = [size for size in tried if size > room]
    assert refused == sorted(refused, reverse=True)  # a size that did not fit is not tried again
    assert len(refused) == len(set(refused))


def test_a_single_row_that_does_not_fit_is_an_error():
    def never(rows):
        raise torch.cuda.OutOfMemoryError("too much")

    with pytest.raises(torch.cuda.OutOfMemoryError):
        in_batches(never, np.arange(3), 4)


# Detection of a batch on a GPU: few operators and waits for each photo, whatever its size.


@pytest.fixture(scope="module")
def portraits():
    return [np.array(draw(imagine(25 + number, number % 2 == 0, 60 + number))[100:340, 50:250]) for number in range(16)] * 4  # fmt: skip


def test_64_photos_share_operators_and_waits(portraits):
    found = count_operators(portraits)
    assert found["operators"] <= 40
    assert found["copies to the host"] + found["other waits"] <= 1
    assert found["copies to the device"] < 2  # the photo itself, and the batch's tables


def test_photos_of_other_sizes_cost_no_more(portraits):
    mixed = [
        image[: 240 - 2 * (number % 9), : 200 - 3 * (number % 5)] for number, image in enumerate(portraits)
    ]
    found = count_operators(mixed)
    assert found["operators"] <= 40
    assert found["copies to the host"] + found["other waits"] <= 1
