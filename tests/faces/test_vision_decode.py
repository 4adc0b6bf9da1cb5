"""Whatever a photo folder holds becomes upright RGB or a reason."""

import os
import struct
import sys
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path
from unittest import mock

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from faceage_bio.core.tables import sha256_of
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.vision.decode import DecodeError, check_header, decode_photo, is_damaged

COLOURS = np.zeros((40, 60, 3), np.uint8)
COLOURS[:20, :30] = (200, 30, 30)
COLOURS[20:, 30:] = (30, 30, 200)


def saved(tmp_path, image: Image.Image, name: str = "photo.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def reason_of(path) -> str:
    """Why the photo cannot be decoded."""
    with pytest.raises(DecodeError) as error:
        decode_photo(path)
    return error.value.reason


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
    grey = np.asarray(Image.fromarray(COLOURS).convert("L"))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    image = deep if mode == "I;16" else Image.fromarray(COLOURS).convert(mode)
    name = "photo.tiff" if mode in {"CMYK", "YCbCr"} else "photo.png"
    decoded = decode_photo(saved(tmp_path, image, name))
    assert decoded.image.dtype == np.uint8
    assert decoded.image.shape == (40, 60, 3)
    if mode == "I;16":
        np.testing.assert_array_equal(decoded.image[:, :, 0], grey)
    if mode in {"RGBA", "CMYK"}:
        assert np.abs(decoded.image.astype(int) - COLOURS).max() <= 2


def test_transparent_parts_lie_over_white(tmp_path):
    pixels = np.dstack([COLOURS, np.zeros((40, 60), np.uint8)])
    assert (decode_photo(saved(tmp_path, Image.fromarray(pixels))).image == 255).all()


@pytest.mark.parametrize("name", ["photo.webp", "photo.gif", "photo.tiff", "photo.png"])
def test_first_frame_or_page(tmp_path, name):
    frames = [Image.fromarray(COLOURS), Image.fromarray(255 - COLOURS)]
    options = {"lossless": True} if name.endswith("webp") else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    with Image.open(tmp_path / name) as written:
        assert written.n_frames == 2
    np.testing.assert_array_equal(decode_photo(tmp_path / name).image, COLOURS)


def test_a_heic_photo_is_read_and_turned_once(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    large = Image.fromarray(COLOURS).resize((120, 80), Image.Resampling.NEAREST)
    picture = pillow_heif.from_pillow(large.rotate(90, expand=True))
    picture.save(tmp_path / "photo.jpg", quality=-1, exif=exif.tobytes())  # phones lie about the ending too
    decoded = decode_photo(tmp_path / "photo.jpg")
    assert (decoded.width, decoded.height) == (120, 80)
    assert np.abs(decoded.image[::2, ::2].astype(int) - COLOURS).mean() < 3


def test_an_avif_that_calls_itself_mif1_is_read(tmp_path):
    large = Image.fromarray(COLOURS).resize((120, 80))
    path = saved(tmp_path, large, "photo.heic", format="AVIF", quality=90)
    content = path.read_bytes()
    assert content[4:12] == b"ftypavif"
    path.write_bytes(content[:8] + b"mif1" + content[12:])
    assert np.abs(decode_photo(path).image[::2, ::2].astype(int) - COLOURS).mean() < 6


def tiff(path: Path, values: np.ndarray, bits: int, *tags: tuple[int, int]) -> Path:
    """A grey TIFF without compression, written byte by byte; further tags hold short numbers."""
    height, width = values.shape
    data = np.packbits(values, axis=1).tobytes() if bits == 1 else values.astype(f"<u{bits // 8}").tobytes()
    known = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 277: 1, 278: height, 279: len(data)}
    known |= dict(tags)
    known[273] = 8 + 2 + 12 * (len(known) + 1) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(known.items()))
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(known)) + entries + bytes(4) + data)
    return path


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_a_tiff_in_which_white_is_zero_is_no_negative(tmp_path, bits):
    ramp = np.tile(np.linspace(0, 1, 64) ** 2, (40, 1))
    values = np.round(ramp * (2**bits - 1)).astype(int)
    normal = decode_photo(tiff(tmp_path / "normal.tif", values, bits))
    inverted = decode_photo(tiff(tmp_path / "inverted.tif", 2**bits - 1 - values, bits, (262, 0)))
    np.testing.assert_allclose(inverted.image, normal.image, atol=1)
    assert inverted.colour_mode == ("1-bit" if bits == 1 else "white is zero")
    assert normal.colour_mode == ("1-bit" if bits == 1 else "")


