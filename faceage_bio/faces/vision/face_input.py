"""What an age model is fed, as its card declares: how the face is aligned and cut, to how many pixels, and
how they are standardised.
"""

from dataclasses import asdict, dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from faceage_bio.core.errors import WeightsError
from faceage_bio.core.settings.settings_photos import FaceAge

USUAL = FaceAge()
CROP_SIZE = 160  # pixels, width and height of the network's input
BoxMode = Literal["clip", "abs_shift"]
Resize = Literal["bicubic", "nearest"]
JITTER = 0.03  # of the box's sides
JITTER_SEED = 160  # fixed, so that an age's uncertainty does not change from run to run
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "nearest": Image.Resampling.NEAREST}


ALIGNMENTS = {
    "box": "the detected face box, scaled to a square without keeping its aspect ratio",
    "five_points": "a similarity transform of eyes, nose and corners of the mouth to a template",
}
INPUT = {  # what the FaceAge network and the demo's model are fed
    "crop": {
        "size": CROP_SIZE,
        "box_mode_default": USUAL.box_mode,
        "resize_default": USUAL.resize,
        "keeps_aspect": False,
    },
    "standardisation": "per photo: minus the mean, divided by the population standard deviation, over all pixels and channels",
}
IMAGENET = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])  # mean and SD of the channels
STANDARDISATIONS = {
    "per_photo": "minus the photo's mean, divided by its standard deviation, over all pixels and channels",
    "imagenet": "0 to 1, then minus ImageNet's mean and divided by its standard deviation, per channel",
    "zero_to_one": "0 to 1",
    "minus_one_to_one": "-1 to 1",
}
TEMPLATE_SIZE = 112
# where ArcFace's training faces have eyes, nose and corners of the mouth (Deng et al. 2019, doi:10.1109/CVPR.2019.00482; InsightFace)
TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)

Points = tuple[tuple[float, float], ...]


class FlatCrop(ValueError):
    """All pixels of a crop are equal, so it cannot be standardised."""


