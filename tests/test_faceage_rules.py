"""Quality rules and settings: which photo is excluded or flagged, and by which criterion."""

import numpy as np
import pytest

from faceage_bio.core.errors import ConfigError
from faceage_bio.core.settings.settings_photos import FaceAge, Quality
from faceage_bio.faces.faceage.settings import CRITERIA, Rule, judge, settings_of
from faceage_bio.faces.vision.detect import first_level_for

FINE = {
    "width": 640, "height": 800, "face_short_side": 300, "n_faces": 1, "outside_share": 0.0, "face_share": 0.4,
    "yaw": 3.0, "roll": -2.0, "brightness": 120.0, "contrast": 50.0, "sharpness": 200.0, "greyscale": False,
    "probability": 0.9999, "uniform_area": 0.0, "blockiness": 0.05, "red_minus_blue": 60.0, "eye_brightness": 0.85, "upside_down": -6.0, "corrupt_data": False,
    "colour_mode": "",
}  # fmt: skip
CAUGHT = {
    "small_photo": {"height": 100},
    "small_face": {"face_short_side": 40},
    "multiple_faces": {"n_faces": 2},
    "face_outside_frame": {"outside_share": 0.2},
    "small_face_area": {"face_share": 0.01},
    "large_yaw": {"yaw": -50.0},
    "large_roll": {"roll": 45.0},
    "dark": {"brightness": 20.0},
    "bright": {"brightness": 240.0},
    "low_contrast": {"contrast": 5.0},
    "blurred": {"sharpness": 4.0},
    "greyscale": {"greyscale": True},
    "low_confidence": {"probability": 0.97},
    "high_sharpness": {"sharpness": 4000.0},
    "uniform_area": {"uniform_area": 0.05},
    "pixelated": {"blockiness": 0.5},
    "swapped_channels": {"red_minus_blue": -70.0},
    "dark_eyes": {"eye_brightness": 0.2},
    "upside_down": {"upside_down": 8.0},
    "corrupt_data": {"corrupt_data": True},
    "colour_mode": {"colour_mode": "palette"},
}


def rules(**actions):
    """The default rules, some with another action."""
    return tuple(Rule(name, actions.get(name, rule.action), rule.threshold) for name, rule in Quality())


def test_a_good_photo_passes_every_rule():
    strict = tuple(Rule(name, "exclude", rule.threshold) for name, rule in Quality())
    assert judge(FINE, strict) == {"status": "ok", "reason": "", "flags": ""}


def test_the_config_has_every_criterion_and_each_is_tried_here():
    assert list(CRITERIA) == list(Quality.model_fields)
    assert set(CAUGHT) == set(CRITERIA)


@pytest.mark.parametrize("name", CRITERIA)
def test_each_criterion_catches_what_it_names_and_obeys_its_action(name):
    photo = FINE | CAUGHT[name]
    off = dict.fromkeys(CRITERIA, "ignore")
    assert judge(photo, rules(**off | {name: "exclude"})) == {
        "status": "excluded", "reason": name, "flags": name}  # fmt: skip
    assert judge(photo, rules(**off | {name: "flag"})) == {"status": "flagged", "reason": name, "flags": name}
    assert judge(photo, rules(**off))["status"] == "ok"


def test_a_reason_to_exclude_stands_before_a_reason_to_flag():
    photo = FINE | CAUGHT["multiple_faces"] | CAUGHT["blurred"]
    found = judge(photo, rules(multiple_faces="flag", blurred="exclude"))
    assert found == {"status": "excluded", "reason": "blurred", "flags": "blurred;multiple_faces"}


def test_what_could_not_be_measured_is_not_held_against_a_photo():
    every = dict.fromkeys(CRITERIA, "exclude")
    assert judge(FINE | {"yaw": np.nan, "roll": np.nan}, rules(**every))["status"] == "ok"


def test_fast_detection_starts_below_the_smallest_face_and_needs_to_know_it():
    fast = settings_of(FaceAge(detection="fast"))
    assert fast.first_level == first_level_for(60) > 0
    assert settings_of(FaceAge()).first_level == 0
    message = r"fast skips faces below quality.small_face. Expected `action: exclude`"
    with pytest.raises(ConfigError, match=message):
        settings_of(FaceAge(detection="fast", quality={"small_face": {"action": "flag", "threshold": 60}}))
