"""The study's way from photo to face age, in the study's libraries; run by compare_peers.py in an environment of its own.

``published``: a new detector for each photo, as the study's script does. ``once``: the detector is built once. Both in graph
mode, which is faster than eager mode, and both age photos one by one. ``network``: the Keras age network in batches of 32.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks.clock import clock
from tests.golden.keras.make_golden import backbone

kl = tf.keras.layers


def age_network():
    """FaceAge's shape with random weights."""
    normalisation = kl.BatchNormalization(momentum=0.995, epsilon=0.001, scale=False)
    return tf.keras.Sequential([backbone(), kl.Dense(128, activation="relu"), normalisation, kl.Dense(1)])


def prepare(image: np.ndarray, face: dict) -> np.ndarray:
    x, y, width, height = face["box"]
    x, y = abs(x), abs(y)
    crop = Image.fromarray(image[y : y + height, x : x + width]).convert("RGB").resize((160, 160))
    pixels = np.asarray(crop, dtype=np.float64)
    return ((pixels - pixels.mean()) / pixels.std())[None]


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def whole(folder: Path, build_once: bool) -> dict:
    """All faces first, then all ages, as the study's script goes; building the age network is not counted."""
    from mtcnn import MTCNN

    tf.compat.v1.disable_eager_execution()
    paths = sorted(folder.glob("*.jpg"))
    detector = MTCNN() if build_once else None
    if build_once:
        detector.detect_faces(read(paths[0]))
    begin = clock()
    found = []
    for place, path in enumerate(paths):
        found.append((detector or MTCNN()).detect_faces(read(path)))
        if not build_once and place % 5 == 4:
            tf.keras.backend.clear_session()  # the script's remedy against a leak
    detecting = clock() - begin
    network = age_network()
    network.predict(np.zeros((1, 160, 160, 3)), verbose=0)
    begin = clock()
    for path, faces in zip(paths, found, strict=True):
        if faces:
            network.predict(prepare(read(path), faces[0]), verbose=0)
    ageing = clock() - begin
    return {"photos": len(paths), "seconds": detecting + ageing}


def network_alone() -> dict:
    network = age_network()
    crops = np.random.default_rng(1).normal(size=(32, 160, 160, 3)).astype(np.float32)
    network.predict(crops, batch_size=32, verbose=0)
    begin, done = clock(), 0
    while clock() - begin < 6:
        network.predict(crops, batch_size=32, verbose=0)
        done += len(crops)
    return {"photos": done, "seconds": clock() - begin}


if __name__ == "__main__":
    what, folder = sys.argv[1], Path(sys.argv[2])
    result = network_alone() if what == "network" else whole(folder, build_once=what == "once")
    print(json.dumps(result))
