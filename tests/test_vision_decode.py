"""Whatever a photo folder holds becomes upright RGB or a reason."""

import numpy as np
import pytest
from PIL import Image

from faceage_bio.vision.decode import DecodeError, decode_photo

COLOURS = np.zeros((40, 60, 3), np.uint8)
COLOURS[:20, :30] = (200, 30, 30)
COLOURS[20:, 30:] = (30, 30, 200)


def saved(tmp_path, image: Image.Image, name: str = "photo.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path, orientation):
    turned = Image.fromarray(COLOURS)
    if orientation > 1:
        turned = turned.transpose(Image.Transpose({2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]))
    exif = Image.Exif()
    exif[274] = orientation
    decoded = decode_photo(saved(tmp_path, turned, exif=exif))
    assert decoded.orientation == orientation
    np.testing.assert_array_equal(decoded.image, COLOURS)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "LA", "RGBA", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    grey = Image.fromarray(COLOURS).convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        expected = np.asarray(grey)
    else:
        image = Image.fromarray(COLOURS).convert(mode)
        expected = None
    name = "photo.tiff" if mode in {"CMYK", "YCbCr"} else "photo.png"
    decoded = decode_photo(saved(tmp_path, image, name))
    assert decoded.image.dtype == np.uint8
    assert decoded.image.shape == (40, 60, 3)
    if expected is not None:
        np.testing.assert_array_equal(decoded.image[:, :, 0], expected)
    if mode in {"RGBA", "CMYK"}:
        assert np.abs(decoded.image.astype(int) - COLOURS).max() <= 2


def test_transparent_parts_lie_over_white(tmp_path):
    pixels = np.dstack([COLOURS, np.zeros((40, 60), np.uint8)])
    assert (decode_photo(saved(tmp_path, Image.fromarray(pixels))).image == 255).all()


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.fromarray(COLOURS), Image.fromarray(255 - COLOURS)]
    frames[0].save(tmp_path / "photo.webp", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(decode_photo(tmp_path / "photo.webp").image, COLOURS)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"This is not a photo.", "not an image"),
        (b"\xff\xd8\xff\xe0 broken", "not an image|damaged"),
    ],
)
def test_other_files_give_a_reason(tmp_path, content, reason):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(DecodeError, match=reason):
        decode_photo(path)


def test_truncated_photo_gives_a_reason(tmp_path):
    path = saved(
        tmp_path,
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)),
        "photo.jpg",
    )
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DecodeError, match="damaged"):
        decode_photo(path)


def test_missing_file_and_folder_give_a_reason(tmp_path):
    with pytest.raises(DecodeError, match="no such file"):
        decode_photo(tmp_path / "none.jpg")
    with pytest.raises(DecodeError, match="a folder"):
        decode_photo(tmp_path)


def test_decompression_bomb_gives_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DecodeError, match="more pixels than a photo has"):
        decode_photo(saved(tmp_path, Image.fromarray(COLOURS)))
