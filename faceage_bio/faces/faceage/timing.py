"""How many photos a second this computer ages: the whole way timed on a few photos, with a network of random weights.

Weights do not change the time that a network takes, so those of FaceAge need not be there.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from faceage_bio.core.errors import RunError
from faceage_bio.core.machine import make_socket_folder
from faceage_bio.faces.faceage.photo import Tools, examine
from faceage_bio.faces.faceage.predict import pool, tools_of_this_process
from faceage_bio.faces.faceage.settings import Settings
from faceage_bio.faces.vision.crop import CROP_SIZE
from faceage_bio.faces.vision.detect import Detector, in_batches

PATIENCE = 600  # seconds that processes wait for the last one to load its networks


def random_tools(device: str, settings: Settings) -> Tools:
    """The detector and the FaceAge network, its weights drawn, on a device."""
    from faceage_bio.faces.vision.models import use_whole_float32
    from faceage_bio.faces.vision.network import FaceAgeNetwork, FaceAgePredictor

    use_whole_float32()
    model = FaceAgePredictor(FaceAgeNetwork(), {"name": "random weights"}, device, settings.precision)
    return Tools(Detector(device, settings.first_level), (model,), settings)


def photos_per_second(paths: Sequence[Path], device: str, settings: Settings, workers: int) -> float:
    """Photos per second of all worker processes together, each timed on these photos while the others work too.

    A photo costs its decoding, hashes, detection and measures, and one pass of the age network for it and for each of its
    jittered crops, whether or not a face is in it. Starting the processes and their first photo are not counted.

    Raises
    ------
    RunError
        A process was ended from outside.
    """
    try:
        make_tools = partial(random_tools, device, settings)
        with _barrier(workers) as barrier, pool(workers, make_tools, one_owner=device == "cuda") as executor:
            seconds = list(executor.map(_time, [list(paths)] * workers, [barrier] * workers))
    except BrokenProcessPool:
        raise RunError(
            f"--time-photos: one of {workers} processes was ended while it aged photos, mostly because memory ran out. Expected enough "
            "memory for each. Free some, or run with fewer cores."
        ) from None
    return sum(len(paths) / spent for spent in seconds)


@contextmanager
def _barrier(workers: int) -> Iterator[object]:
    """Where processes wait for each other, so that each takes one task and all work at the same time; None for one alone."""
    if workers == 1:
        yield None
        return
    make_socket_folder()
    with multiprocessing.get_context("spawn").Manager() as manager:
        yield manager.Barrier(workers, timeout=PATIENCE)


def _time(paths: list[Path], barrier) -> float:
    tools = tools_of_this_process()
    _age(paths[:1], tools)  # what is done once, such as loading a GPU's kernels
    if barrier is not None:
        barrier.wait()
    begin = time.perf_counter()
    _age(paths, tools)
    return time.perf_counter() - begin


def _age(paths: list[Path], tools: Tools) -> None:
    examine(paths, tools)
    shape = (len(paths) * (1 + tools.settings.jitters), CROP_SIZE, CROP_SIZE, 3)
    crops = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    in_batches(tools.models[0].predict, crops, tools.settings.batch_size)
