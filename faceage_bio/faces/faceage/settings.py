"""How photos become ages: everything that a result depends on besides photo and model, the rules for photos included.

The study excluded photos below 160 x 160 pixels, without a face, with several faces, with a face that is not
wholly in the frame, fills little of it, or cannot be made out for blur, light or colour. The rules from
low_confidence on flag what no study of faces foresaw: drawings, faxes, bars over the eyes, pixelation,
swapped colours, damaged files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from faceage_bio.core.errors import ConfigError
from faceage_bio.core.settings.settings_photos import FaceAge

Action = Literal["exclude", "flag", "ignore"]


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


@dataclass(frozen=True)
class Rule:
    """One criterion with its threshold and what happens to a photo that it catches."""

    name: str
    action: Action
    threshold: float

    def catches(self, measures: Mapping[str, Any]) -> bool:
        """Whether a photo with these measures is caught; one that could not be measured is not."""
        criterion = CRITERIA[self.name]
        value = float(measures.get(criterion.measure, np.nan))
        return value < self.threshold if criterion.below else value > self.threshold


def judge(measures: Mapping[str, Any], rules: tuple[Rule, ...]) -> dict[str, str]:
    """What becomes of a photo with a face.

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
    order = {name: place for place, name in enumerate(CRITERIA)}
    caught = sorted(
        (rule for rule in rules if rule.action != "ignore" and rule.catches(derived)),
        key=lambda rule: (rule.action != "exclude", order[rule.name]),
    )
    if not caught:
        return {"status": "ok", "reason": "", "flags": ""}
    return {
        "status": "excluded" if caught[0].action == "exclude" else "flagged",
        "reason": caught[0].name,
        "flags": ";".join(rule.name for rule in caught),
    }


@dataclass(frozen=True)
class Settings:
    """See the section ``faceage`` of the config for what each means; part of the key of stored results.

    Raises
    ------
    ConfigError
        Fast detection without a rule that excludes small faces: it would miss faces that are to be used.
    """

    detection: str
    min_probability: float
    face_choice: str
    box_mode: str
    resize: str
    precision: str
    jitters: int
    batch_size: int
    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if self.detection == "fast" and not self._smallest_face():
            raise ConfigError(
                "faceage.detection: fast skips faces below quality.small_face. Expected `action: exclude` there. "
                "Set it so, or use `detection: exact`."
            )

    @property
    def first_level(self) -> int:
        """Where the detector's pyramid starts."""
        from faceage_bio.faces.vision.detect import first_level_for  # it loads PyTorch

        return first_level_for(self._smallest_face()) if self.detection == "fast" else 0

    def _smallest_face(self) -> float:
        return next(
            (rule.threshold for rule in self.rules if rule.name == "small_face" and rule.action == "exclude"),
            0,
        )

    def stored(self) -> dict[str, str]:
        """What stands in every row of the result."""
        return {
            name: getattr(self, name)
            for name in ("detection", "face_choice", "box_mode", "resize", "precision")
        }


def settings_of(config: FaceAge) -> Settings:
    """The settings that a config's section asks for."""
    shared = {name: getattr(config, name) for name in Settings.__dataclass_fields__ if name != "rules"}
    return Settings(
        **shared, rules=tuple(Rule(name, rule.action, rule.threshold) for name, rule in config.quality)
    )