def crop_face(
    image: np.ndarray,
    box: tuple[int, int, int, int],
    box_mode: BoxMode = USUAL.box_mode,
    resize: Resize = USUAL.resize,
    size: int = CROP_SIZE,
) -> np.ndarray:
    """Cut a box out of a photo and scale it to the network's input, as the FaceAge study did; the aspect ratio is not kept.

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
    left, top = (max(0, x), max(0, y)) if box_mode == "clip" else (abs(x), abs(y))
    right, bottom = (x + width, y + height) if box_mode == "clip" else (left + width, top + height)
    part = image[top:bottom, left:right]
    if part.size == 0:
        raise ValueError("the face box does not overlap the photo")
    return np.asarray(Image.fromarray(part).resize((size, size), FILTERS[resize]))


def jittered_boxes(box: tuple[int, int, int, int], n: int) -> list[tuple[int, int, int, int]]:
    """The same ``n`` small moves and scalings of any box: 3% of its sides (standard deviation), whole pixels."""
    x, y, width, height = box
    moves = np.random.default_rng(JITTER_SEED).normal(scale=JITTER, size=(n, 4)) * np.tile(box[2:], 2)
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


@dataclass(frozen=True)
class FaceInput:
    """The input of one model.

    Parameters
    ----------
    alignment : a key of ``ALIGNMENTS``
    size : int
        Pixels, width and height.
    standardisation : a key of ``STANDARDISATIONS``
    template : five points (x, y) in pixels of the input, for five_points; empty: ArcFace's, scaled from 112 pixels
    """

    alignment: str = "box"
    size: int = CROP_SIZE
    standardisation: str = "per_photo"
    template: Points = ()

    @property
    def points(self) -> np.ndarray:
        """The template, float64 of shape (5, 2)."""
        return np.array(self.template or np.array(TEMPLATE) * (self.size / TEMPLATE_SIZE), dtype=np.float64)

    def declared(self) -> dict:
        """What a card holds: the template is written out."""
        own = asdict(self)
        if self.alignment == "five_points":
            return own | {"template": np.round(self.points, 4).tolist()}
        return {name: value for name, value in own.items() if name != "template"}


def input_of(card: dict) -> FaceInput:
    """The input that a card declares; the study's own where it declares none.

    Raises
    ------
    WeightsError
        An alignment or a standardisation that this version does not know, a size or a template that cannot be.
    """
    declared = card.get("input")
    if declared is None:  # cards of other models up to version 0.1 have two keys of their own
        old = {"input_size": "size", "input_standardisation": "standardisation"}
        declared = {new: card[key] for key, new in old.items() if key in card}
    name = card.get("name")
    strangers = sorted(set(declared) - set(FaceInput.__dataclass_fields__))
    if strangers:
        raise WeightsError(
            f"the card of {name}: input has the key {strangers[0]!r}. Expected {', '.join(FaceInput.__dataclass_fields__)}. Correct the name."
        )
    template = tuple(tuple(map(float, point)) for point in declared.get("template") or ())
    found = FaceInput(**{**declared, "template": template})
    for key, known in (("alignment", ALIGNMENTS), ("standardisation", STANDARDISATIONS)):
        if getattr(found, key) not in known:
            raise WeightsError(
                f"the card of {name}: input.{key} is {getattr(found, key)!r}. Expected one of {', '.join(known)}. Declare one of them."
            )
    if not (isinstance(found.size, int) and 16 <= found.size <= 1024):
        raise WeightsError(
            f"the card of {name}: input.size is {found.size!r}. Expected pixels from 16 to 1024. Declare the width of the model's input."
        )
    if template and (found.alignment != "five_points" or found.points.shape != (5, 2)):
        raise WeightsError(
            f"the card of {name}: input.template has {len(template)} points and alignment is {found.alignment!r}. Expected five points (x, y) and five_points: "
            "left eye, right eye, nose, left and right corner of the mouth, as seen by the viewer. Correct the card."
        )
    return found


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Rotation, scale and shift of the least squared distance between two sets of points, without a reflection.

    The plane's case of Umeyama 1991, doi:10.1109/34.88573, in complex numbers.

    Parameters
    ----------
    source, target : float arrays, shape (n, 2)

    Returns
    -------
    float64 array, shape (2, 3)
        The transform of ``source`` to ``target``, as `cv2.warpAffine` takes it.

    Raises
    ------
    ValueError
        All source points are the same.
    """
    z, w = (points @ np.array([1, 1j]) for points in (source, target))
    centred = z - z.mean()
    if not np.abs(centred).max() > 0:
        raise ValueError("all landmarks are the same point")
    turn = np.vdot(centred, w - w.mean()) / np.vdot(centred, centred).real
    shift = w.mean() - turn * z.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def cut_face(
    image: np.ndarray,
    box: tuple[int, int, int, int],
    landmarks: np.ndarray,
    how: FaceInput,
    box_mode: BoxMode,
    resize: Resize,
) -> np.ndarray:
    """The pixels that a model sees of one face.

    Parameters
    ----------
    image : uint8 array, shape (height, width, 3), RGB
    box : (x, y, width, height)
        See `crop_face`, as for ``box_mode`` and ``resize``, which five_points does not use.
    landmarks : float array, shape (5, 2)
        As `detect.Face` has them.

    Returns
    -------
    uint8 array, shape (size, size, 3)
        With five_points interpolated linearly and black outside the photo, as InsightFace cuts faces for ArcFace.

    Raises
    ------
    ValueError
        The box does not overlap the photo, or the landmarks are a single point.
    """
    if how.alignment == "box":
        return crop_face(image, box, box_mode, resize, how.size)
    return cv2.warpAffine(
        image, similarity(landmarks, how.points), (how.size, how.size), flags=cv2.INTER_LINEAR
    )


def moved(landmarks: np.ndarray, box: tuple[int, int, int, int], to: tuple[int, int, int, int]) -> np.ndarray:
    """Landmarks that move and scale with their box."""
    x, y, width, height = box
    return (landmarks - [x, y]) / [max(1, width), max(1, height)] * to[2:] + to[:2]


def prepare(crops: np.ndarray, standardisation: str) -> np.ndarray:
    """Crops as a network wants them.

    Parameters
    ----------
    crops : uint8 array, shape (n, size, size, 3), RGB
    standardisation : a key of ``STANDARDISATIONS``

    Returns
    -------
    float32 array, shape (n, 3, size, size)
    """
    if standardisation == "per_photo":
        values = standardise(crops)
    elif standardisation == "imagenet":
        values = (crops / 255.0 - IMAGENET[0]) / IMAGENET[1]
    elif standardisation == "zero_to_one":
        values = crops / 255.0
    else:
        values = crops / 127.5 - 1
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)
