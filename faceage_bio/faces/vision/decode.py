"""From an image file to upright RGB pixels, or a reason why not, damage that decoders repair in silence included."""

import hashlib
import io
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image, PngImagePlugin, UnidentifiedImageError

# begin the warnings that tell of it
DAMAGE = ("Corrupt JPEG data", "Premature end", "Inconsistent progression")
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # neither a stuffed byte nor a restart
SCAN, TABLES, END = 0xDA, 0xC4, 0xD9
SEQUENTIAL = (0xC0, 0xC1)
ZERO_RUN = 8  # bytes; sound photos have up to 4, a lost block of a disk or a transfer has dozens
EXIF_ORIENTATION = 274
SUBFILE_TYPE, PHOTOMETRIC, DNG_VERSION = 254, 262, 50706  # tags of TIFF
# turned so, a picture with this orientation is upright
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
# what cameras, scanners and web pages make; others, such as EPS, would start programs of the system
FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000", "AVIF", "PPM", "TGA", "HEIF")
LARGEST_FILE = 2 * 2**30  # bytes; 180 megapixels of three colours, 16 bits each, are half as many
LARGEST_TEXT = 64 * 2**20  # bytes of text that a PNG may carry beside its pixels
# how raw files of cameras begin, other than those that are TIFFs with a thumbnail as their first page
RAW = re.compile(
    rb"FUJIFILMCCD-RAW|II(?:RO|RS|U\0|\*\0.{4}CR)|MMOR|FOVb|\0MRM|.{4}ftypcrx |.{6}HEAPCCDR", re.DOTALL
)
MODES = {"1": "1-bit", "P": "palette", "PA": "palette", "CMYK": "CMYK"}  # in which no camera writes
MEANINGS = {
    "missing_file": "no such file",
    "not_a_file": "a folder or something else that is not a file",
    "no_permission": "no permission to read the file",
    "empty_file": "the file is empty",
    "not_an_image": "not an image format that can be read",
    "damaged_image": "damaged or cut off",
    "cannot_be_read": "the disk or the system refused; the log of the system may say why",
    "too_many_pixels": "more pixels than a photo has",
    "out_of_memory": "not enough memory to unpack it",
    "raw_file": "a camera's raw file, of which only a thumbnail could be read; export all photos as JPEG, HEIC or TIFF with the same settings",
}
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = LARGEST_TEXT


def is_damaged(content: bytes, mode: str) -> bool:
    """Whether libjpeg warns of damage, or the compressed pixels hold a run of zero bytes.

    Data may also be damaged without either: in about a quarter of portraits of which 40 bytes were
    overwritten by noise (`benchmarks.image_defects`).

    Parameters
    ----------
    content : bytes of a JPEG file
    mode : str
        Pillow's mode of it: "L", "RGB", "CMYK".
    """
    return _warns(content, mode) or _has_zero_run(content)


def _warns(content: bytes, mode: str) -> bool:
    """All data are read, but an eighth of the pixels is computed."""
    colours = "CMYK" if mode == "CMYK" else "GRAY"
    try:
        simplejpeg.decode_jpeg(
            content, colours, fastdct=True, fastupsample=True, min_height=1, min_width=1, min_factor=8
        )
    except ValueError as warning:  # other ones are of kinds of JPEG that are not known there
        return str(warning).startswith(DAMAGE)
    return False


def _has_zero_run(content: bytes) -> bool:
    """Whether a scan of a sequential JPEG has `ZERO_RUN` zero bytes where its code has no meaning for them.

    Bits of zero are the first, shortest code of each table. Where that ends the block in all tables, as in
    very flat pictures with tables of their own, a run of zeros is a plain area and says nothing.
    """
    place, plain = 2, []
    while marker := MARKER.search(content, place):
        kind, start = marker[1][0], marker.end()
        if kind == END:
            break
        length = int.from_bytes(content[start : start + 2], "big")
        place = start + max(2, length)
        if 0xC0 <= kind <= 0xCF and kind not in (TABLES, 0xC8, 0xCC, *SEQUENTIAL):
            return False  # zeros are common in the later scans of a progressive JPEG
        if kind == TABLES:
            plain += _plain_tables(content[start + 2 : place])
        if kind == SCAN and not all(plain):
            following = MARKER.search(content, place)
            end = following.start() if following else len(content)
            if content.find(bytes(ZERO_RUN), place, end) >= 0:
                return True
    return False


def _plain_tables(segment: bytes) -> list[bool]:
    """For each table of AC codes in a segment, whether its first code ends the block."""
    found = []
    while len(segment) > 17:
        if segment[0] >> 4:
            found.append(segment[17] == 0)
        segment = segment[17 + sum(segment[1:17]) :]
    return found


class DecodeError(Exception):
    """The file holds no photo that can be read: a key of ``MEANINGS`` as ``reason``, and no name of the file.

    ``content_hash``: SHA-256 of the file's bytes, where they could be read.
    """

    def __init__(self, reason: str, content_hash: str | None = None) -> None:
        super().__init__(MEANINGS[reason])
        self.reason = reason
        self.content_hash = content_hash


@dataclass(frozen=True)
class Decoded:
    """An upright photo: uint8 RGB pixels of shape (height, width, 3), and the EXIF orientation applied (1-8)."""

    image: np.ndarray
    width: int
    height: int
    orientation: int
    colour_mode: str = ""
    """"1-bit", "palette", "CMYK" or "white is zero" for a file in a form that no camera writes."""
    corrupt_data: bool = False
    """The file was read, but its data are damaged (see `is_damaged`)."""
    content_hash: str | None = None
    """SHA-256 of the bytes that were decoded."""


