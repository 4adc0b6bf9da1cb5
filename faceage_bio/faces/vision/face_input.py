"""What an age model is fed, as its card declares: how the face is aligned and cut, to how many pixels, and how they are standardised."""

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from faceage_bio.core.errors import WeightsError
from faceage_bio.faces.vision.crop import CROP_SIZE, BoxMode, Resize, crop_face, standardise

ALIGNMENTS = {
    "box": "the detected face box, scaled to a square without keeping its aspect ratio",
    "five_points": "a similarity transform of eyes, nose and corners of the mouth to a template",
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
    told = card.get("input")
    if told is None:  # cards of other models up to version 0.1 have two keys of their own
        told = {"size": card.get("input_size", CROP_SIZE), "standardisation": card.get("input_standardisation", "per_photo")}  # fmt: skip
    name = card.get("name")
    strangers = sorted(set(told) - set(FaceInput.__dataclass_fields__))
    if strangers:
        raise WeightsError(
            f"the card of {name}: input has the key {strangers[0]!r}. Expected {', '.join(FaceInput.__dataclass_fields__)}. Correct the name."
        )
    template = tuple(tuple(map(float, point)) for point in told.get("template") or ())
    found = FaceInput(**{**told, "template": template})
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
    box_mode: BoxMode = "clip",
    resize: Resize = "bicubic",
) -> np.ndarray:
    """The pixels that a model sees of one face.

    Parameters
    ----------
    image : uint8 array, shape (height, width, 3), RGB
    box : (x, y, width, height)
        See `crop.crop_face`, as for ``box_mode`` and ``resize``, which five_points does not use.
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
