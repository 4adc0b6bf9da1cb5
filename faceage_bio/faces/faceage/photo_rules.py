"""Which photos are used: what each rule of ``faceage.quality`` looks at, and what becomes of a photo that rules catch.

The study excluded photos below 160 x 160 pixels, without a face, with several faces, with a face that is not
wholly in the frame, fills little of it, or cannot be made out for blur, light or colour. The rules from
low_confidence on flag what no study of faces foresaw: drawings, faxes, bars over the eyes, pixelation,
swapped colours, damaged files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from faceage_bio.core.settings.settings_photos import FaceAge, Quality


@dataclass(frozen=True)
class Criterion:
    """What a rule looks at: the photo is caught if ``measure`` is below (or above) the threshold."""

    measure: str
    below: bool


# in the order in which a photo's first reason is chosen
CRITERIA = {
    "small_photo": Criterion("photo_short_side", below=True),
    "small_face": Criterion("face_short_side", below=True),
    "multiple_faces": Criterion("n_faces", below=False),
    "face_outside_frame": Criterion("outside_share", below=False),
    "small_face_area": Criterion("face_share", below=True),
    "large_yaw": Criterion("abs_yaw", below=False),
    "large_roll": Criterion("abs_roll", below=False),
    "dark": Criterion("brightness", below=True),
    "bright": Criterion("brightness", below=False),
    "low_contrast": Criterion("contrast", below=True),
    "blurred": Criterion("sharpness", below=True),
    "greyscale": Criterion("greyscale", below=False),
    "low_confidence": Criterion("probability", below=True),
    "high_sharpness": Criterion("sharpness", below=False),
    "uniform_area": Criterion("uniform_area", below=False),
    "pixelated": Criterion("blockiness", below=False),
    "swapped_channels": Criterion("red_minus_blue", below=True),
    "dark_eyes": Criterion("eye_brightness", below=True),
    "upside_down": Criterion("upside_down", below=False),
    "corrupt_data": Criterion("corrupt_data", below=False),
    "colour_mode": Criterion("unusual_mode", below=False),
}


def judge(measures: Mapping[str, Any], quality: Quality) -> dict[str, str]:
    """What becomes of a photo with a face; a measure that could not be taken catches nothing.

    Returns
    -------
    dict
        status "ok", "flagged" or "excluded"; reason, the first rule that led to it ("" for ok); flags, all
        rules that caught the photo, parted by ";".
    """
    derived = {
        **measures,
        "photo_short_side": min(measures["width"], measures["height"]),
        "abs_yaw": abs(measures["yaw"]),
        "abs_roll": abs(measures["roll"]),
        "unusual_mode": measures["colour_mode"] != "",
    }
    rules, caught = dict(quality), []
    for name, criterion in CRITERIA.items():
        value, threshold = float(derived.get(criterion.measure, np.nan)), rules[name].threshold
        beyond = value < threshold if criterion.below else value > threshold
        if beyond and rules[name].action != "ignore":
            caught.append(name)
    caught.sort(key=lambda name: rules[name].action != "exclude")  # the order of criteria within both
    if not caught:
        return {"status": "ok", "reason": "", "flags": ""}
    status = "excluded" if rules[caught[0]].action == "exclude" else "flagged"
    return {"status": status, "reason": caught[0], "flags": ";".join(caught)}


def first_level(settings: FaceAge) -> int:
    """Where the detector's pyramid starts: fast detection leaves out faces that are excluded for their size."""
    from faceage_bio.faces.vision.detect import first_level_for  # it loads PyTorch

    return first_level_for(settings.quality.small_face.threshold) if settings.detection == "fast" else 0
