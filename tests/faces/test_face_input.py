"""Each model's own crop of one detection: alignment, size and standardisation are those of its card."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceage_bio.core.errors import WeightsError
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.faceage.photo import Tools, add_ages, examine_images
from faceage_bio.faces.faceage.store import engine_of
from faceage_bio.faces.vision.decode import Decoded
from faceage_bio.faces.vision.detect import Detector
from faceage_bio.faces.vision.face_input import (
    TEMPLATE,
    FaceInput,
    FlatCrop,
    crop_face,
    cut_face,
    input_of,
    similarity,
    standardise,
)

RANDOM = np.random.default_rng(6)


def turned(points, degrees, scale, shift):
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ rotation.T + shift


def test_a_known_rotation_scale_and_shift_are_found_again():
    points = RANDOM.normal(size=(5, 2)) * 40
    found = similarity(points, turned(points, 33, 0.4, [7, -5]))
    np.testing.assert_allclose(
        points @ found[:, :2].T + found[:, 2], turned(points, 33, 0.4, [7, -5]), atol=1e-10
    )


def test_the_transform_is_the_least_squares_solution_of_the_four_equations():
    source, target = RANDOM.normal(size=(5, 2)) * 50 + 100, RANDOM.normal(size=(5, 2)) * 20
    x, y, one, none = *source.T, np.ones(5), np.zeros(5)
    equations = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
    a, b, right, down = np.linalg.lstsq(equations, target.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(similarity(source, target), [[a, -b, right], [b, a, down]], atol=1e-10)


def umeyama(source, target):
    """Eqs. 40 to 43 of Umeyama 1991, with the singular value decomposition of the covariance."""
    means = source.mean(axis=0), target.mean(axis=0)
    a, b = source - means[0], target - means[1]
    u, d, vt = np.linalg.svd(b.T @ a / len(a))
    sign = np.diag([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    scale = np.trace(np.diag(d) @ sign) / (a**2).sum(axis=1).mean()
    linear = scale * u @ sign @ vt
    return np.column_stack([linear, means[1] - linear @ means[0]])


@pytest.mark.parametrize("seed", range(5))
def test_faces_are_moved_to_the_template_by_umeyamas_transform(seed):
    noise = np.random.default_rng(seed)
    how = FaceInput("five_points", 112)
    landmarks = turned(
        np.array(TEMPLATE), noise.uniform(-60, 60), noise.uniform(0.3, 9), noise.uniform(0, 900, 2)
    )
    landmarks += noise.normal(0, 0.05 * np.ptp(landmarks), (5, 2))  # another face than the template
    np.testing.assert_allclose(similarity(landmarks, how.points), umeyama(landmarks, how.points), atol=1e-9)
    mirrored = landmarks * [-1, 1]  # is turned, not reflected
    found = similarity(mirrored, how.points)
    np.testing.assert_allclose(found, umeyama(mirrored, how.points), atol=1e-9)
    assert np.linalg.det(found[:, :2]) > 0


def test_the_template_grows_with_the_input():
    for size in (112, 160, 224):
        np.testing.assert_allclose(FaceInput("five_points", size).points, np.array(TEMPLATE) * size / 112)


def test_landmarks_land_on_the_template():
    image = np.zeros((400, 500, 3), np.uint8)
    how = FaceInput("five_points", 112, "imagenet")
    landmarks = turned(np.array(TEMPLATE), 25, 2.0, [200, 60])
    for number, (x, y) in enumerate(np.round(landmarks).astype(int)):
        image[y - 4 : y + 5, x - 4 : x + 5] = 50 * (number + 1)
    cut = cut_face(image, (0, 0, 10, 10), landmarks, how, "clip", "bicubic")
    assert cut.shape == (112, 112, 3)
    for number, (x, y) in enumerate(np.round(TEMPLATE).astype(int)):
        assert cut[y, x, 0] == 50 * (number + 1)


def test_landmarks_in_one_point_cannot_be_aligned():
    how = FaceInput("five_points", 112)
    with pytest.raises(ValueError, match="same point"):
        cut_face(np.zeros((9, 9, 3), np.uint8), (0, 0, 9, 9), np.ones((5, 2)), how, "clip", "bicubic")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"alignment": "eyes"}, r"input.alignment is 'eyes'. Expected one of box, five_points"),
        ({"standardisation": "tanh"}, r"input.standardisation is 'tanh'. Expected one of per_photo"),
        ({"size": "112"}, r"input.size is '112'. Expected pixels from 16 to 1024"),
        ({"sise": 112}, r"input has the key 'sise'. Expected alignment, size"),
        ({"template": [[1, 2]]}, r"template has 1 points and alignment is 'box'. Expected five points"),
    ],
)
def test_a_card_that_cannot_be_is_refused(told, message):
    with pytest.raises(WeightsError, match=message):
        input_of({"name": "x", "input": told})


def decoded(image):
    return Decoded(image, width=image.shape[1], height=image.shape[0], orientation=1)


class Seen:
    """A model that keeps what it is fed; its answer is the mean of the crop."""

    def __init__(self, **told):
        self.card = {"name": "x", "sha256": "0" * 64} | ({"input": told} if told else {})
        self.crops = []

    def predict(self, crops):
        self.crops.append(crops)
        return crops.mean(axis=(1, 2, 3)) / 3


def test_each_model_gets_its_own_crop_of_one_detection(detector):
    image = draw(imagine(60, True, 812))
    first, same, small, aligned = Seen(), Seen(), Seen(size=96), Seen(alignment="five_points", size=112)
    settings = FaceAge(jitters=2)
    detections = []

    class Once(Detector):
        def detect(self, images):
            detections.extend(images)
            return super().detect(images)

    tools = Tools(Once(), (first, same, small, aligned), settings)
    (photo,) = examine_images([decoded(image)], tools)
    add_ages([photo], tools)
    face = detector.detect([image])[0][0]
    assert len(detections) == 1
    np.testing.assert_array_equal(first.crops[0][0], crop_face(image, face.box))
    np.testing.assert_array_equal(same.crops[0], first.crops[0])
    x, y, width, height = face.box
    by_hand = Image.fromarray(image[y : y + height, x : x + width]).resize((96, 96))
    np.testing.assert_array_equal(small.crops[0][0], by_hand)
    how, landmarks = FaceInput("five_points", 112), np.array(face.landmarks, float)
    expected = cut_face(image, face.box, landmarks, how, "clip", "bicubic")
    np.testing.assert_array_equal(aligned.crops[0][0], expected)
    assert photo.row["face_age_4"] == pytest.approx(expected.mean() / 3)
    assert photo.row["face_age_2"] == photo.row["face_age"] != photo.row["face_age_3"]


def test_jittered_crops_are_aligned_as_the_model_wants(detector):
    image = draw(imagine(60, True, 812))
    model = Seen(alignment="five_points", size=112)
    tools = Tools(detector, (model,), FaceAge(jitters=3))
    (photo,) = examine_images([decoded(image)], tools)
    add_ages([photo], tools)
    assert [crop.shape for crop in photo.crops] == [(112, 112, 3)] * 4
    assert 0 < photo.row["face_age_sd"] < 5


def test_rules_judge_a_photo_without_a_model(detector):
    tools = Tools(detector, (), FaceAge())  # as the benchmark of the rules does
    (found,) = examine_images([decoded(draw(imagine(60, True, 812)))], tools)
    assert (found.row["status"] != "excluded", found.crops) == (True, [])


def test_a_stored_age_depends_on_the_input_that_a_card_declares():
    settings = FaceAge()
    models = [
        engine_of([Seen(**told).card], settings)["models"]
        for told in ({}, {"size": 160}, {"size": 112}, {"size": 112, "alignment": "five_points"})
    ]
    assert models[0] == models[1] == ["0" * 64]
    assert models[1] != models[2] != models[3]


# The crop is the study's crop.


PHOTO = np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)


@pytest.mark.parametrize(
    ("box", "how", "cut", "filter_"),
    [
        ((30, 20, 80, 100), ("clip", "bicubic"), PHOTO[20:120, 30:110], Image.Resampling.BICUBIC),
        ((30, 20, 80, 100), ("clip", "nearest"), PHOTO[20:120, 30:110], Image.Resampling.NEAREST),
        ((30, 20, 80, 100), ("abs_shift",), PHOTO[20:120, 30:110], None),
        ((250, 150, 100, 100), (), PHOTO[150:, 250:], None),  # clipped, by Pillow's default filter
        ((-10, -5, 80, 100), ("abs_shift",), PHOTO[5:105, 10:90], None),  # mirrored, of the same size
    ],
)
def test_crop_is_cut_without_margin_and_stretched(box, how, cut, filter_):
    expected = Image.fromarray(cut).resize((160, 160), filter_)
    np.testing.assert_array_equal(crop_face(PHOTO, box, *how), expected)


def test_box_outside_the_photo_is_an_error():
    with pytest.raises(ValueError, match="does not overlap"):
        crop_face(PHOTO, (400, 10, 50, 50))


def test_standardised_over_all_pixels_and_channels_with_population_deviation():
    crop = crop_face(PHOTO, (0, 0, 100, 100))
    expected = (crop.astype(np.float64) - crop.mean()) / crop.std(ddof=0)
    np.testing.assert_array_equal(standardise(crop), expected.astype(np.float32))


def test_each_crop_of_a_batch_is_standardised_alone():
    crops = np.stack([crop_face(PHOTO, (0, 0, 100, 100)), crop_face(PHOTO, (50, 50, 60, 90))])
    np.testing.assert_array_equal(standardise(crops)[1], standardise(crops[1]))


@given(st.integers(0, 255))
def test_flat_crop_is_an_error_and_not_a_division_by_zero(grey):
    with pytest.raises(FlatCrop):
        standardise(np.full((160, 160, 3), grey, np.uint8))
