"""What can be said of a photo and its face before any age: size, place in the frame, sharpness, light, pose;
and what makes it unfit for one.
"""

import hashlib

import cv2
import numpy as np

from faceage_bio.faces.vision.detect import Face, onet_input

# as seen by the viewer, as the detector
LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
NOSE_DEPTH = (
    0.45  # of the distance between the eyes that the tip of the nose stands out; a rough human average
)
GREY_SPREAD = (
    3.0  # grey levels between the colour channels, on average, up to which a photo counts as greyscale
)
HASH_SIDE = 16  # the perceptual hash has its square in bits
# of the crop of 160 x 160 pixels that the age network sees
WINDOW = (8, 48)  # rows and columns; a bar over both eyes is wider, a cheek without any shading is not
FLAT = 8  # grey levels between the brightest and darkest pixel, which a bar has after strong compression too
MIDDLE = (slice(40, 144), slice(40, 120))  # rows and columns: hair, headscarf and background may be plain
CHEEKS = (slice(64, 120), slice(40, 120))  # rows and columns from below the eyes to above the mouth
EYE, CHEEK = (0.25, 0.18), (0.15, 0.12)  # half widths and heights, in distances of the eyes
CHEEK_BELOW = 0.62


def measure_face(face: Face, width: int, height: int) -> dict:
    """Where a face lies in a photo of ``width`` x ``height`` pixels, and how the head is held.

    Returns
    -------
    dict
        box_x ... box_height, probability, left_eye_x ... mouth_right_y; face_short_side (pixels); face_share
        (of the photo's area); inside_frame (the whole box is in the photo) and outside_share (of the box's
        area); roll and yaw (degrees, estimated from the landmarks; positive: turned to the right of the
        picture).
    """
    x, y, box_width, box_height = face.unclipped_box
    seen = max(0, min(x + box_width, width) - max(x, 0)) * max(0, min(y + box_height, height) - max(y, 0))
    area = max(1, box_width * box_height)
    points = {
        f"{name}_{axis}": value
        for name, point in zip(LANDMARKS, face.landmarks, strict=True)
        for axis, value in zip("xy", point, strict=True)
    }
    return {
        "box_x": face.x, "box_y": face.y, "box_width": face.width, "box_height": face.height,
        "probability": face.probability, **points, "face_short_side": min(face.width, face.height),
        "face_share": seen / (width * height), "inside_frame": seen == area, "outside_share": 1 - seen / area,
        **_pose(face),
    }  # fmt: skip


def _pose(face: Face) -> dict[str, float]:
    left, right, nose = (np.array(point, dtype=float) for point in face.landmarks[:3])
    eyes = right - left
    distance = float(np.hypot(*eyes))
    if distance == 0:
        return {"roll": np.nan, "yaw": np.nan}
    along = float((nose - (left + right) / 2) @ eyes) / distance
    return {
        "roll": float(np.degrees(np.arctan2(eyes[1], eyes[0]))),
        "yaw": float(np.degrees(np.arctan(along / distance / NOSE_DEPTH))),
    }


def measure_crop(crop: np.ndarray) -> dict:
    """Sharpness and light of what the age network sees.

    Parameters
    ----------
    crop : uint8 array, shape (160, 160, 3), RGB

    Returns
    -------
    dict
        sharpness (variance of the Laplacian of the grey crop; on the crop, so that photos of all sizes
        compare), brightness (mean grey, 0 to 255), contrast (standard deviation of grey), greyscale (no
        colour to speak of).
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    spread = crop.max(axis=2).astype(float) - crop.min(axis=2)
    return {
        "sharpness": float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        "brightness": float(grey.mean()),
        "contrast": float(grey.std()),
        "greyscale": bool(spread.mean() < GREY_SPREAD),
    }


def pixel_hash(image: np.ndarray) -> str:
    """SHA-256 over size and pixels of an upright photo: equal only if every pixel is."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def perceptual_hash(image: np.ndarray) -> str:
    """256 bits, in hexadecimals, that hardly change when a photo is scaled or compressed again.

    Signs of the lowest frequencies of a small grey copy against their median (Zauner 2010, "pHash").
    """
    step = max(1, min(image.shape[:2]) // 256)  # no need to look at every pixel of a large photo
    grey = cv2.cvtColor(np.ascontiguousarray(image[::step]), cv2.COLOR_RGB2GRAY)[:, ::step]
    small = cv2.resize(np.ascontiguousarray(grey), (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:HASH_SIDE, :HASH_SIDE].ravel()
    return np.packbits(low > np.median(low[1:])).tobytes().hex()


def measure_defects(image: np.ndarray, face: Face, crop: np.ndarray) -> dict[str, float]:
    """What makes a face unfit for an age though the detector takes it for one: bars, blocks, swapped colours, sunglasses.

    The thresholds are rules in ``settings_photos.Quality``.
    """
    of_crop = {one.__name__: one(crop) for one in (uniform_area, blockiness, red_minus_blue)}
    return of_crop | {"eye_brightness": eye_brightness(image, face)}


def uniform_area(crop: np.ndarray) -> float:
    """Share of places in the face where a window has no shading in any channel: a bar over the eyes, a grey block."""
    spread = cv2.morphologyEx(crop, cv2.MORPH_GRADIENT, np.ones(WINDOW, np.uint8)).max(axis=2)
    return float((spread[MIDDLE] <= FLAT).mean())


def blockiness(crop: np.ndarray) -> float:
    """How far differences between neighbouring pixels gather in few rows and columns: 0 evenly, 1 wholly.

    One minus the median over the mean of the differences of neighbouring columns, or of rows if that is less.
    In a pixelated face only the edges of the blocks differ.
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
