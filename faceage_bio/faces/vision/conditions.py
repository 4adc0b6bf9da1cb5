"""Conditions under which a photo may have been taken or kept, done to its pixels: light, blur, compression, scale ...

Each function takes a uint8 RGB photo of shape (height, width, 3) and returns another; strength 0 (100% for
compression and scale) leaves it nearly or wholly as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

NOISE_SEED = 160  # fixed: the same photo gets the same noise in every run
FACE_PIXELS = 160  # side of the face as the age network sees it


@dataclass(frozen=True)
class Box:
    """Where the face is: left, top, width and height in pixels."""

    x: float
    y: float
    width: float
    height: float


def expose(image: np.ndarray, stops: float, face: Box) -> np.ndarray:
    """Light multiplied by 2 ** stops, in linear sRGB light as in a camera; what is too bright is cut off."""
    encoded = np.arange(256) / 255
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    light = np.minimum(light * 2.0**stops, 1)
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(encoded * 255).astype(np.uint8)[image]


def blur(image: np.ndarray, sigma: float, face: Box) -> np.ndarray:
    """Gaussian blur; ``sigma`` in pixels of the face when it is 160 pixels wide, so that photos of any size compare."""
    in_photo = sigma * min(face.width, face.height) / FACE_PIXELS
    return cv2.GaussianBlur(image, (0, 0), in_photo) if in_photo > 0 else image


def compress(image: np.ndarray, quality: float, face: Box) -> np.ndarray:
    """JPEG of this quality (1 to 95) and back."""
    stream = BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=int(quality))
    return np.asarray(Image.open(stream).convert("RGB"))


def shrink(image: np.ndarray, percent: float, face: Box) -> np.ndarray:
    """Fewer pixels: sides of this many per cent."""
    size = [max(1, round(side * percent / 100)) for side in (image.shape[1], image.shape[0])]
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def remove_colour(image: np.ndarray, share: float, face: Box) -> np.ndarray:
    """Luma in place of colour, for a share (1: wholly grey) of it."""
    grey = np.asarray(Image.fromarray(image).convert("L"))[:, :, None]
    return np.round(image + (grey.astype(np.float32) - image) * share).astype(np.uint8)


def add_noise(image: np.ndarray, deviation: float, face: Box) -> np.ndarray:
    """Gaussian noise of this standard deviation in grey levels, on every channel by itself."""
    noise = np.random.default_rng(NOISE_SEED).standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.round(image + noise * deviation), 0, 255).astype(np.uint8)


def rotate(image: np.ndarray, degrees: float, face: Box) -> np.ndarray:
    """Turned about the middle of the face, anticlockwise; pixels of the edge fill the corners."""
    middle = (face.x + face.width / 2, face.y + face.height / 2)
    turn = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


@dataclass(frozen=True)
class Condition:
    """What is changed, in which unit, in which steps (mild first on either side), and by which function."""

    name: str
    unit: str
    steps: tuple[float, ...]
    change: Callable[[np.ndarray, float, Box], np.ndarray]


CONDITIONS = (
    Condition("light", "stops", (-3, -2, -1, 1), expose),
    Condition("blur", "pixels (SD)", (1, 2, 4), blur),
    Condition("JPEG quality", "", (50, 25, 10), compress),
    Condition("scale", "%", (75, 50, 25), shrink),
    Condition("grey", "", (1,), remove_colour),
    Condition("noise", "grey levels (SD)", (5, 10, 20), add_noise),
    Condition("rotation", "degrees", (-15, 15), rotate),
)
N_STEPS = sum(len(condition.steps) for condition in CONDITIONS)