@pytest.mark.parametrize(
    ("mode", "name", "said"),
    [("1", "a.png", "1-bit"), ("P", "a.gif", "palette"), ("P", "a.png", "palette"), ("CMYK", "a.jpg", "CMYK"), ("CMYK", "a.tif", "CMYK"),
     ("RGB", "a.jpg", ""), ("L", "a.jpg", ""), ("RGBA", "a.png", "")],
)  # fmt: skip
def test_the_form_of_the_source_is_kept(tmp_path, mode, name, said):
    photo = decode_photo(saved(tmp_path, Image.fromarray(COLOURS).convert(mode), name))
    assert (photo.colour_mode, photo.corrupt_data) == (said, False)


@pytest.mark.parametrize(("name", "tag"), [("a.dng", (50706, 0x0401)), ("a.tif", (254, 1))])
def test_a_raw_file_is_not_read_as_its_thumbnail(tmp_path, name, tag):
    path = tiff(tmp_path / name, np.full((20, 16), 9), 8, tag)
    with pytest.raises(DecodeError, match="export all photos as JPEG") as error:
        decode_photo(path)
    assert error.value.reason == "raw_file"
    with pytest.raises(DecodeError, match="export all photos as JPEG"):
        check_header(path)


RAW = [b"FUJIFILMCCD-RAW ", b"IIU\0", b"IIRO", b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx ", b"II\x1a\0\0\0HEAPCCDR"]  # fmt: skip


@pytest.mark.parametrize("head", RAW)
def test_raw_files_that_are_no_tiffs_are_known_by_their_first_bytes(tmp_path, head):
    (tmp_path / "a.jpg").write_bytes(head + bytes(200))
    with pytest.raises(DecodeError, match="export all photos as JPEG"):
        decode_photo(tmp_path / "a.jpg")


def jpeg_with_texture(**options) -> bytes:
    """A JPEG of a face drawn by code."""
    stream = BytesIO()
    Image.fromarray(draw(imagine(60, True, 3))).save(stream, "JPEG", quality=90, **options)
    return stream.getvalue()


def overwritten(content: bytes, new: bytes, place: float) -> bytes:
    """Bytes of the scan, from this share of it on, in place of its own."""
    begin = content.rindex(b"\xff\xda")
    start = begin + round((len(content) - begin) * place)
    return content[:start] + new + content[start + len(new) :]


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 8}]
)
def test_a_sound_jpeg_is_not_called_damaged(options):
    assert not is_damaged(jpeg_with_texture(**options), "RGB")


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_run_of_zeros_tells_a_damaged_jpeg(tmp_path, place):
    path = tmp_path / "photo.jpg"
    path.write_bytes(overwritten(jpeg_with_texture(), bytes(40), place))
    assert decode_photo(path).corrupt_data


def test_the_decoder_warns_of_most_overwritten_data_which_it_reads_nonetheless(tmp_path):
    found = []
    for seed in range(20):
        noise = np.random.default_rng(seed).integers(0, 255, 40, np.uint8)
        noise[noise == 255] = 0  # no marker
        content = overwritten(jpeg_with_texture(), noise.tobytes(), 0.1 + 0.04 * seed)
        Image.open(BytesIO(content)).load()
        found.append(is_damaged(content, "RGB"))
    assert sum(found) >= 10


def test_zeros_are_no_damage_where_the_tables_give_them_a_meaning():
    stream = BytesIO()
    Image.new("RGB", (2000, 2000), "white").save(stream, "JPEG", quality=60, optimize=True)
    assert bytes(100) in stream.getvalue()
    assert not is_damaged(stream.getvalue(), "RGB")


def test_the_header_alone_tells_what_cannot_be_read(tmp_path):
    good = saved(tmp_path, Image.fromarray(COLOURS))
    check_header(good)
    (tmp_path / "text.jpg").write_text("no photo")
    with pytest.raises(DecodeError, match="not an image"):
        check_header(tmp_path / "text.jpg")


def test_a_photo_is_read_once_and_known_by_the_bytes_that_were_decoded(tmp_path):
    photo, damaged = saved(tmp_path, Image.fromarray(COLOURS), "photo.jpg"), tmp_path / "damaged.png"
    damaged.write_bytes(saved(tmp_path, Image.fromarray(COLOURS)).read_bytes()[:60])
    opened = []
    watching = [True]  # a hook stays as long as the process
    sys.addaudithook(lambda event, about: opened.append(about[0]) if watching and event == "open" else None)
    found = decode_photo(photo).content_hash
    with pytest.raises(DecodeError) as refused:
        decode_photo(damaged)
    watching.clear()
    assert [path for path in opened if path in (str(photo), str(damaged))] == [str(photo), str(damaged)]
    assert [found, refused.value.content_hash] == [sha256_of(photo), sha256_of(damaged)]


def test_one_pixel_is_a_photo(tmp_path):
    decoded = decode_photo(saved(tmp_path, Image.new("RGB", (1, 1), (1, 2, 3))))
    assert decoded.image.tolist() == [[[1, 2, 3]]]


