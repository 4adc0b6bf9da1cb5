"""The crop is the study's crop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceage_bio.faces.vision.face_input import FlatCrop, crop_face, standardise

PHOTO = np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)


@pytest.mark.parametrize(
    ("resize", "filter_"), [("bicubic", Image.Resampling.BICUBIC), ("nearest", Image.Resampling.NEAREST)]
)
def test_crop_is_cut_without_margin_and_stretched(resize, filter_):
    expected = Image.fromarray(PHOTO[20:120, 30:110]).resize((160, 160), filter_)
    np.testing.assert_array_equal(crop_face(PHOTO, (30, 20, 80, 100), "clip", resize), expected)


def test_bicubic_is_pillows_default():
    expected = Image.fromarray(PHOTO[20:120, 30:110]).resize((160, 160))
    np.testing.assert_array_equal(crop_face(PHOTO, (30, 20, 80, 100)), expected)


def test_clip_ends_at_every_border():
    expected = Image.fromarray(PHOTO[150:, 250:]).resize((160, 160))
    np.testing.assert_array_equal(crop_face(PHOTO, (250, 150, 100, 100)), expected)


def test_abs_shift_mirrors_a_negative_corner_and_keeps_the_size():
    expected = Image.fromarray(PHOTO[5:105, 10:90]).resize((160, 160))
    np.testing.assert_array_equal(crop_face(PHOTO, (-10, -5, 80, 100), "abs_shift"), expected)


def test_both_modes_cut_the_same_from_a_box_inside_the_photo():
    np.testing.assert_array_equal(
        crop_face(PHOTO, (9, 8, 50, 60), "clip"), crop_face(PHOTO, (9, 8, 50, 60), "abs_shift")
    )


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
