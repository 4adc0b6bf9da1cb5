"""Our engine with worker processes, and our age network in batches of 32. Run by compare_peers.py.

As in the command, the server of the worker processes loads its libraries while this process loads them; that is not counted, nor
is it for the peers. The workers' start, and that they load the networks, is.
"""

import json
import os
import sys

from faceage_bio.core.machine import start_worker_server

if __name__ == "__main__" and sys.argv[1] != "network":
    start_worker_server()
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.clock import clock
from benchmarks.photos import table_of
from faceage_bio.core.config import FaceAge
from faceage_bio.faces.faceage.photo import load_tools
from faceage_bio.faces.faceage.predict import count_workers, predict_face_ages
from faceage_bio.faces.vision.models import load_model, read_card


def whole(folder: Path, model: Path, detection: str) -> dict:
    paths = sorted(folder.glob("*.jpg"))
    settings = FaceAge(detection=detection)
    photos = table_of(paths, max(len(paths), 160 * len(os.sched_getaffinity(0))))
    workers = count_workers(None, "cpu", len(photos))
    make = partial(load_tools, [model], "cpu", settings)
    begin = clock()
    predict_face_ages(photos, folder, make, [read_card(model)], settings, workers=workers)
    return {"photos": len(photos), "seconds": clock() - begin}


def network_alone(model: Path) -> dict:
    network = load_model(model)
    crops = np.random.default_rng(1).normal(size=(32, 160, 160, 3)).astype(np.float32)
    network.predict_standardised(crops)
    begin, done = clock(), 0
    while clock() - begin < 6:
        done += len(network.predict_standardised(crops))
    return {"photos": done, "seconds": clock() - begin}


if __name__ == "__main__":
    what, folder, model = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    print(json.dumps(network_alone(model) if what == "network" else whole(folder, model, what)))
