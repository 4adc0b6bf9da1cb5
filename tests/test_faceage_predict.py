"""Inference: every photo an age or a reason, nothing lost, finished parts used again."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.errors import CohortError, RunError
from faceage_bio.faceage.given import read_face_ages
from faceage_bio.faceage.ledger import ledger_of
from faceage_bio.faceage.predict import (
    Settings,
    choose_device,
    predict_face_ages,
    predict_in_batches,
)  # fmt: skip
from faceage_bio.vision.detect import Detector


class Brightness:
    """A model whose answer is known: the mean of the crop."""

    card = {"name": "brightness", "sha256": "0" * 64}  # noqa: RUF012

    def __init__(self):
        self.batches = []

    def predict(self, crops):
        self.batches.append(len(crops))
        return crops.mean(axis=(1, 2, 3)).astype(np.float64)


@pytest.fixture(scope="module")
def detector():
    return Detector()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two good photos, and one of each kind of trouble."""
    folder = tmp_path_factory.mktemp("photos")
    one, two = (draw(imagine(age, True, 700 + age)) for age in (40, 70))
    Image.fromarray(one).save(folder / "good one.jpg")
    Image.fromarray(two).save(folder / "gut.zwei.ü.png")
    Image.fromarray(np.full((300, 300, 3), 128, np.uint8)).save(folder / "blank.jpg")
    Image.fromarray(np.concatenate([one, two], axis=1)).save(folder / "both.jpg")
    Image.fromarray(one).resize((64, 80)).save(folder / "small.png")
    (folder / "text.jpg").write_text("no photo")
    return folder


PATHS = [
    "good one.jpg",
    "text.jpg",
    "blank.jpg",
    "gut.zwei.ü.png",
    "both.jpg",
    "small.png",
    "../outside.jpg",
    "gone.jpg",
]
REASONS = ["", "unreadable", "no_face", "", "several_faces", "small_face", "outside_folder", "unreadable"]


def photos(paths=PATHS):
    return pd.DataFrame({
        "cohort": "c", "photo_id": [f"p{n}" for n in range(len(paths))], "subject_id": [f"s{n}" for n in range(len(paths))],
        "path": paths, "photo_date": None, "chronological_age": np.nan,
    })  # fmt: skip


def test_every_photo_gets_an_age_or_a_reason(folder, detector):
    table = predict_face_ages(photos(), folder, Brightness(), detector, Settings())
    assert list(table.reason) == REASONS
    has_age = table.status != "excluded"
    assert table.face_age.notna().equals(has_age)
    assert list(table.photo_id) == [f"p{n}" for n in range(len(PATHS))]
    assert table.n_faces[4] == 2
    assert set(ledger_of(table).status) == {"included", "flagged", "excluded"}


def test_an_age_belongs_to_its_photo_whatever_the_batch(folder, detector):
    one = predict_face_ages(photos(), folder, Brightness(), detector, Settings(batch_size=1))
    many = predict_face_ages(photos(), folder, Brightness(), detector, Settings(batch_size=32))
    pd.testing.assert_frame_equal(one, many)
    mirrored = predict_face_ages(photos(PATHS[::-1]), folder, Brightness(), detector, Settings())
    np.testing.assert_allclose(mirrored.face_age.to_numpy()[::-1], one.face_age, equal_nan=True)


def test_thresholds_decide(folder, detector):
    table = predict_face_ages(
        photos(PATHS[:1]), folder, Brightness(), detector, Settings(min_face_pixels=1000)
    )
    assert list(table.reason) == ["small_face"]
    table = predict_face_ages(
        photos(PATHS[:1]), folder, Brightness(), detector, Settings(min_probability=1.0)
    )
    assert list(table.reason) == ["low_probability"]


def test_an_interrupted_run_does_only_what_is_left(folder, detector, tmp_path, monkeypatch):
    monkeypatch.setattr("faceage_bio.faceage.predict.PART_SIZE", 3)
    whole = predict_face_ages(photos(), folder, Brightness(), detector, Settings())

    class Stops(Brightness):
        def predict(self, crops):
            if self.batches:
                raise KeyboardInterrupt
            return super().predict(crops)

    with pytest.raises(KeyboardInterrupt):
        predict_face_ages(photos(), folder, Stops(), detector, Settings(), tmp_path / "parts")
    assert [item.stat().st_mode & 0o777 for item in (tmp_path / "parts").iterdir()] == [0o600]
    model = Brightness()
    resumed = predict_face_ages(photos(), folder, model, detector, Settings(), tmp_path / "parts")
    pd.testing.assert_frame_equal(resumed, whole)
    assert sum(model.batches) == 2  # the first part's photo was not aged again


def test_parts_of_other_settings_are_not_used(folder, detector, tmp_path):
    predict_face_ages(photos(), folder, Brightness(), detector, Settings(), tmp_path)
    table = predict_face_ages(
        photos(), folder, Brightness(), detector, Settings(min_face_pixels=1000), tmp_path
    )
    assert table.face_age.isna().all()


def test_out_of_memory_halves_the_batch():
    class Small(Brightness):
        def predict(self, crops):
            if len(crops) > 3:
                raise torch.cuda.OutOfMemoryError("too much")
            return super().predict(crops)

    crops = np.random.default_rng(1).integers(0, 255, (11, 160, 160, 3), np.uint8)
    np.testing.assert_allclose(predict_in_batches(Small(), crops, 8), crops.mean(axis=(1, 2, 3)))


def test_no_photos_give_an_empty_table(folder, detector):
    table = predict_face_ages(photos([]), folder, Brightness(), detector, Settings())
    assert len(table) == 0
    assert "face_age" in table


def test_cuda_is_not_pretended(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(RunError, match="finds no CUDA device"):
        choose_device("cuda")


def test_given_face_ages(tmp_path):
    path = tmp_path / "ages.csv"
    path.write_text("subject_id,face_age\n007,61.5\nb,\n")
    table = read_face_ages(path, "c")
    assert list(table.subject_id) == ["007", "b"]
    assert list(table.reason) == ["given", "no_value"]
    assert table.face_age[0] == 61.5


def test_wrong_given_face_ages_are_told_together(tmp_path):
    path = tmp_path / "ages.csv"
    path.write_text("subject_id,face_age\na,61y\na,62\n,63\nb,200\n")
    with pytest.raises(CohortError) as error:
        read_face_ages(path, "c")
    for part in (
        "3 problem(s)",
        "line 2: '61y'",
        "line 5: '200'",
        "line 4",
        "stands more than once: line 2: 'a'; line 3: 'a'",
    ):
        assert part in str(error.value)


@pytest.mark.gpu
def test_gpu_equals_cpu(folder, tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from faceage_bio.vision.models import load_model
    from faceage_bio.vision.weights import import_weights
    from tests.golden.keras import recipe

    import_weights(recipe.write_h5(tmp_path / "faceage.h5"), tmp_path / "model")
    ages = [
        predict_face_ages(
            photos(), folder, load_model(tmp_path / "model", device), Detector(device), Settings()
        ).face_age
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(ages[0], ages[1], atol=0.01, equal_nan=True)
