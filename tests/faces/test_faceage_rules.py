"""Quality rules and settings: which photo is excluded or flagged, and by which criterion."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.image_defects import CHANGES
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import ConfigError
from faceage_bio.core.settings.settings_photos import FaceAge, Quality
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.faceage.photo import Tools, examine
from faceage_bio.faces.faceage.photo_rules import CRITERIA, first_level, judge
from faceage_bio.faces.vision.detect import first_level_for
from faceage_bio.faces.vision.photo_measures import blockiness, red_minus_blue, uniform_area

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


def rules(**actions) -> Quality:
    """The default rules, some with another action."""
    return Quality(
        **{
            name: rule.model_copy(update={"action": actions.get(name, rule.action)})
            for name, rule in Quality()
        }
    )


def test_a_good_photo_passes_every_rule():
    assert judge(FINE, rules(**dict.fromkeys(CRITERIA, "exclude"))) == {
        "status": "ok",
        "reason": "",
        "flags": "",
    }


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
    assert first_level(FaceAge(detection="fast")) == first_level_for(60) > 0
    assert first_level(FaceAge()) == 0
    flagged = {"detection": "fast", "quality": {"small_face": {"action": "flag", "threshold": 60}}}
    message = r"faceage\.detection: fast skips faces below quality.small_face, which therefore must have `action: exclude`; or use `detection: exact`"
    with pytest.raises(ConfigError, match=message):
        check_config({"faceage": flagged}, study=False)


# Defects of a photo that the detector takes for a face: each rule flags its own and leaves a good photo alone.


NEW = {
    "high_sharpness", "uniform_area", "pixelated", "swapped_channels", "dark_eyes", "upside_down", "corrupt_data", "colour_mode", "small_face_area",
}  # fmt: skip
HARMLESS = [change.name for change in CHANGES if not change.rule]
PARTLY = ("40 bytes overwritten by noise", "pencil filter", "surgical mask")  # found in most portraits
DEFECTS = [change.name for change in CHANGES if change.rule and change.name not in PARTLY]
RAMP = np.tile(np.linspace(60, 200, 160), (160, 1)) + np.linspace(0, 40, 160)[:, None]


@pytest.fixture(scope="module")
def tools(detector) -> Tools:
    return Tools(detector, (), FaceAge())


@pytest.fixture(scope="module")
def portraits(tools) -> list[tuple]:
    """Faces drawn by code, and where they are."""
    pictures = [draw(imagine(age, male, seed)) for age, male, seed in ((45, False, 2), (70, True, 3))]
    return [(picture, tools.detector.detect([picture])[0][0]) for picture in pictures]


def flags_of(name: str, portraits: list[tuple], tools: Tools, folder: Path) -> list[set[str]]:
    """Flags of the portraits changed so; None for one in which no face was found."""
    change = next(one for one in CHANGES if one.name == name)
    found = []
    for seed, (picture, face) in enumerate(portraits):
        path = folder / "photo"
        path.write_bytes(change.file(picture, face, seed))
        row = examine([path], tools)[0].row
        if row["status"] != "excluded":
            found.append(set(row["flags"].split(";")))
    return found


@pytest.mark.parametrize("name", HARMLESS)
def test_a_good_photo_is_not_flagged(name, portraits, tools, tmp_path):
    found = flags_of(name, portraits, tools, tmp_path)
    assert found
    assert not set().union(*found) & NEW


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_flagged_by_its_rule_or_leaves_no_face(name, portraits, tools, tmp_path):
    rule = next(change.rule for change in CHANGES if change.name == name)
    assert all(rule in flags for flags in flags_of(name, portraits, tools, tmp_path))


def test_an_excluded_face_is_not_needed_for_a_flag(portraits, tools, tmp_path):
    """Of the changes that drawn faces survive, each has at least one face that was flagged."""
    flagged = [name for name in DEFECTS if flags_of(name, portraits, tools, tmp_path)]
    assert set(DEFECTS) - set(flagged) <= {"upside down", "pixelated, 8 blocks a face"}


def test_measures_of_plain_pictures():
    ramp = np.repeat(RAMP[:, :, None], 3, axis=2).astype(np.uint8)
    assert uniform_area(ramp) == 0
    covered = ramp.copy()
    covered[80:] = 128
    # rows 40 to 144 are looked at; a window of 8 rows lies wholly in the lower half from row 84 on
    assert uniform_area(covered) == pytest.approx(60 / 104, abs=0.01)
    squares = np.asarray(Image.fromarray(ramp).resize((16, 16)).resize((160, 160), Image.Resampling.NEAREST))
    assert blockiness(squares) == pytest.approx(1)
    assert blockiness(ramp) < 0.3
    skin = np.full((160, 160, 3), (190, 140, 110), np.uint8)
    assert (red_minus_blue(skin), red_minus_blue(skin[:, :, ::-1])) == (80, -80)