def test_a_hundred_megapixels_are_read(tmp_path):
    decoded = decode_photo(saved(tmp_path, Image.new("RGB", (10_000, 10_000), "red"), "photo.jpg"))
    assert decoded.image.shape == (10_000, 10_000, 3)


@pytest.mark.parametrize(
    "name",
    ["with space.png", "with.dots.and.png", "ärztin_照片_🙂.png", "no ending", "-dash.png", "'quote\".png"],
)
def test_any_name(tmp_path, name):
    (tmp_path / name).write_bytes(saved(tmp_path, Image.fromarray(COLOURS), "plain.png").read_bytes())
    np.testing.assert_array_equal(decode_photo(tmp_path / name).image, COLOURS)


def test_no_permission_is_told_as_such(tmp_path, monkeypatch):
    path = saved(tmp_path, Image.fromarray(COLOURS))
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything: let the system refuse in its place
        refuse = mock.Mock(side_effect=PermissionError(13, "Permission denied"))
        monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(DecodeError, match="no permission") as error:
        decode_photo(path)
    assert error.value.reason == "no_permission"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty_file"),
        (b"This is not a photo.", "not_an_image"),
        (b"\xff\xd8\xff\xe0 broken", "damaged_image"),
        (b"\x89PNG\r\n\x1a\n broken", "not_an_image"),
        (b"GIF89a", "not_an_image"),
    ],
)
def test_other_files_give_a_reason(tmp_path, content, reason):
    (tmp_path / "photo.jpg").write_bytes(content)
    assert reason_of(tmp_path / "photo.jpg") == reason


@pytest.mark.parametrize("ending", ["jpg", "png", "tiff", "webp", "gif", "bmp"])
def test_truncated_photo_gives_a_reason(tmp_path, ending):
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), f"photo.{ending}")
    path.write_bytes(path.read_bytes()[:2000])
    assert reason_of(path) in ("damaged_image", "not_an_image")


def test_a_file_without_pixels_or_a_pipe_gives_a_reason(tmp_path):
    with pytest.raises(DecodeError, match="no such file"):
        decode_photo(tmp_path / "none.jpg")
    with pytest.raises(DecodeError, match="a folder"):
        decode_photo(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DecodeError, match="not a file"):
        decode_photo(tmp_path / "pipe.jpg")


def test_a_decompression_bomb_is_not_unpacked(tmp_path):
    """A PNG of a few bytes that says it has 400 megapixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    )
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    tracemalloc.start()
    with pytest.raises(DecodeError, match="more pixels than a photo has"):
        decode_photo(path)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out_of_memory"),
        (KeyError("x"), "damaged_image"),
        (OSError(5, "I/O"), "cannot_be_read"),
    ],
)
def test_whatever_goes_wrong_inside_a_reader_is_a_reason(tmp_path, monkeypatch, error, reason):
    path = saved(tmp_path, Image.fromarray(COLOURS))
    monkeypatch.setattr(Image, "open", mock.Mock(side_effect=error))
    assert reason_of(path) == reason


@pytest.mark.parametrize(
    ("mode", "highest"), [("F", 1.0), ("F", 255.0), ("I;16", 4095), ("I;16", 65535), ("I", 255)]
)
def test_greys_of_any_depth_keep_their_brightness(tmp_path, mode, highest):
    share = np.linspace(0, 1, 60 * 40).reshape(40, 60)
    kind = {"F": np.float32, "I;16": np.uint16, "I": np.int32}[mode]
    path = saved(tmp_path, Image.fromarray((share * highest).astype(kind)), "photo.tiff")
    found = decode_photo(path).image[:, :, 0]
    np.testing.assert_allclose(found, share * 255, atol=1.1)


def test_damaged_exif_does_not_lose_the_pixels(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    raw = bytearray(exif.tobytes())
    raw[16:18] = b"\x63\x63"  # a type of value that there is none of
    path = saved(tmp_path, Image.fromarray(COLOURS), "photo.jpg", exif=bytes(raw), quality=95)
    decoded = decode_photo(path)
    assert decoded.orientation == 1
    assert np.abs(decoded.image.astype(int) - COLOURS).mean() < 12


def test_a_png_with_much_text_is_read(tmp_path):
    notes = PngImagePlugin.PngInfo()
    notes.add_text("report", "x" * 3_000_000, zip=True)
    decoded = decode_photo(saved(tmp_path, Image.fromarray(COLOURS), pnginfo=notes))
    np.testing.assert_array_equal(decoded.image, COLOURS)


def test_no_program_of_the_system_is_started(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n%%EOF\n")
    assert reason_of(path) == "not_an_image"
