"""The stress test: a planted sensitivity is measured exactly, lost faces are counted, and nothing of a photo is written."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from faceage_bio.analyses.fairness.image_degradation import summarise_cohorts, summarise_stress
from faceage_bio.core.errors import TableError
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.faceage import stress
from faceage_bio.faces.faceage.photo import Tools, add_ages, examine, examine_images
from faceage_bio.faces.faceage.stress import (
    CONDITIONS,
    N_STEPS,
    Box,
    gather_samples,
    photos_in,
    sample_photos,
    stress_one,
    stress_photos,
)
from faceage_bio.faces.vision.decode import decode_photo
from faceage_bio.faces.vision.detect import Detector, Face
from faceage_bio.faces.vision.face_input import crop_face
from tests.commands import output_of
from tests.conftest import add_mean_model
from tests.rows import told

FACE = Box(80, 60, 160, 160)
IMAGES = arrays(np.uint8, (12, 10, 3))
CUTS = [50.0, 60.0]


class Brightness:
    """A model whose answer is known: half the mean of the crop, which is an age."""

    def __init__(self):
        self.card = {}  # crops as for FaceAge

    def predict(self, crops):
        return crops.mean(axis=(1, 2, 3)).astype(np.float64) / 2


class SameBox:
    """A detector that finds the face where it is; in photos darker than ``darkest`` it finds none."""

    def __init__(self, darkest=0.0):
        self.darkest = darkest

    def detect(self, images):
        return [self._face(image) for image in images]

    def _face(self, image):
        if image.mean() < self.darkest:
            return []
        box = (int(FACE.x), int(FACE.y), int(FACE.width), int(FACE.height))
        eyes = ((120.0, 120.0), (200.0, 120.0), (160.0, 150.0), (130.0, 190.0), (190.0, 190.0))
        return [Face(*box, probability=1.0, landmarks=eyes, unclipped_box=box)]

    def log_odds(self, crops):
        return np.zeros(len(crops))


def chosen(**changes):
    return FaceAge(quality={}, **changes)


def tools(detector=None):
    return Tools(detector or SameBox(), (Brightness(),), chosen())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stress")
    for number in range(4):
        picture = draw(imagine(35 + 10 * number, number % 2 == 0, 400 + number))
        Image.fromarray(picture).save(folder / f"secret_{number}.png")
    Image.fromarray(np.full((300, 300, 3), 128, np.uint8)).save(folder / "blank.png")
    return folder


def test_darkening_of_a_model_that_sees_only_brightness_is_measured_exactly(folder):
    path = folder / "secret_0.png"
    image = decode_photo(path).image
    rows = pd.DataFrame(stress_one(path, tools()))
    box = (80, 60, 160, 160)  # as wide as the network's input, so that nothing is scaled
    before = crop_face(image, box).mean() / 2
    assert rows.before.to_numpy() == pytest.approx(before)
    for row in rows[rows.condition == "light"].itertuples():
        exact = crop_face(stress.expose(image, row.step, FACE), box).mean() / 2 - before
        assert row.change == pytest.approx(exact, abs=1e-9)
    light = rows[rows.condition == "light"].set_index("step").change
    assert light[-3] < light[-2] < light[-1] < 0 < light[1]


def test_each_step_of_each_condition_is_there_once(folder):
    rows = pd.DataFrame(stress_one(folder / "secret_1.png", tools()))
    assert len(rows) == N_STEPS
    assert list(dict.fromkeys(rows.condition)) == [condition.name for condition in CONDITIONS]
    assert not rows.duplicated(["condition", "step"]).any()


def test_a_lost_face_and_a_broken_rule_are_told_apart(folder):
    image = decode_photo(folder / "secret_2.png").image
    rows = pd.DataFrame(stress_one(folder / "secret_2.png", tools(SameBox(darkest=image.mean() * 0.5))))
    lost = rows.set_index(["condition", "step"]).lost
    assert lost["light", -3.0] == "no_face"
    assert lost["light", 1.0] == ""
    assert lost["scale", 25.0] == "face_outside_frame"  # this detector knows only one place
    assert rows.change.isna().equals(rows.lost != "")


def test_a_photo_without_an_age_as_it_is_has_one_row(folder):
    detector = Detector()
    assert stress_one(folder / "blank.png", tools(detector)) == [{"lost": "no_face"}]
    assert stress_one(folder / "gone.png", tools(detector)) == [{"lost": "missing_file"}]
    assert stress_one(None, tools(detector)) == [{"lost": "outside_folder"}]


def test_only_the_first_model_is_asked_and_no_jitter_made(folder):
    many = replace(tools(), models=(Brightness(), None), settings=chosen(jitters=5))
    assert len(stress_one(folder / "secret_0.png", many)) == N_STEPS


def test_a_decoded_image_is_examined_as_its_file_is(folder):
    path, real = folder / "secret_3.png", tools(Detector())
    from_file, from_memory = examine([path], real)[0], examine_images([decode_photo(path)], real)[0]
    add_ages([from_file, from_memory], real)
    assert from_file.row == from_memory.row


def changes_of(folder, columns=None, workers=1):
    table = sample_photos(photos_in(folder), 10).assign(folder=str(folder), cohort="c", **(columns or {}))
    return stress_photos(table, partial(Tools, SameBox(), (Brightness(),), chosen()), workers=workers)


def test_names_and_paths_end_with_the_stress_test(folder):
    changes = changes_of(folder)
    assert {"path", "photo_id", "folder", "subject_id"}.isdisjoint(changes.columns)
    text = changes.to_csv() + summarise_cohorts(changes, ["sex"], CUTS, 30).to_csv()
    assert "secret" not in text
    assert str(folder) not in text


@pytest.mark.slow
def test_several_workers_give_what_one_gives(folder):
    pd.testing.assert_frame_equal(changes_of(folder), changes_of(folder, workers=2))


def test_the_sample_is_the_same_in_any_order_and_one_per_subject():
    table = pd.DataFrame(
        {
            "path": [f"p{k}" for k in range(40)],
            "photo_id": range(40),
            "subject_id": [k // 2 for k in range(40)],
        }
    )
    one, other = sample_photos(table, 8), sample_photos(table.sample(frac=1, random_state=3), 8)
    pd.testing.assert_frame_equal(one, other)
    assert one.subject_id.is_unique
    aged = pd.DataFrame({"photo_id": range(40), "face_age": [np.nan if k < 30 else 50.0 for k in range(40)]})
    assert set(sample_photos(table, 99, aged).photo_id) == {30, 32, 34, 36, 38}
    message = r"the photo table has no column 'path'; found photo_id.*Expected what check-cohort writes"
    with pytest.raises(TableError, match=message):
        sample_photos(table.drop(columns="path"), 3)


def test_groups_come_from_the_table_of_participants(folder):
    photos = photos_in(folder).assign(subject_id=["a", "b", "c", "d", "e"])
    people = pd.DataFrame(
        {"subject_id": ["a", "b"], "sex": ["male", "female"], "chronological_age": [50.0, 60.0], "name": "x"}
    )
    sample = gather_samples([folder], [photos], [], [people], 9, ["sex"])
    assert list(sample.sex.fillna("")) == ["male", "female", "", "", ""]
    assert "name" not in sample
    message = r"the photo table needs the column subject_id, which joins photos and participants. Add it"
    with pytest.raises(TableError, match=message):
        gather_samples([folder], [photos_in(folder)], [], [people], 9, ["sex"])
    message = r"no photo to age again in .*Expected at least one that gave a face age. Give"
    with pytest.raises(TableError, match=message):
        gather_samples([folder], [photos.iloc[:0]], [], [], 9, [])
    with pytest.raises(TableError, match=r"gone: no such folder. Expected that of the photos. Give"):
        photos_in(folder / "gone")


def planted(n=200, effect=0.0, seed=1):
    """Changes under one step: ``effect`` years more in men, who are older."""
    random = np.random.default_rng(seed)
    sex = random.choice(["female", "male"], n)
    age = random.uniform(40, 80, n) + 5 * (sex == "male")
    change = -2 + 0.1 * (age - 60) + effect * (sex == "male") + random.normal(0, 2, n)
    return pd.DataFrame({
        "cohort": "c", "sex": sex, "chronological_age": age, "photo": range(n), "condition": "light", "unit": "stops", "step": -1.0,
        "before": 60.0, "change": change, "lost": "",
    })  # fmt: skip


def difference(changes):
    table = summarise_stress(changes, ["sex"], CUTS, 30)
    rows = table[(table.factor == "sex") & (table.question == "stress differences")]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.slow
def test_a_group_that_moves_further_is_found_at_the_same_age():
    row = difference(planted(n=1500, effect=3.0))
    assert row.ci_lower < 3 < row.ci_upper
    assert row.raw_estimate > row.estimate + 0.3  # men are older, and older faces move more
    p_values = [difference(planted(n=120, seed=seed)).p_value for seed in range(100)]
    assert 0.005 <= np.mean(np.array(p_values) < 0.05) <= 0.12


def test_lost_photos_are_counted_and_leave_the_mean():
    changes = planted(n=100)
    changes.loc[:19, ["change", "lost"]] = [np.nan, "no_face"]
    changes.loc[20:29, ["change", "lost"]] = [np.nan, "blurred"]
    table = summarise_stress(changes, [], CUTS, 30)
    rows = table[(table.factor == "all") & (table.condition == "light")].set_index(["measure", "outcome"])
    assert rows.loc[("share", "face lost"), "estimate"] == 0.2
    assert rows.loc[("share", "excluded by the quality rules"), "n_events"] == 10
    rows = rows.droplevel("outcome")
    assert rows.loc["mean change", "n"] == 70
    assert rows.loc["mean change", "estimate"] == pytest.approx(changes.change.mean())


def test_all_faces_lost_and_all_photos_unusable():
    changes = planted(n=40).assign(change=np.nan, lost="no_face")
    table = summarise_stress(changes, ["sex"], CUTS, 30)
    mean = table[table.measure == "mean change"]
    assert mean.estimate.isna().all()
    assert told(mean).str.contains("not estimated, because").all()
    unusable = planted(n=3).assign(condition=np.nan, unit=np.nan, step=np.nan, change=np.nan, lost="no_face")
    table = summarise_stress(unusable, ["sex"], CUTS, 30)
    assert list(table.n_events) == [3]


def test_several_cohorts_are_pooled_too():
    changes = pd.concat([planted(50), planted(50, seed=2).assign(cohort="d", photo=range(50, 100))])
    table = summarise_cohorts(changes, ["sex"], CUTS, 30)
    assert list(dict.fromkeys(table.cohort)) == ["c", "d", "pooled"]
    pooled = table[(table.cohort == "pooled") & (table.factor == "all") & (table.measure == "mean change")]
    assert pooled.n.to_list() == [100]


@given(IMAGES)
def test_strength_zero_changes_nothing(image):
    for change, nothing in (
        (stress.expose, 0), (stress.blur, 0), (stress.shrink, 100), (stress.remove_colour, 0),
        (stress.add_noise, 0), (stress.rotate, 0),
    ):  # fmt: skip
        np.testing.assert_array_equal(change(image, nothing, Box(2, 2, 6, 6)), image)


@given(IMAGES, st.floats(0.1, 4))
def test_less_light_is_darker_everywhere_and_more_is_brighter(image, stops):
    assert (stress.expose(image, -stops, FACE) <= image).all()
    assert (stress.expose(image, stops, FACE) >= image).all()


@given(IMAGES)
def test_changed_photos_are_photos(image):
    for condition in CONDITIONS:
        for step in condition.steps:
            changed = condition.change(image, step, Box(2, 2, 6, 6))
            assert changed.dtype == np.uint8
            assert changed.ndim == 3
            assert changed.shape[2] == 3
            if condition.name != "scale":
                assert changed.shape == image.shape


def test_a_stop_is_a_doubling_of_light_in_linear_srgb():
    # sRGB (IEC 61966-2-1): 188 of 255 is half the light of 255
    white = np.full((2, 2, 3), 255, np.uint8)
    assert stress.expose(white, -1, FACE)[0, 0, 0] == 188


def test_blur_goes_with_the_size_of_the_face():
    image = draw(imagine(50, True, 3))
    twice = np.asarray(Image.fromarray(image).resize((640, 800), Image.Resampling.BICUBIC))
    small, large = (stress.blur(image, 3, Box(0, 0, 160, 160)), stress.blur(twice, 3, Box(0, 0, 320, 320)))
    back = np.asarray(Image.fromarray(large).resize((320, 400), Image.Resampling.BICUBIC))
    assert np.abs(back.astype(int) - small).mean() < 1


def test_grey_has_no_colour_and_noise_the_asked_spread():
    image = np.full((60, 60, 3), 128, np.uint8)
    assert (stress.remove_colour(draw(imagine(50, True, 3)), 1, FACE).std(axis=2) == 0).all()
    assert stress.add_noise(image, 10, FACE).std() == pytest.approx(10, rel=0.05)


def test_the_command_works_on_a_plain_folder(folder, tmp_path):
    add_mean_model(tmp_path / "model")
    output_of(
        f"stress-photos --photo-folder {folder} --model {tmp_path / 'model'} --workers 1 "
        f"--set fairness.stress_photos=3 --output {tmp_path}"
    )
    table = pd.read_csv(tmp_path / "stress.tsv", sep="\t")
    light = table[(table.condition == "light") & (table.factor == "all") & (table.measure == "mean change")]
    assert len(light) == 4
    assert light.estimate.is_monotonic_increasing
