"""Whether a study will run on this computer, and how long it may take."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from faceage_bio.core import machine
from faceage_bio.core.errors import RunError
from faceage_bio.core.machine import Computer, Size
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.demo.simulated_cohorts import draw_noise
from faceage_bio.faces.faceage import predict

GOOD = Computer(cores=8, memory_gb=32, disk_free_gb=500)
STUDY = {"photos": 2000, "table_bytes": 10**8}
RUN = {"device": "auto", "detection": "exact", "jitters": 0, "megapixels": 5.0}


def state(computer, what, **changes):
    size = Size(**STUDY | {name: value for name, value in changes.items() if name in Size.__annotations__})
    run = RUN | {name: value for name, value in changes.items() if name not in Size.__annotations__}
    (found,) = (answer for answer in machine.answers(computer, size, **run) if answer.what == what)
    return found


def test_a_good_computer_without_a_gpu_will_do():
    answers = machine.answers(GOOD, Size(**STUDY), **RUN)
    assert [answer.state for answer in answers] == ["look", "ok", "ok", "ok", "ok"]
    assert all(answer.advice for answer in answers if answer.state != "ok")


H100 = {"gpu": "NVIDIA H100"}
TIME, COUNTS = "Expected time", {"photos": 0, "counts": [(60_000, 551)]}
MEASURED = "about 1.1 hours: 2,000 photos of about 5.0 million pixels, 0.5 photos a second on NVIDIA H100"
NO_RATE = "No rate of a GPU was measured. To measure it here: faceage-bio check --time-photos 32."
STRESSED = "2,000 photos of about 5.0 million pixels (50 of them 20 times for the stress test)"


@pytest.mark.parametrize(
    ("computer", "changes", "what", "expected", "said"),
    [
        (H100 | {"gpu_memory_gb": 78}, {}, "GPU", "ok", "NVIDIA H100, 78 GB"),
        ({}, {"device": "cuda"}, "GPU", "missing", "set it to auto or cpu"),
        ({}, {"device": "cpu"}, "GPU", "ok", "none is asked for"),
        ({}, {"device": "cuda", "photos": 0}, "GPU", "ok", "none"),
        ({"memory_gb": 5}, {}, "Memory", "look", "fewer cores"),
        ({"memory_gb": 2}, {}, "Memory", "missing", "At least 3.2 GB"),
        ({}, {"photos": 3}, TIME, "ok", "about 2 minutes on 8 core(s): 3 photos"),
        ({}, COUNTS, TIME, "ok", "no photos, 33,060,000 counts of genes"),
        ({"memory_gb": 8}, COUNTS, "Memory", "missing", "8.0 GB free, 9.4 GB wanted"),
        ({}, {"stressed": 50}, TIME, "ok", STRESSED),
        ({"disk_free_gb": 0.1}, {}, "Disk", "missing", "results_dir"),
        ({"disk_free_gb": 1.0}, {}, "Disk", "look", "1.0 GB free"),
        ({"slurm": True}, {}, "SLURM", "look", "pip install"),
        ({"slurm": True, "slurm_plugin": True}, {}, "SLURM", "ok", "profiles/slurm"),
        ({}, {"photos": 10**7}, TIME, "look", "estimate"),
        ({}, {"photos": 0}, TIME, "ok", "no photos"),
        ({}, {}, TIME, "ok", "on 8 core(s): 2,000 photos"),
        (H100, {}, TIME, "ok", "on 8 core(s) without the GPU: 2,000 photos"),
        (H100, {}, TIME, "ok", NO_RATE),
        (H100, {"device": "cpu"}, TIME, "ok", "measured on another computer"),
        (H100, {"photos_per_second": 0.5}, TIME, "ok", MEASURED),
        (
            H100,
            {"device": "cpu", "photos_per_second": 0.5},
            TIME,
            "ok",
            "0.5 photos a second on the processor",
        ),
        ({}, {"photos_per_second": 0.01}, TIME, "look", "about 55.6 hours"),
    ],
)
def test_what_is_missing_is_told_with_advice(computer, changes, what, expected, said):
    answer = state(Computer(**GOOD.__dict__ | computer), what, **changes)
    assert answer.state == expected
    assert said in f"{answer.found} {answer.advice}"


def hours(n, *more, **options):
    return machine.hours_of_photos(Size(photos=n), *more, **options)


@pytest.mark.parametrize(
    ("megapixels", "detection", "per_second"),
    [(0.5, "exact", 21.81), (5.0, "exact", 5.53), (5.0, "fast", 11.03)],
)
def test_hours_follow_the_measured_rates(megapixels, detection, per_second):
    # benchmarks/results.md: photos/s of 640 pixels and of 2,000 on 2 cores; an estimate, to a third
    assert pytest.approx(hours(3600, megapixels, detection, 2), rel=0.34) == 1 / per_second


def test_more_than_8_cores_save_no_hours_and_jittered_crops_cost_some():
    assert hours(100, 1, "exact", 64) == hours(100, 1, "exact", 8)
    assert hours(100, 1, "exact", 1, jitters=8) > hours(100, 1, "exact", 1)


def test_time_and_memory_follow_the_size_of_the_study():
    small, large = Size(photos=3), Size(counts=[(60_000, 551)], cohorts=2)
    assert machine.hours_of_statistics(large, 1) > 2 * machine.hours_of_statistics(small, 1)
    assert machine.hours_of_statistics(Size(full=True), 1) > machine.hours_of_statistics(Size(), 1)
    assert machine.memory_needed_gb(large, 0) > 2 * machine.memory_needed_gb(small, 1)
    stressed = machine.hours_of_photos(Size(photos=100, stressed=50), 1, "exact", 1)
    assert stressed == pytest.approx(hours(1100, 1, "exact", 1))


def test_the_size_of_photos_is_read_from_some_of_them(tmp_path):
    for k in range(5):
        Image.new("RGB", (1000, 2000)).save(tmp_path / f"{k}.png")
    (tmp_path / "text.png").write_text("no photo")
    assert machine.usual_megapixels(sorted(tmp_path.iterdir())) == 2.0
    assert np.isnan(machine.usual_megapixels([]))


def test_this_computer_can_be_looked_at(tmp_path):
    found = machine.look(tmp_path / "not" / "there" / "yet")
    assert found.cores >= 1
    assert found.memory_gb > 0
    assert found.disk_free_gb > 0


def test_pytorch_is_not_loaded_where_no_gpu_is_of_use(tmp_path):
    code = "import sys; from pathlib import Path; from faceage_bio.core import machine; machine.look(Path('.'), gpu=False); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def timed(folder, device="cpu", n=2, workers=1, megapixels=0.05, **faceage):
    paths = draw_noise(folder, n, megapixels)
    return predict.photos_per_second(paths, device, FaceAge(**faceage), workers)


def test_noise_is_of_the_size_asked_for(tmp_path):
    paths = draw_noise(tmp_path, 3, 0.5)
    assert len(set(paths)) == 3
    assert machine.usual_megapixels(paths) == pytest.approx(0.5, rel=0.01)


def test_photos_and_their_jittered_crops_are_timed(tmp_path):
    assert timed(tmp_path) > 0
    assert timed(tmp_path, jitters=2) > 0


def test_processes_are_timed_while_all_of_them_work(tmp_path, monkeypatch):
    seen = []

    class Pool:
        def __enter__(self):
            return self

        def __exit__(self, *gone):
            pass

        def map(self, function, paths, barriers):
            pickle.dumps(function)
            seen.append((len(paths), {barrier.parties for barrier in barriers}))
            return [0.5, 1.0]

    monkeypatch.setattr(predict, "pool", lambda workers, make, one_owner: Pool())
    assert timed(tmp_path, n=4, workers=2) == 4 / 0.5 + 4 / 1.0
    assert seen == [(2, {2})]


@pytest.mark.slow
def test_two_processes_give_a_rate_and_end(tmp_path):
    assert timed(tmp_path, workers=2) > 0


def end_at_once(device, settings):
    import os

    os._exit(1)


def test_a_process_that_is_ended_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "random_tools", end_at_once)
    with pytest.raises(RunError, match="--time-photos: one of 2 processes was ended"):
        timed(tmp_path, workers=2)


@pytest.mark.gpu
def test_a_gpu_is_timed_and_faster_than_one_core(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    on_gpu = timed(tmp_path, "cuda", n=16, workers=2, megapixels=2.0)
    assert on_gpu > timed(tmp_path, "cpu", n=4, megapixels=2.0)
