"""From a detected box to the pixels the age network sees, as the FaceAge study cut and scaled them."""

from typing import Literal

import numpy as np
from PIL import Image

CROP_SIZE = 160  # pixels, width and height of the network's input
BoxMode = Literal["clip", "abs_shift"]
Resize = Literal["bicubic", "nearest"]
JITTER = 0.03  # of the box's sides
JITTER_SEED = 160  # fixed, so that an age's uncertainty does not change from run to run
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "nearest": Image.Resampling.NEAREST}


class FlatCrop(ValueError):
    """All pixels of a crop are equal, so it cannot be standardised."""


def crop_face(
    image: np.ndarray,
    box: tuple[int, int, int, int],
    box_mode: BoxMode = "clip",
    resize: Resize = "bicubic",
    size: int = CROP_SIZE,
) -> np.ndarray:
    """Cut a box out of a photo and scale it to the network's input; the aspect ratio is not kept.

    Parameters
    ----------
    image : uint8 array, shape (height, width, 3)
    box : (x, y, width, height)
        Pixels, as `detect.Face` gives them: the corner may lie outside the photo.
    box_mode : "clip" or "abs_shift"
        "clip" cuts a negative corner off (the study's detector from version 0.1.1 on, the released ages);
        "abs_shift" mirrors it to the inside and keeps the size (version 0.1.0 and older, the clinical runs).
    resize : "bicubic" or "nearest"
        The default filter of Pillow from 7.0 on, and before it.
    size : int
        Pixels.

    Returns
    -------
    uint8 array, shape (size, size, 3)

    Raises
    ------
    ValueError
        The box does not overlap the photo.
    """
    x, y, width, height = box
    right, bottom = x + width, y + height
    if box_mode == "clip":
        x, y = max(0, x), max(0, y)
    else:
        x, y = abs(x), abs(y)
        right, bottom = x + width, y + height
    part = image[y:bottom, x:right]
    if part.size == 0:
        raise ValueError("the face box does not overlap the photo")
    return np.asarray(Image.fromarray(part).resize((size, size), FILTERS[resize]))


def jittered_boxes(box: tuple[int, int, int, int], n: int) -> list[tuple[int, int, int, int]]:
    """The same ``n`` small moves and scalings of any box: 3% of its sides (standard deviation), whole pixels."""
    x, y, width, height = box
    moves = np.random.default_rng(JITTER_SEED).normal(scale=JITTER, size=(n, 4)) * [
        width,
        height,
        width,
        height,
    ]
    return [
        (
            x + round(dx - dw / 2),
            y + round(dy - dh / 2),
            max(1, width + round(dw)),
            max(1, height + round(dh)),
        )
        for dx, dy, dw, dh in moves
    ]


def standardise(crop: np.ndarray) -> np.ndarray:
    """Subtract the mean and divide by the population standard deviation over all pixels and channels.

    Parameters
    ----------
    crop : uint8 array, shape (..., size, size, 3)

    Returns
    -------
    float32 array, same shape
        Computed in double precision, as in the study's inference script.

    Raises
    ------
    FlatCrop
        All pixels of a crop are equal.
    """
    pixels = crop.astype(np.float64)
    axes = (-3, -2, -1)
    spread = pixels.std(axis=axes, keepdims=True)
    if np.any(spread == 0):
        raise FlatCrop("all pixels of the crop are equal")
    return ((pixels - pixels.mean(axis=axes, keepdims=True)) / spread).astype(np.float32)
