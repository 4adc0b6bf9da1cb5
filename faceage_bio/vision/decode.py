"""From an image file to upright RGB pixels, or a reason why not."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

EXIF_ORIENTATION = 274


class DecodeError(Exception):
    """The file holds no photo that can be read; the message says why without naming the file."""


@dataclass(frozen=True)
class Decoded:
    """An upright photo: uint8 RGB pixels of shape (height, width, 3), and the EXIF orientation applied (1-8)."""

    image: np.ndarray
    width: int
    height: int
    orientation: int


def decode_photo(path: Path | str) -> Decoded:
    """Read a photo in any mode Pillow knows: turned upright by its EXIF, 8-bit RGB, first frame.

    Transparent parts are laid over white. 16-bit and floating greys are scaled to the range of the file.

    Raises
    ------
    DecodeError
        No such file, empty, truncated, not an image, or too large to be a photo.
    """
    path = Path(path)
    if path.is_dir():
        raise DecodeError("a folder, not a file")
    try:
        if os.path.getsize(path) == 0:
            raise DecodeError("the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # huge images become an error
            warnings.simplefilter("ignore", UserWarning)  # damaged EXIF does not matter
            with Image.open(path) as opened:
                opened.load()
                orientation = _orientation(opened)
                image = _rgb(ImageOps.exif_transpose(opened))
    except FileNotFoundError:
        raise DecodeError("no such file") from None
    except PermissionError:
        raise DecodeError("no permission to read the file") from None
    except UnidentifiedImageError:
        raise DecodeError("not an image format that can be read") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DecodeError("more pixels than a photo has") from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
    ) as error:  # Pillow's ways to say that a file is damaged
        raise DecodeError(f"damaged image: {type(error).__name__}") from None
    return Decoded(image, width=image.shape[1], height=image.shape[0], orientation=orientation)


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
