"""One process holds the networks, workers ask it: the same table as without, whatever goes wrong on the way. Here on the CPU."""

import os
import signal
import socket
import threading
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Pipe

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from faceage_bio.core.errors import RunError
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.faceage import owner, predict
from faceage_bio.faces.faceage.photo import Tools
from faceage_bio.faces.faceage.store import PhotoStore, engine_of
from faceage_bio.faces.vision.detect import Detector
from tests.model_files import CARDS, Brightness

pytestmark = pytest.mark.slow

SIZES = [(320, 400), (319, 400), (300, 380), (320, 301), (640, 800), (320, 400)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A photo of another size in each place, one of a single pixel, one that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for number, size in enumerate(SIZES):
        Image.fromarray(draw(imagine(30 + number, True, 300 + number))).resize(size).save(
            folder / f"{number}.png"
        )
    Image.new("RGB", (1, 1)).save(folder / "pixel.png")
    (folder / "text.png").write_text("no photo")
    return folder


PATHS = [*(f"{number}.png" for number in range(len(SIZES))), "pixel.png", "text.png", "gone.png"]


def run(folder, tools, **options):
    table = pd.DataFrame({
        "cohort": "c", "photo_id": PATHS, "subject_id": PATHS, "path": PATHS, "photo_date": None, "chronological_age": np.nan,
    })  # fmt: skip
    return predict.predict_face_ages(table, folder, lambda: tools, CARDS, tools.settings, **options)


@pytest.fixture(scope="module")
def tools(detector):
    return Tools(detector, (Brightness(),), FaceAge(quality={}, jitters=2))


@pytest.fixture(scope="module")
def alone(folder, tools):
    return run(folder, tools)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(predict, "PART_SIZE", 3)


@pytest.mark.parametrize("room", [2**20, 2**16, 2**28])  # a photo of 640 x 800 pixels has 1.5 million bytes
def test_the_owner_changes_nothing_however_little_memory_is_shared(folder, tools, alone, monkeypatch, room):
    monkeypatch.setattr(owner, "bytes_per_worker", lambda workers: room)
    done = []
    table = run(folder, tools, workers=2, one_owner=True, progress=done.append)
    pd.testing.assert_frame_equal(table, alone)
    assert (
        list(table.reason[-3:]) == ["no_face", "not_an_image", "missing_file"]
        or table.reason.iloc[-3] == "small_photo"
    )
    assert table.face_age.notna().sum() >= 5
    assert sum(done) == len(PATHS)


class DeadlyThreshold(float):
    """Ends the process that judges a photo whose shorter side is of 319 pixels, as the kernel does when memory runs out."""

    def __gt__(self, value):
        if value == 319:
            os.kill(os.getpid(), signal.SIGKILL)
        return False


def test_a_dead_worker_costs_one_photo(folder, tools, alone, tmp_path):
    rule = tools.settings.quality.small_photo.model_copy(update={"threshold": DeadlyThreshold()})
    quality = tools.settings.quality.model_copy(update={"small_photo": rule})
    deadly = tools.settings.model_copy(update={"quality": quality})
    store = partial(PhotoStore, tmp_path, engine_of(CARDS, deadly))
    table = run(folder, replace(tools, settings=deadly), workers=2, one_owner=True, store=store())
    assert table.reason[1] == "worker_died"
    others = [place for place in range(len(PATHS)) if place != 1]
    pd.testing.assert_frame_equal(table.iloc[others], alone.iloc[others])
    assert len(store().rows()) == len(PATHS) - 2  # neither what died nor what is not there


def test_memory_of_the_gpu_that_runs_out_halves_the_batch(folder, tools, alone):
    class Small(Brightness):
        def predict(self, crops):
            if len(crops) > 1:
                raise torch.cuda.OutOfMemoryError("too much")
            return super().predict(crops)

    class SmallDetector(Detector):
        def _faces(self, pixels):
            if len(pixels.images) > 1:
                raise torch.cuda.OutOfMemoryError("too much")
            return super()._faces(pixels)

    full = replace(tools, detector=SmallDetector(), models=(Small(),))
    pd.testing.assert_frame_equal(run(folder, full, workers=2, one_owner=True), alone)


def test_a_fault_of_the_driver_stops_the_step_with_its_text(folder, tools):
    class Broken(Detector):
        def detect(self, images):
            raise RuntimeError("CUDA error: device-side assert triggered\nmore")

    with pytest.raises(RunError, match=r"RuntimeError: CUDA error: device-side assert triggered\. Expected"):
        run(folder, replace(tools, detector=Broken()), workers=2, one_owner=True)


def test_a_worker_that_ends_while_it_connects_keeps_no_other_from_it(tools):
    crops = np.full((2, 160, 160, 3), 7, np.uint8)
    with owner.Owner(tools, 1) as one:
        with socket.socket(socket.AF_UNIX) as dying:
            dying.connect(one.address[0])
        np.testing.assert_array_equal(owner.connect(*one.address).models[0].predict(crops), [7, 7])


def test_an_owner_closes_where_no_process_waits_for_workers_any_more(tools):
    one = owner.Owner(tools, 1).__enter__()
    one._closing = True  # seen by who waits, once a worker has come and gone
    with socket.socket(socket.AF_UNIX) as last:
        last.connect(one.address[0])
    one._threads[0].join()
    closing = threading.Thread(target=one.__exit__, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()


def test_questions_that_come_meanwhile_are_answered_together_and_a_fault_is_told_to_the_one_at_fault():
    pipes = [Pipe() for _ in range(4)]
    arrays = [np.full((n, 2, 2, 3), n, np.uint8) for n in (3, 1, 2, 5)]
    seen = []

    def mean(crops):
        seen.append(len(crops))
        return crops.mean(axis=(1, 2, 3))

    class Tool:
        settings = FaceAge(batch_size=16)
        detector = Detector()
        models = (Brightness(),)

    of_many = owner._functions(replace_model(Tool, mean))["predict 0"]
    owner._answer([(end, [array]) for (_, end), array in zip(pipes, arrays, strict=True)], of_many)
    assert seen == [11]
    for (mine, _), array in zip(pipes, arrays, strict=True):
        np.testing.assert_array_equal(mine.recv()[0], np.full(len(array), array[0, 0, 0, 0]))

    def picky(pixels):
        if any(len(one) == 2 for one in pixels):
            raise RuntimeError("two")
        return [len(one) for one in pixels]

    owner._answer([(end, [array]) for (_, end), array in zip(pipes, arrays, strict=True)], picky)
    told = [mine.recv() for mine, _ in pipes]
    assert told[:2] + told[3:] == [[3], [1], [5]]
    assert str(told[2]) == "RuntimeError: two"


def replace_model(tool, predict):
    made = tool()
    model = Brightness()
    model.predict = predict
    made.models = (model,)
    return made


def test_shared_memory_leaves_half_of_what_there_is(monkeypatch):
    usage = type("Usage", (), {"free": 64 * 2**20})
    monkeypatch.setattr(owner.shutil, "disk_usage", lambda _: usage)
    assert owner.bytes_per_worker(4) == 8 * 2**20
    assert owner.bytes_per_worker(1000) == owner.LEAST_BYTES
