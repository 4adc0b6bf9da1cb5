"""Defects of a photo that the detector takes for a face: each rule flags its own and leaves a good photo alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.image_defects import CHANGES
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.faceage.photo import Tools, examine
from faceage_bio.faces.faceage.settings import settings_of
from faceage_bio.faces.vision.detect import Detector
from faceage_bio.faces.vision.photo_measures import blockiness, red_minus_blue, uniform_area

NEW = {
    "high_sharpness", "uniform_area", "pixelated", "swapped_channels", "dark_eyes", "upside_down", "corrupt_data", "colour_mode", "small_face_area",
}  # fmt: skip
HARMLESS = [change.name for change in CHANGES if not change.rule]
PARTLY = ("40 bytes overwritten by noise", "pencil filter", "surgical mask")  # found in most portraits
DEFECTS = [change.name for change in CHANGES if change.rule and change.name not in PARTLY]
RAMP = np.tile(np.linspace(60, 200, 160), (160, 1)) + np.linspace(0, 40, 160)[:, None]


@pytest.fixture(scope="module")
def tools() -> Tools:
    return Tools(Detector(), (), settings_of(FaceAge()))


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