def decode_photo(path: Path | str) -> Decoded:
    """Read a photo, once, in any mode Pillow knows: turned upright by its EXIF, 8-bit RGB, first frame or page.

    Transparent parts are laid over white. Greys of more than 8 bits and floating ones are scaled by the least
    depth (0 to 1, 8, 10, 12, 14 or 16 bits) that holds the brightest pixel. Photos of up to about 180
    megapixels are read (twice Pillow's limit for a warning).

    Raises
    ------
    DecodeError
        No such file, empty, truncated, not an image, a camera's raw file, or too large to be a photo.
    """
    with _reasons():
        content = _read(Path(path))
    content_hash = hashlib.sha256(content).hexdigest()
    try:
        image, orientation, colour_mode, damaged = _decode(content)
    except DecodeError as error:
        raise DecodeError(error.reason, content_hash) from None
    return Decoded(image, image.shape[1], image.shape[0], orientation, colour_mode, damaged, content_hash)


def _decode(content: bytes) -> tuple[np.ndarray, int, str, bool]:
    """Pixels, orientation, colour mode, and whether the data are damaged."""
    with _opened(io.BytesIO(content), content) as opened:
        white_is_zero = getattr(opened, "tag_v2", {}).get(PHOTOMETRIC) == 0
        colour_mode = MODES.get(opened.mode, "white is zero" if white_is_zero else "")
        damaged = opened.format in ("JPEG", "MPO") and is_damaged(content, opened.mode)
        opened.load()
        orientation = _orientation(opened)
        upright = opened.transpose(TURNS[orientation]) if orientation > 1 else opened
        return _rgb(upright, opened.info, white_is_zero), orientation, colour_mode, damaged


def check_header(path: Path | str) -> None:
    """Raise what `decode_photo` would, as far as the file's header tells: the pixels are not read."""
    with _reasons():
        start = _read(Path(path), 16)
    with _opened(path, start):
        pass


def _read(path: Path, n_bytes: int = -1) -> bytes:
    """The file's first bytes, or all of them; no file, and one larger than any photo, raise."""
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):  # reading a pipe would wait for ever
        raise DecodeError("not_a_file")
    if state.st_size == 0:
        raise DecodeError("empty_file", hashlib.sha256().hexdigest())
    if n_bytes < 0 and state.st_size > LARGEST_FILE:
        check_header(path)
        raise DecodeError("too_many_pixels")
    with path.open("rb") as file:
        return file.read(n_bytes)


def inside(folder: Path, path: str) -> Path | None:
    """The photo's place, or None if it lies outside the folder, be it by a link."""
    try:
        place = (folder / path).resolve()
    except (OSError, RuntimeError, ValueError):  # a link that leads to itself, a name that cannot be
        return folder / path
    return place if place.is_relative_to(folder.resolve()) else None


@contextmanager
def _opened(source: Path | str | io.BytesIO, start: bytes) -> Iterator[Image.Image]:
    """The photo with its header read; whatever goes wrong in here and in the block is a `DecodeError`."""
    with _reasons(), warnings.catch_warnings():
        if RAW.match(start):
            raise DecodeError("raw_file")
        warnings.simplefilter("ignore")  # damaged EXIF does not matter, and 100 megapixels are no bomb
        with Image.open(source, formats=_formats()) as opened:
            if _shows_a_thumbnail(opened):
                raise DecodeError("raw_file")
            yield opened


@contextmanager
def _reasons() -> Iterator[None]:
    """Whatever goes wrong in the block is a `DecodeError`."""
    try:
        yield
    except DecodeError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise DecodeError("missing_file") from None
    except PermissionError:
        raise DecodeError("no_permission") from None
    except UnidentifiedImageError:
        raise DecodeError("not_an_image") from None
    except Image.DecompressionBombError:
        raise DecodeError("too_many_pixels") from None
    except MemoryError:
        raise DecodeError("out_of_memory") from None
    except OSError as error:
        # the readers of formats raise OSError without a number, the system with one
        raise DecodeError("damaged_image" if error.errno is None else "cannot_be_read") from None
    except Exception:  # a damaged file can fail in any way inside a reader, and must not stop the others
        raise DecodeError("damaged_image") from None


@cache
def _formats() -> list[str]:
    """The formats that can be read here, HEIC among them."""
    from pi_heif import register_heif_opener

    register_heif_opener()
    Image.init()  # learns all formats, not only the common ones
    return [name for name in FORMATS if name in Image.OPEN]


def _shows_a_thumbnail(opened: Image.Image) -> bool:
    """Whether a TIFF is a camera's raw file, or otherwise has a smaller copy as its first page."""
    tags = getattr(opened, "tag_v2", {})
    return DNG_VERSION in tags or bool(tags.get(SUBFILE_TYPE, 0) & 1)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # damaged EXIF, whose reader can fail in any way; the pixels are there
        return 1
    return value if value in TURNS else 1


def _rgb(image: Image.Image, info: dict, white_is_zero: bool) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float32)
        grey = np.clip(values * (255 / _white(values, image.mode == "F")), 0, 255).round().astype(np.uint8)
        grey = 255 - grey if white_is_zero else grey  # which Pillow does for 8 bits and fewer, and not here
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _white(values: np.ndarray, floating: bool) -> float:
    """The value that stands for white: of the depths in use (0 to 1, 8, 10, 12, 14, 16 bits), the least that holds all."""
    highest = float(values.max(initial=0))
    depths = [2.0**bits - 1 for bits in (8, 10, 12, 14, 16)]
    return next((depth for depth in [1.0] * floating + depths if highest <= depth), highest)
