"""What makes a face unfit for an age though the detector takes it for one: bars, blocks, swapped colours, upside down.

Each function gives one number, most of them of the crop that the age network sees, uint8 RGB of shape (160, 160, 3); the
thresholds are rules in ``settings.photos.Quality``.
"""

import cv2
import numpy as np

from faceage_bio.faces.vision.detect import Face, onet_input

WINDOW = (8, 48)  # rows and columns; a bar over both eyes is wider, a cheek without any shading is not
FLAT = 8  # grey levels between the brightest and darkest pixel, which a bar has after strong compression too
MIDDLE = (
    slice(40, 144),
    slice(40, 120),
)  # rows and columns: hair, headscarf and background round the face may be plain
CHEEKS = (slice(64, 120), slice(40, 120))  # rows and columns from below the eyes to above the mouth
EYE, CHEEK = (0.25, 0.18), (0.15, 0.12)  # half widths and heights, in distances of the eyes
CHEEK_BELOW = 0.62


def measure_defects(image: np.ndarray, face: Face, crop: np.ndarray) -> dict[str, float]:
    """All measures of this module by name that need no network, of the crop of a face in a photo."""
    return {
        "uniform_area": uniform_area(crop), "blockiness": blockiness(crop), "red_minus_blue": red_minus_blue(crop),
        "eye_brightness": eye_brightness(image, face),
    }  # fmt: skip


def uniform_area(crop: np.ndarray) -> float:
    """Share of places in the face where a window has no shading in any channel: a bar over the eyes, a grey block."""
    spread = cv2.morphologyEx(crop, cv2.MORPH_GRADIENT, np.ones(WINDOW, np.uint8)).max(axis=2)
    return float((spread[MIDDLE] <= FLAT).mean())


def blockiness(crop: np.ndarray) -> float:
    """How far differences between neighbouring pixels gather in few rows and columns: 0 evenly, 1 wholly.

    One minus the median over the mean of the differences of neighbouring columns, or of rows if that is less. In a
    pixelated face only the edges of the blocks differ.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    profiles = [np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis) for axis in (0, 1)]
    return float(min(1 - np.median(one) / max(one.mean(), 1e-9) for one in profiles))


def red_minus_blue(crop: np.ndarray) -> float:
    """Grey levels by which red exceeds blue in cheeks and nose (median): above 0 in skin of any type, 0 without colour."""
    skin = crop[CHEEKS].astype(np.int16)
    return float(np.median(skin[:, :, 0] - skin[:, :, 2]))


def eye_brightness(image: np.ndarray, face: Face) -> float:
    """Grey around the eyes over that of the cheeks below them (medians), of the brighter eye: far below 1 behind sunglasses."""
    (left, _), (right, _) = eyes = face.landmarks[:2]
    distance = max(1, right - left)

    def around(x: float, y: float, width: float, height: float) -> float:
        top, start = max(0, round(y - height * distance)), max(0, round(x - width * distance))
        part = image[top : round(y + height * distance) + 1, start : round(x + width * distance) + 1]
        return float(np.median(part.mean(axis=2))) if part.size else np.nan

    ratios = [around(x, y, *EYE) / max(1.0, around(x, y + CHEEK_BELOW * distance, *CHEEK)) for x, y in eyes]
    return max(ratios)


def upright_and_turned(crop: np.ndarray) -> list[np.ndarray]:
    """A crop as it is and turned by 180 degrees, as `Detector.log_odds` takes them.

    The difference of their log odds of a face, turned minus as it is, tells whether the photo stands upside down.
    """
    return [onet_input(crop), onet_input(crop[::-1, ::-1])]
