"""From an image file to upright RGB pixels, or a reason why not."""

import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

EXIF_ORIENTATION = 274
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
MEANINGS = {
    "missing_file": "no such file",
    "not_a_file": "a folder or something else that is not a file",
    "no_permission": "no permission to read the file",
    "empty_file": "the file is empty",
    "not_an_image": "not an image format that can be read",
    "damaged_image": "damaged or cut off",
    "too_many_pixels": "more pixels than a photo has",
    "needs_heif": "a HEIC photo; to read it, pip install 'faceage-bio[heif]'",
}


class DecodeError(Exception):
    """The file holds no photo that can be read: a key of ``MEANINGS`` as ``reason``, and no name of the file."""

    def __init__(self, reason: str) -> None:
        super().__init__(MEANINGS[reason])
        self.reason = reason


@dataclass(frozen=True)
class Decoded:
    """An upright photo: uint8 RGB pixels of shape (height, width, 3), and the EXIF orientation applied (1-8)."""

    image: np.ndarray
    width: int
    height: int
    orientation: int


def decode_photo(path: Path | str) -> Decoded:
    """Read a photo in any mode Pillow knows: turned upright by its EXIF, 8-bit RGB, first frame or page.

    Transparent parts are laid over white. 16-bit and floating greys are scaled to the range of the file. Photos of up to
    about 180 megapixels are read (twice Pillow's limit for a warning).

    Raises
    ------
    DecodeError
        No such file, empty, truncated, not an image, or too large to be a photo.
    """
    path = Path(path)
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # reading a pipe would wait for ever
            raise DecodeError("not_a_file")
        if state.st_size == 0:
            raise DecodeError("empty_file")
        if _is_heif(path):
            _learn_heif()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF does not matter, and 100 megapixels are no bomb
            with Image.open(path) as opened:
                opened.load()
                orientation = _orientation(opened)
                image = _rgb(ImageOps.exif_transpose(opened))
    except (FileNotFoundError, NotADirectoryError):
        raise DecodeError("missing_file") from None
    except PermissionError:
        raise DecodeError("no_permission") from None
    except UnidentifiedImageError:
        raise DecodeError("not_an_image") from None
    except (Image.DecompressionBombError, MemoryError):
        raise DecodeError("too_many_pixels") from None
    except DecodeError:
        raise
    except (
        Exception
    ):  # a damaged file can fail in any way inside a format's reader, and must not stop the others
        raise DecodeError("damaged_image") from None
    return Decoded(image, width=image.shape[1], height=image.shape[0], orientation=orientation)


def _is_heif(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS


def _learn_heif() -> None:
    """Let Pillow read HEIC, if the extra is installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise DecodeError("needs_heif") from None
    register_heif_opener()


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(EXIF_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I;16") or values.max() > 255 else 255.0
        top = max(top, float(values.max()), 1.0)
        grey = np.clip(values / top * 255.0, 0, 255).round().astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image.convert("RGB"))
